/* SPDX-License-Identifier: Apache-2.0
 *
 * The local engine: a control thread and workers.
 *
 * The control thread claims runs, renews their leases and hears of cancels. There is no thread per
 * run: whenever something about a run has changed (it was claimed, a task has ended, a cancel
 * came), job_advance() asks the plan what to start and puts that into the run's queue; workers take
 * tasks in turn from the run that has the fewest under way.
 *
 * One mutex guards the engine and what its runs say about their progress; no database or network
 * work is done while it is held. Locks are taken in the order engine, run.
 */
#include "flow/engine_impl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/thread.h"

bool engine_stopping(struct flow_engine *e)
{
	bool stopping;

	pthread_mutex_lock(&e->lock);
	stopping = e->stopping;
	pthread_mutex_unlock(&e->lock);
	return stopping;
}

bool engine_connect(struct flow_engine *e, const char *what, struct pg_conn **conn, struct err *err)
{
	struct pg_options options = e->settings.database;
	char name[64];

	snprintf(name, sizeof name, "fhirline %s", what);
	options.application_name = name;
	/* a process that hangs in a transaction must not hold up who takes its run over */
	options.idle_transaction_ms = e->settings.lease_ms;
	options.bulk = true;
	*conn = pg_conn_open(&options, err);
	return *conn != NULL;
}

/* ---- workers ---- */

static struct job *pick(struct flow_engine *e)
{
	struct job *best = NULL;

	for (size_t i = 0; i < e->job_count; i++) {
		struct job *job = e->jobs[(e->turn + i) % e->job_count];

		if (job->head && (!best || job->under_way < best->under_way))
			best = job;
	}
	e->turn++;
	return best;
}

static struct task *take(struct job *job)
{
	struct task *t = job->head;

	job->head = t->next;
	if (!job->head)
		job->tail = NULL;
	job->under_way++;
	return t;
}

/* The end of a run must be written down: that is not cut off. */
static bool may_be_cut_off(const struct flow_action *a)
{
	return a->kind != FLOW_END_CANCELLED && a->kind != FLOW_END_FAILED;
}

static void work_on(struct flow_engine *e, struct flow_work *w, struct hand *hand, struct job *job,
                    struct task *t)
{
	struct err err = {0};
	bool ok;

	atomic_fetch_add(&e->totals.activities, 1);
	if (may_be_cut_off(&t->action))
		hand_take(hand, w->conn, job->run);
	ok = task_run(e, w, job->run, &t->action, &err);
	if (ok && t->action.kind == FLOW_MERGE)
		ok = task_reload_states(e, w, job->run, &err);
	hand_put(hand);
	atomic_fetch_sub(&e->totals.activities, 1);
	task_log_end(job->run, &t->action, ok, &err);
	pthread_mutex_lock(&e->lock);
	e->under_way--;
	task_finish(e, job, &t->action, ok, &err);
	if (job->gone && job->under_way == 0)
		job_remove(e, job);
	pthread_cond_broadcast(&e->work);
	e->woken = e->woken || e->stopping;
	pthread_cond_signal(&e->look);
	pthread_mutex_unlock(&e->lock);
	free(t);
}

/* A worker without a connection waits for the database like everybody else. */
static bool await_connection(struct flow_engine *e, struct pg_conn **conn)
{
	struct err err;

	while (!engine_connect(e, "worker", conn, &err)) {
		if (engine_stopping(e))
			return false;
		clock_sleep_ms(END_WAIT_MS);
	}
	return true;
}

static void *worker(void *arg)
{
	struct flow_engine *e = arg;
	struct flow_work w = {.settings = &e->settings, .totals = &e->totals, .gate = e->gate};
	struct hand *hand = &e->hands[atomic_fetch_add(&e->numbers, 1)];
	struct job *job;
	struct task *t;

	w.rng = rng_for((uint64_t)clock_now_us(e->settings.clock), (uint64_t)(uintptr_t)&w);
	if (!await_connection(e, &w.conn))
		return NULL;
	pthread_mutex_lock(&e->lock);
	while (!e->stopping) {
		job = pick(e);
		if (!job) {
			pthread_cond_wait(&e->work, &e->lock);
			continue;
		}
		t = take(job);
		e->under_way++;
		pthread_mutex_unlock(&e->lock);
		work_on(e, &w, hand, job, t);
		pthread_mutex_lock(&e->lock);
	}
	pthread_mutex_unlock(&e->lock);
	pg_conn_close(w.conn);
	return NULL;
}

