/* SPDX-License-Identifier: Apache-2.0
 *
 * search.h: which resources match a query, counted and paged without making a list of them.
 *
 * Order: by patient number; within a patient its generated observations by index, then those that
 * were written since, in the order of their creation. Membership is as of `seq`, so offsets mean
 * the same resources on every page of a search.
 */
#ifndef FHIRLINE_SANDBOX_SEARCH_H
#define FHIRLINE_SANDBOX_SEARCH_H

#include <stddef.h>
#include <stdint.h>

#include "sandbox/overlay.h"
#include "sandbox/query.h"

#define SEARCH_SORT_MAX 1000000 /* matches that _sort can put in order */

/* One match. */
struct target {
	uint32_t patient;
	uint32_t index;                    /* of the observation */
	const struct overlay_entry *entry; /* NULL: never touched */
};

struct search {
	const struct overlay *o;
	const struct query *q;
	uint64_t seq;
};

uint64_t search_total(const struct search *s);

/* Fills `out` with up to `limit` matches from `offset` on; returns how many. ERR_LIMIT (and 0) when
 * there are more than SEARCH_SORT_MAX to sort. */
size_t search_page(const struct search *s, uint64_t offset, size_t limit, struct target *out,
                   struct err *err);

/* One version in a history. `v` NULL: the base version of the target. */
struct past {
	struct target target;
	const struct overlay_version *v;
};

/* All versions of a type written since q->updated_from and until `seq`, newest first. */
uint64_t search_history_total(const struct search *s);
size_t search_history_page(const struct search *s, uint64_t offset, size_t limit, struct past *out);

/* True when this patient exists now and has an address in `zip` (see postal_codes_are_of). */
bool search_lives_in(const struct overlay *o, uint32_t patient, struct str zip);

#endif
