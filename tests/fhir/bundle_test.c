/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fhir/source.h"
#include "support/fake_http.h"

/* What the server answers, and what it was asked last. */
struct script {
	int status;
	char headers[256];
	const char *body;
	size_t n; /* 0: strlen(body) */
	char method[16], target[16384], head[65536], form[65536];
};

struct fixture {
	struct fake *fake;
	struct http_client *http;
	struct fhir_source *source;
	struct script script;
	struct err err;
	struct fhir_page page;
	char *body; /* lives until the server has stopped: it may still be sending */
};

static void answer(struct fake *f, struct fake_request *r, void *ctx)
{
	struct script *s = ctx;

	(void)f;
	snprintf(s->method, sizeof s->method, "%s", r->method);
	snprintf(s->target, sizeof s->target, "%s", r->target);
	snprintf(s->head, sizeof s->head, "%s", r->head);
	snprintf(s->form, sizeof s->form, "%s", r->body);
	fake_reply(r, s->status, s->headers, s->body, s->n ? s->n : strlen(s->body));
}

static int setup_limits(void **state, size_t max_body, size_t page_target)
{
	struct fixture *x = calloc(1, sizeof *x);
	char base[128];

	x->script = (struct script){
	    .status = 200, .headers = "Content-Type: application/fhir+json\r\n", .body = "{}"};
	x->fake = fake_start(answer, &x->script, false);
	x->http = http_client_new(&(struct http_options){0}, &x->err);
	assert_non_null(x->http);
	snprintf(base, sizeof base, "%s/fhir/", fake_url(x->fake));
	x->source = fhir_source_open(&(struct fhir_source_options){.base_url = base,
	                                                           .http = x->http,
	                                                           .max_body = max_body,
	                                                           .page_target = page_target},
	                             &x->err);
	assert_non_null(x->source);
	*state = x;
	return 0;
}

static int setup(void **state)
{
	return setup_limits(state, 0, 0);
}

static int setup_small(void **state)
{
	return setup_limits(state, 4096, 20000);
}

static int teardown(void **state)
{
	struct fixture *x = *state;

	fhir_page_free(&x->page);
	fhir_source_close(x->source);
	http_client_free(x->http);
	fake_stop(x->fake);
	free(x->body);
	free(x);
	return 0;
}

static const struct fhir_param zip[] = {{"address-postalcode:exact", "02139"}};

static bool search(struct fixture *x, const char *body)
{
	fhir_page_free(&x->page);
	memset(&x->err, 0, sizeof x->err);
	x->script.body = body;
	return fhir_search(x->source, "Patient", zip, 1, NULL, &x->page, &x->err);
}

static void a_page_is_read(void **state)
{
	struct fixture *x = *state;
	static const char body[] =
	    "\xef\xbb\xbf {\"resourceType\":\"Bundle\",\"type\":\"searchset\",\"total\":12,"
	    "\"link\":[{\"relation\":\"self\",\"url\":\"http://x/\"}],\"entry\":["
	    "{\"fullUrl\":\"u\",\"resource\":{\"resourceType\":\"Patient\",\"id\":\"a\",\"n\":0.10}"
	    ",\"search\":{\"mode\":\"match\"}},\n"
	    "{\"resource\": { \"resourceType\" : \"Patient\" ,\n \"id\":\"b\\\"}\" , "
	    "\"resource\":{\"id\":\"z\"} } },"
	    "{\"extension\":[{\"resource\":{\"id\":\"no\"}}],\"r\\u0065source\":{\"resourceType\":"
	    "\"Patient\",\"x\":\"}]\\\\\"}},"
	    "{\"search\":{\"mode\":\"outcome\"},\"resource\":{\"resourceType\":"
	    "\"OperationOutcome\",\"issue\":[{\"severity\":\"warning\"}]}},"
	    "{\"resource\":{\"resourceType\":\"Observation\",\"id\":\"o\"}},"
	    "{\"fullUrl\":\"x\"}, {\"resource\":null}, 5, {\"resource\":{\"id\":\"untyped\"}}]}\n";

	assert_true(search(x, body));
	assert_int_equal(x->page.count, 3);
	assert_int_equal(x->page.outcomes, 1);
	assert_int_equal(x->page.others, 1);
	assert_int_equal(x->page.broken, 4);
	assert_int_equal(x->page.total, 12);
	assert_null(x->page.next);
	assert_true(str_is(x->page.entries[0].raw,
	                   "{\"resourceType\":\"Patient\",\"id\":\"a\",\"n\":0.10}"));
	assert_true(str_is(x->page.entries[0].id, "a"));
	assert_true(str_is(x->page.entries[1].raw,
	                   "{ \"resourceType\" : \"Patient\" ,\n \"id\":\"b\\\"}\" "
	                   ", \"resource\":{\"id\":\"z\"} }"));
	assert_true(str_is(x->page.entries[1].id, "b\"}"));
	assert_true(
	    str_is(x->page.entries[2].raw, "{\"resourceType\":\"Patient\",\"x\":\"}]\\\\\"}"));
	assert_null(x->page.entries[2].id.p);
}

