/* SPDX-License-Identifier: Apache-2.0 */
#include "api/run_json.h"

#include <stdio.h>

#include "api/columns.h"
#include "pg/json_row.h"

/* The key in JSON, and with `sql` the column where it has another name. */
static const struct column columns[] = {
    {"run_id", COLUMN_TEXT, false, "id", "The run's id.",
     "\"018e0000-0000-7000-8000-000000000001\""},
    {"zipcode", COLUMN_TEXT, false, "zip", "Five digits.", "\"02139\""},
    {"source_url", COLUMN_TEXT, false, NULL, "The FHIR server that is read.", NULL},
    {"kind", COLUMN_TEXT, false, NULL,
     "full, incremental (only what changed since the last run), or replay (from the "
     "landing zone).",
     "\"full\""},
    {"state", COLUMN_TEXT, false, NULL,
     "pending, running, completed, incomplete, failed or cancelled.", "\"running\""},
    {"phase", COLUMN_TEXT, false, NULL, "look, read, sweep, reconcile or done.", "\"read\""},
    {"progress", COLUMN_INT8, false, NULL, "Goes up with each change; the id of events.", "42"},
    {"cancel_requested", COLUMN_BOOL, false, NULL, "Whether it has been asked to end.", "false"},
    {"requested_at", COLUMN_TIME_US, true, "requested_us", "When it was asked for.", NULL},
    {"started_at", COLUMN_TIME_US, true, "started_us", "When it began.", NULL},
    {"ended_at", COLUMN_TIME_US, true, "ended_us", "When it ended.", NULL},
    {"since", COLUMN_TIME_US, true, "since_us",
     "Incremental: what changed at or after this is read.", NULL},
    {"watermark", COLUMN_TIME_US, true, "watermark_us",
     "What is known up to, once it is completed.", NULL},
    {"error_code", COLUMN_TEXT, true, NULL, "A word for why it failed.", NULL},
    {"error", COLUMN_TEXT, true, NULL, "Why it failed, and what to do.", NULL},
    {"reconciliation", COLUMN_TEXT, true, NULL, "What the numbers say, in words.", NULL},
    {"patients_known", COLUMN_INT8, false, NULL,
     "Patients whose observations must be read, as far as known.", "20"},
    {"patients_read", COLUMN_INT8, false, NULL, "Patients whose observations have been read.", "7"},
};

static const struct {
	const char *name, *words;
	bool nullable;
} counts[] = {
    {"expected", "The server's own count; null when it gave none.", true},
    {"fetched", "Resources received.", false},
    {"landed", "Kept as they came.", false},
    {"staged", "Mapped to rows.", false},
    {"inserted", "New rows.", false},
    {"updated", "Rows that a newer version has replaced.", false},
    {"unchanged", "Already known in this version.", false},
    {"deleted", "Gone on the server.", false},
    {"rejected", "Could not be mapped: /runs/{id}/rejected.", false},
    {"duplicates", "The same id again.", false},
    {"moved", "Patients who have left the zip code.", false},
    {"elsewhere", "Matched the search, but belong to another zip code.", false},
    {"missing", "The server counted so many more than it gave.", false},
};

enum { COLUMNS = sizeof columns / sizeof columns[0], COUNTS = sizeof counts / sizeof counts[0] };

static void value(struct buf *out, enum column_type type, const PGresult *result, int row,
                  const char *name)
{
	int column = PQfnumber(result, name);

	if (column < 0)
		buf_lit(out, "null");
	else
		json_value(out, type, result, row, column);
}

static void write_counts(struct buf *out, const PGresult *result, int row, const char *key,
                         const char *type)
{
	char name[64];

	buf_printf(out, ",\"%s\":", key);
	for (int i = 0; i < COUNTS; i++) {
		snprintf(name, sizeof name, "%s_%s", type, counts[i].name);
		buf_printf(out, "%c\"%s\":", i ? ',' : '{', counts[i].name);
		value(out, COLUMN_INT8, result, row, name);
	}
	buf_lit(out, "}");
}

void run_json(struct buf *out, const PGresult *result, int row)
{
	for (int i = 0; i < COLUMNS; i++) {
		buf_printf(out, "%c\"%s\":", i ? ',' : '{', columns[i].name);
		value(out, columns[i].type, result, row,
		      columns[i].sql ? columns[i].sql : columns[i].name);
	}
	write_counts(out, result, row, "Patient", "patient");
	write_counts(out, result, row, "Observation", "observation");
	buf_lit(out, "}");
}

void run_json_schema(struct buf *out)
{
	static const char ref[] = "{\"$ref\":\"#/components/schemas/RunCount\"}";
	const struct column_table table = {
	    .words = "A run: one load of a zip code.", .columns = columns, .count = COLUMNS};
	struct buf own = BUF_INIT(64 * 1024);
	char *required;

	/* the two objects of counts go where the properties end, and behind the required names */
	columns_schema(&own, &table);
	required = own.failed ? NULL : strstr(own.p, "},\"required\":[");
	if (required) {
		buf_add(out, own.p, (size_t)(required - own.p));
		buf_printf(out,
		           ",\"Patient\":%s,\"Observation\":%s},\"required\":[\"Patient\","
		           "\"Observation\",%s",
		           ref, ref, required + strlen("},\"required\":["));
	} else {
		out->failed = true;
	}
	buf_free(&own);
}

void run_json_count_schema(struct buf *out)
{
	buf_lit(out, "{\"type\":\"object\",\"description\":\"Numbers that add up: fetched = "
	             "inserted + updated + unchanged + "
	             "rejected + duplicates; expected = fetched - duplicates + elsewhere + "
	             "missing.\",\"properties\":{");
	for (int i = 0; i < COUNTS; i++) {
		buf_printf(out, "%s\"%s\":{\"type\":%s,\"description\":", i ? "," : "",
		           counts[i].name,
		           counts[i].nullable ? "[\"integer\",\"null\"]" : "\"integer\"");
		buf_add_json(out, str_of(counts[i].words));
		buf_lit(out, "}");
	}
	buf_lit(out, "},\"required\":[");
	for (int i = 0; i < COUNTS; i++)
		buf_printf(out, "%s\"%s\"", i ? "," : "", counts[i].name);
	buf_lit(out, "],\"additionalProperties\":false}");
}

static struct str text(const PGresult *result, int row, const char *name)
{
	int column = PQfnumber(result, name);

	return column < 0 ? STR_NONE : json_get_text(result, row, column);
}

static int64_t number(const PGresult *result, int row, const char *name)
{
	int column = PQfnumber(result, name);

	return column < 0 ? 0 : json_get_int8(result, row, column);
}

struct str run_state(const PGresult *result, int row)
{
	return text(result, row, "state");
}

struct str run_zip(const PGresult *result, int row)
{
	return text(result, row, "zip");
}

struct str run_id(const PGresult *result, int row)
{
	return text(result, row, "id");
}

int64_t run_progress(const PGresult *result, int row)
{
	return number(result, row, "progress");
}

int64_t run_ordinal(const PGresult *result, int row)
{
	return number(result, row, "ordinal");
}

bool run_has_ended(struct str state)
{
	return str_is(state, "completed") || str_is(state, "incomplete") ||
	       str_is(state, "failed") || str_is(state, "cancelled");
}
