/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>

#include "base/thread.h"
#include "fhir/map.h"
#include "flow/internal.h"
#include "flow/owner.h"

static const char *const kind_names[FLOW_KINDS] = {
    [FLOW_PATIENT_PAGE] = "patient_page",
    [FLOW_OBSERVATIONS] = "observations",
    [FLOW_ID_PAGE] = "id_page",
    [FLOW_LOOKUP] = "lookup",
    [FLOW_OBSERVATION_PAGE] = "observation_page",
};

static const char *const phase_names[] = {
    [FLOW_PHASE_LOOK] = "look",           [FLOW_PHASE_READ] = "read", [FLOW_PHASE_SWEEP] = "sweep",
    [FLOW_PHASE_RECONCILE] = "reconcile", [FLOW_PHASE_DONE] = "done",
};

const char *flow_kind_name(enum flow_batch_kind k)
{
	return kind_names[k];
}

const char *flow_phase_name(enum flow_phase p)
{
	return phase_names[p];
}

static bool phase_of(struct str name, enum flow_phase *out)
{
	for (size_t i = 0; i < sizeof phase_names / sizeof *phase_names; i++)
		if (str_is(name, phase_names[i])) {
			*out = (enum flow_phase)i;
			return true;
		}
	return false;
}

struct flow_run *flow_run_new(void)
{
	struct flow_run *run = calloc(1, sizeof *run);

	if (!run)
		return NULL;
	pthread_mutex_init(&run->lock, NULL);
	thread_cond_init(&run->changed);
	return run;
}

void flow_run_free(struct flow_run *run)
{
	if (!run)
		return;
	land_close(run->land);
	pthread_mutex_destroy(&run->lock);
	pthread_cond_destroy(&run->changed);
	free(run->batches);
	for (int k = 0; k < FLOW_KINDS; k++)
		idset_free(&run->given[k]);
	free(run);
}

static void copy_text(char *out, size_t size, struct str s)
{
	snprintf(out, size, "%.*s", STR_FMT(s));
}

static bool fill_run(struct flow_run *run, const PGresult *res, struct err *err)
{
	copy_text(run->id, sizeof run->id, pg_str(res, 0, 0));
	copy_text(run->zip, sizeof run->zip, pg_str(res, 0, 1));
	run->incremental = str_is(pg_str(res, 0, 2), "incremental");
	if (!phase_of(pg_str(res, 0, 3), &run->phase))
		return err_set(err, ERR_DATA, "flow.claim",
		               "run %s has a phase that this version does not know", run->id);
	run->epoch = pg_int(res, 0, 4);
	run->cancel_requested = pg_bool(res, 0, 5);
	run->allow_mass_delete = pg_bool(res, 0, 6);
	run->since_us = pg_time_us(res, 0, 7);
	copy_text(run->source_url, sizeof run->source_url, pg_str(res, 0, 8));
	run->server_time_us = pg_time_us(res, 0, 10);
	run->patient_history = pg_bool(res, 0, 11);
	run->observation_history = pg_bool(res, 0, 12);
	run->track_seen = pg_bool(res, 0, 13);
	run->remap = pg_bool(res, 0, 14);
	run->tag = hash_bytes(run->id, sizeof run->id - 1);
	return true;
}

/* A run belongs to the context that it was made for: going on with another source or mapping would
 * mix two truths. */
static bool check_context(const struct flow_run *run, const struct flow_settings *s,
                          int64_t mapping, struct err *err)
{
	if (strcmp(run->source_url, fhir_source_url(s->source)) != 0)
		return err_set(err, ERR_CONFLICT, "flow.context",
		               "the run was made for another source than the one configured here: "
		               "start again with --fresh");
	if (mapping != FHIR_MAPPING_VERSION)
		return err_set(err, ERR_CONFLICT, "flow.context",
		               "the run was made with mapping version %lld, this is version %d: "
		               "start again with --fresh",
		               (long long)mapping, FHIR_MAPPING_VERSION);
	return true;
}

/* The run in `res`, a row of flow_claim.sql's columns. Its context is checked: *why says what does
 * not fit. */
