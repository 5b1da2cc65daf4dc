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

struct fixture {
	struct fake *fake;
	struct http_client *http;
	struct fhir_source *source;
	int status;
	const char *headers, *body;
	char target[16384];
	struct err err;
	struct fhir_capability c;
};

static void answer(struct fake *f, struct fake_request *r, void *ctx)
{
	struct fixture *x = ctx;

	(void)f;
	snprintf(x->target, sizeof x->target, "%s", r->target);
	fake_reply_text(r, x->status, x->headers, x->body);
}

static int setup(void **state)
{
	struct fixture *x = calloc(1, sizeof *x);
	char base[100];

	x->status = 200;
	x->headers =
	    "Content-Type: application/fhir+json\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n";
	x->fake = fake_start(answer, x, false);
	x->http = http_client_new(&(struct http_options){0}, &x->err);
	assert_non_null(x->http);
	snprintf(base, sizeof base, "%s/fhir//", fake_url(x->fake));
	x->source = fhir_source_open(
	    &(struct fhir_source_options){.base_url = base, .http = x->http}, &x->err);
	assert_non_null(x->source);
	*state = x;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *x = *state;

	fhir_source_close(x->source);
	http_client_free(x->http);
	fake_stop(x->fake);
	free(x);
	return 0;
}

static bool ask(struct fixture *x, const char *body)
{
	x->body = body;
	memset(&x->err, 0, sizeof x->err);
	return fhir_capability(x->source, NULL, &x->c, &x->err);
}

static void a_statement_is_read(void **state)
{
	struct fixture *x = *state;

	assert_true(ask(
	    x, "{\"resourceType\":\"CapabilityStatement\",\"fhirVersion\":\"4.0.1\","
	       "\"software\":{\"name\":\"HAPI\\nServer\",\"version\":\"8.8.0\"},\"rest\":[{"
	       "\"mode\":\"server\",\"resource\":["
	       "{\"type\":\"Patient\",\"interaction\":[{\"code\":\"read\"},{\"code\":\"history-"
	       "type\"}]},"
	       "{\"type\":\"Observation\",\"interaction\":[{\"code\":\"history-instance\"}]}]}]}"));
	assert_string_equal(x->target, "/fhir/metadata?_pretty=false");
	assert_string_equal(x->c.software, "HAPI?Server 8.8.0");
	assert_string_equal(x->c.fhir_version, "4.0.1");
	assert_true(x->c.patient_history);
	assert_false(x->c.observation_history);
	assert_true(x->c.server_time_us == 784111777000000);
	assert_true(ask(x, "{\"resourceType\":\"CapabilityStatement\",\"fhirVersion\":\"4.0.0\"}"));
	assert_string_equal(x->c.software, "");
	assert_false(x->c.patient_history);
}

static void refused(struct fixture *x, const char *body, const char *words)
{
	assert_false(ask(x, body));
	assert_int_equal(x->err.code, ERR_PROTOCOL);
	assert_false(x->err.retryable);
	if (!strstr(x->err.text, words))
		fail_msg("\"%s\" does not say \"%s\"", x->err.text, words);
}

static void what_is_no_r4_server_is_refused(void **state)
{
	struct fixture *x = *state;

	refused(x, "{\"resourceType\":\"CapabilityStatement\",\"fhirVersion\":\"5.0.0\"}",
	        "FHIR 5.0.0");
	refused(x, "{\"resourceType\":\"CapabilityStatement\",\"fhirVersion\":\"4.3.0\"}",
	        "FHIR 4.3.0");
	refused(x, "{\"resourceType\":\"CapabilityStatement\"}", "unnamed version");
	refused(x, "{\"resourceType\":\"Conformance\",\"fhirVersion\":\"1.0.2\"}",
	        "FHIR Conformance");
	refused(x, "{\"a\":1}", "no FHIR CapabilityStatement");
	x->headers = "Content-Type: text/html\r\n";
	refused(x, "<html>", "an HTML page");
	x->status = 404;
	assert_false(ask(x, "<html>"));
	assert_int_equal(x->err.code, ERR_NOT_FOUND);
	x->status = 403;
	assert_false(ask(x, ""));
	assert_int_equal(x->err.code, ERR_FORBIDDEN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(a_statement_is_read, setup, teardown),
	    cmocka_unit_test_setup_teardown(what_is_no_r4_server_is_refused, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
