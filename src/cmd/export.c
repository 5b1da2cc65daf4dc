/* SPDX-License-Identifier: Apache-2.0
 *
 * `fhirline export`: the rows of a zip code as CSV or NDJSON. A row at a time, from one snapshot.
 */
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "api/columns.h"
#include "cmd/command.h"
#include "cmd/database.h"
#include "cmd/interrupt.h"
#include "cmd/output.h"
#include "pg/csv_row.h"
#include "pg/json_row.h"
#include "pg/stream.h"

enum {
	PIECE = 64 * 1024,            /* is written when there is so much */
	ROW_MAX = 1024 * 1024 * 1024, /* PostgreSQL's own limit of a value */
	STATEMENT_MAX = 64 * 1024,
};

struct export
{
	struct config *config;
	const char *zip, *format, *table, *output; /* NULL: not given */
	bool force, csv;
	struct pg_conn *conn;
};

static const struct exported {
	const char *name, *statement;
	const struct column_table *columns;
} tables[] = {
    {"patient", "export_patient", &columns_patient},
    {"observation", "export_observation", &columns_observation},
};
#define TABLES (sizeof tables / sizeof *tables)

static void add_row(const struct export *e, const struct exported *t, struct buf *b, PGresult *row)
{
	if (e->csv) {
		csv_row(b, t->columns, row, 0);
		return;
	}
	json_row(b, t->columns, row, 0);
	buf_lit(b, "\n");
}

/* What is in `b`, when there is enough of it to be worth a call. */
static bool pass_on(struct buf *b, size_t enough, struct output *out, struct err *err)
{
	if (b->n < enough && !b->failed)
		return true;
	if (!buf_ok(b, "a row of the export", err) || !output_write(out, b->p, b->n, err))
		return false;
	buf_clear(b);
	return true;
}

static bool write_rows(const struct export *e, const struct exported *t, struct output *out,
                       int64_t *rows, struct err *err)
{
	struct buf b = BUF_INIT(ROW_MAX);
	enum pg_stream got;
	PGresult *row;
	bool ok = true;

	if (e->csv)
		csv_header(&b, t->columns);
	while ((got = pg_stream_next(e->conn, &row, err)) == PG_STREAM_ROW) {
		if (json_row_fits(t->columns, row)) {
			add_row(e, t, &b, row);
			ok = pass_on(&b, PIECE, out, err);
		} else {
			ok = err_set(err, ERR_INTERNAL, "export", "the table has other columns");
		}
		PQclear(row);
		if (ok && interrupted())
			ok = err_set(err, ERR_CANCELLED, "export", "interrupted");
		if (!ok) {
			pg_stream_abort(e->conn);
			break;
		}
		++*rows;
	}
	ok = ok && got == PG_STREAM_END && pass_on(&b, 1, out, err);
	buf_free(&b);
	return ok;
}

static bool export_stream(const struct export *e, const struct exported *t, struct output *out,
                          int64_t *rows, struct err *err)
{
	const char *params[] = {e->zip};
	struct buf sql = BUF_INIT(STATEMENT_MAX);
	bool ok = columns_expand(&sql, sql_get(t->statement)) ||
	          err_set(err, ERR_NOMEM, "export", "out of memory");

	ok = ok && pg_stream_open(e->conn, sql.p, 1, params, err) &&
	     write_rows(e, t, out, rows, err);
	buf_free(&sql);
	return ok;
}

/* One table's file, not yet in its place. */
struct part {
	const struct exported *table;
	struct output *out;
	int64_t rows;
	char path[PATH_MAX];
};

static bool name_part(const struct export *e, struct part *p, struct err *err)
{
	int n = e->table ? snprintf(p->path, sizeof p->path, "%s", e->output)
	                 : snprintf(p->path, sizeof p->path, "%s/%s.%s", e->output, p->table->name,
	                            e->format);

	return (size_t)n < sizeof p->path ||
	       err_set(err, ERR_USAGE, "export", "the name of the output is too long");
}

static bool write_part(const struct export *e, struct part *p, struct err *err)
{
	if (!name_part(e, p, err))
		return false;
	p->out = landing_in_s3(p->path) ? output_open_s3(e->config, p->path, e->force, err)
	                                : output_open(p->path, e->force, err);
	return p->out && export_stream(e, p->table, p->out, &p->rows, err);
}

static bool commit_part(struct part *p, struct err *err)
{
	bool ok = output_commit(p->out, err);

	p->out = NULL;
	if (ok && strcmp(p->path, "-") != 0)
		fprintf(stderr, "fhirline export: %" PRId64 " row%s in %s\n", p->rows,
		        p->rows == 1 ? "" : "s", p->path);
	return ok;
}

