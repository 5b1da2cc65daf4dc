/* SPDX-License-Identifier: Apache-2.0 */
#include "land/manifest.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <yyjson.h>

#include "base/clock.h"
#include "land/impl.h"

enum { VERSION = 1, OBJECTS_MAX = 10000000 };

/* What land_manifest_read() gives out; the manifest comes first. */
struct read_manifest {
	struct land_manifest m;
	yyjson_doc *doc; /* owns the texts */
};

static const struct {
	const char *key;
	size_t at;
} counts[] = {
#define COUNT(name)                                                                                \
	{                                                                                          \
#name, offsetof(struct land_manifest_count, name)                                  \
	}
    COUNT(expected), COUNT(fetched),   COUNT(landed),  COUNT(staged),   COUNT(inserted),
    COUNT(updated),  COUNT(unchanged), COUNT(deleted), COUNT(rejected), COUNT(duplicates),
    COUNT(moved),    COUNT(elsewhere), COUNT(missing),
#undef COUNT
};

enum { COUNTS = sizeof counts / sizeof *counts };

const char *land_manifest_type_name(enum land_manifest_type t)
{
	return t == LAND_PATIENT ? "Patient" : "Observation";
}

void land_manifest_name(char out[160], const char *zip, const char *run_id)
{
	snprintf(out, 160, "zip=%s/run=%s/manifest.json", zip, run_id);
}

void land_fates_name(char out[160], const char *zip, const char *run_id)
{
	snprintf(out, 160, "zip=%s/run=%s/fates.json", zip, run_id);
}

/* ---- writing ---- */

static void add_text(struct buf *b, const char *key, const char *value)
{
	buf_printf(b, "  \"%s\": ", key);
	if (value)
		buf_add_json(b, str_of(value));
	else
		buf_lit(b, "null");
	buf_lit(b, ",\n");
}

static void add_time(struct buf *b, const char *key, int64_t us)
{
	char text[CLOCK_TEXT];

	if (us != INT64_MIN)
		clock_format(us, text);
	add_text(b, key, us != INT64_MIN ? text : NULL);
}

static void add_fates(struct buf *b, const struct land_object *f)
{
	if (!f->name[0]) {
		buf_lit(b, "  \"fates\": null,\n");
		return;
	}
	buf_lit(b, "  \"fates\": {\"name\": ");
	buf_add_json(b, str_of(f->name));
	buf_lit(b, ", \"sha256\": ");
	buf_add_json(b, str_of(f->sha256));
	buf_printf(b, ", \"bytes\": %" PRId64 "},\n", f->bytes);
}

static void add_counts(struct buf *b, enum land_manifest_type t,
                       const struct land_manifest_count *c)
{
	buf_printf(b, "    \"%s\": {", land_manifest_type_name(t));
	for (size_t i = 0; i < COUNTS; i++) {
		const int64_t *v = (const int64_t *)(const void *)((const char *)c + counts[i].at);

		buf_printf(b, "%s\"%s\": ", i ? ", " : "", counts[i].key);
		if (*v < 0)
			buf_lit(b, "null");
		else
			buf_printf(b, "%" PRId64, *v);
	}
	buf_printf(b, "}%s\n", t + 1 < LAND_TYPES ? "," : "");
}

void land_manifest_begin(struct buf *b, const struct land_manifest *m)
{
	buf_printf(b, "{\n  \"format\": \"fhirline-manifest\",\n  \"version\": %d,\n", VERSION);
	add_text(b, "run_id", m->run_id);
	add_text(b, "zip", m->zip);
	add_text(b, "kind", m->kind);
	add_text(b, "state", m->state);
	add_text(b, "source_url", m->source_url);
	add_text(b, "fhirline_version", m->fhirline_version);
	buf_printf(b, "  \"mapping_version\": %d,\n", m->mapping_version);
	add_time(b, "started_at", m->started_us);
	add_time(b, "ended_at", m->ended_us);
	add_time(b, "watermark", m->watermark_us);
	add_time(b, "swept_at", m->swept_us);
	add_text(b, "after", m->after[0] ? m->after : NULL);
	add_fates(b, &m->fates);
	add_text(b, "reconciliation", m->reconciliation);
	buf_lit(b, "  \"counts\": {\n");
	for (int t = 0; t < LAND_TYPES; t++)
		add_counts(b, (enum land_manifest_type)t, &m->counts[t]);
	buf_lit(b, "  },\n  \"objects\": [");
}

