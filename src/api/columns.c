/* SPDX-License-Identifier: Apache-2.0 */
#include "api/columns.h"

#include <string.h>

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
