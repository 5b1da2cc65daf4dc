/* SPDX-License-Identifier: Apache-2.0
 *
 * Writing an object: in one PUT when it fits into a part, else as an upload of parts.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "land/s3_backend.h"
#include "land/s3_list.h"
#include "land/s3_xml.h"

enum {
	PARTS_MAX = 10000, /* S3's own limit */
	PART_XML = 400,    /* room for one part in the list that completes an upload */
};

#define WRITER "x-amz-meta-fhirline-writer"

struct part {
	char etag[S3_ETAG_MAX], sha[S3_SHA_BASE64];
};

struct s3_sink {
	struct land_sink base;
	struct s3_backend *home;
	char name[160];
	char writer[UUID_TEXT]; /* tells our object from another's of the same name */
	bool replace;
	struct buf data; /* not yet sent */
	char *upload;    /* id; NULL: no part has been sent */
	struct part *parts;
	int count;
};

static struct s3_sink *sink_of(struct land_sink *s)
{
	return (struct s3_sink *)(void *)s;
}

static void sink_free(struct s3_sink *s)
{
	buf_free(&s->data);
	free(s->upload);
	free(s->parts);
	free(s);
}

struct land_sink *s3_create(struct land_backend *b, const char *name, bool replace, struct err *err)
{
	struct s3_sink *s = calloc(1, sizeof *s);

	if (!s) {
		err_set(err, ERR_NOMEM, "land.s3", "out of memory");
		return NULL;
	}
	s->base.backend = b;
	s->home = (struct s3_backend *)(void *)b;
	s->replace = replace;
	s->data = BUF_INIT(s3_part_size(s3_client_of(b)) + 1);
	snprintf(s->name, sizeof s->name, "%s", name);
	if (uuid_v7(clock_now_us(&clock_system), s->writer, err))
		return &s->base;
	sink_free(s);
	return NULL;
}

struct wanted {
	const char *parent, *name;
	char *out;
	size_t size;
};

static bool take_wanted(void *ctx, const char *parent, const char *name, const char *text)
{
	struct wanted *w = ctx;

	if (strcmp(parent, w->parent) == 0 && strcmp(name, w->name) == 0)
		snprintf(w->out, w->size, "%.*s", (int)w->size - 1, text);
	return true;
}

static bool begin_upload(struct s3_sink *s, struct err *err)
{
	struct s3_client *c = s3_client_of(s->base.backend);
	struct s3_request req = {
	    .method = "POST",
	    .name = s->name,
	    .doing = "begin to write",
	    .query = {{"uploads", ""}},
	    .headers = {{"x-amz-checksum-algorithm", "SHA256"}, {WRITER, s->writer}},
	    .body = STR(""),
	    .max_body = S3_XML_MAX};
	char id[S3_UPLOAD_ID_MAX] = "";
	struct wanted wanted = {"InitiateMultipartUploadResult", "UploadId", id, sizeof id};
	struct s3_answer answer;
	bool ok;

	if (!s3_call(c, &req, NULL, &answer, err))
		return false;
	ok = s3_xml_read((struct str){answer.http.body.p, answer.http.body.n}, take_wanted,
	                 &wanted) &&
	     id[0];
	s3_answer_free(&answer);
	if (!ok)
		return err_set(err, ERR_PROTOCOL, "land.s3",
		               "the S3 server's answer to a new upload has no id");
	s->upload = str_dup(str_of(id));
	return s->upload || err_set(err, ERR_NOMEM, "land.s3", "out of memory");
}

static bool add_part(struct s3_sink *s, const char *etag, const char *sha, struct err *err)
{
	struct part *parts = realloc(s->parts, ((size_t)s->count + 1) * sizeof *parts);

	if (!parts)
		return err_set(err, ERR_NOMEM, "land.s3", "out of memory");
	s->parts = parts;
	snprintf(parts[s->count].etag, S3_ETAG_MAX, "%.*s", S3_ETAG_MAX - 1, etag);
	memcpy(parts[s->count].sha, sha, S3_SHA_BASE64);
	s->count++;
	return true;
}

static bool fail_swept(const struct s3_sink *s, struct err *err)
{
	return err_set(err, ERR_CONFLICT, "land.s3", "%s was taken away while it was written",
	               land_last_part(s->name));
}

