/* SPDX-License-Identifier: Apache-2.0
 *
 * conn_impl.h: what conn.c, conn_error.c and copy.c share. Not for others.
 *
 * The libpq connection is always in non-blocking mode: nothing here waits but pg_conn_wait(), which
 * knows the answer time-out. (PQexec on pg_conn_raw() still blocks, as libpq promises.)
 */
#ifndef FHIRLINE_PG_CONN_IMPL_H
#define FHIRLINE_PG_CONN_IMPL_H

#include <pthread.h>

#include "pg/conn.h"

struct pg_conn {
	PGconn *pg; /* NULL until the first open, and after a time-out on the wire */
	char *url;
	const struct pg_login *login;
	uint64_t login_version; /* that it was opened with */
	char *application_name;
	char *search_path;
	int64_t connect_timeout_ms;
	int64_t statement_timeout_ms;
	int64_t idle_transaction_ms;
	int64_t answer_timeout_ms;
	bool lost;
	bool in_copy;
	bool bulk;
	int backend_pid;

	pthread_mutex_t cancel_lock; /* for the two below, which other threads touch */
	PGcancel *cancel;
	bool cancel_asked; /* since the running statement was sent */
};

/* Gives the connection up: what it was doing is over for us. The next pg_conn_ready() opens it
 * anew. */
void pg_conn_lose(struct pg_conn *c);

/* Fails, with the reason, on a lost connection; to be called before anything is sent. */
bool pg_conn_begin_statement(struct pg_conn *c, struct err *err);

/* Sends what libpq holds back, reading meanwhile so that neither side waits for the other. */
bool pg_conn_flush(struct pg_conn *c, struct err *err);

/* Flushes, then waits for the next result. *res is NULL when the statement has no more. False: the
 * connection is lost. */
bool pg_conn_next_result(struct pg_conn *c, PGresult **res, struct err *err);

/* Reads to the end of the statement and drops what comes. */
void pg_conn_drain(struct pg_conn *c);

/* Fills *err from a failed result (conn_error.c); marks the connection lost when the server says
 * so. Returns false. */
bool pg_conn_result_error(struct pg_conn *c, const PGresult *res, struct err *err);

/* Sets "the connection was lost" (retryable) and loses it. Returns false. */
bool pg_conn_lost_error(struct pg_conn *c, struct err *err);

/* Fills *err from a failed attempt to connect (conn_error.c). Returns false. */
bool pg_connect_error(PGconn *pg, struct err *err);

/* A host and port of the attempt, fit for a message: "db.example:5432". Parts that do not look like
 * what they should be are left out, because a mistyped URL puts a piece of the password there. */
void pg_connect_where(PGconn *pg, char out[128]);

#endif
