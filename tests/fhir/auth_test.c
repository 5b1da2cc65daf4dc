/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cjose/cjose.h>
#include <cmocka.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <pthread.h>

#include "fhir/auth.h"
#include "fhir/source.h"
#include "support/fake_http.h"

/* A token server and a FHIR server in one. */
struct world {
	struct fake *fake;
	struct http_client *http;
	struct err err;
	struct fhir_auth *auth;
	struct clock clock;
	atomic_llong mono_ms;
	atomic_int tokens; /* given out */
	atomic_int asked;  /* token requests, refused ones included */
	atomic_int
	    valid_from;  /* FHIR accepts tokens with this number or a later one; 0: any request */
	atomic_int mode; /* of the token server: enum below */
	atomic_int hold_ms;   /* before it answers */
	pthread_mutex_t lock; /* guards what follows */
	char form[16384], authorization[1000];
};

enum { GIVE, REFUSE, BREAK, BUSY, MAC_TYPE, NO_TOKEN, EVIL_TOKEN, LIFE_AS_TEXT, NO_LIFE };

static int64_t now_us(void *ctx)
{
	(void)ctx;
	return 1700000000000000;
}

static int64_t mono_ms(void *ctx)
{
	return atomic_load(&((struct world *)ctx)->mono_ms);
}

static void give_token(struct fake_request *r, struct world *w)
{
	char body[300];
	int n;

	atomic_fetch_add(&w->asked, 1);
	pthread_mutex_lock(&w->lock);
	snprintf(w->form, sizeof w->form, "%s", r->body);
	w->authorization[0] = '\0';
	fake_header(r, "Authorization", w->authorization, sizeof w->authorization);
	pthread_mutex_unlock(&w->lock);
	if (atomic_load(&w->hold_ms))
		fake_sleep(r, atomic_load(&w->hold_ms));
	switch (atomic_load(&w->mode)) {
	case REFUSE:
		fake_reply_text(
		    r, 400, "",
		    "{\"error\":\"invalid_client\",\"error_description\":\"hunter2 is wrong\"}");
		return;
	case BREAK:
		fake_reply_text(r, 200, "", "<html>");
		return;
	case BUSY:
		fake_reply_text(r, 503, "Retry-After: 3\r\n", "");
		return;
	case MAC_TYPE:
		fake_reply_text(r, 200, "", "{\"access_token\":\"x\",\"token_type\":\"mac\"}");
		return;
	case NO_TOKEN:
		fake_reply_text(r, 200, "", "{\"token_type\":\"bearer\"}");
		return;
	case EVIL_TOKEN:
		fake_reply_text(
		    r, 200, "",
		    "{\"access_token\":\"a\\r\\nX-Evil: 1\",\"token_type\":\"bearer\"}");
		return;
	default:
		break;
	}
	n = atomic_fetch_add(&w->tokens, 1) + 1;
	snprintf(body, sizeof body, "{\"access_token\":\"token-%d\",\"token_type\":\"Bearer\"%s}",
	         n,
	         atomic_load(&w->mode) == NO_LIFE        ? ""
	         : atomic_load(&w->mode) == LIFE_AS_TEXT ? ",\"expires_in\":\"100\""
	                                                 : ",\"expires_in\":100");
	fake_reply_text(r, 200, "Content-Type: application/json\r\n", body);
}

static void answer(struct fake *f, struct fake_request *r, void *ctx)
{
	struct world *w = ctx;
	char have[1000] = "", body[300];
	int number = 0, from = atomic_load(&w->valid_from);

	if (strcmp(r->target, "/token") == 0) {
		give_token(r, w);
	} else if (strcmp(r->target, "/fhir/.well-known/smart-configuration") == 0) {
		snprintf(body, sizeof body, "{\"token_endpoint\":\"%s/token\"}", fake_url(f));
		fake_reply_text(r, 200, "", body);
	} else {
		fake_header(r, "Authorization", have, sizeof have);
		if (from && (sscanf(have, "Bearer token-%d", &number) != 1 || number < from))
			fake_reply_text(r, 401, "WWW-Authenticate: Bearer\r\n", "");
		else
			fake_reply_text(
			    r, 200, "",
			    "{\"resourceType\":\"Bundle\",\"type\":\"searchset\",\"total\":1}");
	}
}

