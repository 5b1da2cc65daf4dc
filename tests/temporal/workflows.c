/* SPDX-License-Identifier: Apache-2.0
 *
 * workflows.c: what the test worker can do. Inputs and results are JSON; "n" is a number.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "tool.h"

/* ---- activities ---- */

static bool input_number(struct temporal_payloads input, int64_t *n, struct err *err)
{
	struct str json;

	if (!temporal_payload_json(input, 0, &json, err))
		return false;
	return str_int(json, 0, 1000000, n) ||
	       err_set(err, ERR_DATA, "tool", "the input is not a number");
}

static bool result_number(struct temporal_activity_task *task, int64_t n, struct err *err)
{
	char text[64];

	snprintf(text, sizeof text, "%lld", (long long)n);
	return temporal_activity_result(task, TEMPORAL_ONE(temporal_json(str_of(text))), err);
}

/* Gives back what it was given. */
static bool act_echo(struct temporal_activity_task *task, void *ctx, struct err *err)
{
	(void)ctx;
	return temporal_activity_result(task, temporal_activity_info(task)->input, err);
}

/* Fails until its third attempt. */
static bool act_flaky(struct temporal_activity_task *task, void *ctx, struct err *err)
{
	const struct temporal_activity_info *info = temporal_activity_info(task);

	(void)ctx;
	if (info->attempt < 3)
		return err_set_retry(err, ERR_BUSY, "tool", "attempt %d is too early",
		                     info->attempt);
	return result_number(task, info->attempt, err);
}

/* Fails for good, with two causes. */
static bool act_broken(struct temporal_activity_task *task, void *ctx, struct err *err)
{
	static const struct temporal_failure root = {.kind = TEMPORAL_FAILURE_APPLICATION,
	                                             .message = {"the disk is full", 16}};
	static const struct temporal_failure middle = {.kind = TEMPORAL_FAILURE_APPLICATION,
	                                               .message = {"cannot write", 12},
	                                               .type = {"io", 2},
	                                               .cause = &root};
	const struct temporal_failure outer = {.kind = TEMPORAL_FAILURE_APPLICATION,
	                                       .message = STR("cannot land"),
	                                       .type = STR("land"),
	                                       .non_retryable = true,
	                                       .details = TEMPORAL_ONE(temporal_json(STR("[1,2]"))),
	                                       .cause = &middle};

	(void)ctx;
	temporal_activity_failure(task, &outer, err);
	return err_set(err, ERR_IO, "tool", "cannot land");
}

/* A JSON string without escapes, as a path. */
static bool input_path(struct temporal_payloads input, char path[256], struct err *err)
{
	struct str json;

	if (!temporal_payload_json(input, 0, &json, err))
		return false;
	if (json.n < 2 || json.n >= 256 || json.p[0] != '"')
		return err_set(err, ERR_DATA, "tool", "the input is not a path");
	snprintf(path, 256, "%.*s", (int)json.n - 2, json.p + 1);
	return true;
}

/* Beats every 20 ms, with a count that an attempt before may have begun, until the file is there.
 */
static bool act_slow(struct temporal_activity_task *task, void *ctx, struct err *err)
{
	const struct temporal_activity_info *info = temporal_activity_info(task);
	char text[32], path[256];
	int64_t done = 0;

	(void)ctx;
	if (!input_path(info->input, path, err) ||
	    (info->heartbeat.n && !input_number(info->heartbeat, &done, err)))
		return false;
	fprintf(stderr, "slow begins at %lld\n", (long long)done);
	for (; access(path, F_OK); done++) {
		snprintf(text, sizeof text, "%lld", (long long)done);
		switch (
		    temporal_activity_heartbeat(task, TEMPORAL_ONE(temporal_json(str_of(text))))) {
		case TEMPORAL_GO_ON:
			break;
		case TEMPORAL_CANCEL:
			return err_set(err, ERR_CANCELLED, "tool", "cancelled");
		case TEMPORAL_LOST:
			fprintf(stderr, "slow is lost\n");
			return err_set(err, ERR_CANCELLED, "tool", "lost");
		case TEMPORAL_STOPPING:
			return err_set_retry(err, ERR_BUSY, "tool", "the worker ends");
		}
		clock_sleep_ms(20);
	}
	return result_number(task, done, err);
}

