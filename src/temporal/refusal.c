/* SPDX-License-Identifier: Apache-2.0 */
#include "temporal/refusal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/thread.h"
#include "temporal/impl.h"

enum { DELAY_BASE_MS = 100, DELAY_CAP_MS = 5000, IDLE_MS = 60000 };

/* How long the refusal of this attempt (1 is the first) waits. */
static int64_t refusal_delay_ms(int attempt)
{
	int64_t ms = DELAY_BASE_MS;

	if (attempt <= 1)
		return 0;
	for (int i = 2; i < attempt && ms < DELAY_CAP_MS; i++)
		ms *= 2;
	return ms < DELAY_CAP_MS ? ms : DELAY_CAP_MS;
}

/* False: the server is away. */
static bool tell(struct temporal_worker *w, ProtobufCBinaryData token, const char *name,
                 const struct err *why)
{
	WS(RespondWorkflowTaskFailedRequest) r = WS_INIT(RESPOND_WORKFLOW_TASK_FAILED_REQUEST);
	struct temporal_failure failure = temporal_failure_of(why);
	struct arena arena = ARENA_INIT(1 << 20);
	struct err err = {0};

	r.namespace_ = w->t->name_space;
	r.identity = w->t->identity;
	r.task_token = token;
	r.deployment_options = worker_deployment(w);
	r.cause =
	    TEMPORAL__API__ENUMS__V1__WORKFLOW_TASK_FAILED_CAUSE__WORKFLOW_TASK_FAILED_CAUSE_WORKFLOW_WORKER_UNHANDLED_FAILURE;
	if (pb_failure_of(&arena, &failure, &r.failure))
		worker_answer(w, "RespondWorkflowTaskFailed", &r,
		              WS_DESC(respond_workflow_task_failed_response), name, &err);
	arena_free(&arena);
	return !err.retryable;
}

/* ---- those that wait ---- */

/* False: there is no room or memory. */
static bool keep(struct refusals *q, ProtobufCBinaryData token, int64_t due_ms, const char *name,
                 const struct err *why)
{
	struct refusal *e = &q->waiting[q->n];
	uint8_t *copy;

	if (q->n == REFUSALS_MAX || !(copy = malloc(token.len ? token.len : 1)))
		return false;
	memcpy(copy, token.data, token.len);
	*e = (struct refusal){.due_ms = due_ms, .why = *why, .token = {token.len, copy}};
	snprintf(e->name, sizeof e->name, "%s", name);
	q->n++;
	pthread_cond_signal(&q->changed);
	return true;
}

static struct refusal *next_due(struct refusals *q)
{
	struct refusal *next = NULL;

	for (int i = 0; i < q->n; i++)
		if (!next || q->waiting[i].due_ms < next->due_ms)
			next = &q->waiting[i];
	return next;
}

static void sleep_until(struct refusals *q, int64_t ms)
{
	struct timespec until = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};

	pthread_cond_timedwait(&q->changed, &q->lock, &until);
}

/* False: the end. */
static bool take(struct refusals *q, struct refusal *out)
{
	struct refusal *next;
	int64_t now;

	pthread_mutex_lock(&q->lock);
	for (;;) {
		next = next_due(q);
		now = clock_mono_ms(&clock_system);
		if (next ? q->stop || next->due_ms <= now : q->stop)
			break;
		sleep_until(q, next ? next->due_ms : now + IDLE_MS);
	}
	if (next) {
		*out = *next;
		*next = q->waiting[--q->n];
	}
	pthread_mutex_unlock(&q->lock);
	return next != NULL;
}

static bool is_stopping(struct refusals *q)
{
	bool stop;

	pthread_mutex_lock(&q->lock);
	stop = q->stop;
	pthread_mutex_unlock(&q->lock);
	return stop;
}

static void *teller(void *arg)
{
	struct temporal_worker *w = arg;
	struct refusal r;
	bool there = true;

	while (take(&w->refusals, &r)) {
		/* a worker that drains does not wait for a server once for each of them */
		if (there || !is_stopping(&w->refusals))
			there = tell(w, r.token, r.name, &r.why);
		free(r.token.data);
	}
	return NULL;
}

/* ---- from outside ---- */

bool refusals_start(struct temporal_worker *w, struct err *err)
{
	struct refusals *q = &w->refusals;
	int rc;

	pthread_mutex_init(&q->lock, NULL);
	thread_cond_init(&q->changed);
	rc = thread_start(&q->thread, teller, w);
	if (!rc)
		return true;
	pthread_cond_destroy(&q->changed);
	pthread_mutex_destroy(&q->lock);
	return err_set_errno(err, ERR_INTERNAL, "temporal.worker", rc, "cannot start a thread");
}

void refusals_add(struct temporal_worker *w, ProtobufCBinaryData token, int attempt,
                  const char *name, const struct err *why)
{
	struct refusals *q = &w->refusals;
	int64_t delay = refusal_delay_ms(attempt);
	bool now;

	pthread_mutex_lock(&q->lock);
	now = q->stop || !delay;
	if (!now)
		keep(q, token, clock_mono_ms(&clock_system) + delay, name, why);
	pthread_mutex_unlock(&q->lock);
	if (now)
		tell(w, token, name, why);
}

void refusals_stop(struct temporal_worker *w)
{
	pthread_mutex_lock(&w->refusals.lock);
	w->refusals.stop = true;
	pthread_cond_signal(&w->refusals.changed);
	pthread_mutex_unlock(&w->refusals.lock);
}

void refusals_free(struct temporal_worker *w)
{
	pthread_join(w->refusals.thread, NULL);
	pthread_cond_destroy(&w->refusals.changed);
	pthread_mutex_destroy(&w->refusals.lock);
}
