/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <zstd.h>

#include "land/impl.h"

enum { CHUNK = 128 * 1024 };

struct land_reader {
	struct land_backend *backend;
	struct land_source *source;
	ZSTD_DCtx *zstd;
	struct hash_sha256 *hash;
	char name[160];
	char expected[HASH_HEX]; /* "" when the caller had none */

	char *packed; /* CHUNK bytes from the source … */
	ZSTD_inBuffer in;
	struct buf raw; /* … and what they say, from `pos` on not yet given out; `seen` has been
	                   looked through */
	size_t pos, seen;
	size_t frame_left;               /* ZSTD's hint: 0 between frames */
	unsigned char tail[LAND_FOOTER]; /* the last bytes read */
	bool eof;
	bool ended; /* and all was checked */
};

struct land_reader *land_read(struct land *l, const char *name, const char *sha256, struct err *err)
{
	struct land_reader *r;

	if (!land_name_check(name, err))
		return NULL;
	r = calloc(1, sizeof *r);
	if (!r) {
		err_set(err, ERR_NOMEM, "land.read", "out of memory");
		return NULL;
	}
	r->backend = l->backend;
	snprintf(r->name, sizeof r->name, "%s", name);
	snprintf(r->expected, sizeof r->expected, "%s", sha256 ? sha256 : "");
	r->raw = BUF_INIT(LAND_LINE_MAX + 2 * CHUNK);
	r->packed = malloc(CHUNK);
	r->zstd = ZSTD_createDCtx();
	r->hash = hash_sha256_new(err);
	if (!r->packed || !r->zstd)
		err_set(err, ERR_NOMEM, "land.read", "out of memory");
	else if (r->hash)
		r->source = l->backend->ops->open(l->backend, name, err);
	if (r->source)
		return r;
	land_read_close(r);
	return NULL;
}

void land_read_close(struct land_reader *r)
{
	if (!r)
		return;
	if (r->source)
		r->backend->ops->close_source(r->source);
	ZSTD_freeDCtx(r->zstd);
	hash_sha256_free(r->hash);
	buf_free(&r->raw);
	free(r->packed);
	free(r);
}

static void keep_tail(struct land_reader *r, size_t got)
{
	if (got >= LAND_FOOTER) {
		memcpy(r->tail, r->packed + got - LAND_FOOTER, LAND_FOOTER);
	} else {
		memmove(r->tail, r->tail + got, LAND_FOOTER - got);
		memcpy(r->tail + LAND_FOOTER - got, r->packed, got);
	}
}

static bool fill(struct land_reader *r, struct err *err)
{
	size_t got;

	if (!r->backend->ops->read(r->source, r->packed, CHUNK, &got, err))
		return false;
	r->in = (ZSTD_inBuffer){r->packed, got, 0};
	r->eof = got == 0;
	keep_tail(r, got);
	if (!hash_sha256_add(r->hash, r->packed, got))
		return err_set(err, ERR_INTERNAL, "land.read", "SHA-256 failed");
	return true;
}

/* More raw bytes behind those that are there. */
static bool unpack(struct land_reader *r, struct err *err)
{
	ZSTD_outBuffer out;

	if (r->in.pos == r->in.size && !fill(r, err))
		return false;
	if (r->eof)
		return r->frame_left == 0 || land_damaged(err, r->name, "it is cut off");
	/* what was given out makes room, once it is much or room is short */
	if (r->pos > 0 && (r->pos >= r->raw.n / 2 || r->raw.n + CHUNK > r->raw.max)) {
		memmove(r->raw.p, r->raw.p + r->pos, r->raw.n - r->pos);
		r->raw.n -= r->pos;
		r->seen -= r->pos;
		r->pos = 0;
	}
	if (!buf_reserve(&r->raw, CHUNK))
		return land_damaged(err, r->name, "a line is too long");
	out = (ZSTD_outBuffer){r->raw.p + r->raw.n, CHUNK, 0};
	r->frame_left = ZSTD_decompressStream(r->zstd, &out, &r->in);
	if (ZSTD_isError(r->frame_left))
		return land_damaged(err, r->name, ZSTD_getErrorName(r->frame_left));
	r->raw.n += out.pos;
	return true;
}

static enum land_line end_of_object(struct land_reader *r, struct err *err)
{
	char hex[HASH_HEX];
	size_t content;

	if (r->ended)
		return LAND_END;
	if (r->pos != r->raw.n || !land_footer_valid(r->tail, &content)) {
		land_damaged(err, r->name, "it is cut off");
		return LAND_ERROR;
	}
	if (!hash_sha256_hex(r->hash, hex)) {
		err_set(err, ERR_INTERNAL, "land.read", "SHA-256 failed");
		return LAND_ERROR;
	}
	if (r->expected[0] && strcmp(hex, r->expected) != 0) {
		land_damaged(err, r->name, "its SHA-256 is not the one it was landed with");
		return LAND_ERROR;
	}
	r->ended = true;
	return LAND_END;
}

