/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/thread.h"
#include "flow/replay_impl.h"

enum { TURN_MS = 20, RENEWALS = 4 };

/* ---- what comes next ---- */

/* The first merges come early, so that merging and reading overlap in a small zip code too; later
 * ones are large, for many small ones are dearer. */
static int64_t enough(const struct replay_state *s, int64_t merge_rows)
{
	int64_t rows = s->merged / 4 > merge_rows / 40 ? s->merged / 4 : merge_rows / 40;

	return rows < merge_rows ? rows : merge_rows;
}

enum replay_action replay_next(const struct replay_state *s, int64_t merge_rows)
{
	bool all_staged = s->objects == 0 && s->under_way == 0;

	if (s->step == s->steps)
		return REPLAY_DONE;
	if (s->ending)
		return REPLAY_WAIT;
	if (!s->merging && s->staged > 0 &&
	    (all_staged || (!s->fresh && s->staged >= enough(s, merge_rows))))
		return REPLAY_MERGE;
	if (s->objects > 0 && (s->fresh || s->staged < 2 * merge_rows))
		return REPLAY_STAGE;
	return all_staged && !s->merging && s->staged == 0 ? REPLAY_FATES : REPLAY_WAIT;
}

/* ---- workers ---- */

static struct replay_step *step_now(struct replay *r)
{
	return &r->steps[r->state.step];
}

/* The next number of the step that is not done; the state's `objects` counts those. */
static uint32_t take_batch(struct replay *r)
{
	while (r->batches[r->next - 1] != FLOW_PENDING)
		r->next++;
	r->batches[r->next - 1] = FLOW_RUNNING;
	r->state.objects--;
	r->state.under_way++;
	return r->next;
}

static void enter_step(struct replay *r)
{
	struct replay_step *s = r->state.step < r->step_count ? step_now(r) : NULL;

	r->state.objects = 0;
	if (!s)
		return;
	r->run->step = &s->step;
	r->next = s->first;
	for (size_t i = 0; i < s->manifest->object_count; i++)
		r->state.objects += r->batches[s->first - 1 + i] == FLOW_PENDING;
}

static void mark_begun(struct replay *r, enum replay_action a, uint32_t *seq, int64_t *rows)
{
	if (a == REPLAY_STAGE)
		*seq = take_batch(r);
	if (a == REPLAY_FATES)
		r->state.ending = true;
	if (a == REPLAY_MERGE) {
		r->state.merging = true;
		*rows = r->state.staged;
		r->state.staged = 0; /* what is staged meanwhile is merged next */
	}
}

static void mark_done(struct replay *r, enum replay_action a, uint32_t seq,
                      enum flow_batch_state state, int64_t rows)
{
	if (a == REPLAY_STAGE) {
		r->batches[seq - 1] = state;
		r->state.under_way--;
		r->state.staged += rows;
	} else if (a == REPLAY_MERGE) {
		r->state.merging = r->state.fresh = false;
		r->state.merged += rows;
	} else {
		r->state.ending = false;
		r->state.step++;
		enter_step(r);
	}
}

static void fail(struct replay *r, const struct err *err)
{
	if (!r->failed)
		r->failure = *err;
	r->failed = true;
	pthread_mutex_lock(&r->run->lock);
	atomic_store(&r->run->stop, true);
	pthread_cond_broadcast(&r->run->changed);
	pthread_mutex_unlock(&r->run->lock);
	land_wake(r->flow.land);
}

static enum replay_action wait_for_work(struct replay *r)
{
	enum replay_action a;

	while (!atomic_load(&r->run->stop)) {
		a = replay_next(&r->state, r->flow.merge_rows);
		if (a != REPLAY_WAIT)
			return a;
		pthread_cond_wait(&r->changed, &r->lock);
	}
	return REPLAY_DONE;
}

static bool act(struct replay_worker *w, enum replay_action a, const struct replay_step *step,
                uint32_t seq, enum flow_batch_state *state, int64_t *rows, struct err *err)
{
	bool ok;

	hand_take(&w->hand, w->work.conn, w->r->run);
	if (a == REPLAY_STAGE)
		ok = replay_step_stage(w, step, seq, state, rows, err);
	else if (a == REPLAY_MERGE)
		ok = flow_merge(&w->work, w->r->run, err);
	else
		ok = replay_step_fates(w, step, err);
	hand_put(&w->hand);
	return ok;
}