/* What is in s->data, as the next part. */
static bool send_part(struct s3_sink *s, struct err *err)
{
	static const int fine[] = {404, 0};
	char number[12], sha[S3_SHA_BASE64], hex[HASH_HEX];
	struct str bytes = {s->data.p, s->data.n};
	struct s3_request req = {.method = "PUT",
	                         .name = s->name,
	                         .doing = "write",
	                         .query = {{"partNumber", number}, {"uploadId", s->upload}},
	                         .body = bytes,
	                         .checksum = true,
	                         .max_body = S3_XML_MAX};
	struct s3_answer answer;
	bool ok;

	if (s->count == PARTS_MAX)
		return err_set(err, ERR_LIMIT, "land.s3",
		               "%s would have more than %d parts: raise --s3-part-size",
		               land_last_part(s->name), PARTS_MAX);
	snprintf(number, sizeof number, "%d", s->count + 1);
	if (!s3_hash(bytes, sha, hex))
		return err_set(err, ERR_INTERNAL, "land.s3", "SHA-256 failed");
	if (!s3_call(s3_client_of(s->base.backend), &req, fine, &answer, err))
		return false;
	ok = answer.http.status == 404 ? fail_swept(s, err)
	                               : add_part(s, answer.http.etag, sha, err);
	s3_answer_free(&answer);
	buf_clear(&s->data);
	return ok;
}

bool s3_write(struct land_sink *sink, const void *bytes, size_t n, struct err *err)
{
	struct s3_sink *s = sink_of(sink);
	size_t part = s3_part_size(s3_client_of(sink->backend));
	const char *p = bytes;

	while (n) {
		size_t room = part - s->data.n, k = n < room ? n : room;

		if (!buf_add(&s->data, p, k))
			return buf_ok(&s->data, "a part of an object", err);
		p += k;
		n -= k;
		/* a part goes when more follows: the last one goes with the commit */
		if (n && ((!s->upload && !begin_upload(s, err)) || !send_part(s, err)))
			return false;
	}
	return true;
}

/* Is the object that lies there the one that this sink has written? */
static bool is_ours(const struct s3_sink *s, bool *ours, struct err *err)
{
	static const int fine[] = {404, 0};
	struct s3_request req = {.method = "HEAD",
	                         .name = s->name,
	                         .doing = "look at",
	                         .keep_header = WRITER,
	                         .max_body = S3_XML_MAX};
	struct s3_answer answer;

	if (!s3_call(s3_client_of(s->base.backend), &req, fine, &answer, err))
		return false;
	*ours = answer.http.status == 200 && strcmp(answer.http.kept, s->writer) == 0;
	s3_answer_free(&answer);
	return true;
}

/* The server says that the name is taken, or that the upload is gone. An attempt whose answer was
 * lost may have been the cause; libcurl makes one of its own when a kept connection breaks. */
static bool settle(const struct s3_sink *s, const struct s3_answer *answer, struct err *err)
{
	bool ours = false;

	if (!is_ours(s, &ours, err))
		return false;
	if (ours)
		return true;
	if (answer->http.status == 404)
		return fail_swept(s, err);
	return err_set(err, ERR_CONFLICT, "land.s3", "%s is in the landing zone already",
	               land_last_part(s->name));
}

static bool put_whole(struct s3_sink *s, struct err *err)
{
	static const int fine[] = {412, 0};
	struct s3_request req = {.method = "PUT",
	                         .name = s->name,
	                         .doing = "write",
	                         .headers = {{WRITER, s->writer}},
	                         .body = {s->data.p ? s->data.p : "", s->data.n},
	                         .checksum = true,
	                         .max_body = S3_XML_MAX};
	struct s3_answer answer;
	bool ok = true;

	if (!s->replace)
		req.headers[1] = (struct s3_pair){"If-None-Match", "*"};
	if (!s3_call(s3_client_of(s->base.backend), &req, s->replace ? NULL : fine, &answer, err))
		return false;
	if (answer.http.status == 412)
		ok = settle(s, &answer, err);
	s3_answer_free(&answer);
	return ok;
}

