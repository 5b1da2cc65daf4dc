/* SPDX-License-Identifier: Apache-2.0
 *
 * temporal.h: a client of Temporal (https://temporal.io) in C: connections and workflows seen from
 * outside. The other half, a worker that runs workflows and activities, is worker.h and workflow.h;
 * payload.h and event.h are what travels.
 *
 * The library knows nothing of the program that it serves. It speaks the public gRPC protocol
 * (proto/) over gRPC's C core. Tested with server 1.32.
 *
 *     struct temporal_options o = {.address = "127.0.0.1:7233", .name_space = "default"};
 *     struct temporal *t = temporal_open(&o, &err);
 *     struct temporal_start s = {.workflow_id = "greet-1", .type = "Greet", .task_queue = "hello",
 *                                .input = TEMPORAL_ONE(temporal_json(STR("\"world\"")))};
 *     temporal_workflow_start(t, &s, &started, &err);
 *     temporal_workflow_result(t, &(struct temporal_id){"greet-1", started.run_id}, 60000, &arena,
 *                              &result, &err);
 *     temporal_close(t);
 *
 * Threads: any number may call at once; all share one HTTP/2 connection. A call blocks its thread.
 * One thread of the library's own receives the answers. temporal_stop() ends all calls.
 *
 * Time and repetition: an attempt takes at most call_timeout_ms. What ends with UNAVAILABLE (server
 * away, connection lost), RESOURCE_EXHAUSTED (a rate limit) or ABORTED is tried again by `retry`;
 * nothing else is. Every call may be repeated safely: requests that change something carry an id.
 *
 * Limits: a message of more than max_message bytes is refused (ERR_LIMIT), also when it is nested
 * deeper than 64; what is read from the server lives in the caller's arena and is bounded by it.
 *
 * Errors: ERR_NETWORK (UNAVAILABLE), ERR_BUSY (RESOURCE_EXHAUSTED, ABORTED) and ERR_TIMEOUT
 * (DEADLINE_EXCEEDED), all retryable; ERR_TLS (our or their certificate); ERR_AUTH
 * (UNAUTHENTICATED); ERR_FORBIDDEN (PERMISSION_DENIED); ERR_NOT_FOUND (no such workflow, run, task
 * or namespace); ERR_CONFLICT (ALREADY_EXISTS, FAILED_PRECONDITION); ERR_USAGE (INVALID_ARGUMENT,
 * OUT_OF_RANGE); ERR_PROTOCOL (UNIMPLEMENTED, INTERNAL, UNKNOWN, an answer that cannot be read);
 * ERR_DATA (DATA_LOSS); ERR_CANCELLED. The text carries gRPC's name of the status and the server's
 * words.
 *
 * gRPC writes to standard error by itself; temporal_open() turns that off unless GRPC_VERBOSITY is
 * set in the environment.
 */
#ifndef FHIRLINE_TEMPORAL_TEMPORAL_H
#define FHIRLINE_TEMPORAL_TEMPORAL_H

#include "base/retry.h"
#include "temporal/cipher.h"
#include "temporal/event.h"
#include "temporal/payload.h"

#define TEMPORAL_RUN_ID 64 /* bytes of a run id with its '\0' */

struct temporal; /* a connection to one namespace */

struct temporal_options {       /* copied by temporal_open() */
	const char *address;    /* host:port */
	const char *name_space; /* NULL: "default" */
	const char *identity;   /* shown with what we do; NULL: "pid@host" */

	bool tls;              /* also when one of the next five is given */
	const char *ca_file;   /* PEM; NULL: the system's authorities */
	const char *cert_file; /* client certificate and key (mTLS), PEM; both or none */
	const char *key_file;
	const char *server_name; /* in the server's certificate; NULL: the address's host */
	const char *api_key;     /* sent as "authorization: Bearer …"; never without TLS */

	const struct temporal_cipher *cipher; /* seals payloads (cipher.h); borrowed; NULL: none */

	int64_t call_timeout_ms; /* 0: 10 s */
	int64_t poll_timeout_ms; /* long polls; 0: 70 s (the server answers after 60) */
	int64_t keepalive_ms;    /* 0: 30 s; unanswered for half of it the connection is given up */
	size_t max_message;      /* 0: 32 MiB */
	struct retry_policy retry; /* max_attempts 0: 20 attempts, 100 ms to 5 s, within a minute */
};

/* Does not connect yet. ERR_CONFIG: a file cannot be read, options contradict each other. */
struct temporal *temporal_open(const struct temporal_options *options, struct err *err);

/* Ends calls with ERR_CANCELLED, those under way and all to come. May be called from any thread,
 * not from a signal handler. */
void temporal_stop(struct temporal *t);

/* temporal_stop(), waits for callers to have left, frees. Workers first (worker.h). */
void temporal_close(struct temporal *t);

/* Are the server and our namespace there, may we in? `version` becomes the server's. */
bool temporal_check(struct temporal *t, char *version, size_t size, struct err *err);

/* ---- workflows ---- */

struct temporal_retry { /* of an activity or workflow, done by the server; zeros: its defaults */
	int64_t initial_ms;               /* 1 s */
	double coefficient;               /* 2 */
	int64_t maximum_ms;               /* 100 x initial */
	int maximum_attempts;             /* 0: without end */
	const char *const *non_retryable; /* types of application failures; NULL-terminated, may be
	                                     NULL */
};

