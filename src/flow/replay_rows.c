/* SPDX-License-Identifier: Apache-2.0
 *
 * The rows that a replay has in the database: its run, the runs of the lineage, and what is known
 * of the zip code at its end.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fhir/map.h"
#include "flow/owner.h"
#include "flow/replay_impl.h"

enum { COUNTS_MAX = 64 * 1024 };

static void put_int(char out[24], int64_t v)
{
	snprintf(out, 24, "%" PRId64, v);
}

/* NULL for "unknown". */
static const char *put_time(char out[24], int64_t us)
{
	put_int(out, us);
	return us == INT64_MIN ? NULL : out;
}

static bool script(struct pg_conn *c, const char *run_id, const char *name, struct err *err)
{
	char *sql = pg_sql_stage(sql_get(name), run_id, err);
	bool ok = sql && pg_exec_script(c, sql, err);

	free(sql);
	return ok;
}

static bool statement(struct replay *r, const char *name, int n, const char *const *params,
                      int64_t *affected, struct err *err)
{
	char *sql = pg_sql_stage(sql_get(name), r->run->id, err);
	bool ok = sql && pg_exec(r->control.conn, sql, n, params, affected, err);

	free(sql);
	return ok;
}

static const struct land_manifest *last_of(const struct replay *r)
{
	return r->steps[r->step_count - 1].manifest;
}

/* ---- numbers ---- */

/* Lines that the manifests name. */
static void expect(const struct replay *r, int64_t expected[LAND_TYPES])
{
	expected[LAND_PATIENT] = expected[LAND_OBSERVATION] = 0;
	for (size_t i = 0; i < r->step_count; i++)
		for (size_t o = 0; o < r->steps[i].manifest->object_count; o++) {
			const struct land_manifest_object *one = &r->steps[i].manifest->objects[o];

			expected[one->type] += one->object.lines;
		}
}

/* `landed`: how many of them were read; NULL: that is not known before the end. */
static bool write_counts(struct replay *r, const int64_t *landed, struct err *err)
{
	int64_t lines[LAND_TYPES];

	expect(r, lines);
	for (int t = 0; t < LAND_TYPES; t++) {
		char expected[24], missing[24];
		const char *params[] = {r->run->id,
		                        land_manifest_type_name((enum land_manifest_type)t),
		                        expected, missing};

		put_int(expected, lines[t]);
		put_int(missing, landed ? lines[t] - landed[t] : 0);
		if (!pg_exec(r->control.conn, sql_get("replay_counted"), 4, params, NULL, err))
			return false;
	}
	return true;
}

/* ---- finding and making the run ---- */

static bool lock(struct replay *r, struct err *err)
{
	const char *params[] = {r->lineage->zip};
	PGresult *res = pg_query(r->control.conn, sql_get("replay_lock"), 1, params, err);
	bool ok;

	if (!res)
		return false;
	ok = pg_bool(res, 0, 0);
	PQclear(res);
	return ok || err_set(err, ERR_CONFLICT, "flow.replay",
	                     "another replay of zip code %s is under way", r->lineage->zip);
}

static bool state_of(struct str name, enum flow_batch_state *out)
{
	static const struct {
		const char *name;
		enum flow_batch_state state;
	} states[] = {{"pending", FLOW_PENDING},
	              {"staged", FLOW_STAGED},
	              {"merging", FLOW_MERGING},
	              {"merged", FLOW_MERGED},
	              {"failed", FLOW_FAILED}};

	for (size_t i = 0; i < sizeof states / sizeof *states; i++)
		if (str_is(name, states[i].name)) {
			*out = states[i].state;
			return true;
		}
	return false;
}

static const struct land_object *object_of(const struct replay *r, int64_t seq)
{
	for (size_t i = r->step_count; i > 0; i--)
		if (r->steps[i - 1].first <= seq)
			return &r->steps[i - 1]
			            .manifest->objects[seq - r->steps[i - 1].first]
			            .object;
	return NULL;
}

/* One batch that was noted. False: it is not the object that the lineage has there now. */
static bool take_row(struct replay *r, const PGresult *res, int row)
{
	int64_t seq = pg_int(res, row, 0);
	struct str object = pg_str(res, row, 3);
	enum flow_batch_state state;

	if (seq < 1 || seq > r->batch_count || !state_of(pg_str(res, row, 1), &state) ||
	    (object.p && !str_is(object, object_of(r, seq)->name)))
		return false;
	r->batches[seq - 1] = state;
	if (state == FLOW_STAGED || state == FLOW_MERGING)
		r->state.staged += pg_int(res, row, 2);
	if (state == FLOW_MERGED)
		r->state.merged += pg_int(res, row, 2);
	return true;
}

