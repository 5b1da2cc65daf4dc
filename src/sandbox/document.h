/* SPDX-License-Identifier: Apache-2.0
 *
 * document.h: what a client sent, made ready to be kept. Nothing of the resource is judged but its
 * JSON and its type: a test may want to store what no real server would take.
 */
#ifndef FHIRLINE_SANDBOX_DOCUMENT_H
#define FHIRLINE_SANDBOX_DOCUMENT_H

#include "base/err.h"
#include "base/str.h"
#include "sandbox/generate.h"
#include "sandbox/population.h"

#define DOCUMENT_ID_MAX 128

struct document {
	char *json; /* compact, starting with resourceType, id and meta; the caller frees it */
	size_t n;
	struct postal_codes codes;         /* of a Patient */
	char subject[DOCUMENT_ID_MAX + 1]; /* the Patient id an Observation points to, or "" */
};

/* Numbers keep their digits. ERR_DATA with a reason for a person. */
bool document_read(struct str json, enum resource_type type, struct str id,
                   const struct revision *r, struct document *out, struct err *err);

/* "Patient/x", "http://…/Patient/x/_history/1" → x; false when it does not point to a Patient. */
bool document_patient_id(struct str reference, struct str *id);

#endif
