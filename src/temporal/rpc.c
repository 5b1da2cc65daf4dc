/* SPDX-License-Identifier: Apache-2.0
 *
 * rpc.c: calls and the thread that completes them. A call lives on its caller's stack. `lock`
 * guards the list of calls under way, `stop` and each call's `done`; the completion thread sets
 * `done`, the caller alone takes its call out of the list. So whoever finds a call in the list
 * under the lock may cancel it.
 */
#include "temporal/rpc.h"

#include <errno.h>
#include <grpc/byte_buffer.h>
#include <grpc/byte_buffer_reader.h>
#include <grpc/grpc.h>
#include <grpc/grpc_security.h>
#include <grpc/slice.h>
#include <grpc/support/alloc.h>
#include <grpc/support/log.h>
#include <grpc/support/time.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/thread.h"
#include "temporal/conn.h"
#include "temporal/pb.h"
#include "temporal/seal.h"

#define SERVICE "/temporal.api.workflowservice.v1.WorkflowService/"

enum { PEM_MAX = 1024 * 1024, METADATA_MAX = 4, SEAL_MAX = 128 << 20 };

struct call {
	const void *group;
	grpc_call *grpc;
	grpc_byte_buffer *sent, *received;
	grpc_metadata_array initial, trailing;
	grpc_status_code status;
	grpc_slice details;
	bool started, done;
	pthread_cond_t ended;
	struct call *next, **at;
};

struct rpc {
	char *target;
	bool tls;
	grpc_channel *channel;
	grpc_completion_queue *queue;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t stopped; /* also: a caller has left */
	struct call *calls;
	int callers;
	bool stop;
	struct rng rng; /* under lock */
	grpc_metadata metadata[METADATA_MAX];
	size_t n_metadata;
	int64_t call_timeout_ms, poll_timeout_ms;
	const struct temporal_cipher *cipher;
	struct retry_policy retry;
};

/* ---- opening ---- */

static bool read_pem(const char *path, struct buf *out, struct err *err)
{
	FILE *f = fopen(path, "re");
	char part[4096];
	size_t n;
	bool ok;

	if (!f)
		return err_set_errno(err, ERR_CONFIG, "temporal.tls", errno, "cannot open %s",
		                     path);
	while ((n = fread(part, 1, sizeof part, f)) > 0 && buf_add(out, part, n))
		;
	ok = !ferror(f);
	fclose(f);
	if (!ok)
		return err_set(err, ERR_CONFIG, "temporal.tls", "cannot read %s", path);
	if (out->failed || !out->n || !memmem(out->p, out->n, "-----BEGIN", 10))
		return err_set(err, ERR_CONFIG, "temporal.tls", "%s is not a PEM file", path);
	return true;
}

static bool uses_tls(const struct temporal_options *o)
{
	return o->tls || o->ca_file || o->cert_file || o->key_file || o->server_name || o->api_key;
}

static grpc_channel_credentials *tls_credentials(const struct temporal_options *o, struct err *err)
{
	struct buf ca = BUF_INIT(PEM_MAX), cert = BUF_INIT(PEM_MAX), key = BUF_INIT(PEM_MAX);
	grpc_channel_credentials *credentials = NULL;
	grpc_ssl_pem_key_cert_pair pair;

	if (!o->cert_file != !o->key_file) {
		err_set(err, ERR_CONFIG, "temporal.tls",
		        "a client certificate and its key are given both or not at all");
		goto out;
	}
	if ((o->ca_file && !read_pem(o->ca_file, &ca, err)) ||
	    (o->cert_file && !read_pem(o->cert_file, &cert, err)) ||
	    (o->key_file && !read_pem(o->key_file, &key, err)))
		goto out;
	pair = (grpc_ssl_pem_key_cert_pair){key.p, cert.p};
	credentials = grpc_ssl_credentials_create(o->ca_file ? ca.p : NULL,
	                                          o->cert_file ? &pair : NULL, NULL, NULL);
	if (!credentials)
		err_set(err, ERR_CONFIG, "temporal.tls",
		        "gRPC does not take the certificate, key or authorities");
out:
	if (key.p)
		explicit_bzero(key.p, key.n);
	buf_free(&ca);
	buf_free(&cert);
	buf_free(&key);
	return credentials;
}

