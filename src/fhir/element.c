/* SPDX-License-Identifier: Apache-2.0
 *
 * Access to elements, their paths and rejects. Nothing here knows a resource type.
 */
#include "fhir/element.h"

#include <stdio.h>

#include "pg/copy.h"

enum { INDEXED_MAX = 1024 }; /* bytes; a btree entry of PostgreSQL holds 2,704 */

/* Appends one step; what does not fit is left out, and so is everything below it. */
static size_t path_write(const struct fhir_path *at, char *out, size_t size)
{
	size_t n = at->up ? path_write(at->up, out, size) : 0;
	int k;

	if (n >= size)
		return size;
	if (at->name)
		k = snprintf(out + n, size - n, "/%s", at->name);
	else
		k = snprintf(out + n, size - n, "/%zu", at->index);
	if (k < 0 || (size_t)k >= size - n) {
		out[n] = '\0';
		return size;
	}
	return n + (size_t)k;
}

static const char *last_name(const struct fhir_path *at)
{
	for (; at; at = at->up)
		if (at->name)
			return at->name;
	return "the resource";
}

/* Only the first reject counts. The reason is `subject`, `gap` and `what`. */
static void reject(struct fhir_mapping *m, const struct fhir_path *at, const char *subject,
                   const char *gap, const char *what)
{
	if (m->rejected)
		return;
	m->rejected = true;
	m->reject->pointer[0] = '\0';
	if (at)
		path_write(at, m->reject->pointer, sizeof(m->reject->pointer));
	snprintf(m->reject->reason, sizeof(m->reject->reason), "%s%s%s", subject, gap, what);
}

void fhir_reject_at(struct fhir_mapping *m, const struct fhir_path *up, const char *name,
                    const char *what)
{
	struct fhir_path place;

	reject(m, fhir_at(&place, up, name), name ? name : last_name(up), " ", what);
}

/* One look at eight bytes: is any of them NUL or not ASCII? */
static bool odd_bytes(const char *p)
{
	uint64_t w;

	memcpy(&w, p, sizeof(w));
	return ((w - 0x0101010101010101u) | w) & 0x8080808080808080u;
}

/* NULL when PostgreSQL's text can hold it, else what is wrong. */
static const char *text_fault(struct str s)
{
	size_t i = 0;

	while (i + 8 <= s.n && !odd_bytes(s.p + i))
		i += 8;
	/* the last bytes, once more together with some that were looked at */
	if (s.n >= 8 && i + 8 > s.n && !odd_bytes(s.p + s.n - 8))
		return NULL;
	while (i < s.n && (signed char)s.p[i] > 0)
		i++;
	if (i == s.n)
		return NULL;
	s.p += i;
	s.n -= i;
	if (memchr(s.p, '\0', s.n))
		return "holds a NUL character";
	return str_utf8_valid(s) ? NULL : "is not valid UTF-8";
}

struct str fhir_as_str(struct fhir_mapping *m, yyjson_val *v, const struct fhir_path *up,
                       const char *name)
{
	struct str s;
	const char *fault;

	if (fhir_absent(v))
		return STR_NONE;
	if (!yyjson_is_str(v)) {
		fhir_reject_at(m, up, name, "is not a string");
		return STR_NONE;
	}
	s = (struct str){yyjson_get_str(v), yyjson_get_len(v)};
	fault = text_fault(s);
	if (fault) {
		fhir_reject_at(m, up, name, fault);
		return STR_NONE;
	}
	return s;
}

struct str fhir_as_number(struct fhir_mapping *m, yyjson_val *v, const struct fhir_path *up,
                          const char *name)
{
	struct str s;

	if (fhir_absent(v))
		return STR_NONE;
	if (!yyjson_is_raw(v)) {
		fhir_reject_at(m, up, name, "is not a number");
		return STR_NONE;
	}
	s = (struct str){yyjson_get_raw(v), yyjson_get_len(v)};
	if (!pg_numeric_valid(s)) {
		fhir_reject_at(m, up, name, "is outside of what PostgreSQL's numeric holds");
		return STR_NONE;
	}
	return s;
}

int fhir_as_bool(struct fhir_mapping *m, yyjson_val *v, const struct fhir_path *up,
                 const char *name)
{
	if (fhir_absent(v))
		return -1;
	if (!yyjson_is_bool(v)) {
		fhir_reject_at(m, up, name, "is not a boolean");
		return -1;
	}
	return yyjson_get_bool(v);
}

yyjson_val *fhir_as_object(struct fhir_mapping *m, yyjson_val *v, const struct fhir_path *up,
                           const char *name)
{
	if (fhir_absent(v))
		return NULL;
	if (!yyjson_is_obj(v)) {
		fhir_reject_at(m, up, name, "is not an object");
		return NULL;
	}
	return v;
}

struct str fhir_indexed(struct fhir_mapping *m, struct str s, const struct fhir_path *up,
                        const char *name)
{
	if (s.n > INDEXED_MAX)
		fhir_reject_at(m, up, name, "is longer than 1,024 bytes");
	return s;
}

