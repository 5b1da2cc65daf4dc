/* SPDX-License-Identifier: Apache-2.0
 *
 * LOOK: what the source is and what time it has, the run's stage tables, and what earlier runs left
 * lying about.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "fhir/map.h"
#include "flow/internal.h"

struct looking {
	struct fhir_capability cap;
	int64_t expected;
	int64_t since_us, server_us, watermark_us;
};

static bool script_for(struct flow_work *w, const char *run_id, const char *name, struct err *err)
{
	char *sql = pg_sql_stage(sql_get(name), run_id, err);
	bool ok = sql && pg_exec_script(w->conn, sql, err);

	free(sql);
	return ok;
}

static bool clear_leftovers(struct flow_work *w, const struct flow_run *run, struct err *err)
{
	const char *params[] = {run->id, run->zip};
	PGresult *res = pg_query(w->conn, sql_get("flow_leftovers"), 2, params, err);
	bool ok = res != NULL;

	for (int r = 0; ok && r < PQntuples(res); r++) {
		char id[UUID_TEXT];
		const char *one[] = {id};

		snprintf(id, sizeof id, "%.*s", STR_FMT(pg_str(res, r, 0)));
		ok = script_for(w, id, "flow_stage_drop", err) &&
		     pg_exec(w->conn, sql_get("flow_leftover_done"), 1, one, NULL, err);
	}
	PQclear(res);
	return ok;
}

static bool write_down(struct flow_work *w, struct flow_run *run, const struct looking *l,
                       struct err *err)
{
	char since[24], server[24], watermark[24], mapping[16];
	const char *params[] = {run->id,
	                        l->since_us == INT64_MIN ? NULL : since,
	                        server,
	                        watermark,
	                        l->cap.patient_history ? "true" : "false",
	                        l->cap.observation_history ? "true" : "false",
	                        run->zip,
	                        mapping};
	PGresult *res;

	snprintf(since, sizeof since, "%" PRId64, l->since_us);
	snprintf(server, sizeof server, "%" PRId64, l->server_us);
	snprintf(watermark, sizeof watermark, "%" PRId64, l->watermark_us);
	snprintf(mapping, sizeof mapping, "%d", FHIR_MAPPING_VERSION);
	res = pg_query(w->conn, sql_get("flow_look"), 8, params, err);
	if (!res)
		return false;
	run->track_seen = pg_bool(res, 0, 0);
	run->remap = pg_bool(res, 0, 1);
	PQclear(res);
	return true;
}

static bool expect(struct flow_work *w, const struct flow_run *run, int64_t expected,
                   struct err *err)
{
	char text[24];
	const char *params[] = {run->id, "Patient", expected < 0 ? NULL : text};

	snprintf(text, sizeof text, "%" PRId64, expected);
	return pg_exec(w->conn, sql_get("flow_expect"), 3, params, NULL, err);
}

static bool look_once(struct flow_work *w, struct flow_run *run, void *arg, struct err *err)
{
	struct looking *l = arg;

	if (!pg_begin(w->conn, err))
		return false;
	if (clear_leftovers(w, run, err) && script_for(w, run->id, "flow_stage_create", err) &&
	    write_down(w, run, l, err) && expect(w, run, l->expected, err) &&
	    flow_store_fence(w->conn, run, err)) {
		flow_crash_point("in_look");
		if (pg_commit(w->conn, err)) {
			flow_crash_point("after_look");
			return true;
		}
	}
	pg_rollback(w->conn);
	return false;
}

bool flow_look(struct flow_work *w, struct flow_run *run, struct err *err)
{
	struct looking l = {.expected = -1};
	struct fhir_param params[] = {{"address-postalcode", run->zip}};

	if (!flow_capability(w, run, &l.cap, err) ||
	    !flow_fhir_count(w, run, "Patient", params, 1, &l.expected, err))
		return false;
	/* the server's clock, for lastUpdated is its own; but not when it is ahead of ours, for a
	 * watermark from the future would hide changes. One that is behind costs a little reading.
	 */
	l.server_us = clock_now_us(w->settings->clock);
	if (l.cap.server_time_us != INT64_MIN && l.cap.server_time_us < l.server_us)
		l.server_us = l.cap.server_time_us;
	/* a transaction that began before now may still commit with an older lastUpdated */
	l.watermark_us = l.server_us - w->settings->overlap_ms * 1000;
	/* a watermark ahead of this one: a clock was put back since, and what was changed in
	 * between may bear any time. Everything is read, then. */
	l.since_us = run->since_us > l.watermark_us ? INT64_MIN : run->since_us;
	if (!flow_try_db(w, run, look_once, &l, err))
		return false;
	run->since_us = l.since_us;
	run->server_time_us = l.server_us;
	run->patient_history = l.cap.patient_history;
	run->observation_history = l.cap.observation_history;
	return true;
}
