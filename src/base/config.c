/* SPDX-License-Identifier: Apache-2.0 */
#include "base/config.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/config_value.h"
#include "base/dotenv.h"
#include "base/locked.h"
#include "base/suggest.h"

#define WHERE "config"

struct config {
	struct config_value values[OPTION_COUNT];
	char *references[OPTION_COUNT]; /* NULL: none was resolved */
	void *kept;
	void (*free_kept)(void *);
};

/* ---- sources of values ---- */

static bool set_value(struct config *c, const struct option *o, const char *what, const char *text,
                      enum config_origin origin, enum err_code code, struct err *err)
{
	struct config_value *v = &c->values[o - option_table];

	if (!config_value_read(o, what, text, code, v, err))
		return false;
	v->origin = origin;
	return true;
}

bool config_read_file(const char *what, const char *path, struct buf *b, struct err *err)
{
	FILE *f = fopen(path, "re");
	char piece[4096];
	size_t n;
	bool ok = false;

	if (!f)
		return err_set_errno(err, ERR_CONFIG, WHERE, errno, "%s: cannot open its file",
		                     what);
	while ((n = fread(piece, 1, sizeof piece, f)) > 0)
		if (!buf_add(b, piece, n))
			break;
	if (ferror(f))
		err_set_errno(err, ERR_CONFIG, WHERE, errno, "%s: cannot read its file", what);
	else if (b->failed || (b->n && memchr(b->p, '\0', b->n)))
		err_set(err, ERR_CONFIG, WHERE, "%s: its file is no text of up to 64 KiB", what);
	else
		ok = true;
	explicit_bzero(piece, sizeof piece);
	fclose(f);
	if (ok && b->n && b->p[b->n - 1] == '\n')
		b->p[--b->n] = '\0';
	if (ok && b->n && b->p[b->n - 1] == '\r')
		b->p[--b->n] = '\0';
	return ok;
}

static bool set_from_file(struct config *c, const struct option *o, const char *what,
                          const char *path, struct err *err)
{
	struct buf b = BUF_INIT(CONFIG_FILE_MAX);
	bool ok = config_read_file(what, path, &b, err) &&
	          set_value(c, o, what, b.p ? b.p : "", CONFIG_FILE, ERR_CONFIG, err);

	buf_wipe(&b);
	return ok;
}

/* A variable of the environment, or of `file` when that is given. Empty counts as not set. */
static const char *variable(const struct dotenv *file, const char *name)
{
	const char *value = file ? dotenv_get(file, name) : getenv(name);

	return value && *value ? value : NULL;
}

/* NAME, or the file that NAME_FILE names. *found: one of them was there. */
static bool load_variable(struct config *c, const struct option *o, const struct dotenv *from,
                          const char *name, bool *found, struct err *err)
{
	char file_name[OPTION_ENV_MAX + 8];
	const char *value = variable(from, name), *file;

	snprintf(file_name, sizeof file_name, "%s_FILE", name);
	file = o->secret ? variable(from, file_name) : NULL;
	if (value && file)
		return err_set(err, ERR_CONFIG, WHERE, "%s and %s are both set; unset one", name,
		               file_name);
	*found = value || file;
	if (file)
		return set_from_file(c, o, file_name, file, err);
	return !value || set_value(c, o, name, value, from ? CONFIG_ENV_FILE : CONFIG_ENVIRONMENT,
	                           ERR_CONFIG, err);
}

/* Ours first, then the variables that other tools take. */
static bool load_variables(struct config *c, const struct option *o, const struct dotenv *from,
                           bool *found, struct err *err)
{
	char name[OPTION_ENV_MAX];

	option_env_name(o, name);
	if (!load_variable(c, o, from, name, found, err))
		return false;
	for (const char *p = o->also; !*found && p && *p;) {
		size_t n = strcspn(p, "|");

		snprintf(name, sizeof name, "%.*s", (int)n, p);
		if (!load_variable(c, o, from, name, found, err))
			return false;
		p += n + (p[n] == '|');
	}
	return true;
}

