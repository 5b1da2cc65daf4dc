/* SPDX-License-Identifier: Apache-2.0
 *
 * The gate of one process alone: permits, turns, cancel, limit, breaker, rate. slots_test.c has
 * those that share a database.
 */
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "flow/gate.h"
#include "flow/limit.h"

#define PATIENCE_MS 120000

/* A clock that a test moves. */
struct hands {
	_Atomic int64_t ms;
};

static int64_t hands_ms(void *ctx)
{
	return atomic_load(&((struct hands *)ctx)->ms);
}

static int64_t hands_us(void *ctx)
{
	return hands_ms(ctx) * 1000;
}

static struct gate *gate_of(int cap, int rate, const struct clock *clock)
{
	struct gate_options options = {
	    .cap = cap, .rate = rate, .source_url = "http://source/fhir", .clock = clock};
	struct err err = {0};
	struct gate *g = gate_new(&options, &err);

	assert_non_null(g);
	return g;
}

static struct gate_stats stats_of(struct gate *g)
{
	struct gate_stats s;

	gate_stats(g, &s);
	return s;
}

static void wait_for_waiting(struct gate *g, int n)
{
	int64_t until = clock_mono_ms(&clock_system) + PATIENCE_MS;

	while (stats_of(g).waiting != n) {
		assert_true(clock_mono_ms(&clock_system) < until);
		clock_sleep_ms(1);
	}
}

static void wait_for_requests(struct gate *g, int n)
{
	int64_t until = clock_mono_ms(&clock_system) + PATIENCE_MS;

	while (stats_of(g).requests != n) {
		assert_true(clock_mono_ms(&clock_system) < until);
		clock_sleep_ms(1);
	}
}

/* A thread that asks for permits. cmocka's assertions belong to the main thread, so it only notes
 * what happened. */
struct visitor {
	pthread_t thread;
	struct gate *gate;
	uint64_t run;
	int visits;
	atomic_bool *cancel;
	atomic_int *inside, *most, *order;
	int places[64]; /* in the order of all grants */
	bool ok;
	struct err err;
};

static void *visit(void *arg)
{
	struct visitor *v = arg;

	v->ok = true;
	for (int i = 0; i < v->visits && v->ok; i++) {
		int now, most;

		v->ok = gate_enter(v->gate, v->run, v->cancel, &v->err);
		if (!v->ok)
			break;
		if (v->order && i < 64)
			v->places[i] = atomic_fetch_add(v->order, 1);
		now = atomic_fetch_add(v->inside, 1) + 1;
		most = atomic_load(v->most);
		while (now > most && !atomic_compare_exchange_weak(v->most, &most, now))
			;
		if (!v->order)
			sched_yield();
		atomic_fetch_sub(v->inside, 1);
		gate_leave(v->gate, NULL, 1);
	}
	return NULL;
}

static void begin(struct visitor *v)
{
	assert_int_equal(pthread_create(&v->thread, NULL, visit, v), 0);
}

static void never_more_than_the_cap(void **state)
{
	struct gate *g = gate_of(5, 0, NULL);
	struct visitor v[16];
	atomic_int inside = 0, most = 0;

	(void)state;
	for (int i = 0; i < 16; i++) {
		v[i] = (struct visitor){.gate = g,
		                        .run = (uint64_t)i % 3,
		                        .visits = 500,
		                        .inside = &inside,
		                        .most = &most};
		begin(&v[i]);
	}
	for (int i = 0; i < 16; i++) {
		pthread_join(v[i].thread, NULL);
		assert_true(v[i].ok);
	}
	assert_in_range(atomic_load(&most), 1, 5);
	assert_int_equal(stats_of(g).total, 16 * 500);
	assert_int_equal(stats_of(g).requests, 0);
	assert_int_equal(stats_of(g).errors, 0);
	gate_free(g);
}