struct temporal_id {
	const char *workflow_id;
	const char *run_id; /* NULL: the latest run */
};

enum temporal_reuse { /* a workflow of that id has ended (the protocol's numbers) */
	              TEMPORAL_REUSE_ALLOW = 1,  /* 0 is this */
	              TEMPORAL_REUSE_FAILED = 2, /* start again only what did not complete */
	              TEMPORAL_REUSE_REJECT = 3, /* ERR_CONFLICT */
};

enum temporal_conflict {                             /* a workflow of that id runs */
	                 TEMPORAL_CONFLICT_FAIL = 1, /* 0 is this: ERR_CONFLICT */
	                 TEMPORAL_CONFLICT_USE = 2,  /* its run id is returned, started: false */
	                 TEMPORAL_CONFLICT_TERMINATE = 3 /* it is ended, a new one begins */
};

struct temporal_start {
	const char *workflow_id, *type, *task_queue;
	struct temporal_payloads input;
	struct temporal_fields memo, search;
	enum temporal_reuse reuse;
	enum temporal_conflict conflict;
	int64_t execution_timeout_ms; /* all runs; 0: none */
	int64_t run_timeout_ms;       /* one run; 0: none */
	int64_t task_timeout_ms;      /* a workflow task; 0: 10 s */
	int64_t delay_ms;             /* before the first workflow task */
	struct temporal_retry retry;  /* all zero: a failed workflow stays failed */
	const char *request_id;       /* the same id twice starts once; NULL: a new one */
};

struct temporal_started {
	char run_id[TEMPORAL_RUN_ID];
	bool started; /* false: that run was there already */
};

bool temporal_workflow_start(struct temporal *t, const struct temporal_start *start,
                             struct temporal_started *out, struct err *err);

bool temporal_workflow_signal(struct temporal *t, const struct temporal_id *id, const char *name,
                              struct temporal_payloads input, struct err *err);

/* Asks a worker. ERR_USAGE: the workflow does not know that query, or answered with an error;
 * ERR_TIMEOUT: no worker answered. */
bool temporal_workflow_query(struct temporal *t, const struct temporal_id *id, const char *name,
                             struct temporal_payloads args, struct arena *arena,
                             struct temporal_payloads *answer, struct err *err);

/* Asks the workflow to end; it decides how. */
bool temporal_workflow_cancel(struct temporal *t, const struct temporal_id *id, const char *reason,
                              struct err *err);

/* Ends it at once; it is not asked. */
bool temporal_workflow_terminate(struct temporal *t, const struct temporal_id *id,
                                 const char *reason, struct err *err);

enum temporal_status { /* the protocol's numbers */
	               TEMPORAL_STATUS_RUNNING = 1,
	               TEMPORAL_STATUS_COMPLETED = 2,
	               TEMPORAL_STATUS_FAILED = 3,
	               TEMPORAL_STATUS_CANCELLED = 4,
	               TEMPORAL_STATUS_TERMINATED = 5, /* terminated */
	               TEMPORAL_STATUS_CONTINUED = 6,
	               TEMPORAL_STATUS_TIMED_OUT = 7,
	               TEMPORAL_STATUS_PAUSED = 8,
};

/* "running", "completed", "failed", "cancelled", "terminated", "continued", "timed-out", "paused",
 * "unknown". */
const char *temporal_status_name(enum temporal_status status);

struct temporal_pending {                     /* an activity that has not ended */
	struct str activity_id, type, worker; /* worker: identity of the last that had it */
	bool started, cancel_requested;
	int attempt, maximum_attempts;
	struct temporal_payloads heartbeat; /* the last details */
	const struct temporal_failure *last_failure;
};

struct temporal_description {
	enum temporal_status status;
	struct str workflow_id, run_id, first_run_id, type, task_queue;
	int64_t started_us, closed_us; /* closed_us 0: open */
	int64_t events, bytes;         /* of the history */
	struct temporal_fields memo, search;
	const struct temporal_pending *pending;
	size_t n_pending;
};

bool temporal_workflow_describe(struct temporal *t, const struct temporal_id *id,
                                struct arena *arena, struct temporal_description *out,
                                struct err *err);

/* Called for each event, in order; what `e` points to is gone afterwards. False ends it, with
 * *err set. */
typedef bool (*temporal_event_fn)(void *ctx, const struct temporal_event *e, struct err *err);

/* All events so far, page by page; memory for one page. */
bool temporal_workflow_history(struct temporal *t, const struct temporal_id *id,
                               temporal_event_fn fn, void *ctx, struct err *err);

struct temporal_result {
	enum temporal_status status;            /* never RUNNING or CONTINUED */
	char run_id[TEMPORAL_RUN_ID];           /* the run that ended */
	struct temporal_payloads result;        /* COMPLETED; CANCELLED, TERMINATED: details */
	const struct temporal_failure *failure; /* FAILED */
	struct str reason;                      /* TERMINATED */
};

/* Waits for the end of a workflow, through continue-as-new and retries, at most `wait_ms`
 * (ERR_TIMEOUT). */
bool temporal_workflow_result(struct temporal *t, const struct temporal_id *id, int64_t wait_ms,
                              struct arena *arena, struct temporal_result *out, struct err *err);

#endif
