/* SPDX-License-Identifier: Apache-2.0
 *
 * A running sandbox, asked over HTTP: paging, reads, writes, churn, history, authentication.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "sandbox/client.h"

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

static int line_cmp(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The lines of `b`, sorted; the text is cut up in place. */
static size_t lines(struct buf *b, char ***out)
{
	size_t n = 0;

	*out = calloc(b->n + 1, sizeof **out);
	assert_non_null(*out);
	for (char *at = b->p, *end; at && *at; at = end + 1) {
		end = strchr(at, '\n');
		assert_non_null(end);
		*end = '\0';
		(*out)[n++] = at;
	}
	qsort(*out, n, sizeof **out, line_cmp);
	return n;
}

/* The ids of a zip's resources as /sandbox/resources tells them, a line each. */
static void true_ids(struct client *c, const char *type, struct buf *ids)
{
	char url[200], *at;

	snprintf(url, sizeof url, "/sandbox/resources?type=%s&zip=02139", type);
	client_get(c, url);
	assert_int_equal(c->status, 200);
	for (at = c->body.p; at && *at; at = strchr(at, '\n') + 1) {
		char *id = strstr(at, "\"id\":\"") + 6;

		buf_add(ids, id, strcspn(id, "\""));
		buf_add_char(ids, '\n');
	}
}

/* What paging gives is what there is, each once. */
static void same_ids(struct client *c, const char *type, const char *url, const char *more)
{
	struct buf got = BUF_INIT(1 << 24), truth = BUF_INIT(1 << 24);
	char **a, **b;
	size_t n, m;

	client_walk(c, url, &got);
	client_walk(c, more, &got);
	true_ids(c, type, &truth);
	n = lines(&got, &a);
	m = lines(&truth, &b);
	assert_int_equal(n, m);
	assert_true(n > 0);
	for (size_t k = 0; k < n; k++) {
		assert_string_equal(a[k], b[k]);
		assert_true(k == 0 || strcmp(a[k], a[k - 1]) != 0);
	}
	free(a);
	free(b);
	buf_free(&got);
	buf_free(&truth);
}

static void paging_gives_each_once(void **state)
{
	struct client *c = *state;
	const char *all = "/fhir/Observation?patient.address-postalcode:exact=02139&_count=13";
	const char *plus4 = "/fhir/Observation?patient.address-postalcode=02139-&_count=13";
	struct buf truth = BUF_INIT(1 << 24);
	char **lines_of_truth;
	size_t n;

	true_ids(c, "Observation", &truth);
	n = lines(&truth, &lines_of_truth);
	for (int k = 0; k < 2; k++) {
		c->gzip = k;
		/* 40, and two whose postal codes only begin like the zip */
		assert_int_equal(
		    client_walk(c, "/fhir/Patient?address-postalcode=02139&_count=7", NULL), 42);
		assert_int_equal(client_walk(c, all, NULL) + client_walk(c, plus4, NULL), n);
	}
	client_send(c, "POST", "/sandbox/churn?moved=1000", "text/plain", "");
	client_send(c, "POST", "/sandbox/churn?moved_in=500&changed=50&deleted=50&added=50",
	            "text/plain", "");
	same_ids(c, "Patient", "/fhir/Patient?address-postalcode:exact=02139&_count=7",
	         "/fhir/Patient?address-postalcode=02139-");
	same_ids(c, "Observation", all, plus4);
	free(lines_of_truth);
	buf_free(&truth);
}