static void the_request_is_what_hapi_needs(void **state)
{
	struct fixture *x = *state;

	assert_true(search(x, "{\"resourceType\":\"Bundle\",\"type\":\"searchset\"}"));
	assert_int_equal(x->page.count, 0);
	assert_int_equal(x->page.total, -1);
	assert_string_equal(x->script.method, "GET");
	assert_string_equal(
	    x->script.target,
	    "/fhir/Patient?address-postalcode:exact=02139&_count=1000&_pretty=false");
	assert_non_null(strstr(x->script.head, "\r\nAccept: application/fhir+json\r\n"));
	assert_non_null(strstr(x->script.head, "\r\nAccept-Encoding: gzip\r\n"));
	assert_non_null(strstr(x->script.head, "\r\nCache-Control: no-cache\r\n"));
	assert_null(strstr(x->script.head, "no-store"));
	assert_null(strstr(x->script.head, "Authorization"));
}

static void a_long_search_is_posted(void **state)
{
	struct fixture *x = *state;
	char ids[6001];
	struct fhir_param p[] = {{"patient", ids}};

	memset(ids, 'a', sizeof ids - 1);
	ids[sizeof ids - 1] = '\0';
	x->script.body = "{\"resourceType\":\"Bundle\",\"type\":\"searchset\"}";
	assert_true(fhir_search(x->source, "Observation", p, 1, NULL, &x->page, &x->err));
	assert_string_equal(x->script.method, "POST");
	assert_string_equal(x->script.target, "/fhir/Observation/_search");
	assert_non_null(
	    strstr(x->script.head, "\r\nContent-Type: application/x-www-form-urlencoded\r\n"));
	assert_memory_equal(x->script.form, "patient=aaaa", 12);
	assert_non_null(strstr(x->script.form, "aa&_count=1000&_pretty=false"));
}

static void refused(struct fixture *x, const char *body, bool retryable, const char *words)
{
	assert_false(search(x, body));
	assert_int_equal(x->err.code, ERR_PROTOCOL);
	assert_int_equal(x->err.retryable, retryable);
	if (!strstr(x->err.text, words))
		fail_msg("\"%s\" does not say \"%s\"", x->err.text, words);
	assert_null(strstr(x->err.text, "02139"));
	assert_null(x->page.doc);
}

static void what_is_no_bundle_is_refused(void **state)
{
	struct fixture *x = *state;

	refused(x, "", true, "an empty answer");
	refused(x, " \n<!DOCTYPE html><html>", true, "an HTML page");
	refused(x, "<Bundle xmlns='http://hl7.org/fhir'/>", true, "XML");
	refused(x, "Bad Gateway", true, "no JSON");
	refused(x, "[1]", true, "no FHIR Bundle");
	refused(x, "{\"resourceType\":\"Patient\"}", true, "a FHIR Patient instead of a Bundle");
	refused(x, "{\"resourceType\":\"OperationOutcome\"}", true, "a FHIR OperationOutcome");
	refused(x, "{\"resourceType\":\"Bundle\",\"type\":\"history\"}", true, "no searchset");
	refused(x, "{\"resourceType\":\"Bundle\",\"entry\":[{\"resou", true, "broken at byte");
	refused(x, "{\"resourceType\":\"Bundle\",\"entry\":{}}", true, "not a list");
	refused(
	    x,
	    "{\"resourceType\":\"Bundle\",\"entry\":[{\"resource\":{\"resourceType\":"
	    "\"OperationOutcome\",\"issue\":["
	    "{\"severity\":\"warning\"},{\"severity\":\"fatal\",\"diagnostics\":\"John Doe\"}]}}]}",
	    true, "not complete");
	assert_null(strstr(x->err.text, "John"));
}

static void next_with(struct fixture *x, const char *link)
{
	static char body[65536];

	snprintf(body, sizeof body,
	         "{\"resourceType\":\"Bundle\",\"type\":\"searchset\",\"link\":[{\"relation\":"
	         "\"next\",\"url\":\"%s\"}]}",
	         link);
	x->script.body = body;
}

