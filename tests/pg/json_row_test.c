/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "api/columns.h"
#include "pg/json_row.h"

static void check_text(const char *in, size_t n, const char *want)
{
	struct buf b = BUF_INIT(4096);

	json_text(&b, in, n);
	assert_false(b.failed);
	assert_string_equal(b.p, want);
	buf_free(&b);
}

static void text_is_escaped(void **state)
{
	(void)state;
	check_text("", 0, "\"\"");
	check_text("plain text of more than eight bytes", 35,
	           "\"plain text of more than eight bytes\"");
	check_text("a\"b\\c/d", 7, "\"a\\\"b\\\\c/d\"");
	check_text("\b\f\n\r\t\x01\x1f", 7, "\"\\b\\f\\n\\r\\t\\u0001\\u001f\"");
	check_text("Garc\xc3\xad"
	           "a \xf0\x9f\x98\x80",
	           12,
	           "\"Garc\xc3\xad"
	           "a \xf0\x9f\x98\x80\"");
	check_text("0123456\"", 8, "\"0123456\\\"\"");
	check_text("01234567\n", 9, "\"01234567\\n\"");
}

static void the_limit_holds(void **state)
{
	struct buf b = BUF_INIT(10);

	(void)state;
	json_text(&b, "\n\n\n\n\n\n\n", 7);
	assert_true(b.failed);
	assert_true(b.n <= 10);
	buf_free(&b);
}

/* weight, sign, scale and digits of base 10,000, as numeric_send() gives them. */
static void check_numeric(int weight, unsigned sign, int scale, int n, const int *digits,
                          const char *want)
{
	unsigned char raw[64] = {0,
	                         (unsigned char)n,
	                         (unsigned char)(weight >> 8),
	                         (unsigned char)weight,
	                         (unsigned char)(sign >> 8),
	                         (unsigned char)sign,
	                         0,
	                         (unsigned char)scale};
	struct buf b = BUF_INIT(4096);

	for (int i = 0; i < n; i++) {
		raw[8 + 2 * i] = (unsigned char)(digits[i] >> 8);
		raw[9 + 2 * i] = (unsigned char)digits[i];
	}
	json_numeric(&b, (const char *)raw, (size_t)(8 + 2 * n));
	assert_string_equal(b.p, want);
	buf_free(&b);
}

static void numbers_are_exact(void **state)
{
	(void)state;
	check_numeric(0, 0, 0, 0, NULL, "0");
	check_numeric(0, 0, 2, 0, NULL, "0.00");
	check_numeric(0, 0, 2, 2, (const int[]){170, 2000}, "170.20");
	check_numeric(0, 0x4000, 0, 1, (const int[]){5}, "-5");
	check_numeric(-1, 0, 4, 1, (const int[]){25}, "0.0025");
	check_numeric(-2, 0, 8, 1, (const int[]){1}, "0.00000001");
	check_numeric(-1, 0, 1, 1, (const int[]){5000}, "0.5");
	check_numeric(1, 0, 0, 1, (const int[]){12}, "120000");
	check_numeric(2, 0, 5, 5, (const int[]){1, 2, 3, 4, 5000}, "100020003.00045");
	check_numeric(0, 0xC000, 0, 0, NULL, "null");
	check_numeric(0, 0xD000, 0, 0, NULL, "null");
}

static void check_int(int64_t v, const char *want)
{
	struct buf b = BUF_INIT(100);

	json_int(&b, v);
	assert_string_equal(b.p, want);
	buf_free(&b);
}

static void whole_numbers_of_every_size(void **state)
{
	(void)state;
	check_int(0, "0");
	check_int(-1, "-1");
	check_int(INT64_MAX, "9223372036854775807");
	check_int(INT64_MIN, "-9223372036854775808");
}

static void check_time(int64_t us, const char *want)
{
	struct buf b = BUF_INIT(100);

	json_time(&b, us);
	assert_string_equal(b.p, want);
	buf_free(&b);
}

static void times_are_rfc_3339(void **state)
{
	(void)state;
	check_time(0, "\"1970-01-01T00:00:00Z\"");
	check_time(-1, "\"1969-12-31T23:59:59.999999Z\"");
	check_time(1709210096000001, "\"2024-02-29T12:34:56.000001Z\"");
	check_time(INT64_C(253402300799999999), "\"9999-12-31T23:59:59.999999Z\"");
	check_time(INT64_C(253402300800000000), "null");
	check_time(INT64_C(-62135596800000000), "\"0001-01-01T00:00:00Z\"");
	check_time(INT64_C(-62135596800000001), "null");
	check_time(INT64_MIN, "null");
	check_time(INT64_MAX, "null");
}

static void columns_stand_for_themselves(void **state)
{
	struct buf b = BUF_INIT(64 * 1024);

	(void)state;
	assert_true(columns_expand(&b, "SELECT {rejected} FROM x r WHERE a = '{}'"));
	assert_non_null(strstr(b.p, "SELECT r.id, r.resource_type, "));
	assert_non_null(strstr(b.p, "r.replayed_at FROM x r WHERE a = '{}'"));
	assert_null(strstr(b.p, "{rejected}"));
	buf_free(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(text_is_escaped),    cmocka_unit_test(the_limit_holds),
	    cmocka_unit_test(numbers_are_exact),  cmocka_unit_test(whole_numbers_of_every_size),
	    cmocka_unit_test(times_are_rfc_3339), cmocka_unit_test(columns_stand_for_themselves),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
