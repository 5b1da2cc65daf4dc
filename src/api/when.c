/* SPDX-License-Identifier: Apache-2.0 */
#include "api/when.h"

#include <stdio.h>

#include "base/clock.h"

#define US INT64_C(1000000)
#define US_A_DAY (INT64_C(86400) * US)

/* `n` digits at the front of *s, taken off. */
static bool take_digits(struct str *s, int n, int min, int max, int *out)
{
	int v = 0;

	if (s->n < (size_t)n)
		return false;
	for (int i = 0; i < n; i++) {
		if (s->p[i] < '0' || s->p[i] > '9')
			return false;
		v = v * 10 + (s->p[i] - '0');
	}
	if (v < min || v > max)
		return false;
	s->p += n;
	s->n -= (size_t)n;
	*out = v;
	return true;
}

static bool take_char(struct str *s, char a, char b)
{
	if (!s->n || (*s->p != a && *s->p != b))
		return false;
	s->p++;
	s->n--;
	return true;
}

static bool take_date(struct str *s, int64_t *us)
{
	int year, month, day;

	if (!take_digits(s, 4, 0, 9999, &year) || !take_char(s, '-', '-') ||
	    !take_digits(s, 2, 1, 12, &month) || !take_char(s, '-', '-') ||
	    !take_digits(s, 2, 1, clock_days_in_month(year, month), &day))
		return false;
	*us = clock_days_from_civil(year, month, day) * US_A_DAY;
	return true;
}

static bool take_fraction(struct str *s, int64_t *us)
{
	int64_t unit = US / 10;
	int digit;

	if (!take_char(s, '.', '.'))
		return true;
	if (!s->n || *s->p < '0' || *s->p > '9')
		return false;
	while (take_digits(s, 1, 0, 9, &digit)) {
		*us += digit * unit;
		unit /= 10;
	}
	return true;
}

static bool take_zone(struct str *s, int64_t *us)
{
	int hours, minutes, sign;

	if (take_char(s, 'Z', 'z'))
		return true;
	sign = s->n && *s->p == '-' ? 1 : -1;
	if (!take_char(s, '-', s->n && *s->p == ' ' ? ' ' : '+') ||
	    !take_digits(s, 2, 0, 23, &hours) || !take_char(s, ':', ':') ||
	    !take_digits(s, 2, 0, 59, &minutes))
		return false;
	*us += sign * (hours * 3600 + minutes * 60) * US;
	return true;
}

bool when_parse_date(struct str s, int64_t *us)
{
	int64_t v;

	if (!take_date(&s, &v) || s.n)
		return false;
	*us = v;
	return true;
}

bool when_parse_instant(struct str s, int64_t *us)
{
	int64_t v;
	int hour, minute, second;

	if (!take_date(&s, &v) || !take_char(&s, 'T', 't') || !take_digits(&s, 2, 0, 23, &hour) ||
	    !take_char(&s, ':', ':') || !take_digits(&s, 2, 0, 59, &minute) ||
	    !take_char(&s, ':', ':') || !take_digits(&s, 2, 0, 60, &second))
		return false;
	v += (hour * 3600 + minute * 60 + second) * US;
	if (!take_fraction(&s, &v) || !take_zone(&s, &v) || s.n)
		return false;
	*us = v;
	return true;
}

static int64_t split(int64_t us, int *year, int *month, int *day)
{
	int64_t days = us / US_A_DAY, rest = us % US_A_DAY;

	if (rest < 0) {
		rest += US_A_DAY;
		days--;
	}
	clock_civil_from_days(days, year, month, day);
	return rest;
}

void when_sql(int64_t us, char out[WHEN_SQL])
{
	int year, month, day;
	int64_t rest = split(us, &year, &month, &day);
	int seconds = (int)(rest / US);

	snprintf(out, WHEN_SQL, "%04d-%02d-%02d %02d:%02d:%02d.%06d+00%s",
	         year > 0 ? year : 1 - year, month, day, seconds / 3600, seconds / 60 % 60,
	         seconds % 60, (int)(rest % US), year > 0 ? "" : " BC");
}

void when_sql_date(int64_t us, char out[WHEN_SQL])
{
	int year, month, day;

	split(us, &year, &month, &day);
	snprintf(out, WHEN_SQL, "%04d-%02d-%02d%s", year > 0 ? year : 1 - year, month, day,
	         year > 0 ? "" : " BC");
}
