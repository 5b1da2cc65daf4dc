/* SPDX-License-Identifier: Apache-2.0 */
#include "base/config_value.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/locked.h"

#define WHERE "config"

static const struct {
	const char *name;
	int64_t ms;
} duration_units[] = {{"ms", 1},      {"s", 1000},    {"m", 60000},
                      {"min", 60000}, {"h", 3600000}, {"d", 86400000}};

static int64_t unit_ms(const char *name)
{
	for (size_t i = 0; i < sizeof duration_units / sizeof duration_units[0]; i++)
		if (strcmp(duration_units[i].name, name) == 0)
			return duration_units[i].ms;
	return 0;
}

/* Digits at the front of `text`; *rest is what follows. */
static bool leading_number(const char *text, int64_t *n, const char **rest)
{
	size_t digits = strspn(text, "0123456789");

	*rest = text + digits;
	return str_int((struct str){text, digits}, 0, INT64_MAX, n);
}

bool config_parse_duration(const char *text, const char *unit, int64_t *ms)
{
	const char *rest;
	int64_t n, factor, v;

	if (!leading_number(text, &n, &rest))
		return false;
	factor = unit_ms(*rest ? rest : (unit ? unit : "s"));
	if (!factor || __builtin_mul_overflow(n, factor, &v))
		return false;
	*ms = v;
	return true;
}

bool config_parse_bytes(const char *text, int64_t *bytes)
{
	static const char letters[] = "KMGT";
	const char *rest, *letter;
	int64_t n, v;

	if (!leading_number(text, &n, &rest))
		return false;
	if (!*rest) {
		*bytes = n;
		return true;
	}
	letter = strchr(letters, *rest & ~0x20);
	if (!letter || !*letter ||
	    (strcmp(rest + 1, "") != 0 && strcmp(rest + 1, "B") != 0 &&
	     strcmp(rest + 1, "iB") != 0))
		return false;
	if (__builtin_mul_overflow(n, INT64_C(1) << (10 * (letter - letters + 1)), &v))
		return false;
	*bytes = v;
	return true;
}

/* 1800000 -> "30m": the largest unit that divides it. */
static void format_duration(int64_t ms, char *out, size_t size)
{
	if (ms && ms % 3600000 == 0)
		snprintf(out, size, "%" PRId64 "h", ms / 3600000);
	else if (ms && ms % 60000 == 0)
		snprintf(out, size, "%" PRId64 "m", ms / 60000);
	else if (ms % 1000 == 0)
		snprintf(out, size, "%" PRId64 "s", ms / 1000);
	else
		snprintf(out, size, "%" PRId64 "ms", ms);
}

static void format_bytes(int64_t n, char *out, size_t size)
{
	int shift = 0;

	while (shift < 30 && n && n % 1024 == 0) {
		n /= 1024;
		shift += 10;
	}
	snprintf(out, size, "%" PRId64 "%s", n,
	         shift == 0    ? ""
	         : shift == 10 ? "K"
	         : shift == 20 ? "M"
	                       : "G");
}

/* The value for a message: quoted, short, without control characters; nothing of a secret. */
static const char *quoted(const struct option *o, const char *text, char out[80])
{
	size_t n = 0;

	if (o->secret)
		return "the value";
	out[n++] = '"';
	for (; *text && n < 70; text++)
		out[n++] = (unsigned char)*text < ' ' || *text == 0x7f ? '?' : *text;
	snprintf(out + n, 80 - n, "%s\"", *text ? "..." : "");
	return out;
}

static bool refuse(const struct option *o, const char *what, const char *text, enum err_code code,
                   const char *allowed, struct err *err)
{
	char shown[80];

	return err_set(err, code, WHERE, "%s: %s is not allowed; give %s", what,
	               quoted(o, text, shown), allowed);
}

/* ---- one reader per type ---- */

/* The form in which the value is shown: "90" in seconds is "90s". */
static bool own_text(struct config_value *v, const char *what, const char *text, struct err *err)
{
	v->text = str_dup(str_of(text));
	return v->text || err_set(err, ERR_NOMEM, WHERE, "%s: out of memory", what);
}

