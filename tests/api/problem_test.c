/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "api/problem.h"

static void it_is_rfc_9457(void **state)
{
	struct buf b = BUF_INIT(4096);
	struct problem p = {.type = PROBLEM_NOT_FOUND};

	(void)state;
	problem_json(&b, &p, "id-1");
	assert_string_equal(
	    b.p,
	    "{\"type\":\"urn:fhirline:problem:not-found\",\"title\":\"There is no such thing\","
	    "\"status\":404,\"detail\":\"There is no such thing\",\"request_id\":\"id-1\"}");
	buf_free(&b);
}

static void it_names_the_fields(void **state)
{
	struct buf b = BUF_INIT(4096);
	struct problem p = {.type = PROBLEM_PARAMETER};

	(void)state;
	for (int i = 0; i < PROBLEM_FIELDS + 3; i++)
		problem_add(&p, i ? "b\"" : "a", "query", "is wrong");
	assert_int_equal(p.count, PROBLEM_FIELDS);
	problem_json(&b, &p, NULL);
	assert_non_null(strstr(b.p, "\"field\":\"a\",\"errors\":[{\"field\":\"a\",\"in\":\"query\","
	                            "\"detail\":\"is wrong\"},"));
	assert_non_null(strstr(b.p, "{\"field\":\"b\\\"\","));
	buf_free(&b);
}

static void every_type_is_complete(void **state)
{
	(void)state;
	for (enum problem_type t = 0; t < PROBLEM_TYPES; t++) {
		assert_true(problem_status(t) >= 400 && problem_status(t) < 600);
		assert_non_null(problem_name(t));
		assert_non_null(problem_title(t));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(it_is_rfc_9457),
	    cmocka_unit_test(it_names_the_fields),
	    cmocka_unit_test(every_type_is_complete),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
