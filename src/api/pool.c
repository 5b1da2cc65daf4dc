/* SPDX-License-Identifier: Apache-2.0
 *
 * A connection goes IDLE -> CONNECTING -> SETUP -> READY, and from anywhere back to IDLE by
 * conn_lost() alone.
 */
#include "api/pool.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "api/loop.h"

enum {
	CONNECT_TIMEOUT_MS = 5000,
	ANSWER_GRACE_MS = 5000,
	BACKOFF_MIN_MS = 100,
	BACKOFF_MAX_MS = 5000,
	LOGIN_LOOK_MS = 500
};
enum { READ_ATTEMPTS = 3, MINIMUM_VERSION = 150000 };

enum conn_state { CONN_IDLE, CONN_CONNECTING, CONN_SETUP, CONN_READY };

/* What an answer in the pipeline belongs to. */
enum slot_kind { SLOT_QUERY, SLOT_SYNC, SLOT_SETUP };

struct slot {
	enum slot_kind kind;
	struct pool_op *op; /* SLOT_QUERY */
};

struct conn {
	struct loop_source source; /* first: an epoll event points here */
	struct pool *pool;
	PGconn *pg;
	enum conn_state state;
	int fd; /* as registered; -1: not */
	uint32_t events;
	struct slot *slots; /* a ring */
	unsigned head, tail;
	int busy;   /* queries in the ring */
	bool dirty; /* queries without a sync behind them */
	bool setup_failed;
	bool restart; /* its prepared statements are stale: open it again when it is empty of
	                 answers */
	struct pool_op *held; /* a write that waits for its sync */
	PGresult *held_result;
	uint64_t login_version; /* it was opened with */
	int failures;           /* attempts in a row that came to nothing */
	int64_t due_ms;         /* IDLE: when to connect; CONNECTING, SETUP: when to give up */
	int64_t heard_ms;       /* last answer, or when the ring stopped being empty */
};

struct queue {
	struct pool_op *head, *tail;
};

struct pool {
	struct pool_options options;
	char *url;
	int epoll_fd;
	struct conn *conns;
	unsigned ring;
	unsigned turn;
	struct queue waiting[2]; /* fast, slow */
	int waiting_count;
	struct pool_stats stats;
	int64_t renewing_ms; /* until then new credentials may come: queries wait for them */
	bool stopping;
};

static int64_t now_ms(const struct pool *p)
{
	return clock_mono_ms(p->options.clock);
}

static bool op_is_slow(const struct pool *p, const struct pool_op *op)
{
	return p->options.statements[op->statement].slow;
}

static bool op_is_write(const struct pool *p, const struct pool_op *op)
{
	return p->options.statements[op->statement].write;
}

/* ---- the waiting line ---- */

static void wait_back(struct pool *p, struct pool_op *op)
{
	struct queue *q = &p->waiting[op_is_slow(p, op)];

	op->next = NULL;
	if (q->tail)
		q->tail->next = op;
	else
		q->head = op;
	q->tail = op;
	p->waiting_count++;
}

static struct pool_op *wait_take(struct pool *p, int lane)
{
	struct queue *q = &p->waiting[lane];
	struct pool_op *op = q->head;

	if (!op)
		return NULL;
	q->head = op->next;
	if (!q->head)
		q->tail = NULL;
	op->next = NULL;
	p->waiting_count--;
	return op;
}

static void finish(struct pool *p, struct pool_op *op, enum pool_outcome outcome,
                   const PGresult *result)
{
	if (outcome != POOL_OK)
		p->stats.errors_total++;
	op->done(op, outcome, result);
}

static void fail_waiting(struct pool *p, enum pool_outcome outcome)
{
	/* `done` may submit again: only what waits now is taken. */
	for (int lane = 0; lane < 2; lane++) {
		struct queue q = p->waiting[lane];

		p->waiting[lane] = (struct queue){0};
		for (struct pool_op *op = q.head, *next; op; op = next) {
			next = op->next;
			p->waiting_count--;
			finish(p, op, outcome, NULL);
		}
	}
}

/* Sends it again when that is safe and may help; false when not. */
static bool try_again(struct pool *p, struct pool_op *op)
{
	/* users who are taken away take all their connections with them, one after the other */
	int most = READ_ATTEMPTS + (p->options.login ? p->options.connections : 0);

	if (p->stopping || op->attempts >= most)
		return false;
	p->stats.resent_total++;
	wait_back(p, op);
	return true;
}

/* ---- the ring of answers to come ---- */

