/* SPDX-License-Identifier: Apache-2.0 */
#include <stdatomic.h>
#include <stdlib.h>

#include "base/log.h"
#include "workflow/activities.h"
#include "workflow/engine.h"
#include "workflow/ingest_zip.h"

enum {
	WORKFLOW_POLLS = 2,
	ACTIVITY_POLLS = 4,
	DRAIN_MS = 5000,
	QUIET_MS = 60000,
	CHECK_MS = 10000,
	/* An activity asks the source so often before it fails and Temporal asks for it again,
	 * perhaps of another worker: a passing fault does not begin a whole batch anew, a lasting
	 * one shows in Temporal. */
	ATTEMPTS_WITHIN = 3,
};

struct workflow_worker {
	struct flow_settings flow;
	struct flow_crew *crew;
	struct pulse *pulse;
	struct activities activities;
	struct temporal *temporal;
	struct temporal_worker *worker;
	atomic_llong quiet_until_ms; /* of failed polls */
};

struct temporal_cipher *workflow_cipher_new(const char *keys, struct err *err)
{
	return temporal_cipher_new(keys, err);
}

void workflow_cipher_free(struct temporal_cipher *c)
{
	temporal_cipher_free(c);
}

/* While Temporal is away each thread's polls fail again and again: that is said once a minute. */
static bool may_say(struct workflow_worker *w)
{
	long long now = clock_mono_ms(&clock_system), until = atomic_load(&w->quiet_until_ms);

	return now >= until &&
	       atomic_compare_exchange_strong(&w->quiet_until_ms, &until, now + QUIET_MS);
}

static void notice(void *ctx, enum temporal_notice what, const char *name, const struct err *err)
{
	static const char *const words[] = {
	    [TEMPORAL_POLL_FAILED] = "Temporal does not answer",
	    [TEMPORAL_TASK_FAILED] = "a workflow task failed",
	    [TEMPORAL_ACTIVITY_FAILED] = "an activity failed",
	    [TEMPORAL_ANSWER_LOST] = "an answer to Temporal was not taken",
	};

	if (err->code == ERR_CANCELLED || (what == TEMPORAL_POLL_FAILED && !may_say(ctx)))
		return;
	log_warn(words[what], LOG_STR("name", name), LOG_STR("where", err->where),
	         LOG_STR("code", err_code_name(err->code)), LOG_STR("error", err->text));
}

bool workflow_check(const struct workflow_settings *settings, char *version, size_t size,
                    struct err *err)
{
	struct temporal_options o = settings->connection;
	struct temporal *t;
	bool ok;

	o.call_timeout_ms = CHECK_MS / 2;
	o.retry = (struct retry_policy){
	    .max_attempts = 5, .base_ms = 200, .cap_ms = 2000, .deadline_ms = CHECK_MS};
	t = temporal_open(&o, err);
	ok = t && temporal_check(t, version, size, err);
	if (t)
		temporal_close(t);
	return ok;
}

static bool start_worker(struct workflow_worker *w, const struct workflow_settings *settings,
                         struct err *err)
{
	struct temporal_worker_options options = {
	    .task_queue = settings->task_queue,
	    .build_id = settings->build_id,
	    .workflows = ingest_zip_workflows,
	    .n_workflows = INGEST_ZIP_WORKFLOWS,
	    .activities = w->activities.types,
	    .n_activities = ACTIVITIES,
	    .workflow_polls = WORKFLOW_POLLS,
	    .workflow_threads = WORKFLOW_POLLS,
	    .activity_polls = w->flow.workers < ACTIVITY_POLLS ? w->flow.workers : ACTIVITY_POLLS,
	    .activity_threads = w->flow.workers,
	    .queue_per_second = w->flow.fhir_rate,
	    .drain_ms = DRAIN_MS,
	    .notice = notice,
	    .notice_ctx = w,
	};

	w->worker = temporal_worker_start(w->temporal, &options, err);
	return w->worker != NULL;
}

struct workflow_worker *workflow_worker_start(const struct workflow_settings *settings,
                                              const struct flow_settings *flow, struct err *err)
{
	struct workflow_worker *w = calloc(1, sizeof *w);
	char version[64];

	if (!w) {
		err_set(err, ERR_NOMEM, "workflow.worker", "out of memory");
		return NULL;
	}
	w->flow = *flow;
	if (w->flow.retry.max_attempts > ATTEMPTS_WITHIN)
		w->flow.retry.max_attempts = ATTEMPTS_WITHIN;
	/* who is not let in says so and ends, as with other SDKs; once it works it waits for a
	 * server that goes away */
	if (workflow_check(settings, version, sizeof version, err))
		w->pulse = pulse_new(err);
	w->crew = w->pulse ? flow_crew_open(&w->flow, err) : NULL;
	w->temporal = w->crew ? temporal_open(&settings->connection, err) : NULL;
	if (w->temporal) {
		activities_init(&w->activities, w->crew, w->pulse, &w->flow,
		                settings->connection.name_space);
		if (start_worker(w, settings, err))
			return w;
	}
	workflow_worker_stop(w);
	return NULL;
}

bool workflow_worker_wait(struct workflow_worker *w, int64_t ms, struct err *err)
{
	switch (temporal_worker_wait(w->worker, ms, err)) {
	case TEMPORAL_WAIT_RUNNING:
		return true;
	case TEMPORAL_WAIT_ENDED:
		return err_set(err, ERR_CANCELLED, "workflow.worker", "the worker has ended");
	case TEMPORAL_WAIT_ENDED_BADLY:
		break;
	}
	return false;
}

void workflow_worker_stats(struct workflow_worker *w, struct workflow_stats *tasks,
                           struct flow_engine_stats *flow)
{
	struct temporal_worker_stats s;

	temporal_worker_stats(w->worker, &s);
	*tasks = (struct workflow_stats){.polls = s.polls,
	                                 .poll_errors = s.poll_errors,
	                                 .tasks = s.tasks,
	                                 .tasks_failed = s.tasks_failed,
	                                 .queries = s.queries,
	                                 .activities = s.activities,
	                                 .activities_failed = s.activities_failed,
	                                 .activities_cancelled = s.activities_cancelled,
	                                 .heartbeats = s.heartbeats,
	                                 .answers_lost = s.answers_lost,
	                                 .running = s.running};
	flow_crew_stats(w->crew, flow);
}

void workflow_worker_stop(struct workflow_worker *w)
{
	if (!w)
		return;
	if (w->worker)
		temporal_worker_free(w->worker);
	if (w->temporal)
		temporal_close(w->temporal);
	flow_crew_close(w->crew);
	pulse_free(w->pulse);
	free(w);
}
