/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/rng.h"
#include "temporal/task.h"

#define NOTHING ((struct temporal_event){0})
#define COMMAND(x) TEMPORAL__API__ENUMS__V1__COMMAND_TYPE__COMMAND_TYPE_##x

/* A history under construction: events get their numbers here. */
struct history {
	struct temporal_task task;
	int64_t next;
	struct err err;
};

static int64_t put(struct history *h, enum temporal_event_type type, struct temporal_event e)
{
	e.type = type;
	e.id = h->next++;
	e.time_us = e.id * 1000;
	if (!fold_event(&h->task.fold, &e, &h->err))
		fail_msg("event %d: %s", (int)e.id, h->err.text);
	return e.id;
}

static int set_up(void **state)
{
	static struct history h;

	h = (struct history){.next = 1};
	task_init(&h.task, 1 << 20);
	put(&h, TEMPORAL_EV_WORKFLOW_STARTED,
	    (struct temporal_event){.name = STR("Type"),
	                            .task_queue = STR("queue"),
	                            .attempt = 1,
	                            .first_run_id = STR("first"),
	                            .payloads = TEMPORAL_ONE(temporal_json(STR("42")))});
	put(&h, TEMPORAL_EV_TASK_SCHEDULED, NOTHING);
	put(&h, TEMPORAL_EV_TASK_STARTED,
	    (struct temporal_event){.of = 2, .history_bytes = 77, .suggest_continue = true});
	*state = &h;
	return 0;
}

static int tear_down(void **state)
{
	task_free(&((struct history *)*state)->task);
	return 0;
}

static const struct temporal_activity one = {.id = "one", .type = "Do", .start_to_close_ms = 1000};

static int64_t schedule(struct history *h, const char *id)
{
	return put(h, TEMPORAL_EV_ACTIVITY_SCHEDULED,
	           (struct temporal_event){.ref = str_of(id), .name = STR("Do")});
}

/* ---- what is known ---- */

static void the_beginning(void **state)
{
	struct history *h = *state;
	const struct temporal_info *i = temporal_task_info(&h->task);
	struct str json;

	assert_true(str_is(i->type, "Type"));
	assert_true(str_is(i->task_queue, "queue"));
	assert_true(str_is(i->first_run_id, "first"));
	assert_null(i->before.p);
	assert_true(temporal_payload_json(i->input, 0, &json, &h->err));
	assert_true(str_is(json, "42"));
	assert_int_equal(i->events, 3);
	assert_int_equal(i->bytes, 77);
	assert_int_equal(i->started_us, 1000);
	assert_int_equal(i->now_us, 3000);
	assert_true(i->suggest_continue);
	assert_false(i->cancel_requested);
	put(h, TEMPORAL_EV_CANCEL_REQUESTED, (struct temporal_event){.reason = STR("why")});
	put(h, TEMPORAL_EV_CANCEL_REQUESTED, (struct temporal_event){.reason = STR("again")});
	assert_true(i->cancel_requested);
	assert_true(str_is(i->cancel_reason, "why"));
}

