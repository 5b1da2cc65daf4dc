/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fhir/search_url.h"

static void base_urls_are_checked(void **state)
{
	struct err err = {0};
	char *base = search_base_url(" https://Host:8443/fhir/R4// ", &err);
	static const struct {
		const char *url, *words;
	} bad[] = {{"", "absolute"},
	           {NULL, "absolute"},
	           {"host/fhir", "absolute"},
	           {"ftp://host/", "absolute"},
	           {"http://", "absolute"},
	           {"https://user:pa55@host/fhir", "FHIRLINE_FHIR_USER"},
	           {"https://user@host/fhir", "FHIRLINE_FHIR_USER"},
	           {"https://host/fhir?a=b", "query"},
	           {"https://host/fhir#x", "fragment"}};

	(void)state;
	assert_string_equal(base, "https://Host:8443/fhir/R4");
	free(base);
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		assert_null(search_base_url(bad[i].url, &err));
		assert_int_equal(err.code, ERR_CONFIG);
		assert_non_null(strstr(err.text, bad[i].words));
		assert_null(strstr(err.text, "pa55"));
	}
}

static void parameters_are_encoded(void **state)
{
	struct buf b = BUF_INIT(1000);
	const struct fhir_param p[] = {{"patient", "a,b/1"},
	                               {"_lastUpdated", "ge2024-01-01T00:00:00+01:00"},
	                               {"x|y", "a&b=c d#\xc3\xa9"}};

	(void)state;
	search_params_add(&b, p, 3);
	assert_string_equal(
	    b.p, "patient=a,b/"
	         "1&_lastUpdated=ge2024-01-01T00:00:00%2B01:00&x%7Cy=a%26b%3Dc%20d%23%C3%A9");
	buf_free(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(base_urls_are_checked),
	    cmocka_unit_test(parameters_are_encoded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
