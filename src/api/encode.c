/* SPDX-License-Identifier: Apache-2.0 */
#include "api/encode.h"

#include <stdio.h>
#include <zlib.h>

enum { TAG_BYTES = 16 };

/* The next piece of a comma-separated list, trimmed; false at the end. */
static bool next_item(struct str *list, struct str *item)
{
	const char *comma;

	if (!list->n)
		return false;
	comma = memchr(list->p, ',', list->n);
	*item = (struct str){list->p, comma ? (size_t)(comma - list->p) : list->n};
	list->p += item->n + (comma != NULL);
	list->n -= item->n + (comma != NULL);
	*item = str_trim(*item);
	return true;
}

/* "q=0", "q=0.0": not acceptable. */
static bool weight_is_zero(struct str params)
{
	const char *q = params.p ? memmem(params.p, params.n, "q=", 2) : NULL;

	if (!q)
		return false;
	for (q += 2; q < params.p + params.n; q++)
		if (*q >= '1' && *q <= '9')
			return false;
	return true;
}

bool encode_accepts_gzip(struct str accept)
{
	struct str item;

	while (accept.p && next_item(&accept, &item)) {
		const char *semicolon = memchr(item.p, ';', item.n);
		struct str name = {item.p, semicolon ? (size_t)(semicolon - item.p) : item.n};
		struct str params = {semicolon, semicolon ? item.n - name.n : 0};

		name = str_trim(name);
		if (str_is_nocase(name, "gzip") || str_is(name, "*"))
			return !weight_is_zero(params);
	}
	return false;
}

bool encode_gzip(struct str body, struct buf *out)
{
	z_stream z = {0};
	int done;

	buf_clear(out);
	if (body.n > UINT32_MAX / 2 ||
	    deflateInit2(&z, 1, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK)
		return false;
	if (!buf_reserve(out, deflateBound(&z, body.n))) {
		deflateEnd(&z);
		return false;
	}
	z.next_in = (Bytef *)(uintptr_t)body.p;
	z.avail_in = (uInt)body.n;
	z.next_out = (Bytef *)out->p;
	z.avail_out = (uInt)(out->cap - 1);
	done = deflate(&z, Z_FINISH);
	out->n = z.total_out;
	deflateEnd(&z);
	return done == Z_STREAM_END && out->n < body.n;
}

void encode_etag(const EVP_MD *sha256, EVP_MD_CTX *ctx, struct str body, char out[ENCODE_ETAG])
{
	static const char hex[] = "0123456789abcdef";
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned n = 0;
	char *o = out;

	*out = '\0';
	if (!EVP_DigestInit_ex(ctx, sha256, NULL) || !EVP_DigestUpdate(ctx, body.p, body.n) ||
	    !EVP_DigestFinal_ex(ctx, digest, &n) || n < TAG_BYTES)
		return;
	*o++ = '"';
	for (int i = 0; i < TAG_BYTES; i++) {
		*o++ = hex[digest[i] >> 4];
		*o++ = hex[digest[i] & 15];
	}
	*o++ = '"';
	*o = '\0';
}

bool encode_matches(struct str list, const char *etag)
{
	struct str item, tag = str_of(etag), core = {etag, tag.n ? tag.n - 1 : 0};

	while (core.n && list.p && next_item(&list, &item)) {
		if (str_is(item, "*"))
			return true;
		if (str_starts(item, "W/"))
			item = (struct str){item.p + 2, item.n - 2};
		if (str_eq(item, tag) ||
		    (item.n == core.n + 6 && memcmp(item.p, core.p, core.n) == 0 &&
		     memcmp(item.p + core.n, "-gzip\"", 6) == 0))
			return true;
	}
	return false;
}
