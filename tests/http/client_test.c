/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>
#include <zlib.h>

#include "base/clock.h"
#include "http/client.h"
#include "support/fake_http.h"

struct fixture {
	struct fake *fake;
	struct http_client *http;
	struct err err;
	struct http_response resp;
};

/* ---- what the server answers, by path ---- */

/* gzip of `n` bytes 'a'; *out_n its length. The caller frees it. */
static char *gzip_of(size_t n, size_t *out_n)
{
	z_stream z = {0};
	size_t cap = n + 1000;
	char *in = malloc(n + 1), *out = malloc(cap);

	memset(in, 'a', n + 1);
	if (deflateInit2(&z, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK)
		exit(99);
	z.next_in = (void *)in;
	z.avail_in = (uInt)n;
	z.next_out = (void *)out;
	z.avail_out = (uInt)cap;
	if (deflate(&z, Z_FINISH) != Z_STREAM_END)
		exit(99);
	*out_n = cap - z.avail_out;
	deflateEnd(&z);
	free(in);
	return out;
}

/* /gzip/<bytes>/<cut off the end>/<xor into the last byte>/<times> */
static void answer_gzip(struct fake_request *r)
{
	int bytes = 0, cut = 0, flip = 0, times = 1;
	char *out, *all;
	size_t n;

	if (sscanf(r->target, "/gzip/%d/%d/%d/%d", &bytes, &cut, &flip, &times) < 1)
		exit(99);
	out = gzip_of((size_t)bytes, &n);
	all = calloc((size_t)times, n);
	for (int i = 0; i < times; i++)
		memcpy(all + (size_t)i * n, out, n);
	n = n * (size_t)times - (size_t)cut;
	all[n - 1] = (char)(all[n - 1] ^ flip);
	fake_reply(r, 200, "Content-Encoding: gzip\r\n", all, n);
	free(all);
	free(out);
}

static void answer_drip(struct fake_request *r)
{
	fake_sendf(r, "HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n");
	do
		fake_send(r, "x", 1);
	while (fake_sleep(r, 20));
}

static void answer_many_headers(struct fake_request *r)
{
	fake_sendf(r, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n");
	for (int i = 0; i < 100; i++)
		fake_sendf(r, "X-%d: %01000d\r\n", i, i);
	fake_sendf(r, "\r\n");
}

static void answer_echo(struct fake_request *r)
{
	struct buf out = BUF_INIT(1 << 20);
	char type[100] = "none", agent[100] = "none";

	fake_header(r, "Content-Type", type, sizeof type);
	fake_header(r, "User-Agent", agent, sizeof agent);
	buf_printf(&out, "%s %s type=%s agent=%s body=%s", r->method, r->target, type, agent,
	           r->body);
	fake_reply(r, 200, "Content-Type: Text/Plain; charset=UTF-8\r\nETag: \"v1\"\r\n", out.p,
	           out.n);
	buf_free(&out);
}

static void answer(struct fake *f, struct fake_request *r, void *ctx)
{
	const char *t = r->target;
	int n = 0;

	(void)f;
	(void)ctx;
	if (strncmp(t, "/gzip/", 6) == 0) {
		answer_gzip(r);
	} else if (strncmp(t, "/echo", 5) == 0) {
		answer_echo(r);
	} else if (sscanf(t, "/big/%d", &n) == 1) {
		char *big = calloc(1, (size_t)n + 1);

		fake_reply(r, 200, "", big, (size_t)n);
		free(big);
	} else if (strcmp(t, "/reset") == 0) {
		fake_reset(r);
	} else if (strcmp(t, "/close") == 0) {
		r->close = true;
	} else if (strcmp(t, "/cut") == 0) {
		fake_sendf(r, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc");
		r->close = true;
	} else if (strcmp(t, "/cut-chunk") == 0) {
		fake_sendf(r, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabc");
		r->close = true;
	} else if (strcmp(t, "/reset-body") == 0) {
		fake_sendf(r, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc");
		fake_sleep(r, 50);
		fake_reset(r);
	} else if (strcmp(t, "/noise") == 0) {
		fake_sendf(r, "SSH-2.0-OpenSSH\r\n");
		r->close = true;
	} else if (strcmp(t, "/hang") == 0) {
		fake_hang(r);
	} else if (strcmp(t, "/drip") == 0) {
		answer_drip(r);
	} else if (strcmp(t, "/headers") == 0) {
		answer_many_headers(r);
	} else if (strcmp(t, "/brotli") == 0) {
		fake_reply_text(r, 200, "Content-Encoding: br\r\n", "abc");
	} else if (strcmp(t, "/continue") == 0) {
		fake_sendf(r, "HTTP/1.1 103 Early\r\nETag: \"no\"\r\nRetry-After: 9\r\n\r\n");
		fake_reply_text(r, 200, "", "ok");
	} else if (strcmp(t, "/after-seconds") == 0) {
		fake_reply_text(r, 503, "Retry-After: 120\r\n", "");
	} else if (strcmp(t, "/after-date") == 0) {
		fake_reply_text(r, 429,
		                "Retry-After: Sun, 06 Nov 1994 08:50:37 GMT\r\nDate: Sun, 06 Nov "
		                "1994 08:49:37 GMT\r\n",
		                "");
	} else if (strcmp(t, "/after-past") == 0) {
		fake_reply_text(r, 429,
		                "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\nRetry-After: Sun, 06 Nov "
		                "1994 08:48:37 GMT\r\n",
		                "");
	} else if (strcmp(t, "/after-noise") == 0) {
		fake_reply_text(r, 429, "Retry-After: soon\r\nDate: today\r\n", "");
	} else if (strcmp(t, "/redirect") == 0) {
		fake_reply_text(r, 302, "Location: /echo\r\n", "");
	} else if (strcmp(t, "/401") == 0) {
		fake_reply_text(r, 401, "WWW-Authenticate: Bearer realm=\"x\"\r\n", "");
	} else {
		fake_reply_text(r, 404, "", "");
	}
}

/* ---- helpers ---- */

static int setup_with(void **state, const struct http_options *o, bool tls)
{
	struct fixture *x = calloc(1, sizeof *x);

	x->fake = fake_start(answer, NULL, tls);
	x->http = http_client_new(o, &x->err);
	assert_non_null(x->http);
	*state = x;
	return 0;
}

static int setup(void **state)
{
	return setup_with(state, &(struct http_options){.max_body = 100000}, false);
}

static int setup_tls(void **state)
{
	return setup_with(state, &(struct http_options){0}, true);
}

static int teardown(void **state)
{
	struct fixture *x = *state;

	http_response_free(&x->resp);
	http_client_free(x->http);
	fake_stop(x->fake);
	free(x);
	return 0;
}

static bool get(struct fixture *x, const char *path)
{
	char url[300];
	struct http_request req = {.method = "GET", .url = url};

	snprintf(url, sizeof url, "%s%s", fake_url(x->fake), path);
	http_response_free(&x->resp);
	memset(&x->err, 0, sizeof x->err);
	return http_fetch(x->http, &req, &x->resp, &x->err);
}

static void fails(struct fixture *x, const char *path, enum err_code code, bool retryable,
                  const char *words)
{
	if (get(x, path))
		fail_msg("%s worked", path);
	if (x->err.code != code || !strstr(x->err.text, words))
		fail_msg("%s: %s \"%s\", not %s \"%s\"", path, err_code_name(x->err.code),
		         x->err.text, err_code_name(code), words);
	assert_int_equal(x->err.retryable, retryable);
	assert_non_null(strstr(x->err.text, "127.0.0.1:"));
	assert_null(strstr(x->err.text, path)); /* no path, no query */
}

/* ---- tests ---- */

static void a_response_is_handed_over(void **state)
{
	struct fixture *x = *state;

	assert_true(get(x, "/echo?q=1"));
	assert_int_equal(x->resp.status, 200);
	assert_string_equal(x->resp.body.p,
	                    "GET /echo?q=1 type=none agent=fhirline/" FHIRLINE_VERSION " body=");
	assert_string_equal(x->resp.content_type, "text/plain");
	assert_string_equal(x->resp.etag, "\"v1\"");
	assert_true(x->resp.date_us == INT64_MIN);
	assert_int_equal(x->resp.retry_after_ms, -1);
	assert_int_equal(x->resp.wire_bytes, x->resp.body.n);
	assert_true(get(x, "/continue"));
	assert_string_equal(x->resp.body.p, "ok");
	assert_string_equal(x->resp.etag, "");
	assert_int_equal(x->resp.retry_after_ms, -1);
	assert_true(get(x, "/401"));
	assert_string_equal(x->resp.www_authenticate, "Bearer realm=\"x\"");
	assert_string_equal(x->resp.body.p, "");
}

static void methods_and_bodies_are_sent(void **state)
{
	struct fixture *x = *state;
	char url[300], big[70001];
	const char *const form[] = {"Content-Type: application/x-www-form-urlencoded", NULL};
	struct http_request req = {
	    .method = "POST", .url = url, .headers = form, .body = STR("a=b\r\n&c")};

	snprintf(url, sizeof url, "%s/echo", fake_url(x->fake));
	assert_true(http_fetch(x->http, &req, &x->resp, &x->err));
	assert_non_null(
	    strstr(x->resp.body.p, "POST /echo type=application/x-www-form-urlencoded"));
	assert_non_null(strstr(x->resp.body.p, "body=a=b\r\n&c"));
	http_response_free(&x->resp);
	memset(big, 'b', sizeof big - 1);
	big[sizeof big - 1] = '\0';
	req = (struct http_request){.method = "PUT", .url = url, .body = str_of(big)};
	assert_true(http_fetch(x->http, &req, &x->resp, &x->err));
	assert_non_null(strstr(x->resp.body.p, "PUT /echo type=none"));
	assert_non_null(strstr(x->resp.body.p, big));
	http_response_free(&x->resp);
	req = (struct http_request){.method = "POST", .url = url, .body = STR("")};
	assert_true(http_fetch(x->http, &req, &x->resp, &x->err));
	assert_memory_equal(x->resp.body.p, "POST", 4);
	http_response_free(&x->resp);
	req = (struct http_request){.method = "HEAD", .url = url};
	assert_true(http_fetch(x->http, &req, &x->resp, &x->err));
	assert_int_equal(x->resp.body.n, 0);
	req = (struct http_request){.method = "GET", .url = "ftp://127.0.0.1/x"};
	assert_false(http_fetch(x->http, &req, &x->resp, &x->err));
	assert_int_equal(x->err.code, ERR_USAGE);
}

static void gzip_is_decoded_and_checked(void **state)
{
	struct fixture *x = *state;

	assert_true(get(x, "/gzip/50000"));
	assert_int_equal(x->resp.body.n, 50000);
	assert_true(x->resp.wire_bytes < 1000);
	assert_true(get(x, "/gzip/0"));
	assert_int_equal(x->resp.body.n, 0);
	assert_true(get(x, "/gzip/1000/0/0/3")); /* members in a row */
	assert_int_equal(x->resp.body.n, 3000);
	assert_true(get(x, "/gzip/100000")); /* exactly the limit */
	assert_int_equal(x->resp.body.n, 100000);
	fails(x, "/gzip/50000/1/0", ERR_PROTOCOL, true, "broken gzip");
	fails(x, "/gzip/50000/20/0", ERR_PROTOCOL, true, "broken gzip");
	fails(x, "/gzip/50000/0/1", ERR_PROTOCOL, true, "broken gzip");
	fails(x, "/gzip/50000/4/1", ERR_PROTOCOL, true, "broken gzip"); /* the checksum */
	fails(x, "/gzip/100001", ERR_LIMIT, false, "limit of 100000 bytes");
	fails(x, "/gzip/90000000", ERR_LIMIT, false, "limit of 100000 bytes");
	fails(x, "/brotli", ERR_PROTOCOL, true, "content encoding");
}

static void limits_hold(void **state)
{
	struct fixture *x = *state;
	char url[300];
	struct http_request req = {.method = "GET", .url = url, .max_body = 10};

	assert_true(get(x, "/big/100000"));
	fails(x, "/big/100001", ERR_LIMIT, false, "limit of 100000 bytes");
	fails(x, "/headers", ERR_LIMIT, false, "response headers");
	snprintf(url, sizeof url, "%s/big/11", fake_url(x->fake));
	assert_false(http_fetch(x->http, &req, &x->resp, &x->err));
	assert_int_equal(x->err.code, ERR_LIMIT);
}

static void broken_connections_are_told_apart(void **state)
{
	struct fixture *x = *state;

	fails(x, "/reset", ERR_NETWORK, true, "connection");
	fails(x, "/close", ERR_NETWORK, true, "without an answer");
	fails(x, "/cut", ERR_PROTOCOL, true, "cut short after 3 bytes");
	fails(x, "/cut-chunk", ERR_PROTOCOL, true, "cut short");
	fails(x, "/reset-body", ERR_NETWORK, true, "lost after 3 bytes");
	fails(x, "/noise", ERR_PROTOCOL, true, "does not answer in HTTP");
	assert_true(get(x, "/echo"));
}

static void nobody_listens(void **state)
{
	struct fixture *x = *state;
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t n = sizeof a;
	int fd = socket(AF_INET, SOCK_STREAM, 0); /* bound, not listening: the port stays refused */
	char url[100];
	struct http_request req = {.method = "GET", .url = url};

	assert_int_equal(bind(fd, (struct sockaddr *)&a, n), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &n), 0);
	snprintf(url, sizeof url, "http://127.0.0.1:%d/secret?q=1", ntohs(a.sin_port));
	assert_false(http_fetch(x->http, &req, &x->resp, &x->err));
	assert_int_equal(x->err.code, ERR_NETWORK);
	assert_true(x->err.retryable);
	assert_non_null(strstr(x->err.text, "Connection refused"));
	assert_null(strstr(x->err.text, "secret"));
	close(fd);
	req.url = "http://no-such-host.invalid/";
	assert_false(http_fetch(x->http, &req, &x->resp, &x->err));
	assert_int_equal(x->err.code, ERR_NETWORK);
	req.url = "http://user:pw@127.0.0.1:9/";
	assert_false(http_fetch(x->http, &req, &x->resp, &x->err));
	assert_int_equal(x->err.code, ERR_USAGE);
	assert_null(strstr(x->err.text, "pw"));
}

static int setup_idle(void **state)
{
	return setup_with(state, &(struct http_options){.idle_timeout_ms = 2000}, false);
}

static void time_outs_end_requests(void **state)
{
	struct fixture *x = *state;
	char url[300];
	struct http_request req = {.method = "GET", .url = url, .whole_timeout_ms = 4000};

	fails(x, "/hang", ERR_TIMEOUT, true, "sent nothing for 2000 ms");
	snprintf(url, sizeof url, "%s/drip", fake_url(x->fake)); /* never idle, never done */
	assert_false(http_fetch(x->http, &req, &x->resp, &x->err));
	assert_int_equal(x->err.code, ERR_TIMEOUT);
	assert_non_null(strstr(x->err.text, "within 4000 ms"));
}

static void retry_after_is_read(void **state)
{
	struct fixture *x = *state;

	assert_true(get(x, "/after-seconds"));
	assert_int_equal(x->resp.retry_after_ms, 120000);
	assert_false(http_status_err(&x->resp, "the search", &x->err));
	assert_int_equal(x->err.code, ERR_BUSY);
	assert_int_equal(x->err.retry_after_ms, 120000);
	assert_true(get(x, "/after-date"));
	assert_int_equal(x->resp.retry_after_ms, 60000);
	assert_true(x->resp.date_us == 784111777000000);
	assert_true(get(x, "/after-past"));
	assert_int_equal(x->resp.retry_after_ms, 0);
	assert_true(get(x, "/after-noise"));
	assert_int_equal(x->resp.retry_after_ms, -1);
	assert_true(x->resp.date_us == INT64_MIN);
	assert_true(get(x, "/redirect"));
	assert_int_equal(x->resp.status, 302);
}

static void statuses_have_codes(void **state)
{
	static const struct {
		int status;
		enum err_code code;
		bool retryable;
	} cases[] = {
	    {301, ERR_PROTOCOL, false},  {400, ERR_PROTOCOL, false},  {401, ERR_AUTH, false},
	    {403, ERR_FORBIDDEN, false}, {404, ERR_NOT_FOUND, false}, {408, ERR_TIMEOUT, true},
	    {410, ERR_GONE, false},      {429, ERR_BUSY, true},       {500, ERR_PROTOCOL, true},
	    {502, ERR_PROTOCOL, true},   {503, ERR_BUSY, true},       {418, ERR_PROTOCOL, false}};
	struct http_response r = {.status = 204, .retry_after_ms = -1};
	struct err err;

	(void)state;
	assert_true(http_status_err(&r, "x", &err));
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		r.status = cases[i].status;
		assert_false(http_status_err(&r, "the search", &err));
		assert_int_equal(err.code, cases[i].code);
		assert_int_equal(err.retryable, cases[i].retryable);
		assert_int_equal(err.status, r.status);
		assert_int_equal(err.retry_after_ms, 0);
		assert_memory_equal(err.text, "the search: HTTP ", 17);
	}
}

static void origins_are_compared(void **state)
{
	char out[64];

	(void)state;
	assert_true(http_origin(STR("HTTP://Ex.Org/a?b#c"), out, sizeof out));
	assert_string_equal(out, "http://ex.org:80");
	assert_true(http_origin(STR("https://u:p@ex.org"), out, sizeof out));
	assert_string_equal(out, "https://ex.org:443");
	assert_true(http_origin(STR("http://[::1]:8080/x"), out, sizeof out));
	assert_string_equal(out, "http://[::1]:8080");
	assert_false(http_origin(STR("ex.org/x"), out, sizeof out));
	assert_false(http_origin(STR("/x"), out, sizeof out));
	assert_false(http_origin(STR("ftp://ex.org"), out, sizeof out));
	assert_false(http_origin(STR("http://ex.org:99999/"), out, sizeof out));
	assert_false(http_origin(STR("http://ex.org\0.evil"), out, sizeof out));
	assert_false(http_origin(STR("http://ex.org"), out, 10));
	assert_false(http_origin(STR_NONE, out, sizeof out));
}

/* ---- threads ---- */

struct worker {
	pthread_t thread;
	struct fixture *x;
	const char *path;
	const atomic_bool *cancel;
	int rounds, good;
	struct err err;
};

static void *work(void *ctx)
{
	struct worker *w = ctx;
	char url[300];
	struct http_request req = {.method = "GET", .url = url, .cancel = w->cancel};
	struct http_response resp;

	snprintf(url, sizeof url, "%s%s", fake_url(w->x->fake), w->path);
	for (int i = 0; i < w->rounds; i++) {
		resp = (struct http_response){0};
		if (!http_fetch(w->x->http, &req, &resp, &w->err))
			break;
		w->good += resp.status == 200;
		http_response_free(&resp);
	}
	return NULL;
}

static int setup_four(void **state)
{
	return setup_with(state, &(struct http_options){.max_connections = 4}, false);
}

static void threads_share_connections(void **state)
{
	struct fixture *x = *state;
	struct worker w[16];

	for (int i = 0; i < 16; i++) {
		w[i] = (struct worker){.x = x, .path = "/gzip/20000", .rounds = 25};
		assert_int_equal(pthread_create(&w[i].thread, NULL, work, &w[i]), 0);
	}
	for (int i = 0; i < 16; i++) {
		pthread_join(w[i].thread, NULL);
		assert_int_equal(w[i].good, 25);
	}
	assert_int_equal(fake_requests(x->fake), 400);
	assert_in_range(fake_connections(x->fake), 1, 4);
}

static void wait_for_requests(struct fixture *x, int n)
{
	for (int i = 0; i < 12000 && fake_requests(x->fake) < n; i++)
		clock_sleep_ms(10);
	assert_true(fake_requests(x->fake) >= n);
}

static void cancel_ends_running_and_waiting(void **state)
{
	struct fixture *x = *state;
	struct worker w[6];
	atomic_bool cancel = false;

	for (int i = 0; i < 6; i++) { /* four run, two wait */
		w[i] = (struct worker){.x = x, .path = "/hang", .rounds = 1, .cancel = &cancel};
		assert_int_equal(pthread_create(&w[i].thread, NULL, work, &w[i]), 0);
	}
	wait_for_requests(x, 4);
	atomic_store(&cancel, true);
	http_client_wake(x->http);
	for (int i = 0; i < 6; i++) {
		pthread_join(w[i].thread, NULL);
		assert_int_equal(w[i].err.code, ERR_CANCELLED);
		assert_int_equal(w[i].good, 0);
	}
	assert_true(get(x, "/echo"));
}

static void waiting_has_a_time_out(void **state)
{
	struct fixture *x = *state;
	struct worker w[4];
	atomic_bool cancel = false;
	char url[300];
	struct http_request req = {.method = "GET", .url = url, .whole_timeout_ms = 500};

	for (int i = 0; i < 4; i++) {
		w[i] = (struct worker){.x = x, .path = "/hang", .rounds = 1, .cancel = &cancel};
		assert_int_equal(pthread_create(&w[i].thread, NULL, work, &w[i]), 0);
	}
	wait_for_requests(x, 4);
	snprintf(url, sizeof url, "%s/echo", fake_url(x->fake));
	assert_false(http_fetch(x->http, &req, &x->resp, &x->err));
	assert_int_equal(x->err.code, ERR_TIMEOUT);
	assert_non_null(strstr(x->err.text, "no free connection"));
	atomic_store(&cancel, true);
	http_client_wake(x->http);
	for (int i = 0; i < 4; i++)
		pthread_join(w[i].thread, NULL);
}

static void freeing_ends_everything(void **state)
{
	struct fixture *x = *state;
	struct worker w[6];

	for (int i = 0; i < 6; i++) {
		w[i] = (struct worker){.x = x, .path = "/hang", .rounds = 1};
		assert_int_equal(pthread_create(&w[i].thread, NULL, work, &w[i]), 0);
	}
	wait_for_requests(x, 4);
	http_client_free(x->http);
	for (int i = 0; i < 6; i++) {
		pthread_join(w[i].thread, NULL);
		assert_int_equal(w[i].err.code, ERR_CANCELLED);
	}
	x->http = NULL;
}

static void tls_is_checked(void **state)
{
	struct fixture *x = *state;
	struct http_options o = {.ca_file = fake_ca_file(x->fake)};
	struct http_client *trusting = http_client_new(&o, &x->err), *untrusting = x->http;
	char url[300];

	assert_non_null(trusting);
	fails(x, "/echo", ERR_TLS, false, "FHIRLINE_FHIR_CA_FILE");
	x->http = trusting;
	assert_true(get(x, "/echo"));
	assert_int_equal(x->resp.status, 200);
	http_response_free(&x->resp);
	snprintf(url, sizeof url, "https://localhost%s/echo",
	         strrchr(fake_url(x->fake), ':')); /* not its name */
	assert_false(http_fetch(x->http, &(struct http_request){.method = "GET", .url = url},
	                        &x->resp, &x->err));
	assert_int_equal(x->err.code, ERR_TLS);
	http_client_free(trusting);
	x->http = http_client_new(&(struct http_options){.ca_file = "/nonexistent.pem"}, &x->err);
	fails(x, "/echo", ERR_TLS, false, "certificate authority file");
	http_client_free(x->http);
	x->http = untrusting;
}

static void http_is_not_https(void **state)
{
	struct fixture *x = *state;
	char url[300];

	snprintf(url, sizeof url, "https%s/echo", strchr(fake_url(x->fake), ':'));
	assert_false(http_fetch(x->http, &(struct http_request){.method = "GET", .url = url},
	                        &x->resp, &x->err));
	assert_int_equal(x->err.code, ERR_TLS);
	assert_non_null(strstr(x->err.text, "does it speak https"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(a_response_is_handed_over, setup, teardown),
	    cmocka_unit_test_setup_teardown(methods_and_bodies_are_sent, setup, teardown),
	    cmocka_unit_test_setup_teardown(gzip_is_decoded_and_checked, setup, teardown),
	    cmocka_unit_test_setup_teardown(limits_hold, setup, teardown),
	    cmocka_unit_test_setup_teardown(broken_connections_are_told_apart, setup, teardown),
	    cmocka_unit_test_setup_teardown(nobody_listens, setup, teardown),
	    cmocka_unit_test_setup_teardown(time_outs_end_requests, setup_idle, teardown),
	    cmocka_unit_test_setup_teardown(retry_after_is_read, setup, teardown),
	    cmocka_unit_test(statuses_have_codes),
	    cmocka_unit_test(origins_are_compared),
	    cmocka_unit_test_setup_teardown(threads_share_connections, setup_four, teardown),
	    cmocka_unit_test_setup_teardown(cancel_ends_running_and_waiting, setup_four, teardown),
	    cmocka_unit_test_setup_teardown(waiting_has_a_time_out, setup_four, teardown),
	    cmocka_unit_test_setup_teardown(freeing_ends_everything, setup_four, teardown),
	    cmocka_unit_test_setup_teardown(tls_is_checked, setup_tls, teardown),
	    cmocka_unit_test_setup_teardown(http_is_not_https, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
