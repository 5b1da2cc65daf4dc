/* SPDX-License-Identifier: Apache-2.0
 *
 * What a server or libpq says, turned into our errors. libpq's own texts are never passed on whole:
 * with a mistyped URL they quote parts of it.
 */
#include "pg/conn_impl.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

static const char setting[] =
    "FHIRLINE_DATABASE_URL (or PGHOST, PGPORT, PGUSER, PGPASSWORD, PGDATABASE)";

struct hint {
	const char *key; /* SQLSTATE, or a part of libpq's text */
	bool retryable;
	const char *text;
};

static const struct hint state_hints[] = {
    {"25006", false,
     "the database is read-only (a standby?); FHIRLINE_DATABASE_URL must name the primary"},
    {"42501", false,
     "the role lacks a privilege; connect with the role that owns the tables, or grant it"},
    {"42P01", false, "is the schema there? run: fhirline db migrate"},
    {"53100", true, "the database's disk is full; make room there"},
    {"53300", true, "too many connections; raise max_connections or start fewer processes"},
    {"08", true, NULL},
    {"25P03", true, NULL},
    {"57P01", true, NULL},
    {"57P02", true, NULL},
    {"57P03", true, NULL},
    {"40001", true, NULL},
    {"40P01", true, NULL},
    {"55P03", true, NULL},
};

static const struct hint *hint_for_state(const char *state)
{
	for (size_t i = 0; i < sizeof state_hints / sizeof *state_hints; i++)
		if (strncmp(state, state_hints[i].key, strlen(state_hints[i].key)) == 0)
			return &state_hints[i];
	return NULL;
}

/* Data exceptions quote the value: `invalid input syntax for type date: "…"`. All that is quoted
 * goes. */
static void copy_unquoted(const char *from, char *to, size_t size)
{
	bool quoted = false;
	size_t n = 0;

	for (; *from && n + 1 < size; from++) {
		if (*from == '"') {
			quoted = !quoted;
			to[n++] = '"';
		} else if (!quoted) {
			to[n++] = *from;
		}
	}
	to[n] = '\0';
}

static bool state_is(const char *state, const char *class)
{
	return strncmp(state, class, strlen(class)) == 0;
}

static bool cancel_was_asked(struct pg_conn *c)
{
	bool asked;

	pthread_mutex_lock(&c->cancel_lock);
	asked = c->cancel_asked;
	pthread_mutex_unlock(&c->cancel_lock);
	return asked;
}

static bool ended_error(struct pg_conn *c, const char *text, struct err *err)
{
	if (cancel_was_asked(c))
		return err_set(err, ERR_CANCELLED, "pg", "the statement was cancelled");
	return err_set_retry(err, ERR_TIMEOUT, "pg", "the database ended the statement: %s", text);
}

bool pg_conn_result_error(struct pg_conn *c, const PGresult *res, struct err *err)
{
	const char *state = PQresultErrorField(res, PG_DIAG_SQLSTATE);
	const char *primary = PQresultErrorField(res, PG_DIAG_MESSAGE_PRIMARY);
	const struct hint *hint;
	char text[320];

	/* libpq's own complaints have no SQLSTATE; they mean that the server is gone */
	if (!state || !primary || PQstatus(c->pg) == CONNECTION_BAD) {
		if (!state || !primary)
			return pg_conn_lost_error(c, err);
		pg_conn_lose(c);
	}
	if (state_is(state, "22"))
		copy_unquoted(primary, text, sizeof text);
	else
		snprintf(text, sizeof text, "%s", primary);
	if (state_is(state, "57P0") || state_is(state, "08") || state_is(state, "25P03"))
		pg_conn_lose(c);
	if (state_is(state, "57014"))
		return ended_error(c, text, err);
	hint = hint_for_state(state);
	err_set(err, state_is(state, "23505") ? ERR_CONFLICT : ERR_DB, "pg",
	        "database: %s (SQLSTATE %s)%s%s", text, state, hint && hint->text ? "; " : "",
	        hint && hint->text ? hint->text : "");
	err->retryable = (hint && hint->retryable) || c->lost;
	return false;
}