static bool list_parts(const struct s3_sink *s, struct buf *xml, struct err *err)
{
	buf_lit(xml, "<CompleteMultipartUpload>");
	for (int i = 0; i < s->count; i++)
		buf_printf(xml,
		           "<Part><PartNumber>%d</PartNumber><ETag>%s</ETag>"
		           "<ChecksumSHA256>%s</ChecksumSHA256></Part>",
		           i + 1, s->parts[i].etag, s->parts[i].sha);
	buf_lit(xml, "</CompleteMultipartUpload>");
	return buf_ok(xml, "the list of an object's parts", err);
}

static bool on_result(void *ctx, const char *parent, const char *name, const char *text)
{
	bool *whole = ctx;

	(void)text;
	*whole = *whole || (!parent[0] && strcmp(name, "CompleteMultipartUploadResult") == 0);
	return true;
}

/* The 200 comes before the work is done: what counts is the body, and it may be cut short. */
static bool check_result(const struct s3_answer *answer, const char *name, struct err *err)
{
	bool whole = false;
	struct str body = str_trim((struct str){answer->http.body.p, answer->http.body.n});

	if (s3_xml_read(body, on_result, &whole) && whole)
		return true;
	err_set(err, ERR_PROTOCOL, "land.s3",
	        "cannot tell whether %s was written: the server's answer is not an S3 result",
	        land_last_part(name));
	err->retryable = true;
	return false;
}

static bool complete_upload(struct s3_sink *s, struct err *err)
{
	static const int fine[] = {412, 404, 0};
	struct s3_request req = {.method = "POST",
	                         .name = s->name,
	                         .doing = "write",
	                         .query = {{"uploadId", s->upload}},
	                         .max_body = S3_XML_MAX};
	struct buf xml = BUF_INIT(PART_XML * (PARTS_MAX + 1));
	struct s3_answer answer;
	bool ok = list_parts(s, &xml, err);

	if (!s->replace)
		req.headers[0] = (struct s3_pair){"If-None-Match", "*"};
	req.body = (struct str){xml.p, xml.n};
	ok = ok && s3_call(s3_client_of(s->base.backend), &req, fine, &answer, err);
	buf_free(&xml);
	if (!ok)
		return false;
	if (answer.http.status >= 400)
		ok = settle(s, &answer, err);
	else
		ok = check_result(&answer, s->name, err);
	s3_answer_free(&answer);
	return ok;
}

static bool abort_upload(struct s3_client *c, const char *name, const char *upload, struct err *err)
{
	static const int fine[] = {404, 0};
	struct s3_request req = {.method = "DELETE",
	                         .name = name,
	                         .doing = "give up writing",
	                         .last = s3_client_stopped(c),
	                         .query = {{"uploadId", upload}},
	                         .max_body = S3_XML_MAX};

	return s3_call_for_effect(c, &req, fine, err);
}

static bool end_upload(void *ctx, const struct s3_entry *e, struct err *err)
{
	const char *name = s3_name_of(ctx, e->key);

	return !name || !e->upload[0] || abort_upload(ctx, name, e->upload, err);
}

bool s3_end_uploads(struct s3_client *c, const char *start, struct err *err)
{
	return s3_each_upload(c, start, end_upload, c, err);
}

/* What cannot be taken away now is taken away by the next sweep. */
void s3_abort(struct land_sink *sink)
{
	struct s3_sink *s = sink_of(sink);
	struct err err;

	if (s->upload)
		abort_upload(s3_client_of(sink->backend), s->name, s->upload, &err);
	sink_free(s);
}

/* MinIO lists the uploads of a whole name alone, so a sweep finds none there. Once an object is in
 * place no other upload of its name can be completed: those are ended here. What fails is left to
 * the server, which throws old uploads away. */
static void end_rivals(const struct s3_sink *s)
{
	struct err ignored;

	if (s->upload || atomic_load(&s->home->root->swept))
		s3_end_uploads(s3_client_of(s->base.backend), s->name, &ignored);
}

bool s3_commit(struct land_sink *sink, struct err *err)
{
	struct s3_sink *s = sink_of(sink);
	bool ok = s->upload ? (s->data.n == 0 || send_part(s, err)) && complete_upload(s, err)
	                    : put_whole(s, err);

	if (ok) {
		end_rivals(s);
		sink_free(s);
	} else {
		s3_abort(sink);
	}
	return ok;
}
