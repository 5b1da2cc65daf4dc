/* SPDX-License-Identifier: Apache-2.0
 *
 * libFuzzer target: any bytes as what happens to an IngestZip workflow: what it asks for is
 * answered in any order, well, badly or never, with results that are right, odd or garbage; signals
 * and cancels come between. It must not crash, never ask for an id twice, and keep its bounds. How
 * to run one: temporal_fuzz.c.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "temporal/task.h"
#include "workflow/ingest_zip.h"
#include "workflow/wire.h"

#define INPUT                                                                                      \
	"{\"version\":1,\"run\":\"r\",\"zip\":\"02139\",\"activities\":4,"                         \
	"\"patients_per_batch\":10,\"merge_rows\":1000,\"attempts\":3,\"retry_base_ms\":1,"        \
	"\"retry_cap_ms\":2,\"heartbeat_ms\":1000,\"continue_events\":400,\"continued\":0}"
#define FIRST "0123456789abcdef"

enum { EVENTS_MAX = 600, PENDING_MAX = 64 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct tape {
	const uint8_t *p;
	size_t n;
};

static unsigned next(struct tape *t)
{
	if (!t->n)
		return 0;
	t->n--;
	return *t->p++;
}

/* A history that grows; each task folds it anew, as a worker does. */
struct world {
	struct temporal_event events[EVENTS_MAX];
	int n;
	struct arena arena;
	struct {
		int64_t event;
		struct str type;
	} pending[PENDING_MAX];
	int n_pending;
	bool ended;
};

static int64_t put(struct world *w, enum temporal_event_type type, struct temporal_event e)
{
	if (w->n == EVENTS_MAX) {
		w->ended = true;
		return 0;
	}
	e.type = type;
	e.id = w->n + 1;
	w->events[w->n++] = e;
	return e.id;
}

static struct temporal_payloads payload(struct world *w, struct str json)
{
	struct temporal_payload one = temporal_json(json);
	struct temporal_payloads out = TEMPORAL_NO_PAYLOADS;

	temporal_payloads_copy(&w->arena, (struct temporal_payloads){&one, 1}, &out);
	return out;
}

/* ---- what it asks for becomes history ---- */

static void never_twice(const struct world *w, const char *id)
{
	for (int i = 0; i < w->n; i++)
		assert(w->events[i].type != TEMPORAL_EV_ACTIVITY_SCHEDULED ||
		       !str_is(w->events[i].ref, id));
}

static void take(struct world *w, const Temporal__Api__Command__V1__Command *c)
{
	const Temporal__Api__Command__V1__ScheduleActivityTaskCommandAttributes *a;
	struct temporal_event e = {.attempt = 1};
	struct temporal_payloads input;

	if (c->attributes_case !=
	    TEMPORAL__API__COMMAND__V1__COMMAND__ATTRIBUTES_SCHEDULE_ACTIVITY_TASK_COMMAND_ATTRIBUTES) {
		w->ended =
		    w->ended ||
		    c->attributes_case !=
		        TEMPORAL__API__COMMAND__V1__COMMAND__ATTRIBUTES_REQUEST_CANCEL_ACTIVITY_TASK_COMMAND_ATTRIBUTES;
		if (!w->ended)
			put(w, TEMPORAL_EV_ACTIVITY_CANCEL_REQUESTED,
			    (struct temporal_event){
			        .of = c->request_cancel_activity_task_command_attributes
			                  ->scheduled_event_id});
		return;
	}
	a = c->schedule_activity_task_command_attributes;
	never_twice(w, a->activity_id);
	e.ref = arena_str(&w->arena, str_of(a->activity_id));
	e.name = arena_str(&w->arena, str_of(a->activity_type->name));
	assert(pb_payloads_to(&w->arena, a->input, &input));
	temporal_payloads_copy(&w->arena, input, &e.payloads);
	assert(w->n_pending < PENDING_MAX);
	w->pending[w->n_pending].type = e.name;
	w->pending[w->n_pending].event = put(w, TEMPORAL_EV_ACTIVITY_SCHEDULED, e);
	w->n_pending++;
	assert(w->n_pending <= 4 + 2); /* batches, a merge, a step */
}

static void decide(struct world *w)
{
	struct temporal_task task;
	struct temporal_payloads answer;
	struct err err = {0};
	int64_t scheduled = put(w, TEMPORAL_EV_TASK_SCHEDULED, (struct temporal_event){0});
	bool ok = true;

	put(w, TEMPORAL_EV_TASK_STARTED, (struct temporal_event){.of = scheduled});
	task_init(&task, 64 << 20);
	for (int i = 0; ok && i < w->n; i++)
		ok = fold_event(&task.fold, &w->events[i], &err);
	assert(ok || w->ended);
	if (ok && task_decide(&task, &ingest_zip_workflows[0], &err)) {
		put(w, TEMPORAL_EV_TASK_COMPLETED, (struct temporal_event){.of = scheduled});
		for (size_t i = 0; i < task.n_commands && !w->ended; i++)
			take(w, task.commands[i]);
	} else {
		w->ended = true; /* the task failed: the workflow waits for other code */
	}
	task.reading = true;
	task.failed = false;
	if (ok)
		ingest_zip_workflows[0].query(&task, "progress", TEMPORAL_NO_PAYLOADS, &answer,
		                              NULL, &err);
	task_free(&task);
}

