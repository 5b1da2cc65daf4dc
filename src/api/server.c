/* SPDX-License-Identifier: Apache-2.0
 *
 * The loop, and the life of connections. One turn: wait; take PostgreSQL's answers; let
 * libmicrohttpd run; send the queries that came of it with one sync; do what is due.
 */
#include "api/server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "pg/json_row.h"
#include "api/openapi.h"
#include "pg/conn.h"

enum {
	EVENTS_A_TURN = 64,
	FREE_REQUESTS = 256,
	HEAD_MAX = 16 * 1024, /* libmicrohttpd clears as much after each request */
	IDLE_S = 60,
	DRAIN_MS = 5000,
	KEY_EVERY_MS = 500,
	POOL_DEPTH = 128,
	POOL_QUEUE = 2048,
	OPENAPI_MAX = 1024 * 1024,
	URI_MAX = 8 * 1024,
};

/* ---- libmicrohttpd's side ---- */

void server_resume(struct api *a, struct MHD_Connection *c)
{
	a->resumed = true;
	MHD_resume_connection(c);
}

static struct request *request_get(struct api *a)
{
	struct request *r = a->free_requests;

	if (!r)
		return request_new(a);
	a->free_requests = r->next_free;
	a->free_count--;
	r->next_free = NULL;
	return r;
}

static void request_put(struct api *a, struct request *r)
{
	if (a->free_count >= FREE_REQUESTS) {
		request_free(r);
		return;
	}
	request_reset(r);
	r->next_free = a->free_requests;
	a->free_requests = r;
	a->free_count++;
}

/* libmicrohttpd does not report the end of every request whose beginning it reported (requests that
 * break while they are being read), so each connection remembers its own. */
struct connection {
	struct request *current;
};

static struct connection *connection_of(struct MHD_Connection *c)
{
	const union MHD_ConnectionInfo *info =
	    MHD_get_connection_info(c, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

	return info ? info->socket_context : NULL;
}

static void forget(struct api *a, struct connection *c)
{
	if (!c || !c->current)
		return;
	a->active--;
	request_put(a, c->current);
	c->current = NULL;
}

static void on_connection(void *ctx, struct MHD_Connection *c, void **socket_context,
                          enum MHD_ConnectionNotificationCode code)
{
	(void)c;
	if (code == MHD_CONNECTION_NOTIFY_STARTED) {
		*socket_context = calloc(1, sizeof(struct connection));
	} else {
		forget(ctx, *socket_context);
		free(*socket_context);
		*socket_context = NULL;
	}
}

/* The target as the client sent it: libmicrohttpd's own decoding would hide what is malformed. */
static void *on_target(void *ctx, const char *target, struct MHD_Connection *c)
{
	struct api *a = ctx;
	struct connection *connection = connection_of(c);
	struct request *r;
	const char *question;
	struct str copy;

	if (!connection)
		return NULL;
	forget(a, connection);
	r = request_get(a);
	if (!r)
		return NULL;
	connection->current = r;
	a->active++;
	r->connection = c;
	r->started_us = a->options.clock->now_us(a->options.clock->ctx);
	copy = arena_str(&r->arena, str_of(target));
	question = copy.p ? memchr(copy.p, '?', copy.n) : NULL;
	r->path = (struct str){copy.p, question ? (size_t)(question - copy.p) : copy.n};
	if (question) {
		r->query = (struct str){question + 1, copy.n - r->path.n - 1};
		/* libmicrohttpd would take the query apart as well, into memory that many small
		 * parameters exhaust, and then leave the client waiting: it gets an empty one. The
		 * text is its own read buffer. */
		((char *)(uintptr_t)target)[r->path.n + 1] = '\0';
	}
	return r;
}

static bool target_is_fine(const struct request *r)
{
	return r->path.n && *r->path.p == '/' && r->path.n + r->query.n < URI_MAX;
}

static enum MHD_Result on_upload(struct request *r, const char *data, size_t *n)
{
	if (!r->upload_too_large && !buf_add(&r->upload, data, *n)) {
		r->upload_too_large = true;
		buf_clear(&r->upload);
		if (!r->status)
			request_problem(r, PROBLEM_TOO_LARGE, NULL, NULL,
			                "the body may have 65536 bytes");
	}
	*n = 0;
	return MHD_YES;
}

static enum MHD_Result on_request(void *ctx, struct MHD_Connection *c, const char *url,
                                  const char *method, const char *version, const char *data,
                                  size_t *data_size, void **request)
{
	struct request *r = *request;

	(void)ctx;
	(void)c;
	(void)url;
	(void)version;
	if (!r)
		return MHD_NO;
	if (!r->begun) {
		r->begun = true;
		if (!target_is_fine(r))
			request_problem(r, PROBLEM_REQUEST, NULL, NULL,
			                "the target must be a path of up to 8192 bytes");
		request_begin(r, method);
		/* a body that is announced as too large is not waited for: the answer ends the
		 * connection */
		return r->upload_too_large ? request_send(r) : MHD_YES;
	}
	if (*data_size)
		return on_upload(r, data, data_size);
	if (!r->handled) {
		r->handled = true;
		request_handle(r);
		if (!r->status) {
			r->suspended = true;
			MHD_suspend_connection(c);
			return MHD_YES;
		}
	}
	return request_send(r);
}

void api_wake_engine(struct api *a)
{
	const struct api_engine *e = a->options.engine;

	if (e && e->wake)
		e->wake(e->ctx);
}

static int route_index(const struct request *r)
{
	return r->match.route ? (int)(r->match.route - route_table) : -1;
}

static void on_completed(void *ctx, struct MHD_Connection *c, void **request,
                         enum MHD_RequestTerminationCode code)
{
	struct api *a = ctx;
	struct request *r = *request;
	struct api_access access;

