/* SPDX-License-Identifier: Apache-2.0
 *
 * worker.c: a worker's life: started, running, draining, ended. `draining` is set by whoever wants
 * the end (worker_end); all that follows is the keeper's: it alone stops the lanes and sets
 * `ended`.
 */
#include "temporal/worker.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/thread.h"
#include "temporal/impl.h"

enum { POLL_TRIES = 8, STEP_MS = 50, POLL_SHORT_MS = 1000 };

/* ---- what both lanes need ---- */

void worker_notice(struct temporal_worker *w, enum temporal_notice what, const char *name,
                   const struct err *err)
{
	if (w->o.notice)
		w->o.notice(w->o.notice_ctx, what, name, err);
}

PbDeployment *worker_deployment(struct temporal_worker *w)
{
	return w->has_deployment ? &w->deployment : NULL;
}

void polled_free(struct polled *p)
{
	arena_free(&p->arena);
	free(p);
}

bool worker_poll(struct temporal_worker *w, const char *method, const void *request,
                 const ProtobufCMessageDescriptor *answer, struct polled **out, struct err *err)
{
	struct rpc_request r = {
	    .kind = RPC_POLL, .method = method, .message = request, .answer = answer, .group = w};
	int64_t started = clock_mono_ms(&clock_system);
	struct polled *p = calloc(1, sizeof *p);

	if (!p)
		return err_set_retry(err, ERR_NOMEM, "temporal.poll", "out of memory");
	p->arena = CONN_ARENA(w->t);
	atomic_fetch_add(&w->counts.polls, 1);
	p->answer = rpc_call(w->t->rpc, &r, &p->arena, err);
	if (p->answer) {
		*out = p;
		return true;
	}
	polled_free(p);
	*out = NULL;
	/* a long poll of an idle queue may end so; a server that always says so is not to be
	 * stormed */
	return err->code == ERR_TIMEOUT && clock_mono_ms(&clock_system) - started >= POLL_SHORT_MS;
}

bool worker_answer(struct temporal_worker *w, const char *method, const void *request,
                   const ProtobufCMessageDescriptor *answer, const char *name, struct err *err)
{
	struct rpc_request r = {
	    .kind = RPC_ANSWER, .method = method, .message = request, .answer = answer};
	struct arena arena = CONN_ARENA(w->t);
	bool ok = rpc_call(w->t->rpc, &r, &arena, err) != NULL;

	arena_free(&arena);
	if (!ok) {
		atomic_fetch_add(&w->counts.answers_lost, 1);
		worker_notice(w, TEMPORAL_ANSWER_LOST, name, err);
	}
	return ok;
}

/* ---- polls that fail ---- */

static void worker_end(struct temporal_worker *w, const struct err *reason)
{
	pthread_mutex_lock(&w->lock);
	if (!w->draining && reason) {
		w->ended_badly = true;
		w->reason = *reason;
	}
	w->draining = true;
	pthread_cond_broadcast(&w->changed);
	pthread_mutex_unlock(&w->lock);
}

static bool worker_draining(struct temporal_worker *w)
{
	bool draining;

	pthread_mutex_lock(&w->lock);
	draining = w->draining;
	pthread_mutex_unlock(&w->lock);
	return draining;
}

bool worker_poll_failed(struct temporal_worker *w, const char *lane, const struct err *err,
                        int attempts)
{
	if (worker_draining(w))
		return false;
	atomic_fetch_add(&w->counts.poll_errors, 1);
	worker_notice(w, TEMPORAL_POLL_FAILED, lane, err);
	/* a server that is just starting may not know its namespaces yet: once is not enough; one
	 * that is just stopping cancels polls */
	if (rpc_stopped(w->t->rpc) ||
	    (!err->retryable && err->code != ERR_CANCELLED && attempts >= POLL_TRIES)) {
		worker_end(w, err);
		return false;
	}
	return true;
}

