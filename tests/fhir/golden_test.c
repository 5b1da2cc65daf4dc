/* SPDX-License-Identifier: Apache-2.0
 *
 * Every file of golden/ is one case: {"resource": …, "now": …, "row": {column: value, …} |
 * "reject": {"reason": …, "pointer": …}}. A row names every column that is not NULL. "raw" instead
 * of "resource" is the resource's text.
 */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>

#include "fhir/golden_dir.h"
#include "fhir/row_decode.h"

enum { CASES_MIN = 80, SEQ = 7, LINE = 42 };

static struct str text_of(yyjson_val *v)
{
	return yyjson_is_str(v) ? (struct str){yyjson_get_str(v), yyjson_get_len(v)} : STR_NONE;
}

static struct str slurp(const char *path)
{
	FILE *f = fopen(path, "rb");
	struct str s = STR_NONE;
	long n;

	assert_non_null(f);
	assert_int_equal(fseek(f, 0, SEEK_END), 0);
	n = ftell(f);
	rewind(f);
	s.p = malloc((size_t)n + 1);
	s.n = (size_t)n;
	assert_int_equal(fread((void *)(uintptr_t)s.p, 1, s.n, f), s.n);
	fclose(f);
	return s;
}

static bool same(yyjson_val *a, yyjson_val *b)
{
	size_t i, max;
	yyjson_val *k, *v;

	if (yyjson_get_type(a) != yyjson_get_type(b))
		return false;
	if (yyjson_is_obj(a)) {
		if (yyjson_obj_size(a) != yyjson_obj_size(b))
			return false;
		yyjson_obj_foreach(
		    a, i, max, k, v) if (!same(v, yyjson_obj_getn(b, yyjson_get_str(k),
		                                                  yyjson_get_len(k)))) return false;
		return true;
	}
	if (yyjson_is_arr(a)) {
		if (yyjson_arr_size(a) != yyjson_arr_size(b))
			return false;
		yyjson_arr_foreach(a, i, max, v) if (!same(v, yyjson_arr_get(b, i))) return false;
		return true;
	}
	if (yyjson_is_raw(a))
		return str_eq((struct str){yyjson_get_raw(a), yyjson_get_len(a)},
		              (struct str){yyjson_get_raw(b), yyjson_get_len(b)});
	return yyjson_is_str(a) ? str_eq(text_of(a), text_of(b))
	                        : yyjson_get_tag(a) == yyjson_get_tag(b);
}

static void print_value(const char *label, yyjson_val *v)
{
	char *s = v ? yyjson_val_write(v, 0, NULL) : NULL;

	print_error("    %s %s\n", label, s ? s : "NULL");
	free(s);
}

/* Prints each column that differs; true when none does. */
static bool rows_agree(const char *name, yyjson_val *want, yyjson_val *got,
                       const struct row_column *columns, size_t n)
{
	size_t i, max, known = 0;
	yyjson_val *k, *v;
	bool ok = true;

	for (i = 0; i < n; i++) {
		yyjson_val *w = yyjson_obj_get(want, columns[i].name),
		           *g = yyjson_obj_get(got, columns[i].name);

		known += w != NULL;
		if ((!w && !g) || (w && g && same(w, g)))
			continue;
		ok = false;
		print_error("%s: column %s differs\n", name, columns[i].name);
		print_value("want", w);
		print_value("got ", g);
	}
	if (known != yyjson_obj_size(want)) {
		ok = false;
		yyjson_obj_foreach(want, i, max, k, v) print_error(
		    "%s: has a row with a column twice or unknown (%s)\n", name, yyjson_get_str(k));
	}
	return ok;
}

struct mapped {
	enum fhir_mapped verdict;
	struct fhir_reject reject;
	struct buf row;
	bool patient;
};

static void map_one(yyjson_val *golden, struct str raw, yyjson_val *resource, struct mapped *out)
{
	struct arena scratch = ARENA_INIT(64 << 20);
	enum fhir_precision precision;
	int64_t now = 0;

	if (yyjson_obj_get(golden, "now"))
		assert_true(
		    fhir_parse_datetime(text_of(yyjson_obj_get(golden, "now")), &now, &precision));
	out->row = BUF_INIT(64 << 20);
	out->patient = str_is(text_of(yyjson_obj_get(golden, "type")), "Patient");
	if (out->patient)
		out->verdict = fhir_map_patient(resource, raw, now, SEQ, LINE, &scratch, &out->row,
		                                &out->reject);
	else
		out->verdict = fhir_map_observation(resource, raw, SEQ, LINE, &scratch, &out->row,
		                                    &out->reject);
	arena_free(&scratch);
}

