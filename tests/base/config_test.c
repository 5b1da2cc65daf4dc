/* SPDX-License-Identifier: Apache-2.0 */
#include "base/config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/suggest.h"

#define ARGS(...) ((const char *[]){"cmd", __VA_ARGS__, NULL})

/* argv as config_load() takes it, which moves its words about */
struct words {
	int argc;
	char *argv[16];
};

static struct words words_of(const char **args)
{
	struct words w = {0};

	for (; args[w.argc]; w.argc++)
		memcpy(&w.argv[w.argc], &args[w.argc], sizeof args[0]);
	return w;
}

static struct config *load(unsigned groups, const char **args, struct err *err)
{
	struct words w = words_of(args);
	int nargs;

	return config_load(groups, NULL, w.argc, w.argv, &nargs, err);
}

static struct config *loads(const char **argv)
{
	struct err err;
	struct config *c = load(OPTIONS_ALL, argv, &err);

	if (!c)
		fail_msg("%s", err.text);
	return c;
}

static void refuses(const char **argv, enum err_code code, const char *part)
{
	struct err err;
	struct config *c = load(OPTIONS_ALL, argv, &err);

	assert_null(c);
	assert_int_equal(err.code, code);
	if (!strstr(err.text, part))
		fail_msg("\"%s\" does not say \"%s\"", err.text, part);
}

static void test_defaults(void **state)
{
	struct config *c = loads(ARGS(NULL));
	char cwd[4096], landing[4200];

	(void)state;
	assert_int_equal(config_int(c, OPT_FHIR_CONCURRENCY), 5);
	assert_int_equal(config_ms(c, OPT_FHIR_RETRY_BASE), 200);
	assert_int_equal(config_ms(c, OPT_OVERLAP), 600000);
	assert_int_equal(config_bytes(c, OPT_FHIR_MAX_BODY), 64 << 20);
	assert_string_equal(config_str(c, OPT_LISTEN), "127.0.0.1:8080");
	assert_true(config_is(c, OPT_ENGINE, "local"));
	assert_false(config_is_set(c, OPT_DATABASE_URL));
	assert_string_equal(config_shown(c, OPT_DATABASE_URL), "");
	assert_non_null(getcwd(cwd, sizeof cwd));
	snprintf(landing, sizeof landing, "file://%s/var/landing", cwd);
	assert_string_equal(config_str(c, OPT_LANDING_URL), landing);
	for (enum option_id id = 0; id < OPTION_COUNT; id++)
		assert_int_equal(config_origin_of(c, id), CONFIG_DEFAULT);
	config_free(c);
}

static void test_every_row_is_whole(void **state)
{
	(void)state;
	for (size_t i = 0; i < OPTION_COUNT; i++) {
		const struct option *o = &option_table[i];

		assert_non_null(o->name);
		assert_non_null(o->help);
		assert_ptr_equal(option_find(o->name, strlen(o->name)), o);
		assert_true(o->group != 0 && (o->group & (o->group - 1)) == 0);
		if (o->type == OPTION_CHOICE || o->type == OPTION_URL || o->type == OPTION_PLACE)
			assert_non_null(o->choices);
		if (o->type == OPTION_INT || o->type == OPTION_DURATION || o->type == OPTION_BYTES)
			assert_true(o->min < o->max);
		if (o->type == OPTION_DURATION)
			assert_non_null(o->unit);
		if (o->also) /* what others made of it must not stop us */
			assert_int_equal(o->type, OPTION_STRING);
	}
}

static void test_flag_wins_over_environment(void **state)
{
	struct config *c;

	(void)state;
	setenv("FHIRLINE_WORKERS", "3", 1);
	setenv("FHIRLINE_LEASE", "45", 1);
	setenv("FHIRLINE_LISTEN", "", 1);
	c = loads(ARGS("--workers=4"));
	assert_int_equal(config_int(c, OPT_WORKERS), 4);
	assert_int_equal(config_origin_of(c, OPT_WORKERS), CONFIG_FLAG);
	assert_int_equal(config_ms(c, OPT_LEASE), 45000);
	assert_string_equal(config_shown(c, OPT_LEASE), "45s");
	assert_int_equal(config_origin_of(c, OPT_LEASE), CONFIG_ENVIRONMENT);
	assert_int_equal(config_origin_of(c, OPT_LISTEN), CONFIG_DEFAULT);
	config_free(c);
	unsetenv("FHIRLINE_WORKERS");
	unsetenv("FHIRLINE_LEASE");
	unsetenv("FHIRLINE_LISTEN");
}

