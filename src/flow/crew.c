/* SPDX-License-Identifier: Apache-2.0
 *
 * A crew has a place for each activity that may be under way: a connection, what is in hand, and
 * the flag that ends it. Its watcher thread looks at all places in turn.
 */
#include "flow/crew.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/thread.h"
#include "flow/hand.h"
#include "flow/internal.h"

enum {
	PLACES = 64,
	TURN_MS = 100,
	RENEW_MS = 250,
};

struct place {
	bool taken;
	struct flow_work work;
	struct hand hand;
	struct flow_run *run;    /* under way; NULL: none */
	const atomic_bool *stop; /* the caller's */
	bool cancelled;          /* the run was */
	bool ending;             /* writes the end down: a cancel does not stop that */
};

struct flow_crew {
	struct flow_settings settings;
	struct flow_totals totals;
	struct gate *gate;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct place places[PLACES];
	int place_count;
	bool closing;
	pthread_t watcher;
	bool watching;
};

/* ---- the watcher ---- */

static void stop_run(struct flow_crew *crew, struct flow_run *run)
{
	if (atomic_load(&run->stop))
		return;
	pthread_mutex_lock(&run->lock);
	atomic_store(&run->stop, true);
	pthread_cond_broadcast(&run->changed);
	pthread_mutex_unlock(&run->lock);
	gate_wake(crew->gate);
	http_client_wake(crew->settings.http);
	land_wake(crew->settings.land);
}

static void look_at_flags(struct flow_crew *crew)
{
	pthread_mutex_lock(&crew->lock);
	for (int i = 0; i < crew->place_count; i++) {
		struct place *p = &crew->places[i];

		if (p->run && atomic_load(p->stop))
			stop_run(crew, p->run);
	}
	pthread_mutex_unlock(&crew->lock);
	for (int i = 0; i < crew->place_count; i++)
		hand_interrupt(&crew->places[i].hand);
}

/* Several activities may be of one run: it is asked for once. */
static bool is_first(const struct flow_crew *crew, int i)
{
	for (int k = 0; k < i; k++)
		if (crew->places[k].run &&
		    strcmp(crew->places[k].run->id, crew->places[i].run->id) == 0)
			return false;
	return true;
}

static void list_runs(struct flow_crew *crew, struct buf *ids, struct buf *epochs)
{
	pthread_mutex_lock(&crew->lock);
	for (int i = 0; i < crew->place_count; i++) {
		struct flow_run *run = crew->places[i].run;

		if (!run || !is_first(crew, i))
			continue;
		buf_printf(ids, "%s%s", ids->n ? "," : "{", run->id);
		buf_printf(epochs, "%s%lld", epochs->n ? "," : "{", (long long)run->epoch);
	}
	pthread_mutex_unlock(&crew->lock);
}

static void apply_to(struct flow_crew *crew, struct place *p, const PGresult *res)
{
	for (int r = 0; r < PQntuples(res); r++) {
		if (!str_is(pg_str(res, r, 0), p->run->id) || pg_int(res, r, 2) != p->run->epoch)
			continue;
		if (pg_bool(res, r, 1) && !p->ending) {
			p->cancelled = true;
			stop_run(crew, p->run);
		}
		return;
	}
	if (!p->ending) { /* it may just have ended */
		p->run->lost = true;
		stop_run(crew, p->run);
	}
}

/* Those that began since the list was made are not in the answer. */
static void apply_renewal(struct flow_crew *crew, const struct buf *ids, const PGresult *res)
{
	pthread_mutex_lock(&crew->lock);
	for (int i = 0; i < crew->place_count; i++)
		if (crew->places[i].run && strstr(ids->p, crew->places[i].run->id))
			apply_to(crew, &crew->places[i], res);
	pthread_mutex_unlock(&crew->lock);
}

