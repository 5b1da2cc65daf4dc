/* SPDX-License-Identifier: Apache-2.0 */
#include "temporal/schedule.h"

#include "temporal/conn.h"
#include "temporal/pb.h"

enum { TOKEN_MAX = 64 << 10, PAGE_SIZE = 100 };

#define SCHEDULE(Name) Temporal__Api__Schedule__V1__##Name
#define SCHEDULE_NEW(Name, name)                                                                   \
	PB_NEW(arena, Temporal__Api__Schedule__V1__##Name, temporal__api__schedule__v1__##name)

/* ---- create ---- */

static bool make_spec(struct arena *arena, const struct temporal_schedule *s,
                      SCHEDULE(ScheduleSpec) * spec)
{
	SCHEDULE(IntervalSpec) *interval = SCHEDULE_NEW(IntervalSpec, interval_spec);

	spec->jitter = pb_duration(arena, s->jitter_ms);
	if (s->jitter_ms && !spec->jitter)
		return false;
	if (s->cron) {
		spec->cron_string = arena_array(arena, 1, sizeof(char *));
		spec->n_cron_string = 1;
		return spec->cron_string &&
		       (spec->cron_string[0] = pb_text(arena, str_of(s->cron)));
	}
	spec->interval = arena_array(arena, 1, sizeof interval);
	if (!interval || !spec->interval)
		return false;
	interval->interval = pb_duration(arena, s->interval_ms);
	spec->interval[0] = interval;
	spec->n_interval = 1;
	return interval->interval != NULL;
}

static bool make_action(struct arena *arena, const struct temporal_start *s,
                        SCHEDULE(ScheduleAction) * action)
{
	Temporal__Api__Workflow__V1__NewWorkflowExecutionInfo *w =
	    PB_NEW(arena, Temporal__Api__Workflow__V1__NewWorkflowExecutionInfo,
	           temporal__api__workflow__v1__new_workflow_execution_info);

	action->action_case = TEMPORAL__API__SCHEDULE__V1__SCHEDULE_ACTION__ACTION_START_WORKFLOW;
	action->start_workflow = w;
	if (!w)
		return false;
	w->workflow_id = pb_text(arena, str_of(s->workflow_id));
	w->workflow_type = PB_NEW(arena, Temporal__Api__Common__V1__WorkflowType,
	                          temporal__api__common__v1__workflow_type);
	w->workflow_run_timeout = pb_duration(arena, s->run_timeout_ms);
	return w->workflow_id && w->workflow_type &&
	       (!s->run_timeout_ms || w->workflow_run_timeout) &&
	       (w->workflow_type->name = pb_text(arena, str_of(s->type))) &&
	       pb_queue_of(arena, s->task_queue, &w->task_queue) &&
	       pb_payloads_of(arena, s->input, &w->input) && pb_memo_of(arena, s->memo, &w->memo);
}

static SCHEDULE(Schedule) * make_schedule(struct arena *arena, const struct temporal_schedule *s)
{
	SCHEDULE(Schedule) *made = SCHEDULE_NEW(Schedule, schedule);

	if (!made)
		return NULL;
	made->spec = SCHEDULE_NEW(ScheduleSpec, schedule_spec);
	made->action = SCHEDULE_NEW(ScheduleAction, schedule_action);
	made->policies = SCHEDULE_NEW(SchedulePolicies, schedule_policies);
	made->state = SCHEDULE_NEW(ScheduleState, schedule_state);
	if (!made->spec || !made->action || !made->policies || !made->state)
		return NULL;
	made->policies->overlap_policy =
	    (Temporal__Api__Enums__V1__ScheduleOverlapPolicy)(s->overlap ? s->overlap
	                                                                 : TEMPORAL_OVERLAP_SKIP);
	made->policies->catchup_window = pb_duration(arena, s->catchup_ms);
	made->state->notes = pb_text(arena, str_of(s->note));
	return made->state->notes && (!s->catchup_ms || made->policies->catchup_window) &&
	               make_spec(arena, s, made->spec) &&
	               make_action(arena, &s->start, made->action)
	           ? made
	           : NULL;
}

bool temporal_schedule_create(struct temporal *t, const struct temporal_schedule *s,
                              struct err *err)
{
	WS(CreateScheduleRequest) r = WS_INIT(CREATE_SCHEDULE_REQUEST);
	struct arena arena = CONN_ARENA(t);
	char uuid[UUID_TEXT];
	bool ok;

	if (s->cron ? s->interval_ms != 0 : s->interval_ms < 1000)
		return err_set(err, ERR_USAGE, "temporal.schedule",
		               "a schedule needs either a cron text or an interval of at least a "
		               "second");
	if (!conn_request_id(uuid, err))
		return false;
	r.namespace_ = t->name_space;
	r.identity = t->identity;
	r.schedule_id = (char *)(uintptr_t)s->id;
	r.request_id = uuid;
	r.schedule = make_schedule(&arena, s);
	ok = (r.schedule && pb_memo_of(&arena, s->memo, &r.memo)) ||
	     pb_full(&arena, "temporal.schedule", err);
	ok = ok && CONN_CALL("CreateSchedule", create_schedule_response, &arena) != NULL;
	arena_free(&arena);
	return ok;
}

/* ---- what is done to one ---- */

bool temporal_schedule_delete(struct temporal *t, const char *id, struct err *err)
{
	WS(DeleteScheduleRequest) r = WS_INIT(DELETE_SCHEDULE_REQUEST);
	struct arena arena = CONN_ARENA(t);
	bool ok;

	r.namespace_ = t->name_space;
	r.identity = t->identity;
	r.schedule_id = (char *)(uintptr_t)id;
	ok = CONN_CALL("DeleteSchedule", delete_schedule_response, &arena) != NULL;
	arena_free(&arena);
	return ok;
}

static bool change(struct temporal *t, const char *id, SCHEDULE(SchedulePatch) * patch,
                   struct err *err)
{
	WS(PatchScheduleRequest) r = WS_INIT(PATCH_SCHEDULE_REQUEST);
	struct arena arena = CONN_ARENA(t);
	char uuid[UUID_TEXT];
	bool ok;

	if (!conn_request_id(uuid, err))
		return false;
	r.namespace_ = t->name_space;
	r.identity = t->identity;
	r.schedule_id = (char *)(uintptr_t)id;
	r.request_id = uuid;
	r.patch = patch;
	ok = CONN_CALL("PatchSchedule", patch_schedule_response, &arena) != NULL;
	arena_free(&arena);
	return ok;
}

bool temporal_schedule_pause(struct temporal *t, const char *id, bool paused, const char *note,
                             struct err *err)
{
	SCHEDULE(SchedulePatch) patch = TEMPORAL__API__SCHEDULE__V1__SCHEDULE_PATCH__INIT;

	/* an empty text would be no request at all */
	if (!note || !*note)
		note = paused ? "paused" : "resumed";
	if (paused)
		patch.pause = (char *)(uintptr_t)note;
	else
		patch.unpause = (char *)(uintptr_t)note;
	return change(t, id, &patch, err);
}

bool temporal_schedule_trigger(struct temporal *t, const char *id, struct err *err)
{
	SCHEDULE(SchedulePatch) patch = TEMPORAL__API__SCHEDULE__V1__SCHEDULE_PATCH__INIT;
	SCHEDULE(TriggerImmediatelyRequest)
	now = TEMPORAL__API__SCHEDULE__V1__TRIGGER_IMMEDIATELY_REQUEST__INIT;

	patch.trigger_immediately = &now;
	return change(t, id, &patch, err);
}

/* ---- list ---- */

static bool entry_to(struct arena *arena, const SCHEDULE(ScheduleListEntry) * e,
                     struct temporal_scheduled *out)
{
	const SCHEDULE(ScheduleListInfo) *info = e->info;

	*out = (struct temporal_scheduled){.id = str_of(e->schedule_id)};
	if (info) {
		out->type = info->workflow_type ? str_of(info->workflow_type->name) : STR("");
		out->note = str_of(info->notes);
		out->paused = info->paused;
		out->next_us =
		    info->n_future_action_times ? pb_us(info->future_action_times[0]) : 0;
	}
	return pb_memo_to(arena, e->memo, &out->memo);
}

static bool list_page(struct temporal *t, int page_size, struct buf *token, temporal_schedule_fn fn,
                      void *ctx, struct err *err)
{
	WS(ListSchedulesRequest) r = WS_INIT(LIST_SCHEDULES_REQUEST);
	WS(ListSchedulesResponse) * answer;
	struct arena arena = CONN_ARENA(t);
	struct temporal_scheduled s;
	bool ok;

	r.namespace_ = t->name_space;
	r.maximum_page_size = page_size > 0 ? page_size : PAGE_SIZE;
	r.next_page_token = pb_bytes((struct str){token->p, token->n});
	answer = CONN_CALL("ListSchedules", list_schedules_response, &arena);
	ok = answer != NULL;
	for (size_t i = 0; ok && i < answer->n_schedules; i++)
		ok = entry_to(&arena, answer->schedules[i], &s)
		         ? fn(ctx, &s, err)
		         : pb_full(&arena, "temporal.schedule", err);
	buf_clear(token);
	if (ok)
		buf_add(token, answer->next_page_token.data, answer->next_page_token.len);
	ok = ok && buf_ok(token, "the token of a page", err);
	arena_free(&arena);
	return ok;
}

bool temporal_schedules_list(struct temporal *t, int page_size, temporal_schedule_fn fn, void *ctx,
                             struct err *err)
{
	struct buf token = BUF_INIT(TOKEN_MAX);
	bool ok;

	do
		ok = list_page(t, page_size, &token, fn, ctx, err);
	while (ok && token.n);
	buf_free(&token);
	return ok;
}