int64_t worker_pause_ms(const struct err *err, int attempts, struct rng *rng)
{
	static const struct retry_policy policy = {
	    .max_attempts = INT_MAX, .base_ms = 100, .cap_ms = 5000, .max_retry_after_ms = 60000};
	struct err again = *err;
	int64_t ms = policy.cap_ms;

	again.retryable = true;
	retry_decide(&policy, &again, attempts, 0, rng, &ms);
	return ms;
}

/* ---- the keeper ---- */

static void wait_step(struct temporal_worker *w)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_nsec += STEP_MS * 1000000;
	if (until.tv_nsec >= 1000000000) {
		until.tv_sec++;
		until.tv_nsec -= 1000000000;
	}
	pthread_mutex_lock(&w->lock);
	pthread_cond_timedwait(&w->changed, &w->lock, &until);
	pthread_mutex_unlock(&w->lock);
}

static void *keeper(void *arg)
{
	struct temporal_worker *w = arg;
	int64_t deadline;
	bool told = false;

	pthread_mutex_lock(&w->lock);
	while (!w->draining)
		pthread_cond_wait(&w->changed, &w->lock);
	pthread_mutex_unlock(&w->lock);
	deadline = clock_mono_ms(&clock_system) + w->o.drain_ms;
	refusals_stop(w);
	lane_stop(&w->workflows);
	lane_stop(&w->activities);
	while (!lane_ended(&w->workflows) || !lane_ended(&w->activities)) {
		/* again and again: a thread may have begun its poll just after the last time */
		if (lane_pollers(&w->workflows) || lane_pollers(&w->activities))
			rpc_cancel_group(w->t->rpc, w);
		if (!told && clock_mono_ms(&clock_system) >= deadline) {
			perform_stop_all(w);
			told = true;
		}
		wait_step(w);
	}
	refusals_free(w);
	pthread_mutex_lock(&w->lock);
	w->ended = true;
	pthread_cond_broadcast(&w->changed);
	pthread_mutex_unlock(&w->lock);
	return NULL;
}

static bool keeper_start(struct temporal_worker *w, struct err *err)
{
	int rc = thread_start(&w->keeper, keeper, w);

	return !rc ||
	       err_set_errno(err, ERR_INTERNAL, "temporal.worker", rc, "cannot start a thread");
}

/* ---- from outside ---- */

static int or_default(int given, int otherwise)
{
	int n = given > 0 ? given : otherwise;

	return n < LANE_THREADS_MAX ? n : LANE_THREADS_MAX;
}

static void fill_options(struct temporal_worker *w, const struct temporal_worker_options *options)
{
	struct temporal_worker_options *o = &w->o;

	*o = *options;
	o->workflow_polls = o->n_workflows ? or_default(o->workflow_polls, 2) : 0;
	o->workflow_threads = o->n_workflows ? or_default(o->workflow_threads, 2) : 0;
	o->activity_polls = o->n_activities ? or_default(o->activity_polls, 2) : 0;
	o->activity_threads = o->n_activities ? or_default(o->activity_threads, 4) : 0;
	o->max_history = o->max_history ? o->max_history : 64 << 20;
	o->drain_ms = o->drain_ms > 0 ? o->drain_ms : 10000;
	if (!o->build_id)
		return;
	temporal__api__deployment__v1__worker_deployment_options__init(&w->deployment);
	w->deployment.build_id = (char *)(uintptr_t)o->build_id;
	w->deployment.deployment_name =
	    (char *)(uintptr_t)(o->deployment ? o->deployment : o->task_queue);
	w->deployment.worker_versioning_mode =
	    TEMPORAL__API__ENUMS__V1__WORKER_VERSIONING_MODE__WORKER_VERSIONING_MODE_UNVERSIONED;
	w->has_deployment = true;
}

struct temporal_worker *temporal_worker_start(struct temporal *t,
                                              const struct temporal_worker_options *options,
                                              struct err *err)
{
	struct temporal_worker *w;
	bool ok;

