/* SPDX-License-Identifier: Apache-2.0
 *
 * `fhirline worker`: takes workflow and activity tasks from Temporal, and answers for its health
 * and its figures on an address of its own.
 */
#include <pthread.h>
#include <stdio.h>

#include "api/api.h"
#include "api/metrics.h"
#include "base/log.h"
#include "base/thread.h"
#include "cmd/command.h"
#include "cmd/database.h"
#include "cmd/engine.h"
#include "cmd/interrupt.h"
#include "cmd/secrets.h"

#define LOOK_MS 200

struct work {
	struct parts parts;
	struct engine engine;
	struct flow_settings flow;
	struct workflow_worker *worker;
	struct workflow_herald *herald;
	struct api_engine api_engine;
	struct api *api;
	pthread_t api_thread;
	bool api_running;
};

/* ---- health and figures ---- */

static void flow_stats(void *ctx, struct flow_engine_stats *out)
{
	struct workflow_stats tasks;

	workflow_worker_stats(((struct work *)ctx)->worker, &tasks, out);
}

static void metrics(void *ctx, struct buf *out)
{
	struct flow_engine_stats flow;
	struct workflow_stats s;

	workflow_worker_stats(((struct work *)ctx)->worker, &s, &flow);
	metrics_gauge(out, "fhirline_temporal_tasks_active", "Tasks under way.", s.running);
	metrics_counter(out, "fhirline_temporal_polls_total", "Long polls.", s.polls);
	metrics_counter(out, "fhirline_temporal_poll_errors_total", "Those that failed.",
	                s.poll_errors);
	metrics_counter(out, "fhirline_temporal_workflow_tasks_total", "Workflow tasks.", s.tasks);
	metrics_counter(out, "fhirline_temporal_workflow_tasks_failed_total", "Those that failed.",
	                s.tasks_failed);
	metrics_counter(out, "fhirline_temporal_queries_total", "Queries.", s.queries);
	metrics_counter(out, "fhirline_temporal_activities_total", "Attempts at activities.",
	                s.activities);
	metrics_counter(out, "fhirline_temporal_activities_failed_total", "Those that failed.",
	                s.activities_failed);
	metrics_counter(out, "fhirline_temporal_activities_cancelled_total",
	                "Those that were cancelled.", s.activities_cancelled);
	metrics_counter(out, "fhirline_temporal_heartbeats_total", "Heartbeats sent.",
	                s.heartbeats);
	metrics_counter(out, "fhirline_temporal_answers_lost_total",
	                "Answers that did not arrive or were not waited for any more.",
	                s.answers_lost);
}

static bool well(void *ctx, char *text, size_t size)
{
	return workflow_herald_well(((struct work *)ctx)->herald, text, size);
}

static void *run_api(void *arg)
{
	struct work *w = arg;
	struct err err;

	if (!api_run(w->api, &err))
		log_err(LOG_WARN, "health and metrics are not answered any more", &err);
	return NULL;
}

static bool start_api(struct work *w, const struct config *config, struct err *err)
{
	struct api_options options = {
	    .listen = config_str(config, OPT_WORKER_LISTEN),
	    .database_url = config_str(config, OPT_DATABASE_URL),
	    .database_login = secrets_login(config),
	    .connections = 1,
	    .operations_only = true,
	    .engine = &w->api_engine,
	    .note = command_note,
	};

	w->api_engine = (struct api_engine){.words = "Temporal answers",
	                                    .stats = flow_stats,
	                                    .metrics = metrics,
	                                    .well = well,
	                                    .ctx = w};
	w->api = api_start(&options, err);
	if (!w->api)
		return false;
	w->api_running = thread_start(&w->api_thread, run_api, w) == 0;
	return w->api_running ||
	       err_set(err, ERR_NOMEM, "worker", "cannot start a thread for health and metrics");
}

/* ---- the command ---- */

static bool open_all(struct work *w, const struct config *config, struct err *err)
{
	char host[64];
	int port;

	/* what is cheap to find wrong first */
	if (!api_listen_parse(config_str(config, OPT_WORKER_LISTEN), host, &port, err) ||
	    !parts_open(&w->parts, config, "fhirline worker", err))
		return false;
	pg_conn_close(w->parts.conn); /* activities have connections of their own */
	w->parts.conn = NULL;
	w->flow = parts_flow_settings(&w->parts, config, NULL);
	if (!engine_workflow_settings(&w->engine, &w->parts, config, err))
		return false;
	w->herald = workflow_herald_start(&w->engine.workflow, err);
	if (!w->herald)
		return false;
	w->worker = workflow_worker_start(&w->engine.workflow, &w->flow, err);
	return w->worker && start_api(w, config, err);
}

static void close_all(struct work *w)
{
	if (w->api_running) {
		api_stop(w->api);
		pthread_join(w->api_thread, NULL);
	}
	api_free(w->api);
	workflow_worker_stop(w->worker);
	workflow_herald_stop(w->herald);
	engine_stop(&w->engine);
	parts_close(&w->parts);
}

static int work(const struct config *config)
{
	struct work w = {.api_running = false};
	struct err err = {0};
	bool ok = open_all(&w, config, &err);

	if (ok) {
		printf("%s\n", api_url(w.api));
		fflush(stdout);
		log_info("working", LOG_STR("temporal", config_str(config, OPT_TEMPORAL_ADDRESS)),
		         LOG_STR("namespace", config_str(config, OPT_TEMPORAL_NAMESPACE)),
		         LOG_STR("task_queue", config_str(config, OPT_TEMPORAL_TASK_QUEUE)),
		         LOG_STR("url", api_url(w.api)));
		while (ok && !interrupted()) {
			interrupt_sleep(LOOK_MS);
			ok = workflow_worker_wait(w.worker, 0, &err);
		}
	}
	close_all(&w);
	return ok || interrupted() ? COMMAND_OK : command_fail("worker", &err);
}

int cmd_worker(int argc, char **argv)
{
	struct config *config = NULL;
	int nargs, code;

	if (!command_start(argc, argv, NULL, &config, &nargs, &code))
		return code;
	if (nargs) {
		code = command_usage("worker", "unexpected argument \"%.40s\"", argv[1]);
	} else {
		interrupt_catch();
		code = work(config);
	}
	config_free(config);
	return code;
}
