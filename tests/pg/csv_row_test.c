/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "pg/csv_row.h"

static void check_text(struct str in, const char *want)
{
	struct buf b = BUF_INIT(4096);

	csv_text(&b, in);
	assert_false(b.failed);
	assert_string_equal(b.p, want);
	buf_free(&b);
}

static void quotes_only_where_needed(void **state)
{
	(void)state;
	check_text(STR("plain text; 'single'\ttab"), "plain text; 'single'\ttab");
	check_text(STR(""), "\"\"");
	check_text(STR("a,b"), "\"a,b\"");
	check_text(STR("\""), "\"\"\"\"");
	check_text(STR("a\"b\"c"), "\"a\"\"b\"\"c\"");
	check_text(STR("a\nb"), "\"a\nb\"");
	check_text(STR("a\rb"), "\"a\rb\"");
}

static const struct column columns[] = {
    {.name = "t", .type = COLUMN_TEXT},       {.name = "b", .type = COLUMN_BOOL},
    {.name = "i", .type = COLUMN_INT4},       {.name = "d", .type = COLUMN_DATE},
    {.name = "z", .type = COLUMN_TIME},       {.name = "j", .type = COLUMN_JSON},
    {.name = "l", .type = COLUMN_TEXT_ARRAY}, {.name = "n,m", .type = COLUMN_NUMERIC},
};
static const struct column_table table = {.columns = columns, .count = 8};

static void a_row_of_each_type(void **state)
{
	const struct str fields[] = {STR("x,y"),
	                             STR("\1"),
	                             STR("\0\0\0\7"),
	                             STR("\0\0\0\1"),
	                             STR("\0\0\0\0\0\0\0\1"),
	                             STR("\1\"text\""),
	                             STR("\0\0\0\1\0\0\0\0\0\0\0\31\0\0\0\1\0\0\0\1\0\0\0\1a"),
	                             STR("\0\2\0\0\0\0\0\2\0\1\23\210")};
	struct buf b = BUF_INIT(4096);

	(void)state;
	csv_header(&b, &table);
	csv_fields(&b, &table, fields);
	assert_string_equal(b.p, "t,b,i,d,z,j,l,\"n,m\"\r\n"
	                         "\"x,y\",true,7,2000-01-02,2000-01-01T00:00:00.000001Z,"
	                         "\"\"\"text\"\"\",\"[\"\"a\"\"]\",1.50\r\n");
	buf_free(&b);
}

static void null_is_nothing(void **state)
{
	const struct str fields[8] = {{0}};
	struct buf b = BUF_INIT(4096), small = BUF_INIT(4);

	(void)state;
	csv_fields(&b, &table, fields);
	assert_string_equal(b.p, ",,,,,,,\r\n");
	csv_fields(&small, &table, fields);
	assert_true(small.failed);
	buf_free(&b);
	buf_free(&small);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(quotes_only_where_needed),
	    cmocka_unit_test(a_row_of_each_type),
	    cmocka_unit_test(null_is_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
