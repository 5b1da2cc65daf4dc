/* SPDX-License-Identifier: Apache-2.0 */
#include "secret/item.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/locked.h"

struct item *item_new(const char *path)
{
	struct item *i = calloc(1, sizeof *i);

	if (!i)
		return NULL;
	i->ends_ms = i->due_ms = INT64_MAX;
	i->path = str_dup(str_of(path));
	if (!i->path) {
		item_free(i);
		return NULL;
	}
	return i;
}

static void free_fields(struct item_field *fields, size_t n)
{
	for (size_t k = 0; k < n; k++) {
		free(fields[k].name);
		locked_free(fields[k].value);
	}
}

void item_free(struct item *i)
{
	if (!i)
		return;
	free_fields(i->fields, i->n);
	free(i->lease_id);
	free(i->path);
	free(i);
}

const char *item_get(const struct item *i, const char *name)
{
	for (size_t k = 0; k < i->n; k++)
		if (strcmp(i->fields[k].name, name) == 0)
			return i->fields[k].value;
	return NULL;
}

static bool value_text(yyjson_val *v, char number[32], struct str *out)
{
	if (yyjson_is_str(v))
		*out = (struct str){yyjson_get_str(v), yyjson_get_len(v)};
	else if (yyjson_is_bool(v))
		*out = str_of(yyjson_get_bool(v) ? "true" : "false");
	else if (yyjson_is_int(v)) {
		snprintf(number, 32, "%" PRId64, yyjson_get_sint(v));
		*out = str_of(number);
	} else {
		return false;
	}
	return !out->n || !memchr(out->p, '\0', out->n);
}

static bool same(const struct item *i, const struct item_field *fields, size_t n)
{
	if (i->n != n || !i->version)
		return false;
	for (size_t k = 0; k < n; k++) {
		const char *had = item_get(i, fields[k].name);

		if (!had || strcmp(had, fields[k].value) != 0)
			return false;
	}
	return true;
}

bool item_take(struct item *i, yyjson_val *data, struct err *err)
{
	struct item_field fields[ITEM_FIELDS_MAX];
	size_t n = 0, at, max;
	yyjson_val *key, *value;
	char number[32];
	struct str text;

	yyjson_obj_foreach(data, at, max, key, value)
	{
		if (!value_text(value, number, &text))
			continue;
		if (n == ITEM_FIELDS_MAX) {
			err_set(err, ERR_LIMIT, "vault", "%s has more than %d fields", i->path,
			        ITEM_FIELDS_MAX);
			goto failed;
		}
		fields[n].name = str_dup((struct str){yyjson_get_str(key), yyjson_get_len(key)});
		fields[n].value = locked_dup(text);
		n++;
		if (!fields[n - 1].name || !fields[n - 1].value) {
			err_set(err, ERR_NOMEM, "vault", "out of memory");
			goto failed;
		}
	}
	if (same(i, fields, n)) {
		free_fields(fields, n);
		return true;
	}
	free_fields(i->fields, i->n);
	memcpy(i->fields, fields, n * sizeof *fields);
	i->n = n;
	i->version++;
	return true;
failed:
	free_fields(fields, n);
	return false;
}
