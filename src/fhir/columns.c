/* SPDX-License-Identifier: Apache-2.0 */
#include "fhir/columns.h"

#include <endian.h>
#include <string.h>

static const struct column patient[] = {
    {"id", COLUMN_TEXT, false, NULL, "The resource's id on the FHIR server.", "\"p-1001\""},
    {"version_id", COLUMN_TEXT, true, NULL, "meta.versionId", "\"1\""},
    {"last_updated", COLUMN_TIME, true, NULL, "meta.lastUpdated", "\"2024-02-29T12:34:56Z\""},
    {"active", COLUMN_BOOL, true, NULL, "Whether the record is in use.", "true"},
    {"family_name", COLUMN_TEXT, true, NULL, "Family name of the chosen name.", "\"García\""},
    {"given_names", COLUMN_TEXT_ARRAY, true, NULL, "All given names of the chosen name.",
     "[\"Ana\",\"María\"]"},
    {"first_name", COLUMN_TEXT, true, NULL, "The first of given_names.", "\"Ana\""},
    {"prefix", COLUMN_TEXT, true, NULL, "Such as Mrs.", "\"Mrs.\""},
    {"suffix", COLUMN_TEXT, true, NULL, "Such as MD.", "\"MD\""},
    {"full_name", COLUMN_TEXT, true, NULL, "The name as text.", "\"Mrs. Ana María García\""},
    {"gender", COLUMN_TEXT, true, NULL, "Administrative gender.", "\"female\""},
    {"birth_date", COLUMN_DATE, true, NULL, "First day of what is known; see birth_date_precision.",
     "\"1970-05-17\""},
    {"birth_date_precision", COLUMN_TEXT, true, NULL, "year, month or day.", "\"day\""},
    {"deceased", COLUMN_BOOL, true, NULL, "Whether the patient has died, when known.", "false"},
    {"deceased_at", COLUMN_TIME, true, NULL, "When the patient died, as far as known.", NULL},
    {"deceased_precision", COLUMN_TEXT, true, NULL, "year, month, day or second.", NULL},
    {"address_line", COLUMN_TEXT, true, NULL, "Street of the chosen address.", "\"7 Main St\""},
    {"city", COLUMN_TEXT, true, NULL, "City.", "\"Cambridge\""},
    {"district", COLUMN_TEXT, true, NULL, "County.", "\"Middlesex County\""},
    {"state", COLUMN_TEXT, true, NULL, "State.", "\"MA\""},
    {"postal_code", COLUMN_TEXT, true, NULL, "Of the chosen address, as it stands there.",
     "\"02139-1234\""},
    {"country", COLUMN_TEXT, true, NULL, "Country.", "\"US\""},
    {"postal_codes", COLUMN_TEXT_ARRAY, true, NULL, "Of every address, as they stand.",
     "[\"02139-1234\"]"},
    {"phone", COLUMN_TEXT, true, NULL, "Telephone number.", "\"555-0100\""},
    {"email", COLUMN_TEXT, true, NULL, "E-mail address.", "\"ana@example.org\""},
    {"marital_status", COLUMN_TEXT, true, NULL, "Code of the marital status.", "\"M\""},
    {"language", COLUMN_TEXT, true, NULL, "Preferred language.", "\"es\""},
    {"race", COLUMN_TEXT, true, NULL, "US Core race.", "\"White\""},
    {"ethnicity", COLUMN_TEXT, true, NULL, "US Core ethnicity.", "\"Hispanic or Latino\""},
    {"birth_sex", COLUMN_TEXT, true, NULL, "US Core birth sex.", "\"F\""},
    {"mrn", COLUMN_TEXT, true, NULL, "Medical record number.", "\"MRN-77\""},
    {"identifiers", COLUMN_JSON, true, NULL, "All identifiers.",
     "[{\"system\":\"urn:example:mrn\",\"value\":\"MRN-77\"}]"},
    {"managing_organization", COLUMN_TEXT, true, NULL, "Id of the managing organization.", NULL},
    {"general_practitioner", COLUMN_TEXT, true, NULL, "Id of the general practitioner.", NULL},
    {"moved_at", COLUMN_TIME, true, NULL,
     "Set when the patient has left every zip code for which it was loaded.", NULL},
};

