/* SPDX-License-Identifier: Apache-2.0 */
#include "pg/conn_impl.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "pg/copy.h"

enum { DEFAULT_CONNECT_MS = 10000, OLDEST_SERVER = 150000, LOGIN_LOOK_MS = 50 };

static int64_t deadline_after(int64_t ms)
{
	return ms > 0 ? clock_mono_ms(&clock_system) + ms : INT64_MAX;
}

enum waited { WAITED, WAITED_TIMEOUT, WAITED_FAILED };

static enum waited wait_socket(PGconn *pg, short events, int64_t deadline)
{
	struct pollfd p = {.fd = PQsocket(pg), .events = events};

	for (;;) {
		int64_t left = 60000;
		int n;

		if (deadline != INT64_MAX) {
			left = deadline - clock_mono_ms(&clock_system);
			if (left < 0)
				return WAITED_TIMEOUT;
		}
		n = poll(&p, 1, left > 60000 ? 60000 : (int)left);
		if (n > 0)
			return WAITED;
		if (n < 0 && errno != EINTR)
			return WAITED_FAILED;
	}
}

/* ---- opening ---- */

static void set_cancel(struct pg_conn *c, PGcancel *cancel)
{
	pthread_mutex_lock(&c->cancel_lock);
	PQfreeCancel(c->cancel);
	c->cancel = cancel;
	pthread_mutex_unlock(&c->cancel_lock);
}

void pg_conn_lose(struct pg_conn *c)
{
	c->lost = true;
	c->in_copy = false;
}

static void drop(struct pg_conn *c)
{
	set_cancel(c, NULL);
	PQfinish(c->pg);
	c->pg = NULL;
	pg_conn_lose(c);
}

/* Libpq's words about a URL that it cannot read quote the URL: they are not passed on. */
static bool check_url(const char *url, struct err *err)
{
	PQconninfoOption *options;

	if (!url)
		return true;
	options = PQconninfoParse(url, NULL);
	if (!options)
		return err_set(err, ERR_CONFIG, "pg.connect",
		               "FHIRLINE_DATABASE_URL is not a libpq connection string "
		               "(postgresql://user:password@host:port/database); "
		               "special characters in a password must be percent-encoded");
	PQconninfoFree(options);
	return true;
}

static bool finish_connect(struct pg_conn *c, struct err *err)
{
	int64_t ms = c->connect_timeout_ms > 0 ? c->connect_timeout_ms : DEFAULT_CONNECT_MS;
	int64_t deadline = deadline_after(ms);
	PostgresPollingStatusType state = PGRES_POLLING_WRITING;
	char where[128];

	while (state != PGRES_POLLING_OK) {
		enum waited w;

		if (state == PGRES_POLLING_FAILED || PQstatus(c->pg) == CONNECTION_BAD)
			return pg_connect_error(c->pg, err);
		w = wait_socket(c->pg, state == PGRES_POLLING_READING ? POLLIN : POLLOUT, deadline);
		if (w == WAITED_TIMEOUT) {
			pg_connect_where(c->pg, where);
			return err_set_retry(err, ERR_TIMEOUT, "pg.connect",
			                     "%s did not answer within %lld ms; check "
			                     "FHIRLINE_DATABASE_URL and the network",
			                     where, (long long)ms);
		}
		if (w == WAITED_FAILED)
			return err_set_errno(err, ERR_IO, "pg.connect", errno, "poll");
		state = PQconnectPoll(c->pg);
	}
	return true;
}

static bool check_server(struct pg_conn *c, struct err *err)
{
	int version = PQserverVersion(c->pg);
	const char *encoding = PQparameterStatus(c->pg, "server_encoding");

	if (version < OLDEST_SERVER)
		return err_set(err, ERR_CONFIG, "pg.connect",
		               "the server is PostgreSQL %d.%d; fhirline needs 15 or newer",
		               version / 10000, version % 10000);
	if (!encoding || strcmp(encoding, "UTF8") != 0)
		return err_set(err, ERR_CONFIG, "pg.connect",
		               "the database's encoding is %.20s; fhirline needs UTF8 (createdb -E "
		               "UTF8 -T template0 …)",
		               encoding ? encoding : "unknown");
	return true;
}

