/* SPDX-License-Identifier: Apache-2.0
 *
 * The local engine: a control thread and workers.
 *
 * The control thread claims runs, renews their leases and hears of cancels. There is no thread per
 * run: whenever something about a run has changed (it was claimed, a task has ended, a cancel
 * came), advance() asks the plan what to start and puts that into the run's queue; workers take
 * tasks in turn from the run that has the fewest under way.
 *
 * One mutex guards the engine and what its runs say about their progress; no database or network
 * work is done while it is held. Locks are taken in the order engine, run.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "flow/hand.h"
#include "flow/internal.h"
#include "flow/owner.h"

enum {
	MAX_RUNS = 64, /* owned at once */
	MAX_WORKERS = 64,
	MAX_FAILED = 100, /* batches that may be given up before the whole run is */
	TURN_MS = 250,    /* the control thread looks around this often while there is work */
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

/* ---- stopping a run ---- */

static void run_stop(struct flow_engine *e, struct flow_run *run)
{
	pthread_mutex_lock(&run->lock);
	atomic_store(&run->stop, true);
	pthread_cond_broadcast(&run->changed);
	pthread_mutex_unlock(&run->lock);
	gate_wake(e->gate);
	http_client_wake(e->settings.http);
}

static void run_break(struct flow_engine *e, struct flow_run *run, const struct err *why)
{
	if (run->broken)
		return;
	run->broken = true;
	run->failure = *why;
	run_stop(e, run);
}

/* ---- the plan's state and actions ---- */

static struct flow_batch *batch_find(struct flow_run *run, uint32_t seq)
{
	for (size_t i = run->batch_count; i-- > 0;)
		if (run->batches[i].seq == seq)
			return &run->batches[i];
	return NULL;
}

static bool batch_put(struct flow_run *run, const struct flow_batch *b)
{
	struct flow_batch *old = batch_find(run, b->seq), *bigger;

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

static void advance(struct flow_engine *e, struct job *job)
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
			run_break(e, job->run, &why);
			return;
		}
}