static void next_links_are_opaque_but_ours(void **state)
{
	struct fixture *x = *state;
	char link[256], upper[256], long_link[20001];
	static const char *const bad[] = {"http://evil.example/fhir?x",
	                                  "//evil.example/x",
	                                  "ftp://h/x",
	                                  "http://u:p@evil/x",
	                                  "has blank",
	                                  "http://",
	                                  "\\u0000",
	                                  "javascript:x"};

	snprintf(link, sizeof link, "%s?_getpages=0a-b|c%%7c&_getpagesoffset=10",
	         fake_url(x->fake));
	next_with(x, link);
	assert_true(search(x, x->script.body));
	assert_string_equal(x->page.next, link);
	next_with(x, "?_getpages=q");
	assert_true(search(x, x->script.body));
	snprintf(link, sizeof link, "%s/fhir/?_getpages=q", fake_url(x->fake));
	assert_string_equal(x->page.next, link);
	next_with(x, "/other/Patient?page=2#frag");
	assert_true(search(x, x->script.body));
	snprintf(link, sizeof link, "%s/other/Patient?page=2", fake_url(x->fake));
	assert_string_equal(x->page.next, link);
	snprintf(upper, sizeof upper, "HTTP://127.0.0.1%s/p", strrchr(fake_url(x->fake), ':'));
	next_with(x, upper);
	assert_true(search(x, x->script.body));
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		next_with(x, bad[i]);
		refused(x, x->script.body, false, "next link");
		assert_false(
		    fhir_search_next(x->source, "Patient", bad[i], NULL, &x->page, &x->err));
		assert_int_equal(x->err.code, ERR_PROTOCOL);
	}
	memset(long_link, 'a', sizeof long_link - 1);
	long_link[sizeof long_link - 1] = '\0';
	next_with(x, long_link);
	refused(x, x->script.body, false, "too long");
}

static void the_same_next_twice_is_refused(void **state)
{
	struct fixture *x = *state;
	char next[256];

	snprintf(next, sizeof next, "%s/fhir?_getpages=1", fake_url(x->fake));
	next_with(x, next);
	assert_true(search(x, x->script.body));
	fhir_page_free(&x->page);
	assert_false(fhir_search_next(x->source, "Patient", next, NULL, &x->page, &x->err));
	assert_string_equal(x->script.target, "/fhir?_getpages=1");
	assert_int_equal(x->err.code, ERR_PROTOCOL);
	assert_non_null(strstr(x->err.text, "same next link twice"));
}

static void statuses_become_errors(void **state)
{
	struct fixture *x = *state;
	static const char gone[] = "{\"resourceType\":\"OperationOutcome\",\"issue\":[{"
	                           "\"severity\":\"error\",\"code\":\"processing\",\"diagnostics\":"
	                           "\"HAPI-0417: Search ID \\\"7f-2\\\" of Patient/alice?given=Bob "
	                           "\\u0007may have been removed since 2024\"}]}";

	x->script.status = 410;
	assert_false(search(x, gone));
	assert_int_equal(x->err.code, ERR_GONE);
	assert_int_equal(x->err.status, 410);
	assert_non_null(
	    strstr(x->err.text,
	           "(processing): HAPI-0417: Search ID \"…\" of …  may have been removed since …"));
	x->script.status = 503;
	snprintf(x->script.headers, sizeof x->script.headers, "Retry-After: 7\r\n");
	assert_false(search(x, "<html>"));
	assert_int_equal(x->err.code, ERR_BUSY);
	assert_true(x->err.retryable);
	assert_int_equal(x->err.retry_after_ms, 7000);
	x->script.status = 400;
	assert_false(search(x, "{\"resourceType\":\"OperationOutcome\",\"issue\":[{\"code\":\"X\","
	                       "\"diagnostics\":\"Jane Roe\"}]}"));
	assert_int_equal(x->err.code, ERR_PROTOCOL);
	assert_false(x->err.retryable);
	assert_null(strstr(x->err.text, "Jane"));
}

