/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <pthread.h>

#include "pg/copy.h"
#include "pg_fixture.h"

static struct pg_fixture db;
static struct pg_conn *c;
static struct err err;

static void run(struct pg_conn *on, const char *sql)
{
	if (!pg_exec_script(on, sql, &err))
		fail_msg("%s", err.text);
}

static void the_session_is_set_up(void **state)
{
	PGresult *res =
	    pg_query(c,
	             "SELECT current_setting('TimeZone'), current_setting('application_name'), "
	             "current_setting('client_min_messages'), current_setting('client_encoding'), "
	             "pg_backend_pid()",
	             0, NULL, &err);

	(void)state;
	assert_non_null(res);
	assert_string_equal(PQgetvalue(res, 0, 0), "UTC");
	assert_string_equal(PQgetvalue(res, 0, 1), "fhirline-test");
	assert_string_equal(PQgetvalue(res, 0, 2), "warning");
	assert_string_equal(PQgetvalue(res, 0, 3), "UTF8");
	assert_int_equal(pg_int(res, 0, 4), pg_conn_backend_pid(c));
	PQclear(res);
}

static void results_are_read(void **state)
{
	const char *params[] = {"'; DROP TABLE x", NULL};
	PGresult *res =
	    pg_query(c,
	             "SELECT $1::text, $2::text, true, (-9223372036854775808)::bigint, ''::text, "
	             "(extract(epoch from "
	             "'1969-12-31 23:59:59.5Z'::timestamptz) * 1e6)::bigint, NULL::bigint, false",
	             2, params, &err);

	(void)state;
	assert_non_null(res);
	assert_true(str_is(pg_str(res, 0, 0), "'; DROP TABLE x"));
	assert_null(pg_str(res, 0, 1).p);
	assert_true(pg_bool(res, 0, 2));
	assert_true(pg_int(res, 0, 3) == INT64_MIN);
	assert_non_null(pg_str(res, 0, 4).p);
	assert_int_equal(pg_time_us(res, 0, 5), -500000);
	assert_true(pg_time_us(res, 0, 6) == INT64_MIN);
	assert_int_equal(pg_int(res, 0, 6), 0);
	assert_false(pg_bool(res, 0, 7));
	PQclear(res);
}

static void affected_rows_are_counted(void **state)
{
	int64_t n = -1;

	(void)state;
	run(c, "CREATE TABLE counted (id int PRIMARY KEY)");
	assert_true(
	    pg_exec(c, "INSERT INTO counted SELECT generate_series(1, 12)", 0, NULL, &n, &err));
	assert_int_equal(n, 12);
	assert_true(pg_exec(c, "UPDATE counted SET id = id WHERE id > 100", 0, NULL, &n, &err));
	assert_int_equal(n, 0);
	assert_true(pg_exec(c, "SET work_mem = '4MB'", 0, NULL, &n, &err));
	assert_int_equal(n, 0);
}

static void errors_never_quote_values(void **state)
{
	const char *value[] = {"Grace Hopper"};
	const char *quoted[] = {"Grace \"Brewster\" Hopper"};

	(void)state;
	run(c, "CREATE TABLE person (name text UNIQUE)");
	assert_true(pg_exec(c, "INSERT INTO person VALUES ($1)", 1, value, NULL, &err));
	assert_false(pg_exec(c, "INSERT INTO person VALUES ($1)", 1, value, NULL, &err));
	assert_int_equal(err.code, ERR_CONFLICT);
	assert_non_null(strstr(err.text, "person_name_key"));
	assert_non_null(strstr(err.text, "23505"));
	assert_null(strstr(err.text, "Hopper"));
	assert_false(pg_exec(c, "SELECT $1::date", 1, value, NULL, &err));
	assert_int_equal(err.code, ERR_DB);
	assert_non_null(strstr(err.text, "22007"));
	assert_null(strstr(err.text, "Hopper"));
	assert_false(pg_exec(c, "SELECT $1::bigint", 1, quoted, NULL, &err));
	assert_null(strstr(err.text, "Hopper"));
	assert_null(strstr(err.text, "Grace"));
	assert_false(pg_exec(c, "SELECT * FROM nowhere", 0, NULL, NULL, &err));
	assert_non_null(strstr(err.text, "nowhere"));
	assert_non_null(strstr(err.text, "fhirline db migrate"));
	assert_false(pg_conn_is_lost(c));
}

