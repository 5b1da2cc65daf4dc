/* SPDX-License-Identifier: Apache-2.0
 *
 * worker.h: a worker: takes workflow and activity tasks from a task queue, runs them, answers.
 *
 * Threads: `workflow_threads` wait for workflow tasks, at most `workflow_polls` of them at once,
 * and run what their poll brings; the same for activities. A poll is only made by a thread that is
 * free, so a worker holds at most `workflow_threads` + `activity_threads` tasks and queues none.
 * Functions of workflows and activities are called on those threads, several at once.
 *
 * When the server is away, polls go on with growing pauses (up to 5 s). An answer that will not
 * change by waiting (wrong namespace, no permission, certificate) is asked for 8 times, with the
 * same pauses; then the worker drains and temporal_worker_wait() gives the reason.
 *
 * A workflow task that fails is refused, so that another worker may have it; what fails again and
 * again is refused ever later (refusal.h).
 *
 * An answer (Respond…) is repeated by the connection's retry policy. A task that the server does
 * not know any more is dropped: somebody else has it, or nobody needs it.
 *
 * Heartbeats: temporal_activity_heartbeat() is cheap and may be called often: it sends the first at
 * once and then one per 0.8 of the activity's heartbeat time-out (30 s when it has none, 60 s at
 * most); in between it keeps the newest details, which go along should the activity fail. The
 * answers bring cancellation.
 *
 * Draining: polls end, what runs goes on; activities that have not ended after drain_ms are asked
 * to stop (TEMPORAL_STOPPING), which they should answer by failing retryably: another worker takes
 * them up with their last heartbeat's details. Killed instead, nothing is lost either: the server
 * notices by the time-outs.
 */
#ifndef FHIRLINE_TEMPORAL_WORKER_H
#define FHIRLINE_TEMPORAL_WORKER_H

#include <stdatomic.h>

#include "temporal/workflow.h"

/* ---- activities ---- */

struct temporal_activity_task; /* valid during one call of run */

struct temporal_activity_info {
	struct str workflow_id, run_id, workflow_type, id, type;
	struct temporal_payloads input;
	struct temporal_payloads heartbeat;      /* the last details of the attempt before */
	int attempt;                             /* 1 is the first */
	int64_t start_to_close_ms, heartbeat_ms; /* 0: none */
};

const struct temporal_activity_info *
temporal_activity_info(const struct temporal_activity_task *task);

enum temporal_order {
	TEMPORAL_GO_ON,
	TEMPORAL_CANCEL,  /* the workflow wants it ended: return false with ERR_CANCELLED */
	TEMPORAL_LOST,    /* the server does not wait for it any more: end; nobody will look */
	TEMPORAL_STOPPING /* the worker ends: return false with a retryable error */
};

/* "I live, and came as far as `details`". From one thread at a time; not after `run` has returned.
 */
enum temporal_order temporal_activity_heartbeat(struct temporal_activity_task *task,
                                                struct temporal_payloads details);

/* Becomes true with any order but GO_ON; for what wants to be asked from another thread. */
const atomic_bool *temporal_activity_stop_flag(const struct temporal_activity_task *task);

/* Copies; the last one counts. Without it the result is none. */
bool temporal_activity_result(struct temporal_activity_task *task, struct temporal_payloads result,
                              struct err *err);

/* The failure to report when `run` returns false, instead of temporal_failure_of(err). Copies. */
bool temporal_activity_failure(struct temporal_activity_task *task,
                               const struct temporal_failure *failure, struct err *err);

struct arena *temporal_activity_arena(struct temporal_activity_task *task);

struct temporal_activity_type {
	const char *type;
	/* True: completed. False: failed with `err` (retryable or not: the server repeats it by the
	 * activity's policy), or, when cancellation was asked for, with ERR_CANCELLED: cancelled.
	 */
	bool (*run)(struct temporal_activity_task *task, void *ctx, struct err *err);
	void *ctx;
};

/* ---- the worker ---- */

enum temporal_notice {
	TEMPORAL_POLL_FAILED,     /* name: "workflow" or "activity" */
	TEMPORAL_TASK_FAILED,     /* a workflow task; name: the workflow's type */
	TEMPORAL_ACTIVITY_FAILED, /* an attempt; name: the activity's type */
	TEMPORAL_ANSWER_LOST,     /* an answer did not reach the server, or came too late */
};

struct temporal_worker_options { /* what is pointed to must outlive the worker */
	const char *task_queue;
	const char
	    *build_id; /* of this program, shown by the server with what it did; NULL: none */
	const char *deployment; /* the name that build ids belong to; NULL: the task queue's */
	const struct temporal_workflow *workflows;
	size_t n_workflows;
	const struct temporal_activity_type *activities;
	size_t n_activities;
	int workflow_polls, workflow_threads; /* 0: 2 and 2; without workflows: none */
	int activity_polls,
	    activity_threads;    /* 0: 2 and 4; without activities: none; at most 256 */
	double queue_per_second; /* activities that the server hands out to all workers of the queue
	                            together; 0: no limit */
	size_t max_history;      /* memory for one workflow task's history; 0: 64 MiB */
	int64_t drain_ms;        /* 0: 10 s */
	/* Called on the worker's threads; must return soon. May be NULL. */
	void (*notice)(void *ctx, enum temporal_notice what, const char *name,
	               const struct err *err);
	void *notice_ctx;
};

struct temporal_worker_stats {
	int64_t polls, poll_errors;
	int64_t tasks, tasks_failed, queries;
	int64_t activities, activities_failed, activities_cancelled;
	int64_t heartbeats; /* sent */
	int64_t answers_lost;
	int running; /* tasks now */
};

struct temporal_worker;

struct temporal_worker *temporal_worker_start(struct temporal *t,
                                              const struct temporal_worker_options *options,
                                              struct err *err);

/* Begins to drain; returns at once. May be called again. */
void temporal_worker_drain(struct temporal_worker *w);

/* Waits until it has drained, at most `ms` (-1: without end): TEMPORAL_WAIT_*. ENDED_BADLY: it
 * ended by itself, *err says why. */
enum temporal_wait { TEMPORAL_WAIT_RUNNING, TEMPORAL_WAIT_ENDED, TEMPORAL_WAIT_ENDED_BADLY };
enum temporal_wait temporal_worker_wait(struct temporal_worker *w, int64_t ms, struct err *err);

void temporal_worker_stats(struct temporal_worker *w, struct temporal_worker_stats *out);

/* Drains, waits, frees. */
void temporal_worker_free(struct temporal_worker *w);

#endif
