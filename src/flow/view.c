/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "fhir/map.h"
#include "flow/internal.h"

static bool verdict_of(struct str s, enum flow_verdict *out)
{
	static const char *const names[] = {
	    [FLOW_CREATED] = "created",   [FLOW_ACTIVE] = "active",   [FLOW_RESUMED] = "resumed",
	    [FLOW_SAME_KEY] = "same_key", [FLOW_REFUSED] = "refused", [FLOW_ENDED] = "ended"};

	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (str_is(s, names[i])) {
			*out = (enum flow_verdict)i;
			return true;
		}
	return false;
}

static bool is_race(const struct err *err)
{
	return strstr(err->text, "23505") != NULL;
}

bool flow_run_request(struct pg_conn *c, const struct clock *clock, const struct flow_request *req,
                      char run_id[UUID_TEXT], enum flow_verdict *verdict, struct err *err)
{
	char id[UUID_TEXT], mapping[16];
	const char *params[] = {id,
	                        req->zip,
	                        req->source_url,
	                        mapping,
	                        req->full ? "full" : "auto",
	                        req->allow_mass_delete ? "true" : "false",
	                        req->idempotency_key,
	                        req->fresh ? "true" : "false"};
	PGresult *res = NULL;
	bool ok;

	snprintf(mapping, sizeof mapping, "%d", FHIR_MAPPING_VERSION);
	if (!uuid_v7(clock_now_us(clock), id, err))
		return false;
	for (int i = 0; i < 5; i++) {
		res = pg_query(c, sql_get("flow_run_request"), 8, params, err);
		/* no row: a run ended between two of the statement's looks; 23505: somebody else
		 * was first */
		if (res ? PQntuples(res) == 1 : !is_race(err))
			break;
		PQclear(res);
		res = NULL;
		clock_sleep_ms(20);
	}
	if (!res)
		return false;
	ok = PQntuples(res) == 1 && verdict_of(pg_str(res, 0, 1), verdict);
	if (ok)
		snprintf(run_id, UUID_TEXT, "%.*s", STR_FMT(pg_str(res, 0, 0)));
	else
		err_set_retry(err, ERR_CONFLICT, "flow.request",
		              "another run of zip code %s is just beginning or ending", req->zip);
	PQclear(res);
	return ok;
}

bool flow_run_cancel(struct pg_conn *c, const char *run_id, struct err *err)
{
	const char *params[] = {run_id};
	int64_t rows = 0;

	if (!pg_exec(c, sql_get("flow_run_cancel"), 1, params, &rows, err))
		return false;
	return rows == 1 || err_set(err, ERR_NOT_FOUND, "flow.cancel",
	                            "there is no run %s, or it has ended", run_id);
}

bool flow_run_retry(struct pg_conn *c, const char *run_id, const char *source_url,
                    enum flow_verdict *verdict, struct err *err)
{
	char mapping[16];
	const char *params[] = {run_id, source_url, mapping};
	PGresult *res;
	bool ok;

	snprintf(mapping, sizeof mapping, "%d", FHIR_MAPPING_VERSION);
	res = pg_query(c, sql_get("flow_run_retry"), 3, params, err);
	if (!res) {
		/* another run of the zip code began at the same instant */
		if (!is_race(err))
			return false;
		*verdict = FLOW_ACTIVE;
		return true;
	}
	ok = PQntuples(res) == 1 && verdict_of(pg_str(res, 0, 1), verdict);
	if (!ok)
		err_set(err, ERR_NOT_FOUND, "flow.retry", "there is no run %s", run_id);
	PQclear(res);
	return ok;
}

/* ---- looking ---- */

/* A row of flow_run_show.sql or flow_run_list.sql. */
struct row {
	const PGresult *res;
	int r;
};

static int column(const struct row *row, const char *name)
{
	return PQfnumber(row->res, name);
}

