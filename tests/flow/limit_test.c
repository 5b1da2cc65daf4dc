/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "flow/limit.h"

/* `n` answers, one every 10 ms from *now on. */
static void answers(struct limit *l, int n, enum limit_signal signal, int64_t latency_ms,
                    int64_t *now)
{
	for (int i = 0; i < n; i++) {
		*now += latency_ms + 10;
		limit_answer(l, signal, latency_ms, *now);
	}
}

static void errors_tell_what_the_source_said(void **state)
{
	struct err err = {.code = ERR_BUSY, .retryable = true};

	(void)state;
	assert_int_equal(limit_signal_of(NULL), LIMIT_GOOD);
	assert_int_equal(limit_signal_of(&err), LIMIT_PRESSED);
	err.code = ERR_TIMEOUT;
	assert_int_equal(limit_signal_of(&err), LIMIT_PRESSED);
	err.code = ERR_NETWORK;
	assert_int_equal(limit_signal_of(&err), LIMIT_DOWN);
	err.code = ERR_PROTOCOL;
	assert_int_equal(limit_signal_of(&err), LIMIT_DOWN);
	err.retryable = false;
	assert_int_equal(limit_signal_of(&err), LIMIT_GOOD);
	err.code = ERR_GONE;
	assert_int_equal(limit_signal_of(&err), LIMIT_GOOD);
	err.code = ERR_CANCELLED;
	assert_int_equal(limit_signal_of(&err), LIMIT_NOTHING);
}

static void limit_halves_and_grows_by_one(void **state)
{
	struct limit l;
	int64_t now = 1000;

	(void)state;
	limit_init(&l, 8);
	assert_int_equal(l.value, 8);
	answers(&l, 1, LIMIT_PRESSED, 5, &now);
	assert_int_equal(l.value, 4);
	answers(&l, 7, LIMIT_GOOD, 5, &now);
	assert_int_equal(l.value, 4);
	answers(&l, 1, LIMIT_GOOD, 5, &now);
	assert_int_equal(l.value, 5);
	answers(&l, 10, LIMIT_GOOD, 5, &now);
	assert_int_equal(l.value, 6);
	answers(&l, 1000, LIMIT_GOOD, 5, &now);
	assert_int_equal(l.value, 8);
}

static void limit_never_falls_below_one(void **state)
{
	struct limit l;
	int64_t now = 1000;

	(void)state;
	limit_init(&l, 5);
	answers(&l, 20, LIMIT_PRESSED, 5, &now);
	assert_int_equal(l.value, 1);
	answers(&l, 8, LIMIT_GOOD, 5, &now);
	assert_int_equal(l.value, 2);
	limit_init(&l, 1);
	answers(&l, 100, LIMIT_GOOD, 5, &now);
	assert_int_equal(l.value, 1);
}

static void a_burst_of_refusals_is_one_piece_of_news(void **state)
{
	struct limit l;

	(void)state;
	limit_init(&l, 16);
	for (int i = 0; i < 16; i++)
		limit_answer(&l, LIMIT_PRESSED, 100 + i, 5000 + i);
	assert_int_equal(l.value, 8);
	/* one that began after the cut */
	limit_answer(&l, LIMIT_PRESSED, 100, 5200);
	assert_int_equal(l.value, 4);
}

static void other_failures_do_not_move_the_limit(void **state)
{
	struct limit l;
	int64_t now = 1000;

	(void)state;
	limit_init(&l, 4);
	answers(&l, 100, LIMIT_DOWN, 5, &now);
	answers(&l, 100, LIMIT_NOTHING, 5, &now);
	assert_int_equal(l.value, 4);
}

/* A server whose latency grows with the crowd: fewer requests are as fast in sum. */
static void latency_of_a_crowd_lowers_the_limit(void **state)
{
	struct limit l;
	int64_t now = 1000;

	(void)state;
	limit_init(&l, 8);
	answers(&l, 16, LIMIT_GOOD, 50, &now);
	answers(&l, 16, LIMIT_GOOD, 400, &now);
	assert_int_equal(l.value, 4);
	answers(&l, 8, LIMIT_GOOD, 120, &now);
	assert_int_equal(l.value, 4); /* it helped: the cut stands */
	answers(&l, 8, LIMIT_GOOD, 120, &now);
	assert_int_equal(l.value, 5);
}

