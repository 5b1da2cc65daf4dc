/* SPDX-License-Identifier: Apache-2.0
 *
 * pool.h: a few PostgreSQL connections in pipeline mode, driven by an epoll loop. Never blocks (but
 * for the resolver of host names in PQconnectStart()); one thread.
 *
 * A query is a `struct pool_op` that the caller owns and keeps until its `done` has been called,
 * which happens exactly once, and never from inside of pool_submit(). Queries of one turn of the
 * loop share a pipeline and one sync (pool_flush()).
 *
 * What pipelines demand, and what is done about it:
 *   - A statement that fails aborts all behind it up to the next sync. These are innocent: they are
 * sent again.
 *   - What stands between two syncs is one transaction. So a write stands alone between two, and is
 * reported only when its sync has come back: then it is committed.
 *   - A slow query holds up what is behind it. So statements marked `slow` have the last
 * connection, when there are several.
 *
 * When a connection is lost its reads are sent again on another one (once); writes get POOL_LOST:
 * they may or may not have happened. Lost connections are opened again after 0.1 s, 0.2 s … 5 s.
 * While none is there, queries are refused at once. The same when `queue` queries wait already. A
 * connection that has not answered for statement_timeout + 5 s is given up.
 */
#ifndef FHIRLINE_API_POOL_H
#define FHIRLINE_API_POOL_H

#include <libpq-fe.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/err.h"
#include "pg/login.h"

enum { POOL_PARAMS = 10 };

struct pool;

struct pool_statement {
	const char *name; /* of the prepared statement */
	const char *sql;  /* borrowed for the life of the pool */
	bool write;
	bool slow;
};

struct pool_options {
	const char *url;              /* libpq URI; copied */
	const struct pg_login *login; /* NULL: the URL says who logs in. Borrowed */
	const char *application_name;
	int connections;              /* 1–16 */
	int depth;                    /* queries under way on one connection; 1–1,024 */
	int queue;                    /* queries that may wait beyond those */
	int64_t statement_timeout_ms; /* above 0 */
	const struct clock *clock;
	const char
	    *session_sql; /* run once on a new connection; $1 is the statement time-out in ms */
	const struct pool_statement *statements;
	int statement_count;
};

enum pool_outcome {
	POOL_OK,
	POOL_ERROR,   /* the server said no: pool_op.sqlstate */
	POOL_TIMEOUT, /* the statement took longer than statement_timeout_ms */
	POOL_AWAY,    /* no connection */
	POOL_FULL,    /* too many wait */
	POOL_LOST,    /* a write, and the connection went away before its answer */
};

struct pool_op {
	int statement; /* index into the statements */
	int nparams;
	const char *values[POOL_PARAMS]; /* text; NULL: SQL NULL. Valid until `done` */
	/* `result` has binary columns, is NULL unless POOL_OK, and is cleared after the call. */
	void (*done)(struct pool_op *op, enum pool_outcome outcome, const PGresult *result);
	char sqlstate[6]; /* after POOL_ERROR */
	/* the pool's own */
	struct pool_op *next;
	int attempts;
};

struct pool *pool_start(const struct pool_options *options, int epoll_fd, struct err *err);

/* POOL_OK: `done` will be called. POOL_AWAY, POOL_FULL: it will not. */
enum pool_outcome pool_submit(struct pool *p, struct pool_op *op);

void pool_flush(struct pool *p);            /* at the end of each turn of the loop */
void pool_tick(struct pool *p);             /* reconnects and time-outs that are due */
int64_t pool_next_ms(const struct pool *p); /* until pool_tick() has something to do; -1: nothing */

/* Ends all connections; what is under way is answered with POOL_AWAY or POOL_LOST. NULL is fine. */
void pool_stop(struct pool *p);

struct pool_stats {
	int connections, ready;
	int busy;    /* queries under way */
	int waiting; /* beyond those */
	int64_t queries_total, errors_total, resent_total, reconnects_total, refused_total;
	char error[256]; /* why the last connection attempt failed; "" when none has since one was
	                    ready */
};
void pool_stats(const struct pool *p, struct pool_stats *out);

#endif
