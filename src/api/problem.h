/* SPDX-License-Identifier: Apache-2.0
 *
 * problem.h: errors as clients see them, RFC 9457 (application/problem+json).
 *
 * `type` is "urn:fhirline:problem:" and a word that stays; docs/API.md lists them. `field` names
 * what is wrong as the client wrote it
 * ("limit", "zipcode", "Idempotency-Key"); `errors` lists all fields when several are wrong. Values
 * are never quoted.
 */
#ifndef FHIRLINE_API_PROBLEM_H
#define FHIRLINE_API_PROBLEM_H

#include "base/buf.h"

enum { PROBLEM_FIELDS = 8 };

enum problem_type {
	PROBLEM_PARAMETER,  /* 400 */
	PROBLEM_BODY,       /* 400 */
	PROBLEM_CURSOR,     /* 400 */
	PROBLEM_REQUEST,    /* 400 */
	PROBLEM_ORIGIN,     /* 403 */
	PROBLEM_NOT_FOUND,  /* 404 */
	PROBLEM_METHOD,     /* 405 */
	PROBLEM_CONFLICT,   /* 409 */
	PROBLEM_DELETED,    /* 410 */
	PROBLEM_TOO_LARGE,  /* 413 */
	PROBLEM_MEDIA_TYPE, /* 415 */
	PROBLEM_HOST,       /* 421 */
	PROBLEM_STREAMS,    /* 429 */
	PROBLEM_INTERNAL,   /* 500 */
	PROBLEM_BUSY,       /* 503 */
	PROBLEM_DATABASE,   /* 503 */
	PROBLEM_SLOW,       /* 503 */
	PROBLEM_TYPES,
};

struct problem_field {
	const char *name;
	const char *in;     /* query, path, header, body */
	const char *detail; /* what is wrong and what is allowed */
};

struct problem {
	enum problem_type type;
	const char *detail;
	struct problem_field fields[PROBLEM_FIELDS];
	int count;
};

int problem_status(enum problem_type type);
const char *problem_name(enum problem_type type); /* "invalid-parameter" */
const char *problem_title(enum problem_type type);

/* One more field; those beyond PROBLEM_FIELDS are left out. The strings are borrowed. */
void problem_add(struct problem *p, const char *name, const char *in, const char *detail);

void problem_json(struct buf *out, const struct problem *p, const char *request_id);

#endif