static void slot_push(struct conn *c, enum slot_kind kind, struct pool_op *op)
{
	if (c->head == c->tail)
		c->heard_ms = now_ms(c->pool);
	c->slots[c->tail++ & (c->pool->ring - 1)] = (struct slot){kind, op};
	if (kind == SLOT_QUERY)
		c->busy++;
}

static struct slot slot_pop(struct conn *c)
{
	struct slot s = c->slots[c->head++ & (c->pool->ring - 1)];

	if (s.kind == SLOT_QUERY)
		c->busy--;
	return s;
}

static bool watch(struct conn *c, uint32_t events)
{
	struct epoll_event e = {.events = events, .data.ptr = &c->source};
	int fd = PQsocket(c->pg);

	if (fd < 0)
		return false;
	if (fd == c->fd && events == c->events)
		return true;
	/* libpq may open another socket while it connects, which can have the old one's number */
	if (epoll_ctl(c->pool->epoll_fd, EPOLL_CTL_MOD, fd, &e) != 0 &&
	    (errno != ENOENT || epoll_ctl(c->pool->epoll_fd, EPOLL_CTL_ADD, fd, &e) != 0))
		return false;
	c->fd = fd;
	c->events = events;
	return true;
}

/* ---- life of a connection ---- */

static void note_error(struct pool *p, const char *text)
{
	size_t n = strcspn(text, "\n");

	if (!n)
		return;
	snprintf(p->stats.error, sizeof p->stats.error, "%.*s", (int)(n < 250 ? n : 250), text);
}

static bool any_alive(const struct pool *p)
{
	int64_t now = now_ms(p);

	if (now < p->renewing_ms)
		return true;
	for (int i = 0; i < p->options.connections; i++) {
		const struct conn *c = &p->conns[i];

		/* being made, and not in vain before: worth waiting for */
		if (c->state == CONN_READY ||
		    (c->failures <= 1 && (c->state != CONN_IDLE || c->due_ms <= now)))
			return true;
	}
	return false;
}

static void conn_close(struct conn *c)
{
	if (c->pg)
		PQfinish(c->pg); /* closes the socket, which takes it out of epoll */
	c->pg = NULL;
	c->fd = -1;
	c->events = 0;
	c->state = CONN_IDLE;
	c->dirty = c->restart = c->setup_failed = false;
}

/* Credentials may have ended before their time: at the door, or while the session was made. */
static void ask_login(struct conn *c)
{
	struct pool *p = c->pool;
	const struct pg_login *login = p->options.login;

	if (!login || p->stopping || !c->pg ||
	    (c->state != CONN_SETUP && !pg_login_was_refused(PQerrorMessage(c->pg))))
		return;
	if (!p->renewing_ms)
		p->renewing_ms = now_ms(p) + PG_LOGIN_WAIT_MS;
	login->refused(login->ctx, c->login_version);
}

/* The only way down. Reads go back into the line; a write's fate is unknown. */
static void conn_lost(struct conn *c, const char *why)
{
	struct pool *p = c->pool;
	bool was_ready = c->state == CONN_READY;
	struct pool_op *held = c->held;
	int64_t wait;

	/* why none can be had says more than that one has gone */
	if (!was_ready || !p->stats.error[0])
		note_error(p, why);
	if (!was_ready)
		ask_login(c);
	conn_close(c);
	wait = c->failures ? (int64_t)BACKOFF_MIN_MS << (c->failures < 6 ? c->failures : 6) : 0;
	c->due_ms = now_ms(p) + (wait < BACKOFF_MAX_MS ? wait : BACKOFF_MAX_MS);
	if (!was_ready || !c->failures)
		c->failures++;
	PQclear(c->held_result);
	c->held_result = NULL;
	c->held = NULL;
	if (held)
		finish(p, held, POOL_LOST, NULL);
	while (c->head != c->tail) {
		struct slot s = slot_pop(c);

		if (s.kind != SLOT_QUERY)
			continue;
		s.op->attempts++;
		if (op_is_write(p, s.op))
			finish(p, s.op, POOL_LOST, NULL);
		else if (!try_again(p, s.op))
			finish(p, s.op, POOL_AWAY, NULL);
	}
	if (!p->stopping && !was_ready && !any_alive(p))
		fail_waiting(p, POOL_AWAY);
}

static void conn_begin(struct conn *c)
{
	struct pool *p = c->pool;
	struct err err;

	c->state = CONN_CONNECTING;
	c->due_ms = now_ms(p) + CONNECT_TIMEOUT_MS;
	p->stats.reconnects_total++;
	c->pg = pg_login_start(p->options.login, p->url, p->options.application_name,
	                       &c->login_version, &err);
	if (!c->pg || PQstatus(c->pg) == CONNECTION_BAD)
		conn_lost(c, c->pg ? PQerrorMessage(c->pg) : err.text);
	else if (!watch(c, EPOLLOUT))
		conn_lost(c, "cannot watch the connection's socket");
}

