/* SPDX-License-Identifier: Apache-2.0 */
#include "base/str.h"

#include <stdlib.h>
#include <strings.h>

bool str_eq(struct str a, struct str b)
{
	if (!a.p || !b.p)
		return a.p == b.p;
	return a.n == b.n && memcmp(a.p, b.p, a.n) == 0;
}

bool str_is(struct str a, const char *s)
{
	return a.p && a.n == strlen(s) && memcmp(a.p, s, a.n) == 0;
}

bool str_is_nocase(struct str a, const char *s)
{
	return a.p && a.n == strlen(s) && strncasecmp(a.p, s, a.n) == 0;
}

bool str_starts(struct str a, const char *prefix)
{
	size_t n = strlen(prefix);

	return a.p && a.n >= n && memcmp(a.p, prefix, n) == 0;
}

int str_cmp(struct str a, struct str b)
{
	size_t n = a.n < b.n ? a.n : b.n;
	int c;

	if (!a.p || !b.p)
		return (a.p != NULL) - (b.p != NULL);
	c = n ? memcmp(a.p, b.p, n) : 0;
	return c ? c : (a.n > b.n) - (a.n < b.n);
}

static bool is_space(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

struct str str_trim(struct str a)
{
	while (a.n && is_space(a.p[0])) {
		a.p++;
		a.n--;
	}
	while (a.n && is_space(a.p[a.n - 1]))
		a.n--;
	return a;
}

bool str_int(struct str a, int64_t min, int64_t max, int64_t *out)
{
	bool negative = a.n && a.p[0] == '-';
	int64_t v = 0;
	size_t i = negative ? 1 : 0;

	if (i == a.n)
		return false;
	for (; i < a.n; i++) {
		int d = a.p[i] - '0';

		if (d < 0 || d > 9)
			return false;
		if (__builtin_mul_overflow(v, 10, &v) || __builtin_sub_overflow(v, d, &v))
			return false;
	}
	/* summed as a negative number, which reaches one further than a positive one */
	if (!negative && __builtin_sub_overflow(0, v, &v))
		return false;
	if (v < min || v > max)
		return false;
	*out = v;
	return true;
}

char *str_dup(struct str a)
{
	char *p = malloc(a.n + 1);

	if (!p)
		return NULL;
	if (a.n)
		memcpy(p, a.p, a.n);
	p[a.n] = '\0';
	return p;
}

bool str_is_zip(struct str a)
{
	if (a.n != 5)
		return false;
	for (size_t i = 0; i < 5; i++)
		if (a.p[i] < '0' || a.p[i] > '9')
			return false;
	return true;
}