static void renew(struct flow_crew *crew, struct pg_conn *c)
{
	struct buf ids = BUF_INIT(8192), epochs = BUF_INIT(8192);
	char lease[24];
	struct err err;
	PGresult *res;

	list_runs(crew, &ids, &epochs);
	if (ids.n && !ids.failed && pg_conn_ready(c, &err)) {
		buf_lit(&ids, "}");
		buf_lit(&epochs, "}");
		snprintf(lease, sizeof lease, "%lld", (long long)crew->settings.lease_ms);
		res = pg_query(c, sql_get("flow_renew"), 3,
		               (const char *const[]){ids.p, epochs.p, lease}, &err);
		if (res) /* else: the next turn; the activities themselves meet the same trouble */
			apply_renewal(crew, &ids, res);
		PQclear(res);
	}
	buf_free(&ids);
	buf_free(&epochs);
}

static struct pg_conn *connect_as(struct flow_crew *crew, const char *name, struct err *err)
{
	struct pg_options options = crew->settings.database;

	options.application_name = name;
	options.idle_transaction_ms = crew->settings.lease_ms;
	options.bulk = true;
	return pg_conn_open(&options, err);
}

static bool is_closing(struct flow_crew *crew)
{
	bool closing;

	pthread_mutex_lock(&crew->lock);
	closing = crew->closing;
	pthread_mutex_unlock(&crew->lock);
	return closing;
}

static void *watch(void *arg)
{
	struct flow_crew *crew = arg;
	struct pg_conn *c = NULL;
	int64_t renewed = 0;
	struct err err;

	while (!is_closing(crew)) {
		int64_t now = clock_mono_ms(&clock_system);

		look_at_flags(crew);
		if (now - renewed >= RENEW_MS) {
			if (!c)
				c = connect_as(crew, "fhirline control", &err);
			if (c)
				renew(crew, c);
			renewed = now;
		}
		clock_sleep_ms(TURN_MS);
	}
	pg_conn_close(c);
	return NULL;
}

/* ---- open and close ---- */

static bool make_gate(struct flow_crew *crew, struct err *err)
{
	struct gate_options options = {.cap = crew->settings.fhir_concurrency,
	                               .rate = crew->settings.fhir_rate,
	                               .source_url = fhir_source_url(crew->settings.source),
	                               .database = &crew->settings.database,
	                               .clock = crew->settings.clock};

	crew->gate = gate_new(&options, err);
	return crew->gate != NULL;
}

struct flow_crew *flow_crew_open(const struct flow_settings *settings, struct err *err)
{
	struct flow_crew *crew = calloc(1, sizeof *crew);

	if (!crew) {
		err_set(err, ERR_NOMEM, "flow.crew", "out of memory");
		return NULL;
	}
	crew->settings = *settings;
	if (!crew->settings.clock)
		crew->settings.clock = &clock_system;
	crew->place_count = settings->workers < PLACES ? settings->workers : PLACES;
	pthread_mutex_init(&crew->lock, NULL);
	pthread_cond_init(&crew->changed, NULL);
	for (int i = 0; i < PLACES; i++)
		hand_init(&crew->places[i].hand);
	if (!make_gate(crew, err))
		goto failed;
	if (thread_start(&crew->watcher, watch, crew) != 0) {
		err_set(err, ERR_NOMEM, "flow.crew", "cannot start a thread");
		goto failed;
	}
	crew->watching = true;
	return crew;
failed:
	flow_crew_close(crew);
	return NULL;
}

void flow_crew_close(struct flow_crew *crew)
{
	if (!crew)
		return;
	pthread_mutex_lock(&crew->lock);
	crew->closing = true;
	pthread_mutex_unlock(&crew->lock);
	if (crew->watching)
		pthread_join(crew->watcher, NULL);
	for (int i = 0; i < PLACES; i++) {
		pg_conn_close(crew->places[i].work.conn);
		hand_destroy(&crew->places[i].hand);
	}
	gate_free(crew->gate);
	pthread_mutex_destroy(&crew->lock);
	pthread_cond_destroy(&crew->changed);
	free(crew);
}

