/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "api/cursor.h"
#include "pg/json_row.h"
#include "api/server.h"
#include "base/hash.h"

/* A page ends early rather than grow beyond this: some observations carry notes of megabytes. */
enum { PAGE_BYTES = 8 * 1024 * 1024 };

/* The query of this request without its cursor, in the order of the table: what the cursor is bound
 * to, and the start of the link. */
static bool write_filters(struct request *r, const char *path, bool with_limit, struct buf *out)
{
	const struct param *p = r->match.route->params;
	char mark = '?';

	buf_add_cstr(out, path);
	for (int i = 0; p[i].name; i++) {
		bool is_limit = strcmp(p[i].name, "limit") == 0;

		if (p[i].in != PARAM_QUERY || !r->values[i].text.p || p[i].kind == PARAM_CURSOR ||
		    (is_limit && !with_limit))
			continue;
		buf_printf(out, "%c%s=", mark, p[i].name);
		buf_add_urlencoded(out, r->values[i].text);
		mark = '&';
	}
	return !out->failed;
}

/* The path with its parameters filled in. */
static char *own_path(struct request *r)
{
	return arena_printf(&r->arena, "%.*s", STR_FMT(r->path));
}

static uint64_t scope_of(struct request *r, const char *path)
{
	struct buf b = BUF_INIT(16 * 1024);
	uint64_t hash = 0;

	if (str_starts(str_of(path), "/v1/"))
		path += 3;
	if (write_filters(r, path, false, &b))
		hash = hash_bytes(b.p, b.n);
	buf_free(&b);
	return hash;
}

bool list_cursor(struct request *r, char position[128], size_t *n)
{
	const struct param_value *v = request_value(r, "cursor");
	const char *path = own_path(r);
	enum cursor_fate fate;

	*n = 0;
	if (!v->text.p)
		return true;
	if (!r->api->has_key || !path) {
		request_problem(r, PROBLEM_DATABASE, NULL, NULL,
		                "the server has just started; ask again in a second");
		return false;
	}
	fate = cursor_read(r->api->key, scope_of(r, path), v->text, position, n);
	if (fate == CURSOR_FINE)
		return true;
	if (fate == CURSOR_UNKNOWN)
		request_problem(
		    r, PROBLEM_NOT_FOUND, "cursor", "query",
		    "no page was ever given out under this cursor: take it from a next link");
	else
		request_problem(r, PROBLEM_CURSOR, "cursor", "query",
		                "it was changed, or belongs to another list: use it with the "
		                "filters of the page that it came "
		                "from");
	return false;
}

const char *list_limit(struct request *r, int slot)
{
	snprintf(r->sql_text[slot], sizeof r->sql_text[slot], "%lld",
	         (long long)request_value(r, "limit")->number + 1);
	return r->sql_text[slot];
}

const char *list_cursor_text(struct request *r, const char *position, size_t n, const char *path)
{
	char *text = arena_alloc(&r->arena, CURSOR_TEXT_MAX);

	if (!text || !r->api->has_key ||
	    !cursor_write(r->api->key, scope_of(r, path), position, n, text))
		return NULL;
	return text;
}

const char *list_link(struct request *r, const char *path, const char *cursor)
{
	struct buf b = BUF_INIT(16 * 1024);
	char *link = NULL;

	if (write_filters(r, path, true, &b))
		link = arena_printf(&r->arena, "%s&cursor=%s", b.p, cursor);
	buf_free(&b);
	return link;
}

void list_answer(struct request *r, const PGresult *result,
                 void (*row)(struct buf *, const PGresult *, int),
                 size_t (*position)(const PGresult *, int, char[128]))
{
	int rows = PQntuples(result), limit = (int)request_value(r, "limit")->number, i = 0;
	const char *path = own_path(r), *cursor = NULL, *link = NULL;
	char at[CURSOR_POSITION_MAX];

	buf_lit(&r->body, "{\"items\":[");
	for (; i < rows && i < limit && (i == 0 || r->body.n < PAGE_BYTES); i++) {
		if (i)
			buf_lit(&r->body, ",");
		row(&r->body, result, i);
	}
	if (i < rows) {
		cursor = path ? list_cursor_text(r, at, position(result, i - 1, at), path) : NULL;
		link = cursor ? list_link(r, path, cursor) : NULL;
		if (!link) {
			request_problem(r, PROBLEM_DATABASE, NULL, NULL,
			                "the server has just started; ask again in a second");
			return;
		}
	}
	buf_lit(&r->body, "],\"next\":");
	if (link)
		buf_add_json(&r->body, str_of(link));
	else
		buf_lit(&r->body, "null");
	buf_lit(&r->body, "}");
	request_json(r, 200);
}
