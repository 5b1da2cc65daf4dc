/* SPDX-License-Identifier: Apache-2.0 */
#include "fake_server.h"

#include <grpc/byte_buffer.h>
#include <grpc/byte_buffer_reader.h>
#include <grpc/grpc_security.h>
#include <grpc/slice.h>
#include <grpc/support/time.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { METHODS = 32 };

struct fake_server {
	fake_handler handler;
	void *ctx;
	grpc_server *server;
	grpc_completion_queue *queue;
	pthread_t thread;
	char address[64];
	pthread_mutex_t lock;
	pthread_cond_t idle;
	int serving;
	struct {
		char name[64];
		int calls;
	} methods[METHODS];
};

struct incoming {
	struct fake_server *s;
	grpc_call *call;
	grpc_call_details details;
	grpc_metadata_array metadata;
	grpc_completion_queue *queue; /* of this call */
};

static struct str slice_str(const grpc_slice *s)
{
	return (struct str){(const char *)GRPC_SLICE_START_PTR(*s), GRPC_SLICE_LENGTH(*s)};
}

struct str fake_metadata(const struct fake_call *call, const char *key)
{
	for (size_t i = 0; i < call->metadata->count; i++)
		if (str_is(slice_str(&call->metadata->metadata[i].key), key))
			return slice_str(&call->metadata->metadata[i].value);
	return STR("");
}

static int count_call(struct fake_server *s, struct str method, int more)
{
	int n = 0;

	pthread_mutex_lock(&s->lock);
	for (int i = 0; i < METHODS; i++) {
		if (!s->methods[i].name[0])
			snprintf(s->methods[i].name, sizeof s->methods[i].name, "%.*s",
			         STR_FMT(method));
		if (str_is(method, s->methods[i].name)) {
			n = s->methods[i].calls += more;
			break;
		}
	}
	pthread_mutex_unlock(&s->lock);
	return n;
}

int fake_server_calls(struct fake_server *s, const char *method)
{
	return count_call(s, str_of(method), 0);
}

static void batch(struct incoming *in, const grpc_op *ops, size_t n)
{
	if (grpc_call_start_batch(in->call, ops, n, in, NULL) != GRPC_CALL_OK)
		exit(97);
	grpc_completion_queue_pluck(in->queue, in, gpr_inf_future(GPR_CLOCK_MONOTONIC), NULL);
}

static void read_request(struct incoming *in, struct buf *out)
{
	grpc_byte_buffer *received = NULL;
	grpc_byte_buffer_reader reader;
	grpc_op op = {.op = GRPC_OP_RECV_MESSAGE, .data.recv_message.recv_message = &received};
	grpc_slice all;

	batch(in, &op, 1);
	if (!received)
		return;
	grpc_byte_buffer_reader_init(&reader, received);
	all = grpc_byte_buffer_reader_readall(&reader);
	buf_add_str(out, slice_str(&all));
	grpc_slice_unref(all);
	grpc_byte_buffer_reader_destroy(&reader);
	grpc_byte_buffer_destroy(received);
}

static void answer(struct incoming *in, struct fake_call *call)
{
	grpc_slice message = grpc_slice_from_copied_string(call->message ? call->message : "");
	grpc_slice body = grpc_slice_from_copied_buffer(call->reply.p, call->reply.n);
	grpc_byte_buffer *reply = grpc_raw_byte_buffer_create(&body, 1);
	int cancelled = 0;
	grpc_op ops[4] = {
	    {.op = GRPC_OP_RECV_CLOSE_ON_SERVER, .data.recv_close_on_server.cancelled = &cancelled},
	    {.op = GRPC_OP_SEND_INITIAL_METADATA},
	    {.op = GRPC_OP_SEND_STATUS_FROM_SERVER,
	     .data.send_status_from_server = {.status = (grpc_status_code)call->status,
	                                      .status_details = &message}},
	    {.op = GRPC_OP_SEND_MESSAGE, .data.send_message.send_message = reply},
	};

	batch(in, ops, call->hang ? 1 : call->status ? 3 : 4);
	grpc_byte_buffer_destroy(reply);
	grpc_slice_unref(body);
	grpc_slice_unref(message);
}

