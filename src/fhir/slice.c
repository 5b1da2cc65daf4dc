/* SPDX-License-Identifier: Apache-2.0 */
#include "fhir/slice.h"

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

/* ---- by way of the document ---- */

/* Where a string of the document begins in the text, behind its quote; 0 when that cannot be said.
 */
static size_t offset_of(const yyjson_doc *doc, struct str text, yyjson_val *string)
{
	const char *p = string->uni.str;
	size_t at;

	if (!doc->str_pool || !unsafe_yyjson_is_str(string) || p <= doc->str_pool ||
	    p > doc->str_pool + text.n)
		return 0;
	at = (size_t)(p - doc->str_pool);
	return text.p[at - 1] == '"' ? at : 0;
}

static const char *skip_blank_back(const char *p, const char *start)
{
	while (p > start && (p[-1] == ' ' || p[-1] == '\n' || p[-1] == '\r' || p[-1] == '\t'))
		p--;
	return p;
}

/* Steps back over `marks`, in that order, with blanks between. NULL when something else stands
 * there. */
static const char *step_back(const char *p, const char *start, const char *marks)
{
	for (; *marks; marks++) {
		p = skip_blank_back(p, start);
		if (p == start || p[-1] != *marks)
			return NULL;
		p--;
	}
	return skip_blank_back(p, start);
}

static const char *end_by_next_name(const yyjson_doc *doc, struct str text, yyjson_val *array,
                                    yyjson_val *element, yyjson_val *value, const char *start)
{
	yyjson_val *next = unsafe_yyjson_get_next(value);
	bool inside = next < unsafe_yyjson_get_next(element); /* another member of the element */
	const char *end;
	size_t at;

	if (next >= unsafe_yyjson_get_next(array))
		return NULL;
	if (!inside && (!unsafe_yyjson_is_obj(next) || !unsafe_yyjson_get_len(next)))
		return NULL;
	at = offset_of(doc, text, inside ? next : next + 1); /* the next element's first name */
	if (!at)
		return NULL;
	end = step_back(text.p + at - 1, start, inside ? "," : "{,}");
	return end && end > start && end[-1] == '}' ? end : NULL;
}

struct str slice_of(const yyjson_doc *doc, struct str text, yyjson_val *array, yyjson_val *element,
                    yyjson_val *value)
{
	yyjson_val *name = value - 1; /* yyjson: a member's name stands before its value */
	size_t at = offset_of(doc, text, name), n = unsafe_yyjson_get_len(name);
	const char *end = text.p + text.n, *p = text.p + at;

	if (!at || !n || n >= text.n - at || memcmp(p, name->uni.str, n) != 0 || p[n] != '"')
		return STR_NONE;
	p = skip_blank(p + n + 1, end);
	if (p == end || *p != ':')
		return STR_NONE;
	p = skip_blank(p + 1, end);
	if (p == end || *p != '{')
		return STR_NONE;
	end = end_by_next_name(doc, text, array, element, value, p);
	if (!end)
		end = skip_container(p, text.p + text.n);
	return (struct str){p, (size_t)(end - p)};
}