enum land_line land_next_line(struct land_reader *r, struct str *line, struct err *err)
{
	for (;;) {
		char *end = r->raw.n > r->seen
		                ? memchr(r->raw.p + r->seen, '\n', r->raw.n - r->seen)
		                : NULL;

		if (end) {
			*line = (struct str){r->raw.p + r->pos, (size_t)(end - r->raw.p) - r->pos};
			r->pos += line->n + 1;
			r->seen = r->pos;
			return LAND_LINE;
		}
		r->seen = r->raw.n;
		if (r->eof)
			return end_of_object(r, err);
		if (!unpack(r, err))
			return LAND_ERROR;
	}
}

/* ---- pieces of an object ---- */

static bool unpack_frame(struct land *l, const char *name, int64_t offset,
                         const struct land_frame *f, char *raw, struct err *err)
{
	char *packed = malloc((size_t)f->bytes);
	size_t n;
	bool ok;

	if (!packed)
		return err_set(err, ERR_NOMEM, "land.read", "out of memory");
	ok = l->backend->ops->range(l->backend, name, offset, packed, (size_t)f->bytes, err);
	if (ok) {
		n = ZSTD_decompress(raw, (size_t)f->raw_bytes, packed, (size_t)f->bytes);
		if (ZSTD_isError(n))
			ok = land_damaged(err, name, ZSTD_getErrorName(n));
		else if (n != (size_t)f->raw_bytes)
			ok = land_damaged(err, name, "a frame is shorter than it should be");
	}
	free(packed);
	return ok;
}

/* Line `index`, from 0, of a frame's text. */
static bool pick_line(const char *raw, size_t n, int64_t index, struct str *line)
{
	const char *p = raw, *end;

	for (; (end = memchr(p, '\n', n - (size_t)(p - raw))); p = end + 1) {
		if (index-- == 0) {
			*line = (struct str){p, (size_t)(end - p)};
			return true;
		}
	}
	return false;
}

static bool line_of_frame(struct land *l, const char *name, int64_t offset,
                          const struct land_frame *f, int64_t index, struct buf *out,
                          struct err *err)
{
	char *raw = malloc((size_t)f->raw_bytes);
	struct str line;
	bool ok;

	if (!raw)
		return err_set(err, ERR_NOMEM, "land.read", "out of memory");
	ok = unpack_frame(l, name, offset, f, raw, err);
	if (ok && !pick_line(raw, (size_t)f->raw_bytes, index, &line))
		ok = land_damaged(err, name, "it has fewer lines than it should");
	if (ok) {
		buf_add_str(out, line);
		ok = buf_ok(out, "a landed resource", err);
	}
	free(raw);
	return ok;
}

bool land_get_line(struct land *l, const char *name, int64_t line, struct buf *out, struct err *err)
{
	struct land_trailer t;
	int64_t size, offset = 0, left = line - 1;
	size_t i = 0;
	bool ok;

	if (!land_trailer_read(l, name, &t, &size, err))
		return false;
	for (; i < t.count && left >= t.frames[i].lines; i++) {
		left -= t.frames[i].lines;
		offset += t.frames[i].bytes;
	}
	if (left < 0 || i == t.count)
		ok = err_set(err, ERR_NOT_FOUND, "land.read", "%s has no line %" PRId64,
		             land_last_part(name), line);
	else
		ok = line_of_frame(l, name, offset, &t.frames[i], left, out, err);
	land_trailer_free(&t);
	return ok;
}

static bool hash_object(struct land *l, const char *name, char hex[HASH_HEX], struct err *err)
{
	const struct land_backend_ops *ops = l->backend->ops;
	struct hash_sha256 *hash = hash_sha256_new(err);
	struct land_source *source = hash ? ops->open(l->backend, name, err) : NULL;
	char *chunk = malloc(CHUNK);
	size_t got = 1;
	bool ok = source && chunk;

	if (source && !chunk)
		err_set(err, ERR_NOMEM, "land.read", "out of memory");
	while (ok && got) {
		ok = ops->read(source, chunk, CHUNK, &got, err);
		if (ok && !hash_sha256_add(hash, chunk, got))
			ok = err_set(err, ERR_INTERNAL, "land.read", "SHA-256 failed");
	}
	if (ok && !hash_sha256_hex(hash, hex))
		ok = err_set(err, ERR_INTERNAL, "land.read", "SHA-256 failed");
	if (source)
		ops->close_source(source);
	hash_sha256_free(hash);
	free(chunk);
	return ok;
}

bool land_meta(struct land *l, const char *name, struct buf *meta, struct land_object *out,
               struct err *err)
{
	struct land_object o = {0};
	struct land_trailer t;
	bool ok;

	if (!land_trailer_read(l, name, &t, &o.bytes, err))
		return false;
	snprintf(o.name, sizeof o.name, "%s", name);
	o.raw_bytes = t.raw_bytes;
	o.lines = t.lines;
	ok = hash_object(l, name, o.sha256, err);
	if (ok) {
		buf_add_str(meta, t.meta);
		ok = buf_ok(meta, "the facts about an object", err);
	}
	land_trailer_free(&t);
	if (ok)
		*out = o;
	return ok;
}
