/* SPDX-License-Identifier: Apache-2.0 */
#include "flow/share.h"

#define ASK_MIN_MS 20
#define ASK_SPREAD_MS 81

static int min_int(int a, int b)
{
	return a < b ? a : b;
}

static int max_int(int a, int b)
{
	return a > b ? a : b;
}

static int64_t min_time(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

void share_forget(struct share *s, int64_t now_ms)
{
	s->held = 0;
	s->here = s->hungry = s->wanting = s->refused = s->leaving = false;
	s->processes = s->hungry_others = s->wanting_others = 0;
	s->ask_ms = now_ms;
	s->peak_ms = now_ms;
	s->peak = 0;
}

void share_init(struct share *s, int cap, uint64_t seed, int64_t now_ms)
{
	*s = (struct share){.cap = cap,
	                    .active_ms = now_ms - SHARE_IDLE_MS,
	                    .surveyed_ms = now_ms,
	                    .taken_ms = now_ms,
	                    .rng = rng_for(seed, 2)};
	share_forget(s, now_ms);
}

static int share_part(const struct share *s)
{
	return max_int(1, s->cap / max_int(1, s->processes));
}

static bool share_is_crowd(const struct share *s)
{
	return s->processes > s->cap;
}

/* The most that this process may have while others want more than they have. */
static int share_bound(const struct share *s)
{
	if (s->hungry_others > 0 || share_is_crowd(s))
		return share_part(s);
	if (s->wanting_others > 0)
		return (s->cap + s->processes - 1) / s->processes;
	return s->cap;
}

/* Those who had their turn draw, once a survey, who makes room: all of what they have in a crowd,
 * else what is above their part. Not all leave at once: there would be more free slots than takers.
 */
static void share_draw(struct share *s, int64_t now_ms)
{
	bool crowd = share_is_crowd(s);
	int others = crowd ? s->hungry_others : s->wanting_others;
	int spare = crowd ? s->held : s->held - share_part(s);

	if (s->drawn_ms == s->surveyed_ms)
		return;
	s->drawn_ms = s->surveyed_ms;
	if (others == 0 || spare <= 0)
		s->leaving = false;
	else if (now_ms - s->taken_ms >= SHARE_TURN_MS)
		s->leaving = s->leaving || rng_below(&s->rng, crowd ? (uint64_t)s->cap : 4) <
		                               (uint64_t)(crowd ? others : 1);
}

/* How many of the held slots may go on being used. */
static int share_keep(struct share *s, int64_t now_ms)
{
	int keep = s->held;

	share_draw(s, now_ms);
	if (s->leaving)
		keep = share_is_crowd(s) ? 0 : min_int(keep, share_part(s));
	else
		keep = min_int(keep, share_bound(s));
	if (now_ms - s->peak_ms >= SHARE_IDLE_MS) {
		keep = min_int(keep, s->peak);
		s->peak = 0;
		s->peak_ms = now_ms;
	}
	return keep;
}

/* Asking for slots: only when none is to be given back. */
static void share_ask(struct share *s, int wanted, int64_t now_ms, struct share_step *step)
{
	bool below = min_int(wanted, share_part(s)) > s->held;
	int target = min_int(wanted, share_bound(s));

	step->hungry = s->refused && below;
	step->wanting =
	    s->refused && s->held < min_int(wanted, (s->cap + s->processes - 1) / s->processes);
	if (target <= s->held)
		return;
	if (now_ms >= s->ask_ms) {
		step->take = target - s->held;
		/* more than the part is no hurry */
		s->ask_ms = now_ms + (below ? ASK_MIN_MS : SHARE_SURVEY_MS) +
		            (int64_t)rng_below(&s->rng, ASK_SPREAD_MS);
	}
	step->again_ms = min_time(step->again_ms, s->ask_ms);
}

static void share_give(struct share *s, const struct share_need *need, int64_t now_ms,
                       struct share_step *step)
{
	step->give = max_int(0, s->held - max_int(step->keep, need->inside));
	s->refused = false;
	/* who had its turn stands back, or it would win the slot again before the others ask */
	if (s->leaving)
		s->ask_ms = now_ms + 2 * (ASK_MIN_MS + ASK_SPREAD_MS) +
		            (int64_t)rng_below(&s->rng, ASK_SPREAD_MS);
}

struct share_step share_step(struct share *s, const struct share_need *need, int64_t now_ms)
{
	struct share_step step = {.keep = s->held, .again_ms = INT64_MAX};
	int wanted = max_int(need->inside, min_int(need->inside + need->waiting, need->limit));

	if (wanted > 0 || need->most > 0)
		s->active_ms = now_ms;
	s->peak = max_int(s->peak, max_int(wanted, need->most));
	if (now_ms - s->active_ms >= SHARE_IDLE_MS) {
		step.keep = 0;
		step.give = s->held;
		return step;
	}
	step.here = true;
	if (s->processes == 0 || now_ms - s->surveyed_ms >= SHARE_SURVEY_MS) {
		step.survey = true;
		step.hungry = s->hungry;
		step.wanting = s->wanting;
		return step;
	}
	step.again_ms = s->surveyed_ms + SHARE_SURVEY_MS;
	if (wanted == 0)
		step.again_ms = min_time(step.again_ms, s->active_ms + SHARE_IDLE_MS);
	if (s->held <= (share_is_crowd(s) ? 0 : share_part(s)))
		s->leaving = false;
	step.keep = share_keep(s, now_ms);
	if (step.keep < s->held)
		share_give(s, need, now_ms, &step);
	else
		share_ask(s, wanted, now_ms, &step);
	return step;
}

bool share_step_is_work(const struct share *s, const struct share_step *step)
{
	return step->give > 0 || step->take > 0 || step->survey || step->here != s->here ||
	       step->hungry != s->hungry || step->wanting != s->wanting;
}
