/* SPDX-License-Identifier: Apache-2.0
 *
 * service.h: what the request handlers share, and one request on its way through them.
 *
 *   server.c   HTTP: threads, bodies, authentication, the order of things
 *   fhir.c     /fhir/…: routing, reads, writes; pages.c: searches, histories and their pages
 *   control.c  /sandbox/…: for tests; churn.c: its largest part
 *   respond.c  compression, and faults that are made on the wire
 *   tokens.c, requestlog.c
 *
 * Locks: `data` (a read-write lock) guards the overlay; `lock` guards fault rules, tokens, log and
 * statistics, is held for moments only, and may be taken while `data` is held, not the reverse.
 */
#ifndef FHIRLINE_SANDBOX_SERVICE_H
#define FHIRLINE_SANDBOX_SERVICE_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/hash.h"
#include "sandbox/fault.h"
#include "sandbox/overlay.h"
#include "sandbox/query.h"
#include "sandbox/sandbox.h"

#define TOKENS_MAX 16384 /* searches that can be paged at once; the oldest gives way */
#define REQUEST_BODY_MAX (64 << 20)
#define REPLY_MAX ((size_t)512 << 20)
#define REQUEST_LOG_MAX (32 << 20) /* bytes of log kept in memory */

struct MHD_Daemon;
struct MHD_Connection;

/* A search or history that has more pages. */
struct token {
	char id[UUID_TEXT];
	struct query query;
	uint64_t seq;    /* the state that it searches */
	uint64_t cap;    /* silent-cap: no more than so many entries; UINT64_MAX: no cap */
	int64_t made_ms; /* monotonic */
	unsigned refs;
};

/* What --reuse-s remembers of a search: its URL and form as a hash, and the state it saw. */
#define REUSE_SLOTS 1024

struct reuse {
	uint64_t key;
	uint64_t seq;
	int64_t made_ms;
};

struct stats {
	uint64_t requests;
	uint64_t bytes; /* of bodies, as sent */
	uint64_t resources;
	unsigned running;
	unsigned most_running;
};

struct log_line {
	uint64_t n;
	char *json;
	size_t bytes;
};

struct request_log {
	struct log_line *lines; /* a ring */
	size_t cap;
	size_t first;
	size_t count;
	size_t bytes;
	uint64_t next; /* number of the next line; the first is 1 */
	FILE *file;
};

struct sandbox {
	struct sandbox_options o;
	struct query_limits limits;
	const struct clock *clock;
	struct population pop;
	char *bearer, *basic; /* whole Authorization values, or NULL */
	pthread_rwlock_t data;
	struct overlay overlay;
	pthread_mutex_t lock;
	pthread_cond_t stopping_changed;
	bool stopping;
	struct fault_script *faults;
	struct token *tokens[TOKENS_MAX];
	uint32_t next_token;
	struct reuse reuse[REUSE_SLOTS];
	struct request_log log;
	struct stats stats;
	struct MHD_Daemon *daemon;
	uint16_t port;
};

struct param {
	struct str name;
	struct str value;
};

struct request {
	struct sandbox *s;
	struct MHD_Connection *conn;
	struct arena arena; /* for what lives as long as the request */
	char *uri;          /* as sent */
	const char *method;
	struct str path; /* of uri, still encoded */
	struct str query;
	struct str base; /* http://HOST/fhir */
	struct param *params;
	size_t nparams;
	struct buf body;
	bool gzip; /* accepted */
	bool body_too_large;
	bool counted;
	int64_t started_ms;
	unsigned classes;
	uint64_t page;
	struct fault fault;
};

struct truth; /* a body that is made while it is sent; see control.c */

struct reply {
	unsigned status;
	struct buf body;
	const char *type; /* Content-Type; static */
	bool pretty;      /* lay the body out */
	char etag[32];    /* "" for none */
	char location[512];
	int64_t last_modified_us; /* 0 for none */
	const char *authenticate; /* WWW-Authenticate; static */
	uint64_t resources;
	struct truth *truth; /* instead of body */
};

#define TYPE_FHIR "application/fhir+json;charset=UTF-8"
#define TYPE_JSON "application/json"
#define TYPE_HTML "text/html;charset=UTF-8"

/* requests.c: reading what was asked */
bool request_add_params(struct request *r, struct str form);
struct str request_param(const struct request *r, const char *name);   /* the first, or STR_NONE */
const char *request_header(const struct request *r, const char *name); /* or NULL; in server.c */
bool request_is(const struct request *r, const char *method);
struct str request_decode(struct request *r, struct str encoded);

/* fhir.c, pages.c */
void fhir_classify(struct request *r);
void fhir_handle(struct request *r, struct reply *reply);
void fhir_outcome(struct reply *reply, unsigned status, const char *code, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
void fhir_error(struct reply *reply, const struct err *err);
void pages_search(struct request *r, struct reply *reply, enum resource_type type);
void pages_history(struct request *r, struct reply *reply, enum resource_type type);
void pages_follow(struct request *r, struct reply *reply);

/* control.c, churn.c */
void control_handle(struct request *r, struct reply *reply);
void churn_handle(struct request *r, struct reply *reply);
size_t truth_read(struct truth *t, char *out, size_t max); /* 0: the end */
void truth_free(struct truth *t);

/* respond.c. Takes reply->body over. False: close the connection. */
bool respond(struct request *r, struct reply *reply);

/* Sleeps, or less when the sandbox stops; then false. */
bool sandbox_sleep(struct sandbox *s, int64_t ms);

/* tokens.c: both give a reference that token_put() ends; NULL: unknown or expired (out of memory).
 * token_make() takes q's memory over, and leaves it empty. */
struct token *token_make(struct sandbox *s, struct query *q, uint64_t seq, uint64_t cap);
struct token *token_get(struct sandbox *s, struct str id);
void token_put(struct sandbox *s, struct token *t);
void token_drop(struct sandbox *s, struct str id);
void tokens_free(struct sandbox *s);

/* requestlog.c; requestlog_since() appends {"next":N,"requests":[…]}. Both lock. */
bool requestlog_open(struct request_log *l, const char *path, struct err *err);
void requestlog_add(struct request *r, const struct reply *reply, size_t bytes);
void requestlog_since(struct sandbox *s, uint64_t since, struct buf *out);
void requestlog_close(struct request_log *l);

#endif
