/* SPDX-License-Identifier: Apache-2.0
 *
 * The signature covers the URL as it is sent, so paths and queries are encoded here, once, in the
 * one way that Signature Version 4 knows. What an error code means to a person stands in one table.
 */
#include "land/s3_client.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

#include "base/clock.h"
#include "base/retry.h"
#include "land/impl.h"
#include "land/s3_xml.h"

#define WHERE "land.s3"

enum {
	LAST_MS = 1500,
	BRIEF_MS = 60 * 1000,
	LOOK_MS = 100, /* how often a wait looks whether it must end */
	PART_DEFAULT = 8 << 20,
	PART_MIN = 5 << 20,
	CONNECTIONS = 32,
	URL_MAX_BYTES = 8192,
	HEADER_LINES = S3_HEADERS + 6,
	SKEW_ALLOWED_S = 900, /* S3 refuses beyond 15 minutes */
};

/* Of a run, which can be stopped: a server that is started again is waited for. */
static const struct retry_policy patient = {
    .max_attempts = 100,
    .base_ms = 100,
    .cap_ms = 5000,
    .deadline_ms = 2 * 60 * 1000,
    .max_retry_after_ms = 30 * 1000,
};

static const struct retry_policy once = {.max_attempts = 1};

static const struct retry_policy brief = {
    .max_attempts = 4,
    .base_ms = 100,
    .cap_ms = 1000,
    .deadline_ms = 15 * 1000,
    .max_retry_after_ms = 2000,
};

struct s3_client {
	struct http_client *http;
	char *base;   /* URL up to the key, with the '/' */
	char *origin; /* for messages */
	char *bucket;
	char *prefix; /* "" or "a/b/" */
	char *scope;
	char *key_id, *secret, *token;
	size_t part_size;
	atomic_uint_fast64_t calls; /* a seed for the waits */
	const atomic_bool *stop;    /* of a view; NULL: none */
	bool view;                  /* all but `stop` and `calls` is another's */
};

/* ---- encoding ---- */

static bool encode(struct buf *out, struct str text, bool slash)
{
	static const char hex[] = "0123456789ABCDEF";

	for (size_t i = 0; i < text.n; i++) {
		unsigned char c = (unsigned char)text.p[i];

		if (isalnum(c) || strchr("-._~", c) || (slash && c == '/')) {
			buf_add_char(out, (char)c);
		} else {
			buf_add_char(out, '%');
			buf_add_char(out, hex[c >> 4]);
			buf_add_char(out, hex[c & 15]);
		}
	}
	return !out->failed;
}

bool s3_encode_path(struct buf *out, struct str key)
{
	return encode(out, key, true);
}

static bool url_of(const struct s3_client *c, const struct s3_request *req, struct buf *url,
                   struct err *err)
{
	buf_add_cstr(url, c->base);
	if (req->name) {
		s3_encode_path(url, str_of(c->prefix));
		s3_encode_path(url, str_of(req->name));
	}
	for (const struct s3_pair *q = req->query; q->name; q++) {
		buf_add_char(url, q == req->query ? '?' : '&');
		encode(url, str_of(q->name), false);
		buf_add_char(url, '=');
		encode(url, str_of(q->value), false);
	}
	return buf_ok(url, "the URL of an S3 request", err);
}

bool s3_hash(struct str bytes, char base64[S3_SHA_BASE64], char hex[HASH_HEX])
{
	unsigned char digest[32];

	if (!EVP_Digest(bytes.n ? bytes.p : "", bytes.n, digest, NULL, EVP_sha256(), NULL))
		return false;
	EVP_EncodeBlock((unsigned char *)base64, digest, sizeof digest);
	for (size_t i = 0; i < sizeof digest; i++)
		snprintf(hex + 2 * i, 3, "%02x", digest[i]);
	return true;
}

/* ---- headers ---- */

struct header_lines {
	const char *lines[HEADER_LINES + 1];
	size_t n;
	struct buf text; /* the lines, each with its '\0' */
};

