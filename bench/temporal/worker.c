/* SPDX-License-Identifier: Apache-2.0
 *
 * For bench/temporal/run: fhirline's workflow IngestZip with activities that do nothing, and the
 * client that starts workflows of either worker.
 *
 *   worker ADDRESS QUEUE        until SIGTERM; prints "ready"
 *   client ADDRESS QUEUE N TAG  starts N workflows at once, waits for all, prints the seconds
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "temporal/worker.h"
#include "workflow/ingest_zip.h"
#include "workflow/wire.h"

enum { PATIENTS = 100, PER_BATCH = 10, WAIT_MS = 600000, ARENA_MAX = 1 << 20 };

static bool give(struct temporal_activity_task *task, void *ctx, struct err *err)
{
	const char *json = ctx;

	return !json ||
	       temporal_activity_result(task, TEMPORAL_ONE(temporal_json(str_of(json))), err);
}

#define PAGE "{\"state\":\"staged\",\"rows\":100,\"patients\":100,\"more\":false}"
#define GROUP "{\"state\":\"staged\",\"rows\":4700,\"patients\":10,\"more\":false}"

static const struct temporal_activity_type activities[] = {
    {"Begin", give,
     (void
          *)(uintptr_t) "{\"epoch\":1,\"incremental\":false,\"cancelled\":false,\"phase\":\"look\","
                        "\"batches\":[]}"},
    {"Look", give, NULL},
    {"ReadPatientPage", give, (void *)(uintptr_t)PAGE},
    {"ReadObservations", give, (void *)(uintptr_t)GROUP},
    {"Merge", give,
     (void
          *)(uintptr_t) "{\"rows\":47100,\"merged\":\"1-1000\",\"merging\":\"\",\"pending\":\"\"}"},
    {"Sweep", give, NULL},
    {"Reconcile", give, (void *)(uintptr_t) "{\"state\":\"completed\"}"},
};

static int worker(struct temporal *t, const char *queue)
{
	struct temporal_worker_options o = {
	    .task_queue = queue,
	    .workflows = ingest_zip_workflows,
	    .n_workflows = INGEST_ZIP_WORKFLOWS,
	    .activities = activities,
	    .n_activities = sizeof activities / sizeof *activities,
	    .workflow_polls = 4,
	    .workflow_threads = 4,
	    .activity_polls = 4,
	    .activity_threads = 16,
	    .drain_ms = 1000,
	};
	struct err err = {0};
	struct temporal_worker *w;
	sigset_t term;
	int got;

	sigemptyset(&term);
	sigaddset(&term, SIGTERM);
	sigprocmask(SIG_BLOCK, &term, NULL);
	w = temporal_worker_start(t, &o, &err);
	if (!w) {
		fprintf(stderr, "%s\n", err.text);
		return 1;
	}
	puts("ready");
	fflush(stdout);
	sigwait(&term, &got);
	temporal_worker_free(w);
	return 0;
}

static bool start(struct temporal *t, const char *queue, const char *tag, int i, struct err *err)
{
	struct arena arena = ARENA_INIT(ARENA_MAX);
	struct wire_input in = {.version = WIRE_VERSION,
	                        .run_id = "018e0000-0000-7000-8000-000000000001",
	                        .zip = "02139",
	                        .limits = {16, PER_BATCH, 250000},
	                        .attempts = 8,
	                        .base_ms = 200,
	                        .cap_ms = 30000,
	                        .heartbeat_ms = 30000,
	                        .continue_events = 2000};
	struct temporal_started started;
	char id[64];
	struct temporal_start s = {.workflow_id = id, .type = WIRE_INGEST, .task_queue = queue};
	bool ok;

	snprintf(id, sizeof id, "bench-%s-%d", tag, i);
	ok = wire_input_write(&arena, &in, &s.input, err) &&
	     temporal_workflow_start(t, &s, &started, err);
	arena_free(&arena);
	return ok;
}

static bool finish(struct temporal *t, const char *tag, int i, struct err *err)
{
	struct arena arena = ARENA_INIT(ARENA_MAX);
	struct temporal_result result;
	char id[64];
	bool ok;

	snprintf(id, sizeof id, "bench-%s-%d", tag, i);
	ok = temporal_workflow_result(t, &(struct temporal_id){id, NULL}, WAIT_MS, &arena, &result,
	                              err);
	if (ok && result.status != TEMPORAL_STATUS_COMPLETED)
		ok = err_set(err, ERR_INTERNAL, "bench", "%s has not completed: %s", id,
		             temporal_status_name(result.status));
	arena_free(&arena);
	return ok;
}

static int client(struct temporal *t, const char *queue, int n, const char *tag)
{
	int64_t began = clock_mono_ms(&clock_system);
	struct err err = {0};
	bool ok = true;

	for (int i = 0; ok && i < n; i++)
		ok = start(t, queue, tag, i, &err);
	for (int i = 0; ok && i < n; i++)
		ok = finish(t, tag, i, &err);
	if (!ok) {
		fprintf(stderr, "%s\n", err.text);
		return 1;
	}
	printf("%.3f\n", (double)(clock_mono_ms(&clock_system) - began) / 1000);
	return 0;
}

int main(int argc, char **argv)
{
	struct temporal_options o = {.address = argc > 2 ? argv[2] : NULL};
	struct err err = {0};
	struct temporal *t = argc > 3 ? temporal_open(&o, &err) : NULL;
	int code;

	if (!t) {
		fprintf(stderr, "worker|client ADDRESS QUEUE …: %s\n", err.text);
		return 2;
	}
	if (strcmp(argv[1], "worker") == 0)
		code = worker(t, argv[3]);
	else
		code = client(t, argv[3], argc > 4 ? (int)strtol(argv[4], NULL, 10) : 1,
		              argc > 5 ? argv[5] : "x");
	temporal_close(t);
	return code;
}
