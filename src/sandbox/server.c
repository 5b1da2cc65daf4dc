/* SPDX-License-Identifier: Apache-2.0
 *
 * HTTP: a thread a connection (so that delays and drips of one disturb no other), bodies, who may
 * ask, and the order of things for one request.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <microhttpd.h>
#include <netdb.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/thread.h"
#include "sandbox/service.h"

enum {
	IDLE_S = 600,
	HEADERS_MAX = 96 << 10,
	TOMCAT_LINE_MAX = 8192, /* longer URLs get Tomcat's HTML 400 */
	HOST_MAX = 255,
	ARENA_MAX = 256 << 20,
	STACK = 1 << 20,
	SCRIPT_MAX = FAULT_SCRIPT_MAX,
};

const struct sandbox_options sandbox_defaults = {
    .patients = 1000,
    .seed = 1,
    .zip = "02139",
    .observations_scale = 100,
    .host = "127.0.0.1",
    .port = 8090,
    .default_page = 20,
    .max_page = 1000,
    .retain_s = 3600,
    .max_connections = 256,
    .max_overlay_bytes = (size_t)256 << 20,
};

bool sandbox_sleep(struct sandbox *s, int64_t ms)
{
	struct timespec until;
	bool stopping;
	int rc = 0;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += ms / 1000;
	until.tv_nsec += ms % 1000 * 1000000;
	if (until.tv_nsec >= 1000000000) {
		until.tv_sec++;
		until.tv_nsec -= 1000000000;
	}
	pthread_mutex_lock(&s->lock);
	while (!s->stopping && rc == 0)
		rc = pthread_cond_timedwait(&s->stopping_changed, &s->lock, &until);
	stopping = s->stopping;
	pthread_mutex_unlock(&s->lock);
	return !stopping;
}

const char *request_header(const struct request *r, const char *name)
{
	return MHD_lookup_connection_value(r->conn, MHD_HEADER_KIND, name);
}

