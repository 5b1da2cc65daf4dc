/* SPDX-License-Identifier: Apache-2.0
 *
 * state.h: what the history of an IngestZip workflow comes to: the state that flow_plan() wants.
 * Pure: the same history gives the same state.
 *
 * Ids of activities: "begin", "look", "batch-7" (read again for its lost commit: "batch-7.2"),
 * "merge-3", "sweep", "reconcile", "end".
 */
#ifndef FHIRLINE_WORKFLOW_STATE_H
#define FHIRLINE_WORKFLOW_STATE_H

#include "temporal/workflow.h"
#include "workflow/wire.h"

struct state {
	struct wire_input input;
	struct flow_state plan; /* its batches are in the task's arena */
	const uint32_t *rounds; /* beside the batches: activities that were asked for for each */
	bool begun;             /* `begin` has ended well: what follows is known */
	int64_t epoch;
	unsigned merges;  /* asked for */
	unsigned pending; /* activities that have not ended */
	bool paused;
	bool lost; /* another engine has the run: nothing more is to be written */
	const struct temporal_failure *failure; /* why plan.broken, or why `begin` failed */
	bool too_many_failed;                   /* or this */
	const struct temporal_known *end;       /* NULL: not asked for */
	const struct temporal_known *reconcile;
};

/* False: the workflow task fails, the workflow waits for a worker that can go on. */
bool state_fold(struct temporal_task *task, struct state *s, struct err *err);

/* {"phase":"read","paused":false,"batches":{"running":2,…},"rows":1234,"continued":0} */
bool state_progress(struct temporal_task *task, const struct state *s,
                    struct temporal_payloads *out, struct err *err);

#endif
