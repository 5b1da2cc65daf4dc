/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/rng.h"
#include "pg/copy.h"
#include "pg_fixture.h"

static struct pg_fixture db;
static struct pg_conn *c;
static struct err err;

static void run(const char *sql)
{
	if (!pg_exec_script(c, sql, &err))
		fail_msg("%s", err.text);
}

static void expect_text(const char *sql, const char *text)
{
	PGresult *res = pg_query(c, sql, 0, NULL, &err);

	if (!res)
		fail_msg("%s", err.text);
	assert_int_equal(PQntuples(res), 1);
	assert_string_equal(PQgetvalue(res, 0, 0), text);
	PQclear(res);
}

/* ---- every type ---- */

static void add_full_row(struct buf *b)
{
	const struct str words[] = {STR("a"), STR(""), STR_NONE, STR("\xc3\xa9\",{}")};

	pg_copy_row(b, 11);
	pg_copy_text(b, STR("\xf0\x9f\x98\x80 \\N\t\n"));
	pg_copy_bool(b, 1);
	pg_copy_int4(b, INT32_MIN);
	pg_copy_int8(b, INT64_MIN);
	pg_copy_time(b, 951827696123456); /* 2000-02-29 */
	pg_copy_date(b, -1);
	pg_copy_bytea(b, "\0\xff", 2);
	pg_copy_text_array(b, words, 4, false);
	pg_copy_text_array(b, NULL, 0, false);
	pg_copy_jsonb(b, STR("{\"a\":[1.50,\"\xc3\xa9\"]}"));
	pg_copy_numeric(b, STR("-12.50"));
}

static void add_null_row(struct buf *b)
{
	pg_copy_row(b, 11);
	pg_copy_text(b, STR_NONE);
	pg_copy_bool(b, -1);
	pg_copy_null(b);
	pg_copy_null(b);
	pg_copy_time(b, INT64_MIN);
	pg_copy_date(b, INT64_MIN);
	pg_copy_bytea(b, NULL, 0);
	pg_copy_text_array(b, NULL, 0, true);
	pg_copy_text_array(b, NULL, 0, true);
	pg_copy_jsonb(b, STR_NONE);
	pg_copy_numeric(b, STR_NONE);
}

static void every_type_arrives(void **state)
{
	struct buf b = BUF_INIT(1 << 20);
	int64_t rows = 0;

	(void)state;
	run("CREATE TABLE every (t text, b boolean, i int4, l int8, ts timestamptz, d date, raw "
	    "bytea, a text[], e text[], "
	    "j jsonb, n numeric)");
	pg_copy_begin(&b);
	add_full_row(&b);
	add_null_row(&b);
	pg_copy_end(&b);
	if (!pg_copy_send(c, "COPY every FROM STDIN (FORMAT binary)", &b, &rows, &err))
		fail_msg("%s", err.text);
	assert_int_equal(rows, 2);
	expect_text("SELECT (t = E'\\U0001F600 \\\\N\\t\\n' AND b AND i = -2147483648 AND l = "
	            "-9223372036854775808 AND ts = "
	            "'2000-02-29 12:34:56.123456Z' AND d = '1969-12-31' AND raw = '\\x00ff' AND a "
	            "= ARRAY['a', '', NULL, "
	            "'\xc3\xa9\",{}'] AND e = '{}' AND j::text = '{\"a\": [1.50, \"\xc3\xa9\"]}' "
	            "AND n::text = '-12.50')::text "
	            "FROM every WHERE t IS NOT NULL",
	            "true");
	expect_text(
	    "SELECT num_nulls(t, b, i, l, ts, d, raw, a, e, j, n)::text FROM every WHERE t IS NULL",
	    "11");
	buf_free(&b);
}

/* ---- numbers: PostgreSQL's own reading of the same text is the truth ---- */

static void add_digits(struct buf *b, struct rng *r, size_t n)
{
	/* many zeros, so that groups of four are empty in every place */
	bool sparse = rng_below(r, 2);

	while (n--)
		buf_add_char(b, sparse && rng_below(r, 4) ? '0' : (char)('0' + rng_below(r, 10)));
}

static void random_number(struct buf *b, struct rng *r)
{
	buf_clear(b);
	if (rng_below(r, 2))
		buf_add_char(b, '-');
	if (rng_below(r, 4)) {
		buf_add_char(b, (char)('1' + rng_below(r, 9)));
		add_digits(b, r, rng_below(r, 3) ? rng_below(r, 6) : rng_below(r, 41));
	} else {
		buf_add_char(b, '0');
	}
	if (rng_below(r, 2)) {
		buf_add_char(b, '.');
		add_digits(b, r, 1 + (rng_below(r, 3) ? rng_below(r, 6) : rng_below(r, 41)));
	}
	if (rng_below(r, 3) == 0)
		buf_printf(b, "%c%s%d", rng_below(r, 2) ? 'e' : 'E',
		           (const char *[]){"", "+", "-"}[rng_below(r, 3)],
		           (int)rng_below(r, rng_below(r, 10) ? 12 : 300));
}