/* Where to go on: in the last step of which anything has begun. An object that could not be read
 * there is tried again. */
static void go_on(struct replay *r)
{
	for (size_t i = 0; i < r->step_count; i++) {
		const struct replay_step *s = &r->steps[i];

		for (size_t o = 0; o < s->manifest->object_count; o++)
			if (r->batches[s->first - 1 + o] != FLOW_PENDING)
				r->state.step = i;
	}
	for (size_t o = 0; r->step_count && o < r->steps[r->state.step].manifest->object_count;
	     o++) {
		enum flow_batch_state *b = &r->batches[r->steps[r->state.step].first - 1 + o];

		if (*b == FLOW_FAILED)
			*b = FLOW_PENDING;
	}
}

static bool load(struct replay *r, const char *id, bool *same, struct err *err)
{
	const char *params[] = {id};
	PGresult *res = pg_query(r->control.conn, sql_get("replay_batches"), 1, params, err);

	*same = res != NULL;
	for (int i = 0; res && i < PQntuples(res); i++)
		*same = *same && take_row(r, res, i);
	if (res && !*same) {
		memset(r->batches, 0, r->batch_count * sizeof *r->batches);
		r->state.staged = r->state.merged = 0;
	}
	PQclear(res);
	return res != NULL;
}

/* *found: r->run->id is one that can be gone on with. */
static bool find(struct replay *r, bool *found, struct err *err)
{
	char mapping[24];
	const char *params[] = {r->lineage->zip, mapping, r->key};
	PGresult *res;
	bool ok = true;

	put_int(mapping, FHIR_MAPPING_VERSION);
	*found = false;
	res = pg_query(r->control.conn, sql_get("replay_find"), 3, params, err);
	if (!res)
		return false;
	if (PQntuples(res) == 1 && pg_bool(res, 0, 1)) {
		snprintf(r->run->id, sizeof r->run->id, "%.*s", STR_FMT(pg_str(res, 0, 0)));
		ok = load(r, r->run->id, found, err);
	}
	PQclear(res);
	if (*found)
		go_on(r);
	return ok;
}

static bool create(struct replay *r, struct err *err)
{
	char mapping[24];
	const char *params[] = {r->run->id, r->lineage->zip, last_of(r)->source_url, mapping,
	                        r->key};

	put_int(mapping, FHIR_MAPPING_VERSION);
	return uuid_v7(clock_now_us(r->flow.clock), r->run->id, err) &&
	       pg_exec(r->control.conn, sql_get("replay_create"), 5, params, NULL, err) &&
	       script(r->control.conn, r->run->id, "flow_stage_create", err) &&
	       script(r->control.conn, r->run->id, "replay_stage_create", err);
}

static bool bury(struct replay *r, struct err *err)
{
	const char *params[] = {r->lineage->zip, r->run->id};
	PGresult *res = pg_query(r->control.conn, sql_get("replay_bury"), 2, params, err);
	bool ok = res != NULL;

	for (int i = 0; ok && i < PQntuples(res); i++) {
		char id[UUID_TEXT];

		snprintf(id, sizeof id, "%.*s", STR_FMT(pg_str(res, i, 0)));
		ok = script(r->control.conn, id, "flow_stage_drop", err);
	}
	PQclear(res);
	return ok;
}

static bool claim(struct replay *r, struct err *err)
{
	char owner[OWNER_TEXT], lease[24];
	const char *params[] = {r->run->id, owner, lease};
	PGresult *res;

	flow_owner_name(owner);
	put_int(lease, r->flow.lease_ms);
	res = pg_query(r->control.conn, sql_get("replay_claim"), 3, params, err);
	if (!res)
		return false;
	r->run->epoch = pg_int(res, 0, 0);
	r->run->remap = pg_bool(res, 0, 1);
	r->run->phase = FLOW_PHASE_READ;
	PQclear(res);
	return true;
}

/* ---- the runs of the lineage ---- */

