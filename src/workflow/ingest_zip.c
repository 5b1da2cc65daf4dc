/* SPDX-License-Identifier: Apache-2.0 */
#include "workflow/ingest_zip.h"

#include <stdio.h>
#include <string.h>

#include "workflow/state.h"

enum {
	ATTEMPT_MS = 24 * 3600 * 1000, /* the heartbeat notices a dead worker much earlier */
	BRIEF_MS = 5 * 60 * 1000,      /* Begin, End: a few statements */
	ACTIONS_MAX = 1000 + 2,        /* as many as may be under way, and a merge */
	ID_TEXT = 48,
	/* workers that were killed use attempts up, too, and that is not the source's fault */
	SPARE_ATTEMPTS = 16,
};

/* ---- activities ---- */

struct asking {
	const char *id, *type;
	bool source; /* attempts at it are counted; the database is waited for without end */
	bool brief;
};

static const struct temporal_known *ask(struct temporal_task *task, const struct state *s,
                                        const struct asking *what, struct temporal_payloads input)
{
	struct temporal_activity a = {
	    .id = what->id,
	    .type = what->type,
	    .input = input,
	    .start_to_close_ms = what->brief ? BRIEF_MS : ATTEMPT_MS,
	    .heartbeat_ms = s->input.heartbeat_ms,
	    .retry = {.initial_ms = s->input.base_ms,
	              .coefficient = 2,
	              .maximum_ms = s->input.cap_ms,
	              .maximum_attempts = what->source ? s->input.attempts + SPARE_ATTEMPTS : 0},
	};

	return temporal_task_activity(task, &a);
}

static void call_init(const struct state *s, struct wire_call *call)
{
	*call = (struct wire_call){.epoch = s->epoch};
	memcpy(call->run_id, s->input.run_id, sizeof call->run_id);
}

static bool ask_begin(struct temporal_task *task, const struct state *s, struct err *err)
{
	struct asking what = {.id = "begin", .type = "Begin", .brief = true};
	struct temporal_payloads input;
	struct wire_call call;

	call_init(s, &call);
	snprintf(call.chain, sizeof call.chain, "%.*s",
	         STR_FMT(temporal_task_info(task)->first_run_id));
	if (!wire_call_write(temporal_task_arena(task), &call, false, false, &input, err))
		return false;
	ask(task, s, &what, input);
	return true;
}

static uint32_t rounds_of(const struct state *s, uint32_t seq)
{
	for (size_t i = s->plan.batch_count; i-- > 0;)
		if (s->plan.batches[i].seq == seq)
			return s->rounds[i];
	return 0;
}

static bool ask_batch(struct temporal_task *task, const struct state *s, const struct flow_batch *b,
                      struct err *err)
{
	struct asking what = {.type = wire_batch_activity(b->kind), .source = true};
	struct temporal_payloads input;
	struct wire_call call;
	uint32_t rounds = rounds_of(s, b->seq);
	char id[ID_TEXT];

	snprintf(id, sizeof id, rounds ? "batch-%u.%u" : "batch-%u", b->seq, rounds + 1);
	what.id = id;
	call_init(s, &call);
	call.batch = *b;
	if (!wire_call_write(temporal_task_arena(task), &call, true, false, &input, err))
		return false;
	ask(task, s, &what, input);
	return true;
}

static bool ask_step(struct temporal_task *task, const struct state *s, const char *id,
                     const char *type, bool source, struct err *err)
{
	struct asking what = {.id = id, .type = type, .source = source};
	struct temporal_payloads input;
	struct wire_call call;

	call_init(s, &call);
	if (!wire_call_write(temporal_task_arena(task), &call, false, false, &input, err))
		return false;
	ask(task, s, &what, input);
	return true;
}

static bool ask_merge(struct temporal_task *task, const struct state *s, struct err *err)
{
	char id[ID_TEXT];

	snprintf(id, sizeof id, "merge-%u", s->merges + 1);
	return ask_step(task, s, id, "Merge", false, err);
}

