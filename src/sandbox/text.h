/* SPDX-License-Identifier: Apache-2.0
 *
 * text.h: writing text through a bare pointer, for the generators' hot path. Nothing here checks
 * for room: callers reserve the most that a resource can need (GENERATE_MAX) before they start.
 */
#ifndef FHIRLINE_SANDBOX_TEXT_H
#define FHIRLINE_SANDBOX_TEXT_H

#include <stdint.h>
#include <string.h>

#include "base/clock.h"
#include "base/str.h"

#define w_lit(w, s) w_bytes((w), "" s, sizeof(s) - 1)

static inline char *w_bytes(char *w, const void *p, size_t n)
{
	memcpy(w, p, n);
	return w + n;
}

static inline char *w_str(char *w, struct str s)
{
	return s.n ? w_bytes(w, s.p, s.n) : w;
}

static inline char *w_cstr(char *w, const char *s)
{
	return w_bytes(w, s, strlen(s));
}

static inline char *w_pair(char *w, unsigned v)
{
	w[0] = (char)('0' + v / 10 % 10);
	w[1] = (char)('0' + v % 10);
	return w + 2;
}

static inline char *w_uint(char *w, uint64_t v)
{
	char t[20];
	size_t n = 0;

	do {
		t[n++] = (char)('0' + v % 10);
		v /= 10;
	} while (v);
	while (n)
		*w++ = t[--n];
	return w;
}

/* v / 10^places as a decimal with exactly so many places. */
static inline char *w_decimal(char *w, int64_t v, unsigned places)
{
	uint64_t u = v < 0 ? (uint64_t)-v : (uint64_t)v;
	uint64_t unit = 1;

	for (unsigned k = 0; k < places; k++)
		unit *= 10;
	if (v < 0)
		*w++ = '-';
	w = w_uint(w, u / unit);
	if (!places)
		return w;
	*w++ = '.';
	for (uint64_t rest = u % unit, k = unit / 10; k; k /= 10)
		*w++ = (char)('0' + rest / k % 10);
	return w;
}

static inline char *w_hex(char *w, uint64_t v, unsigned digits)
{
	while (digits--)
		*w++ = "0123456789abcdef"[v >> (4 * digits) & 15];
	return w;
}

/* "2019-07-04" */
static inline char *w_date(char *w, int64_t days)
{
	int y, m, d;

	clock_civil_from_days(days, &y, &m, &d);
	w = w_pair(w, (unsigned)y / 100);
	w = w_pair(w, (unsigned)y % 100);
	*w++ = '-';
	w = w_pair(w, (unsigned)m);
	*w++ = '-';
	return w_pair(w, (unsigned)d);
}

/* "2019-07-04T12:34:56" of a local time in seconds; no zone. */
static inline char *w_seconds(char *w, int64_t s)
{
	int64_t days = s / 86400 - (s % 86400 < 0);
	unsigned rest = (unsigned)(s - days * 86400);

	w = w_date(w, days);
	*w++ = 'T';
	w = w_pair(w, rest / 3600);
	*w++ = ':';
	w = w_pair(w, rest / 60 % 60);
	*w++ = ':';
	return w_pair(w, rest % 60);
}

/* HAPI's instant: "2019-07-04T12:34:56.123+00:00". */
static inline char *w_instant(char *w, int64_t us)
{
	int64_t s = us / 1000000 - (us % 1000000 < 0);
	unsigned ms = (unsigned)((us - s * 1000000) / 1000);

	w = w_seconds(w, s);
	*w++ = '.';
	*w++ = (char)('0' + ms / 100);
	w = w_pair(w, ms % 100);
	return w_lit(w, "+00:00");
}

#endif
