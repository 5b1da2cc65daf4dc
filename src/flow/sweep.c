/* SPDX-License-Identifier: Apache-2.0
 *
 * SWEEP: what is gone from the source gets a tombstone, who has left the zip code is marked as
 * moved.
 *
 * Search does not show deletes. Who is no longer listed is asked for one by one: 404 and 410 are
 * deletes, an answer is a move. Deleted observations come from the type's history where the source
 * has it (an incremental run reads it from its watermark), else from a list of all ids; a full run
 * has just read them all. When more than a set share would vanish, nothing is touched and the run
 * ends incomplete: such a list is more often a fault than the truth.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fhir/map.h"
#include "flow/internal.h"

enum { IDS_MAX = 256 * 1024 * 1024, FEW = 10, LIST_TRIES = 3, STALE_PAGES = 10000 };

struct ids {
	struct buf json;
	int64_t n;
};

struct sweeping {
	struct ids gone;    /* patients: no longer listed */
	struct ids deleted; /* of these: deleted */
	struct ids listed;  /* observations that the history calls deleted */
	bool by_seen;       /* observations: compare with the list of ids that were seen */
	bool refused;
	char note[300];
	int64_t deleted_patients, deleted_observations, moved;
};

static void ids_add(struct ids *ids, struct str id)
{
	buf_add_cstr(&ids->json, ids->n++ ? "," : "[");
	buf_add_json(&ids->json, id);
}

static bool ids_end(struct ids *ids, struct err *err)
{
	buf_add_cstr(&ids->json, ids->n ? "]" : "[]");
	return buf_ok(&ids->json, "a list of ids that are gone", err);
}

static PGresult *query(struct flow_work *w, const struct flow_run *run, const char *name, int n,
                       const char *const *params, struct err *err)
{
	char *sql = pg_sql_stage(sql_get(name), run->id, err);
	PGresult *res = sql ? pg_query(w->conn, sql, n, params, err) : NULL;

	free(sql);
	return res;
}

static bool exec(struct flow_work *w, const struct flow_run *run, const char *name, int n,
                 const char *const *params, int64_t *affected, struct err *err)
{
	char *sql = pg_sql_stage(sql_get(name), run->id, err);
	bool ok = sql && pg_exec(w->conn, sql, n, params, affected, err);

	free(sql);
	return ok;
}

static bool one_int(struct flow_work *w, const struct flow_run *run, const char *name,
                    const char *param, int64_t *out, struct err *err)
{
	const char *params[] = {param};
	PGresult *res = query(w, run, name, 1, params, err);

	if (!res)
		return false;
	*out = pg_int(res, 0, 0);
	PQclear(res);
	return true;
}

/* ---- patients ---- */

static bool ask_for(struct flow_work *w, struct flow_run *run, struct sweeping *s, struct str id,
                    struct err *err)
{
	struct fhir_page page = {0};
	struct err e = {0};

	if (flow_fhir_read(w, run, "Patient", id, &page, &e)) {
		if (!page.count || !fhir_patient_lives_in(page.entries[0].json, run->zip))
			ids_add(&s->gone, id); /* moved away; still listed under way: left alone */
		fhir_page_free(&page);
		return true;
	}
	if (e.code != ERR_NOT_FOUND && e.code != ERR_GONE) {
		*err = e;
		return false;
	}
	ids_add(&s->gone, id);
	ids_add(&s->deleted, id);
	return true;
}

static bool too_many(const struct flow_work *w, const struct flow_run *run, int64_t gone,
                     int64_t all)
{
	return !run->allow_mass_delete && gone > FEW &&
	       gone * 100 > all * w->settings->mass_delete_percent;
}

static void refuse(struct sweeping *s, const char *what, int64_t gone, int64_t all)
{
	s->refused = true;
	snprintf(s->note, sizeof s->note,
	         "%" PRId64 " of %" PRId64
	         " %s are no longer on the server: nothing was deleted; ask again with "
	         "--allow-mass-delete if that is right",
	         gone, all, what);
}

/* What is not known to be gone is not deleted; the watermark stays, so that the next run hears of
 * it. */