static bool check_row(const char *name, yyjson_val *want, const struct mapped *m)
{
	const struct row_column *columns = m->patient ? row_patient : row_observation;
	size_t n = m->patient ? FHIR_PATIENT_COLUMNS : FHIR_OBSERVATION_COLUMNS;
	struct buf json = BUF_INIT(64 << 20);
	yyjson_doc *got;
	bool ok;

	if (m->verdict != FHIR_MAPPED) {
		print_error("%s: not mapped: %s (%s)\n", name, m->reject.reason, m->reject.pointer);
		return false;
	}
	if (!row_decode((struct str){m->row.p, m->row.n}, columns, n, &json)) {
		print_error("%s: the row is no valid COPY row\n", name);
		buf_free(&json);
		return false;
	}
	got = yyjson_read(json.p, json.n, YYJSON_READ_NUMBER_AS_RAW);
	assert_non_null(got);
	ok = rows_agree(name, want, yyjson_doc_get_root(got), columns, n);
	yyjson_doc_free(got);
	buf_free(&json);
	return ok;
}

static bool check_reject(const char *name, yyjson_val *want, const struct mapped *m)
{
	if (m->verdict != FHIR_REJECTED) {
		print_error("%s: not rejected\n", name);
		return false;
	}
	if (m->row.n) {
		print_error("%s: rejected, but something is written\n", name);
		return false;
	}
	if (str_is(text_of(yyjson_obj_get(want, "reason")), m->reject.reason) &&
	    str_is(text_of(yyjson_obj_get(want, "pointer")), m->reject.pointer))
		return true;
	print_value("want", want);
	print_error("%s: rejected with \"%s\" at \"%s\"\n", name, m->reject.reason,
	            m->reject.pointer);
	return false;
}

static bool run_case(const char *name)
{
	char path[4096];
	struct str text, raw;
	yyjson_doc *golden, *parsed = NULL;
	yyjson_val *root, *resource;
	struct mapped m = {0};
	bool ok;

	snprintf(path, sizeof(path), "%s/%s", FHIR_GOLDEN_DIR, name);
	text = slurp(path);
	golden = yyjson_read(text.p, text.n, YYJSON_READ_NUMBER_AS_RAW);
	if (!golden)
		print_error("%s is no JSON\n", name);
	assert_non_null(golden);
	root = yyjson_doc_get_root(golden);
	resource = yyjson_obj_get(root, "resource");
	raw = text_of(yyjson_obj_get(root, "raw"));
	if (raw.p) {
		/* what a lenient parser would let through must not reach a column either */
		parsed = yyjson_read(raw.p, raw.n, YYJSON_READ_NUMBER_AS_RAW);
		assert_non_null(parsed);
		resource = yyjson_doc_get_root(parsed);
	} else {
		raw = STR("not hashed");
	}
	map_one(root, raw, resource, &m);
	if (yyjson_obj_get(root, "reject"))
		ok = check_reject(name, yyjson_obj_get(root, "reject"), &m);
	else
		ok = check_row(name, yyjson_obj_get(root, "row"), &m);
	buf_free(&m.row);
	yyjson_doc_free(parsed);
	yyjson_doc_free(golden);
	free((void *)(uintptr_t)text.p);
	return ok;
}

static void test_golden(void **state)
{
	DIR *dir = opendir(FHIR_GOLDEN_DIR);
	struct dirent *entry;
	int cases = 0, failed = 0;

	(void)state;
	assert_non_null(dir);
	while ((entry = readdir(dir))) {
		size_t n = strlen(entry->d_name);

		if (n < 6 || strcmp(entry->d_name + n - 5, ".json") != 0)
			continue;
		cases++;
		failed += !run_case(entry->d_name);
	}
	closedir(dir);
	print_message("%d golden cases, %d failed\n", cases, failed);
	assert_int_equal(failed, 0);
	assert_true(cases >= CASES_MIN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_golden)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
