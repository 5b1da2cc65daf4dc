/* SPDX-License-Identifier: Apache-2.0
 *
 * client.c: what is done to a workflow from outside.
 */
#include <stdio.h>

#include "temporal/conn.h"
#include "temporal/pb.h"

/* ---- start ---- */

static bool start_texts(struct temporal *t, const struct temporal_start *s, struct arena *arena,
                        WS(StartWorkflowExecutionRequest) * r)
{
	r->namespace_ = t->name_space;
	r->identity = t->identity;
	r->workflow_id = pb_text(arena, str_of(s->workflow_id));
	r->workflow_type = PB_NEW(arena, Temporal__Api__Common__V1__WorkflowType,
	                          temporal__api__common__v1__workflow_type);
	if (!r->workflow_id || !r->workflow_type)
		return false;
	r->workflow_type->name = pb_text(arena, str_of(s->type));
	return r->workflow_type->name && pb_queue_of(arena, s->task_queue, &r->task_queue);
}

static bool start_request(struct temporal *t, const struct temporal_start *s, struct arena *arena,
                          WS(StartWorkflowExecutionRequest) * r)
{
	r->workflow_execution_timeout = pb_duration(arena, s->execution_timeout_ms);
	r->workflow_run_timeout = pb_duration(arena, s->run_timeout_ms);
	r->workflow_task_timeout = pb_duration(arena, s->task_timeout_ms);
	r->workflow_start_delay = pb_duration(arena, s->delay_ms);
	r->workflow_id_reuse_policy =
	    (Temporal__Api__Enums__V1__WorkflowIdReusePolicy)(s->reuse ? s->reuse
	                                                               : TEMPORAL_REUSE_ALLOW);
	r->workflow_id_conflict_policy =
	    (Temporal__Api__Enums__V1__WorkflowIdConflictPolicy)(s->conflict
	                                                             ? s->conflict
	                                                             : TEMPORAL_CONFLICT_FAIL);
	return start_texts(t, s, arena, r) && pb_payloads_of(arena, s->input, &r->input) &&
	       pb_memo_of(arena, s->memo, &r->memo) &&
	       pb_search_of(arena, s->search, &r->search_attributes) &&
	       pb_retry_of(arena, &s->retry, &r->retry_policy);
}

bool temporal_workflow_start(struct temporal *t, const struct temporal_start *start,
                             struct temporal_started *out, struct err *err)
{
	WS(StartWorkflowExecutionRequest) r = WS_INIT(START_WORKFLOW_EXECUTION_REQUEST);
	WS(StartWorkflowExecutionResponse) *answer = NULL;
	struct arena arena = CONN_ARENA(t);
	char uuid[UUID_TEXT];

	if (!start->workflow_id || !start->type || !start->task_queue)
		return err_set(err, ERR_USAGE, "temporal.start",
		               "a workflow needs an id, a type and a task queue");
	if (!start->request_id && !conn_request_id(uuid, err))
		return false;
	if (!start_request(t, start, &arena, &r)) {
		pb_full(&arena, "temporal.start", err);
		goto out;
	}
	r.request_id = start->request_id ? (char *)(uintptr_t)start->request_id : uuid;
	answer = CONN_CALL("StartWorkflowExecution", start_workflow_execution_response, &arena);
	if (!answer)
		goto out;
	snprintf(out->run_id, sizeof out->run_id, "%s", answer->run_id);
	out->started = answer->started;
out:
	arena_free(&arena);
	return answer != NULL;
}

/* ---- requests that are answered by "done" ---- */

bool temporal_workflow_signal(struct temporal *t, const struct temporal_id *id, const char *name,
                              struct temporal_payloads input, struct err *err)
{
	WS(SignalWorkflowExecutionRequest) r = WS_INIT(SIGNAL_WORKFLOW_EXECUTION_REQUEST);
	PbExecution execution = pb_execution(id);
	struct arena arena = CONN_ARENA(t);
	char uuid[UUID_TEXT];
	bool ok;

	if (!conn_request_id(uuid, err))
		return false;
	r.namespace_ = t->name_space;
	r.identity = t->identity;
	r.workflow_execution = &execution;
	r.signal_name = (char *)(uintptr_t)name;
	r.request_id = uuid;
	if (!pb_payloads_of(&arena, input, &r.input))
		ok = pb_full(&arena, "temporal.signal", err);
	else
		ok = CONN_CALL("SignalWorkflowExecution", signal_workflow_execution_response,
		               &arena) != NULL;
	arena_free(&arena);
	return ok;
}

bool temporal_workflow_cancel(struct temporal *t, const struct temporal_id *id, const char *reason,
                              struct err *err)
{
	WS(RequestCancelWorkflowExecutionRequest)
	r = WS_INIT(REQUEST_CANCEL_WORKFLOW_EXECUTION_REQUEST);
	PbExecution execution = pb_execution(id);
	struct arena arena = CONN_ARENA(t);
	char uuid[UUID_TEXT];
	bool ok;

	if (!conn_request_id(uuid, err))
		return false;
	r.namespace_ = t->name_space;
	r.identity = t->identity;
	r.workflow_execution = &execution;
	r.request_id = uuid;
	if (reason)
		r.reason = (char *)(uintptr_t)reason;
	ok = CONN_CALL("RequestCancelWorkflowExecution", request_cancel_workflow_execution_response,
	               &arena) != NULL;
	arena_free(&arena);
	return ok;
}

