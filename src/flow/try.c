/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <limits.h>
#include <time.h>

#include "flow/internal.h"

/* A database that is away comes back, or nothing goes on: it is asked often, and until the policy's
 * deadline. */
enum { DB_CAP_MS = 2000 };

bool flow_run_stopped(struct flow_run *run, struct err *err)
{
	if (!atomic_load(&run->stop))
		return false;
	err_set(err, ERR_CANCELLED, "flow", "the run was stopped");
	return true;
}

void flow_run_wait(struct flow_run *run, int64_t ms)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += ms / 1000;
	until.tv_nsec += ms % 1000 * 1000000;
	if (until.tv_nsec >= 1000000000) {
		until.tv_sec++;
		until.tv_nsec -= 1000000000;
	}
	pthread_mutex_lock(&run->lock);
	while (!atomic_load(&run->stop))
		if (pthread_cond_timedwait(&run->changed, &run->lock, &until) == ETIMEDOUT)
			break;
	pthread_mutex_unlock(&run->lock);
}

static bool attempt_source(struct flow_work *w, struct flow_run *run, flow_try_fn fn, void *arg,
                           struct err *err)
{
	const struct clock *clock = w->settings->clock;
	int64_t began;
	bool ok;

	if (!gate_enter(w->gate, run->tag, &run->stop, err))
		return false;
	flow_crash_point("before_request");
	began = clock_mono_ms(clock);
	ok = fn(w, run, arg, err);
	flow_crash_point("after_request");
	gate_leave(w->gate, ok ? NULL : err, clock_mono_ms(clock) - began);
	atomic_fetch_add(&w->totals->requests, 1);
	if (!ok && err->code != ERR_CANCELLED)
		atomic_fetch_add(&w->totals->request_errors, 1);
	return ok;
}

static bool attempt_db(struct flow_work *w, struct flow_run *run, flow_try_fn fn, void *arg,
                       struct err *err)
{
	return pg_conn_ready(w->conn, err) && fn(w, run, arg, err);
}

static bool try_until(struct flow_work *w, struct flow_run *run, flow_try_fn fn, void *arg,
                      bool source, struct err *err)
{
	const struct clock *clock = w->settings->clock;
	int64_t began = clock_mono_ms(clock), delay;
	struct retry_policy policy = w->settings->retry;

	if (!source) {
		policy.max_attempts = INT_MAX;
		policy.cap_ms = DB_CAP_MS;
	}
	for (int attempts = 1;; attempts++) {
		struct err e = {0};

		if (flow_run_stopped(run, err))
			return false;
		if (source ? attempt_source(w, run, fn, arg, &e) : attempt_db(w, run, fn, arg, &e))
			return true;
		if (flow_run_stopped(run, err))
			return false;
		if (retry_decide(&policy, &e, attempts, clock_mono_ms(clock) - began, &w->rng,
		                 &delay) == RETRY_GIVE_UP) {
			*err = e;
			if (e.retryable)
				err_prefix(err, "given up after %d attempts", attempts);
			return false;
		}
		atomic_fetch_add(&w->totals->retries, 1);
		flow_run_wait(run, delay);
	}
}

bool flow_try_source(struct flow_work *w, struct flow_run *run, flow_try_fn fn, void *arg,
                     struct err *err)
{
	return try_until(w, run, fn, arg, true, err);
}

bool flow_try_db(struct flow_work *w, struct flow_run *run, flow_try_fn fn, void *arg,
                 struct err *err)
{
	return try_until(w, run, fn, arg, false, err);
}

struct query {
	const char *name;
	int n;
	const char *const *params;
	PGresult *res;
};

static bool do_query(struct flow_work *w, struct flow_run *run, void *arg, struct err *err)
{
	struct query *q = arg;

	(void)run;
	q->res = pg_query(w->conn, sql_get(q->name), q->n, q->params, err);
	return q->res != NULL;
}

