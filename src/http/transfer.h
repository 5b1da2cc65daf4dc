/* SPDX-License-Identifier: Apache-2.0
 *
 * transfer.h: one request as a libcurl easy handle. Private to src/http.
 *
 * client.c decides when a transfer runs and when it is given up; this file knows how it is set up,
 * what its response headers mean, and how libcurl's result becomes a response or an error. It does
 * not touch threads or the multi handle.
 */
#ifndef FHIRLINE_HTTP_TRANSFER_H
#define FHIRLINE_HTTP_TRANSFER_H

#include <curl/curl.h>

#include "http/body.h"
#include "http/client.h"

enum { HTTP_ORIGIN_MAX = 300, HTTP_HEADERS_MAX = 64 << 10 };

/* The options with every 0 replaced and every string copied. */
struct transfer_limits {
	int64_t connect_timeout_ms, idle_timeout_ms, whole_timeout_ms;
	size_t max_body;
	int max_connections;
	char *ca_file, *user_agent, *proxy;
};

bool transfer_limits_init(struct transfer_limits *l, const struct http_options *o, struct err *err);
void transfer_limits_free(struct transfer_limits *l);

struct transfer {
	CURL *easy;
	struct curl_slist *headers;
	struct body body;
	struct http_response meta; /* header fields; its body stays empty until transfer_result() */
	char retry_after[64];      /* read when Date is known */
	const char *keep_header;   /* borrowed from the request */
	size_t header_bytes;
	bool headers_too_large;
	bool no_memory;
	char origin[HTTP_ORIGIN_MAX];
	char errbuf[CURL_ERROR_SIZE];
	const struct transfer_limits *limits;
	int64_t whole_timeout_ms;
	int64_t progress; /* bytes either way, to see whether anything moves */
};

bool transfer_init(struct transfer *t, const struct http_request *req,
                   const struct transfer_limits *l, struct err *err);
void transfer_free(struct transfer *t); /* zeroed is fine; not while it is in a multi handle */

/* Bytes moved since the last call? */
bool transfer_moved(struct transfer *t);

/* The transfer ended by itself with `rc`. On success the response is moved to *resp. */
bool transfer_result(struct transfer *t, CURLcode rc, int64_t elapsed_ms,
                     struct http_response *resp, struct err *err);

#endif