static void test_variables_of_other_tools(void **state)
{
	struct config *c;

	(void)state;
	setenv("AWS_DEFAULT_REGION", "eu-north-1", 1);
	setenv("AWS_REGION", "", 1);
	c = loads(ARGS(NULL));
	assert_string_equal(config_str(c, OPT_S3_REGION), "eu-north-1");
	assert_int_equal(config_origin_of(c, OPT_S3_REGION), CONFIG_ENVIRONMENT);
	config_free(c);
	setenv("AWS_REGION", "eu-west-1", 1);
	c = loads(ARGS(NULL));
	assert_string_equal(config_str(c, OPT_S3_REGION), "eu-west-1");
	config_free(c);
	setenv("FHIRLINE_S3_REGION", "us-west-2", 1);
	c = loads(ARGS(NULL));
	assert_string_equal(config_str(c, OPT_S3_REGION), "us-west-2");
	config_free(c);
	unsetenv("FHIRLINE_S3_REGION");
	unsetenv("AWS_REGION");
	unsetenv("AWS_DEFAULT_REGION");
}

static void test_groups_are_kept_apart(void **state)
{
	struct err err;
	struct config *c;

	(void)state;
	setenv("FHIRLINE_WORKERS", "none", 1);
	c = load(OPTIONS_LOG, ARGS(NULL), &err);
	assert_non_null(c);
	config_free(c);
	assert_null(load(OPTIONS_LOG, ARGS("--workers=4"), &err));
	assert_int_equal(err.code, ERR_USAGE);
	refuses(ARGS(NULL), ERR_CONFIG, "FHIRLINE_WORKERS: \"none\"");
	unsetenv("FHIRLINE_WORKERS");
}

static void test_arguments(void **state)
{
	bool fresh = false, full = false;
	const char *key = NULL;
	const struct config_flag flags[] = {{"fresh", NULL, "", &fresh, NULL},
	                                    {"full", NULL, "", &full, NULL},
	                                    {"key", "KEY", "", NULL, &key},
	                                    {0}};
	struct words w =
	    words_of(ARGS("02139", "--fresh", "--key", "a", "--workers", "2", "-", "--", "--full"));
	struct err err;
	int nargs;
	struct config *c = config_load(OPTIONS_ALL, flags, w.argc, w.argv, &nargs, &err);

	(void)state;
	assert_non_null(c);
	assert_int_equal(nargs, 3);
	assert_string_equal(w.argv[1], "02139");
	assert_string_equal(w.argv[2], "-");
	assert_string_equal(w.argv[3], "--full");
	assert_true(fresh);
	assert_false(full);
	assert_string_equal(key, "a");
	config_free(c);
	w = words_of(ARGS("--fresh=1"));
	assert_null(config_load(OPTIONS_ALL, flags, w.argc, w.argv, &nargs, &err));
	assert_non_null(strstr(err.text, "--fresh takes no value"));
	w = words_of(ARGS("--frehs"));
	assert_null(config_load(OPTIONS_ALL, flags, w.argc, w.argv, &nargs, &err));
	assert_non_null(strstr(err.text, "did you mean --fresh?"));
}

