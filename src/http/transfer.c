/* SPDX-License-Identifier: Apache-2.0 */
#include "http/transfer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"

enum { RECEIVE_BUFFER = 128 << 10 };

static char *copy_or(const char *s, const char *otherwise)
{
	return str_dup(str_of(s ? s : otherwise));
}

bool transfer_limits_init(struct transfer_limits *l, const struct http_options *o, struct err *err)
{
	memset(l, 0, sizeof *l);
	l->connect_timeout_ms = o->connect_timeout_ms > 0 ? o->connect_timeout_ms : 10 * 1000;
	l->idle_timeout_ms = o->idle_timeout_ms > 0 ? o->idle_timeout_ms : 60 * 1000;
	l->whole_timeout_ms = o->whole_timeout_ms > 0 ? o->whole_timeout_ms : 10 * 60 * 1000;
	l->max_body = o->max_body ? o->max_body : (size_t)64 << 20;
	l->max_connections = o->max_connections > 0 ? o->max_connections : 16;
	l->ca_file = copy_or(o->ca_file, "");
	l->user_agent = copy_or(o->user_agent, "fhirline/" FHIRLINE_VERSION);
	l->proxy = copy_or(o->proxy, "");
	if (!l->ca_file || !l->user_agent || !l->proxy) {
		transfer_limits_free(l);
		return err_set(err, ERR_NOMEM, "http.new", "out of memory");
	}
	return true;
}

void transfer_limits_free(struct transfer_limits *l)
{
	free(l->ca_file);
	free(l->user_agent);
	free(l->proxy);
	memset(l, 0, sizeof *l);
}

/* ---- response headers ---- */

static void take(char *out, size_t size, struct str value)
{
	size_t n = value.n < size - 1 ? value.n : size - 1;

	memcpy(out, value.p, n);
	out[n] = '\0';
}

static void take_content_type(char *out, size_t size, struct str value)
{
	const char *semicolon = memchr(value.p, ';', value.n);

	if (semicolon)
		value.n = (size_t)(semicolon - value.p);
	take(out, size, str_trim(value));
	for (char *p = out; *p; p++)
		if (*p >= 'A' && *p <= 'Z')
			*p = (char)(*p + ('a' - 'A'));
}

static void take_length(struct transfer *t, int64_t length)
{
	t->meta.content_length = length;
	body_expect(&t->body, length);
}

static void header_field(struct transfer *t, struct str name, struct str value)
{
	struct http_response *m = &t->meta;
	int64_t length;

	if (t->keep_header && str_is_nocase(name, t->keep_header))
		take(m->kept, sizeof m->kept, value);
	if (str_is_nocase(name, "content-type"))
		take_content_type(m->content_type, sizeof m->content_type, value);
	else if (str_is_nocase(name, "content-encoding"))
		body_encoding(&t->body, value);
	else if (str_is_nocase(name, "content-length") && str_int(value, 0, INT64_MAX, &length))
		take_length(t, length);
	else if (str_is_nocase(name, "etag"))
		take(m->etag, sizeof m->etag, value);
	else if (str_is_nocase(name, "retry-after"))
		take(t->retry_after, sizeof t->retry_after, value);
	else if (str_is_nocase(name, "www-authenticate"))
		take(m->www_authenticate, sizeof m->www_authenticate, value);
	else if (str_is_nocase(name, "date"))
		clock_parse_http(value, &m->date_us);
}

static void header_restart(struct transfer *t)
{
	t->meta = (struct http_response){
	    .date_us = INT64_MIN, .retry_after_ms = -1, .content_length = -1};
	t->retry_after[0] = '\0';
	body_restart(&t->body);
}

static size_t on_header(char *p, size_t size, size_t n, void *ctx)
{
	struct transfer *t = ctx;
	struct str line = {p, size * n};
	const char *colon;

	t->header_bytes += line.n;
	if (t->header_bytes > HTTP_HEADERS_MAX) {
		t->headers_too_large = true;
		return 0;
	}
	if (str_starts(line, "HTTP/")) {
		header_restart(t);
		return line.n;
	}
	colon = memchr(line.p, ':', line.n);
	if (colon)
		header_field(
		    t, (struct str){line.p, (size_t)(colon - line.p)},
		    str_trim((struct str){colon + 1, line.n - (size_t)(colon + 1 - line.p)}));
	return line.n;
}

static size_t on_body(char *p, size_t size, size_t n, void *ctx)
{
	struct transfer *t = ctx;

	return body_add(&t->body, p, size * n) ? size * n : 0;
}

