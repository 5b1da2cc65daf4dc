/* SPDX-License-Identifier: Apache-2.0
 *
 * client.c: who waits for what. One thread owns the multi handle and every transfer in it; callers
 * put a call into the queue and sleep until it is `done`. Everything that both sides touch is under
 * `lock`: the queue, `done`, `stop` and `callers`. The event loop alone moves a call from the queue
 * to the active list and ends it (call_end), so there is one place where a call's fate is decided.
 */
#include "http/client.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/thread.h"
#include "http/transfer.h"

enum { POLL_MAX_MS = 60 * 1000 };

struct call { /* on the caller's stack */
	struct transfer transfer;
	const struct http_request *req;
	struct http_response resp;
	struct err err;
	bool ok;
	bool done;
	pthread_cond_t ended;
	int64_t started_ms; /* when it was queued */
	int64_t moved_ms;   /* when a byte moved last */
	struct call *next;
};

struct http_client {
	struct transfer_limits limits;
	CURLM *multi;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t no_callers;
	struct call *queue, **queue_tail; /* FIFO */
	int callers;
	bool stop;
	struct call *active; /* the event loop's alone */
	int active_count;
};

static void call_end(struct http_client *c, struct call *call, bool ok)
{
	pthread_mutex_lock(&c->lock);
	call->ok = ok;
	call->done = true;
	pthread_cond_signal(&call->ended);
	pthread_mutex_unlock(&c->lock);
}

static bool call_cancelled(const struct call *call)
{
	return call->req->cancel && atomic_load(call->req->cancel);
}

static bool fail_cancelled(struct call *call)
{
	return err_set(&call->err, ERR_CANCELLED, "http.cancel", "the request to %s was cancelled",
	               call->transfer.origin);
}

/* Is its time over? *left: how long until it may be. */
static bool call_expired(struct call *call, int64_t now, bool running, int64_t *left)
{
	struct transfer *t = &call->transfer;
	int64_t whole = call->started_ms + t->whole_timeout_ms - now;
	int64_t idle = call->moved_ms + t->limits->idle_timeout_ms - now;

	if (whole <= 0 && !running) {
		err_set_retry(&call->err, ERR_TIMEOUT, "http.queue",
		              "no free connection to %s within %lld ms (all %d are in use)",
		              t->origin, (long long)t->whole_timeout_ms,
		              t->limits->max_connections);
		return true;
	}
	if (whole <= 0) {
		err_set_retry(&call->err, ERR_TIMEOUT, "http.whole",
		              "%s did not finish its answer within %lld ms", t->origin,
		              (long long)t->whole_timeout_ms);
		return true;
	}
	if (running && idle <= 0) {
		err_set_retry(&call->err, ERR_TIMEOUT, "http.idle", "%s sent nothing for %lld ms",
		              t->origin, (long long)t->limits->idle_timeout_ms);
		return true;
	}
	*left = running && idle < whole ? idle : whole;
	return false;
}

/* ---- the queue (under lock) ---- */

static void queue_put(struct http_client *c, struct call *call)
{
	call->next = NULL;
	*c->queue_tail = call;
	c->queue_tail = &call->next;
}

static struct call *queue_take(struct http_client *c, struct call **at)
{
	struct call *call = *at;

	*at = call->next;
	if (!call->next)
		c->queue_tail = at;
	return call;
}

/* Takes out of the queue what has ended without having begun. Returns them as a list. */
static struct call *queue_sweep(struct http_client *c, int64_t now, int64_t *wait)
{
	struct call *ended = NULL, *call;
	int64_t left;

	for (struct call **at = &c->queue; *at;) {
		left = POLL_MAX_MS;
		if (c->stop || call_cancelled(*at))
			fail_cancelled(*at);
		else if (!call_expired(*at, now, false, &left)) {
			*wait = left < *wait ? left : *wait;
			at = &(*at)->next;
			continue;
		}
		call = queue_take(c, at);
		call->next = ended;
		ended = call;
	}
	return ended;
}

static struct call *queue_next(struct http_client *c)
{
	struct call *call = NULL;

	pthread_mutex_lock(&c->lock);
	if (c->queue && c->active_count < c->limits.max_connections)
		call = queue_take(c, &c->queue);
	pthread_mutex_unlock(&c->lock);
	return call;
}

/* ---- the event loop ---- */

static void active_remove(struct http_client *c, struct call *call)
{
	struct call **at = &c->active;

	while (*at != call)
		at = &(*at)->next;
	*at = call->next;
	c->active_count--;
	curl_multi_remove_handle(c->multi, call->transfer.easy);
}

static void start_queued(struct http_client *c)
{
	struct call *call;
	CURLMcode rc;

	while ((call = queue_next(c))) {
		call->moved_ms = clock_mono_ms(&clock_system);
		curl_easy_setopt(call->transfer.easy, CURLOPT_PRIVATE, call);
		rc = curl_multi_add_handle(c->multi, call->transfer.easy);
		if (rc != CURLM_OK) {
			err_set_retry(&call->err, ERR_INTERNAL, "http.start",
			              "cannot start a request: %s", curl_multi_strerror(rc));
			call_end(c, call, false);
			continue;
		}
		call->next = c->active;
		c->active = call;
		c->active_count++;
	}
}

static void finish_ended(struct http_client *c)
{
	struct CURLMsg *msg;
	struct call *call;
	CURLcode rc;
	int left;

	while ((msg = curl_multi_info_read(c->multi, &left))) {
		if (msg->msg != CURLMSG_DONE)
			continue;
		call = NULL;
		rc = msg->data.result;
		curl_easy_getinfo(msg->easy_handle, CURLINFO_PRIVATE, &call);
		active_remove(c, call);
		call_end(c, call,
		         transfer_result(&call->transfer, rc,
		                         clock_mono_ms(&clock_system) - call->started_ms,
		                         &call->resp, &call->err));
	}
}

