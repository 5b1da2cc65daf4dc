/* SPDX-License-Identifier: Apache-2.0
 *
 * gate.c: permits and who is next. What the source can bear is judged in limit.c; what this process
 * may have of it in share.c and slots.c.
 *
 * One thread, the keeper, does all that takes time: it talks to the database (never with the mutex
 * held) and waits for instants (the next token, the next probe, the next question for a slot). Who
 * enters or leaves only changes counts, hands out permits that are there, and wakes the keeper when
 * it alone can help. With nothing to do the keeper sleeps without a time-out.
 */
#include "flow/gate.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "base/hash.h"
#include "base/thread.h"
#include "flow/limit.h"
#include "flow/slots.h"

/* A lost session may be away for so long before those who wait are told. */
#define PATIENCE_MS 10000
#define REOPEN_MIN_MS 100
#define REOPEN_MAX_MS 2000

/* Lives on the stack of the thread that waits. */
struct gate_waiter {
	struct gate_waiter *next;
	uint64_t run;
	uint64_t tag; /* see gate_enqueue() */
	bool granted, failed;
	pthread_cond_t cond;
};

struct gate {
	pthread_mutex_t mutex; /* guards all below, but not `slots` itself */
	pthread_cond_t work;   /* the keeper's */
	pthread_t keeper;
	bool stop;
	const struct clock *clock;
	int cap;
	struct limit limit;
	struct breaker breaker;
	struct bucket bucket;
	struct gate_waiter *waiters; /* in order of arrival */
	int waiting;
	uint64_t tag; /* of the last one who was let in */
	int inside;
	int most; /* inside at once, since the keeper looked last */
	int keep; /* slots that may be used: inside may grow up to it */
	int64_t total, errors;
	struct slots *slots; /* the keeper's; NULL: this process alone */
	bool lost;
	int64_t lost_ms, reopen_ms, reopen_pause_ms;
	struct err lost_err;
};

/* Fair queueing by run: a waiter's tag is one more than that of the same run's waiter before it, or
 * than that of the last one let in when the run has none. The lowest tag goes first, so runs with
 * waiters take turns, however many each of them has. */
static void gate_enqueue(struct gate *g, struct gate_waiter *w)
{
	struct gate_waiter **end = &g->waiters;

	w->tag = g->tag;
	for (; *end; end = &(*end)->next)
		if ((*end)->run == w->run && (*end)->tag > w->tag)
			w->tag = (*end)->tag;
	w->tag++;
	*end = w;
	g->waiting++;
}

static void gate_unlink(struct gate *g, struct gate_waiter *w)
{
	struct gate_waiter **at = &g->waiters;

	while (*at && *at != w)
		at = &(*at)->next;
	if (!*at)
		return;
	*at = w->next;
	g->waiting--;
}

static struct gate_waiter *gate_first(struct gate *g)
{
	struct gate_waiter *first = g->waiters;

	for (struct gate_waiter *w = first; w; w = w->next)
		if (w->tag < first->tag)
			first = w;
	return first;
}

static int gate_room(const struct gate *g)
{
	int most = g->keep < g->limit.value ? g->keep : g->limit.value;

	return most > g->inside ? most - g->inside : 0;
}

/* Lets in who may go now. */
static void gate_dispatch(struct gate *g, int64_t now)
{
	struct gate_waiter *w;

	while ((w = gate_first(g)) && gate_room(g) > 0 && breaker_passes(&g->breaker, now) &&
	       bucket_wait_ms(&g->bucket, now) == 0) {
		gate_unlink(g, w);
		g->tag = w->tag;
		breaker_enter(&g->breaker, now);
		bucket_take(&g->bucket, now);
		g->inside++;
		g->total++;
		if (g->inside > g->most)
			g->most = g->inside;
		w->granted = true;
		pthread_cond_signal(&w->cond);
	}
}

/* Somebody waits who is held up by something else than the requests that are under way. */
static bool gate_needs_keeper(const struct gate *g)
{
	return g->waiters && g->inside < g->limit.value;
}

static int64_t gate_due_ms(const struct gate *g, int64_t now)
{
	int64_t breaker = breaker_wait_ms(&g->breaker, now);
	int64_t bucket = bucket_wait_ms(&g->bucket, now);

	if (!g->waiters || gate_room(g) == 0 || breaker < 0)
		return INT64_MAX;
	return now + (breaker > bucket ? breaker : bucket);
}

/* The instant is one of the gate's clock, which a test may have stopped: so wait at least a
 * millisecond, and look again at times. */
