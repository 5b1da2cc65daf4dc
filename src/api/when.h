/* SPDX-License-Identifier: Apache-2.0
 *
 * when.h: dates and times in parameters: RFC 3339 full-date and date-time, years 0000–9999.
 */
#ifndef FHIRLINE_API_WHEN_H
#define FHIRLINE_API_WHEN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

/* µs since 1970, UTC. Digits behind microseconds are cut; second 60 is the second after 59. A ' '
 * where '+' of the zone belongs is taken for it: that is what an unescaped '+' in a query becomes.
 */
bool when_parse_date(struct str s, int64_t *us);
bool when_parse_instant(struct str s, int64_t *us);

#define WHEN_SQL 48
/* As PostgreSQL reads timestamptz and date: "2024-02-29 12:34:56.000000+00", with " BC" behind for
 * the year 0. */
void when_sql(int64_t us, char out[WHEN_SQL]);
void when_sql_date(int64_t us, char out[WHEN_SQL]);

#endif