static const struct column observation[] = {
    {"id", COLUMN_TEXT, false, NULL, "The resource's id on the FHIR server.", "\"o-5001\""},
    {"version_id", COLUMN_TEXT, true, NULL, "meta.versionId", "\"1\""},
    {"last_updated", COLUMN_TIME, true, NULL, "meta.lastUpdated", "\"2024-02-29T12:34:56Z\""},
    {"patient_id", COLUMN_TEXT, true, NULL, "Whose observation it is.", "\"p-1001\""},
    {"encounter_id", COLUMN_TEXT, true, NULL, "In which encounter it was made.", "\"e-3001\""},
    {"status", COLUMN_TEXT, false, NULL, "Such as final, amended or entered-in-error.",
     "\"final\""},
    {"category", COLUMN_TEXT, true, NULL, "First category.", "\"vital-signs\""},
    {"categories", COLUMN_TEXT_ARRAY, true, NULL, "Every category.", "[\"vital-signs\"]"},
    {"code_system", COLUMN_TEXT, true, NULL, "System of the code.", "\"http://loinc.org\""},
    {"code", COLUMN_TEXT, true, NULL, "What was observed.", "\"8302-2\""},
    {"code_display", COLUMN_TEXT, true, NULL, "The code for a person.", "\"Body Height\""},
    {"code_text", COLUMN_TEXT, true, NULL, "code.text", "\"Body Height\""},
    {"codings", COLUMN_JSON, true, NULL, "All codings, when there is more than one.", NULL},
    {"effective_at", COLUMN_TIME, true, NULL, "When: the instant, or the start.",
     "\"2023-06-01T08:15:00Z\""},
    {"effective_end", COLUMN_TIME, true, NULL, "The end, when it is a period.", NULL},
    {"effective_precision", COLUMN_TEXT, true, NULL, "year, month, day or second.", "\"second\""},
    {"issued", COLUMN_TIME, true, NULL, "When this version was made available.",
     "\"2023-06-01T08:15:00.123Z\""},
    {"value_type", COLUMN_TEXT, true, NULL, "Type of value[x]; null without a value.",
     "\"Quantity\""},
    {"value_quantity", COLUMN_NUMERIC, true, NULL, "Quantity or integer, exact.", "170.20"},
    {"value_comparator", COLUMN_TEXT, true, NULL, "Such as < or >=.", NULL},
    {"value_unit", COLUMN_TEXT, true, NULL, "Unit for a person.", "\"cm\""},
    {"value_system", COLUMN_TEXT, true, NULL, "System of the unit or the code.",
     "\"http://unitsofmeasure.org\""},
    {"value_code", COLUMN_TEXT, true, NULL, "Code of the unit or of the concept.", "\"cm\""},
    {"value_text", COLUMN_TEXT, true, NULL,
     "Text, or the concept's name, or JSON of what has no column.", NULL},
    {"value_boolean", COLUMN_BOOL, true, NULL, "A yes or no.", NULL},
    {"value_at", COLUMN_TIME, true, NULL, "A date and time, or a period's start.", NULL},
    {"value_end", COLUMN_TIME, true, NULL, "A period's end.", NULL},
    {"value_precision", COLUMN_TEXT, true, NULL, "year, month, day or second.", NULL},
    {"interpretation", COLUMN_TEXT, true, NULL, "Such as H or L.", "\"N\""},
    {"absent_reason", COLUMN_TEXT, true, NULL, "Why there is no value.", NULL},
    {"reference_low", COLUMN_NUMERIC, true, NULL, "Lower end of the reference range.", NULL},
    {"reference_high", COLUMN_NUMERIC, true, NULL, "Upper end of the reference range.", NULL},
    {"reference_text", COLUMN_TEXT, true, NULL, "The reference range in words.", NULL},
    {"body_site", COLUMN_TEXT, true, NULL, "Where on the body.", NULL},
    {"method", COLUMN_TEXT, true, NULL, "How.", NULL},
    {"note", COLUMN_TEXT, true, NULL, "Notes.", NULL},
    {"components", COLUMN_JSON, true, NULL, "Parts, such as systolic and diastolic.", NULL},
};

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

const struct column_table columns_patient = {
    "Patient",     "A patient, as mapped from FHIR (docs/MAPPING.md).", "{patient}", "p", patient,
    COUNT(patient)};
const struct column_table columns_observation = {
    "Observation",   "An observation, as mapped from FHIR (docs/MAPPING.md).",
    "{observation}", "o",
    observation,     COUNT(observation)};

/* Where a mapped row has its content_hash, which nobody is shown. */
enum { HASH_AT = 3 };

struct column_table columns_mapped(enum fhir_type type)
{
	struct column_table t = type == FHIR_PATIENT ? columns_patient : columns_observation;

	if (type == FHIR_PATIENT)
		t.count--; /* moved_at, the last */
	return t;
}

static uint16_t be16(const char *p)
{
	uint16_t v;

	memcpy(&v, p, sizeof v);
	return be16toh(v);
}

static uint32_t be32(const char *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof v);
	return be32toh(v);
}

bool columns_mapped_fields(enum fhir_type type, struct str row, struct str *fields)
{
	int columns = type == FHIR_PATIENT ? FHIR_PATIENT_COLUMNS : FHIR_OBSERVATION_COLUMNS;
	int wanted = (int)columns_mapped(type).count + 1; /* behind them: batch_seq, line */
	const char *p = row.p, *end = row.p + row.n;

	if (row.n < 2 || be16(p) != columns)
		return false;
	p += 2;
	for (int i = 0; i < wanted; i++) {
		struct str v = STR_NONE;
		int32_t n;

		if (end - p < 4)
			return false;
		n = (int32_t)be32(p);
		p += 4;
		if (n > end - p)
			return false;
		if (n >= 0) {
			v = (struct str){p, (size_t)n};
			p += n;
		}
		if (i != HASH_AT)
			*fields++ = v;
	}
	return true;
}
