/* SPDX-License-Identifier: Apache-2.0
 *
 * column.h: the columns of a result whose rows are written as JSON (json_row.h) or CSV (csv_row.h).
 */
#ifndef FHIRLINE_PG_COLUMN_H
#define FHIRLINE_PG_COLUMN_H

#include <stdbool.h>
#include <stddef.h>

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

#endif
