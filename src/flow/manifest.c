/* SPDX-License-Identifier: Apache-2.0 */
#include "flow/manifest.h"

#include <stdio.h>
#include <stdlib.h>

#include "fhir/map.h"
#include "flow/csv.h"
#include "land/fates.h"
#include "land/manifest.h"

enum { MANIFEST_MAX = 256 * 1024 * 1024 };

static struct land_manifest_count count_of(const struct flow_count *c)
{
	return (struct land_manifest_count){.expected = c->expected,
	                                    .fetched = c->fetched,
	                                    .landed = c->landed,
	                                    .staged = c->staged,
	                                    .inserted = c->inserted,
	                                    .updated = c->updated,
	                                    .unchanged = c->unchanged,
	                                    .deleted = c->deleted,
	                                    .rejected = c->rejected,
	                                    .duplicates = c->duplicates,
	                                    .moved = c->moved,
	                                    .elsewhere = c->elsewhere,
	                                    .missing = c->missing};
}

static struct land_manifest head_of(struct flow_work *w, const struct flow_run *run,
                                    const struct flow_run_view *view, const char *words,
                                    const char *state)
{
	struct land_manifest m = {.source_url = run->source_url,
	                          .fhirline_version = FHIRLINE_VERSION,
	                          .reconciliation = words,
	                          .mapping_version = FHIR_MAPPING_VERSION,
	                          .started_us = view->started_us,
	                          .ended_us = clock_now_us(w->settings->clock)};

	snprintf(m.run_id, sizeof m.run_id, "%s", run->id);
	snprintf(m.zip, sizeof m.zip, "%s", run->zip);
	snprintf(m.kind, sizeof m.kind, "%s", view->kind);
	snprintf(m.state, sizeof m.state, "%s", state);
	m.counts[LAND_PATIENT] = count_of(&view->patient);
	m.counts[LAND_OBSERVATION] = count_of(&view->observation);
	return m;
}

static void add_object(struct buf *b, const PGresult *res, int r)
{
	struct land_object o = {
	    .bytes = pg_int(res, r, 3), .raw_bytes = pg_int(res, r, 4), .lines = pg_int(res, r, 5)};

	snprintf(o.name, sizeof o.name, "%.*s", STR_FMT(pg_str(res, r, 1)));
	snprintf(o.sha256, sizeof o.sha256, "%.*s", STR_FMT(pg_str(res, r, 2)));
	land_manifest_object(b, pg_bool(res, r, 0) ? LAND_PATIENT : LAND_OBSERVATION, &o);
}

static void add_csv(struct buf *b, const PGresult *res, int r)
{
	struct land_object o = {.bytes = pg_int(res, r, 7), .lines = pg_int(res, r, 8)};
	char object[160];

	snprintf(object, sizeof object, "%.*s", STR_FMT(pg_str(res, r, 1)));
	snprintf(o.sha256, sizeof o.sha256, "%.*s", STR_FMT(pg_str(res, r, 6)));
	flow_csv_name(o.name, object);
	land_manifest_csv(b, pg_bool(res, r, 0) ? LAND_PATIENT : LAND_OBSERVATION, &o);
}

/* ---- fates ---- */

static PGresult *query(struct flow_work *w, const struct flow_run *run, const char *name, int n,
                       const char *const *params, struct err *err)
{
	char *sql = pg_sql_stage(sql_get(name), run->id, err);
	PGresult *res = sql ? pg_query(w->conn, sql, n, params, err) : NULL;

	free(sql);
	return res;
}

static void add_fates(struct buf *b, const PGresult *res)
{
	static const char *const types[LAND_FATES] = {[LAND_PATIENTS_DELETED] = "p",
	                                              [LAND_PATIENTS_LEFT] = "l",
	                                              [LAND_PATIENTS_OPEN] = "o",
	                                              [LAND_OBSERVATIONS_DELETED] = "d"};

	land_fates_begin(b);
	for (int f = 0; f < LAND_FATES; f++) {
		land_fates_list(b, (enum land_fate)f);
		for (int r = 0; r < PQntuples(res); r++)
			if (str_is(pg_str(res, r, 0), types[f]))
				land_fates_id(b, pg_str(res, r, 1));
	}
	land_fates_end(b);
}

static bool write_fates(struct flow_work *w, const struct flow_run *run, struct land_object *out,
                        struct err *err)
{
	const char *params[] = {run->id, run->zip};
	PGresult *res = query(w, run, "flow_fates", 2, params, err);
	struct buf b = BUF_INIT(MANIFEST_MAX);
	struct str bytes;
	bool ok;

	if (!res)
		return false;
	add_fates(&b, res);
	PQclear(res);
	bytes = (struct str){b.p, b.n};
	land_fates_name(out->name, run->zip, run->id);
	out->bytes = (int64_t)b.n;
	ok = buf_ok(&b, "the fates of a run", err) &&
	     (hash_sha256_of(bytes, out->sha256) ||
	      err_set(err, ERR_INTERNAL, "flow.manifest", "cannot hash the fates of a run")) &&
	     land_put_small(run->land, out->name, bytes, err);
	buf_free(&b);
	return ok;
}

static bool add_ties(struct flow_work *w, const struct flow_run *run, bool whole,
                     struct land_manifest *m, struct err *err)
{
	const char *params[] = {run->id};
	PGresult *res = query(w, run, "flow_ties", 1, params, err);

	if (!res)
		return false;
	m->watermark_us = whole ? pg_time_us(res, 0, 0) : INT64_MIN;
	m->swept_us = pg_time_us(res, 0, 1);
	snprintf(m->after, sizeof m->after, "%.*s", STR_FMT(pg_str(res, 0, 2)));
	PQclear(res);
	return true;
}

/* ---- the manifest ---- */

static bool put(struct land *land, const struct land_manifest *head, const PGresult *objects,
                struct err *err)
{
	struct buf b = BUF_INIT(MANIFEST_MAX);
	char name[160];
	bool ok;

	land_manifest_begin(&b, head);
	for (int r = 0; r < PQntuples(objects); r++)
		add_object(&b, objects, r);
	land_manifest_begin_csv(&b);
	for (int r = 0; r < PQntuples(objects); r++)
		if (!PQgetisnull(objects, r, 6))
			add_csv(&b, objects, r);
	land_manifest_name(name, head->zip, head->run_id);
	ok = land_manifest_end(&b, err) && land_put_small(land, name, (struct str){b.p, b.n}, err);
	buf_free(&b);
	return ok;
}

bool flow_manifest_write(struct flow_work *w, const struct flow_run *run,
                         const struct flow_run_view *view, const char *words, const char *state,
                         bool whole, struct err *err)
{
	const char *params[] = {run->id};
	struct land_manifest head = head_of(w, run, view, words, state);
	PGresult *res;
	bool ok;

	if (!write_fates(w, run, &head.fates, err) || !add_ties(w, run, whole, &head, err))
		return false;
	res = pg_query(w->conn, sql_get("flow_manifest"), 1, params, err);
	ok = res && put(run->land, &head, res, err);
	PQclear(res);
	return ok;
}
