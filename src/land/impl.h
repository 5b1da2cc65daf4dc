/* SPDX-License-Identifier: Apache-2.0
 *
 * impl.h: what land.c, write.c, read.c and trailer.c share. Not for others.
 *
 * An object is: zstd frames of whole lines, then one skippable frame, the trailer. Its content is
 *
 *   {"version":1,"raw_bytes":N,"lines":N,"frames":[[bytes,raw_bytes,lines],…]}\n
 *   <the caller's facts, verbatim>\n
 *   length of the content up to here (4 bytes, little-endian) "FHL1"
 *
 * so that it is found from the object's end, and a line is found without reading what is before its
 * frame.
 */
#ifndef FHIRLINE_LAND_IMPL_H
#define FHIRLINE_LAND_IMPL_H

#include "land/backend.h"
#include "land/land.h"

enum {
	LAND_FRAME = 1024 * 1024,          /* a frame is closed when it has so many raw bytes */
	LAND_LINE_MAX = 128 * 1024 * 1024, /* one resource */
	LAND_META_MAX = 16 * 1024 * 1024,  /* the caller's facts */
	LAND_TRAILER_MAX = 64 * 1024 * 1024,
	LAND_SMALL_MAX = 256 * 1024 * 1024, /* land_get_small */
	LAND_TRAILER_HEAD = 8,              /* a skippable frame's magic number and length */
	LAND_FOOTER = 8,
};

struct land {
	struct land_backend *backend;
	bool borrowed; /* the backend is another's */
	char *url;
};

struct land_frame {
	int64_t bytes, raw_bytes, lines;
};

struct land_trailer {
	struct land_frame *frames;
	size_t count;
	int64_t raw_bytes, lines;
	char *content;   /* owns what meta points into */
	struct str meta; /* the caller's facts */
};

/* ERR_USAGE, and false, when a name could leave the landing zone. */
bool land_name_check(const char *name, struct err *err);

/* The path of a URL: %XX decoded, without slashes at its end. NULL: no memory. The caller frees it.
 */
char *land_url_decode(const char *url);

/* The last part of a name, for messages. */
const char *land_last_part(const char *name);

/* Appends the whole trailer, frame head and all. */
bool land_trailer_write(struct buf *out, const struct land_frame *frames, size_t count,
                        struct str meta);

/* Reads the trailer of an object; *size gets the object's bytes. ERR_NOT_FOUND, or ERR_DATA when it
 * is damaged. */
bool land_trailer_read(struct land *l, const char *name, struct land_trailer *out, int64_t *size,
                       struct err *err);
void land_trailer_free(struct land_trailer *t);

/* Are these the last LAND_FOOTER bytes of a whole object? */
bool land_footer_valid(const unsigned char *footer, size_t *content);

bool land_damaged(struct err *err, const char *name, const char *what);

#endif