static grpc_channel_credentials *make_credentials(const struct temporal_options *o, struct err *err)
{
	return uses_tls(o) ? tls_credentials(o, err) : grpc_insecure_credentials_create();
}

static grpc_arg int_arg(const char *key, int64_t value)
{
	return (grpc_arg){.type = GRPC_ARG_INTEGER,
	                  .key = (char *)(uintptr_t)key,
	                  .value.integer = value < INT32_MAX ? (int)value : INT32_MAX};
}

static bool make_channel(struct rpc *r, const struct temporal_options *o, struct err *err)
{
	grpc_channel_credentials *credentials = make_credentials(o, err);
	grpc_arg args[] = {
	    int_arg(GRPC_ARG_MAX_RECEIVE_MESSAGE_LENGTH, (int64_t)o->max_message),
	    int_arg(GRPC_ARG_MAX_SEND_MESSAGE_LENGTH, (int64_t)o->max_message),
	    int_arg(GRPC_ARG_KEEPALIVE_TIME_MS, o->keepalive_ms),
	    int_arg(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, o->keepalive_ms / 2),
	    int_arg(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1),
	    int_arg(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0),
	    int_arg(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 200),
	    int_arg(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 5000),
	    int_arg(GRPC_ARG_ENABLE_RETRIES, 0),    /* one policy, ours */
	    int_arg(GRPC_ARG_ENABLE_HTTP_PROXY, 0), /* not by a shell's setting */
	    /* connections of another client in this process have other certificates */
	    int_arg(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1),
	    {.type = GRPC_ARG_STRING,
	     .key = (char *)(uintptr_t)GRPC_SSL_TARGET_NAME_OVERRIDE_ARG,
	     .value.string = (char *)(uintptr_t)o->server_name},
	};
	size_t n = sizeof args / sizeof *args - !o->server_name;

	if (!credentials)
		return false;
	r->channel = grpc_channel_create(o->address, credentials, &(grpc_channel_args){n, args});
	grpc_channel_credentials_release(credentials);
	return r->channel || err_set(err, ERR_INTERNAL, "temporal.open", "gRPC makes no channel");
}

static bool add_metadata(struct rpc *r, const char *key, const char *value, struct err *err)
{
	grpc_metadata *m = &r->metadata[r->n_metadata];

	m->key = grpc_slice_from_static_string(key);
	m->value = grpc_slice_from_copied_string(value);
	r->n_metadata++;
	return grpc_header_nonbin_value_is_legal(m->value) ||
	       err_set(err, ERR_CONFIG, "temporal.open",
	               "the %s holds characters that a header cannot", key);
}

/* The names by which the server knows what a client can do. */
static bool make_metadata(struct rpc *r, const struct temporal_options *o, struct err *err)
{
	struct buf bearer = BUF_INIT(64 * 1024);
	bool ok;

	if (!add_metadata(r, "client-name", "temporal-c-fhirline", err) ||
	    !add_metadata(r, "client-version", FHIRLINE_VERSION, err) ||
	    !add_metadata(r, "temporal-namespace", o->name_space, err))
		return false;
	if (!o->api_key)
		return true;
	buf_printf(&bearer, "Bearer %s", o->api_key);
	ok = buf_ok(&bearer, "the API key", err) && add_metadata(r, "authorization", bearer.p, err);
	if (bearer.p)
		explicit_bzero(bearer.p, bearer.n);
	buf_free(&bearer);
	return ok;
}

static void *completions(void *ctx)
{
	struct rpc *r = ctx;
	struct call *call;
	grpc_event e;

	while ((e = grpc_completion_queue_next(r->queue, gpr_inf_future(GPR_CLOCK_MONOTONIC), NULL))
	           .type != GRPC_QUEUE_SHUTDOWN) {
		call = e.tag;
		pthread_mutex_lock(&r->lock);
		call->done = true;
		pthread_cond_signal(&call->ended);
		pthread_mutex_unlock(&r->lock);
	}
	return NULL;
}

