/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/dotenv.h"

static void values_are_read_as_compose_reads_them(void **state)
{
	static const char text[] = "# comment\n\n  \r\nA=1\nexport B = two words   # comment\n"
	                           "C='as $IT is # all'\nD=\"a\\n\\\"b\\\" \\$x\"\r\nE=\nF=a#b\n"
	                           "exported=x\nG='' # c\nH=100$\nI=#nothing";
	struct err err = {0};
	struct dotenv *d = dotenv_parse(text, sizeof text - 1, &err);

	(void)state;
	assert_non_null(d);
	assert_string_equal(dotenv_get(d, "A"), "1");
	assert_string_equal(dotenv_get(d, "B"), "two words");
	assert_string_equal(dotenv_get(d, "C"), "as $IT is # all");
	assert_string_equal(dotenv_get(d, "D"), "a\n\"b\" $x");
	assert_string_equal(dotenv_get(d, "E"), "");
	assert_string_equal(dotenv_get(d, "F"), "a#b");
	assert_string_equal(dotenv_get(d, "exported"), "x");
	assert_string_equal(dotenv_get(d, "G"), "");
	assert_string_equal(dotenv_get(d, "H"), "100$");
	assert_string_equal(dotenv_get(d, "I"), "");
	assert_null(dotenv_get(d, "J"));
	assert_int_equal(dotenv_count(d), 10);
	dotenv_free(d);
}

static void errors_name_line_and_key_and_no_value(void **state)
{
	static const struct {
		const char *text, *says;
	} bad[] = {{"A=1\nKEY='canary", "line 2, KEY"},    {"KEY=\"canary\\q\"", "line 1, KEY"},
	           {"KEY=canary\nKEY=x", "line 2, KEY"},   {"KEY=\"canary\"canary", "line 1, KEY"},
	           {"KEY canary", "line 1, KEY"},          {"\n\n1KEY=canary", "line 3"},
	           {"KEY=canary${HOME}", "line 1, KEY"},   {"KEY=\"canary$HOME\"", "line 1, KEY"},
	           {"KEY='canary\ncanary'", "line 1, KEY"}};
	struct err err;

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		err = (struct err){0};
		assert_null(dotenv_parse(bad[i].text, strlen(bad[i].text), &err));
		assert_int_equal(err.code, ERR_CONFIG);
		assert_non_null(strstr(err.text, bad[i].says));
		assert_null(strstr(err.text, "canary"));
	}
}

static void the_number_of_keys_is_bounded(void **state)
{
	char text[16384];
	size_t n = 0;
	struct err err = {0};

	(void)state;
	for (int i = 0; i < 513; i++)
		n += (size_t)snprintf(text + n, sizeof text - n, "K%d=v\n", i);
	assert_null(dotenv_parse(text, n, &err));
	assert_non_null(strstr(err.text, "line 513, K512"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(values_are_read_as_compose_reads_them),
	    cmocka_unit_test(errors_name_line_and_key_and_no_value),
	    cmocka_unit_test(the_number_of_keys_is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
