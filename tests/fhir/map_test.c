/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>

#include "fhir/row_decode.h"

static void check_time(const char *text, const char *want, enum fhir_precision want_precision)
{
	char got[CLOCK_TEXT];
	enum fhir_precision precision;
	int64_t us;

	assert_true(fhir_parse_datetime(str_of(text), &us, &precision));
	clock_format(us, got);
	assert_string_equal(got, want);
	assert_int_equal(precision, want_precision);
}

static void test_datetime_accepts(void **state)
{
	(void)state;
	check_time("1970", "1970-01-01T00:00:00Z", FHIR_YEAR);
	check_time("2019-07", "2019-07-01T00:00:00Z", FHIR_MONTH);
	check_time("2000-02-29", "2000-02-29T00:00:00Z", FHIR_DAY);
	check_time("2019-07-01T10:11:12Z", "2019-07-01T10:11:12Z", FHIR_SECOND);
	check_time("2019-07-01T10:11:12.1+01:30", "2019-07-01T08:41:12.100000Z", FHIR_SECOND);
	check_time("2019-12-31T23:00:00-14:00", "2020-01-01T13:00:00Z", FHIR_SECOND);
	check_time("1969-12-31T23:59:59.9999999Z", "1969-12-31T23:59:59.999999Z", FHIR_SECOND);
	check_time("1969-12-31T23:59:60.25Z", "1970-01-01T00:00:00.250000Z", FHIR_SECOND);
	check_time("2020-01-01T00:00:00.00000000000000000000000000000000000009Z",
	           "2020-01-01T00:00:00Z", FHIR_SECOND);
	check_time("0001-01-01T00:00:00", "0001-01-01T00:00:00Z", FHIR_SECOND);
	check_time("9999-12-31T23:59:59.999999Z", "9999-12-31T23:59:59.999999Z", FHIR_SECOND);
}

static void test_datetime_refuses(void **state)
{
	static const char *const bad[] = {
	    "",
	    "0",
	    "0000",
	    "999",
	    "20190",
	    "2019-",
	    "2019-0",
	    "2019-00",
	    "2019-13",
	    "2019-01-",
	    "2019-01-00",
	    "2019-01-32",
	    "1900-02-29",
	    "2019-02-30",
	    "2019-01-01T",
	    "2019-01-01T10",
	    "2019-01-01T10:11",
	    "2019-01-01T10:11Z",
	    "2019-01-01T24:00:00Z",
	    "2019-01-01T10:60:00Z",
	    "2019-01-01T10:11:61Z",
	    "2019-01-01T10:11:12.",
	    "2019-01-01T10:11:12,5Z",
	    "2019-01-01T10:11:12z",
	    "2019-01-01T10:11:12ZZ",
	    "2019-01-01T10:11:12+1:00",
	    "2019-01-01T10:11:12+01",
	    "2019-01-01T10:11:12+01:60",
	    "2019-01-01T10:11:12+14:30",
	    "-2019",
	    "+2019",
	    "2019 ",
	    "\xd9\xa2\xd9\xa0\xd9\xa1\xd9\xa9",
	    "2019-01-01T10:11:12+01:00 ",
	    "0001-01-01T00:00:00+00:01",
	    "9999-12-31T23:59:60Z",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		enum fhir_precision precision = FHIR_MONTH;
		int64_t us = 77;

		if (fhir_parse_datetime(str_of(bad[i]), &us, &precision))
			print_error("accepted: \"%s\"\n", bad[i]);
		assert_int_equal(us, 77);
		assert_int_equal(precision, FHIR_MONTH);
	}
	/* not one byte beyond the slice is looked at */
	{
		enum fhir_precision precision;
		int64_t us;

		assert_false(fhir_parse_datetime((struct str){"2019-07", 6}, &us, &precision));
		assert_true(fhir_parse_datetime((struct str){"2019-07", 4}, &us, &precision));
		assert_int_equal(precision, FHIR_YEAR);
	}
}

static void test_id_valid(void **state)
{
	char long_id[66];

	(void)state;
	memset(long_id, 'a', sizeof(long_id));
	assert_true(fhir_id_valid(STR("a")));
	assert_true(fhir_id_valid(STR("AZaz09-.")));
	assert_true(fhir_id_valid((struct str){long_id, 64}));
	assert_false(fhir_id_valid((struct str){long_id, 65}));
	assert_false(fhir_id_valid(STR("")));
	assert_false(fhir_id_valid(STR_NONE));
	assert_false(fhir_id_valid(STR("a_b")));
	assert_false(fhir_id_valid(STR("a b")));
	assert_false(fhir_id_valid(STR("a/b")));
	assert_false(fhir_id_valid(STR("a\0b")));
	assert_false(fhir_id_valid(STR("\xc3\xa9")));
}