static bool in_choices(const char *choices, struct str word)
{
	while (*choices) {
		size_t n = strcspn(choices, "|");

		if (str_eq((struct str){choices, n}, word))
			return true;
		choices += n + (choices[n] == '|');
	}
	return false;
}

static bool read_choice(const struct option *o, const char *what, const char *text,
                        enum err_code code, struct config_value *v, struct err *err)
{
	char allowed[160];

	(void)v;
	if (in_choices(o->choices, str_of(text)))
		return true;
	snprintf(allowed, sizeof allowed, "one of %s", o->choices);
	return refuse(o, what, text, code, allowed, err);
}

static bool read_int(const struct option *o, const char *what, const char *text, enum err_code code,
                     struct config_value *v, struct err *err)
{
	char allowed[160];

	if (str_int(str_of(text), o->min, o->max, &v->number))
		return true;
	snprintf(allowed, sizeof allowed, "a whole number from %" PRId64 " to %" PRId64, o->min,
	         o->max);
	return refuse(o, what, text, code, allowed, err);
}

static bool read_duration(const struct option *o, const char *what, const char *text,
                          enum err_code code, struct config_value *v, struct err *err)
{
	char allowed[160], least[32], most[32];
	int64_t ms;

	if (config_parse_duration(text, o->unit, &ms) && ms >= o->min && ms <= o->max) {
		v->number = ms;
		format_duration(ms, least, sizeof least);
		return own_text(v, what, least, err);
	}
	format_duration(o->min, least, sizeof least);
	format_duration(o->max, most, sizeof most);
	snprintf(allowed, sizeof allowed, "a time from %s to %s, such as 500ms, 30s, 10m or 2h",
	         least, most);
	return refuse(o, what, text, code, allowed, err);
}

static bool read_bytes(const struct option *o, const char *what, const char *text,
                       enum err_code code, struct config_value *v, struct err *err)
{
	char allowed[160], least[32], most[32];
	int64_t bytes;

	if (config_parse_bytes(text, &bytes) && bytes >= o->min && bytes <= o->max) {
		v->number = bytes;
		format_bytes(bytes, least, sizeof least);
		return own_text(v, what, least, err);
	}
	format_bytes(o->min, least, sizeof least);
	format_bytes(o->max, most, sizeof most);
	snprintf(allowed, sizeof allowed, "a size from %s to %s, such as 4096, 64K, 16M or 1G",
	         least, most);
	return refuse(o, what, text, code, allowed, err);
}

static bool read_bool(const struct option *o, const char *what, const char *text,
                      enum err_code code, struct config_value *v, struct err *err)
{
	struct str s = str_of(text);

	if (in_choices("true|yes|on|1", s))
		v->number = 1;
	else if (in_choices("false|no|off|0", s))
		v->number = 0;
	else
		return refuse(o, what, text, code, "true or false", err);
	return own_text(v, what, v->number ? "true" : "false", err);
}

/* scheme://host…: the text is not echoed, as it may hold a password. */
static bool read_url(const struct option *o, const char *what, const char *text, enum err_code code,
                     struct config_value *v, struct err *err)
{
	const char *sep = strstr(text, "://"), *host;
	size_t length;

	(void)v;
	if (!sep || !in_choices(o->choices, (struct str){text, (size_t)(sep - text)}))
		return err_set(err, code, WHERE,
		               "%s: this is not an absolute URL; it begins with a scheme "
		               "(%s) and ://",
		               what, o->choices);
	host = sep + 3;
	length = strcspn(host, "/?#");
	if (memchr(host, '@', length))
		return err_set(err, code, WHERE,
		               "%s: no user name or password in the URL; use --fhir-auth, "
		               "--fhir-user and FHIRLINE_FHIR_PASSWORD_FILE",
		               what);
	if (strpbrk(host, "?#"))
		return err_set(err, code, WHERE, "%s: the URL must not have a query (?) or #",
		               what);
	for (const char *p = text; *p; p++)
		if ((unsigned char)*p <= ' ' || *p == 0x7f)
			return err_set(err, code, WHERE,
			               "%s: the URL has a space or a control character in it",
			               what);
	if (length == 0 && strncmp(text, "file:", 5) != 0)
		return err_set(err, code, WHERE, "%s: the URL has no host after ://", what);
	return true;
}