static void add_count(struct buf *b, enum land_manifest_type t, const struct land_manifest_count *c)
{
	buf_printf(b, "%s{\"type\":\"%s\",\"expected\":", t ? "," : "[",
	           land_manifest_type_name(t));
	if (c->expected < 0)
		buf_lit(b, "null");
	else
		buf_printf(b, "%" PRId64, c->expected);
	buf_printf(b,
	           ",\"fetched\":%" PRId64 ",\"landed\":%" PRId64 ",\"staged\":%" PRId64
	           ",\"inserted\":%" PRId64 ",\"updated\":%" PRId64 ",\"unchanged\":%" PRId64
	           ",\"deleted\":%" PRId64 ",\"rejected\":%" PRId64 ",\"duplicates\":%" PRId64
	           ",\"moved\":%" PRId64 ",\"elsewhere\":%" PRId64 ",\"missing\":%" PRId64 "}",
	           c->fetched, c->landed, c->staged, c->inserted, c->updated, c->unchanged,
	           c->deleted, c->rejected, c->duplicates, c->moved, c->elsewhere, c->missing);
}

static bool tell_run(struct replay *r, const struct land_manifest *m, struct err *err)
{
	struct buf counts = BUF_INIT(COUNTS_MAX);
	char mapping[24], started[24], ended[24], watermark[24];
	const char *params[] = {m->run_id,
	                        m->zip,
	                        m->source_url,
	                        mapping,
	                        m->kind,
	                        m->state,
	                        put_time(started, m->started_us),
	                        put_time(ended, m->ended_us),
	                        put_time(watermark, m->watermark_us),
	                        m->reconciliation,
	                        NULL};
	bool ok;

	put_int(mapping, m->mapping_version);
	for (int t = 0; t < LAND_TYPES; t++)
		add_count(&counts, (enum land_manifest_type)t, &m->counts[t]);
	buf_lit(&counts, "]");
	params[10] = counts.p;
	ok = buf_ok(&counts, "the numbers of a run", err) &&
	     pg_exec(r->control.conn, sql_get("replay_run"), 11, params, NULL, err);
	buf_free(&counts);
	return ok;
}

/* The runs stand before the replay in the list of runs, so they come first. */
static bool tell_runs(struct replay *r, struct err *err)
{
	for (size_t i = 0; i < r->step_count; i++)
		if (!tell_run(r, r->steps[i].manifest, err))
			return false;
	return true;
}

static bool open_run(struct replay *r, struct err *err)
{
	bool found;

	snprintf(r->run->zip, sizeof r->run->zip, "%s", r->lineage->zip);
	snprintf(r->run->source_url, sizeof r->run->source_url, "%s", last_of(r)->source_url);
	return tell_runs(r, err) && find(r, &found, err) && (found || create(r, err)) &&
	       bury(r, err) && claim(r, err) && write_counts(r, NULL, err);
}

/* A merge that was cut off is finished before anything else is staged. */
static bool finish_merge(struct replay *r, struct err *err)
{
	bool merging = false;

	for (uint32_t i = 0; i < r->batch_count; i++)
		merging = merging || r->batches[i] == FLOW_MERGING;
	if (!merging)
		return true;
	r->run->step = &r->steps[r->state.step].step;
	return flow_merge(&r->control, r->run, err);
}

static bool load_key(struct replay *r, struct err *err)
{
	const char *params[] = {r->into};
	PGresult *res = pg_query(r->control.conn, sql_get("replay_key"), 1, params, err);

	if (!res)
		return false;
	snprintf(r->key, sizeof r->key, "%.*s", STR_FMT(pg_str(res, 0, 0)));
	PQclear(res);
	return r->key[0] || err_set(err, ERR_CONFLICT, "flow.replay",
	                            "the schema %s is no longer there: the tables have been "
	                            "exchanged, or it was dropped",
	                            r->into);
}

/* A zip code that is in the schema already, for the others were cut off. */
static bool look_for_ended(struct replay *r, struct err *err)
{
	const char *params[] = {r->lineage->zip, r->key, last_of(r)->run_id};
	PGresult *res;

	if (!r->into[0])
		return true;
	if (!load_key(r, err))
		return false;
	res = pg_query(r->control.conn, sql_get("replay_ended"), 3, params, err);
	if (!res)
		return false;
	r->ended = PQntuples(res) == 1;
	if (r->ended)
		snprintf(r->run->id, sizeof r->run->id, "%.*s", STR_FMT(pg_str(res, 0, 0)));
	PQclear(res);
	return true;
}

