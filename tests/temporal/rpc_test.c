/* SPDX-License-Identifier: Apache-2.0
 *
 * Calls and workers against a server that answers with every status there is.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <pthread.h>

#include "base/clock.h"
#include "base/hash.h"
#include "fake_server.h"
#include "temporal/pb.h"
#include "temporal/worker.h"

enum { STATUSES = 17, TRIES = 3 };

static const struct retry_policy quick = {.max_attempts = TRIES, .base_ms = 1, .cap_ms = 2};

static struct temporal *open_at(struct fake_server *s, struct temporal_options o)
{
	struct err err = {0};
	struct temporal *t;

	o.address = fake_server_address(s);
	o.name_space = "somewhere";
	o.identity = "tester";
	o.retry = quick;
	t = temporal_open(&o, &err);
	if (!t)
		fail_msg("%s", err.text);
	return t;
}

static void reply(struct fake_call *call, const void *message)
{
	size_t n = protobuf_c_message_get_packed_size(message);

	buf_reserve(&call->reply, n);
	protobuf_c_message_pack(message, (uint8_t *)call->reply.p);
	call->reply.n = n;
}

/* ---- calls ---- */

struct script {
	int status;
	int until; /* calls up to this number have it, later ones are fine; 0: all */
	const char *message;
	bool hang;
	size_t reply_bytes;
};

static void by_script(void *ctx, struct fake_call *call)
{
	const struct script *s = ctx;

	if (!s->until || call->number <= s->until) {
		call->status = s->status;
		call->message = s->message;
		call->hang = s->hang;
	}
	for (size_t i = 0; i < s->reply_bytes; i++)
		buf_add_char(&call->reply, '\xff');
}

/* A signal, by a client of its own; how often the server was asked. */
static bool signal_once(struct script *script, struct temporal_options o, int *calls,
                        struct err *err)
{
	struct fake_server *s = fake_server_start(by_script, script);
	struct temporal *t = open_at(s, o);
	bool ok = temporal_workflow_signal(t, &(struct temporal_id){"w", NULL}, "name",
	                                   TEMPORAL_NO_PAYLOADS, err);

	*calls = fake_server_calls(s, "SignalWorkflowExecution");
	temporal_close(t);
	fake_server_stop(s);
	return ok;
}

static void every_status_is_an_error_of_its_kind(void **state)
{
	static const struct {
		enum err_code code;
		bool retryable, again;
	} wanted[STATUSES] = {
	    [1] = {ERR_CANCELLED, false, false}, [2] = {ERR_PROTOCOL, false, false},
	    [3] = {ERR_USAGE, false, false},     [4] = {ERR_TIMEOUT, true, false},
	    [5] = {ERR_NOT_FOUND, false, false}, [6] = {ERR_CONFLICT, false, false},
	    [7] = {ERR_FORBIDDEN, false, false}, [8] = {ERR_BUSY, true, true},
	    [9] = {ERR_CONFLICT, false, false},  [10] = {ERR_BUSY, true, true},
	    [11] = {ERR_USAGE, false, false},    [12] = {ERR_PROTOCOL, false, false},
	    [13] = {ERR_PROTOCOL, true, false},  [14] = {ERR_NETWORK, true, true},
	    [15] = {ERR_DATA, false, false},     [16] = {ERR_AUTH, false, false},
	};
	int calls;

	(void)state;
	for (int status = 1; status < STATUSES; status++) {
		struct script script = {.status = status, .message = "because\nof\tthis"};
		struct err err = {0};

		assert_false(signal_once(&script, (struct temporal_options){0}, &calls, &err));
		assert_int_equal(err.code, wanted[status].code);
		assert_int_equal(err.retryable, wanted[status].retryable);
		assert_int_equal(calls, wanted[status].again ? TRIES : 1);
		assert_non_null(strstr(err.text, "SignalWorkflowExecution"));
		assert_non_null(strstr(err.text, "because of this"));
	}
}

static void what_was_busy_is_done_in_the_end(void **state)
{
	struct script script = {.status = 14, .until = 2};
	struct err err = {0};
	int calls;

	(void)state;
	assert_true(signal_once(&script, (struct temporal_options){0}, &calls, &err));
	assert_int_equal(calls, 3);
}

