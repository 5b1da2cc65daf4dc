/* SPDX-License-Identifier: Apache-2.0
 *
 * What a batch's number stands for, in the database: through a kill, a new owner, and a late one.
 * Needs FHIRLINE_TEST_DATABASE_URL.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "flow/internal.h"
#include "pg/migrate.h"
#include "pg/pg_fixture.h"

#define RUN "00000000-0000-7000-8000-000000000001"

static struct pg_fixture db;
static struct err err;

static void sql(struct pg_conn *c, const char *text)
{
	if (!pg_exec_script(c, text, &err))
		fail_msg("%s", err.text);
}

/* A run of epoch 3 and its owner. */
struct owner {
	struct flow_settings settings;
	struct flow_totals totals;
	struct flow_work work;
	struct flow_run run;
};

static void owner_init(struct owner *o, struct pg_conn *c, int64_t epoch)
{
	memset(o, 0, sizeof *o);
	o->settings.clock = &clock_system;
	o->settings.retry = retry_default;
	o->work = (struct flow_work){.settings = &o->settings, .totals = &o->totals, .conn = c};
	memcpy(o->run.id, RUN, sizeof RUN);
	o->run.epoch = epoch;
	pthread_mutex_init(&o->run.lock, NULL);
	pthread_cond_init(&o->run.changed, NULL);
}

static void owner_free(struct owner *o)
{
	pthread_cond_destroy(&o->run.changed);
	pthread_mutex_destroy(&o->run.lock);
	free(o->run.batches);
}

static struct pg_conn *fresh_run(void)
{
	struct pg_conn *c = pg_fixture_open(&db);

	sql(c, "DELETE FROM run");
	sql(c, "INSERT INTO run (id, zip, source_url, mapping_version, kind, state, epoch) VALUES "
	       "('" RUN "', '02139', 'http://source', 1, 'full', 'running', 3)");
	return c;
}

static void a_number_keeps_its_meaning(void **state)
{
	struct pg_conn *c = fresh_run();
	struct flow_batch group = {
	    .seq = 7, .kind = FLOW_OBSERVATIONS, .page_seq = 2, .first = 10, .patients = 5};
	struct owner o;

	(void)state;
	owner_init(&o, c, 3);
	assert_true(flow_store_batch_begin(&o.work, &o.run, &group, &err));
	/* run again after a kill: its row is there */
	assert_true(flow_store_load_batches(c, &o.run, &err));
	assert_int_equal(o.run.batch_count, 1);
	assert_int_equal(o.run.batches[0].seq, 7);
	assert_int_equal(o.run.batches[0].state, FLOW_PENDING);
	assert_int_equal(o.run.batches[0].kind, FLOW_OBSERVATIONS);
	assert_int_equal(o.run.batches[0].page_seq, 2);
	assert_int_equal(o.run.batches[0].first, 10);
	assert_int_equal(o.run.batches[0].patients, 5);
	assert_true(flow_store_batch_begin(&o.work, &o.run, &group, &err));
	/* but never as something else */
	group.first = 15;
	assert_false(flow_store_batch_begin(&o.work, &o.run, &group, &err));
	assert_int_equal(err.code, ERR_CONFLICT);
	assert_string_equal(err.where, "flow.fence");
	owner_free(&o);
	pg_conn_close(c);
}

static void a_former_owner_gives_no_numbers(void **state)
{
	struct pg_conn *c = fresh_run();
	struct flow_batch page = {.seq = 1, .kind = FLOW_PATIENT_PAGE};
	struct owner late;

	(void)state;
	owner_init(&late, c, 2);
	assert_false(flow_store_batch_begin(&late.work, &late.run, &page, &err));
	assert_int_equal(err.code, ERR_CONFLICT);
	assert_string_equal(err.where, "flow.fence");
	assert_true(flow_store_load_batches(c, &late.run, &err));
	assert_int_equal(late.run.batch_count, 0);
	owner_free(&late);
	pg_conn_close(c);
}

static void a_failed_batch_that_is_asked_for_again_begins(void **state)
{
	struct pg_conn *c = fresh_run();
	struct flow_batch page = {.seq = 1, .kind = FLOW_PATIENT_PAGE};
	struct owner o;

	(void)state;
	owner_init(&o, c, 3);
	assert_true(flow_store_batch_begin(&o.work, &o.run, &page, &err));
	assert_true(flow_store_batch_failed(c, &o.run, &page, "the source said no", &err));
	assert_true(flow_store_load_batches(c, &o.run, &err));
	assert_int_equal(o.run.batches[0].state, FLOW_FAILED);
	sql(c, "UPDATE batch SET state = 'pending', error = NULL");
	assert_true(flow_store_batch_begin(&o.work, &o.run, &page, &err));
	owner_free(&o);
	pg_conn_close(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_number_keeps_its_meaning),
	    cmocka_unit_test(a_former_owner_gives_no_numbers),
	    cmocka_unit_test(a_failed_batch_that_is_asked_for_again_begins),
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
