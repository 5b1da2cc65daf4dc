/* SPDX-License-Identifier: Apache-2.0 */
#include "base/retry.h"

const struct retry_policy retry_default = {
    .max_attempts = 8,
    .base_ms = 200,
    .cap_ms = 30 * 1000,
    .deadline_ms = 10 * 60 * 1000,
    .max_retry_after_ms = 2 * 60 * 1000,
};

/* min(cap, base * 2^(n-1)) without overflow. */
static int64_t retry_window(const struct retry_policy *p, int attempts_made)
{
	int64_t window = p->base_ms > 0 ? p->base_ms : 0;

	for (int i = 1; i < attempts_made && window < p->cap_ms; i++)
		window = window > p->cap_ms / 2 ? p->cap_ms : window * 2;
	return window < p->cap_ms ? window : p->cap_ms;
}

enum retry_verdict retry_decide(const struct retry_policy *p, const struct err *err,
                                int attempts_made, int64_t elapsed_ms, struct rng *rng,
                                int64_t *delay_ms)
{
	int64_t window, wish, delay;

	if (!err->retryable || attempts_made >= p->max_attempts)
		return RETRY_GIVE_UP;
	if (p->deadline_ms > 0 && elapsed_ms >= p->deadline_ms)
		return RETRY_GIVE_UP;
	window = retry_window(p, attempts_made);
	delay = window > 0 ? (int64_t)rng_below(rng, (uint64_t)window + 1) : 0;
	wish = err->retry_after_ms < p->max_retry_after_ms ? err->retry_after_ms
	                                                   : p->max_retry_after_ms;
	if (delay < wish)
		delay = wish;
	/* A wish that ends after the deadline cannot be honoured: trying earlier would only be
	 * rude. */
	if (p->deadline_ms > 0 && delay >= p->deadline_ms - elapsed_ms) {
		if (wish >= p->deadline_ms - elapsed_ms)
			return RETRY_GIVE_UP;
		delay = p->deadline_ms - elapsed_ms - 1;
	}
	*delay_ms = delay;
	return RETRY_AGAIN;
}
