/* SPDX-License-Identifier: Apache-2.0
 *
 * lane.h: threads that wait for tasks, and threads that run them. Internal.
 *
 * A waiting thread first takes a free place of the running ones, then polls: what it brings is run
 * at once, and never more than `threads` tasks are here.
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

struct lane {
	const struct lane_ops *ops;
	void *ctx;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	pthread_t threads[2 * LANE_THREADS_MAX];
	int started;
	int places;                    /* threads that run */
	int in_use;                    /* of the places: being polled for, waiting or running */
	int running;                   /* tasks */
	int pollers;                   /* alive */
	int runners;                   /* alive */
	void *queue[LANE_THREADS_MAX]; /* tasks that a place was kept for */
	int head, waiting;
	bool stop;
	struct rng rng;
};

/* Zero threads: a lane that does nothing. */
bool lane_start(struct lane *l, const struct lane_ops *ops, void *ctx, int polls, int threads,
                struct err *err);
void lane_stop(struct lane *l);   /* no new polls; what was polled is run */
int lane_pollers(struct lane *l); /* alive */
int lane_running(struct lane *l); /* tasks */
bool lane_ended(struct lane *l);  /* all threads have come to their end */
void lane_free(struct lane *l);   /* joins them */

#endif
