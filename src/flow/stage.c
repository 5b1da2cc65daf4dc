/* SPDX-License-Identifier: Apache-2.0
 *
 * A landed object becomes rows in the run's stage, and the batch's checkpoint, in one transaction.
 * Lines are mapped in pieces of bounded size, so that an object of any size needs the same memory.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "flow/csv.h"
#include "flow/internal.h"
#include "flow/line.h"
#include "pg/copy.h"

enum {
	PIECE = 256 * 1024,            /* COPY data is sent when it has grown to this */
	PIECE_MAX = 128 * 1024 * 1024, /* one row at most */
	SCRATCH_MAX = 256 * 1024 * 1024,
	REJECTS_MAX = 32 * 1024 * 1024,
};

struct staging {
	struct flow_work *w;
	struct flow_run *run;
	struct flow_batch *batch;
	const struct flow_landed *landed;
	enum fhir_type type;
	struct arena scratch;
	struct buf rows, rejects;
	struct flow_csv *csv;        /* NULL: none is wanted, or it is in place */
	struct land_object csv_file; /* name "": there is none */
	int64_t staged, rejected, line, raw_bytes;
};

static enum fhir_type type_of(enum flow_batch_kind k)
{
	return k == FLOW_OBSERVATIONS || k == FLOW_OBSERVATION_PAGE ? FHIR_OBSERVATION
	                                                            : FHIR_PATIENT;
}

static void add_reject(struct staging *s, const struct flow_line *l)
{
	s->rejected++;
	buf_printf(&s->rejects,
	           "%s{\"type\":\"%s\",\"line\":%" PRId64 ",\"reason\":", s->rejects.n ? "," : "[",
	           fhir_type_name(s->type), s->line);
	buf_add_json(&s->rejects, str_of(l->why.reason));
	buf_lit(&s->rejects, ",\"pointer\":");
	buf_add_json(&s->rejects, str_of(l->why.pointer));
	if (l->id[0])
		buf_printf(&s->rejects, ",\"id\":\"%s\"", l->id);
	buf_lit(&s->rejects, ",\"patient\":");
	buf_add_json(&s->rejects, str_of(l->patient));
	buf_lit(&s->rejects, "}");
}

static bool map_line(struct staging *s, struct str line, struct err *err)
{
	struct flow_line l = {.type = s->type,
	                      .now_us = clock_now_us(s->w->settings->clock),
	                      .batch_seq = (int32_t)s->batch->seq,
	                      .number = s->line,
	                      .scratch = &s->scratch};

	size_t mark = s->rows.n;

	switch (flow_line_map(&l, line, &s->rows)) {
	case FHIR_MAPPED:
		s->staged++;
		return !s->csv ||
		       flow_csv_row(s->csv, (struct str){s->rows.p + mark, s->rows.n - mark}, err);
	case FHIR_REJECTED:
		add_reject(s, &l);
		return true;
	case FHIR_MAP_FAILED:
		break;
	}
	return err_set(err, ERR_LIMIT, "flow.stage",
	               "line %" PRId64 " of %s does not fit into memory", s->line,
	               s->landed->object.name);
}

static bool send_piece(struct staging *s, struct err *err)
{
	bool ok = pg_copy_put(s->w->conn, s->rows.p, s->rows.n, err);

	buf_clear(&s->rows);
	return ok;
}

static bool copy_lines(struct staging *s, struct land_reader *reader, struct err *err)
{
	struct str line;
	enum land_line got;

	pg_copy_begin(&s->rows);
	while ((got = land_next_line(reader, &line, err)) == LAND_LINE) {
		s->line++;
		s->raw_bytes += (int64_t)line.n + 1;
		if (!map_line(s, line, err))
			return false;
		if (s->rows.n >= PIECE && (!send_piece(s, err) || flow_run_stopped(s->run, err)))
			return false;
	}
	if (got == LAND_ERROR)
		return false;
	pg_copy_end(&s->rows);
	return send_piece(s, err);
}

static bool begin_csv(struct staging *s, struct err *err)
{
	if (!s->w->settings->landing_csv)
		return true;
	s->csv = flow_csv_create(s->run->land, s->landed->object.name, s->type, err);
	return s->csv != NULL;
}

/* In place before the checkpoint that names it. */
static bool end_csv(struct staging *s, struct err *err)
{
	struct flow_csv *csv = s->csv;

	s->csv = NULL;
	if (!csv)
		return true;
	if (!flow_csv_commit(csv, &s->csv_file, err))
		return false;
	flow_crash_point("csv_landed");
	return true;
}