/* Does not come to its end, and says nothing. */
static bool act_silent(struct temporal_activity_task *task, void *ctx, struct err *err)
{
	(void)ctx;
	while (!atomic_load(temporal_activity_stop_flag(task)))
		clock_sleep_ms(20);
	return err_set_retry(err, ERR_BUSY, "tool", "the worker ends");
}

const struct temporal_activity_type tool_activities[] = {
    {"Echo", act_echo, NULL}, {"Flaky", act_flaky, NULL},   {"Broken", act_broken, NULL},
    {"Slow", act_slow, NULL}, {"Silent", act_silent, NULL},
};
const size_t tool_n_activities = sizeof tool_activities / sizeof *tool_activities;

/* ---- workflows ---- */

static const struct temporal_known *ask(struct temporal_task *task, const char *id,
                                        const char *type, struct temporal_payloads input,
                                        int64_t heartbeat_ms)
{
	struct temporal_activity a = {.id = id,
	                              .type = type,
	                              .input = input,
	                              .start_to_close_ms = 600000,
	                              .heartbeat_ms = heartbeat_ms,
	                              .retry = {.initial_ms = 50, .coefficient = 1.5}};

	return temporal_task_activity(task, &a);
}

static void fail_as(struct temporal_task *task, const struct temporal_known *known)
{
	struct temporal_failure f = {.kind = TEMPORAL_FAILURE_APPLICATION,
	                             .message = STR("an activity failed"),
	                             .type = STR("workflow"),
	                             .cause = known->failure};

	temporal_task_fail(task, &f);
}

/* One activity, by the name in ctx; cancelled when asked to. */
static bool wf_one(struct temporal_task *task, void *ctx, struct err *err)
{
	const struct temporal_info *info = temporal_task_info(task);
	const struct temporal_known *k = temporal_task_find(task, TEMPORAL_IS_ACTIVITY, "one");

	(void)err;
	if (info->cancel_requested && !k) {
		temporal_task_cancelled(task, TEMPORAL_NO_PAYLOADS);
		return true;
	}
	k = ask(task, "one", ctx, info->input, 1000);
	if (!k)
		return true;
	if (info->cancel_requested)
		temporal_task_cancel(task, k);
	if (k->state == TEMPORAL_STATE_DONE)
		temporal_task_complete(task, k->result);
	else if (k->state == TEMPORAL_STATE_CANCELLED)
		temporal_task_cancelled(task, k->result);
	else if (k->state == TEMPORAL_STATE_FAILED)
		fail_as(task, k);
	return true;
}

/* n activities, one after the other. */
static bool wf_chain(struct temporal_task *task, void *ctx, struct err *err)
{
	const struct temporal_known *k;
	char id[32];
	int64_t n;

	(void)ctx;
	if (!input_number(temporal_task_info(task)->input, &n, err))
		return false;
	for (int64_t i = 0; i < n; i++) {
		snprintf(id, sizeof id, "step-%lld", (long long)i);
		k = ask(task, id, "Echo", TEMPORAL_ONE(temporal_json(STR("1"))), 0);
		if (!k || k->state != TEMPORAL_STATE_DONE)
			return true;
	}
	temporal_task_complete(task, TEMPORAL_ONE(temporal_json(STR("\"all\""))));
	return true;
}

/* n activities at once. */
static bool wf_fan(struct temporal_task *task, void *ctx, struct err *err)
{
	const struct temporal_known *k;
	int64_t n, done = 0;
	char id[32];

	(void)ctx;
	if (!input_number(temporal_task_info(task)->input, &n, err))
		return false;
	for (int64_t i = 0; i < n; i++) {
		snprintf(id, sizeof id, "part-%lld", (long long)i);
		k = ask(task, id, "Echo", TEMPORAL_ONE(temporal_json(STR("1"))), 0);
		done += k && k->state == TEMPORAL_STATE_DONE;
	}
	snprintf(id, sizeof id, "%lld", (long long)done);
	if (done == n)
		temporal_task_complete(task, TEMPORAL_ONE(temporal_json(str_of(id))));
	return true;
}

struct seen { /* by the signals so far */
	int64_t signals;
	bool paused;
	const struct temporal_signal *finish;
};

static struct seen look_at_signals(const struct temporal_task *task)
{
	const struct temporal_signal *s;
	struct seen seen = {0};