void flow_crew_stats(struct flow_crew *crew, struct flow_engine_stats *out)
{
	struct gate_stats g;

	gate_stats(crew->gate, &g);
	*out = (struct flow_engine_stats){.activities = atomic_load(&crew->totals.activities),
	                                  .requests = g.requests,
	                                  .limit = g.limit,
	                                  .requests_total = atomic_load(&crew->totals.requests),
	                                  .request_errors_total =
	                                      atomic_load(&crew->totals.request_errors),
	                                  .retries_total = atomic_load(&crew->totals.retries),
	                                  .bytes_total = atomic_load(&crew->totals.bytes)};
}

/* ---- places ---- */

static struct place *find_free(struct flow_crew *crew)
{
	for (int i = 0; i < crew->place_count; i++)
		if (!crew->places[i].taken)
			return &crew->places[i];
	return NULL;
}

static bool equip(struct flow_crew *crew, struct place *p, struct err *err)
{
	struct flow_work *w = &p->work;

	if (w->conn)
		return pg_conn_ready(w->conn, err);
	*w = (struct flow_work){
	    .settings = &crew->settings, .totals = &crew->totals, .gate = crew->gate};
	w->rng = rng_for((uint64_t)clock_now_us(crew->settings.clock), (uint64_t)(uintptr_t)w);
	w->conn = connect_as(crew, "fhirline worker", err);
	return w->conn != NULL;
}

static void leave(struct flow_crew *crew, struct place *p)
{
	pthread_mutex_lock(&crew->lock);
	p->taken = false;
	pthread_cond_signal(&crew->changed);
	pthread_mutex_unlock(&crew->lock);
}

/* A place with a connection; more callers than places wait. */
static struct place *enter(struct flow_crew *crew, struct err *err)
{
	struct place *p;

	pthread_mutex_lock(&crew->lock);
	while (!(p = find_free(crew)))
		pthread_cond_wait(&crew->changed, &crew->lock);
	p->taken = true;
	pthread_mutex_unlock(&crew->lock);
	if (equip(crew, p, err))
		return p;
	leave(crew, p);
	return NULL;
}

/* From here on the watcher may stop it. */
static void put_run(struct flow_crew *crew, struct place *p, struct flow_run *run,
                    const atomic_bool *stop, bool ending)
{
	pthread_mutex_lock(&crew->lock);
	p->stop = stop;
	p->cancelled = false;
	p->ending = ending;
	p->run = run;
	pthread_mutex_unlock(&crew->lock);
	if (!ending)
		hand_take(&p->hand, p->work.conn, run);
	atomic_fetch_add(&crew->totals.activities, 1);
}

static void take_run_back(struct flow_crew *crew, struct place *p)
{
	atomic_fetch_sub(&crew->totals.activities, 1);
	hand_put(&p->hand);
	pthread_mutex_lock(&crew->lock);
	p->run = NULL;
	pthread_mutex_unlock(&crew->lock);
}

/* ---- begin ---- */

/* The batches become the caller's. */
static void give_batches(struct flow_run *run, struct flow_batch **batches, size_t *n)
{
	*batches = run->batches;
	*n = run->batch_count;
	run->batches = NULL;
	run->batch_count = run->batch_cap = 0;
}

static void give_run(struct flow_run *run, struct flow_begun *out)
{
	out->epoch = run->epoch;
	out->incremental = run->incremental;
	out->cancel_requested = run->cancel_requested;
	out->phase = run->phase;
	give_batches(run, &out->batches, &out->n);
}

/* One that was made for another source or mapping ends here. */
static bool fits(struct pg_conn *c, const struct flow_run *run, struct err *err)
{
	if (!run->broken)
		return true;
	if (flow_store_end(c, run, "failed", &run->failure, err))
		*err = run->failure;
	return false;
}

