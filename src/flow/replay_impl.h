/* SPDX-License-Identifier: Apache-2.0
 *
 * replay_impl.h: what replay.c, replay_step.c and replay_rows.c share. Not for others.
 */
#ifndef FHIRLINE_FLOW_REPLAY_IMPL_H
#define FHIRLINE_FLOW_REPLAY_IMPL_H

#include "flow/hand.h"
#include "flow/internal.h"
#include "flow/replay.h"
#include "land/fates.h"

enum { REPLAY_WORKERS_MAX = 4, REPLAY_WORDS_MAX = 1000 };

struct replay_step {
	struct flow_step step;
	const struct land_manifest *manifest;
	uint32_t first; /* number of the batch that its first object is, from 1 */
};

struct replay_worker {
	struct replay *r;
	struct flow_work work;
	struct hand hand;
	pthread_t thread;
	bool started;
};

struct replay {
	const struct lineage *lineage;
	struct flow_settings flow;
	struct flow_totals totals;
	char into[64]; /* "": the live tables */
	char key[96];  /* of the schema, replay_key.sql; "": the live tables */
	bool ended;    /* before we came: all is in the schema */
	struct flow_run *run;
	struct flow_work control; /* holds the lock of the zip code */
	struct replay_worker workers[REPLAY_WORKERS_MAX];
	struct replay_step *steps;
	size_t step_count;
	enum flow_batch_state *batches; /* by number, from 0 */
	uint32_t batch_count;

	pthread_mutex_t lock; /* for all below */
	pthread_cond_t changed;
	struct replay_state state;
	uint32_t next; /* batch number of the next object to look at */
	int alive;     /* workers */
	struct err failure;
	bool failed;
};

/* replay_rows.c: the rows of the database ---- */

/* Finds or makes the run, takes it up, tells of the lineage's runs, loads what is done. */
bool replay_rows_open(struct replay *r, struct err *err);
bool replay_rows_renew(struct replay *r, bool *cancelled, struct err *err);
/* Adds up and ends the run. */
bool replay_rows_finish(struct replay *r, struct err *err);

/* replay_step.c: a batch, and a step's end; on a worker ---- */

/* Stages a batch. False: the run cannot go on; an object that cannot be read is noted, *rows 0. */
bool replay_step_stage(struct replay_worker *w, const struct replay_step *step, uint32_t seq,
                       enum flow_batch_state *state, int64_t *rows, struct err *err);
bool replay_step_fates(struct replay_worker *w, const struct replay_step *step, struct err *err);

#endif
