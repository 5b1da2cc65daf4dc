/* SPDX-License-Identifier: Apache-2.0
 *
 * slice.h: where a value stands in JSON text. Private to src/fhir.
 *
 * yyjson tells what a document holds, but not where; the landing zone wants each resource's own
 * bytes. These functions walk over text that yyjson has ALREADY ACCEPTED: they count braces and
 * skip strings, and do not validate. On other input they give nonsense, but never read outside the
 * slice.
 */
#ifndef FHIRLINE_FHIR_SLICE_H
#define FHIRLINE_FHIR_SLICE_H

#include <yyjson.h>

#include "base/str.h"

/* The text of the object `value`, a member of the object `element` of the array `array`, in a
 * document that was read from `text` (not in situ). It takes a few steps whatever the size: yyjson
 * keeps each string at the offset that it had in the text, so the member's name tells where the
 * value begins, and the next name in the document where it has ended. Each step is checked against
 * the text; where anything looks unusual (the last element, another layout in a later yyjson) it
 * ends the value by counting braces, or gives STR_NONE (an escaped or empty name): then walk. */
struct str slice_of(const yyjson_doc *doc, struct str text, yyjson_val *array, yyjson_val *element,
                    yyjson_val *value);

/* Walks over the members of an object or the elements of an array. */
struct slice_iter {
	const char *p;
	const char *end;
};

/* `value` begins with '{' or '['. */
struct slice_iter slice_iter_of(struct str value);

/* The next element of an array; false at its end. */
bool slice_next(struct slice_iter *it, struct str *value);

/* The first member of an object with this name (escapes in the text's names are understood), as
 * yyjson_obj_get() finds it. STR_NONE when there is none or `object` is no object. */
struct str slice_member(struct str object, const char *name);

#endif