static void add_line(struct header_lines *h, size_t *starts, const char *name, const char *value)
{
	starts[h->n++] = h->text.n;
	buf_printf(&h->text, "%s: %s", name, value);
	buf_add_char(&h->text, '\0');
}

static bool make_headers(const struct s3_client *c, const struct s3_request *req,
                         struct header_lines *h, struct err *err)
{
	char base64[S3_SHA_BASE64], hex[HASH_HEX];
	size_t starts[HEADER_LINES];

	*h = (struct header_lines){.text = BUF_INIT(16384)};
	if (!s3_hash(req->body, base64, hex))
		return err_set(err, ERR_INTERNAL, WHERE, "SHA-256 failed");
	add_line(h, starts, "Accept-Encoding", "identity");
	if (req->body.p)
		add_line(h, starts, "Content-Type", "application/octet-stream");
	add_line(h, starts, "x-amz-content-sha256", hex);
	if (req->checksum)
		add_line(h, starts, "x-amz-checksum-sha256", base64);
	if (c->token)
		add_line(h, starts, "x-amz-security-token", c->token);
	for (const struct s3_pair *p = req->headers; p->name; p++)
		add_line(h, starts, p->name, p->value);
	for (size_t i = 0; i < h->n && !h->text.failed; i++)
		h->lines[i] = h->text.p + starts[i];
	return buf_ok(&h->text, "the headers of an S3 request", err);
}

static void free_headers(struct header_lines *h)
{
	if (h->text.p)
		explicit_bzero(h->text.p, h->text.cap);
	buf_free(&h->text);
}

/* ---- errors ---- */

struct fault {
	char code[S3_CODE];
	char region[S3_CODE];
};

static bool on_element(void *ctx, const char *parent, const char *name, const char *text)
{
	struct fault *f = ctx;

	if (strcmp(parent, "Error") != 0)
		return true;
	if (strcmp(name, "Code") == 0)
		snprintf(f->code, sizeof f->code, "%.*s", S3_CODE - 1, text);
	if (strcmp(name, "Region") == 0)
		snprintf(f->region, sizeof f->region, "%.*s", S3_CODE - 1, text);
	return true;
}

/* Codes are the server's words: only letters and digits of them go into a message. */
static void read_fault(const struct http_response *resp, struct fault *f)
{
	struct str body = str_trim((struct str){resp->body.p, resp->body.n});

	*f = (struct fault){0};
	if (body.n && body.p[0] == '<' && !s3_xml_read(body, on_element, f))
		*f = (struct fault){0};
	for (char *p = f->code; *p; p++)
		if (!isalnum((unsigned char)*p))
			*p = '?';
	for (char *p = f->region; *p; p++)
		if (!isalnum((unsigned char)*p) && *p != '-')
			*p = '?';
}

struct meaning {
	const char *code;
	enum err_code err;
	bool retryable;
	const char *text;
};

