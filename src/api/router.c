/* SPDX-License-Identifier: Apache-2.0 */
#include "api/router.h"

#include <stdio.h>
#include <string.h>

#include "api/cursor.h"
#include "api/when.h"
#include "base/hash.h"

/* ---- paths ---- */

static struct str next_segment(struct str *path)
{
	const char *slash;
	struct str s;

	path->p++; /* the '/' */
	path->n--;
	slash = path->n ? memchr(path->p, '/', path->n) : NULL;
	s = (struct str){path->p, slash ? (size_t)(slash - path->p) : path->n};
	path->p += s.n;
	path->n -= s.n;
	return s;
}

static bool path_fits(const char *template, struct str path, struct router_match *out)
{
	struct str t = str_of(template);

	out->segment_count = 0;
	while (t.n && path.n) {
		struct str want, have;

		if (*path.p != '/')
			return false;
		want = next_segment(&t);
		have = next_segment(&path);
		if (want.n && *want.p == '{') {
			if (!have.n)
				return false;
			out->segments[out->segment_count++] = have;
		} else if (!str_eq(want, have)) {
			return false;
		}
	}
	return !t.n && !path.n;
}

enum router_result router_match(const struct route *table, int count, enum method method,
                                struct str path, struct router_match *out)
{
	struct router_match m = {0};

	if (str_starts(path, "/v1/"))
		path = (struct str){path.p + 3, path.n - 3};
	for (int i = 0; i < count; i++) {
		if (!path_fits(table[i].path, path, &m))
			continue;
		m.methods |= 1u << table[i].method;
		if (table[i].method == method) {
			m.route = &table[i];
			break;
		}
	}
	*out = m;
	return m.route ? ROUTER_OK : m.methods ? ROUTER_NO_METHOD : ROUTER_NO_PATH;
}

void router_allow(unsigned methods, char out[64])
{
	snprintf(out, 64, "%s%sOPTIONS", methods & (1u << METHOD_GET) ? "GET, HEAD, " : "",
	         methods & (1u << METHOD_POST) ? "POST, " : "");
}

/* ---- values ---- */

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

struct str router_decode(struct arena *arena, struct str s, bool form)
{
	char *out = arena_alloc(arena, s.n + 1), *o = out;

	if (!out)
		return STR_NONE;
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];

		if (c == '%') {
			int high = i + 2 < s.n ? hex_digit(s.p[i + 1]) : -1;
			int low = i + 2 < s.n ? hex_digit(s.p[i + 2]) : -1;

			if (high < 0 || low < 0)
				return STR_NONE;
			c = (char)(high * 16 + low);
			i += 2;
		} else if (c == '+' && form) {
			c = ' ';
		}
		if (!c)
			return STR_NONE;
		*o++ = c;
	}
	s = (struct str){out, (size_t)(o - out)};
	return str_utf8_valid(s) ? s : STR_NONE;
}

static bool check_text(const struct param *p, struct arena *arena, struct str text,
                       const char **detail)
{
	int64_t characters = 0;

	for (size_t i = 0; i < text.n; i++) {
		unsigned char c = (unsigned char)text.p[i];

		if (c < 0x20 || c == 0x7f) {
			*detail = "must not contain control characters";
			return false;
		}
		if (p->kind == PARAM_KEY && (c <= 0x20 || c >= 0x7f)) {
			*detail = "must consist of visible ASCII characters";
			return false;
		}
		characters += (c & 0xc0) != 0x80;
	}
	if (characters >= 1 && characters <= p->max)
		return true;
	*detail = arena_printf(arena, "must be 1 to %lld characters long", (long long)p->max);
	return false;
}

static bool check_id(struct str text)
{
	for (size_t i = 0; i < text.n; i++) {
		char c = text.p[i];

		if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
		      c == '-' || c == '.'))
			return false;
	}
	return text.n >= 1 && text.n <= 64;
}

static bool check_int(const struct param *p, struct arena *arena, struct str text,
                      struct param_value *out, const char **detail)
{
	bool plain = text.n && (text.n == 1 || *text.p != '0');

	for (size_t i = 0; i < text.n; i++)
		plain &= text.p[i] >= '0' && text.p[i] <= '9';
	if (plain && str_int(text, p->min, p->max, &out->number))
		return true;
	*detail = arena_printf(arena, "must be a whole number from %lld to %lld", (long long)p->min,
	                       (long long)p->max);
	return false;
}

/* "a|b" as "must be one of: a, b" */
static size_t write_choices(char *to, const char *choices)
{
	char *start = to;

	to = mempcpy(to, "must be one of: ", 16);
	for (; *choices; choices++) {
		if (*choices != '|')
			*to++ = *choices;
		else
			to = mempcpy(to, ", ", 2);
	}
	return (size_t)(to - start);
}

static bool check_enum(const struct param *p, struct arena *arena, struct str text,
                       const char **detail)
{
	const char *c = p->choices;
	size_t n;
	char *list, *to;

	for (; *c; c += n + (c[n] == '|')) {
		n = strcspn(c, "|");
		if (n == text.n && memcmp(c, text.p, n) == 0)
			return true;
	}
	list = to = arena_alloc(arena, 2 * strlen(p->choices) + 32);
	if (list) {
		to += write_choices(to, p->choices);
		*to = '\0';
	}
	*detail = list;
	return false;
}

