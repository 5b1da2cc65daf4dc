/* SPDX-License-Identifier: Apache-2.0 */
#include "fhir/auth_key.h"

#include <cjose/cjose.h>
#include <openssl/bio.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <stdlib.h>
#include <string.h>
#include <yyjson.h>

enum { RSA_BITS_MIN = 2048 };

struct auth_key {
	cjose_jwk_t *jwk;
	char *kid;
	const char *alg;
};

static bool fail(struct err *err, const char *why)
{
	return err_set(
	    err, ERR_CONFIG, "auth.key",
	    "the private key cannot be used: %s (FHIRLINE_FHIR_KEY_FILE, FHIRLINE_FHIR_KEY_ID)",
	    why);
}

/* ---- PEM ---- */

struct number {
	uint8_t *p;
	size_t n;
};

static void number_free(struct number *v)
{
	if (v->p)
		OPENSSL_cleanse(v->p, v->n);
	free(v->p);
	*v = (struct number){0};
}

/* A parameter of the key as big-endian bytes, at least `width` long. Empty when the key has none.
 */
static struct number number_of(const EVP_PKEY *key, const char *name, size_t width)
{
	struct number v = {0};
	BIGNUM *bn = NULL;

	if (EVP_PKEY_get_bn_param(key, name, &bn) != 1)
		return v;
	v.n = (size_t)BN_num_bytes(bn) > width ? (size_t)BN_num_bytes(bn) : width;
	v.p = malloc(v.n + 1);
	if (!v.p || BN_bn2binpad(bn, v.p, (int)v.n) < 0)
		number_free(&v);
	BN_clear_free(bn);
	return v;
}

static cjose_jwk_t *jwk_of_rsa(const EVP_PKEY *key)
{
	static const char *const names[8] = {
	    OSSL_PKEY_PARAM_RSA_E,         OSSL_PKEY_PARAM_RSA_N,
	    OSSL_PKEY_PARAM_RSA_D,         OSSL_PKEY_PARAM_RSA_FACTOR1,
	    OSSL_PKEY_PARAM_RSA_FACTOR2,   OSSL_PKEY_PARAM_RSA_EXPONENT1,
	    OSSL_PKEY_PARAM_RSA_EXPONENT2, OSSL_PKEY_PARAM_RSA_COEFFICIENT1};
	struct number v[8];
	cjose_jwk_t *jwk = NULL;
	cjose_err cerr;

	for (int i = 0; i < 8; i++)
		v[i] = number_of(key, names[i], 0);
	if (v[0].p && v[1].p && v[2].p)
		jwk = cjose_jwk_create_RSA_spec(
		    &(cjose_jwk_rsa_keyspec){v[0].p, v[0].n, v[1].p, v[1].n, v[2].p, v[2].n, v[3].p,
		                             v[3].n, v[4].p, v[4].n, v[5].p, v[5].n, v[6].p, v[6].n,
		                             v[7].p, v[7].n},
		    &cerr);
	for (int i = 0; i < 8; i++)
		number_free(&v[i]);
	return jwk;
}

static cjose_jwk_t *jwk_of_ec(const EVP_PKEY *key)
{
	enum { P384_BYTES = 48 };
	struct number d, x, y;
	cjose_jwk_t *jwk = NULL;
	char curve[32];
	size_t n;
	cjose_err cerr;

	if (EVP_PKEY_get_group_name(key, curve, sizeof curve, &n) != 1 ||
	    strcmp(curve, "secp384r1") != 0)
		return NULL;
	d = number_of(key, OSSL_PKEY_PARAM_PRIV_KEY, P384_BYTES);
	x = number_of(key, OSSL_PKEY_PARAM_EC_PUB_X, P384_BYTES);
	y = number_of(key, OSSL_PKEY_PARAM_EC_PUB_Y, P384_BYTES);
	if (d.p && x.p && y.p)
		jwk = cjose_jwk_create_EC_spec(
		    &(cjose_jwk_ec_keyspec){CJOSE_JWK_EC_P_384, d.p, d.n, x.p, x.n, y.p, y.n},
		    &cerr);
	number_free(&d);
	number_free(&x);
	number_free(&y);
	return jwk;
}

static int no_password(char *buf, int size, int rwflag, void *ctx)
{
	(void)buf;
	(void)size;
	(void)rwflag;
	(void)ctx;
	return -1; /* or OpenSSL would ask the terminal */
}

static cjose_jwk_t *jwk_of_pem(const char *text, struct err *err)
{
	BIO *bio = BIO_new_mem_buf(text, -1);
	EVP_PKEY *key = bio ? PEM_read_bio_PrivateKey(bio, NULL, no_password, NULL) : NULL;
	cjose_jwk_t *jwk = NULL;

	if (!key)
		fail(err, "it is neither PEM (without a password) nor a JWK");
	else if (EVP_PKEY_is_a(key, "RSA"))
		jwk = jwk_of_rsa(key);
	else if (EVP_PKEY_is_a(key, "EC"))
		jwk = jwk_of_ec(key);
	if (key && !jwk)
		fail(err, "it must be RSA, or EC on the curve P-384");
	EVP_PKEY_free(key);
	BIO_free(bio);
	ERR_clear_error();
	return jwk;
}