static void runs_take_turns(void **state)
{
	struct gate *g = gate_of(1, 0, NULL);
	struct visitor v[24];
	atomic_int inside = 0, most = 0, order = 0;
	struct err err = {0};

	(void)state;
	assert_true(gate_enter(g, 99, NULL, &err));
	for (int i = 0; i < 24; i++) {
		/* twenty of a big run, then two each of two small ones */
		v[i] = (struct visitor){.gate = g,
		                        .run = i < 20  ? 1
		                               : i % 2 ? 2
		                                       : 3,
		                        .visits = 1,
		                        .inside = &inside,
		                        .most = &most,
		                        .order = &order};
		begin(&v[i]);
		wait_for_waiting(g, i + 1);
	}
	gate_leave(g, NULL, 1);
	for (int i = 0; i < 24; i++)
		pthread_join(v[i].thread, NULL);
	assert_int_equal(v[0].places[0], 0);
	assert_int_equal(v[20].places[0], 1);
	assert_int_equal(v[21].places[0], 2);
	assert_int_equal(v[1].places[0], 3);
	assert_int_equal(v[22].places[0], 4);
	assert_int_equal(v[23].places[0], 5);
	assert_int_equal(v[2].places[0], 6);
	assert_int_equal(v[19].places[0], 23);
	gate_free(g);
}

static void cancel_ends_the_wait(void **state)
{
	struct gate *g = gate_of(1, 0, NULL);
	atomic_bool cancel = false;
	atomic_int inside = 0, most = 0;
	struct visitor cancelled = {
	    .gate = g, .run = 1, .visits = 1, .cancel = &cancel, .inside = &inside, .most = &most};
	struct visitor other = {.gate = g, .run = 2, .visits = 1, .inside = &inside, .most = &most};
	struct err err = {0};

	(void)state;
	assert_true(gate_enter(g, 1, &cancel, &err));
	begin(&cancelled);
	begin(&other);
	wait_for_waiting(g, 2);
	atomic_store(&cancel, true);
	gate_wake(g);
	pthread_join(cancelled.thread, NULL);
	assert_false(cancelled.ok);
	assert_int_equal(cancelled.err.code, ERR_CANCELLED);
	assert_false(gate_enter(g, 1, &cancel, &err));
	assert_int_equal(err.code, ERR_CANCELLED);
	assert_int_equal(stats_of(g).waiting, 1);
	gate_leave(g, NULL, 1);
	pthread_join(other.thread, NULL);
	assert_true(other.ok);
	gate_free(g);
}

static void refusals_lower_the_limit(void **state)
{
	struct hands hands = {1000};
	struct clock clock = {hands_us, hands_ms, &hands};
	struct gate *g = gate_of(4, 0, &clock);
	struct err err = {0}, busy = {.code = ERR_BUSY, .retryable = true};
	struct err gone = {.code = ERR_GONE}, cancelled = {.code = ERR_CANCELLED};
	atomic_int inside = 0, most = 0;
	struct visitor third = {.gate = g, .run = 3, .visits = 1, .inside = &inside, .most = &most};

	(void)state;
	assert_int_equal(stats_of(g).limit, 4);
	for (int i = 0; i < 4; i++)
		assert_true(gate_enter(g, 1, NULL, &err));
	hands.ms += 10;
	gate_leave(g, &busy, 5);
	gate_leave(g, &busy, 5);
	assert_int_equal(stats_of(g).limit, 2);
	assert_int_equal(stats_of(g).errors, 2);
	/* two are inside, as many as may be */
	begin(&third);
	wait_for_waiting(g, 1);
	gate_leave(g, &gone, 5);
	pthread_join(third.thread, NULL);
	assert_true(third.ok);
	gate_leave(g, &cancelled, 5);
	assert_int_equal(stats_of(g).errors, 2);
	assert_int_equal(stats_of(g).limit, 2);
	gate_free(g);
}

