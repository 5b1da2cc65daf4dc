/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "fhir/element.h"

#define US 1000000LL
#define DAY_US (86400 * US)

/* `n` digits at *at as a number; -1 when they are not there. */
static int digits(struct str s, size_t *at, size_t n)
{
	int v = 0;

	if (s.n - *at < n)
		return -1;
	for (size_t i = 0; i < n; i++) {
		unsigned d = (unsigned char)s.p[*at + i] - (unsigned)'0';

		if (d > 9)
			return -1;
		v = v * 10 + (int)d;
	}
	*at += n;
	return v;
}

static bool skip(struct str s, size_t *at, char c)
{
	if (*at >= s.n || s.p[*at] != c)
		return false;
	++*at;
	return true;
}

/* ".123456789": one digit or more, cut to microseconds. */
static bool parse_fraction(struct str s, size_t *at, int64_t *us)
{
	int64_t unit = US / 10;
	size_t from = *at;

	*us = 0;
	for (; *at < s.n && s.p[*at] >= '0' && s.p[*at] <= '9'; ++*at) {
		*us += (s.p[*at] - '0') * unit;
		unit /= 10;
	}
	return *at > from;
}

/* The zone to the end of the text, as minutes east of UTC. Nothing there is UTC. */
static bool parse_zone(struct str s, size_t at, int *minutes)
{
	int sign = 1, h, m;

	*minutes = 0;
	if (at == s.n)
		return true;
	if (skip(s, &at, 'Z'))
		return at == s.n;
	if (!skip(s, &at, '+')) {
		if (!skip(s, &at, '-'))
			return false;
		sign = -1;
	}
	h = digits(s, &at, 2);
	if (h < 0 || !skip(s, &at, ':'))
		return false;
	m = digits(s, &at, 2);
	if (m < 0 || m > 59 || h > 14 || (h == 14 && m > 0) || at != s.n)
		return false;
	*minutes = sign * (h * 60 + m);
	return true;
}

/* From behind the "T" to the end: microseconds from the day's first instant in UTC. */
static bool parse_time(struct str s, size_t at, int64_t *us)
{
	int h = digits(s, &at, 2), m, sec, zone;
	int64_t fraction = 0;

	if (h < 0 || h > 23 || !skip(s, &at, ':'))
		return false;
	m = digits(s, &at, 2);
	if (m < 0 || m > 59 || !skip(s, &at, ':'))
		return false;
	sec = digits(s, &at, 2);
	/* 60 is a leap second, which UTC's microseconds do not know: it counts as the next one */
	if (sec < 0 || sec > 60)
		return false;
	if (skip(s, &at, '.') && !parse_fraction(s, &at, &fraction))
		return false;
	if (!parse_zone(s, at, &zone))
		return false;
	*us = ((int64_t)(h * 60 + m - zone) * 60 + sec) * US + fraction;
	return true;
}

/* Years 0001 to 9999, which every text form of ours can show. */
static bool in_range(int64_t us)
{
	const int64_t first = -719162, end = 2932897; /* 0001-01-01, 10000-01-01 in days */

	return us >= first * DAY_US && us < end * DAY_US;
}

bool fhir_parse_datetime(struct str s, int64_t *us, enum fhir_precision *precision)
{
	size_t at = 0;
	int year = digits(s, &at, 4), month = 1, day = 1;
	enum fhir_precision p = FHIR_YEAR;
	int64_t time = 0, v;

	if (year < 1)
		return false;
	if (at < s.n) {
		if (!skip(s, &at, '-') || (month = digits(s, &at, 2)) < 1 || month > 12)
			return false;
		p = FHIR_MONTH;
	}
	if (at < s.n) {
		if (!skip(s, &at, '-') || (day = digits(s, &at, 2)) < 1 ||
		    day > clock_days_in_month(year, month))
			return false;
		p = FHIR_DAY;
	}
	if (at < s.n) {
		if (!skip(s, &at, 'T') || !parse_time(s, at, &time))
			return false;
		p = FHIR_SECOND;
	}
	v = clock_days_from_civil(year, month, day) * DAY_US + time;
	if (!in_range(v))
		return false;
	*us = v;
	*precision = p;
	return true;
}

const char *fhir_precision_name(enum fhir_precision p)
{
	static const char *const names[] = {"year", "month", "day", "second"};

	return names[p];
}

int64_t fhir_as_time(struct fhir_mapping *m, yyjson_val *v, const struct fhir_path *up,
                     const char *name, const char **precision)
{
	struct str s = fhir_as_str(m, v, up, name);
	enum fhir_precision p;
	int64_t us;

	if (precision)
		*precision = NULL;
	if (!s.p)
		return INT64_MIN;
	if (!fhir_parse_datetime(s, &us, &p)) {
		fhir_reject_at(m, up, name, "is not a FHIR date or time");
		return INT64_MIN;
	}
	if (precision)
		*precision = fhir_precision_name(p);
	return us;
}

struct fhir_span fhir_as_period(struct fhir_mapping *m, yyjson_val *v, const struct fhir_path *up,
                                const char *name)
{
	struct fhir_path at = {up, name, 0};
	yyjson_val *period = fhir_as_object(m, v, up, name);
	struct fhir_span span;

	span.start = fhir_as_time(m, fhir_key(period, "start"), &at, "start", &span.precision);
	span.end = fhir_as_time(m, fhir_key(period, "end"), &at, "end", NULL);
	return span;
}

/* A period's date when it is one. */
static bool read_bound(yyjson_val *v, int64_t *us, enum fhir_precision *p)
{
	return yyjson_is_str(v) &&
	       fhir_parse_datetime((struct str){yyjson_get_str(v), yyjson_get_len(v)}, us, p);
}

/* The first instant after the year, month or day that begins at `us`. */
static int64_t after(int64_t us, enum fhir_precision p)
{
	int year, month, day;

	if (p == FHIR_DAY)
		return us + DAY_US;
	/* a date without a time has no fraction of a day, so that the division is exact */
	clock_civil_from_days(us / DAY_US, &year, &month, &day);
	if (p == FHIR_YEAR || month == 12)
		return clock_days_from_civil(year + 1, 1, 1) * DAY_US;
	return clock_days_from_civil(year, month + 1, 1) * DAY_US;
}

bool fhir_is_current(const struct fhir_mapping *m, yyjson_val *object)
{
	yyjson_val *period = fhir_key(object, "period");
	enum fhir_precision p;
	int64_t us;

	if (read_bound(fhir_key(period, "start"), &us, &p) && us > m->now_us)
		return false;
	if (!read_bound(fhir_key(period, "end"), &us, &p))
		return true;
	return p == FHIR_SECOND ? us >= m->now_us : after(us, p) > m->now_us;
}
