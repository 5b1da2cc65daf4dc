/* SPDX-License-Identifier: Apache-2.0 */
#include "temporal/cipher.h"

#include <ctype.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/locked.h"
#include "temporal/seal.h"

enum { KEY = 32, NONCE = 12, TAG = 16, KEY_TEXT = 44 };

struct key {
	char id[TEMPORAL_CIPHER_ID];
	char *bytes; /* KEY of them */
};

struct temporal_cipher {
	struct key keys[TEMPORAL_CIPHER_KEYS];
	size_t n;
};

/* ---- keys ---- */

static bool bad_key(struct err *err, size_t number, const char *why)
{
	return err_set(err, ERR_CONFIG, "temporal.cipher", "payload key %zu: %s", number, why);
}

static bool read_id(struct key *k, const char *text, size_t n)
{
	if (!n || n >= sizeof k->id)
		return false;
	for (size_t i = 0; i < n; i++)
		if (!isalnum((unsigned char)text[i]) && !strchr("-_.", text[i]))
			return false;
	memcpy(k->id, text, n);
	return true;
}

/* 32 bytes are 43 characters and one '='. */
static bool read_bytes(struct key *k, const char *text, size_t n)
{
	unsigned char bytes[KEY + 1];
	bool ok = n == KEY_TEXT && text[n - 1] == '=' && text[n - 2] != '=' &&
	          EVP_DecodeBlock(bytes, (const unsigned char *)text, KEY_TEXT) == KEY + 1;

	if (ok)
		k->bytes = locked_dup((struct str){(const char *)bytes, KEY});
	OPENSSL_cleanse(bytes, sizeof bytes);
	return ok && k->bytes;
}

static bool read_key(struct temporal_cipher *c, const char *text, size_t n, struct err *err)
{
	const char *colon = memchr(text, ':', n);
	struct key *k;

	if (c->n == TEMPORAL_CIPHER_KEYS)
		return bad_key(err, c->n + 1, "there may be 8 at most");
	k = &c->keys[c->n];
	if (!colon || !read_id(k, text, (size_t)(colon - text)))
		return bad_key(err, c->n + 1,
		               "give id:base64; the id has letters, digits, '-', '_' and '.'");
	for (size_t i = 0; i < c->n; i++)
		if (strcmp(c->keys[i].id, k->id) == 0)
			return bad_key(err, c->n + 1, "two keys have the same id");
	if (!read_bytes(k, colon + 1, n - (size_t)(colon + 1 - text)))
		return bad_key(
		    err, c->n + 1,
		    "behind the colon stands base64 of 32 bytes: openssl rand -base64 32");
	c->n++;
	return true;
}

struct temporal_cipher *temporal_cipher_new(const char *keys, struct err *err)
{
	struct temporal_cipher *c = calloc(1, sizeof *c);
	bool ok = c != NULL;

	if (!c)
		err_set(err, ERR_NOMEM, "temporal.cipher", "out of memory");
	while (ok) {
		size_t n = strcspn(keys, ",");

		ok = read_key(c, keys, n, err);
		if (!keys[n])
			break;
		keys += n + 1;
	}
	if (ok)
		return c;
	temporal_cipher_free(c);
	return NULL;
}

void temporal_cipher_free(struct temporal_cipher *c)
{
	for (size_t i = 0; c && i < TEMPORAL_CIPHER_KEYS; i++)
		locked_free(c->keys[i].bytes);
	free(c);
}

/* ---- bytes ---- */

static bool gcm(const struct key *k, bool seal, const unsigned char *nonce, struct str in,
                unsigned char *out, unsigned char *tag)
{
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	int n = 0, tail = 0;
	bool ok = ctx && in.n <= INT32_MAX - 64 &&
	          EVP_CipherInit_ex(ctx, EVP_aes_256_gcm(), NULL, (const unsigned char *)k->bytes,
	                            nonce, seal) == 1 &&
	          EVP_CipherUpdate(ctx, out, &n, (const unsigned char *)in.p, (int)in.n) == 1;

	ok = ok && (seal || EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_SET_TAG, TAG, tag) == 1) &&
	     EVP_CipherFinal_ex(ctx, out + n, &tail) == 1 &&
	     (!seal || EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_GET_TAG, TAG, tag) == 1);
	EVP_CIPHER_CTX_free(ctx);
	return ok;
}

const char *cipher_id(const struct temporal_cipher *c)
{
	return c->keys[0].id;
}

bool cipher_seal(const struct temporal_cipher *c, struct arena *arena, struct str plain,
                 struct str *out)
{
	unsigned char *p = arena_alloc(arena, NONCE + plain.n + TAG);

	if (!p || RAND_bytes(p, NONCE) != 1 ||
	    !gcm(&c->keys[0], true, p, plain, p + NONCE, p + NONCE + plain.n))
		return false;
	*out = (struct str){(const char *)p, NONCE + plain.n + TAG};
	return true;
}

bool cipher_open(const struct temporal_cipher *c, struct arena *arena, struct str id,
                 struct str sealed, struct str *out)
{
	const unsigned char *p = (const unsigned char *)sealed.p;
	unsigned char *plain, tag[TAG];
	size_t n;

	if (sealed.n < NONCE + TAG)
		return false;
	n = sealed.n - NONCE - TAG;
	memcpy(tag, p + NONCE + n, TAG);
	plain = arena_alloc(arena, n + 1);
	for (size_t i = 0; plain && i < c->n; i++)
		if (str_is(id, c->keys[i].id) &&
		    gcm(&c->keys[i], false, p, (struct str){sealed.p + NONCE, n}, plain, tag)) {
			*out = (struct str){(const char *)plain, n};
			return true;
		}
	return false;
}
