/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/retry.h"

static int64_t at_most(const struct retry_policy *p, int attempts)
{
	int64_t w = p->base_ms;

	for (int i = 1; i < attempts && w < p->cap_ms; i++)
		w *= 2;
	return w < p->cap_ms ? w : p->cap_ms;
}

/* Any policy, any error, any moment: the rules of the header hold. */
static void the_rules_hold(void **state)
{
	struct rng r = {20240229};

	(void)state;
	for (int round = 0; round < 300000; round++) {
		struct retry_policy p = {.max_attempts = 1 + (int)rng_below(&r, 70),
		                         .base_ms = (int64_t)rng_below(&r, 2000),
		                         .cap_ms = (int64_t)rng_below(&r, 60000),
		                         .deadline_ms =
		                             rng_below(&r, 2) ? (int64_t)rng_below(&r, 600000) : 0,
		                         .max_retry_after_ms = (int64_t)rng_below(&r, 200000)};
		struct err err = {.retryable = rng_below(&r, 8) != 0,
		                  .retry_after_ms =
		                      rng_below(&r, 2) ? (int64_t)rng_below(&r, 1000000) : 0};
		int made = 1 + (int)rng_below(&r, 80);
		int64_t elapsed = (int64_t)rng_below(&r, 700000), delay = -7;
		int64_t wish = err.retry_after_ms < p.max_retry_after_ms ? err.retry_after_ms
		                                                         : p.max_retry_after_ms;
		bool again = retry_decide(&p, &err, made, elapsed, &r, &delay) == RETRY_AGAIN;
		bool over =
		    p.deadline_ms && (elapsed >= p.deadline_ms || wish >= p.deadline_ms - elapsed);

		assert_int_equal(again, err.retryable && made < p.max_attempts && !over);
		if (!again) {
			assert_int_equal(delay, -7);
			continue;
		}
		assert_true(delay >= wish && delay >= 0);
		assert_true(delay <= (at_most(&p, made) > wish ? at_most(&p, made) : wish));
		assert_true(!p.deadline_ms || elapsed + delay < p.deadline_ms);
	}
}

static void jitter_is_full(void **state)
{
	struct rng r = {1};
	struct err err = {.retryable = true};
	int64_t delay, low = INT64_MAX, high = 0;

	(void)state;
	for (int i = 0; i < 10000; i++) {
		assert_int_equal(retry_decide(&retry_default, &err, 3, 0, &r, &delay), RETRY_AGAIN);
		low = delay < low ? delay : low;
		high = delay > high ? delay : high;
	}
	assert_in_range(low, 0, 20);
	assert_in_range(high, 780, 800);
}

static void the_default_is_as_documented(void **state)
{
	struct rng r = {1};
	struct err err = {.retryable = true, .retry_after_ms = 3600 * 1000};
	int64_t delay;

	(void)state;
	assert_int_equal(retry_decide(&retry_default, &err, 1, 0, &r, &delay), RETRY_AGAIN);
	assert_int_equal(delay, 120 * 1000);
	assert_int_equal(retry_decide(&retry_default, &err, 8, 0, &r, &delay), RETRY_GIVE_UP);
	assert_int_equal(retry_decide(&retry_default, &err, 1, 10 * 60 * 1000, &r, &delay),
	                 RETRY_GIVE_UP);
	err.retryable = false;
	assert_int_equal(retry_decide(&retry_default, &err, 1, 0, &r, &delay), RETRY_GIVE_UP);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_rules_hold),
	    cmocka_unit_test(jitter_is_full),
	    cmocka_unit_test(the_default_is_as_documented),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
