/* SPDX-License-Identifier: Apache-2.0
 *
 * A task is one action of the plan: which activity does it, and what its end means for the run.
 */
#include "flow/engine_impl.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"

/* A batch's own trouble, which says nothing about the others. */
static bool is_batch_trouble(enum err_code code)
{
	return code == ERR_NOT_FOUND || code == ERR_GONE || code == ERR_PROTOCOL ||
	       code == ERR_LIMIT || code == ERR_DATA;
}

struct giving_up {
	const struct flow_batch *batch;
	const char *why;
};

static bool give_up(struct flow_work *w, struct flow_run *run, void *arg, struct err *err)
{
	const struct giving_up *g = arg;

	return flow_store_batch_failed(w->conn, run, g->batch, g->why, err);
}

bool flow_run_batch(struct flow_work *w, struct flow_run *run, struct flow_batch *b,
                    struct err *err)
{
	struct flow_landed landed = {0};
	struct err e = {0};
	bool ok;

	if (!flow_store_batch_begin(w, run, b, err))
		return false;
	ok = flow_read(w, run, b, &landed, err);
	if (ok) {
		ok = flow_stage(w, run, b, &landed, err);
		flow_landed_free(&landed);
	}
	if (ok || !is_batch_trouble(err->code) || atomic_load(&run->stop))
		return ok;
	if (!flow_try_db(w, run, give_up, &(struct giving_up){b, err->text}, &e)) {
		*err = e;
		return false;
	}
	log_warn("a batch was given up", LOG_STR("run", run->id), LOG_INT("batch", b->seq),
	         LOG_STR("error", err->text));
	b->state = FLOW_FAILED;
	return true;
}

/* The end must be written down, however long the database is away: until the engine stops or the
 * run is somebody else's. */
static bool end_run(struct flow_engine *e, struct flow_work *w, struct flow_run *run,
                    const char *state, const struct err *why, struct err *err)
{
	for (;;) {
		struct err x = {0};

		if (pg_conn_ready(w->conn, &x) && flow_store_end(w->conn, run, state, why, &x))
			return true;
		if (x.code == ERR_CONFLICT || !x.retryable || engine_stopping(e)) {
			*err = x;
			return false;
		}
		clock_sleep_ms(END_WAIT_MS);
	}
}

bool task_run(struct flow_engine *e, struct flow_work *w, struct flow_run *run,
              struct flow_action *a, struct err *err)
{
	switch (a->kind) {
	case FLOW_LOOK:
		return flow_look(w, run, err);
	case FLOW_RUN_BATCH:
		return flow_run_batch(w, run, &a->batch, err);
	case FLOW_MERGE:
		return flow_merge(w, run, err);
	case FLOW_SWEEP:
		return flow_sweep(w, run, err);
	case FLOW_RECONCILE:
		return flow_reconcile(w, run, err);
	case FLOW_END_CANCELLED:
		return end_run(e, w, run, "cancelled", NULL, err);
	case FLOW_END_FAILED:
		return end_run(e, w, run, "failed", &run->failure, err);
	}
	return err_set(err, ERR_INTERNAL, "flow.engine",
	               "an action that this engine does not know");
}

static bool load_batches(struct flow_work *w, struct flow_run *run, void *arg, struct err *err)
{
	(void)run;
	return flow_store_load_batches(w->conn, arg, err);
}

/* A batch that stands as staged here and as pending in the database has lost its commit: a server
 * that is not durable came back. It is staged again, from its object. */
static void take_states(struct flow_run *run, const struct flow_run *stored)
{
	for (size_t i = 0; i < stored->batch_count; i++) {
		const struct flow_batch *s = &stored->batches[i];
		struct flow_batch *b = job_batch_find(run, s->seq);

		if (b && (s->state == FLOW_MERGED || s->state == FLOW_MERGING))
			*b = *s;
		else if (b && b->state == FLOW_STAGED && s->state == FLOW_PENDING && b->settled)
			b->state = FLOW_PENDING;
	}
}

/* What a merge has merged stands in the database: batches may have been staged while it went on. */
bool task_reload_states(struct flow_engine *e, struct flow_work *w, struct flow_run *run,
                        struct err *err)
{
	struct flow_run copy = {.batches = NULL};

