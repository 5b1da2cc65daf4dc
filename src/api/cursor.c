/* SPDX-License-Identifier: Apache-2.0 */
#include "api/cursor.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <string.h>

enum {
	VERSION = 0xf1,
	HEAD = 3,
	SCOPE = 8,
	TAG = 16,
	RAW_MAX = HEAD + SCOPE + CURSOR_POSITION_MAX + TAG
};

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

bool cursor_looks_right(struct str text)
{
	if (text.n < CURSOR_TEXT_MIN || text.n >= CURSOR_TEXT_MAX)
		return false;
	for (size_t i = 0; i < text.n; i++)
		if (!memchr(alphabet, text.p[i], sizeof alphabet - 1))
			return false;
	return true;
}

static void encode(const unsigned char *p, size_t n, char *out)
{
	for (size_t i = 0; i < n; i += 3) {
		unsigned v = (unsigned)p[i] << 16 | (unsigned)(i + 1 < n ? p[i + 1] : 0) << 8 |
		             (i + 2 < n ? p[i + 2] : 0);

		*out++ = alphabet[v >> 18];
		*out++ = alphabet[v >> 12 & 63];
		if (i + 1 < n)
			*out++ = alphabet[v >> 6 & 63];
		if (i + 2 < n)
			*out++ = alphabet[v & 63];
	}
	*out = '\0';
}

/* *exact: the bits that are left over are zero, as encode() makes them. */
static bool decode(struct str text, unsigned char *out, size_t max, size_t *n, bool *exact)
{
	unsigned v = 0, bits = 0;
	size_t count = 0;

	for (size_t i = 0; i < text.n; i++) {
		const char *at = memchr(alphabet, text.p[i], sizeof alphabet - 1);

		if (!at)
			return false;
		v = (v << 6 | (unsigned)(at - alphabet)) & 0xffffff;
		bits += 6;
		if (bits < 8)
			continue;
		bits -= 8;
		if (count == max)
			return false;
		out[count++] = (unsigned char)(v >> bits);
	}
	*n = count;
	*exact = bits < 6 && (v & ((1u << bits) - 1)) == 0;
	return true;
}

static bool tag_of(const unsigned char key[CURSOR_KEY], const unsigned char *p, size_t n,
                   unsigned char out[TAG])
{
	unsigned char full[EVP_MAX_MD_SIZE];
	unsigned length = 0;

	if (!HMAC(EVP_sha256(), key, CURSOR_KEY, p, n, full, &length) || length < TAG)
		return false;
	memcpy(out, full, TAG);
	return true;
}

bool cursor_write(const unsigned char key[CURSOR_KEY], uint64_t scope, const void *position,
                  size_t n, char out[CURSOR_TEXT_MAX])
{
	unsigned char raw[RAW_MAX];
	size_t length = HEAD + SCOPE + n;

	if (n > CURSOR_POSITION_MAX)
		return false;
	raw[0] = VERSION;
	raw[1] = (unsigned char)n;
	raw[2] =
	    0; /* so that no character of the text holds bits of both the length and the scope */
	memcpy(raw + HEAD, &scope, SCOPE);
	memcpy(raw + HEAD + SCOPE, position, n);
	if (!tag_of(key, raw, length, raw + length))
		return false;
	encode(raw, length + TAG, out);
	return true;
}

enum cursor_fate cursor_read(const unsigned char key[CURSOR_KEY], uint64_t scope, struct str text,
                             char position[CURSOR_POSITION_MAX], size_t *n)
{
	unsigned char raw[RAW_MAX], tag[TAG];
	size_t length = 0, used;
	bool exact = false, same_form, same_scope;

	if (!decode(text, raw, sizeof raw, &length, &exact) || length < HEAD + SCOPE + TAG)
		return CURSOR_UNKNOWN;
	used = length - TAG;
	same_form = raw[0] == VERSION && used == HEAD + SCOPE + (size_t)raw[1] &&
	            raw[1] <= CURSOR_POSITION_MAX;
	same_scope = memcmp(raw + HEAD, &scope, SCOPE) == 0;
	if (!same_form && !same_scope)
		return CURSOR_UNKNOWN;
	if (!exact || !same_form || !same_scope || !tag_of(key, raw, used, tag) ||
	    CRYPTO_memcmp(tag, raw + used, TAG) != 0)
		return CURSOR_CHANGED;
	*n = raw[1];
	memcpy(position, raw + HEAD + SCOPE, *n);
	return CURSOR_FINE;
}
