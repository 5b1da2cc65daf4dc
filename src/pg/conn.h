/* SPDX-License-Identifier: Apache-2.0
 *
 * conn.h: one PostgreSQL connection, used by one thread at a time.
 *
 * Statements are named: `sql_get("merge_observation")` is the text of sql/merge_observation.sql,
 * embedded at build. Values are always parameters. Only identifiers of stage tables are put into
 * text (pg_sql_stage()).
 *
 * Errors: ERR_DB with the server's primary message and SQLSTATE (never its DETAIL, which quotes row
 * values; and for SQLSTATE class 22 without what the message quotes, which is the value that could
 * not be read). A unique violation (23505) is ERR_CONFLICT. A statement ended by pg_conn_cancel()
 * is ERR_CANCELLED, one ended by statement_timeout_ms, answer_timeout_ms or connect_timeout_ms is
 * ERR_TIMEOUT and retryable. Retryable are lost connections (class 08, 25P03, 57P01–57P03),
 * serialization failures and deadlocks (40001, 40P01), lock time-outs (55P03), too many connections
 * (53300); a full disk (53100) is retryable too. A connection that was lost is opened again by the
 * next pg_conn_ready(); until then every call on it fails (retryable). Connecting fails retryably
 * when the server may still come (refused, starting up, name not resolved for now), finally when
 * only a person can help (wrong password, no such database); the text says what to correct and
 * never has the password. With a pg_login a refusal is retryable, and is tried again at once when
 * there are new credentials within PG_LOGIN_WAIT_MS; a connection whose credentials were replaced
 * is opened anew by the next pg_conn_ready() outside of a transaction.
 */
#ifndef FHIRLINE_PG_CONN_H
#define FHIRLINE_PG_CONN_H

#include <libpq-fe.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"
#include "pg/login.h"

struct pg_conn;

struct pg_options {
	const char *url; /* libpq URI or keyword string; NULL: libpq's PG* variables. Copied */
	const struct pg_login *login; /* who may log in changes; NULL: the URL says it. Borrowed */
	const char *application_name; /* seen in pg_stat_activity. Copied */
	int64_t connect_timeout_ms;   /* 0: 10 s */
	int64_t statement_timeout_ms; /* 0: none; set in the session */
	int64_t idle_transaction_ms;  /* the server ends a session that leaves a transaction open
	                                 and says nothing for so long; 0: never */
	int64_t answer_timeout_ms;    /* how long to wait for an answer on the wire before the
	                                 connection is given up; 0: for ever */
	const char *search_path;      /* a schema that is looked into before the others; NULL: none.
	                                 Copied */
	bool bulk;                    /* for loading: 64 MB to sort in, and no JIT */
};

/* Opens and checks: server version 15 or newer, UTF8 database. Sets TimeZone=UTC, and
 * client_min_messages=warning. */
struct pg_conn *pg_conn_open(const struct pg_options *options, struct err *err);
void pg_conn_close(struct pg_conn *c); /* NULL is fine */

/* Opens it again when it was lost. Cheap when it is fine. An open transaction is lost with the
 * connection. */
bool pg_conn_ready(struct pg_conn *c, struct err *err);
bool pg_conn_is_lost(const struct pg_conn *c);
PGconn *pg_conn_raw(struct pg_conn *c); /* for COPY and LISTEN */
int pg_conn_backend_pid(const struct pg_conn *c);

/* Ends what the connection is doing now, from any thread (PQcancel). */
void pg_conn_cancel(struct pg_conn *c);

/* Text parameters; a NULL pointer is SQL NULL. The result is text format and the caller PQclear()s
 * it. NULL on error. */
PGresult *pg_query(struct pg_conn *c, const char *sql, int nparams, const char *const *params,
                   struct err *err);

/* The same for a statement that returns no rows; *affected (may be NULL) gets the count of rows. */
bool pg_exec(struct pg_conn *c, const char *sql, int nparams, const char *const *params,
             int64_t *affected, struct err *err);

/* Several statements in one simple query, no parameters: for migrations. */
bool pg_exec_script(struct pg_conn *c, const char *sql, struct err *err);

bool pg_begin(struct pg_conn *c, struct err *err);
bool pg_commit(struct pg_conn *c, struct err *err); /* lost while committing: ERR_DB retryable; the
                                                       caller must look whether it happened */
void pg_rollback(struct pg_conn *c); /* never fails: a broken connection has nothing open */

/* Result readers: row `r`, column `f`. */
struct str pg_str(const PGresult *res, int r, int f); /* STR_NONE for NULL; valid until PQclear */
int64_t pg_int(const PGresult *res, int r, int f);    /* 0 for NULL */
bool pg_bool(const PGresult *res, int r, int f);
int64_t pg_time_us(const PGresult *res, int r,
                   int f); /* of `extract(epoch …)*1e6` as bigint text; INT64_MIN for NULL */

/* The embedded statement sql/<name>.sql (without directory and suffix). Never NULL: a wrong name is
 * a bug and aborts at the first test that runs it. */
const char *sql_get(const char *name);

/* `text` with every "{stage}" replaced by the run's stage suffix (its UUID without dashes; checked
 * to be hex). Caller frees. */
char *pg_sql_stage(const char *text, const char *run_id, struct err *err);

#endif
