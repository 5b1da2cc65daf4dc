/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fhir/search_url.h"
#include "fhir/slice.h"

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

static struct str element(struct str array, int at)
{
	struct slice_iter it = slice_iter_of(array);
	struct str v = STR_NONE;

	while (at-- >= 0)
		if (!slice_next(&it, &v))
			return STR_NONE;
	return v;
}

static void slices_are_found(void **state)
{
	struct str doc = STR("{ \"a\" : [1, -2.5e9 ,\"x]\\\\\",{\"b\":[]},[[],{}], "
	                     "true\n],\"q\\\"}\":{\"a\":\"\\\"}\"},"
	                     "\"\\u0061b\":null,\"a\":0,\"\":7}");
	struct str a = slice_member(doc, "a");

	(void)state;
	assert_true(str_is(element(a, 0), "1"));
	assert_true(str_is(element(a, 1), "-2.5e9"));
	assert_true(str_is(element(a, 2), "\"x]\\\\\""));
	assert_true(str_is(element(a, 3), "{\"b\":[]}"));
	assert_true(str_is(element(a, 4), "[[],{}]"));
	assert_true(str_is(element(a, 5), "true"));
	assert_null(element(a, 6).p);
	assert_true(str_is(slice_member(doc, "q\"}"), "{\"a\":\"\\\"}\"}"));
	assert_true(str_is(slice_member(doc, "ab"), "null"));
	assert_true(str_is(slice_member(doc, ""), "7"));
	assert_null(slice_member(doc, "b").p);
	assert_null(slice_member(a, "a").p);
	assert_null(slice_member(STR("{}"), "a").p);
	assert_null(slice_member(STR(""), "a").p);
	assert_null(slice_member(STR_NONE, "a").p);
}

/* Whatever the text, nothing outside it is read: the sanitizer watches. */
static void cut_text_is_not_overrun(void **state)
{
	static const char whole[] =
	    "{\"a\":[1,{\"b\":\"\\\"\"}],\"entry\":[{\"resource\":{\"x\":\"\\\\\"}},5]}";

	(void)state;
	for (size_t n = 0; n < sizeof whole; n++) {
		char *cut = malloc(n ? n : 1);
		struct str v = {cut, n};

		memcpy(cut, whole, n);
		v = slice_member(v, "entry");
		if (v.p) {
			struct slice_iter it = slice_iter_of(v);
			struct str e;

			while (slice_next(&it, &e))
				slice_member(e, "resource");
		}
		free(cut);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(base_urls_are_checked),
	    cmocka_unit_test(parameters_are_encoded),
	    cmocka_unit_test(slices_are_found),
	    cmocka_unit_test(cut_text_is_not_overrun),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
