/* SPDX-License-Identifier: Apache-2.0
 *
 * The herald's turn: runs that wait, runs that are cancelled, and, less often, whether the
 * workflows of running ones live. Each is a query and then a call for each row; a call that fails
 * ends the turn, the next one begins anew.
 */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/log.h"
#include "base/thread.h"
#include "workflow/engine.h"
#include "workflow/wire.h"

enum {
	TURN_MS = 500,
	AGAIN_MS = 1000, /* a workflow that was started and has not begun its run */
	AGAIN_CAP_MS = 20000,
	CANCEL_AGAIN_MS = 5000,
	TOLD_MAX = 4096,
	CALL_MS = 5000,
	ARENA_MAX = 16 << 20,
	INPUT_MAX = 64 << 10,
};

/* What Temporal was told of a run, so that it is not told twice a second. */
struct told {
	char run_id[UUID_TEXT];
	enum { TOLD_START, TOLD_CANCEL } what;
	int64_t next_ms, pause_ms;
};

struct workflow_herald {
	struct workflow_settings settings;
	struct temporal *temporal;
	struct pg_conn *conn; /* the thread's */
	struct told told[TOLD_MAX];
	size_t n_told;
	int64_t looked_ms; /* at the running ones */
	pthread_t thread;
	bool running;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool stopping, woken;
	bool well;                                  /* under lock */
	char text[sizeof(((struct err *)0)->text)]; /* why not */
};

static int64_t now_ms(void)
{
	return clock_mono_ms(&clock_system);
}

static bool is_stopping(struct workflow_herald *h)
{
	bool stopping;

	pthread_mutex_lock(&h->lock);
	stopping = h->stopping;
	pthread_mutex_unlock(&h->lock);
	return stopping;
}

/* Heard of once, not each turn. */
static void set_well(struct workflow_herald *h, bool well, const struct err *why)
{
	bool changed;

	pthread_mutex_lock(&h->lock);
	changed = h->well != well;
	h->well = well;
	snprintf(h->text, sizeof h->text, "%s", well ? "" : why->text);
	pthread_mutex_unlock(&h->lock);
	if (changed && well)
		log_info("Temporal answers");
	else if (changed && !is_stopping(h))
		log_err(LOG_WARN, "Temporal cannot be reached: runs wait", why);
}

bool workflow_herald_well(struct workflow_herald *h, char *text, size_t size)
{
	bool well;

	pthread_mutex_lock(&h->lock);
	well = h->well;
	snprintf(text, size, "%s", well ? "it answers" : h->text);
	pthread_mutex_unlock(&h->lock);
	return well;
}

/* ---- what was told ---- */

static struct told *told_find(struct workflow_herald *h, const char *run_id, int what)
{
	for (size_t i = 0; i < h->n_told; i++)
		if ((int)h->told[i].what == what && strcmp(h->told[i].run_id, run_id) == 0)
			return &h->told[i];
	return NULL;
}

/* The oldest make room: at worst they are told again. */
static struct told *told_add(struct workflow_herald *h, const char *run_id, int what)
{
	struct told *t;

	if (h->n_told == TOLD_MAX) {
		h->n_told--;
		memmove(&h->told[0], &h->told[1], h->n_told * sizeof h->told[0]);
	}
	t = &h->told[h->n_told++];
	*t = (struct told){.what = what, .pause_ms = AGAIN_MS};
	snprintf(t->run_id, sizeof t->run_id, "%s", run_id);
	return t;
}

static bool is_due(struct workflow_herald *h, const char *run_id, int what)
{
	const struct told *t = told_find(h, run_id, what);

	return !t || now_ms() >= t->next_ms;
}

static void told_now(struct workflow_herald *h, const char *run_id, int what, int64_t cap_ms)
{
	struct told *t = told_find(h, run_id, what);

	if (!t)
		t = told_add(h, run_id, what);
	t->next_ms = now_ms() + t->pause_ms;
	t->pause_ms = t->pause_ms * 2 < cap_ms ? t->pause_ms * 2 : cap_ms;
}