static void *work(void *arg)
{
	struct replay_worker *w = arg;
	struct replay *r = w->r;
	enum replay_action a;

	pthread_mutex_lock(&r->lock);
	while ((a = wait_for_work(r)) != REPLAY_DONE) {
		const struct replay_step *step = step_now(r);
		enum flow_batch_state state = FLOW_PENDING;
		int64_t rows = 0;
		uint32_t seq = 0;
		struct err err = {0};
		bool ok;

		mark_begun(r, a, &seq, &rows);
		pthread_mutex_unlock(&r->lock);
		ok = act(w, a, step, seq, &state, &rows, &err);
		pthread_mutex_lock(&r->lock);
		if (ok)
			mark_done(r, a, seq, state, rows);
		else
			fail(r, &err);
		pthread_cond_broadcast(&r->changed);
	}
	r->alive--;
	pthread_cond_broadcast(&r->changed);
	pthread_mutex_unlock(&r->lock);
	return NULL;
}

static bool start_worker(struct replay *r, struct replay_worker *w, struct err *err)
{
	struct pg_options options = r->flow.database;

	options.bulk = true;
	options.search_path = r->into[0] ? r->into : NULL;
	w->work = (struct flow_work){
	    .settings = &r->flow,
	    .totals = &r->totals,
	    .rng = rng_for((uint64_t)clock_now_us(r->flow.clock), (uint64_t)(w - r->workers))};
	w->work.conn = pg_conn_open(&options, err);
	if (!w->work.conn)
		return false;
	w->r = r;
	hand_init(&w->hand);
	w->started = thread_start(&w->thread, work, w) == 0;
	if (w->started)
		return true;
	hand_destroy(&w->hand);
	return err_set(err, ERR_NOMEM, "flow.replay", "cannot start a thread");
}

static bool start(struct replay *r, struct err *err)
{
	int n = r->flow.workers < REPLAY_WORKERS_MAX ? r->flow.workers : REPLAY_WORKERS_MAX;
	bool ok = true;

	for (int i = 0; i < n && ok; i++) {
		pthread_mutex_lock(&r->lock);
		r->alive++;
		pthread_mutex_unlock(&r->lock);
		ok = start_worker(r, &r->workers[i], err);
		if (!ok) {
			pthread_mutex_lock(&r->lock);
			r->alive--;
			fail(r, err);
			pthread_cond_broadcast(&r->changed);
			pthread_mutex_unlock(&r->lock);
		}
	}
	return ok;
}

static void join(struct replay *r)
{
	for (int i = 0; i < REPLAY_WORKERS_MAX; i++) {
		struct replay_worker *w = &r->workers[i];

		if (w->started) {
			pthread_join(w->thread, NULL);
			hand_destroy(&w->hand);
		}
		w->started = false;
		pg_conn_close(w->work.conn);
		w->work.conn = NULL;
	}
}

/* ---- the calling thread: lease, cancel, interrupt ---- */

static bool workers_live(struct replay *r)
{
	bool live;

	pthread_mutex_lock(&r->lock);
	live = r->alive > 0;
	if (atomic_load(&r->run->stop))
		pthread_cond_broadcast(&r->changed);
	pthread_mutex_unlock(&r->lock);
	return live;
}

static void stop_for(struct replay *r, const char *why)
{
	struct err err = {0};

	err_set(&err, ERR_CANCELLED, "flow.replay", "%s", why);
	pthread_mutex_lock(&r->lock);
	fail(r, &err);
	pthread_cond_broadcast(&r->changed);
	pthread_mutex_unlock(&r->lock);
}

static void look_around(struct replay *r, const atomic_bool *stop, bool *cancelled,
                        int64_t *renewed_ms)
{
	int64_t now_ms = clock_mono_ms(r->flow.clock);
	struct err err;

	if (atomic_load(stop) && !atomic_load(&r->run->stop))
		stop_for(r, "stopped");
	if (atomic_load(&r->run->stop))
		for (int i = 0; i < REPLAY_WORKERS_MAX; i++)
			if (r->workers[i].started)
				hand_interrupt(&r->workers[i].hand);
	if (now_ms - *renewed_ms < r->flow.lease_ms / RENEWALS && now_ms - *renewed_ms < 1000)
		return;
	*renewed_ms = now_ms;
	if (!replay_rows_renew(r, cancelled, &err))
		log_err(LOG_WARN, "cannot renew a replay's lease", &err);
	else if (*cancelled && !atomic_load(&r->run->stop))
		stop_for(r, "cancelled");
}