PGresult *flow_query(struct flow_work *w, struct flow_run *run, const char *name, int n,
                     const char *const *params, struct err *err)
{
	struct query q = {name, n, params, NULL};

	return flow_try_db(w, run, do_query, &q, err) ? q.res : NULL;
}

/* One request's arguments, whichever it is. */
struct request {
	const char *type;
	const struct fhir_param *params;
	size_t n;
	const char *next;
	struct str id;
	int64_t since_us;
	struct fhir_page *page;
	struct fhir_history_page *history;
	struct fhir_capability *capability;
	int64_t *total;
};

static void count_bytes(struct flow_work *w, const struct fhir_page *page)
{
	atomic_fetch_add(&w->totals->bytes, page->response.wire_bytes);
}

static bool do_search(struct flow_work *w, struct flow_run *run, void *arg, struct err *err)
{
	struct request *r = arg;

	if (!fhir_search(w->settings->source, r->type, r->params, r->n, &run->stop, r->page, err))
		return false;
	count_bytes(w, r->page);
	return true;
}

static bool do_next(struct flow_work *w, struct flow_run *run, void *arg, struct err *err)
{
	struct request *r = arg;

	if (!fhir_search_next(w->settings->source, r->type, r->next, &run->stop, r->page, err))
		return false;
	count_bytes(w, r->page);
	return true;
}

static bool do_count(struct flow_work *w, struct flow_run *run, void *arg, struct err *err)
{
	struct request *r = arg;

	return fhir_count(w->settings->source, r->type, r->params, r->n, &run->stop, r->total, err);
}

static bool do_read(struct flow_work *w, struct flow_run *run, void *arg, struct err *err)
{
	struct request *r = arg;

	if (!fhir_read(w->settings->source, r->type, r->id, &run->stop, r->page, err))
		return false;
	count_bytes(w, r->page);
	return true;
}

static bool do_history(struct flow_work *w, struct flow_run *run, void *arg, struct err *err)
{
	struct request *r = arg;

	if (!fhir_history(w->settings->source, r->type, r->since_us, r->next, &run->stop,
	                  r->history, err))
		return false;
	count_bytes(w, &r->history->page);
	return true;
}

static bool do_capability(struct flow_work *w, struct flow_run *run, void *arg, struct err *err)
{
	struct request *r = arg;

	return fhir_capability(w->settings->source, &run->stop, r->capability, err);
}

bool flow_search(struct flow_work *w, struct flow_run *run, const char *type,
                 const struct fhir_param *params, size_t n, struct fhir_page *page, struct err *err)
{
	struct request r = {.type = type, .params = params, .n = n, .page = page};

	return flow_try_source(w, run, do_search, &r, err);
}

bool flow_search_next(struct flow_work *w, struct flow_run *run, const char *type, const char *next,
                      struct fhir_page *page, struct err *err)
{
	struct request r = {.type = type, .next = next, .page = page};

	return flow_try_source(w, run, do_next, &r, err);
}

bool flow_fhir_count(struct flow_work *w, struct flow_run *run, const char *type,
                     const struct fhir_param *params, size_t n, int64_t *total, struct err *err)
{
	struct request r = {.type = type, .params = params, .n = n, .total = total};

	return flow_try_source(w, run, do_count, &r, err);
}

bool flow_fhir_read(struct flow_work *w, struct flow_run *run, const char *type, struct str id,
                    struct fhir_page *page, struct err *err)
{
	struct request r = {.type = type, .id = id, .page = page};

	return flow_try_source(w, run, do_read, &r, err);
}

bool flow_fhir_history(struct flow_work *w, struct flow_run *run, const char *type,
                       int64_t since_us, const char *next, struct fhir_history_page *page,
                       struct err *err)
{
	struct request r = {.type = type, .since_us = since_us, .next = next, .history = page};

	return flow_try_source(w, run, do_history, &r, err);
}

bool flow_capability(struct flow_work *w, struct flow_run *run, struct fhir_capability *cap,
                     struct err *err)
{
	struct request r = {.capability = cap};

	return flow_try_source(w, run, do_capability, &r, err);
}