static int setup(void **state)
{
	struct world *w = calloc(1, sizeof *w);

	pthread_mutex_init(&w->lock, NULL);
	w->clock = (struct clock){now_us, mono_ms, w};
	w->fake = fake_start(answer, w, false);
	w->http = http_client_new(&(struct http_options){0}, &w->err);
	assert_non_null(w->http);
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	fhir_auth_free(w->auth);
	http_client_free(w->http);
	fake_stop(w->fake);
	pthread_mutex_destroy(&w->lock);
	free(w);
	return 0;
}

static struct fhir_auth *client_credentials(struct world *w)
{
	char url[100];

	snprintf(url, sizeof url, "%s/token", fake_url(w->fake));
	return fhir_auth_client_credentials(
	    &(struct fhir_oauth_options){.token_url = url,
	                                 .client_id = "my client",
	                                 .client_secret = "hunter2:&",
	                                 .scope = "a b/c",
	                                 .http = w->http,
	                                 .clock = &w->clock},
	    &w->err);
}

/* The header that the auth gives now; "!" and w->err when it gives none. */
static const char *header_of(struct world *w)
{
	static char text[2000];
	struct buf b = BUF_INIT(sizeof text - 1);
	uint64_t generation;
	bool ok = fhir_auth_header(w->auth, NULL, &b, &generation, &w->err);

	snprintf(text, sizeof text, "%s", !ok ? "!" : b.n ? b.p : "");
	buf_free(&b);
	return text;
}

/* ---- fixed kinds ---- */

