/* SPDX-License-Identifier: Apache-2.0
 *
 * auth_oauth.c: tokens from an OAuth 2.0 token server, by client secret (RFC 6749 4.4) or signed
 * JWT (RFC 7523; SMART Backend Services). Both ask with one form POST and read one JSON answer;
 * they differ in how the client proves who it is.
 */
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <yyjson.h>

#include "base/hash.h"
#include "fhir/auth_key.h"
#include "fhir/auth_token.h"
#include "fhir/search_url.h"

enum {
	ANSWER_MAX = 256 << 10,
	FORM_MAX = 64 << 10,
	ASSERTION_LIFE_S = 240, /* SMART: no more than five minutes */
	UNKNOWN_LIFE_S = 300,   /* when the server does not say */
	ORIGIN_MAX = 300,
};

static const char SMART_SCOPE[] = "system/Patient.rs system/Observation.rs";

struct oauth {
	struct http_client *http;
	const struct clock *clock;
	char *token_url; /* NULL until discovered */
	char *base_url;  /* for discovery */
	char *client_id, *client_secret, *scope;
	struct auth_key *key; /* SMART */
};

static void secret_free(char *s)
{
	if (s)
		OPENSSL_cleanse(s, strlen(s));
	free(s);
}

static void oauth_free(void *self)
{
	struct oauth *o = self;

	free(o->token_url);
	free(o->base_url);
	free(o->client_id);
	secret_free(o->client_secret);
	free(o->scope);
	auth_key_free(o->key);
	free(o);
}

static void wipe(struct buf *b)
{
	if (b->p)
		OPENSSL_cleanse(b->p, b->cap);
	buf_free(b);
}

static struct str member(yyjson_val *object, const char *name)
{
	yyjson_val *v = yyjson_obj_get(object, name);

	return yyjson_is_str(v) ? (struct str){yyjson_get_str(v), yyjson_get_len(v)} : STR_NONE;
}

/* ---- discovery (SMART App Launch, conformance) ---- */

/* A secret must not go over a line that is weaker than the one that named the way. */
static bool take_endpoint(struct oauth *o, struct str url, struct err *err)
{
	char origin[ORIGIN_MAX];

	if (!http_origin(url, origin, sizeof origin))
		return err_set(err, ERR_AUTH, "auth.discover",
		               "the server's smart-configuration names no token_endpoint: give it "
		               "as FHIRLINE_FHIR_TOKEN_URL");
	if (str_starts(str_of(o->base_url), "https:") && !str_starts(str_of(origin), "https:"))
		return err_set(
		    err, ERR_AUTH, "auth.discover",
		    "the server's smart-configuration names a token_endpoint without TLS");
	o->token_url = str_dup(url);
	return o->token_url || err_set(err, ERR_NOMEM, "auth.discover", "out of memory");
}

static bool discover(struct oauth *o, const atomic_bool *cancel, struct err *err)
{
	static const char *const headers[] = {"Accept: application/json", NULL};
	struct buf url = BUF_INIT(FORM_MAX);
	struct http_request req = {
	    .method = "GET", .headers = headers, .max_body = ANSWER_MAX, .cancel = cancel};
	struct http_response resp = {0};
	yyjson_doc *doc;
	bool ok = false;

	buf_printf(&url, "%s/.well-known/smart-configuration", o->base_url);
	req.url = url.p;
	if (buf_ok(&url, "the address of smart-configuration", err) &&
	    http_fetch(o->http, &req, &resp, err) &&
	    http_status_err(&resp, "reading the server's smart-configuration", err)) {
		doc = yyjson_read(resp.body.p, resp.body.n, 0);
		ok = take_endpoint(o, member(yyjson_doc_get_root(doc), "token_endpoint"), err);
		yyjson_doc_free(doc);
	}
	http_response_free(&resp);
	buf_free(&url);
	return ok;
}

/* ---- who we are ---- */

/* RFC 6749 2.3.1: both parts are form-encoded before they become HTTP Basic. */
static bool basic_header(const struct oauth *o, struct buf *header, struct err *err)
{
	struct buf plain = BUF_INIT(FORM_MAX);
	size_t room;
	bool ok;

	buf_add_urlencoded(&plain, str_of(o->client_id));
	buf_add_char(&plain, ':');
	buf_add_urlencoded(&plain, str_of(o->client_secret));
	buf_lit(header, "Authorization: Basic ");
	room = (plain.n + 2) / 3 * 4 + 1;
	ok = !plain.failed && buf_reserve(header, room);
	if (ok)
		header->n += (size_t)EVP_EncodeBlock((unsigned char *)header->p + header->n,
		                                     (unsigned char *)plain.p, (int)plain.n);
	else
		err_set(err, ERR_CONFIG, "auth.token", "the client id and secret are too long");
	wipe(&plain);
	return ok;
}

