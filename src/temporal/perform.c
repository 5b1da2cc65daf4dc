/* SPDX-License-Identifier: Apache-2.0
 *
 * perform.c: an activity task from its poll to its answer.
 *
 * A task belongs to the thread that runs it. Two members are written by others: `stopping` by the
 * worker that drains, and the list that it is found by, under the worker's lock.
 */
#include <stdio.h>

#include "base/clock.h"
#include "temporal/impl.h"

enum {
	BEAT_DEFAULT_MS = 30000, /* without a heartbeat time-out */
	BEAT_MAX_MS = 60000,
	BEAT_AGAIN_MS = 1000, /* after one that failed */
	BEAT_CALL_MS = 5000,
	BEAT_BYTES = 4 << 20,
};

typedef WS(PollActivityTaskQueueResponse) Polled;

struct temporal_activity_task {
	struct temporal_worker *worker;
	const Polled *polled;
	struct temporal_activity_info info;
	struct arena arena; /* info, result, failure; what the activity wants */
	struct temporal_payloads result;
	const struct temporal_failure *failure;
	struct arena beat_arena; /* the last details */
	struct temporal_payloads beat;
	bool has_beat;
	int64_t beat_every_ms, beat_next_ms;
	bool cancelled, lost;
	atomic_bool stopping;
	atomic_bool stop; /* any of the three */
	struct temporal_activity_task *next, **at;
};

static bool perform_poll(void *ctx, void **task, struct err *err)
{
	struct temporal_worker *w = ctx;
	WS(PollActivityTaskQueueRequest) r = WS_INIT(POLL_ACTIVITY_TASK_QUEUE_REQUEST);
	PbQueue queue = TEMPORAL__API__TASKQUEUE__V1__TASK_QUEUE__INIT;
	Temporal__Api__Taskqueue__V1__TaskQueueMetadata limits =
	    TEMPORAL__API__TASKQUEUE__V1__TASK_QUEUE_METADATA__INIT;
	Google__Protobuf__DoubleValue rate = GOOGLE__PROTOBUF__DOUBLE_VALUE__INIT;
	struct polled *p = NULL;

	queue.name = (char *)(uintptr_t)w->o.task_queue;
	queue.kind = TEMPORAL__API__ENUMS__V1__TASK_QUEUE_KIND__TASK_QUEUE_KIND_NORMAL;
	r.namespace_ = w->t->name_space;
	r.task_queue = &queue;
	r.identity = w->t->identity;
	r.deployment_options = worker_deployment(w);
	rate.value = w->o.queue_per_second;
	limits.max_tasks_per_second = &rate;
	if (rate.value > 0)
		r.task_queue_metadata = &limits;
	if (!worker_poll(w, "PollActivityTaskQueue", &r, WS_DESC(poll_activity_task_queue_response),
	                 &p, err))
		return false;
	if (p && !((Polled *)p->answer)->task_token.len) { /* the long poll ended */
		polled_free(p);
		p = NULL;
	}
	*task = p;
	return true;
}

/* ---- what an activity sees ---- */

const struct temporal_activity_info *
temporal_activity_info(const struct temporal_activity_task *task)
{
	return &task->info;
}

struct arena *temporal_activity_arena(struct temporal_activity_task *task)
{
	return &task->arena;
}

const atomic_bool *temporal_activity_stop_flag(const struct temporal_activity_task *task)
{
	return &task->stop;
}

bool temporal_activity_result(struct temporal_activity_task *task, struct temporal_payloads result,
                              struct err *err)
{
	return temporal_payloads_copy(&task->arena, result, &task->result) ||
	       pb_full(&task->arena, "temporal.activity", err);
}

bool temporal_activity_failure(struct temporal_activity_task *task,
                               const struct temporal_failure *failure, struct err *err)
{
	return temporal_failure_copy(&task->arena, failure, &task->failure) ||
	       pb_full(&task->arena, "temporal.activity", err);
}

/* ---- heartbeats ---- */