/* Tables of its own may have no key yet. */
static bool look_at_target(struct replay *r, struct err *err)
{
	PGresult *res;

	r->run->beside = r->into[0] != '\0';
	if (!r->run->beside)
		return true;
	res = pg_query(r->control.conn, sql_get("swap_fresh"), 0, NULL, err);
	if (!res)
		return false;
	r->state.fresh = pg_bool(res, 0, 0);
	PQclear(res);
	return true;
}

bool replay_rows_open(struct replay *r, struct err *err)
{
	struct pg_conn *c = r->control.conn;

	if (!lock(r, err) || !look_for_ended(r, err))
		return false;
	if (r->ended)
		return true;
	if (!pg_begin(c, err))
		return false;
	if (!open_run(r, err) || !pg_commit(c, err)) {
		pg_rollback(c);
		return false;
	}
	flow_crash_point("after_replay_open");
	return flow_store_evict(c, r->run, err) && look_at_target(r, err) && finish_merge(r, err);
}

bool replay_rows_renew(struct replay *r, bool *cancelled, struct err *err)
{
	char ids[64], epochs[40], lease[24];
	const char *params[] = {ids, epochs, lease};
	PGresult *res;

	snprintf(ids, sizeof ids, "{%s}", r->run->id);
	snprintf(epochs, sizeof epochs, "{%" PRId64 "}", r->run->epoch);
	put_int(lease, r->flow.lease_ms);
	res = pg_conn_ready(r->control.conn, err)
	          ? pg_query(r->control.conn, sql_get("flow_renew"), 3, params, err)
	          : NULL;
	if (!res)
		return false;
	*cancelled = PQntuples(res) == 1 && pg_bool(res, 0, 1);
	PQclear(res);
	return true;
}

/* ---- the end ---- */

struct reckoning {
	int64_t failed, landed[LAND_TYPES];
	struct flow_run_view view;
	struct buf words;
	bool complete;
	bool whole; /* all that was landed is here */
};

static void say(struct reckoning *k, const char *text)
{
	if (*text && k->words.n + strlen(text) + 2 < REPLAY_WORDS_MAX)
		buf_printf(&k->words, "%s%s", k->words.n ? "; " : "", text);
}

static bool load_sums(struct replay *r, struct reckoning *k, struct err *err)
{
	const char *params[] = {r->run->id};
	PGresult *res = pg_query(r->control.conn, sql_get("replay_sums"), 1, params, err);
	char text[400];

	if (!res)
		return false;
	k->failed = pg_int(res, 0, 0);
	if (k->failed) {
		snprintf(text, sizeof text, "%" PRId64 " objects could not be read: %.300s",
		         k->failed, PQgetvalue(res, 0, 1));
		say(k, text);
	}
	k->landed[LAND_PATIENT] = pg_int(res, 0, 2);
	k->landed[LAND_OBSERVATION] = pg_int(res, 0, 3);
	PQclear(res);
	return flow_run_view(r->control.conn, r->run->id, &k->view, err);
}

static void check_type(struct reckoning *k, const char *what, const struct flow_count *c)
{
	int64_t fates = c->inserted + c->updated + c->unchanged + c->rejected + c->duplicates;
	char text[200];

	if (c->rejected) {
		k->complete = false;
		snprintf(text, sizeof text,
		         "%" PRId64 " %s cannot be mapped: see the rejected resources", c->rejected,
		         what);
		say(k, text);
	}
	if (c->landed != fates || c->staged + c->rejected != c->landed) {
		k->complete = k->whole = false;
		snprintf(text, sizeof text,
		         "the numbers of %s do not add up: landed %" PRId64 ", staged %" PRId64
		         ", accounted for %" PRId64,
		         what, c->landed, c->staged, fates);
		say(k, text);
	}
}

static bool judge(struct replay *r, struct reckoning *k, struct err *err)
{
	k->complete = k->whole = true;
	if (!load_sums(r, k, err))
		return false;
	say(k, r->lineage->words);
	say(k, k->view.reconciliation);
	if (k->words.n)
		k->complete = k->whole = false;
	check_type(k, "patients", &k->view.patient);
	check_type(k, "observations", &k->view.observation);
	if (k->complete)
		say(k, "everything that was landed is here");
	return buf_ok(&k->words, "the reconciliation", err);
}

