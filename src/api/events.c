/* SPDX-License-Identifier: Apache-2.0
 *
 * A stream is a response whose body comes from reader(): libmicrohttpd asks when the socket takes
 * more. When there is nothing new the connection is suspended; a change of the run, the heartbeat
 * or the end resumes it.
 */
#include "api/events.h"

#include <stdlib.h>
#include <string.h>

#include "api/handlers.h"
#include "api/run_json.h"
#include "api/server.h"

enum { EVENT_MAX = 64 * 1024, CHUNK = 4096 };

struct stream {
	struct events *events;
	struct watch *watch;
	struct stream *next;
	struct MHD_Connection *connection;
	struct buf out; /* what is being sent */
	size_t sent;
	int64_t last; /* progress of the last event sent; -1: none */
	int64_t heard_ms;
	bool began, suspended, end_sent;
};

struct watch {
	struct pool_op op; /* first: the answer finds its watch */
	struct events *events;
	struct watch *next;
	char run_id[UUID_TEXT];
	struct stream *streams;
	bool asking, ended;
	int64_t due_ms, progress;
	struct buf json;
};

struct events {
	struct api *api;
	struct watch *watches;
	int streams;
	bool stopping;
};

struct events *events_new(struct api *a)
{
	struct events *e = calloc(1, sizeof *e);

	if (e)
		e->api = a;
	return e;
}

static void watch_free(struct watch *w)
{
	struct watch **at = &w->events->watches;

	while (*at != w)
		at = &(*at)->next;
	*at = w->next;
	buf_free(&w->json);
	free(w);
}

void events_free(struct events *e)
{
	if (!e)
		return;
	while (e->watches)
		watch_free(e->watches);
	free(e);
}

int events_streams(const struct events *e)
{
	return e->streams;
}

/* ---- one stream ---- */

static void write_event(struct stream *s, const char *name)
{
	buf_printf(&s->out, "id: %lld\nevent: %s\ndata: ", (long long)s->watch->progress, name);
	buf_add(&s->out, s->watch->json.p, s->watch->json.n);
	buf_lit(&s->out, "\n\n");
}

static bool beat_is_due(const struct stream *s)
{
	return server_now_ms(s->events->api) >= s->heard_ms + EVENTS_HEARTBEAT_MS;
}

/* What comes next; nothing when there is nothing new. */
static void compose(struct stream *s)
{
	buf_clear(&s->out);
	s->sent = 0;
	if (!s->began)
		buf_lit(&s->out, "retry: 2000\n\n");
	s->began = true;
	if (s->last != s->watch->progress) {
		s->last = s->watch->progress;
		write_event(s, "progress");
	}
	if (s->watch->ended && !s->end_sent) {
		s->end_sent = true;
		write_event(s, "end");
	}
	if (!s->out.n && beat_is_due(s))
		buf_lit(&s->out, ":\n\n");
	if (s->out.n)
		s->heard_ms = server_now_ms(s->events->api);
}

static ssize_t reader(void *ctx, uint64_t at, char *to, size_t max)
{
	struct stream *s = ctx;
	size_t n;

	(void)at;
	if (s->sent == s->out.n)
		compose(s);
	n = s->out.n - s->sent;
	if (!n && (s->end_sent || s->events->stopping))
		return MHD_CONTENT_READER_END_OF_STREAM;
	if (!n) {
		s->suspended = true;
		MHD_suspend_connection(s->connection);
		return 0;
	}
	n = n < max ? n : max;
	memcpy(to, s->out.p + s->sent, n);
	s->sent += n;
	return (ssize_t)n;
}

static void stream_free(void *ctx)
{
	struct stream *s = ctx, **at = &s->watch->streams;

	while (*at != s)
		at = &(*at)->next;
	*at = s->next;
	s->events->streams--;
	if (!s->watch->streams && !s->watch->asking)
		watch_free(s->watch);
	buf_free(&s->out);
	free(s);
}

static void wake(struct stream *s)
{
	if (!s->suspended)
		return;
	s->suspended = false;
	server_resume(s->events->api, s->connection);
}

/* ---- one run that is watched ---- */

static void take(struct watch *w, const PGresult *result)
{
	int64_t progress = run_progress(result, 0);
	bool ended = run_has_ended(run_state(result, 0));

	if (progress == w->progress && ended == w->ended && w->json.n)
		return;
	buf_clear(&w->json);
	run_json(&w->json, result, 0);
	w->progress = progress;
	w->ended = ended;
	for (struct stream *s = w->streams; s; s = s->next)
		wake(s);
}

