/* SPDX-License-Identifier: Apache-2.0 */
#include "secret/vault_login.h"

#include <stdlib.h>
#include <string.h>

#include "base/config.h"
#include "base/locked.h"

#define WHERE "vault.login"

enum { BODY_MAX = 80 << 10, PATH_MAX_BYTES = 300 };

static int64_t now_ms(void)
{
	return clock_mono_ms(&clock_system);
}

bool vault_login_init(struct vault_login *l, const struct vault_options *o, struct err *err)
{
	const char *mount = o->auth_mount && *o->auth_mount ? o->auth_mount
	                    : o->auth == VAULT_AUTH_APPROLE ? "approle"
	                                                    : "kubernetes";
	const char *role = o->auth == VAULT_AUTH_APPROLE ? o->role_id : o->role;

	*l = (struct vault_login){.auth = o->auth,
	                          .mount = str_dup(str_of(mount)),
	                          .role = str_dup(str_of(role ? role : "")),
	                          .kubernetes_token_file = str_dup(str_of(
	                              o->kubernetes_token_file ? o->kubernetes_token_file : "")),
	                          .secret_id = locked_dup(str_of(o->secret_id)),
	                          .wrapped = o->secret_id_wrapped,
	                          .ends_ms = INT64_MAX,
	                          .due_ms = INT64_MAX};
	if (o->auth == VAULT_AUTH_TOKEN && (!o->token || !*o->token))
		return err_set(err, ERR_CONFIG, WHERE,
		               "no Vault token is set: give VAULT_TOKEN or "
		               "FHIRLINE_VAULT_TOKEN_FILE, or another vault-auth");
	if (o->auth == VAULT_AUTH_TOKEN)
		l->token = locked_dup(str_of(o->token));
	if (!l->mount || !l->role || !l->kubernetes_token_file || !l->secret_id ||
	    (o->auth == VAULT_AUTH_TOKEN && !l->token))
		return err_set(err, ERR_NOMEM, WHERE, "out of memory");
	return true;
}

void vault_login_free(struct vault_login *l)
{
	free(l->mount);
	free(l->role);
	free(l->kubernetes_token_file);
	locked_free(l->secret_id);
	locked_free(l->token);
	*l = (struct vault_login){0};
}

bool vault_login_possible(const struct vault_login *l)
{
	return l->auth != VAULT_AUTH_TOKEN;
}

/* Two thirds of its life: there is time for several attempts before the end. */
static void set_times(struct vault_login *l, int64_t ttl_s, bool renewable, bool first)
{
	int64_t now = now_ms(), ttl_ms = ttl_s * 1000;

	if (first)
		l->first_ttl_ms = ttl_ms;
	l->renewable = renewable;
	l->ends_ms = ttl_ms > 0 ? now + ttl_ms : INT64_MAX;
	l->due_ms =
	    ttl_ms > 0 && (renewable || vault_login_possible(l)) ? now + ttl_ms / 3 * 2 : INT64_MAX;
}

static bool take_token(struct vault_login *l, yyjson_val *root, const char *what, struct err *err)
{
	yyjson_val *auth = yyjson_obj_get(root, "auth");
	struct str token = vault_str(auth, "client_token");
	char *copy;

	if (!token.n)
		return err_set(err, ERR_PROTOCOL, WHERE, "%s: Vault's answer has no token in it",
		               what);
	copy = locked_dup(token);
	if (!copy)
		return err_set(err, ERR_NOMEM, WHERE, "out of memory");
	locked_free(l->token);
	l->token = copy;
	set_times(l, vault_int(auth, "lease_duration"), vault_bool(auth, "renewable"), true);
	return true;
}

/* ---- the methods ---- */

/* A wrapping token opens once. Somebody who opened it before us has the secret id. */
static bool unwrap(struct vault_login *l, struct vault_http *h, bool once, struct err *err)
{
	struct vault_request req = {.method = "POST",
	                            .path = "sys/wrapping/unwrap",
	                            .token = l->secret_id,
	                            .what = "unwrapping the secret id",
	                            .login = true,
	                            .once = once};
	struct vault_answer a = {0};
	struct str id;
	char *copy;

	if (!l->wrapped)
		return true;
	if (!vault_http_call(h, &req, &a, err)) {
		if (err->code == ERR_AUTH)
			err_set(err, ERR_AUTH, WHERE,
			        "the wrapped secret id was unwrapped before, or its time is over; "
			        "wrap a new one (and if it was not you who unwrapped it, destroy "
			        "that secret id)");
		return false;
	}
	id = vault_str(yyjson_obj_get(a.root, "data"), "secret_id");
	copy = id.n ? locked_dup(id) : NULL;
	if (copy) {
		locked_free(l->secret_id);
		l->secret_id = copy;
		l->wrapped = false;
	} else {
		err_set(err, ERR_CONFIG, WHERE,
		        "what was wrapped is not an AppRole secret id; wrap the answer of "
		        "auth/approle/role/NAME/secret-id");
	}
	vault_answer_free(&a);
	return copy != NULL;
}

