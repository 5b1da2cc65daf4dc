/* SPDX-License-Identifier: Apache-2.0 */
#include "api/csv_row.h"

#include <string.h>

#include "api/json_row.h"

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
static void csv_plain(struct buf *out, enum column_type type, const PGresult *result, int row,
                      int column)
{
	size_t start = out->n, n;

	json_value(out, type, result, row, column);
	n = out->n - start;
	if (str_is((struct str){out->p + start, n}, "null")) {
		out->n = start;
	} else if (n >= 2 && out->p[start] == '"') {
		memmove(out->p + start, out->p + start + 1, n - 2);
		out->n -= 2;
	}
}

static void csv_array(struct buf *out, const PGresult *result, int row, int column)
{
	struct buf json = BUF_INIT(out->max);

	json_value(&json, COLUMN_TEXT_ARRAY, result, row, column);
	if (json.failed)
		out->failed = true;
	else
		csv_text(out, (struct str){json.p, json.n});
	buf_free(&json);
}

static void csv_value(struct buf *out, enum column_type type, const PGresult *result, int row,
                      int column)
{
	struct str text;

	if (PQgetisnull(result, row, column))
		return;
	switch (type) {
	case COLUMN_TEXT:
		csv_text(out, json_get_text(result, row, column));
		break;
	case COLUMN_BOOL:
	case COLUMN_INT4:
	case COLUMN_INT8:
		json_value(out, type, result, row, column);
		break;
	case COLUMN_JSON: /* a version byte, then the text */
		text = json_get_text(result, row, column);
		csv_text(out, (struct str){text.p + 1, text.n - 1});
		break;
	case COLUMN_TEXT_ARRAY:
		csv_array(out, result, row, column);
		break;
	case COLUMN_NUMERIC:
	case COLUMN_DATE:
	case COLUMN_TIME:
	case COLUMN_TIME_US:
		csv_plain(out, type, result, row, column);
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

void csv_row(struct buf *out, const struct column_table *table, const PGresult *result, int row)
{
	for (size_t i = 0; i < table->count; i++) {
		if (i)
			buf_lit(out, ",");
		csv_value(out, table->columns[i].type, result, row, (int)i);
	}
	buf_lit(out, "\r\n");
}
