/* SPDX-License-Identifier: Apache-2.0
 *
 * vault.h: HashiCorp Vault, or OpenBao, as a store of secrets (secret.h), by its HTTP API.
 *
 * Paths with a field are KV version 2 values; others are credentials that Vault makes when asked
 * (database/creds/ROLE) and leases to us. A thread of the store
 *   - renews the token at two thirds of its life, and logs in again when that is not possible any
 *     more;
 *   - renews leases at two thirds of theirs, and asks for new credentials when a lease cannot be
 *     prolonged, was revoked, or was made under a token that is gone;
 *   - reads KV values again every `refresh_ms`.
 * While Vault is away, sealed or refusing, what was read last is given on: values without end,
 * credentials up to the end of their lease. Nothing is written to disk.
 */
#ifndef FHIRLINE_SECRET_VAULT_H
#define FHIRLINE_SECRET_VAULT_H

#include "secret/secret.h"

enum vault_auth { VAULT_AUTH_TOKEN, VAULT_AUTH_APPROLE, VAULT_AUTH_KUBERNETES };

struct vault_options {
	const char *addr;       /* https://host:port */
	const char *namespace_; /* NULL, "": none */
	const char *ca_file;    /* NULL, "": the system's authorities */
	enum vault_auth auth;
	const char *auth_mount; /* NULL, "": the method's name */
	const char *token;
	const char *role_id, *secret_id;
	bool secret_id_wrapped;
	const char *role; /* Kubernetes */
	const char *kubernetes_token_file;
	int64_t refresh_ms;
	/* What a person should know; called on the store's thread. May be NULL. */
	void (*note)(void *ctx, bool bad, const char *text);
	void *note_ctx;
};

/* Logs in. Strings are copied. NULL on failure. */
struct secret_store *vault_open(const struct vault_options *options, struct err *err);

#endif