static struct flow_run *run_of(const PGresult *res, const struct flow_settings *s, struct err *why,
                               struct err *err)
{
	struct flow_run *run = flow_run_new();

	if (!run) {
		err_set(err, ERR_NOMEM, "flow.claim", "out of memory");
		return NULL;
	}
	if (!fill_run(run, res, err)) {
		flow_run_free(run);
		return NULL;
	}
	check_context(run, s, pg_int(res, 0, 9), why);
	return run;
}

/* The run that came back; what does not fit makes it broken. */
static struct flow_run *claimed(PGresult *res, const struct flow_settings *s, struct err *err)
{
	struct err why = {0};
	struct flow_run *run = run_of(res, s, &why, err);

	PQclear(res);
	if (run && why.code) {
		run->failure = why;
		run->broken = true;
	}
	return run;
}

struct flow_run *flow_store_claim(struct pg_conn *c, const struct flow_settings *s,
                                  const char *owner, struct err *err)
{
	char lease[24];
	const char *params[] = {owner, lease, s->only_run};
	PGresult *res;

	snprintf(lease, sizeof lease, "%lld", (long long)s->lease_ms);
	res = pg_query(c, sql_get("flow_claim"), 3, params, err);
	if (res && PQntuples(res))
		return claimed(res, s, err);
	if (res)
		err_set(err, ERR_NOT_FOUND, "flow.claim", "no run waits");
	PQclear(res);
	return NULL;
}

struct flow_run *flow_store_begin(struct pg_conn *c, const struct flow_settings *s,
                                  const char *run_id, const char *workflow_id, const char *chain,
                                  struct err *err)
{
	char owner[OWNER_TEXT], prefix[OWNER_TEXT], lease[24];
	const char *params[] = {run_id, owner, prefix, lease};
	PGresult *res;

	snprintf(prefix, sizeof prefix, "temporal/%s/", workflow_id);
	snprintf(owner, sizeof owner, "temporal/%s/%s", workflow_id, chain);
	snprintf(lease, sizeof lease, "%lld", (long long)s->lease_ms);
	res = pg_query(c, sql_get("flow_begin"), 4, params, err);
	if (res && PQntuples(res))
		return claimed(res, s, err);
	if (res)
		err_set(err, ERR_NOT_FOUND, "flow.begin",
		        "run %s has ended, or somebody else works on it", run_id);
	PQclear(res);
	return NULL;
}

struct flow_run *flow_store_take(struct pg_conn *c, const struct flow_settings *s,
                                 const char *run_id, int64_t epoch, bool alone, struct err *err)
{
	char text[24];
	int64_t attempt;
	struct flow_run *run;
	PGresult *res;

	snprintf(text, sizeof text, "%lld", (long long)epoch);
	res = pg_query(c, sql_get(alone ? "flow_take_alone" : "flow_take"), 2,
	               (const char *const[]){run_id, text}, err);
	if (res && PQntuples(res)) {
		attempt = alone ? pg_int(res, 0, 15) : 0;
		run = claimed(res, s, err);
		if (run)
			run->attempt = attempt;
		return run;
	}
	if (res)
		err_set(err, ERR_CONFLICT, "flow.fence",
		        "run %s has another owner now, or has ended", run_id);
	PQclear(res);
	return NULL;
}

static bool batch_of(const PGresult *res, int r, struct flow_batch *b)
{
	static const struct {
		const char *name;
		enum flow_batch_state state;
	} states[] = {{"pending", FLOW_PENDING},
	              {"staged", FLOW_STAGED},
	              {"merging", FLOW_MERGING},
	              {"merged", FLOW_MERGED},
	              {"failed", FLOW_FAILED}};
	bool known = false;

	*b = (struct flow_batch){.seq = (uint32_t)pg_int(res, r, 0),
	                         .page_seq = (uint32_t)pg_int(res, r, 3),
	                         .first = (uint32_t)pg_int(res, r, 4),
	                         .patients = (uint32_t)pg_int(res, r, 5),
	                         .rows = (uint64_t)pg_int(res, r, 6),
	                         .more = pg_bool(res, r, 7)};
	for (int k = 0; k < FLOW_KINDS; k++)
		if (str_is(pg_str(res, r, 1), kind_names[k])) {
			b->kind = (enum flow_batch_kind)k;
			known = true;
		}
	for (size_t i = 0; i < sizeof states / sizeof *states; i++)
		if (str_is(pg_str(res, r, 2), states[i].name)) {
			b->state = states[i].state;
			return known;
		}
	return false;
}

