/* SPDX-License-Identifier: Apache-2.0
 *
 * The way of a reply onto the wire: layout, compression, headers; and the faults that are made
 * there. libmicrohttpd has no call for a broken response, but it takes these:
 *
 *   a body read by a callback that ends early        the connection closes in the middle
 *   MHD_RF_INSANITY_HEADER_CONTENT_LENGTH            a Content-Length of our own
 *   connect(fd, AF_UNSPEC) on its socket             Linux sends RST at once
 */
#include <microhttpd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <zlib.h>

#include "sandbox/pretty.h"
#include "sandbox/service.h"

enum { GZIP_FROM = 256, GZIP_LEVEL = 1, BLOCK = 65536 };

static bool compress_body(struct buf *body)
{
	struct buf out = BUF_INIT(REPLY_MAX);
	z_stream z = {0};
	bool ok;

	if (deflateInit2(&z, GZIP_LEVEL, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK)
		return false;
	ok = buf_reserve(&out, deflateBound(&z, body->n));
	if (ok) {
		z.next_in = (unsigned char *)body->p;
		z.avail_in = (unsigned)body->n;
		z.next_out = (unsigned char *)out.p;
		z.avail_out = (unsigned)(out.cap - 1);
		ok = deflate(&z, Z_FINISH) == Z_STREAM_END;
		out.n = z.total_out;
	}
	deflateEnd(&z);
	if (!ok) {
		buf_free(&out);
		return false;
	}
	buf_free(body);
	*body = out;
	return true;
}

/* A body that is sent piecemeal, and perhaps not to its end. */
struct wire {
	struct request *r;
	struct buf body;
	size_t end;       /* bytes after which the connection breaks; SIZE_MAX: never */
	bool reset;       /* with RST */
	bool understated; /* its end is no break, although more was sent than announced */
	size_t piece;     /* bytes at once */
	int64_t rest_ms;  /* between pieces */
	struct truth *truth;
};

static int socket_of(struct request *r)
{
	const union MHD_ConnectionInfo *info =
	    MHD_get_connection_info(r->conn, MHD_CONNECTION_INFO_CONNECTION_FD);

	return info ? info->connect_fd : -1;
}

static void send_reset(struct request *r)
{
	struct sockaddr none = {.sa_family = AF_UNSPEC};
	struct linger linger = {1, 0};
	int fd = socket_of(r);

	if (fd < 0)
		return;
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
	connect(fd, &none, sizeof none);
}

static ssize_t wire_read(void *cls, uint64_t pos, char *out, size_t max)
{
	struct wire *w = cls;
	size_t end = w->end < w->body.n ? w->end : w->body.n, n;

	if (w->truth) {
		n = truth_read(w->truth, out, max);
		return n ? (ssize_t)n : MHD_CONTENT_READER_END_OF_STREAM;
	}
	if (pos >= end && end == w->body.n && !w->reset && w->understated)
		return MHD_CONTENT_READER_END_OF_STREAM;
	if (pos >= end) {
		if (w->reset)
			send_reset(w->r);
		return MHD_CONTENT_READER_END_WITH_ERROR;
	}
	if (w->rest_ms && pos && !sandbox_sleep(w->r->s, w->rest_ms))
		return MHD_CONTENT_READER_END_WITH_ERROR;
	n = end - (size_t)pos;
	n = n < max ? n : max;
	n = n < w->piece ? n : w->piece;
	memcpy(out, w->body.p + pos, n);
	return (ssize_t)n;
}

static void wire_free(void *cls)
{
	struct wire *w = cls;

	buf_free(&w->body);
	truth_free(w->truth);
	free(w);
}

/* Does this response need a wire? */
static bool breaks(const struct fault *f)
{
	return fault_has(f, FAULT_CUT) || fault_has(f, FAULT_DRIP) || fault_has(f, FAULT_RESET) ||
	       fault_has(f, FAULT_WRONG_LENGTH);
}

/* A Content-Length of our own stands alone only in a response of unknown length, and that one is
 * not sent in chunks only to those who may not know them. */
static void understate(struct MHD_Response *m, size_t n, size_t less)
{
	char text[24];

	snprintf(text, sizeof text, "%zu", n > less ? n - less : 0);
	MHD_set_response_options(
	    m, MHD_RF_INSANITY_HEADER_CONTENT_LENGTH | MHD_RF_HTTP_1_0_COMPATIBLE_STRICT,
	    MHD_RO_END);
	MHD_add_response_header(m, "Content-Length", text);
}

static struct MHD_Response *wire_response(struct request *r, struct reply *reply)
{
	const struct fault *f = &r->fault;
	struct wire *w = calloc(1, sizeof *w);
	uint64_t declared = reply->truth ? MHD_SIZE_UNKNOWN : reply->body.n;
	struct MHD_Response *m;
	size_t shown;

	if (!w)
		return NULL;
	*w = (struct wire){.r = r, .body = reply->body, .end = SIZE_MAX, .piece = BLOCK};
	w->truth = reply->truth;
	reply->body = BUF_INIT(REPLY_MAX);
	reply->truth = NULL;
	if (fault_has(f, FAULT_CUT))
		w->end = (size_t)f->value[FAULT_CUT];
	if (fault_has(f, FAULT_RESET) && f->value[FAULT_RESET] >= 0) {
		w->end = (size_t)f->value[FAULT_RESET];
		w->reset = true;
	}
	if (fault_has(f, FAULT_DRIP)) {
		w->piece = (size_t)f->value[FAULT_DRIP];
		w->rest_ms = f->per_ms;
	}
	if (fault_has(f, FAULT_WRONG_LENGTH) && f->value[FAULT_WRONG_LENGTH] > 0)
		declared += (uint64_t)f->value[FAULT_WRONG_LENGTH];
	else if (fault_has(f, FAULT_WRONG_LENGTH))
		declared = MHD_SIZE_UNKNOWN;
	w->understated = declared == MHD_SIZE_UNKNOWN;
	shown = w->body.n;
	m = MHD_create_response_from_callback(declared, BLOCK, wire_read, w, wire_free);
	if (!m)
		wire_free(w);
	else if (fault_has(f, FAULT_WRONG_LENGTH) && declared == MHD_SIZE_UNKNOWN)
		understate(m, shown, (size_t)-f->value[FAULT_WRONG_LENGTH]);
	return m;
}

static struct MHD_Response *plain_response(struct reply *reply)
{
	struct MHD_Response *m =
	    MHD_create_response_from_buffer(reply->body.n, reply->body.p, MHD_RESPMEM_MUST_FREE);

	if (m)
		reply->body = BUF_INIT(REPLY_MAX);
	return m;
}

static void add_date(struct MHD_Response *m, const char *name, int64_t us)
{
	time_t seconds = (time_t)(us / 1000000);
	struct tm tm;
	char text[64];

	if (gmtime_r(&seconds, &tm) &&
	    strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S GMT", &tm))
		MHD_add_response_header(m, name, text);
}

static void add_headers(struct request *r, const struct reply *reply, struct MHD_Response *m,
                        bool gzipped)
{
	const struct fault *f = &r->fault;
	int64_t now = clock_now_us(r->s->clock);
	char text[24];

	MHD_add_response_header(m, "Content-Type", reply->type);
	MHD_add_response_header(m, "X-Powered-By", "fhirline sandbox");
	if (gzipped) {
		MHD_add_response_header(m, "Content-Encoding", "gzip");
		MHD_add_response_header(m, "Vary", "Accept-Encoding");
	}
	if (reply->etag[0])
		MHD_add_response_header(m, "ETag", reply->etag);
	if (reply->location[0])
		MHD_add_response_header(m, "Location", reply->location);
	if (reply->last_modified_us)
		add_date(m, "Last-Modified", reply->last_modified_us);
	if (reply->authenticate)
		MHD_add_response_header(m, "WWW-Authenticate", reply->authenticate);
	if (fault_has(f, FAULT_RETRY_AFTER)) {
		snprintf(text, sizeof text, "%lld", (long long)f->value[FAULT_RETRY_AFTER]);
		MHD_add_response_header(m, "Retry-After", text);
	}
	if (fault_has(f, FAULT_RETRY_AFTER_DATE))
		add_date(m, "Retry-After", now + f->value[FAULT_RETRY_AFTER_DATE] * 1000000);
	if (fault_has(f, FAULT_CLOCK_SKEW))
		add_date(m, "Date", now + f->value[FAULT_CLOCK_SKEW] * 1000000);
}

static bool lay_out(struct reply *reply)
{
	struct buf pretty = BUF_INIT(REPLY_MAX);

	if (!reply->pretty || !reply->body.n || strcmp(reply->type, TYPE_FHIR) != 0)
		return true;
	if (!buf_reserve(&pretty, reply->body.n * 2) ||
	    !pretty_print((struct str){reply->body.p, reply->body.n}, &pretty)) {
		buf_free(&pretty);
		return false;
	}
	buf_free(&reply->body);
	reply->body = pretty;
	return true;
}

/* Garbage in the middle of the compressed stream; the header and the length stay right. */
static void spoil_gzip(struct buf *body)
{
	for (size_t k = body->n / 2; k < body->n / 2 + 16 && k < body->n; k++)
		body->p[k] = (char)~body->p[k];
}

static bool prepare(struct request *r, struct reply *reply, bool *gzipped)
{
	bool bad = fault_has(&r->fault, FAULT_BAD_GZIP);

	if (reply->truth)
		return true;
	if (reply->body.failed || !lay_out(reply))
		return false;
	if (fault_has(&r->fault, FAULT_INVALID_JSON))
		reply->body.n -= reply->body.n / 3;
	if (reply->body.n && ((r->gzip && reply->body.n >= GZIP_FROM) || bad)) {
		if (!compress_body(&reply->body))
			return false;
		*gzipped = true;
		if (bad)
			spoil_gzip(&reply->body);
	}
	return true;
}

bool respond(struct request *r, struct reply *reply)
{
	bool gzipped = false, ok;
	struct MHD_Response *m;
	size_t bytes;

	if (!prepare(r, reply, &gzipped))
		fhir_outcome(reply, 500, "exception", "the answer does not fit into memory");
	bytes = reply->body.n;
	if (fault_has(&r->fault, FAULT_RESET) && r->fault.value[FAULT_RESET] < 0) {
		requestlog_add(r, reply, 0);
		send_reset(r);
		return false;
	}
	requestlog_add(r, reply, bytes);
	m = reply->truth || breaks(&r->fault) ? wire_response(r, reply) : plain_response(reply);
	if (!m)
		return false;
	add_headers(r, reply, m, gzipped);
	ok = MHD_queue_response(r->conn, reply->status, m) == MHD_YES;
	MHD_destroy_response(m);
	return ok;
}