static void told_forget(struct workflow_herald *h, const char *run_id)
{
	struct told *t = told_find(h, run_id, TOLD_START);

	if (t)
		*t = h->told[--h->n_told];
}

/* ---- a run that waits ---- */

static void workflow_id(struct str zip, char out[32])
{
	snprintf(out, 32, "ingest-%.*s", (int)(zip.n < 8 ? zip.n : 8), zip.p);
}

static void input_of(const struct workflow_herald *h, const char *run_id, struct str zip,
                     struct wire_input *in)
{
	const struct workflow_settings *s = &h->settings;

	*in = (struct wire_input){
	    .version = WIRE_VERSION,
	    .limits = {.max_running = (uint32_t)s->run_activities,
	               .patients_per_batch = (uint32_t)s->patients_per_batch,
	               .merge_rows = (uint64_t)s->merge_rows},
	    .attempts = s->retry.max_attempts,
	    .base_ms = s->retry.base_ms,
	    .cap_ms = s->retry.cap_ms,
	    .heartbeat_ms = s->lease_ms,
	    .continue_events = s->continue_events,
	};
	snprintf(in->run_id, sizeof in->run_id, "%s", run_id);
	snprintf(in->zip, sizeof in->zip, "%.*s", (int)(zip.n < 5 ? zip.n : 5), zip.p);
}

/* Whatever workflow of that id is alive stays: it may be this run's, started by another herald. */
static bool start(struct workflow_herald *h, const char *run_id, struct str zip, struct err *err)
{
	struct arena arena = ARENA_INIT(INPUT_MAX);
	struct temporal_started started = {.started = false};
	struct wire_input in;
	char id[32];
	struct temporal_start what = {.workflow_id = id,
	                              .type = WIRE_INGEST,
	                              .task_queue = h->settings.task_queue,
	                              .conflict = TEMPORAL_CONFLICT_USE};
	bool ok;

	workflow_id(zip, id);
	input_of(h, run_id, zip, &in);
	ok = wire_input_write(&arena, &in, &what.input, err) &&
	     temporal_workflow_start(h->temporal, &what, &started, err);
	arena_free(&arena);
	if (!ok)
		return false;
	told_now(h, run_id, TOLD_START, AGAIN_CAP_MS);
	if (started.started)
		log_info("workflow started", LOG_STR("workflow", id), LOG_STR("run", run_id),
		         LOG_STR("workflow_run", started.run_id));
	return true;
}

static bool tell_waiting(struct workflow_herald *h, struct err *err)
{
	PGresult *res = pg_query(h->conn, sql_get("workflow_waiting"), 1,
	                         (const char *const[]){h->settings.only_run}, err);
	bool ok = res != NULL;

	for (int r = 0; ok && r < PQntuples(res) && !is_stopping(h); r++)
		if (is_due(h, PQgetvalue(res, r, 0), TOLD_START))
			ok = start(h, PQgetvalue(res, r, 0), pg_str(res, r, 1), err);
	PQclear(res);
	return ok;
}

/* ---- runs that workflows have ---- */

static bool tell_cancelled(struct workflow_herald *h, const char *run_id, struct str zip,
                           struct err *err)
{
	char id[32];
	struct temporal_id which = {id, NULL};
	struct err e;

	if (!is_due(h, run_id, TOLD_CANCEL))
		return true;
	workflow_id(zip, id);
	told_now(h, run_id, TOLD_CANCEL, CANCEL_AGAIN_MS);
	if (temporal_workflow_cancel(h->temporal, &which, "the run was cancelled", &e) ||
	    e.code == ERR_NOT_FOUND)
		return true;
	*err = e;
	return false;
}