bool pg_conn_lost_error(struct pg_conn *c, struct err *err)
{
	pg_conn_lose(c);
	return err_set_retry(err, ERR_DB, "pg", "the connection to the database was lost");
}

/* In the order of looking; the texts are libpq's and the server's, untranslated. */
static const struct hint connect_hints[] = {
    {"password authentication failed", false, "user or password is wrong"},
    {"no password supplied", false, "it wants a password and none was given"},
    {"authentication failed", false, "it refused the user"},
    {"no pg_hba.conf entry", false, "its pg_hba.conf does not let this user in from here"},
    {"too many clients", true,
     "too many connections are open; raise max_connections or start fewer processes"},
    {"too many connections", true,
     "too many connections are open; raise max_connections or start fewer processes"},
    {"remaining connection slots", true,
     "too many connections are open; raise max_connections or start fewer processes"},
    {"starting up", true, "it is starting up"},
    {"shutting down", true, "it is shutting down"},
    {"recovery mode", true, "it is recovering"},
    {"not yet accepting connections", true, "it is starting up"},
    {"certificate", false, "TLS: a certificate was not accepted; see sslmode and sslrootcert"},
    {"SSL", false, "TLS: the two sides do not agree; see sslmode"},
    {"Temporary failure in name resolution", true, "its name cannot be resolved for now"},
    {"could not translate host name", false, "its name is not known"},
    {"Connection refused", true, "nothing listens there (is PostgreSQL started?)"},
    {"No such file or directory", true, "its Unix socket is not there (is PostgreSQL started?)"},
    {"timeout expired", true, "it did not answer in time"},
    {"timed out", true, "it did not answer in time"},
    {"No route to host", true, "there is no route to it"},
    {"unreachable", true, "there is no route to it"},
    {"server closed the connection", true, "it closed the connection"},
    {"reset by peer", true, "the connection was cut"},
    {"Broken pipe", true, "the connection was cut"},
};

static bool only_of(const char *s, const char *also)
{
	if (!*s)
		return false;
	for (; *s; s++)
		if (!isalnum((unsigned char)*s) && !strchr(also, *s))
			return false;
	return true;
}

void pg_connect_where(PGconn *pg, char out[128])
{
	const char *host = PQhost(pg), *port = PQport(pg);

	if (!host || !port || !only_of(host, ".-_:/") || !only_of(port, "") ||
	    strspn(port, "0123456789") != strlen(port))
		snprintf(out, 128, "PostgreSQL");
	else
		snprintf(out, 128, "PostgreSQL at %.100s:%.8s", host, port);
}

/* The server's own words behind "FATAL:". A server that talks was reached, so the URL was read as
 * it was meant. */
static struct str fatal_text(const char *text)
{
	const char *p = strstr(text, "FATAL:");

	if (!p)
		return STR_NONE;
	p += strlen("FATAL:");
	return str_trim((struct str){p, strcspn(p, "\n")});
}

bool pg_connect_error(PGconn *pg, struct err *err)
{
	const char *text = PQerrorMessage(pg);
	struct str fatal = fatal_text(text);
	char where[128];

	pg_connect_where(pg, where);
	if (fatal.p && strstr(text, "does not exist")) {
		bool role = strstr(text, "role \"") != NULL;

		return err_set(err, ERR_DB, "pg.connect", "%s: %.*s; %s, or correct %s", where,
		               STR_FMT(fatal),
		               role ? "create it (createuser)" : "create it (createdb)", setting);
	}
	for (size_t i = 0; i < sizeof connect_hints / sizeof *connect_hints; i++) {
		const struct hint *h = &connect_hints[i];

		if (!strstr(text, h->key))
			continue;
		err_set(err, ERR_DB, "pg.connect", "cannot connect to %s: %s; check %s", where,
		        h->text, setting);
		err->retryable = h->retryable;
		return false;
	}
	if (fatal.p)
		return err_set(err, ERR_DB, "pg.connect", "cannot connect to %s: %.*s; check %s",
		               where, STR_FMT(fatal), setting);
	return err_set(err, ERR_DB, "pg.connect", "cannot connect to %s; check %s", where, setting);
}
