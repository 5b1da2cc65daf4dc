/* SPDX-License-Identifier: Apache-2.0
 *
 * limit.h: how hard the source may be pressed, judged from its answers. Three small state machines,
 * used by gate.c under its mutex.
 *
 * All are plain structs without I/O, threads or a clock: each call is told the time, in
 * milliseconds of a monotonic clock. None needs freeing.
 *
 *  - struct limit: how many requests at once (additive increase, multiplicative decrease);
 *  - struct breaker: whether the source is there at all;
 *  - struct bucket: how many requests per second.
 */
#ifndef FHIRLINE_FLOW_LIMIT_H
#define FHIRLINE_FLOW_LIMIT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/rng.h"

/* What an answer says about the source. */
enum limit_signal {
	LIMIT_GOOD,    /* it answered: also 404, 410, 401 and what we could not use */
	LIMIT_PRESSED, /* it asked for less (429, 503) or did not answer in time */
	LIMIT_DOWN,    /* it could not be reached, or what answered was not it (5xx, a cut or broken
	                  answer) */
	LIMIT_NOTHING, /* the request ended for a reason of ours (cancelled, out of memory) */
};

/* `outcome`: NULL for a good answer. */
enum limit_signal limit_signal_of(const struct err *outcome);

/* The adaptive limit. It starts at `cap`, is never above it and never below 1.
 *
 * Answers are looked at in windows of 2 x limit, at least 8. A window of good answers raises the
 * limit by one. An answer that says LIMIT_PRESSED halves it, once for all requests that were under
 * way at that moment: five refusals of one burst are one piece of news.
 *
 * A window whose mean latency is over three times the best (and 100 ms longer) halves it too. But
 * some requests are simply longer than others, so this cut is on trial: when the next window is not
 * faster by a fifth, the crowd was not the cause; the limit goes back to what it was and the longer
 * latency is the new best. */
struct limit {
	int cap;
	int value;        /* the limit now */
	int64_t cut_ms;   /* when it was halved last; requests that began before have no say in a
	                     further cut */
	int answers;      /* good ones of this window … */
	int64_t sum_ms;   /* … and their latencies added up */
	int64_t best_ms;  /* mean of the best window; creeps up to what is usual; -1: none yet */
	int64_t trial_ms; /* a cut for latency is on trial: the mean before it; -1: none */
	int trial_value;  /* and the limit before it */
};

void limit_init(struct limit *l, int cap);
void limit_answer(struct limit *l, enum limit_signal signal, int64_t latency_ms, int64_t now_ms);

/* The circuit breaker. Closed: all pass. It opens after BREAKER_FAILURES answers of LIMIT_PRESSED
 * or LIMIT_DOWN in a row. Open: nothing passes for a pause (500 ms at first, or as long as the
 * source asked for), then one request as a probe; a probe that fails doubles the pause, up to 10 s;
 * up to a fifth is added at random, so that processes do not come back together. Any good answer
 * closes it. */
#define BREAKER_FAILURES 8
#define BREAKER_PAUSE_MS 500
#define BREAKER_PAUSE_MAX_MS 10000

struct breaker {
	bool open;
	bool probing;     /* the probe is at the source */
	int failures;     /* in a row */
	int64_t pause_ms; /* without what was added at random */
	int64_t retry_ms; /* when the next probe may go */
	int64_t probe_ms; /* when the last one went */
	struct rng rng;
};

void breaker_init(struct breaker *b, uint64_t seed);

/* True when a request may go now. */
bool breaker_passes(const struct breaker *b, int64_t now_ms);

/* How long until breaker_passes() can become true by time alone; 0: it is true, -1: it waits for an
 * answer. */
int64_t breaker_wait_ms(const struct breaker *b, int64_t now_ms);

/* A request goes. Only after breaker_passes(). */
void breaker_enter(struct breaker *b, int64_t now_ms);

/* A request came back. `began_ms`: when it went; `others`: how many requests are still at the
 * source; `retry_after_ms`: the source's wish, 0 for none. Answers to requests from before the
 * breaker opened can close it, but do not count as its probe. */
void breaker_answer(struct breaker *b, enum limit_signal signal, int64_t began_ms, int others,
                    int64_t retry_after_ms, int64_t now_ms);

/* The ceiling of requests per second. At most `rate` a second, evenly spread; what was left unused
 * is kept for 50 ms at most, so a late thread does not lower the rate and a pause does not make a
 * burst. A rate of 0 is no ceiling. */
struct bucket {
	int rate;
	int64_t next_us; /* when the next request is due */
};

void bucket_init(struct bucket *b, int rate, int64_t now_ms);
int64_t bucket_wait_ms(const struct bucket *b, int64_t now_ms); /* 0: one may go now */
void bucket_take(struct bucket *b, int64_t now_ms); /* only when bucket_wait_ms() is 0 */

#endif
