/* SPDX-License-Identifier: Apache-2.0
 *
 * Reading an object, in ranges of the one that was there at the first.
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "land/s3_backend.h"

enum { CHUNK = 4 << 20 }; /* read at once */

struct s3_source {
	struct land_source base;
	char name[160];
	char etag[S3_ETAG_MAX]; /* of the first bytes: the others must be of the same object */
	struct buf data;
	size_t pos;
	int64_t offset, size; /* of what is read next; of all, -1 when unknown */
};

static struct s3_source *source_of(struct land_source *s)
{
	return (struct s3_source *)(void *)s;
}

static bool fail_missing(const char *name, struct err *err)
{
	return err_set(err, ERR_NOT_FOUND, "land.s3", "there is no %s in the landing zone",
	               land_last_part(name));
}

/* `n` bytes from `offset`, fewer at the end; the status is 206, 404, 412 or 416. */
static bool get_range(struct s3_client *c, const char *name, const char *etag, int64_t offset,
                      size_t n, struct s3_answer *answer, struct err *err)
{
	static const int fine[] = {404, 412, 416, 0};
	char range[64];
	struct s3_request req = {.method = "GET",
	                         .name = name,
	                         .doing = "read",
	                         .headers = {{"Range", range}},
	                         .keep_header = "content-range",
	                         .max_body = n < S3_XML_MAX ? S3_XML_MAX : n};

	snprintf(range, sizeof range, "bytes=%lld-%lld", (long long)offset,
	         (long long)(offset + (int64_t)n - 1));
	if (etag && *etag)
		req.headers[1] = (struct s3_pair){"If-Match", etag};
	return s3_call(c, &req, fine, answer, err);
}

/* "bytes 0-99/1234" */
static bool size_in(const char *content_range, int64_t *size)
{
	const char *slash = strchr(content_range, '/');

	return slash && str_int(str_of(slash + 1), 0, INT64_MAX, size);
}

/* The next bytes into s->data, none at the end. */
static bool fill(struct s3_source *s, struct err *err)
{
	struct s3_client *c = s3_client_of(s->base.backend);
	struct s3_answer answer;
	bool ok;

	buf_clear(&s->data);
	s->pos = 0;
	if (s->size >= 0 && s->offset >= s->size)
		return true;
	if (!get_range(c, s->name, s->etag, s->offset, CHUNK, &answer, err))
		return false;
	if (answer.http.status == 416) { /* an empty object has no first byte */
		s->size = s->offset;
		ok = true;
	} else if (answer.http.status == 404) {
		ok = fail_missing(s->name, err);
	} else if (answer.http.status != 206 || !size_in(answer.http.kept, &s->size) ||
	           answer.http.body.n == 0) {
		ok = err_set(err, ERR_DATA, "land.s3", "%s changed while it was read",
		             land_last_part(s->name));
	} else {
		memcpy(s->etag, answer.http.etag, sizeof s->etag);
		s->offset += (int64_t)answer.http.body.n;
		ok = buf_add(&s->data, answer.http.body.p, answer.http.body.n) ||
		     buf_ok(&s->data, "bytes of an object", err);
	}
	s3_answer_free(&answer);
	return ok;
}

void s3_close_source(struct land_source *source)
{
	struct s3_source *s = source_of(source);

	buf_free(&s->data);
	free(s);
}

struct land_source *s3_open(struct land_backend *b, const char *name, struct err *err)
{
	struct s3_source *s = calloc(1, sizeof *s);

	if (!s) {
		err_set(err, ERR_NOMEM, "land.s3", "out of memory");
		return NULL;
	}
	s->base.backend = b;
	s->size = -1;
	s->data = BUF_INIT(CHUNK + 1);
	snprintf(s->name, sizeof s->name, "%s", name);
	if (fill(s, err))
		return &s->base;
	s3_close_source(&s->base);
	return NULL;
}

bool s3_read(struct land_source *source, void *p, size_t cap, size_t *got, struct err *err)
{
	struct s3_source *s = source_of(source);
	size_t n;

	if (s->pos == s->data.n && !fill(s, err))
		return false;
	n = s->data.n - s->pos < cap ? s->data.n - s->pos : cap;
	if (n)
		memcpy(p, s->data.p + s->pos, n);
	s->pos += n;
	*got = n;
	return true;
}

bool s3_range(struct land_backend *b, const char *name, int64_t offset, void *p, size_t n,
              struct err *err)
{
	struct s3_answer answer;
	bool ok;

	if (n == 0)
		return true;
	if (!get_range(s3_client_of(b), name, NULL, offset, n, &answer, err))
		return false;
	if (answer.http.status == 404)
		ok = fail_missing(name, err);
	else if (answer.http.status != 206 || answer.http.body.n != n)
		ok = err_set(err, ERR_DATA, "land.s3", "%s ends before it should",
		             land_last_part(name));
	else
		ok = true;
	if (ok)
		memcpy(p, answer.http.body.p, n);
	s3_answer_free(&answer);
	return ok;
}

bool s3_size(struct land_backend *b, const char *name, int64_t *size, struct err *err)
{
	static const int fine[] = {404, 0};
	struct s3_request req = {
	    .method = "HEAD", .name = name, .doing = "look at", .max_body = S3_XML_MAX};
	struct s3_answer answer;

	if (!s3_call(s3_client_of(b), &req, fine, &answer, err))
		return false;
	*size = answer.http.status == 404 ? -1 : answer.http.content_length;
	s3_answer_free(&answer);
	return true;
}
