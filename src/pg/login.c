/* SPDX-License-Identifier: Apache-2.0 */
#include "pg/login.h"

#include <string.h>

#include "base/locked.h"

enum { VALUE_MAX = 65536 };

static const char *text_of(const struct buf *b)
{
	return b->n ? b->p : NULL;
}

static PGconn *start(const char *url, const char *user, const char *password,
                     const char *application_name)
{
	/* what stands behind the URL counts more than what is in it; NULL: is not said */
	const char *keys[] = {"dbname",          "user", "password", "application_name",
	                      "client_encoding", NULL};
	const char *values[] = {url ? url : "", user, password, application_name, "UTF8", NULL};

	return PQconnectStartParams(keys, values, 1);
}

PGconn *pg_login_start(const struct pg_login *login, const char *url, const char *application_name,
                       uint64_t *version, struct err *err)
{
	struct pg_identity who = {.url = BUF_INIT(VALUE_MAX),
	                          .user = BUF_INIT(VALUE_MAX),
	                          .password = BUF_INIT(VALUE_MAX)};
	PGconn *pg = NULL;

	*version = 0;
	if (login && !login->get(login->ctx, &who, err))
		goto done;
	*version = who.version;
	pg = start(who.url.n ? who.url.p : url, text_of(&who.user), text_of(&who.password),
	           application_name);
	if (!pg)
		err_set(err, ERR_NOMEM, "pg.connect", "out of memory");
done:
	buf_wipe(&who.url);
	buf_wipe(&who.user);
	buf_wipe(&who.password);
	return pg;
}

bool pg_login_is_old(const struct pg_login *login, uint64_t version)
{
	return login && login->version(login->ctx) != version;
}

bool pg_login_was_refused(const char *message)
{
	static const char *const others[] = {
	    "too many",      "remaining connection slots", "starting up", "shutting down",
	    "recovery mode", "not accepting connections",  "database \""};

	if (!strstr(message, "FATAL:"))
		return false;
	for (size_t i = 0; i < sizeof others / sizeof *others; i++)
		if (strstr(message, others[i]))
			return false;
	return true;
}
