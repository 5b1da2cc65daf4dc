/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/report.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>
#include <yyjson.h>

static struct flow_run_view a_run(void)
{
	struct flow_run_view run = {
	    .id = "01890a5d-ac96-774b-bcce-b302099a8057",
	    .zip = "02139",
	    .kind = "full",
	    .state = "running",
	    .phase = "read",
	    .patients_read = 1234,
	    .patients_known = 5678,
	    .requested_us = 0,
	    .started_us = 1000000,
	    .ended_us = INT64_MIN,
	    .patient = {.expected = 5678, .fetched = 5678},
	    .observation = {.expected = 2000000, .fetched = 500000},
	};

	return run;
}

static void test_numbers(void **state)
{
	char out[REPORT_TEXT];

	(void)state;
	assert_string_equal(report_number(0, out), "0");
	assert_string_equal(report_number(999, out), "999");
	assert_string_equal(report_number(1000, out), "1,000");
	assert_string_equal(report_number(-1234567, out), "-1,234,567");
	assert_string_equal(report_number(INT64_MAX, out), "9,223,372,036,854,775,807");
	assert_string_equal(report_duration(1234, out), "1.2 s");
	assert_string_equal(report_duration(59999, out), "59 s");
	assert_string_equal(report_duration(125000, out), "2 min 5 s");
	assert_string_equal(report_duration(7260000, out), "2 h 1 min");
}

static void test_progress(void **state)
{
	struct flow_run_view run = a_run();
	struct report_pace pace = {0};
	struct buf b = BUF_INIT(4096);

	(void)state;
	report_progress(&b, &pace, &run, 1000, 0);
	assert_string_equal(b.p, "02139  1,234 of 5,678 patients  500,000 observations  0/s");
	buf_clear(&b);
	run.observation.fetched = 510000;
	report_progress(&b, &pace, &run, 2000, 120);
	assert_string_equal(b.p,
	                    "02139  [######..................]  25 %  1,234 of 5,678 patients  "
	                    "510,000 observations  10,000/s  2 min 29 s left");
	/* too soon for another measurement: the rate stays */
	buf_clear(&b);
	run.observation.fetched = 900000;
	report_progress(&b, &pace, &run, 2100, 0);
	assert_non_null(strstr(b.p, "10,000/s"));
	buf_free(&b);
}

static void test_progress_fits_the_terminal(void **state)
{
	struct flow_run_view run = a_run();

	(void)state;
	for (int width = 20; width < 200; width++) {
		struct report_pace pace = {0};
		struct buf b = BUF_INIT(4096);

		report_progress(&b, &pace, &run, 1000, width);
		assert_true(b.n < (size_t)width);
		buf_free(&b);
	}
}

static void test_progress_before_anything_is_known(void **state)
{
	struct flow_run_view run = a_run();
	struct report_pace pace = {0};
	struct buf b = BUF_INIT(4096);

	(void)state;
	run.observation = (struct flow_count){.expected = -1};
	run.patient = run.observation;
	run.patients_known = run.patients_read = 0;
	report_progress(&b, &pace, &run, 1000, 120);
	assert_string_equal(b.p, "02139  0 of 0 patients  0 observations  0/s");
	buf_clear(&b);
	memcpy(run.phase, "look", 5);
	report_progress(&b, &pace, &run, 1000, 120);
	assert_string_equal(b.p, "02139  looking at the source");
	buf_free(&b);
}

static void test_table(void **state)
{
	struct flow_run_view run = a_run();
	struct buf b = BUF_INIT(16384);

	(void)state;
	memcpy(run.state, "completed", 10);
	memcpy(run.reconciliation, "all is there", 13);
	run.ended_us = 126000000;
	run.observation.expected = -1;
	run.observation.rejected = 7;
	report_table(&b, &run);
	assert_non_null(strstr(b.p, "02139 completed in 2 min 5 s (full, run 01890a5d"));
	assert_non_null(strstr(b.p, "  all is there\n"));
	assert_non_null(strstr(b.p, "  Observation            -     500,000"));
	assert_null(strstr(b.p, "duplicates"));
	buf_clear(&b);
	run.patient.duplicates = 1;
	report_table(&b, &run);
	assert_non_null(strstr(b.p, "duplicates"));
	buf_free(&b);
}

static void test_json(void **state)
{
	struct flow_run_view run = a_run();
	struct buf b = BUF_INIT(16384);
	struct err err;
	yyjson_doc *doc;
	yyjson_val *root, *observation;
	static const char *const names[] = {"expected", "fetched",   "landed",    "staged",
	                                    "inserted", "updated",   "unchanged", "deleted",
	                                    "rejected", "duplicates"};

	(void)state;
	run.observation.expected = -1;
	memcpy(run.error_code, "busy", 5);
	memcpy(run.error, "say \"please\"", 13);
	report_json(&b, &run);
	assert_ptr_equal(strchr(b.p, '\n'), b.p + b.n - 1);
	doc = yyjson_read(b.p, b.n, 0);
	assert_non_null(doc);
	root = yyjson_doc_get_root(doc);
	observation = yyjson_obj_get(root, "Observation");
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		assert_non_null(yyjson_obj_get(observation, names[i]));
		assert_non_null(yyjson_obj_get(yyjson_obj_get(root, "Patient"), names[i]));
	}
	assert_true(yyjson_is_null(yyjson_obj_get(observation, "expected")));
	assert_int_equal(yyjson_get_sint(yyjson_obj_get(observation, "fetched")), 500000);
	assert_string_equal(yyjson_get_str(yyjson_obj_get(yyjson_obj_get(root, "error"), "text")),
	                    "say \"please\"");
	yyjson_doc_free(doc);

	buf_clear(&b);
	err_set(&err, ERR_NETWORK, "http", "refused");
	report_json_failed(&b, "02139", &err);
	assert_string_equal(b.p, "{\"run_id\":null,\"zip\":\"02139\",\"state\":\"failed\","
	                         "\"error\":{\"code\":\"network\",\"text\":\"refused\"}}\n");
	buf_free(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_numbers),
	    cmocka_unit_test(test_progress),
	    cmocka_unit_test(test_progress_fits_the_terminal),
	    cmocka_unit_test(test_progress_before_anything_is_known),
	    cmocka_unit_test(test_table),
	    cmocka_unit_test(test_json),
	};

	return cmocka_run_group_tests_name("report", tests, NULL, NULL);
}