static void rpc_free(struct rpc *r)
{
	if (r->channel)
		grpc_channel_destroy(r->channel);
	if (r->queue)
		grpc_completion_queue_destroy(r->queue);
	for (size_t i = 0; i < r->n_metadata; i++)
		grpc_slice_unref(r->metadata[i].value);
	grpc_shutdown_blocking();
	pthread_cond_destroy(&r->stopped);
	pthread_mutex_destroy(&r->lock);
	free(r->target);
	free(r);
}

static void init_sync(struct rpc *r)
{
	thread_cond_init(&r->stopped);
	pthread_mutex_init(&r->lock, NULL);
}

struct rpc *rpc_open(const struct temporal_options *o, struct err *err)
{
	struct rpc *r = calloc(1, sizeof *r);
	int rc;

	if (!r || !(r->target = str_dup(str_of(o->address)))) {
		free(r);
		err_set(err, ERR_NOMEM, "temporal.open", "out of memory");
		return NULL;
	}
	r->tls = uses_tls(o);
	r->call_timeout_ms = o->call_timeout_ms;
	r->poll_timeout_ms = o->poll_timeout_ms;
	r->retry = o->retry;
	r->cipher = o->cipher;
	r->rng = rng_for((uint64_t)clock_now_us(&clock_system), (uintptr_t)r);
	init_sync(r);
	if (!getenv("GRPC_VERBOSITY"))
		gpr_set_log_verbosity((gpr_log_severity)(GPR_LOG_SEVERITY_ERROR + 1));
	grpc_init();
	if (!make_metadata(r, o, err) || !make_channel(r, o, err))
		goto failed;
	r->queue = grpc_completion_queue_create_for_next(NULL);
	rc = thread_start(&r->thread, completions, r);
	if (!rc)
		return r;
	err_set_errno(err, ERR_INTERNAL, "temporal.open", rc, "cannot start a thread");
	grpc_completion_queue_shutdown(r->queue);
failed:
	rpc_free(r);
	return NULL;
}

/* ---- ending calls ---- */

void rpc_cancel_group(struct rpc *r, const void *group)
{
	pthread_mutex_lock(&r->lock);
	for (struct call *c = r->calls; c; c = c->next)
		if (c->group == group && !c->done)
			grpc_call_cancel(c->grpc, NULL);
	pthread_mutex_unlock(&r->lock);
}

void rpc_stop(struct rpc *r)
{
	pthread_mutex_lock(&r->lock);
	r->stop = true;
	for (struct call *c = r->calls; c; c = c->next)
		if (!c->done)
			grpc_call_cancel(c->grpc, NULL);
	pthread_cond_broadcast(&r->stopped);
	pthread_mutex_unlock(&r->lock);
}

bool rpc_stopped(struct rpc *r)
{
	bool stop;

	pthread_mutex_lock(&r->lock);
	stop = r->stop;
	pthread_mutex_unlock(&r->lock);
	return stop;
}

void rpc_close(struct rpc *r)
{
	if (!r)
		return;
	rpc_stop(r);
	pthread_mutex_lock(&r->lock);
	while (r->callers > 0)
		pthread_cond_wait(&r->stopped, &r->lock);
	pthread_mutex_unlock(&r->lock);
	grpc_completion_queue_shutdown(r->queue);
	pthread_join(r->thread, NULL);
	rpc_free(r);
}

static bool stopped_err(struct err *err)
{
	return err_set(err, ERR_CANCELLED, "temporal.call", "the connection is being closed");
}

/* ---- one attempt ---- */

static void call_free(struct call *c)
{
	if (c->grpc)
		grpc_call_unref(c->grpc);
	if (c->sent)
		grpc_byte_buffer_destroy(c->sent);
	if (c->received)
		grpc_byte_buffer_destroy(c->received);
	grpc_metadata_array_destroy(&c->initial);
	grpc_metadata_array_destroy(&c->trailing);
	if (c->started)
		grpc_slice_unref(c->details);
	pthread_cond_destroy(&c->ended);
}

