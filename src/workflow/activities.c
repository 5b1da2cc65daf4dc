/* SPDX-License-Identifier: Apache-2.0 */
#include "workflow/activities.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yyjson.h>

#include "workflow/wire.h"

/* One attempt at an activity. */
struct attempt {
	struct activities *all;
	struct temporal_activity_task *task;
	const struct temporal_activity_info *info;
	struct wire_call call;
	struct temporal_payloads result;
};

typedef bool attempt_fn(struct attempt *a, enum flow_action_kind kind, struct err *err);

static attempt_fn begin, act, read_batch, request;

static const struct {
	const char *type;
	attempt_fn *fn;
	enum flow_action_kind kind;
} table[ACTIVITIES] = {
    {"Begin", begin, FLOW_LOOK},
    {"Look", act, FLOW_LOOK},
    {"ReadPatientPage", read_batch, FLOW_RUN_BATCH},
    {"ReadObservations", read_batch, FLOW_RUN_BATCH},
    {"ReadIdPage", read_batch, FLOW_RUN_BATCH},
    {"LookUpPatients", read_batch, FLOW_RUN_BATCH},
    {"ReadObservationPage", read_batch, FLOW_RUN_BATCH},
    {"Merge", act, FLOW_MERGE},
    {"Sweep", act, FLOW_SWEEP},
    {"Reconcile", act, FLOW_RECONCILE},
    {"End", act, FLOW_END_FAILED},
    {"Request", request, FLOW_LOOK},
};

/* ---- what each does ---- */

/* The chain of runs of one workflow: continued as new it is the same owner. */
static bool begin(struct attempt *a, enum flow_action_kind kind, struct err *err)
{
	char workflow_id[WIRE_NAMESPACE_MAX + 40], chain[64];
	struct flow_begun begun = {.n = 0};
	bool ok;

	(void)kind;
	snprintf(workflow_id, sizeof workflow_id, "%.*s/%.*s", WIRE_NAMESPACE_MAX,
	         a->all->name_space, STR_FMT(a->info->workflow_id));
	snprintf(chain, sizeof chain, "%.*s",
	         STR_FMT(a->call.chain[0] ? str_of(a->call.chain) : a->info->run_id));
	ok = flow_crew_begin(a->all->crew, a->call.run_id, workflow_id, chain,
	                     temporal_activity_stop_flag(a->task), &begun, err) &&
	     wire_begun_write(temporal_activity_arena(a->task), &begun, &a->result, err);
	free(begun.batches);
	return ok;
}

static bool give(struct attempt *a, enum flow_action_kind kind, const struct flow_outcome *o,
                 struct err *err)
{
	struct arena *arena = temporal_activity_arena(a->task);

	switch (kind) {
	case FLOW_RUN_BATCH:
		return wire_batch_write(arena, &o->batch, &a->result, err);
	case FLOW_MERGE:
		return wire_merge_write(arena, o, &a->result, err);
	case FLOW_RECONCILE:
		return wire_report_write(arena, &o->view, &a->result, err);
	default:
		return true;
	}
}

static bool act(struct attempt *a, enum flow_action_kind kind, struct err *err)
{
	struct flow_call call = {.run_id = a->call.run_id,
	                         .epoch = a->call.epoch,
	                         .action = {.kind = kind, .batch = a->call.batch},
	                         .end_code = a->call.code,
	                         .end_text = a->call.text};
	struct flow_outcome outcome;
	bool ok;

	if (kind == FLOW_END_FAILED && a->call.cancelled)
		call.action.kind = FLOW_END_CANCELLED;
	ok = flow_crew_do(a->all->crew, &call, temporal_activity_stop_flag(a->task), &outcome,
	                  err) &&
	     give(a, kind, &outcome, err);
	free(outcome.batches);
	return ok;
}

static bool read_batch(struct attempt *a, enum flow_action_kind kind, struct err *err)
{
	if (!wire_batch_kind(a->info->type, &a->call.batch.kind) || !a->call.batch.seq)
		return err_set(err, ERR_DATA, "workflow.activity", "the batch is not told");
	return act(a, kind, err);
}

