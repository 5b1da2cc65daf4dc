/* SPDX-License-Identifier: Apache-2.0 */
#include "api/request.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/encode.h"
#include "pg/json_row.h"
#include "api/server.h"

enum {
	ARENA_MAX = 4 * 1024 * 1024,
	BODY_MAX = 64 * 1024 * 1024,
	KEEP = 256 * 1024,
	GZIP_MIN = 1024
};

struct request *request_new(struct api *a)
{
	struct request *r = calloc(1, sizeof *r);

	if (!r)
		return NULL;
	r->api = a;
	r->arena = ARENA_INIT(ARENA_MAX);
	r->body = BUF_INIT(BODY_MAX);
	r->gzip = BUF_INIT(BODY_MAX);
	r->upload = BUF_INIT(REQUEST_BODY_MAX);
	return r;
}

void request_free(struct request *r)
{
	arena_free(&r->arena);
	buf_free(&r->body);
	buf_free(&r->gzip);
	buf_free(&r->upload);
	free(r);
}

/* Keeps the memory of ordinary requests, gives back that of large ones. */
static void recycle(struct buf *b)
{
	if (b->cap > KEEP)
		buf_free(b);
	else
		buf_clear(b);
}

void request_reset(struct request *r)
{
	struct request keep;

	arena_reset(&r->arena);
	recycle(&r->body);
	recycle(&r->gzip);
	recycle(&r->upload);
	keep = *r;
	memset(r, 0, sizeof *r);
	r->api = keep.api;
	r->arena = keep.arena;
	r->body = keep.body;
	r->gzip = keep.gzip;
	r->upload = keep.upload;
}

const struct param_value *request_value(const struct request *r, const char *name)
{
	static const struct param_value none;
	const struct param *p = r->match.route->params;

	for (int i = 0; p[i].name; i++)
		if (strcmp(p[i].name, name) == 0)
			return &r->values[i];
	return &none;
}

const char *request_text(const struct request *r, const char *name)
{
	return request_value(r, name)->text.p;
}

struct str request_head(const struct request *r, const char *name)
{
	return str_of(MHD_lookup_connection_value(r->connection, MHD_HEADER_KIND, name));
}

/* ---- what can be refused by looking at the head ---- */

static bool id_is_fine(struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];

		if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
		      c == '-' || c == '_' || c == '.'))
			return false;
	}
	return s.n >= 1 && s.n <= REQUEST_ID_MAX;
}

/* W3C Trace Context: 00-<32 hex>-<16 hex>-<2 hex>. */
static bool trace_is_fine(struct str s)
{
	static const char form[] = "00-xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx-xxxxxxxxxxxxxxxx-xx";

	if (s.n != sizeof form - 1)
		return false;
	for (size_t i = 0; i < s.n; i++) {
		bool hex = (s.p[i] >= '0' && s.p[i] <= '9') || (s.p[i] >= 'a' && s.p[i] <= 'f');

		if (form[i] == 'x' ? !hex : s.p[i] != form[i])
			return false;
	}
	return true;
}

static void take_ids(struct request *r)
{
	struct api *a = r->api;
	struct str id = request_head(r, "X-Request-Id"), trace = request_head(r, "traceparent");

	if (id_is_fine(id))
		snprintf(r->id, sizeof r->id, "%.*s", STR_FMT(id));
	else
		snprintf(r->id, sizeof r->id, "%012llx-%06llx", (unsigned long long)a->id_prefix,
		         (unsigned long long)a->id_next++);
	if (trace_is_fine(trace))
		snprintf(r->traceparent, sizeof r->traceparent, "%.*s", STR_FMT(trace));
}

static const char *method_parse(const char *name, enum method *method, bool *is_head,
                                bool *is_options)
{
	*method = METHODS;
	if (strcmp(name, "GET") == 0) {
		*method = METHOD_GET;
		return "GET";
	}
	if (strcmp(name, "HEAD") == 0) {
		*method = METHOD_GET;
		*is_head = true;
		return "HEAD";
	}
	if (strcmp(name, "POST") == 0) {
		*method = METHOD_POST;
		return "POST";
	}
	*is_options = strcmp(name, "OPTIONS") == 0;
	return *is_options ? "OPTIONS" : "OTHER";
}