static bool add_assertion(const struct oauth *o, struct buf *form, struct err *err)
{
	struct buf claims = BUF_INIT(FORM_MAX), jwt = BUF_INIT(FORM_MAX);
	int64_t now_us = clock_now_us(o->clock);
	char jti[UUID_TEXT];
	bool ok = uuid_v7(now_us, jti, err);

	if (ok) {
		buf_lit(&claims, "{\"iss\":");
		buf_add_json(&claims, str_of(o->client_id));
		buf_lit(&claims, ",\"sub\":");
		buf_add_json(&claims, str_of(o->client_id));
		buf_lit(&claims, ",\"aud\":");
		buf_add_json(&claims, str_of(o->token_url));
		buf_printf(&claims, ",\"exp\":%lld,\"jti\":\"%s\"}",
		           (long long)(now_us / 1000000 + ASSERTION_LIFE_S), jti);
		ok = buf_ok(&claims, "the signed statement", err) &&
		     auth_key_sign(o->key, (struct str){claims.p, claims.n}, &jwt, err);
	}
	if (ok) {
		buf_lit(form, "&client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-"
		              "assertion-type%3Ajwt-bearer");
		buf_lit(form, "&client_assertion=");
		buf_add_urlencoded(form, (struct str){jwt.p, jwt.n});
	}
	wipe(&jwt);
	buf_free(&claims);
	return ok;
}

/* ---- the answer ---- */

/* RFC 6749 5.2: "error" is a word of a fixed vocabulary; error_description may hold anything and is
 * not repeated. */
static bool refused(const struct http_response *resp, const char *origin, struct err *err)
{
	yyjson_doc *doc = yyjson_read(resp->body.p, resp->body.n, 0);
	struct str word = member(yyjson_doc_get_root(doc), "error");
	bool plain = word.n > 0 && word.n <= 60;

	for (size_t i = 0; i < word.n && plain; i++)
		plain = (word.p[i] >= 'a' && word.p[i] <= 'z') || word.p[i] == '_';
	err_set(err, ERR_AUTH, "auth.token",
	        "the token server %s refuses us: HTTP %d%s%.*s; check FHIRLINE_FHIR_CLIENT_ID, its "
	        "secret or key, and "
	        "FHIRLINE_FHIR_SCOPE",
	        origin, resp->status, plain ? ", " : "", plain ? (int)word.n : 0,
	        plain ? word.p : "");
	err->status = resp->status;
	yyjson_doc_free(doc);
	return false;
}

static int64_t read_life(yyjson_val *root)
{
	yyjson_val *v = yyjson_obj_get(root, "expires_in");
	int64_t life = UNKNOWN_LIFE_S;

	if (yyjson_is_num(v))
		life = yyjson_get_num(v) < AUTH_LIFE_MAX_S ? (int64_t)yyjson_get_num(v)
		                                           : AUTH_LIFE_MAX_S;
	else if (yyjson_is_str(v)) /* some servers write it as text */
		str_int((struct str){yyjson_get_str(v), yyjson_get_len(v)}, 0, AUTH_LIFE_MAX_S,
		        &life);
	return life > 1 ? life : 1;
}

/* RFC 6750 2.1: what may stand in the header. */
static bool is_token(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] <= ' ' || s.p[i] == 0x7f)
			return false;
	return s.n > 0;
}

static bool read_answer(const struct http_response *resp, const char *origin,
                        struct auth_token *token, struct err *err)
{
	yyjson_doc *doc = yyjson_read(resp->body.p, resp->body.n, 0);
	yyjson_val *root = yyjson_doc_get_root(doc);
	struct str text = member(root, "access_token"), type = member(root, "token_type");
	bool ok = false;

	if (!doc)
		err_set_retry(err, ERR_PROTOCOL, "auth.token",
		              "the token server %s does not answer in JSON", origin);
	else if (!is_token(text))
		err_set_retry(err, ERR_PROTOCOL, "auth.token",
		              "the token server %s gave no usable access_token", origin);
	else if (type.p && !str_is_nocase(type, "bearer"))
		err_set(err, ERR_PROTOCOL, "auth.token",
		        "the token server %s gave a token that is no bearer token", origin);
	else if (!buf_add_str(&token->text, text))
		err_set(err, ERR_LIMIT, "auth.token", "the token of %s is longer than %d bytes",
		        origin, AUTH_TOKEN_MAX);
	else
		ok = true;
	if (ok)
		token->life_s = read_life(root);
	yyjson_doc_free(doc);
	return ok;
}

/* ---- asking ---- */

