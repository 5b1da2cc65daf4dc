/* SPDX-License-Identifier: Apache-2.0
 *
 * json_row.h: rows of a binary PostgreSQL result, written as JSON.
 *
 * Nothing is checked that PostgreSQL guarantees (a UTF8 database sends valid UTF-8). What has no
 * JSON form (NaN, infinity, dates outside of the years 1–9999) becomes null. All append to `struct
 * buf` and set its `failed` at the limit.
 */
#ifndef FHIRLINE_PG_JSON_ROW_H
#define FHIRLINE_PG_JSON_ROW_H

#include <libpq-fe.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/str.h"
#include "pg/column.h"

/* An object of the first `table->count` columns of row `row`. */
void json_row(struct buf *out, const struct column_table *table, const PGresult *result, int row);

/* One value of a known type, NULL as null. */
void json_value(struct buf *out, enum column_type type, const PGresult *result, int row,
                int column);

/* The same, of its binary form; absent: NULL. */
void json_field(struct buf *out, enum column_type type, struct str v);

/* Whether the result's columns are those of the table, by number, name and type. */
bool json_row_fits(const struct column_table *table, const PGresult *result);

/* Pieces. */
void json_text(struct buf *out, const char *p, size_t n);
void json_int(struct buf *out, int64_t v);
void json_time(struct buf *out, int64_t us);                 /* since 1970; INT64_MIN: null */
void json_numeric(struct buf *out, const char *p, size_t n); /* PostgreSQL's binary form */

/* Binary values. 0 and INT64_MIN for NULL. */
int64_t json_get_int8(const PGresult *result, int row, int column);
int64_t json_get_time(const PGresult *result, int row,
                      int column); /* timestamptz: µs since 1970; NULL: INT64_MIN */
struct str json_get_text(const PGresult *result, int row, int column);

#endif