/* ---- the end ---- */

/* Why the run fails, for people: what an activity's last attempt said. */
static void why(const struct state *s, struct wire_call *call)
{
	const struct temporal_failure *root = s->failure ? temporal_failure_root(s->failure) : NULL;

	if (s->too_many_failed) {
		snprintf(call->code, sizeof call->code, "protocol");
		snprintf(call->text, sizeof call->text,
		         "more than %d batches failed: the source is not in a state to be read "
		         "from",
		         FLOW_FAILED_MAX);
	} else if (root && root->kind == TEMPORAL_FAILURE_APPLICATION) {
		snprintf(call->code, sizeof call->code, "%.*s", STR_FMT(root->type));
		snprintf(call->text, sizeof call->text, "%.*s", STR_FMT(root->message));
	} else {
		snprintf(call->code, sizeof call->code, "timeout");
		snprintf(
		    call->text, sizeof call->text,
		    "an activity was given up: its workers went silent or its time ran out%s%.*s",
		    root ? ": " : "", STR_FMT(root ? root->message : STR("")));
	}
}

static bool ask_end(struct temporal_task *task, const struct state *s, bool cancelled,
                    struct err *err)
{
	struct asking what = {.id = "end", .type = "End", .brief = true};
	struct temporal_payloads input;
	struct wire_call call;

	call_init(s, &call);
	call.cancelled = cancelled;
	if (!cancelled)
		why(s, &call);
	if (!wire_call_write(temporal_task_arena(task), &call, false, true, &input, err))
		return false;
	ask(task, s, &what, input);
	return true;
}

static void fail(struct temporal_task *task, const char *type, const char *text,
                 const struct temporal_failure *cause)
{
	struct temporal_failure f = {.kind = TEMPORAL_FAILURE_APPLICATION,
	                             .message = str_of(text),
	                             .type = str_of(type),
	                             .non_retryable = true,
	                             .cause = cause};

	temporal_task_fail(task, &f);
}

/* `end` was asked for, and has an answer. */
static bool finish(struct temporal_task *task, const struct state *s, struct err *err)
{
	struct wire_call call;

	if (s->end->state != TEMPORAL_STATE_DONE) {
		fail(task, "EndNotWritten", "the run's end could not be written down",
		     s->end->failure);
		return true;
	}
	if (!wire_call_read(s->end->input, &call, err))
		return false;
	if (call.cancelled)
		temporal_task_cancelled(task, TEMPORAL_NO_PAYLOADS);
	else
		fail(task, call.code, call.text, s->failure);
	return true;
}

/* What is under way is told to end; its answers are waited for. */
static void cancel_pending(struct temporal_task *task)
{
	const struct temporal_known *k;

	for (size_t i = 0; (k = temporal_task_known(task, i)); i++)
		if (k->state == TEMPORAL_STATE_PENDING && !str_is(k->id, "end"))
			temporal_task_cancel(task, k);
}

/* ---- the way ---- */

static bool start(struct temporal_task *task, const struct state *s, const struct flow_action *a,
                  struct err *err)
{
	switch (a->kind) {
	case FLOW_LOOK:
		return ask_step(task, s, "look", "Look", true, err);
	case FLOW_RUN_BATCH:
		return ask_batch(task, s, &a->batch, err);
	case FLOW_MERGE:
		return ask_merge(task, s, err);
	case FLOW_SWEEP:
		return ask_step(task, s, "sweep", "Sweep", true, err);
	case FLOW_RECONCILE:
		return ask_step(task, s, "reconcile", "Reconcile", false, err);
	case FLOW_END_CANCELLED:
		return ask_end(task, s, true, err);
	case FLOW_END_FAILED:
		return ask_end(task, s, false, err);
	}
	return err_set(err, ERR_INTERNAL, "workflow.ingest", "an action that is not known");
}