/* Prepares all statements in one pipeline, so that it takes one round trip. */
static bool conn_setup(struct conn *c)
{
	const struct pool_options *o = &c->pool->options;
	char timeout[24];
	const char *const values[] = {timeout};

	snprintf(timeout, sizeof timeout, "%lld", (long long)o->statement_timeout_ms);
	if (PQsetnonblocking(c->pg, 1) != 0 || !PQenterPipelineMode(c->pg))
		return false;
	c->state = CONN_SETUP;
	if (!PQsendQueryParams(c->pg, o->session_sql, 1, NULL, values, NULL, NULL, 1))
		return false;
	slot_push(c, SLOT_SETUP, NULL);
	for (int i = 0; i < o->statement_count; i++) {
		if (!PQsendPrepare(c->pg, o->statements[i].name, o->statements[i].sql, 0, NULL))
			return false;
		slot_push(c, SLOT_SETUP, NULL);
	}
	if (!PQpipelineSync(c->pg))
		return false;
	slot_push(c, SLOT_SYNC, NULL);
	return true;
}

static void conn_connect(struct conn *c)
{
	switch (PQconnectPoll(c->pg)) {
	case PGRES_POLLING_READING:
		if (!watch(c, EPOLLIN))
			conn_lost(c, "cannot watch the connection's socket");
		break;
	case PGRES_POLLING_OK:
		if (PQserverVersion(c->pg) < MINIMUM_VERSION)
			conn_lost(c, "PostgreSQL 15 or newer is needed");
		else if (!conn_setup(c) || !watch(c, EPOLLIN | EPOLLOUT))
			conn_lost(c, PQerrorMessage(c->pg));
		break;
	case PGRES_POLLING_FAILED:
		conn_lost(c, PQerrorMessage(c->pg));
		break;
	default:
		if (!watch(c, EPOLLOUT))
			conn_lost(c, "cannot watch the connection's socket");
	}
}

/* ---- sending ---- */

static bool conn_sync(struct conn *c)
{
	if (!c->dirty)
		return true;
	c->dirty = false;
	if (!PQpipelineSync(c->pg))
		return false;
	slot_push(c, SLOT_SYNC, NULL);
	return true;
}

static bool conn_send(struct conn *c, struct pool_op *op)
{
	const struct pool_statement *s = &c->pool->options.statements[op->statement];

	if (s->write && !conn_sync(c))
		return false;
	if (!PQsendQueryPrepared(c->pg, s->name, op->nparams, op->values, NULL, NULL, 1))
		return false;
	slot_push(c, SLOT_QUERY, op);
	c->dirty = true;
	return !s->write || conn_sync(c);
}

/* The least busy connection of the lane that has room; the other lane's when this one has none that
 * is ready. */
static struct conn *pick(struct pool *p, int slow)
{
	int n = p->options.connections, from = n > 1 && slow ? n - 1 : 0,
	    to = n > 1 && !slow ? n - 1 : n;
	struct conn *best = NULL;
	bool ready = false;

	for (int pass = 0; pass < 2 && !ready; pass++) {
		for (int i = from; i < to; i++) {
			struct conn *c = &p->conns[i];

			if (c->state != CONN_READY || c->restart)
				continue;
			ready = true;
			if (c->busy < p->options.depth && (!best || c->busy < best->busy))
				best = c;
		}
		from = 0;
		to = n;
	}
	return best;
}

static void dispatch(struct pool *p)
{
	for (int lane = 0; lane < 2; lane++) {
		struct conn *c;
		struct pool_op *op;

		while (p->waiting[lane].head && (c = pick(p, lane))) {
			op = wait_take(p, lane);
			if (!conn_send(c, op)) {
				/* it is in the ring, and so taken care of, when that has got so far
				 */
				if (c->head == c->tail ||
				    c->slots[(c->tail - 1) & (p->ring - 1)].op != op)
					wait_back(p, op);
				conn_lost(c, PQerrorMessage(c->pg));
			}
		}
	}
}

enum pool_outcome pool_submit(struct pool *p, struct pool_op *op)
{
	op->attempts = 0;
	op->sqlstate[0] = '\0';
	if (p->stopping || !any_alive(p)) {
		p->stats.refused_total++;
		return POOL_AWAY;
	}
	if (p->waiting_count >= p->options.queue) {
		p->stats.refused_total++;
		return POOL_FULL;
	}
	p->stats.queries_total++;
	wait_back(p, op);
	return POOL_OK;
}

