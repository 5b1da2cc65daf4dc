/* SPDX-License-Identifier: Apache-2.0
 *
 * Three passes over what history knows: which batches there are, in the order in which they were
 * asked for; what became of them, in the order in which they ended, for a merge speaks of what was
 * staged before it; and what has not ended.
 */
#include "workflow/state.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

struct folding {
	struct temporal_task *task;
	struct arena *arena;
	struct state *s;
	struct flow_batch *batches;
	uint32_t *rounds;
	int64_t *staged_at; /* event in which each batch became STAGED; 0: before this run */
	size_t n, cap;
	const struct temporal_known **ended;
	size_t n_ended;
};

static bool no_memory(struct err *err)
{
	return err_set(err, ERR_LIMIT, "workflow.state",
	               "the history needs more memory than a workflow task may have");
}

/* ---- batches ---- */

static size_t place_of(const struct folding *f, uint32_t seq)
{
	size_t low = 0, high = f->n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (f->batches[mid].seq < seq)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static bool is_there(const struct folding *f, size_t at, uint32_t seq)
{
	return at < f->n && f->batches[at].seq == seq;
}

static bool room(struct folding *f, size_t n)
{
	f->cap = n;
	f->batches = arena_array(f->arena, n + 1, sizeof *f->batches);
	f->rounds = arena_array(f->arena, n + 1, sizeof *f->rounds);
	f->staged_at = arena_array(f->arena, n + 1, sizeof *f->staged_at);
	f->ended = arena_array(f->arena, n + 1, sizeof *f->ended);
	return f->batches && f->rounds && f->staged_at && f->ended;
}

/* Usually at the end: numbers rise. */
static void insert(struct folding *f, const struct flow_batch *b)
{
	size_t at = place_of(f, b->seq), after;

	if (is_there(f, at, b->seq) || f->n == f->cap)
		return;
	after = f->n - at;
	memmove(&f->batches[at + 1], &f->batches[at], after * sizeof *f->batches);
	memmove(&f->rounds[at + 1], &f->rounds[at], after * sizeof *f->rounds);
	memmove(&f->staged_at[at + 1], &f->staged_at[at], after * sizeof *f->staged_at);
	f->batches[at] = *b;
	f->rounds[at] = 0;
	f->staged_at[at] = 0;
	f->n++;
}

static bool batch_of(const struct temporal_known *k, struct flow_batch *b, struct err *err)
{
	struct wire_call call;
	enum flow_batch_kind kind;

	if (!wire_batch_kind(k->type, &kind) || !wire_call_read(k->input, &call, err))
		return false;
	*b = call.batch;
	b->kind = kind;
	b->state = FLOW_PENDING;
	return true;
}

static bool is_batch(const struct temporal_known *k)
{
	enum flow_batch_kind kind;

	return k->kind == TEMPORAL_IS_ACTIVITY && wire_batch_kind(k->type, &kind);
}

static bool is_activity(const struct temporal_known *k, const char *type)
{
	return k->kind == TEMPORAL_IS_ACTIVITY && str_is(k->type, type);
}

/* First pass. */
static bool collect(struct folding *f, struct err *err)
{
	const struct temporal_known *k;
	struct flow_batch b;

	for (size_t i = 0; (k = temporal_task_known(f->task, i)); i++) {
		if (k->kind != TEMPORAL_IS_ACTIVITY)
			continue;
		if (k->state == TEMPORAL_STATE_PENDING)
			f->s->pending++;
		else
			f->ended[f->n_ended++] = k;
		f->s->merges += is_activity(k, "Merge");
		if (!is_batch(k))
			continue;
		if (!batch_of(k, &b, err))
			return false;
		insert(f, &b);
		f->rounds[place_of(f, b.seq)]++;
	}
	return true;
}

/* ---- what became of them ---- */

static void broken(struct state *s, const struct temporal_known *k)
{
	const struct temporal_failure *root = k->failure ? temporal_failure_root(k->failure) : NULL;

	if (root && str_is(root->type, "RunLost"))
		s->lost = true;
	else if (root && str_is(root->type, "cancelled"))
		s->plan.cancel_requested = true; /* in the database, before Temporal heard of it */
	else if (!s->failure)
		s->failure = k->failure;
	s->plan.broken = s->plan.broken || s->failure;
}

static bool batch_ended(struct folding *f, const struct temporal_known *k, struct err *err)
{
	struct flow_batch asked;
	size_t at;

	if (!batch_of(k, &asked, err))
		return false;
	at = place_of(f, asked.seq);
	if (k->state == TEMPORAL_STATE_DONE) {
		f->staged_at[at] = k->ended_id;
		return wire_batch_read(k->result, &f->batches[at], err);
	}
	f->batches[at].state = FLOW_PENDING;
	if (k->state == TEMPORAL_STATE_FAILED)
		broken(f->s, k);
	return true;
}

/* A batch that stands as staged here and as pending in the database had lost its commit: a server
 * that is not durable came back. Only of what was staged before the merge began can it tell. */
static void apply_merge(struct folding *f, const struct temporal_known *k,
                        const struct wire_merge *m)
{
	for (size_t i = 0; i < f->n; i++) {
		struct flow_batch *b = &f->batches[i];

		if (wire_in(m->merged, m->n_merged, b->seq))
			b->state = FLOW_MERGED;
		else if (wire_in(m->merging, m->n_merging, b->seq))
			b->state = FLOW_MERGING;
		else if (b->state == FLOW_STAGED && f->staged_at[i] < k->asked_id &&
		         wire_in(m->pending, m->n_pending, b->seq))
			b->state = FLOW_PENDING;
	}
}

static bool merge_ended(struct folding *f, const struct temporal_known *k, struct err *err)
{
	struct wire_merge m;

	if (k->state == TEMPORAL_STATE_DONE) {
		if (!wire_merge_read(f->arena, k->result, &m, err))
			return false;
		apply_merge(f, k, &m);
	} else if (k->state == TEMPORAL_STATE_FAILED) {
		broken(f->s, k);
	}
	return true;
}

static void step_ended(struct state *s, const struct temporal_known *k)
{
	if (k->state == TEMPORAL_STATE_FAILED)
		broken(s, k);
	if (k->state != TEMPORAL_STATE_DONE)
		return;
	if (str_is(k->type, "Look"))
		s->plan.phase = FLOW_PHASE_READ;
	else if (str_is(k->type, "Sweep"))
		s->plan.phase = FLOW_PHASE_RECONCILE;
	else if (str_is(k->type, "Reconcile"))
		s->plan.phase = FLOW_PHASE_DONE;
}

static int by_end(const void *a, const void *b)
{
	const struct temporal_known *x = *(const struct temporal_known *const *)a,
	                            *y = *(const struct temporal_known *const *)b;

	return x->ended_id < y->ended_id ? -1 : x->ended_id > y->ended_id;
}

/* Second pass. */
static bool apply(struct folding *f, struct err *err)
{
	if (f->n_ended)
		qsort(f->ended, f->n_ended, sizeof(f->ended[0]), by_end);
	for (size_t i = 0; i < f->n_ended; i++) {
		const struct temporal_known *k = f->ended[i];

		if (is_batch(k)) {
			if (!batch_ended(f, k, err))
				return false;
		} else if (str_is(k->type, "Merge")) {
			if (!merge_ended(f, k, err))
				return false;
		} else if (!str_is(k->type, "Begin") && !str_is(k->type, "End")) {
			step_ended(f->s, k);
		}
	}
	return true;
}

/* Third pass. */
static bool mark_pending(struct folding *f, struct err *err)
{
	const struct temporal_known *k;
	struct flow_batch b;

	for (size_t i = 0; (k = temporal_task_known(f->task, i)); i++) {
		if (k->kind != TEMPORAL_IS_ACTIVITY || k->state != TEMPORAL_STATE_PENDING)
			continue;
		if (is_batch(k)) {
			if (!batch_of(k, &b, err))
				return false;
			f->batches[place_of(f, b.seq)].state = FLOW_RUNNING;
		} else if (str_is(k->type, "Merge")) {
			f->s->plan.merge_running = true;
		} else {
			f->s->plan.step_running = true;
		}
	}
	return true;
}

/* ---- the whole ---- */

static void fold_signals(const struct temporal_task *task, struct state *s)
{
	const struct temporal_signal *signal;

	s->paused = s->input.paused;
	for (size_t i = 0; (signal = temporal_task_signal(task, i)); i++) {
		if (str_is(signal->name, "pause"))
			s->paused = true;
		else if (str_is(signal->name, "resume"))
			s->paused = false;
	}
}

static void count_failed(struct folding *f)
{
	unsigned failed = 0;

	for (size_t i = 0; i < f->n; i++)
		failed += f->batches[i].state == FLOW_FAILED;
	f->s->too_many_failed = failed > FLOW_FAILED_MAX;
	f->s->plan.broken = f->s->plan.broken || f->s->too_many_failed;
}

static bool fold_batches(struct folding *f, const struct flow_begun *begun, struct err *err)
{
	size_t known = 0;

	while (temporal_task_known(f->task, known))
		known++;
	if (!room(f, begun->n + known))
		return no_memory(err);
	for (size_t i = 0; i < begun->n; i++)
		insert(f, &begun->batches[i]);
	if (!collect(f, err) || !apply(f, err) || !mark_pending(f, err))
		return false;
	count_failed(f);
	f->s->plan.batches = f->batches;
	f->s->plan.batch_count = f->n;
	f->s->rounds = f->rounds;
	return true;
}

bool state_fold(struct temporal_task *task, struct state *s, struct err *err)
{
	const struct temporal_info *info = temporal_task_info(task);
	const struct temporal_known *begin =
	    temporal_task_find(task, TEMPORAL_IS_ACTIVITY, "begin");
	struct folding f = {.task = task, .arena = temporal_task_arena(task), .s = s};
	struct flow_begun begun;

	*s = (struct state){.pending = 0};
	if (!wire_input_read(info->input, &s->input, err))
		return false;
	fold_signals(task, s);
	s->plan.limits = s->input.limits;
	s->plan.cancel_requested = info->cancel_requested;
	s->end = temporal_task_find(task, TEMPORAL_IS_ACTIVITY, "end");
	s->reconcile = temporal_task_find(task, TEMPORAL_IS_ACTIVITY, "reconcile");
	if (!begin || begin->state != TEMPORAL_STATE_DONE) {
		s->failure = begin ? begin->failure : NULL;
		return true;
	}
	if (!wire_begun_read(f.arena, begin->result, &begun, err))
		return false;
	s->begun = true;
	s->epoch = begun.epoch;
	s->plan.phase = begun.phase;
	s->plan.incremental = begun.incremental;
	s->plan.cancel_requested = s->plan.cancel_requested || begun.cancel_requested;
	return fold_batches(&f, &begun, err);
}

/* ---- for who asks ---- */

bool state_progress(struct temporal_task *task, const struct state *s,
                    struct temporal_payloads *out, struct err *err)
{
	unsigned n[FLOW_FAILED + 1] = {0};
	uint64_t rows = 0;
	struct temporal_payload one;
	char *text;

	for (size_t i = 0; i < s->plan.batch_count; i++) {
		n[s->plan.batches[i].state]++;
		rows += s->plan.batches[i].rows;
	}
	text = arena_printf(temporal_task_arena(task),
	                    "{\"phase\":\"%s\",\"paused\":%s,\"batches\":{\"pending\":%u,"
	                    "\"running\":%u,\"staged\":%u,\"merging\":%u,\"merged\":%u,"
	                    "\"failed\":%u},\"rows\":%" PRIu64 ",\"continued\":%" PRId64 "}",
	                    wire_phase_name(s->plan.phase), s->paused ? "true" : "false",
	                    n[FLOW_PENDING], n[FLOW_RUNNING], n[FLOW_STAGED], n[FLOW_MERGING],
	                    n[FLOW_MERGED], n[FLOW_FAILED], rows, s->input.continued);
	if (!text)
		return no_memory(err);
	one = temporal_json(str_of(text));
	return temporal_payloads_copy(temporal_task_arena(task),
	                              (struct temporal_payloads){&one, 1}, out) ||
	       no_memory(err);
}
