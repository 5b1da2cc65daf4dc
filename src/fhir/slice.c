/* SPDX-License-Identifier: Apache-2.0 */
#include "fhir/slice.h"

#include <yyjson.h>

static const char *skip_blank(const char *p, const char *end)
{
	while (p < end && (*p == ' ' || *p == '\n' || *p == '\r' || *p == '\t'))
		p++;
	return p;
}

/* From the opening quote to behind the closing one. */
static const char *skip_string(const char *p, const char *end)
{
	for (p++; p < end; p++) {
		if (*p == '"')
			return p + 1;
		if (*p == '\\' && ++p == end)
			break;
	}
	return end;
}

static const char *skip_container(const char *p, const char *end)
{
	size_t depth = 0;

	while (p < end) {
		switch (*p) {
		case '"':
			p = skip_string(p, end);
			continue;
		case '{':
		case '[':
			depth++;
			break;
		case '}':
		case ']':
			if (--depth == 0)
				return p + 1;
			break;
		default:
			break;
		}
		p++;
	}
	return end;
}

static const char *skip_value(const char *p, const char *end)
{
	if (p == end)
		return end;
	if (*p == '"')
		return skip_string(p, end);
	if (*p == '{' || *p == '[')
		return skip_container(p, end);
	while (p < end && *p != ',' && *p != '}' && *p != ']' && *p != ' ' && *p != '\n' &&
	       *p != '\r' && *p != '\t')
		p++;
	return p;
}

struct slice_iter slice_iter_of(struct str value)
{
	return (struct slice_iter){value.n ? value.p + 1 : value.p, value.p + value.n};
}

bool slice_next(struct slice_iter *it, struct str *value)
{
	const char *p = skip_blank(it->p, it->end), *after;

	if (p < it->end && *p == ',')
		p = skip_blank(p + 1, it->end);
	if (p == it->end || *p == ']' || *p == '}')
		return false;
	after = skip_value(p, it->end);
	*value = (struct str){p, (size_t)(after - p)};
	it->p = after;
	return true;
}

/* `text` with its quotes. Names with escapes are rare: yyjson reads those. */
static bool name_is(struct str text, const char *name)
{
	yyjson_doc *doc;
	bool same;

	if (!memchr(text.p, '\\', text.n))
		return text.n >= 2 && str_is((struct str){text.p + 1, text.n - 2}, name);
	doc = yyjson_read(text.p, text.n, 0);
	same = yyjson_equals_str(yyjson_doc_get_root(doc), name);
	yyjson_doc_free(doc);
	return same;
}

struct str slice_member(struct str object, const char *name)
{
	struct slice_iter it = slice_iter_of(object);
	struct str key, value;

	if (!object.n || object.p[0] != '{')
		return STR_NONE;
	while (slice_next(&it, &key)) {
		it.p = skip_blank(it.p, it.end);
		if (it.p < it.end && *it.p == ':')
			it.p++;
		if (!slice_next(&it, &value))
			break;
		if (name_is(key, name))
			return value;
	}
	return STR_NONE;
}
