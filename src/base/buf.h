/* SPDX-License-Identifier: Apache-2.0
 *
 * buf.h: a growing byte buffer with a limit.
 *
 * A buf starts as BUF_INIT(max) and owns its memory until buf_free(). Bytes are only ever appended;
 * `p` moves when it grows. After any append p[n] is '\0' (not counted), so text can be used as a C
 * string.
 *
 * Appending past `max` or out of memory fails: the call returns false, what was there stays, and
 * `failed` is set and stays set, so a caller may append many pieces and ask once.
 */
#ifndef FHIRLINE_BASE_BUF_H
#define FHIRLINE_BASE_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

struct buf {
	char *p;
	size_t n;   /* bytes in use */
	size_t cap; /* bytes allocated */
	size_t max; /* n never exceeds it */
	bool failed;
};

#define BUF_INIT(limit) ((struct buf){.max = (limit)})

/* Makes `extra` more bytes (and the '\0') fit, when they do not yet. Called by buf_reserve() only.
 */
bool buf_grow(struct buf *b, size_t extra);

/* Room for `extra` more bytes (and the '\0'). Inline: rows are made of many small appends. */
static inline bool buf_reserve(struct buf *b, size_t extra)
{
	if (!b->failed && extra <= b->max - b->n && b->cap - b->n > extra)
		return true;
	return buf_grow(b, extra);
}

bool buf_add(struct buf *b, const void *p, size_t n);
bool buf_add_str(struct buf *b, struct str s);
bool buf_add_cstr(struct buf *b, const char *s);
bool buf_add_char(struct buf *b, char c);
bool buf_printf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
#define buf_lit(b, s) buf_add((b), "" s, sizeof(s) - 1)

/* A JSON string with its quotes; `s` is UTF-8. Bytes that are not valid UTF-8 become U+FFFD. */
bool buf_add_json(struct buf *b, struct str s);

/* Percent-encodes all but RFC 3986 unreserved characters. */
bool buf_add_urlencoded(struct buf *b, struct str s);

void buf_clear(struct buf *b); /* n = 0, failed = false; memory is kept */
void buf_free(struct buf *b);  /* back to BUF_INIT(max) */

/* Turns `failed` into an error that names `what` and the limit. True when nothing failed. */
bool buf_ok(const struct buf *b, const char *what, struct err *err);

#endif