/* A workflow that has ended without writing it down was terminated or timed out, or could not. */
static bool bury(struct workflow_herald *h, const char *run_id, const char *epoch,
                 const char *status, struct err *err)
{
	char why[128];
	int64_t rows = 0;

	snprintf(why, sizeof why, "its workflow has ended in Temporal (%s)", status);
	if (!pg_exec(h->conn, sql_get("workflow_dead"), 3,
	             (const char *const[]){run_id, epoch, why}, &rows, err))
		return false;
	if (rows)
		log_warn("a run's workflow has ended without it", LOG_STR("run", run_id),
		         LOG_STR("status", status));
	return true;
}

static bool keep_lease(struct workflow_herald *h, const char *run_id, const char *epoch,
                       struct err *err)
{
	char ids[UUID_TEXT + 4], epochs[32], lease[24];
	PGresult *res;

	snprintf(ids, sizeof ids, "{%s}", run_id);
	snprintf(epochs, sizeof epochs, "{%s}", epoch);
	snprintf(lease, sizeof lease, "%lld", (long long)h->settings.lease_ms);
	res = pg_query(h->conn, sql_get("flow_renew"), 3, (const char *const[]){ids, epochs, lease},
	               err);
	PQclear(res);
	return res != NULL;
}

/* *away with a code: Temporal cannot be asked, and is not asked again in this turn. What works on
 * the run may go on meanwhile. */
static bool look_at(struct workflow_herald *h, const char *run_id, struct str zip,
                    const char *epoch, struct err *away, struct err *err)
{
	struct arena arena = ARENA_INIT(ARENA_MAX);
	struct temporal_description d = {.status = TEMPORAL_STATUS_RUNNING};
	char id[32];
	bool ok;

	workflow_id(zip, id);
	if (away->code || temporal_workflow_describe(h->temporal, &(struct temporal_id){id, NULL},
	                                             &arena, &d, away))
		ok = d.status == TEMPORAL_STATUS_RUNNING || d.status == TEMPORAL_STATUS_CONTINUED ||
		             d.status == TEMPORAL_STATUS_PAUSED
		         ? keep_lease(h, run_id, epoch, err)
		         : bury(h, run_id, epoch, temporal_status_name(d.status), err);
	else if (away->code == ERR_NOT_FOUND)
		ok = bury(h, run_id, epoch, "gone", err);
	else
		ok = keep_lease(h, run_id, epoch, err);
	if (away->code == ERR_NOT_FOUND)
		away->code = ERR_NONE;
	arena_free(&arena);
	return ok;
}

static bool look_at_running(struct workflow_herald *h, const PGresult *res, struct err *err)
{
	struct err away = {.code = ERR_NONE};

	for (int r = 0; r < PQntuples(res) && !is_stopping(h); r++)
		if (!look_at(h, PQgetvalue(res, r, 0), pg_str(res, r, 1), PQgetvalue(res, r, 2),
		             &away, err))
			return false;
	h->looked_ms = now_ms();
	if (away.code)
		*err = away;
	return !away.code;
}

static bool tell_running(struct workflow_herald *h, struct err *err)
{
	char prefix[WIRE_NAMESPACE_MAX + 16];
	PGresult *res;
	bool ok;

	/* what another namespace has would be taken for gone here */
	snprintf(prefix, sizeof prefix, "temporal/%.*s/", WIRE_NAMESPACE_MAX,
	         h->settings.connection.name_space);
	res = pg_query(h->conn, sql_get("workflow_running"), 2,
	               (const char *const[]){h->settings.only_run, prefix}, err);
	ok = res != NULL;
	if (ok && now_ms() - h->looked_ms >= h->settings.lease_ms / 3)
		ok = look_at_running(h, res, err);
	for (int r = 0; ok && r < PQntuples(res) && !is_stopping(h); r++) {
		if (pg_bool(res, r, 3))
			ok = tell_cancelled(h, PQgetvalue(res, r, 0), pg_str(res, r, 1), err);
		else
			told_forget(h, PQgetvalue(res, r, 0)); /* it has begun */
	}
	PQclear(res);
	return ok;
}