static void end_row(struct replay *r, bool cancelled, bool stopped)
{
	struct pg_conn *c = r->control.conn;
	struct err ignored;

	if (!pg_conn_ready(c, &ignored))
		return; /* the same command goes on with it */
	if (cancelled)
		flow_store_end(c, r->run, "cancelled", NULL, &ignored);
	else if (stopped)
		flow_store_release(c, r->run, &ignored);
	else
		flow_store_end(c, r->run, "failed", &r->failure, &ignored);
}

bool replay_work(struct replay *r, const atomic_bool *stop, struct err *err)
{
	int64_t renewed_ms = clock_mono_ms(r->flow.clock);
	bool cancelled = false;

	if (r->ended)
		return true;
	pthread_mutex_lock(&r->lock);
	enter_step(r);
	pthread_mutex_unlock(&r->lock);
	if (start(r, err))
		while (workers_live(r)) {
			look_around(r, stop, &cancelled, &renewed_ms);
			clock_sleep_ms(TURN_MS);
		}
	join(r);
	if (!r->failed) {
		r->failed = !replay_rows_finish(r, &r->failure);
		if (!r->failed)
			return true;
	}
	end_row(r, cancelled, atomic_load(stop));
	*err = r->failure;
	return false;
}

/* ---- opening ---- */

static bool make_steps(struct replay *r, struct err *err)
{
	uint64_t objects = 0;

	r->step_count = r->lineage->count;
	r->steps = calloc(r->step_count + 1, sizeof *r->steps);
	if (!r->steps)
		return err_set(err, ERR_NOMEM, "flow.replay", "out of memory");
	for (size_t i = 0; i < r->step_count; i++) {
		const struct land_manifest *m = r->lineage->runs[i];
		struct replay_step *s = &r->steps[i];

		s->manifest = m;
		s->first = (uint32_t)objects + 1;
		s->step.number = (int)i + 1;
		s->step.swept_us = m->swept_us != INT64_MIN ? m->swept_us : m->ended_us;
		memcpy(s->step.run_id, m->run_id, sizeof s->step.run_id);
		objects += m->object_count;
	}
	if (objects >= INT32_MAX)
		return err_set(err, ERR_LIMIT, "flow.replay", "too many landed objects");
	r->batch_count = (uint32_t)objects;
	r->batches = calloc(objects + 1, sizeof *r->batches);
	r->state.steps = r->step_count;
	return r->batches || err_set(err, ERR_NOMEM, "flow.replay", "out of memory");
}

static bool connect(struct replay *r, struct err *err)
{
	struct pg_options options = r->flow.database;

	options.bulk = true;
	options.search_path = r->into[0] ? r->into : NULL;
	r->control = (struct flow_work){.settings = &r->flow, .totals = &r->totals, .rng = {1}};
	r->control.conn = pg_conn_open(&options, err);
	return r->control.conn != NULL;
}

struct replay *replay_open(const struct replay_settings *s, const struct lineage *l,
                           struct err *err)
{
	struct replay *r = calloc(1, sizeof *r);

	if (!r || !(r->run = flow_run_new())) {
		free(r);
		err_set(err, ERR_NOMEM, "flow.replay", "out of memory");
		return NULL;
	}
	r->lineage = l;
	r->flow = s->flow;
	if (!r->flow.clock)
		r->flow.clock = &clock_system;
	snprintf(r->into, sizeof r->into, "%s", s->into ? s->into : "");
	pthread_mutex_init(&r->lock, NULL);
	pthread_cond_init(&r->changed, NULL);
	r->run->land = land_view(r->flow.land, &r->run->stop, err);
	if (r->run->land && make_steps(r, err) && connect(r, err) && replay_rows_open(r, err))
		return r;
	replay_close(r);
	return NULL;
}

const char *replay_run_id(const struct replay *r)
{
	return r->run->id;
}

void replay_close(struct replay *r)
{
	if (!r)
		return;
	pg_conn_close(r->control.conn);
	flow_run_free(r->run);
	free(r->steps);
	free(r->batches);
	pthread_mutex_destroy(&r->lock);
	pthread_cond_destroy(&r->changed);
	free(r);
}
