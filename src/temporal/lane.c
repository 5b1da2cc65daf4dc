/* SPDX-License-Identifier: Apache-2.0 */
#include "temporal/lane.h"

#include <errno.h>
#include <time.h>

#include "base/clock.h"
#include "base/thread.h"

static struct lane_turn *free_turn(struct lane *l)
{
	for (int i = 0; i < l->n_turns; i++)
		if (!l->turns[i].taken && !l->turns[i].closed)
			return &l->turns[i];
	return NULL;
}

/* NULL: stop. */
static struct lane_turn *lane_take(struct lane *l)
{
	struct lane_turn *turn = NULL;

	pthread_mutex_lock(&l->lock);
	while (!l->stop && !(turn = free_turn(l)))
		pthread_cond_wait(&l->free, &l->lock);
	if (l->stop)
		turn = NULL;
	if (turn)
		turn->taken = true;
	pthread_mutex_unlock(&l->lock);
	return turn;
}

/* The turn is another thread's; `task`: this one's work from here on. */
static void lane_give(struct lane *l, struct lane_turn *turn, const void *task)
{
	pthread_mutex_lock(&l->lock);
	turn->taken = false;
	l->running += task != NULL;
	pthread_cond_signal(&l->free);
	pthread_mutex_unlock(&l->lock);
}

static void lane_pause(struct lane *l, int64_t ms)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += ms / 1000;
	until.tv_nsec += ms % 1000 * 1000000;
	if (until.tv_nsec >= 1000000000) {
		until.tv_sec++;
		until.tv_nsec -= 1000000000;
	}
	pthread_mutex_lock(&l->lock);
	while (!l->stop)
		if (pthread_cond_timedwait(&l->stopped, &l->lock, &until) == ETIMEDOUT)
			break;
	pthread_mutex_unlock(&l->lock);
}

static int64_t lane_delay(struct lane *l, const struct err *err, int failures)
{
	int64_t ms;

	pthread_mutex_lock(&l->lock);
	ms = l->ops->pause_ms(l->ctx, err, failures, &l->rng);
	pthread_mutex_unlock(&l->lock);
	return ms;
}

/* The turn is kept while it waits, so that what fails is not asked for by another thread at once.
 */
static void poll_failed(struct lane *l, struct lane_turn *turn, const struct err *err)
{
	bool go_on = l->ops->failed(l->ctx, err, turn->failures);

	if (go_on) {
		lane_pause(l, lane_delay(l, err, turn->failures));
		return;
	}
	pthread_mutex_lock(&l->lock);
	turn->closed = true;
	pthread_mutex_unlock(&l->lock);
}

/* A task, or NULL: there was none this time. */
static void *poll_once(struct lane *l, struct lane_turn *turn)
{
	struct err err = {0};
	void *task = NULL;

	if (l->ops->poll(l->ctx, &task, &err)) {
		turn->failures = 0;
		return task;
	}
	turn->failures++;
	poll_failed(l, turn, &err);
	return NULL;
}

static void *work(void *arg)
{
	struct lane *l = arg;
	struct lane_turn *turn;
	void *task;

	while ((turn = lane_take(l))) {
		task = poll_once(l, turn);
		lane_give(l, turn, task);
		if (!task)
			continue;
		l->ops->run(l->ctx, task);
		pthread_mutex_lock(&l->lock);
		l->running--;
		pthread_mutex_unlock(&l->lock);
	}
	pthread_mutex_lock(&l->lock);
	l->alive--;
	pthread_mutex_unlock(&l->lock);
	return NULL;
}

/* ---- from outside ---- */

static bool start_one(struct lane *l, struct err *err)
{
	int rc;

	pthread_mutex_lock(&l->lock);
	l->alive++;
	pthread_mutex_unlock(&l->lock);
	rc = thread_start(&l->threads[l->started], work, l);
	if (!rc) {
		l->started++;
		return true;
	}
	pthread_mutex_lock(&l->lock);
	l->alive--;
	pthread_mutex_unlock(&l->lock);
	return err_set_errno(err, ERR_INTERNAL, "temporal.worker", rc, "cannot start a thread");
}

bool lane_start(struct lane *l, const struct lane_ops *ops, void *ctx, int polls, int threads,
                struct err *err)
{
	bool ok = true;

	/* more polls than threads would never be under way */
	*l = (struct lane){.ops = ops, .ctx = ctx, .n_turns = polls < threads ? polls : threads};
	l->rng = rng_for((uint64_t)clock_now_us(&clock_system), (uintptr_t)l);
	thread_cond_init(&l->stopped);
	pthread_cond_init(&l->free, NULL);
	pthread_mutex_init(&l->lock, NULL);
	for (int i = 0; ok && i < threads; i++)
		ok = start_one(l, err);
	return ok;
}

void lane_stop(struct lane *l)
{
	pthread_mutex_lock(&l->lock);
	l->stop = true;
	pthread_cond_broadcast(&l->free);
	pthread_cond_broadcast(&l->stopped);
	pthread_mutex_unlock(&l->lock);
}

int lane_pollers(struct lane *l)
{
	int n = 0;

	pthread_mutex_lock(&l->lock);
	for (int i = 0; i < l->n_turns; i++)
		n += l->stop ? l->turns[i].taken : !l->turns[i].closed;
	pthread_mutex_unlock(&l->lock);
	return n;
}

int lane_running(struct lane *l)
{
	int n;

	pthread_mutex_lock(&l->lock);
	n = l->running;
	pthread_mutex_unlock(&l->lock);
	return n;
}

bool lane_ended(struct lane *l)
{
	bool ended;

	pthread_mutex_lock(&l->lock);
	ended = !l->alive;
	pthread_mutex_unlock(&l->lock);
	return ended;
}

void lane_free(struct lane *l)
{
	for (int i = 0; i < l->started; i++)
		pthread_join(l->threads[i], NULL);
	pthread_cond_destroy(&l->free);
	pthread_cond_destroy(&l->stopped);
	pthread_mutex_destroy(&l->lock);
}
