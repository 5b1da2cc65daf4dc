/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "api/router.h"

static const struct param item_params[] = {
    {"id", PARAM_PATH, PARAM_ID},
    {"limit", PARAM_QUERY, PARAM_INT, .min = 1, .max = 1000, .fallback = "100"},
    {"name", PARAM_QUERY, PARAM_TEXT, .max = 3},
    {"sex", PARAM_QUERY, PARAM_ENUM, .choices = "male|female"},
    {"zip", PARAM_QUERY, PARAM_ZIP},
    {"born", PARAM_QUERY, PARAM_DATE},
    {"Key", PARAM_HEADER, PARAM_KEY, .max = 5},
    {0},
};
static const struct param need_params[] = {
    {"must", PARAM_QUERY, PARAM_TEXT, .max = 9, .required = true}, {0}};
static const struct route table[] = {
    {.method = METHOD_GET, .path = "/", .status = 200},
    {.method = METHOD_GET, .path = "/items/{id}", .params = item_params, .status = 200},
    {.method = METHOD_POST, .path = "/items/{id}/cancel", .status = 202},
    {.method = METHOD_GET, .path = "/items", .params = need_params, .status = 200},
    {.method = METHOD_POST, .path = "/items", .status = 202},
};
enum { COUNT = sizeof table / sizeof table[0] };

static void paths_find_their_route(void **state)
{
	struct router_match m;
	char allow[64];

	(void)state;
	assert_int_equal(router_match(table, COUNT, METHOD_GET, STR("/"), &m), ROUTER_OK);
	assert_ptr_equal(m.route, &table[0]);
	assert_int_equal(router_match(table, COUNT, METHOD_GET, STR("/items/a%20b"), &m),
	                 ROUTER_OK);
	assert_ptr_equal(m.route, &table[1]);
	assert_true(str_is(m.segments[0], "a%20b"));
	assert_int_equal(router_match(table, COUNT, METHOD_POST, STR("/v1/items/x/cancel"), &m),
	                 ROUTER_OK);
	assert_ptr_equal(m.route, &table[2]);
	assert_int_equal(router_match(table, COUNT, METHOD_POST, STR("/items"), &m), ROUTER_OK);
	assert_ptr_equal(m.route, &table[4]);
	assert_int_equal(router_match(table, COUNT, METHODS, STR("/items"), &m), ROUTER_NO_METHOD);
	router_allow(m.methods, allow);
	assert_string_equal(allow, "GET, HEAD, POST, OPTIONS");
	assert_int_equal(router_match(table, COUNT, METHOD_GET, STR("/items/x/cancel"), &m),
	                 ROUTER_NO_METHOD);
	router_allow(m.methods, allow);
	assert_string_equal(allow, "POST, OPTIONS");
}

static void other_paths_are_not_there(void **state)
{
	static const char *const none[] = {
	    "",    "/items/",  "/item",     "/items/a/b", "/items/a/cancel/", "//items",
	    "/v1", "/v1items", "/v2/items", "items",      "/items//cancel",   "*"};
	struct router_match m;

	(void)state;
	for (size_t i = 0; i < sizeof none / sizeof none[0]; i++)
		assert_int_equal(router_match(table, COUNT, METHOD_GET, str_of(none[i]), &m),
		                 ROUTER_NO_PATH);
}

static struct str key_header;

static struct str header(void *ctx, const char *name)
{
	(void)ctx;
	return strcmp(name, "Key") == 0 ? key_header : STR_NONE;
}

/* Checks a request for /items/…; returns the first field that is wrong, "" when none is. */
static const char *wrong(struct arena *a, const char *id, const char *query,
                         struct param_value *values)
{
	static char name[64];
	struct router_match m = {.route = &table[1], .segments = {str_of(id)}, .segment_count = 1};
	struct problem p;

	if (router_params(&m, str_of(query), header, NULL, a, values, &p))
		return "";
	assert_int_equal(p.type, PROBLEM_PARAMETER);
	assert_non_null(p.fields[0].detail);
	snprintf(name, sizeof name, "%s", p.fields[0].name);
	return name;
}

