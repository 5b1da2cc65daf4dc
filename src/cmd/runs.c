/* SPDX-License-Identifier: Apache-2.0
 *
 * `fhirline runs list|show|cancel|retry`: what runs there are, how they went, and the two things
 * that can be done about one. Only a database is needed.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "cmd/command.h"
#include "cmd/database.h"
#include "cmd/interrupt.h"
#include "cmd/report.h"

#define LIST_LIMIT 20
#define LIST_MAX 1000
#define LOOK_MS 100
#define ASK_MS 1000
#define CANCEL_MS 45000 /* engines hear within a second; a dead one's lease ends after 30 s */

static const char states[] = "pending, running, completed, incomplete, failed or cancelled";

struct runs {
	struct config *config;
	struct pg_conn *conn;
	const char *zip, *state, *limit_text; /* NULL: not given */
	const char *id;                       /* of show, cancel, retry */
	int64_t limit;
	bool json;
};

static void print(struct buf *b)
{
	if (b->p && !b->failed)
		fwrite(b->p, 1, b->n, stdout);
	buf_free(b);
}

static bool ended(const struct flow_run_view *run)
{
	return strcmp(run->state, "pending") != 0 && strcmp(run->state, "running") != 0;
}

/* ---- list ---- */

static const char *list_time(int64_t us, char out[CLOCK_TEXT])
{
	if (us == INT64_MIN)
		return "-";
	clock_format(us - us % 1000000, out);
	return out;
}

static void list_row(const struct flow_run_view *run)
{
	char when[CLOCK_TEXT], took[REPORT_TEXT], n[3][REPORT_TEXT];

	printf("%-36s  %-5s  %-11s  %-10s  %-9s  %-20s  %12s  %10s  %12s  %8s\n", run->id, run->zip,
	       run->kind, run->state, run->phase, list_time(run->requested_us, when),
	       run->ended_us == INT64_MIN ? "-" : report_duration(report_took_ms(run), took),
	       report_number(run->patient.fetched, n[0]),
	       report_number(run->observation.fetched, n[1]),
	       report_number(run->patient.rejected + run->observation.rejected, n[2]));
}

static void list_table(const struct flow_run_view *runs, size_t n)
{
	if (!n) {
		printf("no runs\n");
		return;
	}
	printf("%-36s  %-5s  %-11s  %-10s  %-9s  %-20s  %12s  %10s  %12s  %8s\n", "run", "zip",
	       "kind", "state", "phase", "asked for", "took", "patients", "observations",
	       "rejected");
	for (size_t i = 0; i < n; i++)
		list_row(&runs[i]);
}

static int runs_list(struct runs *r)
{
	struct flow_run_view *runs = NULL;
	struct err err;
	size_t n = 0;

	if (!flow_run_list(r->conn, r->zip, r->state, (int)r->limit, &runs, &n, &err))
		return command_fail("runs", &err);
	if (!r->json)
		list_table(runs, n);
	for (size_t i = 0; r->json && i < n; i++) {
		struct buf b = BUF_INIT(16384);

		report_json(&b, &runs[i]);
		print(&b);
	}
	free(runs);
	return COMMAND_OK;
}

/* ---- show ---- */

static void show_times(struct buf *b, const struct flow_run_view *run)
{
	char text[3][CLOCK_TEXT], read[REPORT_TEXT], known[REPORT_TEXT];

	buf_printf(b, "  asked for %s, started %s, ended %s; phase %s\n",
	           list_time(run->requested_us, text[0]), list_time(run->started_us, text[1]),
	           list_time(run->ended_us, text[2]), run->phase);
	if (!ended(run))
		buf_printf(b, "  observations read of %s of %s patients\n",
		           report_number(run->patients_read, read),
		           report_number(run->patients_known, known));
}

static void show_run(const struct runs *r, const struct flow_run_view *run)
{
	struct buf b = BUF_INIT(32768);

	if (r->json) {
		report_json(&b, run);
	} else {
		report_table(&b, run);
		show_times(&b, run);
	}
	print(&b);
}

