/* SPDX-License-Identifier: Apache-2.0
 *
 * idset.h: a set of ids by their 64-bit hash: 8–16 bytes each, whatever their length. Two ids share
 * a hash with a probability of about n²/2^65: one in 10^9 for 200,000 ids. Used to tell new from
 * known, never as the only proof that something was loaded.
 */
#ifndef FHIRLINE_FLOW_IDSET_H
#define FHIRLINE_FLOW_IDSET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

struct idset {
	uint64_t *slots; /* 0: free */
	size_t cap, n;
};

/* Adds; *added tells whether it was new. False: out of memory. */
bool idset_add(struct idset *s, struct str id, bool *added);
bool idset_has(const struct idset *s, struct str id);
void idset_free(struct idset *s);

#endif
