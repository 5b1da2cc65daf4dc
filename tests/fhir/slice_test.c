/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/rng.h"
#include "fhir/slice.h"

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

/* ---- the fast way and the walk agree ---- */

static void blank(struct buf *b, struct rng *r)
{
	static const char *const blanks[] = {"", "", "", " ", "\n\t", "\r\n  "};

	buf_add_cstr(b, blanks[rng_below(r, 6)]);
}

static void text(struct buf *b, struct rng *r)
{
	static const char *const texts[] = {"\"a\"",         "\"resource\"", "\"r\\u0065source\"",
	                                    "\"\"",          "\"},{\\\"\"",  "\"\\\\\"",
	                                    "\"\xc3\xa9}\"", "\"[\"",        "\"a\\n:{\"",
	                                    "\"entry\""};

	buf_add_cstr(b, texts[rng_below(r, 10)]);
}

static void value(struct buf *b, struct rng *r, int depth)
{
	static const char *const plain[] = {
	    "1", "-2.5e+9", "true", "null", "[]", "{}", "12345678901234567890123"};
	int kind = depth ? (int)rng_below(r, 4) : 3, n = (int)rng_below(r, 5);

	blank(b, r);
	if (kind == 3 && rng_below(r, 2)) {
		text(b, r);
	} else if (kind == 3) {
		buf_add_cstr(b, plain[rng_below(r, 7)]);
	} else {
		buf_add_char(b, kind == 0 ? '[' : '{');
		for (int i = 0; i < n; i++) {
			if (i)
				buf_add_char(b, ',');
			blank(b, r);
			if (kind != 0) {
				text(b, r);
				blank(b, r);
				buf_add_char(b, ':');
			}
			value(b, r, depth - 1);
		}
		blank(b, r);
		buf_add_char(b, kind == 0 ? ']' : '}');
	}
	blank(b, r);
}

struct tally {
	const yyjson_doc *doc;
	struct str text;
	int fast, slow;
};

static void compare(struct tally *t, yyjson_val *v, struct str v_text, yyjson_val *array)
{
	struct slice_iter it = slice_iter_of(v_text);
	yyjson_val *key, *item;
	struct str name, item_text, fast;
	size_t i, n;

	if (yyjson_is_arr(v)) {
		yyjson_arr_foreach(v, i, n, item)
		{
			assert_true(slice_next(&it, &item_text));
			compare(t, item, item_text, v);
		}
	} else if (yyjson_is_obj(v)) {
		yyjson_obj_foreach(v, i, n, key, item)
		{
			assert_true(slice_next(&it, &name));
			it.p += strspn(it.p, " \t\r\n") + 1;
			assert_true(slice_next(&it, &item_text));
			compare(t, item, item_text, NULL);
			if (!array || !yyjson_is_obj(item))
				continue;
			fast = slice_of(t->doc, t->text, array, v, item);
			if (!fast.p)
				assert_true(name.n == 2 ||
				            memchr(name.p, '\\',
				                   name.n)); /* only odd names are not found */
			else
				assert_true(fast.p == item_text.p && fast.n == item_text.n);
			t->fast += fast.p != NULL;
			t->slow += fast.p == NULL;
		}
	}
}

static void both_ways_agree(void **state)
{
	struct rng r = {7};
	struct tally t = {0};

	(void)state;
	for (int round = 0; round < 20000; round++) {
		struct buf b = BUF_INIT(1 << 20);
		yyjson_doc *doc;

		value(&b, &r, 6);
		doc = yyjson_read(b.p, b.n, YYJSON_READ_NUMBER_AS_RAW);
		if (!doc)
			fail_msg("the test's own JSON is broken: %s", b.p);
		t.doc = doc;
		t.text = (struct str){b.p, b.n};
		compare(&t, yyjson_doc_get_root(doc), str_trim(t.text), NULL);
		yyjson_doc_free(doc);
		buf_free(&b);
	}
	assert_true(t.fast > 10000 && t.slow > 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(slices_are_found),
	    cmocka_unit_test(cut_text_is_not_overrun),
	    cmocka_unit_test(both_ways_agree),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
