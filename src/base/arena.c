/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

struct arena_block {
	struct arena_block *next;
	size_t size;
	_Alignas(16) char data[];
};

enum { BLOCK = 16 * 1024, ALIGN = 16 };

static bool add_block(struct arena *a, size_t need)
{
	size_t size = need > BLOCK ? need : BLOCK;
	struct arena_block *b;

	if (size > a->max || a->total > a->max - size)
		return false;
	b = malloc(sizeof *b + size);
	if (!b)
		return false;
	b->next = a->head;
	b->size = size;
	a->head = b;
	a->used = 0;
	a->total += size;
	return true;
}

void *arena_alloc(struct arena *a, size_t n)
{
	void *p;

	if (n > SIZE_MAX - ALIGN)
		return NULL;
	n = (n + ALIGN - 1) & ~(size_t)(ALIGN - 1);
	if ((!a->head || a->head->size - a->used < n) && !add_block(a, n))
		return NULL;
	p = a->head->data + a->used;
	a->used += n;
	return memset(p, 0, n);
}

void *arena_array(struct arena *a, size_t count, size_t size)
{
	size_t n;

	if (__builtin_mul_overflow(count, size, &n))
		return NULL;
	return arena_alloc(a, n);
}

struct str arena_str(struct arena *a, struct str s)
{
	char *p = arena_alloc(a, s.n + 1);

	if (!p)
		return STR_NONE;
	if (s.n)
		memcpy(p, s.p, s.n);
	return (struct str){p, s.n};
}

char *arena_printf(struct arena *a, const char *fmt, ...)
{
	va_list ap;
	char *p;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (n < 0)
		return NULL;
	p = arena_alloc(a, (size_t)n + 1);
	if (!p)
		return NULL;
	va_start(ap, fmt);
	vsnprintf(p, (size_t)n + 1, fmt, ap);
	va_end(ap);
	return p;
}

static void free_blocks(struct arena_block *b)
{
	while (b) {
		struct arena_block *next = b->next;

		free(b);
		b = next;
	}
}

void arena_reset(struct arena *a)
{
	if (!a->head)
		return;
	free_blocks(a->head->next);
	a->head->next = NULL;
	a->total = a->head->size;
	a->used = 0;
}

void arena_free(struct arena *a)
{
	free_blocks(a->head);
	*a = ARENA_INIT(a->max);
}