bool temporal_workflow_terminate(struct temporal *t, const struct temporal_id *id,
                                 const char *reason, struct err *err)
{
	WS(TerminateWorkflowExecutionRequest) r = WS_INIT(TERMINATE_WORKFLOW_EXECUTION_REQUEST);
	PbExecution execution = pb_execution(id);
	struct arena arena = CONN_ARENA(t);
	bool ok;

	r.namespace_ = t->name_space;
	r.identity = t->identity;
	r.workflow_execution = &execution;
	if (reason)
		r.reason = (char *)(uintptr_t)reason;
	ok = CONN_CALL("TerminateWorkflowExecution", terminate_workflow_execution_response,
	               &arena) != NULL;
	arena_free(&arena);
	return ok;
}

/* ---- query ---- */

bool temporal_workflow_query(struct temporal *t, const struct temporal_id *id, const char *name,
                             struct temporal_payloads args, struct arena *arena,
                             struct temporal_payloads *answer, struct err *err)
{
	WS(QueryWorkflowRequest) r = WS_INIT(QUERY_WORKFLOW_REQUEST);
	Temporal__Api__Query__V1__WorkflowQuery query =
	    TEMPORAL__API__QUERY__V1__WORKFLOW_QUERY__INIT;
	PbExecution execution = pb_execution(id);
	WS(QueryWorkflowResponse) * got;

	r.namespace_ = t->name_space;
	r.execution = &execution;
	r.query = &query;
	query.query_type = (char *)(uintptr_t)name;
	if (!pb_payloads_of(arena, args, &query.query_args))
		return pb_full(arena, "temporal.query", err);
	got = CONN_CALL("QueryWorkflow", query_workflow_response, arena);
	if (!got)
		return false;
	if (got->query_rejected)
		return err_set(err, ERR_CONFLICT, "temporal.query",
		               "the workflow has ended and is not asked");
	return pb_payloads_to(arena, got->query_result, answer) ||
	       pb_full(arena, "temporal.query", err);
}

/* ---- describe ---- */

const char *temporal_status_name(enum temporal_status status)
{
	static const char *const names[] = {"unknown",   "running",   "completed",
	                                    "failed",    "cancelled", "terminated",
	                                    "continued", "timed-out", "paused"};
	size_t i = (size_t)status;

	return names[i < sizeof names / sizeof *names ? i : 0];
}

static bool pending_to(struct arena *arena,
                       const Temporal__Api__Workflow__V1__PendingActivityInfo *from,
                       struct temporal_pending *out)
{
	out->activity_id = pb_str(from->activity_id);
	out->type = from->activity_type ? pb_str(from->activity_type->name) : STR_NONE;
	out->worker = pb_str(from->last_worker_identity);
	out->started =
	    from->state ==
	    TEMPORAL__API__ENUMS__V1__PENDING_ACTIVITY_STATE__PENDING_ACTIVITY_STATE_STARTED;
	out->cancel_requested =
	    from->state ==
	    TEMPORAL__API__ENUMS__V1__PENDING_ACTIVITY_STATE__PENDING_ACTIVITY_STATE_CANCEL_REQUESTED;
	out->attempt = from->attempt;
	out->maximum_attempts = from->maximum_attempts;
	return pb_payloads_to(arena, from->heartbeat_details, &out->heartbeat) &&
	       pb_failure_to(arena, from->last_failure, &out->last_failure);
}

static bool description_to(struct arena *arena, const WS(DescribeWorkflowExecutionResponse) * from,
                           struct temporal_description *out)
{
	const Temporal__Api__Workflow__V1__WorkflowExecutionInfo *info =
	    from->workflow_execution_info;
	struct temporal_pending *pending = NULL;

	out->status = (enum temporal_status)info->status;
	if (info->execution) {
		out->workflow_id = pb_str(info->execution->workflow_id);
		out->run_id = pb_str(info->execution->run_id);
	}
	out->first_run_id = pb_str(info->first_run_id);
	out->type = info->type ? pb_str(info->type->name) : STR_NONE;
	out->task_queue = pb_str(info->task_queue);
	out->started_us = pb_us(info->start_time);
	out->closed_us = pb_us(info->close_time);
	out->events = info->history_length;
	out->bytes = info->history_size_bytes;
	if (from->n_pending_activities &&
	    !(pending = arena_array(arena, from->n_pending_activities, sizeof *pending)))
		return false;
	for (size_t i = 0; i < from->n_pending_activities; i++)
		if (!pending_to(arena, from->pending_activities[i], &pending[i]))
			return false;
	out->pending = pending;
	out->n_pending = from->n_pending_activities;
	return pb_memo_to(arena, info->memo, &out->memo) &&
	       pb_search_to(arena, info->search_attributes, &out->search);
}

bool temporal_workflow_describe(struct temporal *t, const struct temporal_id *id,
                                struct arena *arena, struct temporal_description *out,
                                struct err *err)
{
	WS(DescribeWorkflowExecutionRequest) r = WS_INIT(DESCRIBE_WORKFLOW_EXECUTION_REQUEST);
	PbExecution execution = pb_execution(id);
	struct temporal_description d = {0};
	WS(DescribeWorkflowExecutionResponse) * answer;

	r.namespace_ = t->name_space;
	r.execution = &execution;
	answer =
	    CONN_CALL("DescribeWorkflowExecution", describe_workflow_execution_response, arena);
	if (!answer)
		return false;
	if (!answer->workflow_execution_info)
		return err_set(err, ERR_PROTOCOL, "temporal.describe",
		               "the server describes a workflow without saying which");
	if (!description_to(arena, answer, &d))
		return pb_full(arena, "temporal.describe", err);
	*out = d;
	return true;
}
