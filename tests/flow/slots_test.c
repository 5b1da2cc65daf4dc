/* SPDX-License-Identifier: Apache-2.0
 *
 * Gates that share a database, each as if it were a process of its own: every gate has its own
 * session. Needs FHIRLINE_TEST_DATABASE_URL.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/hash.h"
#include "flow/gate.h"
#include "flow/slots.h"

#define PATIENCE_MS 120000

static const char *database_url;

/* A source of its own for each test, so that tests that run at once do not meet. */
static const char *source_of(const char *test)
{
	static char url[128];
	char id[UUID_TEXT];
	struct err err = {0};

	assert_true(uuid_v7(clock_now_us(&clock_system), id, &err));
	snprintf(url, sizeof url, "http://%s.example/%s", test, id);
	return url;
}

static struct gate *gate_of(const char *source, int cap)
{
	struct pg_options database = {.url = database_url, .application_name = source};
	struct gate_options options = {.cap = cap, .source_url = source, .database = &database};
	struct err err = {0};
	struct gate *g = gate_new(&options, &err);

	if (!g)
		fail_msg("%s", err.text);
	return g;
}

static void wait_until(bool (*done)(void *), void *arg)
{
	int64_t until = clock_mono_ms(&clock_system) + PATIENCE_MS;

	while (!done(arg)) {
		assert_true(clock_mono_ms(&clock_system) < until);
		clock_sleep_ms(5);
	}
}

/* A second look at the database, with a session of its own. */
static struct pg_conn *witness(void)
{
	struct pg_options options = {.url = database_url};
	struct err err = {0};
	struct pg_conn *c = pg_conn_open(&options, &err);

	if (!c)
		fail_msg("%s", err.text);
	return c;
}

static int64_t number_of(struct pg_conn *c, const char *sql, const char *param)
{
	const char *params[] = {param};
	struct err err = {0};
	PGresult *res = pg_query(c, sql, 1, params, &err);
	int64_t n;

	if (!res)
		fail_msg("%s", err.text);
	n = pg_int(res, 0, 0);
	PQclear(res);
	return n;
}

/* Slots that sessions of this application name hold, as the server sees it. */
#define SLOTS_SQL                                                                                  \
	"SELECT count(*) FROM pg_locks JOIN pg_stat_activity USING (pid) WHERE locktype = "        \
	"'advisory' AND objid <= 256 AND application_name = $1"
#define ALL_SQL                                                                                    \
	"SELECT count(*) FROM pg_locks JOIN pg_stat_activity USING (pid) WHERE locktype = "        \
	"'advisory' AND application_name = $1"
#define KILL_SQL                                                                                   \
	"SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = "  \
	"$1"

/* Threads that keep a gate busy until told to stop. */
struct crowd {
	struct gate *gate;
	pthread_t threads[16];
	int count;
	atomic_bool stop;
	atomic_int *inside, *most;
	_Atomic int64_t served, failed;
};

static void *crowd_work(void *arg)
{
	struct crowd *c = arg;
	struct err err = {0};

	while (!atomic_load(&c->stop)) {
		int now, most;

		if (!gate_enter(c->gate, 1, &c->stop, &err)) {
			atomic_fetch_add(&c->failed, err.code != ERR_CANCELLED);
			continue;
		}
		now = atomic_fetch_add(c->inside, 1) + 1;
		most = atomic_load(c->most);
		while (now > most && !atomic_compare_exchange_weak(c->most, &most, now))
			;
		clock_sleep_ms(2);
		atomic_fetch_sub(c->inside, 1);
		gate_leave(c->gate, NULL, 2);
		atomic_fetch_add(&c->served, 1);
	}
	return NULL;
}

static void crowd_start(struct crowd *c, struct gate *g, int count, atomic_int *inside,
                        atomic_int *most)
{
	memset(c, 0, sizeof *c);
	c->gate = g;
	c->count = count;
	c->inside = inside;
	c->most = most;
	for (int i = 0; i < count; i++)
		assert_int_equal(pthread_create(&c->threads[i], NULL, crowd_work, c), 0);
}

static void crowd_stop(struct crowd *c)
{
	atomic_store(&c->stop, true);
	gate_wake(c->gate);
	for (int i = 0; i < c->count; i++)
		pthread_join(c->threads[i], NULL);
}

static bool hundred_more(void *arg)
{
	struct crowd *c = arg;

	return atomic_load(&c->served) >= 100;
}

