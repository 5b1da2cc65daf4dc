/* SPDX-License-Identifier: Apache-2.0
 *
 * line.h: one landed line becomes one row. What stages a batch and what maps rejected lines again
 * do it here, so both have the same answer for the same bytes.
 */
#ifndef FHIRLINE_FLOW_LINE_H
#define FHIRLINE_FLOW_LINE_H

#include "base/arena.h"
#include "base/buf.h"
#include "fhir/map.h"

struct flow_line {
	/* in */
	enum fhir_type type;
	int64_t now_us;        /* decides which names and addresses are current */
	int32_t batch_seq;     /* columns of the stage */
	int64_t number;        /* likewise: the stage's `line` */
	struct arena *scratch; /* reset here after each line */
	/* out, when rejected */
	struct fhir_reject why;
	char id[65];      /* the resource's, when it follows FHIR's rule; else "" */
	char patient[65]; /* whose it is, as far as can be told; else "" */
};

/* Appends a row to `rows`, or nothing when the line is rejected or does not fit. */
enum fhir_mapped flow_line_map(struct flow_line *l, struct str line, struct buf *rows);

#endif
