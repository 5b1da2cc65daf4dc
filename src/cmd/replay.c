/* SPDX-License-Identifier: Apache-2.0
 *
 * `fhirline replay RUN|--zip ZIP|--all`: the tables made again from the landing zone. The source is
 * not asked, and its address is not needed.
 */
#include "flow/replay.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "cmd/command.h"
#include "cmd/database.h"
#include "cmd/interrupt.h"
#include "cmd/parts.h"
#include "cmd/report.h"
#include "cmd/watch.h"

struct replaying {
	struct config *config;
	struct parts parts; /* without a source */
	const char *run_id, *zip, *into;
	bool all, json;
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

	if (pthread_create(&thread, NULL, work, &w) != 0) {
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
	                                   .into = p->into};
	struct lineage lineage;
	struct replay *replay;
	struct err err;
	int code;

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
		code = p->all ? replay_all(p) : replay_one(p);
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
	return COMMAND_OK;
}

int cmd_replay(int argc, char **argv)
{
	struct replaying p = {0};
	const struct config_flag flags[] = {
	    {"zip", "ZIP", "This zip code", .value = &p.zip},
	    {"all", NULL, "Every zip code of the landing zone", .on = &p.all},
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