/* Who may ask. */
static bool is_loopback(const struct request *r)
{
	const union MHD_ConnectionInfo *info =
	    MHD_get_connection_info(r->conn, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
	const struct sockaddr *a = info ? info->client_addr : NULL;

	if (a && a->sa_family == AF_INET) {
		struct sockaddr_in in;

		memcpy(&in, a, sizeof in);
		return ntohl(in.sin_addr.s_addr) >> 24 == 127;
	}
	if (a && a->sa_family == AF_INET6) {
		struct sockaddr_in6 in;

		memcpy(&in, a, sizeof in);
		return IN6_IS_ADDR_LOOPBACK(&in.sin6_addr) ||
		       (IN6_IS_ADDR_V4MAPPED(&in.sin6_addr) && in.sin6_addr.s6_addr[12] == 127);
	}
	return false;
}

static bool may_ask(const struct request *r)
{
	const char *given = request_header(r, "Authorization");
	const struct sandbox *s = r->s;

	if (!s->bearer && !s->basic)
		return true;
	if (!given)
		return false;
	return (s->bearer && strcmp(given, s->bearer) == 0) ||
	       (s->basic && strcmp(given, s->basic) == 0);
}

static void refuse(struct request *r, struct reply *reply, bool expired)
{
	fhir_outcome(reply, 401, "login",
	             expired ? "HAPI-0333: the access token has expired"
	                     : "HAPI-0333: authentication is needed");
	reply->authenticate = expired                        ? "Bearer error=\"invalid_token\""
	                      : r->s->basic && !r->s->bearer ? "Basic realm=\"sandbox\""
	                                                     : "Bearer realm=\"sandbox\"";
}

static void html(struct reply *reply, unsigned status, const char *title)
{
	buf_clear(&reply->body);
	reply->status = status;
	reply->type = TYPE_HTML;
	reply->pretty = false;
	buf_printf(&reply->body,
	           "<!doctype html><html lang=\"en\"><head><title>HTTP Status %u</title></head>"
	           "<body><h1>HTTP Status %u - %s</h1></body></html>",
	           status, status, title);
}

/* Faults that make an answer of their own. */
static bool faulty_answer(struct request *r, struct reply *reply)
{
	const struct fault *f = &r->fault;
	unsigned status = fault_has(f, FAULT_STATUS) ? (unsigned)f->value[FAULT_STATUS] : 200;

	if (fault_has(f, FAULT_TOKEN_EXPIRY)) {
		refuse(r, reply, true);
	} else if (fault_has(f, FAULT_HTML)) {
		html(reply, status, "a proxy speaks");
	} else if (fault_has(f, FAULT_EMPTY)) {
		reply->status = status;
		reply->type = TYPE_FHIR;
	} else if (fault_has(f, FAULT_NOT_FHIR)) {
		reply->status = status;
		reply->type = TYPE_JSON;
		buf_lit(&reply->body, "{\"message\":\"welcome\",\"items\":[1,2,3]}");
	} else if (fault_has(f, FAULT_STATUS)) {
		fhir_outcome(reply, status, "transient", "a fault of the sandbox's script");
	} else {
		return false;
	}
	return true;
}

static void handle_fhir(struct request *r, struct reply *reply)
{
	struct sandbox *s = r->s;

	if (strlen(r->uri) > TOMCAT_LINE_MAX) {
		html(reply, 400, "Bad Request");
		return;
	}
	fhir_classify(r);
	pthread_mutex_lock(&s->lock);
	fault_script_match(s->faults, r->classes, r->page, &r->fault);
	pthread_mutex_unlock(&s->lock);
	if (fault_has(&r->fault, FAULT_DELAY))
		sandbox_sleep(s, r->fault.value[FAULT_DELAY]);
	if (!(r->classes & CLASS_METADATA) && !may_ask(r))
		refuse(r, reply, false);
	else if (!faulty_answer(r, reply))
		fhir_handle(r, reply);
}

static bool under(struct str path, const char *folder)
{
	size_t n = strlen(folder);

	return str_starts(path, folder) && (path.n == n || path.p[n] == '/');
}

static void answer(struct request *r, struct reply *reply)
{
	if (r->body_too_large) {
		fhir_outcome(reply, 413, "too-long", "the body is longer than %d bytes",
		             REQUEST_BODY_MAX);
	} else if (!r->base.p) {
		html(reply, 400, "Bad Request");
	} else if (under(r->path, "/sandbox")) {
		if (is_loopback(r))
			control_handle(r, reply);
		else
			html(reply, 403, "Forbidden");
	} else if (under(r->path, "/fhir")) {
		handle_fhir(r, reply);
	} else {
		html(reply, 404, "Not Found");
	}
}

/* The URL's parts and the parameters. */
static bool dissect(struct request *r)
{
	const char *host = request_header(r, "Host"), *type = request_header(r, "Content-Type");
	const char *accept = request_header(r, "Accept-Encoding");
	const char *mark = strchr(r->uri, '?');
	char *base;

	r->path = (struct str){r->uri, mark ? (size_t)(mark - r->uri) : strlen(r->uri)};
	r->query = mark ? str_of(mark + 1) : STR_NONE;
	r->gzip = accept && strstr(accept, "gzip");
	if (host && strlen(host) <= HOST_MAX && !strpbrk(host, "\"\\<>"))
		base = arena_printf(&r->arena, "http://%s/fhir", host);
	else
		base = arena_printf(&r->arena, "http://127.0.0.1:%u/fhir", r->s->port);
	if (!base || !request_add_params(r, r->query))
		return false;
	r->base = str_of(base);
	if (type && strncmp(type, "application/x-www-form-urlencoded", 33) == 0)
		return request_add_params(r, (struct str){r->body.p, r->body.n});
	return true;
}

static void end_counting(struct request *r)
{
	if (!r->counted)
		return;
	pthread_mutex_lock(&r->s->lock);
	r->s->stats.running--;
	pthread_mutex_unlock(&r->s->lock);
	r->counted = false;
}

static enum MHD_Result finish_request(struct request *r)
{
	struct reply reply = {.body = BUF_INIT(REPLY_MAX)};
	bool ok;

	if (!dissect(r))
		html(&reply, 400, "Bad Request");
	else
		answer(r, &reply);
	ok = respond(r, &reply);
	/* before the first byte goes: who has all of them may ask again before libmicrohttpd says
	 * that the request has ended */
	end_counting(r);
	buf_free(&reply.body);
	truth_free(reply.truth);
	return ok ? MHD_YES : MHD_NO;
}

static void begin_request(struct request *r, struct MHD_Connection *conn, const char *method)
{
	struct stats *st = &r->s->stats;

	r->conn = conn;
	r->method = method;
	r->started_ms = clock_mono_ms(r->s->clock);
	r->counted = true;
	pthread_mutex_lock(&r->s->lock);
	st->requests++;
	if (++st->running > st->most_running)
		st->most_running = st->running;
	pthread_mutex_unlock(&r->s->lock);
}

/* libmicrohttpd tells the whole URL here, and only here. */
static void *on_uri(void *cls, const char *uri, struct MHD_Connection *conn)
{
	struct request *r = calloc(1, sizeof *r);

	(void)conn;
	if (!r)
		return NULL;
	r->uri = strdup(uri);
	if (!r->uri) {
		free(r);
		return NULL;
	}
	r->s = cls;
	r->arena = ARENA_INIT(ARENA_MAX);
	r->body = BUF_INIT(REQUEST_BODY_MAX);
	return r;
}

static enum MHD_Result on_request(void *cls, struct MHD_Connection *conn, const char *url,
                                  const char *method, const char *version, const char *upload,
                                  size_t *upload_size, void **con_cls)
{
	struct request *r = *con_cls;

	(void)cls;
	(void)url;
	(void)version;
	if (!r)
		return MHD_NO;
	if (!r->method) {
		begin_request(r, conn, method);
		return MHD_YES;
	}
	if (*upload_size) {
		if (!r->body_too_large && !buf_add(&r->body, upload, *upload_size))
			r->body_too_large = true;
		*upload_size = 0;
		return MHD_YES;
	}
	return finish_request(r);
}

static void on_completed(void *cls, struct MHD_Connection *conn, void **con_cls,
                         enum MHD_RequestTerminationCode why)
{
	struct request *r = *con_cls;

	(void)cls;
	(void)conn;
	(void)why;
	if (!r)
		return;
	end_counting(r);
	arena_free(&r->arena);
	buf_free(&r->body);
	free(r->uri);
	free(r);
	*con_cls = NULL;
}

/* Starting. */
static bool read_script(struct sandbox *s, const char *path, struct err *err)
{
	struct buf text = BUF_INIT(SCRIPT_MAX);
	char block[4096];
	size_t n;
	FILE *f;

	if (!path)
		return true;
	f = fopen(path, "re");
	if (!f)
		return err_set_errno(err, ERR_IO, "sandbox.start", errno, "cannot read %s", path);
	while ((n = fread(block, 1, sizeof block, f)) > 0)
		buf_add(&text, block, n);
	fclose(f);
	if (buf_ok(&text, "the fault script", err))
		s->faults = fault_script_parse((struct str){text.p ? text.p : "", text.n}, err);
	buf_free(&text);
	return s->faults != NULL;
}

static char *joined(const char *scheme, const char *value)
{
	char *text = NULL;

	return asprintf(&text, "%s %s", scheme, value) < 0 ? NULL : text;
}

static bool credentials(struct sandbox *s, const struct sandbox_options *o, struct err *err)
{
	if (o->require_bearer) {
		s->bearer = joined("Bearer", o->require_bearer);
		if (!s->bearer)
			return err_set(err, ERR_NOMEM, "sandbox.start", "out of memory");
	}
	if (o->require_basic) {
		size_t n = strlen(o->require_basic);
		unsigned char *text = malloc(n * 4 / 3 + 8);

		if (text) {
			EVP_EncodeBlock(text, (const unsigned char *)o->require_basic, (int)n);
			s->basic = joined("Basic", (char *)text);
		}
		free(text);
		if (!s->basic)
			return err_set(err, ERR_NOMEM, "sandbox.start", "out of memory");
	}
	return true;
}

static bool listen_on(struct sandbox *s, struct err *err)
{
	struct addrinfo hints = {.ai_flags = AI_PASSIVE | AI_NUMERICHOST | AI_NUMERICSERV,
	                         .ai_socktype = SOCK_STREAM},
	                *address = NULL;
	unsigned flags =
	    MHD_USE_THREAD_PER_CONNECTION | MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_AUTO;
	const union MHD_DaemonInfo *info;
	char port[8];

	snprintf(port, sizeof port, "%u", s->o.port);
	if (getaddrinfo(s->o.host, port, &hints, &address) != 0)
		return err_set(err, ERR_USAGE, "sandbox.start",
		               "%s is not an address to listen on; give a numeric one", s->o.host);
	if (address->ai_family == AF_INET6)
		flags |= MHD_USE_IPv6;
	errno = 0;
	s->daemon = MHD_start_daemon(
	    flags, s->o.port, NULL, NULL, on_request, NULL, MHD_OPTION_SOCK_ADDR, address->ai_addr,
	    MHD_OPTION_URI_LOG_CALLBACK, on_uri, s, MHD_OPTION_NOTIFY_COMPLETED, on_completed, NULL,
	    MHD_OPTION_CONNECTION_LIMIT, s->o.max_connections, MHD_OPTION_CONNECTION_TIMEOUT,
	    (unsigned)IDLE_S, MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)HEADERS_MAX,
	    MHD_OPTION_THREAD_STACK_SIZE, (size_t)STACK, MHD_OPTION_END);
	freeaddrinfo(address);
	info = s->daemon ? MHD_get_daemon_info(s->daemon, MHD_DAEMON_INFO_BIND_PORT) : NULL;
	if (!info)
		return err_set_errno(err, ERR_NETWORK, "sandbox.start", errno,
		                     "cannot listen on %s port %u", s->o.host, s->o.port);
	s->port = info->port;
	return true;
}

