/* SPDX-License-Identifier: Apache-2.0
 *
 * The plan by property: runs in a model of engine and database, with random orders of completion,
 * results that are told twice, failures, cancels, and restarts after which only what was committed
 * is known.
 *
 * FHIRLINE_PLAN_STEPS: how many steps to play in all (200,000). A failure names its seed;
 * FHIRLINE_PLAN_SEED plays that one alone.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/rng.h"
#include "base/str.h"
#include "flow/plan.h"

enum { MAX_BATCHES = 2048, MAX_ACTIONS = 64, MAX_PAGES = 6 };

/* What is known of a batch: `b` in the engine, `stored` in the database. */
struct known {
	struct flow_batch b;
	struct flow_batch stored;
	bool begun; /* has a row in the database */
	int staged; /* how often its rows came to the stage … */
	int merged; /* … and to the tables */
};

struct world {
	uint64_t seed;
	struct rng rng;
	int pages[FLOW_KINDS];                    /* how many the source has */
	uint32_t patients[FLOW_KINDS][MAX_PAGES]; /* on each */
	struct flow_state s; /* the engine's; batches are put together by world_plan() */
	enum flow_phase stored_phase;
	struct known *known; /* by seq, in order */
	size_t count;
	uint32_t highest; /* seq that was ever begun */
	struct flow_batch view[MAX_BATCHES];
	bool step_is_end, merge_turned;
	enum flow_action_kind step;
	bool chaos; /* false: everything that runs succeeds */
	int sweeps;
	const char *end; /* "reconciled", "cancelled", "failed"; NULL: not yet */
	long steps;
};