static bool lives_in(const char *json, const char *zip)
{
	yyjson_doc *doc = yyjson_read(json, strlen(json), YYJSON_READ_NUMBER_AS_RAW);
	bool lives;

	assert_non_null(doc);
	lives = fhir_patient_lives_in(yyjson_doc_get_root(doc), zip);
	yyjson_doc_free(doc);
	return lives;
}

static bool zip_is(const char *code)
{
	char json[200];

	snprintf(json, sizeof(json), "{\"address\":[{\"postalCode\":\"%s\"}]}", code);
	return lives_in(json, "02139");
}

static void test_lives_in(void **state)
{
	(void)state;
	assert_true(zip_is("02139"));
	assert_true(zip_is("02139-1234"));
	assert_true(zip_is("02139 1234"));
	assert_true(zip_is("021391234"));
	assert_true(zip_is("  02139\\t"));
	assert_true(zip_is(" 02139-1234 "));
	assert_false(zip_is(""));
	assert_false(zip_is("0213"));
	assert_false(zip_is("021390"));
	assert_false(zip_is("0213900"));
	assert_false(zip_is("02139123"));
	assert_false(zip_is("0213912345"));
	assert_false(zip_is("02139-"));
	assert_false(zip_is("02139-123"));
	assert_false(zip_is("02139-12345"));
	assert_false(zip_is("02139--123"));
	assert_false(zip_is("02139-123x"));
	assert_false(zip_is("02139_1234"));
	assert_false(zip_is("02139abcd"));
	assert_false(zip_is("2139"));
	assert_false(zip_is("002139"));
	assert_false(zip_is("02138"));
	assert_false(zip_is("02139\\u0000"));
}

static void test_lives_in_shapes(void **state)
{
	(void)state;
	assert_true(lives_in(
	    "{\"address\":[{\"postalCode\":\"00000\"},{\"postalCode\":\"02139\"}]}", "02139"));
	assert_true(lives_in("{\"address\":[null,{},{\"use\":\"old\",\"period\":{\"end\":\"1990\"},"
	                     "\"postalCode\":\"02139\"}]}",
	                     "02139"));
	assert_false(lives_in("{\"address\":[{\"postalCode\":2139}]}", "02139"));
	assert_false(
	    lives_in("{\"address\":[{\"postalCode\":null},{\"postalCode\":[\"02139\"]},\"02139\"]}",
	             "02139"));
	assert_false(lives_in("{\"address\":{\"postalCode\":\"02139\"}}", "02139"));
	assert_false(lives_in("{}", "02139"));
	assert_false(lives_in("[]", "02139"));
	assert_false(fhir_patient_lives_in(NULL, "02139"));
	assert_false(lives_in("{\"address\":[{\"postalCode\":\"02139\"}]}", "0213"));
}

static enum fhir_mapped map(struct str json, struct arena *scratch, struct buf *out,
                            struct fhir_reject *reject)
{
	yyjson_doc *doc = yyjson_read(json.p, json.n, YYJSON_READ_NUMBER_AS_RAW);
	enum fhir_mapped verdict;

	assert_non_null(doc);
	verdict = fhir_map_observation(yyjson_doc_get_root(doc), json, 1, 2, scratch, out, reject);
	yyjson_doc_free(doc);
	return verdict;
}

#define HEAD                                                                                       \
	"{\"resourceType\":\"Observation\",\"id\":\"o\",\"meta\":{\"versionId\":\"1\"},"           \
	"\"status\":\"final\",\"code\":{\"text\":\"x\"}"

/* Every limit of the buffer ends in the same way: nothing written, and not called a reject. */
static void test_full_buffer(void **state)
{
	const struct str json = STR(HEAD ",\"note\":[{\"text\":\"one\"},{\"text\":\"two\"}],"
	                                 "\"component\":[{\"code\":{\"text\":\"y\"}}]}");
	struct arena scratch = ARENA_INIT(1 << 20);
	struct fhir_reject reject;
	struct buf whole = BUF_INIT(1 << 20);

	(void)state;
	assert_int_equal(map(json, &scratch, &whole, &reject), FHIR_MAPPED);
	for (size_t max = 4; max < whole.n + 4; max++) {
		struct buf out = BUF_INIT(max);

		buf_lit(&out, "head");
		assert_int_equal(map(json, &scratch, &out, &reject), FHIR_MAP_FAILED);
		assert_int_equal(out.n, 4);
		assert_memory_equal(out.p, "head", 4);
		buf_free(&out);
		arena_reset(&scratch);
	}
	buf_free(&whole);
	arena_free(&scratch);
}

