/* SPDX-License-Identifier: Apache-2.0
 *
 * fold.c: a step a type of event. Each closes or changes what an earlier one opened, found by the
 * number of that event: `known` is in the order of those numbers, so a binary search does.
 */
#include "temporal/fold.h"

#include <string.h>

#include "base/hash.h"

void fold_init(struct fold *f, size_t max_bytes)
{
	*f = (struct fold){.arena = ARENA_INIT(max_bytes)};
}

void fold_free(struct fold *f)
{
	arena_free(&f->arena);
	*f = (struct fold){0};
}

static bool too_large(struct fold *f, struct err *err)
{
	return err_set(err, ERR_LIMIT, "temporal.fold",
	               "the history of %lld events needs more than %zu bytes; the workflow should "
	               "continue as new earlier",
	               (long long)f->info.events, f->arena.max);
}

static bool keep(struct fold *f, struct str from, struct str *out)
{
	if (!from.p)
		return true;
	*out = arena_str(&f->arena, from);
	return out->p != NULL;
}

/* Room for one more of `size` bytes. What was there stays where it is for who points to it. */
static void *grow(struct arena *a, const void *old, size_t n, size_t *cap, size_t size)
{
	void *p;

	if (n < *cap)
		return (void *)(uintptr_t)old;
	p = arena_array(a, *cap ? *cap * 2 : 64, size);
	if (!p)
		return NULL;
	if (n)
		memcpy(p, old, n * size);
	*cap = *cap ? *cap * 2 : 64;
	return p;
}

/* ---- the table of ids ---- */

static size_t slot_of(const struct fold *f, int kind, struct str id)
{
	size_t i = (hash_bytes(id.p, id.n) + (uint64_t)kind * 0x9e3779b9u) & (f->table_size - 1);

	for (; f->table[i]; i = (i + 1) & (f->table_size - 1)) {
		const struct temporal_known *k = f->known[f->table[i] - 1];

		if ((int)k->kind == kind && str_eq(k->id, id))
			break;
	}
	return i;
}

static bool table_grow(struct fold *f)
{
	size_t size = f->table_size ? f->table_size * 2 : 256;
	uint32_t *table;

	if (f->table_size && f->n_known * 2 < f->table_size)
		return true;
	table = arena_array(&f->arena, size, sizeof *table);
	if (!table)
		return false;
	f->table = table;
	f->table_size = size;
	for (size_t i = 0; i < f->n_known; i++)
		f->table[slot_of(f, (int)f->known[i]->kind, f->known[i]->id)] = (uint32_t)(i + 1);
	return true;
}

struct temporal_known *fold_find(const struct fold *f, int kind, struct str id)
{
	uint32_t i = f->table_size && id.p ? f->table[slot_of(f, kind, id)] : 0;

	return i ? f->known[i - 1] : NULL;
}

struct temporal_known *fold_add(struct fold *f, int kind, struct str id, struct str type,
                                int64_t asked_id)
{
	struct temporal_known **known =
	    grow(&f->arena, f->known, f->n_known, &f->cap_known, sizeof(struct temporal_known *));
	struct temporal_known *k = arena_alloc(&f->arena, sizeof *k);

	if (!known || !k)
		return NULL;
	f->known = known;
	k->kind = kind;
	k->id = STR("");
	k->asked_id = asked_id;
	if (!keep(f, id, &k->id) || !keep(f, type, &k->type) || !table_grow(f))
		return NULL;
	/* an id that a history has twice (not by this library): the later one counts */
	f->known[f->n_known++] = k;
	f->table[slot_of(f, kind, k->id)] = (uint32_t)f->n_known;
	return k;
}

/* ---- what was opened by event `id` ---- */

static struct temporal_known *known_by_event(const struct fold *f, int64_t id)
{
	size_t low = 0, high = f->n_known;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (f->known[mid]->asked_id < id)
			low = mid + 1;
		else
			high = mid;
	}
	return low < f->n_known && f->known[low]->asked_id == id ? f->known[low] : NULL;
}

static struct temporal_known *opened(struct fold *f, const struct temporal_event *e, int kind,
                                     struct err *err)
{
	struct temporal_known *k = known_by_event(f, e->of);

	if (!k || (int)k->kind != kind) {
		err_set(err, ERR_PROTOCOL, "temporal.fold",
		        "event %lld (type %d) refers to event %lld, which history does not have",
		        (long long)e->id, (int)e->type, (long long)e->of);
		return NULL;
	}
	return k;
}

static bool closed(struct fold *f, struct temporal_known *k, enum temporal_state state,
                   const struct temporal_event *e, struct err *err)
{
	k->state = state;
	k->ended_id = e->id;
	return (temporal_payloads_copy(&f->arena, e->payloads, &k->result) &&
	        temporal_failure_copy(&f->arena, e->failure, &k->failure)) ||
	       too_large(f, err);
}

/* ---- events ---- */

static bool on_started(struct fold *f, const struct temporal_event *e, struct err *err)
{
	struct temporal_info *i = &f->info;

	i->attempt = e->attempt;
	i->started_us = e->time_us;
	return (keep(f, e->name, &i->type) && keep(f, e->task_queue, &i->task_queue) &&
	        keep(f, e->run_id, &i->before) && keep(f, e->first_run_id, &i->first_run_id) &&
	        temporal_payloads_copy(&f->arena, e->payloads, &i->input) &&
	        temporal_fields_copy(&f->arena, e->memo, &i->memo) &&
	        temporal_fields_copy(&f->arena, e->search, &i->search)) ||
	       too_large(f, err);
}

