/* SPDX-License-Identifier: Apache-2.0 */
#include "http/body.h"

#include <string.h>

enum {
	STEP = 128 << 10,      /* room that inflate is given at a time */
	EXPECT_MAX = 16 << 20, /* never reserve more than this on the server's word */
	GZIP_WINDOW = 15 + 16, /* zlib: a gzip wrapper, and nothing else */
};

void body_init(struct body *b, size_t max)
{
	memset(b, 0, sizeof *b);
	b->out = BUF_INIT(max);
}

void body_free(struct body *b)
{
	if (b->started)
		inflateEnd(&b->z);
	b->started = false;
	buf_free(&b->out);
}

void body_restart(struct body *b)
{
	b->gzip = false;
	b->state = BODY_OK;
}

void body_encoding(struct body *b, struct str value)
{
	value = str_trim(value);
	if (str_is_nocase(value, "gzip") || str_is_nocase(value, "x-gzip"))
		b->gzip = true;
	else if (value.n && !str_is_nocase(value, "identity"))
		b->state = BODY_UNKNOWN_ENCODING;
}

void body_expect(struct body *b, int64_t length)
{
	size_t want;

	if (length <= 0 || b->out.n)
		return;
	want = length > EXPECT_MAX ? EXPECT_MAX : (size_t)length;
	if (want <= b->out.max)
		buf_reserve(&b->out, want);
}

static bool body_fail(struct body *b, enum body_state state)
{
	b->state = state;
	return false;
}

/* Room for at least one byte; how much there is, 0 at the limit or without memory. */
static size_t body_room(struct body *b)
{
	struct buf *o = &b->out;
	size_t want = o->max - o->n < STEP ? o->max - o->n : STEP;

	if (o->cap > o->n + 1)
		want = o->cap - o->n - 1 < o->max - o->n ? o->cap - o->n - 1 : o->max - o->n;
	if (!want) {
		b->state = BODY_TOO_LARGE;
		return 0;
	}
	if (!buf_reserve(o, want)) {
		b->state = BODY_NO_MEMORY;
		return 0;
	}
	return want;
}

static bool body_start_gzip(struct body *b)
{
	if (!b->started) {
		if (inflateInit2(&b->z, GZIP_WINDOW) != Z_OK)
			return body_fail(b, BODY_NO_MEMORY);
		b->started = true;
	}
	return true;
}

/* One inflate() call. At the limit it is given no room at all, so that a stream which ends exactly
 * there is still seen to end. */
static bool body_inflate_step(struct body *b)
{
	char none;
	bool full = b->out.n == b->out.max;
	size_t room = full ? 0 : body_room(b);
	uInt before, in_before = b->z.avail_in;
	int rc;

	if (!full && !room)
		return false;
	b->z.next_out = (Bytef *)(full ? &none : b->out.p + b->out.n);
	b->z.avail_out = before = full ? 1 : (uInt)(room > STEP ? STEP : room);
	rc = inflate(&b->z, Z_NO_FLUSH);
	if (full && b->z.avail_out == 0)
		return body_fail(b, BODY_TOO_LARGE);
	if (!full) {
		b->out.n += before - b->z.avail_out;
		b->out.p[b->out.n] = '\0';
	}
	if (rc == Z_STREAM_END)
		b->ended = true;
	else if (rc == Z_MEM_ERROR)
		return body_fail(b, BODY_NO_MEMORY);
	else if (rc != Z_OK && rc != Z_BUF_ERROR)
		return body_fail(b, BODY_BROKEN_GZIP);
	else if (b->z.avail_in == in_before && b->z.avail_out == before && in_before)
		return body_fail(b, BODY_BROKEN_GZIP); /* no way forward */
	return true;
}

static bool body_add_gzip(struct body *b, const void *p, size_t n)
{
	bool more;

	if (!body_start_gzip(b))
		return false;
	b->z.next_in = p;
	b->z.avail_in = (uInt)n;
	do {
		if (b->ended && b->z.avail_in) { /* RFC 1952: members may follow one another */
			if (inflateReset(&b->z) != Z_OK)
				return body_fail(b, BODY_BROKEN_GZIP);
			b->ended = false;
		}
		if (!body_inflate_step(b))
			return false;
		more = b->z.avail_in || (!b->ended && b->z.avail_out == 0);
	} while (more);
	return true;
}

bool body_add(struct body *b, const void *p, size_t n)
{
	b->wire += (int64_t)n;
	if (b->state != BODY_OK)
		return false;
	if (!n)
		return true;
	if (b->gzip)
		return body_add_gzip(b, p, n);
	if (n > b->out.max - b->out.n)
		return body_fail(b, BODY_TOO_LARGE);
	return buf_add(&b->out, p, n) || body_fail(b, BODY_NO_MEMORY);
}

bool body_end(struct body *b)
{
	if (b->state == BODY_UNKNOWN_ENCODING && !b->wire)
		b->state = BODY_OK;
	if (b->state == BODY_OK && b->gzip && b->wire && !b->ended)
		b->state = BODY_BROKEN_GZIP;
	if (b->state == BODY_OK && !b->out.p && !buf_add(&b->out, "", 0))
		b->state = BODY_NO_MEMORY; /* p is never NULL in a response */
	return b->state == BODY_OK;
}