static void parameters_are_checked(void **state)
{
	static const struct {
		const char *query, *field;
	} cases[] = {
	    {"", ""},
	    {"limit=1&name=abc&sex=male&zip=02139&born=2024-02-29", ""},
	    {"&&limit=7&", ""},
	    {"limit=0", "limit"},
	    {"limit=1001", "limit"},
	    {"limit=-1", "limit"},
	    {"limit=+1", "limit"},
	    {"limit=01", "limit"},
	    {"limit=1.0", "limit"},
	    {"limit=", "limit"},
	    {"limit", "limit"},
	    {"limit=99999999999999999999", "limit"},
	    {"limit=1&limit=1", "limit"},
	    {"name=", "name"},
	    {"name=abcd", "name"},
	    {"name=%C3%A9%C3%A9%C3%A9", ""},
	    {"name=a+b", ""},
	    {"name=%0A", "name"},
	    {"name=%00", "name"},
	    {"name=%ff", "name"},
	    {"name=%4", "name"},
	    {"name=%zz", "name"},
	    {"sex=Male", "sex"},
	    {"sex=male|female", "sex"},
	    {"sex=", "sex"},
	    {"zip=2139", "zip"},
	    {"zip=021390", "zip"},
	    {"zip=0213x", "zip"},
	    {"zip=02139;drop", "zip"},
	    {"born=2023-02-29", "born"},
	    {"born=1970", "born"},
	    {"unknown=1", "unknown"},
	    {"Limit=1", "Limit"},
	    {"id=x", "id"},
	    {"Key=x", "Key"},
	    {"%6cimit=5", ""},
	    {"%=5", "query"},
	};
	struct arena a = ARENA_INIT(1 << 20);
	struct param_value v[ROUTE_PARAMS];

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
		assert_string_equal(wrong(&a, "x", cases[i].query, v), cases[i].field);
	assert_string_equal(wrong(&a, "x", "name=a%2Bb", v), "");
	assert_true(str_is(v[2].text, "a+b"));
	assert_int_equal(v[1].number, 100);
	arena_free(&a);
}

static void path_parameters_are_checked(void **state)
{
	static const char *const bad[] = {"a_b", "%20", "%00", "%", "a%2Fb", "\xff"};
	char longest[66];
	struct arena a = ARENA_INIT(1 << 20);
	struct param_value v[ROUTE_PARAMS];

	(void)state;
	assert_string_equal(wrong(&a, "Az0-.9", "", v), "");
	assert_string_equal(wrong(&a, "%41", "", v), "");
	assert_true(str_is(v[0].text, "A"));
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		assert_string_equal(wrong(&a, bad[i], "", v), "id");
	memset(longest, 'a', 65);
	longest[65] = '\0';
	assert_string_equal(wrong(&a, longest, "", v), "id");
	assert_string_equal(wrong(&a, longest + 1, "", v), "");
	arena_free(&a);
}

static void headers_are_checked(void **state)
{
	struct arena a = ARENA_INIT(1 << 20);
	struct param_value v[ROUTE_PARAMS];

	(void)state;
	key_header = STR("ab!~z");
	assert_string_equal(wrong(&a, "x", "", v), "");
	assert_true(str_is(v[6].text, "ab!~z"));
	key_header = STR("a b");
	assert_string_equal(wrong(&a, "x", "", v), "Key");
	key_header = STR("abcdef");
	assert_string_equal(wrong(&a, "x", "", v), "Key");
	key_header = STR("");
	assert_string_equal(wrong(&a, "x", "", v), "Key");
	key_header = STR_NONE;
	arena_free(&a);
}

static void all_that_is_wrong_is_told(void **state)
{
	struct router_match m = {.route = &table[1], .segments = {STR("x")}, .segment_count = 1};
	struct arena a = ARENA_INIT(1 << 20);
	struct param_value v[ROUTE_PARAMS];
	struct problem p;

	(void)state;
	assert_false(router_params(&m, STR("limit=x&zip=1&foo=2"), header, NULL, &a, v, &p));
	assert_int_equal(p.count, 3);
	assert_string_equal(p.fields[0].name, "limit");
	assert_string_equal(p.fields[1].name, "zip");
	assert_string_equal(p.fields[2].name, "foo");
	assert_non_null(strstr(p.fields[2].detail, "limit, name, sex, zip, born"));
	assert_non_null(strstr(p.detail, "limit must be a whole number from 1 to 1000"));
	m = (struct router_match){.route = &table[3]};
	assert_false(router_params(&m, STR_NONE, header, NULL, &a, v, &p));
	assert_string_equal(p.fields[0].name, "must");
	assert_string_equal(p.fields[0].detail, "is required");
	arena_free(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(paths_find_their_route), cmocka_unit_test(other_paths_are_not_there),
	    cmocka_unit_test(parameters_are_checked), cmocka_unit_test(path_parameters_are_checked),
	    cmocka_unit_test(headers_are_checked),    cmocka_unit_test(all_that_is_wrong_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
