/* SPDX-License-Identifier: Apache-2.0
 *
 * Merges of two runs that meet: a patient can live in two zip codes. Needs
 * FHIRLINE_TEST_DATABASE_URL.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "flow/internal.h"
#include "pg/migrate.h"
#include "pg/pg_fixture.h"

#define RUN "00000000-0000-7000-8000-000000000001"
#define OTHER "00000000-0000-7000-8000-000000000002"
#define STAGE "00000000000070008000000000000001"

enum { LIMIT_MS = 60000 };

static struct pg_fixture db;
static struct err err;

struct merging {
	struct flow_settings settings;
	struct flow_totals totals;
	struct flow_work work;
	struct flow_run run;
	struct err err;
	bool ok;
};

static void sql(struct pg_conn *c, const char *text)
{
	if (!pg_exec_script(c, text, &err))
		fail_msg("%s", err.text);
}

static int64_t number(struct pg_conn *c, const char *text)
{
	PGresult *res = pg_query(c, text, 0, NULL, &err);
	int64_t n;

	assert_non_null(res);
	n = pg_int(res, 0, 0);
	PQclear(res);
	return n;
}

static void *merge(void *arg)
{
	struct merging *m = arg;

	m->ok = flow_merge(&m->work, &m->run, &m->err);
	return NULL;
}

/* A run with a batch in its empty stage, in an empty database. */
static void merging_init(struct merging *m, struct pg_conn *c)
{
	*m = (struct merging){.settings = {.clock = &clock_system, .retry = retry_default}};
	m->work = (struct flow_work){.settings = &m->settings, .totals = &m->totals, .conn = c};
	memcpy(m->run.id, RUN, sizeof RUN);
	memcpy(m->run.zip, "02139", 6);
	m->run.epoch = 1;
	pthread_mutex_init(&m->run.lock, NULL);
	pthread_cond_init(&m->run.changed, NULL);
	sql(c, "DELETE FROM run; DELETE FROM patient; DELETE FROM patient_zip; DELETE FROM "
	       "observation;"
	       "INSERT INTO run (id, zip, source_url, mapping_version, kind, state, epoch) VALUES "
	       "('" RUN "', '02139', 'http://source', 1, 'full', 'running', 1);"
	       "INSERT INTO run_count (run_id, resource_type) VALUES ('" RUN "', 'Patient'), ('" RUN
	       "', 'Observation');"
	       "INSERT INTO batch (run_id, seq, kind, state) VALUES ('" RUN
	       "', 1, 'patient_page', 'staged');"
	       "DROP TABLE IF EXISTS stage.patient_" STAGE ", stage.observation_" STAGE ";"
	       "CREATE TABLE stage.patient_" STAGE " (LIKE stage.patient);"
	       "CREATE TABLE stage.observation_" STAGE " (LIKE stage.observation);");
}

static void merging_free(struct merging *m)
{
	pthread_cond_destroy(&m->run.changed);
	pthread_mutex_destroy(&m->run.lock);
}

/* The other run inserts the patient after this one's MERGE has looked for it, and commits. */
static void a_row_that_another_run_has_just_inserted(void **state)
{
	struct pg_conn *ours = pg_fixture_open(&db), *theirs = pg_fixture_open(&db);
	struct merging m;
	int64_t waited = 0;
	char waiting[128];
	pthread_t thread;

	(void)state;
	snprintf(waiting, sizeof waiting,
	         "SELECT count(*) FROM pg_locks WHERE NOT granted AND pid = %d",
	         pg_conn_backend_pid(ours));
	merging_init(&m, ours);
	sql(ours,
	    "INSERT INTO stage.patient_" STAGE " (id, version_id, last_updated, batch_seq, line) "
	    "VALUES ('both', '1', '2024-01-01Z', 1, 1)");
	sql(theirs, "BEGIN; INSERT INTO patient (id, version_id, last_updated, run_id) VALUES "
	            "('both', '1', '2024-01-01Z', '" RUN "')");
	assert_int_equal(pthread_create(&thread, NULL, merge, &m), 0);
	while (number(theirs, waiting) == 0 && waited < LIMIT_MS) {
		clock_sleep_ms(10);
		waited += 10;
	}
	sql(theirs, "COMMIT");
	pthread_join(thread, NULL);
	assert_true(waited < LIMIT_MS);
	if (!m.ok)
		fail_msg("%s", m.err.text);
	assert_int_equal(number(ours, "SELECT count(*) FROM patient"), 1);
	assert_int_equal(number(ours, "SELECT count(*) FROM patient_zip WHERE zip = '02139'"), 1);
	assert_int_equal(
	    number(ours, "SELECT unchanged FROM run_count WHERE resource_type = 'Patient'"), 1);
	assert_int_equal(number(ours, "SELECT count(*) FROM batch WHERE state = 'merged'"), 1);
	merging_free(&m);
	pg_conn_close(theirs);
	pg_conn_close(ours);
}

/* Versions and times compare within one source: a server that the zip code is loaded from now has
 * the same ids, but is older. */
static void a_row_from_another_source_gives_way(void **state)
{
	struct pg_conn *c = pg_fixture_open(&db);
	struct merging m;

	(void)state;
	merging_init(&m, c);
	sql(c,
	    "INSERT INTO run (id, zip, source_url, mapping_version, kind, state, phase) VALUES "
	    "('" OTHER "', '02139', 'http://other', 1, 'full', 'completed', 'done');"
	    "INSERT INTO patient (id, version_id, last_updated, city, run_id) VALUES "
	    "('one', '9', '2030-01-01Z', 'there', '" OTHER "');"
	    "INSERT INTO observation (id, version_id, last_updated, status, code, run_id) VALUES "
	    "('one', '9', '2030-01-01Z', 'final', 'there', '" OTHER "');"
	    "INSERT INTO stage.patient_" STAGE
	    " (id, version_id, last_updated, city, batch_seq, line) VALUES "
	    "('one', '1', '2020-01-01Z', 'here', 1, 1);"
	    "INSERT INTO stage.observation_" STAGE
	    " (id, version_id, last_updated, status, code, batch_seq, line) VALUES "
	    "('one', '1', '2020-01-01Z', 'final', 'here', 1, 2);");
	merge(&m);
	if (!m.ok)
		fail_msg("%s", m.err.text);
	assert_int_equal(number(c, "SELECT count(*) FROM patient WHERE city = 'here'"), 1);
	assert_int_equal(number(c, "SELECT count(*) FROM observation WHERE code = 'here'"), 1);
	merging_free(&m);
	pg_conn_close(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_row_from_another_source_gives_way),
	    cmocka_unit_test(a_row_that_another_run_has_just_inserted),
	};
	struct pg_conn *c;
	int applied, rc;

	pg_fixture_make(&db, "UTF8");
	c = pg_fixture_open(&db);
	if (!pg_migrate(c, &applied, &err)) {
		fprintf(stderr, "%s\n", err.text);
		pg_fixture_drop(&db);
		return 1;
	}
	pg_conn_close(c);
	rc = cmocka_run_group_tests(tests, NULL, NULL);
	pg_fixture_drop(&db);
	return rc;
}
