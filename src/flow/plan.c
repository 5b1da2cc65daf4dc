/* SPDX-License-Identifier: Apache-2.0 */
#include "flow/plan.h"

#include <string.h>

struct planner {
	const struct flow_state *s;
	struct flow_action *out;
	size_t cap, n;
	uint32_t room;     /* batches that may still be started */
	uint32_t next_seq; /* of the next new batch */
};

static bool is_page(enum flow_batch_kind k)
{
	return k == FLOW_PATIENT_PAGE || k == FLOW_ID_PAGE || k == FLOW_OBSERVATION_PAGE;
}

static bool is_read(const struct flow_batch *b)
{
	return b->state == FLOW_STAGED || b->state == FLOW_MERGING || b->state == FLOW_MERGED;
}

static bool is_final(const struct flow_batch *b)
{
	return b->state == FLOW_MERGED || b->state == FLOW_FAILED;
}

static void put(struct planner *p, enum flow_action_kind kind)
{
	if (p->n < p->cap) {
		memset(&p->out[p->n], 0, sizeof p->out[p->n]);
		p->out[p->n++].kind = kind;
	}
}

static void start(struct planner *p, struct flow_batch b)
{
	if (!p->room || p->n == p->cap)
		return;
	put(p, FLOW_RUN_BATCH);
	b.state = FLOW_RUNNING;
	p->out[p->n - 1].batch = b;
	p->room--;
}

static void start_new(struct planner *p, enum flow_batch_kind kind, uint32_t page_seq,
                      uint32_t first, uint32_t patients)
{
	struct flow_batch b = {.seq = p->next_seq,
	                       .kind = kind,
	                       .page_seq = page_seq,
	                       .first = first,
	                       .patients = patients};

	if (p->room && p->n < p->cap)
		p->next_seq++;
	start(p, b);
}

static void run_pending(struct planner *p)
{
	for (size_t i = 0; i < p->s->batch_count; i++)
		if (p->s->batches[i].state == FLOW_PENDING)
			start(p, p->s->batches[i]);
}

/* The chain of `kind`: its newest page, NULL when it has not begun. Pages of one chain have rising
 * seqs. */
static const struct flow_batch *chain_tail(const struct flow_state *s, enum flow_batch_kind kind)
{
	for (size_t i = s->batch_count; i-- > 0;)
		if (s->batches[i].kind == kind)
			return &s->batches[i];
	return NULL;
}

static bool chain_ended(const struct flow_state *s, enum flow_batch_kind kind)
{
	const struct flow_batch *tail = chain_tail(s, kind);

	return tail && (tail->state == FLOW_FAILED || (is_read(tail) && !tail->more));
}

static void extend_chain(struct planner *p, enum flow_batch_kind kind)
{
	const struct flow_batch *tail = chain_tail(p->s, kind);

	if (!tail)
		start_new(p, kind, 0, 0, 0);
	else if (is_read(tail) && tail->more)
		start_new(p, kind, tail->seq, 0, 0);
}

/* Changed patients come before the list of ids, which calls unknown whoever is in neither the
 * tables nor that chain. */
static void extend_chains(struct planner *p)
{
	extend_chain(p, FLOW_PATIENT_PAGE);
	if (!p->s->incremental)
		return;
	extend_chain(p, FLOW_OBSERVATION_PAGE);
	if (chain_ended(p->s, FLOW_PATIENT_PAGE))
		extend_chain(p, FLOW_ID_PAGE);
}

/* Some pages, in order, and how many patients of each have a group. Counted for many pages in one
 * pass: a zip code may have thousands of pages and groups, and the plan is asked whenever one of
 * them is done. */
struct block {
	const struct flow_batch *pages[256];
	uint32_t observed[256], looked_up[256];
	size_t n;
};

static bool needs_groups(const struct flow_batch *b)
{
	return is_page(b->kind) && b->kind != FLOW_OBSERVATION_PAGE && is_read(b);
}

/* The page's place in the block; block->n when it is not there. */
static size_t block_find(const struct block *block, uint32_t seq)
{
	size_t low = 0, high = block->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (block->pages[middle]->seq == seq)
			return middle;
		if (block->pages[middle]->seq < seq)
			low = middle + 1;
		else
			high = middle;
	}
	return block->n;
}

static void block_count(const struct flow_state *s, struct block *block)
{
	for (size_t i = 0; i < s->batch_count; i++) {
		const struct flow_batch *b = &s->batches[i];
		size_t place;

		if (b->kind != FLOW_OBSERVATIONS && b->kind != FLOW_LOOKUP)
			continue;
		place = block_find(block, b->page_seq);
		if (place < block->n && b->kind == FLOW_OBSERVATIONS)
			block->observed[place] += b->patients;
		else if (place < block->n)
			block->looked_up[place] += b->patients;
	}
}

/* The next pages from batch *from on, which moves past them. */
static bool block_fill(const struct flow_state *s, size_t *from, struct block *block)
{
	block->n = 0;
	for (; *from < s->batch_count && block->n < sizeof block->pages / sizeof *block->pages;
	     ++*from) {
		if (!needs_groups(&s->batches[*from]))
			continue;
		block->observed[block->n] = block->looked_up[block->n] = 0;
		block->pages[block->n++] = &s->batches[*from];
	}
	if (block->n)
		block_count(s, block);
	return block->n > 0;
}