static bool load_environment(struct config *c, const struct option *o, const struct dotenv *file,
                             struct err *err)
{
	bool found = false;

	return load_variables(c, o, NULL, &found, err) &&
	       (found || !file || load_variables(c, o, file, &found, err));
}

/* It must be known before the other settings are read. */
static const char *env_file_path(unsigned groups, int argc, char **argv)
{
	const char *path = getenv("FHIRLINE_ENV_FILE");

	if (!(groups & option_table[OPT_ENV_FILE].group))
		return NULL;
	for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
		if (strncmp(argv[i], "--env-file=", 11) == 0)
			path = argv[i] + 11;
		else if (strcmp(argv[i], "--env-file") == 0 && i + 1 < argc)
			path = argv[i + 1];
	}
	return path && *path ? path : NULL;
}

/* ---- flags ---- */

struct word {
	const char *name; /* without the dashes, `length` bytes */
	size_t length;
	const char *value; /* after '='; NULL: none */
};

struct parse {
	struct config *c;
	unsigned groups;
	const struct config_flag *flags;
	int argc;
	char **argv;
	int at; /* next argument */
};

static const struct config_flag no_flags[] = {{0}};

static bool unknown_flag(const struct parse *p, const struct word *w, struct err *err)
{
	char name[64];
	struct suggest s = SUGGEST_INIT(name);

	snprintf(name, sizeof name, "%.*s", (int)w->length, w->name);
	for (const struct config_flag *f = p->flags; f->name; f++)
		suggest_look(&s, f->name);
	for (size_t i = 0; i < OPTION_COUNT; i++)
		if (option_table[i].group & p->groups)
			suggest_look(&s, option_table[i].name);
	if (s.best)
		return err_set(err, ERR_USAGE, WHERE, "unknown option --%s; did you mean --%s?",
		               name, s.best);
	return err_set(err, ERR_USAGE, WHERE, "unknown option --%s; --help lists what there is",
	               name);
}

/* The flag's argument: behind '=' or the next word. */
static const char *argument(struct parse *p, const struct word *w, struct err *err)
{
	if (w->value)
		return w->value;
	if (p->at < p->argc)
		return p->argv[p->at++];
	err_set(err, ERR_USAGE, WHERE, "--%.*s needs a value", (int)w->length, w->name);
	return NULL;
}

static bool take_command_flag(struct parse *p, const struct config_flag *f, const struct word *w,
                              struct err *err)
{
	if (!f->arg && w->value)
		return err_set(err, ERR_USAGE, WHERE, "--%s takes no value", f->name);
	if (f->arg) {
		const char *value = argument(p, w, err);

		if (!value)
			return false;
		*f->value = value;
	}
	if (f->on)
		*f->on = true;
	return true;
}

static bool take_option(struct parse *p, const struct option *o, const struct word *w, bool file,
                        struct err *err)
{
	char what[80];
	const char *value;

	snprintf(what, sizeof what, "--%.*s", (int)w->length, w->name);
	if (o->type == OPTION_BOOL && !w->value)
		return set_value(p->c, o, what, "true", CONFIG_FLAG, ERR_USAGE, err);
	value = argument(p, w, err);
	if (!value)
		return false;
	if (file)
		return set_from_file(p->c, o, what, value, err);
	return set_value(p->c, o, what, value, CONFIG_FLAG, ERR_USAGE, err);
}

static bool take_flag(struct parse *p, const struct word *w, struct err *err)
{
	const struct option *o;

	for (const struct config_flag *f = p->flags; f->name; f++)
		if (str_is((struct str){w->name, w->length}, f->name))
			return take_command_flag(p, f, w, err);
	o = option_find(w->name, w->length);
	if (o && (o->group & p->groups))
		return take_option(p, o, w, false, err);
	if (w->length > 5 && memcmp(w->name + w->length - 5, "-file", 5) == 0) {
		o = option_find(w->name, w->length - 5);
		if (o && o->secret && (o->group & p->groups))
			return take_option(p, o, w, true, err);
	}
	return unknown_flag(p, w, err);
}