/* ---- answers ---- */

static void answer_error(struct conn *c, struct pool_op *op, const PGresult *result)
{
	struct pool *p = c->pool;
	const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
	bool stale, transient;

	snprintf(op->sqlstate, sizeof op->sqlstate, "%s", state ? state : "");
	op->attempts++;
	/* a changed table: the prepared statement no longer fits, or is gone */
	stale = strcmp(op->sqlstate, "0A000") == 0 || strcmp(op->sqlstate, "26000") == 0;
	transient = strcmp(op->sqlstate, "40001") == 0 || strcmp(op->sqlstate, "40P01") == 0 ||
	            strncmp(op->sqlstate, "57P", 3) == 0 || strncmp(op->sqlstate, "08", 2) == 0 ||
	            !state;
	if (stale)
		c->restart = true;
	/* a failed write is rolled back, but when it was not answered by the server at all nobody
	 * knows */
	if ((stale || transient) && (state || !op_is_write(p, op)) && try_again(p, op))
		return;
	if (!state || strncmp(op->sqlstate, "57P", 3) == 0 || strncmp(op->sqlstate, "08", 2) == 0)
		finish(p, op, op_is_write(p, op) ? POOL_LOST : POOL_AWAY, NULL);
	else
		finish(p, op, strcmp(op->sqlstate, "57014") == 0 ? POOL_TIMEOUT : POOL_ERROR, NULL);
}

/* Takes over `result`. */
static void answer_query(struct conn *c, struct pool_op *op, PGresult *result)
{
	struct pool *p = c->pool;

	switch (PQresultStatus(result)) {
	case PGRES_TUPLES_OK:
	case PGRES_COMMAND_OK:
		if (op_is_write(p, op)) {
			c->held = op;
			c->held_result = result;
			return;
		}
		finish(p, op, POOL_OK, result);
		break;
	case PGRES_PIPELINE_ABORTED:
		p->stats.resent_total++;
		wait_back(p, op);
		break;
	default:
		answer_error(c, op, result);
	}
	PQclear(result);
}

static void answer_sync(struct conn *c)
{
	struct pool *p = c->pool;
	struct pool_op *held = c->held;
	PGresult *result = c->held_result;

	c->held = NULL;
	c->held_result = NULL;
	if (held) {
		finish(p, held, POOL_OK, result);
		PQclear(result);
	}
	if (c->state == CONN_SETUP && !c->setup_failed) {
		c->state = CONN_READY;
		c->failures = 0;
		p->renewing_ms = 0;
		p->stats.error[0] = '\0';
	}
}

static void answer(struct conn *c, PGresult *result)
{
	struct slot s = slot_pop(c);

	c->heard_ms = now_ms(c->pool);
	switch (s.kind) {
	case SLOT_QUERY:
		answer_query(c, s.op, result);
		return;
	case SLOT_SYNC:
		answer_sync(c);
		break;
	case SLOT_SETUP:
		if (PQresultStatus(result) == PGRES_FATAL_ERROR) {
			const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
			bool missing =
			    state && (strcmp(state, "42P01") == 0 || strcmp(state, "42703") == 0);

			c->setup_failed = true;
			note_error(c->pool, missing ? "the database's tables are missing or older "
			                              "than this program: run "
			                              "fhirline db migrate"
			                            : PQresultErrorMessage(result));
		}
		break;
	}
	PQclear(result);
}

/* A statement gives its results and then a NULL, a sync a result and a NULL. More NULLs in a row:
 * nothing is there. */
static bool conn_read(struct conn *c)
{
	int nulls = 0;

	if (!PQconsumeInput(c->pg))
		return false;
	while (c->head != c->tail && !PQisBusy(c->pg)) {
		PGresult *result = PQgetResult(c->pg);

		nulls = result ? 0 : nulls + 1;
		if (nulls > 4)
			break;
		if (result)
			answer(c, result);
	}
	return PQstatus(c->pg) == CONNECTION_OK;
}

static void conn_ready(struct loop_source *source, uint32_t events)
{
	struct conn *c = (struct conn *)source;
	int unsent = 0;

	(void)events;
	if (c->state == CONN_IDLE)
		return;
	if (c->state == CONN_CONNECTING) {
		conn_connect(c);
		return;
	}
	if (!conn_read(c) || (unsent = PQflush(c->pg)) < 0) {
		conn_lost(c, PQerrorMessage(c->pg));
	} else if (c->setup_failed || (c->restart && c->head == c->tail)) {
		conn_lost(c, "");
	} else if (!watch(c, unsent ? EPOLLIN | EPOLLOUT : EPOLLIN)) {
		conn_lost(c, "cannot watch the connection's socket");
	}
}

