/* SPDX-License-Identifier: Apache-2.0 */
#include "pg/numeric.h"

enum {
	MAX_DSCALE = 16383,
	MAX_WEIGHT = 32767, /* 131,072 digits before the point */
	GROUP = 4,          /* decimal digits in a base-10000 digit */
	EXPONENT_CAP = 1000000000,
};

static size_t count_digits(const char *p, size_t n)
{
	size_t i = 0;

	while (i < n && p[i] >= '0' && p[i] <= '9')
		i++;
	return i;
}

/* e, sign and digits. Stops counting where no sum with a text's length can come back into range. */
static bool parse_exponent(const char *p, size_t n, int64_t *exponent)
{
	bool negative = n && p[0] == '-';
	int64_t v = 0;

	if (n && (p[0] == '-' || p[0] == '+')) {
		p++;
		n--;
	}
	if (n == 0 || count_digits(p, n) != n)
		return false;
	for (size_t i = 0; i < n && v < EXPONENT_CAP; i++)
		v = v * 10 + (p[i] - '0');
	*exponent = negative ? -v : v;
	return true;
}

static bool parse_json_number(struct str text, struct pg_numeric *v)
{
	const char *p = text.p;
	size_t n = text.n, k;

	*v = (struct pg_numeric){0};
	if (n && *p == '-') {
		v->negative = true;
		p++;
		n--;
	}
	v->digits = p;
	k = count_digits(p, n);
	if (k == 0 || (k > 1 && p[0] == '0'))
		return false;
	v->int_len = (int64_t)k;
	p += k;
	n -= k;
	if (n && *p == '.') {
		k = count_digits(p + 1, n - 1);
		if (k == 0)
			return false;
		v->frac_len = (int64_t)k;
		p += k + 1;
		n -= k + 1;
	}
	if (n && (*p == 'e' || *p == 'E'))
		return parse_exponent(p + 1, n - 1, &v->exponent);
	return n == 0;
}

/* Decimal digit `k` as written, 0 outside of what is written. */
static int digit_at(const struct pg_numeric *v, int64_t k)
{
	if (k < 0 || k >= v->int_len + v->frac_len)
		return 0;
	return v->digits[k < v->int_len ? k : k + 1] - '0';
}

static int64_t floor_div(int64_t a, int64_t b)
{
	return a >= 0 ? a / b : -((-a + b - 1) / b);
}

bool pg_numeric_parse(struct str text, struct pg_numeric *out)
{
	struct pg_numeric v;
	int64_t first = 0, last, scale, top, low, written;

	if (!text.p || !parse_json_number(text, &v))
		return false;
	scale = v.frac_len - v.exponent;
	if (scale > MAX_DSCALE)
		return false;
	v.dscale = scale > 0 ? (int)scale : 0;
	written = v.int_len + v.frac_len;
	while (first < written && digit_at(&v, first) == 0)
		first++;
	if (first == written) {
		v.negative = false;
		*out = v;
		return true;
	}
	for (last = written - 1; digit_at(&v, last) == 0; last--)
		;
	/* digit k stands for ten to the power int_len - 1 - k + exponent */
	top = floor_div(v.int_len - 1 - first + v.exponent, GROUP);
	low = floor_div(v.int_len - 1 - last + v.exponent, GROUP);
	if (top > MAX_WEIGHT)
		return false;
	v.weight = (int)top;
	v.ndigits = (int)(top - low + 1);
	*out = v;
	return true;
}

int pg_numeric_digit(const struct pg_numeric *v, int i)
{
	int64_t power = (int64_t)(v->weight - i) * GROUP + GROUP - 1;
	int64_t k = v->int_len - 1 + v->exponent - power;
	int d = 0;

	for (int j = 0; j < GROUP; j++)
		d = d * 10 + digit_at(v, k + j);
	return d;
}
