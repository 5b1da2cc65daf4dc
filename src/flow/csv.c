/* SPDX-License-Identifier: Apache-2.0 */
#include "flow/csv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pg/csv_row.h"

enum { PIECE = 256 * 1024, ROW_MAX = 256 * 1024 * 1024, FIELDS = FHIR_OBSERVATION_COLUMNS };

struct flow_csv {
	struct land_plain *file;
	enum fhir_type type;
	struct column_table columns;
	struct buf text;
	int64_t rows;
};

void flow_csv_name(char out[160], const char *object)
{
	static const char suffix[] = ".ndjson.zst";
	size_t n = strlen(object), cut = sizeof suffix - 1;

	if (n > cut && strcmp(object + n - cut, suffix) == 0)
		n -= cut;
	snprintf(out, 160, "%.*s.csv", (int)n, object);
}

struct flow_csv *flow_csv_create(struct land *l, const char *object, enum fhir_type type,
                                 struct err *err)
{
	struct flow_csv *c = calloc(1, sizeof *c);
	char name[160];

	if (!c) {
		err_set(err, ERR_NOMEM, "flow.csv", "out of memory");
		return NULL;
	}
	*c = (struct flow_csv){
	    .type = type, .columns = columns_mapped(type), .text = BUF_INIT(ROW_MAX)};
	flow_csv_name(name, object);
	c->file = land_plain_create(l, name, true, err);
	if (!c->file) {
		free(c);
		return NULL;
	}
	csv_header(&c->text, &c->columns);
	return c;
}

static bool pass_on(struct flow_csv *c, struct err *err)
{
	bool ok = buf_ok(&c->text, "a row of CSV", err) &&
	          land_plain_write(c->file, c->text.p, c->text.n, err);

	buf_clear(&c->text);
	return ok;
}

bool flow_csv_row(struct flow_csv *c, struct str row, struct err *err)
{
	struct str fields[FIELDS];

	if (!columns_mapped_fields(c->type, row, fields))
		return err_set(err, ERR_INTERNAL, "flow.csv", "a mapped row has other columns");
	csv_fields(&c->text, &c->columns, fields);
	c->rows++;
	return (c->text.n < PIECE && !c->text.failed) || pass_on(c, err);
}

bool flow_csv_commit(struct flow_csv *c, struct land_object *out, struct err *err)
{
	bool ok = pass_on(c, err);

	if (ok)
		ok = land_plain_commit(c->file, out, err);
	else
		land_plain_abort(c->file);
	if (ok) {
		out->lines = c->rows;
		out->raw_bytes = out->bytes;
	}
	buf_free(&c->text);
	free(c);
	return ok;
}

void flow_csv_abort(struct flow_csv *c)
{
	if (!c)
		return;
	land_plain_abort(c->file);
	buf_free(&c->text);
	free(c);
}