static void the_bundle_is_hapis(void **state)
{
	struct client *c = *state;
	yyjson_doc *doc = client_json(c, "/fhir/Patient?_count=3&_pretty=false", 200);
	char next[500], start[100];

	assert_null(strchr(c->body.p, '\n'));
	assert_int_equal(client_total(doc), -1);
	assert_int_equal(client_entries(doc), 3);
	snprintf(next, sizeof next, "%s", client_link(doc, "next"));
	yyjson_doc_free(doc);
	snprintf(start, sizeof start, "%s/fhir?_getpages=", c->origin);
	assert_int_equal(strncmp(next, start, strlen(start)), 0);
	assert_null(strstr(next, "_pretty"));
	assert_non_null(strstr(next, "&_getpagesoffset=3&_count=3&_bundletype=searchset"));
	doc = client_json(c, next, 200);
	assert_non_null(strchr(c->body.p, '\n'));
	assert_non_null(client_link(doc, "previous"));
	yyjson_doc_free(doc);
	/* the Host header decides the links */
	c->header = "Host: fhir.example:81";
	doc = client_json(c, "/fhir/Patient?_count=3", 200);
	assert_int_equal(strncmp(client_link(doc, "next"), "http://fhir.example:81/fhir?", 28), 0);
	yyjson_doc_free(doc);
	c->header = NULL;
	doc = client_json(c, "/fhir/Patient?_count=100000", 200);
	assert_int_equal(client_entries(doc), 45);
	assert_int_equal(client_total(doc), 45);
	assert_null(client_link(doc, "next"));
	yyjson_doc_free(doc);
	doc = client_json(c, "/fhir/Observation?_count=100000", 200);
	assert_int_equal(client_entries(doc), 50);
	yyjson_doc_free(doc);
	doc = client_json(c, "/fhir/Patient?address-postalcode:exact=99999", 200);
	assert_int_equal(client_total(doc), 0);
	assert_null(yyjson_obj_get(yyjson_doc_get_root(doc), "entry"));
	yyjson_doc_free(doc);
	doc = client_json(c, "/fhir/Patient?address-postalcode=02139&_summary=count", 200);
	assert_int_equal(client_total(doc), 42);
	assert_int_equal(client_entries(doc), 0);
	yyjson_doc_free(doc);
	doc = client_json(c, "/fhir/Patient?_elements=id&_count=2&_total=accurate", 200);
	assert_int_equal(client_total(doc), 45);
	assert_non_null(strstr(c->body.p, "SUBSETTED"));
	assert_null(strstr(c->body.p, "address"));
	yyjson_doc_free(doc);
}

static void offsets_may_be_jumped_to(void **state)
{
	struct client *c = *state;
	yyjson_doc *doc = client_json(c, "/fhir/Observation?_count=10", 200);
	char url[500], *at;
	struct buf all = BUF_INIT(1 << 20), part = BUF_INIT(1 << 20);

	snprintf(url, sizeof url, "%s", client_link(doc, "next"));
	yyjson_doc_free(doc);
	client_walk(c, url, &all);
	at = strstr(url, "_getpagesoffset=10");
	assert_non_null(at);
	memcpy(at, "_getpagesoffset=40", 18);
	client_walk(c, url, &part);
	assert_string_equal(all.p + 3 * 370, part.p);
	buf_free(&all);
	buf_free(&part);
}

static void post_search_takes_a_form(void **state)
{
	struct client *c = *state;
	yyjson_doc *doc;

	client_send(c, "POST", "/fhir/Patient/_search", "application/x-www-form-urlencoded",
	            "address-postalcode=02139&_summary=count&_lastUpdated=ge2020-01-01T00%3A00%"
	            "3A00%2B00%3A00");
	assert_int_equal(c->status, 200);
	doc = yyjson_read(c->body.p, c->body.n, 0);
	assert_int_equal(client_total(doc), 42);
	yyjson_doc_free(doc);
}

