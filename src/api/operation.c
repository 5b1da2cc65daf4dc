/* SPDX-License-Identifier: Apache-2.0
 *
 * Health, metrics, and what does not change while the process runs: the OpenAPI document, pages.
 */
#include <stdio.h>

#include "api/embed_web.h"
#include "api/encode.h"
#include "api/handlers.h"
#include "pg/json_row.h"
#include "api/server.h"

enum { COUNTS_EVERY_MS = 5000 };

void health_live(struct request *r)
{
	buf_lit(&r->body, "{\"status\":\"alive\",\"version\":\"" FHIRLINE_VERSION "\"}");
	request_json(r, 200);
}

static void check(struct buf *out, const char *name, bool ok, const char *detail, bool first)
{
	buf_printf(out, "%s{\"name\":\"%s\",\"ok\":%s,\"detail\":", first ? "" : ",", name,
	           ok ? "true" : "false");
	buf_add_json(out, str_of(detail));
	buf_lit(out, "}");
}

/* Without its engine what is loaded can still be read: it is told, and does not make us unready. */
static void check_engine(const struct api *a, struct buf *out)
{
	const struct api_engine *e = a->options.engine;
	char text[512];

	if (!e)
		check(out, "engine", true, "runs are left to other processes", false);
	else if (!e->well || e->well(e->ctx, text, sizeof text))
		check(out, "engine", true, e->words, false);
	else
		check(out, "engine", false, text, false);
}

void health_ready(struct request *r)
{
	struct api *a = r->api;
	struct pool_stats s;
	char detail[320];
	bool database, ready;

	pool_stats(a->pool, &s);
	database = s.ready > 0;
	ready = database && a->has_key && !a->stopping;
	if (database)
		snprintf(detail, sizeof detail, "%d of %d connections", s.ready, s.connections);
	else
		snprintf(detail, sizeof detail, "%s", *s.error ? s.error : "connecting");
	buf_printf(&r->body, "{\"ready\":%s,\"checks\":[", ready ? "true" : "false");
	check(&r->body, "database", database, detail, true);
	check(&r->body, "cursors", a->has_key,
	      a->has_key ? "the key is there"
	                 : "the key of cursors has not been read from the database yet",
	      false);
	check_engine(a, &r->body);
	if (a->stopping)
		check(&r->body, "process", false, "it is ending", false);
	buf_lit(&r->body, "]}");
	request_json(r, ready ? 200 : 503);
}

/* ---- metrics ---- */

static void on_counts(struct pool_op *op, enum pool_outcome outcome, const PGresult *result)
{
	struct api *a = (struct api *)(void *)((char *)op - offsetof(struct api, counts_op));
	int rows = outcome == POOL_OK ? PQntuples(result) : 0,
	    max = sizeof a->counts / sizeof a->counts[0];

	a->asking_counts = false;
	if (outcome != POOL_OK)
		return;
	a->count_states = rows < max ? rows : max;
	for (int i = 0; i < a->count_states; i++) {
		snprintf(a->counts[i].state, sizeof a->counts[i].state, "%.*s",
		         STR_FMT(json_get_text(result, i, 0)));
		a->counts[i].count = json_get_int8(result, i, 1);
	}
}

/* Scrapes must not depend on the database: they get what is known, and the next one gets better. */
static void refresh_counts(struct api *a)
{
	int64_t now = server_now_ms(a);

	if (a->asking_counts || (a->counts_at_ms && now < a->counts_at_ms + COUNTS_EVERY_MS))
		return;
	a->counts_at_ms = now;
	a->counts_op = (struct pool_op){.statement = STATEMENT_RUN_COUNTS, .done = on_counts};
	a->asking_counts = pool_submit(a->pool, &a->counts_op) == POOL_OK;
}

static void write_runs(const struct api *a, struct buf *out)
{
	buf_lit(out, "# HELP fhirline_runs Runs by state, as of the scrape before.\n# TYPE "
	             "fhirline_runs gauge\n");
	for (int i = 0; i < a->count_states; i++)
		buf_printf(out, "fhirline_runs{state=\"%s\"} %lld\n", a->counts[i].state,
		           (long long)a->counts[i].count);
}