static void not_whole(struct sweeping *s, const char *what)
{
	s->refused = true;
	snprintf(s->note, sizeof s->note,
	         "the server's %s ended before the number that it counts, %d times: deletions may "
	         "have been missed, so nothing was deleted; the next run asks again",
	         what, LIST_TRIES);
}

static bool look_for_patients(struct flow_work *w, struct flow_run *run, struct sweeping *s,
                              int64_t all, struct err *err)
{
	const char *params[] = {run->zip};
	PGresult *res = query(w, run, "flow_gone_patients", 1, params, err);
	bool ok = res != NULL;

	if (ok && too_many(w, run, PQntuples(res), all))
		refuse(s, "patients", PQntuples(res), all);
	for (int r = 0; ok && !s->refused && r < PQntuples(res); r++)
		ok = ask_for(w, run, s, pg_str(res, r, 0), err);
	PQclear(res);
	return ok && ids_end(&s->gone, err) && ids_end(&s->deleted, err);
}

/* ---- observations ---- */

/* What the type's history says of one id: the first that is heard of it is what it is now, for the
 * newest come first. */
struct hearing {
	struct flow_work *w;
	struct flow_run *run;
	struct sweeping *s;
	struct idset heard;
	struct buf changed; /* of this page: JSON array of {id, patient}: what stands, and whose it
	                       is */
	struct buf deleted; /* of this page: JSON array of ids */
	int64_t entries;
};

static bool hear(struct hearing *h, struct str id, bool *news, struct err *err)
{
	*news = false;
	return !id.p || idset_add(&h->heard, id, news) ||
	       err_set(err, ERR_NOMEM, "flow.sweep", "out of memory for a history's ids");
}

static bool hear_changed(struct hearing *h, const struct fhir_entry *e, struct err *err)
{
	bool news;

	if (!hear(h, e->id, &news, err))
		return false;
	if (!news || !fhir_id_valid(e->id))
		return true;
	buf_add_cstr(&h->changed, h->changed.n ? ",{\"id\":" : "[{\"id\":");
	buf_add_json(&h->changed, e->id);
	buf_lit(&h->changed, ",\"patient\":");
	buf_add_json(&h->changed, flow_subject(e->json));
	return buf_lit(&h->changed, "}") || buf_ok(&h->changed, "a page of a history", err);
}

static bool hear_deleted(struct hearing *h, struct str id, struct err *err)
{
	bool news;

	if (!hear(h, id, &news, err))
		return false;
	if (!news)
		return true;
	buf_add_cstr(&h->deleted, h->deleted.n ? "," : "[");
	return buf_add_json(&h->deleted, id) || buf_ok(&h->deleted, "a page of a history", err);
}

/* Lists which of the page's resources, an unfinished JSON array, are gone from the zip code. */
static bool list_gone(struct hearing *h, const char *statement, struct buf *page, struct err *err)
{
	const char *params[] = {h->run->zip, NULL};
	PGresult *res;

	if (!page->n)
		return true;
	buf_lit(page, "]");
	if (!buf_ok(page, "a page of a history", err))
		return false;
	params[1] = page->p;
	res = pg_query(h->w->conn, sql_get(statement), 2, params, err);
	for (int i = 0; res && i < PQntuples(res); i++)
		ids_add(&h->s->listed, pg_str(res, i, 0));
	PQclear(res);
	buf_clear(page);
	return res != NULL;
}

static bool hear_page(struct hearing *h, const struct fhir_history_page *page, struct err *err)
{
	size_t d = 0;

	for (size_t i = 0; i <= page->page.count; i++) {
		for (; d < page->deleted_count && page->deleted_after[d] <= i; d++)
			if (!hear_deleted(h, page->deleted[d], err))
				return false;
		if (i < page->page.count && !hear_changed(h, &page->page.entries[i], err))
			return false;
	}
	h->entries += (int64_t)(page->page.count + page->deleted_count + page->page.others);
	/* what now belongs to a patient who is not of this zip code is gone from it, too: no search
	 * for the zip code shows it */
	return list_gone(h, "flow_gone_listed", &h->deleted, err) &&
	       list_gone(h, "flow_left", &h->changed, err);
}

