/* SPDX-License-Identifier: Apache-2.0
 *
 * generate.h: the generated resources as compact JSON.
 *
 * Shapes follow Synthea's data (about 1 KB an observation; Quantity 78 %, CodeableConcept 17 %,
 * components only 5 %, rare surveys of 21 components), plus, rarely, what Synthea never has:
 * Period, Instant and Timing, partial dates, dataAbsentReason, the other value types, several
 * categories and codings, entered-in-error, absolute and versioned references.
 */
#ifndef FHIRLINE_SANDBOX_GENERATE_H
#define FHIRLINE_SANDBOX_GENERATE_H

#include <stdint.h>

#include "base/str.h"
#include "sandbox/population.h"

/* No generated resource is longer, with a base of at most GENERATE_BASE_MAX bytes. */
#define GENERATE_MAX 24576
#define GENERATE_BASE_MAX 320

/* Which version of a generated resource. Version 1 is {1, population_instant(i), 0, 0}. */
struct revision {
	uint32_t version; /* meta.versionId */
	int64_t instant;  /* meta.lastUpdated, in microseconds; milliseconds are written */
	uint32_t changed; /* how often churn changed it: draws other values for the same thing */
	uint32_t moved;   /* patients: odd numbers live on the other side of the zip's border */
};

/* Writes at w, where GENERATE_MAX bytes must be free, and returns the end. `base` is the server's
 * base URL, for the few absolute references. */
char *generate_patient(const struct population *p, char *w, uint32_t i, const struct revision *r);
char *generate_observation(const struct population *p, char *w, uint32_t i, uint32_t j,
                           const struct revision *r, struct str base);

/* Of the patient, in days since 1970: what both generators need. */
int64_t generate_birth_days(const struct population *p, uint32_t i);

/* `"meta":{"versionId":"1","lastUpdated":"…"` without a closing brace. */
char *generate_meta(char *w, const struct revision *r);

/* The codes of observations (observation_codes.c). */
enum value_kind {
	VALUE_QUANTITY,
	VALUE_CODEABLE,
	VALUE_BLOOD_PRESSURE,
	VALUE_SURVEY,
	VALUE_STRING,
	VALUE_ABSENT,
	VALUE_INTEGER,
	VALUE_BOOLEAN,
	VALUE_RATIO,
	VALUE_RANGE,
	VALUE_SAMPLED,
	VALUE_TIME,
	VALUE_DATETIME,
	VALUE_PERIOD,
	VALUE_NONE,
};

struct observation_code {
	uint16_t weight; /* per mille of all observations */
	enum value_kind kind;
	struct str head;   /* from `","category":[` to `"subject":{"reference":"` */
	struct str tail;   /* quantities: from `,"unit":` to the end of the value */
	int64_t low, high; /* quantities: range, in units of 10^-places */
	uint8_t places;
	bool vital; /* has the US Core vital signs profile */
};

extern const struct observation_code observation_codes[];
extern const unsigned observation_code_count;

/* Answers for VALUE_CODEABLE: whole CodeableConcepts. */
#define OBSERVATION_ANSWERS 8
extern const struct str observation_answers[OBSERVATION_ANSWERS];

/* The 21 questions of VALUE_SURVEY: components up to their value. */
#define OBSERVATION_QUESTIONS 21
extern const struct str observation_questions[OBSERVATION_QUESTIONS];

#endif
