/* SPDX-License-Identifier: Apache-2.0
 *
 * clock.h: time as an argument, and its text forms.
 *
 * Instants are int64_t microseconds since 1970-01-01T00:00:00Z (UTC, no leap seconds). What waits
 * or judges time takes a `const struct clock *`, so that a test can move it.
 */
#ifndef FHIRLINE_BASE_CLOCK_H
#define FHIRLINE_BASE_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

struct clock {
	int64_t (*now_us)(void *ctx);  /* wall clock, UTC */
	int64_t (*mono_ms)(void *ctx); /* monotonic, for time-outs */
	void *ctx;
};

/* The system's clock. The wall clock is shifted by FHIRLINE_TEST_CLOCK_SHIFT_S seconds when that is
 * set. */
extern const struct clock clock_system;

static inline int64_t clock_now_us(const struct clock *c)
{
	return c->now_us(c->ctx);
}

static inline int64_t clock_mono_ms(const struct clock *c)
{
	return c->mono_ms(c->ctx);
}

void clock_sleep_ms(int64_t ms); /* monotonic; returns early on a signal */

#define CLOCK_TEXT 32 /* bytes that any text form here needs, with its '\0' */

/* "2024-02-29T12:34:56.123456Z"; the fraction is left out when it is zero. Years 0001–9999. */
void clock_format(int64_t us, char out[CLOCK_TEXT]);

/* An HTTP date (RFC 9110 5.6.7, the IMF-fixdate form). False when it is not one. */
bool clock_parse_http(struct str s, int64_t *us);

/* Proleptic Gregorian calendar. Days since 1970-01-01. */
int64_t clock_days_from_civil(int year, int month, int day);
void clock_civil_from_days(int64_t days, int *year, int *month, int *day);
int clock_days_in_month(int year, int month);

#endif