/* A list of pages must end: next links that lead in a circle bring nothing new. `known`: ids heard
 * of before the page; `stale` counts pages in a row. */
static bool goes_on(const struct idset *heard, size_t known, int *stale, struct err *err)
{
	*stale = heard->n > known ? 0 : *stale + 1;
	return *stale < STALE_PAGES ||
	       err_set(err, ERR_PROTOCOL, "flow.sweep",
	               "%d pages in a row brought nothing new: the server's next links go in a "
	               "circle",
	               *stale);
}

/* *whole: the history gave as much as it said it has. */
static bool hear_all(struct hearing *h, bool *whole, struct err *err)
{
	struct fhir_history_page page = {{{0}}, 0, 0};
	char *next = NULL;
	int64_t total = -1;
	int stale = 0;
	bool ok;

	do {
		size_t known = h->heard.n;

		ok = flow_fhir_history(h->w, h->run, "Observation", h->run->since_us, next, &page,
		                       err) &&
		     hear_page(h, &page, err) && goes_on(&h->heard, known, &stale, err);
		free(next);
		next = NULL;
		if (ok && page.page.total > total)
			total = page.page.total;
		if (ok && page.page.next) {
			next = str_dup(str_of(page.page.next));
			ok = next || err_set(err, ERR_NOMEM, "flow.sweep", "out of memory");
		}
		fhir_history_page_free(&page);
		page = (struct fhir_history_page){{{0}}, 0, 0};
	} while (ok && next);
	free(next);
	*whole = h->entries >= total;
	return ok;
}

/* A history that expired or ended early is read again from its beginning. */
static bool read_history(struct flow_work *w, struct flow_run *run, struct sweeping *s, bool *whole,
                         struct err *err)
{
	bool ok = false;

	*whole = false;
	for (int i = 0; i < LIST_TRIES && !*whole; i++) {
		struct hearing h = {.w = w,
		                    .run = run,
		                    .s = s,
		                    .changed = BUF_INIT(IDS_MAX),
		                    .deleted = BUF_INIT(IDS_MAX)};
		struct err e = {0};

		buf_clear(&s->listed.json);
		s->listed.n = 0;
		ok = hear_all(&h, whole, &e);
		idset_free(&h.heard);
		buf_free(&h.changed);
		buf_free(&h.deleted);
		if (!ok)
			*whole = false;
		if (!ok && (e.code != ERR_GONE || i == LIST_TRIES - 1)) {
			*err = e;
			return false;
		}
	}
	return true;
}

static bool keep_ids(struct flow_work *w, struct flow_run *run, const struct fhir_page *page,
                     struct err *err)
{
	struct ids ids = {BUF_INIT(IDS_MAX), 0};
	const char *params[1];
	bool ok;

	for (size_t i = 0; i < page->count; i++)
		if (page->entries[i].id.p)
			ids_add(&ids, page->entries[i].id);
	ok = ids_end(&ids, err);
	params[0] = ids.json.p;
	ok = ok && exec(w, run, "flow_seen_observation", 1, params, NULL, err);
	buf_free(&ids.json);
	return ok;
}

/* Under the fence: a late owner must not take away what the new one has listed, for what is not
 * listed is deleted. */
static bool forget_listed(struct flow_work *w, struct flow_run *run, struct err *err)
{
	if (!pg_begin(w->conn, err))
		return false;
	if (exec(w, run, "flow_seen_reset", 0, NULL, NULL, err) &&
	    flow_store_fence(w->conn, run, err) && pg_commit(w->conn, err))
		return true;
	pg_rollback(w->conn);
	return false;
}

static bool list_once(struct flow_work *w, struct flow_run *run, int64_t *n, struct err *err)
{
	struct fhir_param params[] = {{"patient.address-postalcode", run->zip},
	                              {"_elements", "id"}};
	struct fhir_page page = {0}, next = {0};
	struct idset heard = {0};
	bool ok, added = true;
	int stale = 0;

	if (!forget_listed(w, run, err) ||
	    !flow_search(w, run, "Observation", params, 2, &page, err))
		return false;
	for (;;) {
		size_t known = heard.n;

		for (size_t i = 0; i < page.count; i++)
			if (page.entries[i].id.p)
				idset_add(&heard, page.entries[i].id, &added);
		ok = keep_ids(w, run, &page, err) && goes_on(&heard, known, &stale, err);
		if (!ok || !page.next)
			break;
		ok = flow_search_next(w, run, "Observation", page.next, &next, err);
		if (!ok)
			break;
		fhir_page_free(&page);
		page = next;
		next = (struct fhir_page){0};
	}
	*n = (int64_t)heard.n;
	idset_free(&heard);
	fhir_page_free(&page);
	return ok;
}