	(void)code;
	if (!r)
		return;
	*request = NULL;
	if (r->begun && r->status) {
		access = (struct api_access){
		    .method = r->method_name,
		    .route = r->match.route ? r->match.route->path : "(none)",
		    .status = r->status,
		    .duration_us = a->options.clock->now_us(a->options.clock->ctx) - r->started_us,
		    .bytes = r->sent_bytes,
		    .request_id = r->id,
		    .traceparent = r->traceparent,
		    .quiet = r->match.route && r->match.route->flags & ROUTE_QUIET,
		};
		metrics_count(a->metrics, route_index(r), r->method_name, r->status,
		              access.duration_us);
		if (a->options.access)
			a->options.access(a->options.ctx, &access);
	}
	forget(a, connection_of(c));
}

/* ---- the key of cursors ---- */

static void on_key(struct pool_op *op, enum pool_outcome outcome, const PGresult *result)
{
	struct api *a = (struct api *)(void *)((char *)op - offsetof(struct api, key_op));

	a->asking_key = false;
	a->key_due_ms = server_now_ms(a) + KEY_EVERY_MS;
	if (outcome != POOL_OK || PQntuples(result) != 1 || PQgetlength(result, 0, 0) != CURSOR_KEY)
		return;
	memcpy(a->key, PQgetvalue(result, 0, 0), CURSOR_KEY);
	a->has_key = true;
}

static void ask_key(struct api *a)
{
	if (a->has_key || a->asking_key || server_now_ms(a) < a->key_due_ms)
		return;
	a->key_op = (struct pool_op){.statement = STATEMENT_CURSOR_KEY, .done = on_key};
	a->asking_key = pool_submit(a->pool, &a->key_op) == POOL_OK;
	if (!a->asking_key)
		a->key_due_ms = server_now_ms(a) + KEY_EVERY_MS;
}

/* ---- the loop ---- */

static void on_daemon(struct loop_source *s, uint32_t events)
{
	(void)s; /* it runs in every turn */
	(void)events;
}

static void on_stop(struct loop_source *s, uint32_t events)
{
	struct api *a = (struct api *)(void *)((char *)s - offsetof(struct api, stop_source));

	(void)events;
	a->stopping = true;
}

static void on_outer_stop(struct loop_source *s, uint32_t events)
{
	struct api *a = (struct api *)(void *)((char *)s - offsetof(struct api, outer_stop_source));

	(void)events;
	a->stopping = true;
}

void api_stop(struct api *a)
{
	uint64_t one = 1;

	/* the only failure is a counter that is full, and then it is readable already */
	if (write(a->stop_fd, &one, sizeof one) < 0)
		return;
}

static int64_t earlier(int64_t a, int64_t b)
{
	return a < 0 ? b : b < 0 ? a : a < b ? a : b;
}

static int wait_ms(struct api *a)
{
	MHD_UNSIGNED_LONG_LONG daemon;
	int64_t ms = pool_next_ms(a->pool);

	/* MHD_get_timeout() does not know of connections that were resumed */
	if (a->resumed)
		return 0;
	if (MHD_get_timeout(a->daemon, &daemon) == MHD_YES)
		ms = earlier(ms, daemon < 60000 ? (int64_t)daemon : 60000);
	ms = earlier(ms, events_next_ms(a->events));
	if (!a->has_key && !a->asking_key)
		ms = earlier(ms, KEY_EVERY_MS);
	if (a->stopping)
		ms = earlier(ms, 100);
	return ms < 0 ? -1 : (int)(ms < 60000 ? ms : 60000);
}

static bool turn(struct api *a, struct err *err)
{
	struct epoll_event events[EVENTS_A_TURN];
	int n = epoll_wait(a->epoll_fd, events, EVENTS_A_TURN, wait_ms(a));

	if (n < 0 && errno != EINTR)
		return err_set_errno(err, ERR_IO, "api.loop", errno, "cannot wait for events");
	for (int i = 0; i < n; i++) {
		struct loop_source *s = events[i].data.ptr;

		s->ready(s, events[i].events);
	}
	a->resumed = false;
	if (MHD_run(a->daemon) != MHD_YES)
		return err_set(err, ERR_INTERNAL, "api.loop", "the HTTP server stopped");
	pool_tick(a->pool);
	ask_key(a);
	events_tick(a->events);
	pool_flush(a->pool);
	return true;
}

/* No new connections; what is under way is answered; streams end. */
static bool drain(struct api *a, struct err *err)
{
	MHD_socket fd = MHD_quiesce_daemon(a->daemon);
	int64_t until = server_now_ms(a) + DRAIN_MS;

	if (fd != MHD_INVALID_SOCKET)
		close(fd);
	a->listen_fd = -1;
	/* they stay readable */
	epoll_ctl(a->epoll_fd, EPOLL_CTL_DEL, a->stop_fd, NULL);
	if (a->options.stop_fd > 0)
		epoll_ctl(a->epoll_fd, EPOLL_CTL_DEL, a->options.stop_fd, NULL);
	events_stop(a->events);
	while ((a->active || events_streams(a->events)) && server_now_ms(a) < until)
		if (!turn(a, err))
			return false;
	return true;
}

bool api_run(struct api *a, struct err *err)
{
	while (!a->stopping)
		if (!turn(a, err))
			return false;
	return drain(a, err);
}

const char *api_url(const struct api *a)
{
	return a->url;
}

/* ---- start and end ---- */

static bool add_source(struct api *a, struct loop_source *s, int fd,
                       void (*ready)(struct loop_source *, uint32_t), struct err *err)
{
	struct epoll_event e = {.events = EPOLLIN, .data.ptr = s};

	s->ready = ready;
	if (epoll_ctl(a->epoll_fd, EPOLL_CTL_ADD, fd, &e) != 0)
		return err_set_errno(err, ERR_IO, "api.start", errno, "cannot watch a descriptor");
	return true;
}

static bool open_daemon(struct api *a, struct err *err)
{
	const union MHD_DaemonInfo *info;

	a->daemon = MHD_start_daemon(
	    MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_TURBO, 0, NULL, NULL, on_request, a,
	    MHD_OPTION_LISTEN_SOCKET, a->listen_fd, MHD_OPTION_URI_LOG_CALLBACK, on_target, a,
	    MHD_OPTION_NOTIFY_COMPLETED, on_completed, a, MHD_OPTION_NOTIFY_CONNECTION,
	    on_connection, a, MHD_OPTION_CONNECTION_LIMIT, (unsigned)a->options.max_connections,
	    MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)HEAD_MAX, MHD_OPTION_CONNECTION_TIMEOUT,
	    (unsigned)IDLE_S, MHD_OPTION_END);
	if (!a->daemon)
		return err_set(err, ERR_INTERNAL, "api.start", "cannot start the HTTP server");
	info = MHD_get_daemon_info(a->daemon, MHD_DAEMON_INFO_EPOLL_FD);
	return add_source(a, &a->daemon_source, info->epoll_fd, on_daemon, err) &&
	       add_source(a, &a->stop_source, a->stop_fd, on_stop, err) &&
	       (a->options.stop_fd <= 0 ||
	        add_source(a, &a->outer_stop_source, a->options.stop_fd, on_outer_stop, err));
}

