/* SPDX-License-Identifier: Apache-2.0
 *
 * crew.h: activities of runs, one at a time, for an engine that keeps their order elsewhere
 * (src/workflow/). The local engine (engine.c) does the same with threads and a queue of its own.
 *
 * Any number of threads, up to `workers` of the settings, may be in flow_crew_do() at once. Each
 * activity takes its run from the database, does one action of the plan and writes down what it did
 * in one transaction, which is refused when the run has another epoch by then. All of them may be
 * done again: what is landed is not fetched, what is staged is not staged again. An attempt that is
 * still alive when the next one begins (it was thought dead) writes nothing any more.
 *
 * A thread of the crew renews the leases of the runs that are worked on and hears of cancels: what
 * is under way ends within about a second.
 */
#ifndef FHIRLINE_FLOW_CREW_H
#define FHIRLINE_FLOW_CREW_H

#include <stdatomic.h>

#include "flow/flow.h"
#include "flow/plan.h"

struct flow_crew;

/* `settings` is borrowed. Opens no connection to the database yet. */
struct flow_crew *flow_crew_open(const struct flow_settings *settings, struct err *err);
void flow_crew_close(struct flow_crew *crew); /* nothing may be under way. NULL is fine */

/* Activities under way, and the source's figures. `runs` is 0. */
void flow_crew_stats(struct flow_crew *crew, struct flow_engine_stats *out);

/* A run as it stands. `batches` is the caller's to free. */
struct flow_begun {
	int64_t epoch;
	bool incremental, cancel_requested;
	enum flow_phase phase;
	struct flow_batch *batches;
	size_t n;
};

/* Takes a run up for `workflow_id` (with its namespace in front), of which at most one is alive at
 * a time; `chain` tells this one from those before it. ERR_NOT_FOUND: it has ended, or somebody
 * else works on it. ERR_CONFLICT: it was made for another source or mapping version. */
bool flow_crew_begin(struct flow_crew *crew, const char *run_id, const char *workflow_id,
                     const char *chain, const atomic_bool *stop, struct flow_begun *out,
                     struct err *err);

struct flow_call {
	const char *run_id;
	int64_t epoch;
	struct flow_action action;
	const char *end_code, *end_text; /* FLOW_END_FAILED: why */
};

struct flow_outcome {
	struct flow_batch batch;    /* FLOW_RUN_BATCH: STAGED or FAILED */
	struct flow_batch *batches; /* FLOW_MERGE: all, as they stand in the database; the caller's
	                               to free */
	size_t n;
	uint64_t rows;             /* FLOW_MERGE: of the batches that became MERGED */
	struct flow_run_view view; /* FLOW_RECONCILE */
};

/* Does one action. `stop`: becomes true when it is to end. ERR_CONFLICT with where "flow.fence":
 * the run has another owner or has ended. ERR_CANCELLED: somebody cancelled the run, or `stop`. A
 * batch whose own trouble will not pass is not an error: it comes back FAILED. */
bool flow_crew_do(struct flow_crew *crew, const struct flow_call *call, const atomic_bool *stop,
                  struct flow_outcome *out, struct err *err);

#endif