/* ---- what happens ---- */

static struct str result(struct world *w, struct tape *t, struct str type)
{
	unsigned a = next(t), b = next(t);
	char *text;

	if (a == 255) { /* garbage */
		size_t n = b < t->n ? b : t->n;
		struct str s = arena_str(&w->arena, (struct str){(const char *)t->p, n});

		t->p += n;
		t->n -= n;
		return s;
	}
	if (str_is(type, "Begin"))
		text = arena_printf(&w->arena,
		                    "{\"epoch\":%u,\"incremental\":%s,\"cancelled\":%s,"
		                    "\"phase\":\"%s\",\"batches\":[%s]}",
		                    1 + b, a & 1 ? "true" : "false", a & 64 ? "true" : "false",
		                    a & 2 ? "look" : "read",
		                    a & 4 ? "[1,\"patient_page\",\"staged\",0,0,30,30,true],"
		                            "[3,\"observations\",\"merged\",1,10,10,99,false]"
		                          : "");
	else if (str_is(type, "Merge"))
		text = arena_printf(&w->arena,
		                    "{\"rows\":%u,\"merged\":\"1-%u\",\"merging\":\"\",\"pending\":"
		                    "\"%s\"}",
		                    a, 1 + b % 32, a & 1 ? "2-3,5" : "");
	else if (str_is(type, "Reconcile"))
		text = arena_printf(&w->arena, "{\"state\":\"completed\"}");
	else
		text = arena_printf(
		    &w->arena, "{\"state\":\"%s\",\"rows\":%u,\"patients\":%u,\"more\":%s}",
		    a % 9 ? "staged" : "failed", a * 10, b % 40, a & 1 ? "true" : "false");
	return str_of(text);
}

static void answer_one(struct world *w, struct tape *t)
{
	static const char *const types[] = {"RunLost", "cancelled", "network", "data"};
	unsigned how = next(t);
	int i = w->n_pending ? (int)(next(t) % (unsigned)w->n_pending) : -1;
	struct temporal_failure cause = {.kind = TEMPORAL_FAILURE_APPLICATION,
	                                 .type = str_of(types[how / 8 % 4]),
	                                 .message = STR("why")};
	struct temporal_failure f = {.kind = TEMPORAL_FAILURE_ACTIVITY, .cause = &cause};
	struct temporal_event e = {.attempt = 1};

	if (i < 0)
		return;
	e.of = w->pending[i].event;
	put(w, TEMPORAL_EV_ACTIVITY_STARTED, e);
	if (how % 8 == 0) {
		temporal_failure_copy(&w->arena, &f, &e.failure);
		put(w, TEMPORAL_EV_ACTIVITY_FAILED, e);
	} else if (how % 8 == 1) {
		put(w, how & 64 ? TEMPORAL_EV_ACTIVITY_TIMED_OUT : TEMPORAL_EV_ACTIVITY_CANCELLED,
		    e);
	} else {
		e.payloads = payload(w, result(w, t, w->pending[i].type));
		put(w, TEMPORAL_EV_ACTIVITY_COMPLETED, e);
	}
	w->pending[i] = w->pending[--w->n_pending];
}

static void happen(struct world *w, struct tape *t)
{
	switch (next(t) % 16) {
	case 0:
		put(w, TEMPORAL_EV_SIGNAL, (struct temporal_event){.name = STR("pause")});
		break;
	case 1:
	case 2:
		put(w, TEMPORAL_EV_SIGNAL, (struct temporal_event){.name = STR("resume")});
		break;
	case 3:
		if (next(t) % 8 == 0)
			put(w, TEMPORAL_EV_CANCEL_REQUESTED, (struct temporal_event){0});
		break;
	case 4: /* two at once */
		answer_one(w, t);
		answer_one(w, t);
		break;
	default:
		answer_one(w, t);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct world *w = calloc(1, sizeof *w);
	struct tape t = {data, size};
	struct str input = STR(INPUT);

	w->arena = ARENA_INIT(64 << 20);
	if (size && data[0] == 255) /* an input of the fuzzer's own */
		input = (struct str){(const char *)data + 1, size - 1};
	put(w, TEMPORAL_EV_WORKFLOW_STARTED,
	    (struct temporal_event){.name = STR(WIRE_INGEST),
	                            .task_queue = STR("q"),
	                            .attempt = 1,
	                            .first_run_id = STR(FIRST),
	                            .payloads = payload(w, input)});
	while (!w->ended && w->n < EVENTS_MAX - 80) {
		decide(w);
		if (!t.n)
			break;
		happen(w, &t);
	}
	arena_free(&w->arena);
	free(w);
	return 0;
}