static void bad_text_does_not_cost_a_page(void **state)
{
	struct fixture *x = *state;
	static const char body[] =
	    "{\"resourceType\":\"Bundle\",\"type\":\"searchset\",\"entry\":["
	    "{\"resource\":{\"resourceType\":\"Patient\",\"id\":\"a\",\"t\":\"\xff\xc3\"}},"
	    "{\"resource\":{\"resourceType\":\"Patient\",\"id\":\"b\",\"t\":\"\\u0000\"}},"
	    "{\"resource\":{\"resourceType\":\"Patient\",\"id\":\"c\",\"n\":"
	    "1234567890123456789012345678901234567890.10}}]}";

	assert_true(search(x, body));
	assert_int_equal(x->page.count, 3);
	assert_true(str_is(x->page.entries[0].raw,
	                   "{\"resourceType\":\"Patient\",\"id\":\"a\",\"t\":\"\xff\xc3\"}"));
	assert_true(
	    str_is((struct str){yyjson_get_raw(yyjson_obj_get(x->page.entries[2].json, "n")), 43},
	           "1234567890123456789012345678901234567890.10"));
	refused(x, "{\"resourceType\":\"Bundle\",\"x\":\"\n", true, "broken");
}

/* A Bundle of n patients, each `size` bytes or a little more. */
static char *bundle_of(int n, int size, const char *next)
{
	struct buf out = BUF_INIT(64 << 20);

	buf_lit(&out, "{\"resourceType\":\"Bundle\",\"type\":\"searchset\",");
	if (next)
		buf_printf(&out, "\"link\":[{\"relation\":\"next\",\"url\":\"%s\"}],", next);
	buf_lit(&out, "\"entry\":[");
	for (int i = 0; i < n; i++)
		buf_printf(&out,
		           "%s{\"resource\":{\"resourceType\":\"Patient\",\"id\":\"%d\",\"t\":\"%*"
		           "s\"},\"search\":{}}",
		           i ? ",\n" : "", i, size, "x");
	buf_lit(&out, "]}");
	assert_false(out.failed);
	return out.p;
}

static void two_megabytes(void **state)
{
	struct fixture *x = *state;
	char *body = x->body = bundle_of(1000, 2000, NULL);
	int64_t id = -1;

	assert_true(search(x, body));
	assert_int_equal(x->page.count, 1000);
	for (size_t i = 0; i < x->page.count; i++) {
		yyjson_doc *doc =
		    yyjson_read(x->page.entries[i].raw.p, x->page.entries[i].raw.n, 0);

		assert_non_null(doc);
		assert_true(
		    str_int(str_of(yyjson_get_str(yyjson_obj_get(yyjson_doc_get_root(doc), "id"))),
		            0, 1000, &id));
		assert_int_equal(id, i);
		yyjson_doc_free(doc);
	}
	assert_true(search(x, "{\"resourceType\":\"Bundle\"}"));
	assert_non_null(
	    strstr(x->script.target, "_count=1000&")); /* 4 MiB hold more than 1,000 of 2 KB */
}

static void pages_shrink_to_their_target(void **state)
{
	struct fixture *x = *state;
	char *body = x->body = bundle_of(10, 300, NULL);
	int count = 0;

	assert_true(search(x, body)); /* about 370 bytes an entry, target 20,000 */
	assert_true(search(x, body));
	assert_int_equal(sscanf(strstr(x->script.target, "_count="), "_count=%d", &count), 1);
	assert_in_range(count, 40, 60);
}

static void too_large_pages_shrink_until_one(void **state)
{
	struct fixture *x = *state;
	char *body = x->body = bundle_of(20, 300, NULL), next[256];
	int count, last = 1000, rounds = 0;

	do {
		assert_false(search(x, body));
		assert_int_equal(x->err.code, ERR_LIMIT);
		assert_int_equal(sscanf(strstr(x->script.target, "_count="), "_count=%d", &count),
		                 1);
		assert_true(rounds ? count < last : count == last);
		assert_int_equal(x->err.retryable, count > 1);
		last = count;
		assert_true(++rounds < 8);
	} while (count > 1);
	snprintf(next, sizeof next, "%s/fhir?p=2", fake_url(x->fake));
	assert_false(fhir_search_next(x->source, "Patient", next, NULL, &x->page, &x->err));
	assert_int_equal(x->err.code, ERR_LIMIT);
	assert_false(fhir_search_next(x->source, "Observation", next, NULL, &x->page, &x->err));
	assert_int_equal(x->err.code, ERR_GONE);
	assert_non_null(strstr(x->err.text, "started again"));
}

