/* SPDX-License-Identifier: Apache-2.0
 *
 * value.h: value[x] of an Observation and of its components (inside src/fhir only).
 * R4: observation.html, Observation.value[x]; docs/MAPPING.md, section 4.
 */
#ifndef FHIRLINE_FHIR_VALUE_H
#define FHIRLINE_FHIR_VALUE_H

#include "fhir/element.h"

enum fhir_value_type {
	FHIR_VALUE_NONE,
	FHIR_VALUE_QUANTITY,
	FHIR_VALUE_CODEABLE_CONCEPT,
	FHIR_VALUE_STRING,
	FHIR_VALUE_BOOLEAN,
	FHIR_VALUE_INTEGER,
	FHIR_VALUE_RANGE,
	FHIR_VALUE_RATIO,
	FHIR_VALUE_SAMPLED_DATA,
	FHIR_VALUE_TIME,
	FHIR_VALUE_DATE_TIME,
	FHIR_VALUE_PERIOD,
};

struct fhir_value {
	enum fhir_value_type type;
	char key[24];         /* "valueQuantity", for paths; empty without a value */
	struct str type_name; /* "Quantity"; absent without a value */
	struct str number;    /* Quantity, Integer: JSON's text */
	struct str comparator;
	struct str unit;
	struct str system;
	struct str code;
	struct str text;    /* String, Time, CodeableConcept; DateTime as it stands */
	yyjson_val *object; /* Range, Ratio, SampledData, Period: the source's object */
	int boolean;        /* -1: none */
	struct fhir_span
	    at; /* DateTime: its instant is the start. A Period is left to the caller */
};

/* Reads the choice that fhir_fields() found. `up`: whose member it is. */
void fhir_value_read(struct fhir_mapping *m, const struct fhir_slot *slot,
                     const struct fhir_path *up, struct fhir_value *out);

/* The components column, to the end of its jsonb. */
void fhir_write_components(struct fhir_mapping *m, yyjson_val *array);

#endif
