/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "land/fates.h"

static struct err err;

static void write_sample(struct buf *b)
{
	land_fates_begin(b);
	for (int f = 0; f < LAND_FATES; f++) {
		land_fates_list(b, (enum land_fate)f);
		for (int i = 0; i < f; i++)
			land_fates_id(b, i ? STR("b") : STR("a"));
	}
	land_fates_end(b);
}

static void what_is_written_is_read(void **state)
{
	struct buf b = BUF_INIT(4096);
	struct land_fates f;

	(void)state;
	write_sample(&b);
	if (!land_fates_read((struct str){b.p, b.n}, &f, &err))
		fail_msg("%s\n%s", err.text, b.p);
	assert_string_equal(f.ids[LAND_PATIENTS_DELETED], "[]");
	assert_string_equal(f.ids[LAND_PATIENTS_LEFT], "[\"a\"]");
	assert_string_equal(f.ids[LAND_PATIENTS_OPEN], "[\"a\",\"b\"]");
	assert_int_equal(f.count[LAND_OBSERVATIONS_DELETED], 3);
	land_fates_free(&f);
	buf_free(&b);
}

static void what_is_damaged_is_refused(void **state)
{
	static const char *const texts[] = {
	    "", "[]", "{}", "{\"format\":\"fhirline-fates\",\"version\":2}",
	    "{\"format\":\"fhirline-fates\",\"version\":1,\"patients_deleted\":[]}",
	    /* parentheses: one text, not two */
	    ("{\"format\":\"fhirline-fates\",\"version\":1,\"patients_deleted\":[1],"
	     "\"patients_left\":[],\"patients_open\":[],\"observations_deleted\":[]}")};
	struct buf b = BUF_INIT(4096);
	struct land_fates f = {0};

	(void)state;
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		assert_false(land_fates_read(str_of(texts[i]), &f, &err));
		assert_int_equal(err.code, ERR_DATA);
	}
	write_sample(&b);
	for (size_t n = 0; n + 1 < b.n; n++)
		assert_false(land_fates_read((struct str){b.p, n}, &f, &err));
	buf_free(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_is_written_is_read),
	    cmocka_unit_test(what_is_damaged_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
