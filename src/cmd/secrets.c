/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/secrets.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/locked.h"
#include "base/log.h"
#include "secret/ref.h"
#include "secret/vault.h"

enum { CHANGE_WAIT_MS = 5000 };

/* ---- the store ---- */

static void on_note(void *ctx, bool bad, const char *text)
{
	(void)ctx;
	if (bad)
		log_warn(text);
	else
		log_info(text);
}

/* Vault's own settings cannot come out of Vault. */
static bool check_own(const struct config *config, struct err *err)
{
	if (config_is_reference(config, OPT_VAULT_TOKEN) ||
	    config_is_reference(config, OPT_VAULT_SECRET_ID))
		return err_set(err, ERR_CONFIG, "secrets",
		               "vault-token and vault-secret-id cannot be references to Vault");
	if (!config_is_set(config, OPT_VAULT_ADDR))
		return err_set(err, ERR_CONFIG, "secrets",
		               "a secret is vault:…, so vault-addr must be given (VAULT_ADDR or "
		               "FHIRLINE_VAULT_ADDR)");
	return true;
}

struct secret_store *secrets_open(const struct config *config, struct err *err)
{
	struct vault_options o = {
	    .addr = config_str(config, OPT_VAULT_ADDR),
	    .namespace_ = config_str(config, OPT_VAULT_NAMESPACE),
	    .ca_file = config_str(config, OPT_VAULT_CA_FILE),
	    .auth = config_is(config, OPT_VAULT_AUTH, "approle")      ? VAULT_AUTH_APPROLE
	            : config_is(config, OPT_VAULT_AUTH, "kubernetes") ? VAULT_AUTH_KUBERNETES
	                                                              : VAULT_AUTH_TOKEN,
	    .auth_mount = config_str(config, OPT_VAULT_AUTH_MOUNT),
	    .token = config_str(config, OPT_VAULT_TOKEN),
	    .role_id = config_str(config, OPT_VAULT_ROLE_ID),
	    .secret_id = config_str(config, OPT_VAULT_SECRET_ID),
	    .secret_id_wrapped = config_bool(config, OPT_VAULT_SECRET_ID_WRAPPED),
	    .role = config_str(config, OPT_VAULT_ROLE),
	    .kubernetes_token_file = config_str(config, OPT_VAULT_KUBERNETES_TOKEN_FILE),
	    .refresh_ms = config_ms(config, OPT_VAULT_REFRESH),
	    .note = on_note,
	};

	return check_own(config, err) ? vault_open(&o, err) : NULL;
}

static void free_store(void *store)
{
	secret_store_free(store);
}

static bool look_up(void *ctx, enum option_id id, const char *reference, struct buf *value,
                    struct err *err)
{
	const char *name = option_table[id].name;
	struct secret_ref ref;

	if (!secret_ref_parse(reference, name, &ref, err))
		return false;
	if (!*ref.field)
		return err_set(err, ERR_CONFIG, "secrets",
		               "%s: a field is missing behind the path: vault:path#field", name);
	if (secret_get(ctx, ref.path, (const char *const[]){ref.field}, value, 1, NULL, err))
		return true;
	err_prefix(err, "%s", name);
	return false;
}

bool secrets_resolve(struct config *config, struct err *err)
{
	struct secret_store *store;

	if (!config_has_references(config))
		return true;
	store = secrets_open(config, err);
	if (!store)
		return false;
	config_keep(config, store, free_store);
	return config_resolve(config, look_up, store, err);
}

/* ---- credentials that change ---- */

struct changing {
	const struct config *config;
	struct secret_store *store;
	struct http_client *http;
	secrets_make_auth *make;
	struct secret_ref ref;
	pthread_rwlock_t lock; /* for the two below */
	struct fhir_auth *now;
	uint64_t version;
};

static bool is_current(struct changing *c)
{
	return c->version && c->version == secret_version(c->store, c->ref.path);
}

/* With the lock held for writing. A new value that cannot be used does not take the old one away.
 */
