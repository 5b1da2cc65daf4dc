/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "base/buf.h"
#include "base/clock.h"
#include "temporal/pages.h"

bool pages_read(struct temporal *t, const struct temporal_id *id, enum pages_want want,
                int64_t timeout_ms, struct buf *token, struct arena *arena, const PbHistory **out,
                struct err *err)
{
	Temporal__Api__Workflowservice__V1__GetWorkflowExecutionHistoryRequest r =
	    TEMPORAL__API__WORKFLOWSERVICE__V1__GET_WORKFLOW_EXECUTION_HISTORY_REQUEST__INIT;
	Temporal__Api__Workflowservice__V1__GetWorkflowExecutionHistoryResponse *answer;
	PbExecution execution = pb_execution(id);
	struct rpc_request request = {
	    .kind = want == PAGES_END ? RPC_POLL : RPC_CALL,
	    .method = "GetWorkflowExecutionHistory",
	    .message = &r,
	    .answer =
	        &temporal__api__workflowservice__v1__get_workflow_execution_history_response__descriptor,
	    .timeout_ms = timeout_ms,
	};

	r.namespace_ = t->name_space;
	r.execution = &execution;
	r.next_page_token = pb_bytes((struct str){token->p, token->n});
	r.skip_archival = want == PAGES_END; /* the archive has no long poll */
	r.wait_new_event = want == PAGES_END;
	r.history_event_filter_type =
	    want == PAGES_END
	        ? TEMPORAL__API__ENUMS__V1__HISTORY_EVENT_FILTER_TYPE__HISTORY_EVENT_FILTER_TYPE_CLOSE_EVENT
	        : TEMPORAL__API__ENUMS__V1__HISTORY_EVENT_FILTER_TYPE__HISTORY_EVENT_FILTER_TYPE_ALL_EVENT;
	answer = rpc_call(t->rpc, &request, arena, err);
	if (!answer)
		return false;
	buf_clear(token);
	buf_add(token, answer->next_page_token.data, answer->next_page_token.len);
	if (!buf_ok(token, "the token of a history page", err))
		return false;
	*out = answer->history;
	return true;
}

bool pages_each(struct arena *arena, const PbHistory *page, temporal_event_fn fn, void *ctx,
                struct err *err)
{
	struct temporal_event e;

	for (size_t i = 0; page && i < page->n_events; i++) {
		if (!pb_event_to(arena, page->events[i], &e))
			return pb_full(arena, "temporal.history", err);
		if (!fn(ctx, &e, err))
			return false;
	}
	return true;
}

bool temporal_workflow_history(struct temporal *t, const struct temporal_id *id,
                               temporal_event_fn fn, void *ctx, struct err *err)
{
	struct buf token = BUF_INIT(PAGES_TOKEN_MAX);
	struct arena arena = CONN_ARENA(t);
	const PbHistory *page;
	bool ok;

	do {
		arena_reset(&arena);
		ok = pages_read(t, id, PAGES_ALL, 0, &token, &arena, &page, err) &&
		     pages_each(&arena, page, fn, ctx, err);
	} while (ok && token.n);
	arena_free(&arena);
	buf_free(&token);
	return ok;
}

/* ---- the end of a workflow ---- */

struct ending {
	struct arena *arena;
	struct temporal_result result;
	char next_run[TEMPORAL_RUN_ID]; /* "": this was the last */
	bool ended;
};

static bool ending_status(enum temporal_event_type type, enum temporal_status *out)
{
	switch ((int)type) {
	case TEMPORAL_EV_WORKFLOW_COMPLETED:
		*out = TEMPORAL_STATUS_COMPLETED;
		return true;
	case TEMPORAL_EV_WORKFLOW_FAILED:
		*out = TEMPORAL_STATUS_FAILED;
		return true;
	case TEMPORAL_EV_WORKFLOW_TIMED_OUT:
		*out = TEMPORAL_STATUS_TIMED_OUT;
		return true;
	case TEMPORAL_EV_WORKFLOW_CANCELLED:
		*out = TEMPORAL_STATUS_CANCELLED;
		return true;
	case TEMPORAL_EV_WORKFLOW_TERMINATED:
		*out = TEMPORAL_STATUS_TERMINATED;
		return true;
	case TEMPORAL_EV_WORKFLOW_CONTINUED:
		*out = TEMPORAL_STATUS_CONTINUED;
		return true;
	default:
		return false;
	}
}

