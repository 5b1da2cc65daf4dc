/* SPDX-License-Identifier: Apache-2.0
 *
 * vault_login.h: who we are to Vault, and for how long. One thread at a time.
 */
#ifndef FHIRLINE_SECRET_VAULT_LOGIN_H
#define FHIRLINE_SECRET_VAULT_LOGIN_H

#include "secret/vault.h"
#include "secret/vault_http.h"

struct vault_login {
	enum vault_auth auth;
	char *mount, *role; /* role: AppRole's role id, Kubernetes' role */
	char *secret_id;    /* locked; unwrapped at the first login */
	char *kubernetes_token_file;
	bool wrapped; /* secret_id is a wrapping token still */

	char *token; /* locked; NULL: not logged in */
	bool renewable;
	int64_t first_ttl_ms; /* as the login gave it */
	int64_t ends_ms;      /* monotonic; INT64_MAX: never */
	int64_t due_ms;       /* when to renew; INT64_MAX: never */
};

bool vault_login_init(struct vault_login *l, const struct vault_options *o, struct err *err);
void vault_login_free(struct vault_login *l);

/* Can another login give another token? Not where the token is what was given. */
bool vault_login_possible(const struct vault_login *l);

/* Gets a token. For vault-auth token: looks up what is known of it. */
bool vault_login_do(struct vault_login *l, struct vault_http *h, bool once, struct err *err);

/* Renews it ahead of its end, or logs in again when that is no longer possible or worth it. *again:
 * there is a new token, and what was leased under the old one ends with that. */
bool vault_login_renew(struct vault_login *l, struct vault_http *h, bool *again, struct err *err);

/* Gives back a token that a login gave. */
void vault_login_end(struct vault_login *l, struct vault_http *h);

#endif
