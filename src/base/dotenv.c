/* SPDX-License-Identifier: Apache-2.0 */
#include "base/dotenv.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/config.h"
#include "base/locked.h"

#define WHERE "dotenv"

enum { KEYS_MAX = 512 };

struct pair {
	char *key;
	char *value; /* locked */
};

struct dotenv {
	size_t n;
	struct pair pairs[KEYS_MAX];
};

/* One line; `p` moves over it. */
struct line {
	const char *p, *end;
	int number;
	struct str key;
};

static bool refuse(const struct line *l, struct err *err, const char *why)
{
	int n = (int)(l->key.n < 60 ? l->key.n : 60);

	if (!l->key.n)
		return err_set(err, ERR_CONFIG, WHERE, "line %d: %s", l->number, why);
	return err_set(err, ERR_CONFIG, WHERE, "line %d, %.*s: %s", l->number, n, l->key.p, why);
}

static void skip_blanks(struct line *l)
{
	while (l->p < l->end && (*l->p == ' ' || *l->p == '\t'))
		l->p++;
}

static bool is_name(char c, bool first)
{
	return c == '_' || (isascii((unsigned char)c) &&
	                    (first ? isalpha((unsigned char)c) : isalnum((unsigned char)c)));
}

static struct str take_name(struct line *l)
{
	const char *start = l->p;

	while (l->p < l->end && is_name(*l->p, l->p == start))
		l->p++;
	return (struct str){start, (size_t)(l->p - start)};
}

static bool take_key(struct line *l, struct err *err)
{
	struct str name = take_name(l);

	if (str_is(name, "export") && l->p < l->end && (*l->p == ' ' || *l->p == '\t')) {
		skip_blanks(l);
		name = take_name(l);
	}
	if (!name.n)
		return refuse(l, err, "no variable's name (letters, digits and _)");
	l->key = name;
	skip_blanks(l);
	if (l->p == l->end || *l->p != '=')
		return refuse(l, err, "there is no = behind the name");
	l->p++;
	skip_blanks(l);
	return true;
}

static bool substitutes(const struct line *l)
{
	return *l->p == '$' && l->p + 1 < l->end && (l->p[1] == '{' || is_name(l->p[1], true));
}

static const char dollar_text[] =
    "a $ before a name would be replaced by other programs; put the value in single quotes";

static bool take_escape(struct line *l, struct buf *out, struct err *err)
{
	static const char from[] = "nrt\\\"$", to[] = "\n\r\t\\\"$";
	const char *at;

	l->p++;
	at = l->p < l->end && *l->p ? strchr(from, *l->p) : NULL;
	if (!at)
		return refuse(l, err, "this escape is not known (\\n \\r \\t \\\\ \\\" \\$)");
	return buf_add_char(out, to[at - from]) || refuse(l, err, "the value is too long");
}

static bool take_quoted(struct line *l, struct buf *out, struct err *err)
{
	char quote = *l->p++;

	for (; l->p < l->end && *l->p != quote; l->p++) {
		if (quote == '"' && *l->p == '\\') {
			if (!take_escape(l, out, err))
				return false;
			continue;
		}
		if (quote == '"' && substitutes(l))
			return refuse(l, err, dollar_text);
		buf_add_char(out, *l->p);
	}
	if (l->p == l->end)
		return refuse(l, err, "the quote does not end on this line");
	l->p++;
	skip_blanks(l);
	if (l->p < l->end && *l->p != '#')
		return refuse(l, err, "something stands behind the closing quote");
	return true;
}

static bool take_plain(struct line *l, struct buf *out, struct err *err)
{
	for (const char *start = l->p; l->p < l->end; l->p++) {
		if (*l->p == '#' && (l->p == start || l->p[-1] == ' ' || l->p[-1] == '\t'))
			break;
		if (substitutes(l))
			return refuse(l, err, dollar_text);
		buf_add_char(out, *l->p);
	}
	while (out->n && (out->p[out->n - 1] == ' ' || out->p[out->n - 1] == '\t'))
		out->p[--out->n] = '\0';
	return true;
}

static bool keep(struct dotenv *d, const struct line *l, const struct buf *value, struct err *err)
{
	struct pair *pair = &d->pairs[d->n];

	for (size_t i = 0; i < d->n; i++)
		if (str_is(l->key, d->pairs[i].key))
			return refuse(l, err, "this variable is there twice");
	if (d->n == KEYS_MAX)
		return refuse(l, err, "more than 512 variables");
	*pair = (struct pair){str_dup(l->key), locked_dup((struct str){value->p, value->n})};
	d->n++; /* also half made, for dotenv_free() */
	if (!pair->key || !pair->value)
		return err_set(err, ERR_NOMEM, WHERE, "out of memory");
	return true;
}

static bool take_line(struct dotenv *d, struct line *l, struct err *err)
{
	struct buf value = BUF_INIT(CONFIG_FILE_MAX);
	bool ok;

	skip_blanks(l);
	if (l->p == l->end || *l->p == '#')
		return true;
	if (!take_key(l, err))
		return false;
	ok = l->p < l->end && (*l->p == '\'' || *l->p == '"') ? take_quoted(l, &value, err)
	                                                      : take_plain(l, &value, err);
	if (ok && value.failed)
		ok = refuse(l, err, "the value is too long");
	ok = ok && keep(d, l, &value, err);
	buf_wipe(&value);
	return ok;
}

struct dotenv *dotenv_parse(const char *text, size_t n, struct err *err)
{
	struct dotenv *d = calloc(1, sizeof *d);
	const char *end = text + n;
	struct line l = {.p = text};

	if (!d) {
		err_set(err, ERR_NOMEM, WHERE, "out of memory");
		return NULL;
	}
	while (l.p < end) {
		const char *stop = memchr(l.p, '\n', (size_t)(end - l.p)), *next;

		next = stop ? stop + 1 : end;
		l.end = stop ? stop : end;
		if (l.end > l.p && l.end[-1] == '\r')
			l.end--;
		l.number++;
		l.key = STR_NONE;
		if (!take_line(d, &l, err)) {
			dotenv_free(d);
			return NULL;
		}
		l.p = next;
	}
	return d;
}

struct dotenv *dotenv_read(const char *path, struct err *err)
{
	struct buf b = BUF_INIT(CONFIG_FILE_MAX);
	struct dotenv *d = NULL;

	if (config_read_file("env-file", path, &b, err)) {
		d = dotenv_parse(b.p ? b.p : "", b.n, err);
		if (!d)
			err_prefix(err, "%.100s", path);
	}
	buf_wipe(&b);
	return d;
}

void dotenv_free(struct dotenv *d)
{
	if (!d)
		return;
	for (size_t i = 0; i < d->n; i++) {
		free(d->pairs[i].key);
		locked_free(d->pairs[i].value);
	}
	free(d);
}

size_t dotenv_count(const struct dotenv *d)
{
	return d->n;
}

const char *dotenv_key(const struct dotenv *d, size_t i)
{
	return d->pairs[i].key;
}

const char *dotenv_value(const struct dotenv *d, size_t i)
{
	return d->pairs[i].value;
}

const char *dotenv_get(const struct dotenv *d, const char *key)
{
	for (size_t i = 0; i < d->n; i++)
		if (strcmp(d->pairs[i].key, key) == 0)
			return d->pairs[i].value;
	return NULL;
}