/* The whole call is one batch: it completes when the status is there. */
static grpc_call_error start_batch(struct rpc *r, struct call *c)
{
	grpc_op ops[] = {
	    {.op = GRPC_OP_SEND_INITIAL_METADATA,
	     .data.send_initial_metadata = {.count = r->n_metadata, .metadata = r->metadata}},
	    {.op = GRPC_OP_SEND_MESSAGE, .data.send_message.send_message = c->sent},
	    {.op = GRPC_OP_SEND_CLOSE_FROM_CLIENT},
	    {.op = GRPC_OP_RECV_INITIAL_METADATA,
	     .data.recv_initial_metadata.recv_initial_metadata = &c->initial},
	    {.op = GRPC_OP_RECV_MESSAGE, .data.recv_message.recv_message = &c->received},
	    {.op = GRPC_OP_RECV_STATUS_ON_CLIENT,
	     .data.recv_status_on_client = {.trailing_metadata = &c->trailing,
	                                    .status = &c->status,
	                                    .status_details = &c->details}},
	};

	return grpc_call_start_batch(c->grpc, ops, sizeof ops / sizeof *ops, c, NULL);
}

static void call_make(struct rpc *r, struct call *c, const char *method, struct str bytes,
                      int64_t timeout_ms)
{
	grpc_slice path, body = grpc_slice_from_copied_buffer(bytes.p, bytes.n);
	char text[128];

	snprintf(text, sizeof text, SERVICE "%s", method);
	path = grpc_slice_from_copied_string(text);
	c->sent = grpc_raw_byte_buffer_create(&body, 1);
	c->grpc = grpc_channel_create_call(
	    r->channel, NULL, GRPC_PROPAGATE_DEFAULTS, r->queue, path, NULL,
	    gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC),
	                 gpr_time_from_millis(timeout_ms, GPR_TIMESPAN)),
	    NULL);
	grpc_slice_unref(path);
	grpc_slice_unref(body);
	grpc_metadata_array_init(&c->initial);
	grpc_metadata_array_init(&c->trailing);
	pthread_cond_init(&c->ended, NULL);
}

/* Starts it and sleeps until it has ended. False when it did not begin. */
static bool call_run(struct rpc *r, struct call *c, struct err *err)
{
	grpc_call_error rc;

	pthread_mutex_lock(&r->lock);
	if (r->stop) {
		pthread_mutex_unlock(&r->lock);
		return stopped_err(err);
	}
	rc = start_batch(r, c);
	if (rc != GRPC_CALL_OK) {
		pthread_mutex_unlock(&r->lock);
		return err_set(err, ERR_INTERNAL, "temporal.call", "gRPC does not begin a call: %s",
		               grpc_call_error_to_string(rc));
	}
	c->started = true;
	c->next = r->calls;
	c->at = &r->calls;
	if (c->next)
		c->next->at = &c->next;
	r->calls = c;
	while (!c->done)
		pthread_cond_wait(&c->ended, &r->lock);
	*c->at = c->next;
	if (c->next)
		c->next->at = c->at;
	pthread_mutex_unlock(&r->lock);
	return true;
}

static void *read_answer(struct call *c, const ProtobufCMessageDescriptor *desc,
                         const struct temporal_cipher *cipher, struct arena *arena, struct err *err)
{
	grpc_byte_buffer_reader reader;
	grpc_slice all;
	void *message;

	if (!c->received || !grpc_byte_buffer_reader_init(&reader, c->received)) {
		err_set(err, ERR_PROTOCOL, "temporal.call",
		        "the server answered without a message");
		return NULL;
	}
	all = grpc_byte_buffer_reader_readall(&reader);
	message = pb_read(
	    arena, desc,
	    (struct str){(const char *)GRPC_SLICE_START_PTR(all), GRPC_SLICE_LENGTH(all)}, err);
	grpc_slice_unref(all);
	grpc_byte_buffer_reader_destroy(&reader);
	if (message && cipher)
		seal_open_message(cipher, arena, message);
	return message;
}

static void *attempt(struct rpc *r, const struct rpc_request *request, struct str bytes,
                     struct arena *arena, struct err *err)
{
	struct call c = {.group = request->group};
	int64_t timeout = request->kind == RPC_POLL ? r->poll_timeout_ms : r->call_timeout_ms;
	void *message = NULL;
	struct str words;

