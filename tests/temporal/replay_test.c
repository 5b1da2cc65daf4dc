/* SPDX-License-Identifier: Apache-2.0
 *
 * A workflow that asks for one activity and a timer, and histories that say something else.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "temporal/pb.h"
#include "temporal/replay.h"

#define CASE(x) TEMPORAL__API__HISTORY__V1__HISTORY_EVENT__ATTRIBUTES_##x##_EVENT_ATTRIBUTES
#define ATTRIBUTES(Name, name)                                                                     \
	PB_NEW(arena, Temporal__Api__History__V1__##Name##EventAttributes,                         \
	       temporal__api__history__v1__##name##_event_attributes)

struct told { /* what the history says was asked for; zeros: as the workflow does */
	const char *workflow, *id, *type, *input;
	int64_t ms;
	bool no_timer, twice, swapped;
};

static bool run(struct temporal_task *task, void *ctx, struct err *err)
{
	struct temporal_activity a = {.id = "a",
	                              .type = "Do",
	                              .start_to_close_ms = 1000,
	                              .input = TEMPORAL_ONE(temporal_json(STR("1")))};

	(void)ctx;
	(void)err;
	temporal_task_activity(task, &a);
	temporal_task_timer(task, "t", 500);
	return true;
}

static const struct temporal_workflow workflows[] = {{.type = "W", .run = run}};

static PbEvent *event(struct arena *arena, PbHistory *h, int type)
{
	PbEvent *e = PB_NEW(arena, PbEvent, temporal__api__history__v1__history_event);

	e->event_id = (int64_t)h->n_events + 1;
	e->event_type = (Temporal__Api__Enums__V1__EventType)type;
	h->events[h->n_events++] = e;
	return e;
}

static void add_activity(struct arena *arena, PbHistory *h, const struct told *t)
{
	PbEvent *e = event(arena, h, TEMPORAL_EV_ACTIVITY_SCHEDULED);
	struct temporal_payload one = temporal_json(str_of(t->input ? t->input : "1"));

	e->attributes_case = CASE(ACTIVITY_TASK_SCHEDULED);
	e->activity_task_scheduled_event_attributes =
	    ATTRIBUTES(ActivityTaskScheduled, activity_task_scheduled);
	e->activity_task_scheduled_event_attributes->activity_id =
	    pb_text(arena, str_of(t->id ? t->id : "a"));
	e->activity_task_scheduled_event_attributes->activity_type =
	    PB_NEW(arena, Temporal__Api__Common__V1__ActivityType,
	           temporal__api__common__v1__activity_type);
	e->activity_task_scheduled_event_attributes->activity_type->name =
	    pb_text(arena, str_of(t->type ? t->type : "Do"));
	pb_payloads_of(arena, (struct temporal_payloads){&one, 1},
	               &e->activity_task_scheduled_event_attributes->input);
}

static void add_timer(struct arena *arena, PbHistory *h, const struct told *t)
{
	PbEvent *e;

	if (t->no_timer)
		return;
	e = event(arena, h, TEMPORAL_EV_TIMER_STARTED);
	e->attributes_case = CASE(TIMER_STARTED);
	e->timer_started_event_attributes = ATTRIBUTES(TimerStarted, timer_started);
	e->timer_started_event_attributes->timer_id = pb_text(arena, STR("t"));
	e->timer_started_event_attributes->start_to_fire_timeout =
	    pb_duration(arena, t->ms ? t->ms : 500);
}

