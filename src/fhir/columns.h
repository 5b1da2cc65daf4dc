/* SPDX-License-Identifier: Apache-2.0
 *
 * columns.h (fhir): the columns of the two tables that mapping fills, as users see them: in the
 * API, in exports and in CSV of the landing zone. docs/MAPPING.md explains them. What is for the
 * program alone (content_hash, deleted_at, run_id) is left out.
 */
#ifndef FHIRLINE_FHIR_COLUMNS_H
#define FHIRLINE_FHIR_COLUMNS_H

#include "base/str.h"
#include "fhir/map.h"
#include "pg/column.h"

extern const struct column_table columns_patient;
extern const struct column_table columns_observation;

/* What a mapped row (map.h) has of them, which is all but moved_at. */
struct column_table columns_mapped(enum fhir_type type);

/* Points `fields` at the values of a mapped row: `row` is what fhir_map_patient() or
 * fhir_map_observation() has appended, `fields` has room for columns_mapped().count. NULL values
 * are absent. False when it is no such row. */
bool columns_mapped_fields(enum fhir_type type, struct str row, struct str *fields);

#endif