/* Browsers say where a request comes from; programs need not. */
static bool origin_is_fine(struct request *r)
{
	struct str site = request_head(r, "Sec-Fetch-Site"), origin = request_head(r, "Origin");
	struct str host = request_head(r, "Host");

	if (site.p && !str_is(site, "same-origin") && !str_is(site, "none"))
		return false;
	if (!origin.p)
		return true;
	return str_starts(origin, "http://") &&
	       str_eq((struct str){origin.p + 7, origin.n - 7}, host);
}

/* "application/json", with any parameters behind it. */
static bool media_is_json(struct str media)
{
	const char *semicolon = media.p ? memchr(media.p, ';', media.n) : NULL;

	if (semicolon)
		media.n = (size_t)(semicolon - media.p);
	return str_is_nocase(str_trim(media), "application/json");
}

static void check_body_head(struct request *r)
{
	struct str length = request_head(r, "Content-Length");
	int64_t n = 0;

	if (length.p && (!str_int(length, 0, INT64_MAX, &n) || n > REQUEST_BODY_MAX)) {
		r->upload_too_large = true;
		request_problem(r, PROBLEM_TOO_LARGE, NULL, NULL, "the body may have 65536 bytes");
	} else if (r->match.route->flags & ROUTE_BODY &&
	           !media_is_json(request_head(r, "Content-Type"))) {
		request_problem(r, PROBLEM_MEDIA_TYPE, "Content-Type", "header",
		                "the body must be application/json");
	}
}

static struct str find_header(void *ctx, const char *name)
{
	return request_head(ctx, name);
}

static void answer_method(struct request *r, enum router_result found)
{
	char allow[64];
	char *text;

	router_allow(r->match.methods, allow);
	text = arena_printf(&r->arena, "%s", allow);
	if (text)
		request_add_header(r, "Allow", text);
	if (r->is_options)
		request_bytes(r, 204, NULL);
	else if (found == ROUTER_NO_METHOD)
		request_problem(r, PROBLEM_METHOD, NULL, NULL,
		                "the header Allow names the methods of this path");
}

/* A worker answers for its process alone. */
static bool is_left_out(const struct request *r)
{
	return r->api->options.operations_only && r->match.route &&
	       !(r->match.route->flags & ROUTE_OPERATION);
}

void request_begin(struct request *r, const char *method)
{
	enum router_result found;
	struct problem problem;

	take_ids(r);
	r->method_name = method_parse(method, &r->method, &r->is_head, &r->is_options);
	if (r->status) /* the target was malformed */
		return;
	if (!api_host_allowed(request_head(r, "Host"))) {
		request_problem(
		    r, PROBLEM_HOST, "Host", "header",
		    "only requests for a loopback name are answered: use localhost or 127.0.0.1");
		return;
	}
	found = router_match(route_table, route_count, r->method, r->path, &r->match);
	if (found == ROUTER_NO_PATH || is_left_out(r)) {
		request_problem(r, PROBLEM_NOT_FOUND, NULL, NULL,
		                "there is no such path; /openapi.json lists all");
		return;
	}
	if (r->is_options || found == ROUTER_NO_METHOD) {
		answer_method(r, found);
		return;
	}
	if (r->method != METHOD_GET && !origin_is_fine(r)) {
		request_problem(r, PROBLEM_ORIGIN, "Origin", "header",
		                "a page of another site may not send this request");
		return;
	}
	if (!router_params(&r->match, r->query, find_header, r, &r->arena, r->values, &problem)) {
		r->status = problem_status(problem.type);
		r->media = "application/problem+json";
		problem_json(&r->body, &problem, r->id);
		return;
	}
	check_body_head(r);
}

