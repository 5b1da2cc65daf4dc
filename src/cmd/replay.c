/* SPDX-License-Identifier: Apache-2.0
 *
 * `fhirline replay RUN|--zip ZIP|--all`: the tables made again from the landing zone. The source is
 * not asked, and its address is not needed.
 */
#include "flow/replay.h"
#include "flow/swap.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/thread.h"
#include "cmd/command.h"
#include "cmd/database.h"
#include "cmd/interrupt.h"
#include "cmd/parts.h"
#include "cmd/report.h"
#include "cmd/watch.h"

#define BESIDE "fhirline_replay" /* where empty tables are loaded, to be exchanged at once */

struct replaying {
	struct config *config;
	struct parts parts; /* without a source */
	const char *run_id, *zip, *into;
	bool all, json;
	const char *target; /* a schema beside the live tables; NULL: those themselves */
};

static void print(struct buf *b, FILE *out)
{
	if (b->p && !b->failed)
		fwrite(b->p, 1, b->n, out);
	fflush(out);
	buf_free(b);
}

static int failed(const struct replaying *p, const char *zip, const struct err *err)
{
	struct buf b = BUF_INIT(4096);

	log_status(NULL);
	if (p->json && zip) {
		report_json_failed(&b, zip, err);
		print(&b, stdout);
	}
	return command_fail("replay", err);
}

static int report(const struct replaying *p, const struct flow_run_view *run)
{
	struct buf b = BUF_INIT(16384);
	int code = watch_exit_code(run);

	log_status(NULL);
	report_table(&b, run);
	print(&b, p->json ? stderr : stdout);
	if (code == COMMAND_FAILED)
		fprintf(stderr, "fhirline replay: %s %s; the same command goes on from here\n",
		        run->zip, run->state);
	if (p->json) {
		report_json(&b, run);
		print(&b, stdout);
	}
	return code;
}

/* ---- one zip code ---- */

/* The replay works in a thread of its own while the command shows how it goes. */
struct working {
	struct replay *replay;
	struct err err;
	bool ok;
	atomic_bool over;
};

static void *work(void *arg)
{
	struct working *w = arg;

	w->ok = replay_work(w->replay, interrupt_flag(), &w->err);
	atomic_store(&w->over, true);
	return NULL;
}

static int stopped(const struct replaying *p, const char *zip, const struct err *err)
{
	if (!interrupted())
		return failed(p, zip, err);
	log_status(NULL);
	fprintf(stderr, "fhirline replay: interrupted. What is done is kept; the same command goes "
	                "on\n");
	return 128 + interrupted();
}

static int drive(const struct replaying *p, struct replay *replay, const char *zip)
{
	struct working w = {.replay = replay};
	struct flow_run_view run = {0};
	pthread_t thread;
	struct err err;
	bool seen;

	if (thread_start(&thread, work, &w) != 0) {
		err_set(&err, ERR_NOMEM, "replay", "cannot start a thread");
		return failed(p, zip, &err);
	}
	seen = watch_run(p->parts.conn, replay_run_id(replay), &w.over, &run, &err);
	pthread_join(thread, NULL);
	/* it may have ended while we were stopping, and its own reason is better than ours */
	return seen ? report(p, &run) : stopped(p, zip, w.ok ? &err : &w.err);
}

static int replay_zip(const struct replaying *p, const char *zip)
{
	struct replay_settings settings = {.flow = parts_flow_settings(&p->parts, p->config, NULL),
	                                   .into = p->target};
	struct lineage lineage;
	struct replay *replay;
	struct err err;
	int code;

	settings.flow.landing_csv = false; /* what is landed stays as it is */
	if (!lineage_load(p->parts.land, zip, p->run_id, &lineage, &err))
		return failed(p, zip, &err);
	replay = replay_open(&settings, &lineage, &err);
	code = replay ? drive(p, replay, zip) : failed(p, zip, &err);
	replay_close(replay);
	lineage_free(&lineage);
	return code;
}

/* Failed outweighs incomplete. */
static int worse(int a, int b)
{
	return a == COMMAND_OK || b == COMMAND_FAILED || b > 128 ? (b ? b : a) : a;
}

static int replay_all(const struct replaying *p)
{
	char(*zips)[6] = NULL;
	int code = COMMAND_OK;
	struct err err;
	size_t n = 0;

	if (!lineage_zips(p->parts.land, &zips, &n, &err))
		return failed(p, NULL, &err);
	if (!n) {
		err_set(&err, ERR_NOT_FOUND, "replay", "the landing zone has no run");
		code = failed(p, NULL, &err);
	}
	for (size_t i = 0; i < n && !interrupted(); i++)
		code = worse(code, replay_zip(p, zips[i]));
	free(zips);
	return code;
}

static int replay_one(const struct replaying *p)
{
	char zip[6];
	struct err err;

	if (p->zip)
		return replay_zip(p, p->zip);
	if (!lineage_zip_of(p->parts.land, p->run_id, zip, &err))
		return failed(p, NULL, &err);
	return replay_zip(p, zip);
}

static int replay_target(const struct replaying *p)
{
	return p->all ? replay_all(p) : replay_one(p);
}

/* ---- beside the live tables ---- */

/* One at a time, as long as the session lives. */
static bool lock_target(const struct replaying *p, struct err *err)
{
	static const char *const params[] = {"-1"};
	PGresult *res = pg_query(p->parts.conn, sql_get("replay_lock"), 1, params, err);
	bool ok = res && pg_bool(res, 0, 0);

	if (res && !ok)
		err_set(err, ERR_CONFLICT, "replay",
		        "another replay that exchanges tables is under way");
	PQclear(res);
	return ok;
}

