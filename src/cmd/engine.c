/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/engine.h"

static struct temporal_options connection_of(const struct config *config)
{
	return (struct temporal_options){
	    .address = config_str(config, OPT_TEMPORAL_ADDRESS),
	    .name_space = config_str(config, OPT_TEMPORAL_NAMESPACE),
	    .tls = config_bool(config, OPT_TEMPORAL_TLS),
	    .ca_file = config_str_or_null(config, OPT_TEMPORAL_CA_FILE),
	    .cert_file = config_str_or_null(config, OPT_TEMPORAL_CERT_FILE),
	    .key_file = config_str_or_null(config, OPT_TEMPORAL_KEY_FILE),
	    .server_name = config_str_or_null(config, OPT_TEMPORAL_SERVER_NAME),
	    .api_key = config_str_or_null(config, OPT_TEMPORAL_API_KEY),
	};
}

static bool make_cipher(struct engine *e, const struct config *config, struct err *err)
{
	if (!config_is_set(config, OPT_TEMPORAL_PAYLOAD_KEY))
		return true;
	e->cipher = workflow_cipher_new(config_str(config, OPT_TEMPORAL_PAYLOAD_KEY), err);
	e->workflow.connection.cipher = e->cipher;
	return e->cipher != NULL;
}

bool engine_workflow_settings(struct engine *e, const struct parts *parts,
                              const struct config *config, struct err *err)
{
	struct flow_settings flow = parts_flow_settings(parts, config, NULL);

	e->workflow = (struct workflow_settings){
	    .connection = connection_of(config),
	    .task_queue = config_str(config, OPT_TEMPORAL_TASK_QUEUE),
	    .build_id = FHIRLINE_VERSION,
	    .run_activities = (int)config_int(config, OPT_TEMPORAL_ACTIVITIES),
	    .continue_events = config_int(config, OPT_TEMPORAL_CONTINUE_EVENTS),
	    .patients_per_batch = flow.patients_per_batch,
	    .merge_rows = flow.merge_rows,
	    .retry = flow.retry,
	    .lease_ms = flow.lease_ms,
	    .database = parts->database,
	};
	return make_cipher(e, config, err);
}

/* ---- for the API ---- */

static void wake_local(void *ctx)
{
	flow_engine_wake(ctx);
}

static void local_stats(void *ctx, struct flow_engine_stats *out)
{
	flow_engine_stats(ctx, out);
}

static void wake_herald(void *ctx)
{
	workflow_herald_wake(ctx);
}

static bool herald_well(void *ctx, char *text, size_t size)
{
	return workflow_herald_well(ctx, text, size);
}

/* ---- start and stop ---- */

static bool start_herald(struct engine *e, const struct parts *parts, const struct config *config,
                         const char *only_run, struct err *err)
{
	if (!engine_workflow_settings(e, parts, config, err))
		return false;
	e->workflow.only_run = only_run;
	e->herald = workflow_herald_start(&e->workflow, err);
	e->api = (struct api_engine){.words = "runs are driven by Temporal",
	                             .wake = wake_herald,
	                             .well = herald_well,
	                             .ctx = e->herald};
	return e->herald != NULL;
}

bool engine_start(struct engine *e, const struct parts *parts, const struct config *config,
                  const char *only_run, struct err *err)
{
	if (config_is(config, OPT_ENGINE, "temporal"))
		return start_herald(e, parts, config, only_run, err);
	e->settings = parts_flow_settings(parts, config, only_run);
	e->local = flow_engine_start(&e->settings, err);
	e->api = (struct api_engine){.words = "runs are worked on here",
	                             .wake = wake_local,
	                             .stats = local_stats,
	                             .ctx = e->local};
	return e->local != NULL;
}

void engine_stop(struct engine *e)
{
	flow_engine_stop(e->local);
	workflow_herald_stop(e->herald);
	workflow_cipher_free(e->cipher);
	*e = (struct engine){.local = NULL};
}
