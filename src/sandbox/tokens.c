/* SPDX-License-Identifier: Apache-2.0
 *
 * Paging tokens. A token holds the question and the instant, not the answer. Its id ends in its
 * slot's number, so that finding one needs no search.
 */
#include <stdlib.h>
#include <string.h>

#include "sandbox/service.h"
#include "sandbox/text.h"

static void token_free(struct token *t)
{
	query_free(&t->query);
	free(t);
}

/* With the lock held. */
static void unref(struct token *t)
{
	if (t && --t->refs == 0)
		token_free(t);
}

static bool id_make(struct sandbox *s, struct token *t, uint32_t slot)
{
	struct err err;

	if (!uuid_v7(clock_now_us(s->clock), t->id, &err))
		return false;
	w_hex(t->id + UUID_TEXT - 5, slot, 4);
	return true;
}

struct token *token_make(struct sandbox *s, struct query *q, uint64_t seq, uint64_t cap)
{
	struct token *t = calloc(1, sizeof *t);
	uint32_t slot;

	if (!t)
		return NULL;
	pthread_mutex_lock(&s->lock);
	slot = s->next_token++ % TOKENS_MAX;
	if (!id_make(s, t, slot)) {
		pthread_mutex_unlock(&s->lock);
		free(t);
		return NULL;
	}
	t->query = *q;
	q->patients = NULL;
	q->ids = NULL;
	t->seq = seq;
	t->cap = cap;
	t->made_ms = clock_mono_ms(s->clock);
	t->refs = 2;
	unref(s->tokens[slot]);
	s->tokens[slot] = t;
	pthread_mutex_unlock(&s->lock);
	return t;
}

/* With the lock held. The slot of a token that is there, or TOKENS_MAX. */
static uint32_t slot_find(const struct sandbox *s, struct str id)
{
	char digits[5] = "";
	unsigned long slot;

	if (id.n != UUID_TEXT - 1)
		return TOKENS_MAX;
	memcpy(digits, id.p + id.n - 4, 4);
	slot = strtoul(digits, NULL, 16);
	if (slot >= TOKENS_MAX || !s->tokens[slot] || !str_is(id, s->tokens[slot]->id))
		return TOKENS_MAX;
	return (uint32_t)slot;
}

struct token *token_get(struct sandbox *s, struct str id)
{
	struct token *t = NULL;
	uint32_t slot;

	pthread_mutex_lock(&s->lock);
	slot = slot_find(s, id);
	if (slot < TOKENS_MAX) {
		t = s->tokens[slot];
		if (clock_mono_ms(s->clock) - t->made_ms > (int64_t)s->o.retain_s * 1000)
			t = NULL;
		else
			t->refs++;
	}
	pthread_mutex_unlock(&s->lock);
	return t;
}

void token_put(struct sandbox *s, struct token *t)
{
	pthread_mutex_lock(&s->lock);
	unref(t);
	pthread_mutex_unlock(&s->lock);
}

void token_drop(struct sandbox *s, struct str id)
{
	uint32_t slot;

	pthread_mutex_lock(&s->lock);
	slot = slot_find(s, id);
	if (slot < TOKENS_MAX) {
		unref(s->tokens[slot]);
		s->tokens[slot] = NULL;
	}
	pthread_mutex_unlock(&s->lock);
}

void tokens_free(struct sandbox *s)
{
	for (uint32_t k = 0; k < TOKENS_MAX; k++) {
		unref(s->tokens[k]);
		s->tokens[k] = NULL;
	}
}