static void crowd_serves_again(struct crowd *c)
{
	atomic_store(&c->served, 0);
	wait_until(hundred_more, c);
}

struct watched {
	struct pg_conn *c;
	const char *source;
	const char *sql;
	int64_t want;
};

static bool watched_is(void *arg)
{
	struct watched *w = arg;

	return number_of(w->c, w->sql, w->source) == w->want;
}

static void one_alone_takes_all_and_gives_them_back(void **state)
{
	const char *source = source_of("alone");
	struct gate *g = gate_of(source, 5);
	struct watched all = {witness(), source, SLOTS_SQL, 5}, none = {all.c, source, ALL_SQL, 0};
	atomic_int inside = 0, most = 0;
	struct crowd c;

	(void)state;
	assert_int_equal(number_of(all.c, ALL_SQL, source), 0);
	crowd_start(&c, g, 8, &inside, &most);
	wait_until(watched_is, &all);
	crowd_serves_again(&c);
	crowd_stop(&c);
	assert_int_equal(atomic_load(&c.failed), 0);
	assert_in_range(atomic_load(&most), 1, 5);
	/* idle: nothing held, nothing announced, the session stays */
	wait_until(watched_is, &none);
	gate_free(g);
	pg_conn_close(all.c);
}

static void several_stay_below_the_cap_together(void **state)
{
	const char *source = source_of("several");
	struct gate *g[3];
	struct crowd c[3];
	atomic_int inside = 0, most = 0;

	(void)state;
	for (int i = 0; i < 3; i++) {
		g[i] = gate_of(source, 4);
		crowd_start(&c[i], g[i], 6, &inside, &most);
	}
	for (int round = 0; round < 3; round++)
		for (int i = 0; i < 3; i++)
			crowd_serves_again(&c[i]);
	for (int i = 0; i < 3; i++)
		crowd_stop(&c[i]);
	assert_in_range(atomic_load(&most), 1, 4);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(atomic_load(&c[i].failed), 0);
		gate_free(g[i]);
	}
}

static void more_processes_than_slots_take_turns(void **state)
{
	const char *source = source_of("turns");
	struct gate *g[3];
	struct crowd c[3];
	atomic_int inside = 0, most = 0;

	(void)state;
	for (int i = 0; i < 3; i++) {
		g[i] = gate_of(source, 1);
		crowd_start(&c[i], g[i], 3, &inside, &most);
	}
	for (int round = 0; round < 2; round++)
		for (int i = 0; i < 3; i++)
			crowd_serves_again(&c[i]);
	for (int i = 0; i < 3; i++)
		crowd_stop(&c[i]);
	assert_int_equal(atomic_load(&most), 1);
	for (int i = 0; i < 3; i++)
		gate_free(g[i]);
}

static void slots_of_another_source_are_others(void **state)
{
	const char *source = source_of("one");
	struct gate *one = gate_of(source, 1), *same = gate_of(source, 1), *other;
	struct err err = {0};
	char other_source[160];

	(void)state;
	snprintf(other_source, sizeof other_source, "%s/other", source);
	other = gate_of(other_source, 1);
	assert_true(gate_enter(one, 1, NULL, &err));
	assert_true(gate_enter(other, 1, NULL, &err));
	gate_leave(other, NULL, 1);
	gate_leave(one, NULL, 1);
	/* and what one holds when it ends is free for the next at once */
	gate_free(one);
	assert_true(gate_enter(same, 1, NULL, &err));
	gate_leave(same, NULL, 1);
	gate_free(same);
	gate_free(other);
}

static void a_lost_session_is_opened_again(void **state)
{
	const char *source = source_of("lost");
	struct gate *g = gate_of(source, 3);
	struct watched all = {witness(), source, SLOTS_SQL, 3};
	atomic_int inside = 0, most = 0;
	struct crowd c;

	(void)state;
	crowd_start(&c, g, 6, &inside, &most);
	wait_until(watched_is, &all);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(number_of(all.c, KILL_SQL, source), 1);
		crowd_serves_again(&c);
		wait_until(watched_is, &all);
	}
	crowd_stop(&c);
	assert_int_equal(atomic_load(&c.failed), 0);
	assert_in_range(atomic_load(&most), 1, 3);
	gate_free(g);
	pg_conn_close(all.c);
}

