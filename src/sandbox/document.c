/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox/document.h"

#include <stdlib.h>
#include <string.h>

#include <yyjson.h>

#include "base/buf.h"
#include "sandbox/text.h"

enum { MAX_JSON = 64 << 20 };

static bool bad(struct err *err, const char *why)
{
	return err_set(err, ERR_DATA, "sandbox.document", "%s", why);
}

bool document_patient_id(struct str reference, struct str *id)
{
	static const char mark[] = "Patient/";
	const char *at = NULL, *end = reference.p + reference.n, *slash;

	for (size_t k = 0; k + sizeof mark - 1 <= reference.n; k++)
		if (memcmp(reference.p + k, mark, sizeof mark - 1) == 0 &&
		    (k == 0 || reference.p[k - 1] == '/'))
			at = reference.p + k + sizeof mark - 1;
	if (!at)
		return false;
	slash = memchr(at, '/', (size_t)(end - at));
	*id = (struct str){at, (size_t)((slash ? slash : end) - at)};
	return id->n > 0;
}

static void read_codes(yyjson_val *root, struct postal_codes *codes)
{
	yyjson_val *addresses = yyjson_obj_get(root, "address"), *address;
	size_t k, n;

	yyjson_arr_foreach(addresses, k, n, address)
	{
		const char *code = yyjson_get_str(yyjson_obj_get(address, "postalCode"));

		if (code && codes->n < POPULATION_CODES && strlen(code) < POPULATION_CODE_TEXT)
			memcpy(codes->code[codes->n++], code, strlen(code) + 1);
	}
}

static void read_subject(yyjson_val *root, char *subject)
{
	yyjson_val *reference = yyjson_obj_get(yyjson_obj_get(root, "subject"), "reference");
	struct str text = {yyjson_get_str(reference), yyjson_get_len(reference)}, id;

	if (text.p && document_patient_id(text, &id) && id.n <= DOCUMENT_ID_MAX) {
		memcpy(subject, id.p, id.n);
		subject[id.n] = '\0';
	}
}

static bool write_value(struct buf *out, yyjson_val *v)
{
	size_t n = 0;
	char *text = yyjson_val_write(v, YYJSON_WRITE_NOFLAG, &n);
	bool ok = text && buf_add(out, text, n);

	free(text);
	return ok;
}

static bool write_member(struct buf *out, yyjson_val *key, yyjson_val *v)
{
	struct str name = {yyjson_get_str(key), yyjson_get_len(key)};

	buf_lit(out, ",");
	buf_add_json(out, name);
	buf_lit(out, ":");
	return write_value(out, v);
}

/* Our versionId and lastUpdated first, then what else the client's meta has. */
static bool write_meta(struct buf *out, yyjson_val *meta, const struct revision *r)
{
	char text[GENERATE_BASE_MAX], *end = generate_meta(text, r);
	yyjson_val *key, *v;
	size_t k, n;

	buf_lit(out, ",");
	buf_add(out, text, (size_t)(end - text));
	yyjson_obj_foreach(meta, k, n, key, v)
	{
		if (!yyjson_equals_str(key, "versionId") &&
		    !yyjson_equals_str(key, "lastUpdated") && !write_member(out, key, v))
			return false;
	}
	return buf_lit(out, "}");
}

static bool write_all(struct buf *out, yyjson_val *root, enum resource_type type, struct str id,
                      const struct revision *r)
{
	yyjson_val *key, *v;
	size_t k, n;

	buf_lit(out, "{\"resourceType\":\"");
	buf_add_cstr(out, resource_type_name[type]);
	buf_lit(out, "\",\"id\":");
	buf_add_json(out, id);
	if (!write_meta(out, yyjson_obj_get(root, "meta"), r))
		return false;
	yyjson_obj_foreach(root, k, n, key, v)
	{
		if (!yyjson_equals_str(key, "resourceType") && !yyjson_equals_str(key, "id") &&
		    !yyjson_equals_str(key, "meta") && !write_member(out, key, v))
			return false;
	}
	return buf_lit(out, "}");
}

bool document_read(struct str json, enum resource_type type, struct str id,
                   const struct revision *r, struct document *out, struct err *err)
{
	yyjson_doc *doc = yyjson_read(json.p ? json.p : "", json.n, YYJSON_READ_NUMBER_AS_RAW);
	yyjson_val *root = yyjson_doc_get_root(doc);
	struct buf text = BUF_INIT(MAX_JSON);
	struct document d = {0};
	bool ok = false;

	if (!doc) {
		bad(err, "the body is not JSON");
	} else if (!yyjson_equals_str(yyjson_obj_get(root, "resourceType"),
	                              resource_type_name[type])) {
		bad(err, "resourceType is not that of the URL");
	} else if (!write_all(&text, root, type, id, r)) {
		bad(err, "the resource is too large");
	} else {
		if (type == TYPE_PATIENT)
			read_codes(root, &d.codes);
		else
			read_subject(root, d.subject);
		d.json = text.p;
		d.n = text.n;
		*out = d;
		ok = true;
	}
	yyjson_doc_free(doc);
	if (!ok)
		buf_free(&text);
	return ok;
}