static bool view(struct flow_crew *crew, struct flow_run *run, struct err *err)
{
	run->land = land_view(crew->settings.land, &run->stop, err);
	return run->land != NULL;
}

static bool prepare(struct flow_crew *crew, struct pg_conn *c, struct flow_run *run,
                    struct flow_begun *out, struct err *err)
{
	if (!view(crew, run, err) || !flow_store_evict(c, run, err) ||
	    !land_sweep(crew->settings.land, run->zip, run->id, err) ||
	    !flow_store_load_batches(c, run, err))
		return false;
	give_run(run, out);
	return true;
}

bool flow_crew_begin(struct flow_crew *crew, const char *run_id, const char *workflow_id,
                     const char *chain, const atomic_bool *stop, struct flow_begun *out,
                     struct err *err)
{
	struct place *p = enter(crew, err);
	struct flow_run *run;
	bool ok = false;

	if (!p)
		return false;
	run = flow_store_begin(p->work.conn, &crew->settings, run_id, workflow_id, chain, err);
	if (run) {
		put_run(crew, p, run, stop, false);
		ok = fits(p->work.conn, run, err) && prepare(crew, p->work.conn, run, out, err);
		take_run_back(crew, p);
		flow_run_free(run);
	}
	leave(crew, p);
	return ok;
}

/* ---- one action ---- */

/* What an activity needs to know of the batches before it. */
static bool load(struct flow_work *w, struct flow_run *run, const struct flow_action *a,
                 struct err *err)
{
	switch (a->kind) {
	case FLOW_RUN_BATCH:
		return a->batch.kind == FLOW_OBSERVATIONS || flow_store_load(w->conn, run, err);
	case FLOW_MERGE:
	case FLOW_SWEEP:
	case FLOW_RECONCILE:
		return flow_store_load_batches(w->conn, run, err);
	default:
		return true;
	}
}

static uint64_t rows_merged(const struct flow_run *run)
{
	uint64_t rows = 0;

	for (size_t i = 0; i < run->batch_count; i++)
		if (run->batches[i].state == FLOW_MERGED)
			rows += run->batches[i].rows;
	return rows;
}

static bool merge(struct flow_work *w, struct flow_run *run, struct flow_outcome *out,
                  struct err *err)
{
	uint64_t before = rows_merged(run);

	if (!flow_merge(w, run, err) || !flow_store_load_batches(w->conn, run, err))
		return false;
	out->rows = rows_merged(run) - before;
	give_batches(run, &out->batches, &out->n);
	return true;
}

/* Files and uploads of workers that were killed: nothing of the run is under way any more. */
static bool reconcile(struct flow_work *w, struct flow_run *run, struct flow_outcome *out,
                      struct err *err)
{
	return land_sweep(w->settings->land, run->zip, run->id, err) &&
	       flow_reconcile(w, run, err) && flow_run_view(w->conn, run->id, &out->view, err);
}

static bool end(struct flow_work *w, struct flow_run *run, void *arg, struct err *err)
{
	const struct flow_call *call = arg;
	struct err why = {0};

	if (call->action.kind == FLOW_END_CANCELLED)
		return flow_store_end(w->conn, run, "cancelled", NULL, err);
	err_set(&why, err_code_of(call->end_code), "flow", "%s", call->end_text);
	return flow_store_end(w->conn, run, "failed", &why, err);
}

/* An attempt before this one did it, and its answer was lost, or it was thought dead. */
static bool is_behind(const struct flow_run *run, enum flow_action_kind kind)
{
	return (kind == FLOW_LOOK && run->phase > FLOW_PHASE_LOOK) ||
	       (kind == FLOW_SWEEP && run->phase > FLOW_PHASE_SWEEP);
}

