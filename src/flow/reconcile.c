/* SPDX-License-Identifier: Apache-2.0
 *
 * RECONCILE: the last activity. Adds up what was expected, fetched, landed, staged, written and
 * rejected, says in words where a difference comes from, and ends the run: `completed` only when
 * nothing is open. Writes the manifest first, so that a run that is `completed` in the database is
 * always visible in the landing zone.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "fhir/map.h"
#include "flow/internal.h"
#include "flow/manifest.h"

enum { WORDS_MAX = 1000 };

struct sums {
	int64_t failed, expected_patients, expected_observations, open;
	char failure[200];
	char note[300];
};

struct reckoning {
	struct sums sums;
	struct flow_run_view view;
	struct buf words;
	bool complete;
	bool whole; /* nothing that the source has is missing here: the watermark may move on */
};

static bool load_sums(struct flow_work *w, const struct flow_run *run, struct sums *s,
                      struct err *err)
{
	const char *params[] = {run->id};
	PGresult *res = pg_query(w->conn, sql_get("flow_sums"), 1, params, err);

	if (!res)
		return false;
	s->failed = pg_int(res, 0, 0);
	snprintf(s->failure, sizeof s->failure, "%.*s", STR_FMT(pg_str(res, 0, 1)));
	s->expected_patients = PQgetisnull(res, 0, 2) ? -1 : pg_int(res, 0, 2);
	s->expected_observations = PQgetisnull(res, 0, 3) ? -1 : pg_int(res, 0, 3);
	snprintf(s->note, sizeof s->note, "%.*s", STR_FMT(pg_str(res, 0, 4)));
	s->open = pg_int(res, 0, 5);
	PQclear(res);
	return true;
}

static void say(struct reckoning *r, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void say(struct reckoning *r, const char *fmt, ...)
{
	char text[400];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	if (r->words.n + strlen(text) + 2 < WORDS_MAX)
		buf_printf(&r->words, "%s%s", r->words.n ? "; " : "", text);
}

/* Every resource that was fetched has one fate, and only one. */
static void check_type(struct reckoning *r, const char *what, const struct flow_count *c)
{
	int64_t fates = c->inserted + c->updated + c->unchanged + c->rejected + c->duplicates;

	if (c->rejected) {
		r->complete = false;
		say(r, "%" PRId64 " %s cannot be mapped: see the rejected resources", c->rejected,
		    what);
	}
	if (c->missing) {
		r->complete = r->whole = false;
		say(r, "the server counts %" PRId64 " %s more than it gave", c->missing, what);
	}
	if (c->elsewhere)
		say(r, "%" PRId64 " %s matched the search but %s", c->elsewhere, what,
		    strcmp(what, "patients") == 0
		        ? "live in another zip code"
		        : "belong to patients who are not loaded for it or were read whole");
	if (c->fetched != fates || c->landed != c->fetched ||
	    c->staged + c->rejected != c->landed) {
		r->complete = r->whole = false;
		say(r,
		    "the numbers of %s do not add up: fetched %" PRId64 ", landed %" PRId64
		    ", staged %" PRId64 ", accounted for %" PRId64,
		    what, c->fetched, c->landed, c->staged, fates);
	}
	if (c->expected >= 0 && c->expected < c->fetched + c->elsewhere - c->duplicates)
		say(r,
		    "%" PRId64
		    " %s more than the server counted: they came while the run was under way",
		    c->fetched + c->elsewhere - c->duplicates - c->expected, what);
}

static bool judge(struct flow_work *w, struct flow_run *run, struct reckoning *r, struct err *err)
{
	r->complete = r->whole = true;
	if (!load_sums(w, run, &r->sums, err) || !flow_run_view(w->conn, run->id, &r->view, err))
		return false;
	r->view.observation.expected = r->sums.expected_observations;
	r->view.patient.expected = r->sums.expected_patients;
	if (r->sums.open)
		return err_set(err, ERR_INTERNAL, "flow.reconcile",
		               "%" PRId64 " batches of run %s are open at its end", r->sums.open,
		               run->id);
	if (r->sums.failed) {
		r->complete = r->whole = false;
		say(r, "%" PRId64 " batches failed, the first with: %s", r->sums.failed,
		    r->sums.failure);
	}
	if (r->sums.note[0]) {
		r->complete = r->whole = false; /* what was not deleted must be heard of again */
		say(r, "%s", r->sums.note);
	}
	check_type(r, "patients", &r->view.patient);
	check_type(r, "observations", &r->view.observation);
	if (r->complete && r->words.n == 0)
		say(r, "everything that was expected is here");
	return buf_ok(&r->words, "the reconciliation", err);
}

static bool expect(struct flow_work *w, const struct flow_run *run, const char *type, int64_t n,
                   struct err *err)
{
	char text[24];
	const char *params[] = {run->id, type, n < 0 ? NULL : text};

	snprintf(text, sizeof text, "%" PRId64, n);
	return pg_exec(w->conn, sql_get("flow_expect"), 3, params, NULL, err);
}

static bool write_down(struct flow_work *w, struct flow_run *run, struct reckoning *r,
                       struct err *err)
{
	char mapping[16];
	const char *whole[] = {run->id, run->zip}, *done[] = {run->id, r->words.p};
	const char *loaded[] = {run->zip, run->source_url, mapping, run->id,
	                        r->whole ? "true" : "false"};

	snprintf(mapping, sizeof mapping, "%d", FHIR_MAPPING_VERSION);
	return expect(w, run, "Patient", r->view.patient.expected, err) &&
	       expect(w, run, "Observation", r->view.observation.expected, err) &&
	       pg_exec(w->conn, sql_get("flow_whole"), 2, whole, NULL, err) &&
	       pg_exec(w->conn, sql_get("flow_zipcode_loaded"), 5, loaded, NULL, err) &&
	       pg_exec(w->conn, sql_get("flow_reconciled"), 2, done, NULL, err);
}

/* A commit whose answer was lost may have happened. */
static bool ended_already(const struct reckoning *r)
{
	return strcmp(r->view.state, "completed") == 0 || strcmp(r->view.state, "incomplete") == 0;
}

static bool reconcile_once(struct flow_work *w, struct flow_run *run, void *arg, struct err *err)
{
	struct reckoning *r = arg;

	buf_clear(&r->words);
	if (!judge(w, run, r, err))
		return false;
	if (ended_already(r))
		return true;
	if (!flow_manifest_write(w, run, &r->view, r->words.p,
	                         r->complete ? "completed" : "incomplete", r->whole, err))
		return false;
	flow_crash_point("after_manifest");
	if (!pg_begin(w->conn, err))
		return false;
	if (write_down(w, run, r, err) &&
	    flow_store_end_open(w->conn, run, r->complete ? "completed" : "incomplete", err)) {
		flow_crash_point("before_end");
		if (pg_commit(w->conn, err)) {
			flow_crash_point("after_end");
			return true;
		}
	}
	pg_rollback(w->conn);
	return false;
}

bool flow_reconcile(struct flow_work *w, struct flow_run *run, struct err *err)
{
	struct reckoning r = {.words = BUF_INIT(WORDS_MAX * 4)};
	bool ok = flow_try_db(w, run, reconcile_once, &r, err);

	buf_free(&r.words);
	return ok;
}
