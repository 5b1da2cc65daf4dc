/* SPDX-License-Identifier: Apache-2.0 */
#include "secret/secret.h"

#include <stdlib.h>

struct secret_store {
	const struct secret_store_ops *ops;
	void *self;
};

struct secret_store *secret_store_new(const struct secret_store_ops *ops, void *self,
                                      struct err *err)
{
	struct secret_store *s = calloc(1, sizeof *s);

	if (!s) {
		ops->free(self);
		err_set(err, ERR_NOMEM, "secret.new", "out of memory");
		return NULL;
	}
	s->ops = ops;
	s->self = self;
	return s;
}

bool secret_get(struct secret_store *s, const char *path, const char *const *fields,
                struct buf *values, size_t n, uint64_t *version, struct err *err)
{
	return s->ops->get(s->self, path, fields, values, n, version, err);
}

uint64_t secret_version(struct secret_store *s, const char *path)
{
	return s->ops->version(s->self, path);
}

void secret_refused(struct secret_store *s, const char *path, uint64_t version)
{
	s->ops->refused(s->self, path, version);
}

void secret_store_free(struct secret_store *s)
{
	if (!s)
		return;
	s->ops->free(s->self);
	free(s);
}