static bool copy_object(struct staging *s, struct err *err)
{
	const struct flow_landed *l = s->landed;
	char *sql = pg_sql_stage(s->type == FHIR_PATIENT
	                             ? "COPY stage.patient_{stage} FROM STDIN (FORMAT binary)"
	                             : "COPY stage.observation_{stage} FROM STDIN (FORMAT binary)",
	                         s->run->id, err);
	struct land_reader *reader = NULL;
	int64_t rows = 0;
	bool ok = false;

	if (!sql)
		return false;
	reader = land_read(s->run->land, l->object.name, l->object.sha256, err);
	if (!reader || !begin_csv(s, err) || !pg_copy_open(s->w->conn, sql, err))
		goto out;
	if (!copy_lines(s, reader, err)) {
		pg_copy_abort(s->w->conn);
		goto out;
	}
	flow_crash_point("in_copy");
	if (!pg_copy_close(s->w->conn, &rows, err))
		goto out;
	if (rows != s->staged) {
		err_set(err, ERR_INTERNAL, "flow.stage",
		        "PostgreSQL staged %" PRId64 " rows of %" PRId64, rows, s->staged);
		goto out;
	}
	ok = end_csv(s, err);
out:
	flow_csv_abort(s->csv);
	s->csv = NULL;
	land_read_close(reader);
	free(sql);
	return ok;
}

/* What was rejected is on the server all the same. */
static bool reject_seen(struct staging *s, struct err *err)
{
	const char *params[] = {s->rejects.p};
	char *sql = pg_sql_stage(sql_get("flow_reject_seen"), s->run->id, err);
	bool ok = sql && pg_exec(s->w->conn, sql, 1, params, NULL, err);

	free(sql);
	return ok;
}

static bool write_rejects(struct staging *s, struct err *err)
{
	char seq[16];
	const char *params[] = {s->run->id, s->run->zip, seq, s->landed->object.name, NULL};

	if (s->rejected == 0)
		return true;
	buf_lit(&s->rejects, "]");
	if (!buf_ok(&s->rejects, "the rejected resources of a batch", err))
		return false;
	params[4] = s->rejects.p;
	snprintf(seq, sizeof seq, "%u", s->batch->seq);
	return pg_exec(s->w->conn, sql_get("flow_reject"), 5, params, NULL, err) &&
	       reject_seen(s, err);
}

static bool write_ids(struct staging *s, const char *type, const char *ids, struct err *err)
{
	const char *params[] = {type, ids};
	char *sql;
	bool ok;

	if (!ids)
		return true;
	sql = pg_sql_stage(sql_get("flow_seen"), s->run->id, err);
	ok = sql && pg_exec(s->w->conn, sql, 2, params, NULL, err);
	free(sql);
	return ok;
}

static bool write_seen(struct staging *s, struct err *err)
{
	return write_ids(s, "P", s->landed->listed, err) && write_ids(s, "E", s->landed->left, err);
}

struct checkpoint {
	char seq[16], page[16], first[16], patients[16], bytes[24], fetched[24], landed[24],
	    staged[24], rejected[24], elsewhere[24], missing[24], expected[24], until[24], raw[24];
};

static void put_int(char *out, int64_t v)
{
	snprintf(out, 24, "%" PRId64, v);
}

