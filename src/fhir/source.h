/* SPDX-License-Identifier: Apache-2.0
 *
 * source.h: a FHIR R4 server that is read from, with every trap of its paging handled in one place.
 *
 * A source may be shared by threads. Each call makes one HTTP request (with authentication; on 401
 * a renewable credential is renewed and the request sent once more) and does not retry: the
 * caller's policy does (base/retry.h). Errors carry the OperationOutcome's first diagnostics only
 * when it is about the request itself (HAPI-… codes), never resource content.
 *
 * Rules, from FHIR R4 (http.html, search.html) and HAPI 8.8's behaviour:
 *  - `next` links are opaque and followed only to the configured origin (ERR_PROTOCOL otherwise);
 *  - a `next` equal to the URL just read is ERR_PROTOCOL ("the same next link twice");
 *  - 410 is ERR_GONE: the search must be started again;
 *  - OperationOutcome entries (search.mode outcome) and other types are counted, not returned; an
 * error-severity outcome is an error;
 *  - a body that is no JSON, no Bundle, or HTML is ERR_PROTOCOL (retryable: proxies), with what
 * came instead;
 *  - requests carry Accept: application/fhir+json, Accept-Encoding: gzip, Cache-Control: no-cache
 * (never no-store: HAPI cuts results), and _pretty=false on URLs that we make, and Prefer:
 * handling=strict, so that a server which does not know a parameter says so;
 *  - a URL over 4,000 bytes becomes POST _search;
 *  - a body over max_body: the next first page asks for a quarter of the entries. A first page is
 * then ERR_LIMIT, retryable while _count was over 1. A further page is ERR_GONE, as its size is
 * fixed by the link: start the search again. A single entry that is too large is ERR_LIMIT, not
 * retryable;
 *  - invalid UTF-8 in strings and \u0000 do not fail a page: mapping one resource does.
 */
#ifndef FHIRLINE_FHIR_SOURCE_H
#define FHIRLINE_FHIR_SOURCE_H

#include <stdatomic.h>
#include <yyjson.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "http/client.h"

struct fhir_source;

/* How requests authenticate (auth.h makes them): none, basic, static bearer, OAuth client
 * credentials, SMART backend services. */
struct fhir_auth;

struct fhir_source_options {
	const char *base_url;     /* https://host/fhir; no user info in it. Copied */
	struct http_client *http; /* borrowed */
	struct fhir_auth *auth;   /* owned by the source from here on; NULL: none */
	size_t max_body;          /* bytes; 0: 64 MiB */
	size_t page_target; /* bytes that a page should stay under; 0: 4 MiB. _count shrinks by
	                       measured bytes per entry */
	int page_count;     /* _count to begin with; 0: 1,000 */
};

/* A base URL as fhir_source_url() gives it, without opening anything: to compare with a run's.
 * NULL: see err. The caller frees it. */
char *fhir_base_url(const char *text, struct err *err);

struct fhir_source *fhir_source_open(const struct fhir_source_options *options, struct err *err);
void fhir_source_close(struct fhir_source *s);
const char *
fhir_source_url(const struct fhir_source *s); /* as configured, without a trailing slash */

struct fhir_entry {
	struct str raw;   /* the resource's bytes, inside the page's body; may contain line breaks
	                     between tokens */
	struct str id;    /* absent when missing or not a string */
	yyjson_val *json; /* inside the page's document */
};

struct fhir_page {
	struct http_response response;
	yyjson_doc *doc;
	struct fhir_entry *entries; /* of the wanted type, in order */
	size_t count;
	size_t outcomes; /* OperationOutcome entries that were skipped */
	size_t others;   /* entries of other types that were skipped */
	size_t broken;   /* entries without a resource object */
	int64_t total;   /* Bundle.total; -1 when absent */
	char *next;      /* absolute URL; NULL on the last page */
};

void fhir_page_free(struct fhir_page *p); /* zeroed is fine */

/* A search's parameters: name, value pairs, not encoded. */
struct fhir_param {
	const char *name;
	const char *value;
};

/* First page of a search. `type`: "Patient" or "Observation". Adds _count and _pretty=false itself.
 */
bool fhir_search(struct fhir_source *s, const char *type, const struct fhir_param *params, size_t n,
                 const atomic_bool *cancel, struct fhir_page *page, struct err *err);

/* A further page. `type` is the wanted type again. */
bool fhir_search_next(struct fhir_source *s, const char *type, const char *next,
                      const atomic_bool *cancel, struct fhir_page *page, struct err *err);

/* _summary=count. *total -1 when the server gives none. */
bool fhir_count(struct fhir_source *s, const char *type, const struct fhir_param *params, size_t n,
                const atomic_bool *cancel, int64_t *total, struct err *err);

/* One resource: on success page->entries[0]. ERR_NOT_FOUND, ERR_GONE (deleted). */
bool fhir_read(struct fhir_source *s, const char *type, struct str id, const atomic_bool *cancel,
               struct fhir_page *page, struct err *err);

/* Type history since an instant (INT64_MIN: all of it): Bundle of type history, newest first.
 * Deleted entries have no resource: they are given by `deleted`. */
struct fhir_history_page {
	struct fhir_page page;
	struct str *deleted;    /* ids */
	struct str *deleted_at; /* each one's response.lastModified, as text; absent when the server
	                           gave none */
	size_t *deleted_after;  /* how many of page.entries came before it: those are newer */
	size_t deleted_count;
};
bool fhir_history(struct fhir_source *s, const char *type, int64_t since_us, const char *next,
                  const atomic_bool *cancel, struct fhir_history_page *page, struct err *err);
void fhir_history_page_free(struct fhir_history_page *p);

/* GET /metadata. Refuses what is not a FHIR 4.0.x CapabilityStatement, saying what came instead. */
struct fhir_capability {
	char software[128];
	char fhir_version[16];
	bool patient_history;
	bool observation_history;
	int64_t server_time_us; /* its Date header; INT64_MIN when absent */
};
bool fhir_capability(struct fhir_source *s, const atomic_bool *cancel, struct fhir_capability *out,
                     struct err *err);

#endif