static bool post(struct oauth *o, struct str form, const char *authorization,
                 const atomic_bool *cancel, struct auth_token *token, struct err *err)
{
	const char *headers[] = {"Accept: application/json",
	                         "Content-Type: application/x-www-form-urlencoded", authorization,
	                         NULL};
	struct http_request req = {.method = "POST",
	                           .url = o->token_url,
	                           .headers = headers,
	                           .body = form,
	                           .max_body = ANSWER_MAX,
	                           .cancel = cancel};
	struct http_response resp = {0};
	char origin[ORIGIN_MAX] = "";
	bool ok;

	http_origin(str_of(o->token_url), origin, sizeof origin);
	if (!http_fetch(o->http, &req, &resp, err)) {
		err_prefix(err, "getting a token");
		return false;
	}
	if (resp.status == 400 || resp.status == 401 || resp.status == 403)
		ok = refused(&resp, origin, err);
	else
		ok = http_status_err(&resp, "getting a token", err) &&
		     read_answer(&resp, origin, token, err);
	if (resp.body.p)
		OPENSSL_cleanse(resp.body.p, resp.body.cap);
	http_response_free(&resp);
	return ok;
}

static bool oauth_fetch(void *self, const atomic_bool *cancel, struct auth_token *token,
                        struct err *err)
{
	struct oauth *o = self;
	struct buf form = BUF_INIT(FORM_MAX), header = BUF_INIT(FORM_MAX);
	bool ok = o->token_url || discover(o, cancel, err);

	buf_lit(&form, "grant_type=client_credentials");
	if (o->scope) {
		buf_lit(&form, "&scope=");
		buf_add_urlencoded(&form, str_of(o->scope));
	}
	if (ok)
		ok = o->key ? add_assertion(o, &form, err) : basic_header(o, &header, err);
	ok = ok && buf_ok(&form, "the request for a token", err) &&
	     post(o, (struct str){form.p, form.n}, header.n ? header.p : NULL, cancel, token, err);
	wipe(&form);
	wipe(&header);
	return ok;
}

static const struct auth_maker oauth_maker = {.fetch = oauth_fetch, .free = oauth_free};

/* ---- making one ---- */

static bool copy(char **to, const char *from, struct err *err)
{
	if (!from || !*from)
		return true;
	*to = str_dup(str_of(from));
	return *to || err_set(err, ERR_NOMEM, "auth.new", "out of memory");
}

static bool oauth_check(const struct fhir_oauth_options *options, bool may_discover,
                        struct err *err)
{
	char origin[ORIGIN_MAX];

	if (!options->client_id || !*options->client_id)
		return err_set(err, ERR_CONFIG, "auth.new",
		               "OAuth needs a client id (FHIRLINE_FHIR_CLIENT_ID)");
	if (options->token_url && *options->token_url) {
		if (!http_origin(str_of(options->token_url), origin, sizeof origin))
			return err_set(err, ERR_CONFIG, "auth.new",
			               "the token server's address must be an absolute http or "
			               "https URL (FHIRLINE_FHIR_TOKEN_URL)");
	} else if (!may_discover) {
		return err_set(err, ERR_CONFIG, "auth.new",
		               "client credentials need the token server's address "
		               "(FHIRLINE_FHIR_TOKEN_URL)");
	}
	return true;
}

static struct oauth *oauth_new(const struct fhir_oauth_options *options, const char *scope,
                               struct err *err)
{
	struct oauth *o = calloc(1, sizeof *o);

	if (!o) {
		err_set(err, ERR_NOMEM, "auth.new", "out of memory");
		return NULL;
	}
	o->http = options->http;
	o->clock = options->clock ? options->clock : &clock_system;
	if (copy(&o->token_url, options->token_url, err) &&
	    copy(&o->client_id, options->client_id, err) && copy(&o->scope, scope, err))
		return o;
	oauth_free(o);
	return NULL;
}

struct fhir_auth *fhir_auth_client_credentials(const struct fhir_oauth_options *options,
                                               struct err *err)
{
	struct oauth *o;

	if (!oauth_check(options, false, err))
		return NULL;
	if (!options->client_secret || !*options->client_secret) {
		err_set(err, ERR_CONFIG, "auth.new",
		        "client credentials need a secret (FHIRLINE_FHIR_CLIENT_SECRET)");
		return NULL;
	}
	o = oauth_new(options, options->scope, err);
	if (o && !copy(&o->client_secret, options->client_secret, err)) {
		oauth_free(o);
		return NULL;
	}
	return o ? auth_token_new(&oauth_maker, o, o->clock, err) : NULL;
}

struct fhir_auth *fhir_auth_smart_backend(const struct fhir_oauth_options *options, struct err *err)
{
	bool given = options->scope && *options->scope;
	struct oauth *o;

	if (!oauth_check(options, true, err))
		return NULL;
	o = oauth_new(options, given ? options->scope : SMART_SCOPE, err);
	if (!o)
		return NULL;
	if (!o->token_url) {
		o->base_url = search_base_url(options->base_url, err);
		if (!o->base_url)
			goto failed;
	}
	o->key = auth_key_read(options->key,
	                       options->key_id && *options->key_id ? options->key_id : NULL, err);
	if (!o->key)
		goto failed;
	return auth_token_new(&oauth_maker, o, o->clock, err);
failed:
	oauth_free(o);
	return NULL;
}