static void counts_and_reads(void **state)
{
	struct fixture *x = *state;
	int64_t total = 0;

	x->script.body = "{\"resourceType\":\"Bundle\",\"type\":\"searchset\",\"total\":4711}";
	assert_true(fhir_count(x->source, "Patient", zip, 1, NULL, &total, &x->err));
	assert_int_equal(total, 4711);
	assert_string_equal(
	    x->script.target,
	    "/fhir/Patient?address-postalcode:exact=02139&_summary=count&_pretty=false");
	x->script.body = "{\"resourceType\":\"Bundle\",\"type\":\"searchset\"}";
	assert_true(fhir_count(x->source, "Patient", zip, 1, NULL, &total, &x->err));
	assert_int_equal(total, -1);
	x->script.body = "\n{\"resourceType\":\"Patient\",\"id\":\"7\"} ";
	assert_true(fhir_read(x->source, "Patient", STR("7/../x"), NULL, &x->page, &x->err));
	assert_string_equal(x->script.target, "/fhir/Patient/7%2F..%2Fx?_pretty=false");
	assert_int_equal(x->page.count, 1);
	assert_true(str_is(x->page.entries[0].raw, "{\"resourceType\":\"Patient\",\"id\":\"7\"}"));
	fhir_page_free(&x->page);
	x->script.status = 404;
	assert_false(fhir_read(x->source, "Patient", STR("7"), NULL, &x->page, &x->err));
	assert_int_equal(x->err.code, ERR_NOT_FOUND);
	x->script.status = 410;
	assert_false(fhir_read(x->source, "Patient", STR("7"), NULL, &x->page, &x->err));
	assert_int_equal(x->err.code, ERR_GONE);
}

static void history_tells_deletions(void **state)
{
	struct fixture *x = *state;
	struct fhir_history_page h = {0};

	x->script.body =
	    "{\"resourceType\":\"Bundle\",\"type\":\"history\",\"entry\":["
	    "{\"resource\":{\"resourceType\":\"Patient\",\"id\":\"a\"},\"request\":{\"method\":"
	    "\"PUT\",\"url\":\"Patient/a\"}},"
	    "{\"fullUrl\":\"http://h/fhir/Patient/"
	    "b\",\"request\":{\"method\":\"DELETE\",\"url\":\"Patient/b/_history/3\"},"
	    "\"response\":{\"lastModified\":\"2024-01-02T03:04:05Z\"}},"
	    "{\"fullUrl\":\"http://h/Patient/fhir/Patient/c\",\"request\":{\"method\":\"DELETE\"}},"
	    "{\"request\":{\"method\":\"DELETE\",\"url\":\"\"}}]}";
	assert_true(fhir_history(x->source, "Patient", 1700000000000000, NULL, NULL, &h, &x->err));
	assert_string_equal(
	    x->script.target,
	    "/fhir/Patient/_history?_since=2023-11-14T22:13:20Z&_count=1000&_pretty=false");
	assert_int_equal(h.page.count, 1);
	assert_int_equal(h.page.broken, 1);
	assert_int_equal(h.deleted_count, 2);
	assert_true(str_is(h.deleted[0], "b"));
	assert_true(str_is(h.deleted_at[0], "2024-01-02T03:04:05Z"));
	assert_int_equal(h.deleted_after[0], 1);
	assert_true(str_is(h.deleted[1], "c"));
	assert_null(h.deleted_at[1].p);
	fhir_history_page_free(&h);
	assert_false(fhir_history(x->source, "Patient", 0, "http://evil/x", NULL, &h, &x->err));
	assert_int_equal(x->err.code, ERR_PROTOCOL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(a_page_is_read, setup, teardown),
	    cmocka_unit_test_setup_teardown(the_request_is_what_hapi_needs, setup, teardown),
	    cmocka_unit_test_setup_teardown(a_long_search_is_posted, setup, teardown),
	    cmocka_unit_test_setup_teardown(what_is_no_bundle_is_refused, setup, teardown),
	    cmocka_unit_test_setup_teardown(next_links_are_opaque_but_ours, setup, teardown),
	    cmocka_unit_test_setup_teardown(the_same_next_twice_is_refused, setup, teardown),
	    cmocka_unit_test_setup_teardown(statuses_become_errors, setup, teardown),
	    cmocka_unit_test_setup_teardown(bad_text_does_not_cost_a_page, setup, teardown),
	    cmocka_unit_test_setup_teardown(two_megabytes, setup, teardown),
	    cmocka_unit_test_setup_teardown(pages_shrink_to_their_target, setup_small, teardown),
	    cmocka_unit_test_setup_teardown(too_large_pages_shrink_until_one, setup_small,
	                                    teardown),
	    cmocka_unit_test_setup_teardown(counts_and_reads, setup, teardown),
	    cmocka_unit_test_setup_teardown(history_tells_deletions, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
