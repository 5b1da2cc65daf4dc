/* SPDX-License-Identifier: Apache-2.0
 *
 * The server writes the events of a task's commands right behind the one that says that the task
 * was completed, in their order: what lies between that and the next event of another kind is what
 * was asked for.
 */
#include "temporal/replay.h"

#include <stdio.h>
#include <string.h>

#include "temporal/pages.h"
#include "temporal/task.h"

enum { HISTORY_MAX = 256 << 20, TASK_MAX = 256 << 20 };

typedef Temporal__Api__Command__V1__Command PbCommand;

bool temporal_history_save(struct temporal *t, const struct temporal_id *id, struct buf *out,
                           struct err *err)
{
	struct buf token = BUF_INIT(PAGES_TOKEN_MAX);
	struct arena arena = CONN_ARENA(t);
	const PbHistory *page;
	size_t size;
	bool ok;

	do { /* lists of messages one behind the other are one list */
		arena_reset(&arena);
		ok = pages_read(t, id, PAGES_ALL, 0, &token, &arena, &page, err);
		size = ok && page ? protobuf_c_message_get_packed_size(&page->base) : 0;
		if (size && buf_reserve(out, size))
			out->n += protobuf_c_message_pack(&page->base, (uint8_t *)out->p + out->n);
		ok = ok && buf_ok(out, "a history", err);
	} while (ok && token.n);
	arena_free(&arena);
	buf_free(&token);
	return ok;
}

/* ---- what is compared: a command, or the event that it became ---- */

struct wish {
	const char *verb;
	struct str id, type;
	const PbPayloads *input;
	int64_t event; /* of which is spoken, when something is cancelled */
	int64_t ms;    /* a timer's */
};

#define CASE(x) TEMPORAL__API__HISTORY__V1__HISTORY_EVENT__ATTRIBUTES_##x##_EVENT_ATTRIBUTES
#define ATTR(x) e->x##_event_attributes

/* False: an event that no command makes. */
static bool wish_of_event(const PbEvent *e, struct wish *w)
{
	*w = (struct wish){.verb = NULL};
	switch ((int)e->attributes_case) {
	case CASE(ACTIVITY_TASK_SCHEDULED):
		w->verb = "schedules activity";
		w->id = pb_str(ATTR(activity_task_scheduled)->activity_id);
		if (ATTR(activity_task_scheduled)->activity_type)
			w->type = pb_str(ATTR(activity_task_scheduled)->activity_type->name);
		w->input = ATTR(activity_task_scheduled)->input;
		return true;
	case CASE(TIMER_STARTED):
		w->verb = "starts timer";
		w->id = pb_str(ATTR(timer_started)->timer_id);
		w->ms = pb_ms(ATTR(timer_started)->start_to_fire_timeout);
		return true;
	case CASE(MARKER_RECORDED):
		w->verb = "records marker";
		w->id = pb_str(ATTR(marker_recorded)->marker_name);
		return true;
	case CASE(ACTIVITY_TASK_CANCEL_REQUESTED):
		w->verb = "cancels the activity of an event";
		w->event = ATTR(activity_task_cancel_requested)->scheduled_event_id;
		return true;
	case CASE(TIMER_CANCELED):
		w->verb = "cancels timer";
		w->id = pb_str(ATTR(timer_canceled)->timer_id);
		return true;
	case CASE(WORKFLOW_EXECUTION_COMPLETED):
		w->verb = "completes the workflow";
		w->input = ATTR(workflow_execution_completed)->result;
		return true;
	case CASE(WORKFLOW_EXECUTION_FAILED):
		w->verb = "fails the workflow";
		return true;
	case CASE(WORKFLOW_EXECUTION_CANCELED):
		w->verb = "ends the workflow as cancelled";
		return true;
	case CASE(WORKFLOW_EXECUTION_CONTINUED_AS_NEW):
		w->verb = "continues as new";
		w->input = ATTR(workflow_execution_continued_as_new)->input;
		return true;
	default:
		return false;
	}
}

#undef CASE
#undef ATTR
#define CASE(x) TEMPORAL__API__COMMAND__V1__COMMAND__ATTRIBUTES_##x##_COMMAND_ATTRIBUTES
#define ATTR(x) c->x##_command_attributes

