/* SPDX-License-Identifier: Apache-2.0 */
#include "flow/swap.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "flow/internal.h"

enum { NAME_LONGEST = 50, TRIES = 600, REST_MS = 100 };

bool swap_schema_valid(const char *name)
{
	static const char first[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_",
	                  more[] =
	                      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_0123456789";
	size_t n = strlen(name);

	return n > 0 && n <= NAME_LONGEST && strchr(first, name[0]) && strspn(name, more) == n &&
	       strncmp(name, "pg_", 3) != 0 && strcmp(name, "public") != 0 &&
	       strcmp(name, "stage") != 0;
}

/* ---- statements that PostgreSQL writes, quoting names as it does ---- */

static bool run_all(struct pg_conn *c, const PGresult *res, struct err *err)
{
	for (int r = 0; r < PQntuples(res); r++)
		if (!pg_exec_script(c, PQgetvalue(res, r, 0), err))
			return false;
	return true;
}

static bool generate(struct pg_conn *c, const char *name, const char *schema, struct err *err)
{
	const char *params[] = {schema};
	PGresult *res = pg_query(c, sql_get(name), schema ? 1 : 0, params, err);
	bool ok = res && run_all(c, res, err);

	PQclear(res);
	return ok;
}

/* The first row, when there is any, says why not. */
static bool no_row(PGresult *res, const char *what, struct err *err)
{
	bool ok = res && PQntuples(res) == 0;

	if (res && !ok)
		err_set(err, ERR_CONFLICT, "flow.swap", "%s: %.300s", what, PQgetvalue(res, 0, 0));
	PQclear(res);
	return ok;
}

/* ---- before ---- */

bool swap_look(struct pg_conn *c, const char *schema, struct swap_look *out, struct err *err)
{
	const char *params[] = {schema};
	PGresult *res = pg_query(c, sql_get("swap_look"), 1, params, err);

	if (!res)
		return false;
	out->there = pg_bool(res, 0, 0);
	out->being_loaded = str_is(pg_str(res, 0, 1), "fhirline replay: being loaded");
	out->live_empty = pg_bool(res, 0, 2);
	PQclear(res);
	return true;
}

bool swap_possible(struct pg_conn *c, struct err *err)
{
	return no_row(pg_query(c, sql_get("swap_obstacles"), 0, NULL, err),
	              "the tables cannot be exchanged, for that would be lost", err);
}

bool swap_prepare(struct pg_conn *c, const char *schema, struct err *err)
{
	if (!pg_begin(c, err))
		return false;
	if (generate(c, "swap_create", schema, err) && pg_commit(c, err))
		return true;
	pg_rollback(c);
	return false;
}

bool swap_index(struct pg_conn *c, const char *schema, struct err *err)
{
	return pg_exec_script(c, "SET maintenance_work_mem = '256MB'", err) &&
	       generate(c, "swap_indexes", schema, err);
}

/* ---- the exchange ---- */

static bool nothing_lost(struct pg_conn *c, const char *schema, struct err *err)
{
	const char *params[] = {schema};
	PGresult *statement;
	bool ok;

	if (!no_row(pg_query(c, sql_get("swap_runs"), 0, NULL, err), "not now", err))
		return false;
	statement = pg_query(c, sql_get("swap_lost"), 1, params, err);
	ok = statement && no_row(pg_query(c, PQgetvalue(statement, 0, 0), 0, NULL, err),
	                         "the tables are not exchanged", err);
	PQclear(statement);
	return ok;
}

static bool exchange_in_transaction(struct pg_conn *c, const char *schema, struct err *err)
{
	PGresult *after = NULL, *moves = NULL;
	const char *params[] = {schema};
	bool ok = pg_exec_script(c, "SET LOCAL lock_timeout = '300ms'", err) &&
	          generate(c, "swap_lock", NULL, err) && nothing_lost(c, schema, err);

	moves = ok ? pg_query(c, sql_get("swap_exchange"), 1, params, err) : NULL;
	after = moves ? pg_query(c, sql_get("swap_after"), 1, params, err) : NULL;
	ok = after && run_all(c, moves, err) && run_all(c, after, err);
	flow_crash_point("in_swap");
	ok = ok && pg_commit(c, err);
	PQclear(after);
	PQclear(moves);
	return ok;
}

static bool exchange_once(struct pg_conn *c, const char *schema, struct err *err)
{
	struct swap_look now;

	if (!pg_conn_ready(c, err) || !swap_look(c, schema, &now, err))
		return false;
	if (!now.being_loaded)
		return true; /* a commit whose answer was lost had happened */
	if (!pg_begin(c, err))
		return false;
	if (exchange_in_transaction(c, schema, err))
		return true;
	pg_rollback(c);
	return false;
}

bool swap_exchange(struct pg_conn *c, const char *schema, const atomic_bool *stop, struct err *err)
{
	for (int i = 1; !exchange_once(c, schema, err); i++) {
		if (i == TRIES || !err->retryable)
			return false;
		if (atomic_load(stop))
			return err_set(err, ERR_CANCELLED, "flow.swap", "stopped");
		clock_sleep_ms(REST_MS);
	}
	flow_crash_point("after_swap");
	return true;
}

bool swap_drop(struct pg_conn *c, const char *schema, struct err *err)
{
	return generate(c, "swap_drop", schema, err);
}