/* ---- the thread ---- */

static bool connect_database(struct workflow_herald *h, struct err *err)
{
	struct pg_options options = h->settings.database;

	if (h->conn)
		return pg_conn_ready(h->conn, err);
	options.application_name = "fhirline herald";
	h->conn = pg_conn_open(&options, err);
	return h->conn != NULL;
}

static bool is_temporals(const struct err *err)
{
	return strncmp(err->where, "temporal", 8) == 0;
}

static void turn(struct workflow_herald *h, bool *asked)
{
	char version[64];
	struct err err;

	if (!connect_database(h, &err))
		return; /* whoever works with the database says so */
	if (!*asked && !temporal_check(h->temporal, version, sizeof version, &err)) {
		set_well(h, false, &err);
		return;
	}
	*asked = true;
	if (tell_waiting(h, &err) && tell_running(h, &err)) {
		set_well(h, true, NULL);
	} else if (is_temporals(&err)) {
		*asked = false;
		set_well(h, false, &err);
	}
}

static void wait_a_turn(struct workflow_herald *h)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_nsec += TURN_MS * 1000000L;
	until.tv_sec += until.tv_nsec / 1000000000;
	until.tv_nsec %= 1000000000;
	pthread_mutex_lock(&h->lock);
	while (!h->woken && !h->stopping)
		if (pthread_cond_timedwait(&h->changed, &h->lock, &until) == ETIMEDOUT)
			break;
	h->woken = false;
	pthread_mutex_unlock(&h->lock);
}

static void *herald(void *arg)
{
	struct workflow_herald *h = arg;
	bool asked = false;

	while (!is_stopping(h)) {
		turn(h, &asked);
		wait_a_turn(h);
	}
	pg_conn_close(h->conn);
	return NULL;
}

static void init_locks(struct workflow_herald *h)
{
	pthread_mutex_init(&h->lock, NULL);
	thread_cond_init(&h->changed);
}

struct workflow_herald *workflow_herald_start(const struct workflow_settings *settings,
                                              struct err *err)
{
	struct workflow_herald *h = calloc(1, sizeof *h);
	struct temporal_options connection = settings->connection;

	if (!h) {
		err_set(err, ERR_NOMEM, "workflow.herald", "out of memory");
		return NULL;
	}
	h->settings = *settings;
	h->well = true;
	init_locks(h);
	/* a turn that fails is followed by another */
	connection.call_timeout_ms = CALL_MS;
	connection.retry = (struct retry_policy){
	    .max_attempts = 2, .base_ms = 100, .cap_ms = 500, .deadline_ms = CALL_MS};
	h->temporal = temporal_open(&connection, err);
	if (!h->temporal)
		goto failed;
	h->running = thread_start(&h->thread, herald, h) == 0;
	if (h->running)
		return h;
	err_set(err, ERR_NOMEM, "workflow.herald", "cannot start a thread");
failed:
	workflow_herald_stop(h);
	return NULL;
}

void workflow_herald_wake(struct workflow_herald *h)
{
	pthread_mutex_lock(&h->lock);
	h->woken = true;
	pthread_cond_signal(&h->changed);
	pthread_mutex_unlock(&h->lock);
}

void workflow_herald_stop(struct workflow_herald *h)
{
	if (!h)
		return;
	pthread_mutex_lock(&h->lock);
	h->stopping = true;
	pthread_cond_signal(&h->changed);
	pthread_mutex_unlock(&h->lock);
	if (h->temporal)
		temporal_stop(h->temporal);
	if (h->running)
		pthread_join(h->thread, NULL);
	if (h->temporal)
		temporal_close(h->temporal);
	pthread_mutex_destroy(&h->lock);
	pthread_cond_destroy(&h->changed);
	free(h);
}
