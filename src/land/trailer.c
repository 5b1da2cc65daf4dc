/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <yyjson.h>

#include "land/impl.h"

/* One of the sixteen magic numbers of skippable frames (RFC 8878 section 3.1.2), little-endian. */
static const unsigned char magic[4] = {0x5d, 0x2a, 0x4d, 0x18};
static const char footer_magic[4] = {'F', 'H', 'L', '1'};

static void put_le32(char *p, size_t v)
{
	for (int i = 0; i < 4; i++)
		p[i] = (char)(v >> (8 * i));
}

static size_t get_le32(const unsigned char *p)
{
	return (size_t)p[0] | (size_t)p[1] << 8 | (size_t)p[2] << 16 | (size_t)p[3] << 24;
}

static void write_index(struct buf *out, const struct land_frame *frames, size_t count)
{
	int64_t raw = 0, lines = 0;

	for (size_t i = 0; i < count; i++) {
		raw += frames[i].raw_bytes;
		lines += frames[i].lines;
	}
	buf_printf(out,
	           "{\"version\":1,\"raw_bytes\":%" PRId64 ",\"lines\":%" PRId64 ",\"frames\":[",
	           raw, lines);
	for (size_t i = 0; i < count; i++)
		buf_printf(out, "%s[%" PRId64 ",%" PRId64 ",%" PRId64 "]", i ? "," : "",
		           frames[i].bytes, frames[i].raw_bytes, frames[i].lines);
	buf_lit(out, "]}\n");
}

bool land_trailer_write(struct buf *out, const struct land_frame *frames, size_t count,
                        struct str meta)
{
	char head[LAND_TRAILER_HEAD] = {0}, footer[LAND_FOOTER];
	size_t start = out->n;

	buf_add(out, head, sizeof head);
	write_index(out, frames, count);
	buf_add_str(out, meta);
	buf_add_char(out, '\n');
	if (out->failed)
		return false;
	put_le32(footer, out->n - start - sizeof head);
	memcpy(footer + 4, footer_magic, sizeof footer_magic);
	if (!buf_add(out, footer, sizeof footer))
		return false;
	memcpy(out->p + start, magic, sizeof magic);
	put_le32(out->p + start + 4, out->n - start - sizeof head);
	return true;
}

bool land_footer_valid(const unsigned char *footer, size_t *content)
{
	*content = get_le32(footer);
	return memcmp(footer + 4, footer_magic, sizeof footer_magic) == 0 &&
	       *content <= LAND_TRAILER_MAX;
}

/* A number that a whole object can have there; -1 otherwise. */
static int64_t get_count(yyjson_val *v)
{
	return yyjson_is_uint(v) && yyjson_get_uint(v) <= INT64_MAX / 4
	           ? (int64_t)yyjson_get_uint(v)
	           : -1;
}

static bool read_frame(yyjson_val *v, struct land_frame *f)
{
	f->bytes = get_count(yyjson_arr_get(v, 0));
	f->raw_bytes = get_count(yyjson_arr_get(v, 1));
	f->lines = get_count(yyjson_arr_get(v, 2));
	return f->bytes > 0 && f->raw_bytes > 0 && f->lines > 0 &&
	       f->raw_bytes <= LAND_FRAME + LAND_LINE_MAX;
}

/* The frames must fill the object up to the trailer, and add up to what it says. */
static bool read_index(yyjson_val *root, int64_t frame_bytes, struct land_trailer *t)
{
	yyjson_val *frames = yyjson_obj_get(root, "frames"), *v;
	size_t i, max;
	int64_t bytes = 0, raw = 0, lines = 0;

	t->raw_bytes = get_count(yyjson_obj_get(root, "raw_bytes"));
	t->lines = get_count(yyjson_obj_get(root, "lines"));
	if (get_count(yyjson_obj_get(root, "version")) != 1 || !yyjson_is_arr(frames))
		return false;
	t->count = yyjson_arr_size(frames);
	t->frames = calloc(t->count + 1, sizeof *t->frames);
	if (!t->frames)
		return false;
	yyjson_arr_foreach(frames, i, max, v)
	{
		if (!read_frame(v, &t->frames[i]) || t->frames[i].bytes > frame_bytes - bytes)
			return false;
		bytes += t->frames[i].bytes;
		raw += t->frames[i].raw_bytes;
		lines += t->frames[i].lines;
	}
	return bytes == frame_bytes && raw == t->raw_bytes && lines == t->lines;
}

static bool parse_trailer(struct land_trailer *t, size_t content, int64_t frame_bytes)
{
	char *end = memchr(t->content, '\n', content);
	yyjson_doc *doc;
	bool ok;

	if (!end || content < 2 || t->content[content - 1] != '\n')
		return false;
	t->meta = (struct str){end + 1, content - (size_t)(end + 1 - t->content)};
	if (t->meta.n == 0)
		return false;
	t->meta.n--;
	doc = yyjson_read(t->content, (size_t)(end - t->content), 0);
	ok = doc && read_index(yyjson_doc_get_root(doc), frame_bytes, t);
	yyjson_doc_free(doc);
	return ok;
}

bool land_trailer_read(struct land *l, const char *name, struct land_trailer *out, int64_t *size,
                       struct err *err)
{
	const struct land_backend_ops *ops = l->backend->ops;
	struct land_trailer t = {0};
	unsigned char footer[LAND_FOOTER];
	size_t content;
	int64_t bytes, start;

	if (!land_name_check(name, err) || !ops->size(l->backend, name, &bytes, err))
		return false;
	if (bytes < 0)
		return err_set(err, ERR_NOT_FOUND, "land.read",
		               "there is no %s in the landing zone", land_last_part(name));
	if (bytes < LAND_TRAILER_HEAD + LAND_FOOTER)
		return land_damaged(err, name, "it is cut off");
	if (!ops->range(l->backend, name, bytes - LAND_FOOTER, footer, sizeof footer, err))
		return false;
	if (!land_footer_valid(footer, &content))
		return land_damaged(err, name, "it is cut off");
	start = bytes - LAND_FOOTER - (int64_t)content;
	if (start < LAND_TRAILER_HEAD)
		return land_damaged(err, name, "its trailer cannot be read");
	t.content = malloc(content + 1);
	if (!t.content)
		return err_set(err, ERR_NOMEM, "land.read", "out of memory");
	if (!ops->range(l->backend, name, start, t.content, content, err)) {
		land_trailer_free(&t);
		return false;
	}
	if (!parse_trailer(&t, content, start - LAND_TRAILER_HEAD)) {
		land_trailer_free(&t);
		return land_damaged(err, name, "its trailer cannot be read");
	}
	*out = t;
	*size = bytes;
	return true;
}

void land_trailer_free(struct land_trailer *t)
{
	free(t->frames);
	free(t->content);
	*t = (struct land_trailer){0};
}