static void write_pool(const struct api *a, struct buf *out)
{
	struct pool_stats s;

	pool_stats(a->pool, &s);
	metrics_gauge(out, "fhirline_database_connections",
	              "Connections to PostgreSQL that the API should have.", s.connections);
	metrics_gauge(out, "fhirline_database_connections_ready", "Those that are ready.", s.ready);
	metrics_gauge(out, "fhirline_database_queries_busy", "Queries under way.", s.busy);
	metrics_gauge(out, "fhirline_database_queries_waiting",
	              "Queries that wait for a connection.", s.waiting);
	metrics_counter(out, "fhirline_database_queries_total", "Queries asked.", s.queries_total);
	metrics_counter(out, "fhirline_database_query_errors_total", "Queries that failed.",
	                s.errors_total);
	metrics_counter(out, "fhirline_database_queries_resent_total", "Queries sent again.",
	                s.resent_total);
	metrics_counter(out, "fhirline_database_queries_refused_total",
	                "Queries refused: no connection, or too many wait.", s.refused_total);
	metrics_counter(out, "fhirline_database_connects_total", "Attempts to connect.",
	                s.reconnects_total);
}

static void write_engine(const struct api *a, struct buf *out)
{
	struct flow_engine_stats s;

	a->options.engine->stats(a->options.engine->ctx, &s);
	metrics_gauge(out, "fhirline_engine_runs", "Runs that this process works on.", s.runs);
	metrics_gauge(out, "fhirline_engine_activities", "Activities under way.", s.activities);
	metrics_gauge(out, "fhirline_source_requests_active",
	              "Requests to the FHIR server under way.", s.requests);
	metrics_gauge(out, "fhirline_source_requests_limit", "How many there may be now.", s.limit);
	metrics_counter(out, "fhirline_source_requests_total", "Requests to the FHIR server.",
	                s.requests_total);
	metrics_counter(out, "fhirline_source_request_errors_total", "Those that failed.",
	                s.request_errors_total);
	metrics_counter(out, "fhirline_source_retries_total", "Those that were tried again.",
	                s.retries_total);
	metrics_counter(out, "fhirline_source_bytes_total",
	                "Bytes received from the FHIR server, on the wire.", s.bytes_total);
}

static const char *path_of(int route)
{
	return route_table[route].path;
}

void metrics_get(struct request *r)
{
	struct api *a = r->api;

	refresh_counts(a);
	buf_lit(&r->body,
	        "# HELP fhirline_build_info The version.\n# TYPE fhirline_build_info gauge\n"
	        "fhirline_build_info{version=\"" FHIRLINE_VERSION "\"} 1\n");
	metrics_write(a->metrics, &r->body, path_of);
	metrics_gauge(&r->body, "fhirline_http_requests_active", "Requests under way.", a->active);
	metrics_gauge(&r->body, "fhirline_http_streams", "Event streams that are open.",
	              events_streams(a->events));
	write_pool(a, &r->body);
	write_runs(a, &r->body);
	if (a->options.engine && a->options.engine->stats)
		write_engine(a, &r->body);
	if (a->options.engine && a->options.engine->metrics)
		a->options.engine->metrics(a->options.engine->ctx, &r->body);
	request_bytes(r, 200, r->match.route->media);
}

/* ---- what does not change ---- */

void openapi_get(struct request *r)
{
	request_fixed(r, 200, "application/json",
	              (struct str){r->api->openapi.p, r->api->openapi.n}, NULL);
}

void page_get(struct request *r)
{
	const struct embed_file *f = embed_find(embed_web, embed_web_count, r->match.route->file);

	if (!f)
		request_problem(r, PROBLEM_NOT_FOUND, NULL, NULL, "this build has no such page");
	else
		request_fixed(r, 200, r->match.route->media, (struct str){f->data, f->n}, NULL);
}