#define CHECK(w, condition)                                                                        \
	do {                                                                                       \
		if (!(condition))                                                                  \
			fail_msg("FHIRLINE_PLAN_SEED=%llu step %ld: not true: %s",                 \
			         (unsigned long long)(w)->seed, (w)->steps, #condition);           \
	} while (0)

static bool chance(struct world *w, unsigned percent)
{
	return rng_below(&w->rng, 100) < percent;
}

static bool is_page(enum flow_batch_kind k)
{
	return k == FLOW_PATIENT_PAGE || k == FLOW_ID_PAGE || k == FLOW_OBSERVATION_PAGE;
}

static void world_limits(struct world *w)
{
	static const uint64_t merge_rows[] = {1, 20, 200, 1000000};

	w->s.limits.max_running = 1 + (uint32_t)rng_below(&w->rng, 6);
	w->s.limits.patients_per_batch = 1 + (uint32_t)rng_below(&w->rng, 7);
	w->s.limits.merge_rows = merge_rows[rng_below(&w->rng, 4)];
}

static void world_init(struct world *w, uint64_t seed)
{
	struct known *known = w->known;

	*w = (struct world){.seed = seed, .rng = rng_for(seed, 3), .known = known, .chaos = true};
	w->s.incremental = chance(w, 50);
	for (int k = 0; k < FLOW_KINDS; k++) {
		w->pages[k] = 1 + (int)rng_below(&w->rng, MAX_PAGES);
		for (int i = 0; i < MAX_PAGES; i++)
			w->patients[k][i] = chance(w, 20) ? 0 : (uint32_t)rng_below(&w->rng, 20);
	}
	world_limits(w);
}

static struct known *world_find(struct world *w, uint32_t seq)
{
	for (size_t i = 0; i < w->count; i++)
		if (w->known[i].b.seq == seq)
			return &w->known[i];
	return NULL;
}

/* Which page of its chain it is, from 0. */
static int page_index(struct world *w, const struct flow_batch *b)
{
	int n = 0;

	for (uint32_t seq = b->page_seq; seq; n++) {
		struct known *before = world_find(w, seq);

		CHECK(w, before != NULL && n < MAX_PAGES);
		CHECK(w, before->b.kind == b->kind);
		seq = before->b.page_seq;
	}
	return n;
}

static uint32_t in_flight(const struct world *w)
{
	uint32_t n = 0;

	for (size_t i = 0; i < w->count; i++)
		n += w->known[i].b.state == FLOW_RUNNING;
	return n;
}

static bool all_final(const struct world *w)
{
	for (size_t i = 0; i < w->count; i++)
		if (w->known[i].b.state != FLOW_MERGED && w->known[i].b.state != FLOW_FAILED)
			return false;
	return true;
}

/* ---- what the plan answers ---- */

static bool same_batch(const struct flow_batch *a, const struct flow_batch *b)
{
	return a->seq == b->seq && a->kind == b->kind && a->state == b->state &&
	       a->page_seq == b->page_seq && a->first == b->first && a->patients == b->patients &&
	       a->rows == b->rows && a->more == b->more;
}

static size_t world_ask(struct world *w, struct flow_action *out, size_t cap)
{
	struct flow_action again[MAX_ACTIONS];
	size_t n, m;

	for (size_t i = 0; i < w->count; i++)
		w->view[i] = w->known[i].b;
	w->s.batches = w->view;
	w->s.batch_count = w->count;
	memset(out, 0x5a, sizeof *out * cap);
	memset(again, 0xa5, sizeof again);
	n = flow_plan(&w->s, out, cap);
	m = flow_plan(&w->s, again, cap);
	CHECK(w, n <= cap);
	CHECK(w, n == m);
	for (size_t i = 0; i < n; i++) {
		CHECK(w, out[i].kind == again[i].kind);
		CHECK(w, same_batch(&out[i].batch, &again[i].batch));
	}
	for (size_t i = 0; i < w->count; i++)
		CHECK(w, same_batch(&w->view[i], &w->known[i].b));
	return n;
}

static void check_new_page(struct world *w, const struct flow_batch *b)
{
	struct known *before = b->page_seq ? world_find(w, b->page_seq) : NULL;

	for (size_t i = 0; i < w->count; i++)
		CHECK(w, w->known[i].b.kind != b->kind || w->known[i].b.page_seq != b->page_seq);
	if (!b->page_seq)
		return;
	CHECK(w, before && before->b.kind == b->kind && before->b.more);
	CHECK(w, before->b.state >= FLOW_STAGED && before->b.state <= FLOW_MERGED);
}

static void check_new_group(struct world *w, const struct flow_batch *b)
{
	struct known *page = world_find(w, b->page_seq);

	CHECK(w, page && (page->b.kind == FLOW_PATIENT_PAGE || page->b.kind == FLOW_ID_PAGE));
	CHECK(w, b->kind == FLOW_OBSERVATIONS || page->b.kind == FLOW_ID_PAGE);
	CHECK(w, page->b.state >= FLOW_STAGED && page->b.state <= FLOW_MERGED);
	CHECK(w, b->patients >= 1 && b->patients <= w->s.limits.patients_per_batch);
	CHECK(w, b->first + b->patients <= page->b.patients);
	for (size_t i = 0; i < w->count; i++) {
		const struct flow_batch *o = &w->known[i].b;

		CHECK(w, o->kind != b->kind || o->page_seq != b->page_seq ||
		             o->first >= b->first + b->patients ||
		             b->first >= o->first + o->patients);
	}
}

static void start_batch(struct world *w, const struct flow_batch *b)
{
	struct known *k = world_find(w, b->seq);

	CHECK(w, w->s.phase == FLOW_PHASE_READ && !w->s.cancel_requested && !w->s.broken);
	if (k) {
		CHECK(w, k->b.state == FLOW_PENDING);
		CHECK(w, k->b.kind == b->kind && k->b.page_seq == b->page_seq &&
		             k->b.first == b->first && k->b.patients == b->patients);
		k->b.state = FLOW_RUNNING;
		return;
	}
	CHECK(w, w->count == 0 || b->seq > w->known[w->count - 1].b.seq);
	CHECK(w, b->seq > w->highest); /* a number that stands for something is not used again */
	CHECK(w, w->count < MAX_BATCHES);
	if (is_page(b->kind))
		check_new_page(w, b);
	else
		check_new_group(w, b);
	w->known[w->count] = (struct known){.b = *b};
	w->known[w->count++].b.state = FLOW_RUNNING;
}

static void start(struct world *w, const struct flow_action *a)
{
	switch (a->kind) {
	case FLOW_RUN_BATCH:
		start_batch(w, &a->batch);
		return;
	case FLOW_MERGE:
		CHECK(w, !w->s.merge_running && w->s.phase == FLOW_PHASE_READ);
		w->s.merge_running = true;
		w->merge_turned = false;
		return;
	case FLOW_SWEEP:
	case FLOW_RECONCILE:
		CHECK(w, all_final(w) && !w->s.merge_running);
		break;
	case FLOW_LOOK:
		CHECK(w, w->s.phase == FLOW_PHASE_LOOK);
		break;
	case FLOW_END_CANCELLED:
		CHECK(w, w->s.cancel_requested);
		break;
	case FLOW_END_FAILED:
		CHECK(w, w->s.broken && !w->s.cancel_requested);
		break;
	}
	CHECK(w, in_flight(w) == 0 && !w->s.merge_running && !w->s.step_running);
	w->s.step_running = true;
	w->step = a->kind;
}

static void advance(struct world *w)
{
	struct flow_action out[MAX_ACTIONS];
	size_t cap = w->chaos && chance(w, 10) ? 1 + rng_below(&w->rng, 3) : MAX_ACTIONS;
	size_t n = world_ask(w, out, cap);

	for (size_t i = 0; i < n; i++)
		start(w, &out[i]);
	CHECK(w, in_flight(w) <= w->s.limits.max_running);
	CHECK(w, w->s.phase == FLOW_PHASE_DONE || w->s.step_running || w->s.merge_running ||
	             in_flight(w) > 0);
}

/* ---- what happens to what runs ---- */

/* Before anything of a batch can be landed its row is committed, so that its number keeps its
 * meaning. */
static void batch_begin(struct world *w, struct known *k)
{
	if (k->begun)
		return;
	k->begun = true;
	k->stored = k->b;
	k->stored.state = FLOW_PENDING;
	if (k->b.seq > w->highest)
		w->highest = k->b.seq;
}

static void batch_staged(struct world *w, struct known *k)
{
	batch_begin(w, k);
	k->b.state = FLOW_STAGED;
	k->b.rows = rng_below(&w->rng, 30);
	if (is_page(k->b.kind)) {
		int i = page_index(w, &k->b);

		CHECK(w, i < w->pages[k->b.kind]);
		k->b.more = i + 1 < w->pages[k->b.kind];
		k->b.patients = k->b.kind == FLOW_OBSERVATION_PAGE ? 0 : w->patients[k->b.kind][i];
	}
	k->stored = k->b;
	k->staged++;
}

static void batch_ends(struct world *w, struct known *k)
{
	unsigned dice = w->chaos ? (unsigned)rng_below(&w->rng, 100) : 100;

	if (dice < 4) {
		batch_begin(w, k);
		k->b.state = k->stored.state = FLOW_FAILED;
	} else if (dice < 8) {
		k->b.state = FLOW_PENDING; /* it was told to stop */
	} else {
		batch_staged(w, k);
	}
}

/* A merge takes what is staged when its first transaction commits; one that was cut off before is
 * ended first, without what has been staged since. */
static void merge_goes_on(struct world *w)
{
	bool turned = w->merge_turned;

	for (size_t i = 0; i < w->count; i++)
		turned = turned || w->known[i].b.state == FLOW_MERGING;
	for (size_t i = 0; i < w->count; i++) {
		struct known *k = &w->known[i];

		if (!turned && k->b.state == FLOW_STAGED) {
			k->b.state = k->stored.state = FLOW_MERGING;
		} else if (turned && k->b.state == FLOW_MERGING) {
			k->b.state = k->stored.state = FLOW_MERGED;
			k->merged++;
		}
	}
	w->s.merge_running = !turned;
	w->merge_turned = true;
}

static void step_ends(struct world *w)
{
	w->s.step_running = false;
	switch (w->step) {
	case FLOW_LOOK:
		w->s.phase = FLOW_PHASE_READ;
		break;
	case FLOW_SWEEP:
		w->s.phase = FLOW_PHASE_RECONCILE;
		w->sweeps++;
		break;
	case FLOW_RECONCILE:
		w->s.phase = FLOW_PHASE_DONE;
		w->end = "reconciled";
		break;
	case FLOW_END_CANCELLED:
		w->end = "cancelled";
		break;
	case FLOW_END_FAILED:
		w->end = "failed";
		break;
	case FLOW_RUN_BATCH:
	case FLOW_MERGE:
		break;
	}
	if (!w->end || w->s.phase == FLOW_PHASE_DONE)
		w->stored_phase = w->s.phase;
	else
		w->s.phase = FLOW_PHASE_DONE;
}

/* One thing that runs ends, any of them. */
static void something_ends(struct world *w)
{
	uint32_t batches = in_flight(w);
	uint64_t pick = rng_below(&w->rng, batches + w->s.merge_running + w->s.step_running);

	if (w->s.step_running) {
		step_ends(w);
	} else if (pick == batches) {
		merge_goes_on(w);
	} else {
		for (size_t i = 0; i < w->count; i++)
			if (w->known[i].b.state == FLOW_RUNNING && pick-- == 0) {
				batch_ends(w, &w->known[i]);
				return;
			}
	}
}

/* kill -9, and another engine takes the run up; or a person asks for it again after its end. */
static void restart(struct world *w)
{
	size_t n = 0;

	for (size_t i = 0; i < w->count; i++) {
		struct known *k = &w->known[i];

		/* those under way may have come as far as their row, or not yet */
		if (k->b.state == FLOW_RUNNING && chance(w, 50))
			batch_begin(w, k);
		if (!k->begun)
			continue;
		k->b = k->stored;
		w->known[n++] = *k;
	}
	w->count = n;
	w->s.phase = w->stored_phase;
	w->s.step_running = w->s.merge_running = w->s.broken = w->s.cancel_requested = false;
	world_limits(w);
}

static void ask_again(struct world *w)
{
	bool failed = false;

	for (size_t i = 0; i < w->count; i++)
		if (w->known[i].begun && w->known[i].stored.state == FLOW_FAILED) {
			w->known[i].stored.state = FLOW_PENDING;
			failed = true;
		}
	if (w->stored_phase == FLOW_PHASE_DONE && !failed)
		return;
	if (w->stored_phase != FLOW_PHASE_LOOK)
		w->stored_phase = FLOW_PHASE_READ;
	w->end = NULL;
	restart(w);
}

/* ---- at the end ---- */

static void check_covered(struct world *w, const struct flow_batch *page, enum flow_batch_kind kind)
{
	int times[32] = {0};

	for (size_t i = 0; i < w->count; i++) {
		const struct flow_batch *g = &w->known[i].b;

		if (g->kind == kind && g->page_seq == page->seq)
			for (uint32_t p = g->first; p < g->first + g->patients; p++)
				times[p]++;
	}
	for (uint32_t p = 0; p < page->patients; p++)
		CHECK(w, times[p] == 1);
}

static void check_chain(struct world *w, enum flow_batch_kind kind)
{
	int pages = 0;
	bool failed = false;

	for (size_t i = 0; i < w->count; i++) {
		const struct flow_batch *b = &w->known[i].b;

		if (b->kind != kind)
			continue;
		failed = failed || b->state == FLOW_FAILED;
		pages += b->state == FLOW_MERGED;
		if (b->state == FLOW_FAILED || kind == FLOW_OBSERVATION_PAGE)
			continue;
		check_covered(w, b, FLOW_OBSERVATIONS);
		if (kind == FLOW_ID_PAGE)
			check_covered(w, b, FLOW_LOOKUP);
	}
	CHECK(w, failed || pages == w->pages[kind]);
}

static void check_reconciled(struct world *w)
{
	for (size_t i = 0; i < w->count; i++) {
		struct known *k = &w->known[i];

		CHECK(w, k->b.state == FLOW_MERGED || k->b.state == FLOW_FAILED);
		if (k->b.state == FLOW_MERGED)
			CHECK(w, k->staged == 1 && k->merged == 1);
		else
			CHECK(w, k->staged == 0 && k->merged == 0);
	}
	check_chain(w, FLOW_PATIENT_PAGE);
	if (w->s.incremental) {
		check_chain(w, FLOW_ID_PAGE);
		check_chain(w, FLOW_OBSERVATION_PAGE);
	}
	CHECK(w, w->sweeps > 0);
}

/* ---- the tests ---- */

/* Everything that is under way ends well from here on: so must the run, and soon. */
static void must_end(struct world *w)
{
	long limit = w->steps + 20000;

	w->chaos = false;
	while (!w->end) {
		w->steps++;
		CHECK(w, w->steps < limit);
		advance(w);
		something_ends(w);
	}
	if (strcmp(w->end, "reconciled") == 0)
		check_reconciled(w);
}

static void play(struct world *w, uint64_t seed)
{
	long length;

	world_init(w, seed);
	length = (long)rng_below(&w->rng, 400);
	while (w->steps < length) {
		w->steps++;
		advance(w);
		if (chance(w, 5))
			advance(w); /* the same news twice */
		if (!w->end)
			something_ends(w);
		if (w->end && strcmp(w->end, "reconciled") == 0)
			check_reconciled(w);
		if (chance(w, 1) && !w->end)
			w->s.cancel_requested = true;
		if (chance(w, 1) && !w->end)
			w->s.broken = true;
		if (chance(w, 2) && !w->end)
			restart(w);
		if (w->end) {
			ask_again(w);
			if (w->end)
				return;
		}
	}
	must_end(w);
	/* whatever it ended as: asked for again, with nothing in its way, it comes to its end whole
	 */
	for (int i = 0; i < 2; i++) {
		ask_again(w);
		must_end(w);
	}
	CHECK(w, strcmp(w->end, "reconciled") == 0);
	for (size_t i = 0; i < w->count; i++)
		CHECK(w, w->known[i].b.state == FLOW_MERGED);
}

static int64_t number_from(const char *name, int64_t otherwise)
{
	const char *text = getenv(name);
	int64_t n = otherwise;

	if (text && !str_int(str_of(text), 1, INT64_MAX, &n))
		fail_msg("%s must be a number", name);
	return n;
}

static void every_way_ends_and_loses_nothing(void **state)
{
	int64_t steps = number_from("FHIRLINE_PLAN_STEPS", 200000);
	int64_t one = number_from("FHIRLINE_PLAN_SEED", 0);
	struct world *w = calloc(1, sizeof *w);

	(void)state;
	assert_non_null(w);
	w->known = calloc(MAX_BATCHES, sizeof *w->known);
	assert_non_null(w->known);
	for (uint64_t seed = one ? (uint64_t)one : 1; steps > 0; seed++) {
		play(w, seed);
		steps -= w->steps + 1;
		if (one)
			break;
	}
	free(w->known);
	free(w);
}

static void a_small_run_step_by_step(void **state)
{
	struct flow_batch page = {
	    .seq = 1, .kind = FLOW_PATIENT_PAGE, .state = FLOW_STAGED, .patients = 5, .rows = 5};
	struct flow_state s = {
	    .phase = FLOW_PHASE_READ,
	    .limits = {.max_running = 2, .patients_per_batch = 2, .merge_rows = 1000}};
	struct flow_action out[8];

	(void)state;
	assert_int_equal(flow_plan(&s, out, 8), 1);
	assert_int_equal(out[0].kind, FLOW_RUN_BATCH);
	assert_int_equal(out[0].batch.seq, 1);
	assert_int_equal(out[0].batch.kind, FLOW_PATIENT_PAGE);
	s.batches = &page;
	s.batch_count = 1;
	assert_int_equal(flow_plan(&s, out, 8), 2);
	assert_int_equal(out[0].batch.kind, FLOW_OBSERVATIONS);
	assert_int_equal(out[0].batch.first, 0);
	assert_int_equal(out[0].batch.patients, 2);
	assert_int_equal(out[1].batch.first, 2);
	s.cancel_requested = true;
	assert_int_equal(flow_plan(&s, out, 8), 1);
	assert_int_equal(out[0].kind, FLOW_END_CANCELLED);
	s.step_running = true;
	assert_int_equal(flow_plan(&s, out, 8), 0);
}

/* Two groups of a page were under way when the process was killed; only the second is known. */
static void a_gap_between_groups_is_read(void **state)
{
	struct flow_batch known[] = {
	    {.seq = 1, .kind = FLOW_PATIENT_PAGE, .state = FLOW_MERGED, .patients = 6},
	    {.seq = 3,
	     .kind = FLOW_OBSERVATIONS,
	     .state = FLOW_MERGED,
	     .page_seq = 1,
	     .first = 3,
	     .patients = 2},
	};
	struct flow_state s = {
	    .phase = FLOW_PHASE_READ,
	    .batches = known,
	    .batch_count = 2,
	    .limits = {.max_running = 9, .patients_per_batch = 2, .merge_rows = 1}};
	struct flow_action out[8];

	(void)state;
	assert_int_equal(flow_plan(&s, out, 8), 3);
	assert_int_equal(out[0].batch.seq, 4);
	assert_int_equal(out[0].batch.first, 0);
	assert_int_equal(out[0].batch.patients, 2);
	assert_int_equal(out[1].batch.first, 2);
	assert_int_equal(out[1].batch.patients, 1);
	assert_int_equal(out[2].batch.first, 5);
	assert_int_equal(out[2].batch.patients, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_small_run_step_by_step),
	    cmocka_unit_test(a_gap_between_groups_is_read),
	    cmocka_unit_test(every_way_ends_and_loses_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