static void beat_send(struct temporal_activity_task *task, int64_t now)
{
	struct temporal_worker *w = task->worker;
	WS(RecordActivityTaskHeartbeatRequest) r = WS_INIT(RECORD_ACTIVITY_TASK_HEARTBEAT_REQUEST);
	WS(RecordActivityTaskHeartbeatResponse) *answer = NULL;
	struct rpc_request request = {
	    .kind = RPC_ONCE,
	    .method = "RecordActivityTaskHeartbeat",
	    .message = &r,
	    .answer = WS_DESC(record_activity_task_heartbeat_response),
	    .timeout_ms = task->beat_every_ms < BEAT_CALL_MS ? task->beat_every_ms : BEAT_CALL_MS,
	};
	struct arena arena = ARENA_INIT(BEAT_BYTES);
	struct err err = {0};

	r.namespace_ = w->t->name_space;
	r.identity = w->t->identity;
	r.task_token = task->polled->task_token;
	if (pb_payloads_of(&arena, task->beat, &r.details))
		answer = rpc_call(w->t->rpc, &request, &arena, &err);
	else
		pb_full(&arena, "temporal.heartbeat", &err);
	if (answer) {
		atomic_fetch_add(&w->counts.heartbeats, 1);
		task->beat_next_ms = now + task->beat_every_ms;
		task->cancelled = task->cancelled || answer->cancel_requested;
	} else {
		task->lost = err.code == ERR_NOT_FOUND;
		task->beat_next_ms =
		    now +
		    (task->beat_every_ms < BEAT_AGAIN_MS ? task->beat_every_ms : BEAT_AGAIN_MS);
	}
	arena_free(&arena);
}

enum temporal_order temporal_activity_heartbeat(struct temporal_activity_task *task,
                                                struct temporal_payloads details)
{
	int64_t now = clock_mono_ms(&clock_system);

	/* details that do not fit are left out: that it lives counts more */
	arena_reset(&task->beat_arena);
	if (!temporal_payloads_copy(&task->beat_arena, details, &task->beat))
		task->beat = TEMPORAL_NO_PAYLOADS;
	task->has_beat = task->beat.n > 0;
	if (!task->lost && now >= task->beat_next_ms)
		beat_send(task, now);
	if (task->lost || task->cancelled)
		atomic_store(&task->stop, true);
	if (task->lost)
		return TEMPORAL_LOST;
	if (task->cancelled)
		return TEMPORAL_CANCEL;
	return atomic_load(&task->stopping) ? TEMPORAL_STOPPING : TEMPORAL_GO_ON;
}

/* ---- answers ---- */

static void answer_failed(struct temporal_activity_task *task, const struct temporal_failure *f)
{
	struct temporal_worker *w = task->worker;
	WS(RespondActivityTaskFailedRequest) r = WS_INIT(RESPOND_ACTIVITY_TASK_FAILED_REQUEST);
	struct err err = {0};

	r.namespace_ = w->t->name_space;
	r.identity = w->t->identity;
	r.task_token = task->polled->task_token;
	r.deployment_options = worker_deployment(w);
	if (!pb_failure_of(&task->arena, f, &r.failure) ||
	    (task->has_beat &&
	     !pb_payloads_of(&task->arena, task->beat, &r.last_heartbeat_details))) {
		pb_full(&task->arena, "temporal.activity", &err);
		worker_notice(w, TEMPORAL_ANSWER_LOST, task->info.type.p, &err);
		return;
	}
	worker_answer(w, "RespondActivityTaskFailed", &r,
	              WS_DESC(respond_activity_task_failed_response), task->info.type.p, &err);
}

static void failed(struct temporal_activity_task *task, const struct err *why)
{
	struct temporal_failure f = temporal_failure_of(why);

	atomic_fetch_add(&task->worker->counts.activities_failed, 1);
	worker_notice(task->worker, TEMPORAL_ACTIVITY_FAILED, task->info.type.p, why);
	answer_failed(task, task->failure ? task->failure : &f);
}

static void completed(struct temporal_activity_task *task)
{
	struct temporal_worker *w = task->worker;
	WS(RespondActivityTaskCompletedRequest)
	r = WS_INIT(RESPOND_ACTIVITY_TASK_COMPLETED_REQUEST);
	struct err err = {0};

	r.namespace_ = w->t->name_space;
	r.identity = w->t->identity;
	r.task_token = task->polled->task_token;
	r.deployment_options = worker_deployment(w);
	if (!pb_payloads_of(&task->arena, task->result, &r.result)) {
		pb_full(&task->arena, "temporal.activity", &err);
		failed(task, &err);
		return;
	}
	if (worker_answer(w, "RespondActivityTaskCompleted", &r,
	                  WS_DESC(respond_activity_task_completed_response), task->info.type.p,
	                  &err))
		return;
	/* a result that the server does not take would be waited for until a time-out, unexplained
	 */
	if (err.code == ERR_USAGE || err.code == ERR_LIMIT)
		failed(task, &err);
}

