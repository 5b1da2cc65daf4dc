/* SPDX-License-Identifier: Apache-2.0
 *
 * `fhirline secret seed .env`: the secrets of a file of variables go to Vault, with a role that may
 * read them and nothing else.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/dotenv.h"
#include "base/locked.h"
#include "cmd/command.h"
#include "cmd/secrets.h"
#include "secret/ref.h"
#include "secret/vault_http.h"

enum { JSON_MAX = 256 << 10, NAME_MAX_BYTES = 128, PATH_BYTES = SECRET_REF_MAX };

struct seed {
	struct config *config;
	struct vault_http *http;
	struct dotenv *file;
	const char *path; /* of the secrets: mount and folder */
	const char *role;
	const char *secret_id_file;
	const char *wrap; /* NULL: not wrapped */
	char mount[NAME_MAX_BYTES];
	const char *folder; /* behind the mount */
};

/* ---- which variables ---- */

/* Vault's own secrets cannot be in Vault. */
static bool is_kept(const struct option *o)
{
	return o->secret && o->group != OPTIONS_SECRETS;
}

/* The value that the file has for a setting, under any of its names. NULL: none, or a reference. */
static const char *value_of(const struct seed *s, const struct option *o)
{
	char name[OPTION_ENV_MAX];
	const char *value;

	option_env_name(o, name);
	value = dotenv_get(s->file, name);
	for (const char *p = o->also; (!value || !*value) && p && *p;) {
		size_t n = strcspn(p, "|");

		snprintf(name, sizeof name, "%.*s", (int)n, p);
		value = dotenv_get(s->file, name);
		p += n + (p[n] == '|');
	}
	return value && *value && strncmp(value, "vault:", 6) != 0 ? value : NULL;
}

/* The secrets of one part of the program stand at one path. */
static const char *part_name(enum option_group group)
{
	switch (group) {
	case OPTIONS_SOURCE:
		return "source";
	case OPTIONS_DATABASE:
		return "database";
	case OPTIONS_LANDING:
		return "landing";
	case OPTIONS_SERVER:
		return "server";
	case OPTIONS_TEMPORAL:
		return "temporal";
	case OPTIONS_INGEST:
	case OPTIONS_SECRETS:
	case OPTIONS_LOG:
	case OPTIONS_ALL:
		break;
	}
	return "other";
}

static bool group_has(const struct seed *s, unsigned group)
{
	for (size_t i = 0; i < OPTION_COUNT; i++)
		if (option_table[i].group == group && is_kept(&option_table[i]) &&
		    value_of(s, &option_table[i]))
			return true;
	return false;
}

/* ---- requests ---- */

static bool call(const struct seed *s, const char *method, const char *path, const struct buf *body,
                 const char *wrap, const char *what, struct vault_answer *answer, struct err *err)
{
	struct vault_request req = {.method = method,
	                            .path = path,
	                            .token = config_str(s->config, OPT_VAULT_TOKEN),
	                            .body = body ? (struct str){body->p, body->n} : STR_NONE,
	                            .wrap = wrap,
	                            .what = what};

	return (!body || buf_ok(body, what, err)) && vault_http_call(s->http, &req, answer, err);
}

static bool write_group(const struct seed *s, unsigned group, struct err *err)
{
	struct buf body = BUF_INIT(JSON_MAX);
	struct vault_answer a = {0};
	char path[PATH_BYTES], what[PATH_BYTES + 32];
	bool ok, first = true;

	buf_lit(&body, "{\"data\":{");
	for (size_t i = 0; i < OPTION_COUNT; i++) {
		const struct option *o = &option_table[i];
		const char *value = o->group == group && is_kept(o) ? value_of(s, o) : NULL;

		if (!value)
			continue;
		buf_printf(&body, "%s\"%s\":", first ? "" : ",", o->name);
		buf_add_json(&body, str_of(value));
		first = false;
	}
	buf_lit(&body, "}}");
	snprintf(path, sizeof path, "%s/data/%s/%s", s->mount, s->folder,
	         part_name((enum option_group)group));
	snprintf(what, sizeof what, "writing %s", path);
	ok = call(s, "POST", path, &body, NULL, what, &a, err);
	vault_answer_free(&a);
	buf_wipe(&body);
	return ok;
}

