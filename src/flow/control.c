/* SPDX-License-Identifier: Apache-2.0
 *
 * The control thread: claims runs, renews their leases, hears of cancels, and ends statements of
 * runs that must stop.
 */
#include "flow/engine_impl.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/log.h"

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
	job_advance(e, job);
	pthread_mutex_unlock(&e->lock);
	log_info("run taken up", LOG_STR("run", run->id), LOG_STR("zip", run->zip),
	         LOG_STR("kind", run->incremental ? "incremental" : "full"));
}

/* A run whose phase is past LOOK goes on from its batches. What a former owner has left goes: its
 * sessions that hold the run's stage, or a merge would wait for them, and its temporary files. */
static bool prepare(struct flow_engine *e, struct pg_conn *c, struct flow_run *run, struct err *err)
{
	run->land = land_view(e->settings.land, &run->stop, err);
	return run->land && flow_store_evict(c, run, err) &&
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
			engine_run_stop(e, run);
		}
		return;
	}
	if (run->phase != FLOW_PHASE_DONE && !run->step_running) { /* it may just be ending */
		run->lost = true;
		engine_run_stop(e, run);
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
				job_drop_queue(job);
			job_advance(e, job);
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

void *control_main(void *arg)
{
	struct flow_engine *e = arg;
	struct pg_conn *c = NULL;
	struct err err;
	bool away = false;

	do {
		bool ok = c ? pg_conn_ready(c, &err) : engine_connect(e, "control", &c, &err);

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
