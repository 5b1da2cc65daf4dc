/* SPDX-License-Identifier: Apache-2.0 */
#include "flow/rejected.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "flow/remap.h"

enum {
	PORTION = 1000, /* lines a transaction */
	ATTEMPTS = 6,
	REST_MS = 250, /* before the second; doubles */
	MARKS_MAX = 4 * 1024 * 1024,
};

/* ---- looking ---- */

static void copy(char *out, size_t size, struct str s)
{
	snprintf(out, size, "%.*s", STR_FMT(s));
}

static void row_of(const PGresult *res, int r, struct rejected *out)
{
	*out = (struct rejected){.id = pg_int(res, r, 0),
	                         .line = pg_int(res, r, 8),
	                         .rejected_us = pg_time_us(res, r, 9),
	                         .replayed_us = pg_time_us(res, r, 10)};
	copy(out->run_id, sizeof out->run_id, pg_str(res, r, 1));
	copy(out->zip, sizeof out->zip, pg_str(res, r, 2));
	copy(out->type, sizeof out->type, pg_str(res, r, 3));
	copy(out->resource_id, sizeof out->resource_id, pg_str(res, r, 4));
	copy(out->reason, sizeof out->reason, pg_str(res, r, 5));
	copy(out->pointer, sizeof out->pointer, pg_str(res, r, 6));
	copy(out->object, sizeof out->object, pg_str(res, r, 7));
}

bool rejected_list(struct pg_conn *c, const struct rejected_filter *filter, int limit,
                   struct rejected **out, size_t *n, struct err *err)
{
	char most[16];
	const char *params[] = {filter->run_id, filter->zip, most};
	struct rejected *rows;
	PGresult *res;

	snprintf(most, sizeof most, "%d", limit);
	res = pg_query(c, sql_get("rejected_list"), 3, params, err);
	if (!res)
		return false;
	rows = calloc((size_t)PQntuples(res) + 1, sizeof *rows);
	if (rows) {
		for (int r = 0; r < PQntuples(res); r++)
			row_of(res, r, &rows[r]);
		*out = rows;
		*n = (size_t)PQntuples(res);
	}
	PQclear(res);
	return rows || err_set(err, ERR_NOMEM, "flow.rejected", "out of memory for the list");
}

bool rejected_get(struct pg_conn *c, int64_t id, struct rejected *out, struct err *err)
{
	char text[24];
	const char *params[] = {text};
	PGresult *res;
	bool ok;

	snprintf(text, sizeof text, "%" PRId64, id);
	res = pg_query(c, sql_get("rejected_get"), 1, params, err);
	if (!res)
		return false;
	ok = PQntuples(res) == 1;
	if (ok)
		row_of(res, 0, out);
	else
		err_set(err, ERR_NOT_FOUND, "flow.rejected",
		        "there is no rejected resource %" PRId64, id);
	PQclear(res);
	return ok;
}

/* ---- replaying ---- */

struct replay {
	struct pg_conn *conn;
	struct land *land;
	const struct clock *clock;
	const struct rejected_filter *filter;
	struct rejected_count *count;
	int64_t behind; /* numbers up to this one are done */
	struct remap_line lines[PORTION];
};

/* The next lines that share run and type. What was marked by a replay that ran beside this one is
 * not among them: the lock was taken before. */
static bool load_portion(struct replay *p, struct remap *m, struct rejected *first, struct err *err)
{
	char behind[24], most[16];
	const char *params[] = {p->filter->run_id, p->filter->zip, behind, most};
	PGresult *res;

	snprintf(behind, sizeof behind, "%" PRId64, p->behind);
	snprintf(most, sizeof most, "%d", PORTION);
	if (!pg_exec_script(p->conn, sql_get("rejected_lock"), err))
		return false;
	res = pg_query(p->conn, sql_get("rejected_open"), 4, params, err);
	if (!res)
		return false;
	m->n = 0;
	for (int r = 0; r < PQntuples(res); r++) {
		struct rejected row;
		struct remap_line *l = &p->lines[m->n];

		row_of(res, r, &row);
		if (r == 0)
			*first = row;
		if (strcmp(row.run_id, first->run_id) != 0 || strcmp(row.type, first->type) != 0)
			break;
		*l = (struct remap_line){.id = row.id, .line = row.line};
		memcpy(l->object, row.object, sizeof l->object);
		m->n++;
	}
	PQclear(res);
	return true;
}