static int runs_show(struct runs *r)
{
	struct flow_run_view run;
	struct err err;

	if (!flow_run_view(r->conn, r->id, &run, &err))
		return command_fail("runs", &err);
	show_run(r, &run);
	return COMMAND_OK;
}

/* ---- cancel ---- */

/* Asks, and waits until the run has ended, or for as long as our patience lasts. Asks again: an
 * owner that died is believed to be alive until its lease runs out. */
static bool cancel_wait(struct runs *r, struct flow_run_view *run, struct err *err)
{
	int64_t now = clock_mono_ms(&clock_system), until = now + CANCEL_MS, ask = now;

	for (;;) {
		if (now >= ask) {
			/* not found: it has ended since we looked */
			if (!flow_run_cancel(r->conn, r->id, err) && err->code != ERR_NOT_FOUND)
				return false;
			ask = now + ASK_MS;
		}
		if (!flow_run_view(r->conn, r->id, run, err))
			return false;
		if (ended(run) || interrupted() || now > until)
			return true;
		interrupt_sleep(LOOK_MS);
		now = clock_mono_ms(&clock_system);
	}
}

static int say_cancelled(const struct runs *r, const struct flow_run_view *run)
{
	if (!ended(run) && interrupted()) {
		fprintf(stderr, "fhirline runs: the run is asked to end, but has not yet\n");
		return 128 + interrupted();
	}
	show_run(r, run);
	if (strcmp(run->state, "cancelled") == 0) {
		fprintf(stderr,
		        "fhirline runs: cancelled. What is done is kept: fhirline ingest %s goes "
		        "on from here\n",
		        run->zip);
		return COMMAND_OK;
	}
	if (ended(run))
		fprintf(stderr, "fhirline runs: it was %s before it could be cancelled\n",
		        run->state);
	else
		fprintf(stderr,
		        "fhirline runs: the run is asked to end, but its engine has not done so "
		        "within %d s; `fhirline runs show %s` tells when it has\n",
		        CANCEL_MS / 1000, r->id);
	return COMMAND_FAILED;
}

static int runs_cancel(struct runs *r)
{
	struct flow_run_view run;
	struct err err;

	if (!flow_run_view(r->conn, r->id, &run, &err))
		return command_fail("runs", &err);
	if (ended(&run)) {
		err_set(&err, ERR_CONFLICT, "runs", "run %s has ended already: it is %s", r->id,
		        run.state);
		return command_fail("runs", &err);
	}
	interrupt_catch();
	if (!cancel_wait(r, &run, &err))
		return command_fail("runs", &err);
	return say_cancelled(r, &run);
}

/* ---- retry ---- */

static bool refuse(const struct runs *r, const struct flow_run_view *run, enum flow_verdict verdict,
                   struct err *err)
{
	if (verdict == FLOW_REFUSED)
		return err_set(err, ERR_CONFLICT, "runs",
		               "run %s was made for another source or by other mapping rules; "
		               "fhirline ingest --fresh %s starts over",
		               r->id, run->zip);
	if (verdict == FLOW_ACTIVE)
		return err_set(err, ERR_CONFLICT, "runs",
		               ended(run) ? "another run of %s is under way: wait for it, or "
		                            "cancel it (fhirline runs list --zip %s)"
		                          : "the run of %s is under way: fhirline ingest %s "
		                            "follows it",
		               run->zip, run->zip);
	if (strcmp(run->state, "failed") == 0 || strcmp(run->state, "cancelled") == 0)
		return err_set(err, ERR_CONFLICT, "runs",
		               "a later run of %s has taken the place of run %s", run->zip, r->id);
	return err_set(err, ERR_CONFLICT, "runs",
	               "run %s is %s, and no batch of it can be read again; fhirline ingest %s "
	               "begins the next",
	               r->id, run->state, run->zip);
}