static void wrong_requests_get_outcomes(void **state)
{
	static const struct {
		const char *url;
		long status;
		const char *part;
	} cases[] = {
	    {"/fhir/Patient?nonsense=1", 400, "HAPI-0524"},
	    {"/fhir/Patient?_lastUpdated=yesterday", 400, "_lastUpdated"},
	    {"/fhir/Nothing", 404, "HAPI-0302"},
	    {"/fhir/Patient/nobody", 404, "HAPI-2001"},
	    {"/fhir/Patient/nobody/_history", 404, "HAPI-2001"},
	    {"/fhir/Patient/nobody/_history/1", 404, "HAPI-2001"},
	    {"/fhir?_getpages=01a2156e-13d8-7bb3-89cc-3d93931f0000", 410, "HAPI-0417"},
	    {"/fhir", 400, "HAPI-0287"},
	    {"/fhir/Patient/x/$everything", 400, "HAPI-0287"},
	};
	struct client *c = *state;
	char url[9000];

	for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
		client_get(c, cases[k].url);
		assert_int_equal(c->status, cases[k].status);
		assert_non_null(strstr(c->body.p, "OperationOutcome"));
		assert_non_null(strstr(c->body.p, cases[k].part));
	}
	memset(url, 'x', sizeof url);
	memcpy(url, "/fhir/Patient?_id=", 18);
	url[sizeof url - 1] = '\0';
	client_get(c, url);
	assert_int_equal(c->status, 400);
	assert_non_null(strstr(c->headers.p, "text/html"));
	client_send(c, "DELETE", "/fhir/Patient/nobody", NULL, NULL);
	assert_int_equal(c->status, 404);
	client_send(c, "PUT", "/fhir/Patient/x", "application/fhir+json", "{");
	assert_int_equal(c->status, 400);
	client_send(c, "POST", "/sandbox/faults", "text/plain", "on any: nothing");
	assert_int_equal(c->status, 400);
	assert_non_null(strstr(c->body.p, "line 1"));
}

static void metadata_says_what_there_is(void **state)
{
	struct client *c = *state;
	yyjson_doc *doc = client_json(c, "/fhir/metadata", 200);
	yyjson_val *root = yyjson_doc_get_root(doc);

	assert_true(yyjson_equals_str(yyjson_obj_get(root, "fhirVersion"), "4.0.1"));
	assert_true(yyjson_equals_str(yyjson_ptr_get(root, "/software/name"), "fhirline sandbox"));
	assert_true(
	    yyjson_equals_str(yyjson_ptr_get(root, "/rest/0/resource/1/type"), "Observation"));
	yyjson_doc_free(doc);
}

static void resources_are_written_and_deleted(void **state)
{
	struct client *c = *state;
	const char *json = "application/fhir+json";
	yyjson_doc *doc;

	client_send(c, "PUT", "/fhir/Patient/p.1", json,
	            "{\"resourceType\":\"Patient\",\"address\":[{\"postalCode\":\"02139\"}]}");
	assert_int_equal(c->status, 201);
	assert_non_null(strcasestr(c->headers.p, "etag: W/\"1\""));
	c->header = "X-Sandbox-Last-Updated: 2001-02-03T04:05:06.789Z";
	client_send(c, "PUT", "/fhir/Patient/p.1", json,
	            "{\"resourceType\":\"Patient\",\"active\":true,\"address\":[{\"postalCode\":"
	            "\"02139\"}]}");
	c->header = NULL;
	assert_int_equal(c->status, 200);
	client_send(
	    c, "POST", "/fhir/Observation", json,
	    "{\"resourceType\":\"Observation\",\"subject\":{\"reference\":\"Patient/p.1\"}}");
	assert_int_equal(c->status, 201);
	assert_non_null(strcasestr(c->headers.p, "location: http://127.0.0.1:"));
	doc = client_json(c, "/fhir/Patient/p.1", 200);
	assert_true(
	    yyjson_equals_str(yyjson_ptr_get(yyjson_doc_get_root(doc), "/meta/versionId"), "2"));
	assert_true(yyjson_equals_str(yyjson_ptr_get(yyjson_doc_get_root(doc), "/meta/lastUpdated"),
	                              "2001-02-03T04:05:06.789+00:00"));
	yyjson_doc_free(doc);
	doc = client_json(c, "/fhir/Observation?patient=p.1", 200);
	assert_int_equal(client_entries(doc), 1);
	yyjson_doc_free(doc);
	doc = client_json(c, "/fhir/Patient/p.1/_history/1", 200);
	assert_null(strstr(c->body.p, "active"));
	yyjson_doc_free(doc);
	client_send(c, "DELETE", "/fhir/Patient/p.1", NULL, NULL);
	assert_int_equal(c->status, 200);
	doc = client_json(c, "/fhir/Patient/p.1", 410);
	yyjson_doc_free(doc);
	doc = client_json(c, "/fhir/Patient/p.1/_history", 200);
	assert_int_equal(client_entries(doc), 3);
	assert_true(yyjson_equals_str(
	    yyjson_ptr_get(yyjson_doc_get_root(doc), "/entry/0/request/method"), "DELETE"));
	assert_null(yyjson_ptr_get(yyjson_doc_get_root(doc), "/entry/0/resource"));
	assert_true(yyjson_equals_str(
	    yyjson_ptr_get(yyjson_doc_get_root(doc), "/entry/2/request/method"), "POST"));
	yyjson_doc_free(doc);
	doc = client_json(c, "/fhir/Patient/_history?_since=2026-01-01", 200);
	assert_int_equal(client_total(doc), 2); /* the second version says 2001 */
	yyjson_doc_free(doc);
	doc = client_json(c, "/fhir/Patient/_history?_count=10", 200);
	assert_int_equal(client_total(doc), 45 + 3);
	assert_non_null(strstr(client_link(doc, "next"), "_bundletype=history"));
	yyjson_doc_free(doc);
	assert_int_equal(client_walk(c, "/fhir/Patient/_history?_count=10", NULL), 45 + 3);
}

