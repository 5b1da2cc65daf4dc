/* SPDX-License-Identifier: Apache-2.0
 *
 * secrets.h: settings that are references (vault:path#field), and what changes later.
 */
#ifndef FHIRLINE_CMD_SECRETS_H
#define FHIRLINE_CMD_SECRETS_H

#include "base/config.h"
#include "fhir/auth.h"
#include "pg/login.h"
#include "secret/secret.h"

/* Puts values in the place of references. Without one nothing of Vault is made or asked. The store
 * lives as long as the config, which may be freed after all that uses it. */
bool secrets_resolve(struct config *config, struct err *err);

/* A Vault store of the settings. NULL on failure. */
struct secret_store *secrets_open(const struct config *config, struct err *err);

/* Who logs in to PostgreSQL, when Vault says it (database-url or database-credentials); NULL when
 * not. Lives as long as the config. */
const struct pg_login *secrets_login(const struct config *config);

/* Makes the source's credentials out of what the settings say; `secret` is the current value of the
 * one secret that they need. */
typedef struct fhir_auth *secrets_make_auth(const struct config *config, struct http_client *http,
                                            const char *secret, struct err *err);

/* Credentials that are made anew when the setting `id` has changed in Vault; ordinary ones when it
 * is no reference. */
struct fhir_auth *secrets_auth(const struct config *config, enum option_id id,
                               struct http_client *http, secrets_make_auth *make, struct err *err);

#endif