/* A source without history: all ids of the zip code's observations. *whole tells whether the
 * server's count was reached, before and after: a list that expired or ended early is read again.
 */
static bool list_ids(struct flow_work *w, struct flow_run *run, bool *whole, struct err *err)
{
	struct fhir_param params[] = {{"patient.address-postalcode", run->zip}};

	*whole = false;
	for (int i = 0; i < LIST_TRIES && !*whole; i++) {
		int64_t n = 0, before = -1, after = -1;
		struct err e = {0};

		if (!flow_fhir_count(w, run, "Observation", params, 1, &before, err))
			return false;
		if (!list_once(w, run, &n, &e)) {
			if (e.code == ERR_GONE && i < LIST_TRIES - 1)
				continue;
			*err = e;
			return false;
		}
		if (!flow_fhir_count(w, run, "Observation", params, 1, &after, err))
			return false;
		*whole = after >= 0 && n >= after && n >= before;
	}
	return true;
}

/* Were all observations of this run's patients read? If not, the unseen ones say nothing. */
static bool all_read(const struct flow_run *run)
{
	return run->failed_batches == 0;
}

static bool nothing_missing(struct flow_work *w, const struct flow_run *run, bool *none,
                            struct err *err)
{
	const char *params[] = {run->id};
	PGresult *res = pg_query(w->conn, sql_get("flow_missing"), 1, params, err);

	if (!res)
		return false;
	*none = pg_int(res, 0, 0) == 0;
	PQclear(res);
	return true;
}

static bool look_for_observations(struct flow_work *w, struct flow_run *run, struct sweeping *s,
                                  int64_t all, struct err *err)
{
	int64_t gone = 0;
	bool whole = true;

	if (run->incremental && run->observation_history) {
		if (!read_history(w, run, s, &whole, err))
			return false;
		if (!whole) {
			not_whole(s, "history of observations");
			return true;
		}
		if (!ids_end(&s->listed, err))
			return false;
		gone = s->listed.n;
	} else {
		if (run->incremental && !list_ids(w, run, &whole, err))
			return false;
		if (!whole) {
			not_whole(s, "list of observations");
			return true;
		}
		s->by_seen = true;
		if (!exec(w, run, "flow_seen_index_observation", 0, NULL, NULL, err) ||
		    !one_int(w, run, "flow_gone_observations", run->zip, &gone, err))
			return false;
	}
	if (too_many(w, run, gone, all))
		refuse(s, "observations", gone, all);
	return true;
}

/* ---- writing it down ---- */

static bool apply_patients(struct flow_work *w, struct flow_run *run, struct sweeping *s,
                           struct err *err)
{
	const char *deleted[] = {s->deleted.json.p}, *gone[] = {s->gone.json.p},
	           *zip_gone[] = {run->zip, s->gone.json.p};
	int64_t theirs = 0;

	if (s->deleted.n &&
	    (!exec(w, run, "flow_delete_patients", 1, deleted, &s->deleted_patients, err) ||
	     !exec(w, run, "flow_delete_theirs", 1, deleted, &theirs, err)))
		return false;
	s->deleted_observations += theirs;
	return !s->gone.n || (exec(w, run, "flow_move", 2, zip_gone, NULL, err) &&
	                      exec(w, run, "flow_moved", 1, gone, &s->moved, err));
}

static bool apply_observations(struct flow_work *w, struct flow_run *run, struct sweeping *s,
                               struct err *err)
{
	const char *listed[] = {s->listed.json.p}, *zip[] = {run->zip};
	int64_t n = 0;