static long number_of(struct client *c, const char *name)
{
	yyjson_doc *doc = yyjson_read(c->body.p, c->body.n, 0);
	long n = (long)yyjson_get_int(yyjson_obj_get(yyjson_doc_get_root(doc), name));

	yyjson_doc_free(doc);
	return n;
}

static void churn_is_seen_by_paging(void **state)
{
	struct client *c = *state;
	char url[300];
	yyjson_doc *doc = client_json(c, "/fhir/Observation?_summary=count", 200);
	long before = client_total(doc), changed, deleted, added, moved;

	yyjson_doc_free(doc);
	client_send(c, "POST",
	            "/sandbox/churn?changed=50&deleted=20&added=30&moved=100&moved_in=500&"
	            "deleted_patients=50&seed=3",
	            "text/plain", "");
	assert_int_equal(c->status, 200);
	changed = number_of(c, "changed");
	deleted = number_of(c, "deleted");
	added = number_of(c, "added");
	moved = number_of(c, "moved");
	assert_true(changed > 10 && deleted > 5 && added > 5 && moved > 0);
	assert_true(number_of(c, "moved_in") > 0 && number_of(c, "deleted_patients") > 0);
	doc = client_json(c, "/fhir/Observation?_summary=count", 200);
	assert_int_equal(client_total(doc), before - deleted + added);
	yyjson_doc_free(doc);
	doc = client_json(c, "/fhir/Observation?_summary=count&_lastUpdated=ge2026-01-01", 200);
	assert_int_equal(client_total(doc), changed + added);
	yyjson_doc_free(doc);
	doc = client_json(c, "/fhir/Observation/_history?_since=2026-01-01", 200);
	assert_int_equal(client_total(doc), changed + added + deleted);
	yyjson_doc_free(doc);
	snprintf(url, sizeof url, "/fhir/Observation/_history?_since=2026-01-01&_count=9");
	assert_int_equal(client_walk(c, url, NULL), changed + added + deleted);
	client_send(c, "POST", "/sandbox/churn?changed=1001", "text/plain", "");
	assert_int_equal(c->status, 400);
}

static void paging_is_stable_while_it_changes(void **state)
{
	struct client *c = *state;
	struct buf before = BUF_INIT(1 << 20), during = BUF_INIT(1 << 20);
	yyjson_doc *doc;
	char url[500];

	client_walk(c, "/fhir/Observation?_count=20", &before);
	doc = client_json(c, "/fhir/Observation?_count=20", 200);
	snprintf(url, sizeof url, "%s", client_link(doc, "next"));
	yyjson_doc_free(doc);
	client_send(c, "POST", "/sandbox/churn?changed=100&added=100&moved=100", "text/plain", "");
	assert_int_equal(c->status, 200);
	client_walk(c, url, &during);
	assert_string_equal(before.p + 20 * 37, during.p);
	buf_free(&before);
	buf_free(&during);
}