void request_handle(struct request *r)
{
	if (!r->status && !r->api->pool)
		request_problem(r, PROBLEM_DATABASE, NULL, NULL, "the server is ending");
	else if (!r->status)
		r->match.route->handle(r);
}

/* ---- the database ---- */

static void answer_outcome(struct request *r, enum pool_outcome outcome)
{
	switch (outcome) {
	case POOL_FULL:
		request_problem(r, PROBLEM_BUSY, NULL, NULL,
		                "too many requests wait for the database; ask again in a second");
		break;
	case POOL_TIMEOUT:
		request_problem(r, PROBLEM_SLOW, NULL, NULL,
		                "the search took too long: narrow it down");
		break;
	case POOL_LOST:
		request_problem(r, PROBLEM_DATABASE, NULL, NULL,
		                "the connection to the database was lost before it had confirmed; "
		                "asking again does no harm");
		break;
	case POOL_AWAY:
		request_problem(r, PROBLEM_DATABASE, NULL, NULL,
		                "there is no connection to the database; /readyz says why");
		break;
	default:
		request_problem(r, PROBLEM_INTERNAL, NULL, NULL, NULL);
	}
}

static void note_statement(struct request *r, const char *what)
{
	char text[128];

	snprintf(text, sizeof text, "statement %s: %s", r->api->statements[r->op.statement].name,
	         what);
	if (r->api->options.note)
		r->api->options.note(r->api->options.ctx, true, text);
}

static void on_answer(struct pool_op *op, enum pool_outcome outcome, const PGresult *result)
{
	struct request *r = (struct request *)(void *)((char *)op - offsetof(struct request, op));
	const struct column_table *columns = statement_columns((enum statement)op->statement);

	if (outcome == POOL_ERROR && r->on_error && r->on_error(r, op->sqlstate)) {
		/* taken care of */
	} else if (outcome == POOL_ERROR) {
		note_statement(r, op->sqlstate);
		request_problem(r, PROBLEM_INTERNAL, NULL, NULL, NULL);
	} else if (outcome != POOL_OK) {
		answer_outcome(r, outcome);
	} else if (columns && !json_row_fits(columns, result)) {
		note_statement(r, "its columns are not those of columns.c");
		request_problem(r, PROBLEM_INTERNAL, NULL, NULL, NULL);
	} else {
		r->then(r, result);
	}
	if (r->status && r->suspended) {
		r->suspended = false;
		server_resume(r->api, r->connection);
	}
}

void request_query(struct request *r, enum statement statement, int nparams,
                   const char *const *params,
                   void (*then)(struct request *r, const PGresult *result))
{
	enum pool_outcome outcome;

	r->then = then;
	r->op = (struct pool_op){.statement = statement, .nparams = nparams, .done = on_answer};
	for (int i = 0; i < nparams; i++)
		r->op.values[i] = params[i];
	outcome = pool_submit(r->api->pool, &r->op);
	if (outcome != POOL_OK)
		answer_outcome(r, outcome);
}

/* ---- the answer ---- */

void request_add_header(struct request *r, const char *name, const char *value)
{
	if (r->header_count < REQUEST_HEADERS) {
		r->headers[r->header_count].name = name;
		r->headers[r->header_count].value = value;
		r->header_count++;
	}
}

void request_problem(struct request *r, enum problem_type type, const char *field, const char *in,
                     const char *detail)
{
	struct problem p = {.type = type, .detail = detail};

	if (field)
		problem_add(&p, field, in, detail ? detail : problem_title(type));
	buf_clear(&r->body);
	problem_json(&r->body, &p, r->id);
	r->media = "application/problem+json";
	r->status = problem_status(type);
	r->fixed = STR_NONE;
	if (r->status == 503)
		request_add_header(r, "Retry-After", type == PROBLEM_BUSY ? "1" : "5");
	if (r->status == 429)
		request_add_header(r, "Retry-After", "10");
}