static bool act(struct flow_work *w, struct flow_run *run, const struct flow_call *call,
                struct flow_outcome *out, struct err *err)
{
	if (is_behind(run, call->action.kind))
		return true;
	if (!load(w, run, &call->action, err))
		return false;
	switch (call->action.kind) {
	case FLOW_LOOK:
		return flow_look(w, run, err);
	case FLOW_RUN_BATCH:
		out->batch = call->action.batch;
		return flow_run_batch(w, run, &out->batch, err);
	case FLOW_MERGE:
		return merge(w, run, out, err);
	case FLOW_SWEEP:
		return flow_sweep(w, run, err);
	case FLOW_RECONCILE:
		return reconcile(w, run, out, err);
	case FLOW_END_CANCELLED:
	case FLOW_END_FAILED:
		return flow_try_db(w, run, end, (void *)(uintptr_t)call, err);
	}
	return err_set(err, ERR_INTERNAL, "flow.crew", "an action that is not known");
}

/* Steps of which a run has one at a time. */
static bool is_alone(enum flow_action_kind kind)
{
	return kind == FLOW_LOOK || kind == FLOW_MERGE || kind == FLOW_SWEEP ||
	       kind == FLOW_RECONCILE;
}

/* Another attempt is at it, or was thought dead and has done it: a next one sees what it has left.
 */
static bool is_overlap(const struct err *err)
{
	return err->code == ERR_CONFLICT &&
	       (strcmp(err->where, "flow.attempt") == 0 || strcmp(err->where, "flow.stage") == 0);
}

/* What the watcher knows says more than what the activity met. */
static void explain(const struct flow_run *run, const struct place *p, struct err *err)
{
	if (run->lost)
		err_set(err, ERR_CONFLICT, "flow.fence",
		        "run %s has another owner now, or has ended", run->id);
	else if (p->cancelled)
		err_set(err, ERR_CANCELLED, "flow.crew", "the run was cancelled");
	else if (is_overlap(err))
		err->retryable = true;
}

static bool is_last(enum flow_action_kind kind)
{
	return kind == FLOW_RECONCILE || kind == FLOW_END_CANCELLED || kind == FLOW_END_FAILED;
}

/* The run has ended in this epoch: then an attempt before this one has ended it. */
static bool ended_before(struct flow_work *w, const struct flow_call *call,
                         struct flow_outcome *out, struct err *err)
{
	char epoch[24];
	struct err e;
	PGresult *res;
	bool ended;

	if (!is_last(call->action.kind) || err->code != ERR_CONFLICT ||
	    strcmp(err->where, "flow.fence") != 0 || !pg_conn_ready(w->conn, &e))
		return false;
	snprintf(epoch, sizeof epoch, "%lld", (long long)call->epoch);
	res = pg_query(w->conn, sql_get("flow_ended"), 2,
	               (const char *const[]){call->run_id, epoch}, &e);
	ended = res && PQntuples(res);
	PQclear(res);
	return ended && flow_run_view(w->conn, call->run_id, &out->view, err);
}

bool flow_crew_do(struct flow_crew *crew, const struct flow_call *call, const atomic_bool *stop,
                  struct flow_outcome *out, struct err *err)
{
	bool ending =
	    call->action.kind == FLOW_END_CANCELLED || call->action.kind == FLOW_END_FAILED;
	struct place *p = enter(crew, err);
	struct flow_run *run;
	bool ok = false;

	*out = (struct flow_outcome){.batches = NULL};
	if (!p)
		return false;
	run = flow_store_take(p->work.conn, &crew->settings, call->run_id, call->epoch,
	                      is_alone(call->action.kind), err);
	if (run) {
		put_run(crew, p, run, stop, ending);
		ok = (ending || fits(p->work.conn, run, err)) && view(crew, run, err) &&
		     act(&p->work, run, call, out, err);
		take_run_back(crew, p);
		if (!ok)
			explain(run, p, err);
		flow_run_free(run);
	}
	ok = ok || ended_before(&p->work, call, out, err);
	leave(crew, p);
	return ok;
}