static void fixed_headers(void **state)
{
	struct world w = {0};

	(void)state;
	w.auth = fhir_auth_none(&w.err);
	assert_string_equal(header_of(&w), "");
	assert_false(fhir_auth_renewable(w.auth));
	fhir_auth_free(w.auth);
	w.auth = fhir_auth_basic("Aladdin", "open sesame", &w.err); /* RFC 7617's example */
	assert_string_equal(header_of(&w), "Authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
	fhir_auth_free(w.auth);
	w.auth = fhir_auth_basic("u", NULL, &w.err);
	assert_string_equal(header_of(&w), "Authorization: Basic dTo=");
	fhir_auth_free(w.auth);
	w.auth = fhir_auth_bearer("abc.def", &w.err);
	assert_string_equal(header_of(&w), "Authorization: Bearer abc.def");
	assert_false(fhir_auth_renew(w.auth, 0, NULL, &w.err));
	assert_int_equal(w.err.code, ERR_AUTH);
	fhir_auth_free(w.auth);
	assert_null(fhir_auth_basic("a:b", "c", &w.err));
	assert_int_equal(w.err.code, ERR_CONFIG);
	assert_null(fhir_auth_basic("", "c", &w.err));
	assert_null(fhir_auth_basic("a", "c\r\nX: y", &w.err));
	assert_null(fhir_auth_bearer("", &w.err));
	assert_null(fhir_auth_bearer("a b", &w.err));
	assert_null(fhir_auth_bearer("a\nb", &w.err));
}

static void wrong_settings_are_named(void **state)
{
	struct world *w = *state;
	struct fhir_oauth_options o = {.http = w->http};

	assert_null(fhir_auth_client_credentials(&o, &w->err));
	assert_non_null(strstr(w->err.text, "FHIRLINE_FHIR_CLIENT_ID"));
	o.client_id = "x";
	assert_null(fhir_auth_client_credentials(&o, &w->err));
	assert_non_null(strstr(w->err.text, "FHIRLINE_FHIR_TOKEN_URL"));
	o.token_url = "not a url";
	assert_null(fhir_auth_client_credentials(&o, &w->err));
	assert_non_null(strstr(w->err.text, "FHIRLINE_FHIR_TOKEN_URL"));
	o.token_url = "https://t/";
	assert_null(fhir_auth_client_credentials(&o, &w->err));
	assert_non_null(strstr(w->err.text, "FHIRLINE_FHIR_CLIENT_SECRET"));
	o.token_url = NULL;
	assert_null(fhir_auth_smart_backend(&o, &w->err));
	assert_non_null(strstr(w->err.text, "FHIRLINE_FHIR_URL"));
	o.base_url = "https://h/fhir";
	assert_null(fhir_auth_smart_backend(&o, &w->err));
	assert_non_null(strstr(w->err.text, "FHIRLINE_FHIR_KEY_FILE"));
	assert_int_equal(w->err.code, ERR_CONFIG);
}

/* ---- client credentials ---- */

static void a_token_is_fetched_kept_and_renewed(void **state)
{
	struct world *w = *state;

	w->auth = client_credentials(w);
	assert_true(fhir_auth_renewable(w->auth));
	assert_int_equal(atomic_load(&w->asked), 0); /* not before it is needed */
	assert_string_equal(header_of(w), "Authorization: Bearer token-1");
	assert_string_equal(w->form, "grant_type=client_credentials&scope=a%20b%2Fc");
	assert_string_equal(
	    w->authorization,
	    "Basic bXklMjBjbGllbnQ6aHVudGVyMiUzQSUyNg=="); /* my%20client:hunter2%3A%26 */
	atomic_store(&w->mono_ms, 79999);
	assert_string_equal(header_of(w), "Authorization: Bearer token-1");
	assert_int_equal(atomic_load(&w->asked), 1);
	atomic_store(&w->mono_ms, 80000); /* of 100 s: a fifth is left */
	assert_string_equal(header_of(w), "Authorization: Bearer token-2");
	atomic_store(&w->mode, REFUSE);
	atomic_store(&w->mono_ms, 80000 + 80000); /* it fails, but the old one is still good … */
	assert_string_equal(header_of(w), "Authorization: Bearer token-2");
	assert_string_equal(header_of(w), "Authorization: Bearer token-2");
	assert_int_equal(atomic_load(&w->asked), 3);
	atomic_store(&w->mono_ms, 80000 + 85000); /* … and is tried again after 5 s */
	assert_string_equal(header_of(w), "Authorization: Bearer token-2");
	assert_int_equal(atomic_load(&w->asked), 4);
	atomic_store(&w->mono_ms, 80000 + 100000); /* … until it is over */
	assert_string_equal(header_of(w), "!");
	assert_int_equal(w->err.code, ERR_AUTH);
	assert_non_null(strstr(w->err.text, "invalid_client"));
	assert_null(strstr(w->err.text, "hunter2"));
	atomic_store(&w->mode, GIVE);
	assert_string_equal(header_of(w), "Authorization: Bearer token-3");
}

static void lives_are_read(void **state)
{
	struct world *w = *state;

	w->auth = client_credentials(w);
	atomic_store(&w->mode, LIFE_AS_TEXT);
	assert_string_equal(header_of(w), "Authorization: Bearer token-1");
	atomic_store(&w->mono_ms, 79999);
	assert_string_equal(header_of(w), "Authorization: Bearer token-1");
	atomic_store(&w->mono_ms, 80000);
	atomic_store(&w->mode, NO_LIFE); /* five minutes are assumed */
	assert_string_equal(header_of(w), "Authorization: Bearer token-2");
	atomic_store(&w->mono_ms, 80000 + 239999);
	assert_string_equal(header_of(w), "Authorization: Bearer token-2");
	atomic_store(&w->mono_ms, 80000 + 240000);
	assert_string_equal(header_of(w), "Authorization: Bearer token-3");
}

static void bad_answers_are_told_apart(void **state)
{
	struct world *w = *state;
	static const struct {
		int mode;
		enum err_code code;
		bool retryable;
	} cases[] = {{REFUSE, ERR_AUTH, false},      {BREAK, ERR_PROTOCOL, true},
	             {BUSY, ERR_BUSY, true},         {MAC_TYPE, ERR_PROTOCOL, false},
	             {NO_TOKEN, ERR_PROTOCOL, true}, {EVIL_TOKEN, ERR_PROTOCOL, true}};

	w->auth = client_credentials(w);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		atomic_store(&w->mode, cases[i].mode);
		assert_string_equal(header_of(w), "!");
		assert_int_equal(w->err.code, cases[i].code);
		assert_int_equal(w->err.retryable, cases[i].retryable);
	}
	fake_stop(w->fake);
	w->fake = NULL;
	assert_string_equal(header_of(w), "!");
	assert_int_equal(w->err.code, ERR_NETWORK);
	assert_true(w->err.retryable);
}

/* ---- threads ---- */

struct worker {
	pthread_t thread;
	struct fhir_source *source;
	const atomic_bool *cancel;
	bool ok;
	struct err err;
};

static void *count_once(void *ctx)
{
	struct worker *w = ctx;
	int64_t total = 0;

	w->ok = fhir_count(w->source, "Patient", NULL, 0, w->cancel, &total, &w->err) && total == 1;
	return NULL;
}