bool flow_store_load_batches(struct pg_conn *c, struct flow_run *run, struct err *err)
{
	const char *params[] = {run->id};
	PGresult *res = pg_query(c, sql_get("flow_batches"), 1, params, err);
	struct flow_batch *batches;
	bool ok = false;
	int n;

	if (!res)
		return false;
	n = PQntuples(res);
	batches = calloc((size_t)n + 16, sizeof *batches);
	if (!batches) {
		err_set(err, ERR_NOMEM, "flow.load", "out of memory for %d batches", n);
		goto out;
	}
	for (int r = 0; r < n; r++)
		if (!batch_of(res, r, &batches[r])) {
			err_set(err, ERR_DATA, "flow.load",
			        "batch %d of run %s is of a kind that this version does not know",
			        r, run->id);
			free(batches);
			goto out;
		}
	free(run->batches);
	run->batches = batches;
	run->batch_count = (size_t)n;
	run->batch_cap = (size_t)n + 16;
	run->failed_batches = 0;
	for (int r = 0; r < n; r++)
		run->failed_batches += batches[r].state == FLOW_FAILED;
	ok = true;
out:
	PQclear(res);
	return ok;
}

static enum flow_batch_kind kind_of(struct str name)
{
	for (int k = 0; k < FLOW_KINDS; k++)
		if (str_is(name, kind_names[k]))
			return (enum flow_batch_kind)k;
	return FLOW_PATIENT_PAGE;
}

/* What the chains gave before. Ids of patients are known one by one; of the others (patients who
 * live elsewhere, changed observations, listed ids) only how many. */
static bool load_given(struct pg_conn *c, struct flow_run *run, struct err *err)
{
	const char *params[] = {run->id};
	PGresult *res = pg_query(c, sql_get("flow_known"), 1, params, err);
	bool added, ok = true;

	if (!res)
		return false;
	for (int k = 0; k < FLOW_KINDS; k++) {
		idset_free(&run->given[k]);
		run->given_before[k] = 0;
	}
	for (int r = 0; r < PQntuples(res) && ok; r++) {
		if (PQgetisnull(res, r, 1))
			run->given_before[kind_of(pg_str(res, r, 0))] = pg_int(res, r, 2);
		else
			ok = idset_add(&run->given[FLOW_PATIENT_PAGE], pg_str(res, r, 1), &added);
	}
	PQclear(res);
	return ok ||
	       err_set(err, ERR_NOMEM, "flow.load", "out of memory for the run's patient ids");
}

bool flow_store_evict(struct pg_conn *c, const struct flow_run *run, struct err *err)
{
	char *stage = pg_sql_stage("{stage}", run->id, err);
	const char *params[] = {stage};
	PGresult *res = stage ? pg_query(c, sql_get("flow_evict"), 1, params, err) : NULL;

	PQclear(res);
	free(stage);
	return res != NULL;
}

bool flow_store_load(struct pg_conn *c, struct flow_run *run, struct err *err)
{
	return flow_store_load_batches(c, run, err) && load_given(c, run, err);
}

bool flow_store_release(struct pg_conn *c, const struct flow_run *run, struct err *err)
{
	char epoch[24];
	const char *params[] = {run->id, epoch};

	snprintf(epoch, sizeof epoch, "%lld", (long long)run->epoch);
	return pg_exec(c, sql_get("flow_release"), 2, params, NULL, err);
}