static bool check(const struct sandbox_options *o, struct err *err)
{
	if (o->max_page < 1 || o->max_page > 10000)
		return err_set(err, ERR_USAGE, "sandbox.start", "max page: 1 to 10000 resources");
	if (o->default_page < 1 || o->default_page > o->max_page)
		return err_set(err, ERR_USAGE, "sandbox.start",
		               "default page: 1 to the maximum page (%u)", o->max_page);
	if (o->max_connections < 1 || o->max_connections > 4096)
		return err_set(err, ERR_USAGE, "sandbox.start", "connections: 1 to 4096");
	return true;
}

static bool init_locks(struct sandbox *s)
{
	pthread_rwlock_init(&s->data, NULL);
	pthread_mutex_init(&s->lock, NULL);
	return thread_cond_init(&s->stopping_changed) == 0;
}

struct sandbox *sandbox_start(const struct sandbox_options *o, struct err *err)
{
	struct sandbox *s;

	if (!check(o, err))
		return NULL;
	s = calloc(1, sizeof *s);
	if (!s || !init_locks(s)) {
		free(s);
		err_set(err, ERR_NOMEM, "sandbox.start", "out of memory");
		return NULL;
	}
	s->o = *o;
	s->limits = (struct query_limits){o->default_page, o->max_page};
	s->clock = &clock_system;
	if (!population_init(&s->pop, o->seed, o->patients, o->zip, o->observations_scale, err) ||
	    !overlay_init(&s->overlay, &s->pop, o->max_overlay_bytes, err) ||
	    !read_script(s, o->faults, err) || !requestlog_open(&s->log, o->request_log, err) ||
	    !credentials(s, o, err) || !listen_on(s, err)) {
		sandbox_stop(s);
		return NULL;
	}
	/* the caller's strings are needed no more */
	s->o.zip = s->o.host = s->o.faults = s->o.request_log = NULL;
	s->o.require_basic = s->o.require_bearer = NULL;
	return s;
}

uint16_t sandbox_port(const struct sandbox *s)
{
	return s->port;
}

void sandbox_stop(struct sandbox *s)
{
	if (!s)
		return;
	pthread_mutex_lock(&s->lock);
	s->stopping = true;
	pthread_cond_broadcast(&s->stopping_changed);
	pthread_mutex_unlock(&s->lock);
	if (s->daemon)
		MHD_stop_daemon(s->daemon);
	tokens_free(s);
	fault_script_free(s->faults);
	requestlog_close(&s->log);
	overlay_free(&s->overlay);
	population_free(&s->pop);
	free(s->bearer);
	free(s->basic);
	pthread_cond_destroy(&s->stopping_changed);
	pthread_mutex_destroy(&s->lock);
	pthread_rwlock_destroy(&s->data);
	free(s);
}