static void add_file(struct buf *b, enum land_manifest_type type, const struct land_object *o)
{
	/* the first one follows the bracket */
	buf_printf(b, "%s\n    {\"name\": ", b->n && b->p[b->n - 1] == '[' ? "" : ",");
	buf_add_json(b, str_of(o->name));
	buf_printf(b, ", \"type\": \"%s\", \"sha256\": ", land_manifest_type_name(type));
	buf_add_json(b, str_of(o->sha256));
	buf_printf(b, ", \"bytes\": %" PRId64, o->bytes);
}

void land_manifest_object(struct buf *b, enum land_manifest_type type, const struct land_object *o)
{
	add_file(b, type, o);
	buf_printf(b, ", \"raw_bytes\": %" PRId64 ", \"lines\": %" PRId64 "}", o->raw_bytes,
	           o->lines);
}

void land_manifest_begin_csv(struct buf *b)
{
	buf_lit(b, "\n  ],\n  \"csv\": [");
}

void land_manifest_csv(struct buf *b, enum land_manifest_type type, const struct land_object *o)
{
	add_file(b, type, o);
	buf_printf(b, ", \"rows\": %" PRId64 "}", o->lines);
}

bool land_manifest_end(struct buf *b, struct err *err)
{
	buf_lit(b, "\n  ]\n}\n");
	return buf_ok(b, "the manifest of a run", err);
}

/* ---- reading ---- */

static bool bad(struct err *err, const char *what)
{
	return err_set(err, ERR_DATA, "land.manifest", "the manifest of a run is damaged: %s",
	               what);
}

static bool get_count(yyjson_val *v, int64_t *out)
{
	if (!yyjson_is_uint(v) || yyjson_get_uint(v) > INT64_MAX)
		return false;
	*out = (int64_t)yyjson_get_uint(v);
	return true;
}

/* The text of a member that must be there and fit. */
static bool get_fixed(yyjson_val *root, const char *key, char *out, size_t size)
{
	yyjson_val *v = yyjson_obj_get(root, key);

	if (!yyjson_is_str(v) || yyjson_get_len(v) >= size ||
	    strlen(yyjson_get_str(v)) != yyjson_get_len(v))
		return false;
	memcpy(out, yyjson_get_str(v), yyjson_get_len(v) + 1);
	return true;
}

static bool digits(struct str s, size_t at, size_t n, int64_t max, int64_t *out)
{
	return str_int((struct str){s.p + at, n}, 0, max, out);
}

/* What clock_format() writes; null is INT64_MIN. */
static bool get_time(yyjson_val *v, int64_t *us)
{
	struct str s = {yyjson_get_str(v), yyjson_get_len(v)};
	int64_t y, mo, d, h, mi, sec, micro = 0;

	if (yyjson_is_null(v)) {
		*us = INT64_MIN;
		return true;
	}
	if (!s.p || (s.n != 20 && s.n != 27) || s.p[s.n - 1] != 'Z' || s.p[10] != 'T')
		return false;
	if (!digits(s, 0, 4, 9999, &y) || !digits(s, 5, 2, 12, &mo) || !digits(s, 8, 2, 31, &d) ||
	    !digits(s, 11, 2, 23, &h) || !digits(s, 14, 2, 59, &mi) || !digits(s, 17, 2, 59, &sec))
		return false;
	if (s.n == 27 && !digits(s, 20, 6, 999999, &micro))
		return false;
	if (mo < 1 || d < 1 || d > clock_days_in_month((int)y, (int)mo))
		return false;
	*us = ((clock_days_from_civil((int)y, (int)mo, (int)d) * 24 + h) * 60 + mi) * 60 + sec;
	*us = *us * 1000000 + micro;
	return true;
}

