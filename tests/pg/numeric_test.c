/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "pg/copy.h"
#include "pg/numeric.h"

static void only_json_numbers_are_numbers(void **state)
{
	static const char *const good[] = {
	    "0",      "-0",       "1",          "10",       "-1.5",
	    "0.10",   "1e3",      "1E+3",       "1.5e-3",   "0e0",
	    "-0.0e5", "1e131071", "0.5e131072", "1e-16383", "0e999999999999999999999"};
	static const char *const bad[] = {"",
	                                  "-",
	                                  "+1",
	                                  "01",
	                                  "-01",
	                                  ".5",
	                                  "5.",
	                                  "1.e3",
	                                  "1e",
	                                  "1e+",
	                                  "1e1.",
	                                  "0x1",
	                                  "NaN",
	                                  "-inf",
	                                  "1 ",
	                                  " 1",
	                                  "1,5",
	                                  "1_0",
	                                  "--1",
	                                  "1e--1",
	                                  "Infinity",
	                                  "1e131072",
	                                  "1e-16384",
	                                  "0e-16384",
	                                  "1e999999999999999999999",
	                                  "1e-999999999999999999999"};

	(void)state;
	for (size_t i = 0; i < sizeof good / sizeof *good; i++)
		if (!pg_numeric_valid(str_of(good[i])))
			fail_msg("%s should be a number", good[i]);
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		if (pg_numeric_valid(str_of(bad[i])))
			fail_msg("%s should be none", bad[i]);
	assert_false(pg_numeric_valid(STR_NONE));
	assert_false(pg_numeric_valid((struct str){"1\0", 2}));
}

static void digits_and_scale(void **state)
{
	struct pg_numeric v;

	(void)state;
	assert_true(pg_numeric_parse(STR("-120034.50"), &v));
	assert_true(v.negative);
	assert_int_equal(v.dscale, 2);
	assert_int_equal(v.weight, 1);
	assert_int_equal(v.ndigits, 3);
	assert_int_equal(pg_numeric_digit(&v, 0), 12);
	assert_int_equal(pg_numeric_digit(&v, 1), 34);
	assert_int_equal(pg_numeric_digit(&v, 2), 5000);
	assert_true(pg_numeric_parse(STR("-0.000"), &v));
	assert_false(v.negative);
	assert_int_equal(v.dscale, 3);
	assert_int_equal(v.ndigits, 0);
	assert_true(pg_numeric_parse(STR("1.50e1"), &v));
	assert_int_equal(v.dscale, 1);
	assert_true(pg_numeric_parse(STR("0.0000012"), &v));
	assert_int_equal(v.weight, -2);
	assert_int_equal(v.ndigits, 1);
	assert_int_equal(pg_numeric_digit(&v, 0), 120);
}

static void a_row_can_be_taken_back(void **state)
{
	struct buf b = BUF_INIT(64);
	struct pg_copy_mark mark;

	(void)state;
	pg_copy_begin(&b);
	assert_int_equal(b.n, 19);
	mark = pg_copy_mark(&b);
	pg_copy_row(&b, 1);
	pg_copy_text(&b, STR("a text that is longer than the room that is left in this buffer"));
	assert_true(b.failed);
	pg_copy_rewind(&b, mark);
	assert_false(b.failed);
	assert_int_equal(b.n, 19);
	pg_copy_row(&b, 2);
	assert_true(pg_copy_numeric(&b, STR("1.5")));
	assert_false(pg_copy_numeric(&b, STR("x")));
	assert_int_equal(b.n, 19 + 2 + 4 + 12);
	pg_copy_end(&b);
	assert_false(b.failed);
	buf_free(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(only_json_numbers_are_numbers),
	    cmocka_unit_test(digits_and_scale),
	    cmocka_unit_test(a_row_can_be_taken_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
