/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox/pretty.h"

#include <string.h>

enum { MAX_DEPTH = 255, INDENT = 2 * MAX_DEPTH };

/* A growing output with room for one step always at hand. */
struct printer {
	struct buf *out;
	unsigned depth;  /* objects */
	unsigned levels; /* objects and arrays */
	bool array[2 * MAX_DEPTH];
};

static bool room(struct printer *p, size_t n)
{
	return buf_reserve(p->out, n + INDENT + 8);
}

static void put(struct printer *p, const char *s, size_t n)
{
	memcpy(p->out->p + p->out->n, s, n);
	p->out->n += n;
}

static void new_line(struct printer *p)
{
	size_t n = 2 * (size_t)p->depth;

	put(p, "\n", 1);
	memset(p->out->p + p->out->n, ' ', n);
	p->out->n += n;
}

/* Past the string that begins at s. */
static const char *string_end(const char *s, const char *end)
{
	const char *at = s + 1;

	while (at < end) {
		const char *quote = memchr(at, '"', (size_t)(end - at)), *back;

		if (!quote)
			return end;
		for (back = quote; back > s + 1 && back[-1] == '\\';)
			back--;
		if ((quote - back) % 2 == 0)
			return quote + 1;
		at = quote + 1;
	}
	return end;
}

static const char *plain_end(const char *s, const char *end)
{
	while (s < end && *s != ',' && *s != '}' && *s != ']')
		s++;
	return s;
}

static void open(struct printer *p, char c, const char *next)
{
	p->array[p->levels++] = c == '[';
	put(p, &c, 1);
	if (*next == '}' || *next == ']')
		return;
	if (c == '[') {
		put(p, " ", 1);
		return;
	}
	p->depth++;
	new_line(p);
}

static void close(struct printer *p, char c, char before)
{
	p->levels--;
	if (c == ']' && before != '[')
		put(p, " ", 1);
	if (c == '}' && before != '{') {
		p->depth--;
		new_line(p);
	}
	put(p, &c, 1);
}

static void comma(struct printer *p)
{
	put(p, ",", 1);
	if (p->array[p->levels - 1])
		put(p, " ", 1);
	else
		new_line(p);
}

bool pretty_print(struct str json, struct buf *out)
{
	struct printer p = {.out = out};
	const char *s = json.p, *end = json.p + json.n, *to;

	while (s < end) {
		to = s + 1;
		if (*s == '"')
			to = string_end(s, end);
		else if (!strchr("{}[],:", *s))
			to = plain_end(s, end);
		if (!room(&p, (size_t)(to - s)))
			return false;
		if (p.levels >= MAX_DEPTH || to > s + 1 || !strchr("{}[],:", *s))
			put(&p, s, (size_t)(to - s));
		else if (*s == '{' || *s == '[')
			open(&p, *s, to < end ? to : "}");
		else if ((*s == '}' || *s == ']') && p.levels)
			close(&p, *s, s[-1]);
		else if (*s == ',' && p.levels)
			comma(&p);
		else if (*s == ':')
			put(&p, ": ", 2);
		else
			put(&p, s, 1);
		s = to;
	}
	out->p[out->n] = '\0';
	return true;
}
