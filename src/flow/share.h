/* SPDX-License-Identifier: Apache-2.0
 *
 * share.h: how many slots of a source this process should have, seen what it needs and who else is
 * there. Pure: no I/O, no clock, no threads; slots.c carries it out.
 *
 *  - A process's part is floor(cap / processes here), at least 1. Who has requests waiting and less
 *    than its part is hungry; who has less than ceil(cap / processes) is wanting.
 *  - While somebody else is hungry, a process has no more than its part; while somebody is wanting,
 *    no more than the ceil; else what it can use. What is above is given back as requests end.
 *  - More processes than slots: nobody asks for more than one. While somebody is hungry, who had a
 *    slot for SHARE_TURN_MS gives it back, by lot, and sits out for a moment.
 *  - Slots that were not needed for a second are given back. A process without requests holds
 *    nothing and asks nothing.
 *  - Who is hungry asks for slots every 20–100 ms (at random: not in step with others), who would
 *    like more than its part about every 300 ms.
 *
 * A process alone that keeps its slots busy asks the database once in SHARE_SURVEY_MS, not once a
 * request.
 *
 * Times are milliseconds of a monotonic clock. tests/flow/share_test.c plays the rules through in a
 * model: nobody starves, busy processes are served within two times of each other, hardly a slot is
 * idle.
 */
#ifndef FHIRLINE_FLOW_SHARE_H
#define FHIRLINE_FLOW_SHARE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/rng.h"

#define SHARE_IDLE_MS 1000
#define SHARE_SURVEY_MS 250
#define SHARE_TURN_MS 200

/* What this process knows, and what it does about it. */
struct share {
	int cap;
	int held;
	bool here, hungry, wanting; /* what has been announced */
	bool refused;               /* the last time it asked it got fewer than it asked for */
	bool leaving;               /* had its turn: makes room for others */
	int processes;              /* here, this one included; as of surveyed_ms; 0: not known */
	int hungry_others, wanting_others;
	int64_t surveyed_ms;
	int64_t drawn_ms;  /* the survey for which it drew whether to leave */
	int64_t active_ms; /* when there was last something to do */
	int64_t taken_ms;  /* when slots were last taken */
	int64_t ask_ms;    /* not to be asked for before */
	int64_t peak_ms;   /* since when `peak` is measured */
	int peak;          /* most slots wanted at once since then */
	struct rng rng;
};

struct share_need {
	int inside;  /* requests under way: that many slots cannot be given back now */
	int waiting; /* requests that wait and could go if there were a slot */
	int limit;   /* more than so many at once are not wanted */
	int most;    /* most requests inside at once since the last call */
};

/* What to do next. Nothing: no field but `keep` and `again_ms` is set. */
struct share_step {
	int keep; /* requests may begin while fewer than that are inside */
	int give; /* slots to give back now */
	int take; /* slots to ask for */
	bool survey;
	bool here, hungry, wanting; /* what should be announced */
	int64_t again_ms; /* call again then though nothing happens; INT64_MAX: no need to */
};

void share_init(struct share *s, int cap, uint64_t seed, int64_t now_ms);

/* All slots are lost with the session, and nothing is announced any more. */
void share_forget(struct share *s, int64_t now_ms);

/* The answer depends on its arguments alone, but `s` notes what was asked (times, the peak, a draw
 * of its generator). */
struct share_step share_step(struct share *s, const struct share_need *need, int64_t now_ms);

/* Anything that slots_run() would do for it. */
bool share_step_is_work(const struct share *s, const struct share_step *step);

#endif
