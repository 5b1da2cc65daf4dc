/* SPDX-License-Identifier: Apache-2.0
 *
 * rng.h: a small deterministic generator (splitmix64) for populations, jitter and tests. Not for
 * secrets.
 */
#ifndef FHIRLINE_BASE_RNG_H
#define FHIRLINE_BASE_RNG_H

#include <stdint.h>

struct rng {
	uint64_t state;
};

static inline uint64_t rng_next(struct rng *r)
{
	uint64_t z = (r->state += 0x9e3779b97f4a7c15u);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

/* 0 … n-1; 0 when n is 0. The bias is below 2^-32 for n under 2^32. */
static inline uint64_t rng_below(struct rng *r, uint64_t n)
{
	return n ? rng_next(r) % n : 0;
}

/* A generator of its own for item `index` of stream `seed`: the same pair gives the same numbers.
 */
static inline struct rng rng_for(uint64_t seed, uint64_t index)
{
	struct rng r = {seed ^ (index * 0xd1342543de82ef95u)};

	rng_next(&r);
	r.state ^= index;
	return r;
}

#endif
