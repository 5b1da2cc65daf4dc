/* SPDX-License-Identifier: Apache-2.0
 *
 * internal.h: what the files of src/flow/ share: a run that is owned, what a worker has, and each
 * activity's function. docs/FLOW.md has the list of files and how they work together.
 */
#ifndef FHIRLINE_FLOW_INTERNAL_H
#define FHIRLINE_FLOW_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/rng.h"
#include "flow/flow.h"
#include "flow/gate.h"
#include "flow/idset.h"
#include "flow/plan.h"

/* An earlier run whose landed objects a replay stages and merges. */
struct flow_step {
	char run_id[UUID_TEXT];
	int number;       /* in its zip code's order, from 1 */
	int64_t swept_us; /* when it marked its deletions */
};

/* A run that this engine owns. `lock` guards `given`; the engine's mutex guards the rest of what is
 * below it. */
struct flow_run {
	char id[UUID_TEXT];
	char zip[6];
	char source_url[512];
	bool incremental;
	bool allow_mass_delete;
	int64_t epoch;
	int64_t attempt; /* crew.h: at a step that is done alone; else 0 */
	uint64_t tag;    /* tells runs apart in the gate */

	/* set by LOOK, before anything else runs */
	int64_t since_us;
	int64_t server_time_us;
	bool patient_history, observation_history;
	bool track_seen;
	bool remap;
	bool beside;                  /* a replay that loads tables of its own (swap.h) */
	const struct flow_step *step; /* a replay: whose rows are being merged; else NULL */

	atomic_bool
	    stop; /* whatever is under way must end: cancelled, lost, broken, or the engine stops */

	struct land *land; /* a view of the engine's or a replay's, which ends with `stop` */

	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool cancel_requested;
	bool lost; /* another engine owns it: write nothing more */
	bool broken;
	struct err failure; /* why broken */
	enum flow_phase phase;
	struct flow_batch *batches;
	size_t batch_count, batch_cap;
	bool step_running, merge_running;
	unsigned running;               /* tasks queued or under way */
	struct idset given[FLOW_KINDS]; /* by page kind: ids that its chain gave, whether they live
	                                   here or not */
	int64_t given_before[FLOW_KINDS]; /* how many more were given before this engine took the
	                                     run over */
	unsigned failed_batches;
};

/* What a worker thread has. */
struct flow_work {
	const struct flow_settings *settings;
	struct flow_totals *totals;
	struct gate *gate;
	struct pg_conn *conn;
	struct rng rng;
};

struct flow_totals {
	atomic_llong requests, request_errors, retries, bytes;
	atomic_int activities;
};

/* try.c --------------------------------------------------------------------------------------- */

/* Calls `fn` until it works, its error is not to be retried, or the policy gives up. Waits between
 * attempts end at once when the run must stop (ERR_CANCELLED). `flow_try_source` passes the gate
 * around each attempt; `flow_try_db` has a fresh connection before each. */
typedef bool (*flow_try_fn)(struct flow_work *w, struct flow_run *run, void *arg, struct err *err);
bool flow_try_source(struct flow_work *w, struct flow_run *run, flow_try_fn fn, void *arg,
                     struct err *err);
bool flow_try_db(struct flow_work *w, struct flow_run *run, flow_try_fn fn, void *arg,
                 struct err *err);

/* Rows of sql/<name>.sql, read outside of a transaction, with retries. NULL on error. */
PGresult *flow_query(struct flow_work *w, struct flow_run *run, const char *name, int n,
                     const char *const *params, struct err *err);

/* Sleeps unless the run must stop. */
void flow_run_wait(struct flow_run *run, int64_t ms);
bool flow_run_stopped(struct flow_run *run,
                      struct err *err); /* fills err with ERR_CANCELLED when so */

/* FHIR calls that retry. The page must be freed by the caller. */
bool flow_search(struct flow_work *w, struct flow_run *run, const char *type,
                 const struct fhir_param *params, size_t n, struct fhir_page *page,
                 struct err *err);
