/* SPDX-License-Identifier: Apache-2.0
 *
 * csv.h: the rows of a batch as a CSV file beside its landed object (--landing-format csv).
 *
 * It is made of the rows that are staged, and is in place before the batch's checkpoint is
 * committed; a batch that is staged again replaces it. Its columns: fhir/columns.h.
 */
#ifndef FHIRLINE_FLOW_CSV_H
#define FHIRLINE_FLOW_CSV_H

#include "fhir/columns.h"
#include "land/land.h"

struct flow_csv;

/* "…/patient-000001.csv" of "…/patient-000001.ndjson.zst". */
void flow_csv_name(char out[160], const char *object);

struct flow_csv *flow_csv_create(struct land *l, const char *object, enum fhir_type type,
                                 struct err *err);
/* `row` in COPY's binary form, as mapped. */
bool flow_csv_row(struct flow_csv *c, struct str row, struct err *err);
bool flow_csv_commit(struct flow_csv *c, struct land_object *out, struct err *err); /* frees it */
void flow_csv_abort(struct flow_csv *c); /* NULL is fine */

#endif