void request_bytes(struct request *r, int status, const char *media)
{
	if (r->body.failed) {
		request_problem(r, PROBLEM_INTERNAL, NULL, NULL, "the answer would be too large");
		return;
	}
	r->status = status;
	r->media = media;
}

void request_json(struct request *r, int status)
{
	request_bytes(r, status, "application/json");
}

void request_fixed(struct request *r, int status, const char *media, struct str constant,
                   const char *etag)
{
	r->status = status;
	r->media = media;
	r->fixed = constant;
	r->etag = etag;
}

void request_stream(struct request *r, struct MHD_Response *response)
{
	r->response = response;
	r->status = 200;
	r->media = "text/event-stream";
}

static void header(struct MHD_Response *response, const char *name, const char *value)
{
	/* fails only when out of memory: an answer without it is better than none */
	(void)MHD_add_response_header(response, name, value);
}

static void add_headers(const struct request *r, struct MHD_Response *response)
{
	unsigned flags = r->match.route ? r->match.route->flags : ROUTE_PUBLIC;

	header(response, "X-Request-Id", r->id);
	if (*r->traceparent)
		header(response, "traceparent", r->traceparent);
	if (r->media)
		header(response, "Content-Type", r->media);
	header(response, "Cache-Control", flags & ROUTE_PUBLIC ? "no-cache" : "private, no-cache");
	header(response, "X-Content-Type-Options", "nosniff");
	header(response, "Cross-Origin-Resource-Policy", "same-origin");
	if (flags & ROUTE_HIDDEN || !r->match.route) {
		header(response, "Referrer-Policy", "no-referrer");
		header(response, "X-Frame-Options", "DENY");
		header(response, "Content-Security-Policy",
		       "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
		       "img-src 'self' data:; "
		       "connect-src 'self'; font-src 'self' data:; base-uri 'none'; form-action "
		       "'none'; "
		       "frame-ancestors 'none'");
	}
	for (int i = 0; i < r->header_count; i++)
		header(response, r->headers[i].name, r->headers[i].value);
}

static const void *zip_body(struct request *r, struct str *body)
{
	if (body->n <= GZIP_MIN || !encode_accepts_gzip(request_head(r, "Accept-Encoding")) ||
	    !encode_gzip(*body, &r->gzip))
		return NULL;
	*body = (struct str){r->gzip.p, r->gzip.n};
	return body->p;
}

enum MHD_Result request_send(struct request *r)
{
	struct str body = r->fixed.p ? r->fixed : (struct str){r->body.p, r->body.n};
	struct MHD_Response *response = r->response;
	char etag[ENCODE_ETAG] = "";
	bool zipped = false;
	enum MHD_Result result;

	if (!response && r->status == 200 && !(r->match.route->flags & ROUTE_STREAM)) {
		if (r->etag)
			snprintf(etag, sizeof etag, "%s", r->etag);
		else
			encode_etag(r->api->sha256, r->api->digest, body, etag);
		if (encode_matches(request_head(r, "If-None-Match"), etag)) {
			r->status = 304;
			r->media = NULL;
			body = (struct str){"", 0};
		} else {
			zipped = zip_body(r, &body) != NULL;
		}
	}
	if (!response)
		response = MHD_create_response_from_buffer(
		    body.n, (void *)(uintptr_t)(body.n ? body.p : ""), MHD_RESPMEM_PERSISTENT);
	if (!response)
		return MHD_NO;
	add_headers(r, response);
	if (*etag) {
		/* another representation needs another strong tag (RFC 9110 8.8.3) */
		if (zipped)
			memcpy(etag + strlen(etag) - 1, "-gzip\"", 7);
		header(response, "ETag", etag);
		header(response, "Vary", "Accept-Encoding");
	}
	if (zipped)
		header(response, "Content-Encoding", "gzip");
	r->sent_bytes = r->is_head ? 0 : body.n;
	result = MHD_queue_response(r->connection, (unsigned)r->status, response);
	MHD_destroy_response(response);
	r->response = NULL;
	return result;
}
