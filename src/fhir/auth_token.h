/* SPDX-License-Identifier: Apache-2.0
 *
 * auth_token.h: a bearer token that is fetched, kept, and renewed ahead of its expiry by one thread
 * at a time. Private to src/fhir.
 *
 * Where tokens come from is the maker's matter; this file decides when. A token is renewed when a
 * fifth of its life, but at most a minute, is left. If that fails while it is still good, it goes
 * on being used, and the next try is in RETRY_MS. When there is no good token all wait for the one
 * thread that fetches; if it fails, they fail with it, rather than knock one after another.
 */
#ifndef FHIRLINE_FHIR_AUTH_TOKEN_H
#define FHIRLINE_FHIR_AUTH_TOKEN_H

#include "fhir/auth.h"

enum { AUTH_TOKEN_MAX = 16 << 10, AUTH_LIFE_MAX_S = 30 * 24 * 3600 };

struct auth_token {
	struct buf text; /* BUF_INIT(AUTH_TOKEN_MAX) on entry */
	int64_t life_s;
};

struct auth_maker {
	/* Fetches a token. Never called by two threads at once. */
	bool (*fetch)(void *self, const atomic_bool *cancel, struct auth_token *token,
	              struct err *err);
	void (*free)(void *self);
};

/* `self` belongs to the auth from here on, also on failure. */
struct fhir_auth *auth_token_new(const struct auth_maker *maker, void *self,
                                 const struct clock *clock, struct err *err);

#endif