static void an_activity_goes_through_its_states(void **state)
{
	static const enum temporal_event_type ends[] = {
	    TEMPORAL_EV_ACTIVITY_COMPLETED, TEMPORAL_EV_ACTIVITY_FAILED,
	    TEMPORAL_EV_ACTIVITY_TIMED_OUT, TEMPORAL_EV_ACTIVITY_CANCELLED};
	static const enum temporal_state states[] = {TEMPORAL_STATE_DONE, TEMPORAL_STATE_FAILED,
	                                             TEMPORAL_STATE_FAILED,
	                                             TEMPORAL_STATE_CANCELLED};
	static const struct temporal_failure failure = {.message = {"boom", 4}};
	struct history *h = *state;
	const struct temporal_known *k;
	int64_t asked;
	char id[16];

	for (int i = 0; i < 4; i++) {
		snprintf(id, sizeof id, "a%d", i);
		assert_null(temporal_task_find(&h->task, TEMPORAL_IS_ACTIVITY, id));
		asked = schedule(h, id);
		k = temporal_task_find(&h->task, TEMPORAL_IS_ACTIVITY, id);
		assert_non_null(k);
		assert_int_equal(k->state, TEMPORAL_STATE_PENDING);
		put(h, TEMPORAL_EV_ACTIVITY_STARTED,
		    (struct temporal_event){.of = asked, .attempt = 3});
		put(h, TEMPORAL_EV_ACTIVITY_CANCEL_REQUESTED, (struct temporal_event){.of = asked});
		assert_true(k->cancel_requested);
		put(h, ends[i],
		    (struct temporal_event){.of = asked,
		                            .failure = states[i] == TEMPORAL_STATE_FAILED ? &failure
		                                                                          : NULL,
		                            .payloads = TEMPORAL_ONE(temporal_json(STR("1")))});
		assert_int_equal(k->state, states[i]);
		assert_int_equal(k->attempt, 3);
		assert_int_equal(k->asked_id, asked);
		assert_int_equal(k->ended_id, h->next - 1);
		assert_int_equal(k->failure != NULL, states[i] == TEMPORAL_STATE_FAILED);
		assert_ptr_equal(temporal_task_known(&h->task, (size_t)i), k);
	}
	assert_null(temporal_task_known(&h->task, 4));
}

static void kinds_do_not_share_ids(void **state)
{
	struct history *h = *state;
	int64_t timer;

	schedule(h, "x");
	timer = put(h, TEMPORAL_EV_TIMER_STARTED, (struct temporal_event){.ref = STR("x")});
	put(h, TEMPORAL_EV_MARKER,
	    (struct temporal_event){.name = STR("x"),
	                            .payloads = TEMPORAL_ONE(temporal_json(STR("9")))});
	put(h, TEMPORAL_EV_TIMER_FIRED, (struct temporal_event){.ref = STR("x"), .of = timer});
	assert_int_equal(temporal_task_find(&h->task, TEMPORAL_IS_ACTIVITY, "x")->state,
	                 TEMPORAL_STATE_PENDING);
	assert_int_equal(temporal_task_find(&h->task, TEMPORAL_IS_TIMER, "x")->state,
	                 TEMPORAL_STATE_DONE);
	assert_int_equal(temporal_task_find(&h->task, TEMPORAL_IS_MARKER, "x")->result.n, 1);
}

static void signals_keep_their_order(void **state)
{
	struct history *h = *state;
	char name[16];

	for (int i = 0; i < 300; i++) {
		snprintf(name, sizeof name, "s%d", i);
		put(h, TEMPORAL_EV_SIGNAL, (struct temporal_event){.name = str_of(name)});
	}
	for (int i = 0; i < 300; i++) {
		snprintf(name, sizeof name, "s%d", i);
		assert_true(str_is(temporal_task_signal(&h->task, (size_t)i)->name, name));
	}
	assert_null(temporal_task_signal(&h->task, 300));
}

/* Many ids, ended in another order: each is found under its id and under its event. */
static void many_activities(void **state)
{
	enum { N = 1500 };
	struct history *h = *state;
	static int64_t asked[N];
	static int order[N];
	struct rng rng = {7};
	const struct temporal_known *k;
	char id[16];

	for (int i = 0; i < N; i++) {
		snprintf(id, sizeof id, "id-%d", i);
		asked[i] = schedule(h, id);
		put(h, TEMPORAL_EV_TASK_SCHEDULED, NOTHING); /* numbers have gaps */
		order[i] = i;
	}
	for (int i = N - 1; i > 0; i--) {
		int j = (int)rng_below(&rng, (uint64_t)i + 1), swap = order[i];

		order[i] = order[j];
		order[j] = swap;
	}
	for (int i = 0; i < N; i++)
		put(h, order[i] % 2 ? TEMPORAL_EV_ACTIVITY_COMPLETED : TEMPORAL_EV_ACTIVITY_FAILED,
		    (struct temporal_event){.of = asked[order[i]]});
	for (int i = 0; i < N; i++) {
		snprintf(id, sizeof id, "id-%d", i);
		k = temporal_task_find(&h->task, TEMPORAL_IS_ACTIVITY, id);
		assert_int_equal(k->asked_id, asked[i]);
		assert_int_equal(k->state, i % 2 ? TEMPORAL_STATE_DONE : TEMPORAL_STATE_FAILED);
	}
}