static void no_database_no_gate(void **state)
{
	struct pg_options database = {.url = "postgresql://nobody@127.0.0.1:1/none",
	                              .connect_timeout_ms = 2000};
	struct gate_options options = {
	    .cap = 5, .source_url = "http://source", .database = &database};
	struct err err = {0};

	(void)state;
	assert_null(gate_new(&options, &err));
	assert_int_equal(err.code, ERR_DB);
	assert_true(err.retryable);
}

/* The statement that takes several tries no more than it must. */
static void taking_takes_what_was_asked(void **state)
{
	const char *source = source_of("take");
	struct pg_options database = {.url = database_url, .application_name = source};
	struct pg_conn *c = witness();
	struct err err = {0};
	struct slots *a = slots_open(&database, source, 20, 1, 1000, &err);
	struct slots *b = slots_open(&database, source, 20, 2, 1000, &err);
	struct share_step take = {.here = true, .take = 7, .survey = true};
	struct share_step give = {.here = true, .give = 3, .hungry = true};
	struct share_step away = {.give = 4};

	(void)state;
	assert_non_null(a);
	assert_non_null(b);
	assert_true(slots_run(a, &take, 1000, &err));
	assert_int_equal(slots_share(a)->held, 7);
	assert_int_equal(slots_share(a)->processes, 1);
	assert_int_equal(number_of(c, SLOTS_SQL, source), 7);
	take.take = 20;
	assert_true(slots_run(b, &take, 1000, &err));
	assert_int_equal(slots_share(b)->held, 13);
	assert_true(slots_share(b)->refused);
	assert_int_equal(slots_share(b)->processes, 2);
	assert_int_equal(number_of(c, SLOTS_SQL, source), 20);
	assert_true(slots_run(a, &give, 1000, &err));
	assert_int_equal(slots_share(a)->held, 4);
	assert_int_equal(number_of(c, SLOTS_SQL, source), 17);
	take.take = 1;
	assert_true(slots_run(b, &take, 1000, &err));
	assert_int_equal(slots_share(b)->hungry_others, 1);
	assert_int_equal(slots_share(b)->held, 14);
	assert_true(slots_run(a, &away, 1000, &err));
	assert_int_equal(number_of(c, SLOTS_SQL, source), 14);
	/* b: its slots and its word that it is here */
	assert_int_equal(number_of(c, ALL_SQL, source), 15);
	slots_close(a);
	slots_close(b);
	pg_conn_close(c);
}

static void what_is_left_of_a_lost_session_is_ended(void **state)
{
	const char *source = source_of("rest");
	struct pg_options database = {.url = database_url, .application_name = source};
	struct pg_conn *c = witness();
	struct err err = {0};
	struct slots *s = slots_open(&database, source, 4, 1, 1000, &err);
	struct share_step take = {.here = true, .take = 4};

	(void)state;
	assert_non_null(s);
	assert_true(slots_run(s, &take, 1000, &err));
	assert_int_equal(number_of(c, KILL_SQL, source), 1);
	assert_false(slots_run(s, &(struct share_step){.here = true, .survey = true}, 1000, &err));
	assert_true(slots_is_lost(s));
	assert_int_equal(slots_share(s)->held, 0);
	assert_true(slots_reopen(s, 2, 2000, &err));
	assert_false(slots_is_lost(s));
	assert_int_equal(slots_share(s)->held, 2);
	assert_int_equal(number_of(c, SLOTS_SQL, source), 2);
	slots_close(s);
	pg_conn_close(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(taking_takes_what_was_asked),
	    cmocka_unit_test(what_is_left_of_a_lost_session_is_ended),
	    cmocka_unit_test(one_alone_takes_all_and_gives_them_back),
	    cmocka_unit_test(several_stay_below_the_cap_together),
	    cmocka_unit_test(more_processes_than_slots_take_turns),
	    cmocka_unit_test(slots_of_another_source_are_others),
	    cmocka_unit_test(a_lost_session_is_opened_again),
	    cmocka_unit_test(no_database_no_gate),
	};
	const char *ci = getenv("CI");

	database_url = getenv("FHIRLINE_TEST_DATABASE_URL");
	if (!database_url || !*database_url) {
		fprintf(stderr,
		        "SKIPPED: slots_test needs a database: set FHIRLINE_TEST_DATABASE_URL\n");
		return ci && strcmp(ci, "true") == 0 ? 1 : 77;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
