/* SPDX-License-Identifier: Apache-2.0
 *
 * body.h: where the bytes of a response body go: through gzip when the server chose it, into a
 * buffer with a limit.
 *
 * libcurl could decode as well, but it takes a gzip stream that was cut for a complete one (7.88).
 * Here the end of the stream and its checksum are part of a good answer, and the limit counts
 * decoded bytes, so a small file cannot become a big one.
 */
#ifndef FHIRLINE_HTTP_BODY_H
#define FHIRLINE_HTTP_BODY_H

#include <stdbool.h>
#include <stdint.h>
#ifndef ZLIB_CONST
#define ZLIB_CONST
#endif
#include <zlib.h>

#include "base/buf.h"

enum body_state {
	BODY_OK,
	BODY_TOO_LARGE,
	BODY_BROKEN_GZIP,
	BODY_UNKNOWN_ENCODING,
	BODY_NO_MEMORY
};

struct body {
	struct buf out;
	int64_t wire; /* bytes as received */
	enum body_state state;
	bool gzip;    /* the header said so */
	bool started; /* z is live */
	bool ended;   /* the last gzip member is complete */
	z_stream z;
};

void body_init(struct body *b, size_t max);
void body_free(struct body *b);
void body_restart(
    struct body *b); /* a new response begins (after 100 Continue): forget the headers */

/* The value of Content-Encoding. */
void body_encoding(struct body *b, struct str value);

/* Makes room for a body of `length` wire bytes, within sane bounds. Only a hint. */
void body_expect(struct body *b, int64_t length);

/* Takes bytes off the wire. False: see state; the transfer should end. */
bool body_add(struct body *b, const void *p, size_t n);

/* The transfer is complete: was the body? */
bool body_end(struct body *b);

#endif
