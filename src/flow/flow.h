/* SPDX-License-Identifier: Apache-2.0
 *
 * flow.h: the ingest flow as the rest of the program sees it: ask for a run, let an engine work,
 * look at numbers.
 *
 * A run is a row of `run`; asking, cancelling and retrying are single SQL statements
 * (sql/flow_run_*.sql), so a process that only serves the API needs no engine, and any engine on
 * the same database takes the run up. An engine owns a run by its lease and epoch; each commit
 * checks the epoch, so one that lost its run cannot write.
 *
 *   sql/flow_run_request.sql  $1 new run id (uuid v7), $2 zip, $3 source url, $4 mapping version,
 * $5 'auto' or 'full', $6 allow mass delete, $7 idempotency key or NULL, $8 fresh (do not resume an
 * earlier run)
 *                             -> run_id, verdict: 'created', 'active' (one is under way), 'resumed'
 * (the newest run had failed or was cancelled: it goes on), 'same_key' (that Idempotency-Key has
 * been used: its run), 'refused' (the newest run could be resumed, but was made for another source
 * or mapping version: say so, fresh starts over). A unique violation (23505) means a race was lost:
 * call it again.
 *   sql/flow_run_cancel.sql   $1 run id -> state ('cancelled' at once when nobody owns
 * it, else 'running' until the engine has ended it); no row: no such run or it has ended
 *   sql/flow_run_retry.sql    $1 run id, $2 source url, $3 mapping version -> run_id, verdict:
 * 'resumed', 'refused' (context differs), 'active' (it or another run of the zip code is under
 * way), 'ended' (nothing in it failed, or a later run took its place: ask for a new run); no row:
 * no such run sql/flow_run_show.sql     $1 run id -> the run's columns and both types' numbers, see
 * the file sql/flow_run_list.sql     $1 zip or NULL, $2 state or NULL, $3 before ordinal or NULL,
 * $4 limit -> newest first, the same columns
 *
 * Numbers while a run is under way are summed from its batches, so they are true at any instant.
 */
#ifndef FHIRLINE_FLOW_FLOW_H
#define FHIRLINE_FLOW_FLOW_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/hash.h"
#include "fhir/source.h"
#include "base/retry.h"
#include "land/land.h"
#include "pg/conn.h"

struct flow_settings {
	struct fhir_source *source; /* borrowed, as all below */
	struct http_client *http;   /* the source's: woken when requests must end */
	struct land *land;
	struct pg_options database;
	const struct clock *clock; /* NULL: the system's */
	struct retry_policy retry;
	int workers;            /* threads that run activities; 1–64 */
	int fhir_concurrency;   /* requests to the source at once, all processes on this database
	                           together */
	int fhir_rate;          /* requests per second; 0: no ceiling */
	int patients_per_batch; /* 1–1,000 */
	int64_t merge_rows;     /* merge at the latest when so many rows are staged */
	int64_t lease_ms;   /* a run whose owner has not been heard of for so long is taken over */
	int64_t overlap_ms; /* how far an incremental run looks back behind the watermark; at least
	                     * 122,000 (HAPI: transaction time-out 120 s and 2 s of clock drift) */
	int mass_delete_percent; /* more vanishing than this needs allow_mass_delete */
	bool landing_csv;        /* land the rows of each batch as CSV, too */
	const char *only_run;    /* work on this run alone (ingest); NULL: on any */
};

struct flow_engine;

/* Starts threads; returns at once. The engine takes up pending runs and those whose lease ran out.
 */
struct flow_engine *flow_engine_start(const struct flow_settings *settings, struct err *err);

/* A run was asked for or cancelled: look now instead of at the next turn (within a second). Any
 * thread; async-signal-safe it is not. */
void flow_engine_wake(struct flow_engine *e);

/* Ends what is under way at the next safe point (within about 2 s), gives up the leases so that
 * others can go on at once, joins. Runs stay resumable. NULL is fine. */
void flow_engine_stop(struct flow_engine *e);

/* Figures of this process, for metrics. */
struct flow_engine_stats {
	int runs;       /* owned now */
	int activities; /* under way now */
	int requests;   /* to the source, now */
	int limit;      /* the adaptive limit on them now */
	int64_t requests_total;
	int64_t request_errors_total;
	int64_t retries_total;
	int64_t bytes_total; /* from the source, on the wire */
};
void flow_engine_stats(struct flow_engine *e, struct flow_engine_stats *out);

struct flow_count {
	int64_t expected; /* -1: the server gave none */
	int64_t fetched, landed, staged, inserted, updated, unchanged, deleted, rejected,
	    duplicates, moved, elsewhere, missing;
};

struct flow_run_view {
	char id[UUID_TEXT];
	char zip[6];
	char kind[16];  /* full, incremental */
	char state[16]; /* pending, running, completed, incomplete, failed, cancelled */
	char phase[16]; /* look, read, sweep, reconcile, done */
	int64_t progress;
	int64_t patients_read;  /* patients whose observations are all staged */
	int64_t patients_known; /* patients whose observations must be read, as far as known */
	int64_t requested_us, started_us, ended_us; /* INT64_MIN: not yet */
	struct flow_count patient, observation;
	char error_code[32];
	char error[512];
	char reconciliation[1024];
};

enum flow_verdict {
	FLOW_CREATED,
	FLOW_ACTIVE,
	FLOW_RESUMED,
	FLOW_SAME_KEY,
	FLOW_REFUSED,
	FLOW_ENDED
};

struct flow_request {
	const char *zip;
	const char *source_url;
	bool full;
	bool fresh;
	bool allow_mass_delete;
	const char *idempotency_key; /* NULL: none */
};

/* The statements above, for callers with a blocking connection. */
bool flow_run_request(struct pg_conn *c, const struct clock *clock, const struct flow_request *req,
                      char run_id[UUID_TEXT], enum flow_verdict *verdict, struct err *err);
bool flow_run_cancel(struct pg_conn *c, const char *run_id,
                     struct err *err); /* ERR_NOT_FOUND: no such run or ended */
/* ERR_NOT_FOUND: no such run. */
bool flow_run_retry(struct pg_conn *c, const char *run_id, const char *source_url,
                    enum flow_verdict *verdict, struct err *err);
bool flow_run_view(struct pg_conn *c, const char *run_id, struct flow_run_view *out,
                   struct err *err);
/* Newest first, at most `limit`; `zip` and `state` may be NULL. The caller frees *out. */
bool flow_run_list(struct pg_conn *c, const char *zip, const char *state, int limit,
                   struct flow_run_view **out, size_t *n, struct err *err);

#endif
