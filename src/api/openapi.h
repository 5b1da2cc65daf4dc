/* SPDX-License-Identifier: Apache-2.0
 *
 * openapi.h: the OpenAPI 3.1 document, written from the tables of routes, parameters and columns.
 */
#ifndef FHIRLINE_API_OPENAPI_H
#define FHIRLINE_API_OPENAPI_H

#include "api/router.h"
#include "base/buf.h"

bool openapi_write(struct buf *out, const struct route *table, int count, struct err *err);

#endif