/* ---- the request ---- */

static bool has_header(const struct http_request *req, const char *name)
{
	size_t n = strlen(name);

	for (const char *const *h = req->headers; h && *h; h++)
		if (strncasecmp(*h, name, n) == 0 && (*h)[n] == ':')
			return true;
	return false;
}

static void add_header(struct transfer *t, const char *line)
{
	struct curl_slist *list = curl_slist_append(t->headers, line);

	if (list)
		t->headers = list;
	else
		t->no_memory = true;
}

static void set_headers(struct transfer *t, const struct http_request *req)
{
	for (const char *const *h = req->headers; h && *h; h++)
		add_header(t, *h);
	if (!has_header(req, "Accept-Encoding"))
		add_header(t, "Accept-Encoding: gzip");
	/* libcurl signs headers without a value too, but does not send them */
	if (!req->sign) {
		add_header(t, "Expect:"); /* libcurl would wait a second for 100 Continue */
		if (req->body.p && !has_header(req, "Content-Type"))
			add_header(t, "Content-Type:"); /* libcurl would call any body a form */
	}
	curl_easy_setopt(t->easy, CURLOPT_HTTPHEADER, t->headers);
}

static void set_method(struct transfer *t, const struct http_request *req)
{
	CURL *e = t->easy;

	if (req->body.p) { /* not copied: the caller waits until the transfer has ended */
		curl_easy_setopt(e, CURLOPT_POSTFIELDS, req->body.p);
		curl_easy_setopt(e, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)req->body.n);
	} else if (strcmp(req->method, "HEAD") == 0) {
		curl_easy_setopt(e, CURLOPT_NOBODY, 1L);
	} else {
		curl_easy_setopt(e, CURLOPT_HTTPGET, 1L);
	}
	if (strcmp(req->method, "HEAD") != 0)
		curl_easy_setopt(e, CURLOPT_CUSTOMREQUEST, req->method);
}

static void set_signature(struct transfer *t, const struct http_sigv4 *sign)
{
	curl_easy_setopt(t->easy, CURLOPT_AWS_SIGV4, sign->scope);
	curl_easy_setopt(t->easy, CURLOPT_USERNAME, sign->key_id);
	curl_easy_setopt(t->easy, CURLOPT_PASSWORD, sign->secret);
	curl_easy_setopt(t->easy, CURLOPT_EXPECT_100_TIMEOUT_MS, 1L);
}