static void cancelled(struct temporal_activity_task *task)
{
	struct temporal_worker *w = task->worker;
	WS(RespondActivityTaskCanceledRequest) r = WS_INIT(RESPOND_ACTIVITY_TASK_CANCELED_REQUEST);
	struct err err = {0};

	atomic_fetch_add(&w->counts.activities_cancelled, 1);
	r.namespace_ = w->t->name_space;
	r.identity = w->t->identity;
	r.task_token = task->polled->task_token;
	r.deployment_options = worker_deployment(w);
	if (!pb_payloads_of(&task->arena, task->result, &r.details))
		r.details = NULL;
	worker_answer(w, "RespondActivityTaskCanceled", &r,
	              WS_DESC(respond_activity_task_canceled_response), task->info.type.p, &err);
}

/* ---- one task ---- */

static bool perform_init(struct temporal_activity_task *task, struct temporal_worker *w,
                         const Polled *p, struct err *err)
{
	struct temporal_activity_info *i = &task->info;

	*task = (struct temporal_activity_task){.worker = w, .polled = p};
	task->arena = CONN_ARENA(w->t);
	task->beat_arena = ARENA_INIT(BEAT_BYTES);
	i->type = str_of(p->activity_type ? p->activity_type->name : "?");
	i->id = str_of(p->activity_id);
	i->workflow_type = str_of(p->workflow_type ? p->workflow_type->name : "");
	i->workflow_id = str_of(p->workflow_execution ? p->workflow_execution->workflow_id : "");
	i->run_id = str_of(p->workflow_execution ? p->workflow_execution->run_id : "");
	i->attempt = p->attempt;
	i->start_to_close_ms = pb_ms(p->start_to_close_timeout);
	i->heartbeat_ms = pb_ms(p->heartbeat_timeout);
	task->beat_every_ms = i->heartbeat_ms > 0 ? i->heartbeat_ms / 10 * 8 + 1 : BEAT_DEFAULT_MS;
	if (task->beat_every_ms > BEAT_MAX_MS)
		task->beat_every_ms = BEAT_MAX_MS;
	return (pb_payloads_to(&task->arena, p->input, &i->input) &&
	        pb_payloads_to(&task->arena, p->heartbeat_details, &i->heartbeat)) ||
	       pb_full(&task->arena, "temporal.activity", err);
}

static void list_add(struct temporal_worker *w, struct temporal_activity_task *task)
{
	pthread_mutex_lock(&w->lock);
	task->next = w->performing;
	task->at = &w->performing;
	if (task->next)
		task->next->at = &task->next;
	w->performing = task;
	pthread_mutex_unlock(&w->lock);
}

static void list_remove(struct temporal_worker *w, struct temporal_activity_task *task)
{
	pthread_mutex_lock(&w->lock);
	*task->at = task->next;
	if (task->next)
		task->next->at = task->at;
	pthread_mutex_unlock(&w->lock);
}

void perform_stop_all(struct temporal_worker *w)
{
	pthread_mutex_lock(&w->lock);
	for (struct temporal_activity_task *a = w->performing; a; a = a->next) {
		atomic_store(&a->stopping, true);
		atomic_store(&a->stop, true);
	}
	pthread_mutex_unlock(&w->lock);
}

static bool run_activity(struct temporal_worker *w, struct temporal_activity_task *task,
                         struct err *err)
{
	for (size_t i = 0; i < w->o.n_activities; i++)
		if (str_is(task->info.type, w->o.activities[i].type))
			return w->o.activities[i].run(task, w->o.activities[i].ctx, err);
	/* another worker of the queue, perhaps a newer one, may have it */
	return err_set_retry(err, ERR_NOT_FOUND, "temporal.activity",
	                     "this worker has no activity type %.*s", STR_FMT(task->info.type));
}

static void perform_run(void *ctx, void *polled)
{
	struct temporal_worker *w = ctx;
	struct polled *p = polled;
	struct temporal_activity_task task;
	struct err err = {0};
	bool ok;

	atomic_fetch_add(&w->counts.activities, 1);
	ok = perform_init(&task, w, p->answer, &err);
	if (ok) {
		list_add(w, &task);
		ok = run_activity(w, &task, &err);
		list_remove(w, &task);
	}
	if (task.lost)
		atomic_fetch_add(&w->counts.answers_lost, 1);
	else if (ok)
		completed(&task);
	else if (task.cancelled && err.code == ERR_CANCELLED)
		cancelled(&task);
	else
		failed(&task, &err);
	arena_free(&task.arena);
	arena_free(&task.beat_arena);
	polled_free(p);
}

static bool perform_failed(void *ctx, const struct err *err, int attempts)
{
	return worker_poll_failed(ctx, "activity", err, attempts);
}

static int64_t perform_pause_ms(void *ctx, const struct err *err, int attempts, struct rng *rng)
{
	(void)ctx;
	return worker_pause_ms(err, attempts, rng);
}

const struct lane_ops perform_ops = {perform_poll, perform_run, perform_failed, perform_pause_ms};