bool flow_search_next(struct flow_work *w, struct flow_run *run, const char *type, const char *next,
                      struct fhir_page *page, struct err *err);
bool flow_fhir_count(struct flow_work *w, struct flow_run *run, const char *type,
                     const struct fhir_param *params, size_t n, int64_t *total, struct err *err);
bool flow_fhir_read(struct flow_work *w, struct flow_run *run, const char *type, struct str id,
                    struct fhir_page *page, struct err *err);
bool flow_fhir_history(struct flow_work *w, struct flow_run *run, const char *type,
                       int64_t since_us, const char *next, struct fhir_history_page *page,
                       struct err *err);
bool flow_capability(struct flow_work *w, struct flow_run *run, struct fhir_capability *cap,
                     struct err *err);

/* store.c ------------------------------------------------------------------------------------- */

struct flow_run *flow_store_claim(struct pg_conn *c, const struct flow_settings *s,
                                  const char *owner,
                                  struct err *err); /* NULL with
                                                     * err->code ERR_NOT_FOUND: nothing to do */
/* The same for crew.h. ERR_NOT_FOUND: it has ended or is somebody else's. */
struct flow_run *flow_store_begin(struct pg_conn *c, const struct flow_settings *s,
                                  const char *run_id, const char *workflow_id, const char *chain,
                                  struct err *err);
/* A run that is under way, for one activity. `alone`: for a step that nobody else does at the same
 * time; attempts at it that were begun before can write nothing from here on (their fence answers
 * ERR_CONFLICT, where "flow.attempt"). ERR_CONFLICT, where "flow.fence": not with that epoch. */
struct flow_run *flow_store_take(struct pg_conn *c, const struct flow_settings *s,
                                 const char *run_id, int64_t epoch, bool alone, struct err *err);
struct flow_run *flow_run_new(void); /* NULL: out of memory */
/* Ends the sessions of a former owner that still hold the run's stage tables. */
bool flow_store_evict(struct pg_conn *c, const struct flow_run *run, struct err *err);
bool flow_store_load(struct pg_conn *c, struct flow_run *run,
                     struct err *err); /* batches and known ids */
bool flow_store_load_batches(struct pg_conn *c, struct flow_run *run, struct err *err);
bool flow_store_release(struct pg_conn *c, const struct flow_run *run, struct err *err);
bool flow_store_fence(struct pg_conn *c, const struct flow_run *run,
                      struct err *err); /* ERR_CONFLICT: another owner */

/* Ends a run that can be resumed: `failed` or `cancelled`, with the reason. Its stage tables stay.
 */
bool flow_store_end(struct pg_conn *c, const struct flow_run *run, const char *state,
                    const struct err *why, struct err *err);
/* Ends it as `completed` or `incomplete`, within the caller's transaction. Drops its stages, unless
 * batches failed: then it may be retried. */
bool flow_store_end_open(struct pg_conn *c, const struct flow_run *run, const char *state,
                         struct err *err);

/* Writes down what the batch's number stands for, before anything can be landed under it. Whoever
 * goes on with the run after a kill gives the number to nothing else, and finds what was landed. */
bool flow_store_batch_begin(struct flow_work *w, struct flow_run *run, struct flow_batch *b,
                            struct err *err);
bool flow_store_batch_failed(struct pg_conn *c, const struct flow_run *run,
                             const struct flow_batch *b, const char *why, struct err *err);
void flow_run_free(struct flow_run *run);

const char *flow_kind_name(enum flow_batch_kind k);
const char *flow_phase_name(enum flow_phase p);

/* What is known of a batch once its object has landed; kept in the object's own trailer (land.h),
 * so that a batch whose checkpoint was lost is staged again from it and not fetched again. */
