/* SPDX-License-Identifier: Apache-2.0 */
#include "secret/vault_http.h"

#include <stdlib.h>
#include <string.h>

#include "base/locked.h"
#include "base/rng.h"
#include "base/retry.h"

#define WHERE "vault"

enum { ANSWER_MAX = 1 << 20, HEADERS_MAX = 70 << 10, URL_MAX_BYTES = 4096 };

/* Long enough for a change of the active node, short enough for who waits at start. */
static const struct retry_policy policy = {
    .max_attempts = 5,
    .base_ms = 200,
    .cap_ms = 3000,
    .deadline_ms = 15 * 1000,
    .max_retry_after_ms = 3000,
};

struct vault_http {
	struct http_client *client;
	char *addr, *namespace_;
	char origin[300];
	atomic_bool stopped;
	struct rng rng;
};

struct vault_http *vault_http_new(const char *addr, const char *namespace_, const char *ca_file,
                                  struct err *err)
{
	struct vault_http *h = calloc(1, sizeof *h);
	struct http_options options = {.connect_timeout_ms = 5000,
	                               .idle_timeout_ms = 15000,
	                               .whole_timeout_ms = 30000,
	                               .max_body = ANSWER_MAX,
	                               .max_connections = 2,
	                               .ca_file = ca_file && *ca_file ? ca_file : NULL};
	size_t n = strlen(addr);

	if (!h) {
		err_set(err, ERR_NOMEM, WHERE, "out of memory");
		return NULL;
	}
	while (n && addr[n - 1] == '/')
		n--;
	h->addr = str_dup((struct str){addr, n});
	h->namespace_ = str_dup(str_of(namespace_ ? namespace_ : ""));
	h->rng = rng_for((uint64_t)clock_now_us(&clock_system), (uint64_t)(uintptr_t)h);
	if (!h->addr || !h->namespace_) {
		err_set(err, ERR_NOMEM, WHERE, "out of memory");
		goto failed;
	}
	if (!http_origin(str_of(h->addr), h->origin, sizeof h->origin) || strchr(h->addr, '@')) {
		err_set(
		    err, ERR_CONFIG, WHERE,
		    "vault-addr is no address of a server: give https://host:port (VAULT_ADDR)");
		goto failed;
	}
	h->client = http_client_new(&options, err);
	if (!h->client)
		goto failed;
	return h;
failed:
	vault_http_free(h);
	return NULL;
}

void vault_http_free(struct vault_http *h)
{
	if (!h)
		return;
	http_client_free(h->client);
	free(h->addr);
	free(h->namespace_);
	free(h);
}

void vault_http_stop(struct vault_http *h, bool stop)
{
	atomic_store(&h->stopped, stop);
	http_client_wake(h->client);
}

/* ---- answers ---- */

struct str vault_str(yyjson_val *object, const char *name)
{
	yyjson_val *v = yyjson_obj_get(object, name);

	return yyjson_is_str(v) ? (struct str){yyjson_get_str(v), yyjson_get_len(v)} : STR_NONE;
}

int64_t vault_int(yyjson_val *object, const char *name)
{
	yyjson_val *v = yyjson_obj_get(object, name);

	return yyjson_is_int(v) ? yyjson_get_sint(v) : 0;
}

bool vault_bool(yyjson_val *object, const char *name)
{
	return yyjson_get_bool(yyjson_obj_get(object, name));
}

void vault_answer_free(struct vault_answer *a)
{
	if (a->pool)
		explicit_bzero(a->pool, a->pool_size);
	free(a->pool);
	buf_wipe(&a->resp.body);
	http_response_free(&a->resp);
	*a = (struct vault_answer){0};
}

/* Within memory of ours, so that it can be wiped. */
static bool read_json(struct vault_answer *a, const struct vault_request *req, struct err *err)
{
	struct buf *b = &a->resp.body;
	yyjson_alc alc;
	yyjson_doc *doc;

	if (!b->n)
		return true;
	a->pool_size = yyjson_read_max_memory_usage(b->n, 0);
	a->pool = malloc(a->pool_size);
	if (!a->pool || !yyjson_alc_pool_init(&alc, a->pool, a->pool_size))
		return err_set(err, ERR_NOMEM, WHERE, "out of memory");
	doc = yyjson_read_opts(b->p, b->n, 0, &alc, NULL);
	a->root = yyjson_doc_get_root(doc);
	if (!yyjson_is_obj(a->root))
		return err_set_retry(err, ERR_PROTOCOL, WHERE,
		                     "%s: the answer is not Vault's; check vault-addr", req->what);
	return true;
}

static bool says_sealed(const struct http_response *resp)
{
	return resp->body.p && strstr(resp->body.p, "ealed");
}