static void on_answer(struct pool_op *op, enum pool_outcome outcome, const PGresult *result)
{
	struct watch *w = (struct watch *)op;

	w->asking = false;
	w->due_ms = server_now_ms(w->events->api) + EVENTS_POLL_MS;
	if (!w->streams) {
		watch_free(w);
	} else if (outcome == POOL_OK && PQntuples(result)) {
		take(w, result);
	} else if (outcome == POOL_OK) {
		/* the run's row is gone */
		w->ended = true;
		for (struct stream *s = w->streams; s; s = s->next)
			wake(s);
	}
}

static void ask(struct watch *w)
{
	w->op = (struct pool_op){.statement = STATEMENT_RUN_SHOW,
	                         .nparams = 1,
	                         .values = {w->run_id},
	                         .done = on_answer};
	w->asking = pool_submit(w->events->api->pool, &w->op) == POOL_OK;
	w->due_ms = server_now_ms(w->events->api) + EVENTS_POLL_MS;
}

static struct watch *watch_of(struct events *e, const char *run_id)
{
	struct watch *w = e->watches;

	while (w && strcmp(w->run_id, run_id) != 0)
		w = w->next;
	if (w)
		return w;
	w = calloc(1, sizeof *w);
	if (!w)
		return NULL;
	w->events = e;
	w->next = e->watches;
	w->progress = -1;
	w->json = BUF_INIT(EVENT_MAX);
	w->due_ms = server_now_ms(e->api) + EVENTS_POLL_MS;
	memcpy(w->run_id, run_id, strlen(run_id));
	e->watches = w;
	return w;
}

void events_tick(struct events *e)
{
	int64_t now = server_now_ms(e->api);

	for (struct watch *w = e->watches; w; w = w->next) {
		if (!w->asking && !w->ended && w->due_ms <= now)
			ask(w);
		for (struct stream *s = w->streams; s; s = s->next)
			if (beat_is_due(s))
				wake(s);
	}
}

int64_t events_next_ms(const struct events *e)
{
	int64_t now = server_now_ms(e->api), due = INT64_MAX;

	for (const struct watch *w = e->watches; w; w = w->next) {
		if (!w->asking && !w->ended && w->due_ms < due)
			due = w->due_ms;
		for (const struct stream *s = w->streams; s; s = s->next)
			if (s->suspended && s->heard_ms + EVENTS_HEARTBEAT_MS < due)
				due = s->heard_ms + EVENTS_HEARTBEAT_MS;
	}
	if (due == INT64_MAX)
		return -1;
	return due > now ? due - now : 0;
}

void events_stop(struct events *e)
{
	e->stopping = true;
	for (struct watch *w = e->watches; w; w = w->next)
		for (struct stream *s = w->streams; s; s = s->next)
			wake(s);
}

/* ---- GET /runs/{id}/events ---- */

static struct MHD_Response *stream_open(struct request *r, const PGresult *result)
{
	struct events *e = r->api->events;
	struct watch *w = watch_of(e, request_text(r, "id"));
	struct stream *s = w ? calloc(1, sizeof *s) : NULL;
	const struct param_value *seen = request_value(r, "Last-Event-ID");
	struct MHD_Response *response;

	if (!s) {
		if (w && !w->streams && !w->asking)
			watch_free(w);
		return NULL;
	}
	*s = (struct stream){
	    .events = e, .watch = w, .next = w->streams, .connection = r->connection};
	s->out = BUF_INIT(2 * EVENT_MAX);
	s->last = seen->text.p ? seen->number : -1;
	s->heard_ms = server_now_ms(e->api);
	w->streams = s;
	e->streams++;
	take(w, result);
	response =
	    MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, CHUNK, reader, s, stream_free);
	if (!response)
		stream_free(s);
	return response;
}

static void answer_open(struct request *r, const PGresult *result)
{
	struct MHD_Response *response;

	if (PQntuples(result) == 0) {
		request_problem(r, PROBLEM_NOT_FOUND, "id", "path", "there is no run with this id");
		return;
	}
	if (r->is_head) {
		request_bytes(r, 200, "text/event-stream");
		return;
	}
	if (r->api->events->streams >= r->api->options.max_streams || r->api->stopping) {
		request_problem(r, PROBLEM_STREAMS, NULL, NULL,
		                "too many event streams are open: ask /runs/{id} now and then");
		return;
	}
	response = stream_open(r, result);
	if (response)
		request_stream(r, response);
	else
		request_problem(r, PROBLEM_INTERNAL, NULL, NULL, NULL);
}

void runs_events(struct request *r)
{
	request_query(r, STATEMENT_RUN_SHOW, 1, (const char *const[]){request_text(r, "id")},
	              answer_open);
}
