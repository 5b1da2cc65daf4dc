/* SPDX-License-Identifier: Apache-2.0
 *
 * The table of all routes: add one here and in handlers.h, and it is routed, checked, measured and
 * documented.
 */
#include "api/handlers.h"
#include "api/router.h"

#define LIMIT                                                                                      \
	{                                                                                          \
		"limit", PARAM_QUERY, PARAM_INT, .min = 1, .max = 1000, .fallback = "100",         \
		                                 .words = "How many at most.", .example = "100"    \
	}
#define CURSOR                                                                                     \
	{                                                                                          \
		"cursor", PARAM_QUERY, PARAM_CURSOR,                                               \
		    .words = "Where to go on: from the next link of an earlier page "              \
		             "of the same list. 404 when no such page was ever given."             \
	}
#define ID                                                                                         \
	{                                                                                          \
		"id", PARAM_PATH, PARAM_ID, .words = "The resource's id on the FHIR server.",      \
		                            .example = "p-1001"                                    \
	}
#define RUN_ID                                                                                     \
	{                                                                                          \
		"id", PARAM_PATH, PARAM_UUID, .words = "The run's id.",                            \
		                              .example = "018e0000-0000-7000-8000-000000000001"    \
	}
#define ZIP_QUERY                                                                                  \
	{                                                                                          \
		"zipcode", PARAM_QUERY, PARAM_ZIP, .words = "Five digits.", .example = "02139"     \
	}
#define END                                                                                        \
	{                                                                                          \
		0                                                                                  \
	}

static const struct param zipcodes_create_params[] = {
    {"Idempotency-Key", PARAM_HEADER, PARAM_KEY, .max = 255,
     .words = "Asking again with the same key gives the same run, also when it has ended."},
    END,
};
static const struct param zipcodes_list_params[] = {LIMIT, CURSOR, END};
static const struct param zipcodes_get_params[] = {
    {"zip", PARAM_PATH, PARAM_ZIP, .words = "Five digits.", .example = "02139"}, END};
static const struct param runs_list_params[] = {
    ZIP_QUERY,
    {"state", PARAM_QUERY, PARAM_ENUM,
     .choices = "pending|running|completed|incomplete|failed|cancelled",
     .words = "Only runs in this state.", .example = "completed"},
    LIMIT,
    CURSOR,
    END,
};
static const struct param run_params[] = {RUN_ID, END};
static const struct param run_events_params[] = {
    RUN_ID,
    {"Last-Event-ID", PARAM_HEADER, PARAM_INT, .min = 0, .max = INT64_MAX,
     .words = "The id of the last event seen: it is not sent again."},
    END,
};
static const struct param rejected_params[] = {RUN_ID, LIMIT, CURSOR, END};
static const struct param patients_list_params[] = {
    ZIP_QUERY,
    {"first_name", PARAM_QUERY, PARAM_TEXT, .max = 200,
     .words = "The first given name, whole; case does not matter.", .example = "Ana"},
    {"last_name", PARAM_QUERY, PARAM_TEXT, .max = 200,
     .words = "The family name, whole; case does not matter.", .example = "García"},
    {"gender", PARAM_QUERY, PARAM_ENUM, .choices = "male|female|other|unknown",
     .words = "Administrative gender.", .example = "female"},
    {"birth_date", PARAM_QUERY, PARAM_DATE, .words = "Date of birth.", .example = "1970-05-17"},
    LIMIT,
    CURSOR,
    END,
};
static const struct param id_params[] = {ID, END};
static const struct param patient_params[] = {
    {"first_name", PARAM_QUERY, PARAM_TEXT, .max = 200, .required = true,
     .words = "The first given name, whole; case does not matter.", .example = "Ana"},
    LIMIT,
    END,
};
static const struct param observations_list_params[] = {
    {"patient_id", PARAM_QUERY, PARAM_ID, .words = "Only this patient's.", .example = "p-1001"},
    {"code", PARAM_QUERY, PARAM_TEXT, .max = 200, .words = "Only those with this code.",
     .example = "8302-2"},
    {"from", PARAM_QUERY, PARAM_TIME, .words = "Only those that began at this time or later.",
     .example = "2023-01-01"},
    {"to", PARAM_QUERY, PARAM_TIME,
     .words = "Only those that began at this time or before; a date means that whole day.",
     .example = "2023-12-31"},
    LIMIT,
    CURSOR,
    END,
};

#define PAGE(path, name, type)                                                                     \
	{                                                                                          \
		METHOD_GET, path, page_get,                                                        \
		    .flags = ROUTE_HIDDEN | ROUTE_PUBLIC | ROUTE_NO_DB | ROUTE_QUIET,              \
		    .status = 200, .file = name, .media = type                                     \
	}