static void transactions(void **state)
{
	(void)state;
	assert_true(pg_begin(c, &err));
	run(c, "DELETE FROM counted");
	pg_rollback(c);
	pg_rollback(c);
	assert_true(pg_begin(c, &err));
	assert_true(pg_exec(c, "DELETE FROM counted WHERE id = 1", 0, NULL, NULL, &err));
	assert_true(pg_commit(c, &err));
	assert_true(pg_begin(c, &err));
	assert_false(pg_exec(c, "SELECT 1/0", 0, NULL, NULL, &err));
	/* PostgreSQL answers ROLLBACK, without an error */
	assert_false(pg_commit(c, &err));
	assert_int_equal(err.code, ERR_DB);
	assert_false(err.retryable);
}

static void a_script_stops_at_its_first_error(void **state)
{
	int64_t n;

	(void)state;
	assert_false(pg_exec_script(c, "DELETE FROM counted; SELECT 1/0; SELECT 2", &err));
	assert_non_null(strstr(err.text, "22012"));
	assert_true(pg_exec(c, "SELECT FROM counted", 0, NULL, &n, &err));
	assert_int_equal(n, 11);
	assert_true(pg_exec_script(c, "", &err));
}

static void a_lock_time_out_is_retryable(void **state)
{
	struct pg_conn *other = pg_fixture_open(&db);
	struct err e = {0};

	(void)state;
	run(c, "SET lock_timeout = '200ms'");
	run(other, "BEGIN; LOCK TABLE counted");
	assert_false(pg_exec(c, "SELECT * FROM counted", 0, NULL, NULL, &e));
	assert_int_equal(e.code, ERR_DB);
	assert_true(e.retryable);
	assert_non_null(strstr(e.text, "55P03"));
	run(c, "RESET lock_timeout");
	pg_conn_close(other);
}

static void a_lost_connection_is_opened_again(void **state)
{
	struct pg_conn *other = pg_fixture_open(&db);
	int old = pg_conn_backend_pid(c);
	char sql[100];

	(void)state;
	snprintf(sql, sizeof sql, "SELECT pg_terminate_backend(%d, 60000)", old);
	run(other, sql);
	assert_false(pg_exec(c, "SELECT 1", 0, NULL, NULL, &err));
	assert_int_equal(err.code, ERR_DB);
	assert_true(err.retryable);
	assert_true(pg_conn_is_lost(c));
	assert_false(pg_exec(c, "SELECT 1", 0, NULL, NULL, &err));
	assert_true(err.retryable);
	assert_false(pg_begin(c, &err));
	pg_rollback(c);
	assert_true(pg_conn_ready(c, &err));
	assert_int_not_equal(pg_conn_backend_pid(c), old);
	the_session_is_set_up(NULL);

	/* ended while idle: seen by ready itself, before a statement fails */
	snprintf(sql, sizeof sql, "SELECT pg_terminate_backend(%d, 60000)", pg_conn_backend_pid(c));
	run(other, sql);
	assert_true(pg_conn_ready(c, &err));
	run(c, "SELECT 1");
	pg_conn_close(other);
}