	call_make(r, &c, request->method, bytes,
	          request->timeout_ms > 0 ? request->timeout_ms : timeout);
	if (call_run(r, &c, err)) {
		words = (struct str){(const char *)GRPC_SLICE_START_PTR(c.details),
		                     GRPC_SLICE_LENGTH(c.details)};
		if (rpc_status_err((int)c.status, words, request->method, r->target, r->tls, err))
			message = read_answer(&c, request->answer, r->cipher, arena, err);
	}
	call_free(&c);
	return message;
}

/* ---- attempts ---- */

static bool again(enum rpc_kind kind, const struct err *err)
{
	if (kind == RPC_ONCE || kind == RPC_POLL || !err->retryable)
		return false;
	return err->code == ERR_NETWORK || err->code == ERR_BUSY ||
	       (kind == RPC_ANSWER && err->code == ERR_TIMEOUT);
}

/* False when the connection was stopped meanwhile. */
static bool pause_ms(struct rpc *r, int64_t ms)
{
	struct timespec until;
	bool stop;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += ms / 1000;
	until.tv_nsec += ms % 1000 * 1000000;
	if (until.tv_nsec >= 1000000000) {
		until.tv_sec++;
		until.tv_nsec -= 1000000000;
	}
	pthread_mutex_lock(&r->lock);
	while (!r->stop)
		if (pthread_cond_timedwait(&r->stopped, &r->lock, &until) == ETIMEDOUT)
			break;
	stop = r->stop;
	pthread_mutex_unlock(&r->lock);
	return !stop;
}

static enum retry_verdict decide(struct rpc *r, const struct err *err, int attempts,
                                 int64_t started_ms, int64_t *delay_ms)
{
	enum retry_verdict verdict;

	pthread_mutex_lock(&r->lock);
	verdict = retry_decide(&r->retry, err, attempts, clock_mono_ms(&clock_system) - started_ms,
	                       &r->rng, delay_ms);
	pthread_mutex_unlock(&r->lock);
	return verdict;
}

static void *attempts(struct rpc *r, const struct rpc_request *request, struct str bytes,
                      struct arena *arena, struct err *err)
{
	int64_t started = clock_mono_ms(&clock_system), delay = 0;
	void *message;

	for (int n = 1;; n++) {
		message = attempt(r, request, bytes, arena, err);
		if (message || !again(request->kind, err) ||
		    decide(r, err, n, started, &delay) == RETRY_GIVE_UP)
			return message;
		if (!pause_ms(r, delay)) {
			stopped_err(err);
			return NULL;
		}
	}
}

/* What is sent, in memory of its own; payloads are sealed for that moment. */
static bool pack(const struct rpc *r, const struct rpc_request *request, struct str *out,
                 struct err *err)
{
	ProtobufCMessage *message = (ProtobufCMessage *)(uintptr_t)request->message;
	struct arena arena = ARENA_INIT(SEAL_MAX);
	struct seal *undo = NULL;
	uint8_t *bytes = NULL;
	bool ok = !r->cipher || seal_message(r->cipher, &arena, message, &undo, err);

	if (ok) {
		out->n = protobuf_c_message_get_packed_size(message);
		bytes = malloc(out->n + 1);
		ok = bytes || err_set(err, ERR_NOMEM, "temporal.call", "out of memory");
	}
	if (bytes)
		protobuf_c_message_pack(message, bytes);
	out->p = (char *)bytes;
	seal_undo(undo);
	arena_free(&arena);
	return ok;
}

void *rpc_call(struct rpc *r, const struct rpc_request *request, struct arena *arena,
               struct err *err)
{
	struct str bytes;
	void *message;

	if (!pack(r, request, &bytes, err))
		return NULL;
	pthread_mutex_lock(&r->lock);
	r->callers++;
	pthread_mutex_unlock(&r->lock);
	message = attempts(r, request, bytes, arena, err);
	free((void *)(uintptr_t)bytes.p);
	pthread_mutex_lock(&r->lock);
	r->callers--;
	pthread_cond_broadcast(&r->stopped);
	pthread_mutex_unlock(&r->lock);
	return message;
}
