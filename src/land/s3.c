/* SPDX-License-Identifier: Apache-2.0
 *
 * The landing zone in an S3 bucket: objects of requests (s3_client.h). Nothing is visible under a
 * name until its PUT, or the request that completes its upload, has been answered; so there are no
 * temporary names, and what a writer that died leaves behind is an upload that nobody completes.
 */
#include "land/s3.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "land/impl.h"
#include "land/s3_client.h"
#include "land/s3_list.h"
#include "land/s3_xml.h"

enum {
	PARTS_MAX = 10000, /* S3's own limit */
	ETAG_MAX = 128,
	CHUNK = 4 << 20, /* read at once */
	XML_MAX = 4 << 20,
	PART_XML = 400, /* room for one part in the list that completes an upload */
};

#define WRITER "x-amz-meta-fhirline-writer"

struct s3_backend {
	struct land_backend base;
	struct s3_client *client;
	struct s3_backend *root; /* itself, or the one that it is a view of */
	atomic_bool swept;       /* of the root: a run was taken over; uploads may be there that its
	                            former owner began */
};

struct part {
	char etag[ETAG_MAX], sha[S3_SHA_BASE64];
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

struct s3_source {
	struct land_source base;
	char name[160];
	char etag[ETAG_MAX]; /* of the first bytes: the others must be of the same object */
	struct buf data;
	size_t pos;
	int64_t offset, size; /* of what is read next; of all, -1 when unknown */
};

static struct s3_client *client_of(const struct land_backend *b)
{
	return ((const struct s3_backend *)(const void *)b)->client;
}

static struct s3_sink *sink_of(struct land_sink *s)
{
	return (struct s3_sink *)(void *)s;
}

static struct s3_source *source_of(struct land_source *s)
{
	return (struct s3_source *)(void *)s;
}

/* A call whose answer says nothing more. */
static bool call_for_effect(struct s3_client *c, const struct s3_request *req, const int *fine,
                            struct err *err)
{
	struct s3_answer answer;

	if (!s3_call(c, req, fine, &answer, err))
		return false;
	s3_answer_free(&answer);
	return true;
}

/* ---- writing ---- */

static void sink_free(struct s3_sink *s)
{
	buf_free(&s->data);
	free(s->upload);
	free(s->parts);
	free(s);
}

static struct land_sink *s3_create(struct land_backend *b, const char *name, bool replace,
                                   struct err *err)
{
	struct s3_sink *s = calloc(1, sizeof *s);

	if (!s) {
		err_set(err, ERR_NOMEM, "land.s3", "out of memory");
		return NULL;
	}
	s->base.backend = b;
	s->home = (struct s3_backend *)(void *)b;
	s->replace = replace;
	s->data = BUF_INIT(s3_part_size(client_of(b)) + 1);
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
	struct s3_client *c = client_of(s->base.backend);
	struct s3_request req = {
	    .method = "POST",
	    .name = s->name,
	    .doing = "begin to write",
	    .query = {{"uploads", ""}},
	    .headers = {{"x-amz-checksum-algorithm", "SHA256"}, {WRITER, s->writer}},
	    .body = STR(""),
	    .max_body = XML_MAX};
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
	snprintf(parts[s->count].etag, ETAG_MAX, "%.*s", ETAG_MAX - 1, etag);
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
	                         .max_body = XML_MAX};
	struct s3_answer answer;
	bool ok;

	if (s->count == PARTS_MAX)
		return err_set(err, ERR_LIMIT, "land.s3",
		               "%s would have more than %d parts: raise --s3-part-size",
		               land_last_part(s->name), PARTS_MAX);
	snprintf(number, sizeof number, "%d", s->count + 1);
	if (!s3_hash(bytes, sha, hex))
		return err_set(err, ERR_INTERNAL, "land.s3", "SHA-256 failed");
	if (!s3_call(client_of(s->base.backend), &req, fine, &answer, err))
		return false;
	ok = answer.http.status == 404 ? fail_swept(s, err)
	                               : add_part(s, answer.http.etag, sha, err);
	s3_answer_free(&answer);
	buf_clear(&s->data);
	return ok;
}

