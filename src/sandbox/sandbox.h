/* SPDX-License-Identifier: Apache-2.0
 *
 * sandbox.h: a FHIR R4 server with a generated population, for tests, benches and first steps.
 *
 * It answers as HAPI 8.8 does where a client can tell the difference: `next` links on the base URL
 * made from the Host header, `total` absent while there are more pages, no `entry` key in an empty
 * Bundle, a maximum page that silently shrinks `_count`, 410 with HAPI-0417 for an expired search,
 * pretty-printed unless `_pretty=false`, prefix matches for `address-postalcode`.
 *
 * Nothing of the population is stored: patient i and observation j of patient i are computed from
 * (seed, i, j) when they are asked for. What tests write is kept in memory, up to
 * `max_overlay_bytes`, and answered with 507 past that.
 *
 *   sandbox.h     this: start and stop          population.h  who and what there is
 *   generate.h    resources as JSON             overlay.h     what was written since the start
 *   query.h       search parameters             search.h      which resources match
 *   bundle.h      Bundles and outcomes          fault.h       the fault script (docs/FAULTS.md)
 *   service.h     what the request handlers share: state, paging tokens, request log
 */
#ifndef FHIRLINE_SANDBOX_SANDBOX_H
#define FHIRLINE_SANDBOX_SANDBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct sandbox;

struct sandbox_options {
	uint32_t patients; /* who live in `zip`, 0 … 1,000,000; some more live elsewhere */
	uint64_t seed;
	const char *zip; /* five digits */
	uint32_t
	    observations_scale; /* percent of the usual number; 100 gives about 470 a patient */
	const char *host;       /* address to listen on */
	uint16_t port;          /* 0: any free one, see sandbox_port() */
	uint32_t default_page;  /* when a search has no _count */
	uint32_t max_page;      /* larger _count shrink to it, silently; at most 10,000 */
	uint32_t retain_s;      /* a search's pages can be had for so long */
	uint32_t reuse_s;       /* a repeated search is answered from a result this old; 0: never */
	uint32_t max_connections;
	size_t max_overlay_bytes;
	bool no_history;            /* as a server that keeps none, or does not show it */
	const char *faults;         /* path of a fault script, or NULL */
	const char *request_log;    /* path of a file that gets a JSON line a request, or NULL */
	const char *require_bearer; /* token that every request but /metadata must carry, or NULL */
	const char *require_basic;  /* "user:password", likewise */
};

/* The defaults: 1,000 patients of 02139, seed 1, 127.0.0.1:8090, pages of 20 and at most 1,000. */
extern const struct sandbox_options sandbox_defaults;

/* Starts the server's threads; it answers when this returns. The strings of `o` are copied. NULL
 * with *err when an option is wrong, the script has a mistake (the text names its line), or the
 * address is taken. */
struct sandbox *sandbox_start(const struct sandbox_options *o, struct err *err);

uint16_t sandbox_port(const struct sandbox *s);

/* Ends running requests (delays are cut short), joins all threads, frees all. NULL is fine. */
void sandbox_stop(struct sandbox *s);

#endif