static void refuse(struct history *h, struct temporal_event e, enum err_code code)
{
	struct err err = {0};

	assert_false(fold_event(&h->task.fold, &e, &err));
	assert_int_equal(err.code, code);
}

static void a_history_that_cannot_be(void **state)
{
	struct history *h = *state;

	refuse(h, (struct temporal_event){.id = 5, .type = TEMPORAL_EV_SIGNAL}, ERR_PROTOCOL);
	refuse(h, (struct temporal_event){.id = 3, .type = TEMPORAL_EV_SIGNAL}, ERR_PROTOCOL);
	refuse(h, (struct temporal_event){.id = 4, .type = TEMPORAL_EV_ACTIVITY_COMPLETED, .of = 2},
	       ERR_PROTOCOL);
	/* a timer's event that refers to an activity */
	h->next = 5;
	schedule(h, "a");
	refuse(h, (struct temporal_event){.id = 6, .type = TEMPORAL_EV_TIMER_FIRED, .of = 5},
	       ERR_PROTOCOL);
}

static void a_history_that_is_too_large(void **state)
{
	struct history *h = *state;
	static char big[100 * 1000];
	struct temporal_payload p = {STR("json/plain"), {big, sizeof big}, NULL, 0};
	struct err err = {0};
	bool ok = true;

	for (int i = 0; ok && i < 100; i++)
		ok = fold_event(&h->task.fold,
		                &(struct temporal_event){.id = h->next++,
		                                         .type = TEMPORAL_EV_SIGNAL,
		                                         .payloads = {&p, 1}},
		                &err);
	assert_false(ok);
	assert_int_equal(err.code, ERR_LIMIT);
	assert_non_null(strstr(err.text, "continue as new"));
}

static void unknown_events_change_nothing(void **state)
{
	struct history *h = *state;

	put(h, 47, NOTHING);
	put(h, 1000, NOTHING);
	assert_int_equal(temporal_task_info(&h->task)->events, 5);
}

/* ---- commands ---- */

static void what_history_lacks_is_asked_for_once(void **state)
{
	struct history *h = *state;
	const struct temporal_known *k = temporal_task_activity(&h->task, &one);

	assert_non_null(k);
	assert_int_equal(k->state, TEMPORAL_STATE_PENDING);
	assert_int_equal(k->asked_id, 0);
	assert_ptr_equal(temporal_task_activity(&h->task, &one), k);
	assert_non_null(temporal_task_timer(&h->task, "t", 5));
	assert_non_null(temporal_task_timer(&h->task, "t", 5));
	assert_int_equal(
	    temporal_task_marker(&h->task, "m", TEMPORAL_ONE(temporal_json(STR("1"))))->state,
	    TEMPORAL_STATE_DONE);
	assert_non_null(temporal_task_marker(&h->task, "m", TEMPORAL_NO_PAYLOADS));
	assert_int_equal(h->task.n_commands, 3);
	assert_int_equal(h->task.commands[0]->command_type, COMMAND(SCHEDULE_ACTIVITY_TASK));
	assert_string_equal(
	    h->task.commands[0]->schedule_activity_task_command_attributes->task_queue->name,
	    "queue");
	assert_int_equal(h->task.commands[1]->command_type, COMMAND(START_TIMER));
	assert_int_equal(h->task.commands[2]->command_type, COMMAND(RECORD_MARKER));
	assert_false(h->task.failed);
}

static void what_history_has_is_not(void **state)
{
	struct history *h = *state;
	int64_t asked = schedule(h, "one");

	assert_int_equal(temporal_task_activity(&h->task, &one)->asked_id, asked);
	assert_int_equal(h->task.n_commands, 0);
}

