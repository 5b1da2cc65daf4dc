/* SPDX-License-Identifier: Apache-2.0
 *
 * numeric.h: the text of a JSON number as PostgreSQL's numeric, digit by digit.
 *
 * Rules: RFC 8259 section 6 for what is a number; set_var_from_str() and numeric_send() of
 * PostgreSQL's utils/adt/numeric.c for what it becomes: base-10000 digits without leading and
 * trailing zeros, and a display scale of the digits behind the point less the exponent, not below
 * 0.
 */
#ifndef FHIRLINE_PG_NUMERIC_H
#define FHIRLINE_PG_NUMERIC_H

#include "base/str.h"

struct pg_numeric {
	const char *digits; /* into the text; one '.' stands at digits[int_len] when frac_len > 0 */
	int64_t int_len;    /* digits before the point as written, … */
	int64_t frac_len;   /* … and behind it */
	int64_t exponent;
	bool negative; /* false for zero */
	int dscale;    /* 0 … 16,383 */
	int ndigits;   /* base-10000 digits; 0 for zero */
	int weight;    /* power of 10000 of the first one; at most 32,767 */
};

/* False when `text` is no JSON number or outside of numeric. `out` points into `text`. */
bool pg_numeric_parse(struct str text, struct pg_numeric *out);

/* Base-10000 digit `i` (0 is the first). */
int pg_numeric_digit(const struct pg_numeric *v, int i);

#endif
