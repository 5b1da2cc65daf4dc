/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "sandbox/fault.h"

static struct fault_script *parse(const char *text)
{
	struct err err;
	struct fault_script *s = fault_script_parse(str_of(text), &err);

	if (!s)
		fail_msg("%s", err.text);
	return s;
}

/* Which of `n` such requests are hit, as "..x.". */
static void hits_are(const char *text, unsigned classes, uint64_t page, const char *expected)
{
	struct fault_script *s = parse(text);
	char got[64] = "";
	struct fault f;

	for (size_t k = 0; k < strlen(expected); k++) {
		fault_script_match(s, classes, page, &f);
		got[k] = f.set ? 'x' : '.';
	}
	assert_string_equal(got, expected);
	fault_script_free(s);
}

static void selectors_choose_requests(void **state)
{
	unsigned first = CLASS_OBSERVATION | CLASS_SEARCH;

	(void)state;
	hits_are("on any request 3: reset", first, 1, "..x...");
	hits_are("on any: reset", first, 1, "x.....");
	hits_are("on any every 2: reset", first, 1, ".x.x.x");
	hits_are("on any every 2 times 2: reset", first, 1, ".x.x..");
	hits_are("on any from 4: reset", first, 1, "...xxx");
	hits_are("on any always: reset", first, 1, "xxxxxx");
	hits_are("on any times 2: reset", first, 1, "xx....");
	hits_are("on any from 2 times 2: reset", first, 1, ".xx...");
	hits_are("on patient always: reset", first, 1, "......");
	hits_are("on observation search always: reset", first, 1, "xxxxxx");
	hits_are("on observation page always: reset", first, 1, "......");
	hits_are("on observation page always: reset", first | CLASS_PAGE, 2, "xxxxxx");
	hits_are("on observation page 3 always: reset", first | CLASS_PAGE, 2, "......");
	hits_are("on observation page 2: reset", first | CLASS_PAGE, 2, "x.....");
	hits_are("on page 1 always: reset", first, 1, "xxxxxx");
	hits_are("on page 1 always: reset", CLASS_METADATA, 0, "......");
	hits_are("# nothing\n\n  \t\r\non any request 2: reset # one\n", first, 1, ".x....");
}

static void rules_count_for_themselves(void **state)
{
	struct fault_script *s = parse("on patient request 2: delay 5\n"
	                               "on any request 2: status 503 retry-after 7, html\n"
	                               "on any request 3: status 500\n"
	                               "on any request 3: status 502");
	struct buf names = BUF_INIT(100);
	struct fault f;

	(void)state;
	fault_script_match(s, CLASS_OBSERVATION, 0, &f);
	assert_true(f.set == 0);
	fault_script_match(s, CLASS_PATIENT, 0, &f);
	assert_true(fault_has(&f, FAULT_STATUS) && f.value[FAULT_STATUS] == 503);
	assert_true(fault_has(&f, FAULT_RETRY_AFTER) && f.value[FAULT_RETRY_AFTER] == 7);
	assert_true(fault_has(&f, FAULT_HTML) && !fault_has(&f, FAULT_DELAY));
	fault_names(&f, &names);
	assert_string_equal(names.p, "status,retry-after,html");
	fault_script_match(s, CLASS_PATIENT, 0, &f);
	assert_true(fault_has(&f, FAULT_DELAY) && f.value[FAULT_DELAY] == 5);
	assert_true(f.value[FAULT_STATUS] == 502);
	fault_script_match(NULL, CLASS_PATIENT, 0, &f);
	assert_true(f.set == 0);
	buf_free(&names);
	fault_script_free(s);
}

static void every_fault_is_read(void **state)
{
	struct fault_script *s = parse(
	    "on any: status 503 retry-after 1 retry-after-date 2 html empty delay 3 cut after 4 "
	    "reset after 5 drip 6 per 7 wrong-length +8 invalid-json bad-gzip same-next lost-next "
	    "foreign-next stale-total 9 expire-paging duplicate silent-cap 10 delete-between "
	    "change-between token-expiry clock-skew -11 not-fhir outcome-entry other-type "
	    "missing-entry huge-note 12 bad-utf8");
	struct fault f;

	(void)state;
	fault_script_match(s, 0, 0, &f);
	assert_true(f.set == ((uint64_t)1 << FAULT_KINDS) - 1);
	assert_int_equal(f.value[FAULT_CUT], 4);
	assert_int_equal(f.value[FAULT_RESET], 5);
	assert_int_equal(f.value[FAULT_DRIP], 6);
	assert_int_equal(f.per_ms, 7);
	assert_int_equal(f.value[FAULT_WRONG_LENGTH], 8);
	assert_true(f.value[FAULT_CLOCK_SKEW] == -11);
	assert_int_equal(f.value[FAULT_HUGE_NOTE], 12);
	fault_script_free(s);
}

static void mistake_is(const char *text, const char *line, const char *part)
{
	struct err err = {0};

	assert_null(fault_script_parse(str_of(text), &err));
	assert_int_equal(err.code, ERR_USAGE);
	if (!strstr(err.text, line) || !strstr(err.text, part))
		fail_msg("%s", err.text);
}

static void mistakes_name_their_line(void **state)
{
	(void)state;
	mistake_is("on any: reset\n\nat any: reset", "line 3", "\"at\"");
	mistake_is("on patients: reset", "line 1", "\"patients\"");
	mistake_is("on any request 0: reset", "line 1", "\"0\"");
	mistake_is("on any request: reset", "line 1", "number");
	mistake_is("on any", "line 1", "ends");
	mistake_is("on any:", "line 1", "a fault");
	mistake_is("on any: boom", "line 1", "\"boom\"");
	mistake_is("on any: status", "line 1", "number");
	mistake_is("on any: status 99", "line 1", "\"99\"");
	mistake_is("on any: status 600", "line 1", "\"600\"");
	mistake_is("on any: cut 5", "line 1", "\"after\"");
	mistake_is("on any: drip 5 each 6", "line 1", "\"per\"");
	mistake_is("on any: reset reset: reset", "line 1", "\":\"");
	mistake_is("on any: delay -1", "line 1", "\"-1\"");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(selectors_choose_requests),
	    cmocka_unit_test(rules_count_for_themselves),
	    cmocka_unit_test(every_fault_is_read),
	    cmocka_unit_test(mistakes_name_their_line),
	};

	return cmocka_run_group_tests_name("sandbox/fault", tests, NULL, NULL);
}
