/* SPDX-License-Identifier: Apache-2.0
 *
 * fake_http.h: an HTTP server for tests that answers with whatever bytes the test likes.
 *
 * It listens on a free port of 127.0.0.1, one thread a connection. The test's handler is called for
 * each request, on that connection's thread, and sends raw bytes: so wrong lengths, cuts, resets
 * and drips need no support here. Handlers run at the same time: what they share is theirs to lock
 * (or atomic).
 */
#ifndef FHIRLINE_TESTS_FAKE_HTTP_H
#define FHIRLINE_TESTS_FAKE_HTTP_H

#include <stdbool.h>
#include <stddef.h>

struct fake;

struct fake_request {
	int connection; /* 1, 2, … */
	int nth;        /* 1, 2, … on that connection */
	char method[16];
	char target[16384]; /* path and query */
	char *head;         /* request line and headers, NUL-terminated */
	char *body;         /* NUL-terminated */
	size_t body_n;
	bool close; /* set it: the connection ends after this answer */
	void *private;
};

typedef void (*fake_handler)(struct fake *f, struct fake_request *r, void *ctx);

struct fake *fake_start(fake_handler handler, void *ctx,
                        bool tls); /* ends the test when it cannot */
void fake_stop(struct fake *f);
const char *fake_url(const struct fake *f); /* http://127.0.0.1:port */
const char *
fake_ca_file(const struct fake *f);   /* TLS: a PEM file with its certificate (for 127.0.0.1) */
int fake_connections(struct fake *f); /* accepted so far */
int fake_requests(struct fake *f);    /* seen so far */

/* The value of a request header, copied to out; false when absent. */
bool fake_header(const struct fake_request *r, const char *name, char *out, size_t size);

/* For handlers. Sending to a peer that has left is fine. */
void fake_send(struct fake_request *r, const void *p, size_t n);
void fake_sendf(struct fake_request *r, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* A whole answer with the right Content-Length. `headers`: lines that end in \r\n, or "". */
void fake_reply(struct fake_request *r, int status, const char *headers, const void *body,
                size_t n);
void fake_reply_text(struct fake_request *r, int status, const char *headers, const char *body);
void fake_reset(struct fake_request *r); /* RST instead of an orderly end */
void fake_hang(struct fake_request *r);  /* waits until the peer has left or the server stops */
bool fake_sleep(struct fake_request *r,
                int ms); /* false when the peer has left or the server stops */

#endif
