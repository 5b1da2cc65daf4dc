/* SPDX-License-Identifier: Apache-2.0
 *
 * search_url.h: the addresses that a source asks, and the `next` links it is given. Private to
 * src/fhir. No I/O.
 */
#ifndef FHIRLINE_FHIR_SEARCH_URL_H
#define FHIRLINE_FHIR_SEARCH_URL_H

#include "base/buf.h"
#include "base/err.h"
#include "fhir/source.h"

enum {
	SEARCH_URL_MAX = 4000, /* longer ones become POST: Tomcat refuses a request line over 8 KB
	                          with an HTML 400 */
	SEARCH_FORM_MAX = 4 << 20,  /* a search that is longer than this is a mistake */
	SEARCH_NEXT_MAX = 16 << 10, /* longest `next` link */
};

/* Checks and copies a base URL: absolute http(s), no user info, query or fragment; without trailing
 * slashes. NULL: see err. The caller frees it. */
char *search_base_url(const char *text, struct err *err);

/* Appends name=value&name=value, percent-encoded; ',', ':' and '/' stay, which RFC 3986 allows in a
 * query and people can read. */
void search_params_add(struct buf *b, const struct fhir_param *params, size_t n);

/* Percent-encoded for a query, without the exceptions of a path. */
void search_value_add(struct buf *b, struct str s);

/* A `next` link as an absolute URL on the origin of `base`; relative ones are resolved against
 * "base/" (RFC 3986, FHIR R4 http.html: relative to the service base). NULL with ERR_PROTOCOL when
 * it leads elsewhere or cannot be read. The caller frees it. */
char *search_next_url(const char *base, struct str link, struct err *err);

#endif
