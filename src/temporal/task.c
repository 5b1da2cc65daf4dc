/* SPDX-License-Identifier: Apache-2.0
 *
 * task.c: what a workflow asks for, as commands. One place adds commands (task_add), one place says
 * why it cannot (task_refuse): a workflow need not look at each call's success.
 */
#include "temporal/task.h"

#include <string.h>

#define COMMAND(x) TEMPORAL__API__ENUMS__V1__COMMAND_TYPE__COMMAND_TYPE_##x
#define CASE(x) TEMPORAL__API__COMMAND__V1__COMMAND__ATTRIBUTES_##x##_COMMAND_ATTRIBUTES
#define ATTRIBUTES(t, Type, type)                                                                  \
	PB_NEW(&(t)->fold.arena, Temporal__Api__Command__V1__##Type##CommandAttributes,            \
	       temporal__api__command__v1__##type##_command_attributes)

typedef Temporal__Api__Command__V1__Command PbCommand;

void task_init(struct temporal_task *t, size_t max_history)
{
	*t = (struct temporal_task){0};
	fold_init(&t->fold, max_history);
}

void task_free(struct temporal_task *t)
{
	fold_free(&t->fold);
}

bool task_decide(struct temporal_task *t, const struct temporal_workflow *workflow, struct err *err)
{
	if (!workflow->run(t, workflow->ctx, err))
		return false;
	if (t->failed)
		*err = t->err;
	return !t->failed;
}

const struct temporal_info *temporal_task_info(const struct temporal_task *task)
{
	return &task->fold.info;
}

struct arena *temporal_task_arena(struct temporal_task *task)
{
	return &task->fold.arena;
}

const struct temporal_known *temporal_task_find(const struct temporal_task *task, int kind,
                                                const char *id)
{
	return fold_find(&task->fold, kind, str_of(id));
}

const struct temporal_known *temporal_task_known(const struct temporal_task *task, size_t i)
{
	return i < task->fold.n_known ? task->fold.known[i] : NULL;
}

const struct temporal_signal *temporal_task_signal(const struct temporal_task *task, size_t i)
{
	return i < task->fold.n_signals ? &task->fold.signals[i] : NULL;
}

/* ---- commands ---- */

/* The first reason counts. */
static bool task_refuse(struct temporal_task *t, enum err_code code, const char *why)
{
	if (!t->failed)
		err_set(&t->err, code, "temporal.task", "%s", why);
	t->failed = true;
	return false;
}

static bool task_full(struct temporal_task *t)
{
	return task_refuse(t, ERR_LIMIT, "the workflow task needs more memory than it may have");
}

static bool task_may_add(struct temporal_task *t)
{
	if (t->failed)
		return false;
	if (t->reading)
		return task_refuse(t, ERR_INTERNAL, "a query asked for something to be done");
	if (t->ended)
		return task_refuse(t, ERR_INTERNAL,
		                   "the workflow asked for something after its end");
	if (t->n_commands == TEMPORAL_COMMANDS_MAX)
		return task_refuse(t, ERR_LIMIT, "more commands than one workflow task may have");
	return true;
}

/* A command with room for its attributes; NULL: refused. */
static PbCommand *task_add(struct temporal_task *t, int type, int attributes_case)
{
	size_t cap = t->cap_commands ? t->cap_commands * 2 : 16;
	PbCommand **commands = t->commands;
	PbCommand *c;

	if (!task_may_add(t))
		return NULL;
	if (t->n_commands == t->cap_commands) {
		commands = arena_array(&t->fold.arena, cap, sizeof(PbCommand *));
		if (commands && t->n_commands)
			memcpy(commands, t->commands, t->n_commands * sizeof(PbCommand *));
	}
	c = PB_NEW(&t->fold.arena, PbCommand, temporal__api__command__v1__command);
	if (!commands || !c) {
		task_full(t);
		return NULL;
	}
	if (t->n_commands == t->cap_commands)
		t->cap_commands = cap;
	t->commands = commands;
	c->command_type = (Temporal__Api__Enums__V1__CommandType)type;
	c->attributes_case = (Temporal__Api__Command__V1__Command__AttributesCase)attributes_case;
	t->commands[t->n_commands++] = c;
	return c;
}

/* What `id` is known as; a new one when it is not: *is_new. NULL: refused. */
static struct temporal_known *task_know(struct temporal_task *t, int kind, const char *id,
                                        const char *type, bool *is_new)
{
	struct temporal_known *k;

	*is_new = false;
	if (!id || !*id) {
		task_refuse(t, ERR_USAGE, "an activity, timer or marker needs an id");
		return NULL;
	}
	k = fold_find(&t->fold, kind, str_of(id));
	if (k || !task_may_add(t))
		return k;
	k = fold_add(&t->fold, kind, str_of(id), str_of(type), 0);
	if (!k)
		task_full(t);
	*is_new = k != NULL;
	return k;
}

/* ---- activities ---- */

static bool
activity_attributes(struct temporal_task *t, const struct temporal_activity *a,
                    Temporal__Api__Command__V1__ScheduleActivityTaskCommandAttributes *s)
{
	struct arena *arena = &t->fold.arena;

	s->activity_id = pb_text(arena, str_of(a->id));
	s->activity_type = PB_NEW(arena, Temporal__Api__Common__V1__ActivityType,
	                          temporal__api__common__v1__activity_type);
	if (!s->activity_id || !s->activity_type ||
	    !(s->activity_type->name = pb_text(arena, str_of(a->type))))
		return false;
	s->start_to_close_timeout = pb_duration(arena, a->start_to_close_ms);
	s->schedule_to_close_timeout = pb_duration(arena, a->schedule_to_close_ms);
	s->schedule_to_start_timeout = pb_duration(arena, a->schedule_to_start_ms);
	s->heartbeat_timeout = pb_duration(arena, a->heartbeat_ms);
	/* arena's and server's strings end with '\0' */
	return pb_queue_of(arena, a->task_queue ? a->task_queue : t->fold.info.task_queue.p,
	                   &s->task_queue) &&
	       pb_payloads_of(arena, a->input, &s->input) &&
	       pb_retry_of(arena, &a->retry, &s->retry_policy);
}

const struct temporal_known *temporal_task_activity(struct temporal_task *task,
                                                    const struct temporal_activity *a)
{
	Temporal__Api__Command__V1__ScheduleActivityTaskCommandAttributes *s;
	struct temporal_activity copy;
	struct temporal_known *k;
	PbCommand *c;
	bool is_new;

	if (a->start_to_close_ms <= 0 && a->schedule_to_close_ms <= 0) {
		task_refuse(task, ERR_USAGE,
		            "an activity needs start_to_close_ms or schedule_to_close_ms");
		return NULL;
	}
	k = task_know(task, TEMPORAL_IS_ACTIVITY, a->id, a->type, &is_new);
	if (!is_new)
		return k;
	s = ATTRIBUTES(task, ScheduleActivityTask, schedule_activity_task);
	c = task_add(task, COMMAND(SCHEDULE_ACTIVITY_TASK), CASE(SCHEDULE_ACTIVITY_TASK));
	if (!c)
		return NULL;
	copy = *a; /* the caller's payloads may be gone when the command is sent */
	if (!s || !temporal_payloads_copy(&task->fold.arena, a->input, &copy.input) ||
	    !activity_attributes(task, &copy, s)) {
		task_full(task);
		return NULL;
	}
	k->input = copy.input;
	c->schedule_activity_task_command_attributes = s;
	return k;
}

/* ---- timers and markers ---- */

const struct temporal_known *temporal_task_timer(struct temporal_task *task, const char *id,
                                                 int64_t ms)
{
	Temporal__Api__Command__V1__StartTimerCommandAttributes *s;
	struct temporal_known *k;
	PbCommand *c;
	bool is_new;

	k = task_know(task, TEMPORAL_IS_TIMER, id, NULL, &is_new);
	if (!is_new)
		return k;
	s = ATTRIBUTES(task, StartTimer, start_timer);
	c = task_add(task, COMMAND(START_TIMER), CASE(START_TIMER));
	if (!c)
		return NULL;
	if (!s || !(s->timer_id = pb_text(&task->fold.arena, str_of(id))) ||
	    !(s->start_to_fire_timeout = pb_duration(&task->fold.arena, ms > 0 ? ms : 1))) {
		task_full(task);
		return NULL;
	}
	c->start_timer_command_attributes = s;
	return k;
}

static bool marker_attributes(struct arena *arena, const char *id, struct temporal_payloads details,
                              Temporal__Api__Command__V1__RecordMarkerCommandAttributes *s)
{
	Temporal__Api__Command__V1__RecordMarkerCommandAttributes__DetailsEntry *e =
	    PB_NEW(arena, Temporal__Api__Command__V1__RecordMarkerCommandAttributes__DetailsEntry,
	           temporal__api__command__v1__record_marker_command_attributes__details_entry);

	s->marker_name = pb_text(arena, str_of(id));
	s->details = arena_array(arena, 1, sizeof e);
	if (!e || !s->marker_name || !s->details || !(e->key = pb_text(arena, STR("details"))) ||
	    !pb_payloads_of(arena, details, &e->value))
		return false;
	s->details[0] = e;
	s->n_details = e->value ? 1 : 0;
	return true;
}

const struct temporal_known *temporal_task_marker(struct temporal_task *task, const char *id,
                                                  struct temporal_payloads details)
{
	Temporal__Api__Command__V1__RecordMarkerCommandAttributes *s;
	struct temporal_known *k;
	PbCommand *c;
	bool is_new;

	k = task_know(task, TEMPORAL_IS_MARKER, id, NULL, &is_new);
	if (!is_new)
		return k;
	k->state = TEMPORAL_STATE_DONE;
	s = ATTRIBUTES(task, RecordMarker, record_marker);
	c = task_add(task, COMMAND(RECORD_MARKER), CASE(RECORD_MARKER));
	if (!c)
		return NULL;
	if (!s || !temporal_payloads_copy(&task->fold.arena, details, &k->result) ||
	    !marker_attributes(&task->fold.arena, id, k->result, s)) {
		task_full(task);
		return NULL;
	}
	c->record_marker_command_attributes = s;
	return k;
}

bool temporal_task_patched(struct temporal_task *task, const char *id)
{
	if (temporal_task_find(task, TEMPORAL_IS_MARKER, id))
		return true;
	if (task->fold.tasks > 0)
		return false;
	return temporal_task_marker(task, id, TEMPORAL_NO_PAYLOADS) != NULL;
}

/* ---- cancelling ---- */

static void cancel_activity(struct temporal_task *t, struct temporal_known *k)
{
	Temporal__Api__Command__V1__RequestCancelActivityTaskCommandAttributes *s =
	    ATTRIBUTES(t, RequestCancelActivityTask, request_cancel_activity_task);
	PbCommand *c =
	    task_add(t, COMMAND(REQUEST_CANCEL_ACTIVITY_TASK), CASE(REQUEST_CANCEL_ACTIVITY_TASK));

	if (!c)
		return;
	if (!s) {
		task_full(t);
		return;
	}
	s->scheduled_event_id = k->asked_id;
	c->request_cancel_activity_task_command_attributes = s;
	k->cancel_requested = true;
}

static void cancel_timer(struct temporal_task *t, struct temporal_known *k)
{
	Temporal__Api__Command__V1__CancelTimerCommandAttributes *s =
	    ATTRIBUTES(t, CancelTimer, cancel_timer);
	PbCommand *c = task_add(t, COMMAND(CANCEL_TIMER), CASE(CANCEL_TIMER));

	if (!c)
		return;
	if (!s || !(s->timer_id = pb_text(&t->fold.arena, k->id))) {
		task_full(t);
		return;
	}
	c->cancel_timer_command_attributes = s;
	k->cancel_requested = true;
	k->state = TEMPORAL_STATE_CANCELLED;
}

/* What was asked for in this very task: taken back, as if it had not been. */
static void take_back(struct temporal_task *t, struct temporal_known *k)
{
	size_t at = 0;

	for (size_t i = 0; i < t->n_commands; i++) {
		PbCommand *c = t->commands[i];

		if (k->kind == TEMPORAL_IS_ACTIVITY &&
		    c->attributes_case == CASE(SCHEDULE_ACTIVITY_TASK) &&
		    str_is(k->id, c->schedule_activity_task_command_attributes->activity_id))
			continue;
		if (k->kind == TEMPORAL_IS_TIMER && c->attributes_case == CASE(START_TIMER) &&
		    str_is(k->id, c->start_timer_command_attributes->timer_id))
			continue;
		t->commands[at++] = c;
	}
	t->n_commands = at;
	k->cancel_requested = true;
	k->state = TEMPORAL_STATE_CANCELLED;
}

void temporal_task_cancel(struct temporal_task *task, const struct temporal_known *known)
{
	struct temporal_known *k = (struct temporal_known *)(uintptr_t)known;

	if (!k || k->state != TEMPORAL_STATE_PENDING || k->cancel_requested || !task_may_add(task))
		return;
	if (!k->asked_id)
		take_back(task, k);
	else if (k->kind == TEMPORAL_IS_ACTIVITY)
		cancel_activity(task, k);
	else
		cancel_timer(task, k);
}

/* ---- the end ---- */

void temporal_task_complete(struct temporal_task *task, struct temporal_payloads result)
{
	Temporal__Api__Command__V1__CompleteWorkflowExecutionCommandAttributes *s =
	    ATTRIBUTES(task, CompleteWorkflowExecution, complete_workflow_execution);
	PbCommand *c =
	    task_add(task, COMMAND(COMPLETE_WORKFLOW_EXECUTION), CASE(COMPLETE_WORKFLOW_EXECUTION));
	struct temporal_payloads copy;

	if (!c)
		return;
	if (!s || !temporal_payloads_copy(&task->fold.arena, result, &copy) ||
	    !pb_payloads_of(&task->fold.arena, copy, &s->result)) {
		task_full(task);
		return;
	}
	c->complete_workflow_execution_command_attributes = s;
	task->ended = true;
}

void temporal_task_fail(struct temporal_task *task, const struct temporal_failure *failure)
{
	Temporal__Api__Command__V1__FailWorkflowExecutionCommandAttributes *s =
	    ATTRIBUTES(task, FailWorkflowExecution, fail_workflow_execution);
	PbCommand *c =
	    task_add(task, COMMAND(FAIL_WORKFLOW_EXECUTION), CASE(FAIL_WORKFLOW_EXECUTION));
	const struct temporal_failure *copy;

	if (!c)
		return;
	if (!s || !temporal_failure_copy(&task->fold.arena, failure, &copy) ||
	    !pb_failure_of(&task->fold.arena, copy, &s->failure)) {
		task_full(task);
		return;
	}
	c->fail_workflow_execution_command_attributes = s;
	task->ended = true;
}

void temporal_task_cancelled(struct temporal_task *task, struct temporal_payloads details)
{
	Temporal__Api__Command__V1__CancelWorkflowExecutionCommandAttributes *s =
	    ATTRIBUTES(task, CancelWorkflowExecution, cancel_workflow_execution);
	PbCommand *c =
	    task_add(task, COMMAND(CANCEL_WORKFLOW_EXECUTION), CASE(CANCEL_WORKFLOW_EXECUTION));
	struct temporal_payloads copy;

	if (!c)
		return;
	if (!s || !temporal_payloads_copy(&task->fold.arena, details, &copy) ||
	    !pb_payloads_of(&task->fold.arena, copy, &s->details)) {
		task_full(task);
		return;
	}
	c->cancel_workflow_execution_command_attributes = s;
	task->ended = true;
}

static bool
continue_attributes(struct temporal_task *t, const struct temporal_continue *as,
                    Temporal__Api__Command__V1__ContinueAsNewWorkflowExecutionCommandAttributes *s)
{
	const struct temporal_info *info = &t->fold.info;
	struct arena *arena = &t->fold.arena;
	struct temporal_payloads input;
	struct temporal_fields memo, search;

	s->workflow_type = PB_NEW(arena, Temporal__Api__Common__V1__WorkflowType,
	                          temporal__api__common__v1__workflow_type);
	if (!s->workflow_type ||
	    !(s->workflow_type->name = pb_text(arena, as->type ? str_of(as->type) : info->type)) ||
	    !pb_queue_of(arena, as->task_queue ? as->task_queue : info->task_queue.p,
	                 &s->task_queue))
		return false;
	s->workflow_run_timeout = pb_duration(arena, as->run_timeout_ms);
	s->workflow_task_timeout = pb_duration(arena, as->task_timeout_ms);
	return temporal_payloads_copy(arena, as->input, &input) &&
	       temporal_fields_copy(arena, as->memo.n ? as->memo : info->memo, &memo) &&
	       temporal_fields_copy(arena, as->search.n ? as->search : info->search, &search) &&
	       pb_payloads_of(arena, input, &s->input) && pb_memo_of(arena, memo, &s->memo) &&
	       pb_search_of(arena, search, &s->search_attributes);
}

void temporal_task_continue(struct temporal_task *task, const struct temporal_continue *as)
{
	Temporal__Api__Command__V1__ContinueAsNewWorkflowExecutionCommandAttributes *s =
	    ATTRIBUTES(task, ContinueAsNewWorkflowExecution, continue_as_new_workflow_execution);
	PbCommand *c = task_add(task, COMMAND(CONTINUE_AS_NEW_WORKFLOW_EXECUTION),
	                        CASE(CONTINUE_AS_NEW_WORKFLOW_EXECUTION));

	if (!c)
		return;
	if (!s || !continue_attributes(task, as, s)) {
		task_full(task);
		return;
	}
	c->continue_as_new_workflow_execution_command_attributes = s;
	task->ended = true;
}
