/* SPDX-License-Identifier: Apache-2.0
 *
 * engine.h: runs driven by Temporal workflows (docs/TEMPORAL.md).
 *
 * The database stays the place where runs are asked for, cancelled and looked at; a herald, a
 * thread in every process of this engine, tells Temporal what stands there: it starts a workflow
 * `ingest-<zip>` for each run that waits, cancels those of cancelled runs, keeps the leases of runs
 * whose workflow lives and ends runs whose workflow was terminated. All of it may be done by any
 * number of heralds at once, and be done again: nothing is lost when a process dies between the
 * database and Temporal, or when Temporal is away.
 *
 * A build without Temporal has these functions too (absent.c): they fail with ERR_CONFIG.
 */
#ifndef FHIRLINE_WORKFLOW_ENGINE_H
#define FHIRLINE_WORKFLOW_ENGINE_H

#include "flow/flow.h"
#include "temporal/temporal.h"

struct workflow_settings { /* what is pointed to must outlive the engine and the worker */
	struct temporal_options connection;
	const char *task_queue;
	const char *build_id;
	int run_activities; /* of one run at once, all workers together; 1–1,000 */
	int64_t continue_events;
	/* the flow's: of what workflows are started with */
	int patients_per_batch;
	int64_t merge_rows;
	struct retry_policy retry;
	int64_t lease_ms;
	struct pg_options database;
	const char *only_run; /* heralds this run alone; NULL: all */
};

/* Of the setting temporal-payload-key (temporal/cipher.h). */
struct temporal_cipher *workflow_cipher_new(const char *keys, struct err *err);
void workflow_cipher_free(struct temporal_cipher *c);

/* Is Temporal there, may we in? `version` becomes the server's. Gives up after some seconds. */
bool workflow_check(const struct workflow_settings *settings, char *version, size_t size,
                    struct err *err);

/* ---- the herald ---- */

struct workflow_herald;

/* Returns at once; connections are made, and made again, by its thread. */
struct workflow_herald *workflow_herald_start(const struct workflow_settings *settings,
                                              struct err *err);
void workflow_herald_wake(struct workflow_herald *h); /* something was asked for: look now */
void workflow_herald_stop(struct workflow_herald *h); /* NULL is fine */

/* Does Temporal answer? False: why not, for a person. */
bool workflow_herald_well(struct workflow_herald *h, char *text, size_t size);

/* ---- the worker ---- */

struct workflow_worker;

/* `flow`: what activities work with; its `workers` are the activities at once here, and so many
 * connections to the database are opened. */
struct workflow_worker *workflow_worker_start(const struct workflow_settings *settings,
                                              const struct flow_settings *flow, struct err *err);

/* Waits at most `ms`. True: goes on. False: it has ended by itself, *err says why. */
bool workflow_worker_wait(struct workflow_worker *w, int64_t ms, struct err *err);

struct workflow_stats {
	int64_t polls, poll_errors, tasks, tasks_failed, queries;
	int64_t activities, activities_failed, activities_cancelled, heartbeats, answers_lost;
	int running;
};
void workflow_worker_stats(struct workflow_worker *w, struct workflow_stats *tasks,
                           struct flow_engine_stats *flow);

/* Takes no more tasks, lets what runs end for some seconds, then stops it: other workers go on.
 * NULL is fine. */
void workflow_worker_stop(struct workflow_worker *w);

#endif