static void compare_numbers(struct buf *b, int64_t count)
{
	int64_t rows = 0;

	pg_copy_end(b);
	if (!pg_copy_send(c, "COPY number FROM STDIN (FORMAT binary)", b, &rows, &err))
		fail_msg("%s", err.text);
	assert_int_equal(rows, count);
	/* the same value, the same display scale, and the same bytes on disk */
	expect_text("SELECT coalesce(min(t), 'all equal') FROM number WHERE n IS DISTINCT FROM "
	            "t::numeric OR n::text <> "
	            "t::numeric::text OR numeric_send(n) <> numeric_send(t::numeric)",
	            "all equal");
	buf_free(b);
}

static void random_numbers_are_exact(void **state)
{
	struct buf b = BUF_INIT(64 << 20), text = BUF_INIT(1000);
	struct rng r = {20240229};
	enum { COUNT = 40000 };

	(void)state;
	run("CREATE TABLE number (t text, n numeric)");
	pg_copy_begin(&b);
	for (int i = 0; i < COUNT; i++) {
		struct str s;

		random_number(&text, &r);
		s = (struct str){text.p, text.n};
		pg_copy_row(&b, 2);
		pg_copy_text(&b, s);
		if (!pg_copy_numeric(&b, s))
			fail_msg("%s is a number", text.p);
	}
	compare_numbers(&b, COUNT);
	buf_free(&text);
}

static void add_number(struct buf *b, const char *text)
{
	pg_copy_row(b, 2);
	pg_copy_text(b, str_of(text));
	if (!pg_copy_numeric(b, str_of(text)))
		fail_msg("%s is a number", text);
}

static char *repeated(const char *before, char ch, size_t n, const char *behind)
{
	struct buf b = BUF_INIT(1 << 20);

	buf_add_cstr(&b, before);
	while (n--)
		buf_add_char(&b, ch);
	assert_true(buf_add_cstr(&b, behind));
	return b.p;
}

static void numbers_at_the_bounds_are_exact(void **state)
{
	struct buf b = BUF_INIT(64 << 20);
	char *longest[] = {repeated("", '9', 131072, ""), repeated("0.", '7', 16383, ""),
	                   repeated("1", '0', 140000, "e-10000"), repeated("0.", '0', 16382, "1"),
	                   repeated("-", '8', 131072, ".125")};

	(void)state;
	run("TRUNCATE number");
	pg_copy_begin(&b);
	for (size_t i = 0; i < sizeof longest / sizeof *longest; i++) {
		add_number(&b, longest[i]);
		free(longest[i]);
	}
	add_number(&b, "1e131071");
	add_number(&b, "-1.5e-16382");
	add_number(&b, "-0");
	add_number(&b, "-0.00");
	add_number(&b, "0e5");
	add_number(&b, "9999.9999");
	add_number(&b, "10000");
	compare_numbers(&b, 12);
}

/* What we refuse, PostgreSQL refuses too: nothing is lost that could have been kept. */
static void refused_numbers_are_refused_by_postgresql(void **state)
{
	static const char *const refused[] = {"1e131072", "1e-16384", "0e-16384", "10e131071"};

	(void)state;
	for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
		const char *params[] = {refused[i]};

		assert_false(pg_numeric_valid(str_of(refused[i])));
		assert_null(pg_query(c, "SELECT $1::numeric", 1, params, &err));
		assert_int_equal(err.code, ERR_DB);
	}
}

/* ---- sending ---- */

static void a_failed_copy_says_why_and_leaves_the_connection(void **state)
{
	struct buf b = BUF_INIT(1 << 20);
	int64_t rows = 77;

	(void)state;
	run("CREATE TABLE strict (name text NOT NULL, CHECK (name <> 'Grace Hopper'))");
	pg_copy_begin(&b);
	pg_copy_row(&b, 1);
	pg_copy_text(&b, STR("Grace Hopper"));
	pg_copy_end(&b);
	assert_false(pg_copy_send(c, "COPY strict FROM STDIN (FORMAT binary)", &b, &rows, &err));
	assert_int_equal(err.code, ERR_DB);
	assert_false(err.retryable);
	assert_non_null(strstr(err.text, "23514"));
	assert_null(strstr(err.text, "Hopper"));
	assert_int_equal(rows, 77);
	assert_false(pg_conn_is_lost(c));
	assert_false(pg_copy_send(c, "COPY nowhere FROM STDIN (FORMAT binary)", &b, &rows, &err));
	assert_non_null(strstr(err.text, "42P01"));
	assert_false(pg_copy_send(c, "SELECT 1", &b, &rows, &err));
	assert_int_equal(err.code, ERR_INTERNAL);
	expect_text("SELECT 'fine'", "fine");
	buf_free(&b);
}