static const struct meaning meanings[] = {
    {"NoSuchBucket", ERR_CONFIG, false,
     "there is no such bucket: make it, or change FHIRLINE_LANDING_URL"},
    {"InvalidBucketName", ERR_CONFIG, false,
     "the bucket's name is not valid; change FHIRLINE_LANDING_URL"},
    {"InvalidAccessKeyId", ERR_AUTH, false,
     "the server does not know the access key; check AWS_ACCESS_KEY_ID or the profile"},
    {"InvalidAccessKey", ERR_AUTH, false,
     "the server does not know the access key; check AWS_ACCESS_KEY_ID or the profile"},
    {"SignatureDoesNotMatch", ERR_AUTH, false,
     "the secret key does not belong to the access key; check AWS_SECRET_ACCESS_KEY"},
    {"ExpiredToken", ERR_AUTH, false,
     "the session token has expired; get new keys (AWS_SESSION_TOKEN)"},
    {"InvalidToken", ERR_AUTH, false, "the session token is not valid; check AWS_SESSION_TOKEN"},
    {"InvalidTokenId", ERR_AUTH, false, "the session token is not valid; check AWS_SESSION_TOKEN"},
    {"AccessDenied", ERR_FORBIDDEN, false,
     "these keys may not; they need s3:GetObject, PutObject, DeleteObject, ListBucket, "
     "AbortMultipartUpload and ListBucketMultipartUploads there"},
    {"AuthorizationHeaderMalformed", ERR_CONFIG, false,
     "the bucket is in another region; set AWS_REGION"},
    {"PermanentRedirect", ERR_CONFIG, false,
     "the bucket is in another region; set AWS_REGION, or AWS_ENDPOINT_URL_S3"},
    {"IllegalLocationConstraintException", ERR_CONFIG, false,
     "the bucket is in another region; set AWS_REGION"},
    {"NotImplemented", ERR_CONFIG, false,
     "the server does not know conditional writes (If-None-Match), without which a batch could "
     "land "
     "twice: take one that does, such as MinIO"},
    {"XMinioStorageFull", ERR_IO, true,
     "no space is left in the landing zone; make room there and the run goes on"},
    {"InsufficientStorage", ERR_IO, true,
     "no space is left in the landing zone; make room there and the run goes on"},
    {"XMinioAdminBucketQuotaExceeded", ERR_IO, true,
     "the bucket's quota is used up; raise it and the run goes on"},
    {"QuotaExceeded", ERR_IO, true, "the bucket's quota is used up; raise it and the run goes on"},
    {"RequestTimeout", ERR_TIMEOUT, true, "the server did not get the bytes in time"},
    {"SlowDown", ERR_BUSY, true, "the server asks for fewer requests"},
    {"ServiceUnavailable", ERR_BUSY, true, "the server is busy or starting"},
    {"OperationAborted", ERR_BUSY, true, "another request to the same object is under way"},
    {"ConditionalRequestConflict", ERR_BUSY, true,
     "another request to the same object is under way"},
    {"BadDigest", ERR_PROTOCOL, true, "the bytes were damaged on the way"},
    {"XAmzContentSHA256Mismatch", ERR_PROTOCOL, true, "the bytes were damaged on the way"},
    {"XAmzContentChecksumMismatch", ERR_PROTOCOL, true, "the bytes were damaged on the way"},
    {"IncompleteBody", ERR_PROTOCOL, true, "the bytes did not all arrive"},
};

static bool fail_as(const struct s3_client *c, const struct s3_request *req,
                    const struct meaning *m, const struct http_response *resp, struct err *err)
{
	err_set(err, m->err, WHERE, "cannot %s %s at %s: %s", req->doing,
	        req->name ? land_last_part(req->name) : c->bucket, c->origin, m->text);
	err->retryable = m->retryable;
	err->status = resp->status;
	err->retry_after_ms = m->retryable && resp->retry_after_ms > 0 ? resp->retry_after_ms : 0;
	return false;
}

static bool fail_skewed(const struct s3_client *c, const struct http_response *resp,
                        struct err *err)
{
	int64_t now = clock_now_us(&clock_system);
	int64_t apart = resp->date_us == INT64_MIN ? 0 : (now - resp->date_us) / 1000000;

	return err_set(err, ERR_CONFIG, WHERE,
	               "the clock of this machine is %lld s %s that of %s, more than the %d s that "
	               "a signature may be off: set the clocks (NTP)",
	               (long long)(apart < 0 ? -apart : apart), apart < 0 ? "behind" : "ahead of",
	               c->origin, SKEW_ALLOWED_S);
}

/* HEAD has no body that could say which. */
static const char *code_of_status(const struct s3_request *req, int status)
{
	if (status == 301 || status == 307)
		return "PermanentRedirect";
	if (status == 507)
		return "InsufficientStorage";
	if (status == 403 && strcmp(req->method, "HEAD") == 0)
		return "AccessDenied";
	return "";
}