/* A path becomes file:///absolute/path, so that a later change of folder does not matter. */
static bool read_place(const struct option *o, const char *what, const char *text,
                       enum err_code code, struct config_value *v, struct err *err)
{
	char cwd[PATH_MAX] = "";
	char *url = NULL;

	if (strstr(text, "://")) {
		if (!read_url(o, what, text, code, v, err))
			return false;
		if (strncmp(text, "file://", 7) == 0 && text[7] != '/')
			return err_set(err, code, WHERE,
			               "%s: file:// needs an absolute path (file:///folder); "
			               "a path without file:// may be relative",
			               what);
		return true;
	}
	if (text[0] != '/' && !getcwd(cwd, sizeof cwd))
		return err_set(err, code, WHERE,
		               "%s: cannot tell the current folder; give an absolute path", what);
	while (text[0] == '.' && text[1] == '/')
		text += 2;
	if (asprintf(&url, "file://%s%s%s", cwd, *cwd ? "/" : "", text) < 0)
		return err_set(err, ERR_NOMEM, WHERE, "%s: out of memory", what);
	free(v->text);
	v->text = url;
	return true;
}

static bool read_address(const struct option *o, const char *what, const char *text,
                         enum err_code code, struct config_value *v, struct err *err)
{
	const char *colon = strrchr(text, ':');
	size_t host = colon ? (size_t)(colon - text) : 0;
	bool bracketed = host > 2 && text[0] == '[' && text[host - 1] == ']';

	if (host && (bracketed || !memchr(text, ':', host)) && !strpbrk(text, "/ @") &&
	    str_int(str_of(colon + 1), 0, 65535, &v->number))
		return true;
	return refuse(o, what, text, code,
	              "host:port, such as 127.0.0.1:8080 or [::1]:8080 (port 0: any free one)",
	              err);
}

static bool read_string(const struct option *o, const char *what, const char *text,
                        enum err_code code, struct config_value *v, struct err *err)
{
	(void)v;
	if (strpbrk(text, "\r\n"))
		return refuse(o, what, text, code, "a value without line breaks", err);
	return true;
}

typedef bool reader(const struct option *, const char *, const char *, enum err_code,
                    struct config_value *, struct err *);

static reader *const readers[] = {
    [OPTION_STRING] = read_string,   [OPTION_URL] = read_url,   [OPTION_PLACE] = read_place,
    [OPTION_ADDRESS] = read_address, [OPTION_INT] = read_int,   [OPTION_DURATION] = read_duration,
    [OPTION_BYTES] = read_bytes,     [OPTION_BOOL] = read_bool, [OPTION_CHOICE] = read_choice,
};

void config_value_free(const struct option *o, struct config_value *v)
{
	if (o->secret)
		locked_free(v->text);
	else
		free(v->text);
	v->text = NULL;
}

bool config_value_read(const struct option *o, const char *what, const char *text,
                       enum err_code code, struct config_value *v, struct err *err)
{
	struct config_value fresh = {0};

	/* an empty string is "not set", whatever the type, where the default is that too */
	if (*text || *o->fallback) {
		if (!readers[o->type](o, what, text, code, &fresh, err)) {
			free(fresh.text);
			return false;
		}
	}
	if (!fresh.text)
		fresh.text = o->secret ? locked_dup(str_of(text)) : str_dup(str_of(text));
	if (!fresh.text)
		return err_set(err, ERR_NOMEM, WHERE, "%s: out of memory", what);
	config_value_free(o, v);
	v->text = fresh.text;
	v->number = fresh.number;
	return true;
}
