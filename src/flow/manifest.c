/* SPDX-License-Identifier: Apache-2.0 */
#include "flow/manifest.h"

#include <stdio.h>

#include "fhir/map.h"
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

bool flow_manifest_write(struct flow_work *w, const struct flow_run *run,
                         const struct flow_run_view *view, const char *words, const char *state,
                         struct err *err)
{
	const char *params[] = {run->id};
	PGresult *res = pg_query(w->conn, sql_get("flow_manifest"), 1, params, err);
	struct land_manifest head = head_of(w, run, view, words, state);
	struct buf b = BUF_INIT(MANIFEST_MAX);
	char name[160];
	bool ok;

	if (!res)
		return false;
	land_manifest_begin(&b, &head);
	for (int r = 0; r < PQntuples(res); r++)
		add_object(&b, res, r);
	land_manifest_name(name, run->zip, run->id);
	ok = land_manifest_end(&b, err) &&
	     land_put_small(w->settings->land, name, (struct str){b.p, b.n}, err);
	PQclear(res);
	buf_free(&b);
	return ok;
}
