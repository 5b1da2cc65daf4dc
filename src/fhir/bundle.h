/* SPDX-License-Identifier: Apache-2.0
 *
 * bundle.h: response bodies to pages and errors. Private to src/fhir. No I/O.
 */
#ifndef FHIRLINE_FHIR_BUNDLE_H
#define FHIRLINE_FHIR_BUNDLE_H

#include "fhir/source.h"

/* Parses resp->body as JSON with numbers kept as text. `what` names the request in errors. NULL
 * with ERR_PROTOCOL (retryable) that says what came instead: nothing, HTML, XML, text, or JSON that
 * breaks off. Invalid UTF-8 inside strings is let through when nothing else is wrong, so that one
 * bad resource does not cost its whole page: the mapping rejects the resource by itself. */
yyjson_doc *bundle_parse(const struct http_response *resp, const char *what, struct err *err);

/* True when resp's document is of resourceType `type`; else ERR_PROTOCOL (retryable) that names
 * what came. */
bool bundle_expect_type(yyjson_val *root, const char *type, const char *what, struct err *err);

/* A whole Bundle of `bundle_type` ("searchset", "history"). Takes resp's body into page->response
 * on success. `url` is what was asked. */
bool bundle_read(struct http_response *resp, const char *base, const char *url,
                 const char *bundle_type, const char *type, const char *what,
                 struct fhir_page *page, struct err *err);

/* http_status_err() and, when the body is an OperationOutcome, its issue code and HAPI diagnostics,
 * without ids and values. */
bool bundle_status_err(const struct http_response *resp, const char *what, struct err *err);

/* The body without white space and byte order mark around it. */
struct str bundle_text(const struct http_response *resp);

struct str bundle_str(yyjson_val *object, const char *name); /* STR_NONE when absent or no string */

#endif