/* What fhirline asks with this token, and no more. */
static bool write_policy(const struct seed *s, struct err *err)
{
	struct buf text = BUF_INIT(JSON_MAX), body = BUF_INIT(JSON_MAX);
	struct vault_answer a = {0};
	char path[PATH_BYTES];
	bool ok;

	for (unsigned g = 1; g < OPTIONS_ALL; g <<= 1)
		if (group_has(s, g))
			buf_printf(&text, "path \"%s/data/%s/%s\" { capabilities = [\"read\"] }\n",
			           s->mount, s->folder, part_name((enum option_group)g));
	buf_lit(&text, "path \"auth/token/renew-self\" { capabilities = [\"update\"] }\n"
	               "path \"auth/token/revoke-self\" { capabilities = [\"update\"] }\n");
	buf_lit(&body, "{\"policy\":");
	buf_add_json(&body, (struct str){text.p, text.n});
	buf_add_char(&body, '}');
	snprintf(path, sizeof path, "sys/policies/acl/%s", s->role);
	ok = buf_ok(&text, "the policy", err) &&
	     call(s, "PUT", path, &body, NULL, "writing the policy", &a, err);
	vault_answer_free(&a);
	buf_free(&text);
	buf_free(&body);
	return ok;
}

static const char *mount_of(const struct seed *s)
{
	const char *mount = config_str(s->config, OPT_VAULT_AUTH_MOUNT);

	return *mount ? mount : "approle";
}

static bool write_role(const struct seed *s, struct err *err)
{
	struct buf body = BUF_INIT(JSON_MAX);
	struct vault_answer a = {0};
	char path[PATH_BYTES];
	bool ok;

	buf_printf(&body,
	           "{\"token_policies\":[\"%s\"],\"token_no_default_policy\":true,"
	           "\"token_ttl\":\"1h\",\"token_max_ttl\":\"24h\",\"bind_secret_id\":true}",
	           s->role);
	snprintf(path, sizeof path, "auth/%.100s/role/%s", mount_of(s), s->role);
	ok = call(s, "POST", path, &body, NULL, "writing the AppRole", &a, err);
	if (!ok && err->code == ERR_NOT_FOUND)
		err_set(err, ERR_CONFIG, "secret.seed",
		        "AppRole is not enabled at auth/%.100s; enable it (vault auth enable "
		        "approle) or give --vault-auth-mount",
		        mount_of(s));
	vault_answer_free(&a);
	buf_free(&body);
	return ok;
}

static bool read_role_id(const struct seed *s, char out[NAME_MAX_BYTES], struct err *err)
{
	struct vault_answer a = {0};
	char path[PATH_BYTES];
	struct str id;
	bool ok;

	snprintf(path, sizeof path, "auth/%.100s/role/%s/role-id", mount_of(s), s->role);
	ok = call(s, "GET", path, NULL, NULL, "reading the role id", &a, err);
	if (ok) {
		id = vault_str(yyjson_obj_get(a.root, "data"), "role_id");
		snprintf(out, NAME_MAX_BYTES, "%.*s", STR_FMT(id));
	}
	vault_answer_free(&a);
	return ok;
}

/* ---- the secret id ---- */

static bool write_file(int fd, struct str text)
{
	while (text.n) {
		ssize_t n = write(fd, text.p, text.n);

		if (n < 0)
			return false;
		text.p += n;
		text.n -= (size_t)n;
	}
	return true;
}

/* To a file of the owner's alone, made before Vault is asked: nothing is printed or lost. */
static bool make_secret_id(const struct seed *s, int fd, struct err *err)
{
	struct buf body = BUF_INIT(64);
	struct vault_answer a = {0};
	char path[PATH_BYTES];
	struct str id;
	bool ok;

	buf_lit(&body, "{}");
	snprintf(path, sizeof path, "auth/%.100s/role/%s/secret-id", mount_of(s), s->role);
	ok = call(s, "POST", path, &body, s->wrap, "making a secret id", &a, err);
	if (ok) {
		id = s->wrap ? vault_str(yyjson_obj_get(a.root, "wrap_info"), "token")
		             : vault_str(yyjson_obj_get(a.root, "data"), "secret_id");
		ok = id.n
		         ? write_file(fd, id) || err_set_errno(err, ERR_IO, "secret.seed", errno,
		                                               "cannot write %s", s->secret_id_file)
		         : err_set(err, ERR_PROTOCOL, "secret.seed",
		                   "Vault's answer has no secret id in it");
	}
	vault_answer_free(&a);
	buf_free(&body);
	return ok;
}

/* ---- the whole ---- */

static bool take_path(struct seed *s, struct err *err)
{
	char text[PATH_BYTES];
	struct secret_ref ref;
	const char *slash = strchr(s->path, '/');

	snprintf(text, sizeof text, "vault:%.300s/x#x", s->path);
	if (strlen(s->path) > 300 || !slash || slash - s->path >= NAME_MAX_BYTES ||
	    !secret_ref_parse(text, "--path", &ref, err))
		return err_set(err, ERR_USAGE, "secret.seed",
		               "--path is the mount of a KV version 2 engine and a folder in it, "
		               "such as secret/fhirline");
	if (strspn(s->role, "abcdefghijklmnopqrstuvwxyz0123456789-_") != strlen(s->role) ||
	    !*s->role || strlen(s->role) >= NAME_MAX_BYTES)
		return err_set(err, ERR_USAGE, "secret.seed",
		               "--role is a name of small letters, digits, - and _");
	snprintf(s->mount, sizeof s->mount, "%.*s", (int)(slash - s->path), s->path);
	s->folder = slash + 1;
	return true;
}