static void wish_of_command(const PbCommand *c, struct wish *w)
{
	*w = (struct wish){.verb = "asks for something unknown"};
	switch ((int)c->attributes_case) {
	case CASE(SCHEDULE_ACTIVITY_TASK):
		w->verb = "schedules activity";
		w->id = pb_str(ATTR(schedule_activity_task)->activity_id);
		w->type = pb_str(ATTR(schedule_activity_task)->activity_type->name);
		w->input = ATTR(schedule_activity_task)->input;
		break;
	case CASE(START_TIMER):
		w->verb = "starts timer";
		w->id = pb_str(ATTR(start_timer)->timer_id);
		w->ms = pb_ms(ATTR(start_timer)->start_to_fire_timeout);
		break;
	case CASE(RECORD_MARKER):
		w->verb = "records marker";
		w->id = pb_str(ATTR(record_marker)->marker_name);
		break;
	case CASE(REQUEST_CANCEL_ACTIVITY_TASK):
		w->verb = "cancels the activity of an event";
		w->event = ATTR(request_cancel_activity_task)->scheduled_event_id;
		break;
	case CASE(CANCEL_TIMER):
		w->verb = "cancels timer";
		w->id = pb_str(ATTR(cancel_timer)->timer_id);
		break;
	case CASE(COMPLETE_WORKFLOW_EXECUTION):
		w->verb = "completes the workflow";
		w->input = ATTR(complete_workflow_execution)->result;
		break;
	case CASE(FAIL_WORKFLOW_EXECUTION):
		w->verb = "fails the workflow";
		break;
	case CASE(CANCEL_WORKFLOW_EXECUTION):
		w->verb = "ends the workflow as cancelled";
		break;
	case CASE(CONTINUE_AS_NEW_WORKFLOW_EXECUTION):
		w->verb = "continues as new";
		w->input = ATTR(continue_as_new_workflow_execution)->input;
		break;
	default:
		break;
	}
}

static bool same_payloads(const PbPayloads *a, const PbPayloads *b)
{
	size_t n = a ? a->n_payloads : 0;

	if (n != (b ? b->n_payloads : 0))
		return false;
	for (size_t i = 0; i < n; i++)
		if (!str_eq(pb_data(a->payloads[i]->data), pb_data(b->payloads[i]->data)))
			return false;
	return true;
}

static bool same_text(struct str a, struct str b)
{
	return a.n == b.n && (!a.n || memcmp(a.p, b.p, a.n) == 0);
}

static bool is_same(const struct wish *a, const struct wish *b)
{
	return strcmp(a->verb, b->verb) == 0 && same_text(a->id, b->id) &&
	       same_text(a->type, b->type) && a->event == b->event && a->ms == b->ms;
}

/* ---- one task ---- */

struct replay {
	const struct temporal_workflow *workflow;
	const PbHistory *history;
	struct temporal_replayed seen;
};

/* "schedules activity batch-3 ReadObservations", "starts timer t (500 ms)". */
static void describe(const struct wish *w, char *out, size_t size)
{
	int n = snprintf(out, size, "%s", w->verb);

	if (w->id.n)
		n += snprintf(out + n, size - (size_t)n, " %.60s", w->id.p);
	if (w->type.n && (size_t)n < size)
		n += snprintf(out + n, size - (size_t)n, " %.40s", w->type.p);
	if ((w->event || w->ms) && (size_t)n < size)
		snprintf(out + n, size - (size_t)n, " (%lld%s)",
		         (long long)(w->event ? w->event : w->ms), w->ms ? " ms" : "");
}

static bool differs(const PbEvent *e, const struct wish *had, const struct wish *asks,
                    struct err *err)
{
	struct wish none = {.verb = "nothing more"};
	char had_text[200], asks_text[200];

	describe(had ? had : &none, had_text, sizeof had_text);
	describe(asks ? asks : &none, asks_text, sizeof asks_text);
	return err_set(err, ERR_CONFLICT, "temporal.replay",
	               "event %lld: history: %s; this code: %s", (long long)e->event_id, had_text,
	               asks_text);
}