static bool fail_answer(const struct s3_client *c, const struct s3_request *req,
                        const struct http_response *resp, const struct fault *f, struct err *err)
{
	const char *code = f->code[0] ? f->code : code_of_status(req, resp->status);
	struct meaning other = {code, ERR_PROTOCOL, resp->status >= 500, NULL};
	char text[160];

	if (strcmp(code, "RequestTimeTooSkewed") == 0)
		return fail_skewed(c, resp, err);
	for (size_t i = 0; i < sizeof meanings / sizeof *meanings; i++)
		if (strcmp(meanings[i].code, code) == 0) {
			fail_as(c, req, &meanings[i], resp, err);
			if (f->region[0] && meanings[i].err == ERR_CONFIG)
				err_prefix(err, "bucket of region %s", f->region);
			return false;
		}
	if (resp->status == 429 || resp->status == 503)
		other.err = ERR_BUSY, other.retryable = true;
	if (resp->status == 404)
		other.err = ERR_NOT_FOUND;
	snprintf(text, sizeof text, "HTTP %d%s%s", resp->status, *code ? ", " : "", code);
	other.text = text;
	return fail_as(c, req, &other, resp, err);
}

/* ---- a call ---- */

static bool is_fine(const int *fine, int status)
{
	for (; fine && *fine; fine++)
		if (*fine == status)
			return true;
	return false;
}

static bool try_once(struct s3_client *c, const struct s3_request *req,
                     const struct http_request *http, const int *fine, struct s3_answer *answer,
                     struct err *err)
{
	struct http_response resp = {0};
	struct fault f;

	if (!http_fetch(c->http, http, &resp, err)) {
		err_prefix(err, "landing zone");
		return false;
	}
	/* an upload may be refused after its 200 has been sent */
	read_fault(&resp, &f);
	if ((resp.status >= 200 && resp.status < 300 && !f.code[0]) ||
	    (is_fine(fine, resp.status) && strcmp(f.code, "NoSuchBucket") != 0)) {
		answer->http = resp;
		memcpy(answer->code, f.code, sizeof f.code);
		return true;
	}
	fail_answer(c, req, &resp, &f, err);
	if (resp.status == 200)
		err->retryable = true;
	http_response_free(&resp);
	return false;
}

static bool fail_stopped(struct err *err)
{
	return err_set(err, ERR_CANCELLED, WHERE, "the run was stopped");
}

bool s3_client_stopped(const struct s3_client *c)
{
	return c->stop && atomic_load(c->stop);
}

/* False when it must stop. */
static bool wait_ms(const struct s3_client *c, int64_t ms)
{
	int64_t until = clock_mono_ms(&clock_system) + ms, left = ms;

	for (; left > 0 && !s3_client_stopped(c); left = until - clock_mono_ms(&clock_system))
		clock_sleep_ms(left < LOOK_MS ? left : LOOK_MS);
	return !s3_client_stopped(c);
}

static bool try_again(struct s3_client *c, const struct s3_request *req,
                      const struct http_request *http, const int *fine, struct s3_answer *answer,
                      struct err *err)
{
	const struct retry_policy *policy = req->last ? &once : c->stop ? &patient : &brief;
	struct rng rng = rng_for((uint64_t)clock_now_us(&clock_system), c->calls++);
	int64_t started = clock_mono_ms(&clock_system), delay;

	for (int n = 1;; n++) {
		if (try_once(c, req, http, fine, answer, err))
			return true;
		/* a full disk does not empty within seconds */
		if (err->code == ERR_IO || err->code == ERR_CANCELLED ||
		    retry_decide(policy, err, n, clock_mono_ms(&clock_system) - started, &rng,
		                 &delay) == RETRY_GIVE_UP)
			return false;
		if (!wait_ms(c, delay))
			return fail_stopped(err);
	}
}

struct s3_client *s3_client_view(const struct s3_client *c, const atomic_bool *stop,
                                 struct err *err)
{
	struct s3_client *view = malloc(sizeof *view);

	if (!view) {
		err_set(err, ERR_NOMEM, "land.open", "out of memory");
		return NULL;
	}
	memcpy(view, c, sizeof *view);
	view->stop = stop;
	view->view = true;
	return view;
}

void s3_client_wake(struct s3_client *c)
{
	http_client_wake(c->http);
}

