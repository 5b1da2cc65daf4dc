/* SPDX-License-Identifier: Apache-2.0
 *
 * request.h: one request and its answer.
 *
 * A handler (handlers.h) either answers at once, by request_json(), request_problem() or
 * request_bytes(), or asks the database with request_query() and answers from `then`. Exactly one
 * answer. All memory in `arena` lives until the answer has been sent.
 */
#ifndef FHIRLINE_API_REQUEST_H
#define FHIRLINE_API_REQUEST_H

#include <libpq-fe.h>
#include <microhttpd.h>

#include "api/metrics.h"
#include "api/pool.h"
#include "api/router.h"
#include "api/statements.h"
#include "base/arena.h"
#include "base/buf.h"

enum { REQUEST_HEADERS = 4, REQUEST_ID_MAX = 64, REQUEST_BODY_MAX = 64 * 1024 };

struct request {
	struct api *api;
	struct MHD_Connection *connection;
	struct request *next_free;
	struct arena arena;
	int64_t started_us;

	/* what was asked */
	const char *method_name; /* one of a fixed set: "GET", …, "OTHER" */
	enum method method;
	bool is_head, is_options;
	struct str path, query;
	struct router_match match;
	struct param_value values[ROUTE_PARAMS];
	struct buf upload;
	bool upload_too_large;
	char id[REQUEST_ID_MAX + 1];
	char traceparent[56]; /* "" when none */

	/* the answer */
	int status; /* 0: none yet */
	const char *media;
	struct buf body;
	struct buf gzip;
	struct str fixed; /* the body when it is a constant */
	const char *etag; /* of a constant; NULL: computed */
	struct {
		const char *name, *value;
	} headers[REQUEST_HEADERS];
	int header_count;
	struct MHD_Response *response; /* an event stream */
	uint64_t sent_bytes;

	/* progress */
	bool begun, handled, suspended;

	/* the question to the database that is open */
	struct pool_op op;
	void (*then)(struct request *r, const PGresult *result);
	bool (*on_error)(struct request *r,
	                 const char *sqlstate); /* true: answered or asked again; may be NULL */
	int tries;
	char sql_text[6][64]; /* for parameters that are made up here */
	void *state;          /* the handler's own, in the arena */
};

/* A parameter of the route; as if not given when there is none of that name. */
const struct param_value *request_value(const struct request *r, const char *name);
/* Its text for SQL; NULL when it was not given. */
const char *request_text(const struct request *r, const char *name);

/* A request header; STR_NONE when there is none. */
struct str request_head(const struct request *r, const char *name);

/* Asks; `then` gets the answer, with at least zero rows, of the statement's columns. Errors are
 * answered here. */
void request_query(struct request *r, enum statement statement, int nparams,
                   const char *const *params,
                   void (*then)(struct request *r, const PGresult *result));

/* Answers with r->body, as JSON. */
void request_json(struct request *r, int status);
void request_bytes(struct request *r, int status, const char *media); /* r->body, as it is */
void request_fixed(struct request *r, int status, const char *media, struct str constant,
                   const char *etag);
void request_stream(struct request *r, struct MHD_Response *response);

/* `detail` NULL: the type's title. `field`, `in` NULL: none. */
void request_problem(struct request *r, enum problem_type type, const char *field, const char *in,
                     const char *detail);

/* A further header; both borrowed (arena or constant). */
void request_add_header(struct request *r, const char *name, const char *value);

/* ---- server.c's side ---- */

struct request *request_new(struct api *a);
void request_free(struct request *r);
void request_reset(struct request *r); /* for the next use */

/* Method, path, headers: answers what can be refused before the body is there. */
void request_begin(struct request *r, const char *method);
/* Calls the handler, when nothing has been answered. */
void request_handle(struct request *r);
/* Hands the answer to libmicrohttpd. */
enum MHD_Result request_send(struct request *r);

/* ---- lists (list.c) ---- */

struct list_scope {
	uint64_t hash; /* of the route and its filters */
};

/* Reads the cursor parameter. False: answered. *n is 0 without a cursor. */
bool list_cursor(struct request *r, char position[128], size_t *n);

/* Writes {"items":[…],"next":…} of up to `limit` rows, and answers. The statement was asked for
 * limit + 1 rows. `position` writes the last row's position (for the cursor), `row` its JSON. */
void list_answer(struct request *r, const PGresult *result,
                 void (*row)(struct buf *out, const PGresult *result, int row),
                 size_t (*position)(const PGresult *result, int row, char out[128]));

/* The parameter limit, plus one, as text for SQL. */
const char *list_limit(struct request *r, int slot);

/* "/patients?zipcode=02139&cursor=…" of this request, with `cursor`; in the arena. */
const char *list_link(struct request *r, const char *path, const char *cursor);
const char *list_cursor_text(struct request *r, const char *position, size_t n, const char *path);

#endif