static bool ending_event(void *ctx, const struct temporal_event *e, struct err *err)
{
	struct ending *end = ctx;
	struct temporal_result *r = &end->result;

	if (!ending_status(e->type, &r->status))
		return true;
	end->ended = true;
	snprintf(end->next_run, sizeof end->next_run, "%.*s", STR_FMT(e->run_id));
	if (!temporal_payloads_copy(end->arena, e->payloads, &r->result) ||
	    !temporal_failure_copy(end->arena, e->failure, &r->failure))
		return pb_full(end->arena, "temporal.result", err);
	if (e->reason.p && !(r->reason = arena_str(end->arena, e->reason)).p)
		return pb_full(end->arena, "temporal.result", err);
	return true;
}

/* One long poll. */
static bool ending_poll(struct temporal *t, const struct temporal_id *id, int64_t wait_ms,
                        struct buf *token, struct ending *end, struct err *err)
{
	struct arena page_arena = CONN_ARENA(t);
	const PbHistory *page = NULL;
	bool ok = pages_read(t, id, PAGES_END, wait_ms, token, &page_arena, &page, err);

	if (ok)
		ok = pages_each(&page_arena, page, ending_event, end, err);
	arena_free(&page_arena);
	return ok;
}

/* The latest run, when the caller names none: what is waited for must not change on the way. */
static bool ending_run(struct temporal *t, const struct temporal_id *id, char run[TEMPORAL_RUN_ID],
                       struct err *err)
{
	struct arena arena = CONN_ARENA(t);
	struct temporal_description d;
	bool ok = true;

	if (id->run_id)
		snprintf(run, TEMPORAL_RUN_ID, "%s", id->run_id);
	else if ((ok = temporal_workflow_describe(t, id, &arena, &d, err)))
		snprintf(run, TEMPORAL_RUN_ID, "%.*s", STR_FMT(d.run_id));
	arena_free(&arena);
	return ok;
}

/* Polls until the run has ended. A server that is away, or one that has nothing yet, is asked
 * again. */
static bool ending_wait(struct temporal *t, const struct temporal_id *id, int64_t until_ms,
                        struct ending *end, struct err *err)
{
	struct buf token = BUF_INIT(PAGES_TOKEN_MAX);
	int64_t left, pause = 0;
	bool ok = true;

	while (ok && !end->ended && (left = until_ms - clock_mono_ms(&clock_system)) > 0) {
		left = left < t->poll_timeout_ms ? left : t->poll_timeout_ms;
		if (ending_poll(t, id, left, &token, end, err)) {
			pause = 0;
			continue;
		}
		ok = err->retryable;
		pause = pause < 2000 ? pause * 2 + 50 : pause;
		if (ok)
			clock_sleep_ms(pause);
	}
	buf_free(&token);
	return ok;
}

bool temporal_workflow_result(struct temporal *t, const struct temporal_id *id, int64_t wait_ms,
                              struct arena *arena, struct temporal_result *out, struct err *err)
{
	int64_t until = clock_mono_ms(&clock_system) + wait_ms;
	struct ending end = {.arena = arena};
	struct temporal_id run = {id->workflow_id, end.result.run_id};
	struct err last = {0};

	if (!ending_run(t, id, end.result.run_id, err))
		return false;
	for (;;) {
		end.ended = false;
		if (!ending_wait(t, &run, until, &end, &last)) {
			*err = last;
			return false;
		}
		if (!end.ended)
			return err_set_retry(err, ERR_TIMEOUT, "temporal.result",
			                     "the workflow has not ended within %lld ms",
			                     (long long)wait_ms);
		if (!end.next_run[0])
			break;
		snprintf(end.result.run_id, sizeof end.result.run_id, "%s", end.next_run);
	}
	*out = end.result;
	return true;
}