static void set_connection(struct transfer *t)
{
	const struct transfer_limits *l = t->limits;
	CURL *e = t->easy;

	curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(e, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(e, CURLOPT_CONNECTTIMEOUT_MS, (long)l->connect_timeout_ms);
	curl_easy_setopt(e, CURLOPT_TCP_KEEPALIVE, 1L);
	curl_easy_setopt(e, CURLOPT_PROXY, l->proxy);
	curl_easy_setopt(e, CURLOPT_USERAGENT, l->user_agent);
	curl_easy_setopt(e, CURLOPT_BUFFERSIZE, (long)RECEIVE_BUFFER);
	curl_easy_setopt(e, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(e, CURLOPT_PATH_AS_IS, 1L);
	curl_easy_setopt(e, CURLOPT_DISALLOW_USERNAME_IN_URL, 1L);
	curl_easy_setopt(e, CURLOPT_HTTP_CONTENT_DECODING, 0L); /* body.c decodes */
#if LIBCURL_VERSION_NUM >= 0x075500
	curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, "http,https");
#else
	curl_easy_setopt(e, CURLOPT_PROTOCOLS, (long)(CURLPROTO_HTTP | CURLPROTO_HTTPS));
#endif
	if (l->ca_file[0])
		curl_easy_setopt(e, CURLOPT_CAINFO, l->ca_file);
}

bool transfer_init(struct transfer *t, const struct http_request *req,
                   const struct transfer_limits *l, struct err *err)
{
	memset(t, 0, sizeof *t);
	t->limits = l;
	t->keep_header = req->keep_header;
	t->whole_timeout_ms =
	    req->whole_timeout_ms > 0 ? req->whole_timeout_ms : l->whole_timeout_ms;
	body_init(&t->body, req->max_body ? req->max_body : l->max_body);
	header_restart(t);
	if (!http_origin(str_of(req->url), t->origin, sizeof t->origin))
		return err_set(err, ERR_USAGE, "http.url",
		               "the address is not an absolute http or https URL");
	t->easy = curl_easy_init();
	if (!t->easy)
		return err_set(err, ERR_NOMEM, "http.new", "out of memory");
	curl_easy_setopt(t->easy, CURLOPT_ERRORBUFFER, t->errbuf);
	curl_easy_setopt(t->easy, CURLOPT_HEADERFUNCTION, on_header);
	curl_easy_setopt(t->easy, CURLOPT_HEADERDATA, t);
	curl_easy_setopt(t->easy, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(t->easy, CURLOPT_WRITEDATA, t);
	set_connection(t);
	set_method(t, req);
	set_headers(t, req);
	if (req->sign)
		set_signature(t, req->sign);
	if (curl_easy_setopt(t->easy, CURLOPT_URL, req->url) != CURLE_OK || t->no_memory)
		return err_set(err, ERR_NOMEM, "http.new", "out of memory");
	return true;
}

void transfer_free(struct transfer *t)
{
	curl_easy_cleanup(t->easy);
	curl_slist_free_all(t->headers);
	body_free(&t->body);
	memset(t, 0, sizeof *t);
}

bool transfer_moved(struct transfer *t)
{
	curl_off_t up = 0;
	int64_t now;
	bool moved;

	curl_easy_getinfo(t->easy, CURLINFO_SIZE_UPLOAD_T, &up);
	now = up + t->body.wire + (int64_t)t->header_bytes;
	moved = now != t->progress;
	t->progress = now;
	return moved;
}

/* ---- the result ---- */

static bool fail_connect(const struct transfer *t, struct err *err)
{
	long os = 0;

	curl_easy_getinfo(t->easy, CURLINFO_OS_ERRNO, &os);
	return err_set_retry(
	    err, ERR_NETWORK, "http.connect",
	    "cannot connect to %s: %s; is the server running, and is the address right?", t->origin,
	    os ? strerror((int)os) : "no connection");
}

static bool fail_tls(const struct transfer *t, CURLcode rc, struct err *err)
{
	long os = 0;

	curl_easy_getinfo(t->easy, CURLINFO_OS_ERRNO, &os);
	if (rc == CURLE_SSL_CONNECT_ERROR && (os || strstr(t->errbuf, "SYSCALL")))
		return err_set_retry(err, ERR_NETWORK, "http.tls",
		                     "the connection to %s was lost during the TLS handshake",
		                     t->origin);
	if (rc == CURLE_SSL_CACERT_BADFILE)
		return err_set(err, ERR_TLS, "http.tls",
		               "the certificate authority file for %s cannot be used: give a "
		               "readable PEM file "
		               "(FHIRLINE_FHIR_CA_FILE for the FHIR server, FHIRLINE_S3_CA_FILE "
		               "for S3)",
		               t->origin);
	if (rc == CURLE_PEER_FAILED_VERIFICATION)
		return err_set(err, ERR_TLS, "http.tls",
		               "%s cannot be trusted: %.120s; if it is the right server, give its "
		               "certificate authority as a PEM "
		               "file (FHIRLINE_FHIR_CA_FILE for the FHIR server, "
		               "FHIRLINE_S3_CA_FILE for S3)",
		               t->origin,
		               t->errbuf[0] ? t->errbuf : "its certificate is not valid");
	return err_set(
	    err, ERR_TLS, "http.tls",
	    "no TLS connection to %s: %.160s; does it speak https, and TLS 1.2 or newer?",
	    t->origin, t->errbuf[0] ? t->errbuf : curl_easy_strerror(rc));
}

static bool fail_body(const struct transfer *t, struct err *err)
{
	switch (t->body.state) {
	case BODY_TOO_LARGE:
		return err_set(err, ERR_LIMIT, "http.body",
		               "the answer of %s is larger than the limit of %zu bytes", t->origin,
		               t->body.out.max);
	case BODY_BROKEN_GZIP:
		return err_set_retry(err, ERR_PROTOCOL, "http.gzip",
		                     "the answer of %s is broken gzip after %lld bytes", t->origin,
		                     (long long)t->body.wire);
	case BODY_UNKNOWN_ENCODING:
		return err_set_retry(err, ERR_PROTOCOL, "http.encoding",
		                     "the answer of %s is in a content encoding that was not asked "
		                     "for (only gzip was)",
		                     t->origin);
	case BODY_NO_MEMORY:
		return err_set_retry(err, ERR_NOMEM, "http.body",
		                     "out of memory for the answer of %s", t->origin);
	case BODY_OK:
		break;
	}
	return err_set(err, ERR_INTERNAL, "http.body", "the answer of %s could not be stored",
	               t->origin);
}

static bool transfer_fail(const struct transfer *t, CURLcode rc, struct err *err)
{
	if (t->headers_too_large)
		return err_set(err, ERR_LIMIT, "http.headers",
		               "the response headers of %s exceed %d bytes", t->origin,
		               HTTP_HEADERS_MAX);
	switch (rc) {
	case CURLE_WRITE_ERROR:
		return fail_body(t, err);
	case CURLE_COULDNT_CONNECT:
		return fail_connect(t, err);
	case CURLE_COULDNT_RESOLVE_HOST:
		return err_set_retry(err, ERR_NETWORK, "http.dns",
		                     "the host name of %s is not known: check the address, or DNS",
		                     t->origin);
	case CURLE_COULDNT_RESOLVE_PROXY:
		return err_set_retry(err, ERR_NETWORK, "http.dns",
		                     "the proxy's host name is not known");
	case CURLE_OPERATION_TIMEDOUT:
		return err_set_retry(err, ERR_TIMEOUT, "http.connect",
		                     "no connection to %s within %lld ms", t->origin,
		                     (long long)t->limits->connect_timeout_ms);
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_CONNECT_ERROR:
	case CURLE_SSL_CACERT_BADFILE:
	case CURLE_SSL_CERTPROBLEM:
	case CURLE_SSL_CIPHER:
	case CURLE_SSL_ISSUER_ERROR:
	case CURLE_SSL_ENGINE_INITFAILED:
	case CURLE_USE_SSL_FAILED:
		return fail_tls(t, rc, err);
	case CURLE_PARTIAL_FILE:
		return err_set_retry(err, ERR_PROTOCOL, "http.body",
		                     "the answer of %s was cut short after %lld bytes", t->origin,
		                     (long long)t->body.wire);
	case CURLE_UNSUPPORTED_PROTOCOL:
	case CURLE_WEIRD_SERVER_REPLY:
		return err_set_retry(err, ERR_PROTOCOL, "http.headers",
		                     "%s does not answer in HTTP", t->origin);
	case CURLE_GOT_NOTHING:
		return err_set_retry(err, ERR_NETWORK, "http.answer",
		                     "%s closed the connection without an answer", t->origin);
	case CURLE_SEND_ERROR:
	case CURLE_RECV_ERROR:
		return err_set_retry(err, ERR_NETWORK, "http.answer",
		                     "the connection to %s was lost after %lld bytes", t->origin,
		                     (long long)t->body.wire);
	case CURLE_OUT_OF_MEMORY:
		return err_set_retry(err, ERR_NOMEM, "http.answer",
		                     "out of memory for the answer of %s", t->origin);
	case CURLE_URL_MALFORMAT:
	case CURLE_LOGIN_DENIED:
		return err_set(err, ERR_USAGE, "http.url",
		               "the address of %s cannot be used: is there a user name in it?",
		               t->origin);
	default:
		return err_set_retry(err, ERR_NETWORK, "http.answer",
		                     "the request to %s failed: %s", t->origin,
		                     curl_easy_strerror(rc));
	}
}

/* RFC 9110 10.2.3: seconds, or a date, which is taken relative to the server's own Date. */
static int64_t retry_after_ms(const char *text, int64_t date_us)
{
	struct str s = str_trim(str_of(text));
	int64_t v;

	if (!s.n)
		return -1;
	if (str_int(s, 0, INT64_MAX / 1000, &v))
		return v * 1000;
	if (!clock_parse_http(s, &v))
		return -1;
	if (date_us == INT64_MIN)
		date_us = clock_now_us(&clock_system);
	return v > date_us ? (v - date_us) / 1000 : 0;
}

bool transfer_result(struct transfer *t, CURLcode rc, int64_t elapsed_ms,
                     struct http_response *resp, struct err *err)
{
	long status = 0;

	if (rc != CURLE_OK)
		return transfer_fail(t, rc, err);
	if (!body_end(&t->body))
		return fail_body(t, err);
	curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
	*resp = t->meta;
	resp->status = (int)status;
	resp->body = t->body.out;
	t->body.out = BUF_INIT(0);
	resp->retry_after_ms = retry_after_ms(t->retry_after, resp->date_us);
	resp->wire_bytes = t->body.wire;
	resp->elapsed_ms = elapsed_ms;
	return true;
}