static void sweep_active(struct http_client *c, bool stop, int64_t *wait)
{
	int64_t now = clock_mono_ms(&clock_system), left;
	struct call *next;

	for (struct call *call = c->active; call; call = next) {
		next = call->next;
		left = POLL_MAX_MS;
		if (transfer_moved(&call->transfer))
			call->moved_ms = now;
		if (stop || call_cancelled(call))
			fail_cancelled(call);
		else if (!call_expired(call, now, true, &left)) {
			*wait = left < *wait ? left : *wait;
			continue;
		}
		active_remove(c, call);
		call_end(c, call, false);
	}
}

/* Ends what is over, cancelled or stopped, queued or running. *wait: when to look again. True when
 * the client stops. */
static bool sweep(struct http_client *c, int64_t *wait)
{
	struct call *ended, *next;
	bool stop;

	pthread_mutex_lock(&c->lock);
	stop = c->stop;
	ended = queue_sweep(c, clock_mono_ms(&clock_system), wait);
	pthread_mutex_unlock(&c->lock);
	for (; ended; ended = next) {
		next = ended->next;
		call_end(c, ended, false);
	}
	sweep_active(c, stop, wait);
	return stop;
}

static void *event_loop(void *ctx)
{
	struct http_client *c = ctx;
	int64_t wait;
	int running;
	bool stop;

	do {
		wait = POLL_MAX_MS;
		start_queued(c);
		curl_multi_perform(c->multi, &running);
		finish_ended(c);
		stop = sweep(c, &wait);
		pthread_mutex_lock(&c->lock);
		if (c->queue && c->active_count < c->limits.max_connections)
			wait = 0; /* a place became free */
		pthread_mutex_unlock(&c->lock);
		if (!stop)
			curl_multi_poll(c->multi, NULL, 0, (int)(wait + (wait > 0)), NULL);
	} while (!stop);
	return NULL;
}

/* ---- for callers ---- */

struct http_client *http_client_new(const struct http_options *options, struct err *err)
{
	struct http_client *c = calloc(1, sizeof *c);
	int rc;

	if (!c) {
		err_set(err, ERR_NOMEM, "http.new", "out of memory");
		return NULL;
	}
	c->queue_tail = &c->queue;
	pthread_mutex_init(&c->lock, NULL);
	pthread_cond_init(&c->no_callers, NULL);
	if (curl_global_init(CURL_GLOBAL_DEFAULT) !=
	    CURLE_OK) { /* counted, and thread-safe since 7.84 */
		err_set(err, ERR_INTERNAL, "http.new", "libcurl does not start");
		free(c);
		return NULL;
	}
	if (!transfer_limits_init(&c->limits, options, err))
		goto failed;
	c->multi = curl_multi_init();
	if (!c->multi) {
		err_set(err, ERR_NOMEM, "http.new", "out of memory");
		goto failed;
	}
	curl_multi_setopt(c->multi, CURLMOPT_MAXCONNECTS, (long)c->limits.max_connections);
	rc = thread_start(&c->thread, event_loop, c);
	if (rc) {
		err_set_errno(err, ERR_INTERNAL, "http.new", rc, "cannot start the HTTP thread");
		goto failed;
	}
	return c;
failed:
	curl_multi_cleanup(c->multi);
	transfer_limits_free(&c->limits);
	curl_global_cleanup();
	free(c);
	return NULL;
}

void http_client_free(struct http_client *c)
{
	if (!c)
		return;
	pthread_mutex_lock(&c->lock);
	c->stop = true;
	pthread_mutex_unlock(&c->lock);
	curl_multi_wakeup(c->multi);
	pthread_join(c->thread, NULL);
	pthread_mutex_lock(&c->lock);
	while (c->callers > 0) /* they have their results, but may not have left http_fetch() yet */
		pthread_cond_wait(&c->no_callers, &c->lock);
	pthread_mutex_unlock(&c->lock);
	curl_multi_cleanup(c->multi);
	transfer_limits_free(&c->limits);
	pthread_cond_destroy(&c->no_callers);
	pthread_mutex_destroy(&c->lock);
	free(c);
	curl_global_cleanup();
}

void http_client_wake(struct http_client *c)
{
	curl_multi_wakeup(c->multi);
}

/* Queues the call and sleeps until the event loop has ended it. */
static void call_wait(struct http_client *c, struct call *call)
{
	pthread_mutex_lock(&c->lock);
	if (c->stop) {
		fail_cancelled(call);
		pthread_mutex_unlock(&c->lock);
		return;
	}
	c->callers++;
	queue_put(c, call);
	curl_multi_wakeup(c->multi);
	while (!call->done)
		pthread_cond_wait(&call->ended, &c->lock);
	if (--c->callers == 0)
		pthread_cond_signal(&c->no_callers);
	pthread_mutex_unlock(&c->lock);
}

bool http_fetch(struct http_client *c, const struct http_request *req, struct http_response *resp,
                struct err *err)
{
	struct call call = {.req = req, .started_ms = clock_mono_ms(&clock_system)};

	if (transfer_init(&call.transfer, req, &c->limits, &call.err)) {
		pthread_cond_init(&call.ended, NULL);
		call_wait(c, &call);
		pthread_cond_destroy(&call.ended);
	}
	transfer_free(&call.transfer);
	if (call.ok)
		*resp = call.resp;
	else
		*err = call.err;
	return call.ok;
}