static void a_full_buffer_is_not_sent(void **state)
{
	struct buf b = BUF_INIT(30);

	(void)state;
	pg_copy_begin(&b);
	pg_copy_row(&b, 1);
	pg_copy_text(&b, STR("too long for it"));
	pg_copy_end(&b);
	assert_false(pg_copy_send(c, "COPY strict FROM STDIN (FORMAT binary)", &b, NULL, &err));
	assert_int_equal(err.code, ERR_LIMIT);
	buf_free(&b);
}

static void pieces_may_be_cut_anywhere(void **state)
{
	struct buf b = BUF_INIT(64 << 20);
	char line[100];
	int64_t rows = 0;

	(void)state;
	memset(line, 'x', sizeof line);
	pg_copy_begin(&b);
	for (int i = 0; i < 20000; i++) {
		pg_copy_row(&b, 1);
		pg_copy_text(&b, (struct str){line, sizeof line});
	}
	pg_copy_end(&b);
	assert_true(pg_copy_open(c, "COPY strict FROM STDIN (FORMAT binary)", &err));
	for (size_t i = 0; i < b.n; i += 77777)
		assert_true(pg_copy_put(c, b.p + i, b.n - i < 77777 ? b.n - i : 77777, &err));
	assert_null(pg_query(c, "SELECT 1", 0, NULL, &err)); /* not meanwhile */
	assert_int_equal(err.code, ERR_INTERNAL);
	assert_true(pg_copy_close(c, &rows, &err));
	assert_int_equal(rows, 20000);
	buf_free(&b);
}

static void an_aborted_copy_leaves_nothing(void **state)
{
	(void)state;
	run("TRUNCATE strict");
	assert_true(pg_copy_open(c, "COPY strict FROM STDIN (FORMAT text)", &err));
	assert_true(pg_copy_put(c, "one\ntwo\n", 8, &err));
	pg_copy_abort(c);
	pg_copy_abort(c);
	expect_text("SELECT count(*)::text FROM strict", "0");
	assert_false(pg_copy_put(c, "x", 1, &err));
	assert_true(pg_begin(c, &err));
	assert_true(pg_copy_open(c, "COPY strict FROM STDIN (FORMAT text)", &err));
	pg_rollback(c);
	expect_text("SELECT 'fine'", "fine");
}

static void a_server_that_goes_in_mid_copy_is_told(void **state)
{
	struct pg_conn *other = pg_fixture_open(&db);
	char sql[100], block[65536];
	bool ok = true;

	(void)state;
	memset(block, 'y', sizeof block);
	for (size_t i = 99; i < sizeof block; i += 100)
		block[i] = '\n';
	assert_true(pg_copy_open(c, "COPY strict FROM STDIN (FORMAT text)", &err));
	snprintf(sql, sizeof sql, "SELECT pg_terminate_backend(%d, 60000)", pg_conn_backend_pid(c));
	assert_true(pg_exec(other, sql, 0, NULL, NULL, &err));
	for (int i = 0; ok && i < 1000; i++)
		ok = pg_copy_put(c, block, sizeof block, &err);
	ok = ok && pg_copy_close(c, NULL, &err);
	assert_false(ok);
	assert_true(err.retryable);
	assert_true(pg_conn_is_lost(c));
	assert_true(pg_conn_ready(c, &err));
	expect_text("SELECT 'fine'", "fine");
	pg_conn_close(other);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_type_arrives),
	    cmocka_unit_test(random_numbers_are_exact),
	    cmocka_unit_test(numbers_at_the_bounds_are_exact),
	    cmocka_unit_test(refused_numbers_are_refused_by_postgresql),
	    cmocka_unit_test(a_failed_copy_says_why_and_leaves_the_connection),
	    cmocka_unit_test(a_full_buffer_is_not_sent),
	    cmocka_unit_test(pieces_may_be_cut_anywhere),
	    cmocka_unit_test(an_aborted_copy_leaves_nothing),
	    cmocka_unit_test(a_server_that_goes_in_mid_copy_is_told),
	};
	int failed;

	pg_fixture_make(&db, "UTF8");
	c = pg_fixture_open(&db);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	pg_conn_close(c);
	pg_fixture_drop(&db);
	return failed;
}
