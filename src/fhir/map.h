/* SPDX-License-Identifier: Apache-2.0
 *
 * map.h: one FHIR resource to one table row, in COPY's binary form.
 *
 * The mapping is documented column by column in docs/MAPPING.md, and each rule has a golden case
 * under tests/fhir/golden/. A resource that cannot be mapped is rejected with a reason and a JSON
 * pointer, never half written; reasons name fields, never values. The row is appended to `out`
 * (pg/copy.h) in the column order of stage.patient and stage.observation
 * (sql/migrations/0001_tables.sql): all mapped columns, then batch_seq, then line.
 *
 * FHIR_MAPPING_VERSION goes up whenever the same resource would give another row.
 */
#ifndef FHIRLINE_FHIR_MAP_H
#define FHIRLINE_FHIR_MAP_H

#include <stdbool.h>
#include <stdint.h>
#include <yyjson.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/str.h"

enum { FHIR_MAPPING_VERSION = 1 };

enum fhir_type { FHIR_PATIENT, FHIR_OBSERVATION };

const char *fhir_type_name(enum fhir_type t); /* "Patient", "Observation" */

struct fhir_reject {
	char reason[200]; /* "status is missing", "id breaks FHIR's rule [A-Za-z0-9-.]{1,64}", … */
	char pointer[200]; /* "/status", "/component/3/valueQuantity/value" */
};

enum fhir_mapped {
	FHIR_MAPPED,
	FHIR_REJECTED,
	FHIR_MAP_FAILED /* `out` is full or no memory: nothing about the resource */
};

/* `json`: the resource, parsed with YYJSON_READ_NUMBER_AS_RAW. `raw`: its bytes, hashed when it has
 * no meta. `now_us` decides whether a name's or address's period is over. `scratch` is used and may
 * be reset by the caller afterwards. */
enum fhir_mapped fhir_map_patient(yyjson_val *json, struct str raw, int64_t now_us,
                                  int32_t batch_seq, int64_t line, struct arena *scratch,
                                  struct buf *out, struct fhir_reject *reject);
enum fhir_mapped fhir_map_observation(yyjson_val *json, struct str raw, int32_t batch_seq,
                                      int64_t line, struct arena *scratch, struct buf *out,
                                      struct fhir_reject *reject);

/* How many columns those rows have. */
enum { FHIR_PATIENT_COLUMNS = 37, FHIR_OBSERVATION_COLUMNS = 40 };

/* True when the id follows FHIR's rule: [A-Za-z0-9\-\.]{1,64}. */
bool fhir_id_valid(struct str id);

/* Does the patient live in the zip code: has any address (as the server's search sees it, whatever
 * its period) whose postalCode is the five digits, alone or followed by a four-digit add-on
 * ("02139-1234", "02139 1234", "021391234")? */
bool fhir_patient_lives_in(yyjson_val *patient, const char *zip);

/* A FHIR date, dateTime or instant to its first instant (UTC where it has no zone) and precision.
 */
enum fhir_precision { FHIR_YEAR, FHIR_MONTH, FHIR_DAY, FHIR_SECOND };
bool fhir_parse_datetime(struct str s, int64_t *us, enum fhir_precision *precision);

#endif
