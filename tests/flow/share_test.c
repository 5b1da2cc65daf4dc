/* SPDX-License-Identifier: Apache-2.0
 *
 * The rules by which processes share a source, played through in a model of the database's locks:
 * no database, no threads, time in steps of a millisecond. Seeded; a failure names its seed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "flow/share.h"

#define PROCESSES_MAX 12
#define THREADS_MAX 16

struct process {
	struct share share;
	int threads;           /* that want to be at the source all the time; 0: idle */
	int busy[THREADS_MAX]; /* when the request of the thread ends; 0: it waits */
	int inside, most;
	int keep;
	int64_t due;
	int64_t served; /* requests that ended */
	int64_t asked;  /* times the database was asked */
};

struct world {
	struct process p[PROCESSES_MAX];
	int count, cap;
	int64_t now;
	struct rng rng;
	int request_ms;
};

static int world_held(const struct world *w)
{
	int n = 0;

	for (int i = 0; i < w->count; i++)
		n += w->p[i].share.held;
	return n;
}

static void world_init(struct world *w, uint64_t seed, int count, int cap, int threads)
{
	memset(w, 0, sizeof *w);
	w->count = count;
	w->cap = cap;
	w->now = 1000;
	w->rng = rng_for(seed, 0);
	w->request_ms = 50;
	for (int i = 0; i < count; i++) {
		share_init(&w->p[i].share, cap, seed + (uint64_t)i, w->now);
		w->p[i].threads = threads;
	}
}

/* What slots_run() does, on the model. */
static void process_run(struct world *w, struct process *p, const struct share_step *step)
{
	struct share *s = &p->share;
	int got = w->cap - world_held(w);

	p->asked++;
	if (step->here)
		s->here = true;
	s->hungry = step->hungry;
	s->wanting = step->wanting;
	if (step->survey) {
		s->processes = s->hungry_others = s->wanting_others = 0;
		for (int i = 0; i < w->count; i++) {
			s->processes += w->p[i].share.here;
			s->hungry_others += &w->p[i] != p && w->p[i].share.hungry;
			s->wanting_others += &w->p[i] != p && w->p[i].share.wanting;
		}
		s->surveyed_ms = w->now;
	}
	s->held -= step->give;
	if (step->take > 0) {
		if (got > step->take)
			got = step->take;
		s->held += got;
		s->refused = got < step->take;
		if (got > 0)
			s->taken_ms = w->now;
		if (got == step->take)
			s->ask_ms = w->now;
	}
	if (!step->here) {
		s->here = false;
		s->processes = 0;
	}
}

static void process_requests(struct world *w, struct process *p)
{
	for (int t = 0; t < THREADS_MAX; t++) {
		if (p->busy[t] && p->busy[t] <= w->now) {
			p->busy[t] = 0;
			p->inside--;
			p->served++;
			p->due = w->now;
		}
		if (!p->busy[t] && t < p->threads && p->inside < p->keep) {
			p->busy[t] =
			    (int)(w->now + 1 +
			          (int64_t)rng_below(&w->rng, (uint64_t)w->request_ms * 2));
			p->inside++;
			if (p->inside > p->most)
				p->most = p->inside;
		}
	}
}

/* One look of a process at its slots, as the gate's keeper takes it. */
static void process_look(struct world *w, struct process *p)
{
	int waiting = p->threads > p->inside ? p->threads - p->inside : 0;
	struct share_need need = {p->inside, waiting, p->share.cap, p->most};
	struct share_step step = share_step(&p->share, &need, w->now);

	p->most = p->inside;
	p->keep = step.keep;
	p->due = step.again_ms;
	if (step.give > p->share.held - p->inside)
		fail_msg("gives %d of %d slots with %d in use", step.give, p->share.held,
		         p->inside);
	if (share_step_is_work(&p->share, &step)) {
		process_run(w, p, &step);
		p->due = w->now + 1;
	}
}

static void world_run(struct world *w, int64_t ms)
{
	for (int64_t end = w->now + ms; w->now < end; w->now++) {
		for (int i = 0; i < w->count; i++) {
			struct process *p = &w->p[i];

			process_requests(w, p);
			if (w->now >= p->due ||
			    (p->threads && p->inside == 0 && p->keep == 0 && p->due == INT64_MAX))
				process_look(w, p);
			if (p->inside > p->share.held)
				fail_msg("%d requests on %d slots", p->inside, p->share.held);
		}
		if (world_held(w) > w->cap)
			fail_msg("%d slots of %d held", world_held(w), w->cap);
	}
}

static void one_alone_has_them_all_for_nearly_nothing(void **state)
{
	struct world w;

	(void)state;
	world_init(&w, 1, 1, 5, 8);
	world_run(&w, 300);
	assert_int_equal(w.p[0].share.held, 5);
	w.p[0].asked = 0;
	world_run(&w, 60000);
	assert_int_equal(w.p[0].share.held, 5);
	assert_true(w.p[0].asked <= 60000 / SHARE_SURVEY_MS + 1);
	assert_true(w.p[0].served > 5000);
}

