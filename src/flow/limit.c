/* SPDX-License-Identifier: Apache-2.0 */
#include "flow/limit.h"

#define WINDOW_MIN 8
#define LATENCY_FACTOR 3
#define LATENCY_SLACK_MS 100
#define BUCKET_KEEP_US 50000

enum limit_signal limit_signal_of(const struct err *outcome)
{
	if (!outcome)
		return LIMIT_GOOD;
	switch (outcome->code) {
	case ERR_BUSY:
	case ERR_TIMEOUT:
		return LIMIT_PRESSED;
	case ERR_NETWORK:
	case ERR_TLS:
		return LIMIT_DOWN;
	case ERR_PROTOCOL:
		/* 5xx and cut answers can be tried again; a 400 is an answer like any other */
		return outcome->retryable ? LIMIT_DOWN : LIMIT_GOOD;
	case ERR_NONE:
	case ERR_LIMIT:
	case ERR_AUTH:
	case ERR_FORBIDDEN:
	case ERR_NOT_FOUND:
	case ERR_GONE:
	case ERR_DATA:
		return LIMIT_GOOD;
	case ERR_USAGE:
	case ERR_CONFIG:
	case ERR_NOMEM:
	case ERR_IO:
	case ERR_DB:
	case ERR_CONFLICT:
	case ERR_CANCELLED:
	case ERR_INTERNAL:
		break;
	}
	return LIMIT_NOTHING;
}

void limit_init(struct limit *l, int cap)
{
	*l = (struct limit){
	    .cap = cap, .value = cap, .cut_ms = INT64_MIN, .best_ms = -1, .trial_ms = -1};
}

static void limit_window_start(struct limit *l)
{
	l->answers = 0;
	l->sum_ms = 0;
}

static void limit_cut(struct limit *l, int64_t now_ms)
{
	l->value = l->value > 1 ? l->value / 2 : 1;
	l->cut_ms = now_ms;
	limit_window_start(l);
}

/* The window after a cut for latency: did it help? */
static void limit_judge(struct limit *l, int64_t mean_ms)
{
	if (mean_ms > l->trial_ms - l->trial_ms / 5) {
		l->value = l->trial_value;
		l->best_ms = mean_ms;
	}
	l->trial_ms = -1;
}

static void limit_window_end(struct limit *l, int64_t now_ms)
{
	int64_t mean = l->sum_ms / l->answers;

	limit_window_start(l);
	if (l->trial_ms >= 0) {
		limit_judge(l, mean);
		return;
	}
	if (l->best_ms < 0 || mean < l->best_ms)
		l->best_ms = mean;
	if (l->value > 1 && mean > l->best_ms * LATENCY_FACTOR &&
	    mean > l->best_ms + LATENCY_SLACK_MS) {
		l->trial_ms = mean;
		l->trial_value = l->value;
		limit_cut(l, now_ms);
		return;
	}
	l->best_ms += (mean - l->best_ms) / 32;
	if (l->value < l->cap)
		l->value++;
}

void limit_answer(struct limit *l, enum limit_signal signal, int64_t latency_ms, int64_t now_ms)
{
	int window = l->value * 2 > WINDOW_MIN ? l->value * 2 : WINDOW_MIN;
	bool before_cut = l->cut_ms != INT64_MIN && now_ms - latency_ms <= l->cut_ms;

	if (before_cut)
		return;
	if (signal == LIMIT_PRESSED) {
		l->trial_ms = -1;
		limit_cut(l, now_ms);
	}
	if (signal != LIMIT_GOOD)
		return;
	l->answers++;
	l->sum_ms += latency_ms;
	if (l->answers >= window)
		limit_window_end(l, now_ms);
}

void breaker_init(struct breaker *b, uint64_t seed)
{
	*b = (struct breaker){.pause_ms = BREAKER_PAUSE_MS, .rng = rng_for(seed, 1)};
}

bool breaker_passes(const struct breaker *b, int64_t now_ms)
{
	return !b->open || (!b->probing && now_ms >= b->retry_ms);
}

int64_t breaker_wait_ms(const struct breaker *b, int64_t now_ms)
{
	if (breaker_passes(b, now_ms))
		return 0;
	return b->probing ? -1 : b->retry_ms - now_ms;
}

void breaker_enter(struct breaker *b, int64_t now_ms)
{
	if (!b->open)
		return;
	b->probing = true;
	b->probe_ms = now_ms;
}

static void breaker_pause(struct breaker *b, int64_t wish_ms, int64_t now_ms)
{
	int64_t ms = b->pause_ms;

	if (wish_ms > ms)
		ms = wish_ms < BREAKER_PAUSE_MAX_MS ? wish_ms : BREAKER_PAUSE_MAX_MS;
	b->retry_ms = now_ms + ms + (int64_t)rng_below(&b->rng, (uint64_t)ms / 5 + 1);
}

static void breaker_close(struct breaker *b)
{
	b->open = false;
	b->probing = false;
	b->failures = 0;
	b->pause_ms = BREAKER_PAUSE_MS;
}

void breaker_answer(struct breaker *b, enum limit_signal signal, int64_t began_ms, int others,
                    int64_t retry_after_ms, int64_t now_ms)
{
	/* the last one inside is the probe, whatever time it claims: else a wrong time could shut
	 * it for ever */
	bool is_probe = b->probing && (began_ms >= b->probe_ms || others == 0);
	bool bad = signal == LIMIT_PRESSED || signal == LIMIT_DOWN;

	if (signal == LIMIT_GOOD) {
		breaker_close(b);
		return;
	}
	if (is_probe)
		b->probing = false;
	if (!bad)
		return;
	if (b->open && is_probe) {
		b->pause_ms =
		    b->pause_ms * 2 < BREAKER_PAUSE_MAX_MS ? b->pause_ms * 2 : BREAKER_PAUSE_MAX_MS;
		breaker_pause(b, retry_after_ms, now_ms);
	} else if (!b->open && ++b->failures >= BREAKER_FAILURES) {
		b->open = true;
		breaker_pause(b, retry_after_ms, now_ms);
	}
}

void bucket_init(struct bucket *b, int rate, int64_t now_ms)
{
	*b = (struct bucket){.rate = rate, .next_us = now_ms * 1000};
}

int64_t bucket_wait_ms(const struct bucket *b, int64_t now_ms)
{
	int64_t us = b->next_us - now_ms * 1000;

	return b->rate == 0 || us <= 0 ? 0 : (us + 999) / 1000;
}

void bucket_take(struct bucket *b, int64_t now_ms)
{
	int64_t oldest = now_ms * 1000 - BUCKET_KEEP_US;

	if (b->rate == 0)
		return;
	if (b->next_us < oldest)
		b->next_us = oldest;
	b->next_us += (1000000 + b->rate - 1) / b->rate;
}