static struct fhir_source *open_source(struct world *w, struct fhir_auth *auth)
{
	char base[100];

	snprintf(base, sizeof base, "%s/fhir", fake_url(w->fake));
	return fhir_source_open(
	    &(struct fhir_source_options){.base_url = base, .http = w->http, .auth = auth},
	    &w->err);
}

static int run_workers(struct fhir_source *s, struct worker *w, int n)
{
	int good = 0;

	for (int i = 0; i < n; i++) {
		w[i] = (struct worker){.source = s};
		assert_int_equal(pthread_create(&w[i].thread, NULL, count_once, &w[i]), 0);
	}
	for (int i = 0; i < n; i++) {
		pthread_join(w[i].thread, NULL);
		good += w[i].ok;
	}
	return good;
}

static void one_thread_renews_for_all(void **state)
{
	struct world *w = *state;
	struct fhir_source *s = open_source(w, client_credentials(w));
	struct worker workers[8];

	assert_non_null(s);
	atomic_store(&w->hold_ms, 200);
	atomic_store(&w->valid_from, 1);
	assert_int_equal(run_workers(s, workers, 8), 8);
	assert_int_equal(atomic_load(&w->asked), 1);
	atomic_store(&w->valid_from,
	             2); /* the server forgets the token: 401 in the middle of a run */
	assert_int_equal(run_workers(s, workers, 8), 8);
	assert_int_equal(atomic_load(&w->asked), 2);
	fhir_source_close(s);
}

static void a_new_token_that_is_refused_ends_it(void **state)
{
	struct world *w = *state;
	struct fhir_source *s = open_source(w, client_credentials(w));
	struct worker workers[1];

	atomic_store(&w->valid_from, 1000);
	assert_int_equal(run_workers(s, workers, 1), 0);
	assert_int_equal(workers[0].err.code, ERR_AUTH);
	assert_int_equal(atomic_load(&w->asked), 2); /* renewed once, sent once more */
	fhir_source_close(s);
}

static void failures_are_shared(void **state)
{
	struct world *w = *state;
	struct fhir_source *s = open_source(w, client_credentials(w));
	struct worker workers[8];

	atomic_store(&w->hold_ms, 500);
	atomic_store(&w->mode, REFUSE);
	assert_int_equal(run_workers(s, workers, 8), 0);
	for (int i = 0; i < 8; i++)
		assert_int_equal(workers[i].err.code, ERR_AUTH);
	assert_true(atomic_load(&w->asked) <= 8);
	fhir_source_close(s);
}

static void cancel_ends_waiting(void **state)
{
	struct world *w = *state;
	struct fhir_source *s = open_source(w, client_credentials(w));
	struct worker workers[4];
	atomic_bool cancel = false;

	atomic_store(&w->hold_ms, 600 * 1000);
	for (int i = 0; i < 4; i++) {
		workers[i] = (struct worker){.source = s, .cancel = &cancel};
		assert_int_equal(pthread_create(&workers[i].thread, NULL, count_once, &workers[i]),
		                 0);
	}
	while (atomic_load(&w->asked) == 0)
		clock_sleep_ms(10);
	atomic_store(&cancel, true);
	http_client_wake(w->http);
	for (int i = 0; i < 4; i++) {
		pthread_join(workers[i].thread, NULL);
		assert_int_equal(workers[i].err.code, ERR_CANCELLED);
	}
	fhir_source_close(s);
}

static void a_fixed_token_is_not_renewed(void **state)
{
	struct world *w = *state;
	struct fhir_source *s = open_source(w, fhir_auth_bearer("token-1", &w->err));
	struct worker workers[1];

	atomic_store(&w->valid_from, 1);
	assert_int_equal(run_workers(s, workers, 1), 1);
	atomic_store(&w->valid_from, 2);
	assert_int_equal(run_workers(s, workers, 1), 0);
	assert_int_equal(workers[0].err.code, ERR_AUTH);
	assert_int_equal(workers[0].err.status, 401);
	fhir_source_close(s);
}

/* ---- SMART Backend Services ---- */

static char *pem_of(EVP_PKEY *key)
{
	BIO *bio = BIO_new(BIO_s_mem());
	char *p, *out;
	long n;

	if (!bio || PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL) != 1)
		exit(99);
	n = BIO_get_mem_data(bio, &p);
	out = str_dup((struct str){p, (size_t)n}); /* it has no end mark */
	BIO_free(bio);
	return out;
}

