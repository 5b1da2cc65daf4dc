/* SPDX-License-Identifier: Apache-2.0
 *
 * workflow.h: how a workflow is written: as a function of its history.
 *
 * For each workflow task (something happened) the worker reads the whole history, folds it into
 * what is known, and calls the workflow's `run` from its beginning. `run` does not wait: it asks
 * for what it wants done and looks at what has become of it. Asking again for what history has
 * already is how it looks; only what history lacks becomes a command. So an activity is
 *
 *     const struct temporal_known *page = temporal_task_activity(task, &fetch_page_1);
 *     if (page && page->state == TEMPORAL_STATE_DONE)
 *             … page->result …
 *
 * and a task in which nothing new is asked for answers with no command at all; the server calls
 * again when something has happened.
 *
 * Rules for `run`: no clock, randomness, I/O or global state; the same history must give the same
 * answers. Ids of activities and timers are the memory: one id means one thing for the whole run,
 * it never changes and is never used again. Changed code meets old histories: a version in the
 * input or a marker tells them apart.
 *
 * A history is read again for every task: keep it short. temporal_task_continue() begins a new run
 * with an input of its own; info->events, info->bytes and info->suggest_continue tell when.
 *
 * Errors: `run` returning false, a command that cannot be made (too many, out of memory) or a
 * history over the worker's limit fail the workflow task, not the workflow: the server shows the
 * reason and tries again until the code is repaired. To fail the workflow: temporal_task_fail().
 */
#ifndef FHIRLINE_TEMPORAL_WORKFLOW_H
#define FHIRLINE_TEMPORAL_WORKFLOW_H

#include "temporal/temporal.h"

#define TEMPORAL_COMMANDS_MAX                                                                      \
	2000 /* in one task; the server bounds pending activities at 2,000                         \
	      */

struct temporal_task; /* valid during one call of run or query */

struct temporal_info {
	struct str workflow_id, run_id, type, task_queue;
	struct str first_run_id; /* of the chain of continued runs */
	struct str before;       /* the run that was continued as this one; absent in the first */
	struct temporal_payloads input;
	struct temporal_fields memo, search; /* as given at the start */
	int attempt;
	int64_t started_us; /* the first event's time */
	int64_t now_us;     /* when this task was started: the only clock that `run` may look at */
	int64_t events, bytes;
	bool suggest_continue;
	bool cancel_requested;
	struct str cancel_reason;
};

const struct temporal_info *temporal_task_info(const struct temporal_task *task);

enum temporal_state {
	TEMPORAL_STATE_PENDING,  /* asked for; not ended */
	TEMPORAL_STATE_DONE,     /* an activity's result; a timer that fired; a marker */
	TEMPORAL_STATE_FAILED,   /* an activity failed or timed out, retries included: failure */
	TEMPORAL_STATE_CANCELLED /* cancelled */
};

struct temporal_known {
	struct str id;   /* as given */
	struct str type; /* an activity's */
	enum { TEMPORAL_IS_ACTIVITY, TEMPORAL_IS_TIMER, TEMPORAL_IS_MARKER } kind;
	enum temporal_state state;
	bool cancel_requested;
	int64_t asked_id, ended_id;      /* events; 0: not in history yet */
	int attempt;                     /* of the activity when it ended; 0: not known */
	struct temporal_payloads input;  /* an activity's, as it was asked for */
	struct temporal_payloads result; /* DONE: result, a marker's details; CANCELLED: details */
	const struct temporal_failure *failure;
};

struct temporal_activity {
	const char *id, *type;
	const char *task_queue; /* NULL: the workflow's */
	struct temporal_payloads input;
	int64_t start_to_close_ms;    /* one attempt; this or the next must be given */
	int64_t schedule_to_close_ms; /* all attempts; 0: without end */
	int64_t schedule_to_start_ms; /* waiting for a worker; 0: without end */
	int64_t heartbeat_ms;         /* the longest silence of an attempt; 0: any */
	struct temporal_retry retry;
};

/* Asks for it unless `id` is known, and returns what is known. NULL: the task is to fail (see
 * Errors above). What is returned lives as long as the task. */
const struct temporal_known *temporal_task_activity(struct temporal_task *task,
                                                    const struct temporal_activity *activity);
const struct temporal_known *temporal_task_timer(struct temporal_task *task, const char *id,
                                                 int64_t ms);
const struct temporal_known *temporal_task_marker(struct temporal_task *task, const char *id,
                                                  struct temporal_payloads details);

/* For a changed workflow whose older histories still run: has this run had the change from its
 * first task on? The answer stands in a marker, and holds for the whole run. Every run asks for the
 * same ids in its first task. */
bool temporal_task_patched(struct temporal_task *task, const char *id);

/* Asks to cancel a pending activity (it is told with its next heartbeat, and ends CANCELLED, DONE
 * or FAILED) or timer (CANCELLED at once). Nothing when it has ended or was asked already. */
void temporal_task_cancel(struct temporal_task *task, const struct temporal_known *known);

/* What history knows, without asking for anything. NULL: nothing. Ids of the three kinds do not
 * collide. `i` counts from 0 in the order in which they were asked for. */
const struct temporal_known *temporal_task_find(const struct temporal_task *task, int kind,
                                                const char *id);
const struct temporal_known *temporal_task_known(const struct temporal_task *task, size_t i);

struct temporal_signal {
	struct str name;
	struct temporal_payloads input;
	int64_t event_id;
};

/* All signals so far, oldest first; NULL behind the last. */
const struct temporal_signal *temporal_task_signal(const struct temporal_task *task, size_t i);

/* Memory that lives as long as the task. */
struct arena *temporal_task_arena(struct temporal_task *task);

/* ---- the end of the run: one of these, at most once ---- */

struct temporal_continue {
	const char *type, *task_queue; /* NULL: as now */
	struct temporal_payloads input;
	struct temporal_fields memo, search;     /* empty: as now */
	int64_t run_timeout_ms, task_timeout_ms; /* 0: as now */
};

void temporal_task_complete(struct temporal_task *task, struct temporal_payloads result);
void temporal_task_fail(struct temporal_task *task, const struct temporal_failure *failure);
void temporal_task_cancelled(struct temporal_task *task, struct temporal_payloads details);
void temporal_task_continue(struct temporal_task *task, const struct temporal_continue *as);

/* ---- a workflow, for a worker ---- */

struct temporal_workflow {
	const char *type;
	bool (*run)(struct temporal_task *task, void *ctx, struct err *err);
	/* Answers from what is known; asks for nothing. NULL: no queries. False: the asker gets
	 * err's text. */
	bool (*query)(struct temporal_task *task, const char *name, struct temporal_payloads args,
	              struct temporal_payloads *answer, void *ctx, struct err *err);
	void *ctx;
};

#endif
