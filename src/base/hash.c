/* SPDX-License-Identifier: Apache-2.0 */
#include "base/hash.h"

#include <openssl/evp.h>
#include <openssl/rand.h>
#include <stdio.h>

struct hash_sha256 {
	int unused; /* an EVP_MD_CTX under a name of ours */
};

static EVP_MD_CTX *ctx_of(struct hash_sha256 *h)
{
	return (EVP_MD_CTX *)(void *)h;
}

struct hash_sha256 *hash_sha256_new(struct err *err)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();

	if (!ctx || EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) != 1) {
		EVP_MD_CTX_free(ctx);
		err_set(err, ERR_NOMEM, "hash.sha256", "cannot start a SHA-256 hash");
		return NULL;
	}
	return (struct hash_sha256 *)(void *)ctx;
}

bool hash_sha256_add(struct hash_sha256 *h, const void *p, size_t n)
{
	return EVP_DigestUpdate(ctx_of(h), p, n) == 1;
}

static void hex_of(const unsigned char *p, size_t n, char *out)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < n; i++) {
		out[2 * i] = digits[p[i] >> 4];
		out[2 * i + 1] = digits[p[i] & 15];
	}
	out[2 * n] = '\0';
}

bool hash_sha256_hex(struct hash_sha256 *h, char out[HASH_HEX])
{
	unsigned char md[32];

	if (EVP_DigestFinal_ex(ctx_of(h), md, NULL) != 1)
		return false;
	hex_of(md, sizeof md, out);
	return true;
}

void hash_sha256_free(struct hash_sha256 *h)
{
	EVP_MD_CTX_free(ctx_of(h));
}

bool hash_sha256_of(struct str s, char out[HASH_HEX])
{
	unsigned char md[32];

	if (EVP_Digest(s.p ? s.p : "", s.n, md, NULL, EVP_sha256(), NULL) != 1)
		return false;
	hex_of(md, sizeof md, out);
	return true;
}

uint64_t hash_bytes(const void *p, size_t n)
{
	const unsigned char *c = p;
	uint64_t h = 0xcbf29ce484222325u;

	for (size_t i = 0; i < n; i++)
		h = (h ^ c[i]) * 0x100000001b3u;
	h ^= h >> 32;
	h *= 0xd6e8feb86659fd93u;
	return h ^ (h >> 32);
}

bool uuid_v7(int64_t now_us, char out[UUID_TEXT], struct err *err)
{
	uint64_t ms = (uint64_t)(now_us / 1000);
	unsigned char b[16];

	if (RAND_bytes(b, sizeof b) != 1)
		return err_set(err, ERR_INTERNAL, "uuid", "the system's random generator failed");
	for (int i = 0; i < 6; i++)
		b[i] = (unsigned char)(ms >> (40 - 8 * i));
	b[6] = (unsigned char)(0x70 | (b[6] & 0x0f));
	b[8] = (unsigned char)(0x80 | (b[8] & 0x3f));
	snprintf(out, UUID_TEXT,
	         "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", b[0], b[1],
	         b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12], b[13], b[14],
	         b[15]);
	return true;
}

bool uuid_valid(struct str s)
{
	if (s.n != UUID_TEXT - 1)
		return false;
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];
		bool dash = i == 8 || i == 13 || i == 18 || i == 23;

		if (dash ? c != '-' : !((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f')))
			return false;
	}
	return true;
}
