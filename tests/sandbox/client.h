/* SPDX-License-Identifier: Apache-2.0
 *
 * client.h: what the sandbox's server tests ask with: libcurl, one request at a time, and a sandbox
 * on a free port. Failures that no test expects end the test.
 */
#ifndef FHIRLINE_TESTS_SANDBOX_CLIENT_H
#define FHIRLINE_TESTS_SANDBOX_CLIENT_H

#include <curl/curl.h>
#include <stdbool.h>
#include <stddef.h>
#include <yyjson.h>

#include "base/buf.h"
#include "sandbox/sandbox.h"

struct client {
	struct sandbox *sandbox;
	char origin[64]; /* http://127.0.0.1:PORT */
	CURL *curl;
	bool gzip;
	const char *header; /* one more, or NULL */
	/* the last answer */
	CURLcode rc;
	long status;
	struct buf headers;
	struct buf body;
};

/* 40 patients with a tenth of the usual observations, pages of at most 50. */
struct sandbox_options client_options(void);

void client_start(struct client *c, const struct sandbox_options *o);
void client_stop(struct client *c);

/* `url` is whole, or a path behind the origin. `body` NULL: none. */
void client_send(struct client *c, const char *method, const char *url, const char *type,
                 const char *body);
void client_get(struct client *c, const char *url);
void client_faults(struct client *c, const char *script);

/* A GET that must give `status`; its JSON, freed by the caller. */
yyjson_doc *client_json(struct client *c, const char *url, long status);

/* The link of a Bundle, or NULL. */
const char *client_link(yyjson_doc *bundle, const char *relation);
size_t client_entries(yyjson_doc *bundle);

/* Follows `next` from `url` and returns how many entries there were. With `ids`, their ids, a line
 * each, in order. */
size_t client_walk(struct client *c, const char *url, struct buf *ids);

/* bundle.total, -1 when absent. */
long client_total(yyjson_doc *bundle);

#endif