static void text_of(const struct row *row, const char *name, char *out, size_t size)
{
	snprintf(out, size, "%.*s", STR_FMT(pg_str(row->res, row->r, column(row, name))));
}

static int64_t int_of(const struct row *row, const char *name)
{
	return pg_int(row->res, row->r, column(row, name));
}

static int64_t time_of(const struct row *row, const char *name)
{
	return pg_time_us(row->res, row->r, column(row, name));
}

static int64_t count_of(const struct row *row, const char *type, const char *what)
{
	char name[64];

	snprintf(name, sizeof name, "%s_%s", type, what);
	return int_of(row, name);
}

static void counts_of(const struct row *row, const char *type, struct flow_count *out)
{
	char expected[64];

	snprintf(expected, sizeof expected, "%s_expected", type);
	out->expected = PQgetisnull(row->res, row->r, column(row, expected))
	                    ? -1
	                    : count_of(row, type, "expected");
	out->fetched = count_of(row, type, "fetched");
	out->landed = count_of(row, type, "landed");
	out->staged = count_of(row, type, "staged");
	out->inserted = count_of(row, type, "inserted");
	out->updated = count_of(row, type, "updated");
	out->unchanged = count_of(row, type, "unchanged");
	out->deleted = count_of(row, type, "deleted");
	out->rejected = count_of(row, type, "rejected");
	out->duplicates = count_of(row, type, "duplicates");
	out->moved = count_of(row, type, "moved");
	out->elsewhere = count_of(row, type, "elsewhere");
	out->missing = count_of(row, type, "missing");
}

static void view_of(const struct row *row, struct flow_run_view *out)
{
	*out = (struct flow_run_view){0};
	text_of(row, "id", out->id, sizeof out->id);
	text_of(row, "zip", out->zip, sizeof out->zip);
	text_of(row, "kind", out->kind, sizeof out->kind);
	text_of(row, "state", out->state, sizeof out->state);
	text_of(row, "phase", out->phase, sizeof out->phase);
	text_of(row, "error_code", out->error_code, sizeof out->error_code);
	text_of(row, "error", out->error, sizeof out->error);
	text_of(row, "reconciliation", out->reconciliation, sizeof out->reconciliation);
	out->progress = int_of(row, "progress");
	out->patients_read = int_of(row, "patients_read");
	out->patients_known = int_of(row, "patients_known");
	out->requested_us = time_of(row, "requested_us");
	out->started_us = time_of(row, "started_us");
	out->ended_us = time_of(row, "ended_us");
	counts_of(row, "patient", &out->patient);
	counts_of(row, "observation", &out->observation);
}

bool flow_run_view(struct pg_conn *c, const char *run_id, struct flow_run_view *out,
                   struct err *err)
{
	const char *params[] = {run_id};
	PGresult *res = pg_query(c, sql_get("flow_run_show"), 1, params, err);
	bool ok;

	if (!res)
		return false;
	ok = PQntuples(res) == 1;
	if (ok)
		view_of(&(struct row){res, 0}, out);
	else
		err_set(err, ERR_NOT_FOUND, "flow.view", "there is no run %s", run_id);
	PQclear(res);
	return ok;
}

bool flow_run_list(struct pg_conn *c, const char *zip, const char *state, int limit,
                   struct flow_run_view **out, size_t *n, struct err *err)
{
	char most[16];
	const char *params[] = {zip, state, NULL, most};
	struct flow_run_view *views;
	PGresult *res;

	snprintf(most, sizeof most, "%d", limit);
	res = pg_query(c, sql_get("flow_run_list"), 4, params, err);
	if (!res)
		return false;
	views = calloc((size_t)PQntuples(res) + 1, sizeof *views);
	if (views) {
		for (int r = 0; r < PQntuples(res); r++)
			view_of(&(struct row){res, r}, &views[r]);
		*out = views;
		*n = (size_t)PQntuples(res);
	}
	PQclear(res);
	return views || err_set(err, ERR_NOMEM, "flow.list", "out of memory for the list of runs");
}
