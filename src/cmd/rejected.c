/* SPDX-License-Identifier: Apache-2.0
 *
 * `fhirline rejected list|show|replay`: resources that could not be mapped. Health data is printed
 * by `show --raw` alone.
 */
#include "flow/rejected.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/command.h"
#include "cmd/database.h"
#include "cmd/interrupt.h"
#include "cmd/report.h"

#define LIST_LIMIT 20
#define LIST_MAX 1000
#define RESOURCE_MAX ((size_t)128 << 20)

struct rejections {
	struct config *config;
	struct pg_conn *conn;
	struct rejected_filter filter;
	const char *limit_text; /* NULL: not given */
	int64_t limit, id;
	bool json, raw;
};

static int failed(const struct err *err)
{
	return command_fail("rejected", err);
}

/* ---- list ---- */

static void add_time(struct buf *b, const char *name, int64_t us)
{
	char text[CLOCK_TEXT];

	if (us == INT64_MIN) {
		buf_printf(b, ",\"%s\":null", name);
		return;
	}
	clock_format(us, text);
	buf_printf(b, ",\"%s\":\"%s\"", name, text);
}

static void add_text(struct buf *b, const char *name, const char *text)
{
	buf_printf(b, ",\"%s\":", name);
	if (*text)
		buf_add_json(b, str_of(text));
	else
		buf_lit(b, "null");
}

static void print_json(const struct rejected *r)
{
	struct buf b = BUF_INIT(16384);

	buf_printf(&b, "{\"id\":%" PRId64, r->id);
	add_text(&b, "run_id", r->run_id);
	add_text(&b, "zip", r->zip);
	add_text(&b, "resource_type", r->type);
	add_text(&b, "resource_id", r->resource_id);
	add_text(&b, "reason", r->reason);
	buf_lit(&b, ",\"pointer\":");
	buf_add_json(&b, str_of(r->pointer)); /* "" is a pointer: the whole */
	add_text(&b, "object", r->object);
	buf_printf(&b, ",\"line\":%" PRId64, r->line);
	add_time(&b, "rejected_at", r->rejected_us);
	add_time(&b, "replayed_at", r->replayed_us);
	buf_lit(&b, "}\n");
	if (b.p && !b.failed)
		fwrite(b.p, 1, b.n, stdout);
	buf_free(&b);
}

static void print_table(const struct rejected *rows, size_t n)
{
	if (!n) {
		printf("nothing is rejected\n");
		return;
	}
	printf("%8s  %-5s  %-11s  %-36s  %-8s  %s\n", "id", "zip", "type", "resource", "replayed",
	       "reason");
	for (size_t i = 0; i < n; i++)
		printf("%8" PRId64 "  %-5s  %-11s  %-36s  %-8s  %s%s%s\n", rows[i].id, rows[i].zip,
		       rows[i].type, rows[i].resource_id[0] ? rows[i].resource_id : "-",
		       rows[i].replayed_us == INT64_MIN ? "no" : "yes", rows[i].reason,
		       rows[i].pointer[0] ? " at " : "", rows[i].pointer);
}

static int list(struct rejections *r)
{
	struct rejected *rows = NULL;
	struct err err;
	size_t n = 0;

	if (!rejected_list(r->conn, &r->filter, (int)r->limit, &rows, &n, &err))
		return failed(&err);
	if (!r->json)
		print_table(rows, n);
	for (size_t i = 0; r->json && i < n; i++)
		print_json(&rows[i]);
	free(rows);
	return COMMAND_OK;
}

/* ---- show ---- */

static void print_facts(const struct rejected *r)
{
	char when[CLOCK_TEXT];

	printf("id        %" PRId64 "\nrun       %s\nzip       %s\ntype      %s\nresource  %s\n",
	       r->id, r->run_id, r->zip, r->type, r->resource_id[0] ? r->resource_id : "-");
	printf("reason    %s\npointer   %s\nobject    %s\nline      %" PRId64 "\n", r->reason,
	       r->pointer[0] ? r->pointer : "the whole", r->object, r->line);
	clock_format(r->rejected_us, when);
	printf("rejected  %s\n", when);
	if (r->replayed_us != INT64_MIN)
		clock_format(r->replayed_us, when);
	printf("replayed  %s\n", r->replayed_us == INT64_MIN ? "no" : when);
}

static bool print_raw(const struct rejections *r, const struct rejected *row, struct err *err)
{
	struct land *land = landing_open(r->config, err);
	struct buf raw = BUF_INIT(RESOURCE_MAX + 1);
	bool ok = land && land_get_line(land, row->object, row->line, &raw, err);

	if (ok) {
		fwrite(raw.p, 1, raw.n, stdout);
		putchar('\n');
	}
	buf_free(&raw);
	if (land)
		land_close(land);
	return ok;
}

static int show(struct rejections *r)
{
	struct rejected row;
	struct err err;

	if (!rejected_get(r->conn, r->id, &row, &err))
		return failed(&err);
	if (r->raw)
		return print_raw(r, &row, &err) ? COMMAND_OK : failed(&err);
	if (r->json)
		print_json(&row);
	else
		print_facts(&row);
	return COMMAND_OK;
}