static bool read_counts(yyjson_val *root, struct land_manifest *m)
{
	for (int t = 0; t < LAND_TYPES; t++) {
		yyjson_val *o =
		    yyjson_obj_get(root, land_manifest_type_name((enum land_manifest_type)t));

		for (size_t i = 0; i < COUNTS; i++) {
			yyjson_val *v = yyjson_obj_get(o, counts[i].key);
			int64_t *to = (int64_t *)(void *)((char *)&m->counts[t] + counts[i].at);

			if (yyjson_is_null(v))
				*to = -1;
			else if (!get_count(v, to))
				return false;
		}
	}
	return true;
}

static bool read_file(yyjson_val *v, struct land_manifest_object *o)
{
	char type[16];
	struct err ignored;

	if (!get_fixed(v, "name", o->object.name, sizeof o->object.name) ||
	    !land_name_check(o->object.name, &ignored) ||
	    !get_fixed(v, "sha256", o->object.sha256, sizeof o->object.sha256) ||
	    !get_fixed(v, "type", type, sizeof type))
		return false;
	if (strcmp(type, "Patient") != 0 && strcmp(type, "Observation") != 0)
		return false;
	o->type = strcmp(type, "Patient") == 0 ? LAND_PATIENT : LAND_OBSERVATION;
	return get_count(yyjson_obj_get(v, "bytes"), &o->object.bytes);
}

static bool read_object(yyjson_val *v, struct land_manifest_object *o)
{
	return read_file(v, o) && get_count(yyjson_obj_get(v, "raw_bytes"), &o->object.raw_bytes) &&
	       get_count(yyjson_obj_get(v, "lines"), &o->object.lines);
}

static bool read_csv(yyjson_val *v, struct land_manifest_object *o)
{
	if (!read_file(v, o) || !get_count(yyjson_obj_get(v, "rows"), &o->object.lines))
		return false;
	o->object.raw_bytes = o->object.bytes;
	return true;
}

/* A list of the manifest. The caller owns what *out points to, also on failure. */
static bool read_list(yyjson_val *list, bool (*one)(yyjson_val *, struct land_manifest_object *),
                      const char *what, struct land_manifest_object **out, size_t *count,
                      struct err *err)
{
	yyjson_val *v;
	size_t i, max;

	if (!yyjson_is_arr(list) || yyjson_arr_size(list) > OBJECTS_MAX)
		return bad(err, what);
	*out = calloc(yyjson_arr_size(list) + 1, sizeof **out);
	if (!*out)
		return err_set(err, ERR_NOMEM, "land.manifest", "out of memory");
	yyjson_arr_foreach(list, i, max, v)
	{
		if (!one(v, &(*out)[i]))
			return bad(err, what);
		++*count;
	}
	return true;
}

static bool read_objects(yyjson_val *root, struct land_manifest *m, struct err *err)
{
	yyjson_val *csv = yyjson_obj_get(root, "csv"); /* earlier versions have none */

	return read_list(yyjson_obj_get(root, "objects"), read_object, "objects", &m->objects,
	                 &m->object_count, err) &&
	       (!csv || read_list(csv, read_csv, "csv", &m->csv, &m->csv_count, err));
}

/* What manifests of earlier versions do not have: absent is as null. */
static bool get_later_time(yyjson_val *root, const char *key, int64_t *us)
{
	yyjson_val *v = yyjson_obj_get(root, key);

	*us = INT64_MIN;
	return !v || get_time(v, us);
}