static bool s3_write(struct land_sink *sink, const void *bytes, size_t n, struct err *err)
{
	struct s3_sink *s = sink_of(sink);
	size_t part = s3_part_size(client_of(sink->backend));
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
	                         .max_body = XML_MAX};
	struct s3_answer answer;

	if (!s3_call(client_of(s->base.backend), &req, fine, &answer, err))
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
	                         .max_body = XML_MAX};
	struct s3_answer answer;
	bool ok = true;

	if (!s->replace)
		req.headers[1] = (struct s3_pair){"If-None-Match", "*"};
	if (!s3_call(client_of(s->base.backend), &req, s->replace ? NULL : fine, &answer, err))
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
	                         .max_body = XML_MAX};
	struct buf xml = BUF_INIT(PART_XML * (PARTS_MAX + 1));
	struct s3_answer answer;
	bool ok = list_parts(s, &xml, err);

	if (!s->replace)
		req.headers[0] = (struct s3_pair){"If-None-Match", "*"};
	req.body = (struct str){xml.p, xml.n};
	ok = ok && s3_call(client_of(s->base.backend), &req, fine, &answer, err);
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
	                         .max_body = XML_MAX};

	return call_for_effect(c, &req, fine, err);
}

/* The name in the landing zone of a key; NULL when it is not one of its own. */
static const char *name_of(const struct s3_client *c, const char *key)
{
	size_t n = strlen(s3_prefix(c));
	struct err not_ours;

	return strncmp(key, s3_prefix(c), n) == 0 && land_name_check(key + n, &not_ours) ? key + n
	                                                                                 : NULL;
}

static bool end_upload(void *ctx, const struct s3_entry *e, struct err *err)
{
	const char *name = name_of(ctx, e->key);

	return !name || !e->upload[0] || abort_upload(ctx, name, e->upload, err);
}

static bool end_uploads(struct s3_client *c, const char *start, struct err *err)
{
	return s3_each_upload(c, start, end_upload, c, err);
}

/* What cannot be taken away now is taken away by the next sweep. */
static void s3_abort(struct land_sink *sink)
{
	struct s3_sink *s = sink_of(sink);
	struct err err;

	if (s->upload)
		abort_upload(client_of(sink->backend), s->name, s->upload, &err);
	sink_free(s);
}

/* MinIO lists the uploads of a whole name alone, so a sweep finds none there. Once an object is in
 * place no other upload of its name can be completed: those are ended here. What fails is left to
 * the server, which throws old uploads away. */
static void end_rivals(const struct s3_sink *s)
{
	struct err ignored;

	if (s->upload || atomic_load(&s->home->root->swept))
		end_uploads(client_of(s->base.backend), s->name, &ignored);
}

static bool s3_commit(struct land_sink *sink, struct err *err)
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

/* ---- reading ---- */

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
	                         .max_body = n < XML_MAX ? XML_MAX : n};

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
	struct s3_client *c = client_of(s->base.backend);
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

static void s3_close_source(struct land_source *source)
{
	struct s3_source *s = source_of(source);

	buf_free(&s->data);
	free(s);
}

static struct land_source *s3_open(struct land_backend *b, const char *name, struct err *err)
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

static bool s3_read(struct land_source *source, void *p, size_t cap, size_t *got, struct err *err)
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

static bool s3_range(struct land_backend *b, const char *name, int64_t offset, void *p, size_t n,
                     struct err *err)
{
	struct s3_answer answer;
	bool ok;

	if (n == 0)
		return true;
	if (!get_range(client_of(b), name, NULL, offset, n, &answer, err))
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

static bool s3_size(struct land_backend *b, const char *name, int64_t *size, struct err *err)
{
	static const int fine[] = {404, 0};
	struct s3_request req = {
	    .method = "HEAD", .name = name, .doing = "look at", .max_body = XML_MAX};
	struct s3_answer answer;

	if (!s3_call(client_of(b), &req, fine, &answer, err))
		return false;
	*size = answer.http.status == 404 ? -1 : answer.http.content_length;
	s3_answer_free(&answer);
	return true;
}

/* ---- lists ---- */

struct told {
	struct s3_client *client;
	land_each each;
	void *ctx;
};

static bool tell(void *ctx, const struct s3_entry *e, struct err *err)
{
	struct told *t = ctx;
	const char *name = name_of(t->client, e->key);

	return !name || t->each(t->ctx, name, e->size, err);
}

static bool s3_list(struct land_backend *b, const char *folder, land_each each, void *ctx,
                    struct err *err)
{
	struct told told = {client_of(b), each, ctx};
	char start[S3_KEY_MAX];