static void cancelling(void **state)
{
	struct history *h = *state;
	int64_t asked = schedule(h, "one"), done = schedule(h, "done");
	const struct temporal_known *k = temporal_task_activity(&h->task, &one), *timer, *fresh;

	put(h, TEMPORAL_EV_ACTIVITY_COMPLETED, (struct temporal_event){.of = done});
	put(h, TEMPORAL_EV_TIMER_STARTED, (struct temporal_event){.ref = STR("t")});
	timer = temporal_task_timer(&h->task, "t", 1);
	temporal_task_cancel(&h->task, k);
	temporal_task_cancel(&h->task, k);
	temporal_task_cancel(&h->task, timer);
	temporal_task_cancel(&h->task, temporal_task_find(&h->task, TEMPORAL_IS_ACTIVITY, "done"));
	temporal_task_cancel(&h->task, NULL);
	assert_int_equal(h->task.n_commands, 2);
	assert_int_equal(h->task.commands[0]
	                     ->request_cancel_activity_task_command_attributes->scheduled_event_id,
	                 asked);
	assert_int_equal(k->state, TEMPORAL_STATE_PENDING);
	assert_int_equal(h->task.commands[1]->command_type, COMMAND(CANCEL_TIMER));
	assert_int_equal(timer->state, TEMPORAL_STATE_CANCELLED);
	/* asked for in this task: taken back, and nothing else */
	temporal_task_timer(&h->task, "stays", 1);
	fresh = temporal_task_timer(&h->task, "goes", 1);
	temporal_task_cancel(&h->task, fresh);
	assert_int_equal(fresh->state, TEMPORAL_STATE_CANCELLED);
	assert_int_equal(h->task.n_commands, 3);
	assert_string_equal(h->task.commands[2]->start_timer_command_attributes->timer_id, "stays");
}

static void refusals(void **state)
{
	struct history *h = *state;

	assert_null(temporal_task_activity(&h->task, &(struct temporal_activity){.id = "x"}));
	assert_int_equal(h->task.err.code, ERR_USAGE);
	h->task.failed = false;
	assert_null(temporal_task_timer(&h->task, "", 1));
	assert_int_equal(h->task.err.code, ERR_USAGE);
	h->task.failed = false;
	h->task.reading = true;
	assert_null(temporal_task_timer(&h->task, "t", 1));
	assert_non_null(strstr(h->task.err.text, "query"));
	h->task.failed = h->task.reading = false;
	temporal_task_complete(&h->task, TEMPORAL_NO_PAYLOADS);
	assert_true(h->task.ended);
	temporal_task_complete(&h->task, TEMPORAL_NO_PAYLOADS);
	assert_true(h->task.failed);
	assert_non_null(strstr(h->task.err.text, "after its end"));
}

static void too_many_commands(void **state)
{
	struct history *h = *state;
	char id[16];
	int n = 0;

	for (int i = 0; i <= TEMPORAL_COMMANDS_MAX; i++) {
		snprintf(id, sizeof id, "t%d", i);
		n += temporal_task_timer(&h->task, id, 1) != NULL;
	}
	assert_int_equal(n, TEMPORAL_COMMANDS_MAX);
	assert_true(h->task.failed);
	assert_int_equal(h->task.err.code, ERR_LIMIT);
}

static void continuing_keeps_what_is_not_given(void **state)
{
	struct history *h = *state;
	const Temporal__Api__Command__V1__ContinueAsNewWorkflowExecutionCommandAttributes *c;

	temporal_task_continue(
	    &h->task, &(struct temporal_continue){.input = TEMPORAL_ONE(temporal_json(STR("41")))});
	assert_false(h->task.failed);
	c = h->task.commands[0]->continue_as_new_workflow_execution_command_attributes;
	assert_string_equal(c->workflow_type->name, "Type");
	assert_string_equal(c->task_queue->name, "queue");
	assert_memory_equal(c->input->payloads[0]->data.data, "41", 2);
	assert_null(c->workflow_run_timeout);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(the_beginning),
	    TEST(an_activity_goes_through_its_states),
	    TEST(kinds_do_not_share_ids),
	    TEST(signals_keep_their_order),
	    TEST(many_activities),
	    TEST(a_history_that_cannot_be),
	    TEST(a_history_that_is_too_large),
	    TEST(unknown_events_change_nothing),
	    TEST(what_history_lacks_is_asked_for_once),
	    TEST(what_history_has_is_not),
	    TEST(cancelling),
	    TEST(refusals),
	    TEST(too_many_commands),
	    TEST(continuing_keeps_what_is_not_given),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
