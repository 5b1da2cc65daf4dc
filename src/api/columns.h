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

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

enum column_type {
	COLUMN_TEXT,
	COLUMN_TEXT_ARRAY,
	COLUMN_BOOL,
	COLUMN_INT4,
	COLUMN_INT8,
	COLUMN_NUMERIC, /* a JSON number with its exact digits */
	COLUMN_DATE,
	COLUMN_TIME,    /* timestamptz; in JSON RFC 3339, UTC, microseconds when there are any */
	COLUMN_JSON,    /* jsonb, as it is */
	COLUMN_TIME_US, /* bigint, microseconds since 1970: of the statements of flow.h; JSON as
	                   COLUMN_TIME */
};

struct column {
	const char *name; /* the key in JSON */
	enum column_type type;
	bool nullable;
	const char *sql;     /* the expression selected; NULL: {alias}.name */
	const char *words;   /* what it is, for the schema */
	const char *example; /* as JSON; NULL: none */
};

struct column_table {
	const char *schema; /* its name among the schemas: "Patient" */
	const char *words;
	const char *mark;  /* what stands for it in SQL: "{patient}" */
	const char *alias; /* of the table in that SQL */
	const struct column *columns;
	size_t count;
};

extern const struct column_table columns_patient;
extern const struct column_table columns_observation;
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
