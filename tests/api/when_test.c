/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "api/when.h"

static void check(const char *in, bool good, const char *want)
{
	char text[WHEN_SQL];
	int64_t us = -77;
	bool ok = when_parse_instant(str_of(in), &us);

	assert_int_equal(ok, good);
	if (!good) {
		assert_true(us == -77);
		return;
	}
	when_sql(us, text);
	assert_string_equal(text, want);
}

static void instants(void **state)
{
	static const char *const bad[] = {"2024-02-29",
	                                  "2024-02-30T00:00:00Z",
	                                  "2024-02-29T24:00:00Z",
	                                  "2024-02-29T00:60:00Z",
	                                  "2024-02-29T00:00:61Z",
	                                  "2024-02-29T00:00:00",
	                                  "2024-02-29T00:00Z",
	                                  "2024-02-29T00:00:00.Z",
	                                  "2024-02-29T00:00:00+1:00",
	                                  "2024-02-29T00:00:00+24:00",
	                                  "2024-02-29T00:00:00Zx",
	                                  "2024-2-29T00:00:00Z",
	                                  "",
	                                  "x",
	                                  "2024-02-29 00:00:00Z"};

	(void)state;
	check("2024-02-29T12:34:56Z", true, "2024-02-29 12:34:56.000000+00");
	check("2024-02-29t12:34:56z", true, "2024-02-29 12:34:56.000000+00");
	check("2024-02-29T12:34:56.1234567Z", true, "2024-02-29 12:34:56.123456+00");
	check("2024-02-29T00:30:00+01:00", true, "2024-02-28 23:30:00.000000+00");
	check("2024-02-29T00:30:00 01:00", true, "2024-02-28 23:30:00.000000+00");
	check("2024-02-29T00:30:00-01:30", true, "2024-02-29 02:00:00.000000+00");
	check("2016-12-31T23:59:60Z", true, "2017-01-01 00:00:00.000000+00");
	check("0000-01-01T00:00:00Z", true, "0001-01-01 00:00:00.000000+00 BC");
	check("9999-12-31T23:59:59-01:00", true, "10000-01-01 00:59:59.000000+00");
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		check(bad[i], false, NULL);
}

static void dates(void **state)
{
	static const char *const bad[] = {"2023-02-29", "2024-13-01", "2024-00-01",  "2024-01-00",
	                                  "2024-1-1",   "24-01-01",   "2024-01-01x", "2024-01",
	                                  "",           "20240101"};
	char text[WHEN_SQL];
	int64_t us = -77;

	(void)state;
	assert_true(when_parse_date(STR("2024-02-29"), &us));
	when_sql_date(us, text);
	assert_string_equal(text, "2024-02-29");
	assert_true(when_parse_date(STR("0000-02-29"), &us));
	when_sql_date(us, text);
	assert_string_equal(text, "0001-02-29 BC");
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		assert_false(when_parse_date(str_of(bad[i]), &us));
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(instants), cmocka_unit_test(dates)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
