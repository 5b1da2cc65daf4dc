/* SPDX-License-Identifier: Apache-2.0
 *
 * pretty.h: HAPI's way of laying out JSON. Clients meet it on every page but the first, since
 * `next` links lose _pretty=false; so it has to be fast.
 */
#ifndef FHIRLINE_SANDBOX_PRETTY_H
#define FHIRLINE_SANDBOX_PRETTY_H

#include "base/buf.h"
#include "base/str.h"

/* Appends valid, compact JSON with new lines and two spaces an object's depth. */
bool pretty_print(struct str json, struct buf *out);

#endif