const struct route route_table[] = {
    {METHOD_GET, "/patients/{id}", patients_get, "getPatient", "Patients", "One patient", NULL,
     id_params, ROUTE_MISSING | ROUTE_DELETED, 200, "Patient"},
    {METHOD_GET, "/observations/{id}", observations_get, "getObservation", "Observations",
     "One observation", NULL, id_params, ROUTE_MISSING | ROUTE_DELETED, 200, "Observation"},
    {METHOD_GET, "/patients", patients_list, "listPatients", "Patients",
     "Patients, in the order of their ids",
     "Filters are combined with and. zipcode gives those who live there now. gender and birth_date "
     "have no index of their "
     "own: give a name or a zip code as well when there are many patients.",
     patients_list_params, ROUTE_MISSING, 200, "PatientList"},
    {METHOD_GET, "/patient", patients_by_first_name, "findPatients", "Patients",
     "Patients with a first name, as an array",
     "When there are more than limit, a Link header (rel=next) says where the others are.",
     patient_params, 0, 200, "Patients"},
    {METHOD_GET, "/observations", observations_list, "listObservations", "Observations",
     "Observations, newest first",
     "Give patient_id or code: then the newest come first, those without a time last. With "
     "neither, all are "
     "listed in the order of their ids. With from or to, those without a time are left out.",
     observations_list_params, ROUTE_MISSING, 200, "ObservationList"},
    {METHOD_POST, "/zipcodes", zipcodes_create, "loadZipcode", "Zip codes", "Load a zip code",
     "Starts a run in the background. A run under way for that zip code is returned instead of a "
     "second one; one that had failed or "
     "was cancelled goes on.",
     zipcodes_create_params, ROUTE_BODY | ROUTE_CONFLICT, 202, "RunAccepted"},
    {METHOD_GET, "/zipcodes", zipcodes_list, "listZipcodes", "Zip codes", "What is loaded", NULL,
     zipcodes_list_params, ROUTE_MISSING, 200, "ZipcodeList"},
    {METHOD_GET, "/zipcodes/{zip}", zipcodes_get, "getZipcode", "Zip codes",
     "What is loaded of one zip code", NULL, zipcodes_get_params, ROUTE_MISSING, 200, "Zipcode"},
    {METHOD_GET, "/runs", runs_list, "listRuns", "Runs", "Runs, newest first", NULL,
     runs_list_params, ROUTE_MISSING, 200, "RunList"},
    {METHOD_GET, "/runs/{id}", runs_get, "getRun", "Runs", "One run, in numbers that add up", NULL,
     run_params, ROUTE_MISSING, 200, "Run"},
    {METHOD_GET, "/runs/{id}/events", runs_events, "watchRun", "Runs",
     "A run as it goes on: server-sent events",
     "Events named progress carry the run as /runs/{id} gives it; their id goes up with each "
     "change. When the run has ended comes an "
     "event named end, then the stream ends.",
     run_events_params, ROUTE_MISSING | ROUTE_STREAM, 200, "RunEvent", "text/event-stream"},
    {METHOD_POST, "/runs/{id}/cancel", runs_cancel, "cancelRun", "Runs", "Cancel a run",
     "It ends within seconds and can be taken up again.", run_params,
     ROUTE_MISSING | ROUTE_CONFLICT, 202, "RunAccepted"},
    {METHOD_POST, "/runs/{id}/retry", runs_retry, "retryRun", "Runs",
     "Take up a run that failed, was cancelled or is incomplete", "Only what failed is read again.",
     run_params, ROUTE_MISSING | ROUTE_CONFLICT, 202, "RunAccepted"},
    {METHOD_GET, "/runs/{id}/rejected", runs_rejected, "listRejected", "Runs",
     "What a run could not map", NULL, rejected_params, ROUTE_MISSING, 200, "RejectedList"},
    {METHOD_GET, "/healthz", health_live, "getHealth", "Operation", "Whether the process lives",
     NULL, NULL, ROUTE_PUBLIC | ROUTE_NO_DB | ROUTE_QUIET | ROUTE_OPERATION, 200, "Health"},
    {METHOD_GET, "/readyz", health_ready, "getReadiness", "Operation",
     "Whether it can serve, with reasons", NULL, NULL, ROUTE_PUBLIC | ROUTE_QUIET | ROUTE_OPERATION,
     200, "Readiness"},
    {METHOD_GET, "/metrics", metrics_get, "getMetrics", "Operation", "Figures for Prometheus", NULL,
     NULL, ROUTE_PUBLIC | ROUTE_NO_DB | ROUTE_QUIET | ROUTE_OPERATION, 200, NULL,
     "text/plain; version=0.0.4; charset=utf-8"},
    {METHOD_GET, "/openapi.json", openapi_get, "getOpenapi", "Operation", "This document", NULL,
     NULL, ROUTE_PUBLIC | ROUTE_NO_DB | ROUTE_QUIET, 200, "Openapi"},
    PAGE("/", "index.html", "text/html; charset=utf-8"),
    PAGE("/assets/app.js", "app.js", "text/javascript; charset=utf-8"),
    PAGE("/assets/style.css", "style.css", "text/css; charset=utf-8"),
    PAGE("/docs", "docs.html", "text/html; charset=utf-8"),
    PAGE("/assets/docs.js", "docs.js", "text/javascript; charset=utf-8"),
    PAGE("/assets/swagger-ui.css", "swagger/swagger-ui.css", "text/css; charset=utf-8"),
    PAGE("/assets/swagger-ui-bundle.js", "swagger/swagger-ui-bundle.js",
         "text/javascript; charset=utf-8"),
    PAGE("/favicon.ico", "favicon.svg", "image/svg+xml"),
};
const int route_count = sizeof route_table / sizeof route_table[0];
