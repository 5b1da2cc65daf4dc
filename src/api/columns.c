/* SPDX-License-Identifier: Apache-2.0 */
#include "api/columns.h"

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

static const struct column zipcode[] = {
    {"zipcode", COLUMN_TEXT, false, "z.zip", "Five digits.", "\"02139\""},
    {"source_url", COLUMN_TEXT, false, NULL, "The FHIR server that it was loaded from.",
     "\"http://127.0.0.1:8090/fhir\""},
    {"mapping_version", COLUMN_INT4, false, NULL, "By which rules the rows were made.", "1"},
    {"watermark", COLUMN_TIME, true, NULL,
     "The server's clock up to which everything is known to be loaded.",
     "\"2024-03-01T00:00:00Z\""},
    {"patients", COLUMN_INT8, false, NULL, "Patients that live there.", "17"},
    {"observations", COLUMN_INT8, false, NULL, "Their observations.", "7939"},
    {"first_loaded_at", COLUMN_TIME, true, NULL, "When it was first loaded.",
     "\"2024-03-01T00:02:00Z\""},
    {"last_loaded_at", COLUMN_TIME, true, NULL, "When it was last loaded.",
     "\"2024-03-01T00:02:00Z\""},
    {"last_run_id", COLUMN_TEXT, true, "z.last_run_id::text", "The run that loaded it last.",
     "\"018e0000-0000-7000-8000-000000000001\""},
    {"last_run_state", COLUMN_TEXT, true,
     "(SELECT run.state FROM run WHERE run.id = z.last_run_id)", "That run's state.",
     "\"completed\""},
};

static const struct column rejected[] = {
    {"id", COLUMN_INT8, false, NULL, "Number of the rejection.", "12"},
    {"resource_type", COLUMN_TEXT, false, NULL, "Patient or Observation.", "\"Observation\""},
    {"resource_id", COLUMN_TEXT, true, NULL, "Its id, when it has a usable one.", "\"o-5002\""},
    {"reason", COLUMN_TEXT, false, NULL, "Why it could not be mapped; never quotes a value.",
     "\"status is missing\""},
    {"pointer", COLUMN_TEXT, false, NULL, "JSON pointer (RFC 6901) to what cannot be mapped.",
     "\"/status\""},
    {"object", COLUMN_TEXT, false, NULL, "Object of the landing zone with its raw bytes.",
     "\"runs/018e/3.ndjson.zst\""},
    {"line", COLUMN_INT8, false, NULL, "Line of that object, from 1.", "4"},
    {"batch_seq", COLUMN_INT4, false, NULL, "The batch that it came with.", "3"},
    {"rejected_at", COLUMN_TIME, false, NULL, "When.", "\"2024-03-01T00:01:00Z\""},
    {"replayed_at", COLUMN_TIME, true, NULL, "When a later mapping took it.", NULL},
};

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

const struct column_table columns_patient = {
    "Patient",     "A patient, as mapped from FHIR (docs/MAPPING.md).", "{patient}", "p", patient,
    COUNT(patient)};
const struct column_table columns_observation = {
    "Observation",   "An observation, as mapped from FHIR (docs/MAPPING.md).",
    "{observation}", "o",
    observation,     COUNT(observation)};
const struct column_table columns_zipcode = {
    "Zipcode", "What is loaded of a zip code.", "{zipcode}", "z", zipcode, COUNT(zipcode)};
const struct column_table columns_rejected = {"Rejected",   "A resource that could not be mapped.",
                                              "{rejected}", "r",
                                              rejected,     COUNT(rejected)};

const struct column_table *const columns_all[] = {&columns_patient, &columns_observation,
                                                  &columns_zipcode, &columns_rejected, NULL};

static void expand_one(struct buf *out, const struct column_table *t)
{
	for (size_t i = 0; i < t->count; i++) {
		const struct column *c = &t->columns[i];

		if (i)
			buf_lit(out, ", ");
		if (c->sql)
			buf_add_cstr(out, c->sql);
		else
			buf_printf(out, "%s.%s", t->alias, c->name);
	}
}

static const struct column_table *mark_at(const char *p)
{
	for (size_t i = 0; columns_all[i]; i++)
		if (strncmp(p, columns_all[i]->mark, strlen(columns_all[i]->mark)) == 0)
			return columns_all[i];
	return NULL;
}

bool columns_expand(struct buf *out, const char *sql)
{
	while (*sql) {
		const struct column_table *t = *sql == '{' ? mark_at(sql) : NULL;

		if (t) {
			expand_one(out, t);
			sql += strlen(t->mark);
		} else {
			buf_add_char(out, *sql++);
		}
	}
	return !out->failed;
}

void columns_type_schema(struct buf *out, enum column_type type, bool nullable)
{
	static const struct {
		const char *type, *more;
	} kinds[] = {
	    [COLUMN_TEXT] = {"string", ""},
	    [COLUMN_TEXT_ARRAY] = {"array", ",\"items\":{\"type\":\"string\"}"},
	    [COLUMN_BOOL] = {"boolean", ""},
	    [COLUMN_INT4] = {"integer", ""},
	    [COLUMN_INT8] = {"integer", ""},
	    [COLUMN_NUMERIC] = {"number", ""},
	    [COLUMN_DATE] = {"string", ",\"format\":\"date\""},
	    [COLUMN_TIME] = {"string", ",\"format\":\"date-time\""},
	    [COLUMN_TIME_US] = {"string", ",\"format\":\"date-time\""},
	};

	if (type == COLUMN_JSON) /* any JSON value */
		return;
	if (nullable)
		buf_printf(out, "\"type\":[\"%s\",\"null\"]%s", kinds[type].type, kinds[type].more);
	else
		buf_printf(out, "\"type\":\"%s\"%s", kinds[type].type, kinds[type].more);
}

void columns_schema(struct buf *out, const struct column_table *t)
{
	buf_lit(out, "{\"type\":\"object\",\"description\":");
	buf_add_json(out, str_of(t->words));
	buf_lit(out, ",\"properties\":{");
	for (size_t i = 0; i < t->count; i++) {
		const struct column *c = &t->columns[i];

		if (i)
			buf_lit(out, ",");
		buf_printf(out, "\"%s\":{", c->name);
		if (c->type != COLUMN_JSON) {
			columns_type_schema(out, c->type, c->nullable);
			buf_lit(out, ",");
		}
		buf_lit(out, "\"description\":");
		buf_add_json(out, str_of(c->words));
		if (c->example)
			buf_printf(out, ",\"examples\":[%s]", c->example);
		buf_lit(out, "}");
	}
	buf_lit(out, "},\"required\":[");
	for (size_t i = 0; i < t->count; i++)
		buf_printf(out, "%s\"%s\"", i ? "," : "", t->columns[i].name);
	buf_lit(out, "],\"additionalProperties\":false}");
}