static bool plan(struct temporal_task *task, const struct state *s, struct err *err)
{
	struct flow_action *actions =
	    arena_array(temporal_task_arena(task), ACTIONS_MAX, sizeof *actions);
	size_t n;

	if (!actions)
		return err_set(err, ERR_LIMIT, "workflow.ingest", "out of memory");
	n = flow_plan(&s->plan, actions, ACTIONS_MAX);
	for (size_t i = 0; i < n; i++)
		if (!start(task, s, &actions[i], err))
			return false;
	return true;
}

/* A history is read again for each task: a new run of the workflow takes over, and begins with what
 * the database knows. Nothing may be under way then. */
static bool go_on_anew(struct temporal_task *task, const struct state *s, struct err *err)
{
	struct temporal_continue as = {.type = NULL};
	struct wire_input input = s->input;

	input.paused = s->paused;
	input.continued++;
	if (!wire_input_write(temporal_task_arena(task), &input, &as.input, err))
		return false;
	temporal_task_continue(task, &as);
	return true;
}

static bool is_long(const struct temporal_task *task, const struct state *s)
{
	const struct temporal_info *info = temporal_task_info(task);

	return info->events >= s->input.continue_events || info->suggest_continue;
}

static bool go_on(struct temporal_task *task, struct state *s, struct err *err)
{
	bool ending = s->plan.cancel_requested || s->plan.broken;

	if (ending)
		cancel_pending(task);
	else if (is_long(task, s) && s->plan.phase != FLOW_PHASE_RECONCILE)
		return s->pending || go_on_anew(task, s, err);
	else if (s->paused)
		return true;
	return plan(task, s, err);
}

static bool before_begin(struct temporal_task *task, const struct state *s, struct err *err)
{
	const struct temporal_known *begin =
	    temporal_task_find(task, TEMPORAL_IS_ACTIVITY, "begin");

	if (!begin)
		return ask_begin(task, s, err);
	if (begin->state == TEMPORAL_STATE_FAILED)
		fail(task, "NotBegun", "the run cannot be taken up", s->failure);
	return true;
}

static bool run(struct temporal_task *task, void *ctx, struct err *err)
{
	struct state s;

	(void)ctx;
	if (!state_fold(task, &s, err))
		return false;
	if (!s.begun)
		return before_begin(task, &s, err);
	if (s.lost) {
		fail(task, "RunLost", "the run has another owner now, or has ended", NULL);
		return true;
	}
	if (s.end)
		return s.end->state == TEMPORAL_STATE_PENDING || finish(task, &s, err);
	if (s.plan.phase == FLOW_PHASE_DONE && s.reconcile) {
		temporal_task_complete(task, s.reconcile->result);
		return true;
	}
	return go_on(task, &s, err);
}

static bool query(struct temporal_task *task, const char *name, struct temporal_payloads args,
                  struct temporal_payloads *answer, void *ctx, struct err *err)
{
	struct state s;

	(void)ctx;
	(void)args;
	if (strcmp(name, "progress") != 0)
		return err_set(err, ERR_USAGE, "workflow.query",
		               "there is no query \"%.40s\"; there is: progress", name);
	return state_fold(task, &s, err) && state_progress(task, &s, answer, err);
}

/* ---- RequestZip ---- */

static bool run_request(struct temporal_task *task, void *ctx, struct err *err)
{
	struct temporal_activity a = {.id = "request",
	                              .type = "Request",
	                              .input = temporal_task_info(task)->input,
	                              .start_to_close_ms = BRIEF_MS};
	const struct temporal_known *k = temporal_task_activity(task, &a);

	(void)ctx;
	(void)err;
	if (k && k->state == TEMPORAL_STATE_DONE)
		temporal_task_complete(task, k->result);
	else if (k && k->state == TEMPORAL_STATE_FAILED)
		fail(task, "NotRequested", "the run could not be asked for", k->failure);
	return true;
}

const struct temporal_workflow ingest_zip_workflows[INGEST_ZIP_WORKFLOWS] = {
    {.type = WIRE_INGEST, .run = run, .query = query},
    {.type = WIRE_REQUEST, .run = run_request},
};
