/* SPDX-License-Identifier: Apache-2.0
 *
 * columns.h: what the API's JSON objects are made of, one table of columns each.
 *
 * A table gives three things, so that they cannot disagree: the list of columns of a SELECT
 * (columns_expand(), for "{patient}" in sql/api_*.sql), the JSON of a row of its binary result
 * (json_row.h) and the schema in /openapi.json. docs/MAPPING.md explains the columns themselves.
 */
#ifndef FHIRLINE_API_COLUMNS_H
#define FHIRLINE_API_COLUMNS_H

#include "base/buf.h"
#include "fhir/columns.h"

extern const struct column_table columns_zipcode;
extern const struct column_table columns_rejected;

/* The tables above, ends with NULL. */
extern const struct column_table *const columns_all[];

/* `sql` with each mark replaced by that table's list of columns. */
bool columns_expand(struct buf *out, const char *sql);

/* The JSON Schema of the table's object, or of one value. */
void columns_schema(struct buf *out, const struct column_table *table);
void columns_type_schema(struct buf *out, enum column_type type, bool nullable);

#endif