static void test_no_scratch_memory(void **state)
{
	struct arena scratch = ARENA_INIT(0);
	struct fhir_reject reject;
	struct buf out = BUF_INIT(1 << 20);

	(void)state;
	assert_int_equal(map(STR(HEAD ",\"note\":[{\"text\":\"one\"},{\"text\":\"two\"}]}"),
	                     &scratch, &out, &reject),
	                 FHIR_MAP_FAILED);
	assert_int_equal(out.n, 0);
	/* one note is not copied */
	assert_int_equal(map(STR(HEAD ",\"note\":[{\"text\":\"one\"}]}"), &scratch, &out, &reject),
	                 FHIR_MAPPED);
	buf_free(&out);
	arena_free(&scratch);
}

static yyjson_doc *decoded(const struct buf *row)
{
	struct buf json = BUF_INIT(64 << 20);
	yyjson_doc *doc;

	assert_true(row_decode((struct str){row->p, row->n}, row_observation,
	                       FHIR_OBSERVATION_COLUMNS, &json));
	doc = yyjson_read(json.p, json.n, YYJSON_READ_NUMBER_AS_RAW);
	assert_non_null(doc);
	buf_free(&json);
	return doc;
}

static void test_large_note(void **state)
{
	enum { NOTE = 3 << 20 };
	struct arena scratch = ARENA_INIT(1 << 20);
	struct fhir_reject reject;
	struct buf json = BUF_INIT(8 << 20), out = BUF_INIT(8 << 20);
	yyjson_doc *row;

	(void)state;
	buf_lit(&json, HEAD ",\"note\":[{\"text\":\"");
	for (int i = 0; i < NOTE / 16; i++)
		buf_lit(&json, "sixteen letters ");
	buf_lit(&json, "\"}]}");
	assert_int_equal(map((struct str){json.p, json.n}, &scratch, &out, &reject), FHIR_MAPPED);
	row = decoded(&out);
	assert_int_equal(yyjson_get_len(yyjson_obj_get(yyjson_doc_get_root(row), "note")), NOTE);
	yyjson_doc_free(row);
	buf_free(&json);
	buf_free(&out);
	arena_free(&scratch);
}

static void test_many_components(void **state)
{
	struct arena scratch = ARENA_INIT(1 << 20);
	struct fhir_reject reject;
	struct buf json = BUF_INIT(8 << 20), out = BUF_INIT(8 << 20);
	yyjson_doc *row;
	yyjson_val *last, *components;

	(void)state;
	buf_lit(&json, HEAD ",\"component\":[");
	for (int i = 0; i < 2000; i++)
		buf_printf(&json,
		           "%s{\"code\":{\"coding\":[{\"code\":\"c%d\"}]},\"valueQuantity\":{"
		           "\"value\":%d.50}}",
		           i ? "," : "", i, i);
	buf_lit(&json, "]}");
	assert_int_equal(map((struct str){json.p, json.n}, &scratch, &out, &reject), FHIR_MAPPED);
	row = decoded(&out);
	components = yyjson_obj_get(yyjson_doc_get_root(row), "components");
	assert_int_equal(yyjson_arr_size(components), 2000);
	last = yyjson_arr_get_last(components);
	assert_string_equal(yyjson_get_str(yyjson_obj_get(last, "code")), "c1999");
	assert_string_equal(yyjson_get_raw(yyjson_obj_get(last, "value")), "1999.50");
	yyjson_doc_free(row);
	buf_free(&json);
	buf_free(&out);
	arena_free(&scratch);
}

/* A parser that lets invalid Unicode through must not bring it into a column. */
static void test_invalid_utf8(void **state)
{
	const char json[] = HEAD ",\"valueString\":\"some text then \xed\xa0\x80 and more\"}";
	struct arena scratch = ARENA_INIT(1 << 20);
	struct fhir_reject reject;
	struct buf out = BUF_INIT(1 << 20);
	yyjson_doc *doc = yyjson_read(
	    json, sizeof(json) - 1, YYJSON_READ_NUMBER_AS_RAW | YYJSON_READ_ALLOW_INVALID_UNICODE);

	(void)state;
	assert_non_null(doc);
	assert_int_equal(
	    fhir_map_observation(yyjson_doc_get_root(doc), STR("x"), 1, 2, &scratch, &out, &reject),
	    FHIR_REJECTED);
	assert_string_equal(reject.reason, "valueString is not valid UTF-8");
	assert_string_equal(reject.pointer, "/valueString");
	assert_int_equal(out.n, 0);
	yyjson_doc_free(doc);
	buf_free(&out);
	arena_free(&scratch);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_datetime_accepts),  cmocka_unit_test(test_datetime_refuses),
	    cmocka_unit_test(test_id_valid),          cmocka_unit_test(test_lives_in),
	    cmocka_unit_test(test_lives_in_shapes),   cmocka_unit_test(test_full_buffer),
	    cmocka_unit_test(test_no_scratch_memory), cmocka_unit_test(test_large_note),
	    cmocka_unit_test(test_many_components),   cmocka_unit_test(test_invalid_utf8),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