static bool make_anew(struct changing *c, struct err *err)
{
	struct buf value = BUF_INIT(CONFIG_FILE_MAX);
	struct fhir_auth *auth = NULL;
	uint64_t version;

	if (is_current(c))
		return true;
	if (secret_get(c->store, c->ref.path, (const char *const[]){c->ref.field}, &value, 1,
	               &version, err))
		auth = c->make(c->config, c->http, value.p ? value.p : "", err);
	buf_wipe(&value);
	if (!auth)
		return c->now != NULL;
	fhir_auth_free(c->now);
	c->now = auth;
	c->version = version;
	return true;
}

static bool refresh(struct changing *c, struct err *err)
{
	bool ok = true;

	if (is_current(c))
		return true;
	pthread_rwlock_wrlock(&c->lock);
	ok = make_anew(c, err);
	pthread_rwlock_unlock(&c->lock);
	return ok;
}

/* The generation tells apart also what two makings of the inner credentials counted alike. */
static bool changing_header(void *self, const atomic_bool *cancel, struct buf *header,
                            uint64_t *generation, struct err *err)
{
	struct changing *c = self;
	bool ok;

	if (!refresh(c, err))
		return false;
	pthread_rwlock_rdlock(&c->lock);
	ok = fhir_auth_header(c->now, cancel, header, generation, err);
	if (ok)
		*generation = c->version << 32 | (*generation & UINT32_MAX);
	pthread_rwlock_unlock(&c->lock);
	return ok;
}

/* The source may know of the change before we do. */
static bool await_change(struct changing *c, uint64_t version, const atomic_bool *cancel,
                         struct err *err)
{
	int64_t until = clock_mono_ms(&clock_system) + CHANGE_WAIT_MS;

	secret_refused(c->store, c->ref.path, version);
	while (secret_version(c->store, c->ref.path) == version)
		if ((cancel && atomic_load(cancel)) || clock_mono_ms(&clock_system) >= until)
			return false;
		else
			clock_sleep_ms(50);
	return refresh(c, err);
}

static bool renew_inner(struct changing *c, uint64_t generation, const atomic_bool *cancel,
                        struct err *err)
{
	bool ok = true;

	pthread_rwlock_rdlock(&c->lock);
	if (generation >> 32 == c->version)
		ok = fhir_auth_renew(c->now, generation & UINT32_MAX, cancel, err);
	pthread_rwlock_unlock(&c->lock);
	return ok;
}

static bool changing_renew(void *self, uint64_t generation, const atomic_bool *cancel,
                           struct err *err)
{
	struct changing *c = self;

	if (!refresh(c, err))
		return false;
	if (renew_inner(c, generation, cancel, err))
		return true;
	return err->code == ERR_AUTH && await_change(c, generation >> 32, cancel, err);
}

static void changing_free(void *self)
{
	struct changing *c = self;

	fhir_auth_free(c->now);
	pthread_rwlock_destroy(&c->lock);
	free(c);
}

static const struct fhir_auth_ops changing_ops = {
    .header = changing_header, .renew = changing_renew, .free = changing_free};

struct fhir_auth *secrets_auth(const struct config *config, enum option_id id,
                               struct http_client *http, secrets_make_auth *make, struct err *err)
{
	const char *reference = config_reference(config, id);
	struct changing *c;

	if (!reference)
		return make(config, http, config_str(config, id), err);
	c = calloc(1, sizeof *c);
	if (!c) {
		err_set(err, ERR_NOMEM, "secrets", "out of memory");
		return NULL;
	}
	c->config = config;
	c->store = config_kept(config);
	c->http = http;
	c->make = make;
	pthread_rwlock_init(&c->lock, NULL);
	if (!secret_ref_parse(reference, option_table[id].name, &c->ref, err) || !refresh(c, err)) {
		changing_free(c);
		return NULL;
	}
	return fhir_auth_new(&changing_ops, c, err);
}