static void test_refusals(void **state)
{
	(void)state;
	refuses(ARGS("--fhir-ulr=x"), ERR_USAGE, "did you mean --fhir-url?");
	refuses(ARGS("--xyzzy-plugh=x"), ERR_USAGE, "--help lists");
	refuses(ARGS("-x"), ERR_USAGE, "two dashes");
	refuses(ARGS("--workers"), ERR_USAGE, "--workers needs a value");
	refuses(ARGS("--workers=0"), ERR_USAGE, "a whole number from 1 to 64");
	refuses(ARGS("--workers=1e3"), ERR_USAGE, "a whole number from 1 to 64");
	refuses(ARGS("--workers="), ERR_USAGE, "a whole number from 1 to 64");
	refuses(ARGS("--workers=99999999999999999999"), ERR_USAGE, "a whole number from 1 to 64");
	refuses(ARGS("--lease=5x"), ERR_USAGE, "such as 500ms, 30s");
	refuses(ARGS("--lease=-5"), ERR_USAGE, "such as 500ms, 30s");
	refuses(ARGS("--lease=999999999999999999h"), ERR_USAGE, "from 1s to 1h");
	refuses(ARGS("--fhir-max-body=64Q"), ERR_USAGE, "a size from 1M to 1G");
	refuses(ARGS("--fhir-max-body=99999999999T"), ERR_USAGE, "a size from 1M to 1G");
	refuses(ARGS("--engine=remote"), ERR_USAGE, "one of local|temporal");
	refuses(ARGS("--listen=8080"), ERR_USAGE, "give host:port");
	refuses(ARGS("--listen=::1:80"), ERR_USAGE, "give host:port");
	refuses(ARGS("--listen=a:70000"), ERR_USAGE, "give host:port");
	refuses(ARGS("--fhir-url=example.org/fhir"), ERR_USAGE, "not an absolute URL");
	refuses(ARGS("--fhir-url=ftp://example.org"), ERR_USAGE, "http|https");
	refuses(ARGS("--fhir-url=http://"), ERR_USAGE, "no host");
	refuses(ARGS("--fhir-url=http://h/x?y=1"), ERR_USAGE, "query");
	refuses(ARGS("--fhir-url=http://h/a b"), ERR_USAGE, "a space");
	refuses(ARGS("--landing-url=file://relative"), ERR_USAGE, "absolute path");
	refuses(ARGS("--landing-url=ftp://h/x"), ERR_USAGE, "file|s3");
	refuses(ARGS("--fhir-auth=bearer"), ERR_CONFIG, "fhir-token must be given");
	refuses(ARGS("--fhir-auth=basic", "--fhir-user=u"), ERR_CONFIG, "FHIRLINE_FHIR_PASSWORD");
	refuses(ARGS("--log-level=\033[2J"), ERR_USAGE, "\"?[2J\"");
}

static void test_no_secret_is_quoted(void **state)
{
	struct err err;
	struct config *c;

	(void)state;
	assert_null(load(OPTIONS_ALL, ARGS("--fhir-url=http://me:hunter2@h/fhir"), &err));
	assert_null(strstr(err.text, "hunter2"));
	assert_null(load(OPTIONS_ALL, ARGS("--fhir-token=hunter2\nx"), &err));
	assert_null(strstr(err.text, "hunter2"));
	c = loads(ARGS("--database-url=postgresql://me:hunter2@h/d"));
	assert_string_equal(config_shown(c, OPT_DATABASE_URL), "***");
	assert_string_equal(config_str(c, OPT_DATABASE_URL), "postgresql://me:hunter2@h/d");
	config_free(c);
}

static void test_secret_files(void **state)
{
	char path[] = "config-test-XXXXXX";
	int fd = mkstemp(path);
	char flag[128];
	struct config *c;
	struct err err;

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(write(fd, "s3cret\n", 7), 7);
	setenv("FHIRLINE_FHIR_TOKEN_FILE", path, 1);
	c = loads(ARGS(NULL));
	assert_string_equal(config_str(c, OPT_FHIR_TOKEN), "s3cret");
	assert_int_equal(config_origin_of(c, OPT_FHIR_TOKEN), CONFIG_FILE);
	config_free(c);
	setenv("FHIRLINE_FHIR_TOKEN", "x", 1);
	refuses(ARGS(NULL), ERR_CONFIG, "both set");
	unsetenv("FHIRLINE_FHIR_TOKEN");
	unsetenv("FHIRLINE_FHIR_TOKEN_FILE");

	snprintf(flag, sizeof flag, "--fhir-password-file=%s", path);
	c = loads(ARGS(flag));
	assert_string_equal(config_str(c, OPT_FHIR_PASSWORD), "s3cret");
	config_free(c);

	/* a file is not what it should be: none, a NUL in it, too long */
	refuses(ARGS("--fhir-password-file=/nonexistent"), ERR_CONFIG, "No such file");
	assert_int_equal(write(fd, "\0", 1), 1);
	refuses(ARGS(flag), ERR_CONFIG, "no text");
	assert_int_equal(ftruncate(fd, 100000), 0);
	assert_null(load(OPTIONS_ALL, ARGS(flag), &err));
	assert_non_null(strstr(err.text, "64 KiB"));
	/* what is no secret has no file form */
	refuses(ARGS("--fhir-url-file=x"), ERR_USAGE, "unknown option");
	close(fd);
	unlink(path);
}