bool router_param_check(const struct param *p, struct arena *arena, struct str text,
                        struct param_value *out, const char **detail)
{
	out->text = text;
	switch (p->kind) {
	case PARAM_TEXT:
	case PARAM_KEY:
		return check_text(p, arena, text, detail);
	case PARAM_ID:
		*detail = "must be a FHIR id: 1 to 64 letters, digits, hyphens and dots";
		return check_id(text);
	case PARAM_ZIP:
		*detail = "must be a zip code of exactly five digits, for example 02139";
		return str_is_zip(text);
	case PARAM_UUID:
		*detail = "must be a run id: a UUID in lower case";
		return uuid_valid(text);
	case PARAM_INT:
		return check_int(p, arena, text, out, detail);
	case PARAM_ENUM:
		return check_enum(p, arena, text, detail);
	case PARAM_DATE:
		*detail = "must be a calendar date, YYYY-MM-DD";
		return when_parse_date(text, &out->number);
	case PARAM_TIME:
		*detail = "must be a calendar date (YYYY-MM-DD) or a date and time with its zone "
		          "(2024-02-29T12:34:56Z)";
		out->is_day = when_parse_date(text, &out->number);
		return out->is_day || when_parse_instant(text, &out->number);
	case PARAM_CURSOR:
		*detail = "must be a cursor from a next link";
		return cursor_looks_right(text);
	}
	return false;
}

/* ---- all of a request ---- */

static void check(const struct param *p, struct str raw, struct arena *arena,
                  struct param_value *out, struct problem *problem)
{
	static const char *const places[] = {"query", "path", "header"};
	struct str text = p->in == PARAM_HEADER ? arena_str(arena, raw)
	                                        : router_decode(arena, raw, p->in == PARAM_QUERY);
	const char *detail = "must be percent-encoded UTF-8 without NUL";

	if (!text.p || !router_param_check(p, arena, text, out, &detail))
		problem_add(problem, p->name, places[p->in], detail);
}

static const struct param *find_query(const struct param *params, struct str name, int *index)
{
	for (int i = 0; params && params[i].name; i++) {
		if (params[i].in == PARAM_QUERY && str_is(name, params[i].name)) {
			*index = i;
			return &params[i];
		}
	}
	return NULL;
}

static char *known_names(const struct param *params, struct arena *arena)
{
	char *text = NULL;

	for (int i = 0; params && params[i].name; i++)
		if (params[i].in == PARAM_QUERY)
			text = arena_printf(arena, "%s%s%s",
			                    text ? text : "is not a parameter here; allowed: ",
			                    text ? ", " : "", params[i].name);
	return text ? text : arena_printf(arena, "is not a parameter here; there are none");
}

static void query_pair(const struct route *route, struct str pair, struct arena *arena,
                       struct param_value values[ROUTE_PARAMS], struct problem *problem)
{
	const char *equals = memchr(pair.p, '=', pair.n);
	struct str raw_name = {pair.p, equals ? (size_t)(equals - pair.p) : pair.n};
	struct str raw = {equals ? equals + 1 : pair.p + pair.n,
	                  equals ? pair.n - raw_name.n - 1 : 0};
	struct str name = router_decode(arena, raw_name, true);
	const struct param *p;
	int i = 0;

	if (!name.p) {
		problem_add(problem, "query", "query", "must be percent-encoded UTF-8 without NUL");
		return;
	}
	p = find_query(route->params, name, &i);
	if (!p)
		problem_add(problem, name.n <= 64 ? name.p : "query", "query",
		            known_names(route->params, arena));
	else if (values[i].text.p)
		problem_add(problem, p->name, "query", "must not be given twice");
	else
		check(p, raw, arena, &values[i], problem);
}

static void query_all(const struct route *route, struct str query, struct arena *arena,
                      struct param_value values[ROUTE_PARAMS], struct problem *problem)
{
	while (query.n) {
		const char *amp = memchr(query.p, '&', query.n);
		size_t n = amp ? (size_t)(amp - query.p) : query.n;

		if (n)
			query_pair(route, (struct str){query.p, n}, arena, values, problem);
		n += amp != NULL;
		query.p += n;
		query.n -= n;
		if (problem->count == PROBLEM_FIELDS)
			return;
	}
}

bool router_params(const struct router_match *match, struct str query, router_header_fn *header,
                   void *ctx, struct arena *arena, struct param_value values[ROUTE_PARAMS],
                   struct problem *problem)
{
	const struct param *params = match->route->params;
	int segment = 0;

	memset(values, 0, sizeof(struct param_value) * ROUTE_PARAMS);
	*problem = (struct problem){.type = PROBLEM_PARAMETER};
	for (int i = 0; params && params[i].name; i++) {
		struct str h =
		    params[i].in == PARAM_HEADER ? header(ctx, params[i].name) : STR_NONE;

		if (params[i].in == PARAM_PATH)
			check(&params[i], match->segments[segment++], arena, &values[i], problem);
		else if (h.p)
			check(&params[i], h, arena, &values[i], problem);
	}
	query_all(match->route, query, arena, values, problem);
	for (int i = 0; params && params[i].name; i++) {
		if (values[i].text.p || problem->count)
			continue;
		if (params[i].fallback)
			check(&params[i], str_of(params[i].fallback), arena, &values[i], problem);
		else if (params[i].required)
			problem_add(problem, params[i].name, "query", "is required");
	}
	if (problem->count)
		problem->detail = arena_printf(arena, "%s %s", problem->fields[0].name,
		                               problem->fields[0].detail);
	return problem->count == 0;
}