static bool set_session(struct pg_conn *c, struct err *err)
{
	char sql[400];

	snprintf(
	    sql, sizeof sql,
	    "SET TimeZone = 'UTC'; SET DateStyle = 'ISO, YMD'; SET client_min_messages = warning; "
	    "SET statement_timeout = %lld; SET idle_in_transaction_session_timeout = %lld%s",
	    (long long)c->statement_timeout_ms, (long long)c->idle_transaction_ms,
	    c->bulk ? "; SET work_mem = '64MB'; SET jit = off" : "");
	return pg_exec_script(c, sql, err);
}

static bool set_path(struct pg_conn *c, struct err *err)
{
	const char *params[] = {c->search_path};
	PGresult *res;

	if (!c->search_path)
		return true;
	res = pg_query(c, sql_get("session_path"), 1, params, err);
	PQclear(res);
	return res != NULL;
}

static void ignore_notice(void *ctx, const char *message)
{
	(void)ctx;
	(void)message; /* libpq's default prints it to stderr */
}

/* The session that was lost may live on in the server, in a transaction, when the network between
 * us went without a word. */
static bool end_former(struct pg_conn *c, int pid, struct err *err)
{
	char text[16];
	const char *params[] = {text, c->application_name};
	PGresult *res;

	if (pid == 0)
		return true;
	snprintf(text, sizeof text, "%d", pid);
	res = pg_query(c, sql_get("session_end"), 2, params, err);
	PQclear(res);
	return res != NULL;
}

static bool connect_once(struct pg_conn *c, struct err *err)
{
	drop(c);
	c->pg = pg_login_start(c->login, c->url, c->application_name, &c->login_version, err);
	c->lost = !c->pg;
	return c->pg && finish_connect(c, err);
}

/* True when there are new credentials by now. */
static bool await_login(const struct pg_conn *c)
{
	int64_t deadline = deadline_after(PG_LOGIN_WAIT_MS);

	c->login->refused(c->login->ctx, c->login_version);
	while (!pg_login_is_old(c->login, c->login_version)) {
		if (clock_mono_ms(&clock_system) >= deadline)
			return false;
		clock_sleep_ms(LOGIN_LOOK_MS);
	}
	return true;
}

static bool was_refused(const struct pg_conn *c)
{
	return c->pg && pg_login_was_refused(PQerrorMessage(c->pg));
}

/* A server may know that credentials have ended before we do. */
static bool connect_as_login(struct pg_conn *c, struct err *err)
{
	if (connect_once(c, err))
		return true;
	if (!c->login || err->retryable || !was_refused(c))
		return false;
	if (await_login(c) && connect_once(c, err))
		return true;
	/* a lease that ended too early is made up for later; another trouble is what it is */
	err->retryable = err->retryable || was_refused(c);
	return false;
}

static bool open_now(struct pg_conn *c, struct err *err)
{
	int former = c->backend_pid;

	if (!connect_as_login(c, err))
		goto failed;
	PQsetNoticeProcessor(c->pg, ignore_notice, NULL);
	PQsetnonblocking(c->pg, 1);
	set_cancel(c, PQgetCancel(c->pg));
	c->backend_pid = PQbackendPID(c->pg);
	if (!check_server(c, err) || !set_session(c, err) || !set_path(c, err) ||
	    !end_former(c, former, err)) {
		c->backend_pid = former;
		goto failed;
	}
	return true;
failed:
	drop(c);
	return false;
}

static bool copy_options(struct pg_conn *c, const struct pg_options *o)
{
	c->url = o->url ? strdup(o->url) : NULL;
	c->login = o->login;
	c->application_name = strdup(o->application_name ? o->application_name : "fhirline");
	c->search_path = o->search_path ? strdup(o->search_path) : NULL;
	c->connect_timeout_ms = o->connect_timeout_ms;
	c->statement_timeout_ms = o->statement_timeout_ms;
	c->idle_transaction_ms = o->idle_transaction_ms;
	c->answer_timeout_ms = o->answer_timeout_ms;
	c->bulk = o->bulk;
	return c->application_name && (c->url || !o->url) && (c->search_path || !o->search_path);
}

struct pg_conn *pg_conn_open(const struct pg_options *options, struct err *err)
{
	struct pg_conn *c;

	if (!check_url(options->url, err))
		return NULL;
	c = calloc(1, sizeof *c);
	if (!c) {
		err_set(err, ERR_NOMEM, "pg.connect", "out of memory");
		return NULL;
	}
	pthread_mutex_init(&c->cancel_lock, NULL);
	c->lost = true;
	if (!copy_options(c, options)) {
		err_set(err, ERR_NOMEM, "pg.connect", "out of memory");
		goto failed;
	}
	if (!open_now(c, err))
		goto failed;
	return c;
failed:
	pg_conn_close(c);
	return NULL;
}

