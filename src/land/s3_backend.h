/* SPDX-License-Identifier: Apache-2.0
 *
 * s3_backend.h: what the parts of the landing zone in a bucket share: s3.c (opening, lists, taking
 * away), s3_sink.c (writing) and s3_source.c (reading). Internal; the operations are described in
 * impl.h.
 */
#ifndef FHIRLINE_LAND_S3_BACKEND_H
#define FHIRLINE_LAND_S3_BACKEND_H

#include <stdatomic.h>

#include "land/impl.h"
#include "land/s3_client.h"

enum {
	S3_ETAG_MAX = 128,
	S3_XML_MAX = 4 << 20, /* bytes of an answer that is not an object */
};

struct s3_backend {
	struct land_backend base;
	struct s3_client *client;
	struct s3_backend *root; /* itself, or the one that it is a view of */
	atomic_bool swept;       /* of the root: a run was taken over; uploads may be there that its
	                            former owner began */
};

static inline struct s3_client *s3_client_of(const struct land_backend *b)
{
	return ((const struct s3_backend *)(const void *)b)->client;
}

/* A call whose answer says nothing more. */
bool s3_call_for_effect(struct s3_client *c, const struct s3_request *req, const int *fine,
                        struct err *err);

/* The name in the landing zone of a key; NULL when it is not one of its own. */
const char *s3_name_of(const struct s3_client *c, const char *key);

/* Ends the uploads of all names that begin with `start`. */
bool s3_end_uploads(struct s3_client *c, const char *start, struct err *err);

struct land_sink *s3_create(struct land_backend *b, const char *name, bool replace,
                            struct err *err);
bool s3_write(struct land_sink *sink, const void *bytes, size_t n, struct err *err);
bool s3_commit(struct land_sink *sink, struct err *err);
void s3_abort(struct land_sink *sink);

struct land_source *s3_open(struct land_backend *b, const char *name, struct err *err);
bool s3_read(struct land_source *source, void *p, size_t cap, size_t *got, struct err *err);
void s3_close_source(struct land_source *source);
bool s3_range(struct land_backend *b, const char *name, int64_t offset, void *p, size_t n,
              struct err *err);
bool s3_size(struct land_backend *b, const char *name, int64_t *size, struct err *err);

#endif
