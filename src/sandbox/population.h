/* SPDX-License-Identifier: Apache-2.0
 *
 * population.h: who and what there is: numbers, ids, places and instants of the generated people,
 * all computed from the seed. generate.h turns them into JSON.
 *
 * Patients 0 … patients-1 live in `zip`; patients … total-1 live next door, some with a postal code
 * that begins like `zip` and is another ("0213900"). Patient i was loaded with all its
 * observations in one transaction at population_instant(i), as Synthea's bundles are, and later
 * than patient i-1.
 */
#ifndef FHIRLINE_SANDBOX_POPULATION_H
#define FHIRLINE_SANDBOX_POPULATION_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

#define POPULATION_MAX_PATIENTS 1000000
#define POPULATION_MAX_OBSERVATIONS 60000 /* of one patient, those added by churn included */
#define POPULATION_UUID 36                /* bytes of an id; not NUL-terminated */

enum resource_type {
	TYPE_PATIENT,
	TYPE_OBSERVATION,
};

extern const char *const resource_type_name[2]; /* "Patient", "Observation" */

struct population {
	uint64_t seed;
	uint32_t patients; /* in zip */
	uint32_t total;
	char zip[6];
	uint16_t *counts; /* observations of each patient: the one array that is kept, so that a
	                     page can be found by its offset */
	uint64_t nobs;    /* the sum of counts */
};

bool population_init(struct population *p, uint64_t seed, uint32_t patients, const char *zip,
                     uint32_t scale, struct err *err);
void population_free(struct population *p);

/* What stands behind an id. Ids are a bijection of this, so that nothing has to be looked up. */
enum id_kind {
	ID_PATIENT,
	ID_OBSERVATION,
	ID_ENCOUNTER,
};

struct id {
	enum id_kind kind;
	uint32_t patient;
	uint32_t index; /* of the observation or encounter; 0 for a patient */
};

char *population_id_write(const struct population *p, char *w, struct id id);

/* True when `text` is an id of this population, in form; its `index` may still be past the end. */
bool population_id_parse(const struct population *p, struct str text, struct id *id);

/* When version 1 of a patient and its observations was written, in microseconds. */
int64_t population_instant(uint32_t patient);

/* How a patient's addresses relate to the zip. */
enum place {
	PLACE_PLAIN,    /* one address: zip */
	PLACE_PLUS4,    /* one address: zip-1234 */
	PLACE_MOVED_IN, /* an old address elsewhere, with period.end, then one in zip */
	PLACE_TWO,      /* home in zip, and a second one elsewhere that is current too */
	PLACE_NEXT,     /* a neighbouring zip */
	PLACE_PREFIX,   /* zip0000: begins like it, but is not it */
	PLACE_SHORT,    /* zip without its last digit */
	PLACE_LETTER,   /* zip followed by X */
};

enum place population_place(const struct population *p, uint32_t patient);

#define POPULATION_CODES 4 /* postal codes of a patient that are known to searches, at most */
#define POPULATION_CODE_TEXT 16

struct postal_codes {
	unsigned n;
	char code[POPULATION_CODES][POPULATION_CODE_TEXT];
};

/* The postal codes of a patient as generated; `moved` is how often churn has moved it (see
 * generate.h). In the order of its addresses. */
void population_postal_codes(const struct population *p, uint32_t patient, uint32_t moved,
                             struct postal_codes *out);

/* True when one of them is `zip`, with or without "-" and four more digits. */
bool postal_codes_are_of(const struct postal_codes *c, struct str zip);

/* HAPI's address-postalcode: one of them begins with `text`, or is it exactly. ASCII case aside. */
bool postal_codes_match(const struct postal_codes *c, struct str text, bool exact);

#endif
