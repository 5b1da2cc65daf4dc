/* SPDX-License-Identifier: Apache-2.0
 *
 * client.h: HTTP requests on libcurl's multi interface: one event loop (a thread of its own) for
 * all requests of a client.
 *
 * http_fetch() blocks the calling thread until its request has ended; any number of threads may
 * call it at once. Connections are kept and reused across threads. Responses are asked for in gzip
 * and handed over decoded. Redirects are not followed. The proxy variables of the environment are
 * not looked at: the servers spoken to are inside, and a request must not leave because of a
 * shell's setting.
 *
 * Limits: connect, idle (no byte for so long) and whole time-outs, response headers (64 KiB),
 * response body in bytes after decoding (ERR_LIMIT, not retryable), and `max_connections` at once
 * (further requests wait their turn, within their whole time-out).
 *
 * Errors: ERR_NETWORK (refused, lost, DNS; retryable), ERR_TIMEOUT (retryable), ERR_TLS (untrusted,
 * expired, wrong name; not retryable), ERR_PROTOCOL (broken gzip, wrong Content-Length, no HTTP;
 * retryable: a proxy may have cut it), ERR_LIMIT, ERR_CANCELLED. An answer with any status is
 * success here: http_status_err() turns statuses into errors. Texts name scheme, host and port,
 * never path, query or credentials.
 */
#ifndef FHIRLINE_HTTP_CLIENT_H
#define FHIRLINE_HTTP_CLIENT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

struct http_client;

struct http_options {
	int64_t connect_timeout_ms; /* 0: 10 s */
	int64_t idle_timeout_ms;    /* 0: 60 s */
	int64_t whole_timeout_ms;   /* 0: 10 min */
	size_t max_body;            /* 0: 64 MiB */
	int max_connections;        /* 0: 16 */
	const char *ca_file;        /* own CA instead of the system's; NULL: the system's */
	const char *user_agent;     /* NULL: "fhirline/<version>" */
	const char *proxy;          /* http://host:port; NULL: none, whatever http_proxy says */
};

/* AWS Signature Version 4, computed by libcurl. The query of the URL must be sorted and encoded
 * already (libcurl 7.88 signs it as given), the payload's SHA-256 be in a header
 * x-amz-content-sha256. */
struct http_sigv4 {
	const char *scope; /* "aws:amz:<region>:<service>" */
	const char *key_id, *secret;
};

struct http_request {
	const char *method;            /* "GET", "POST", … */
	const char *url;               /* absolute, http or https */
	const char *const *headers;    /* "Name: value", NULL-terminated; may be NULL */
	struct str body;               /* sent when p is not NULL */
	int64_t whole_timeout_ms;      /* 0: the client's */
	size_t max_body;               /* 0: the client's */
	const struct http_sigv4 *sign; /* NULL: not signed */
	const char *keep_header;       /* a response header that is wanted; NULL: none */
	const atomic_bool *cancel; /* may be NULL: when it becomes true and http_client_wake() is
	                              called the request ends with ERR_CANCELLED */
};

struct http_response {
	int status;
	struct buf body;        /* decoded; owned by the response */
	char content_type[128]; /* lower case, without parameters; "" when absent */
	char etag[128];
	int64_t date_us;        /* Date header; INT64_MIN when absent or unreadable */
	int64_t retry_after_ms; /* Retry-After, seconds or date (relative to Date when given); -1
	                           when absent */
	char www_authenticate[256];
	char kept[256];         /* the value of keep_header; "" when absent */
	int64_t content_length; /* of the body, also of one that HEAD left out; -1 when unknown */
	int64_t wire_bytes;     /* body bytes as received */
	int64_t elapsed_ms;
};

struct http_client *http_client_new(const struct http_options *options, struct err *err);
void http_client_free(struct http_client *c); /* ends what is under way with ERR_CANCELLED */
void http_client_wake(struct http_client *c); /* looks at all `cancel` flags now */

bool http_fetch(struct http_client *c, const struct http_request *req, struct http_response *resp,
                struct err *err);
void http_response_free(struct http_response *resp); /* zeroed is fine */

/* Statuses other than 2xx as an error: 401 ERR_AUTH, 403 ERR_FORBIDDEN, 404 ERR_NOT_FOUND, 410
 * ERR_GONE, 408 ERR_TIMEOUT retryable, 429 and 503 ERR_BUSY retryable with retry_after_ms, other
 * 5xx ERR_PROTOCOL retryable, others ERR_PROTOCOL. `what` names the request. True for 2xx. */
bool http_status_err(const struct http_response *resp, const char *what, struct err *err);

/* "scheme://host:port" of a URL, lower case, port always given. False when it is not an absolute
 * http(s) URL. */
bool http_origin(struct str url, char *out, size_t size);

#endif