static int runs_retry(struct runs *r)
{
	struct flow_run_view run;
	enum flow_verdict verdict;
	struct err err;
	char *source;
	bool ok;

	if (!config_require(r->config, OPT_FHIR_URL, &err))
		return command_fail("runs", &err);
	source = fhir_base_url(config_str(r->config, OPT_FHIR_URL), &err);
	ok = source && flow_run_retry(r->conn, r->id, source, &verdict, &err) &&
	     flow_run_view(r->conn, r->id, &run, &err) &&
	     (verdict == FLOW_RESUMED || refuse(r, &run, verdict, &err));
	free(source);
	if (!ok)
		return command_fail("runs", &err);
	show_run(r, &run);
	fprintf(stderr,
	        "fhirline runs: it goes on as soon as an engine takes it up: a `fhirline serve` on "
	        "this database, or fhirline ingest %s\n",
	        run.zip);
	return COMMAND_OK;
}

/* ---- the command ---- */

static const struct action {
	const char *name;
	int (*run)(struct runs *r);
	bool one; /* takes a run id; else flags that filter */
} actions[] = {
    {"list", runs_list, false},
    {"show", runs_show, true},
    {"cancel", runs_cancel, true},
    {"retry", runs_retry, true},
};

static const struct action *find(const char *name)
{
	for (size_t i = 0; i < sizeof actions / sizeof *actions; i++)
		if (strcmp(actions[i].name, name) == 0)
			return &actions[i];
	return NULL;
}

static bool state_valid(const char *state)
{
	static const char *const names[] = {"pending",    "running", "completed",
	                                    "incomplete", "failed",  "cancelled"};

	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (strcmp(state, names[i]) == 0)
			return true;
	return false;
}

/* What is wrong with the arguments: an exit code; COMMAND_OK when nothing is. */
static int check_one(struct runs *r, const struct action *a, int nargs, char **argv)
{
	if (r->zip || r->state || r->limit_text)
		return command_usage("runs", "--zip, --state and --limit belong to list");
	if (nargs != 2)
		return command_usage("runs", "%s takes one run id; `fhirline runs list` shows them",
		                     a->name);
	if (!uuid_valid(str_of(argv[2])))
		return command_usage("runs",
		                     "\"%.*s\" is not a run id; `fhirline runs list` shows them",
		                     command_quotable(argv[2]), argv[2]);
	r->id = argv[2];
	return COMMAND_OK;
}

static int check_list(struct runs *r, int nargs, char **argv)
{
	r->limit = LIST_LIMIT;
	if (nargs != 1)
		return command_usage("runs", "list takes flags alone, not \"%.*s\"",
		                     command_quotable(argv[2]), argv[2]);
	if (r->zip && !str_is_zip(str_of(r->zip)))
		return command_usage("runs", "--zip takes five digits, such as 02139");
	if (r->state && !state_valid(r->state))
		return command_usage("runs", "--state is %s", states);
	if (r->limit_text && !str_int(str_of(r->limit_text), 1, LIST_MAX, &r->limit))
		return command_usage("runs", "--limit is a number from 1 to %d", LIST_MAX);
	return COMMAND_OK;
}

static int run_action(struct runs *r, const struct action *a)
{
	struct err err;
	int code;

	r->conn = database_open(r->config, "fhirline runs", &err);
	code = r->conn ? a->run(r) : command_fail("runs", &err);
	pg_conn_close(r->conn);
	return code;
}

int cmd_runs(int argc, char **argv)
{
	struct runs r = {0};
	const struct config_flag flags[] = {
	    {"zip", "ZIP", "list: runs of this zip code", .value = &r.zip},
	    {"state", "STATE", "list: runs that are pending, running, completed, …",
	     .value = &r.state},
	    {"limit", "N", "list: at most so many, newest first (20)", .value = &r.limit_text},
	    {"json", NULL, "One JSON object a run, one a line", .on = &r.json},
	    {0}};
	const struct action *a;
	int nargs, code;

	if (!command_start(argc, argv, flags, &r.config, &nargs, &code))
		return code;
	a = nargs ? find(argv[1]) : NULL;
	if (!a)
		code = command_usage("runs", "say what to do: list, show, cancel or retry");
	else
		code = a->one ? check_one(&r, a, nargs, argv) : check_list(&r, nargs, argv);
	if (code == COMMAND_OK)
		code = run_action(&r, a);
	config_free(r.config);
	return code;
}