static bool begin_into(struct replaying *p, struct err *err)
{
	struct swap_look now;

	if (!swap_look(p->parts.conn, p->into, &now, err))
		return false;
	if (now.there && !now.being_loaded)
		return err_set(err, ERR_CONFLICT, "replay",
		               "the schema %s is there and is not one that a replay is loading: "
		               "drop it, or name another",
		               p->into);
	p->target = p->into;
	return swap_possible(p->parts.conn, err) &&
	       (now.there || swap_prepare(p->parts.conn, p->into, err));
}

/* Empty tables are filled faster when their indexes are built last, which must not be done to
 * tables that others use. Where that cannot be (no right to make a schema, something hangs on the
 * tables) the live ones are filled as they are. */
static bool begin_beside(struct replaying *p, struct err *err)
{
	struct swap_look now;
	struct err why;

	if (!swap_look(p->parts.conn, BESIDE, &now, err))
		return false;
	if (now.there && !now.being_loaded)
		return true; /* somebody else's */
	if (!now.live_empty)
		return !now.there || swap_drop(p->parts.conn, BESIDE, err);
	if (swap_possible(p->parts.conn, &why) &&
	    (now.there || swap_prepare(p->parts.conn, BESIDE, &why)))
		p->target = BESIDE;
	return true;
}

static bool begin_target(struct replaying *p, struct err *err)
{
	return lock_target(p, err) && (p->into ? begin_into(p, err) : begin_beside(p, err));
}

static bool exchange(const struct replaying *p, struct err *err)
{
	log_status("building indexes");
	if (!swap_index(p->parts.conn, p->target, err))
		return false;
	log_status("exchanging the tables");
	if (!swap_exchange(p->parts.conn, p->target, interrupt_flag(), err))
		return false;
	log_status(NULL);
	return p->into || swap_drop(p->parts.conn, p->target, err);
}

static int end_into(const struct replaying *p, int code)
{
	struct err err;

	if (!exchange(p, &err)) {
		int failure = stopped(p, NULL, &err);

		/* what could not be read says more than what follows from it */
		return err.code == ERR_CONFLICT && code == COMMAND_INCOMPLETE ? code : failure;
	}
	fprintf(
	    stderr,
	    "fhirline replay: the tables are exchanged. The former ones are in schema %s: drop it "
	    "when nobody\nmisses them (DROP SCHEMA %s CASCADE)\n",
	    p->into, p->into);
	return code;
}

/* Somebody loads the tables meanwhile: then they are filled as they are, what is there counts as
 * unchanged. */
static int end_beside(struct replaying *p, int code)
{
	struct err err;

	if (exchange(p, &err))
		return code;
	if (err.code != ERR_CONFLICT || !swap_drop(p->parts.conn, p->target, &err))
		return stopped(p, NULL, &err);
	p->target = NULL;
	return replay_target(p);
}

static int run_target(struct replaying *p)
{
	struct err err;
	int code;

	if (!begin_target(p, &err))
		return failed(p, NULL, &err);
	code = replay_target(p);
	if (!p->target || (code != COMMAND_OK && code != COMMAND_INCOMPLETE))
		return code;
	return p->into ? end_into(p, code) : end_beside(p, code);
}

/* ---- the command ---- */

static int run(struct replaying *p)
{
	struct err err;
	int code;

	p->parts.database = database_options(p->config, "fhirline replay");
	p->parts.conn = database_open(p->config, "fhirline replay", &err);
	p->parts.land = p->parts.conn ? landing_open(p->config, &err) : NULL;
	if (p->parts.land) {
		interrupt_catch();
		code = run_target(p);
	} else {
		code = failed(p, NULL, &err);
	}
	parts_close(&p->parts);
	return code;
}

static int check(struct replaying *p, int nargs, char **argv)
{
	p->run_id = nargs ? argv[1] : NULL;
	if (nargs > 1 || (p->run_id != NULL) + (p->zip != NULL) + p->all != 1)
		return command_usage("replay", "say what to replay: a run id, --zip ZIP or --all");
	if (p->run_id && !uuid_valid(str_of(p->run_id)))
		return command_usage("replay",
		                     "\"%.*s\" is not a run id; `fhirline runs list` shows them",
		                     command_quotable(p->run_id), p->run_id);
	if (p->zip && !str_is_zip(str_of(p->zip)))
		return command_usage("replay", "--zip takes five digits, such as 02139");
	if (p->into && !swap_schema_valid(p->into))
		return command_usage("replay",
		                     "--into takes a name of at most 50 letters, digits and "
		                     "_, not pg_…, public or stage");
	return COMMAND_OK;
}

int cmd_replay(int argc, char **argv)
{
	struct replaying p = {0};
	const struct config_flag flags[] = {
	    {"zip", "ZIP", "This zip code", .value = &p.zip},
	    {"all", NULL, "Every zip code of the landing zone", .on = &p.all},
	    {"into", "SCHEMA",
	     "Load beside the live tables, in a new schema, then exchange them at once",
	     .value = &p.into},
	    {"json", NULL, "End each zip code with one JSON object on standard output",
	     .on = &p.json},
	    {0}};
	int nargs, code;

	if (!command_start(argc, argv, flags, &p.config, &nargs, &code))
		return code;
	code = check(&p, nargs, argv);
	if (code == COMMAND_OK)
		code = run(&p);
	config_free(p.config);
	return code;
}