struct walker {
	pthread_t thread;
	struct client client; /* its own handle and buffers, the same server */
	long total;
	size_t walked;
};

/* Failures in here end the process: a thread has no test to fail. */
static void *walk_often(void *arg)
{
	struct walker *w = arg;
	yyjson_doc *doc =
	    client_json(&w->client, "/fhir/Observation?_total=accurate&_count=50", 200);
	char next[500];

	w->total = client_total(doc);
	w->walked = client_entries(doc);
	snprintf(next, sizeof next, "%s", client_link(doc, "next"));
	yyjson_doc_free(doc);
	w->walked += client_walk(&w->client, next, NULL);
	return NULL;
}

static void many_clients_at_once(void **state)
{
	struct client *c = *state;
	struct walker w[6];

	for (int k = 0; k < 6; k++) {
		w[k].client = *c;
		w[k].client.gzip = k % 2;
		w[k].client.headers = BUF_INIT(1 << 16);
		w[k].client.body = BUF_INIT(64 << 20);
		w[k].client.curl = curl_easy_init();
		assert_int_equal(pthread_create(&w[k].thread, NULL, walk_often, &w[k]), 0);
	}
	for (int k = 0; k < 10; k++) {
		client_send(c, "POST", "/sandbox/churn?changed=20&added=20&moved=20", "text/plain",
		            "");
		assert_int_equal(c->status, 200);
		client_faults(c, "on metadata: reset");
		client_get(c, "/sandbox/log");
	}
	for (int k = 0; k < 6; k++) {
		pthread_join(w[k].thread, NULL);
		assert_true(w[k].total > 500);
		assert_int_equal(w[k].total, w[k].walked);
		curl_easy_cleanup(w[k].client.curl);
		buf_free(&w[k].client.headers);
		buf_free(&w[k].client.body);
	}
}

static void the_log_tells_what_was_asked(void **state)
{
	struct client *c = *state;
	yyjson_doc *doc = client_json(c, "/sandbox/log", 200);
	yyjson_val *one;
	char url[100];

	snprintf(url, sizeof url, "/sandbox/log?since=%lld",
	         (long long)yyjson_get_int(yyjson_obj_get(yyjson_doc_get_root(doc), "next")) + 1);
	yyjson_doc_free(doc);
	client_send(c, "POST", "/fhir/Patient/_search?_count=2",
	            "application/x-www-form-urlencoded", "_id=a");
	doc = client_json(c, url, 200);
	one = yyjson_ptr_get(yyjson_doc_get_root(doc), "/requests/0");
	assert_true(yyjson_equals_str(yyjson_obj_get(one, "path"), "/fhir/Patient/_search"));
	assert_true(yyjson_equals_str(yyjson_obj_get(one, "query"), "_count=2"));
	assert_true(yyjson_equals_str(yyjson_obj_get(one, "form"), "_id=a"));
	assert_int_equal(yyjson_get_int(yyjson_obj_get(one, "status")), 200);
	yyjson_doc_free(doc);
	client_send(c, "POST", "/sandbox/reset-stats", "text/plain", "");
	doc = client_json(c, "/sandbox/stats", 200);
	assert_int_equal(number_of(c, "max_concurrent"), 1);
	yyjson_doc_free(doc);
}

static void searches_expire(void **state)
{
	struct sandbox_options o = client_options();
	struct client c;
	yyjson_doc *doc;
	char url[500];

	(void)state;
	o.retain_s = 0;
	client_start(&c, &o);
	doc = client_json(&c, "/fhir/Patient?_count=5", 200);
	snprintf(url, sizeof url, "%s", client_link(doc, "next"));
	yyjson_doc_free(doc);
	do /* the clock has milliseconds */
		client_get(&c, url);
	while (c.status == 200);
	assert_int_equal(c.status, 410);
	assert_non_null(strstr(c.body.p, "HAPI-0417"));
	client_stop(&c);
}