bool flow_store_fence(struct pg_conn *c, const struct flow_run *run, struct err *err)
{
	char epoch[24], attempt[24];
	const char *params[] = {run->id, epoch, attempt};
	int64_t rows = 0;

	snprintf(epoch, sizeof epoch, "%lld", (long long)run->epoch);
	snprintf(attempt, sizeof attempt, "%lld", (long long)run->attempt);
	if (!pg_exec(c, sql_get("flow_fence"), 3, params, &rows, err))
		return false;
	if (rows != 1 && run->attempt)
		return err_set(err, ERR_CONFLICT, "flow.attempt",
		               "another attempt at this step of run %s has begun, or the run has "
		               "another owner",
		               run->id);
	if (rows != 1)
		return err_set(err, ERR_CONFLICT, "flow.fence",
		               "run %s has another owner now, or has ended", run->id);
	return true;
}

static bool drop_stages(struct pg_conn *c, const struct flow_run *run, struct err *err)
{
	char *sql = pg_sql_stage(sql_get("flow_stage_drop"), run->id, err);
	bool ok = sql && pg_exec_script(c, sql, err);

	free(sql);
	return ok;
}

static bool set_end(struct pg_conn *c, const struct flow_run *run, const char *state,
                    const struct err *why, struct err *err)
{
	const char *params[] = {run->id, state, why ? err_code_name(why->code) : NULL,
	                        why ? why->text : NULL};

	/* the fence wants state = 'running', so it comes before the end */
	return flow_store_fence(c, run, err) &&
	       pg_exec(c, sql_get("flow_end"), 4, params, NULL, err);
}

bool flow_store_end_open(struct pg_conn *c, const struct flow_run *run, const char *state,
                         struct err *err)
{
	/* with batches that failed the run may be retried, and goes on with these */
	if (!run->failed_batches && !drop_stages(c, run, err))
		return false;
	return set_end(c, run, state, NULL, err);
}

bool flow_store_end(struct pg_conn *c, const struct flow_run *run, const char *state,
                    const struct err *why, struct err *err)
{
	if (!pg_begin(c, err))
		return false;
	if (set_end(c, run, state, why, err) && pg_commit(c, err))
		return true;
	pg_rollback(c);
	return false;
}

static bool begin_batch(struct flow_work *w, struct flow_run *run, void *arg, struct err *err)
{
	const struct flow_batch *b = arg;
	char seq[16], page[16], first[16], patients[16], epoch[24];
	const char *params[] = {run->id,  seq,  flow_kind_name(b->kind), page, first,
	                        patients, epoch};
	int64_t rows = 0;

	snprintf(seq, sizeof seq, "%u", b->seq);
	snprintf(page, sizeof page, "%u", b->page_seq);
	snprintf(first, sizeof first, "%u", b->first);
	snprintf(patients, sizeof patients, "%u", b->patients);
	snprintf(epoch, sizeof epoch, "%lld", (long long)run->epoch);
	if (!pg_exec(w->conn, sql_get("flow_batch_begin"), 7, params, &rows, err))
		return false;
	return rows == 1 ||
	       err_set(err, ERR_CONFLICT, "flow.fence", "run %s has another owner now", run->id);
}

bool flow_store_batch_begin(struct flow_work *w, struct flow_run *run, struct flow_batch *b,
                            struct err *err)
{
	if (!flow_try_db(w, run, begin_batch, b, err))
		return false;
	flow_crash_point("after_begin");
	return true;
}

static bool fail_in_transaction(struct pg_conn *c, const struct flow_run *run,
                                const struct flow_batch *b, const char *why, struct err *err)
{
	char seq[16], page[16], first[16], patients[16];
	const char *params[] = {run->id, seq, flow_kind_name(b->kind), page, first, patients, why};

	snprintf(seq, sizeof seq, "%u", b->seq);
	snprintf(page, sizeof page, "%u", b->page_seq);
	snprintf(first, sizeof first, "%u", b->first);
	snprintf(patients, sizeof patients, "%u", b->patients);
	return pg_exec(c, sql_get("flow_batch_failed"), 7, params, NULL, err) &&
	       flow_store_fence(c, run, err) && pg_commit(c, err);
}

bool flow_store_batch_failed(struct pg_conn *c, const struct flow_run *run,
                             const struct flow_batch *b, const char *why, struct err *err)
{
	if (!pg_begin(c, err))
		return false;
	if (fail_in_transaction(c, run, b, why, err))
		return true;
	pg_rollback(c);
	return false;
}
