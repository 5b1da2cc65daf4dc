/* SPDX-License-Identifier: Apache-2.0
 *
 * replay.h: a zip code's tables made again from the landing zone. docs/REPLAY.md is the page for
 * people. The source is not asked: nothing here has its address.
 *
 * A replay is a run of kind `replay`. Its batches are the landed objects of the lineage's runs
 * (lineage.h), mapped, staged by COPY and merged as those of a run that fetches; so the numbers
 * mean the same, `expected` being what the manifests name. Rows bear the id of the run that landed
 * them, as they did before. The steps of the lineage are taken one after the other: all objects of
 * a run, then what it deleted and who left (land/fates.h), then the next run. So the tables end as
 * they were.
 *
 * Done to tables that have it all, a replay writes nothing: what a later run has written is not
 * touched (rows and tombstones bear the run's id and time), and it may go on beside a run that
 * reads the source.
 *
 * An object that is missing or damaged is passed over and named; nothing is taken for whole then,
 * and the next ingest reads the zip code in full. Killed at any instant, the same call goes on with
 * the objects that are not yet merged. One replay of a zip code at a time (an advisory lock that
 * the session holds).
 */
#ifndef FHIRLINE_FLOW_REPLAY_H
#define FHIRLINE_FLOW_REPLAY_H

#include <stdatomic.h>

#include "flow/flow.h"
#include "flow/lineage.h"

struct replay;

struct replay_settings {
	struct flow_settings flow; /* source, http: not looked at; workers: 4 at most are used */
	const char *into; /* a schema that has the tables to load (swap.h); NULL: the live ones.
	                     Borrowed */
};

/* Makes the run, or finds the one to go on with. ERR_CONFLICT: another replay of the zip code is
 * under way. Borrows `l`. NULL on failure. */
struct replay *replay_open(const struct replay_settings *s, const struct lineage *l,
                           struct err *err);
const char *replay_run_id(const struct replay *r);

/* Blocks until the run has ended; the numbers are in its row (flow_run_view()). False: it failed,
 * which its row says too; or `stop` became true (ERR_CANCELLED) and it can be gone on with. */
bool replay_work(struct replay *r, const atomic_bool *stop, struct err *err);
void replay_close(struct replay *r); /* NULL is fine */

/* ---- what comes next: a pure function, for the workers and for its test ---- */

struct replay_state {
	size_t step, steps; /* the lineage's runs: this one, of so many */
	uint32_t objects;   /* of the step, not yet begun */
	unsigned under_way; /* being staged */
	int64_t staged;     /* rows in the stage */
	int64_t merged;     /* rows so far */
	bool fresh;         /* the first merge takes the stage as it is: all of the step at once */
	bool merging;
	bool ending; /* the step's fates are being applied */
};

enum replay_action {
	REPLAY_WAIT,  /* for something that is under way */
	REPLAY_STAGE, /* the step's next object */
	REPLAY_MERGE,
	REPLAY_FATES, /* the step's end */
	REPLAY_DONE,
};

enum replay_action replay_next(const struct replay_state *s, int64_t merge_rows);

#endif