static PbHistory *history(struct arena *arena, const struct told *t)
{
	PbHistory *h = PB_NEW(arena, PbHistory, temporal__api__history__v1__history);
	PbEvent *e;

	h->events = arena_array(arena, 16, sizeof(PbEvent *));
	e = event(arena, h, TEMPORAL_EV_WORKFLOW_STARTED);
	e->attributes_case = CASE(WORKFLOW_EXECUTION_STARTED);
	e->workflow_execution_started_event_attributes =
	    ATTRIBUTES(WorkflowExecutionStarted, workflow_execution_started);
	e->workflow_execution_started_event_attributes->workflow_type =
	    PB_NEW(arena, Temporal__Api__Common__V1__WorkflowType,
	           temporal__api__common__v1__workflow_type);
	e->workflow_execution_started_event_attributes->workflow_type->name =
	    pb_text(arena, str_of(t->workflow ? t->workflow : "W"));
	event(arena, h, TEMPORAL_EV_TASK_SCHEDULED);
	event(arena, h, TEMPORAL_EV_TASK_STARTED);
	event(arena, h, TEMPORAL_EV_TASK_COMPLETED);
	if (t->swapped)
		add_timer(arena, h, t);
	add_activity(arena, h, t);
	if (!t->swapped)
		add_timer(arena, h, t);
	if (t->twice)
		add_activity(arena, h, &(struct told){.id = "b"});
	return h;
}

static bool replay(const struct told *t, struct temporal_replayed *seen, struct err *err)
{
	struct arena arena = ARENA_INIT(1 << 20);
	PbHistory *h = history(&arena, t);
	size_t n = protobuf_c_message_get_packed_size(&h->base);
	uint8_t *bytes = arena_alloc(&arena, n + 1);
	bool ok;

	protobuf_c_message_pack(&h->base, bytes);
	ok = temporal_replay((struct str){(const char *)bytes, n}, workflows, 1, seen, err);
	arena_free(&arena);
	return ok;
}

static void what_is_the_same(void **state)
{
	struct temporal_replayed seen;
	struct err err = {0};

	(void)state;
	if (!replay(&(struct told){.id = NULL}, &seen, &err))
		fail_msg("%s", err.text);
	assert_int_equal(seen.tasks, 1);
	assert_int_equal(seen.commands, 2);
	assert_int_equal(seen.events, 6);
}

static void what_differs(void **state)
{
	static const struct {
		struct told told;
		enum err_code code;
		const char *says;
	} cases[] = {
	    {{.id = "x"},
	     ERR_CONFLICT,
	     "event 5: history: schedules activity x Do; this code: schedules activity a Do"},
	    {{.type = "Other"}, ERR_CONFLICT, "schedules activity a Other; this code"},
	    {{.input = "2"},
	     ERR_CONFLICT,
	     "event 5: history schedules activity a with another input"},
	    {{.ms = 700},
	     ERR_CONFLICT,
	     "event 6: history: starts timer t (700 ms); this code: starts "
	     "timer t (500 ms)"},
	    {{.no_timer = true}, ERR_CONFLICT, "history: nothing more; this code: starts timer t"},
	    {{.twice = true},
	     ERR_CONFLICT,
	     "event 7: history: schedules activity b Do; this code: nothing more"},
	    {{.swapped = true}, ERR_CONFLICT, "event 5: history: starts timer t"},
	    {{.workflow = "Unknown"}, ERR_NOT_FOUND, "not known here"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct temporal_replayed seen;
		struct err err = {0};

		assert_false(replay(&cases[i].told, &seen, &err));
		assert_int_equal(err.code, cases[i].code);
		if (!strstr(err.text, cases[i].says))
			fail_msg("'%s' is not in: %s", cases[i].says, err.text);
	}
}

static void what_is_no_history(void **state)
{
	struct temporal_replayed seen;
	struct err err = {0};

	(void)state;
	assert_false(temporal_replay(STR("something else"), workflows, 1, &seen, &err));
	assert_int_equal(err.code, ERR_PROTOCOL);
	assert_false(temporal_replay(STR(""), workflows, 1, &seen, &err));
	assert_int_equal(err.code, ERR_PROTOCOL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_is_the_same),
	    cmocka_unit_test(what_differs),
	    cmocka_unit_test(what_is_no_history),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
