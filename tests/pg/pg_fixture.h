/* SPDX-License-Identifier: Apache-2.0
 *
 * pg_fixture.h: a database of its own for a test program.
 *
 * FHIRLINE_TEST_DATABASE_URL names a server on which databases may be made (tools/services/postgres
 * start --fast). Without it a test program says loudly that it is skipped and exits with 77, or
 * with 1 when CI is set: there a skip is a failure.
 *
 * pg_fixture_make() is called once by main() before the tests, pg_fixture_drop() after them.
 * pg_fixture_url() is what to connect to; pg_fixture_open() does it.
 */
#ifndef FHIRLINE_TESTS_PG_FIXTURE_H
#define FHIRLINE_TESTS_PG_FIXTURE_H

#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "pg/conn.h"

struct pg_fixture {
	char name[64];
	char url[1024]; /* keyword string */
};

static inline const char *pg_fixture_server(void)
{
	const char *url = getenv("FHIRLINE_TEST_DATABASE_URL");
	const char *ci = getenv("CI");

	if (url && *url)
		return url;
	fprintf(
	    stderr,
	    "SKIPPED: all tests of this program, because FHIRLINE_TEST_DATABASE_URL is not set\n");
	exit(ci && strcmp(ci, "true") == 0 ? 1 : 77);
}

/* The same server and user, another database. Values are quoted as libpq's keyword strings want it.
 */
static inline void pg_fixture_url_of(const char *server, const char *database, char *out,
                                     size_t size)
{
	PQconninfoOption *options = PQconninfoParse(server, NULL);
	struct buf b = BUF_INIT(size - 1);

	if (!options) {
		fprintf(stderr, "FHIRLINE_TEST_DATABASE_URL cannot be read\n");
		exit(1);
	}
	for (PQconninfoOption *o = options; o->keyword; o++) {
		const char *value = strcmp(o->keyword, "dbname") == 0 ? database : o->val;

		if (!value)
			continue;
		buf_printf(&b, "%s='", o->keyword);
		for (; *value; value++) {
			if (*value == '\'' || *value == '\\')
				buf_add_char(&b, '\\');
			buf_add_char(&b, *value);
		}
		buf_lit(&b, "' ");
	}
	PQconninfoFree(options);
	if (b.failed)
		exit(1);
	snprintf(out, size, "%s", b.p);
	buf_free(&b);
}

static inline void pg_fixture_admin(const char *sql)
{
	PGconn *pg = PQconnectdb(pg_fixture_server());
	PGresult *res = PQexec(pg, sql);

	if (PQresultStatus(res) != PGRES_COMMAND_OK) {
		fprintf(stderr, "%s: %s", sql, PQerrorMessage(pg));
		exit(1);
	}
	PQclear(res);
	PQfinish(pg);
}

static inline void pg_fixture_make(struct pg_fixture *f, const char *encoding)
{
	char sql[256];

	snprintf(f->name, sizeof f->name, "fhirline_test_%d_%llx", (int)getpid(),
	         (unsigned long long)clock_now_us(&clock_system));
	snprintf(sql, sizeof sql, "CREATE DATABASE %s TEMPLATE template0 ENCODING '%s' LOCALE 'C'",
	         f->name, encoding);
	pg_fixture_admin(sql);
	pg_fixture_url_of(pg_fixture_server(), f->name, f->url, sizeof f->url);
}

static inline void pg_fixture_drop(struct pg_fixture *f)
{
	char sql[256];

	snprintf(sql, sizeof sql, "DROP DATABASE IF EXISTS %s WITH (FORCE)", f->name);
	pg_fixture_admin(sql);
}

static inline struct pg_conn *pg_fixture_open(const struct pg_fixture *f)
{
	struct pg_options options = {
	    .url = f->url, .application_name = "fhirline-test", .answer_timeout_ms = 120000};
	struct err err = {0};
	struct pg_conn *c = pg_conn_open(&options, &err);

	if (!c) {
		fprintf(stderr, "%s\n", err.text);
		exit(1);
	}
	return c;
}

#endif