/* ---- JWK ---- */

static bool is_wanted(yyjson_val *key, const char *kid)
{
	return yyjson_is_str(yyjson_obj_get(key, "d")) &&
	       (!kid || yyjson_equals_str(yyjson_obj_get(key, "kid"), kid));
}

/* The one key of a set, or the document itself. */
static yyjson_val *pick(yyjson_val *root, const char *kid)
{
	yyjson_val *keys = yyjson_obj_get(root, "keys"), *key;
	size_t i, n;

	if (!keys)
		return is_wanted(root, NULL) ? root : NULL;
	yyjson_arr_foreach(keys, i, n, key)
	{
		if (is_wanted(key, kid))
			return key;
	}
	return NULL;
}

static cjose_jwk_t *jwk_of_json(const char *text, const char *kid, struct err *err)
{
	yyjson_doc *doc = yyjson_read(text, strlen(text), 0);
	yyjson_val *key = pick(yyjson_doc_get_root(doc), kid);
	cjose_jwk_t *jwk = NULL;
	cjose_err cerr;
	size_t n = 0;
	char *one = key ? yyjson_val_write(key, 0, &n) : NULL;

	if (one)
		jwk = cjose_jwk_import(one, n, &cerr);
	if (!doc)
		fail(err, "it begins like a JWK but is not valid JSON");
	else if (!key)
		fail(err, "there is no private key in the JWK (with that key id)");
	else if (!jwk)
		fail(err, "the JWK is not complete");
	if (one)
		OPENSSL_cleanse(one, n);
	free(one);
	yyjson_doc_free(doc);
	return jwk;
}

/* ---- both ---- */

static bool choose_alg(struct auth_key *k, struct err *err)
{
	cjose_err cerr;

	switch (cjose_jwk_get_kty(k->jwk, &cerr)) {
	case CJOSE_JWK_KTY_RSA:
		if (cjose_jwk_get_keysize(k->jwk, &cerr) < RSA_BITS_MIN)
			return fail(err, "an RSA key must have at least 2,048 bits");
		k->alg = CJOSE_HDR_ALG_RS384;
		return true;
	case CJOSE_JWK_KTY_EC:
		if (cjose_jwk_EC_get_curve(k->jwk, &cerr) != CJOSE_JWK_EC_P_384)
			return fail(err, "it must be RSA, or EC on the curve P-384");
		k->alg = CJOSE_HDR_ALG_ES384;
		return true;
	default:
		return fail(err, "it must be RSA, or EC on the curve P-384");
	}
}

struct auth_key *auth_key_read(const char *text, const char *kid, struct err *err)
{
	struct auth_key *k = calloc(1, sizeof *k);
	struct str s = str_trim(str_of(text ? text : ""));
	const char *own = NULL;
	cjose_err cerr;

	if (!k) {
		err_set(err, ERR_NOMEM, "auth.key", "out of memory");
		return NULL;
	}
	k->jwk =
	    s.n && s.p[0] == '{' ? jwk_of_json(s.p, kid, err) : jwk_of_pem(s.n ? s.p : "", err);
	if (!k->jwk || !choose_alg(k, err))
		goto failed;
	own = kid ? kid : cjose_jwk_get_kid(k->jwk, &cerr);
	if (!own || !*own) {
		fail(err, "its key id is not known: give the one under which the public key is "
		          "registered");
		goto failed;
	}
	k->kid = str_dup(str_of(own));
	if (!k->kid) {
		err_set(err, ERR_NOMEM, "auth.key", "out of memory");
		goto failed;
	}
	return k;
failed:
	auth_key_free(k);
	return NULL;
}

void auth_key_free(struct auth_key *k)
{
	if (!k)
		return;
	if (k->jwk)
		cjose_jwk_release(k->jwk);
	free(k->kid);
	free(k);
}

bool auth_key_sign(const struct auth_key *k, struct str claims, struct buf *jwt, struct err *err)
{
	cjose_err cerr = {0};
	cjose_header_t *header = cjose_header_new(&cerr);
	cjose_jws_t *jws = NULL;
	const char *text = NULL;
	bool ok = header && cjose_header_set(header, CJOSE_HDR_ALG, k->alg, &cerr) &&
	          cjose_header_set(header, CJOSE_HDR_KID, k->kid, &cerr) &&
	          cjose_header_set(header, "typ", "JWT", &cerr);

	if (ok)
		jws = cjose_jws_sign(k->jwk, header, (const uint8_t *)claims.p, claims.n, &cerr);
	ok = jws && cjose_jws_export(jws, &text, &cerr) && buf_add_cstr(jwt, text);
	if (!ok)
		fail(err, cerr.message ? cerr.message : "it does not sign");
	cjose_jws_release(jws);
	cjose_header_release(header);
	return ok;
}
