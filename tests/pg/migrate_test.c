/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <pthread.h>

#include "pg/migrate.h"
#include "pg_fixture.h"

static struct err err;

static int make(void **state)
{
	struct pg_fixture *db = calloc(1, sizeof *db);

	if (!db)
		return -1;
	pg_fixture_make(db, "UTF8");
	*state = db;
	return 0;
}

static int drop(void **state)
{
	pg_fixture_drop(*state);
	free(*state);
	return 0;
}

static void run(struct pg_conn *c, const char *sql)
{
	if (!pg_exec_script(c, sql, &err))
		fail_msg("%s", err.text);
}

static int migrate(struct pg_conn *c)
{
	int applied = -1;

	if (!pg_migrate(c, &applied, &err))
		fail_msg("%s", err.text);
	return applied;
}

static void an_empty_database_is_brought_up(void **state)
{
	struct pg_conn *c = pg_fixture_open(*state);
	struct pg_schema_status s;

	assert_true(pg_schema_status(c, &s, &err));
	assert_int_equal(s.version, 0);
	assert_true(s.wanted >= 1);
	assert_false(pg_schema_check(c, &err));
	assert_int_equal(err.code, ERR_CONFLICT);
	assert_non_null(strstr(err.text, "fhirline db migrate"));
	assert_int_equal(migrate(c), s.wanted);
	assert_int_equal(migrate(c), 0);
	assert_true(pg_schema_status(c, &s, &err));
	assert_int_equal(s.version, s.wanted);
	assert_true(pg_schema_check(c, &err));
	run(c, "SELECT id FROM patient; SELECT id FROM observation; SELECT id FROM run");
	pg_conn_close(c);
}

static void a_changed_migration_is_refused(void **state)
{
	struct pg_conn *c = pg_fixture_open(*state);
	int applied = -1;

	migrate(c);
	run(c, "UPDATE schema_migration SET hash = 'other' WHERE version = 1");
	assert_false(pg_migrate(c, &applied, &err));
	assert_int_equal(err.code, ERR_CONFLICT);
	assert_int_equal(applied, -1);
	assert_non_null(strstr(err.text, "0001_tables"));
	assert_false(pg_schema_check(c, &err));
	pg_conn_close(c);
}

static void a_newer_schema_is_refused(void **state)
{
	struct pg_conn *c = pg_fixture_open(*state);
	int applied;

	migrate(c);
	run(c, "INSERT INTO schema_migration (version, name, hash) VALUES (9000, 'later', 'x')");
	assert_false(pg_migrate(c, &applied, &err));
	assert_int_equal(err.code, ERR_CONFLICT);
	assert_non_null(strstr(err.text, "9000"));
	assert_false(pg_schema_check(c, &err));
	assert_int_equal(err.code, ERR_CONFLICT);
	run(c, "DELETE FROM schema_migration WHERE version IN (1, 9000); INSERT INTO "
	       "schema_migration (version, name, hash) "
	       "VALUES (8000, 'hole', 'x')");
	assert_false(pg_schema_check(c, &err));
	pg_conn_close(c);
}

static void a_failed_migration_leaves_nothing(void **state)
{
	struct pg_conn *c = pg_fixture_open(*state);
	struct pg_schema_status s;
	int applied;

	run(c, "CREATE TABLE observation (in_the_way int)");
	assert_false(pg_migrate(c, &applied, &err));
	assert_int_equal(err.code, ERR_DB);
	assert_non_null(strstr(err.text, "0001_tables"));
	assert_true(pg_schema_status(c, &s, &err));
	assert_int_equal(s.version, 0);
	assert_false(pg_exec(c, "SELECT FROM patient", 0, NULL, NULL, &err));
	run(c, "DROP TABLE observation");
	/* the lock was given back and the session works */
	assert_int_equal(migrate(c), s.wanted);
	pg_conn_close(c);
}

static void a_read_only_database(void **state)
{
	struct pg_conn *c = pg_fixture_open(*state);
	int applied = -1;

	run(c, "SET default_transaction_read_only = on");
	assert_false(pg_migrate(c, &applied, &err));
	assert_int_equal(err.code, ERR_CONFIG);
	assert_non_null(strstr(err.text, "read-only"));
	run(c, "SET default_transaction_read_only = off");
	migrate(c);
	run(c, "SET default_transaction_read_only = on");
	assert_int_equal(migrate(c), 0);
	assert_true(pg_schema_check(c, &err));
	pg_conn_close(c);
}

struct racer {
	pthread_t thread;
	struct pg_fixture *db;
	int applied;
	bool ok;
};

static void *race(void *arg)
{
	struct racer *r = arg;
	struct pg_conn *c = pg_fixture_open(r->db);
	struct err e;

	r->ok = pg_migrate(c, &r->applied, &e);
	if (!r->ok)
		fprintf(stderr, "%s\n", e.text);
	pg_conn_close(c);
	return NULL;
}

static void several_at_once(void **state)
{
	struct racer racers[6] = {0};
	struct pg_conn *c = pg_fixture_open(*state);
	struct pg_schema_status s;
	int sum = 0;

	for (int i = 0; i < 6; i++) {
		racers[i].db = *state;
		assert_int_equal(pthread_create(&racers[i].thread, NULL, race, &racers[i]), 0);
	}
	for (int i = 0; i < 6; i++) {
		pthread_join(racers[i].thread, NULL);
		assert_true(racers[i].ok);
		sum += racers[i].applied;
	}
	assert_true(pg_schema_status(c, &s, &err));
	assert_int_equal(sum, s.wanted);
	pg_conn_close(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(an_empty_database_is_brought_up, make, drop),
	    cmocka_unit_test_setup_teardown(a_changed_migration_is_refused, make, drop),
	    cmocka_unit_test_setup_teardown(a_newer_schema_is_refused, make, drop),
	    cmocka_unit_test_setup_teardown(a_failed_migration_leaves_nothing, make, drop),
	    cmocka_unit_test_setup_teardown(a_read_only_database, make, drop),
	    cmocka_unit_test_setup_teardown(several_at_once, make, drop),
	};

	pg_fixture_server();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
