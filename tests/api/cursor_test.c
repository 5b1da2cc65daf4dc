/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "api/cursor.h"

static const unsigned char key[CURSOR_KEY] = "0123456789abcdef0123456789abcdef";
static const unsigned char other_key[CURSOR_KEY] = "1123456789abcdef0123456789abcdef";

static void a_cursor_comes_back(void **state)
{
	char text[CURSOR_TEXT_MAX], position[CURSOR_POSITION_MAX], want[CURSOR_POSITION_MAX];
	size_t n;

	(void)state;
	for (size_t length = 1; length <= CURSOR_POSITION_MAX; length++) {
		memset(want, (int)length, sizeof want);
		assert_true(cursor_write(key, 7, want, length, text));
		assert_true(cursor_looks_right(str_of(text)));
		assert_int_equal(cursor_read(key, 7, str_of(text), position, &n), CURSOR_FINE);
		assert_int_equal(n, length);
		assert_memory_equal(position, want, length);
	}
	assert_false(cursor_write(key, 7, want, CURSOR_POSITION_MAX + 1, text));
}

static void every_change_is_noticed(void **state)
{
	static const char letters[] = "AZaz09-_";
	char text[CURSOR_TEXT_MAX], position[CURSOR_POSITION_MAX];
	size_t n;

	(void)state;
	assert_true(cursor_write(key, 7, "patient-1", 9, text));
	for (size_t i = 0; i < strlen(text); i++) {
		for (const char *c = letters; *c; c++) {
			char kept = text[i];

			if (*c == kept)
				continue;
			text[i] = *c;
			assert_int_equal(cursor_read(key, 7, str_of(text), position, &n),
			                 CURSOR_CHANGED);
			text[i] = kept;
		}
	}
	for (size_t i = 1; i < strlen(text); i++)
		assert_int_not_equal(cursor_read(key, 7, (struct str){text, i}, position, &n),
		                     CURSOR_FINE);
}

static void it_holds_for_one_list_and_one_key(void **state)
{
	char text[CURSOR_TEXT_MAX], position[CURSOR_POSITION_MAX];
	size_t n;

	(void)state;
	assert_true(cursor_write(key, 7, "x", 1, text));
	assert_int_equal(cursor_read(key, 8, str_of(text), position, &n), CURSOR_CHANGED);
	assert_int_equal(cursor_read(other_key, 7, str_of(text), position, &n), CURSOR_CHANGED);
	assert_int_equal(
	    cursor_read(key, 7, STR("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"), position, &n),
	    CURSOR_UNKNOWN);
}

static void its_looks_are_checked(void **state)
{
	char longest[300];

	(void)state;
	memset(longest, 'A', sizeof longest);
	assert_true(cursor_looks_right((struct str){longest, CURSOR_TEXT_MIN}));
	assert_false(cursor_looks_right((struct str){longest, CURSOR_TEXT_MIN - 1}));
	assert_true(cursor_looks_right((struct str){longest, CURSOR_TEXT_MAX - 1}));
	assert_false(cursor_looks_right((struct str){longest, CURSOR_TEXT_MAX}));
	longest[3] = '+';
	assert_false(cursor_looks_right((struct str){longest, CURSOR_TEXT_MIN}));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_cursor_comes_back),
	    cmocka_unit_test(every_change_is_noticed),
	    cmocka_unit_test(it_holds_for_one_list_and_one_key),
	    cmocka_unit_test(its_looks_are_checked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