static int64_t timeout_of(const struct s3_client *c, const struct s3_request *req)
{
	if (req->last)
		return LAST_MS;
	if (req->timeout_ms)
		return req->timeout_ms;
	return c->stop ? 0 : BRIEF_MS;
}

bool s3_call(struct s3_client *c, const struct s3_request *req, const int *fine,
             struct s3_answer *answer, struct err *err)
{
	struct http_sigv4 sign = {c->scope, c->key_id, c->secret};
	struct buf url = BUF_INIT(URL_MAX_BYTES);
	struct header_lines headers;
	struct s3_answer got = {0};
	bool ok = make_headers(c, req, &headers, err) && url_of(c, req, &url, err);

	if (ok && !req->last && s3_client_stopped(c))
		ok = fail_stopped(err);
	if (ok) {
		struct http_request http = {.method = req->method,
		                            .url = url.p,
		                            .headers = headers.lines,
		                            .body = req->body,
		                            .max_body = req->max_body,
		                            .whole_timeout_ms = timeout_of(c, req),
		                            .keep_header = req->keep_header,
		                            .cancel = req->last ? NULL : c->stop,
		                            .sign = &sign};

		ok = try_again(c, req, &http, fine, &got, err);
	}
	free_headers(&headers);
	buf_free(&url);
	if (ok)
		*answer = got;
	return ok;
}

void s3_answer_free(struct s3_answer *answer)
{
	http_response_free(&answer->http);
}

/* ---- opening ---- */

static const char *given(const char *text)
{
	return text && *text ? text : NULL;
}

static bool bucket_name_valid(struct str name)
{
	if (name.n < 3 || name.n > 63)
		return false;
	for (size_t i = 0; i < name.n; i++)
		if (!islower((unsigned char)name.p[i]) && !isdigit((unsigned char)name.p[i]) &&
		    name.p[i] != '-' && name.p[i] != '.')
			return false;
	return isalnum((unsigned char)name.p[0]) && isalnum((unsigned char)name.p[name.n - 1]);
}

static bool split_place(struct s3_client *c, const char *place, struct err *err)
{
	size_t n = strcspn(place, "/");
	const char *prefix = place + n + (place[n] == '/');

	if (!bucket_name_valid((struct str){place, n}) || prefix[0] == '/' ||
	    strstr(prefix, "//") || strlen(prefix) > S3_KEY_MAX / 2)
		return err_set(
		    err, ERR_CONFIG, "land.open",
		    "FHIRLINE_LANDING_URL must be s3://bucket or s3://bucket/prefix, the "
		    "bucket of lower-case letters, digits, dots and hyphens");
	c->bucket = str_dup((struct str){place, n});
	if (asprintf(&c->prefix, "%s%s", prefix, *prefix ? "/" : "") < 0)
		c->prefix = NULL;
	return (c->bucket && c->prefix) || err_set(err, ERR_NOMEM, "land.open", "out of memory");
}

static bool take_place(struct s3_client *c, const char *place, struct err *err)
{
	char *decoded = land_url_decode(place);
	bool ok = decoded ? split_place(c, decoded, err)
	                  : err_set(err, ERR_NOMEM, "land.open", "out of memory");

	free(decoded);
	return ok;
}

static bool check_endpoint(const char *endpoint, struct err *err)
{
	char origin[300];
	const char *host = strstr(endpoint, "://");

	if (http_origin(str_of(endpoint), origin, sizeof origin) && !strpbrk(host + 3, "@?#") &&
	    (!strchr(host + 3, '/') || !strchr(host + 3, '/')[1]))
		return true;
	return err_set(err, ERR_CONFIG, "land.open",
	               "the S3 endpoint (AWS_ENDPOINT_URL_S3, --s3-endpoint) must be "
	               "http(s)://host:port, without a path");
}

/* scheme://host/bucket/ or scheme://bucket.host/ */
static bool take_endpoint(struct s3_client *c, const struct land_s3_options *o, const char *region,
                          struct err *err)
{
	bool path =
	    o->addressing == LAND_S3_PATH ||
	    (o->addressing == LAND_S3_AUTO && (given(o->endpoint) || strchr(c->bucket, '.')));
	char *endpoint = NULL, *host;
	bool ok = false;