static size_t base64url(const char *text, size_t n, unsigned char *out, size_t size)
{
	char padded[4096];
	int got;

	assert_true(n + 4 < sizeof padded && size >= sizeof padded);
	for (size_t i = 0; i < n; i++)
		padded[i] = (char)(text[i] == '-' ? '+' : text[i] == '_' ? '/' : text[i]);
	memcpy(padded + n, "===", 4);
	padded[(n + 3) / 4 * 4] = '\0';
	got = EVP_DecodeBlock(out, (unsigned char *)padded, (int)((n + 3) / 4 * 4));
	assert_true(got >= 0);
	return (size_t)got - ((n + 3) / 4 * 4 - n);
}

/* RFC 7518 3.4: an ES384 signature is r and s, 48 bytes each; OpenSSL wants DER. */
static size_t der_of(unsigned char *raw, size_t size)
{
	ECDSA_SIG *sig = ECDSA_SIG_new();
	unsigned char *to = raw;
	int n;

	ECDSA_SIG_set0(sig, BN_bin2bn(raw, 48, NULL), BN_bin2bn(raw + 48, 48, NULL));
	n = i2d_ECDSA_SIG(sig, NULL);
	assert_true(n > 0 && (size_t)n <= size);
	i2d_ECDSA_SIG(sig, &to);
	ECDSA_SIG_free(sig);
	return (size_t)n;
}

/* The last form's assertion is signed by `key`, as OpenSSL sees it. */
static void check_signature(struct world *w, EVP_PKEY *key)
{
	const char *jwt = strstr(w->form, "&client_assertion=") + strlen("&client_assertion="),
	           *dot = strrchr(jwt, '.');
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	unsigned char sig[4096];
	size_t n = base64url(dot + 1, strlen(dot + 1), sig, sizeof sig);

	if (EVP_PKEY_is_a(key, "EC")) {
		assert_int_equal(n, 96);
		n = der_of(sig, sizeof sig);
	}
	assert_int_equal(EVP_DigestVerifyInit(ctx, NULL, EVP_sha384(), NULL, key), 1);
	assert_int_equal(
	    EVP_DigestVerify(ctx, sig, n, (const unsigned char *)jwt, (size_t)(dot - jwt)), 1);
	EVP_MD_CTX_free(ctx);
}

static struct fhir_auth *smart(struct world *w, const char *key, const char *kid)
{
	char base[100];

	snprintf(base, sizeof base, "%s/fhir/", fake_url(w->fake));
	return fhir_auth_smart_backend(&(struct fhir_oauth_options){.base_url = base,
	                                                            .client_id = "the \"client\"",
	                                                            .key = key,
	                                                            .key_id = kid,
	                                                            .http = w->http,
	                                                            .clock = &w->clock},
	                               &w->err);
}

/* The assertion in the last form, verified with `jwk`. */
static void check_assertion(struct world *w, const cjose_jwk_t *jwk, const char *alg,
                            const char *kid)
{
	static const char before[] =
	    "grant_type=client_credentials&scope=system%2FPatient.rs%20system%2FObservation.rs"
	    "&client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-"
	    "bearer"
	    "&client_assertion=";
	cjose_err cerr;
	cjose_jws_t *jws;
	uint8_t *plain;
	char claims[1000], want[1000];
	size_t n;

	assert_memory_equal(w->form, before, sizeof before - 1);
	jws = cjose_jws_import(w->form + sizeof before - 1, strlen(w->form + sizeof before - 1),
	                       &cerr);
	assert_non_null(jws);
	assert_string_equal(cjose_header_get(cjose_jws_get_protected(jws), CJOSE_HDR_ALG, &cerr),
	                    alg);
	assert_string_equal(cjose_header_get(cjose_jws_get_protected(jws), CJOSE_HDR_KID, &cerr),
	                    kid);
	assert_string_equal(cjose_header_get(cjose_jws_get_protected(jws), "typ", &cerr), "JWT");
	assert_true(cjose_jws_verify(jws, jwk, &cerr));
	assert_true(cjose_jws_get_plaintext(jws, &plain, &n, &cerr));
	snprintf(claims, sizeof claims, "%.*s", (int)n, (char *)plain);
	snprintf(want, sizeof want,
	         "{\"iss\":\"the \\\"client\\\"\",\"sub\":\"the "
	         "\\\"client\\\"\",\"aud\":\"%s/token\",\"exp\":1700000240,\"jti\":\"",
	         fake_url(w->fake));
	assert_memory_equal(claims, want, strlen(want));
	assert_int_equal(n, strlen(want) + 36 + 2);
	cjose_jws_release(jws);
}

