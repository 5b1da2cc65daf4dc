/* SPDX-License-Identifier: Apache-2.0
 *
 * copy.h: PostgreSQL's binary COPY format, written into memory, sent in one COPY.
 *
 * pg_copy_begin() appends the header, then for each row pg_copy_row(fields) and that many values in
 * column order, then pg_copy_end(). Rows can be taken back: pg_copy_mark() before a row,
 * pg_copy_rewind() to it. All writers append to `struct buf` and set its `failed` at the limit
 * (buf.h), so a row is checked once.
 *
 * Types: PostgreSQL's own binary ones ("COPY", section "Binary Format"; numeric as in
 * numeric_send()).
 */
#ifndef FHIRLINE_PG_COPY_H
#define FHIRLINE_PG_COPY_H

#include "base/buf.h"
#include "pg/conn.h"

void pg_copy_begin(struct buf *b);
void pg_copy_row(struct buf *b, int fields);
void pg_copy_end(struct buf *b);

/* Where a row begins. Rewinding takes everything behind the mark back, and a limit that was hit
 * behind it. */
struct pg_copy_mark {
	size_t n;
	bool failed;
};
struct pg_copy_mark pg_copy_mark(const struct buf *b);
void pg_copy_rewind(struct buf *b, struct pg_copy_mark mark);

void pg_copy_null(struct buf *b);
void pg_copy_text(struct buf *b,
                  struct str s); /* absent: NULL. The caller has checked: UTF-8, no NUL */
void pg_copy_bool(struct buf *b, int tristate); /* -1: NULL */
void pg_copy_int4(struct buf *b, int32_t v);
void pg_copy_int8(struct buf *b, int64_t v);
void pg_copy_time(struct buf *b, int64_t us);   /* timestamptz, µs since 1970; INT64_MIN: NULL */
void pg_copy_date(struct buf *b, int64_t days); /* days since 1970; INT64_MIN: NULL */
void pg_copy_bytea(struct buf *b, const void *p, size_t n); /* p NULL: NULL */
void pg_copy_text_array(struct buf *b, const struct str *items, size_t n,
                        bool null);                 /* one dimension; n 0: '{}' */
void pg_copy_jsonb(struct buf *b, struct str json); /* absent: NULL */

/* A JSON number's text, exactly: "1.50" keeps its scale, "1e3" is 1000. False, and nothing written,
 * when it is no number or outside of numeric (131,072 digits before, 16,383 after the point).
 * Absent: NULL. */
bool pg_copy_numeric(struct buf *b, struct str text);
bool pg_numeric_valid(struct str text); /* would pg_copy_numeric take it */

/* Sends `b` (begin … end) as `COPY … FROM STDIN (FORMAT binary)`; `sql` is that statement. *rows
 * gets the server's count. */
bool pg_copy_send(struct pg_conn *c, const char *sql, const struct buf *b, int64_t *rows,
                  struct err *err);

/* The same in pieces, for data that does not fit into memory: open, put any number of times, close
 * (or abort). The pieces may be cut anywhere. After a failed put or close the COPY is over: nothing
 * else needs to be called. */
bool pg_copy_open(struct pg_conn *c, const char *sql, struct err *err);
bool pg_copy_put(struct pg_conn *c, const void *p, size_t n, struct err *err);
bool pg_copy_close(struct pg_conn *c, int64_t *rows, struct err *err);
void pg_copy_abort(struct pg_conn *c);

#endif
