/* SPDX-License-Identifier: Apache-2.0
 *
 * Merging: the stage turns (what is staged is renamed, new rows go to fresh tables), then its rows
 * move into the tables, sorted by id, in one transaction that also drops the renamed stage and
 * marks its batches. Cut off between the two, the renamed stage is found again by its batches'
 * state and merged then.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "flow/internal.h"

static bool script(struct flow_work *w, const struct flow_run *run, const char *name,
                   struct err *err)
{
	char *sql = pg_sql_stage(sql_get(name), run->id, err);
	bool ok = sql && pg_exec_script(w->conn, sql, err);

	free(sql);
	return ok;
}

static bool statement(struct flow_work *w, const struct flow_run *run, const char *name, int n,
                      const char *const *params, int64_t *affected, struct err *err)
{
	char *sql = pg_sql_stage(sql_get(name), run->id, err);
	bool ok = sql && pg_exec(w->conn, sql, n, params, affected, err);

	free(sql);
	return ok;
}

static bool four(struct flow_work *w, const struct flow_run *run, const char *name, int64_t out[4],
                 struct err *err)
{
	char *sql = pg_sql_stage(sql_get(name), run->id, err);
	PGresult *res = sql ? pg_query(w->conn, sql, 0, NULL, err) : NULL;

	free(sql);
	if (!res)
		return false;
	for (int i = 0; i < 4; i++)
		out[i] = pg_int(res, 0, i);
	PQclear(res);
	return true;
}

static bool merge_pending(struct flow_work *w, const struct flow_run *run, bool *pending,
                          struct err *err)
{
	const char *params[] = {run->id};
	PGresult *res = pg_query(w->conn, sql_get("flow_merge_pending"), 1, params, err);

	if (!res)
		return false;
	*pending = pg_bool(res, 0, 0);
	PQclear(res);
	return true;
}

static bool turn(struct flow_work *w, const struct flow_run *run, struct err *err)
{
	const char *params[] = {run->id};

	if (!pg_begin(w->conn, err))
		return false;
	if (script(w, run, "flow_stage_turn", err) &&
	    pg_exec(w->conn, sql_get("flow_batches_merging"), 1, params, NULL, err) &&
	    flow_store_fence(w->conn, run, err)) {
		flow_crash_point("in_turn");
		if (pg_commit(w->conn, err))
			return true;
	}
	pg_rollback(w->conn);
	return false;
}

static bool count(struct flow_work *w, const struct flow_run *run, const char *type,
                  int64_t inserted, int64_t updated, int64_t written, int64_t rows,
                  int64_t distinct, struct err *err)
{
	char text[4][24];
	const char *params[] = {run->id, type, text[0], text[1], text[2], text[3]};

	if (inserted + updated != written)
		return err_set(err, ERR_CONFIG, "flow.merge",
		               "PostgreSQL counted %" PRId64 " inserts and %" PRId64
		               " updates where MERGE wrote %" PRId64
		               " rows: track_counts must be on",
		               inserted, updated, written);
	snprintf(text[0], sizeof text[0], "%" PRId64, inserted);
	snprintf(text[1], sizeof text[1], "%" PRId64, updated);
	snprintf(text[2], sizeof text[2], "%" PRId64, distinct - inserted - updated);
	snprintf(text[3], sizeof text[3], "%" PRId64, rows - distinct);
	return pg_exec(w->conn, sql_get("flow_count_add"), 6, params, NULL, err);
}

/* A replay: what was deleted or moved away after the step's run had read it is not to come back. It
 * counts as unchanged. */
static bool guard(struct flow_work *w, const struct flow_run *run, struct err *err)
{
	char number[16], swept[24];
	const char *step[] = {number}, *at[] = {swept};

	snprintf(number, sizeof number, "%d", run->step->number);
	snprintf(swept, sizeof swept, "%" PRId64, run->step->swept_us);
	return statement(w, run, "replay_merge_zip", 1, step, NULL, err) &&
	       statement(w, run, "replay_guard_patient", 1, at, NULL, err) &&
	       statement(w, run, "replay_guard_observation", 1, at, NULL, err);
}

static bool merge_patients(struct flow_work *w, const struct flow_run *run,
                           const char *const *params, int64_t *written, struct err *err)
{
	const char *zip[] = {run->zip};

	if (run->step && !guard(w, run, err))
		return false;
	return statement(w, run, "flow_merge_patient", 2, params, written, err) &&
	       (run->step || statement(w, run, "flow_merge_zip", 1, zip, NULL, err));
}

/* ---- a replay's first merge, when the table of observations is its own and has no rows ---- */

