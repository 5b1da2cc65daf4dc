/* SPDX-License-Identifier: Apache-2.0
 *
 * A run in the engine: its queue of tasks, which the plan fills, and how it is made to stop.
 */
#include "flow/engine_impl.h"

#include <stdlib.h>

/* ---- stopping a run ---- */

void engine_run_stop(struct flow_engine *e, struct flow_run *run)
{
	pthread_mutex_lock(&run->lock);
	atomic_store(&run->stop, true);
	pthread_cond_broadcast(&run->changed);
	pthread_mutex_unlock(&run->lock);
	gate_wake(e->gate);
	http_client_wake(e->settings.http);
	land_wake(e->settings.land);
}

void engine_run_break(struct flow_engine *e, struct flow_run *run, const struct err *why)
{
	if (run->broken)
		return;
	run->broken = true;
	run->failure = *why;
	engine_run_stop(e, run);
}

/* ---- the plan's state and actions ---- */

struct flow_batch *job_batch_find(struct flow_run *run, uint32_t seq)
{
	for (size_t i = run->batch_count; i-- > 0;)
		if (run->batches[i].seq == seq)
			return &run->batches[i];
	return NULL;
}

static bool batch_put(struct flow_run *run, const struct flow_batch *b)
{
	struct flow_batch *old = job_batch_find(run, b->seq), *bigger;

	if (old) {
		*old = *b;
		return true;
	}
	if (run->batch_count == run->batch_cap) {
		bigger = realloc(run->batches, (run->batch_cap * 2 + 16) * sizeof *bigger);
		if (!bigger)
			return false;
		run->batches = bigger;
		run->batch_cap = run->batch_cap * 2 + 16;
	}
	run->batches[run->batch_count++] = *b;
	return true;
}

static struct flow_state state_of(const struct flow_engine *e, const struct flow_run *run)
{
	return (struct flow_state){
	    .phase = run->phase,
	    .incremental = run->incremental,
	    .batches = run->batches,
	    .batch_count = run->batch_count,
	    .step_running = run->step_running,
	    .merge_running = run->merge_running,
	    .cancel_requested = run->cancel_requested,
	    .broken = run->broken,
	    .limits = {.max_running = (uint32_t)e->settings.workers,
	               .patients_per_batch = (uint32_t)e->settings.patients_per_batch,
	               .merge_rows = (uint64_t)e->settings.merge_rows},
	};
}

static bool enqueue(struct flow_engine *e, struct job *job, const struct flow_action *a)
{
	struct flow_run *run = job->run;
	struct task *t = calloc(1, sizeof *t);

	if (!t || (a->kind == FLOW_RUN_BATCH && !batch_put(run, &a->batch))) {
		free(t);
		return false;
	}
	t->action = *a;
	if (a->kind == FLOW_MERGE)
		run->merge_running = true;
	else if (a->kind != FLOW_RUN_BATCH)
		run->step_running = true;
	if (job->tail)
		job->tail->next = t;
	else
		job->head = t;
	job->tail = t;
	run->running++;
	pthread_cond_signal(&e->work);
	return true;
}

void job_advance(struct flow_engine *e, struct job *job)
{
	struct flow_action actions[MAX_WORKERS + 2];
	struct flow_state state;
	size_t n;

	if (job->gone || job->run->lost || e->stopping) {
		job->gone = job->gone || job->run->lost;
		return;
	}
	state = state_of(e, job->run);
	n = flow_plan(&state, actions, sizeof actions / sizeof *actions);
	for (size_t i = 0; i < n; i++)
		if (!enqueue(e, job, &actions[i])) {
			struct err why;

			err_set(&why, ERR_NOMEM, "flow.engine", "out of memory");
			engine_run_break(e, job->run, &why);
			return;
		}
}

/* Tasks that have not begun when the run has to stop are taken back. */
void job_drop_queue(struct job *job)
{
	while (job->head) {
		struct task *t = job->head;
		struct flow_batch *b;

		job->head = t->next;
		job->run->running--;
		if (t->action.kind == FLOW_RUN_BATCH) {
			b = job_batch_find(job->run, t->action.batch.seq);
			if (b && b->state == FLOW_RUNNING)
				b->state = FLOW_PENDING;
		} else if (t->action.kind == FLOW_MERGE) {
			job->run->merge_running = false;
		} else {
			job->run->step_running = false;
		}
		free(t);
	}
	job->tail = NULL;
}

void job_remove(struct flow_engine *e, struct job *job)
{
	for (size_t i = 0; i < e->job_count; i++)
		if (e->jobs[i] == job) {
			e->jobs[i] = e->jobs[--e->job_count];
			break;
		}
	job_drop_queue(job);
	flow_run_free(job->run);
	free(job);
}
