/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "api/api.h"

static void only_loopback_is_listened_on(void **state)
{
	static const char *const refused[] = {
	    "0.0.0.0:8080", "192.168.1.5:80",   "[::]:8080",   "example.org:80",
	    ":8080",        "[2001:db8::1]:80", "10.0.0.1:80", "128.0.0.1:80"};
	static const char *const malformed[] = {
	    "",      "127.0.0.1", "127.0.0.1:", "127.0.0.1:70000", "127.0.0.1:x",
	    "[::1]", "[::1",      "::1:80"};
	char host[64];
	int port;
	struct err err = {0};

	(void)state;
	assert_true(api_listen_parse("127.0.0.1:8080", host, &port, &err));
	assert_string_equal(host, "127.0.0.1");
	assert_int_equal(port, 8080);
	assert_true(api_listen_parse("localhost:0", host, &port, &err));
	assert_string_equal(host, "127.0.0.1");
	assert_true(api_listen_parse("[::1]:81", host, &port, &err));
	assert_string_equal(host, "::1");
	assert_true(api_listen_parse("127.8.9.1:1", host, &port, &err));
	for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
		assert_false(api_listen_parse(refused[i], host, &port, &err));
		assert_int_equal(err.code, ERR_USAGE);
		assert_non_null(strstr(err.text, "authentication"));
	}
	for (size_t i = 0; i < sizeof malformed / sizeof malformed[0]; i++) {
		assert_false(api_listen_parse(malformed[i], host, &port, &err));
		assert_int_equal(err.code, ERR_USAGE);
	}
}

static void only_loopback_names_are_served(void **state)
{
	(void)state;
	assert_true(api_host_allowed(STR("localhost")));
	assert_true(api_host_allowed(STR("LOCALHOST:8080")));
	assert_true(api_host_allowed(STR("127.0.0.1:8080")));
	assert_true(api_host_allowed(STR("[::1]:8080")));
	assert_false(api_host_allowed(STR("evil.example:8080")));
	assert_false(api_host_allowed(STR("localhost.evil.example")));
	assert_false(api_host_allowed(STR("127.0.0.1.evil.example")));
	assert_false(api_host_allowed(STR("[::2]")));
	assert_false(api_host_allowed(STR("::1")));
	assert_false(api_host_allowed(STR("localhost:x")));
	assert_false(api_host_allowed(STR("")));
	assert_false(api_host_allowed(STR_NONE));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(only_loopback_is_listened_on),
	    cmocka_unit_test(only_loopback_names_are_served),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