/* `at`: the first event behind the completed task. */
static bool compare(struct replay *r, const struct temporal_task *task, size_t at, struct err *err)
{
	const PbHistory *h = r->history;
	struct wish had, asks;

	for (size_t i = 0;; i++, at++) {
		bool is = at < h->n_events && wish_of_event(h->events[at], &had);
		const PbEvent *e = h->events[at < h->n_events ? at : h->n_events - 1];

		if (i < task->n_commands)
			wish_of_command(task->commands[i], &asks);
		if (!is && i >= task->n_commands)
			return true;
		if (!is || i >= task->n_commands || !is_same(&had, &asks))
			return differs(e, is ? &had : NULL, i < task->n_commands ? &asks : NULL,
			               err);
		if (!same_payloads(had.input, asks.input))
			return err_set(err, ERR_CONFLICT, "temporal.replay",
			               "event %lld: history %s %.*s with another input than this "
			               "code",
			               (long long)e->event_id, had.verb, STR_FMT(had.id));
		r->seen.commands++;
	}
}

/* History up to event `last`, from its beginning. */
static bool fold_until(struct replay *r, struct temporal_task *task, int64_t last, struct err *err)
{
	struct temporal_event e;

	for (size_t i = 0; i < r->history->n_events; i++) {
		if (r->history->events[i]->event_id > last)
			break;
		if (!pb_event_to(&task->fold.arena, r->history->events[i], &e))
			return pb_full(&task->fold.arena, "temporal.replay", err);
		if (!fold_event(&task->fold, &e, err))
			return false;
	}
	return true;
}

static bool replay_task(struct replay *r, size_t completed, int64_t started, struct err *err)
{
	struct temporal_task task;
	bool ok;

	task_init(&task, TASK_MAX);
	ok = fold_until(r, &task, started, err) && task_decide(&task, r->workflow, err) &&
	     compare(r, &task, completed + 1, err);
	task_free(&task);
	r->seen.tasks++;
	return ok;
}

/* ---- a history ---- */

static const struct temporal_workflow *find(const PbHistory *h,
                                            const struct temporal_workflow *workflows, size_t n)
{
	const Temporal__Api__History__V1__WorkflowExecutionStartedEventAttributes *a;

	if (h->events[0]->attributes_case !=
	    TEMPORAL__API__HISTORY__V1__HISTORY_EVENT__ATTRIBUTES_WORKFLOW_EXECUTION_STARTED_EVENT_ATTRIBUTES)
		return NULL;
	a = h->events[0]->workflow_execution_started_event_attributes;
	for (size_t i = 0; i < n; i++)
		if (a->workflow_type && strcmp(a->workflow_type->name, workflows[i].type) == 0)
			return &workflows[i];
	return NULL;
}

static bool replay_all(struct replay *r, struct err *err)
{
	int64_t started = 0;

	for (size_t i = 0; i < r->history->n_events; i++) {
		const PbEvent *e = r->history->events[i];

		r->seen.events++;
		if ((int)e->event_type == TEMPORAL_EV_TASK_STARTED)
			started = e->event_id;
		if ((int)e->event_type == TEMPORAL_EV_TASK_COMPLETED &&
		    !replay_task(r, i, started, err))
			return false;
	}
	return true;
}

bool temporal_replay(struct str history, const struct temporal_workflow *workflows, size_t n,
                     struct temporal_replayed *out, struct err *err)
{
	struct arena arena = ARENA_INIT(HISTORY_MAX);
	struct replay r = {
	    .history =
	        pb_read(&arena, &temporal__api__history__v1__history__descriptor, history, err)};
	bool ok = r.history != NULL;

	if (ok && !r.history->n_events)
		ok = err_set(err, ERR_PROTOCOL, "temporal.replay", "the history has no events");
	if (ok && !(r.workflow = find(r.history, workflows, n)))
		ok = err_set(err, ERR_NOT_FOUND, "temporal.replay",
		             "the history is of a workflow of a type that is not known here");
	ok = ok && replay_all(&r, err);
	*out = r.seen;
	arena_free(&arena);
	return ok;
}
