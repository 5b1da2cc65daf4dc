/* SPDX-License-Identifier: Apache-2.0
 *
 * csv_row.h: rows of a binary PostgreSQL result, written as CSV (RFC 4180).
 *
 * Fields are separated by commas and records end with CR LF, as the RFC has it. A field is put in
 * quotes when it holds a comma, a quote, CR or LF, and when it is empty, so that an empty text ("")
 * differs from NULL (nothing). Values look as they do in JSON (json_row.h) without the quotes
 * around dates and times; lists and components are JSON in one field. What no JSON form has is
 * NULL. All append to `struct buf` and set its `failed` at the limit.
 */
#ifndef FHIRLINE_PG_CSV_ROW_H
#define FHIRLINE_PG_CSV_ROW_H

#include <libpq-fe.h>

#include "base/buf.h"
#include "base/str.h"
#include "pg/column.h"

/* The names of the columns. */
void csv_header(struct buf *out, const struct column_table *table);

/* The first `table->count` columns of row `row`. */
void csv_row(struct buf *out, const struct column_table *table, const PGresult *result, int row);

/* The same of the binary values themselves, `table->count` of them; absent: NULL. */
void csv_fields(struct buf *out, const struct column_table *table, const struct str *fields);

/* One field, in quotes where it needs them. */
void csv_text(struct buf *out, struct str text);

#endif
