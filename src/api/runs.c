/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "api/handlers.h"
#include "pg/json_row.h"
#include "api/run_json.h"
#include "api/server.h"
#include "fhir/map.h"

enum { SLOT_LIMIT, SLOT_AFTER, SLOT_VERSION };

static const char no_run[] = "there is no run with this id";

/* The position of runs and rejections is one number. */
static bool after(struct request *r, const char **number)
{
	char at[128];
	size_t n;
	int64_t v;

	*number = NULL;
	if (!list_cursor(r, at, &n))
		return false;
	if (n == sizeof v) {
		memcpy(&v, at, sizeof v);
		snprintf(r->sql_text[SLOT_AFTER], sizeof r->sql_text[SLOT_AFTER], "%lld",
		         (long long)v);
		*number = r->sql_text[SLOT_AFTER];
	}
	return true;
}

static size_t run_position(const PGresult *result, int row, char out[128])
{
	int64_t v = run_ordinal(result, row);

	memcpy(out, &v, sizeof v);
	return sizeof v;
}

static void answer_list(struct request *r, const PGresult *result)
{
	list_answer(r, result, run_json, run_position);
}

void runs_list(struct request *r)
{
	const char *before;

	if (after(r, &before))
		request_query(r, STATEMENT_RUN_LIST, 4,
		              (const char *const[]){request_text(r, "zipcode"),
		                                    request_text(r, "state"), before,
		                                    list_limit(r, SLOT_LIMIT)},
		              answer_list);
}

static void answer_one(struct request *r, const PGresult *result)
{
	if (PQntuples(result) == 0) {
		request_problem(r, PROBLEM_NOT_FOUND, "id", "path", no_run);
		return;
	}
	run_json(&r->body, result, 0);
	request_json(r, 200);
}

void runs_get(struct request *r)
{
	request_query(r, STATEMENT_RUN_SHOW, 1, (const char *const[]){request_text(r, "id")},
	              answer_one);
}

/* ---- cancel and retry answer with the run as it is then ---- */

static void answer_accepted(struct request *r, const PGresult *result)
{
	char *location = arena_printf(&r->arena, "/runs/%s", request_text(r, "id"));

	if (PQntuples(result) == 0 || !location) {
		request_problem(r, PROBLEM_NOT_FOUND, "id", "path", no_run);
		return;
	}
	buf_lit(&r->body, "{\"run_id\":");
	buf_add_json(&r->body, run_id(result, 0));
	buf_lit(&r->body, ",\"zipcode\":");
	buf_add_json(&r->body, run_zip(result, 0));
	buf_lit(&r->body, ",\"state\":");
	buf_add_json(&r->body, run_state(result, 0));
	buf_printf(&r->body, ",\"outcome\":\"%s\"}", (const char *)r->state);
	request_add_header(r, "Location", location);
	request_json(r, 202);
}

static void wake_and_show(struct request *r, const char *outcome)
{
	/* answer_accepted() only reads it */
	r->state = arena_printf(&r->arena, "%s", outcome);
	if (!r->state) {
		request_problem(r, PROBLEM_INTERNAL, NULL, NULL, NULL);
		return;
	}
	api_wake_engine(r->api);
	request_query(r, STATEMENT_RUN_SHOW, 1, (const char *const[]){request_text(r, "id")},
	              answer_accepted);
}

static void answer_not_cancelled(struct request *r, const PGresult *result)
{
	if (PQntuples(result) == 0)
		request_problem(r, PROBLEM_NOT_FOUND, "id", "path", no_run);
	else
		request_problem(r, PROBLEM_CONFLICT, "id", "path", "the run has ended already");
}

static void answer_cancel(struct request *r, const PGresult *result)
{
	if (PQntuples(result) == 0)
		request_query(r, STATEMENT_RUN_SHOW, 1,
		              (const char *const[]){request_text(r, "id")}, answer_not_cancelled);
	else
		wake_and_show(r, "cancelled");
}

void runs_cancel(struct request *r)
{
	request_query(r, STATEMENT_RUN_CANCEL, 1, (const char *const[]){request_text(r, "id")},
	              answer_cancel);
}

static void answer_retry(struct request *r, const PGresult *result)
{
	struct str verdict = PQntuples(result) ? json_get_text(result, 0, 1) : STR_NONE;

	if (!verdict.p)
		request_problem(r, PROBLEM_NOT_FOUND, "id", "path", no_run);
	else if (str_is(verdict, "resumed"))
		wake_and_show(r, "resumed");
	else if (str_is(verdict, "active"))
		request_problem(r, PROBLEM_CONFLICT, "id", "path",
		                "a run of this zip code is under way: wait for it, or cancel it");
	else if (str_is(verdict, "ended"))
		request_problem(r, PROBLEM_CONFLICT, "id", "path",
		                "the run is completed: there is nothing to retry");
	else
		request_problem(r, PROBLEM_CONFLICT, "id", "path",
		                "the run was made for another FHIR server or by other mapping "
		                "rules: start over by "
		                "POST /zipcodes with \"fresh\": true");
}

/* A unique violation: another run of the zip code began at the same moment. */
static bool retry_race(struct request *r, const char *sqlstate)
{
	if (strcmp(sqlstate, "23505") != 0)
		return false;
	request_problem(r, PROBLEM_CONFLICT, "id", "path",
	                "a run of this zip code is under way: wait for it, or cancel it");
	return true;
}

void runs_retry(struct request *r)
{
	if (!r->api->options.source_url) {
		request_problem(r, PROBLEM_BUSY, NULL, NULL,
		                "this server was started without a FHIR server to load from");
		return;
	}
	snprintf(r->sql_text[SLOT_VERSION], sizeof r->sql_text[SLOT_VERSION], "%d",
	         FHIR_MAPPING_VERSION);
	r->on_error = retry_race;
	request_query(r, STATEMENT_RUN_RETRY, 3,
	              (const char *const[]){request_text(r, "id"), r->api->options.source_url,
	                                    r->sql_text[SLOT_VERSION]},
	              answer_retry);
}

/* ---- what could not be mapped ---- */

static void rejected_row(struct buf *out, const PGresult *result, int row)
{
	json_row(out, &columns_rejected, result, row);
}

static size_t rejected_position(const PGresult *result, int row, char out[128])
{
	int64_t v = json_get_int8(result, row, 0);

	memcpy(out, &v, sizeof v);
	return sizeof v;
}

static void answer_rejected(struct request *r, const PGresult *result)
{
	if (PQntuples(result) == 0) {
		request_problem(r, PROBLEM_NOT_FOUND, "id", "path", no_run);
	} else if (PQgetisnull(result, 0, 0)) {
		buf_lit(&r->body, "{\"items\":[],\"next\":null}");
		request_json(r, 200);
	} else {
		list_answer(r, result, rejected_row, rejected_position);
	}
}

void runs_rejected(struct request *r)
{
	const char *behind;

	if (after(r, &behind))
		request_query(r, STATEMENT_REJECTED_LIST, 3,
		              (const char *const[]){request_text(r, "id"), behind ? behind : "0",
		                                    list_limit(r, SLOT_LIMIT)},
		              answer_rejected);
}
