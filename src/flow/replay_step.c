/* SPDX-License-Identifier: Apache-2.0
 *
 * One landed object into the stage; and what a run did besides, once all its objects are merged.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "flow/replay_impl.h"

enum { FATES_MAX = 256 * 1024 * 1024 };

/* ---- an object ---- */

/* About the object, and not about the database or us: the others can be loaded. */
static bool is_objects_fault(const struct err *e)
{
	return e->code == ERR_DATA || e->code == ERR_NOT_FOUND || e->code == ERR_LIMIT ||
	       (e->code == ERR_IO && !e->retryable && strncmp(e->where, "land", 4) == 0);
}

struct given_up {
	const struct flow_batch *batch;
	const char *why;
};

static bool give_up(struct flow_work *w, struct flow_run *run, void *arg, struct err *err)
{
	const struct given_up *g = arg;

	return flow_store_batch_failed(w->conn, run, g->batch, g->why, err);
}

bool replay_step_stage(struct replay_worker *w, const struct replay_step *step, uint32_t seq,
                       enum flow_batch_state *state, int64_t *rows, struct err *err)
{
	const struct land_manifest_object *o = &step->manifest->objects[seq - step->first];
	struct flow_batch b = {
	    .seq = seq, .kind = o->type == LAND_PATIENT ? FLOW_PATIENT_PAGE : FLOW_OBSERVATIONS};
	struct flow_landed l = {.fetched = o->object.lines,
	                        .landed = o->object.lines,
	                        .expected = -1,
	                        .seen_until_us = INT64_MIN,
	                        .id_count = (uint32_t)o->object.lines,
	                        .object = o->object};
	struct given_up g = {&b, NULL};
	struct err e = {0};

	if (flow_stage(&w->work, w->r->run, &b, &l, &e)) {
		*state = FLOW_STAGED;
		*rows = (int64_t)b.rows;
		return true;
	}
	if (!is_objects_fault(&e)) {
		*err = e;
		return false;
	}
	log_err(LOG_WARN, "an object is passed over", &e);
	g.why = e.text;
	*state = FLOW_FAILED;
	*rows = 0;
	return flow_try_db(&w->work, w->r->run, give_up, &g, err);
}

/* ---- fates ---- */

struct fates {
	const struct replay_step *step;
	struct land_fates lists;
	char swept[24], number[16];
	int64_t patients, observations, moved;
};

static bool read_fates(struct land *land, const struct land_object *o, struct land_fates *out,
                       struct err *err)
{
	struct buf b = BUF_INIT(FATES_MAX);
	char hash[HASH_HEX];
	bool ok = land_get_small(land, o->name, &b, err);

	if (ok && (!hash_sha256_of((struct str){b.p, b.n}, hash) || strcmp(hash, o->sha256) != 0))
		ok = err_set(err, ERR_DATA, "flow.replay", "%s is damaged: its hash is another",
		             o->name);
	ok = ok && land_fates_read((struct str){b.p, b.n}, out, err);
	buf_free(&b);
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

static bool apply_lists(struct flow_work *w, const struct flow_run *run, struct fates *f,
                        struct err *err)
{
	char *const *ids = f->lists.ids;
	const char *id = f->step->step.run_id;
	const char *observations[] = {ids[LAND_OBSERVATIONS_DELETED], f->swept, id},
	           *patients[] = {ids[LAND_PATIENTS_DELETED], f->swept, id},
	           *left[] = {ids[LAND_PATIENTS_LEFT], f->swept, f->number},
	           *moved[] = {ids[LAND_PATIENTS_LEFT], f->swept, id, run->zip};

	return statement(w, run, "replay_delete_observations", 3, observations, &f->observations,
	                 err) &&
	       statement(w, run, "replay_delete_patients", 3, patients, &f->patients, err) &&
	       statement(w, run, "replay_left", 3, left, NULL, err) &&
	       statement(w, run, "replay_moved", 4, moved, &f->moved, err);
}

static bool count(struct flow_work *w, const struct flow_run *run, const char *type,
                  int64_t deleted, int64_t moved, struct err *err)
{
	char text[2][24];
	const char *params[] = {run->id, type, text[0], text[1]};

	snprintf(text[0], sizeof text[0], "%" PRId64, deleted);
	snprintf(text[1], sizeof text[1], "%" PRId64, moved);
	return pg_exec(w->conn, sql_get("replay_fates"), 4, params, NULL, err);
}

static bool apply(struct flow_work *w, struct flow_run *run, void *arg, struct err *err)
{
	struct fates *f = arg;

	if (!pg_begin(w->conn, err))
		return false;
	if (apply_lists(w, run, f, err) && count(w, run, "Patient", f->patients, f->moved, err) &&
	    count(w, run, "Observation", f->observations, 0, err) &&
	    flow_store_fence(w->conn, run, err)) {
		flow_crash_point("in_fates");
		if (pg_commit(w->conn, err)) {
			flow_crash_point("after_fates");
			return true;
		}
	}
	pg_rollback(w->conn);
	return false;
}

/* What a run deleted is unknown: nothing is taken for whole then. */
static bool pass_over(struct replay_worker *w, const struct replay_step *step, const char *why,
                      struct err *err)
{
	char what[300];
	const char *note[] = {w->r->run->id, what};

	snprintf(what, sizeof what, "what run %s deleted is not known: %.200s", step->step.run_id,
	         why);
	return pg_conn_ready(w->work.conn, err) &&
	       pg_exec(w->work.conn, sql_get("replay_note"), 2, note, NULL, err);
}

bool replay_step_fates(struct replay_worker *w, const struct replay_step *step, struct err *err)
{
	const struct land_manifest *m = step->manifest;
	struct fates f = {.step = step};
	struct err e = {0};
	bool ok;

	if (!m->fates.name[0])
		return pass_over(w, step, "it was made by an earlier fhirline", err);
	if (!read_fates(w->r->run->land, &m->fates, &f.lists, &e)) {
		if (is_objects_fault(&e))
			return pass_over(w, step, e.text, err);
		*err = e;
		return false;
	}
	snprintf(f.swept, sizeof f.swept, "%" PRId64, step->step.swept_us);
	snprintf(f.number, sizeof f.number, "%d", step->step.number);
	ok = flow_try_db(&w->work, w->r->run, apply, &f, err);
	land_fates_free(&f.lists);
	return ok;
}