	memcpy(copy.id, run->id, sizeof copy.id);
	pthread_mutex_lock(&e->lock);
	for (size_t i = 0; i < run->batch_count; i++)
		run->batches[i].settled = run->batches[i].state == FLOW_STAGED;
	pthread_mutex_unlock(&e->lock);
	if (!flow_try_db(w, run, load_batches, &copy, err))
		return false;
	pthread_mutex_lock(&e->lock);
	take_states(run, &copy);
	pthread_mutex_unlock(&e->lock);
	free(copy.batches);
	return true;
}

static void succeeded(struct flow_run *run, const struct flow_action *a)
{
	struct flow_batch *b;

	switch (a->kind) {
	case FLOW_LOOK:
		run->phase = FLOW_PHASE_READ;
		break;
	case FLOW_RUN_BATCH:
		b = job_batch_find(run, a->batch.seq);
		if (b && b->state == FLOW_RUNNING)
			*b = a->batch;
		run->failed_batches += a->batch.state == FLOW_FAILED;
		break;
	case FLOW_MERGE:
		break;
	case FLOW_SWEEP:
		run->phase = FLOW_PHASE_RECONCILE;
		break;
	case FLOW_RECONCILE:
	case FLOW_END_CANCELLED:
	case FLOW_END_FAILED:
		run->phase = FLOW_PHASE_DONE;
		break;
	}
}

static void failed(struct flow_engine *e, struct flow_run *run, const struct flow_action *a,
                   const struct err *err)
{
	struct flow_batch *b;

	if (a->kind == FLOW_RUN_BATCH) {
		b = job_batch_find(run, a->batch.seq);
		if (b && b->state == FLOW_RUNNING)
			b->state = FLOW_PENDING;
	}
	if (err->code == ERR_CANCELLED && atomic_load(&run->stop))
		return;
	if (err->code == ERR_CONFLICT && strcmp(err->where, "flow.fence") == 0) {
		run->lost = true;
		engine_run_stop(e, run);
		return;
	}
	if (a->kind == FLOW_END_CANCELLED || a->kind == FLOW_END_FAILED)
		run->lost = true; /* its end could not be written: whoever claims it next ends it */
	else
		engine_run_break(e, run, err);
}

void task_finish(struct flow_engine *e, struct job *job, const struct flow_action *a, bool ok,
                 const struct err *err)
{
	struct flow_run *run = job->run;

	job->under_way--;
	run->running--;
	if (a->kind == FLOW_MERGE)
		run->merge_running = false;
	else if (a->kind != FLOW_RUN_BATCH)
		run->step_running = false;
	if (ok)
		succeeded(run, a);
	else
		failed(e, run, a, err);
	if (run->failed_batches > FLOW_FAILED_MAX) {
		struct err why;

		err_set(&why, ERR_PROTOCOL, "flow.engine",
		        "%u batches failed: the source is not in a state to be read from",
		        run->failed_batches);
		engine_run_break(e, run, &why);
	}
	if (atomic_load(&run->stop) && a->kind != FLOW_END_CANCELLED && a->kind != FLOW_END_FAILED)
		job_drop_queue(job);
	if (run->phase == FLOW_PHASE_DONE)
		job->gone = true;
	job_advance(e, job);
}

void task_log_end(const struct flow_run *run, const struct flow_action *a, bool ok,
                  const struct err *err)
{
	if (!ok && err->code != ERR_CANCELLED)
		log_warn("an activity failed", LOG_STR("run", run->id),
		         LOG_STR("where", err->where), LOG_STR("error", err->text));
	if (ok && a->kind == FLOW_RECONCILE)
		log_info("run ended", LOG_STR("run", run->id), LOG_STR("zip", run->zip));
	if (ok && a->kind == FLOW_END_CANCELLED)
		log_info("run cancelled", LOG_STR("run", run->id), LOG_STR("zip", run->zip));
	if (ok && a->kind == FLOW_END_FAILED)
		log_error("run failed", LOG_STR("run", run->id), LOG_STR("zip", run->zip),
		          LOG_STR("error", run->failure.text));
}