static void limits(void **state)
{
	struct script slow = {.hang = true}, garbage = {.reply_bytes = 10},
	              large = {.reply_bytes = 100000};
	struct err err = {0};
	int calls;

	(void)state;
	assert_false(
	    signal_once(&slow, (struct temporal_options){.call_timeout_ms = 100}, &calls, &err));
	assert_int_equal(err.code, ERR_TIMEOUT);
	assert_false(signal_once(&garbage, (struct temporal_options){0}, &calls, &err));
	assert_int_equal(err.code, ERR_PROTOCOL);
	assert_false(
	    signal_once(&large, (struct temporal_options){.max_message = 50000}, &calls, &err));
	assert_int_equal(err.code, ERR_LIMIT);
	assert_int_equal(calls, 1);
}

static void check_request(void *ctx, struct fake_call *call)
{
	Temporal__Api__Workflowservice__V1__StartWorkflowExecutionRequest *r =
	    temporal__api__workflowservice__v1__start_workflow_execution_request__unpack(
	        NULL, call->request.n, (const uint8_t *)call->request.p);
	Temporal__Api__Workflowservice__V1__StartWorkflowExecutionResponse answer =
	    TEMPORAL__API__WORKFLOWSERVICE__V1__START_WORKFLOW_EXECUTION_RESPONSE__INIT;
	atomic_bool *ok = ctx;

	atomic_store(ok, r && str_is(str_of(r->namespace_), "somewhere") &&
	                     str_is(str_of(r->identity), "tester") &&
	                     str_is(str_of(r->workflow_id), "w") && r->workflow_run_timeout &&
	                     r->workflow_run_timeout->seconds == 7 && r->retry_policy &&
	                     r->retry_policy->maximum_attempts == 2 &&
	                     r->retry_policy->n_non_retryable_error_types == 1 &&
	                     uuid_valid(str_of(r->request_id)) &&
	                     str_is(fake_metadata(call, "temporal-namespace"), "somewhere") &&
	                     str_is(fake_metadata(call, "client-name"), "temporal-c-fhirline") &&
	                     !fake_metadata(call, "authorization").n);
	temporal__api__workflowservice__v1__start_workflow_execution_request__free_unpacked(r,
	                                                                                    NULL);
	answer.run_id = (char *)(uintptr_t) "run";
	answer.started = true;
	reply(call, &answer);
}

static void what_is_sent(void **state)
{
	atomic_bool ok = false;
	struct fake_server *s = fake_server_start(check_request, &ok);
	struct temporal *t = open_at(s, (struct temporal_options){0});
	const char *const types[] = {"never", NULL};
	struct temporal_start start = {.workflow_id = "w",
	                               .type = "T",
	                               .task_queue = "q",
	                               .run_timeout_ms = 7000,
	                               .retry = {.maximum_attempts = 2, .non_retryable = types}};
	struct temporal_started started;
	struct err err = {0};

	(void)state;
	assert_true(temporal_workflow_start(t, &start, &started, &err));
	assert_true(atomic_load(&ok) && started.started);
	assert_string_equal(started.run_id, "run");
	start.type = NULL;
	assert_false(temporal_workflow_start(t, &start, &started, &err));
	assert_int_equal(err.code, ERR_USAGE);
	temporal_close(t);
	fake_server_stop(s);
}

/* ---- stopping ---- */

static void *call_that_hangs(void *arg)
{
	static struct err err;

	err = (struct err){0};
	temporal_workflow_signal(arg, &(struct temporal_id){"w", NULL}, "name",
	                         TEMPORAL_NO_PAYLOADS, &err);
	return &err;
}

static void stopping_ends_calls(void **state)
{
	struct script script = {.hang = true};
	struct fake_server *s = fake_server_start(by_script, &script);
	struct temporal *t = open_at(s, (struct temporal_options){0});
	struct err err = {0}, *ended = NULL;
	pthread_t thread;

	(void)state;
	assert_int_equal(pthread_create(&thread, NULL, call_that_hangs, t), 0);
	while (!fake_server_calls(s, "SignalWorkflowExecution"))
		clock_sleep_ms(5);
	temporal_stop(t);
	pthread_join(thread, (void **)&ended);
	assert_int_equal(ended->code, ERR_CANCELLED);
	assert_false(temporal_workflow_cancel(t, &(struct temporal_id){"w", NULL}, NULL, &err));
	assert_int_equal(err.code, ERR_CANCELLED);
	temporal_close(t);
	fake_server_stop(s);
}

