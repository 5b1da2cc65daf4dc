/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>

#include "land/impl.h"

enum { PIECE = 256 * 1024 };

struct land_plain {
	struct land_backend *backend;
	struct land_sink *sink;
	struct hash_sha256 *hash;
	struct land_object object;
};

static void plain_free(struct land_plain *f)
{
	hash_sha256_free(f->hash);
	free(f);
}

struct land_plain *land_plain_create(struct land *l, const char *name, bool replace,
                                     struct err *err)
{
	struct land_plain *f;

	if (!land_name_check(name, err))
		return NULL;
	f = calloc(1, sizeof *f);
	if (!f) {
		err_set(err, ERR_NOMEM, "land.plain", "out of memory");
		return NULL;
	}
	f->backend = l->backend;
	snprintf(f->object.name, sizeof f->object.name, "%s", name);
	f->hash = hash_sha256_new(err);
	if (f->hash)
		f->sink = l->backend->ops->create(l->backend, name, replace, err);
	if (f->sink)
		return f;
	plain_free(f);
	return NULL;
}

bool land_plain_write(struct land_plain *f, const void *p, size_t n, struct err *err)
{
	if (!hash_sha256_add(f->hash, p, n))
		return err_set(err, ERR_INTERNAL, "land.plain", "SHA-256 failed");
	f->object.bytes += (int64_t)n;
	return f->backend->ops->write(f->sink, p, n, err);
}

bool land_plain_commit(struct land_plain *f, struct land_object *out, struct err *err)
{
	bool ok = hash_sha256_hex(f->hash, f->object.sha256);

	if (ok) {
		ok = f->backend->ops->commit(f->sink, err);
	} else {
		f->backend->ops->abort(f->sink);
		err_set(err, ERR_INTERNAL, "land.plain", "SHA-256 failed");
	}
	if (ok)
		*out = f->object;
	plain_free(f);
	return ok;
}

void land_plain_abort(struct land_plain *f)
{
	if (!f)
		return;
	f->backend->ops->abort(f->sink);
	plain_free(f);
}

/* ---- reading ---- */

static bool hash_source(struct land_backend *b, struct land_source *s, struct land_object *o,
                        struct err *err)
{
	struct hash_sha256 *hash = hash_sha256_new(err);
	char *piece = malloc(PIECE);
	size_t got = 1;
	bool ok = hash && (piece || err_set(err, ERR_NOMEM, "land.plain", "out of memory"));

	while (ok && got) {
		ok = b->ops->read(s, piece, PIECE, &got, err) &&
		     (hash_sha256_add(hash, piece, got) ||
		      err_set(err, ERR_INTERNAL, "land.plain", "SHA-256 failed"));
		o->bytes += ok ? (int64_t)got : 0;
	}
	ok = ok && (hash_sha256_hex(hash, o->sha256) ||
	            err_set(err, ERR_INTERNAL, "land.plain", "SHA-256 failed"));
	free(piece);
	hash_sha256_free(hash);
	return ok;
}

bool land_hash(struct land *l, const char *name, struct land_object *out, struct err *err)
{
	struct land_object o = {0};
	struct land_source *s;
	bool ok;

	if (!land_name_check(name, err))
		return false;
	snprintf(o.name, sizeof o.name, "%s", name);
	s = l->backend->ops->open(l->backend, name, err);
	if (!s)
		return false;
	ok = hash_source(l->backend, s, &o, err);
	l->backend->ops->close_source(s);
	if (ok)
		*out = o;
	return ok;
}