static bool write_all(struct seed *s, int fd, char role_id[NAME_MAX_BYTES], struct err *err)
{
	bool any = false;

	for (unsigned g = 1; g < OPTIONS_ALL; g <<= 1) {
		if (!group_has(s, g))
			continue;
		any = true;
		if (!write_group(s, g, err))
			return false;
	}
	if (!any)
		return err_set(err, ERR_CONFIG, "secret.seed",
		               "the file has no secret of fhirline; .env.template lists them");
	return write_policy(s, err) && write_role(s, err) && read_role_id(s, role_id, err) &&
	       make_secret_id(s, fd, err);
}

static void print_settings(const struct seed *s, const char *role_id)
{
	char name[OPTION_ENV_MAX];

	printf("# Written to Vault. Set these in the place of the secrets:\n");
	for (size_t i = 0; i < OPTION_COUNT; i++) {
		const struct option *o = &option_table[i];

		if (!is_kept(o) || !value_of(s, o))
			continue;
		option_env_name(o, name);
		printf("%s=vault:%s/%s/%s#%s\n", name, s->mount, s->folder, part_name(o->group),
		       o->name);
	}
	printf("FHIRLINE_VAULT_ADDR=%s\nFHIRLINE_VAULT_AUTH=approle\nFHIRLINE_VAULT_ROLE_ID=%s\n"
	       "FHIRLINE_VAULT_SECRET_ID_FILE=%s\n",
	       config_str(s->config, OPT_VAULT_ADDR), role_id, s->secret_id_file);
	if (s->wrap)
		printf("FHIRLINE_VAULT_SECRET_ID_WRAPPED=true\n");
	if (*config_str(s->config, OPT_VAULT_AUTH_MOUNT))
		printf("FHIRLINE_VAULT_AUTH_MOUNT=%s\n", mount_of(s));
}

static bool seed(struct seed *s, const char *path, struct err *err)
{
	char role_id[NAME_MAX_BYTES] = "";
	bool ok = false;
	int fd = -1;

	if (!take_path(s, err) || !config_require(s->config, OPT_VAULT_ADDR, err) ||
	    !config_require(s->config, OPT_VAULT_TOKEN, err))
		return false;
	s->file = dotenv_read(path, err);
	if (!s->file)
		return false;
	s->http = vault_http_new(config_str(s->config, OPT_VAULT_ADDR),
	                         config_str(s->config, OPT_VAULT_NAMESPACE),
	                         config_str(s->config, OPT_VAULT_CA_FILE), err);
	if (!s->http)
		goto done;
	fd = open(s->secret_id_file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0) {
		err_set_errno(err, ERR_CONFIG, "secret.seed", errno,
		              "cannot make %.200s for the secret id (--secret-id-file)",
		              s->secret_id_file);
		goto done;
	}
	ok = write_all(s, fd, role_id, err);
	if (close(fd) != 0 && ok)
		ok = err_set_errno(err, ERR_IO, "secret.seed", errno, "cannot write %.200s",
		                   s->secret_id_file);
	if (ok)
		print_settings(s, role_id);
	else
		unlink(s->secret_id_file);
done:
	vault_http_free(s->http);
	dotenv_free(s->file);
	return ok;
}

int cmd_secret(int argc, char **argv)
{
	struct seed s = {
	    .path = "secret/fhirline", .role = "fhirline", .secret_id_file = "fhirline.secret-id"};
	const struct config_flag flags[] = {
	    {"path", "PATH", "Mount and folder to write to [secret/fhirline]", .value = &s.path},
	    {"role", "NAME", "Name of the policy and the AppRole [fhirline]", .value = &s.role},
	    {"secret-id-file", "PATH",
	     "Where the secret id goes; must not exist [fhirline.secret-id]",
	     .value = &s.secret_id_file},
	    {"wrap", "TIME", "Wrap the secret id: it opens once, within this time (5m)",
	     .value = &s.wrap},
	    {0}};
	struct err err = {0};
	int nargs, code;

	if (!command_start(argc, argv, flags, &s.config, &nargs, &code))
		return code;
	if (nargs != 2 || strcmp(argv[1], "seed") != 0)
		code = command_usage("secret", "give seed and a file, such as: secret seed .env");
	else
		code = seed(&s, argv[2], &err) ? COMMAND_OK : command_fail("secret", &err);
	config_free(s.config);
	return code;
}