	if (!options->task_queue || !*options->task_queue ||
	    (!options->n_workflows && !options->n_activities)) {
		err_set(err, ERR_USAGE, "temporal.worker",
		        "a worker needs a task queue and workflows or activities");
		return NULL;
	}
	w = calloc(1, sizeof *w);
	if (!w) {
		err_set(err, ERR_NOMEM, "temporal.worker", "out of memory");
		return NULL;
	}
	w->t = t;
	fill_options(w, options);
	pthread_mutex_init(&w->lock, NULL);
	thread_cond_init(&w->changed);
	ok = refusals_start(w, err);
	if (ok && !keeper_start(w, err)) {
		refusals_stop(w);
		refusals_free(w);
		ok = false;
	}
	if (!ok) {
		pthread_cond_destroy(&w->changed);
		pthread_mutex_destroy(&w->lock);
		free(w);
		return NULL;
	}
	/* the keeper looks at the lanes only when it drains */
	pthread_mutex_lock(&w->lock);
	ok = lane_start(&w->workflows, &decide_ops, w, w->o.workflow_polls, w->o.workflow_threads,
	                err);
	ok = lane_start(&w->activities, &perform_ops, w, ok ? w->o.activity_polls : 0,
	                ok ? w->o.activity_threads : 0, err) &&
	     ok;
	pthread_mutex_unlock(&w->lock);
	if (ok)
		return w;
	temporal_worker_free(w);
	return NULL;
}

void temporal_worker_drain(struct temporal_worker *w)
{
	worker_end(w, NULL);
}

enum temporal_wait temporal_worker_wait(struct temporal_worker *w, int64_t ms, struct err *err)
{
	enum temporal_wait result = TEMPORAL_WAIT_RUNNING;
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += ms / 1000;
	until.tv_nsec += ms % 1000 * 1000000;
	if (until.tv_nsec >= 1000000000) {
		until.tv_sec++;
		until.tv_nsec -= 1000000000;
	}
	pthread_mutex_lock(&w->lock);
	while (!w->ended) {
		if (ms < 0)
			pthread_cond_wait(&w->changed, &w->lock);
		else if (pthread_cond_timedwait(&w->changed, &w->lock, &until) == ETIMEDOUT)
			break;
	}
	if (w->ended)
		result = w->ended_badly ? TEMPORAL_WAIT_ENDED_BADLY : TEMPORAL_WAIT_ENDED;
	if (result == TEMPORAL_WAIT_ENDED_BADLY)
		*err = w->reason;
	pthread_mutex_unlock(&w->lock);
	return result;
}

void temporal_worker_stats(struct temporal_worker *w, struct temporal_worker_stats *out)
{
	struct worker_counts *c = &w->counts;

	*out = (struct temporal_worker_stats){
	    .polls = atomic_load(&c->polls),
	    .poll_errors = atomic_load(&c->poll_errors),
	    .tasks = atomic_load(&c->tasks),
	    .tasks_failed = atomic_load(&c->tasks_failed),
	    .queries = atomic_load(&c->queries),
	    .activities = atomic_load(&c->activities),
	    .activities_failed = atomic_load(&c->activities_failed),
	    .activities_cancelled = atomic_load(&c->activities_cancelled),
	    .heartbeats = atomic_load(&c->heartbeats),
	    .answers_lost = atomic_load(&c->answers_lost),
	    .running = lane_running(&w->workflows) + lane_running(&w->activities),
	};
}

void temporal_worker_free(struct temporal_worker *w)
{
	if (!w)
		return;
	temporal_worker_drain(w);
	pthread_join(w->keeper, NULL);
	lane_free(&w->workflows);
	lane_free(&w->activities);
	pthread_cond_destroy(&w->changed);
	pthread_mutex_destroy(&w->lock);
	free(w);
}