void pg_conn_close(struct pg_conn *c)
{
	if (!c)
		return;
	drop(c);
	pthread_mutex_destroy(&c->cancel_lock);
	free(c->url);
	free(c->application_name);
	free(c->search_path);
	free(c);
}

/* A server that ended an idle connection has said so: its words wait to be read. */
static void notice_hangup(struct pg_conn *c)
{
	struct pollfd p = {.fd = PQsocket(c->pg), .events = POLLIN};

	/* its words first, the end of the stream after them; a bound, because a peer could talk for
	 * ever */
	for (int i = 0; i < 1000 && !c->lost && poll(&p, 1, 0) > 0; i++) {
		if (!PQconsumeInput(c->pg) || PQstatus(c->pg) == CONNECTION_BAD)
			pg_conn_lose(c);
		else
			PQisBusy(
			    c->pg); /* parses: notices go, notifications wait for PQnotifies() */
	}
}

/* To new credentials, before the old ones end. */
static void move_on(struct pg_conn *c)
{
	if (!pg_login_is_old(c->login, c->login_version) ||
	    PQtransactionStatus(c->pg) != PQTRANS_IDLE)
		return;
	drop(c);
	c->backend_pid = 0; /* its end has been told: nothing is left of it */
}

bool pg_conn_ready(struct pg_conn *c, struct err *err)
{
	if (!c->lost)
		notice_hangup(c);
	if (!c->lost)
		move_on(c);
	return c->lost ? open_now(c, err) : true;
}

bool pg_conn_is_lost(const struct pg_conn *c)
{
	return c->lost;
}

PGconn *pg_conn_raw(struct pg_conn *c)
{
	return c->pg;
}

int pg_conn_backend_pid(const struct pg_conn *c)
{
	return c->backend_pid;
}

void pg_conn_cancel(struct pg_conn *c)
{
	char ignored[256];

	/* held while the request is on its way, so that the connection cannot go meanwhile */
	pthread_mutex_lock(&c->cancel_lock);
	c->cancel_asked = true;
	if (c->cancel)
		PQcancel(c->cancel, ignored, sizeof ignored);
	pthread_mutex_unlock(&c->cancel_lock);
}

/* ---- waiting ---- */

static bool wait_answer(struct pg_conn *c, short events, int64_t deadline, struct err *err)
{
	switch (wait_socket(c->pg, events, deadline)) {
	case WAITED:
		return true;
	case WAITED_TIMEOUT:
		/* what comes later would answer the wrong question */
		drop(c);
		return err_set_retry(
		    err, ERR_TIMEOUT, "pg",
		    "the database did not answer within %lld ms; the connection was given up",
		    (long long)c->answer_timeout_ms);
	case WAITED_FAILED:
	default:
		return pg_conn_lost_error(c, err);
	}
}

bool pg_conn_flush(struct pg_conn *c, struct err *err)
{
	int64_t deadline = deadline_after(c->answer_timeout_ms);

	for (;;) {
		int left = PQflush(c->pg);

		if (left == 0)
			return true;
		/* after a failed write libpq wants to be read: the server's last words may be there
		 */
		if (left < 0 && !PQconsumeInput(c->pg))
			return pg_conn_lost_error(c, err);
		if (left < 0)
			return true;
		if (!wait_answer(c, POLLIN | POLLOUT, deadline, err))
			return false;
		if (!PQconsumeInput(c->pg))
			return true; /* the result, or its absence, tells why */
	}
}

bool pg_conn_next_result(struct pg_conn *c, PGresult **res, struct err *err)
{
	int64_t deadline = deadline_after(c->answer_timeout_ms);

	if (!pg_conn_flush(c, err))
		return false;
	while (PQisBusy(c->pg)) {
		if (!wait_answer(c, POLLIN, deadline, err))
			return false;
		if (!PQconsumeInput(c->pg))
			break; /* PQgetResult has the reason, and does not wait on a dead connection
			        */
	}
	*res = PQgetResult(c->pg);
	return true;
}

void pg_conn_drain(struct pg_conn *c)
{
	PGresult *res;
	struct err ignored;

	while (!c->lost && pg_conn_next_result(c, &res, &ignored) && res) {
		ExecStatusType status = PQresultStatus(res);

		PQclear(res);
		/* a COPY that nobody expected cannot be read to its end */
		if (status == PGRES_COPY_IN || status == PGRES_COPY_OUT ||
		    status == PGRES_COPY_BOTH)
			drop(c);
	}
}