static bool open_listener(struct api *a, struct err *err)
{
	char host[64];
	int port, on = 1;
	struct sockaddr_in v4 = {.sin_family = AF_INET};
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
	struct sockaddr *address = (struct sockaddr *)&v4;
	socklen_t n = sizeof v4;

	if (!api_listen_parse(a->options.listen, host, &port, err))
		return false;
	if (strchr(host, ':')) {
		inet_pton(AF_INET6, host, &v6.sin6_addr);
		v6.sin6_port = htons((uint16_t)port);
		address = (struct sockaddr *)&v6;
		n = sizeof v6;
	} else {
		inet_pton(AF_INET, host, &v4.sin_addr);
		v4.sin_port = htons((uint16_t)port);
	}
	a->listen_fd = socket(address->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (a->listen_fd < 0 ||
	    setsockopt(a->listen_fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
	    bind(a->listen_fd, address, n) != 0 || listen(a->listen_fd, SOMAXCONN) != 0 ||
	    getsockname(a->listen_fd, address, &n) != 0)
		return err_set_errno(err, ERR_IO, "api.listen", errno,
		                     "cannot listen on %s port %d", host, port);
	port = ntohs(address->sa_family == AF_INET ? v4.sin_port : v6.sin6_port);
	snprintf(a->url, sizeof a->url, strchr(host, ':') ? "http://[%s]:%d" : "http://%s:%d", host,
	         port);
	return true;
}

static bool open_pool(struct api *a, struct err *err)
{
	struct pool_options o = {
	    .url = a->options.database_url,
	    .login = a->options.database_login,
	    .application_name = "fhirline api",
	    .connections = a->options.connections,
	    .depth = POOL_DEPTH,
	    .queue = POOL_QUEUE,
	    .statement_timeout_ms = a->options.statement_timeout_ms,
	    .clock = a->options.clock,
	    .session_sql = sql_get("api_session"),
	    .statements = a->statements,
	    .statement_count = STATEMENTS,
	};

	if (!statements_prepare(&a->arena, a->statements, err))
		return false;
	a->pool = pool_start(&o, a->epoll_fd, err);
	return a->pool != NULL;
}

static bool open_parts(struct api *a, struct err *err)
{
	if (RAND_bytes((unsigned char *)&a->id_prefix, sizeof a->id_prefix) != 1)
		return err_set(err, ERR_INTERNAL, "api.start", "no random numbers");
	a->id_prefix >>= 16;
	a->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	a->stop_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (a->epoll_fd < 0 || a->stop_fd < 0)
		return err_set_errno(err, ERR_IO, "api.start", errno, "cannot make an event loop");
	a->events = events_new(a);
	a->metrics = metrics_new(route_count);
	a->sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
	a->digest = EVP_MD_CTX_new();
	if (!a->events || !a->metrics || !a->sha256 || !a->digest)
		return err_set(err, ERR_NOMEM, "api.start", "out of memory");
	return openapi_write(&a->openapi, route_table, route_count, err);
}

static void set_defaults(struct api_options *o)
{
	if (!o->clock)
		o->clock = &clock_system;
	if (!o->connections)
		o->connections = 3;
	if (!o->max_connections)
		o->max_connections = 1024;
	if (!o->max_streams)
		o->max_streams = 64;
	if (!o->statement_timeout_ms)
		o->statement_timeout_ms = 10000;
}

struct api *api_start(const struct api_options *options, struct err *err)
{
	struct api *a = calloc(1, sizeof *a);

	if (!a) {
		err_set(err, ERR_NOMEM, "api.start", "out of memory");
		return NULL;
	}
	a->options = *options;
	set_defaults(&a->options);
	a->arena = ARENA_INIT(1024 * 1024);
	a->openapi = BUF_INIT(OPENAPI_MAX);
	a->epoll_fd = a->stop_fd = a->listen_fd = -1;
	if (open_parts(a, err) && open_listener(a, err) && open_pool(a, err) &&
	    open_daemon(a, err)) {
		return a;
	}
	api_free(a);
	return NULL;
}

/* Everything that is suspended must be resumed before the daemon may stop. */
static void close_daemon(struct api *a)
{
	struct err err = {0};

	a->stopping = true;
	events_stop(a->events);
	pool_stop(a->pool);
	a->pool = NULL;
	(void)err;
	if (a->daemon) {
		MHD_run(a->daemon);
		MHD_stop_daemon(a->daemon);
		a->listen_fd = -1; /* closed with it */
	}
}

void api_free(struct api *a)
{
	if (!a)
		return;
	if (a->events)
		close_daemon(a);
	while (a->free_requests) {
		struct request *r = a->free_requests;

		a->free_requests = r->next_free;
		request_free(r);
	}
	if (a->listen_fd >= 0)
		close(a->listen_fd);
	if (a->stop_fd >= 0)
		close(a->stop_fd);
	if (a->epoll_fd >= 0)
		close(a->epoll_fd);
	events_free(a->events);
	metrics_free(a->metrics);
	EVP_MD_free(a->sha256);
	EVP_MD_CTX_free(a->digest);
	buf_free(&a->openapi);
	arena_free(&a->arena);
	free(a);
}
