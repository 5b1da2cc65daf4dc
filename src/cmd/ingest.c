/* SPDX-License-Identifier: Apache-2.0
 *
 * `fhirline ingest ZIP…`: asks for a run of each zip code in turn, drives it with an engine of this
 * process, and shows how it goes. A run that another process drives is followed.
 */
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/thread.h"
#include "cmd/command.h"
#include "cmd/engine.h"
#include "cmd/interrupt.h"
#include "cmd/report.h"
#include "cmd/watch.h"

#define DRAW_MS 200
#define WAKE_MS 20 /* how soon an interrupt reaches a request that blocks the command */

struct ingest {
	struct config *config;
	struct parts parts;
	bool fresh, full, json, allow_mass_delete;
};

static void print(struct buf *b, FILE *out)
{
	if (b->p && !b->failed)
		fwrite(b->p, 1, b->n, out);
	fflush(out);
	buf_free(b);
}

static int failed(const struct ingest *in, const char *zip, const struct err *err)
{
	struct buf b = BUF_INIT(4096);

	log_status(NULL);
	if (in->json) {
		report_json_failed(&b, zip, err);
		print(&b, stdout);
	}
	return command_fail("ingest", err);
}

/* ---- one zip code ---- */

static bool ask(struct ingest *in, const char *zip, char run_id[UUID_TEXT], struct err *err)
{
	struct flow_request request = {.zip = zip,
	                               .source_url = fhir_source_url(in->parts.source),
	                               .full = in->full,
	                               .fresh = in->fresh,
	                               .allow_mass_delete = in->allow_mass_delete};
	enum flow_verdict verdict;

	if (!flow_run_request(in->parts.conn, &clock_system, &request, run_id, &verdict, err))
		return false;
	if (verdict == FLOW_REFUSED)
		return err_set(
		    err, ERR_CONFLICT, "ingest",
		    "the last run of %s did not end, and was for another source or made by "
		    "another version; --fresh starts a new one",
		    zip);
	if (verdict == FLOW_ACTIVE)
		log_info("going on with the run that is under way", LOG_STR("zip", zip),
		         LOG_STR("run", run_id));
	else if (verdict == FLOW_RESUMED)
		log_info("going on with the run that stopped; --fresh would start over",
		         LOG_STR("zip", zip), LOG_STR("run", run_id));
	else
		log_info("run started", LOG_STR("zip", zip), LOG_STR("run", run_id));
	return true;
}

static int report(const struct ingest *in, const struct flow_run_view *run)
{
	struct buf b = BUF_INIT(16384);
	int code = watch_exit_code(run);

	log_status(NULL);
	report_table(&b, run);
	print(&b, in->json ? stderr : stdout);
	if (code == COMMAND_FAILED)
		fprintf(stderr, "fhirline ingest: %s %s; the same command goes on from here\n",
		        run->zip, run->state);
	if (in->json) {
		report_json(&b, run);
		print(&b, stdout);
	}
	return code;
}

static int stopped(const struct ingest *in, const char *zip, const struct err *err)
{
	if (!interrupted())
		return failed(in, zip, err);
	log_status(NULL);
	if (config_is(in->config, OPT_ENGINE, "temporal")) {
		fprintf(
		    stderr,
		    "fhirline ingest: interrupted. Temporal goes on with the run; the same command "
		    "follows it again, `fhirline runs` shows and cancels it\n");
		return 128 + interrupted();
	}
	fprintf(stderr,
	        "fhirline ingest: interrupted. What is done is kept; the same command resumes: "
	        "fhirline ingest %s\n",
	        zip);
	return 128 + interrupted();
}