	if (given(o->endpoint) ? !check_endpoint(o->endpoint, err) : false)
		return false;
	if (given(o->endpoint))
		endpoint = str_dup(str_of(o->endpoint));
	else if (asprintf(&endpoint, "https://s3.%s.amazonaws.com", region) < 0)
		endpoint = NULL;
	if (endpoint) {
		host = strstr(endpoint, "://") + 3;
		host[strcspn(host, "/")] = '\0';
		c->origin = str_dup(str_of(endpoint));
		ok = path ? asprintf(&c->base, "%s/%s/", endpoint, c->bucket) >= 0
		          : asprintf(&c->base, "%.*s%s.%s/", (int)(host - endpoint), endpoint,
		                     c->bucket, host) >= 0;
		ok = ok && c->origin;
	}
	free(endpoint);
	return ok || err_set(err, ERR_NOMEM, "land.open", "out of memory");
}

static bool region_valid(const char *region)
{
	return strlen(region) < 64 &&
	       strspn(region, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") ==
	           strlen(region);
}

static bool take_keys(struct s3_client *c, const struct land_s3_options *o, struct err *err)
{
	if (!given(o->key_id) || !given(o->secret))
		return err_set(err, ERR_CONFIG, "land.open",
		               "the landing zone is in S3, but there are no keys: set "
		               "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or put them into a "
		               "profile of ~/.aws/credentials");
	c->key_id = str_dup(str_of(o->key_id));
	c->secret = str_dup(str_of(o->secret));
	c->token = given(o->session_token) ? str_dup(str_of(o->session_token)) : NULL;
	if (!c->key_id || !c->secret || (given(o->session_token) && !c->token))
		return err_set(err, ERR_NOMEM, "land.open", "out of memory");
	return true;
}

static bool take_options(struct s3_client *c, const struct land_s3_options *o, struct err *err)
{
	const char *region = given(o->region) ? o->region : "us-east-1";

	c->part_size = o->part_size ? o->part_size : PART_DEFAULT;
	if (c->part_size < PART_MIN)
		return err_set(err, ERR_CONFIG, "land.open", "an S3 part has at least 5 MiB");
	if (!region_valid(region))
		return err_set(err, ERR_CONFIG, "land.open", "AWS_REGION is not a region's name");
	if (asprintf(&c->scope, "aws:amz:%s:s3", region) < 0) {
		c->scope = NULL;
		return err_set(err, ERR_NOMEM, "land.open", "out of memory");
	}
	return take_keys(c, o, err) && take_endpoint(c, o, region, err);
}

struct s3_client *s3_client_new(const char *place, const struct land_s3_options *options,
                                struct err *err)
{
	struct http_options http = {.connect_timeout_ms = 5000,
	                            .idle_timeout_ms = 30 * 1000,
	                            .max_connections = CONNECTIONS,
	                            .ca_file = given(options->ca_file)};
	struct s3_client *c = calloc(1, sizeof *c);

	if (!c) {
		err_set(err, ERR_NOMEM, "land.open", "out of memory");
		return NULL;
	}
	if (take_place(c, place, err) && take_options(c, options, err))
		c->http = http_client_new(&http, err);
	if (c->http)
		return c;
	s3_client_free(c);
	return NULL;
}

static void free_secret(char *text)
{
	if (text)
		explicit_bzero(text, strlen(text));
	free(text);
}

void s3_client_free(struct s3_client *c)
{
	if (!c)
		return;
	if (c->view) {
		free(c);
		return;
	}
	http_client_free(c->http);
	free(c->base);
	free(c->origin);
	free(c->bucket);
	free(c->prefix);
	free(c->scope);
	free_secret(c->key_id);
	free_secret(c->secret);
	free_secret(c->token);
	free(c);
}

size_t s3_part_size(const struct s3_client *c)
{
	return c->part_size;
}

const char *s3_prefix(const struct s3_client *c)
{
	return c->prefix;
}