static void options_that_contradict(void **state)
{
	struct err err = {0};

	(void)state;
	assert_null(temporal_open(&(struct temporal_options){0}, &err));
	assert_int_equal(err.code, ERR_CONFIG);
	assert_null(
	    temporal_open(&(struct temporal_options){.address = "a:1", .key_file = "/k"}, &err));
	assert_non_null(strstr(err.text, "both"));
	assert_null(
	    temporal_open(&(struct temporal_options){.address = "a:1", .ca_file = "/no"}, &err));
	assert_non_null(strstr(err.text, "/no"));
	assert_null(
	    temporal_open(&(struct temporal_options){.address = "a:1", .api_key = "a\nb"}, &err));
	assert_non_null(strstr(err.text, "authorization"));
	assert_null(strstr(err.text, "a\nb"));
}

/* ---- workers ---- */

/* One workflow task and one activity task; everything else hangs or has the status. */
struct stage {
	int status;
	bool polls; /* the polls have the status, not the answers */
};

static void task_of_a_workflow(struct fake_call *call)
{
	Temporal__Api__Workflowservice__V1__PollWorkflowTaskQueueResponse p =
	    TEMPORAL__API__WORKFLOWSERVICE__V1__POLL_WORKFLOW_TASK_QUEUE_RESPONSE__INIT;
	Temporal__Api__Common__V1__WorkflowType type =
	    TEMPORAL__API__COMMON__V1__WORKFLOW_TYPE__INIT;
	PbExecution execution = TEMPORAL__API__COMMON__V1__WORKFLOW_EXECUTION__INIT;
	PbHistory history = TEMPORAL__API__HISTORY__V1__HISTORY__INIT;
	PbEvent event = TEMPORAL__API__HISTORY__V1__HISTORY_EVENT__INIT, *events[] = {&event};

	event.event_id = 1;
	history.events = events;
	history.n_events = 1;
	type.name = (char *)(uintptr_t) "W";
	execution.workflow_id = (char *)(uintptr_t) "w";
	p.task_token = (ProtobufCBinaryData){1, (uint8_t *)(uintptr_t) "t"};
	p.workflow_type = &type;
	p.workflow_execution = &execution;
	p.history = &history;
	p.started_event_id = 1;
	reply(call, &p);
}

static void task_of_an_activity(struct fake_call *call)
{
	Temporal__Api__Workflowservice__V1__PollActivityTaskQueueResponse p =
	    TEMPORAL__API__WORKFLOWSERVICE__V1__POLL_ACTIVITY_TASK_QUEUE_RESPONSE__INIT;
	Temporal__Api__Common__V1__ActivityType type =
	    TEMPORAL__API__COMMON__V1__ACTIVITY_TYPE__INIT;

	type.name = (char *)(uintptr_t) "A";
	p.task_token = (ProtobufCBinaryData){1, (uint8_t *)(uintptr_t) "t"};
	p.activity_type = &type;
	reply(call, &p);
}

static void play(void *ctx, struct fake_call *call)
{
	const struct stage *stage = ctx;

	if (str_starts(call->method, "Poll") && stage->polls)
		call->status = stage->status;
	else if (str_starts(call->method, "Poll") && call->number > 1)
		call->hang = true;
	else if (str_is(call->method, "PollWorkflowTaskQueue"))
		task_of_a_workflow(call);
	else if (str_is(call->method, "PollActivityTaskQueue"))
		task_of_an_activity(call);
	else
		call->status = stage->status;
	call->message = "as scripted";
}

static bool workflow(struct temporal_task *task, void *ctx, struct err *err)
{
	(void)ctx;
	(void)err;
	temporal_task_complete(task, TEMPORAL_NO_PAYLOADS);
	return true;
}

