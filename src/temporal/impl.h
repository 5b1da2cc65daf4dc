/* SPDX-License-Identifier: Apache-2.0
 *
 * impl.h: what a worker is made of: worker.c keeps it, decide.c runs workflow tasks, perform.c
 * activities. Internal.
 */
#ifndef FHIRLINE_TEMPORAL_IMPL_H
#define FHIRLINE_TEMPORAL_IMPL_H

#include "temporal/conn.h"
#include "temporal/lane.h"
#include "temporal/pb.h"
#include "temporal/refusal.h"
#include "temporal/worker.h"

struct worker_counts {
	atomic_llong polls, poll_errors, tasks, tasks_failed, queries;
	atomic_llong activities, activities_failed, activities_cancelled, heartbeats, answers_lost;
};

struct temporal_worker {
	struct temporal *t;
	struct temporal_worker_options o; /* defaults filled in */
	struct worker_counts counts;
	PbDeployment deployment; /* when has_deployment: sent with polls and answers */
	bool has_deployment;
	struct lane workflows, activities;
	struct refusals refusals;
	pthread_t keeper; /* drains, and notices the end */
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool draining, ended, ended_badly; /* under lock, as what follows */
	struct err reason;
	struct temporal_activity_task *performing; /* a list */
};

extern const struct lane_ops decide_ops, perform_ops;

/* What a poll brought: the answer and the memory it lives in. */
struct polled {
	struct arena arena;
	void *answer;
};

/* The long poll of both lanes. *out NULL: it ended with nothing. */
bool worker_poll(struct temporal_worker *w, const char *method, const void *request,
                 const ProtobufCMessageDescriptor *answer, struct polled **out, struct err *err);
void polled_free(struct polled *p);

bool worker_poll_failed(struct temporal_worker *w, const char *lane, const struct err *err,
                        int attempts);
int64_t worker_pause_ms(const struct err *err, int attempts, struct rng *rng);

/* Sends an answer. False: it did not arrive or is not wanted; counted and told. */
bool worker_answer(struct temporal_worker *w, const char *method, const void *request,
                   const ProtobufCMessageDescriptor *answer, const char *name, struct err *err);

void worker_notice(struct temporal_worker *w, enum temporal_notice what, const char *name,
                   const struct err *err);

/* NULL when no build id was given. */
PbDeployment *worker_deployment(struct temporal_worker *w);

/* All activities that run are told to stop. */
void perform_stop_all(struct temporal_worker *w);

#endif