static void gate_sleep(struct gate *g, int64_t now, int64_t due)
{
	int64_t ms = due - now < 1 ? 1 : due - now > 60000 ? 60000 : due - now;
	struct timespec until;

	if (due == INT64_MAX) {
		pthread_cond_wait(&g->work, &g->mutex);
		return;
	}
	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += ms / 1000;
	until.tv_nsec += ms % 1000 * 1000000;
	if (until.tv_nsec >= 1000000000) {
		until.tv_sec++;
		until.tv_nsec -= 1000000000;
	}
	pthread_cond_timedwait(&g->work, &g->mutex, &until);
}

static void gate_session_lost(struct gate *g, const struct err *err, int64_t now)
{
	g->keep = 0;
	if (!g->lost) {
		g->lost_ms = now;
		g->reopen_ms = now;
		g->reopen_pause_ms = REOPEN_MIN_MS;
	}
	g->lost = true;
	g->lost_err = *err;
	g->lost_err.code = ERR_DB;
	g->lost_err.retryable = true;
}

static void gate_fail_waiters(struct gate *g)
{
	for (struct gate_waiter *w = g->waiters; w; w = w->next) {
		w->failed = true;
		pthread_cond_signal(&w->cond);
	}
	g->waiters = NULL;
	g->waiting = 0;
}

/* Opens the lost session again when it is time, somebody needs it, or requests are under way
 * without slots. */
static bool gate_reopen(struct gate *g, int64_t now, int64_t *due)
{
	int inside = g->inside;
	struct err err = {0};
	bool ok;

	if (!g->waiters && inside == 0)
		return false;
	if (now < g->reopen_ms) {
		*due = g->reopen_ms;
		return false;
	}
	pthread_mutex_unlock(&g->mutex);
	ok = slots_reopen(g->slots, inside, now, &err);
	pthread_mutex_lock(&g->mutex);
	if (ok) {
		g->lost = false;
		return true;
	}
	now = clock_mono_ms(g->clock);
	gate_session_lost(g, &err, now);
	g->reopen_ms = now + g->reopen_pause_ms;
	g->reopen_pause_ms *= 2;
	if (g->reopen_pause_ms > REOPEN_MAX_MS)
		g->reopen_pause_ms = REOPEN_MAX_MS;
	if (now - g->lost_ms >= PATIENCE_MS)
		gate_fail_waiters(g);
	return true;
}

/* One look at the slots; true when it worked on them, with the mutex let go meanwhile. */
static bool gate_tend_slots(struct gate *g, int64_t now, int64_t *due)
{
	struct share_need need = {g->inside, g->waiting, g->limit.value, g->most};
	struct share_step step;
	struct err err = {0};
	bool ok;

	if (g->lost)
		return gate_reopen(g, now, due);
	if (g->breaker.open) {
		/* slots are of no use to those who wait for the source to come back, but one is to
		 * the probe */
		need.waiting = g->waiters && breaker_passes(&g->breaker, now) ? 1 : 0;
	}
	step = share_step(slots_share(g->slots), &need, now);
	g->most = g->inside;
	g->keep = step.keep;
	*due = step.again_ms;
	gate_dispatch(g, now);
	if (!share_step_is_work(slots_share(g->slots), &step))
		return false;
	pthread_mutex_unlock(&g->mutex);
	ok = slots_run(g->slots, &step, now, &err);
	pthread_mutex_lock(&g->mutex);
	if (!ok)
		gate_session_lost(g, &err, clock_mono_ms(g->clock));
	return true;
}

static void *gate_keep(void *arg)
{
	struct gate *g = arg;

	pthread_mutex_lock(&g->mutex);
	while (!g->stop) {
		int64_t now = clock_mono_ms(g->clock), due = INT64_MAX, timed;

		if (g->slots && gate_tend_slots(g, now, &due))
			continue;
		gate_dispatch(g, now);
		timed = gate_due_ms(g, now);
		/* an open breaker without slots: look again when the probe is due */
		if (g->slots && g->waiters && breaker_wait_ms(&g->breaker, now) > 0)
			timed = now + breaker_wait_ms(&g->breaker, now);
		gate_sleep(g, now, due < timed ? due : timed);
	}
	pthread_mutex_unlock(&g->mutex);
	return NULL;
}

static bool gate_start_keeper(struct gate *g, struct err *err)
{
	int rc = thread_start(&g->keeper, gate_keep, g);

	return rc == 0 || err_set_errno(err, ERR_NOMEM, "gate.new", rc, "cannot start a thread");
}

static uint64_t gate_seed(const struct gate *g, const struct clock *clock)
{
	uint64_t parts[] = {(uint64_t)(uintptr_t)g, (uint64_t)clock_now_us(clock)};

	return hash_bytes(parts, sizeof parts);
}