static bool activity(struct temporal_activity_task *task, void *ctx, struct err *err)
{
	(void)ctx;
	(void)err;
	for (int i = 0; i < 3; i++)
		temporal_activity_heartbeat(task, TEMPORAL_NO_PAYLOADS);
	return true;
}

static struct temporal_worker *start_worker(struct temporal *t)
{
	static const struct temporal_workflow workflows[] = {{"W", workflow, NULL, NULL}};
	static const struct temporal_activity_type activities[] = {{"A", activity, NULL}};
	struct temporal_worker_options o = {.task_queue = "q",
	                                    .workflows = workflows,
	                                    .n_workflows = 1,
	                                    .activities = activities,
	                                    .n_activities = 1,
	                                    .workflow_polls = 1,
	                                    .activity_polls = 1};
	struct err err = {0};
	struct temporal_worker *w = temporal_worker_start(t, &o, &err);

	if (!w)
		fail_msg("%s", err.text);
	return w;
}

static void answers_with_every_status(void **state)
{
	(void)state;
	for (int status = 0; status < STATUSES; status++) {
		struct stage stage = {.status = status};
		struct fake_server *s = fake_server_start(play, &stage);
		struct temporal *t = open_at(s, (struct temporal_options){0});
		struct temporal_worker *w = start_worker(t);
		struct temporal_worker_stats n;
		struct err err = {0};

		do {
			clock_sleep_ms(5);
			temporal_worker_stats(w, &n);
		} while (n.tasks < 1 || n.activities < 1 || n.running > 0);
		temporal_worker_drain(w);
		assert_int_equal(temporal_worker_wait(w, -1, &err), TEMPORAL_WAIT_ENDED);
		if (!status)
			assert_int_equal(n.answers_lost, 0);
		else
			assert_true(n.answers_lost >= 1);
		assert_true(fake_server_calls(s, "RespondWorkflowTaskCompleted") >= 1);
		temporal_worker_free(w);
		temporal_close(t);
		fake_server_stop(s);
	}
}

struct polling {
	struct stage stage;
	struct fake_server *s;
	struct temporal *t;
	struct temporal_worker *w;
};

/* All at once: each waits between its polls. */
static void polls_with_every_status(void **state)
{
	static struct polling all[STATUSES];
	struct temporal_worker_stats n;
	struct err err;

	(void)state;
	for (int status = 1; status < STATUSES; status++) {
		struct polling *p = &all[status];

		p->stage = (struct stage){.status = status, .polls = true};
		p->s = fake_server_start(play, &p->stage);
		p->t = open_at(p->s, (struct temporal_options){0});
		p->w = start_worker(p->t);
	}
	for (int status = 1; status < STATUSES; status++) {
		struct polling *p = &all[status];
		bool waits = status == 1 || status == 4 || status == 8 || status == 10 ||
		             status == 13 || status == 14;

		err = (struct err){0};
		if (!waits) {
			/* it ends by itself and says why */
			assert_int_equal(temporal_worker_wait(p->w, -1, &err),
			                 TEMPORAL_WAIT_ENDED_BADLY);
			assert_non_null(strstr(err.text, "as scripted"));
		} else {
			/* it goes on, until it is told to end */
			do
				temporal_worker_stats(p->w, &n);
			while (n.poll_errors < 6 && (clock_sleep_ms(5), true));
			assert_int_equal(temporal_worker_wait(p->w, 0, &err),
			                 TEMPORAL_WAIT_RUNNING);
			temporal_worker_drain(p->w);
			assert_int_equal(temporal_worker_wait(p->w, -1, &err), TEMPORAL_WAIT_ENDED);
		}
		temporal_worker_stats(p->w, &n);
		if (!waits)
			assert_true(n.polls <= 16); /* no storm */
		temporal_worker_free(p->w);
		temporal_close(p->t);
		fake_server_stop(p->s);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_status_is_an_error_of_its_kind),
	    cmocka_unit_test(what_was_busy_is_done_in_the_end),
	    cmocka_unit_test(limits),
	    cmocka_unit_test(what_is_sent),
	    cmocka_unit_test(stopping_ends_calls),
	    cmocka_unit_test(options_that_contradict),
	    cmocka_unit_test(answers_with_every_status),
	    cmocka_unit_test(polls_with_every_status),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