/* ---- start and stop ---- */

static bool make_gate(struct flow_engine *e, struct err *err)
{
	struct gate_options options = {.cap = e->settings.fhir_concurrency,
	                               .rate = e->settings.fhir_rate,
	                               .source_url = fhir_source_url(e->settings.source),
	                               .database = &e->settings.database,
	                               .clock = e->settings.clock};

	e->gate = gate_new(&options, err);
	return e->gate != NULL;
}

static bool copy_settings(struct flow_engine *e, const struct flow_settings *s, struct err *err)
{
	e->settings = *s;
	if (!e->settings.clock)
		e->settings.clock = &clock_system;
	if (s->workers < 1 || s->workers > MAX_WORKERS)
		return err_set(err, ERR_CONFIG, "flow.engine", "workers must be 1 to %d",
		               MAX_WORKERS);
	e->database_url = s->database.url ? strdup(s->database.url) : NULL;
	e->only_run = s->only_run ? strdup(s->only_run) : NULL;
	if ((s->database.url && !e->database_url) || (s->only_run && !e->only_run))
		return err_set(err, ERR_NOMEM, "flow.engine", "out of memory");
	e->settings.database.url = e->database_url;
	e->settings.only_run = e->only_run;
	flow_owner_name(e->owner);
	return true;
}

static void init_locks(struct flow_engine *e)
{
	pthread_mutex_init(&e->lock, NULL);
	for (int i = 0; i < MAX_WORKERS; i++)
		hand_init(&e->hands[i]);
	thread_cond_init(&e->work);
	thread_cond_init(&e->look);
}

struct flow_engine *flow_engine_start(const struct flow_settings *settings, struct err *err)
{
	struct flow_engine *e = calloc(1, sizeof *e);

	if (!e) {
		err_set(err, ERR_NOMEM, "flow.engine", "out of memory");
		return NULL;
	}
	init_locks(e);
	if (!copy_settings(e, settings, err) || !make_gate(e, err))
		goto failed;
	for (; e->worker_count < settings->workers; e->worker_count++)
		if (thread_start(&e->workers[e->worker_count], worker, e) != 0)
			goto no_thread;
	if (thread_start(&e->control, control_main, e) != 0)
		goto no_thread;
	e->control_started = true;
	return e;
no_thread:
	err_set(err, ERR_NOMEM, "flow.engine", "cannot start a thread");
failed:
	flow_engine_stop(e);
	return NULL;
}

void flow_engine_wake(struct flow_engine *e)
{
	pthread_mutex_lock(&e->lock);
	e->woken = true;
	pthread_cond_signal(&e->look);
	pthread_mutex_unlock(&e->lock);
}

void flow_engine_stop(struct flow_engine *e)
{
	if (!e)
		return;
	pthread_mutex_lock(&e->lock);
	e->stopping = e->woken = true;
	for (size_t i = 0; i < e->job_count; i++)
		engine_run_stop(e, e->jobs[i]->run);
	pthread_cond_broadcast(&e->work);
	pthread_cond_broadcast(&e->look);
	pthread_mutex_unlock(&e->lock);
	if (e->control_started) {
		pthread_join(e->control, NULL); /* joins the workers */
	} else {
		for (int i = 0; i < e->worker_count; i++)
			pthread_join(e->workers[i], NULL);
	}
	while (e->job_count)
		job_remove(e, e->jobs[0]);
	gate_free(e->gate);
	for (int i = 0; i < MAX_WORKERS; i++)
		hand_destroy(&e->hands[i]);
	pthread_mutex_destroy(&e->lock);
	pthread_cond_destroy(&e->work);
	pthread_cond_destroy(&e->look);
	free(e->database_url);
	free(e->only_run);
	free(e);
}

void flow_engine_stats(struct flow_engine *e, struct flow_engine_stats *out)
{
	struct gate_stats g;

	gate_stats(e->gate, &g);
	pthread_mutex_lock(&e->lock);
	*out = (struct flow_engine_stats){.runs = (int)e->job_count,
	                                  .activities = atomic_load(&e->totals.activities),
	                                  .requests = g.requests,
	                                  .limit = g.limit,
	                                  .requests_total = atomic_load(&e->totals.requests),
	                                  .request_errors_total =
	                                      atomic_load(&e->totals.request_errors),
	                                  .retries_total = atomic_load(&e->totals.retries),
	                                  .bytes_total = atomic_load(&e->totals.bytes)};
	pthread_mutex_unlock(&e->lock);
}