static void idle_ones_hold_and_ask_nothing(void **state)
{
	struct world w;
	int64_t asked;

	(void)state;
	world_init(&w, 2, 3, 5, 4);
	world_run(&w, 5000);
	w.p[0].threads = w.p[1].threads = 0;
	world_run(&w, 3000);
	assert_int_equal(w.p[0].share.held, 0);
	assert_false(w.p[0].share.here);
	assert_int_equal(w.p[2].share.held, 4);
	asked = w.p[0].asked + w.p[1].asked;
	world_run(&w, 60000);
	assert_int_equal(w.p[0].asked + w.p[1].asked, asked);
}

static void what_is_not_needed_is_given_back(void **state)
{
	struct world w;

	(void)state;
	world_init(&w, 3, 1, 16, 16);
	world_run(&w, 1000);
	assert_int_equal(w.p[0].share.held, 16);
	w.p[0].threads = 3;
	world_run(&w, 3000);
	assert_int_equal(w.p[0].share.held, 3);
}

/* The first has all when the second comes. */
static void a_newcomer_gets_its_part_soon(void **state)
{
	struct world w;

	(void)state;
	world_init(&w, 4, 2, 6, 8);
	w.p[1].threads = 0;
	world_run(&w, 3000);
	assert_int_equal(w.p[0].share.held, 6);
	w.p[1].threads = 8;
	world_run(&w, 1000);
	assert_int_equal(w.p[0].share.held, 3);
	assert_int_equal(w.p[1].share.held, 3);
}

/* Any number of busy processes, any cap, any length of request: within two times of each other, and
 * hardly a slot unused. */
static void busy_ones_are_served_alike(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 60; seed++) {
		struct rng rng = rng_for(seed, 7);
		struct world w;
		int64_t least = INT64_MAX, most = 0, all = 0, begin[PROCESSES_MAX];
		int count = 1 + (int)rng_below(&rng, 10), cap = 1 + (int)rng_below(&rng, 12);
		int64_t span = 60000;

		world_init(&w, seed, count, cap, 12);
		w.request_ms = 2 + (int)rng_below(&rng, 150);
		world_run(&w, 5000);
		for (int i = 0; i < count; i++)
			begin[i] = w.p[i].served;
		world_run(&w, span);
		for (int i = 0; i < count; i++) {
			int64_t n = w.p[i].served - begin[i];

			least = n < least ? n : least;
			most = n > most ? n : most;
			all += n;
		}
		if (most > 2 * least + 20)
			fail_msg("seed %d: %d processes on %d slots: from %lld to %lld requests",
			         (int)seed, count, cap, (long long)least, (long long)most);
		/* ten millisecond turns of others cost something when slots are fewer than
		 * processes */
		if (all * (w.request_ms + 1) < span * cap * (count > cap ? 5 : 9) / 10)
			fail_msg("seed %d: %d processes on %d slots of %d ms: only %lld requests",
			         (int)seed, count, cap, w.request_ms, (long long)all);
	}
}

/* Processes come and go at random: nobody who waits is left with nothing for long. */
static void nobody_starves(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 60; seed++) {
		struct rng rng = rng_for(seed, 8);
		struct world w;
		int64_t last[PROCESSES_MAX] = {0}, since[PROCESSES_MAX];

		world_init(&w, seed, 2 + (int)rng_below(&rng, 8), 1 + (int)rng_below(&rng, 10), 0);
		for (int i = 0; i < w.count; i++)
			since[i] = w.now;
		for (int round = 0; round < 400; round++) {
			struct process *p = &w.p[rng_below(&rng, (uint64_t)w.count)];

			p->threads = rng_below(&rng, 2) ? (int)rng_below(&rng, THREADS_MAX + 1) : 0;
			if (p->threads && p->due == INT64_MAX)
				p->due = w.now;
			world_run(&w, 100);
			for (int i = 0; i < w.count; i++) {
				if (w.p[i].served != last[i] || !w.p[i].threads)
					since[i] = w.now;
				last[i] = w.p[i].served;
				if (w.now - since[i] > 10000)
					fail_msg("seed %d: process %d of %d waits for 10 s",
					         (int)seed, i, w.count);
			}
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(one_alone_has_them_all_for_nearly_nothing),
	    cmocka_unit_test(idle_ones_hold_and_ask_nothing),
	    cmocka_unit_test(what_is_not_needed_is_given_back),
	    cmocka_unit_test(a_newcomer_gets_its_part_soon),
	    cmocka_unit_test(busy_ones_are_served_alike),
	    cmocka_unit_test(nobody_starves),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