static bool mark(struct replay *p, const struct remap *m, struct err *err)
{
	struct buf done = BUF_INIT(MARKS_MAX), still = BUF_INIT(MARKS_MAX);
	const char *params[2];
	bool ok;

	buf_lit(&done, "[");
	buf_lit(&still, "[");
	for (size_t i = 0; i < m->n; i++) {
		const struct remap_line *l = &m->lines[i];

		if (l->fate == REMAP_MAPPED)
			buf_printf(&done, "%s%" PRId64, done.n > 1 ? "," : "", l->id);
		if (l->fate != REMAP_REJECTED)
			continue;
		buf_printf(&still, "%s{\"id\":%" PRId64 ",\"reason\":", still.n > 1 ? "," : "",
		           l->id);
		buf_add_json(&still, str_of(l->why.reason));
		buf_lit(&still, ",\"pointer\":");
		buf_add_json(&still, str_of(l->why.pointer));
		buf_lit(&still, "}");
	}
	buf_lit(&done, "]");
	buf_lit(&still, "]");
	params[0] = done.p;
	params[1] = still.p;
	ok = buf_ok(&done, "the replayed lines", err) &&
	     buf_ok(&still, "the reasons of a portion", err) &&
	     pg_exec(p->conn, sql_get("rejected_mark"), 2, params, NULL, err);
	buf_free(&done);
	buf_free(&still);
	return ok;
}

static void add_up(struct replay *p, const struct remap *m)
{
	struct rejected_count *c = p->count;

	c->replayed += m->written;
	c->older += m->mapped - m->written;
	for (size_t i = 0; i < m->n; i++) {
		const struct remap_line *l = &m->lines[i];

		c->rejected += l->fate == REMAP_REJECTED;
		c->unreadable += l->fate == REMAP_UNREADABLE;
		if (l->fate == REMAP_UNREADABLE && !c->trouble[0])
			snprintf(c->trouble, sizeof c->trouble, "%s", l->why.reason);
	}
	if (m->n)
		p->behind = m->lines[m->n - 1].id;
}

static bool portion_in_transaction(struct replay *p, struct remap *m, struct rejected *first,
                                   struct err *err)
{
	if (!load_portion(p, m, first, err))
		return false;
	if (m->n) {
		m->run_id = first->run_id;
		m->zip = first->zip;
		m->type = strcmp(first->type, fhir_type_name(FHIR_PATIENT)) == 0 ? FHIR_PATIENT
		                                                                 : FHIR_OBSERVATION;
		if (!remap_lines(m, err) || !mark(p, m, err))
			return false;
	}
	return pg_commit(p->conn, err);
}

/* `*more` false: there was none left. */
static bool portion_once(struct replay *p, bool *more, struct err *err)
{
	struct remap m = {.conn = p->conn, .land = p->land, .clock = p->clock, .lines = p->lines};
	struct rejected first = {0};

	if (!pg_conn_ready(p->conn, err) || !pg_begin(p->conn, err))
		return false;
	if (!portion_in_transaction(p, &m, &first, err)) {
		pg_rollback(p->conn);
		return false;
	}
	add_up(p, &m);
	*more = m.n > 0;
	return true;
}

static bool portion(struct replay *p, bool *more, struct err *err)
{
	int64_t rest = REST_MS;

	for (int i = 1; !portion_once(p, more, err); i++, rest *= 2) {
		if (i == ATTEMPTS || !err->retryable)
			return false;
		clock_sleep_ms(rest);
	}
	return true;
}

/* The totals that people see of zip codes; a run counts them again at its end. */
static bool recount(struct replay *p, struct err *err)
{
	const char *params[] = {p->filter->run_id, p->filter->zip};

	return p->count->replayed == 0 ||
	       (pg_conn_ready(p->conn, err) &&
	        pg_exec(p->conn, sql_get("rejected_recount"), 2, params, NULL, err));
}

static bool portions(struct replay *p, const atomic_bool *stop, struct err *err)
{
	bool more = true;

	while (more) {
		if (!portion(p, &more, err))
			return false;
		if (more && atomic_load(stop))
			return err_set(err, ERR_CANCELLED, "flow.rejected", "stopped");
	}
	return true;
}

bool rejected_replay(struct pg_conn *c, struct land *land, const struct clock *clock,
                     const struct rejected_filter *filter, const atomic_bool *stop,
                     struct rejected_count *count, struct err *err)
{
	struct replay *p = calloc(1, sizeof *p);
	struct err ignored;
	bool ok;

	*count = (struct rejected_count){0};
	if (!p)
		return err_set(err, ERR_NOMEM, "flow.rejected", "out of memory");
	*p = (struct replay){
	    .conn = c, .land = land, .clock = clock, .filter = filter, .count = count};
	ok = portions(p, stop, err);
	/* also after what was done before it failed or was stopped */
	ok = recount(p, ok ? err : &ignored) && ok;
	free(p);
	return ok;
}