static void test_places(void **state)
{
	struct config *c = loads(ARGS("--landing-url", "./data"));
	const char *url = config_str(c, OPT_LANDING_URL);

	(void)state;
	assert_true(strncmp(url, "file:///", 8) == 0);
	assert_non_null(strstr(url, "/data"));
	assert_null(strstr(url, "/./"));
	config_free(c);
	c = loads(ARGS("--landing-url", "s3://bucket/prefix"));
	assert_string_equal(config_str(c, OPT_LANDING_URL), "s3://bucket/prefix");
	config_free(c);
}

static void test_units(void **state)
{
	int64_t v;

	(void)state;
	assert_true(config_parse_duration("500ms", "s", &v) && v == 500);
	assert_true(config_parse_duration("7", "ms", &v) && v == 7);
	assert_true(config_parse_duration("2h", "s", &v) && v == 7200000);
	assert_true(config_parse_duration("10min", "s", &v) && v == 600000);
	assert_false(config_parse_duration("", "s", &v));
	assert_false(config_parse_duration("s", "s", &v));
	assert_false(config_parse_duration("1 s", "s", &v));
	assert_false(config_parse_duration("1.5s", "s", &v));
	assert_true(config_parse_bytes("4096", &v) && v == 4096);
	assert_true(config_parse_bytes("64k", &v) && v == 65536);
	assert_true(config_parse_bytes("1GiB", &v) && v == 1 << 30);
	assert_true(config_parse_bytes("2MB", &v) && v == 2 << 20);
	assert_false(config_parse_bytes("M", &v));
	assert_false(config_parse_bytes("1MM", &v));
	assert_false(config_parse_bytes("-1", &v));
}

static void test_require(void **state)
{
	struct config *c = loads(ARGS(NULL));
	struct err err;

	(void)state;
	assert_false(config_require(c, OPT_FHIR_URL, &err));
	assert_non_null(strstr(err.text, "FHIRLINE_FHIR_URL"));
	assert_true(config_require(c, OPT_LISTEN, &err));
	config_free(c);
}

static void test_suggestions(void **state)
{
	struct suggest s = SUGGEST_INIT("ingets");

	(void)state;
	assert_int_equal(suggest_distance("", "abc"), 3);
	assert_int_equal(suggest_distance("kitten", "sitting"), 3);
	assert_int_equal(suggest_distance("ab", "ba"), 1);
	suggest_look(&s, "serve");
	assert_null(s.best);
	suggest_look(&s, "ingest");
	assert_string_equal(s.best, "ingest");
	s = SUGGEST_INIT("x");
	suggest_look(&s, "db");
	assert_null(s.best);
}

static void test_env_file(void **state)
{
	char path[] = "/tmp/fhirline-env-XXXXXX";
	int fd = mkstemp(path);
	FILE *f = fd >= 0 ? fdopen(fd, "w") : NULL;
	struct config *c;
	struct err err;

	(void)state;
	assert_non_null(f);
	fputs("FHIRLINE_FHIR_TOKEN='of file'\nFHIRLINE_LEASE=7s\nFHIRLINE_FHIR_RATE=3\n"
	      "FHIRLINE_FHIR_PASSWORD=canary\n",
	      f);
	fclose(f);
	setenv("FHIRLINE_LEASE", "8s", 1);
	/* the environment's file wins over the value of the file, and is no contradiction to it */
	setenv("FHIRLINE_FHIR_PASSWORD_FILE", "/dev/null", 1);
	c = loads(ARGS("--env-file", path, "--fhir-rate", "4"));
	assert_string_equal(config_str(c, OPT_FHIR_TOKEN), "of file");
	assert_int_equal(config_origin_of(c, OPT_FHIR_TOKEN), CONFIG_ENV_FILE);
	assert_int_equal(config_ms(c, OPT_LEASE), 8000);
	assert_int_equal(config_int(c, OPT_FHIR_RATE), 4);
	assert_string_equal(config_str(c, OPT_FHIR_PASSWORD), "");
	config_free(c);
	unsetenv("FHIRLINE_LEASE");
	unsetenv("FHIRLINE_FHIR_PASSWORD_FILE");
	/* not asked for: not read */
	c = loads(ARGS(NULL));
	assert_string_equal(config_str(c, OPT_FHIR_TOKEN), "");
	config_free(c);
	unlink(path);
	assert_null(load(OPTIONS_ALL, ARGS("--env-file", path), &err));
	assert_int_equal(err.code, ERR_CONFIG);
}