/* What is in place already stays there; who looks for both must hear of it. */
static bool commit_parts(struct part *parts, size_t n, struct err *err)
{
	for (size_t i = 0; i < n; i++) {
		if (commit_part(&parts[i], err))
			continue;
		if (i)
			err_prefix(err, "%s is written, but the rest is not", parts[0].path);
		return false;
	}
	return true;
}

/* They are put in place, one after the other, when all are written: one of two would look like an
 * export. */
static bool export_all(const struct export *e, struct err *err)
{
	struct part parts[TABLES] = {0};
	size_t n = 0;
	bool ok = true;

	for (size_t i = 0; ok && i < TABLES; i++) {
		if (e->table && strcmp(e->table, tables[i].name) != 0)
			continue;
		parts[n].table = &tables[i];
		ok = write_part(e, &parts[n++], err);
	}
	ok = ok && commit_parts(parts, n, err);
	for (size_t i = 0; i < n; i++)
		output_abort(parts[i].out);
	return ok;
}

/* An empty file for a zip code that was never loaded would be believed. */
static bool check_loaded(const struct export *e, struct err *err)
{
	const char *params[] = {e->zip};
	PGresult *res = pg_query(e->conn, sql_get("export_loaded"), 1, params, err);
	bool loaded;

	if (!res)
		return false;
	loaded = pg_bool(res, 0, 0);
	PQclear(res);
	return loaded || err_set(err, ERR_NOT_FOUND, "export",
	                         "zip code %s has never been loaded: fhirline ingest %s does so",
	                         e->zip, e->zip);
}

static struct pg_conn *open_database(const struct config *config, struct err *err)
{
	struct pg_options options = database_options(config, "fhirline export");

	options.statement_timeout_ms = 0; /* a slow reader is no fault */
	return database_open_with(&options, err);
}

static int run_export(struct export *e)
{
	struct err err;
	bool ok;

	interrupt_catch();
	e->conn = open_database(e->config, &err);
	ok = e->conn && pg_exec(e->conn, sql_get("export_session"), 0, NULL, NULL, &err) &&
	     check_loaded(e, &err) && export_all(e, &err);
	pg_conn_close(e->conn);
	if (ok)
		return COMMAND_OK;
	if (interrupted())
		return 128 + interrupted();
	if (err.code == ERR_GONE)
		return 128 + SIGPIPE; /* as the shell says of programs that a closed pipe ends */
	return command_fail("export", &err);
}

/* ---- the command ---- */

static bool table_valid(const char *name)
{
	for (size_t i = 0; i < TABLES; i++)
		if (strcmp(name, tables[i].name) == 0)
			return true;
	return false;
}

static int check(struct export *e, int nargs, char **argv)
{
	if (nargs)
		return command_usage("export", "takes flags alone, not \"%.*s\"",
		                     command_quotable(argv[1]), argv[1]);
	if (!e->zip || !str_is_zip(str_of(e->zip)))
		return command_usage("export", "--zip takes five digits, such as 02139");
	if (!e->format || (strcmp(e->format, "csv") != 0 && strcmp(e->format, "ndjson") != 0))
		return command_usage("export", "--format is csv or ndjson");
	if (e->table && !table_valid(e->table))
		return command_usage("export", "--table is patient or observation");
	if (!e->table && (!e->output || strcmp(e->output, "-") == 0))
		return command_usage("export",
		                     "say which table (--table patient or observation), or "
		                     "name a folder for both (--output)");
	if (e->output && !*e->output)
		return command_usage("export", "--output takes a file, or - for standard output");
	e->csv = strcmp(e->format, "csv") == 0;
	if (!e->output)
		e->output = "-";
	return COMMAND_OK;
}

int cmd_export(int argc, char **argv)
{
	struct export e = {0};
	const struct config_flag flags[] = {
	    {"zip", "ZIP", "The zip code whose rows are written", .value = &e.zip},
	    {"format", "FORMAT", "csv (RFC 4180, with a header) or ndjson (a JSON object a row)",
	     .value = &e.format},
	    {"table", "TABLE",
	     "patient or observation; without it both are written, into the folder OUTPUT",
	     .value = &e.table},
	    {"output", "OUTPUT",
	     "A file or s3://bucket/name, which appears when it is whole; - (the default): "
	     "standard "
	     "output",
	     .value = &e.output},
	    {"force", NULL, "Replace files that are there already", .on = &e.force},
	    {0}};
	int nargs, code;

	if (!command_start(argc, argv, flags, &e.config, &nargs, &code))
		return code;
	code = check(&e, nargs, argv);
	if (code == COMMAND_OK)
		code = run_export(&e);
	config_free(e.config);
	return code;
}