static bool get_fates(yyjson_val *v, struct land_object *out)
{
	struct err ignored;

	return !v || yyjson_is_null(v) ||
	       (get_fixed(v, "name", out->name, sizeof out->name) &&
	        land_name_check(out->name, &ignored) &&
	        get_fixed(v, "sha256", out->sha256, sizeof out->sha256) &&
	        get_count(yyjson_obj_get(v, "bytes"), &out->bytes));
}

static bool read_ties(yyjson_val *root, struct land_manifest *m)
{
	yyjson_val *after = yyjson_obj_get(root, "after");

	if (after && !yyjson_is_null(after) &&
	    (!get_fixed(root, "after", m->after, sizeof m->after) || !uuid_valid(str_of(m->after))))
		return false;
	return get_later_time(root, "watermark", &m->watermark_us) &&
	       get_later_time(root, "swept_at", &m->swept_us) &&
	       get_fates(yyjson_obj_get(root, "fates"), &m->fates);
}

static bool read_head(yyjson_val *root, struct land_manifest *m, struct err *err)
{
	int64_t version = 0, mapping = 0;

	if (!yyjson_equals_str(yyjson_obj_get(root, "format"), "fhirline-manifest") ||
	    !get_count(yyjson_obj_get(root, "version"), &version))
		return bad(err, "it is none");
	if (version != VERSION)
		return err_set(
		    err, ERR_DATA, "land.manifest",
		    "the manifest of a run has version %" PRId64 "; use a newer fhirline", version);
	if (!get_fixed(root, "run_id", m->run_id, sizeof m->run_id) ||
	    !uuid_valid(str_of(m->run_id)) || !get_fixed(root, "zip", m->zip, sizeof m->zip) ||
	    !str_is_zip(str_of(m->zip)) || !get_fixed(root, "kind", m->kind, sizeof m->kind) ||
	    !get_fixed(root, "state", m->state, sizeof m->state))
		return bad(err, "run_id, zip, kind or state");
	if (!get_count(yyjson_obj_get(root, "mapping_version"), &mapping) || mapping > INT32_MAX)
		return bad(err, "mapping_version");
	m->mapping_version = (int)mapping;
	m->source_url = yyjson_get_str(yyjson_obj_get(root, "source_url"));
	m->fhirline_version = yyjson_get_str(yyjson_obj_get(root, "fhirline_version"));
	m->reconciliation = yyjson_get_str(yyjson_obj_get(root, "reconciliation"));
	if (!m->source_url || !m->fhirline_version)
		return bad(err, "source_url or fhirline_version");
	if (!get_time(yyjson_obj_get(root, "started_at"), &m->started_us) ||
	    !get_time(yyjson_obj_get(root, "ended_at"), &m->ended_us))
		return bad(err, "started_at or ended_at");
	if (!read_ties(root, m))
		return bad(err, "watermark, swept_at, after or fates");
	return read_counts(yyjson_obj_get(root, "counts"), m) || bad(err, "counts");
}

struct land_manifest *land_manifest_read(struct str json, struct err *err)
{
	struct read_manifest *r = calloc(1, sizeof *r);
	yyjson_val *root;

	if (!r) {
		err_set(err, ERR_NOMEM, "land.manifest", "out of memory");
		return NULL;
	}
	r->doc = yyjson_read(json.p, json.n, 0);
	root = yyjson_doc_get_root(r->doc);
	if (!yyjson_is_obj(root))
		bad(err, "it is not JSON");
	else if (read_head(root, &r->m, err) && read_objects(root, &r->m, err))
		return &r->m;
	land_manifest_free(&r->m);
	return NULL;
}

void land_manifest_free(struct land_manifest *m)
{
	struct read_manifest *r = (struct read_manifest *)(void *)m;

	if (!m)
		return;
	free(m->objects);
	free(m->csv);
	yyjson_doc_free(r->doc);
	free(r);
}