static bool write_checkpoint(struct staging *s, struct err *err)
{
	const struct flow_landed *l = s->landed;
	struct flow_batch *b = s->batch;
	bool group = b->kind == FLOW_OBSERVATIONS || b->kind == FLOW_LOOKUP,
	     object = b->kind != FLOW_ID_PAGE;
	struct checkpoint t;
	const char *params[21] = {s->run->id,
	                          t.seq,
	                          flow_kind_name(b->kind),
	                          t.page,
	                          t.first,
	                          t.patients,
	                          object ? l->object.name : NULL,
	                          object ? l->object.sha256 : NULL,
	                          object ? t.bytes : NULL,
	                          t.fetched,
	                          t.landed,
	                          t.staged,
	                          t.rejected,
	                          t.elsewhere,
	                          t.missing,
	                          l->expected < 0 ? NULL : t.expected,
	                          "1",
	                          l->ids,
	                          l->next,
	                          l->seen_until_us == INT64_MIN ? NULL : t.until,
	                          object ? t.raw : NULL};
	int64_t rows = 0;

	snprintf(t.seq, sizeof t.seq, "%u", b->seq);
	snprintf(t.page, sizeof t.page, "%u", b->page_seq);
	snprintf(t.first, sizeof t.first, "%u", b->first);
	snprintf(t.patients, sizeof t.patients, "%u", group ? b->patients : l->id_count);
	put_int(t.bytes, l->object.bytes);
	put_int(t.fetched, l->fetched);
	put_int(t.landed, l->landed);
	put_int(t.staged, s->staged);
	put_int(t.rejected, s->rejected);
	put_int(t.elsewhere, l->elsewhere);
	put_int(t.missing, l->missing);
	put_int(t.expected, l->expected);
	put_int(t.until, l->seen_until_us);
	put_int(t.raw, s->raw_bytes);
	if (!pg_exec(s->w->conn, sql_get("flow_batch_staged"), 21, params, &rows, err))
		return false;
	if (rows != 1)
		return err_set(err, ERR_CONFLICT, "flow.stage",
		               "batch %u of run %s is staged already", b->seq, s->run->id);
	return true;
}

static bool write_csv(struct staging *s, struct err *err)
{
	char seq[16], bytes[24];
	const char *params[] = {s->run->id, seq, s->csv_file.sha256, bytes};

	if (!s->csv_file.name[0])
		return true;
	snprintf(seq, sizeof seq, "%u", s->batch->seq);
	put_int(bytes, s->csv_file.bytes);
	return pg_exec(s->w->conn, sql_get("flow_batch_csv"), 4, params, NULL, err);
}

static bool stage_in_transaction(struct staging *s, struct err *err)
{
	if (s->batch->kind != FLOW_ID_PAGE && s->landed->landed > 0 && !copy_object(s, err))
		return false;
	flow_crash_point("before_checkpoint");
	if (!write_rejects(s, err) || !write_seen(s, err) || !write_checkpoint(s, err) ||
	    !write_csv(s, err) || !flow_store_fence(s->w->conn, s->run, err))
		return false;
	flow_crash_point("before_commit");
	return pg_commit(s->w->conn, err);
}

static void done(struct staging *s)
{
	s->batch->state = FLOW_STAGED;
	s->batch->rows = (uint64_t)s->staged;
	s->batch->more = s->landed->next != NULL;
	if (s->batch->kind != FLOW_OBSERVATIONS && s->batch->kind != FLOW_LOOKUP)
		s->batch->patients = s->landed->id_count;
}

/* A commit whose answer was lost may have happened: the batch's row tells. */
static bool already_staged(struct staging *s, bool *is, struct err *err)
{
	char seq[16];
	const char *params[] = {s->run->id, seq};
	PGresult *res;

	snprintf(seq, sizeof seq, "%u", s->batch->seq);
	res = pg_query(s->w->conn, sql_get("flow_batch_rows"), 2, params, err);
	if (!res)
		return false;
	*is = PQntuples(res) == 1;
	if (*is)
		s->staged = pg_int(res, 0, 0);
	PQclear(res);
	return true;
}

static bool try_stage(struct flow_work *w, struct flow_run *run, void *arg, struct err *err)
{
	struct staging *s = arg;
	bool is = false, ok;

	(void)run;
	s->staged = s->rejected = s->line = s->raw_bytes = 0;
	s->csv_file = (struct land_object){0};
	buf_clear(&s->rows);
	buf_clear(&s->rejects);
	if (!already_staged(s, &is, err))
		return false;
	if (!is) {
		if (!pg_begin(w->conn, err))
			return false;
		ok = stage_in_transaction(s, err);
		if (!ok) {
			pg_rollback(w->conn);
			return false;
		}
	}
	done(s);
	flow_crash_point("after_commit");
	return true;
}

bool flow_stage(struct flow_work *w, struct flow_run *run, struct flow_batch *b,
                const struct flow_landed *l, struct err *err)
{
	struct staging s = {.w = w,
	                    .run = run,
	                    .batch = b,
	                    .landed = l,
	                    .type = type_of(b->kind),
	                    .scratch = ARENA_INIT(SCRATCH_MAX),
	                    .rows = BUF_INIT(PIECE_MAX),
	                    .rejects = BUF_INIT(REJECTS_MAX)};
	bool ok = flow_try_db(w, run, try_stage, &s, err);

	arena_free(&s.scratch);
	buf_free(&s.rows);
	buf_free(&s.rejects);
	return ok;
}
