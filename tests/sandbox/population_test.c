/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <yyjson.h>

#include "base/buf.h"
#include "base/hash.h"
#include "sandbox/generate.h"
#include "sandbox/pretty.h"

static struct population make(uint64_t seed, uint32_t patients)
{
	struct population p;
	struct err err;

	assert_true(population_init(&p, seed, patients, "02139", 100, &err));
	return p;
}

static size_t write_patient(const struct population *p, uint32_t i, uint32_t moved, char *out)
{
	struct revision r = {1, population_instant(i), 0, moved};

	return (size_t)(generate_patient(p, out, i, &r) - out);
}

static size_t write_observation(const struct population *p, uint32_t i, uint32_t j,
                                uint32_t changed, char *out)
{
	struct revision r = {1 + changed, population_instant(i), changed, 0};

	return (size_t)(generate_observation(p, out, i, j, &r, STR("http://127.0.0.1:1/fhir")) -
	                out);
}

static void the_same_seed_gives_the_same_bytes(void **state)
{
	struct population a = make(7, 50), b = make(7, 50), c = make(8, 50), larger = make(7, 90);
	static char x[GENERATE_MAX], y[GENERATE_MAX];
	size_t n, differing = 0;

	(void)state;
	for (uint32_t i = 0; i < 50; i++) {
		assert_int_equal(a.counts[i], larger.counts[i]);
		n = write_patient(&a, i, 0, x);
		assert_int_equal(n, write_patient(&b, i, 0, y));
		assert_memory_equal(x, y, n);
		assert_int_equal(n, write_patient(&larger, i, 0, y));
		assert_memory_equal(x, y, n);
		differing += write_patient(&c, i, 0, y) != n || memcmp(x, y, n) != 0;
		n = write_observation(&a, i, i % 3, 0, x);
		assert_int_equal(n, write_observation(&b, i, i % 3, 0, y));
		assert_memory_equal(x, y, n);
	}
	assert_int_equal(differing, 50);
	population_free(&a);
	population_free(&b);
	population_free(&c);
	population_free(&larger);
}

/* A population that was served once is served for ever: tests elsewhere may rely on it. */
static void the_bytes_are_those_of_always(void **state)
{
	struct population p = make(1, 100);
	struct buf all = BUF_INIT(1 << 24);
	static char x[GENERATE_MAX];
	char hash[HASH_HEX];

	(void)state;
	for (uint32_t i = 0; i < 20; i++) {
		buf_add(&all, x, write_patient(&p, i, 0, x));
		for (uint32_t j = 0; j < 20; j++)
			buf_add(&all, x, write_observation(&p, i, j, 0, x));
	}
	assert_true(hash_sha256_of((struct str){all.p, all.n}, hash));
	assert_string_equal(hash,
	                    "03597904df8ce55daf304dd5dae829650eb6b2bf67c9c9d95eaf6baf422ecfec");
	buf_free(&all);
	population_free(&p);
}

static int by_size(const void *a, const void *b)
{
	return (int)*(const uint16_t *)a - (int)*(const uint16_t *)b;
}

static void numbers_are_those_of_synthea(void **state)
{
	struct population p = make(3, 20000);
	uint64_t mean = p.nobs / p.total;

	(void)state;
	qsort(p.counts, p.total, sizeof *p.counts, by_size);
	assert_in_range(mean, 440, 500);
	assert_in_range(p.counts[p.total / 2], 155, 177);
	assert_in_range(p.counts[p.total - 1], 8500, 9087);
	population_free(&p);
}

static void ids_are_a_bijection(void **state)
{
	struct population p = make(5, 3000), other = make(6, 3000);
	char text[POPULATION_UUID + 1] = "", *end;
	struct id id, back;

	(void)state;
	for (uint32_t k = 0; k < 9000; k++) {
		id = (struct id){(enum id_kind)(k % 3), k % 3000, k % 3 ? k * 7 % 65536 : 0};
		end = population_id_write(&p, text, id);
		assert_int_equal(end - text, POPULATION_UUID);
		assert_true(uuid_valid(str_of(text)));
		assert_true(population_id_parse(&p, str_of(text), &back));
		assert_int_equal(back.kind, id.kind);
		assert_int_equal(back.patient, id.patient);
		assert_int_equal(back.index, id.index);
		assert_false(population_id_parse(&other, str_of(text), &back));
		text[k % 36] = text[k % 36] == 'a' ? 'b' : 'a';
		assert_false(population_id_parse(&p, str_of(text), &back));
	}
	assert_false(population_id_parse(&p, STR("xyz"), &back));
	assert_false(population_id_parse(&p, STR_NONE, &back));
	population_free(&p);
	population_free(&other);
}