static void *serve(void *arg)
{
	struct incoming *in = arg;
	struct fake_server *s = in->s;
	struct str path = slice_str(&in->details.method);
	const char *slash = memrchr(path.p, '/', path.n);
	struct fake_call call = {.metadata = &in->metadata, .reply = BUF_INIT(64 << 20)};
	struct buf request = BUF_INIT(64 << 20);

	call.method = (struct str){slash + 1, (size_t)(path.p + path.n - slash - 1)};
	call.number = count_call(s, call.method, 1);
	read_request(in, &request);
	call.request = (struct str){request.p, request.n};
	s->handler(s->ctx, &call);
	answer(in, &call);
	buf_free(&request);
	buf_free(&call.reply);
	grpc_call_unref(in->call);
	grpc_call_details_destroy(&in->details);
	grpc_metadata_array_destroy(&in->metadata);
	grpc_completion_queue_shutdown(in->queue);
	grpc_completion_queue_destroy(in->queue);
	free(in);
	pthread_mutex_lock(&s->lock);
	s->serving--;
	pthread_cond_broadcast(&s->idle);
	pthread_mutex_unlock(&s->lock);
	return NULL;
}

static struct incoming *await_call(struct fake_server *s)
{
	struct incoming *in = calloc(1, sizeof *in);

	in->s = s;
	in->queue = grpc_completion_queue_create_for_pluck(NULL);
	grpc_call_details_init(&in->details);
	grpc_metadata_array_init(&in->metadata);
	grpc_server_request_call(s->server, &in->call, &in->details, &in->metadata, in->queue,
	                         s->queue, in);
	return in;
}

static void drop(struct incoming *in)
{
	grpc_call_details_destroy(&in->details);
	grpc_metadata_array_destroy(&in->metadata);
	grpc_completion_queue_shutdown(in->queue);
	grpc_completion_queue_destroy(in->queue);
	free(in);
}

static void *accept_calls(void *arg)
{
	struct fake_server *s = arg;
	struct incoming *in = await_call(s);
	pthread_t thread;
	grpc_event e;

	for (;;) {
		e = grpc_completion_queue_next(s->queue, gpr_inf_future(GPR_CLOCK_MONOTONIC), NULL);
		if (e.type == GRPC_QUEUE_SHUTDOWN)
			return NULL;
		if (e.tag == s) { /* the server has shut down */
			grpc_completion_queue_shutdown(s->queue);
			continue;
		}
		in = e.tag;
		if (!e.success) {
			drop(in);
			continue;
		}
		pthread_mutex_lock(&s->lock);
		s->serving++;
		pthread_mutex_unlock(&s->lock);
		if (pthread_create(&thread, NULL, serve, in))
			exit(97);
		pthread_detach(thread);
		await_call(s);
	}
}

struct fake_server *fake_server_start(fake_handler handler, void *ctx)
{
	struct fake_server *s = calloc(1, sizeof *s);
	grpc_server_credentials *insecure;
	int port;

	s->handler = handler;
	s->ctx = ctx;
	pthread_mutex_init(&s->lock, NULL);
	pthread_cond_init(&s->idle, NULL);
	grpc_init();
	s->server = grpc_server_create(NULL, NULL);
	s->queue = grpc_completion_queue_create_for_next(NULL);
	grpc_server_register_completion_queue(s->server, s->queue, NULL);
	insecure = grpc_insecure_server_credentials_create();
	port = grpc_server_add_http2_port(s->server, "127.0.0.1:0", insecure);
	grpc_server_credentials_release(insecure);
	snprintf(s->address, sizeof s->address, "127.0.0.1:%d", port);
	grpc_server_start(s->server);
	if (!port || pthread_create(&s->thread, NULL, accept_calls, s))
		exit(97);
	return s;
}

const char *fake_server_address(const struct fake_server *s)
{
	return s->address;
}

void fake_server_stop(struct fake_server *s)
{
	grpc_server_shutdown_and_notify(s->server, s->queue, s);
	grpc_server_cancel_all_calls(s->server);
	pthread_join(s->thread, NULL);
	pthread_mutex_lock(&s->lock);
	while (s->serving)
		pthread_cond_wait(&s->idle, &s->lock);
	pthread_mutex_unlock(&s->lock);
	grpc_server_destroy(s->server);
	grpc_completion_queue_destroy(s->queue);
	grpc_shutdown_blocking();
	free(s);
}
