/* SPDX-License-Identifier: Apache-2.0
 *
 * engine_impl.h: what engine.c, control.c, task.c and job.c share. Not for others.
 *
 * One mutex guards the engine and what its runs say about their progress; no database or network
 * work is done while it is held. Locks are taken in the order engine, run.
 */
#ifndef FHIRLINE_FLOW_ENGINE_IMPL_H
#define FHIRLINE_FLOW_ENGINE_IMPL_H

#include "flow/hand.h"
#include "flow/internal.h"
#include "flow/owner.h"

enum {
	MAX_RUNS = 64, /* owned at once */
	MAX_WORKERS = 64,
	TURN_MS = 250, /* the control thread looks around this often while there is work */
	IDLE_MS = 1000,
	END_WAIT_MS = 500,
};

struct task {
	struct flow_action action;
	struct task *next;
};

struct job { /* a run in this engine */
	struct flow_run *run;
	struct task *head, *tail;
	unsigned under_way;
	bool gone; /* ended, lost or given up: goes away when nothing is under way */
};

struct flow_engine {
	struct flow_settings settings;
	char *database_url, *application_name, *only_run;
	char owner[OWNER_TEXT];
	struct gate *gate;
	struct flow_totals totals;

	pthread_mutex_t lock;
	pthread_cond_t work; /* for workers */
	pthread_cond_t look; /* for the control thread */
	bool stopping, woken;
	struct job *jobs[MAX_RUNS];
	size_t job_count, turn;

	pthread_t control;
	bool control_started;
	pthread_t workers[MAX_WORKERS];
	int worker_count;
	struct hand hands[MAX_WORKERS]; /* of the worker of that number */
	atomic_int numbers;             /* of workers, given so far */
	int under_way;                  /* tasks of all runs */
};

/* job.c: with the engine's mutex held ---- */

void engine_run_stop(struct flow_engine *e, struct flow_run *run);
void engine_run_break(struct flow_engine *e, struct flow_run *run, const struct err *why);
struct flow_batch *job_batch_find(struct flow_run *run, uint32_t seq);
void job_advance(struct flow_engine *e, struct job *job);
void job_drop_queue(struct job *job);
void job_remove(struct flow_engine *e, struct job *job);

/* task.c ---- */

/* Does one action of the plan, on a worker. */
bool task_run(struct flow_engine *e, struct flow_work *w, struct flow_run *run,
              struct flow_action *a, struct err *err);
bool task_reload_states(struct flow_engine *e, struct flow_work *w, struct flow_run *run,
                        struct err *err);

/* What follows from its end, with the engine's mutex held. */
void task_finish(struct flow_engine *e, struct job *job, const struct flow_action *a, bool ok,
                 const struct err *err);
void task_log_end(const struct flow_run *run, const struct flow_action *a, bool ok,
                  const struct err *err);

/* engine.c ---- */

bool engine_stopping(struct flow_engine *e);
bool engine_connect(struct flow_engine *e, const char *what, struct pg_conn **conn,
                    struct err *err);

/* control.c: the control thread; `arg` is the engine. */
void *control_main(void *arg);

#endif