static void a_source_that_is_down_is_probed(void **state)
{
	struct hands hands = {1000};
	struct clock clock = {hands_us, hands_ms, &hands};
	struct gate *g = gate_of(4, 0, &clock);
	struct err err = {0}, down = {.code = ERR_NETWORK, .retryable = true};
	atomic_int inside = 0, most = 0;
	struct visitor v[4];

	(void)state;
	for (int i = 0; i < BREAKER_FAILURES; i++) {
		assert_true(gate_enter(g, 1, NULL, &err));
		gate_leave(g, &down, 0);
	}
	assert_true(stats_of(g).open);
	for (int i = 0; i < 4; i++) {
		v[i] = (struct visitor){
		    .gate = g, .run = 2, .visits = 1, .inside = &inside, .most = &most};
		begin(&v[i]);
	}
	wait_for_waiting(g, 4);
	assert_int_equal(stats_of(g).requests, 0);
	/* its pause over, the first is the probe; its good answer lets all in */
	hands.ms += BREAKER_PAUSE_MS * 2;
	gate_wake(g);
	for (int i = 0; i < 4; i++) {
		pthread_join(v[i].thread, NULL);
		assert_true(v[i].ok);
	}
	assert_false(stats_of(g).open);
	gate_free(g);
}

static void only_the_probe_passes(void **state)
{
	struct hands hands = {1000};
	struct clock clock = {hands_us, hands_ms, &hands};
	struct gate *g = gate_of(4, 0, &clock);
	struct err err = {0}, down = {.code = ERR_NETWORK, .retryable = true};
	atomic_int inside = 0, most = 0;
	struct visitor v = {.gate = g, .run = 2, .visits = 1, .inside = &inside, .most = &most};

	(void)state;
	for (int i = 0; i < BREAKER_FAILURES; i++) {
		assert_true(gate_enter(g, 1, NULL, &err));
		gate_leave(g, &down, 0);
	}
	hands.ms += BREAKER_PAUSE_MS * 2;
	assert_true(gate_enter(g, 1, NULL, &err));
	begin(&v);
	wait_for_waiting(g, 1);
	hands.ms += BREAKER_PAUSE_MAX_MS * 2;
	gate_wake(g);
	assert_int_equal(stats_of(g).requests, 1);
	/* the probe fails: another pause, then the one that waits is the next */
	gate_leave(g, &down, 0);
	assert_int_equal(stats_of(g).waiting, 1);
	hands.ms += BREAKER_PAUSE_MAX_MS * 2;
	gate_wake(g);
	pthread_join(v.thread, NULL);
	assert_true(v.ok);
	assert_false(stats_of(g).open);
	gate_free(g);
}

static void the_rate_is_a_ceiling(void **state)
{
	struct hands hands = {1000};
	struct clock clock = {hands_us, hands_ms, &hands};
	struct gate *g = gate_of(16, 10, &clock);
	struct err err = {0};
	atomic_int inside = 0, most = 0;
	struct visitor v[3];

	(void)state;
	assert_true(gate_enter(g, 1, NULL, &err));
	gate_leave(g, NULL, 0);
	for (int i = 0; i < 3; i++) {
		v[i] = (struct visitor){
		    .gate = g, .run = 1, .visits = 1, .inside = &inside, .most = &most};
		begin(&v[i]);
		wait_for_waiting(g, i + 1);
	}
	for (int i = 0; i < 3; i++) {
		hands.ms += 99;
		gate_wake(g);
		assert_int_equal(stats_of(g).waiting, 3 - i);
		hands.ms += 1;
		gate_wake(g);
		wait_for_waiting(g, 2 - i);
	}
	for (int i = 0; i < 3; i++)
		pthread_join(v[i].thread, NULL);
	wait_for_requests(g, 0);
	gate_free(g);
}

static void senseless_options_are_refused(void **state)
{
	struct gate_options options = {.cap = 0, .source_url = "http://source"};
	struct err err = {0};

	(void)state;
	assert_null(gate_new(&options, &err));
	assert_int_equal(err.code, ERR_CONFIG);
	options.cap = 257;
	assert_null(gate_new(&options, &err));
	options.cap = 1;
	options.rate = -1;
	assert_null(gate_new(&options, &err));
	gate_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(never_more_than_the_cap),
	    cmocka_unit_test(runs_take_turns),
	    cmocka_unit_test(cancel_ends_the_wait),
	    cmocka_unit_test(refusals_lower_the_limit),
	    cmocka_unit_test(a_source_that_is_down_is_probed),
	    cmocka_unit_test(only_the_probe_passes),
	    cmocka_unit_test(the_rate_is_a_ceiling),
	    cmocka_unit_test(senseless_options_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
