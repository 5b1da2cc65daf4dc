/* SPDX-License-Identifier: Apache-2.0 */
#include "pg/stream.h"

#include "pg/conn_impl.h"

enum { BINARY = 1 };

bool pg_stream_open(struct pg_conn *c, const char *sql, int nparams, const char *const *params,
                    struct err *err)
{
	if (!pg_conn_begin_statement(c, err))
		return false;
	if (!PQsendQueryParams(c->pg, sql, nparams, NULL, params, NULL, NULL, BINARY) ||
	    !PQsetSingleRowMode(c->pg))
		return pg_conn_lost_error(c, err);
	return true;
}

enum pg_stream pg_stream_next(struct pg_conn *c, PGresult **row, struct err *err)
{
	PGresult *res;
	ExecStatusType status;

	if (!pg_conn_next_result(c, &res, err))
		return PG_STREAM_FAILED;
	if (!res) {
		pg_conn_lost_error(c, err);
		return PG_STREAM_FAILED;
	}
	status = PQresultStatus(res);
	if (status == PGRES_SINGLE_TUPLE) {
		*row = res;
		return PG_STREAM_ROW;
	}
	if (status != PGRES_TUPLES_OK)
		pg_conn_result_error(c, res, err);
	PQclear(res);
	pg_conn_drain(c);
	return status == PGRES_TUPLES_OK ? PG_STREAM_END : PG_STREAM_FAILED;
}

void pg_stream_abort(struct pg_conn *c)
{
	if (c->lost)
		return;
	pg_conn_cancel(c);
	pg_conn_drain(c);
}
