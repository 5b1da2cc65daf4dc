/* SPDX-License-Identifier: Apache-2.0
 *
 * stream.h: the rows of a query one at a time, so that a result of any size needs the memory of a
 * row. (COPY … TO would do as well, but takes no parameters.)
 *
 * Values are binary. While a stream is open nothing else may be done with its connection. A reader
 * that is slow makes the server wait, so a stream's connection has no statement time-out.
 */
#ifndef FHIRLINE_PG_STREAM_H
#define FHIRLINE_PG_STREAM_H

#include "pg/conn.h"

bool pg_stream_open(struct pg_conn *c, const char *sql, int nparams, const char *const *params,
                    struct err *err);

/* PG_STREAM_ROW: *row has one row, and the caller PQclear()s it. The stream is over after the two
 * others. */
enum pg_stream { PG_STREAM_ROW, PG_STREAM_END, PG_STREAM_FAILED };
enum pg_stream pg_stream_next(struct pg_conn *c, PGresult **row, struct err *err);

/* Breaks an open stream off. The statement ends in the server; a transaction around it has failed.
 */
void pg_stream_abort(struct pg_conn *c);

#endif
