/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdio.h>

#include "fhir/map.h"
#include "flow/internal.h"

static bool verdict_of(struct str s, enum flow_verdict *out)
{
	static const char *const names[] = {[FLOW_CREATED] = "created",
	                                    [FLOW_ACTIVE] = "active",
	                                    [FLOW_RESUMED] = "resumed",
	                                    [FLOW_SAME_KEY] = "same_key",
	                                    [FLOW_REFUSED] = "refused"};

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

static int column(const PGresult *res, const char *name)
{
	return PQfnumber(res, name);
}

static void text_of(const PGresult *res, const char *name, char *out, size_t size)
{
	snprintf(out, size, "%.*s", STR_FMT(pg_str(res, 0, column(res, name))));
}

static int64_t count_of(const PGresult *res, const char *type, const char *what)
{
	char name[64];

	snprintf(name, sizeof name, "%s_%s", type, what);
	return pg_int(res, 0, column(res, name));
}

static void counts_of(const PGresult *res, const char *type, struct flow_count *out)
{
	char expected[64];

	snprintf(expected, sizeof expected, "%s_expected", type);
	out->expected =
	    PQgetisnull(res, 0, column(res, expected)) ? -1 : count_of(res, type, "expected");
	out->fetched = count_of(res, type, "fetched");
	out->landed = count_of(res, type, "landed");
	out->staged = count_of(res, type, "staged");
	out->inserted = count_of(res, type, "inserted");
	out->updated = count_of(res, type, "updated");
	out->unchanged = count_of(res, type, "unchanged");
	out->deleted = count_of(res, type, "deleted");
	out->rejected = count_of(res, type, "rejected");
	out->duplicates = count_of(res, type, "duplicates");
	out->moved = count_of(res, type, "moved");
	out->elsewhere = count_of(res, type, "elsewhere");
	out->missing = count_of(res, type, "missing");
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
	if (ok) {
		*out = (struct flow_run_view){0};
		text_of(res, "id", out->id, sizeof out->id);
		text_of(res, "zip", out->zip, sizeof out->zip);
		text_of(res, "kind", out->kind, sizeof out->kind);
		text_of(res, "state", out->state, sizeof out->state);
		text_of(res, "phase", out->phase, sizeof out->phase);
		text_of(res, "error_code", out->error_code, sizeof out->error_code);
		text_of(res, "error", out->error, sizeof out->error);
		text_of(res, "reconciliation", out->reconciliation, sizeof out->reconciliation);
		out->progress = pg_int(res, 0, column(res, "progress"));
		out->patients_read = pg_int(res, 0, column(res, "patients_read"));
		out->patients_known = pg_int(res, 0, column(res, "patients_known"));
		out->requested_us = pg_time_us(res, 0, column(res, "requested_us"));
		out->started_us = pg_time_us(res, 0, column(res, "started_us"));
		out->ended_us = pg_time_us(res, 0, column(res, "ended_us"));
		counts_of(res, "patient", &out->patient);
		counts_of(res, "observation", &out->observation);
	} else {
		err_set(err, ERR_NOT_FOUND, "flow.view", "there is no run %s", run_id);
	}
	PQclear(res);
	return ok;
}