	if (s->by_seen && !exec(w, run, "flow_delete_unseen", 1, zip, &n, err))
		return false;
	s->deleted_observations += n;
	n = 0;
	if (s->listed.n && !exec(w, run, "flow_delete_listed", 1, listed, &n, err))
		return false;
	s->deleted_observations += n;
	return true;
}

static bool write_counts(struct flow_work *w, struct flow_run *run, const struct sweeping *s,
                         struct err *err)
{
	char patients[24], observations[24], moved[24];
	const char *p[] = {run->id, "Patient", patients, moved},
	           *o[] = {run->id, "Observation", observations, "0"};
	const char *note[] = {run->id, s->refused ? s->note : NULL},
	           *phase[] = {run->id, "reconcile"};

	snprintf(patients, sizeof patients, "%" PRId64, s->deleted_patients);
	snprintf(observations, sizeof observations, "%" PRId64, s->deleted_observations);
	snprintf(moved, sizeof moved, "%" PRId64, s->moved);
	return pg_exec(w->conn, sql_get("flow_swept"), 4, p, NULL, err) &&
	       pg_exec(w->conn, sql_get("flow_swept"), 4, o, NULL, err) &&
	       pg_exec(w->conn, sql_get("flow_note"), 2, note, NULL, err) &&
	       pg_exec(w->conn, sql_get("flow_phase"), 2, phase, NULL, err);
}

static bool apply(struct flow_work *w, struct flow_run *run, void *arg, struct err *err)
{
	struct sweeping *s = arg;

	s->deleted_patients = s->deleted_observations = s->moved = 0;
	if (!pg_begin(w->conn, err))
		return false;
	if (!exec(w, run, "flow_swept_at", 0, NULL, NULL, err)) {
		pg_rollback(w->conn);
		return false;
	}
	/* observations first: the unseen ones of patients who are gone are theirs, not strays */
	if ((s->refused ||
	     (apply_observations(w, run, s, err) && apply_patients(w, run, s, err))) &&
	    write_counts(w, run, s, err) && flow_store_fence(w->conn, run, err)) {
		flow_crash_point("in_sweep");
		if (pg_commit(w->conn, err)) {
			flow_crash_point("after_sweep");
			return true;
		}
	}
	pg_rollback(w->conn);
	return false;
}

static bool look_for_gone(struct flow_work *w, struct flow_run *run, struct sweeping *s,
                          struct err *err)
{
	const char *params[] = {run->zip};
	int64_t patients, observations;
	bool none = false;
	PGresult *res;

	if (!run->track_seen || !all_read(run))
		return true; /* a first load: nothing can be gone; a broken one: nothing is known to
		                be gone */
	if (!nothing_missing(w, run, &none, err))
		return false;
	if (!none)
		return true;
	res = pg_query(w->conn, sql_get("flow_gone_sizes"), 1, params, err);
	if (!res)
		return false;
	patients = pg_int(res, 0, 0);
	observations = pg_int(res, 0, 1);
	PQclear(res);
	if (!exec(w, run, "flow_seen_index", 0, NULL, NULL, err) ||
	    !look_for_patients(w, run, s, patients, err))
		return false;
	return s->refused || look_for_observations(w, run, s, observations, err);
}

static void forget(struct sweeping *s)
{
	buf_free(&s->gone.json);
	buf_free(&s->deleted.json);
	buf_free(&s->listed.json);
	*s = (struct sweeping){.gone = {BUF_INIT(IDS_MAX), 0},
	                       .deleted = {BUF_INIT(IDS_MAX), 0},
	                       .listed = {BUF_INIT(IDS_MAX), 0}};
}

/* A lost connection to the database: all is looked for anew. The source has had its retries. */
static bool find_out(struct flow_work *w, struct flow_run *run, void *arg, struct err *err)
{
	forget(arg);
	if (look_for_gone(w, run, arg, err))
		return true;
	err->retryable = err->retryable && strncmp(err->where, "pg", 2) == 0;
	return false;
}

bool flow_sweep(struct flow_work *w, struct flow_run *run, struct err *err)
{
	struct sweeping s = {.refused = false};
	bool ok = flow_try_db(w, run, find_out, &s, err) && flow_try_db(w, run, apply, &s, err);

	forget(&s);
	return ok;
}