	for (size_t i = 0; (s = temporal_task_signal(task, i)); i++) {
		seen.signals++;
		if (str_is(s->name, "pause") || str_is(s->name, "resume"))
			seen.paused = str_is(s->name, "pause");
		if (str_is(s->name, "finish"))
			seen.finish = s;
	}
	return seen;
}

/* Waits for the signal "finish", its input is the result; knows pause and resume; asks for nothing
 * else. */
static bool wf_signals(struct temporal_task *task, void *ctx, struct err *err)
{
	struct seen seen = look_at_signals(task);

	(void)ctx;
	(void)err;
	if (seen.finish && !seen.paused)
		temporal_task_complete(task, seen.finish->input);
	return true;
}

static bool query_signals(struct temporal_task *task, const char *name,
                          struct temporal_payloads args, struct temporal_payloads *answer,
                          void *ctx, struct err *err)
{
	struct seen seen = look_at_signals(task);
	struct temporal_payload *p = arena_alloc(temporal_task_arena(task), sizeof *p);
	char *text = arena_printf(temporal_task_arena(task), "{\"signals\":%lld,\"paused\":%s}",
	                          (long long)seen.signals, seen.paused ? "true" : "false");

	(void)args;
	(void)ctx;
	if (str_is(str_of(name), "bad"))
		temporal_task_timer(task, "not-allowed", 1000);
	else if (!str_is(str_of(name), "progress"))
		return err_set(err, ERR_USAGE, "tool", "there is no query '%s'", name);
	*p = temporal_json(str_of(text));
	*answer = (struct temporal_payloads){p, 1};
	return true;
}

/* Continues as new, with one less, until none is left. */
static bool wf_countdown(struct temporal_task *task, void *ctx, struct err *err)
{
	const struct temporal_info *info = temporal_task_info(task);
	struct temporal_continue next = {0};
	char text[32];
	int64_t n;

	(void)ctx;
	if (!input_number(info->input, &n, err))
		return false;
	if (!n) {
		temporal_task_complete(
		    task, TEMPORAL_ONE(temporal_json(info->memo.n ? info->memo.at[0].value.data
		                                                  : STR("\"no memo\""))));
		return true;
	}
	snprintf(text, sizeof text, "%lld", (long long)n - 1);
	next.input = TEMPORAL_ONE(temporal_json(str_of(text)));
	temporal_task_continue(task, &next);
	return true;
}

/* A marker, a timer that fires, one that is cancelled. */
static bool wf_timers(struct temporal_task *task, void *ctx, struct err *err)
{
	const struct temporal_known *marker, *soon, *late;

	(void)ctx;
	(void)err;
	marker = temporal_task_marker(task, "version", TEMPORAL_ONE(temporal_json(STR("7"))));
	soon = temporal_task_timer(task, "soon", 200);
	late = temporal_task_timer(task, "late", 3600 * 1000);
	if (!marker || !soon || !late || soon->state != TEMPORAL_STATE_DONE)
		return true;
	temporal_task_cancel(task, late);
	temporal_task_complete(task, marker->result);
	return true;
}

/* Code with a bug, until the file of that name is there. */
static bool wf_bug(struct temporal_task *task, void *ctx, struct err *err)
{
	char path[256];

	(void)ctx;
	if (!input_path(temporal_task_info(task)->input, path, err))
		return false;
	if (access(path, F_OK))
		return err_set(err, ERR_INTERNAL, "tool", "a bug in the workflow's code");
	temporal_task_complete(task, TEMPORAL_ONE(temporal_json(STR("\"repaired\""))));
	return true;
}

const struct temporal_workflow tool_workflows[] = {
    {"Greet", wf_one, NULL, (void *)(uintptr_t) "Echo"},
    {"Flaky", wf_one, NULL, (void *)(uintptr_t) "Flaky"},
    {"Broken", wf_one, NULL, (void *)(uintptr_t) "Broken"},
    {"Slow", wf_one, NULL, (void *)(uintptr_t) "Slow"},
    {"Silent", wf_one, NULL, (void *)(uintptr_t) "Silent"},
    {"Chain", wf_chain, NULL, NULL},
    {"Fan", wf_fan, NULL, NULL},
    {"Signals", wf_signals, query_signals, NULL},
    {"Countdown", wf_countdown, NULL, NULL},
    {"Timers", wf_timers, NULL, NULL},
    {"Bug", wf_bug, NULL, NULL},
};
const size_t tool_n_workflows = sizeof tool_workflows / sizeof *tool_workflows;