static int ingest_zip(struct ingest *in, const char *zip)
{
	char run_id[UUID_TEXT];
	struct engine engine = {.local = NULL};
	struct flow_run_view run = {0};
	struct err err;
	bool done;

	if (!ask(in, zip, run_id, &err))
		return failed(in, zip, &err);
	if (!engine_start(&engine, &in->parts, in->config, run_id, &err)) {
		engine_stop(&engine);
		return failed(in, zip, &err);
	}
	done = watch_run(in->parts.conn, run_id, NULL, &run, &err);
	engine_stop(&engine);
	/* it may have ended while we were stopping */
	return done ? report(in, &run) : stopped(in, zip, &err);
}

/* ---- the command ---- */

static bool zips_valid(int n, char **zips, int *code)
{
	if (!n) {
		*code = command_usage("ingest", "give one or more zip codes, such as 02139");
		return false;
	}
	for (int i = 0; i < n; i++)
		if (!str_is_zip(str_of(zips[i]))) {
			*code = command_usage(
			    "ingest",
			    "\"%.*s\" is not a zip code: it has five digits, such as 02139",
			    (int)strcspn(zips[i], "\r\n\033"), zips[i]);
			return false;
		}
	return true;
}

struct waker {
	struct http_client *http;
	atomic_bool done;
};

/* A request looks at its cancel flag when it is told to: this thread does that while one blocks the
 * command. */
static void *wake_when_interrupted(void *arg)
{
	struct waker *w = arg;

	while (!atomic_load(&w->done)) {
		if (interrupted()) {
			http_client_wake(w->http);
			clock_sleep_ms(DRAW_MS);
		} else {
			interrupt_sleep(WAKE_MS);
		}
	}
	return NULL;
}

static bool ask_source(struct ingest *in, struct fhir_capability *capability, struct err *err)
{
	struct waker waker = {.http = in->parts.http};
	pthread_t thread;
	bool ok, watched = thread_start(&thread, wake_when_interrupted, &waker) == 0;

	ok = fhir_capability(in->parts.source, interrupt_flag(), capability, err);
	atomic_store(&waker.done, true);
	if (watched)
		pthread_join(thread, NULL);
	return ok;
}

/* An answer now is better than one after all the retries of a run; but a server that is merely busy
 * is the run's affair. */
static bool source_fits(struct ingest *in, struct err *err)
{
	struct fhir_capability capability;

	if (ask_source(in, &capability, err)) {
		log_info("source", LOG_STR("url", fhir_source_url(in->parts.source)),
		         LOG_STR("software", capability.software),
		         LOG_STR("fhir", capability.fhir_version));
		return true;
	}
	return err->code == ERR_BUSY;
}

static int ingest_all(struct ingest *in, int n, char **zips)
{
	int worst = COMMAND_OK;
	struct err err;

	if (!parts_open(&in->parts, in->config, "fhirline ingest", &err))
		return failed(in, zips[0], &err);
	interrupt_catch();
	if (!source_fits(in, &err)) {
		worst = stopped(in, zips[0], &err);
	} else {
		for (int i = 0; i < n && !interrupted(); i++) {
			int code = ingest_zip(in, zips[i]);

			/* failed outweighs incomplete */
			if (worst == COMMAND_OK || code == COMMAND_FAILED || code > 128)
				worst = code != COMMAND_OK ? code : worst;
		}
	}
	parts_close(&in->parts);
	return worst;
}

int cmd_ingest(int argc, char **argv)
{
	struct ingest in = {0};
	const struct config_flag flags[] = {
	    {"fresh", NULL, "Begin a new run where an earlier one could be resumed",
	     .on = &in.fresh},
	    {"full", NULL, "Read everything, not only what has changed", .on = &in.full},
	    {"allow-mass-delete", NULL, "Go on when more than mass-delete-share has vanished",
	     .on = &in.allow_mass_delete},
	    {"json", NULL, "End each zip code with one JSON object on standard output",
	     .on = &in.json},
	    {0}};
	int nargs, code;

	if (!command_start(argc, argv, flags, &in.config, &nargs, &code))
		return code;
	if (zips_valid(nargs, argv + 1, &code))
		code = ingest_all(&in, nargs, argv + 1);
	config_free(in.config);
	return code;
}
