/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/secrets.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/locked.h"
#include "cmd/command.h"
#include "secret/ref.h"
#include "secret/vault.h"

enum { CHANGE_WAIT_MS = 5000 };

/* ---- the store ---- */

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
	    .note = command_note,
	};

	return check_own(config, err) ? vault_open(&o, err) : NULL;
}

/* ---- the database's user ---- */

/* What is kept with the config. */
struct kept {
	struct secret_store *store;
	struct pg_login login;
	struct secret_ref url, credentials; /* "" paths: none */
};

static void free_kept(void *ctx)
{
	struct kept *k = ctx;

	secret_store_free(k->store);
	free(k);
}

/* Each goes up only, so this changes when either does. */
static uint64_t join_versions(uint64_t url, uint64_t credentials)
{
	return url << 32 | (credentials & UINT32_MAX);
}

static uint64_t path_version(const struct kept *k, const struct secret_ref *ref)
{
	return ref->path[0] ? secret_version(k->store, ref->path) : 0;
}

static uint64_t login_version(void *ctx)
{
	const struct kept *k = ctx;

	return join_versions(path_version(k, &k->url), path_version(k, &k->credentials));
}

static bool login_get(void *ctx, struct pg_identity *out, struct err *err)
{
	static const char *const names[] = {"username", "password"};
	const struct kept *k = ctx;
	struct buf both[] = {out->user, out->password};
	uint64_t url = 0, credentials = 0;
	bool ok = true;

	if (k->url.path[0])
		ok = secret_get(k->store, k->url.path, (const char *const[]){k->url.field},
		                &out->url, 1, &url, err);
	if (ok && k->credentials.path[0]) {
		ok = secret_get(k->store, k->credentials.path, names, both, 2, &credentials, err);
		out->user = both[0];
		out->password = both[1];
	}
	out->version = join_versions(url, credentials);
	return ok;
}

static void login_refused(void *ctx, uint64_t version)
{
	const struct kept *k = ctx;

	if (k->url.path[0])
		secret_refused(k->store, k->url.path, version >> 32);
	if (k->credentials.path[0])
		secret_refused(k->store, k->credentials.path, version & UINT32_MAX);
}

const struct pg_login *secrets_login(const struct config *config)
{
	const struct kept *k = config_kept(config);

	return k && (k->url.path[0] || k->credentials.path[0]) ? &k->login : NULL;
}

/* ---- references ---- */

/* Both fields at once, or they might belong to different users. Their value is asked for when it is
 * needed; here it is seen that they are there. */
static bool look_up_credentials(struct kept *k, struct err *err)
{
	struct pg_identity who = {.url = BUF_INIT(CONFIG_FILE_MAX),
	                          .user = BUF_INIT(CONFIG_FILE_MAX),
	                          .password = BUF_INIT(CONFIG_FILE_MAX)};
	bool ok = login_get(k, &who, err);

	buf_wipe(&who.url);
	buf_wipe(&who.user);
	buf_wipe(&who.password);
	return ok;
}

static bool look_up_field(struct kept *k, const struct secret_ref *ref, struct buf *value,
                          struct err *err)
{
	if (!*ref->field)
		return err_set(err, ERR_CONFIG, "secrets",
		               "a field is missing behind the path: vault:path#field");
	return secret_get(k->store, ref->path, (const char *const[]){ref->field}, value, 1, NULL,
	                  err);
}

static bool look_up(void *ctx, enum option_id id, const char *reference, struct buf *value,
                    struct err *err)
{
	const char *name = option_table[id].name;
	struct kept *k = ctx;
	struct secret_ref ref;
	bool ok;

	if (!secret_ref_parse(reference, name, &ref, err))
		return false;
	if (id == OPT_DATABASE_URL)
		k->url = ref;
	if (id == OPT_DATABASE_CREDENTIALS && *ref.field)
		return err_set(err, ERR_CONFIG, "secrets",
		               "%s: it takes a path without #field, such as "
		               "vault:database/creds/ROLE: username and password belong together",
		               name);
	if (id == OPT_DATABASE_CREDENTIALS) {
		k->credentials = ref;
		ok = look_up_credentials(k, err);
	} else {
		ok = look_up_field(k, &ref, value, err);
	}
	if (!ok)
		err_prefix(err, "%s", name);
	return ok;
}

/* A user and password of one's own belong into the URL. */
static bool check_credentials(const struct config *config, struct err *err)
{
	if (!config_is_set(config, OPT_DATABASE_CREDENTIALS) ||
	    config_is_reference(config, OPT_DATABASE_CREDENTIALS))
		return true;
	return err_set(err, ERR_CONFIG, "secrets",
	               "database-credentials must be a path of Vault, such as "
	               "vault:database/creds/ROLE; a user of your own goes into database-url");
}

bool secrets_resolve(struct config *config, struct err *err)
{
	struct kept *k;

	if (!check_credentials(config, err))
		return false;
	if (!config_has_references(config))
		return true;
	k = calloc(1, sizeof *k);
	if (!k)
		return err_set(err, ERR_NOMEM, "secrets", "out of memory");
	k->login = (struct pg_login){
	    .ctx = k, .get = login_get, .version = login_version, .refused = login_refused};
	k->store = secrets_open(config, err);
	if (!k->store) {
		free(k);
		return false;
	}
	config_keep(config, k, free_kept);
	return config_resolve(config, look_up, k, err);
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
	c->store = ((struct kept *)config_kept(config))->store;
	c->http = http;
	c->make = make;
	pthread_rwlock_init(&c->lock, NULL);
	if (!secret_ref_parse(reference, option_table[id].name, &c->ref, err) || !refresh(c, err)) {
		changing_free(c);
		return NULL;
	}
	return fhir_auth_new(&changing_ops, c, err);
}
