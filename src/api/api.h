/* SPDX-License-Identifier: Apache-2.0
 *
 * api.h: the HTTP server of `fhirline serve`: REST API, event streams, Swagger UI, dashboard.
 *
 * One thread: libmicrohttpd under an epoll loop of our own, PostgreSQL through pipelined
 * connections (pool.h). Nothing in a handler waits: it asks the pool and answers from the callback.
 *
 *   router.h, routes.c   the table of routes: routing, checks, OpenAPI, metrics labels
 *   request.h            one request, from its first byte to its last; what handlers call
 *   server.c             the loop, connections, limits
 *   patients.c, …        handlers
 *   columns.h            what a row is made of, in SQL, in JSON and in the schema
 *
 * Limits: max_connections (further ones are not accepted), 16 KiB for a request's line and headers
 * (431, 414), 64 KiB for a body (413), 60 s without a byte on a connection, max_streams event
 * streams (429), pool depth and queue (503).
 *
 * There is no authentication yet, so it listens on loopback addresses only, answers requests for
 * loopback names only (DNS rebinding: 421), and refuses writes that a browser says come from
 * another site (403).
 */
#ifndef FHIRLINE_API_API_H
#define FHIRLINE_API_API_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "flow/flow.h"

struct api;

/* One answered request, for the access log. Has no query string, no body, no address. */
struct api_access {
	const char *method;
	const char *route; /* the template: "/patients/{id}"; "(none)" when there is no such path */
	int status;
	int64_t duration_us;
	uint64_t bytes; /* of the body */
	const char *request_id;
	const char *traceparent; /* "" when the client sent none */
	bool quiet;              /* health checks, metrics, pages */
};

/* What works on runs for this process. Its functions are called on the API's thread and return at
 * once. */
struct api_engine {
	const char *words;       /* for /readyz */
	void (*wake)(void *ctx); /* a run was asked for; NULL: nobody */
	void (*stats)(void *ctx, struct flow_engine_stats *out); /* NULL: none */
	void (*metrics)(void *ctx, struct buf *out);             /* further ones; NULL: none */
	bool (*well)(void *ctx, char *text, size_t size);        /* for /readyz; NULL: it is */
	void *ctx;
};

/* Everything borrowed for the life of the api. */
struct api_options {
	const char
	    *listen; /* "127.0.0.1:8080", "[::1]:8080", "localhost:8080"; port 0: any free one */
	const char *database_url;              /* libpq URI; "": PG* variables */
	const struct pg_login *database_login; /* NULL: the URL says who logs in */
	const char *source_url; /* the FHIR server that runs are asked for, without credentials;
	                           NULL: POST /zipcodes answers 503 */
	const struct api_engine *engine; /* NULL: another process does the work */
	bool operations_only;            /* /healthz, /readyz and /metrics alone */
	const struct clock *clock;       /* NULL: the system's */
	int connections;                 /* to PostgreSQL; 0: 3 */
	int max_connections;             /* of clients; 0: 1,024 */
	int max_streams;                 /* 0: 64 */
	int64_t statement_timeout_ms;    /* 0: 10 s */
	int stop_fd; /* api_run() ends when it becomes readable; 0 or less: none */
	void (*access)(void *ctx, const struct api_access *a); /* NULL: no access log */
	void (*note)(void *ctx, bool bad,
	             const char *text); /* what the operator should know; NULL: nobody */
	void *ctx;
};

/* Listens; requests are answered from api_run() on. ERR_USAGE: `listen` is malformed or not
 * loopback. */
struct api *api_start(const struct api_options *options, struct err *err);
const char *api_url(const struct api *a); /* "http://127.0.0.1:8080" */

/* Serves until api_stop(); then answers what is under way (up to 5 s). False when the loop broke.
 */
bool api_run(struct api *a, struct err *err);

/* Any thread, and signal handlers. */
void api_stop(struct api *a);

void api_free(struct api *a); /* NULL is fine */

/* "127.0.0.1:8080" into host and port. False with a text that says what is allowed. */
bool api_listen_parse(const char *text, char host[64], int *port, struct err *err);

/* Whether a Host header names this machine's loopback: localhost, 127.0.0.0/8, [::1], with or
 * without port. */
bool api_host_allowed(struct str host);

#endif
