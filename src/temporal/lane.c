/* SPDX-License-Identifier: Apache-2.0 */
#include "temporal/lane.h"

#include <errno.h>
#include <signal.h>
#include <time.h>

#include "base/clock.h"

/* ---- those that wait ---- */

/* A place for a task that may come. False: stop. */
static bool lane_reserve(struct lane *l)
{
	bool ok;

	pthread_mutex_lock(&l->lock);
	while (!l->stop && l->in_use == l->places)
		pthread_cond_wait(&l->changed, &l->lock);
	ok = !l->stop;
	l->in_use += ok;
	pthread_mutex_unlock(&l->lock);
	return ok;
}

static void lane_put(struct lane *l, void *task)
{
	pthread_mutex_lock(&l->lock);
	if (task)
		l->queue[(l->head + l->waiting++) % LANE_THREADS_MAX] = task;
	else
		l->in_use--;
	pthread_cond_broadcast(&l->changed);
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
		if (pthread_cond_timedwait(&l->changed, &l->lock, &until) == ETIMEDOUT)
			break;
	pthread_mutex_unlock(&l->lock);
}

static int64_t lane_delay(struct lane *l, const struct err *err, int attempts)
{
	int64_t ms;

	pthread_mutex_lock(&l->lock);
	ms = l->ops->pause_ms(l->ctx, err, attempts, &l->rng);
	pthread_mutex_unlock(&l->lock);
	return ms;
}

static void *poll_loop(void *arg)
{
	struct lane *l = arg;
	struct err err = {0};
	int failures = 0;
	bool go_on = true, ok;
	void *task;

	while (go_on && lane_reserve(l)) {
		task = NULL;
		ok = l->ops->poll(l->ctx, &task, &err);
		lane_put(l, ok ? task : NULL);
		failures = ok ? 0 : failures + 1;
		if (ok)
			continue;
		go_on = l->ops->failed(l->ctx, &err, failures);
		if (go_on)
			lane_pause(l, lane_delay(l, &err, failures));
	}
	pthread_mutex_lock(&l->lock);
	l->pollers--;
	pthread_cond_broadcast(&l->changed);
	pthread_mutex_unlock(&l->lock);
	return NULL;
}

/* ---- those that run ---- */

static void *lane_take(struct lane *l)
{
	void *task = NULL;

	pthread_mutex_lock(&l->lock);
	while (!l->waiting && (l->pollers > 0 || !l->stop))
		pthread_cond_wait(&l->changed, &l->lock);
	if (l->waiting) {
		task = l->queue[l->head];
		l->head = (l->head + 1) % LANE_THREADS_MAX;
		l->waiting--;
		l->running++;
	}
	pthread_mutex_unlock(&l->lock);
	return task;
}

static void *run_loop(void *arg)
{
	struct lane *l = arg;
	void *task;

	while ((task = lane_take(l))) {
		l->ops->run(l->ctx, task);
		pthread_mutex_lock(&l->lock);
		l->running--;
		l->in_use--;
		pthread_cond_broadcast(&l->changed);
		pthread_mutex_unlock(&l->lock);
	}
	pthread_mutex_lock(&l->lock);
	l->runners--;
	pthread_mutex_unlock(&l->lock);
	return NULL;
}

/* ---- from outside ---- */

static bool start_one(struct lane *l, void *(*loop)(void *), int *count, struct err *err)
{
	sigset_t all, before;
	int rc;

	pthread_mutex_lock(&l->lock);
	(*count)++;
	pthread_mutex_unlock(&l->lock);
	sigfillset(&all);
	rc = pthread_sigmask(SIG_SETMASK, &all, &before);
	if (!rc) {
		rc = pthread_create(&l->threads[l->started], NULL, loop, l);
		pthread_sigmask(SIG_SETMASK, &before, NULL);
	}
	if (!rc) {
		l->started++;
		return true;
	}
	pthread_mutex_lock(&l->lock);
	(*count)--;
	pthread_mutex_unlock(&l->lock);
	return err_set_errno(err, ERR_INTERNAL, "temporal.worker", rc, "cannot start a thread");
}

bool lane_start(struct lane *l, const struct lane_ops *ops, void *ctx, int polls, int threads,
                struct err *err)
{
	pthread_condattr_t monotonic;
	bool ok = true;

	*l = (struct lane){.ops = ops, .ctx = ctx, .places = threads};
	l->rng = rng_for((uint64_t)clock_now_us(&clock_system), (uintptr_t)l);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&l->changed, &monotonic);
	pthread_condattr_destroy(&monotonic);
	pthread_mutex_init(&l->lock, NULL);
	for (int i = 0; ok && i < threads; i++)
		ok = start_one(l, run_loop, &l->runners, err);
	for (int i = 0; ok && i < polls; i++)
		ok = start_one(l, poll_loop, &l->pollers, err);
	return ok;
}

void lane_stop(struct lane *l)
{
	pthread_mutex_lock(&l->lock);
	l->stop = true;
	pthread_cond_broadcast(&l->changed);
	pthread_mutex_unlock(&l->lock);
}

int lane_pollers(struct lane *l)
{
	int n;

	pthread_mutex_lock(&l->lock);
	n = l->pollers;
	pthread_mutex_unlock(&l->lock);
	return n;
}

int lane_running(struct lane *l)
{
	int n;

	pthread_mutex_lock(&l->lock);
	n = l->running + l->waiting;
	pthread_mutex_unlock(&l->lock);
	return n;
}

bool lane_ended(struct lane *l)
{
	bool ended;

	pthread_mutex_lock(&l->lock);
	ended = !l->pollers && !l->runners;
	pthread_mutex_unlock(&l->lock);
	return ended;
}

void lane_free(struct lane *l)
{
	for (int i = 0; i < l->started; i++)
		pthread_join(l->threads[i], NULL);
	pthread_cond_destroy(&l->changed);
	pthread_mutex_destroy(&l->lock);
}