static bool refuse(const struct vault_http *h, const struct http_response *resp,
                   const struct vault_request *req, struct err *err)
{
	int s = resp->status;
	bool standby = s == 429 || s == 472 || s == 473 || (s >= 300 && s < 400);

	if (s == 503 && says_sealed(resp))
		err_set_retry(err, ERR_BUSY, WHERE,
		              "%s: Vault at %s is sealed; unseal it (vault operator unseal)",
		              req->what, h->origin);
	else if (standby)
		err_set_retry(err, ERR_BUSY, WHERE,
		              "%s: %s is a standby node (HTTP %d); set vault-addr to the active "
		              "node or a load balancer that finds it",
		              req->what, h->origin, s);
	else if (req->login && (s == 400 || s == 401 || s == 403))
		err_set(err, ERR_AUTH, WHERE,
		        "%s: Vault at %s refuses the login (HTTP %d); check the role, the secret "
		        "id or token, whether they have expired or are bound to other addresses, "
		        "and vault-auth-mount",
		        req->what, h->origin, s);
	else if (s == 403)
		err_set(err, ERR_FORBIDDEN, WHERE,
		        "%s: permission denied; the token's policy must allow this path, and the "
		        "token must be valid (vault token capabilities)",
		        req->what);
	else if (s == 404)
		err_set(err, ERR_NOT_FOUND, WHERE,
		        "%s: there is nothing at this path; check mount, path and namespace, and "
		        "that the secret was written and not deleted",
		        req->what);
	else if (s >= 500)
		err_set_retry(err, ERR_BUSY, WHERE,
		              "%s: Vault at %s answers HTTP %d; its log has the reason", req->what,
		              h->origin, s);
	else
		err_set(err, ERR_PROTOCOL, WHERE, "%s: Vault at %s answers HTTP %d", req->what,
		        h->origin, s);
	err->status = s;
	err->retry_after_ms = err->retryable && resp->retry_after_ms > 0 ? resp->retry_after_ms : 0;
	return false;
}

/* ---- requests ---- */

struct headers {
	struct buf token, wrap, namespace_;
	const char *lines[6];
};

static bool make_headers(const struct vault_http *h, const struct vault_request *req,
                         struct headers *out, struct err *err)
{
	size_t n = 0;

	*out = (struct headers){
	    BUF_INIT(HEADERS_MAX), BUF_INIT(HEADERS_MAX), BUF_INIT(HEADERS_MAX), {NULL}};
	out->lines[n++] = "X-Vault-Request: true";
	if (req->body.p)
		out->lines[n++] = "Content-Type: application/json";
	if (req->token && buf_printf(&out->token, "X-Vault-Token: %s", req->token))
		out->lines[n++] = out->token.p;
	if (req->wrap && buf_printf(&out->wrap, "X-Vault-Wrap-TTL: %s", req->wrap))
		out->lines[n++] = out->wrap.p;
	if (*h->namespace_ && buf_printf(&out->namespace_, "X-Vault-Namespace: %s", h->namespace_))
		out->lines[n++] = out->namespace_.p;
	if (req->token && strpbrk(req->token, "\r\n \t"))
		return err_set(err, ERR_CONFIG, WHERE, "the Vault token has a blank in it");
	return buf_ok(&out->token, "the Vault token", err) &&
	       buf_ok(&out->namespace_, "vault-namespace", err);
}

static bool call_once(struct vault_http *h, const struct vault_request *req,
                      struct vault_answer *answer, struct err *err)
{
	struct headers headers;
	struct buf url = BUF_INIT(URL_MAX_BYTES);
	struct vault_answer a = {0};
	struct http_request http = {.method = req->method,
	                            .headers = headers.lines,
	                            .body = req->body,
	                            .whole_timeout_ms = req->timeout_ms,
	                            .cancel = &h->stopped};
	bool ok = make_headers(h, req, &headers, err);

	buf_printf(&url, "%s/v1/%s", h->addr, req->path);
	http.url = url.p;
	ok = ok && buf_ok(&url, "the address of a Vault request", err);
	if (ok && !http_fetch(h->client, &http, &a.resp, err)) {
		if (err->code == ERR_TLS)
			err_prefix(err, "%s (vault-ca-file, VAULT_CACERT)", req->what);
		else
			err_prefix(err, "%s", req->what);
		ok = false;
	}
	if (ok && (a.resp.status < 200 || a.resp.status > 299))
		ok = refuse(h, &a.resp, req, err);
	ok = ok && read_json(&a, req, err);
	if (ok)
		*answer = a;
	else
		vault_answer_free(&a);
	buf_free(&url);
	buf_wipe(&headers.token);
	buf_free(&headers.wrap);
	buf_free(&headers.namespace_);
	return ok;
}

bool vault_http_call(struct vault_http *h, const struct vault_request *req,
                     struct vault_answer *answer, struct err *err)
{
	int64_t began = clock_mono_ms(&clock_system), delay, until;

	for (int attempt = 1;; attempt++) {
		if (call_once(h, req, answer, err))
			return true;
		if (req->once ||
		    retry_decide(&policy, err, attempt, clock_mono_ms(&clock_system) - began,
		                 &h->rng, &delay) == RETRY_GIVE_UP)
			return false;
		until = clock_mono_ms(&clock_system) + delay;
		while (!atomic_load(&h->stopped) && clock_mono_ms(&clock_system) < until)
			clock_sleep_ms(20);
	}
}
