/* SPDX-License-Identifier: Apache-2.0
 *
 * What both tables share: JSON columns, the columns that every row begins with, and a row's begin
 * and end.
 */
#include "fhir/element.h"

#include "base/hash.h"
#include "pg/copy.h"

enum {
	JSON_MAX = 1 << 28, /* bytes; a jsonb value of PostgreSQL holds as much */
	DEPTH_MAX = 32      /* PostgreSQL's own parser recurses */
};

const char *fhir_type_name(enum fhir_type t)
{
	return t == FHIR_PATIENT ? "Patient" : "Observation";
}

bool fhir_id_valid(struct str id)
{
	if (!id.p || id.n < 1 || id.n > 64)
		return false;
	for (size_t i = 0; i < id.n; i++) {
		char c = id.p[i];

		if (!((c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
		      c == '-' || c == '.'))
			return false;
	}
	return true;
}

void fhir_json_key(struct fhir_mapping *m, const char *name)
{
	struct buf *b = &m->json;

	if (b->n && b->p[b->n - 1] != '{')
		buf_add_char(b, ',');
	buf_add_char(b, '"');
	buf_add_cstr(b, name);
	buf_lit(b, "\":");
}

void fhir_json_str(struct fhir_mapping *m, const char *name, struct str s)
{
	if (!s.p)
		return;
	fhir_json_key(m, name);
	buf_add_json(&m->json, s);
}

void fhir_json_raw(struct fhir_mapping *m, const char *name, struct str text)
{
	if (!text.p)
		return;
	fhir_json_key(m, name);
	buf_add_str(&m->json, text);
}

size_t fhir_json_open(struct fhir_mapping *m)
{
	size_t mark = m->json.n;

	buf_add_char(&m->json, mark ? ',' : '[');
	buf_add_char(&m->json, '{');
	return mark;
}

bool fhir_json_close(struct fhir_mapping *m, size_t mark, bool drop)
{
	if (drop && m->json.n == mark + 2) {
		m->json.n = mark;
		return false;
	}
	buf_add_char(&m->json, '}');
	return true;
}

static void json_string(struct fhir_mapping *m, yyjson_val *v, const struct fhir_path *at)
{
	struct str s = {yyjson_get_str(v), yyjson_get_len(v)};

	if (s.n)
		s = fhir_as_str(m, v, at, NULL);
	buf_add_json(&m->json, s);
}

static void json_copy(struct fhir_mapping *m, yyjson_val *v, const struct fhir_path *at, int depth);

static void json_copy_object(struct fhir_mapping *m, yyjson_val *v, const struct fhir_path *at,
                             int depth)
{
	yyjson_obj_iter iter = yyjson_obj_iter_with(v);
	yyjson_val *key;
	bool first = true;

	buf_add_char(&m->json, '{');
	while (!m->rejected && (key = yyjson_obj_iter_next(&iter))) {
		if (!first)
			buf_add_char(&m->json, ',');
		first = false;
		json_string(m, key, at);
		buf_add_char(&m->json, ':');
		json_copy(m, yyjson_obj_iter_get_val(key), at, depth + 1);
	}
	buf_add_char(&m->json, '}');
}

static void json_copy_array(struct fhir_mapping *m, yyjson_val *v, const struct fhir_path *at,
                            int depth)
{
	yyjson_arr_iter iter = yyjson_arr_iter_with(v);
	yyjson_val *entry;
	bool first = true;

	buf_add_char(&m->json, '[');
	while (!m->rejected && (entry = yyjson_arr_iter_next(&iter))) {
		if (!first)
			buf_add_char(&m->json, ',');
		first = false;
		json_copy(m, entry, at, depth + 1);
	}
	buf_add_char(&m->json, ']');
}

/* `at` stays the copied value's own path: what is below it has keys of the sender's. */
static void json_copy(struct fhir_mapping *m, yyjson_val *v, const struct fhir_path *at, int depth)
{
	if (yyjson_is_ctn(v) && depth > DEPTH_MAX)
		fhir_reject_at(m, at, NULL, "is nested deeper than 32 levels");
	else if (yyjson_is_obj(v))
		json_copy_object(m, v, at, depth);
	else if (yyjson_is_arr(v))
		json_copy_array(m, v, at, depth);
	else if (yyjson_is_str(v))
		json_string(m, v, at);
	else if (yyjson_is_raw(v))
		buf_add_str(&m->json, fhir_as_number(m, v, at, NULL));
	else if (yyjson_is_bool(v))
		buf_add_cstr(&m->json, yyjson_get_bool(v) ? "true" : "false");
	else
		buf_lit(&m->json, "null");
}

void fhir_json_copy(struct fhir_mapping *m, yyjson_val *v, const struct fhir_path *at)
{
	json_copy(m, v, at, 1);
}

void fhir_write_json(struct fhir_mapping *m)
{
	if (!m->json.n) {
		pg_copy_null(m->out);
		return;
	}
	buf_add_char(&m->json, ']');
	pg_copy_jsonb(m->out, (struct str){m->json.p, m->json.n});
	m->failed |= m->json.failed;
	buf_clear(&m->json);
}

static int hex_digit(char c)
{
	return c <= '9' ? c - '0' : c - 'a' + 10;
}

static void write_hash(struct fhir_mapping *m, struct str raw)
{
	char hex[HASH_HEX];
	unsigned char hash[32];

	if (!hash_sha256_of(raw, hex)) {
		m->failed = true;
		return;
	}
	for (size_t i = 0; i < sizeof(hash); i++)
		hash[i] = (unsigned char)(hex_digit(hex[2 * i]) << 4 | hex_digit(hex[2 * i + 1]));
	pg_copy_bytea(m->out, hash, sizeof(hash));
}

void fhir_write_identity(struct fhir_mapping *m, yyjson_val *id, yyjson_val *meta, struct str raw)
{
	const struct fhir_path at = {NULL, "meta", 0};
	struct str text = fhir_as_str(m, id, NULL, "id"), version;
	int64_t updated;

	if (!text.p)
		fhir_reject_at(m, NULL, "id", "is missing");
	else if (!fhir_id_valid(text))
		fhir_reject_at(m, NULL, "id", "breaks FHIR's rule [A-Za-z0-9-.]{1,64}");
	meta = fhir_as_object(m, meta, NULL, "meta");
	version = fhir_str(m, meta, &at, "versionId");
	updated = fhir_as_time(m, fhir_key(meta, "lastUpdated"), &at, "lastUpdated", NULL);
	pg_copy_text(m->out, text);
	pg_copy_text(m->out, version);
	pg_copy_time(m->out, updated);
	if (version.p || updated != INT64_MIN || m->rejected)
		pg_copy_bytea(m->out, NULL, 0);
	else
		write_hash(m, raw);
}

bool fhir_map_begin(struct fhir_mapping *m, yyjson_val *json, const char *type,
                    struct arena *scratch, struct buf *out, struct fhir_reject *reject)
{
	struct str actual;

	*m = (struct fhir_mapping){
	    .scratch = scratch, .out = out, .reject = reject, .json = BUF_INIT(JSON_MAX)};
	if (!yyjson_is_obj(json)) {
		fhir_reject_at(m, NULL, NULL, "is not a JSON object");
		return false;
	}
	actual = fhir_str(m, json, NULL, "resourceType");
	if (!str_is(actual, type)) {
		fhir_reject_at(m, NULL, "resourceType", actual.p ? "is another one" : "is missing");
		return false;
	}
	return true;
}

enum fhir_mapped fhir_map_end(struct fhir_mapping *m, size_t mark)
{
	bool failed = m->failed || m->json.failed || m->out->failed;

	buf_free(&m->json);
	if (!m->rejected && !failed)
		return FHIR_MAPPED;
	m->out->n = mark;
	if (m->out->p)
		m->out->p[mark] = '\0';
	return failed ? FHIR_MAP_FAILED : FHIR_REJECTED;
}
