/* SPDX-License-Identifier: Apache-2.0
 *
 * bundle.h: a page as a Bundle, compact, in HAPI's order of members; faults that are made in the
 * Bundle included.
 */
#ifndef FHIRLINE_SANDBOX_BUNDLE_H
#define FHIRLINE_SANDBOX_BUNDLE_H

#include "sandbox/search.h"
#include "sandbox/service.h"

struct bundle {
	const struct overlay *o;
	const struct query *q;
	struct str base; /* http://HOST/fhir */
	struct str self; /* the whole URL that was asked for */
	const char *id;  /* the search's token or any UUID */
	bool paged;      /* `id` is a token */
	uint64_t offset;
	bool has_total;
	uint64_t total;
	bool more;                    /* there is a next page */
	const struct target *targets; /* searches */
	const struct past *pasts;     /* histories */
	size_t n;
	const struct target *again; /* duplicate: put in front; or behind, with an offset of 0 */
	const struct fault *fault;
	int64_t now_us;
};

/* Returns how many resources it wrote; out->failed tells when they did not fit. */
size_t bundle_write(const struct bundle *b, struct buf *out);

/* One resource as it is now (or, with `v`, as of a version). False: deleted, or out of room. */
bool bundle_resource(const struct overlay *o, enum resource_type type, const struct target *t,
                     const struct overlay_version *v, int64_t shift_us, struct str base,
                     struct buf *out);

/* {"resourceType":"Bundle",…,"total":N} for _summary=count. */
void bundle_count(const struct bundle *b, struct buf *out);

#endif
