/* SPDX-License-Identifier: Apache-2.0
 *
 * The stage's `line` is the number of the rejected resource here, so that statements find when it
 * was rejected, and of several versions without a time the one that came last wins.
 */
#include "flow/remap.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "flow/cursor.h"
#include "flow/line.h"
#include "pg/copy.h"

enum {
	PIECE = 2 * 1024 * 1024,
	ROWS_MAX = 128 * 1024 * 1024,
	SCRATCH_MAX = 256 * 1024 * 1024,
};

struct remapping {
	struct remap *r;
	char stage[UUID_TEXT];
	struct arena scratch;
	struct cursor cursor;
	struct buf rows;
};

static bool script(struct remapping *m, const char *name, struct err *err)
{
	char *sql = pg_sql_stage(sql_get(name), m->stage, err);
	bool ok = sql && pg_exec_script(m->r->conn, sql, err);

	free(sql);
	return ok;
}

static bool statement(struct remapping *m, const char *name, int n, const char *const *params,
                      int64_t *affected, struct err *err)
{
	char *sql = pg_sql_stage(sql_get(name), m->stage, err);
	bool ok = sql && pg_exec(m->r->conn, sql, n, params, affected, err);

	free(sql);
	return ok;
}

/* ---- mapping ---- */

static bool read_line(struct remapping *m, size_t i, struct str *out, struct err *err)
{
	struct remap_line *l = &m->r->lines[i];
	bool more = i + 1 < m->r->n && strcmp(l[1].object, l->object) == 0;
	struct err e = {0};

	if (cursor_line(&m->cursor, l->object, l->line, more ? l[1].line : 0, out, &e))
		return true;
	if (e.code != ERR_NOT_FOUND && e.code != ERR_DATA) {
		*err = e;
		return false;
	}
	l->fate = REMAP_UNREADABLE;
	snprintf(l->why.reason, sizeof l->why.reason, "%.*s", (int)sizeof l->why.reason - 1,
	         e.text);
	return true;
}

static bool map_line(struct remapping *m, size_t i, struct err *err)
{
	struct remap_line *l = &m->r->lines[i];
	struct flow_line line = {.type = m->r->type,
	                         .now_us = clock_now_us(m->r->clock),
	                         .number = l->id,
	                         .scratch = &m->scratch};
	struct str raw;

	l->fate = REMAP_MAPPED;
	if (!read_line(m, i, &raw, err))
		return false;
	if (l->fate == REMAP_UNREADABLE)
		return true;
	switch (flow_line_map(&line, raw, &m->rows)) {
	case FHIR_MAPPED:
		m->r->mapped++;
		return true;
	case FHIR_REJECTED:
		l->fate = REMAP_REJECTED;
		l->why = line.why;
		return true;
	case FHIR_MAP_FAILED:
		break;
	}
	return err_set(err, ERR_LIMIT, "flow.remap",
	               "line %" PRId64 " of %s does not fit into memory", l->line, l->object);
}

static bool send_piece(struct remapping *m, struct err *err)
{
	bool ok = pg_copy_put(m->r->conn, m->rows.p, m->rows.n, err);

	buf_clear(&m->rows);
	return ok;
}

/* False with `*open` true: the COPY must be aborted. */
static bool copy_lines(struct remapping *m, bool *open, struct err *err)
{
	pg_copy_begin(&m->rows);
	for (size_t i = 0; i < m->r->n; i++) {
		if (!map_line(m, i, err))
			return false;
		if (m->rows.n >= PIECE && !send_piece(m, err)) {
			*open = false;
			return false;
		}
	}
	pg_copy_end(&m->rows);
	*open = false;
	return send_piece(m, err);
}

static bool stage(struct remapping *m, struct err *err)
{
	char *sql =
	    pg_sql_stage(m->r->type == FHIR_PATIENT
	                     ? "COPY stage.patient_{stage}_m FROM STDIN (FORMAT binary)"
	                     : "COPY stage.observation_{stage}_m FROM STDIN (FORMAT binary)",
	                 m->stage, err);
	int64_t rows = 0;
	bool open = true, ok = sql && pg_copy_open(m->r->conn, sql, err);

	free(sql);
	if (!ok)
		return false;
	if (!copy_lines(m, &open, err)) {
		if (open)
			pg_copy_abort(m->r->conn);
		return false;
	}
	return pg_copy_close(m->r->conn, &rows, err);
}

/* ---- merging ---- */

static bool merge(struct remapping *m, struct err *err)
{
	const char *params[] = {m->r->run_id, "false"}, *zip[] = {m->r->zip};
	bool patient = m->r->type == FHIR_PATIENT;

	return script(m, patient ? "rejected_lock_patient" : "rejected_lock_observation", err) &&
	       statement(m, patient ? "rejected_gone_patient" : "rejected_gone_observation", 0,
	                 NULL, NULL, err) &&
	       statement(m, patient ? "flow_merge_patient" : "flow_merge_observation", 2, params,
	                 &m->r->written, err) &&
	       (!patient || statement(m, "rejected_zip", 1, zip, NULL, err));
}

bool remap_lines(struct remap *r, struct err *err)
{
	struct remapping m = {
	    .r = r, .scratch = ARENA_INIT(SCRATCH_MAX), .rows = BUF_INIT(ROWS_MAX)};
	bool ok;

	cursor_open(&m.cursor, r->land);
	r->mapped = r->written = 0;
	ok = uuid_v7(clock_now_us(r->clock), m.stage, err) && script(&m, "rejected_stage", err) &&
	     stage(&m, err) && merge(&m, err) && script(&m, "flow_stage_merged", err);
	arena_free(&m.scratch);
	buf_free(&m.rows);
	cursor_close(&m.cursor);
	return ok;
}