static bool post_login(struct vault_login *l, struct vault_http *h, struct buf *body, bool once,
                       struct err *err)
{
	char path[PATH_MAX_BYTES];
	struct vault_request req = {.method = "POST",
	                            .path = path,
	                            .body = {body->p, body->n},
	                            .what = "logging in to Vault",
	                            .login = true,
	                            .once = once};
	struct vault_answer a = {0};
	bool ok;

	snprintf(path, sizeof path, "auth/%.200s/login", l->mount);
	ok = buf_ok(body, "the login", err) && vault_http_call(h, &req, &a, err) &&
	     take_token(l, a.root, req.what, err);
	vault_answer_free(&a);
	return ok;
}

static bool login_approle(struct vault_login *l, struct vault_http *h, bool once, struct err *err)
{
	struct buf body = BUF_INIT(BODY_MAX);
	bool ok = unwrap(l, h, once, err);

	buf_lit(&body, "{\"role_id\":");
	buf_add_json(&body, str_of(l->role));
	buf_lit(&body, ",\"secret_id\":");
	buf_add_json(&body, str_of(l->secret_id));
	buf_add_char(&body, '}');
	ok = ok && post_login(l, h, &body, once, err);
	buf_wipe(&body);
	return ok;
}

/* The file is read each time: Kubernetes puts a new token there. */
static bool login_kubernetes(struct vault_login *l, struct vault_http *h, bool once,
                             struct err *err)
{
	struct buf body = BUF_INIT(BODY_MAX), jwt = BUF_INIT(CONFIG_FILE_MAX);
	bool ok =
	    config_read_file("vault-kubernetes-token-file", l->kubernetes_token_file, &jwt, err);

	buf_lit(&body, "{\"role\":");
	buf_add_json(&body, str_of(l->role));
	buf_lit(&body, ",\"jwt\":");
	buf_add_json(&body, (struct str){jwt.p ? jwt.p : "", jwt.n});
	buf_add_char(&body, '}');
	ok = ok && post_login(l, h, &body, once, err);
	buf_wipe(&body);
	buf_wipe(&jwt);
	return ok;
}

/* A token that was given: how long it lives, and that it is one. */
static bool look_up(struct vault_login *l, struct vault_http *h, bool once, struct err *err)
{
	struct vault_request req = {.method = "GET",
	                            .path = "auth/token/lookup-self",
	                            .token = l->token,
	                            .what = "checking the Vault token",
	                            .login = true,
	                            .once = once};
	struct vault_answer a = {0};
	yyjson_val *data;

	if (!vault_http_call(h, &req, &a, err))
		return false;
	data = yyjson_obj_get(a.root, "data");
	set_times(l, vault_int(data, "ttl"), vault_bool(data, "renewable"), true);
	vault_answer_free(&a);
	return true;
}

bool vault_login_do(struct vault_login *l, struct vault_http *h, bool once, struct err *err)
{
	switch (l->auth) {
	case VAULT_AUTH_APPROLE:
		return login_approle(l, h, once, err);
	case VAULT_AUTH_KUBERNETES:
		return login_kubernetes(l, h, once, err);
	case VAULT_AUTH_TOKEN:
		break;
	}
	return look_up(l, h, once, err);
}

/* ---- renewal ---- */

static bool renew_self(struct vault_login *l, struct vault_http *h, struct err *err)
{
	struct vault_request req = {.method = "POST",
	                            .path = "auth/token/renew-self",
	                            .token = l->token,
	                            .body = STR("{}"),
	                            .what = "renewing the Vault token",
	                            .once = true};
	struct vault_answer a = {0};
	yyjson_val *auth;

	if (!vault_http_call(h, &req, &a, err))
		return false;
	auth = yyjson_obj_get(a.root, "auth");
	set_times(l, vault_int(auth, "lease_duration"), vault_bool(auth, "renewable"), false);
	vault_answer_free(&a);
	return true;
}

bool vault_login_renew(struct vault_login *l, struct vault_http *h, bool *again, struct err *err)
{
	bool renewed = l->renewable && renew_self(l, h, err);

	*again = false;
	/* near its maximum it gets less and less: better a new one in time */
	if (renewed && (!vault_login_possible(l) || l->ends_ms - now_ms() > l->first_ttl_ms / 2))
		return true;
	if (!vault_login_possible(l)) {
		if (!renewed && !l->renewable)
			err_set(err, ERR_AUTH, WHERE, "the Vault token cannot be renewed");
		return renewed;
	}
	if (!renewed && l->renewable && err->retryable)
		return false;
	if (!vault_login_do(l, h, true, err))
		return false;
	*again = true;
	return true;
}

void vault_login_end(struct vault_login *l, struct vault_http *h)
{
	struct vault_request req = {.method = "POST",
	                            .path = "auth/token/revoke-self",
	                            .token = l->token,
	                            .body = STR("{}"),
	                            .what = "giving the Vault token back",
	                            .timeout_ms = 2000,
	                            .once = true};
	struct vault_answer a = {0};
	struct err ignored; /* it ends by itself */

	if (l->token && vault_login_possible(l))
		(void)vault_http_call(h, &req, &a, &ignored);
	vault_answer_free(&a);
}
