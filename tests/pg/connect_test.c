/* SPDX-License-Identifier: Apache-2.0
 *
 * What a person reads when there is no connection. Most of it needs no server.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "pg_fixture.h"

static struct err err;

static void refuse(const char *url, const char *says)
{
	struct pg_options options = {.url = url, .connect_timeout_ms = 60000};

	memset(&err, 0, sizeof err);
	if (pg_conn_open(&options, &err))
		fail_msg("this should not connect");
	if (!strstr(err.text, says))
		fail_msg("'%s' is not in: %s", says, err.text);
	assert_non_null(strstr(err.text, "FHIRLINE_DATABASE_URL"));
	if (strstr(err.text, "s3cret") || strstr(err.text, "s3c"))
		fail_msg("the password is in: %s", err.text);
}

/* A port of this machine: listening (and never answering), or closed again. */
static int local_port(int *keep)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t n = sizeof a;
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof a), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &n), 0);
	if (keep) {
		assert_int_equal(listen(fd, 8), 0);
		*keep = fd;
	} else {
		close(fd);
	}
	return ntohs(a.sin_port);
}

static void mistyped_urls_are_not_quoted(void **state)
{
	(void)state;
	refuse("postgresql://user:s3cret%zz@localhost/db", "percent-encoded");
	refuse("postgresql://user:s3cret/x@localhost/db", "check");
	refuse("postgresql://user:a@s3cret@localhost/db", "check");
	refuse("postgresql://localhost/db?s3cret", "not a libpq connection string");
	refuse("password=s3cret nonsense", "not a libpq connection string");
	refuse("postgresql://user:s3cret@localhost:s3c/db", "check");
}

static void a_server_that_is_not_there(void **state)
{
	char url[200];

	(void)state;
	snprintf(url, sizeof url, "postgresql://user:s3cret@127.0.0.1:%d/db", local_port(NULL));
	refuse(url, "is PostgreSQL started?");
	assert_int_equal(err.code, ERR_DB);
	assert_true(err.retryable);
	refuse("postgresql:///db?host=/nonexistent", "Unix socket is not there");
	assert_true(err.retryable);
}

static void a_server_that_never_answers(void **state)
{
	char url[200];
	struct pg_options options = {.url = url, .connect_timeout_ms = 300};
	int fd = -1;

	(void)state;
	snprintf(url, sizeof url, "postgresql://user:s3cret@127.0.0.1:%d/db", local_port(&fd));
	assert_null(pg_conn_open(&options, &err));
	assert_int_equal(err.code, ERR_TIMEOUT);
	assert_true(err.retryable);
	assert_null(strstr(err.text, "s3cret"));
	close(fd);
}

static void a_server_that_says_no(void **state)
{
	char url[1200], wrong[1300];
	const char *server = pg_fixture_server();

	(void)state;
	pg_fixture_url_of(server, "fhirline_no_such_database", url, sizeof url);
	refuse(url, "createdb");
	assert_false(err.retryable);
	assert_non_null(strstr(err.text, "fhirline_no_such_database"));
	pg_fixture_url_of(server, "postgres", url, sizeof url);
	snprintf(wrong, sizeof wrong, "%s password=s3cret-and-wrong", url);
	refuse(wrong, "user or password is wrong");
	assert_false(err.retryable);
}

static void a_database_in_another_encoding(void **state)
{
	struct pg_fixture db;
	struct pg_options options = {.url = db.url};

	(void)state;
	pg_fixture_make(&db, "LATIN1");
	assert_null(pg_conn_open(&options, &err));
	assert_int_equal(err.code, ERR_CONFIG);
	assert_non_null(strstr(err.text, "LATIN1"));
	assert_non_null(strstr(err.text, "UTF8"));
	pg_fixture_drop(&db);
}

/* Only what may be about who we are asks for new credentials. */
static void what_says_that_we_may_not_in(void **state)
{
	(void)state;
	assert_true(pg_login_was_refused("connection to server failed: FATAL:  password "
	                                 "authentication failed for user \"u\"\n"));
	assert_true(pg_login_was_refused("FATAL:  role \"lent-7\" does not exist\n"));
	assert_true(pg_login_was_refused("FATAL:  role \"u\" is not permitted to log in\n"));
	assert_true(pg_login_was_refused("FATAL:  Passwort-Authentifizierung fehlgeschlagen\n"));
	assert_false(pg_login_was_refused("FATAL:  database \"nowhere\" does not exist\n"));
	assert_false(pg_login_was_refused("FATAL:  sorry, too many clients already\n"));
	assert_false(pg_login_was_refused("FATAL:  remaining connection slots are reserved\n"));
	assert_false(pg_login_was_refused("FATAL:  the database system is starting up\n"));
	assert_false(pg_login_was_refused("could not connect to server: Connection refused\n"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_says_that_we_may_not_in),
	    cmocka_unit_test(mistyped_urls_are_not_quoted),
	    cmocka_unit_test(a_server_that_is_not_there),
	    cmocka_unit_test(a_server_that_never_answers),
	    cmocka_unit_test(a_server_that_says_no),
	    cmocka_unit_test(a_database_in_another_encoding),
	};

	pg_fixture_server();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