static bool is_fresh(struct flow_work *w, const struct flow_run *run, bool *fresh, struct err *err)
{
	PGresult *res;

	*fresh = false;
	if (!run->beside)
		return true;
	res = pg_query(w->conn, sql_get("swap_fresh"), 0, NULL, err);
	if (!res)
		return false;
	*fresh = pg_bool(res, 0, 0);
	PQclear(res);
	return true;
}

static bool take(struct flow_work *w, const struct flow_run *run, struct err *err)
{
	const char *params[] = {run->step->run_id};
	char *sql = pg_sql_stage(sql_get("swap_take"), run->id, err);
	PGresult *res = sql ? pg_query(w->conn, sql, 1, params, err) : NULL;
	bool ok = res != NULL;

	for (int r = 0; ok && r < PQntuples(res); r++)
		ok = pg_exec_script(w->conn, PQgetvalue(res, r, 0), err);
	PQclear(res);
	free(sql);
	return ok;
}

/* The stage becomes the table: its rows are not written a second time. */
static bool take_observations(struct flow_work *w, const struct flow_run *run, bool doubles,
                              struct err *err)
{
	return (!doubles || statement(w, run, "swap_single", 0, NULL, NULL, err)) &&
	       take(w, run, err);
}

/* ---- a merge ---- */

static bool merge_observations(struct flow_work *w, const struct flow_run *run,
                               const char *const *params, const int64_t size[4], int64_t out[3],
                               struct err *err)
{
	int64_t before[4], after[4];
	bool fresh;

	if (!is_fresh(w, run, &fresh, err))
		return false;
	if (fresh) {
		out[0] = out[2] = size[3];
		out[1] = 0;
		return take_observations(w, run, size[2] != size[3], err);
	}
	if (!four(w, run, "flow_merge_written", before, err) ||
	    !statement(w, run, "flow_merge_observation", 2, params, &out[2], err) ||
	    !four(w, run, "flow_merge_written", after, err))
		return false;
	out[0] = after[2] - before[2];
	out[1] = after[3] - before[3];
	return true;
}

static bool merge_tables(struct flow_work *w, const struct flow_run *run, struct err *err)
{
	const char *params[] = {run->step ? run->step->run_id : run->id,
	                        run->remap ? "true" : "false"};
	int64_t size[4], before[4], after[4], patients = 0, observations[3];

	if (!four(w, run, "flow_merge_sizes", size, err) ||
	    !four(w, run, "flow_merge_written", before, err))
		return false;
	if (!merge_patients(w, run, params, &patients, err))
		return false;
	flow_crash_point("in_merge");
	if (!four(w, run, "flow_merge_written", after, err) ||
	    !merge_observations(w, run, params, size, observations, err))
		return false;
	if (run->track_seen && !run->incremental && !script(w, run, "flow_merge_seen", err))
		return false;
	return count(w, run, "Patient", after[0] - before[0], after[1] - before[1], patients,
	             size[0], size[1], err) &&
	       count(w, run, "Observation", observations[0], observations[1], observations[2],
	             size[2], size[3], err);
}

static bool merge_in_transaction(struct flow_work *w, const struct flow_run *run, struct err *err)
{
	const char *params[] = {run->id};

	if (!merge_tables(w, run, err) || !script(w, run, "flow_stage_merged", err) ||
	    !pg_exec(w->conn, sql_get("flow_batches_merged"), 1, params, NULL, err) ||
	    !flow_store_fence(w->conn, run, err))
		return false;
	flow_crash_point("before_merge_commit");
	return pg_commit(w->conn, err);
}

static bool merge_once(struct flow_work *w, struct flow_run *run, void *arg, struct err *err)
{
	bool pending = false, *turned = arg;

	if (!merge_pending(w, run, &pending, err))
		return false;
	if (!pending) {
		if (*turned)
			return true; /* the commit whose answer was lost had happened */
		if (!turn(w, run, err))
			return false;
	}
	*turned = true;
	flow_crash_point("after_turn");
	if (!pg_begin(w->conn, err))
		return false;
	if (merge_in_transaction(w, run, err)) {
		flow_crash_point("after_merge_commit");
		return true;
	}
	/* another zip code's run has just inserted a row that both have (MERGE looks once): now it
	 * is there to be compared with */
	if (err->code == ERR_CONFLICT && strcmp(err->where, "pg") == 0)
		err->retryable = true;
	pg_rollback(w->conn);
	return false;
}

bool flow_merge(struct flow_work *w, struct flow_run *run, struct err *err)
{
	bool turned = false;

	return flow_try_db(w, run, merge_once, &turned, err);
}
