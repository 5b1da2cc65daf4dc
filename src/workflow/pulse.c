/* SPDX-License-Identifier: Apache-2.0 */
#include "workflow/pulse.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/thread.h"

enum {
	TURN_MS = 100,
	FIRST_MS = 1000, /* most activities are over before their first */
};

struct pulse {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct pulse_entry *entries;
	bool ending;
	pthread_t thread;
};

static struct pulse_entry *due(struct pulse *p, int64_t now)
{
	for (struct pulse_entry *e = p->entries; e; e = e->next)
		if (e->next_ms <= now)
			return e;
	return NULL;
}

/* With the lock held, but for the call itself, which may take seconds. */
static void beat(struct pulse *p, struct pulse_entry *e, int64_t now)
{
	e->next_ms = now + TURN_MS;
	e->beating = true;
	pthread_mutex_unlock(&p->lock);
	temporal_activity_heartbeat(e->task, TEMPORAL_NO_PAYLOADS);
	pthread_mutex_lock(&p->lock);
	e->beating = false;
	pthread_cond_broadcast(&p->changed);
}

static void *beat_all(void *arg)
{
	struct pulse *p = arg;
	struct pulse_entry *e;

	pthread_mutex_lock(&p->lock);
	while (!p->ending) {
		int64_t now = clock_mono_ms(&clock_system);

		while ((e = due(p, now)))
			beat(p, e, now);
		pthread_mutex_unlock(&p->lock);
		clock_sleep_ms(TURN_MS);
		pthread_mutex_lock(&p->lock);
	}
	pthread_mutex_unlock(&p->lock);
	return NULL;
}

struct pulse *pulse_new(struct err *err)
{
	struct pulse *p = calloc(1, sizeof *p);

	if (!p) {
		err_set(err, ERR_NOMEM, "workflow.pulse", "out of memory");
		return NULL;
	}
	pthread_mutex_init(&p->lock, NULL);
	pthread_cond_init(&p->changed, NULL);
	if (thread_start(&p->thread, beat_all, p) == 0)
		return p;
	err_set(err, ERR_NOMEM, "workflow.pulse", "cannot start a thread");
	free(p);
	return NULL;
}

void pulse_free(struct pulse *p)
{
	if (!p)
		return;
	pthread_mutex_lock(&p->lock);
	p->ending = true;
	pthread_mutex_unlock(&p->lock);
	pthread_join(p->thread, NULL);
	pthread_mutex_destroy(&p->lock);
	pthread_cond_destroy(&p->changed);
	free(p);
}

/* An activity with a short time-out cannot wait for the usual first. */
static int64_t first_ms(const struct temporal_activity_task *task)
{
	int64_t timeout = temporal_activity_info(task)->heartbeat_ms;

	return timeout && timeout / 3 < FIRST_MS ? timeout / 3 : FIRST_MS;
}

void pulse_add(struct pulse *p, struct pulse_entry *e, struct temporal_activity_task *task)
{
	*e = (struct pulse_entry){.task = task,
	                          .next_ms = clock_mono_ms(&clock_system) + first_ms(task)};
	pthread_mutex_lock(&p->lock);
	e->next = p->entries;
	p->entries = e;
	pthread_mutex_unlock(&p->lock);
}

void pulse_remove(struct pulse *p, struct pulse_entry *e)
{
	struct pulse_entry **at = &p->entries;

	pthread_mutex_lock(&p->lock);
	while (e->beating)
		pthread_cond_wait(&p->changed, &p->lock);
	while (*at != e)
		at = &(*at)->next;
	*at = e->next;
	pthread_mutex_unlock(&p->lock);
}