static bool on_signal(struct fold *f, const struct temporal_event *e, struct err *err)
{
	struct temporal_signal *signals =
	    grow(&f->arena, f->signals, f->n_signals, &f->cap_signals, sizeof *signals);
	struct temporal_signal *s;

	if (!signals)
		return too_large(f, err);
	f->signals = signals;
	s = &signals[f->n_signals];
	*s = (struct temporal_signal){.name = STR(""), .event_id = e->id};
	if (!keep(f, e->name, &s->name) ||
	    !temporal_payloads_copy(&f->arena, e->payloads, &s->input))
		return too_large(f, err);
	f->n_signals++;
	return true;
}

static bool on_marker(struct fold *f, const struct temporal_event *e, struct err *err)
{
	struct temporal_known *k = fold_add(f, TEMPORAL_IS_MARKER, e->name, STR_NONE, e->id);

	return k ? closed(f, k, TEMPORAL_STATE_DONE, e, err) : too_large(f, err);
}

static bool on_activity(struct fold *f, const struct temporal_event *e, struct err *err)
{
	struct temporal_known *k = opened(f, e, TEMPORAL_IS_ACTIVITY, err);

	if (!k)
		return false;
	switch ((int)e->type) {
	case TEMPORAL_EV_ACTIVITY_STARTED:
		k->attempt = e->attempt;
		return true;
	case TEMPORAL_EV_ACTIVITY_CANCEL_REQUESTED:
		k->cancel_requested = true;
		return true;
	case TEMPORAL_EV_ACTIVITY_COMPLETED:
		return closed(f, k, TEMPORAL_STATE_DONE, e, err);
	case TEMPORAL_EV_ACTIVITY_CANCELLED:
		return closed(f, k, TEMPORAL_STATE_CANCELLED, e, err);
	default:
		return closed(f, k, TEMPORAL_STATE_FAILED, e, err);
	}
}

static bool on_timer(struct fold *f, const struct temporal_event *e, struct err *err)
{
	struct temporal_known *k = opened(f, e, TEMPORAL_IS_TIMER, err);

	if (!k)
		return false;
	return closed(f, k,
	              e->type == TEMPORAL_EV_TIMER_FIRED ? TEMPORAL_STATE_DONE
	                                                 : TEMPORAL_STATE_CANCELLED,
	              e, err);
}

static bool on_opening(struct fold *f, const struct temporal_event *e, struct err *err)
{
	int kind = e->type == TEMPORAL_EV_TIMER_STARTED ? TEMPORAL_IS_TIMER : TEMPORAL_IS_ACTIVITY;

	struct temporal_known *k = fold_add(f, kind, e->ref, e->name, e->id);

	return (k && temporal_payloads_copy(&f->arena, e->payloads, &k->input)) ||
	       too_large(f, err);
}

static bool on_task_started(struct fold *f, const struct temporal_event *e)
{
	f->info.now_us = e->time_us;
	f->info.suggest_continue = e->suggest_continue;
	f->info.bytes = e->history_bytes;
	return true;
}

static bool on_cancel_requested(struct fold *f, const struct temporal_event *e, struct err *err)
{
	if (f->info.cancel_requested)
		return true;
	f->info.cancel_requested = true;
	return keep(f, e->reason, &f->info.cancel_reason) || too_large(f, err);
}

bool fold_event(struct fold *f, const struct temporal_event *e, struct err *err)
{
	if (e->id != f->info.events + 1)
		return err_set(err, ERR_PROTOCOL, "temporal.fold",
		               "history goes from event %lld to %lld", (long long)f->info.events,
		               (long long)e->id);
	f->info.events = e->id;
	switch ((int)e->type) {
	case TEMPORAL_EV_WORKFLOW_STARTED:
		return on_started(f, e, err);
	case TEMPORAL_EV_SIGNAL:
		return on_signal(f, e, err);
	case TEMPORAL_EV_MARKER:
		return on_marker(f, e, err);
	case TEMPORAL_EV_ACTIVITY_SCHEDULED:
	case TEMPORAL_EV_TIMER_STARTED:
		return on_opening(f, e, err);
	case TEMPORAL_EV_ACTIVITY_STARTED:
	case TEMPORAL_EV_ACTIVITY_CANCEL_REQUESTED:
	case TEMPORAL_EV_ACTIVITY_COMPLETED:
	case TEMPORAL_EV_ACTIVITY_FAILED:
	case TEMPORAL_EV_ACTIVITY_TIMED_OUT:
	case TEMPORAL_EV_ACTIVITY_CANCELLED:
		return on_activity(f, e, err);
	case TEMPORAL_EV_TIMER_FIRED:
	case TEMPORAL_EV_TIMER_CANCELLED:
		return on_timer(f, e, err);
	case TEMPORAL_EV_TASK_STARTED:
		return on_task_started(f, e);
	case TEMPORAL_EV_TASK_COMPLETED:
		f->tasks++;
		return true;
	case TEMPORAL_EV_CANCEL_REQUESTED:
		return on_cancel_requested(f, e, err);
	default:
		return true; /* others change nothing that a workflow sees */
	}
}