/* From patient *from on, the first ones without a group: *from moves to them, and so many they are
 * (0: none). Groups come in any order and with gaps: of those that were under way when a process
 * was killed only some may be known. */
static uint32_t gap(const struct flow_state *s, const struct flow_batch *page,
                    enum flow_batch_kind kind, uint32_t *from)
{
	uint32_t end = page->patients;

	for (size_t i = 0; i < s->batch_count; i++) {
		const struct flow_batch *b = &s->batches[i];

		if (b->kind != kind || b->page_seq != page->seq)
			continue;
		if (b->first <= *from && *from < b->first + b->patients) {
			*from = b->first + b->patients;
			end = page->patients;
			i = (size_t)-1; /* what begins there may have been passed already */
		} else if (b->first > *from && b->first < end) {
			end = b->first;
		}
	}
	return *from < end ? end - *from : 0;
}

/* `covered`: how many of the page's patients have a group of this kind. */
static void cover(struct planner *p, const struct flow_batch *page, enum flow_batch_kind kind,
                  uint32_t covered)
{
	uint32_t from = 0, n;

	if (covered >= page->patients)
		return;
	while (p->room && p->n < p->cap && (n = gap(p->s, page, kind, &from))) {
		if (n > p->s->limits.patients_per_batch)
			n = p->s->limits.patients_per_batch;
		start_new(p, kind, page->seq, from, n);
		from += n;
	}
}

static void cover_pages(struct planner *p)
{
	struct block block;
	size_t from = 0;

	while (p->room && block_fill(p->s, &from, &block))
		for (size_t i = 0; i < block.n && p->room; i++) {
			if (block.pages[i]->kind == FLOW_ID_PAGE)
				cover(p, block.pages[i], FLOW_LOOKUP, block.looked_up[i]);
			cover(p, block.pages[i], FLOW_OBSERVATIONS, block.observed[i]);
		}
}

static bool all_final(const struct flow_state *s)
{
	for (size_t i = 0; i < s->batch_count; i++)
		if (!is_final(&s->batches[i]))
			return false;
	return true;
}

/* The first merges come early, so that merging and reading overlap; later ones are larger, because
 * each has to find its rows' places in all that is there: a quarter of what has been merged, from a
 * tenth of the limit up to the limit. */
static uint64_t merge_size(const struct flow_state *s, uint64_t merged)
{
	uint64_t size = merged / 4;

	if (size < s->limits.merge_rows / 40)
		size = s->limits.merge_rows / 40;
	return size < s->limits.merge_rows ? size : s->limits.merge_rows;
}

static bool merge_due(const struct flow_state *s, bool reading)
{
	uint64_t rows = 0, merged = 0;
	bool any = false;

	for (size_t i = 0; i < s->batch_count; i++) {
		const struct flow_batch *b = &s->batches[i];

		if (b->state == FLOW_MERGING)
			return true; /* a merge that was cut off: its rows wait in the renamed stage
			              */
		if (b->state == FLOW_MERGED)
			merged += b->rows;
		if (b->state == FLOW_STAGED) {
			rows += b->rows;
			any = true;
		}
	}
	return any && (!reading || rows >= merge_size(s, merged));
}

static uint32_t running(const struct flow_state *s)
{
	uint32_t n = 0;

	for (size_t i = 0; i < s->batch_count; i++)
		n += s->batches[i].state == FLOW_RUNNING;
	return n;
}

static void plan_read(struct planner *p)
{
	uint32_t before = running(p->s);
	bool reading;

	p->room = before < p->s->limits.max_running ? p->s->limits.max_running - before : 0;
	run_pending(p);
	extend_chains(p);
	cover_pages(p);
	reading = before > 0 || p->n > 0;
	if (!p->s->merge_running && merge_due(p->s, reading))
		put(p, FLOW_MERGE);
	else if (!reading && !p->s->merge_running && all_final(p->s))
		put(p, FLOW_SWEEP);
}

static bool idle(const struct flow_state *s)
{
	return !s->step_running && !s->merge_running && running(s) == 0;
}

size_t flow_plan(const struct flow_state *state, struct flow_action *out, size_t cap)
{
	struct planner p = {.s = state, .out = out, .cap = cap, .next_seq = 1};

	if (state->batch_count)
		p.next_seq = state->batches[state->batch_count - 1].seq + 1;
	if (state->phase == FLOW_PHASE_DONE || state->step_running)
		return 0;
	if (state->cancel_requested || state->broken) {
		if (idle(state))
			put(&p, state->cancel_requested ? FLOW_END_CANCELLED : FLOW_END_FAILED);
		return p.n;
	}
	switch (state->phase) {
	case FLOW_PHASE_LOOK:
		put(&p, FLOW_LOOK);
		break;
	case FLOW_PHASE_READ:
		plan_read(&p);
		break;
	case FLOW_PHASE_SWEEP:
		put(&p, FLOW_SWEEP);
		break;
	case FLOW_PHASE_RECONCILE:
		put(&p, FLOW_RECONCILE);
		break;
	case FLOW_PHASE_DONE:
		break;
	}
	return p.n;
}
