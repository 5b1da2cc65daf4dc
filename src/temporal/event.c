/* SPDX-License-Identifier: Apache-2.0
 *
 * event.c: the protocol's events, flattened. A table would not be shorter: hardly two types have
 * the same attributes.
 */
#include "temporal/pb.h"

#define ATTR(type) from->type##_event_attributes
#define CASE(TYPE) TEMPORAL__API__HISTORY__V1__HISTORY_EVENT__ATTRIBUTES_##TYPE##_EVENT_ATTRIBUTES

struct parts { /* what the attributes may hold, of the protocol's types */
	const PbPayloads *payloads;
	const PbFailure *failure;
	const PbMemo *memo;
	const PbSearch *search;
};

static void workflow_started(const PbEvent *from, struct temporal_event *e, struct parts *p)
{
	const Temporal__Api__History__V1__WorkflowExecutionStartedEventAttributes *a =
	    ATTR(workflow_execution_started);

	if (a->workflow_type)
		e->name = pb_str(a->workflow_type->name);
	if (a->task_queue)
		e->task_queue = pb_str(a->task_queue->name);
	e->run_id = pb_str(a->continued_execution_run_id);
	e->first_run_id = pb_str(a->first_execution_run_id);
	e->attempt = a->attempt;
	*p = (struct parts){a->input, NULL, a->memo, a->search_attributes};
}

static bool workflow_event(const PbEvent *from, struct temporal_event *e, struct parts *p)
{
	switch (from->attributes_case) {
	case CASE(WORKFLOW_EXECUTION_STARTED):
		workflow_started(from, e, p);
		return true;
	case CASE(WORKFLOW_EXECUTION_COMPLETED):
		p->payloads = ATTR(workflow_execution_completed)->result;
		e->run_id = pb_str(ATTR(workflow_execution_completed)->new_execution_run_id);
		return true;
	case CASE(WORKFLOW_EXECUTION_FAILED):
		p->failure = ATTR(workflow_execution_failed)->failure;
		e->run_id = pb_str(ATTR(workflow_execution_failed)->new_execution_run_id);
		return true;
	case CASE(WORKFLOW_EXECUTION_TIMED_OUT):
		e->run_id = pb_str(ATTR(workflow_execution_timed_out)->new_execution_run_id);
		return true;
	case CASE(WORKFLOW_EXECUTION_CONTINUED_AS_NEW):
		p->payloads = ATTR(workflow_execution_continued_as_new)->input;
		e->run_id = pb_str(ATTR(workflow_execution_continued_as_new)->new_execution_run_id);
		return true;
	case CASE(WORKFLOW_EXECUTION_CANCEL_REQUESTED):
		e->reason = pb_str(ATTR(workflow_execution_cancel_requested)->cause);
		return true;
	case CASE(WORKFLOW_EXECUTION_CANCELED):
		p->payloads = ATTR(workflow_execution_canceled)->details;
		return true;
	case CASE(WORKFLOW_EXECUTION_TERMINATED):
		e->reason = pb_str(ATTR(workflow_execution_terminated)->reason);
		p->payloads = ATTR(workflow_execution_terminated)->details;
		return true;
	case CASE(WORKFLOW_EXECUTION_SIGNALED):
		e->name = pb_str(ATTR(workflow_execution_signaled)->signal_name);
		p->payloads = ATTR(workflow_execution_signaled)->input;
		return true;
	case CASE(WORKFLOW_TASK_STARTED):
		e->of = ATTR(workflow_task_started)->scheduled_event_id;
		e->history_bytes = ATTR(workflow_task_started)->history_size_bytes;
		e->suggest_continue = ATTR(workflow_task_started)->suggest_continue_as_new;
		return true;
	case CASE(WORKFLOW_TASK_FAILED):
		e->of = ATTR(workflow_task_failed)->scheduled_event_id;
		p->failure = ATTR(workflow_task_failed)->failure;
		return true;
	default:
		return false;
	}
}

static bool activity_event(const PbEvent *from, struct temporal_event *e, struct parts *p)
{
	switch (from->attributes_case) {
	case CASE(ACTIVITY_TASK_SCHEDULED):
		e->ref = pb_str(ATTR(activity_task_scheduled)->activity_id);
		if (ATTR(activity_task_scheduled)->activity_type)
			e->name = pb_str(ATTR(activity_task_scheduled)->activity_type->name);
		p->payloads = ATTR(activity_task_scheduled)->input;
		return true;
	case CASE(ACTIVITY_TASK_STARTED):
		e->of = ATTR(activity_task_started)->scheduled_event_id;
		e->attempt = ATTR(activity_task_started)->attempt;
		return true;
	case CASE(ACTIVITY_TASK_COMPLETED):
		e->of = ATTR(activity_task_completed)->scheduled_event_id;
		p->payloads = ATTR(activity_task_completed)->result;
		return true;
	case CASE(ACTIVITY_TASK_FAILED):
		e->of = ATTR(activity_task_failed)->scheduled_event_id;
		p->failure = ATTR(activity_task_failed)->failure;
		return true;
	case CASE(ACTIVITY_TASK_TIMED_OUT):
		e->of = ATTR(activity_task_timed_out)->scheduled_event_id;
		p->failure = ATTR(activity_task_timed_out)->failure;
		return true;
	case CASE(ACTIVITY_TASK_CANCEL_REQUESTED):
		e->of = ATTR(activity_task_cancel_requested)->scheduled_event_id;
		return true;
	case CASE(ACTIVITY_TASK_CANCELED):
		e->of = ATTR(activity_task_canceled)->scheduled_event_id;
		p->payloads = ATTR(activity_task_canceled)->details;
		return true;
	default:
		return false;
	}
}

/* A marker's details are a map; the official SDKs have keys of their own there, ours is "details".
 */
static const PbPayloads *
marker_details(const Temporal__Api__History__V1__MarkerRecordedEventAttributes *a)
{
	for (size_t i = 0; i < a->n_details; i++)
		if (str_is(str_of(a->details[i]->key), "details"))
			return a->details[i]->value;
	return NULL;
}

static void other_event(const PbEvent *from, struct temporal_event *e, struct parts *p)
{
	switch (from->attributes_case) {
	case CASE(TIMER_STARTED):
		e->ref = pb_str(ATTR(timer_started)->timer_id);
		break;
	case CASE(TIMER_FIRED):
		e->ref = pb_str(ATTR(timer_fired)->timer_id);
		e->of = ATTR(timer_fired)->started_event_id;
		break;
	case CASE(TIMER_CANCELED):
		e->ref = pb_str(ATTR(timer_canceled)->timer_id);
		e->of = ATTR(timer_canceled)->started_event_id;
		break;
	case CASE(MARKER_RECORDED):
		e->name = pb_str(ATTR(marker_recorded)->marker_name);
		p->payloads = marker_details(ATTR(marker_recorded));
		break;
	default:
		break;
	}
}

bool pb_event_to(struct arena *arena, const PbEvent *from, struct temporal_event *out)
{
	struct temporal_event e = {.id = from->event_id, .time_us = pb_us(from->event_time)};
	struct parts p = {0};

	e.type = (enum temporal_event_type)from->event_type;
	if (!workflow_event(from, &e, &p) && !activity_event(from, &e, &p))
		other_event(from, &e, &p);
	if (!pb_payloads_to(arena, p.payloads, &e.payloads) ||
	    !pb_failure_to(arena, p.failure, &e.failure) || !pb_memo_to(arena, p.memo, &e.memo) ||
	    !pb_search_to(arena, p.search, &e.search))
		return false;
	*out = e;
	return true;
}
