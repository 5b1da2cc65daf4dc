/* SPDX-License-Identifier: Apache-2.0
 *
 * router.h: the one table of routes (routes.c), and what is read from it: which route a request is
 * for, whether its parameters are valid, which methods a path allows, the OpenAPI document
 * (openapi.h), metrics labels.
 *
 * Nothing here knows HTTP connections, so tests call it as it is. "/v1" in front of a path is the
 * same API.
 */
#ifndef FHIRLINE_API_ROUTER_H
#define FHIRLINE_API_ROUTER_H

#include <stdbool.h>
#include <stdint.h>

#include "api/problem.h"
#include "base/arena.h"
#include "base/str.h"

struct request;
struct column_table;

enum { ROUTE_PARAMS = 10, ROUTE_SEGMENTS = 4 };

enum method { METHOD_GET, METHOD_POST, METHODS };

enum param_kind {
	PARAM_TEXT,   /* any text without control characters, up to `max` characters */
	PARAM_ID,     /* FHIR's rule for ids (R4 datatypes.html#id) */
	PARAM_ZIP,    /* five digits */
	PARAM_UUID,   /* lower case */
	PARAM_INT,    /* min … max */
	PARAM_ENUM,   /* one of `choices`, separated by '|' */
	PARAM_DATE,   /* YYYY-MM-DD */
	PARAM_TIME,   /* a date, or RFC 3339 date-time */
	PARAM_CURSOR, /* cursor.h */
	PARAM_KEY,    /* visible ASCII, up to `max` characters: headers */
};

enum param_in { PARAM_QUERY, PARAM_PATH, PARAM_HEADER };

struct param {
	const char *name; /* NULL ends the list */
	enum param_in in;
	enum param_kind kind;
	int64_t min, max;
	const char *choices;
	const char *fallback; /* the value when it is not given; NULL: none */
	const char *words;
	const char *example; /* as text */
	bool required;       /* path parameters always are */
};

/* A value that was given, or the fallback. */
struct param_value {
	struct str text; /* NUL-terminated; absent when not given */
	int64_t number;  /* PARAM_INT; PARAM_DATE, PARAM_TIME: µs since 1970 */
	bool is_day;     /* PARAM_TIME: a date alone */
};

enum route_flag {
	ROUTE_HIDDEN = 1 << 0,   /* not in the OpenAPI document: pages and their files */
	ROUTE_BODY = 1 << 1,     /* takes a JSON body */
	ROUTE_MISSING = 1 << 2,  /* may answer 404 */
	ROUTE_DELETED = 1 << 3,  /* may answer 410 */
	ROUTE_CONFLICT = 1 << 4, /* may answer 409 */
	ROUTE_PUBLIC =
	    1 << 5, /* no health data: may be cached by browsers as long as the ETag fits */
	ROUTE_STREAM = 1 << 6,    /* text/event-stream */
	ROUTE_QUIET = 1 << 7,     /* asked for all the time by machines: not in the access log */
	ROUTE_NO_DB = 1 << 8,     /* does not ask the database: never 503 */
	ROUTE_OPERATION = 1 << 9, /* of the process, not of its data: a worker has it, too */
};

struct route {
	enum method method;
	const char *path; /* "/patients/{id}"; also the metrics label */
	void (*handle)(struct request *r);
	const char *id; /* operationId */
	const char *tag;
	const char *summary;        /* a line */
	const char *words;          /* more; NULL: nothing */
	const struct param *params; /* path parameters first, in their order; NULL: none */
	unsigned flags;
	int status;         /* of success */
	const char *schema; /* name of the schema of the answer; NULL: not JSON */
	const char *media;  /* of the answer; NULL: application/json */
	const char *file;   /* pages: name of the embedded file */
};

extern const struct route route_table[];
extern const int route_count;

enum router_result {
	ROUTER_OK,
	ROUTER_NO_PATH,
	ROUTER_NO_METHOD,
};

struct router_match {
	const struct route *route;
	struct str
	    segments[ROUTE_SEGMENTS]; /* of path parameters, as they stand (percent-encoded) */
	int segment_count;
	unsigned methods; /* bit set of enum method that the path has */
};

/* `method` is METHODS for one that no route has. */
enum router_result router_match(const struct route *table, int count, enum method method,
                                struct str path, struct router_match *out);

/* "GET, HEAD, OPTIONS" */
void router_allow(unsigned methods, char out[64]);

/* Looks up a request header; STR_NONE when there is none. */
typedef struct str router_header_fn(void *ctx, const char *name);

/* Checks path, query (raw, without '?'; absent: none) and headers of the route. values[i] belongs
 * to route->params[i]. False: `problem` says all that is wrong. Text lives in the arena. */
bool router_params(const struct router_match *match, struct str query, router_header_fn *header,
                   void *ctx, struct arena *arena, struct param_value values[ROUTE_PARAMS],
                   struct problem *problem);

/* Percent-decoding (and '+' when `form`), into the arena; absent when it is malformed, not UTF-8 or
 * has a NUL. */
struct str router_decode(struct arena *arena, struct str s, bool form);

/* One value of one parameter; false with what is wrong in *detail. */
bool router_param_check(const struct param *p, struct arena *arena, struct str text,
                        struct param_value *out, const char **detail);

#endif
