/* SPDX-License-Identifier: Apache-2.0
 *
 * refusal.h: workflow tasks that failed, told to the server (RespondWorkflowTaskFailed). Internal.
 *
 * The server hands a task that failed out again at once, to the same worker when that one asks
 * first. So what fails whenever it is tried (a payload's key that is not known here, a workflow
 * type that the worker has not, a bug) would go round as fast as the server can; and as the server
 * gives a task longer to end the more attempts it had (10 s up to the third, then 5 s doubled up to
 * 10 minutes), whoever was stopped with such a task would keep all others from it for that long.
 *
 * The first refusal is told at once, so that another worker may have the task; from the second
 * attempt on it waits: 100 ms, doubled with each, at most 5 s. No thread is held meanwhile. At most
 * REFUSALS_MAX wait; what is refused beyond that is not told, and comes back when the server's
 * time-out has passed. A worker that drains tells all of them at once.
 */
#ifndef FHIRLINE_TEMPORAL_REFUSAL_H
#define FHIRLINE_TEMPORAL_REFUSAL_H

#include <pthread.h>

#include "temporal/pb.h"
#include "temporal/temporal.h"

#define REFUSALS_MAX 64

struct temporal_worker;

struct refusal {
	int64_t due_ms; /* of the monotonic clock */
	struct err why;
	ProtobufCBinaryData token; /* malloc */
	char name[128];            /* the workflow's type, for notices */
};

struct refusals {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	pthread_t thread;
	bool stop;
	struct refusal waiting[REFUSALS_MAX]; /* in no order */
	int n;
};

/* A thread that tells those whose time has come. */
bool refusals_start(struct temporal_worker *w, struct err *err);

/* From any thread; `token` and `name` are copied. */
void refusals_add(struct temporal_worker *w, ProtobufCBinaryData token, int attempt,
                  const char *name, const struct err *why);

/* All that wait are told now, and from here on those that come. */
void refusals_stop(struct temporal_worker *w);

/* After refusals_stop(): waits until all are told. */
void refusals_free(struct temporal_worker *w);

#endif
