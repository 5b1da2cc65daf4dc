/* SPDX-License-Identifier: Apache-2.0
 *
 * backend.h: what a place for the landing zone must do: hold named sequences of bytes. It knows
 * nothing of lines, zstd or hashes; land.c, write.c and read.c do, once for all back ends.
 *
 * Names are relative, made of [A-Za-z0-9=._-] and '/', and checked before they come here. A `struct
 * land_backend` may be used by many threads at once; a sink or a source belongs to one. Errors are
 * those of land.h, and name the last part of a name.
 *
 * A back end is a struct whose first member is `struct land_backend`, and its sinks and sources
 * likewise.
 */
#ifndef FHIRLINE_LAND_BACKEND_H
#define FHIRLINE_LAND_BACKEND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "land/land.h"

struct land_backend;

struct land_sink {
	const struct land_backend *backend;
};

struct land_source {
	const struct land_backend *backend;
};

struct land_backend_ops {
	void (*close)(struct land_backend *b);

	/* As land_view() and land_wake(). NULL: nothing of it waits. */
	struct land_backend *(*view)(struct land_backend *b, const atomic_bool *stop,
	                             struct err *err);
	void (*wake)(struct land_backend *b);

	/* Writing: nothing is visible under `name` until commit, which makes it durable. Without
	 * `replace` a name that is there already makes commit fail with ERR_CONFLICT and stays as
	 * it is. commit and abort free the sink, whatever happens. */
	struct land_sink *(*create)(struct land_backend *b, const char *name, bool replace,
	                            struct err *err);
	bool (*write)(struct land_sink *s, const void *p, size_t n, struct err *err);
	bool (*commit)(struct land_sink *s, struct err *err);
	void (*abort)(struct land_sink *s);

	/* Reading from the start; *got is 0 at the end. ERR_NOT_FOUND when there is no such name.
	 */
	struct land_source *(*open)(struct land_backend *b, const char *name, struct err *err);
	bool (*read)(struct land_source *s, void *p, size_t cap, size_t *got, struct err *err);
	void (*close_source)(struct land_source *s);

	/* `n` bytes from `offset`, all of them or ERR_DATA. */
	bool (*range)(struct land_backend *b, const char *name, int64_t offset, void *p, size_t n,
	              struct err *err);

	/* *size is -1 when there is no such name. */
	bool (*size)(struct land_backend *b, const char *name, int64_t *size, struct err *err);

	bool (*remove)(struct land_backend *b, const char *name,
	               struct err *err); /* missing is fine */
	bool (*remove_folder)(struct land_backend *b, const char *folder,
	                      struct err *err); /* missing is fine */

	/* Tells each name below `folder` ("": all) and its size, in bytewise order; `each`
	 * returning false, with *err, ends it. A folder that is not there has none. */
	bool (*list)(struct land_backend *b, const char *folder, land_each each, void *ctx,
	             struct err *err);

	/* What writers that died have left below `folder`, invisible to the others above. */
	bool (*sweep)(struct land_backend *b, const char *folder, struct err *err);
};

struct land_backend {
	const struct land_backend_ops *ops;
};

/* file.c: `path` is absolute and is made when missing; checks that it can be written. */
struct land_backend *land_file_open(const char *path, struct err *err);

#endif