static bool load_flags(struct parse *p, int *nargs, struct err *err)
{
	bool flags_ended = false;

	*nargs = 0;
	while (p->at < p->argc) {
		char *arg = p->argv[p->at++];
		struct word w = {.name = arg + 2};

		if (flags_ended || arg[0] != '-' || !arg[1]) {
			p->argv[++*nargs] = arg;
			continue;
		}
		if (strcmp(arg, "--") == 0) {
			flags_ended = true;
			continue;
		}
		if (arg[1] != '-')
			return err_set(err, ERR_USAGE, WHERE,
			               "unknown option %.20s; options begin with two dashes", arg);
		w.length = strcspn(w.name, "=");
		w.value = w.name[w.length] ? w.name + w.length + 1 : NULL;
		if (!take_flag(p, &w, err))
			return false;
	}
	return true;
}

static bool check_needs(const struct config *c, unsigned groups, struct err *err)
{
	for (size_t i = 0; i < option_need_count; i++) {
		const struct option_need *n = &option_needs[i];
		const struct option *when = &option_table[n->when], *o = &option_table[n->needs];
		char name[OPTION_ENV_MAX];

		if (!(when->group & groups) || !config_is(c, n->when, n->is) ||
		    config_is_set(c, n->needs))
			continue;
		option_env_name(o, name);
		return err_set(err, ERR_CONFIG, WHERE,
		               "%s is %s, so %s must be given (--%s or %s%s)", when->name, n->is,
		               o->name, o->name, name,
		               o->secret ? ", or a file by the same name and _FILE" : "");
	}
	return true;
}

struct config *config_load(unsigned groups, const struct config_flag *flags, int argc, char **argv,
                           int *nargs, struct err *err)
{
	struct config *c = calloc(1, sizeof *c);
	struct parse p = {c, groups, flags ? flags : no_flags, argc, argv, 1};
	const char *path = env_file_path(groups, argc, argv);
	struct dotenv *file = NULL;

	if (!c) {
		err_set(err, ERR_NOMEM, WHERE, "out of memory");
		return NULL;
	}
	if (path && !(file = dotenv_read(path, err)))
		goto failed;
	for (size_t i = 0; i < OPTION_COUNT; i++) {
		const struct option *o = &option_table[i];

		if (!set_value(c, o, o->name, o->fallback, CONFIG_DEFAULT, ERR_INTERNAL, err))
			goto failed;
		if ((o->group & groups) && !load_environment(c, o, file, err))
			goto failed;
	}
	if (!load_flags(&p, nargs, err) || !check_needs(c, groups, err))
		goto failed;
	dotenv_free(file);
	return c;
failed:
	dotenv_free(file);
	config_free(c);
	return NULL;
}

void config_free(struct config *c)
{
	if (!c)
		return;
	for (size_t i = 0; i < OPTION_COUNT; i++) {
		config_value_free(&option_table[i], &c->values[i]);
		free(c->references[i]);
	}
	if (c->free_kept)
		c->free_kept(c->kept);
	free(c);
}

/* ---- references ---- */

bool config_is_reference(const struct config *c, enum option_id id)
{
	return option_table[id].secret && strncmp(config_str(c, id), "vault:", 6) == 0;
}

bool config_has_references(const struct config *c)
{
	for (size_t i = 0; i < OPTION_COUNT; i++)
		if (config_is_reference(c, (enum option_id)i))
			return true;
	return false;
}

bool config_resolve(struct config *c, config_lookup *lookup, void *ctx, struct err *err)
{
	for (size_t i = 0; i < OPTION_COUNT; i++) {
		const struct option *o = &option_table[i];
		struct buf value = BUF_INIT(CONFIG_FILE_MAX);
		bool ok;

		if (!config_is_reference(c, (enum option_id)i))
			continue;
		c->references[i] = str_dup(str_of(c->values[i].text));
		ok =
		    (c->references[i] || err_set(err, ERR_NOMEM, WHERE, "out of memory")) &&
		    lookup(ctx, (enum option_id)i, c->references[i], &value, err) &&
		    buf_ok(&value, o->name, err) &&
		    set_value(c, o, o->name, value.p ? value.p : "", CONFIG_VAULT, ERR_CONFIG, err);
		buf_wipe(&value);
		if (!ok)
			return false;
	}
	return true;
}