struct gate *gate_new(const struct gate_options *options, struct err *err)
{
	const struct clock *clock = options->clock ? options->clock : &clock_system;
	int64_t now = clock_mono_ms(clock);
	struct gate *g;

	if (options->cap < 1 || options->cap > SLOTS_MAX || options->rate < 0) {
		err_set(err, ERR_CONFIG, "gate.new",
		        "requests at once must be 1–%d, and the rate not negative", SLOTS_MAX);
		return NULL;
	}
	g = calloc(1, sizeof *g);
	if (!g) {
		err_set(err, ERR_NOMEM, "gate.new", "out of memory");
		return NULL;
	}
	g->clock = clock;
	g->cap = options->cap;
	limit_init(&g->limit, options->cap);
	breaker_init(&g->breaker, gate_seed(g, clock));
	bucket_init(&g->bucket, options->rate, now);
	pthread_mutex_init(&g->mutex, NULL);
	thread_cond_init(&g->work);
	if (options->database) {
		g->slots = slots_open(options->database, options->source_url, options->cap,
		                      gate_seed(g, clock), now, err);
		if (!g->slots)
			goto failed;
	} else {
		g->keep = options->cap;
	}
	if (!gate_start_keeper(g, err))
		goto failed;
	return g;
failed:
	slots_close(g->slots);
	pthread_cond_destroy(&g->work);
	pthread_mutex_destroy(&g->mutex);
	free(g);
	return NULL;
}

void gate_free(struct gate *g)
{
	if (!g)
		return;
	pthread_mutex_lock(&g->mutex);
	g->stop = true;
	pthread_cond_signal(&g->work);
	pthread_mutex_unlock(&g->mutex);
	pthread_join(g->keeper, NULL);
	slots_close(g->slots);
	pthread_cond_destroy(&g->work);
	pthread_mutex_destroy(&g->mutex);
	free(g);
}

bool gate_enter(struct gate *g, uint64_t run, const atomic_bool *cancel, struct err *err)
{
	struct gate_waiter w = {.run = run};
	bool granted;

	if (cancel && atomic_load(cancel))
		return err_set(err, ERR_CANCELLED, "gate.enter", "cancelled before a request");
	pthread_cond_init(&w.cond, NULL);
	pthread_mutex_lock(&g->mutex);
	gate_enqueue(g, &w);
	gate_dispatch(g, clock_mono_ms(g->clock));
	if (gate_needs_keeper(g))
		pthread_cond_signal(&g->work);
	while (!w.granted && !w.failed && !(cancel && atomic_load(cancel)))
		pthread_cond_wait(&w.cond, &g->mutex);
	granted = w.granted;
	if (!granted && w.failed) {
		*err = g->lost_err;
	} else if (!granted) {
		gate_unlink(g, &w);
		err_set(err, ERR_CANCELLED, "gate.enter", "cancelled while waiting for the source");
	}
	pthread_mutex_unlock(&g->mutex);
	pthread_cond_destroy(&w.cond);
	return granted;
}

void gate_leave(struct gate *g, const struct err *outcome, int64_t latency_ms)
{
	enum limit_signal signal = limit_signal_of(outcome);
	int64_t now;

	pthread_mutex_lock(&g->mutex);
	now = clock_mono_ms(g->clock);
	g->inside--;
	if (signal == LIMIT_PRESSED || signal == LIMIT_DOWN)
		g->errors++;
	limit_answer(&g->limit, signal, latency_ms, now);
	breaker_answer(&g->breaker, signal, now - latency_ms, g->inside,
	               outcome ? outcome->retry_after_ms : 0, now);
	gate_dispatch(g, now);
	/* a slot has become free that is to be given back */
	if (gate_needs_keeper(g) || (g->slots && g->inside >= g->keep))
		pthread_cond_signal(&g->work);
	pthread_mutex_unlock(&g->mutex);
}

void gate_wake(struct gate *g)
{
	pthread_mutex_lock(&g->mutex);
	for (struct gate_waiter *w = g->waiters; w; w = w->next)
		pthread_cond_signal(&w->cond);
	pthread_cond_signal(&g->work);
	pthread_mutex_unlock(&g->mutex);
}

void gate_stats(struct gate *g, struct gate_stats *out)
{
	pthread_mutex_lock(&g->mutex);
	*out = (struct gate_stats){.requests = g->inside,
	                           .limit = g->limit.value,
	                           .waiting = g->waiting,
	                           .open = g->breaker.open,
	                           .total = g->total,
	                           .errors = g->errors};
	pthread_mutex_unlock(&g->mutex);
}