struct flow_landed {
	int64_t fetched; /* entries of the type received */
	int64_t landed;  /* lines of the object */
	int64_t elsewhere;
	int64_t missing;
	int64_t expected;      /* -1: the server gave no count */
	int64_t seen_until_us; /* INT64_MIN: none */
	char *next;            /* NULL: the last page */
	char *ids;             /* JSON array of the page's patients, in order; NULL for groups */
	uint32_t id_count;
	char *left; /* FLOW_PATIENT_PAGE of what changed: JSON array of ids that matched the search
	             * but live elsewhere: whoever of them was loaded has moved. NULL: none */
	char *listed; /* FLOW_ID_PAGE: JSON array of all ids of the page, known ones too */
	struct land_object object;
};
void flow_landed_free(struct flow_landed *l);

/* read.c: fetches and lands a batch, or finds it landed. */
bool flow_read(struct flow_work *w, struct flow_run *run, const struct flow_batch *b,
               struct flow_landed *out, struct err *err);

/* stage.c: rows of a landed batch into the stage, and its checkpoint, in one transaction. Fills b's
 * state, rows, patients and more. */
bool flow_stage(struct flow_work *w, struct flow_run *run, struct flow_batch *b,
                const struct flow_landed *l, struct err *err);

/* task.c: a batch from its beginning to its checkpoint. Trouble of its own that will not pass makes
 * it FAILED, and that is written down, too. */
bool flow_run_batch(struct flow_work *w, struct flow_run *run, struct flow_batch *b,
                    struct err *err);

/* chain.c: the next page of a chain. */
struct flow_chain {
	enum flow_batch_kind kind;
	char *next; /* server's link, or "sorted:<us>" for a round by lastUpdated, "round:<us>:" and
	               a link for a later page of it, or NULL: begin */
	int64_t before;        /* the server's count when the chain began; -1: not told */
	int64_t seen_until_us; /* of the round by lastUpdated; INT64_MIN: not in one */
	int restarts;
};
bool flow_chain_load(struct flow_work *w, struct flow_run *run, const struct flow_batch *b,
                     struct flow_chain *chain, struct err *err);
bool flow_chain_fetch(struct flow_work *w, struct flow_run *run, struct flow_chain *chain,
                      struct fhir_page *page, struct err *err);
/* After a page: where the chain goes on (chain->next NULL: it has ended). `unique`: how many the
 * chain has given so far. */
bool flow_chain_advance(struct flow_work *w, struct flow_run *run, struct flow_chain *chain,
                        const struct fhir_page *page, int64_t unique, int64_t *expected,
                        int64_t *missing, struct err *err);
void flow_chain_free(struct flow_chain *chain);
/* "ge2024-01-01T00:00:00.123Z": a lower bound for _lastUpdated, rounded down to what servers keep.
 */
enum { FLOW_GE_TEXT = 48 };
void flow_ge_instant(int64_t us, char out[FLOW_GE_TEXT]);
/* The id of the patient whose observation it is, from a reference that may be absolute or
 * versioned; "" when it names none. */
struct str flow_subject(yyjson_val *observation);
int64_t flow_newest(
    const struct fhir_page *page); /* newest meta.lastUpdated; INT64_MIN when none has one */

/* the other activities ---------------------------------------------------------------------------
 */
bool flow_look(struct flow_work *w, struct flow_run *run, struct err *err);
bool flow_merge(struct flow_work *w, struct flow_run *run, struct err *err);
bool flow_sweep(struct flow_work *w, struct flow_run *run, struct err *err);
bool flow_reconcile(struct flow_work *w, struct flow_run *run, struct err *err); /* ends the run */

/* Named points at which a test ends or holds the process (-Dcrash_points=true; crash.c tells how);
 * nothing otherwise. */
#ifdef FHIRLINE_CRASH_POINTS
void flow_crash_point(const char *name);
#else
static inline void flow_crash_point(const char *name)
{
	(void)name;
}
#endif

#endif