/* What the newest run that moved the watermark says. */
static int64_t watermark_of(const struct replay *r, const char **source)
{
	for (size_t i = r->step_count; i > 0; i--) {
		const struct land_manifest *m = r->steps[i - 1].manifest;

		*source = m->source_url;
		if (m->watermark_us != INT64_MIN)
			return m->watermark_us;
	}
	return INT64_MIN;
}

static bool mapped_anew(const struct replay *r)
{
	for (size_t i = 0; i < r->step_count; i++)
		if (r->steps[i].manifest->mapping_version != FHIR_MAPPING_VERSION)
			return true;
	return false;
}

/* The patients who are not whole, of the last run's fates. NULL when they are not known; the caller
 * frees it. */
static char *open_patients(struct replay *r)
{
	const struct land_object *o = &last_of(r)->fates;
	struct buf b = BUF_INIT((size_t)256 << 20);
	struct land_fates f = {0};
	struct err ignored;
	char *ids = NULL;

	if (o->name[0] && land_get_small(r->run->land, o->name, &b, &ignored) &&
	    land_fates_read((struct str){b.p, b.n}, &f, &ignored)) {
		ids = f.ids[LAND_PATIENTS_OPEN];
		f.ids[LAND_PATIENTS_OPEN] = NULL;
	}
	land_fates_free(&f);
	buf_free(&b);
	return ids;
}

static bool write_people(struct replay *r, const struct reckoning *k, struct err *err)
{
	int64_t rejected = k->view.patient.rejected + k->view.observation.rejected;
	char *open = open_patients(r);
	bool whole = k->whole && open && !(rejected && mapped_anew(r));
	const char *params[] = {r->lineage->zip, last_of(r)->run_id, open ? open : "[]",
	                        whole ? "true" : "false", r->into[0] ? "true" : "false"};
	const char *zip[] = {r->lineage->zip};
	bool ok = statement(r, "replay_patient_zip", 5, params, NULL, err) &&
	          statement(r, "replay_unmoved", 1, zip, NULL, err);

	free(open);
	return ok;
}

static bool write_zipcode(struct replay *r, const struct reckoning *k, struct err *err)
{
	const char *source = NULL;
	char mapping[24], watermark[24], first[24], last[24];
	int64_t us = watermark_of(r, &source);
	const char *params[] = {r->lineage->zip,
	                        source,
	                        mapping,
	                        last_of(r)->run_id,
	                        put_time(watermark, us),
	                        put_time(first, r->steps[0].manifest->ended_us),
	                        put_time(last, last_of(r)->ended_us),
	                        k->whole ? "true" : "false"};

	put_int(mapping, FHIR_MAPPING_VERSION);
	return pg_exec(r->control.conn, sql_get("replay_zipcode"), 8, params, NULL, err);
}

static bool write_end(struct replay *r, const struct reckoning *k, struct err *err)
{
	const char *done[] = {r->run->id, k->words.p};

	return write_counts(r, k->landed, err) && write_people(r, k, err) &&
	       write_zipcode(r, k, err) &&
	       pg_exec(r->control.conn, sql_get("flow_reconciled"), 2, done, NULL, err) &&
	       flow_store_end_open(r->control.conn, r->run,
	                           k->complete ? "completed" : "incomplete", err);
}

static bool finish_once(struct flow_work *w, struct flow_run *run, void *arg, struct err *err)
{
	struct replay *r = arg;
	struct reckoning k = {.words = BUF_INIT(REPLAY_WORDS_MAX * 4)};
	/* tables without indexes are joined as a whole, or each row looks at all of them */
	const char *beside = run->beside ? "SET LOCAL enable_nestloop = off" : "";
	bool ok = judge(r, &k, err);

	/* a commit whose answer was lost may have happened */
	if (ok && strcmp(k.view.state, "running") == 0) {
		ok = pg_begin(w->conn, err);
		if (ok) {
			ok = pg_exec_script(w->conn, beside, err) && write_end(r, &k, err);
			flow_crash_point("before_replay_end");
			ok = ok && pg_commit(w->conn, err);
			if (!ok)
				pg_rollback(w->conn);
		}
	}
	buf_free(&k.words);
	return ok;
}

bool replay_rows_finish(struct replay *r, struct err *err)
{
	return flow_try_db(&r->control, r->run, finish_once, r, err);
}