static void time_outs_are_told_apart(void **state)
{
	struct pg_options options = {.url = db.url, .statement_timeout_ms = 100};
	struct pg_conn *t = pg_conn_open(&options, &err);

	(void)state;
	assert_non_null(t);
	assert_false(pg_exec(t, "SELECT pg_sleep(600)", 0, NULL, NULL, &err));
	assert_int_equal(err.code, ERR_TIMEOUT);
	assert_true(err.retryable);
	assert_false(pg_conn_is_lost(t)); /* the server ended it, and is well */
	run(t, "SELECT 1");
	pg_conn_close(t);

	options = (struct pg_options){.url = db.url, .answer_timeout_ms = 2000};
	t = pg_conn_open(&options, &err);
	assert_non_null(t);
	assert_false(pg_exec(t, "SELECT pg_sleep(600)", 0, NULL, NULL, &err));
	assert_int_equal(err.code, ERR_TIMEOUT);
	assert_true(err.retryable);
	assert_true(pg_conn_is_lost(t));
	assert_null(pg_conn_raw(t));
	pg_conn_cancel(t); /* of nothing: harmless */
	assert_true(pg_conn_ready(t, &err));
	run(t, "SELECT 1");
	pg_conn_close(t);
}

/* Cancels as soon as the server says that the statement runs: from another thread, as it is meant.
 */
static void *cancel_when_active(void *arg)
{
	struct pg_conn *watcher = pg_fixture_open(&db);
	bool active = false;
	struct err e;
	char sql[160];

	snprintf(sql, sizeof sql,
	         "SELECT state = 'active' AND query LIKE '%%pg_sleep(600)%%' FROM pg_stat_activity "
	         "WHERE pid = %d",
	         *(int *)arg);
	for (int i = 0; i < 12000 && !active; i++) {
		PGresult *res = pg_query(watcher, sql, 0, NULL, &e);

		active = res && pg_bool(res, 0, 0);
		PQclear(res);
		if (!active)
			clock_sleep_ms(10);
	}
	pg_conn_cancel(c);
	pg_conn_close(watcher);
	return NULL;
}

static void another_thread_can_cancel(void **state)
{
	int pid = pg_conn_backend_pid(c);
	pthread_t thread;

	(void)state;
	assert_int_equal(pthread_create(&thread, NULL, cancel_when_active, &pid), 0);
	assert_false(pg_exec(c, "SELECT pg_sleep(600)", 0, NULL, NULL, &err));
	pthread_join(thread, NULL);
	assert_int_equal(err.code, ERR_CANCELLED);
	assert_false(pg_conn_is_lost(c));
	run(c, "SELECT 1");
}

static void a_stray_copy_gives_the_connection_up(void **state)
{
	(void)state;
	assert_false(pg_exec(c, "COPY counted TO STDOUT", 0, NULL, NULL, &err));
	assert_true(pg_conn_ready(c, &err));
	run(c, "SELECT 1");
}

static void large_parameters_and_results(void **state)
{
	size_t n = 20 << 20;
	char *big = malloc(n + 1);
	const char *params[] = {big};
	PGresult *res;

	(void)state;
	assert_non_null(big);
	memset(big, 'z', n);
	big[n] = '\0';
	res = pg_query(c, "SELECT $1::text", 1, params, &err);
	assert_non_null(res);
	assert_int_equal(pg_str(res, 0, 0).n, n);
	PQclear(res);
	free(big);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_session_is_set_up),
	    cmocka_unit_test(results_are_read),
	    cmocka_unit_test(affected_rows_are_counted),
	    cmocka_unit_test(errors_never_quote_values),
	    cmocka_unit_test(transactions),
	    cmocka_unit_test(a_script_stops_at_its_first_error),
	    cmocka_unit_test(a_lock_time_out_is_retryable),
	    cmocka_unit_test(a_lost_connection_is_opened_again),
	    cmocka_unit_test(time_outs_are_told_apart),
	    cmocka_unit_test(another_thread_can_cancel),
	    cmocka_unit_test(a_stray_copy_gives_the_connection_up),
	    cmocka_unit_test(large_parameters_and_results),
	};
	int failed;

	pg_fixture_make(&db, "UTF8");
	c = pg_fixture_open(&db);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	pg_conn_close(c);
	pg_fixture_drop(&db);
	return failed;
}
