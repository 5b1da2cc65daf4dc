/* SPDX-License-Identifier: Apache-2.0
 *
 * secret.h: a store of secrets, behind a table of functions. The one kind there is is vault.h.
 *
 * (A secret in the environment, in a file that *_FILE names or in a .env file is a setting like any
 * other, base/config.h; nothing here is made or asked for it.)
 *
 * A path is read at its first secret_get(), which may block on the network; from then on the store
 * keeps it current by itself, and secret_get() gives what it has, at once: it may be called by an
 * event loop. Each change of a path's values has a new version. Safe to use by several threads.
 */
#ifndef FHIRLINE_SECRET_SECRET_H
#define FHIRLINE_SECRET_SECRET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

struct secret_store;

/* Appends the values of `n` fields of `path`, all of one version, to values[0] … values[n-1], which
 * the caller buf_wipe()s. *version may be NULL. ERR_NOT_FOUND names the field that is not there.
 * Once credentials have ended and there are no new ones: ERR_AUTH, retryable. */
bool secret_get(struct secret_store *s, const char *path, const char *const *fields,
                struct buf *values, size_t n, uint64_t *version, struct err *err);

/* 0 when the path has not been read. Cheap. */
uint64_t secret_version(struct secret_store *s, const char *path);

/* Somebody refused what that version holds: it is read again, soon and in the background, unless
 * there is a newer one already. */
void secret_refused(struct secret_store *s, const char *path, uint64_t version);

void secret_store_free(struct secret_store *s); /* NULL is fine */

/* For a new kind. `self` belongs to the store from here on, also on failure. */
struct secret_store_ops {
	bool (*get)(void *self, const char *path, const char *const *fields, struct buf *values,
	            size_t n, uint64_t *version, struct err *err);
	uint64_t (*version)(void *self, const char *path);
	void (*refused)(void *self, const char *path, uint64_t version);
	void (*free)(void *self);
};
struct secret_store *secret_store_new(const struct secret_store_ops *ops, void *self,
                                      struct err *err);

#endif
