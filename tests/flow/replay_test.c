/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/rng.h"
#include "flow/lineage.h"
#include "flow/replay.h"

enum { MERGE_ROWS = 1000 };

/* ---- what comes next ---- */

struct world {
	struct replay_state s;
	struct rng rng;
	uint32_t objects[8]; /* of each step */
	int64_t in_merge, done;
	int merges, fates;
};

static void begin(struct world *w, enum replay_action a)
{
	if (a == REPLAY_STAGE) {
		w->s.objects--;
		w->s.under_way++;
	} else if (a == REPLAY_MERGE) {
		assert_false(w->s.merging);
		w->s.merging = true;
		w->in_merge = w->s.staged;
		w->s.staged = 0;
	} else if (a == REPLAY_FATES) {
		/* a step's fates come after all of its rows */
		assert_int_equal(w->s.objects + w->s.under_way, 0);
		assert_true(w->s.staged == 0 && !w->s.merging);
		w->s.ending = true;
	}
}

/* Something that is under way ends. False: nothing was. */
static bool end_one(struct world *w)
{
	if (w->s.under_way && (!w->s.merging || rng_below(&w->rng, 2))) {
		w->s.under_way--;
		w->s.staged += (int64_t)rng_below(&w->rng, 300);
	} else if (w->s.merging) {
		w->s.merging = false;
		w->s.merged += w->in_merge;
		w->done += w->in_merge;
		w->merges++;
	} else if (w->s.ending) {
		w->s.ending = false;
		w->fates++;
		if (++w->s.step < w->s.steps)
			w->s.objects = w->objects[w->s.step];
	} else {
		return false;
	}
	return true;
}

static void every_order_comes_to_the_end(void **state)
{
	(void)state;
	for (uint64_t seed = 0; seed < 2000; seed++) {
		struct world w = {.rng = rng_for(seed, 1)};
		int turns = 0;

		w.s.steps = 1 + rng_below(&w.rng, 8);
		for (size_t i = 0; i < w.s.steps; i++)
			w.objects[i] = (uint32_t)rng_below(&w.rng, 40);
		w.s.objects = w.objects[0];
		for (;;) {
			enum replay_action a = replay_next(&w.s, MERGE_ROWS);

			assert_true(turns++ < 100000);
			if (a == REPLAY_DONE)
				break;
			if (a != REPLAY_WAIT && w.s.under_way < 4 && rng_below(&w.rng, 3))
				begin(&w, a);
			else if (!end_one(&w) && a == REPLAY_WAIT)
				fail_msg("seed %d: nothing is under way, and nothing to do",
				         (int)seed);
		}
		assert_int_equal(w.fates, w.s.steps);
		assert_int_equal(w.s.staged, 0);
	}
}

static void merges_are_large_and_few(void **state)
{
	struct replay_state s = {.steps = 1, .objects = 5, .staged = 24};

	(void)state;
	assert_int_equal(replay_next(&s, MERGE_ROWS), REPLAY_STAGE);
	s.staged = 25; /* a fortieth: the first come early */
	assert_int_equal(replay_next(&s, MERGE_ROWS), REPLAY_MERGE);
	s.merged = 400;
	assert_int_equal(replay_next(&s, MERGE_ROWS), REPLAY_STAGE);
	s.staged = 100;
	assert_int_equal(replay_next(&s, MERGE_ROWS), REPLAY_MERGE);
	s.merged = 100 * MERGE_ROWS;
	s.staged = MERGE_ROWS;
	assert_int_equal(replay_next(&s, MERGE_ROWS), REPLAY_MERGE);
	s.merging = true;
	assert_int_equal(replay_next(&s, MERGE_ROWS), REPLAY_STAGE);
	s.staged = 2 * MERGE_ROWS; /* the stage is full */
	assert_int_equal(replay_next(&s, MERGE_ROWS), REPLAY_WAIT);
}

/* ---- lineage ---- */

static struct land_manifest *run(int number, const char *kind, int64_t watermark_us, int after)
{
	struct land_manifest *m = calloc(1, sizeof *m);

	assert_non_null(m);
	snprintf(m->run_id, sizeof m->run_id, "%d", number);
	snprintf(m->kind, sizeof m->kind, "%s", kind);
	snprintf(m->state, sizeof m->state, "completed");
	snprintf(m->fates.name, sizeof m->fates.name, "fates");
	if (after)
		snprintf(m->after, sizeof m->after, "%d", after);
	m->watermark_us = watermark_us;
	return m;
}

static void it_begins_with_the_newest_full_run_that_missed_nothing(void **state)
{
	struct land_manifest *runs[] = {
	    run(1, "full", 10, 0), run(2, "incremental", 20, 1), run(3, "full", 30, 2),
	    run(4, "full", INT64_MIN, 3), run(5, "incremental", 50, 4)};

	(void)state;
	assert_int_equal(lineage_first(runs, 5), 2);
	assert_int_equal(lineage_first(runs, 2), 0);
	runs[2]->watermark_us = INT64_MIN;
	assert_int_equal(lineage_first(runs, 5), 0);
	/* manifests of earlier versions have no watermark, but a state */
	runs[3]->fates.name[0] = '\0';
	assert_int_equal(lineage_first(runs, 5), 3);
	snprintf(runs[3]->state, sizeof runs[3]->state, "incomplete");
	assert_int_equal(lineage_first(runs, 5), 0);
	runs[0]->watermark_us = INT64_MIN;
	assert_int_equal(lineage_first(runs, 5), 0);
	for (size_t i = 0; i < 5; i++)
		free(runs[i]);
}

static void a_gap_is_seen(void **state)
{
	struct land_manifest *runs[] = {run(1, "full", 10, 0), run(2, "incremental", 20, 1),
	                                run(3, "incremental", 30, 2)};

	(void)state;
	assert_int_equal(lineage_gap(runs, 0, 3), 3);
	snprintf(runs[2]->after, sizeof runs[2]->after, "9");
	assert_int_equal(lineage_gap(runs, 0, 3), 2);
	assert_int_equal(lineage_gap(runs, 2, 3), 3); /* what it begins with follows nothing */
	runs[2]->after[0] = '\0';                     /* not said */
	assert_int_equal(lineage_gap(runs, 0, 3), 3);
	for (size_t i = 0; i < 3; i++)
		free(runs[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_order_comes_to_the_end),
	    cmocka_unit_test(merges_are_large_and_few),
	    cmocka_unit_test(it_begins_with_the_newest_full_run_that_missed_nothing),
	    cmocka_unit_test(a_gap_is_seen),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
