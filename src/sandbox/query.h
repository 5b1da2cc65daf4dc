/* SPDX-License-Identifier: Apache-2.0
 *
 * query.h: FHIR search parameters, read once and kept with the search's paging token.
 */
#ifndef FHIRLINE_SANDBOX_QUERY_H
#define FHIRLINE_SANDBOX_QUERY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"
#include "sandbox/overlay.h"

#define QUERY_ZIP_MAX 32
#define QUERY_VALUES_MAX 100000 /* ids in one parameter */

enum query_sort {
	SORT_NONE,
	SORT_UPDATED,
	SORT_UPDATED_DOWN,
	SORT_ID,
	SORT_ID_DOWN,
};

struct query {
	enum resource_type type;
	bool history;      /* of the whole type; `updated_from` is its _since */
	bool count_only;   /* _summary=count, _count=0 */
	bool only_ids;     /* _elements=id */
	bool total;        /* _total=accurate */
	bool pretty;       /* true unless _pretty=false */
	bool pretty_asked; /* _pretty=true was given: links keep it */
	bool format_asked; /* _format=json was given: links keep it */
	uint32_t count;    /* of entries a page; already within the server's maximum */
	bool has_zip;
	bool zip_exact;
	char zip[QUERY_ZIP_MAX + 1];
	bool has_patients;
	uint32_t *patients; /* numbers, each once, in the order asked; unknown ids are left out */
	uint32_t npatients;
	char *ids;            /* _id as sent, or NULL */
	int64_t updated_from; /* lastUpdated within [from, to) */
	int64_t updated_to;
	enum query_sort sort[2];
};

struct query_limits {
	uint32_t default_page;
	uint32_t max_page;
};

/* An empty query of a type; free it with query_free(). */
struct query query_of(enum resource_type type, const struct query_limits *limits);
void query_free(struct query *q);

/* Takes in one decoded parameter. ERR_USAGE with HAPI's wording when it is unknown or malformed. */
bool query_add(struct query *q, const struct overlay *o, const struct query_limits *limits,
               struct str name, struct str value, struct err *err);

/* The parameters that a history takes: _since, _count, _format, _pretty. */
bool query_add_history(struct query *q, const struct query_limits *limits, struct str name,
                       struct str value, struct err *err);

/* A FHIR date, dateTime or instant as the interval [*from, *to) that it covers. */
bool query_parse_time(struct str text, int64_t *from, int64_t *to);

#endif