bool pg_conn_begin_statement(struct pg_conn *c, struct err *err)
{
	if (c->lost)
		return pg_conn_lost_error(c, err);
	if (c->in_copy)
		return err_set(err, ERR_INTERNAL, "pg", "a COPY is open on this connection");
	pthread_mutex_lock(&c->cancel_lock);
	c->cancel_asked = false;
	pthread_mutex_unlock(&c->cancel_lock);
	return true;
}

/* ---- statements ---- */

static bool result_is_good(const PGresult *res)
{
	ExecStatusType status = PQresultStatus(res);

	return status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK ||
	       status == PGRES_EMPTY_QUERY;
}

PGresult *pg_query(struct pg_conn *c, const char *sql, int nparams, const char *const *params,
                   struct err *err)
{
	PGresult *res = NULL;

	if (!pg_conn_begin_statement(c, err))
		return NULL;
	if (!PQsendQueryParams(c->pg, sql, nparams, NULL, params, NULL, NULL, 0)) {
		pg_conn_lost_error(c, err);
		return NULL;
	}
	if (!pg_conn_next_result(c, &res, err))
		return NULL;
	if (!res) {
		pg_conn_lost_error(c, err);
		return NULL;
	}
	if (!result_is_good(res)) {
		pg_conn_result_error(c, res, err);
		PQclear(res);
		pg_conn_drain(c);
		return NULL;
	}
	pg_conn_drain(c);
	return res;
}

bool pg_exec(struct pg_conn *c, const char *sql, int nparams, const char *const *params,
             int64_t *affected, struct err *err)
{
	PGresult *res = pg_query(c, sql, nparams, params, err);

	if (!res)
		return false;
	if (affected) {
		*affected = 0;
		str_int(str_of(PQcmdTuples(res)), 0, INT64_MAX, affected);
	}
	PQclear(res);
	return true;
}

bool pg_exec_script(struct pg_conn *c, const char *sql, struct err *err)
{
	PGresult *res;
	bool ok = true;

	if (!pg_conn_begin_statement(c, err))
		return false;
	if (!PQsendQuery(c->pg, sql))
		return pg_conn_lost_error(c, err);
	while (ok) {
		if (!pg_conn_next_result(c, &res, err))
			return false;
		if (!res)
			break;
		if (!result_is_good(res))
			ok = pg_conn_result_error(c, res, err);
		PQclear(res);
	}
	pg_conn_drain(c);
	return ok;
}

bool pg_begin(struct pg_conn *c, struct err *err)
{
	return pg_exec(c, "BEGIN", 0, NULL, NULL, err);
}

bool pg_commit(struct pg_conn *c, struct err *err)
{
	PGresult *res = pg_query(c, "COMMIT", 0, NULL, err);
	bool committed;

	if (!res)
		return false;
	/* COMMIT of a failed transaction succeeds, and rolls back */
	committed = strcmp(PQcmdStatus(res), "COMMIT") == 0;
	PQclear(res);
	if (!committed)
		return err_set(err, ERR_DB, "pg.commit",
		               "the transaction had failed and was rolled back");
	return true;
}

void pg_rollback(struct pg_conn *c)
{
	struct err ignored;

	if (c->lost)
		return;
	pg_copy_abort(c);
	if (c->lost || PQtransactionStatus(c->pg) == PQTRANS_IDLE)
		return;
	if (!pg_exec(c, "ROLLBACK", 0, NULL, NULL, &ignored))
		drop(c); /* what is not rolled back ends with the connection */
}

/* ---- results ---- */

struct str pg_str(const PGresult *res, int r, int f)
{
	if (PQgetisnull(res, r, f))
		return STR_NONE;
	return (struct str){PQgetvalue(res, r, f), (size_t)PQgetlength(res, r, f)};
}

int64_t pg_int(const PGresult *res, int r, int f)
{
	int64_t v = 0;

	str_int(pg_str(res, r, f), INT64_MIN, INT64_MAX, &v);
	return v;
}

bool pg_bool(const PGresult *res, int r, int f)
{
	return str_is(pg_str(res, r, f), "t");
}

int64_t pg_time_us(const PGresult *res, int r, int f)
{
	return PQgetisnull(res, r, f) ? INT64_MIN : pg_int(res, r, f);
}
