/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/rng.h"
#include "base/str.h"

static void buf_keeps_its_limit(void **state)
{
	struct buf b = BUF_INIT(5);
	struct err err = {0};

	(void)state;
	assert_true(buf_add_cstr(&b, "hello"));
	assert_false(buf_add_char(&b, '!'));
	assert_string_equal(b.p, "hello");
	assert_false(buf_ok(&b, "the greeting", &err));
	assert_int_equal(err.code, ERR_LIMIT);
	assert_non_null(strstr(err.text, "the greeting"));
	buf_clear(&b);
	assert_true(buf_add_cstr(&b, "abc"));
	buf_free(&b);
}

static void buf_writes_json(void **state)
{
	struct buf b = BUF_INIT(1000);

	(void)state;
	buf_add_json(&b, STR("a\"\\\n\x01z\xc3\xa9\xff\xe2\x82"));
	assert_string_equal(b.p,
	                    "\"a\\\"\\\\\\n\\u0001z\xc3\xa9\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"");
	buf_clear(&b);
	buf_add_json(&b, STR(""));
	assert_string_equal(b.p, "\"\"");
	buf_clear(&b);
	buf_add_urlencoded(&b, STR("a b+c/\xc3\xa9~"));
	assert_string_equal(b.p, "a%20b%2Bc%2F%C3%A9~");
	buf_free(&b);
}

static void str_reads_numbers(void **state)
{
	int64_t v = 7;

	(void)state;
	assert_true(str_int(STR("-9223372036854775808"), INT64_MIN, INT64_MAX, &v));
	assert_true(v == INT64_MIN);
	assert_false(str_int(STR("9223372036854775808"), INT64_MIN, INT64_MAX, &v));
	assert_false(str_int(STR(""), 0, 9, &v));
	assert_false(str_int(STR("-"), 0, 9, &v));
	assert_false(str_int(STR("1x"), 0, 9, &v));
	assert_false(str_int(STR("10"), 0, 9, &v));
	assert_true(str_int(STR("09"), 0, 9, &v));
	assert_int_equal(v, 9);
	assert_true(str_is_zip(STR("02139")));
	assert_false(str_is_zip(STR("2139")));
	assert_false(str_is_zip(STR("0213a")));
}

static void str_checks_utf8(void **state)
{
	(void)state;
	assert_true(str_utf8_valid(STR("\xf0\x9f\x98\x80 ok")));
	assert_false(str_utf8_valid(STR("\xed\xa0\x80")));     /* surrogate */
	assert_false(str_utf8_valid(STR("\xc0\x80")));         /* overlong */
	assert_false(str_utf8_valid(STR("\xf4\x90\x80\x80"))); /* over U+10FFFF */
	assert_false(str_utf8_valid(STR("\xe2\x82")));         /* cut */
}

static void clock_tells_dates(void **state)
{
	char out[CLOCK_TEXT];
	int64_t us;
	int y, m, d;

	(void)state;
	clock_format(0, out);
	assert_string_equal(out, "1970-01-01T00:00:00Z");
	clock_format(-1, out);
	assert_string_equal(out, "1969-12-31T23:59:59.999999Z");
	assert_true(clock_parse_http(STR("Sun, 06 Nov 1994 08:49:37 GMT"), &us));
	clock_format(us, out);
	assert_string_equal(out, "1994-11-06T08:49:37Z");
	assert_false(clock_parse_http(STR("Sun, 31 Feb 1994 08:49:37 GMT"), &us));
	for (int64_t day = -800000; day < 800000; day += 37) {
		clock_civil_from_days(day, &y, &m, &d);
		assert_true(clock_days_from_civil(y, m, d) == day);
		assert_true(d >= 1 && d <= clock_days_in_month(y, m));
	}
}

static void arena_bounds_and_resets(void **state)
{
	struct arena a = ARENA_INIT(100000);

	(void)state;
	assert_non_null(arena_alloc(&a, 1));
	assert_null(arena_alloc(&a, 200000));
	assert_null(arena_array(&a, SIZE_MAX, 2));
	assert_string_equal(arena_printf(&a, "%d-%s", 7, "x"), "7-x");
	for (int i = 0; i < 1000; i++)
		arena_alloc(&a, 1000);
	assert_true(a.total <= 100000);
	arena_reset(&a);
	assert_non_null(arena_alloc(&a, 1000));
	arena_free(&a);
}

static void uuids_are_valid_and_rise(void **state)
{
	char a[UUID_TEXT], b[UUID_TEXT], hex[HASH_HEX];
	struct err err;

	(void)state;
	assert_true(uuid_v7(1700000000000000, a, &err));
	assert_true(uuid_v7(1700000000001000, b, &err));
	assert_true(uuid_valid(str_of(a)));
	assert_true(strcmp(a, b) < 0);
	assert_false(uuid_valid(STR("x")));
	assert_true(hash_sha256_of(STR("abc"), hex));
	assert_string_equal(hex,
	                    "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

static void err_text_may_feed_itself(void **state)
{
	struct err e = {0};

	(void)state;
	err_set(&e, ERR_IO, "x", "disk full");
	err_prefix(&e, "batch %d", 3);
	assert_string_equal(e.text, "batch 3: disk full");
	err_set_retry(&e, ERR_BUSY, "y", "again: %s", e.text);
	assert_string_equal(e.text, "again: batch 3: disk full");
	assert_true(e.retryable);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(buf_keeps_its_limit),      cmocka_unit_test(buf_writes_json),
	    cmocka_unit_test(str_reads_numbers),        cmocka_unit_test(str_checks_utf8),
	    cmocka_unit_test(clock_tells_dates),        cmocka_unit_test(arena_bounds_and_resets),
	    cmocka_unit_test(uuids_are_valid_and_rise), cmocka_unit_test(err_text_may_feed_itself),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