/* ---- the loop's side ---- */

void pool_flush(struct pool *p)
{
	dispatch(p);
	for (int i = 0; i < p->options.connections; i++) {
		struct conn *c = &p->conns[i];
		int unsent;

		if (c->state != CONN_READY || !c->dirty)
			continue;
		if (!conn_sync(c) || (unsent = PQflush(c->pg)) < 0)
			conn_lost(c, PQerrorMessage(c->pg));
		else if (unsent && !watch(c, EPOLLIN | EPOLLOUT))
			conn_lost(c, "cannot watch the connection's socket");
	}
}

/* Connections move to new credentials one by one, each when it has nothing under way. */
static void move_on(struct pool *p)
{
	struct conn *old = NULL;

	for (int i = 0; p->options.login && i < p->options.connections; i++) {
		struct conn *c = &p->conns[i];

		if (c->state != CONN_READY || c->restart)
			return;
		if (pg_login_is_old(p->options.login, c->login_version))
			old = c;
	}
	if (!old)
		return;
	old->restart = true;
	if (old->head == old->tail)
		conn_lost(old, "");
}

static int64_t conn_due_ms(const struct conn *c)
{
	if (c->state != CONN_READY)
		return c->due_ms;
	if (c->head == c->tail)
		return INT64_MAX;
	return c->heard_ms + c->pool->options.statement_timeout_ms + ANSWER_GRACE_MS;
}

void pool_tick(struct pool *p)
{
	int64_t now = now_ms(p);

	move_on(p);
	for (int i = 0; i < p->options.connections; i++) {
		struct conn *c = &p->conns[i];

		if (conn_due_ms(c) > now)
			continue;
		if (c->state == CONN_IDLE)
			conn_begin(c);
		else
			conn_lost(c, "the database does not answer");
	}
}

int64_t pool_next_ms(const struct pool *p)
{
	int64_t due = INT64_MAX, now = now_ms(p);

	for (int i = 0; i < p->options.connections; i++) {
		int64_t d = conn_due_ms(&p->conns[i]);

		due = d < due ? d : due;
	}
	if (p->options.login && due > now + LOGIN_LOOK_MS)
		due = now + LOGIN_LOOK_MS;
	if (due == INT64_MAX)
		return -1;
	return due > now ? due - now : 0;
}

void pool_stats(const struct pool *p, struct pool_stats *out)
{
	*out = p->stats;
	out->connections = p->options.connections;
	out->waiting = p->waiting_count;
	for (int i = 0; i < p->options.connections; i++) {
		out->ready += p->conns[i].state == CONN_READY;
		out->busy += p->conns[i].busy;
	}
}

static unsigned ring_size(const struct pool_options *o)
{
	/* a query has at most two syncs of its own, and a turn one more */
	unsigned need = (unsigned)o->depth * 3 + (unsigned)o->statement_count + 16, n = 64;

	while (n < need)
		n *= 2;
	return n;
}

struct pool *pool_start(const struct pool_options *options, int epoll_fd, struct err *err)
{
	struct pool *p = calloc(1, sizeof *p);

	if (!p)
		goto failed;
	p->options = *options;
	p->epoll_fd = epoll_fd;
	p->ring = ring_size(options);
	p->url = str_dup(str_of(options->url));
	p->conns = calloc((size_t)options->connections, sizeof *p->conns);
	if (!p->url || !p->conns)
		goto failed;
	for (int i = 0; i < options->connections; i++) {
		struct conn *c = &p->conns[i];

		c->source.ready = conn_ready;
		c->pool = p;
		c->fd = -1;
		c->due_ms = now_ms(p);
		c->slots = calloc(p->ring, sizeof *c->slots);
		if (!c->slots)
			goto failed;
	}
	/* at once, so that the first queries find connections that are being made */
	pool_tick(p);
	return p;
failed:
	pool_stop(p);
	err_set(err, ERR_NOMEM, "pool.start", "out of memory");
	return NULL;
}

void pool_stop(struct pool *p)
{
	if (!p)
		return;
	p->stopping = true;
	for (int i = 0; p->conns && i < p->options.connections; i++) {
		if (p->conns[i].state != CONN_IDLE)
			conn_lost(&p->conns[i], "");
		free(p->conns[i].slots);
	}
	fail_waiting(p, POOL_AWAY);
	free(p->conns);
	free(p->url);
	free(p);
}