static void smart_with_a_jwk(void **state)
{
	struct world *w = *state;
	cjose_err cerr;
	cjose_jwk_t *ec = cjose_jwk_create_EC_random(CJOSE_JWK_EC_P_384, &cerr);
	char *json, set[4000];

	assert_true(cjose_jwk_set_kid(ec, "key-1", 5, &cerr));
	json = cjose_jwk_to_json(ec, true, &cerr);
	w->auth = smart(w, json, NULL);
	assert_non_null(w->auth);
	assert_string_equal(header_of(w), "Authorization: Bearer token-1");
	assert_string_equal(w->authorization, "");
	check_assertion(w, ec, "ES384", "key-1");
	fhir_auth_free(w->auth);
	snprintf(set, sizeof set, " {\"keys\":[{\"kty\":\"EC\",\"kid\":\"public\"},%s]}", json);
	w->auth = smart(w, set, "key-1");
	assert_non_null(w->auth);
	fhir_auth_free(w->auth);
	w->auth = smart(w, set, "other");
	assert_null(w->auth);
	assert_non_null(strstr(w->err.text, "no private key"));
	cjose_get_dealloc()(json);
	json = cjose_jwk_to_json(ec, false, &cerr); /* the public half only */
	assert_null(smart(w, json, NULL));
	assert_null(smart(w, "{\"kty\"", NULL));
	assert_null(smart(w, "{\"kty\":\"EC\",\"d\":\"AA\"}", "x"));
	assert_null(smart(w, "{\"kty\":\"oct\",\"k\":\"AAAA\",\"d\":\"x\"}", "x"));
	cjose_get_dealloc()(json);
	cjose_jwk_release(ec);
}

static void smart_with_a_pem(void **state)
{
	struct world *w = *state;
	EVP_PKEY *keys[5] = {EVP_RSA_gen(2048), EVP_EC_gen("P-384"), EVP_EC_gen("P-256"),
	                     EVP_RSA_gen(1024), EVP_PKEY_Q_keygen(NULL, NULL, "ED25519")};
	char *pem = pem_of(keys[0]);

	assert_null(smart(w, pem, NULL));
	assert_non_null(strstr(w->err.text, "key id"));
	w->auth = smart(w, pem, "k");
	assert_non_null(w->auth);
	assert_string_equal(header_of(w), "Authorization: Bearer token-1");
	check_signature(w, keys[0]);
	fhir_auth_free(w->auth);
	free(pem);
	pem = pem_of(keys[1]);
	w->auth = smart(w, pem, "k");
	assert_non_null(w->auth);
	assert_string_equal(header_of(w), "Authorization: Bearer token-2");
	check_signature(w, keys[1]);
	free(pem);
	for (int i = 2; i < 5; i++) {
		pem = pem_of(keys[i]);
		assert_null(smart(w, pem, "k"));
		assert_int_equal(w->err.code, ERR_CONFIG);
		free(pem);
	}
	assert_null(
	    smart(w, "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "k"));
	assert_null(smart(w, "", "k"));
	for (int i = 0; i < 5; i++)
		EVP_PKEY_free(keys[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(fixed_headers),
	    cmocka_unit_test_setup_teardown(wrong_settings_are_named, setup, teardown),
	    cmocka_unit_test_setup_teardown(a_token_is_fetched_kept_and_renewed, setup, teardown),
	    cmocka_unit_test_setup_teardown(lives_are_read, setup, teardown),
	    cmocka_unit_test_setup_teardown(bad_answers_are_told_apart, setup, teardown),
	    cmocka_unit_test_setup_teardown(one_thread_renews_for_all, setup, teardown),
	    cmocka_unit_test_setup_teardown(a_new_token_that_is_refused_ends_it, setup, teardown),
	    cmocka_unit_test_setup_teardown(failures_are_shared, setup, teardown),
	    cmocka_unit_test_setup_teardown(cancel_ends_waiting, setup, teardown),
	    cmocka_unit_test_setup_teardown(a_fixed_token_is_not_renewed, setup, teardown),
	    cmocka_unit_test_setup_teardown(smart_with_a_jwk, setup, teardown),
	    cmocka_unit_test_setup_teardown(smart_with_a_pem, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
