/* SPDX-License-Identifier: Apache-2.0 */
#include "pg/csv_row.h"

#include <string.h>

#include "pg/json_row.h"

static bool needs_quotes(struct str text)
{
	if (text.n == 0)
		return true;
	for (size_t i = 0; i < text.n; i++)
		if (text.p[i] == ',' || text.p[i] == '"' || text.p[i] == '\r' || text.p[i] == '\n')
			return true;
	return false;
}

void csv_text(struct buf *out, struct str text)
{
	if (!needs_quotes(text)) {
		buf_add_str(out, text);
		return;
	}
	buf_lit(out, "\"");
	while (text.n) {
		const char *quote = memchr(text.p, '"', text.n);
		size_t n = quote ? (size_t)(quote - text.p) + 1 : text.n;

		buf_add(out, text.p, n);
		if (quote)
			buf_lit(out, "\"");
		text.p += n;
		text.n -= n;
	}
	buf_lit(out, "\"");
}

/* Numbers, dates and times: their JSON, without quotes around it. Nothing in them needs any. */
static void csv_plain(struct buf *out, enum column_type type, struct str v)
{
	size_t start = out->n, n;

	json_field(out, type, v);
	n = out->n - start;
	if (str_is((struct str){out->p + start, n}, "null")) {
		out->n = start;
	} else if (n >= 2 && out->p[start] == '"') {
		memmove(out->p + start, out->p + start + 1, n - 2);
		out->n -= 2;
	}
}

static void csv_array(struct buf *out, struct str v)
{
	struct buf json = BUF_INIT(out->max);

	json_field(&json, COLUMN_TEXT_ARRAY, v);
	if (json.failed)
		out->failed = true;
	else
		csv_text(out, (struct str){json.p, json.n});
	buf_free(&json);
}

static void csv_field(struct buf *out, enum column_type type, struct str v)
{
	if (!v.p)
		return;
	switch (type) {
	case COLUMN_TEXT:
		csv_text(out, v);
		break;
	case COLUMN_JSON: /* a version byte, then the text */
		csv_text(out, (struct str){v.p + 1, v.n ? v.n - 1 : 0});
		break;
	case COLUMN_TEXT_ARRAY:
		csv_array(out, v);
		break;
	case COLUMN_BOOL:
	case COLUMN_INT4:
	case COLUMN_INT8:
	case COLUMN_NUMERIC:
	case COLUMN_DATE:
	case COLUMN_TIME:
	case COLUMN_TIME_US:
		csv_plain(out, type, v);
		break;
	}
}

void csv_header(struct buf *out, const struct column_table *table)
{
	for (size_t i = 0; i < table->count; i++) {
		if (i)
			buf_lit(out, ",");
		csv_text(out, str_of(table->columns[i].name));
	}
	buf_lit(out, "\r\n");
}

static void csv_next(struct buf *out, const struct column_table *table, size_t i, struct str v)
{
	if (i)
		buf_lit(out, ",");
	csv_field(out, table->columns[i].type, v);
}

void csv_row(struct buf *out, const struct column_table *table, const PGresult *result, int row)
{
	for (size_t i = 0; i < table->count; i++)
		csv_next(out, table, i, json_get_text(result, row, (int)i));
	buf_lit(out, "\r\n");
}

void csv_fields(struct buf *out, const struct column_table *table, const struct str *fields)
{
	for (size_t i = 0; i < table->count; i++)
		csv_next(out, table, i, fields[i]);
	buf_lit(out, "\r\n");
}