/* Requests that are longer by themselves: pages of a thousand after counts. */
static void longer_requests_do_not_lower_the_limit_for_good(void **state)
{
	struct limit l;
	int64_t now = 1000;

	(void)state;
	limit_init(&l, 8);
	answers(&l, 16, LIMIT_GOOD, 5, &now);
	answers(&l, 16, LIMIT_GOOD, 500, &now);
	assert_int_equal(l.value, 4);
	answers(&l, 8, LIMIT_GOOD, 500, &now);
	assert_int_equal(l.value, 8);
	answers(&l, 1000, LIMIT_GOOD, 500, &now);
	assert_int_equal(l.value, 8);
}

static void short_latencies_may_vary(void **state)
{
	struct limit l;
	int64_t now = 1000;

	(void)state;
	limit_init(&l, 8);
	answers(&l, 16, LIMIT_GOOD, 1, &now);
	answers(&l, 160, LIMIT_GOOD, 90, &now);
	assert_int_equal(l.value, 8);
}

static void breaker_open(struct breaker *b, int64_t now)
{
	breaker_init(b, 42);
	for (int i = 0; i < BREAKER_FAILURES; i++) {
		assert_true(breaker_passes(b, now));
		breaker_enter(b, now);
		breaker_answer(b, LIMIT_DOWN, now, 0, 0, now);
	}
	assert_true(b->open);
}

static void breaker_opens_on_failures_in_a_row_only(void **state)
{
	struct breaker b;

	(void)state;
	breaker_init(&b, 1);
	for (int i = 0; i < 10 * BREAKER_FAILURES; i++)
		breaker_answer(&b, i % BREAKER_FAILURES == 0 ? LIMIT_GOOD : LIMIT_DOWN, i, 0, 0, i);
	assert_false(b.open);
	for (int i = 0; i < 100; i++)
		breaker_answer(&b, LIMIT_NOTHING, i, 0, 0, i);
	assert_false(b.open);
	assert_true(breaker_passes(&b, 1000));
	assert_int_equal(breaker_wait_ms(&b, 1000), 0);
}

static void breaker_lets_one_probe_through_after_its_pause(void **state)
{
	struct breaker b;
	int64_t now = 1000, wait;

	(void)state;
	breaker_open(&b, now);
	wait = breaker_wait_ms(&b, now);
	assert_in_range(wait, BREAKER_PAUSE_MS, BREAKER_PAUSE_MS * 6 / 5);
	assert_false(breaker_passes(&b, now + wait - 1));
	now += wait;
	assert_true(breaker_passes(&b, now));
	breaker_enter(&b, now);
	assert_false(breaker_passes(&b, now + 1000000));
	assert_int_equal(breaker_wait_ms(&b, now), -1);
	breaker_answer(&b, LIMIT_GOOD, now, 0, 0, now + 5);
	assert_false(b.open);
	assert_true(breaker_passes(&b, now + 5));
}

static void breaker_doubles_its_pause_up_to_the_cap(void **state)
{
	struct breaker b;
	int64_t now = 1000, expected = BREAKER_PAUSE_MS;

	(void)state;
	breaker_open(&b, now);
	for (int i = 0; i < 10; i++) {
		int64_t wait = breaker_wait_ms(&b, now);

		assert_in_range(wait, expected, expected * 6 / 5);
		now += wait;
		breaker_enter(&b, now);
		breaker_answer(&b, LIMIT_DOWN, now, 0, 0, now);
		expected =
		    expected * 2 < BREAKER_PAUSE_MAX_MS ? expected * 2 : BREAKER_PAUSE_MAX_MS;
	}
	/* a good answer makes it forget */
	breaker_answer(&b, LIMIT_GOOD, now, 0, 0, now);
	breaker_open(&b, now);
	assert_in_range(breaker_wait_ms(&b, now), BREAKER_PAUSE_MS, BREAKER_PAUSE_MS * 6 / 5);
}

static void breaker_heeds_retry_after(void **state)
{
	struct breaker b;

	(void)state;
	breaker_init(&b, 7);
	for (int i = 0; i < BREAKER_FAILURES; i++)
		breaker_answer(&b, LIMIT_PRESSED, 0, 0, 4000, 100);
	assert_in_range(breaker_wait_ms(&b, 100), 4000, 4800);
	breaker_init(&b, 7);
	for (int i = 0; i < BREAKER_FAILURES; i++)
		breaker_answer(&b, LIMIT_PRESSED, 0, 0, 4000000, 100);
	assert_in_range(breaker_wait_ms(&b, 100), BREAKER_PAUSE_MAX_MS,
	                BREAKER_PAUSE_MAX_MS * 6 / 5);
}

