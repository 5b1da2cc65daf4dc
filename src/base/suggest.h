/* SPDX-License-Identifier: Apache-2.0
 *
 * suggest.h: "did you mean …?" for mistyped names.
 */
#ifndef FHIRLINE_BASE_SUGGEST_H
#define FHIRLINE_BASE_SUGGEST_H

#include <stddef.h>

/* Edits (insert, delete, replace, swap of neighbours) that make `a` into `b`; words over 63 bytes
 * are as far apart as can be. */
unsigned suggest_distance(const char *a, const char *b);

/* Keeps the nearest of the names that it is shown. Begin with SUGGEST_INIT(word). */
struct suggest {
	const char *word;
	const char *best; /* NULL: nothing is near enough (a third of the word, at least 2) */
	unsigned distance;
};

#define SUGGEST_INIT(w) ((struct suggest){.word = (w)})
void suggest_look(struct suggest *s, const char *name);

#endif
