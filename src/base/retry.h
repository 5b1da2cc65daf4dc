/* SPDX-License-Identifier: Apache-2.0
 *
 * retry.h: the one retry policy. It decides; it does not sleep.
 *
 * delay(n) = full jitter over min(cap, base * 2^(n-1)) (n: attempts made so far), but never shorter
 * than the peer's Retry-After, and never past the deadline. An error that is not retryable ends it
 * at once.
 */
#ifndef FHIRLINE_BASE_RETRY_H
#define FHIRLINE_BASE_RETRY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/rng.h"

struct retry_policy {
	int max_attempts; /* all attempts, the first included */
	int64_t base_ms;
	int64_t cap_ms;
	int64_t deadline_ms;        /* since the first attempt; 0: none */
	int64_t max_retry_after_ms; /* a longer wish of the peer is cut to this */
};

enum retry_verdict { RETRY_AGAIN, RETRY_GIVE_UP };

extern const struct retry_policy retry_default; /* 8 attempts, 200 ms, 30 s, 10 min, 2 min */

enum retry_verdict retry_decide(const struct retry_policy *p, const struct err *err,
                                int attempts_made, int64_t elapsed_ms, struct rng *rng,
                                int64_t *delay_ms);

#endif