void config_keep(struct config *c, void *kept, void (*free_kept)(void *))
{
	c->kept = kept;
	c->free_kept = free_kept;
}

void *config_kept(const struct config *c)
{
	return c->kept;
}

const char *config_reference(const struct config *c, enum option_id id)
{
	return c->references[id];
}

/* ---- hiding ---- */

static void hide(char *text)
{
	if (text)
		explicit_bzero(text, strlen(text));
}

/* The value behind --NAME or --NAME=. */
static void hide_flag(const struct option *o, int argc, char **argv)
{
	size_t n = strlen(o->name);

	for (int i = 1; i < argc; i++) {
		if (strncmp(argv[i], "--", 2) != 0 || strncmp(argv[i] + 2, o->name, n) != 0)
			continue;
		if (argv[i][2 + n] == '=')
			hide(argv[i] + 3 + n);
		else if (!argv[i][2 + n] && i + 1 < argc)
			hide(argv[i + 1]);
	}
}

static void hide_variable(const char *name)
{
	hide(getenv(name));
	unsetenv(name);
}

void config_hide(int argc, char **argv)
{
	char name[OPTION_ENV_MAX];

	for (size_t i = 0; i < OPTION_COUNT; i++) {
		const struct option *o = &option_table[i];

		if (!o->secret)
			continue;
		hide_flag(o, argc, argv);
		option_env_name(o, name);
		hide_variable(name);
		for (const char *p = o->also; p && *p;) {
			size_t k = strcspn(p, "|");

			snprintf(name, sizeof name, "%.*s", (int)k, p);
			hide_variable(name);
			p += k + (p[k] == '|');
		}
	}
}

/* ---- reading ---- */

const char *config_str(const struct config *c, enum option_id id)
{
	return c->values[id].text;
}

int64_t config_int(const struct config *c, enum option_id id)
{
	assert(option_table[id].type == OPTION_INT);
	return c->values[id].number;
}

int64_t config_ms(const struct config *c, enum option_id id)
{
	assert(option_table[id].type == OPTION_DURATION);
	return c->values[id].number;
}

size_t config_bytes(const struct config *c, enum option_id id)
{
	assert(option_table[id].type == OPTION_BYTES);
	return (size_t)c->values[id].number;
}

bool config_bool(const struct config *c, enum option_id id)
{
	assert(option_table[id].type == OPTION_BOOL);
	return c->values[id].number != 0;
}

bool config_is_set(const struct config *c, enum option_id id)
{
	return c->values[id].text[0] != '\0';
}

const char *config_str_or_null(const struct config *c, enum option_id id)
{
	return config_is_set(c, id) ? config_str(c, id) : NULL;
}

bool config_is(const struct config *c, enum option_id id, const char *choice)
{
	return strcmp(c->values[id].text, choice) == 0;
}

enum config_origin config_origin_of(const struct config *c, enum option_id id)
{
	return c->values[id].origin;
}

const char *config_origin_name(enum config_origin origin)
{
	static const char *const names[] = {"default", "env-file", "environment",
	                                    "file",    "flag",     "vault"};

	return names[origin];
}

const char *config_shown(const struct config *c, enum option_id id)
{
	return option_table[id].secret && config_is_set(c, id) ? "***" : config_str(c, id);
}

bool config_require(const struct config *c, enum option_id id, struct err *err)
{
	const struct option *o = &option_table[id];
	char name[OPTION_ENV_MAX];

	if (config_is_set(c, id))
		return true;
	option_env_name(o, name);
	return err_set(err, ERR_CONFIG, WHERE, "%s is not set: give --%s or set %s (%s)", o->name,
	               o->name, name, o->help);
}
