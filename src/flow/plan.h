/* SPDX-License-Identifier: Apache-2.0
 *
 * plan.h: what a run does next, and nothing else.
 *
 * flow_plan() is the whole ingest flow as a pure function: it is given everything that is known
 * about a run and answers which activities to start now. It performs no I/O, reads no clock, draws
 * no random number and keeps no state, so an engine may call it as often as it likes, replay it
 * from a history, or throw its answer away. Engines differ only in where `struct flow_state` comes
 * from.
 *
 * What it does not do: talk to a server, retry (base/retry.h decides that), or count (reconcile.h
 * adds up).
 *
 * The way of a run (docs/FLOW.md):
 *   LOOK                          the source's clock and capabilities, the stage tables
 *   full: PATIENT_PAGE chain ─▶ OBSERVATIONS of groups of each page's patients
 *   incremental: PATIENT_PAGE chain of what changed, then ID_PAGE chain (who lives there now) ─▶
 * LOOKUP of the unknown ones; OBSERVATION_PAGE chain of what changed; OBSERVATIONS of patients that
 * are new, whole MERGE whenever enough is staged, and at the end; then SWEEP (deletes, moves) and
 * RECONCILE (add up, watermark, end).
 */
#ifndef FHIRLINE_FLOW_PLAN_H
#define FHIRLINE_FLOW_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A batch is the unit of work and of recovery. Its number never changes and is never used again
 * within a run: (run id, seq) is the idempotency key of its activity. A page's chain: each page
 * names the one before (page_seq; 0: the first). */
enum flow_batch_kind {
	FLOW_PATIENT_PAGE,     /* a page of the Patient search */
	FLOW_OBSERVATIONS,     /* all observations of a group of one page's patients */
	FLOW_ID_PAGE,          /* a page of ids alone: who lives in the zip code now */
	FLOW_LOOKUP,           /* the Patients of a group of an ID_PAGE's patients */
	FLOW_OBSERVATION_PAGE, /* a page of the zip code's changed observations */
};
enum { FLOW_KINDS = 5 };

/* A batch only ever moves down this list, but for a failed one that a person retries. */
enum flow_batch_state {
	FLOW_PENDING, /* to be run (again) */
	FLOW_RUNNING, /* this engine's activity is under way */
	FLOW_STAGED,  /* landed, mapped, in the stage, checkpoint committed */
	FLOW_MERGING, /* its rows are in the part of the stage that is being merged */
	FLOW_MERGED,
	FLOW_FAILED, /* for good: the run will end incomplete */
};

struct flow_batch {
	uint32_t seq;
	enum flow_batch_kind kind;
	enum flow_batch_state state;
	uint32_t page_seq;
	uint32_t first;    /* of the page's patients, from 0 */
	uint32_t patients; /* groups: how many; pages: how many patients need their observations
	                      read whole (once STAGED) */
	uint64_t rows;     /* staged rows */
	bool more;         /* pages: there is a next one (once STAGED) */
	bool settled; /* the engine's: STAGED before it looked at the database; not the plan's */
};

/* So many batches may be given up; with more the source is not in a state to be read from. The
 * engines count. */
enum { FLOW_FAILED_MAX = 100 };

enum flow_phase {
	FLOW_PHASE_LOOK,
	FLOW_PHASE_READ,
	FLOW_PHASE_SWEEP,
	FLOW_PHASE_RECONCILE,
	FLOW_PHASE_DONE
};

struct flow_limits {
	uint32_t max_running;        /* batches in flight; at least 1 */
	uint32_t patients_per_batch; /* group size; at least 1 */
	uint64_t merge_rows; /* merge at the latest when this many rows are staged; the first merges
	                        come earlier */
};

/* Everything the plan may look at. `batches` is ordered by seq and has no doubles. */
struct flow_state {
	enum flow_phase phase;
	bool incremental;
	const struct flow_batch *batches;
	size_t batch_count;
	bool step_running; /* LOOK, SWEEP or RECONCILE is under way */
	bool merge_running;
	bool cancel_requested;
	bool broken; /* an activity said that the run cannot go on (a batch's failure alone does
	                not) */
	struct flow_limits limits;
};

enum flow_action_kind {
	FLOW_LOOK,
	FLOW_RUN_BATCH, /* `batch` tells which: seq, kind, page_seq, first, patients */
	FLOW_MERGE,     /* merge everything that is staged */
	FLOW_SWEEP,
	FLOW_RECONCILE,
	FLOW_END_CANCELLED,
	FLOW_END_FAILED,
};

struct flow_action {
	enum flow_action_kind kind;
	struct flow_batch batch; /* for FLOW_RUN_BATCH */
};

/* Writes at most `cap` actions to `out` and returns how many it wrote (a larger cap may give more).
 * Zero means: wait for something that is running, or the run has ended (phase DONE).
 *
 * Guarantees, each with a property test in tests/flow/plan_test.c:
 *  - never more than limits.max_running batches in flight, counting those it starts;
 *  - at most one merge at a time; SWEEP and RECONCILE only when every batch is MERGED or FAILED;
 *  - the patients of each page are covered by groups without gap or overlap;
 *  - from any reachable state, completing what is running leads to DONE or an END action in
 * finitely many steps;
 *  - the answer depends on its argument alone: same state, same actions, byte for byte. */
size_t flow_plan(const struct flow_state *state, struct flow_action *out, size_t cap);

#endif