void fhir_each_begin(struct fhir_mapping *m, yyjson_val *array, const struct fhir_path *up,
                     const char *name, struct fhir_each *it)
{
	it->array = (struct fhir_path){up, name, 0};
	it->entry = (struct fhir_path){&it->array, NULL, 0};
	if (yyjson_arr_iter_init(array, &it->iter))
		return;
	if (!fhir_absent(array))
		fhir_reject_at(m, up, name, "is not an array");
	it->iter = (yyjson_arr_iter){0};
}

/* The next entry that is not absent. */
yyjson_val *fhir_each_next(struct fhir_each *it)
{
	yyjson_val *v;

	while ((v = yyjson_arr_iter_next(&it->iter)) && fhir_absent(v))
		;
	it->entry.index = it->iter.idx ? it->iter.idx - 1 : 0;
	return v;
}

yyjson_val *fhir_each_object(struct fhir_mapping *m, struct fhir_each *it)
{
	yyjson_val *v = fhir_each_next(it);

	return v ? fhir_as_object(m, v, &it->entry, NULL) : NULL;
}

struct str fhir_each_str(struct fhir_mapping *m, struct fhir_each *it)
{
	yyjson_val *v = fhir_each_next(it);

	return v ? fhir_as_str(m, v, &it->entry, NULL) : STR_NONE;
}

struct str *fhir_strings(struct fhir_mapping *m, yyjson_val *array, const struct fhir_path *up,
                         const char *name, size_t *n)
{
	struct fhir_each it;
	struct str *items, s;

	*n = 0;
	fhir_each_begin(m, array, up, name, &it);
	if (!it.iter.max)
		return NULL;
	items = arena_array(m->scratch, it.iter.max, sizeof(*items));
	if (!items) {
		m->failed = true;
		return NULL;
	}
	while ((s = fhir_each_str(m, &it)).p)
		items[(*n)++] = s;
	return items;
}

struct str fhir_join(struct fhir_mapping *m, const struct str *items, size_t n, const char *between)
{
	size_t gap = strlen(between), total = 0, count = 0;
	struct str only = STR_NONE;
	char *p, *w;

	for (size_t i = 0; i < n; i++)
		if (items[i].p) {
			only = items[i];
			total += items[i].n + gap;
			count++;
		}
	if (count < 2)
		return only;
	p = w = arena_alloc(m->scratch, total);
	if (!p) {
		m->failed = true;
		return STR_NONE;
	}
	for (size_t i = 0; i < n; i++) {
		if (!items[i].p)
			continue;
		if (w != p) {
			memcpy(w, between, gap);
			w += gap;
		}
		memcpy(w, items[i].p, items[i].n);
		w += items[i].n;
	}
	return (struct str){p, (size_t)(w - p)};
}

static bool field_matches(const struct fhir_field *f, const char *key, size_t n)
{
	if (n < f->length || key[0] != f->name[0])
		return false;
	if (f->choice ? n == f->length || key[f->length] < 'A' || key[f->length] > 'Z'
	              : n != f->length)
		return false;
	return memcmp(key, f->name, f->length) == 0;
}

static void slot_fill(struct fhir_mapping *m, const struct fhir_field *f, struct str key,
                      yyjson_val *v, const struct fhir_path *up, struct fhir_slot *slot)
{
	if (!f->choice) {
		if (!slot->value)
			slot->value = v;
		return;
	}
	if (yyjson_is_null(v) || (slot->value && str_eq(slot->key, key)))
		return;
	if (slot->value) {
		fhir_reject_choice(m, key, up, f->name, "more than once");
		return;
	}
	*slot = (struct fhir_slot){v, key, {key.p + f->length, key.n - f->length}};
}

void fhir_fields(struct fhir_mapping *m, yyjson_val *object, const struct fhir_path *up,
                 const struct fhir_field *fields, size_t n, struct fhir_slot *slots)
{
	yyjson_obj_iter iter = yyjson_obj_iter_with(object);
	yyjson_val *k;
	size_t guess = 0; /* servers write members in the specification's order, and so are the
	                     fields: the next one is near */

	memset(slots, 0, n * sizeof(*slots));
	while ((k = yyjson_obj_iter_next(&iter))) {
		struct str key = {yyjson_get_str(k), yyjson_get_len(k)};

		for (size_t tried = 0; tried < n; tried++) {
			size_t i = guess + tried < n ? guess + tried : guess + tried - n;

			if (!field_matches(&fields[i], key.p, key.n))
				continue;
			slot_fill(m, &fields[i], key, yyjson_obj_iter_get_val(k), up, &slots[i]);
			guess = i;
			break;
		}
	}
}

void fhir_reject_choice(struct fhir_mapping *m, struct str key, const struct fhir_path *up,
                        const char *choice, const char *what)
{
	char name[65];
	struct fhir_path place;
	bool plain = key.n < sizeof(name);

	/* a key is the sender's text: only one that looks like FHIR's may be repeated */
	for (size_t i = 0; plain && i < key.n; i++)
		plain =
		    (key.p[i] >= 'a' && key.p[i] <= 'z') || (key.p[i] >= 'A' && key.p[i] <= 'Z');
	if (plain)
		memcpy(name, key.p, key.n);
	name[plain ? key.n : 0] = '\0';
	reject(m, fhir_at(&place, up, plain ? name : NULL), choice, "[x] ", what);
}
