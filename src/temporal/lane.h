/* SPDX-License-Identifier: Apache-2.0
 *
 * lane.h: threads that poll for tasks and run them. Internal.
 *
 * Each thread polls, when one of the `polls` turns is free, and runs what the poll brought; another
 * takes the turn meanwhile. So a task is not handed from thread to thread, a poll is only made when
 * a thread is free to run what it may bring, and never more than `threads` tasks are here.
 */
#ifndef FHIRLINE_TEMPORAL_LANE_H
#define FHIRLINE_TEMPORAL_LANE_H

#include <pthread.h>

#include "base/rng.h"
#include "temporal/temporal.h"

#define LANE_THREADS_MAX 256

struct lane_ops {
	/* One long poll: *task is the caller's, NULL when it ended with none. */
	bool (*poll)(void *ctx, void **task, struct err *err);
	void (*run)(void *ctx, void *task); /* and frees it */
	/* A poll failed; `attempts` in a row. False: do not poll any more. */
	bool (*failed)(void *ctx, const struct err *err, int attempts);
	/* How long to wait after `attempts` failures in a row. */
	int64_t (*pause_ms)(void *ctx, const struct err *err, int attempts, struct rng *rng);
};

struct lane_turn {
	bool taken;   /* a thread polls, or waits before it polls again */
	bool closed;  /* it is not to be polled any more */
	int failures; /* in a row */
};

struct lane {
	const struct lane_ops *ops;
	void *ctx;
	pthread_mutex_t lock;
	pthread_cond_t free; /* a turn was given back */
	pthread_cond_t stopped;
	pthread_t threads[LANE_THREADS_MAX];
	int started;
	int alive; /* threads */
	struct lane_turn turns[LANE_THREADS_MAX];
	int n_turns;
	int running; /* tasks */
	bool stop;
	struct rng rng;
};

/* Zero threads: a lane that does nothing. */
bool lane_start(struct lane *l, const struct lane_ops *ops, void *ctx, int polls, int threads,
                struct err *err);
void lane_stop(struct lane *l);   /* no new polls; what was polled is run */
int lane_pollers(struct lane *l); /* turns that are not closed; once stopped: polls under way */
int lane_running(struct lane *l); /* tasks */
bool lane_ended(struct lane *l);  /* all threads have come to their end */
void lane_free(struct lane *l);   /* joins them */

#endif
