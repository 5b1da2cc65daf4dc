/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST_CAP = 256 };

bool buf_grow(struct buf *b, size_t extra)
{
	size_t cap = b->cap ? b->cap : FIRST_CAP;
	char *p;

	if (b->failed || extra > b->max || b->n > b->max - extra) {
		b->failed = true;
		return false;
	}
	if (b->cap > b->n + extra)
		return true;
	while (cap <= b->n + extra)
		cap *= 2;
	p = realloc(b->p, cap);
	if (!p) {
		b->failed = true;
		return false;
	}
	b->p = p;
	b->cap = cap;
	return true;
}

bool buf_add(struct buf *b, const void *p, size_t n)
{
	if (!buf_reserve(b, n))
		return false;
	if (n)
		memcpy(b->p + b->n, p, n);
	b->n += n;
	b->p[b->n] = '\0';
	return true;
}

bool buf_add_str(struct buf *b, struct str s)
{
	return buf_add(b, s.p, s.n);
}

bool buf_add_cstr(struct buf *b, const char *s)
{
	return buf_add(b, s, strlen(s));
}

bool buf_add_char(struct buf *b, char c)
{
	return buf_add(b, &c, 1);
}

bool buf_printf(struct buf *b, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (n < 0 || !buf_reserve(b, (size_t)n))
		return false;
	va_start(ap, fmt);
	vsnprintf(b->p + b->n, (size_t)n + 1, fmt, ap);
	va_end(ap);
	b->n += (size_t)n;
	return true;
}

/* The length of the valid UTF-8 sequence at p, 0 when there is none. */
static size_t utf8_len(const unsigned char *p, size_t n)
{
	if (p[0] < 0x80)
		return 1;
	if (p[0] >= 0xc2 && p[0] <= 0xdf)
		return n >= 2 && (p[1] & 0xc0) == 0x80 ? 2 : 0;
	if (p[0] >= 0xe0 && p[0] <= 0xef) {
		if (n < 3 || (p[1] & 0xc0) != 0x80 || (p[2] & 0xc0) != 0x80)
			return 0;
		if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f))
			return 0;
		return 3;
	}
	if (p[0] >= 0xf0 && p[0] <= 0xf4) {
		if (n < 4 || (p[1] & 0xc0) != 0x80 || (p[2] & 0xc0) != 0x80 ||
		    (p[3] & 0xc0) != 0x80)
			return 0;
		if ((p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] > 0x8f))
			return 0;
		return 4;
	}
	return 0;
}

bool str_utf8_valid(struct str a)
{
	const unsigned char *p = (const unsigned char *)a.p;
	size_t i = 0, k;

	while (i < a.n) {
		k = utf8_len(p + i, a.n - i);
		if (!k)
			return false;
		i += k;
	}
	return true;
}

static bool add_escaped(struct buf *b, unsigned char c)
{
	switch (c) {
	case '"':
		return buf_lit(b, "\\\"");
	case '\\':
		return buf_lit(b, "\\\\");
	case '\n':
		return buf_lit(b, "\\n");
	case '\r':
		return buf_lit(b, "\\r");
	case '\t':
		return buf_lit(b, "\\t");
	default:
		return buf_printf(b, "\\u%04x", c);
	}
}

bool buf_add_json(struct buf *b, struct str s)
{
	const unsigned char *p = (const unsigned char *)s.p;
	size_t i = 0, from = 0, k;

	if (!buf_reserve(b, s.n + 2))
		return false;
	buf_add_char(b, '"');
	while (i < s.n) {
		if (p[i] >= 0x20 && p[i] < 0x80 && p[i] != '"' && p[i] != '\\') {
			i++;
			continue;
		}
		k = utf8_len(p + i, s.n - i);
		if (k > 1) {
			i += k;
			continue;
		}
		buf_add(b, s.p + from, i - from);
		if (k == 0)
			buf_lit(b, "\xef\xbf\xbd");
		else
			add_escaped(b, p[i]);
		from = ++i;
	}
	buf_add(b, s.n ? s.p + from : NULL, i - from);
	return buf_add_char(b, '"');
}

bool buf_add_urlencoded(struct buf *b, struct str s)
{
	static const char hex[] = "0123456789ABCDEF";
	static const char plain[] =
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";

	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (c && strchr(plain, c)) {
			buf_add_char(b, (char)c);
		} else {
			buf_add_char(b, '%');
			buf_add_char(b, hex[c >> 4]);
			buf_add_char(b, hex[c & 15]);
		}
	}
	return !b->failed;
}

void buf_clear(struct buf *b)
{
	b->n = 0;
	b->failed = false;
	if (b->p)
		b->p[0] = '\0';
}

void buf_free(struct buf *b)
{
	free(b->p);
	*b = BUF_INIT(b->max);
}

bool buf_ok(const struct buf *b, const char *what, struct err *err)
{
	if (!b->failed)
		return true;
	return err_set(err, ERR_LIMIT, "buffer", "%s does not fit into its limit of %zu bytes",
	               what, b->max);
}
