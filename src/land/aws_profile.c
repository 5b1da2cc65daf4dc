/* SPDX-License-Identifier: Apache-2.0 */
#include "land/aws_profile.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/config.h"

#define WHERE "land.profile"

/* The section's name, without brackets and, in the config file, without "profile ". */
static bool is_section(struct str line, bool config_file, const char *name)
{
	const char *end = memchr(line.p, ']', line.n);
	struct str title = {line.p + 1, end ? (size_t)(end - line.p - 1) : 0};

	title = str_trim(title);
	if (config_file && str_starts(title, "profile "))
		title = str_trim((struct str){title.p + 8, title.n - 8});
	else if (config_file && !str_is(title, "default"))
		return false; /* [services …], [sso-session …] */
	return end && str_is(title, name);
}

static bool keep(char *out, size_t size, struct str value, const char *what, struct err *err)
{
	if (out[0]) /* the first says it */
		return true;
	if (value.n >= size || memchr(value.p, '\0', value.n))
		return err_set(err, ERR_CONFIG, WHERE, "%s in the AWS profile is too long", what);
	memcpy(out, value.p, value.n);
	out[value.n] = '\0';
	return true;
}

static bool take(struct str line, struct aws_profile *out, struct err *err)
{
	const char *equals = memchr(line.p, '=', line.n);
	struct str key, value;

	if (!equals)
		return true;
	key = str_trim((struct str){line.p, (size_t)(equals - line.p)});
	value = str_trim((struct str){equals + 1, line.n - (size_t)(equals + 1 - line.p)});
	if (str_is(key, "aws_access_key_id"))
		return keep(out->key_id, sizeof out->key_id, value, "aws_access_key_id", err);
	if (str_is(key, "aws_secret_access_key"))
		return keep(out->secret, sizeof out->secret, value, "aws_secret_access_key", err);
	if (str_is(key, "aws_session_token"))
		return keep(out->token, sizeof out->token, value, "aws_session_token", err);
	if (str_is(key, "region"))
		return keep(out->region, sizeof out->region, value, "region", err);
	if (str_is(key, "endpoint_url"))
		return keep(out->endpoint, sizeof out->endpoint, value, "endpoint_url", err);
	return true;
}

bool aws_profile_parse(struct str text, bool config_file, const char *name, struct aws_profile *out,
                       bool *found, struct err *err)
{
	bool inside = false;

	while (text.n) {
		const char *end = memchr(text.p, '\n', text.n);
		struct str line = {text.p, end ? (size_t)(end - text.p) : text.n};
		/* indented lines belong to a setting of several, such as "s3 =" */
		bool indented = line.n && (line.p[0] == ' ' || line.p[0] == '\t');

		text.p += line.n + (end != NULL);
		text.n -= line.n + (end != NULL);
		line = str_trim(line);
		if (!line.n || line.p[0] == '#' || line.p[0] == ';')
			continue;
		if (line.p[0] == '[') {
			inside = is_section(line, config_file, name);
			*found = *found || inside;
		} else if (inside && !indented && !take(line, out, err)) {
			return false;
		}
	}
	return true;
}

static bool read_one(const char *path, const char *usual, bool config_file, const char *name,
                     struct aws_profile *out, bool *found, struct err *err)
{
	struct buf text = BUF_INIT(CONFIG_FILE_MAX);
	const char *home = getenv("HOME");
	char in_home[4096];
	bool ok;

	if (!path || !*path) {
		snprintf(in_home, sizeof in_home, "%s%s", home ? home : "", usual);
		path = in_home;
	}
	if (access(path, F_OK) != 0)
		return true;
	ok = config_read_file(config_file ? "the AWS config file" : "the AWS credentials file",
	                      path, &text, err) &&
	     aws_profile_parse((struct str){text.p, text.n}, config_file, name, out, found, err);
	if (text.p)
		explicit_bzero(text.p, text.cap);
	buf_free(&text);
	return ok;
}

/* Keys come whole from one file: the secret or token of another key would not do. */
static void complete_from(struct aws_profile *p, const struct aws_profile *other)
{
	if (!p->key_id[0]) {
		memcpy(p->key_id, other->key_id, sizeof p->key_id);
		memcpy(p->secret, other->secret, sizeof p->secret);
		memcpy(p->token, other->token, sizeof p->token);
	}
	if (!p->region[0])
		memcpy(p->region, other->region, sizeof p->region);
	if (!p->endpoint[0])
		memcpy(p->endpoint, other->endpoint, sizeof p->endpoint);
}

bool aws_profile_read(const char *credentials_path, const char *config_path, const char *name,
                      struct aws_profile *out, struct err *err)
{
	struct aws_profile made = {0}, config = {0};
	bool found = strcmp(name, "default") == 0;
	bool ok =
	    read_one(credentials_path, "/.aws/credentials", false, name, &made, &found, err) &&
	    read_one(config_path, "/.aws/config", true, name, &config, &found, err);

	complete_from(&made, &config);
	aws_profile_wipe(&config);
	if (!ok) {
		aws_profile_wipe(&made);
		return false;
	}
	if (!found) {
		aws_profile_wipe(&made);
		return err_set(err, ERR_CONFIG, WHERE,
		               "there is no profile \"%.64s\" in the AWS files: check AWS_PROFILE, "
		               "AWS_SHARED_CREDENTIALS_FILE and AWS_CONFIG_FILE",
		               name);
	}
	*out = made;
	aws_profile_wipe(&made);
	return true;
}

void aws_profile_wipe(struct aws_profile *p)
{
	explicit_bzero(p, sizeof *p);
}
