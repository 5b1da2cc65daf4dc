/* SPDX-License-Identifier: Apache-2.0
 *
 * remap.h: some landed lines are mapped again and merged, within the caller's transaction. The rows
 * go through stage tables of their own, made and dropped in that transaction, and through the same
 * MERGE as those of a run. The source is not asked.
 */
#ifndef FHIRLINE_FLOW_REMAP_H
#define FHIRLINE_FLOW_REMAP_H

#include "base/clock.h"
#include "fhir/map.h"
#include "land/land.h"
#include "pg/conn.h"

enum remap_fate {
	REMAP_MAPPED,
	REMAP_REJECTED,   /* `why` says it */
	REMAP_UNREADABLE, /* its object is gone or damaged: `why.reason` says it */
};

struct remap_line {
	int64_t id; /* of rejected_resource */
	char object[160];
	int64_t line;
	/* out */
	enum remap_fate fate;
	struct fhir_reject why;
};

/* All lines of one run and one type. */
struct remap {
	struct pg_conn *conn; /* in a transaction */
	struct land *land;
	const struct clock *clock;
	const char *run_id, *zip;
	enum fhir_type type;
	struct remap_line *lines;
	size_t n;
	/* out */
	int64_t mapped;  /* lines */
	int64_t written; /* rows that the MERGE inserted or updated; the others were there already,
	                    or newer, or have been deleted or moved away since */
};

bool remap_lines(struct remap *r, struct err *err);

#endif
