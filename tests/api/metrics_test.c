/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "api/metrics.h"

static const char *path_of(int route)
{
	static const char *const paths[] = {"/a", "/b/{id}", "/a"};

	return paths[route];
}

static void requests_are_counted(void **state)
{
	struct metrics *m = metrics_new(3);
	struct buf b = BUF_INIT(64 * 1024);

	(void)state;
	metrics_count(m, 0, "GET", 200, 400);
	metrics_count(m, 0, "GET", 200, 1000);
	metrics_count(m, 2, "POST", 202, 20000000);
	metrics_count(m, 1, "BREW", 405, 1);
	metrics_count(m, -1, "GET", 404, 1);
	metrics_write(m, &b, path_of);
	assert_non_null(strstr(
	    b.p, "fhirline_http_requests_total{route=\"/a\",method=\"GET\",status=\"200\"} 2\n"));
	assert_non_null(strstr(
	    b.p, "fhirline_http_requests_total{route=\"/a\",method=\"POST\",status=\"202\"} 1\n"));
	assert_non_null(strstr(b.p, "{route=\"/b/{id}\",method=\"OTHER\",status=\"405\"} 1\n"));
	assert_non_null(strstr(b.p, "{route=\"(none)\",method=\"GET\",status=\"404\"} 1\n"));
	/* the two routes of one path are one histogram */
	assert_non_null(strstr(b.p, "_bucket{route=\"/a\",le=\"0.0005\"} 1\n"));
	assert_non_null(strstr(b.p, "_bucket{route=\"/a\",le=\"0.001\"} 2\n"));
	assert_non_null(strstr(b.p, "_bucket{route=\"/a\",le=\"10\"} 2\n"));
	assert_non_null(strstr(b.p, "_bucket{route=\"/a\",le=\"+Inf\"} 3\n"));
	assert_non_null(strstr(b.p, "_sum{route=\"/a\"} 20.001400\n"));
	assert_non_null(strstr(b.p, "_count{route=\"/a\"} 3\n"));
	buf_free(&b);
	metrics_free(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(requests_are_counted)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
