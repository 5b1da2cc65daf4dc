/* SPDX-License-Identifier: Apache-2.0
 *
 * s3_list.h: what lies in a bucket: objects, and uploads that nobody has completed. Lists are read
 * page by page (1,000 entries); a list that does not go on is an error, not a loop. Private to
 * src/land.
 */
#ifndef FHIRLINE_LAND_S3_LIST_H
#define FHIRLINE_LAND_S3_LIST_H

#include "land/s3_client.h"

enum { S3_UPLOAD_ID_MAX = 1024 };

struct s3_entry {
	char key[S3_KEY_MAX]; /* whole, the prefix of the landing zone included */
	char upload[S3_UPLOAD_ID_MAX];
	int64_t size; /* of an object */
};

/* False, with *err, ends the list. */
typedef bool (*s3_each)(void *ctx, const struct s3_entry *entry, struct err *err);

/* Those whose names begin with `start` ("": all), in bytewise order. */
bool s3_each_object(struct s3_client *c, const char *start, s3_each each, void *ctx,
                    struct err *err);
/* MinIO: `start` must be a whole name, else the list is empty. */
bool s3_each_upload(struct s3_client *c, const char *start, s3_each each, void *ctx,
                    struct err *err);

#endif
