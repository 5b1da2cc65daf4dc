/* SPDX-License-Identifier: Apache-2.0 */
#include "flow/idset.h"

#include <stdlib.h>

#include "base/hash.h"

static uint64_t key_of(struct str id)
{
	uint64_t h = hash_bytes(id.p, id.n);

	return h ? h : 1;
}

static size_t find(const uint64_t *slots, size_t cap, uint64_t key)
{
	size_t i = key & (cap - 1);

	while (slots[i] && slots[i] != key)
		i = (i + 1) & (cap - 1);
	return i;
}

static bool grow(struct idset *s)
{
	size_t cap = s->cap ? s->cap * 2 : 64;
	uint64_t *slots = calloc(cap, sizeof *slots);

	if (!slots)
		return false;
	for (size_t i = 0; i < s->cap; i++)
		if (s->slots[i])
			slots[find(slots, cap, s->slots[i])] = s->slots[i];
	free(s->slots);
	s->slots = slots;
	s->cap = cap;
	return true;
}

bool idset_add(struct idset *s, struct str id, bool *added)
{
	uint64_t key = key_of(id);
	size_t i;

	if (s->n * 4 >= s->cap * 3 && !grow(s))
		return false;
	i = find(s->slots, s->cap, key);
	*added = s->slots[i] == 0;
	if (*added) {
		s->slots[i] = key;
		s->n++;
	}
	return true;
}

bool idset_has(const struct idset *s, struct str id)
{
	uint64_t key = key_of(id);

	return s->cap && s->slots[find(s->slots, s->cap, key)] == key;
}

void idset_free(struct idset *s)
{
	free(s->slots);
	*s = (struct idset){0};
}
