/* SPDX-License-Identifier: Apache-2.0
 *
 * gate.h: how many requests may be at the source, and how fast.
 *
 * Every request passes gate_enter() before and gate_leave() after. Three bounds at once:
 *  - the cap (`fhir_concurrency`) over all processes that share the database: a slot is an advisory
 * lock, taken on the gate's own session, so that a process which dies gives its slots back with its
 * session. Free slots are shared fairly: a process that waits gets one within a few turns even when
 * another holds most of them;
 *  - an adaptive limit below the cap: one more after a window of good answers, half after 429, 503
 * or a time-out, and when latency has grown to a multiple of its best (additive increase,
 * multiplicative decrease); never below 1;
 *  - a ceiling of requests per second (token bucket), over the process.
 * A circuit breaker opens after a number of failures in a row with nothing good between (the source
 * is down): then only one request at a time passes as a probe, after a pause that doubles up to a
 * cap, and the first good answer closes it.
 *
 * Waiters are served in turn by run (round robin), so that a big run does not starve small ones.
 */
#ifndef FHIRLINE_FLOW_GATE_H
#define FHIRLINE_FLOW_GATE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/err.h"
#include "pg/conn.h"

struct gate;

struct gate_options {
	int cap;                           /* slots over all processes; 1–256 */
	int rate;                          /* requests per second; 0: no ceiling */
	const char *source_url;            /* slots are per source */
	const struct pg_options *database; /* NULL: this process alone (no slots in the database) */
	const struct clock *clock;
};

struct gate *gate_new(const struct gate_options *options, struct err *err);
void gate_free(struct gate *g);

/* Waits for a permit. `run`: any number that tells runs apart. False: `cancel` became true
 * (ERR_CANCELLED; call gate_wake() after setting it) or the slots' session is lost and cannot be
 * opened again (ERR_DB, retryable). */
bool gate_enter(struct gate *g, uint64_t run, const atomic_bool *cancel, struct err *err);

/* `outcome`: NULL for a good answer, else its error. What it says of the source is judged here
 * (limit.h): a 404, 410 or 401 is an answer like a good one, a request that was cancelled says
 * nothing. `latency_ms`: of the request alone, without the wait at the gate. */
void gate_leave(struct gate *g, const struct err *outcome, int64_t latency_ms);
void gate_wake(struct gate *g);

struct gate_stats {
	int requests; /* inside now */
	int limit;    /* adaptive, now */
	int waiting;
	bool open; /* the breaker */
	int64_t total;
	int64_t errors; /* the source could not be reached, was busy, late or broken */
};
void gate_stats(struct gate *g, struct gate_stats *out);

#endif