	snprintf(start, sizeof start, "%s%s", folder, *folder ? "/" : "");
	return s3_each_object(told.client, start, tell, &told, err);
}

static bool s3_sweep(struct land_backend *b, const char *folder, struct err *err)
{
	char start[S3_KEY_MAX];

	atomic_store(&((struct s3_backend *)(void *)b)->root->swept, true);
	snprintf(start, sizeof start, "%s/", folder);
	return end_uploads(client_of(b), start, err);
}

/* ---- taking away ---- */

static bool s3_remove(struct land_backend *b, const char *name, struct err *err)
{
	static const int fine[] = {404, 0};
	struct s3_request req = {
	    .method = "DELETE", .name = name, .doing = "remove", .max_body = XML_MAX};

	return call_for_effect(client_of(b), &req, fine, err);
}

static bool remove_listed(void *ctx, const char *name, int64_t size, struct err *err)
{
	(void)size;
	return s3_remove(ctx, name, err);
}

static bool s3_remove_folder(struct land_backend *b, const char *folder, struct err *err)
{
	return s3_sweep(b, folder, err) && s3_list(b, folder, remove_listed, b, err);
}

/* ---- opening ---- */

static void s3_close(struct land_backend *b)
{
	struct s3_backend *s = (struct s3_backend *)(void *)b;

	s3_client_free(s->client);
	free(s);
}

static struct land_backend *s3_view(struct land_backend *b, const atomic_bool *stop,
                                    struct err *err)
{
	struct s3_backend *view = calloc(1, sizeof *view);

	if (!view) {
		err_set(err, ERR_NOMEM, "land.open", "out of memory");
		return NULL;
	}
	view->base.ops = b->ops;
	view->root = ((struct s3_backend *)(void *)b)->root;
	view->client = s3_client_view(client_of(b), stop, err);
	if (view->client)
		return &view->base;
	free(view);
	return NULL;
}

static void s3_wake(struct land_backend *b)
{
	s3_client_wake(client_of(b));
}

static const struct land_backend_ops s3_ops = {
    .close = s3_close,
    .view = s3_view,
    .wake = s3_wake,
    .create = s3_create,
    .write = s3_write,
    .commit = s3_commit,
    .abort = s3_abort,
    .open = s3_open,
    .read = s3_read,
    .close_source = s3_close_source,
    .range = s3_range,
    .size = s3_size,
    .remove = s3_remove,
    .remove_folder = s3_remove_folder,
    .list = s3_list,
    .sweep = s3_sweep,
};

/* The one sure way to know whether it can be written is to write. Keys that may not delete can
 * still land: what is left is overwritten by the next try. */
static bool try_to_write(struct land_backend *b, struct err *err)
{
	static const char name[] = ".write-check.tmp";
	struct land_sink *s = s3_create(b, name, true, err);
	struct err ignored;

	if (!s || !s3_write(s, "x", 1, err)) {
		if (s)
			s3_abort(s);
		return false;
	}
	if (!s3_commit(s, err))
		return false;
	s3_remove(b, name, &ignored);
	return true;
}

struct land_backend *land_s3_open(const char *place, const struct land_s3_options *options,
                                  struct err *err)
{
	struct s3_backend *s = calloc(1, sizeof *s);

	if (!s) {
		err_set(err, ERR_NOMEM, "land.open", "out of memory");
		return NULL;
	}
	s->base.ops = &s3_ops;
	s->root = s;
	s->client = s3_client_new(place, options, err);
	if (!s->client) {
		free(s);
		return NULL;
	}
	if (try_to_write(&s->base, err))
		return &s->base;
	s3_close(&s->base);
	return NULL;
}
