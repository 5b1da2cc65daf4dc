/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "secret/ref.h"

static void check(const char *text, const char *path, const char *field)
{
	struct secret_ref ref;
	struct err err = {0};

	assert_true(secret_ref_parse(text, "fhir-password", &ref, &err));
	assert_string_equal(ref.path, path);
	assert_string_equal(ref.field, field);
}

static void kv_paths_get_their_data_part(void **state)
{
	(void)state;
	check("vault:secret/a#p", "secret/data/a", "p");
	check("vault:secret/a/b-c_d.e#some field", "secret/data/a/b-c_d.e", "some field");
	check("vault:team/kv/data/a#p", "team/kv/data/a", "p");
	check("vault:database/creds/role", "database/creds/role", "");
}

static void others_are_refused(void **state)
{
	static const char *const bad[] = {"vault:",        "vault:secret",      "vault:/secret/a#p",
	                                  "vault:s/a/#p",  "vault:s/../sys#p",  "vault:s//a#p",
	                                  "vault:s/a?b#p", "vault:s/a b#p",     "vault:s/a#",
	                                  "secret/a#p",    "vault:s/%2e%2e/a#p"};
	struct secret_ref ref;
	struct err err;

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		err = (struct err){0};
		assert_false(secret_ref_parse(bad[i], "fhir-password", &ref, &err));
		assert_int_equal(err.code, ERR_CONFIG);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(kv_paths_get_their_data_part),
	    cmocka_unit_test(others_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
