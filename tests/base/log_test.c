/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <pthread.h>
#include <yyjson.h>

static int fds[2];
static char text[1 << 20];

static void open_log(enum log_level level, enum log_format format)
{
	assert_int_equal(pipe(fds), 0);
	assert_int_equal(fcntl(fds[0], F_SETFL, O_NONBLOCK), 0);
	log_to_fd(fds[1]);
	log_setup(level, format);
}

static const char *logged(void)
{
	ssize_t n = read(fds[0], text, sizeof text - 1);

	text[n > 0 ? n : 0] = '\0';
	return text;
}

static void close_log(void)
{
	log_to_fd(STDERR_FILENO);
	close(fds[0]);
	close(fds[1]);
}

static void test_json(void **state)
{
	yyjson_doc *doc;
	yyjson_val *root;

	(void)state;
	open_log(LOG_INFO, LOG_AUTO);
	log_info("run \"started\"", LOG_STR("zip", "02139"), LOG_INT("n", -5), LOG_BOOL("ok", true),
	         LOG_STR("none", NULL), LOG_STR("ctl", "a\nb\033[2J\x80z"));
	logged();
	doc = yyjson_read(text, strlen(text), 0);
	assert_non_null(doc);
	root = yyjson_doc_get_root(doc);
	assert_string_equal(yyjson_get_str(yyjson_obj_get(root, "message")), "run \"started\"");
	assert_string_equal(yyjson_get_str(yyjson_obj_get(root, "level")), "info");
	assert_string_equal(yyjson_get_str(yyjson_obj_get(root, "zip")), "02139");
	assert_int_equal(yyjson_get_sint(yyjson_obj_get(root, "n")), -5);
	assert_true(yyjson_get_bool(yyjson_obj_get(root, "ok")));
	assert_true(yyjson_is_null(yyjson_obj_get(root, "none")));
	assert_int_equal(yyjson_get_str(yyjson_obj_get(root, "time"))[10], 'T');
	assert_null(strchr(text, '\033'));
	assert_ptr_equal(strchr(text, '\n'), text + strlen(text) - 1);
	yyjson_doc_free(doc);
	close_log();
}

static void test_text(void **state)
{
	(void)state;
	open_log(LOG_INFO, LOG_TEXT);
	log_warn("odd\nmessage", LOG_STR("path", "a b"), LOG_STR("evil", "\033[2J\302\233x\t"),
	         LOG_BOOL("on", false));
	assert_non_null(strstr(logged(), "warn: odd\\nmessage path=\"a b\" "
	                                 "evil=\\x1b[2J\\x9bx\\t on=no\n"));
	assert_null(strchr(text, '\033'));
	close_log();
}

static void test_levels(void **state)
{
	enum log_level level;
	enum log_format format;

	(void)state;
	open_log(LOG_WARN, LOG_TEXT);
	log_info("unseen");
	log_debug("unseen");
	assert_string_equal(logged(), "");
	log_error("seen");
	assert_non_null(strstr(logged(), "error: seen"));
	assert_true(log_enabled(LOG_WARN));
	assert_false(log_enabled(LOG_INFO));
	assert_true(log_level_parse("debug", &level) && level == LOG_DEBUG);
	assert_false(log_level_parse("loud", &level));
	assert_true(log_format_parse("json", &format) && format == LOG_JSON);
	assert_false(log_format_parse("xml", &format));
	close_log();
}

static void test_err(void **state)
{
	struct err err = {0};

	(void)state;
	err_set(&err, ERR_BUSY, "http", "the server is busy");
	err.status = 503;
	open_log(LOG_INFO, LOG_JSON);
	log_err(LOG_WARN, "request failed", &err);
	assert_non_null(strstr(logged(), "\"error\":\"the server is busy\",\"code\":\"busy\","
	                                 "\"where\":\"http\",\"status\":503}"));
	close_log();
}

static void test_long_line_is_cut(void **state)
{
	char *big = malloc(100001);

	(void)state;
	assert_non_null(big);
	memset(big, 'x', 100000);
	big[100000] = '\0';
	open_log(LOG_INFO, LOG_JSON);
	log_info("m", LOG_STR("big", big), LOG_STR("small", "kept"));
	assert_non_null(strstr(logged(), "\"small\":\"kept\",\"cut\":true}\n"));
	assert_true(strlen(text) < LOG_LINE_MAX);
	memset(big, 1, 100000);
	log_info(big);
	assert_non_null(strstr(logged(), "\"cut\":true}\n"));
	assert_true(strlen(text) < LOG_LINE_MAX);
	close_log();
	free(big);
}

static void test_full_pipe_drops_and_counts(void **state)
{
	int lost = 0;

	(void)state;
	open_log(LOG_INFO, LOG_JSON);
	for (int i = 0; i < 3000; i++)
		log_info("filling", LOG_INT("i", i),
		         LOG_STR("pad", "0123456789012345678901234567890"));
	logged();
	log_info("after");
	logged();
	assert_non_null(strstr(text, "log lines dropped"));
	assert_int_equal(sscanf(strstr(text, "\"lines\":"), "\"lines\":%d", &lost), 1);
	assert_true(lost > 0 && lost < 3000);
	assert_non_null(strstr(text, "\"after\""));
	close_log();
}

static void *chatter(void *arg)
{
	for (int i = 0; i < 50; i++)
		log_info("chat", LOG_INT("thread", *(int *)arg), LOG_INT("i", i));
	return NULL;
}

static void test_threads_do_not_mix_lines(void **state)
{
	pthread_t threads[4];
	int ids[4], lines = 0;

	(void)state;
	open_log(LOG_INFO, LOG_JSON);
	for (int i = 0; i < 4; i++) {
		ids[i] = i;
		assert_int_equal(pthread_create(&threads[i], NULL, chatter, &ids[i]), 0);
	}
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	logged();
	for (char *p = text, *end; (end = strchr(p, '\n')); p = end + 1, lines++) {
		yyjson_doc *doc = yyjson_read(p, (size_t)(end - p), 0);

		assert_non_null(doc);
		yyjson_doc_free(doc);
	}
	assert_int_equal(lines, 200);
	close_log();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_json),
	    cmocka_unit_test(test_text),
	    cmocka_unit_test(test_levels),
	    cmocka_unit_test(test_err),
	    cmocka_unit_test(test_long_line_is_cut),
	    cmocka_unit_test(test_full_pipe_drops_and_counts),
	    cmocka_unit_test(test_threads_do_not_mix_lines),
	};

	return cmocka_run_group_tests_name("log", tests, NULL, NULL);
}
