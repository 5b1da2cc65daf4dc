/* SPDX-License-Identifier: Apache-2.0
 *
 * arena.h: many small allocations, freed at once.
 *
 * An arena hands out zeroed, 16-byte aligned memory from blocks. Nothing is freed singly;
 * arena_reset() keeps one block for the next use, arena_free() gives all back. `max` bounds the sum
 * of all blocks: past it, and out of memory, arena_alloc() returns NULL.
 */
#ifndef FHIRLINE_BASE_ARENA_H
#define FHIRLINE_BASE_ARENA_H

#include <stddef.h>

#include "base/str.h"

struct arena_block;

struct arena {
	struct arena_block *head;
	size_t used; /* of head */
	size_t total;
	size_t max;
};

#define ARENA_INIT(limit) ((struct arena){.max = (limit)})

void *arena_alloc(struct arena *a, size_t n);
void *arena_array(struct arena *a, size_t count, size_t size); /* checks the multiplication */
struct str arena_str(struct arena *a,
                     struct str s); /* a copy, NUL-terminated; STR_NONE when out of memory */
char *arena_printf(struct arena *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void arena_reset(struct arena *a);
void arena_free(struct arena *a);

#endif
