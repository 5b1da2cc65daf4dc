/* SPDX-License-Identifier: Apache-2.0
 *
 * login.h: where to connect and as whom, when that changes while the program runs: credentials that
 * a store of secrets makes and takes back (secret/secret.h). Asked before each connection is
 * opened; connections that are open move to the new ones when they have nothing under way.
 */
#ifndef FHIRLINE_PG_LOGIN_H
#define FHIRLINE_PG_LOGIN_H

#include <libpq-fe.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

/* How long a server that refuses us is given until there are new credentials. */
enum { PG_LOGIN_WAIT_MS = 8000 };

/* Empty: as libpq would have it without. */
struct pg_identity {
	struct buf url, user, password;
	uint64_t version;
};

/* Functions that may be called by any thread, and do not wait. */
struct pg_login {
	void *ctx;
	bool (*get)(void *ctx, struct pg_identity *out, struct err *err);
	uint64_t (*version)(void *ctx);
	/* The server refused that version: new ones are wanted, if there are not newer ones yet. */
	void (*refused)(void *ctx, uint64_t version);
};

/* PQconnectStartParams() to `url` (NULL, "": libpq's variables), or as `login` (NULL: none) says.
 * *version is whose credentials were used. NULL on error. */
PGconn *pg_login_start(const struct pg_login *login, const char *url, const char *application_name,
                       uint64_t *version, struct err *err);

/* Does a server that did not let us in (libpq's text) say that it is who we are? Connecting gives
 * no SQLSTATE, and a server may speak another language than English: what is known to be about
 * something else is not it, all other FATAL ones may be. */
bool pg_login_was_refused(const char *message);

/* Has `version` been replaced? */
bool pg_login_is_old(const struct pg_login *login, uint64_t version);

#endif