static bool ask_for(struct attempt *a, const struct flow_request *r, struct err *err)
{
	static const char *const outcomes[] = {
	    [FLOW_CREATED] = "created",   [FLOW_ACTIVE] = "active",   [FLOW_RESUMED] = "resumed",
	    [FLOW_SAME_KEY] = "same_key", [FLOW_REFUSED] = "refused", [FLOW_ENDED] = "ended"};
	struct pg_conn *c = pg_conn_open(&a->all->settings->database, err);
	char run_id[UUID_TEXT] = "", *text;
	enum flow_verdict verdict = FLOW_REFUSED;
	struct temporal_payload one;
	bool ok = c && flow_run_request(c, &clock_system, r, run_id, &verdict, err);

	pg_conn_close(c);
	if (!ok)
		return false;
	text = arena_printf(temporal_activity_arena(a->task), "{\"run\":\"%s\",\"outcome\":\"%s\"}",
	                    run_id, outcomes[verdict]);
	if (!text)
		return err_set(err, ERR_NOMEM, "workflow.activity", "out of memory");
	one = temporal_json(str_of(text));
	return temporal_payloads_copy(temporal_activity_arena(a->task),
	                              (struct temporal_payloads){&one, 1}, &a->result) ||
	       err_set(err, ERR_NOMEM, "workflow.activity", "out of memory");
}

/* {"zip":"02139","full":false} */
static bool read_request(struct temporal_payloads in, char zip[6], bool *full, struct err *err)
{
	struct str json;
	yyjson_doc *doc;
	yyjson_val *v;

	if (!temporal_payload_json(in, 0, &json, err))
		return false;
	doc = yyjson_read(json.p, json.n, 0);
	v = yyjson_obj_get(yyjson_doc_get_root(doc), "zip");
	if (yyjson_get_len(v) == 5 && yyjson_get_str(v))
		memcpy(zip, yyjson_get_str(v), 6);
	*full = yyjson_is_true(yyjson_obj_get(yyjson_doc_get_root(doc), "full"));
	yyjson_doc_free(doc);
	return str_is_zip(str_of(zip)) ||
	       err_set(err, ERR_DATA, "workflow.activity", "the zip code is not told");
}

/* A schedule's turn. Asked for again because its answer was lost, it finds the run active. */
static bool request(struct attempt *a, enum flow_action_kind kind, struct err *err)
{
	char zip[6] = "";
	struct flow_request r = {.zip = zip,
	                         .source_url = fhir_source_url(a->all->settings->source)};

	(void)kind;
	return read_request(a->info->input, zip, &r.full, err) && ask_for(a, &r, err);
}

/* ---- an attempt ---- */

/* The stop flag says only that it is to end: why, the last heartbeat's answer tells. */
static void explain(struct attempt *a, struct err *err)
{
	enum temporal_order order;

	if (err->code != ERR_CANCELLED || !atomic_load(temporal_activity_stop_flag(a->task)))
		return;
	order = temporal_activity_heartbeat(a->task, TEMPORAL_NO_PAYLOADS);
	if (order != TEMPORAL_CANCEL && order != TEMPORAL_LOST)
		err_set_retry(err, ERR_BUSY, "workflow.activity",
		              "the worker is being stopped: another one goes on");
}

/* A workflow must tell that the run is somebody else's from other conflicts. */
static bool failed(struct attempt *a, struct err *err)
{
	struct temporal_failure f = temporal_failure_of(err);

	if (err->code != ERR_CONFLICT || strcmp(err->where, "flow.fence") != 0)
		return false;
	f.type = STR("RunLost");
	temporal_activity_failure(a->task, &f, err);
	return false;
}

static bool attempt(struct temporal_activity_task *task, void *ctx, struct err *err)
{
	const struct activity *activity = ctx;
	struct attempt a = {
	    .all = activity->all, .task = task, .info = temporal_activity_info(task)};
	struct pulse_entry entry;
	bool ok =
	    table[activity->index].fn == request || wire_call_read(a.info->input, &a.call, err);

	if (!ok) { /* sealed with a key that another worker has, or of a newer version */
		err->retryable = true;
		return false;
	}
	pulse_add(a.all->pulse, &entry, task);
	ok = table[activity->index].fn(&a, table[activity->index].kind, err);
	pulse_remove(a.all->pulse, &entry);
	if (ok)
		return temporal_activity_result(task, a.result, err);
	explain(&a, err);
	return failed(&a, err);
}

void activities_init(struct activities *a, struct flow_crew *crew, struct pulse *pulse,
                     const struct flow_settings *settings, const char *name_space)
{
	*a = (struct activities){
	    .crew = crew, .pulse = pulse, .settings = settings, .name_space = name_space};
	for (int i = 0; i < ACTIVITIES; i++) {
		a->each[i] = (struct activity){a, i};
		a->types[i] = (struct temporal_activity_type){table[i].type, attempt, &a->each[i]};
	}
}
