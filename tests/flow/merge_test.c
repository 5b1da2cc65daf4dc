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

/* The other run inserts the patient after this one's MERGE has looked for it, and commits. */
static void a_row_that_another_run_has_just_inserted(void **state)
{
	struct pg_conn *ours = pg_fixture_open(&db), *theirs = pg_fixture_open(&db);
	struct merging m = {.settings = {.clock = &clock_system, .retry = retry_default}};
	int64_t waited = 0;
	char waiting[128];
	pthread_t thread;

	(void)state;
	snprintf(waiting, sizeof waiting,
	         "SELECT count(*) FROM pg_locks WHERE NOT granted AND pid = %d",
	         pg_conn_backend_pid(ours));
	m.work = (struct flow_work){.settings = &m.settings, .totals = &m.totals, .conn = ours};
	memcpy(m.run.id, RUN, sizeof RUN);
	memcpy(m.run.zip, "02139", 6);
	m.run.epoch = 1;
	pthread_mutex_init(&m.run.lock, NULL);
	pthread_cond_init(&m.run.changed, NULL);
	sql(ours,
	    "INSERT INTO run (id, zip, source_url, mapping_version, kind, state, epoch) VALUES "
	    "('" RUN "', '02139', 'http://source', 1, 'full', 'running', 1);"
	    "INSERT INTO run_count (run_id, resource_type) VALUES ('" RUN "', 'Patient'), ('" RUN
	    "', 'Observation');"
	    "INSERT INTO batch (run_id, seq, kind, state) VALUES ('" RUN
	    "', 1, 'patient_page', 'staged');"
	    "CREATE TABLE stage.patient_" STAGE " (LIKE stage.patient);"
	    "CREATE TABLE stage.observation_" STAGE " (LIKE stage.observation);"
	    "INSERT INTO stage.patient_" STAGE " (id, version_id, last_updated, batch_seq, line) "
	                                       "VALUES ('both', '1', '2024-01-01Z', 1, 1);");
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
	pthread_cond_destroy(&m.run.changed);
	pthread_mutex_destroy(&m.run.lock);
	pg_conn_close(theirs);
	pg_conn_close(ours);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
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