/* ---- replay ---- */

static void print_count(const struct rejections *r, const struct rejected_count *c)
{
	char n[4][REPORT_TEXT];

	if (r->json)
		printf("{\"replayed\":%" PRId64 ",\"older\":%" PRId64 ",\"rejected\":%" PRId64
		       ",\"unreadable\":%" PRId64 "}\n",
		       c->replayed, c->older, c->rejected, c->unreadable);
	else
		printf("%s replayed, %s unchanged or older, %s still rejected, %s unreadable\n",
		       report_number(c->replayed, n[0]), report_number(c->older, n[1]),
		       report_number(c->rejected, n[2]), report_number(c->unreadable, n[3]));
	if (c->trouble[0])
		fprintf(stderr, "fhirline rejected: %s\n", c->trouble);
}

static int replay(struct rejections *r)
{
	struct rejected_count count;
	struct land *land;
	struct err err;
	bool ok;

	land = landing_open(r->config, &err);
	if (!land)
		return failed(&err);
	interrupt_catch();
	ok = rejected_replay(r->conn, land, &clock_system, &r->filter, interrupt_flag(), &count,
	                     &err);
	land_close(land);
	print_count(r, &count);
	if (!ok && err.code == ERR_CANCELLED && interrupted()) {
		fprintf(stderr, "fhirline rejected: interrupted. What is done is kept; the same "
		                "command goes on\n");
		return 128 + interrupted();
	}
	if (!ok)
		return failed(&err);
	return count.rejected || count.unreadable ? COMMAND_INCOMPLETE : COMMAND_OK;
}

/* ---- the command ---- */

static const struct action {
	const char *name;
	int (*run)(struct rejections *r);
	bool one; /* takes a number; else flags that filter */
} actions[] = {
    {"list", list, false},
    {"show", show, true},
    {"replay", replay, false},
};

static const struct action *find(const char *name)
{
	for (size_t i = 0; i < sizeof actions / sizeof *actions; i++)
		if (strcmp(actions[i].name, name) == 0)
			return &actions[i];
	return NULL;
}

static int check_one(struct rejections *r, int nargs, char **argv)
{
	if (r->filter.run_id || r->filter.zip || r->limit_text)
		return command_usage("rejected", "show takes --raw and --json alone");
	if (nargs != 2 || !str_int(str_of(argv[2]), 1, INT64_MAX, &r->id))
		return command_usage(
		    "rejected",
		    "show takes one number; `fhirline rejected list` shows them (column id)");
	return COMMAND_OK;
}

static int check_filter(struct rejections *r, const struct action *a, int nargs, char **argv)
{
	r->limit = LIST_LIMIT;
	if (nargs != 1)
		return command_usage("rejected", "%s takes flags alone, not \"%.*s\"", a->name,
		                     command_quotable(argv[2]), argv[2]);
	if (r->raw)
		return command_usage("rejected", "--raw belongs to show");
	if (r->filter.run_id && !uuid_valid(str_of(r->filter.run_id)))
		return command_usage("rejected",
		                     "--run takes a run id; `fhirline runs list` shows them");
	if (r->filter.zip && !str_is_zip(str_of(r->filter.zip)))
		return command_usage("rejected", "--zip takes five digits, such as 02139");
	if (r->limit_text && a->run != list)
		return command_usage("rejected", "--limit belongs to list");
	if (r->limit_text && !str_int(str_of(r->limit_text), 1, LIST_MAX, &r->limit))
		return command_usage("rejected", "--limit is a number from 1 to %d", LIST_MAX);
	return COMMAND_OK;
}

static int run_action(struct rejections *r, const struct action *a)
{
	struct err err;
	int code;

	r->conn = database_open(r->config, "fhirline rejected", &err);
	code = r->conn ? a->run(r) : failed(&err);
	pg_conn_close(r->conn);
	return code;
}

int cmd_rejected(int argc, char **argv)
{
	struct rejections r = {0};
	const struct config_flag flags[] = {
	    {"run", "RUN", "list, replay: what this run rejected", .value = &r.filter.run_id},
	    {"zip", "ZIP", "list, replay: of this zip code", .value = &r.filter.zip},
	    {"limit", "N", "list: at most so many, newest first (20)", .value = &r.limit_text},
	    {"raw", NULL, "show: print the resource as it was landed, health data and all",
	     .on = &r.raw},
	    {"json", NULL, "JSON, one object a line", .on = &r.json},
	    {0}};
	const struct action *a;
	int nargs, code;

	if (!command_start(argc, argv, flags, &r.config, &nargs, &code))
		return code;
	a = nargs ? find(argv[1]) : NULL;
	if (!a)
		code = command_usage("rejected", "say what to do: list, show or replay");
	else
		code = a->one ? check_one(&r, nargs, argv) : check_filter(&r, a, nargs, argv);
	if (code == COMMAND_OK)
		code = run_action(&r, a);
	config_free(r.config);
	return code;
}