/* Requests that were under way when it opened come back one by one. */
static void breaker_tells_stragglers_from_the_probe(void **state)
{
	struct breaker b;
	int64_t now = 1000, wait, began;

	(void)state;
	breaker_open(&b, now);
	began = now - 300;
	wait = breaker_wait_ms(&b, now);
	breaker_answer(&b, LIMIT_DOWN, began, 3, 0, now);
	assert_int_equal(breaker_wait_ms(&b, now), wait);
	now += wait;
	breaker_enter(&b, now);
	breaker_answer(&b, LIMIT_DOWN, began, 2, 0, now + 10);
	assert_int_equal(breaker_wait_ms(&b, now + 10), -1);
	/* a probe that was cancelled lets another one go at once */
	breaker_answer(&b, LIMIT_NOTHING, now, 1, 0, now + 20);
	assert_true(breaker_passes(&b, now + 20));
	breaker_enter(&b, now + 20);
	/* a good answer counts whoever asked */
	breaker_answer(&b, LIMIT_GOOD, began, 1, 0, now + 30);
	assert_false(b.open);
}

static void breaker_never_waits_for_a_probe_that_is_gone(void **state)
{
	struct breaker b;
	int64_t now = 1000;

	(void)state;
	breaker_open(&b, now);
	now += breaker_wait_ms(&b, now);
	breaker_enter(&b, now);
	/* its time is told wrong, but nobody else is inside */
	breaker_answer(&b, LIMIT_DOWN, now - 100000, 0, 0, now + 10);
	assert_true(breaker_wait_ms(&b, now + 10) > 0);
}

static void bucket_keeps_to_its_rate(void **state)
{
	static const int rates[] = {1, 3, 7, 50, 333, 1000, 5000};

	(void)state;
	for (size_t r = 0; r < sizeof rates / sizeof *rates; r++) {
		struct bucket b;
		int64_t now = 5000, end = now + 10000, n = 0;

		bucket_init(&b, rates[r], now);
		for (; now < end; now++)
			while (bucket_wait_ms(&b, now) == 0) {
				bucket_take(&b, now);
				n++;
			}
		/* ten seconds: never more than the rate (and the first), and nearly all of it */
		assert_true(n <= rates[r] * 10 + rates[r] / 20 + 1);
		assert_true(n >= rates[r] * 10 * 99 / 100);
	}
}

static void bucket_makes_no_burst_of_a_pause(void **state)
{
	struct bucket b;
	int n = 0;

	(void)state;
	bucket_init(&b, 100, 0);
	for (; bucket_wait_ms(&b, 60000) == 0; n++)
		bucket_take(&b, 60000);
	assert_in_range(n, 1, 6);
	assert_in_range(bucket_wait_ms(&b, 60000), 1, 10);
	bucket_init(&b, 0, 0);
	bucket_take(&b, 0);
	assert_int_equal(bucket_wait_ms(&b, 0), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(errors_tell_what_the_source_said),
	    cmocka_unit_test(limit_halves_and_grows_by_one),
	    cmocka_unit_test(limit_never_falls_below_one),
	    cmocka_unit_test(a_burst_of_refusals_is_one_piece_of_news),
	    cmocka_unit_test(other_failures_do_not_move_the_limit),
	    cmocka_unit_test(latency_of_a_crowd_lowers_the_limit),
	    cmocka_unit_test(longer_requests_do_not_lower_the_limit_for_good),
	    cmocka_unit_test(short_latencies_may_vary),
	    cmocka_unit_test(breaker_opens_on_failures_in_a_row_only),
	    cmocka_unit_test(breaker_lets_one_probe_through_after_its_pause),
	    cmocka_unit_test(breaker_doubles_its_pause_up_to_the_cap),
	    cmocka_unit_test(breaker_heeds_retry_after),
	    cmocka_unit_test(breaker_tells_stragglers_from_the_probe),
	    cmocka_unit_test(breaker_never_waits_for_a_probe_that_is_gone),
	    cmocka_unit_test(bucket_keeps_to_its_rate),
	    cmocka_unit_test(bucket_makes_no_burst_of_a_pause),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