static void caches_are_hapis(void **state)
{
	struct sandbox_options o = client_options();
	const char *url = "/fhir/Observation?_summary=count";
	struct client c;
	yyjson_doc *doc;
	long before, now;

	(void)state;
	o.reuse_s = 3600;
	client_start(&c, &o);
	c.header = "Cache-Control: no-store";
	assert_int_equal(client_walk(&c, "/fhir/Observation?_count=30", NULL), 100);
	c.header = NULL;
	doc = client_json(&c, url, 200);
	before = client_total(doc);
	yyjson_doc_free(doc);
	client_send(&c, "POST", "/sandbox/churn?added=100", "text/plain", "");
	now = before + number_of(&c, "added");
	assert_true(now > before);
	doc = client_json(&c, url, 200);
	assert_int_equal(client_total(doc), before);
	yyjson_doc_free(doc);
	c.header = "Cache-Control: no-cache";
	doc = client_json(&c, url, 200);
	assert_int_equal(client_total(doc), now);
	yyjson_doc_free(doc);
	client_stop(&c);
}

static void credentials_are_asked_for(void **state)
{
	struct sandbox_options o = client_options();
	struct client c;

	(void)state;
	o.require_bearer = "secret-token";
	o.require_basic = "user:pass";
	client_start(&c, &o);
	client_get(&c, "/fhir/Patient");
	assert_int_equal(c.status, 401);
	assert_non_null(strcasestr(c.headers.p, "www-authenticate: Bearer"));
	c.header = "Authorization: Bearer other";
	client_get(&c, "/fhir/Patient");
	assert_int_equal(c.status, 401);
	c.header = "Authorization: Bearer secret-token";
	client_get(&c, "/fhir/Patient");
	assert_int_equal(c.status, 200);
	c.header = "Authorization: Basic dXNlcjpwYXNz";
	client_get(&c, "/fhir/Patient");
	assert_int_equal(c.status, 200);
	c.header = NULL;
	client_get(&c, "/fhir/metadata");
	assert_int_equal(c.status, 200);
	client_stop(&c);
}

static void what_cannot_start_says_why(void **state)
{
	struct sandbox_options o = client_options();
	struct client *c = *state;
	struct err err;

	o.port = sandbox_port(c->sandbox);
	assert_null(sandbox_start(&o, &err));
	assert_int_equal(err.code, ERR_NETWORK);
	o = client_options();
	o.host = "nowhere";
	assert_null(sandbox_start(&o, &err));
	assert_non_null(strstr(err.text, "nowhere"));
	o = client_options();
	o.max_page = 0;
	assert_null(sandbox_start(&o, &err));
	assert_non_null(strstr(err.text, "max page"));
	o = client_options();
	o.faults = "/nowhere/at/all";
	assert_null(sandbox_start(&o, &err));
	assert_int_equal(err.code, ERR_IO);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(paging_gives_each_once),
	    TEST(the_bundle_is_hapis),
	    TEST(offsets_may_be_jumped_to),
	    TEST(post_search_takes_a_form),
	    TEST(wrong_requests_get_outcomes),
	    TEST(metadata_says_what_there_is),
	    TEST(resources_are_written_and_deleted),
	    TEST(churn_is_seen_by_paging),
	    TEST(paging_is_stable_while_it_changes),
	    TEST(many_clients_at_once),
	    TEST(the_log_tells_what_was_asked),
	    cmocka_unit_test(searches_expire),
	    cmocka_unit_test(caches_are_hapis),
	    cmocka_unit_test(credentials_are_asked_for),
	    TEST(what_cannot_start_says_why),
	};

	curl_global_init(CURL_GLOBAL_ALL);
	return cmocka_run_group_tests_name("sandbox/server", tests, NULL, NULL);
}
