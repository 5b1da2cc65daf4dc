/* SPDX-License-Identifier: Apache-2.0
 *
 * land.h: the landing zone, where raw resources are kept as they came.
 *
 * Layout (docs/LANDING.md): <root>/zip=02139/run=<run id>/patient-000001.ndjson.zst,
 * observation-000002.ndjson.zst, … and manifest.json, which is written last: a run without a
 * manifest is not finished. An object is NDJSON, one resource a line as the source sent it (line
 * breaks between tokens become spaces), compressed with zstd in frames of about 1 MB so that it can
 * be read in pieces by any zstd tool. A line is at most 128 MiB.
 *
 * An object appears whole or not at all: it is written under a temporary name, flushed to disk, put
 * in place, and its folder is flushed. Names are relative to the root, with '/', of
 * [A-Za-z0-9=._-], no part beginning with a dot.
 *
 * Errors: ERR_IO with the path's last part and what to do (no space, not writable); a full disk is
 * retryable. ERR_DATA for an object that is damaged (zstd or hash), naming it. Those of S3: s3.h.
 *
 * The back end is a vtable (backend.h): files (file.c) or S3 (s3.c). Threads: a
 * `struct land` may be shared; a writer or reader belongs to one thread.
 */
#ifndef FHIRLINE_LAND_LAND_H
#define FHIRLINE_LAND_LAND_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/str.h"

struct land;
struct land_writer;
struct land_reader;

/* `url`: file:///absolute/path (made when missing), or s3://bucket/prefix, for which `s3` tells the
 * rest (s3.h; may be NULL otherwise). Checks that it can be written. */
struct land_s3_options;
struct land *land_open(const char *url, const struct land_s3_options *s3, struct err *err);
void land_close(struct land *l);
const char *land_url(const struct land *l); /* without credentials */

/* The same zone as a run sees it: when `stop` becomes true, and land_wake() was called, what is
 * waiting for a server ends within a second with ERR_CANCELLED. Through it a server that is away is
 * waited for, up to two minutes; else some seconds. Close it before `l`. */
struct land *land_view(struct land *l, const atomic_bool *stop, struct err *err);
void land_wake(struct land *l); /* looks at all `stop` flags now */

struct land_object {
	char name[160];
	char sha256[HASH_HEX]; /* of the object's bytes, compressed */
	int64_t bytes;         /* compressed */
	int64_t raw_bytes;     /* of the NDJSON */
	int64_t lines;
};

/* Object names of a run: type is "patient" or "observation". */
void land_object_name(char out[160], const char *zip, const char *run_id, const char *type,
                      int seq);

struct land_writer *land_create(struct land *l, const char *name, struct err *err);
bool land_write_line(struct land_writer *w, struct str resource,
                     struct err *err); /* without the newline */
/* Puts the object in place, with `meta` (facts of the caller's about it, at most 16 MiB) in a
 * trailer: a zstd skippable frame at its end, which zstd tools pass over. Object and facts appear
 * in the same instant. An object lands once: when one of that name is there already it stays as it
 * is and the answer is ERR_CONFLICT (files: link(2) refuses to replace; S3: If-None-Match).
 * Frees w, also on failure. */
bool land_commit(struct land_writer *w, struct str meta, struct land_object *out, struct err *err);
void land_abort(struct land_writer *w); /* leaves nothing behind. NULL is fine */

/* The trailer of a landed object appended to `meta`, and what it is (all fields; the hash is
 * computed anew). ERR_NOT_FOUND: there is no such object. */
bool land_meta(struct land *l, const char *name, struct buf *meta, struct land_object *out,
               struct err *err);

/* Reads lines in order. `sha256` may be NULL; else the bytes are checked against it by the time the
 * last line is read. */
struct land_reader *land_read(struct land *l, const char *name, const char *sha256,
                              struct err *err);
enum land_line { LAND_LINE, LAND_END, LAND_ERROR };
enum land_line land_next_line(struct land_reader *r, struct str *line,
                              struct err *err); /* line: valid until the next call */
void land_read_close(struct land_reader *r);

/* One line of an object, from 1, copied into `out`. */
bool land_get_line(struct land *l, const char *name, int64_t line, struct buf *out,
                   struct err *err);

/* Small whole files beside the objects: the manifest. Atomic like an object; put replaces.
 * ERR_NOT_FOUND when there is none. */
bool land_put_small(struct land *l, const char *name, struct str bytes, struct err *err);
bool land_get_small(struct land *l, const char *name, struct buf *out, struct err *err);

/* Plain files: any bytes, given in pieces and hashed on the way: CSV beside the objects, exports.
 * Atomic like an object. `out` gets name, hash and bytes; `lines` and `raw_bytes` are the caller's.
 * Commit frees it, also on failure. */
struct land_plain;
struct land_plain *land_plain_create(struct land *l, const char *name, bool replace,
                                     struct err *err);
bool land_plain_write(struct land_plain *f, const void *p, size_t n, struct err *err);
bool land_plain_commit(struct land_plain *f, struct land_object *out, struct err *err);
void land_plain_abort(struct land_plain *f); /* leaves nothing behind. NULL is fine */

/* Size and hash of the bytes under any name, as they lie there. ERR_NOT_FOUND when there are none.
 */
bool land_hash(struct land *l, const char *name, struct land_object *out, struct err *err);

/* Tells each object and small file below `folder` ("": all; "zip=02139"; a run's) and its size in
 * bytes, in bytewise order of names. What is not of the layout's alphabet, or being written, is
 * left out. `each` returning false ends it with the error that it set. */
typedef bool (*land_each)(void *ctx, const char *name, int64_t size, struct err *err);
bool land_list(struct land *l, const char *folder, land_each each, void *ctx, struct err *err);

bool land_exists(struct land *l, const char *name, bool *exists, struct err *err);
bool land_remove(struct land *l, const char *name,
                 struct err *err); /* one object; missing is fine */
bool land_remove_run(struct land *l, const char *zip, const char *run_id,
                     struct err *err); /* all of a run; missing is fine */

/* Temporary files of writers that died: removes those of a run. Called when a run is taken over; a
 * writer of the former owner that still lives then fails to commit with ERR_CONFLICT. */
bool land_sweep(struct land *l, const char *zip, const char *run_id, struct err *err);

#endif
