/* SPDX-License-Identifier: Apache-2.0 */
#include "land/fates.h"

#include <stdlib.h>

#include <yyjson.h>

enum { VERSION = 1 };

static const char *const names[LAND_FATES] = {
    [LAND_PATIENTS_DELETED] = "patients_deleted",
    [LAND_PATIENTS_LEFT] = "patients_left",
    [LAND_PATIENTS_OPEN] = "patients_open",
    [LAND_OBSERVATIONS_DELETED] = "observations_deleted",
};

void land_fates_begin(struct buf *b)
{
	buf_printf(b, "{\"format\":\"fhirline-fates\",\"version\":%d", VERSION);
}

void land_fates_list(struct buf *b, enum land_fate fate)
{
	buf_printf(b, "%s,\n\"%s\":[", fate ? "]" : "", names[fate]);
}

void land_fates_id(struct buf *b, struct str id)
{
	/* the first one follows the bracket */
	buf_add_cstr(b, b->n && b->p[b->n - 1] == '[' ? "\n" : ",\n");
	buf_add_json(b, id);
}

void land_fates_end(struct buf *b)
{
	buf_lit(b, "]}\n");
}

static bool bad(struct err *err, const char *what)
{
	return err_set(err, ERR_DATA, "land.fates", "the fates of a run are damaged: %s", what);
}

static bool all_texts(yyjson_val *list)
{
	size_t i, max;
	yyjson_val *v;

	yyjson_arr_foreach(list, i, max, v)
	{
		if (!yyjson_is_str(v))
			return false;
	}
	return true;
}

static bool read_lists(yyjson_val *root, struct land_fates *out, struct err *err)
{
	for (int f = 0; f < LAND_FATES; f++) {
		yyjson_val *list = yyjson_obj_get(root, names[f]);

		if (!yyjson_is_arr(list) || !all_texts(list))
			return bad(err, names[f]);
		out->ids[f] = yyjson_val_write(list, 0, NULL);
		out->count[f] = yyjson_arr_size(list);
		if (!out->ids[f])
			return err_set(err, ERR_NOMEM, "land.fates", "out of memory");
	}
	return true;
}

bool land_fates_read(struct str json, struct land_fates *out, struct err *err)
{
	yyjson_doc *doc = yyjson_read(json.p, json.n, 0);
	yyjson_val *root = yyjson_doc_get_root(doc);
	struct land_fates f = {0};
	bool ok;

	if (!yyjson_equals_str(yyjson_obj_get(root, "format"), "fhirline-fates"))
		ok = bad(err, "it is none");
	else if (yyjson_get_int(yyjson_obj_get(root, "version")) != VERSION)
		ok = bad(err, "its version is not known: use a newer fhirline");
	else
		ok = read_lists(root, &f, err);
	yyjson_doc_free(doc);
	if (ok)
		*out = f;
	else
		land_fates_free(&f);
	return ok;
}

void land_fates_free(struct land_fates *f)
{
	for (int i = 0; i < LAND_FATES; i++) {
		free(f->ids[i]);
		f->ids[i] = NULL;
	}
}
