/* SPDX-License-Identifier: Apache-2.0
 *
 * metrics.h: counters of requests by route, method and status, and their durations, in Prometheus'
 * text format. docs/METRICS.md lists all.
 *
 * Labels come from the table of routes and a fixed set of methods, so their number is bounded.
 */
#ifndef FHIRLINE_API_METRICS_H
#define FHIRLINE_API_METRICS_H

#include <stdint.h>

#include "base/buf.h"

struct metrics;

struct metrics *metrics_new(int routes);
void metrics_free(struct metrics *m);

/* `route` is an index into the table, -1: no such path. `method` is a constant string. */
void metrics_count(struct metrics *m, int route, const char *method, int status,
                   int64_t duration_us);

/* `path_of(route)` gives the label. */
void metrics_write(const struct metrics *m, struct buf *out, const char *(*path_of)(int route));

/* One figure with its HELP and TYPE. */
void metrics_gauge(struct buf *out, const char *name, const char *help, int64_t value);
void metrics_counter(struct buf *out, const char *name, const char *help, int64_t value);

#endif