/* Tasks that have not begun when the run has to stop are taken back. */
static void drop_queue(struct job *job)
{
	while (job->head) {
		struct task *t = job->head;
		struct flow_batch *b;

		job->head = t->next;
		job->run->running--;
		if (t->action.kind == FLOW_RUN_BATCH) {
			b = batch_find(job->run, t->action.batch.seq);
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

static void job_remove(struct flow_engine *e, struct job *job)
{
	for (size_t i = 0; i < e->job_count; i++)
		if (e->jobs[i] == job) {
			e->jobs[i] = e->jobs[--e->job_count];
			break;
		}
	drop_queue(job);
	flow_run_free(job->run);
	free(job);
}

/* ---- tasks ---- */

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

static bool run_batch(struct flow_work *w, struct flow_run *run, struct flow_batch *b,
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

static bool engine_stopping(struct flow_engine *e)
{
	bool stopping;

	pthread_mutex_lock(&e->lock);
	stopping = e->stopping;
	pthread_mutex_unlock(&e->lock);
	return stopping;
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

static bool run_task(struct flow_engine *e, struct flow_work *w, struct flow_run *run,
                     struct flow_action *a, struct err *err)
{
	switch (a->kind) {
	case FLOW_LOOK:
		return flow_look(w, run, err);
	case FLOW_RUN_BATCH:
		return run_batch(w, run, &a->batch, err);
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
		struct flow_batch *b = batch_find(run, s->seq);

		if (b && (s->state == FLOW_MERGED || s->state == FLOW_MERGING))
			*b = *s;
		else if (b && b->state == FLOW_STAGED && s->state == FLOW_PENDING && b->settled)
			b->state = FLOW_PENDING;
	}
}

/* What a merge has merged stands in the database: batches may have been staged while it went on. */
static bool reload_states(struct flow_engine *e, struct flow_work *w, struct flow_run *run,
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
		b = batch_find(run, a->batch.seq);
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
		b = batch_find(run, a->batch.seq);
		if (b && b->state == FLOW_RUNNING)
			b->state = FLOW_PENDING;
	}
	if (err->code == ERR_CANCELLED && atomic_load(&run->stop))
		return;
	if (err->code == ERR_CONFLICT && strcmp(err->where, "flow.fence") == 0) {
		run->lost = true;
		run_stop(e, run);
		return;
	}
	if (a->kind == FLOW_END_CANCELLED || a->kind == FLOW_END_FAILED)
		run->lost = true; /* its end could not be written: whoever claims it next ends it */
	else
		run_break(e, run, err);
}

static void finish_task(struct flow_engine *e, struct job *job, const struct flow_action *a,
                        bool ok, const struct err *err)
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
	if (run->failed_batches > MAX_FAILED) {
		struct err why;

		err_set(&why, ERR_PROTOCOL, "flow.engine",
		        "%u batches failed: the source is not in a state to be read from",
		        run->failed_batches);
		run_break(e, run, &why);
	}
	if (atomic_load(&run->stop) && a->kind != FLOW_END_CANCELLED && a->kind != FLOW_END_FAILED)
		drop_queue(job);
	if (run->phase == FLOW_PHASE_DONE)
		job->gone = true;
	advance(e, job);
}

static void log_end(const struct flow_run *run, const struct flow_action *a, bool ok,
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
	ok = run_task(e, w, job->run, &t->action, &err);
	if (ok && t->action.kind == FLOW_MERGE)
		ok = reload_states(e, w, job->run, &err);
	hand_put(hand);
	atomic_fetch_sub(&e->totals.activities, 1);
	log_end(job->run, &t->action, ok, &err);
	pthread_mutex_lock(&e->lock);
	e->under_way--;
	finish_task(e, job, &t->action, ok, &err);
	if (job->gone && job->under_way == 0)
		job_remove(e, job);
	pthread_cond_broadcast(&e->work);
	e->woken = e->woken || e->stopping;
	pthread_cond_signal(&e->look);
	pthread_mutex_unlock(&e->lock);
	free(t);
}

static bool open_connection(struct flow_engine *e, const char *what, struct pg_conn **conn,
                            struct err *err)
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

/* A worker without a connection waits for the database like everybody else. */
static bool await_connection(struct flow_engine *e, struct pg_conn **conn)
{
	struct err err;

	while (!open_connection(e, "worker", conn, &err)) {
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

/* ---- the control thread ---- */

static void job_add(struct flow_engine *e, struct flow_run *run)
{
	struct job *job = calloc(1, sizeof *job);

	if (!job) {
		flow_run_free(run); /* its lease runs out, and it is claimed again */
		return;
	}
	job->run = run;
	flow_crash_point("after_load");
	pthread_mutex_lock(&e->lock);
	e->jobs[e->job_count++] = job;
	advance(e, job);
	pthread_mutex_unlock(&e->lock);
	log_info("run taken up", LOG_STR("run", run->id), LOG_STR("zip", run->zip),
	         LOG_STR("kind", run->incremental ? "incremental" : "full"));
}

/* A run whose phase is past LOOK goes on from its batches. What a former owner has left goes: its
 * sessions that hold the run's stage, or a merge would wait for them, and its temporary files. */
static bool prepare(struct flow_engine *e, struct pg_conn *c, struct flow_run *run, struct err *err)
{
	return flow_store_evict(c, run, err) &&
	       land_sweep(e->settings.land, run->zip, run->id, err) && flow_store_load(c, run, err);
}

/* Runs of a process that died on this machine need not wait for their leases to run out. */
static void bury_owners(struct pg_conn *c)
{
	struct err err;
	PGresult *res = pg_query(c, sql_get("flow_owners"), 0, NULL, &err);

	for (int r = 0; res && r < PQntuples(res); r++) {
		const char *params[] = {PQgetvalue(res, r, 0)};

		if (flow_owner_is_dead(pg_str(res, r, 0)) &&
		    !pg_exec(c, sql_get("flow_owner_gone"), 1, params, NULL, &err))
			log_err(LOG_WARN, "a dead owner's runs wait for their leases", &err);
	}
	PQclear(res);
}

/* True when a run was claimed, so that more may wait. */
static bool claim(struct flow_engine *e, struct pg_conn *c)
{
	struct err err = {0};
	struct flow_run *run;
	size_t owned;

	pthread_mutex_lock(&e->lock);
	owned = e->stopping ? MAX_RUNS : e->job_count;
	pthread_mutex_unlock(&e->lock);
	if (owned >= MAX_RUNS)
		return false;
	run = flow_store_claim(c, &e->settings, e->owner, &err);
	if (!run) {
		if (err.code != ERR_NOT_FOUND)
			log_err(LOG_WARN, "cannot look for runs", &err);
		return false;
	}
	flow_crash_point("after_claim");
	if (!prepare(e, c, run, &err)) {
		log_err(LOG_WARN, "cannot take a run up", &err);
		run->failure = err;
		run->broken = !err.retryable;
		if (err.retryable) {
			flow_run_free(run);
			return false;
		}
	}
	job_add(e, run);
	/* other processes on this database look around as often: so each gets its share */
	return owned == 0;
}

static void apply_renewal(struct flow_engine *e, struct flow_run *run, const PGresult *res)
{
	for (int r = 0; r < PQntuples(res); r++) {
		/* an earlier job of ours may have lost the run to a later one */
		if (!str_is(pg_str(res, r, 0), run->id) || pg_int(res, r, 2) != run->epoch)
			continue;
		if (pg_bool(res, r, 1) && !run->cancel_requested) {
			run->cancel_requested = true;
			run_stop(e, run);
		}
		return;
	}
	if (run->phase != FLOW_PHASE_DONE && !run->step_running) { /* it may just be ending */
		run->lost = true;
		run_stop(e, run);
		log_warn("a run has another owner now", LOG_STR("run", run->id));
	}
}

static void list_runs(struct flow_engine *e, struct buf *ids, struct buf *epochs)
{
	pthread_mutex_lock(&e->lock);
	for (size_t i = 0; i < e->job_count; i++) {
		if (e->jobs[i]->gone)
			continue;
		buf_printf(ids, "%s%s", ids->n ? "," : "{", e->jobs[i]->run->id);
		buf_printf(epochs, "%s%lld", epochs->n ? "," : "{",
		           (long long)e->jobs[i]->run->epoch);
	}
	pthread_mutex_unlock(&e->lock);
}

static bool was_listed(const struct buf *ids, const struct flow_run *run)
{
	return strstr(ids->p, run->id) != NULL;
}

static void renew(struct flow_engine *e, struct pg_conn *c)
{
	struct buf ids = BUF_INIT(8192), epochs = BUF_INIT(8192);
	char lease[24];
	const char *params[3];
	struct err err;
	PGresult *res = NULL;

	list_runs(e, &ids, &epochs);
	if (ids.n) {
		buf_lit(&ids, "}");
		buf_lit(&epochs, "}");
		snprintf(lease, sizeof lease, "%lld", (long long)e->settings.lease_ms);
		params[0] = ids.p;
		params[1] = epochs.p;
		params[2] = lease;
		res = pg_query(c, sql_get("flow_renew"), 3, params, &err);
		flow_crash_point("after_renew");
		if (!res)
			log_err(LOG_WARN, "leases could not be renewed", &err);
	}
	if (res) {
		pthread_mutex_lock(&e->lock);
		for (size_t i = e->job_count; i-- > 0;) {
			struct job *job = e->jobs[i];

			if (job->gone || !was_listed(&ids, job->run))
				continue;
			apply_renewal(e, job->run, res);
			if (atomic_load(&job->run->stop))
				drop_queue(job);
			advance(e, job);
			if (job->gone && job->under_way == 0)
				job_remove(e, job);
		}
		pthread_mutex_unlock(&e->lock);
		PQclear(res);
	}
	buf_free(&ids);
	buf_free(&epochs);
}

/* With the lock held: until something happens, or `ms` have passed. */
static void look_wait(struct flow_engine *e, int ms)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_nsec += ms % 1000 * 1000000;
	until.tv_sec += ms / 1000 + until.tv_nsec / 1000000000;
	until.tv_nsec %= 1000000000;
	while (!e->woken)
		if (pthread_cond_timedwait(&e->look, &e->lock, &until) == ETIMEDOUT)
			break;
	e->woken = false;
}

/* Statements of runs that must stop are ended. */
static void interrupt(struct flow_engine *e)
{
	for (int i = 0; i < e->worker_count; i++)
		hand_interrupt(&e->hands[i]);
}

/* Waits for the next turn; true: go on. */
static bool next_turn(struct flow_engine *e)
{
	bool go_on;

	pthread_mutex_lock(&e->lock);
	if (!e->stopping)
		look_wait(e, e->job_count ? TURN_MS : IDLE_MS);
	go_on = !e->stopping;
	pthread_mutex_unlock(&e->lock);
	return go_on;
}

/* When the engine stops: until no task is under way. */
static void finish_up(struct flow_engine *e)
{
	pthread_mutex_lock(&e->lock);
	while (e->under_way) {
		pthread_mutex_unlock(&e->lock);
		interrupt(e);
		pthread_mutex_lock(&e->lock);
		if (e->under_way)
			look_wait(e, TURN_MS);
	}
	pthread_mutex_unlock(&e->lock);
}

static void release_all(struct flow_engine *e, struct pg_conn *c)
{
	struct err err;

	flow_crash_point("before_release");
	for (size_t i = 0; c && i < e->job_count; i++)
		if (!e->jobs[i]->gone && !e->jobs[i]->run->lost && pg_conn_ready(c, &err) &&
		    !flow_store_release(c, e->jobs[i]->run, &err))
			log_err(LOG_WARN,
			        "a run could not be given up; its lease runs out by itself", &err);
}

static void *control(void *arg)
{
	struct flow_engine *e = arg;
	struct pg_conn *c = NULL;
	struct err err;
	bool away = false;

	do {
		bool ok = c ? pg_conn_ready(c, &err) : open_connection(e, "control", &c, &err);

		if (!ok) {
			if (!away)
				log_err(LOG_WARN, "the database is away", &err);
			away = true;
			continue;
		}
		away = false;
		renew(e, c);
		interrupt(e);
		bury_owners(c);
		while (claim(e, c))
			;
	} while (next_turn(e));
	finish_up(e);
	for (int i = 0; i < e->worker_count; i++)
		pthread_join(e->workers[i], NULL);
	release_all(e, c);
	flow_crash_point("after_release");
	pg_conn_close(c);
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
	pthread_condattr_t attr;

	pthread_mutex_init(&e->lock, NULL);
	for (int i = 0; i < MAX_WORKERS; i++)
		hand_init(&e->hands[i]);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&e->work, &attr);
	pthread_cond_init(&e->look, &attr);
	pthread_condattr_destroy(&attr);
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
		if (pthread_create(&e->workers[e->worker_count], NULL, worker, e) != 0)
			goto no_thread;
	if (pthread_create(&e->control, NULL, control, e) != 0)
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
		run_stop(e, e->jobs[i]->run);
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
