/* SPDX-License-Identifier: Apache-2.0
 *
 * item.h: what one path of Vault holds now: its fields, and how long they are good. For vault.c,
 * which has the lock.
 */
#ifndef FHIRLINE_SECRET_ITEM_H
#define FHIRLINE_SECRET_ITEM_H

#include <yyjson.h>

#include "base/buf.h"
#include "base/err.h"

enum { ITEM_FIELDS_MAX = 64 };

struct item_field {
	char *name;
	char *value; /* locked */
};

struct item {
	struct item *next;
	char *path;
	struct item_field fields[ITEM_FIELDS_MAX];
	size_t n;
	int64_t read_ms;  /* when it was read or renewed last */
	uint64_t version; /* 1, 2, … with each change of a value */
	char *lease_id;   /* NULL: a KV value, which has no end */
	bool renewable;
	int64_t lease_ms; /* as it was given */
	int64_t ends_ms;  /* monotonic; INT64_MAX: never */
	int64_t due_ms;   /* when it is renewed or read again */
	int failures;     /* in a row */
};

struct item *item_new(const char *path); /* NULL: out of memory */
void item_free(struct item *i);          /* NULL is fine */

/* Takes the strings, numbers and booleans of `data`; the version counts when something differs. */
bool item_take(struct item *i, yyjson_val *data, struct err *err);

/* NULL: not there. */
const char *item_get(const struct item *i, const char *name);

#endif
