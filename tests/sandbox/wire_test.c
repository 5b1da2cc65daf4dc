/* SPDX-License-Identifier: Apache-2.0
 *
 * Each fault of the script, as a client meets it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "base/clock.h"
#include "sandbox/client.h"

#define PATIENTS "/fhir/Patient?_count=10&_pretty=false"

static int setup(void **state)
{
	struct client *c = malloc(sizeof *c);
	struct sandbox_options o = client_options();

	assert_non_null(c);
	client_start(c, &o);
	*state = c;
	return 0;
}

static int teardown(void **state)
{
	client_stop(*state);
	free(*state);
	return 0;
}

static void status_with_retry_after(void **state)
{
	struct client *c = *state;
	char *at;
	int64_t us;

	client_faults(c, "on patient request 2: status 503 retry-after 7");
	client_get(c, PATIENTS);
	assert_int_equal(c->status, 200);
	client_get(c, PATIENTS);
	assert_int_equal(c->status, 503);
	assert_non_null(strcasestr(c->headers.p, "retry-after: 7\r\n"));
	assert_non_null(strstr(c->body.p, "OperationOutcome"));
	client_get(c, PATIENTS);
	assert_int_equal(c->status, 200);
	client_faults(c, "on any: status 429 retry-after-date 60 empty");
	client_get(c, PATIENTS);
	assert_int_equal(c->status, 429);
	assert_int_equal(c->body.n, 0);
	at = strcasestr(c->headers.p, "retry-after: ");
	assert_non_null(at);
	assert_true(clock_parse_http((struct str){at + 13, 29}, &us));
	assert_true(us > clock_now_us(&clock_system));
}

static void bodies_that_are_not_fhir(void **state)
{
	struct client *c = *state;

	client_faults(c, "on any request 1: html\non any request 2: not-fhir\non any request 3: "
	                 "status 502 html");
	client_get(c, PATIENTS);
	assert_int_equal(c->status, 200);
	assert_non_null(strstr(c->headers.p, "text/html"));
	assert_non_null(strstr(c->body.p, "<html"));
	client_get(c, PATIENTS);
	assert_non_null(strstr(c->headers.p, "application/json"));
	assert_null(strstr(c->body.p, "resourceType"));
	client_get(c, PATIENTS);
	assert_int_equal(c->status, 502);
	assert_non_null(strstr(c->body.p, "<html"));
}

static void delay_takes_its_time(void **state)
{
	struct client *c = *state;
	int64_t before = clock_mono_ms(&clock_system);

	client_faults(c, "on any: delay 120");
	client_get(c, PATIENTS);
	assert_int_equal(c->status, 200);
	assert_true(clock_mono_ms(&clock_system) - before >= 120);
}

static void connections_break(void **state)
{
	struct client *c = *state;

	client_faults(c, "on any request 1: cut after 500\non any request 2: reset\n"
	                 "on any request 3: reset after 300\non any request 4: cut after 0");
	client_get(c, PATIENTS);
	assert_int_equal(c->rc, CURLE_PARTIAL_FILE);
	assert_int_equal(c->body.n, 500);
	client_get(c, PATIENTS);
	assert_int_equal(c->rc, CURLE_RECV_ERROR);
	assert_int_equal(c->status, 0);
	client_get(c, PATIENTS);
	assert_int_equal(c->rc, CURLE_RECV_ERROR);
	client_get(c, PATIENTS);
	assert_int_equal(c->rc, CURLE_PARTIAL_FILE);
	client_get(c, PATIENTS);
	assert_int_equal(c->rc, CURLE_OK);
	assert_int_equal(c->status, 200);
}

static void lengths_are_wrong(void **state)
{
	struct client *c = *state;
	yyjson_doc *doc;
	size_t n;

	client_faults(c, "");
	client_get(c, PATIENTS);
	n = c->body.n;
	client_faults(c, "on any request 1: wrong-length +10\non any request 2: wrong-length -10");
	client_get(c, PATIENTS);
	assert_int_equal(c->rc, CURLE_PARTIAL_FILE);
	assert_int_equal(c->body.n, n);
	client_get(c, PATIENTS);
	assert_int_equal(c->body.n, n - 10);
	doc = yyjson_read(c->body.p, c->body.n, 0);
	assert_null(doc);
}

static void drip_arrives_whole(void **state)
{
	struct client *c = *state;
	struct buf whole = BUF_INIT(1 << 20);
	int64_t before;

	client_get(c, "/fhir/Patient?_count=1");
	buf_add(&whole, strstr(c->body.p, "\"entry\""), 100);
	client_faults(c, "on any: drip 200 per 5");
	before = clock_mono_ms(&clock_system);
	client_get(c, "/fhir/Patient?_count=1");
	assert_int_equal(c->rc, CURLE_OK);
	assert_true(clock_mono_ms(&clock_system) - before >= (int64_t)(c->body.n / 200) * 5);
	assert_non_null(strstr(c->body.p, whole.p));
	buf_free(&whole);
}

static void contents_are_broken(void **state)
{
	struct client *c = *state;
	yyjson_doc *doc;

	client_faults(c, "on any request 1: invalid-json\non any request 2: bad-gzip\n"
	                 "on any request 3: bad-utf8\non any request 4: huge-note 3000000");
	client_get(c, PATIENTS);
	assert_int_equal(c->rc, CURLE_OK);
	doc = yyjson_read(c->body.p, c->body.n, 0);
	assert_null(doc);
	c->gzip = true;
	client_get(c, PATIENTS);
	assert_true(c->rc == CURLE_BAD_CONTENT_ENCODING || c->rc == CURLE_WRITE_ERROR);
	client_get(c, PATIENTS);
	assert_int_equal(c->rc, CURLE_OK);
	assert_false(str_utf8_valid((struct str){c->body.p, c->body.n}));
	c->gzip = false;
	doc = client_json(c, "/fhir/Observation?_count=2", 200);
	assert_int_equal(strlen(yyjson_get_str(yyjson_ptr_get(yyjson_doc_get_root(doc),
	                                                      "/entry/0/resource/note/0/text"))),
	                 3000000);
	yyjson_doc_free(doc);
}

static void links_are_wrong(void **state)
{
	struct client *c = *state;
	yyjson_doc *doc;
	char next[500];

	client_faults(c, "on patient request 2: same-next\non patient request 3: lost-next\n"
	                 "on patient request 4: foreign-next");
	doc = client_json(c, PATIENTS, 200);
	snprintf(next, sizeof next, "%s", client_link(doc, "next"));
	yyjson_doc_free(doc);
	doc = client_json(c, next, 200);
	assert_string_equal(client_link(doc, "next"), next);
	yyjson_doc_free(doc);
	doc = client_json(c, next, 200);
	assert_null(client_link(doc, "next"));
	assert_int_equal(client_entries(doc), 10);
	yyjson_doc_free(doc);
	doc = client_json(c, next, 200);
	assert_int_equal(strncmp(client_link(doc, "next"), "http://elsewhere.example.invalid/", 33),
	                 0);
	yyjson_doc_free(doc);
}

static void paging_expires(void **state)
{
	struct client *c = *state;
	yyjson_doc *doc;
	char next[500];

	client_faults(c, "on patient page 2: expire-paging");
	doc = client_json(c, PATIENTS, 200);
	snprintf(next, sizeof next, "%s", client_link(doc, "next"));
	yyjson_doc_free(doc);
	for (int k = 0; k < 2; k++) {
		doc = client_json(c, next, 410);
		assert_non_null(strstr(c->body.p, "HAPI-0417"));
		yyjson_doc_free(doc);
	}
	assert_int_equal(client_walk(c, PATIENTS, NULL), 45);
}

static void numbers_are_wrong(void **state)
{
	struct client *c = *state;
	yyjson_doc *doc;

	client_faults(c, "on count: stale-total 7\non patient search request 2: silent-cap 25");
	doc = client_json(c, "/fhir/Patient?_summary=count", 200);
	assert_int_equal(client_total(doc), 7);
	yyjson_doc_free(doc);
	assert_int_equal(client_walk(c, PATIENTS, NULL), 25);
	assert_int_equal(client_walk(c, PATIENTS, NULL), 45);
	client_faults(c, "on patient page 1: silent-cap 5");
	assert_int_equal(client_walk(c, PATIENTS, NULL), 5);
}

static void entries_are_odd(void **state)
{
	struct client *c = *state;
	yyjson_doc *doc;
	yyjson_val *root;

	client_faults(
	    c, "on any request 1: outcome-entry other-type\non any request 2: missing-entry\n"
	       "on patient page 2: duplicate");
	doc = client_json(c, "/fhir/Observation?_count=10", 200);
	root = yyjson_doc_get_root(doc);
	assert_int_equal(client_entries(doc), 12);
	assert_true(yyjson_equals_str(yyjson_ptr_get(root, "/entry/0/search/mode"), "outcome"));
	assert_true(yyjson_equals_str(yyjson_ptr_get(root, "/entry/1/resource/resourceType"),
	                              "Practitioner"));
	yyjson_doc_free(doc);
	doc = client_json(c, "/fhir/Observation?_count=10", 200);
	assert_null(yyjson_obj_get(yyjson_doc_get_root(doc), "entry"));
	assert_non_null(client_link(doc, "next"));
	yyjson_doc_free(doc);
	assert_int_equal(client_walk(c, PATIENTS, NULL), 46);
}

static void things_happen_in_between(void **state)
{
	struct client *c = *state;
	yyjson_doc *doc;

	client_faults(c, "on patient page 2: delete-between");
	assert_int_equal(client_walk(c, PATIENTS, NULL), 44);
	doc = client_json(c, "/fhir/Patient?_summary=count", 200);
	assert_int_equal(client_total(doc), 44);
	yyjson_doc_free(doc);
	client_faults(c, "on patient page 2: change-between");
	assert_int_equal(client_walk(c, PATIENTS, NULL), 44);
	doc = client_json(c, "/fhir/Patient?_lastUpdated=ge2026-01-01", 200);
	assert_int_equal(client_total(doc), 1);
	yyjson_doc_free(doc);
}

static void tokens_and_clocks(void **state)
{
	struct client *c = *state;
	yyjson_doc *doc;
	char *at;
	int64_t us, now;

	client_faults(c, "on any request 1: token-expiry\non any request 2: clock-skew -3600");
	client_get(c, PATIENTS);
	assert_int_equal(c->status, 401);
	assert_non_null(strstr(c->headers.p, "invalid_token"));
	doc = client_json(c, PATIENTS, 200);
	assert_true(yyjson_equals_str(
	    yyjson_ptr_get(yyjson_doc_get_root(doc), "/entry/0/resource/meta/lastUpdated"),
	    "2025-01-06T07:00:00.000+00:00"));
	yyjson_doc_free(doc);
	at = strcasestr(c->headers.p, "\ndate: ");
	assert_non_null(at);
	assert_null(strcasestr(at + 1, "\ndate: "));
	assert_true(clock_parse_http((struct str){at + 7, 29}, &us));
	now = clock_now_us(&clock_system);
	assert_true(now - us > 3500 * (int64_t)1000000 && now - us < 7200 * (int64_t)1000000);
}

static void faults_are_in_the_log(void **state)
{
	struct client *c = *state;
	yyjson_doc *doc;

	client_faults(c, "on any: status 500 retry-after 1");
	client_get(c, PATIENTS);
	doc = client_json(c, "/sandbox/log", 200);
	assert_non_null(strstr(c->body.p, "\"faults\":\"status,retry-after\""));
	yyjson_doc_free(doc);
}

/* A delay of an hour must not hold up the end. */
static void stopping_cuts_delays(void **state)
{
	struct client *c = *state;
	struct sandbox_options o = client_options();
	CURLM *multi = curl_multi_init();
	CURL *easy = curl_easy_init();
	struct client slow;
	char url[200];
	int running = 1;
	yyjson_doc *doc;
	long seen = 0;

	(void)c;
	client_start(&slow, &o);
	client_faults(&slow, "on any: delay 3600000");
	snprintf(url, sizeof url, "%s%s", slow.origin, PATIENTS);
	curl_easy_setopt(easy, CURLOPT_URL, url);
	curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
	curl_multi_add_handle(multi, easy);
	while (seen < 2) { /* until the server has taken it in: it and the one that asks */
		curl_multi_perform(multi, &running);
		doc = client_json(&slow, "/sandbox/stats", 200);
		seen = (long)yyjson_get_int(
		    yyjson_obj_get(yyjson_doc_get_root(doc), "max_concurrent"));
		yyjson_doc_free(doc);
	}
	client_stop(&slow);
	curl_multi_remove_handle(multi, easy);
	curl_easy_cleanup(easy);
	curl_multi_cleanup(multi);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(status_with_retry_after), TEST(bodies_that_are_not_fhir),
	    TEST(delay_takes_its_time),    TEST(connections_break),
	    TEST(lengths_are_wrong),       TEST(drip_arrives_whole),
	    TEST(contents_are_broken),     TEST(links_are_wrong),
	    TEST(paging_expires),          TEST(numbers_are_wrong),
	    TEST(entries_are_odd),         TEST(things_happen_in_between),
	    TEST(tokens_and_clocks),       TEST(faults_are_in_the_log),
	    TEST(stopping_cuts_delays),
	};

	curl_global_init(CURL_GLOBAL_ALL);
	return cmocka_run_group_tests_name("sandbox/wire", tests, NULL, NULL);
}