static bool find(void *ctx, enum option_id id, const char *reference, struct buf *value,
                 struct err *err)
{
	int *calls = ctx;

	++*calls;
	assert_int_equal(id, OPT_FHIR_TOKEN);
	assert_string_equal(reference, "vault:secret/a#b");
	if (*calls > 1)
		return err_set(err, ERR_NOT_FOUND, "test", "gone");
	return buf_add_cstr(value, "found");
}

static void test_references(void **state)
{
	/* only a secret can be one */
	struct config *c =
	    loads(ARGS("--fhir-token", "vault:secret/a#b", "--fhir-user", "vault:secret/a#b"));
	struct err err;
	int calls = 0;

	(void)state;
	assert_true(config_has_references(c));
	assert_null(config_reference(c, OPT_FHIR_TOKEN));
	assert_true(config_resolve(c, find, &calls, &err));
	assert_int_equal(calls, 1);
	assert_string_equal(config_str(c, OPT_FHIR_TOKEN), "found");
	assert_string_equal(config_shown(c, OPT_FHIR_TOKEN), "***");
	assert_string_equal(config_reference(c, OPT_FHIR_TOKEN), "vault:secret/a#b");
	assert_int_equal(config_origin_of(c, OPT_FHIR_TOKEN), CONFIG_VAULT);
	assert_string_equal(config_str(c, OPT_FHIR_USER), "vault:secret/a#b");
	assert_false(config_has_references(c));
	config_free(c);
	c = loads(ARGS("--fhir-token", "vault:secret/a#b"));
	assert_false(config_resolve(c, find, &calls, &err));
	assert_string_equal(err.text, "gone");
	config_free(c);
}

static void test_secrets_are_hidden(void **state)
{
	char token[] = "--fhir-token=canary1", flag[] = "--fhir-password", value[] = "canary2",
	     other[] = "--fhir-user=stays", zip[] = "02139";
	char *argv[] = {zip, token, flag, value, other};

	(void)state;
	setenv("FHIRLINE_FHIR_CLIENT_SECRET", "canary3", 1);
	setenv("AWS_SESSION_TOKEN", "canary4", 1);
	config_hide(5, argv);
	assert_string_equal(token, "--fhir-token=");
	assert_string_equal(value, "");
	assert_memory_equal(value, "\0\0\0\0\0\0\0", 8);
	assert_string_equal(other, "--fhir-user=stays");
	assert_null(getenv("FHIRLINE_FHIR_CLIENT_SECRET"));
	assert_null(getenv("AWS_SESSION_TOKEN"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_defaults),
	    cmocka_unit_test(test_every_row_is_whole),
	    cmocka_unit_test(test_flag_wins_over_environment),
	    cmocka_unit_test(test_variables_of_other_tools),
	    cmocka_unit_test(test_groups_are_kept_apart),
	    cmocka_unit_test(test_arguments),
	    cmocka_unit_test(test_refusals),
	    cmocka_unit_test(test_no_secret_is_quoted),
	    cmocka_unit_test(test_secret_files),
	    cmocka_unit_test(test_places),
	    cmocka_unit_test(test_units),
	    cmocka_unit_test(test_require),
	    cmocka_unit_test(test_suggestions),
	    cmocka_unit_test(test_env_file),
	    cmocka_unit_test(test_references),
	    cmocka_unit_test(test_secrets_are_hidden),
	};

	return cmocka_run_group_tests_name("config", tests, NULL, NULL);
}