static void check_json(const char *text, size_t n, const char *type)
{
	struct buf pretty = BUF_INIT(1 << 20);
	yyjson_doc *doc, *again;

	assert_true(n < GENERATE_MAX);
	assert_true(str_utf8_valid((struct str){text, n}));
	doc = yyjson_read(text, n, YYJSON_READ_NUMBER_AS_RAW);
	assert_non_null(doc);
	assert_string_equal(
	    yyjson_get_str(yyjson_obj_get(yyjson_doc_get_root(doc), "resourceType")), type);
	assert_true(pretty_print((struct str){text, n}, &pretty));
	again = yyjson_read(pretty.p, pretty.n, YYJSON_READ_NUMBER_AS_RAW);
	assert_non_null(again);
	assert_true(yyjson_equals(yyjson_doc_get_root(doc), yyjson_doc_get_root(again)));
	yyjson_doc_free(doc);
	yyjson_doc_free(again);
	buf_free(&pretty);
}

static void every_resource_is_json(void **state)
{
	struct population p = make(11, 300);
	static char x[GENERATE_MAX];

	(void)state;
	for (uint32_t i = 0; i < p.total; i++) {
		check_json(x, write_patient(&p, i, 0, x), "Patient");
		check_json(x, write_patient(&p, i, 1, x), "Patient");
		for (uint32_t j = 0; j < p.counts[i] && j < 150; j++)
			check_json(x, write_observation(&p, i, j, 0, x), "Observation");
		check_json(x, write_observation(&p, i, p.counts[i] + 3, 2, x), "Observation");
	}
	population_free(&p);
}

static void weights_add_up(void **state)
{
	unsigned sum = 0, quantities = 0;

	(void)state;
	for (unsigned k = 0; k < observation_code_count; k++) {
		sum += observation_codes[k].weight;
		if (observation_codes[k].kind == VALUE_QUANTITY)
			quantities += observation_codes[k].weight;
	}
	assert_int_equal(sum, 1000);
	assert_in_range(quantities, 760, 800);
}

static void postal_codes_tell_zips_apart(void **state)
{
	struct population p = make(1, 1000);
	uint32_t places[8] = {0};

	(void)state;
	for (uint32_t i = 0; i < p.total; i++) {
		struct postal_codes c;
		enum place place = population_place(&p, i);

		places[place]++;
		population_postal_codes(&p, i, 0, &c);
		assert_int_equal(postal_codes_are_of(&c, STR("02139")), i < p.patients);
		assert_int_equal(postal_codes_match(&c, STR("02139"), false),
		                 i < p.patients || place == PLACE_PREFIX || place == PLACE_LETTER);
		assert_int_equal(postal_codes_match(&c, STR("02139"), true),
		                 i < p.patients && place != PLACE_PLUS4);
		population_postal_codes(&p, i, 1, &c);
		assert_int_equal(postal_codes_are_of(&c, STR("02139")), i >= p.patients);
	}
	for (int k = 0; k < 8; k++)
		assert_true(places[k] > 0);
	population_free(&p);
}

static void wrong_options_are_named(void **state)
{
	struct population p;
	struct err err;

	(void)state;
	assert_false(population_init(&p, 1, 1000001, "02139", 100, &err));
	assert_non_null(strstr(err.text, "patients"));
	assert_false(population_init(&p, 1, 10, "2139", 100, &err));
	assert_non_null(strstr(err.text, "zip"));
	assert_false(population_init(&p, 1, 10, "02139", 401, &err));
	assert_non_null(strstr(err.text, "scale"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_same_seed_gives_the_same_bytes),
	    cmocka_unit_test(the_bytes_are_those_of_always),
	    cmocka_unit_test(numbers_are_those_of_synthea),
	    cmocka_unit_test(ids_are_a_bijection),
	    cmocka_unit_test(every_resource_is_json),
	    cmocka_unit_test(weights_add_up),
	    cmocka_unit_test(postal_codes_tell_zips_apart),
	    cmocka_unit_test(wrong_options_are_named),
	};

	return cmocka_run_group_tests_name("sandbox/population", tests, NULL, NULL);
}
