/* SPDX-License-Identifier: Apache-2.0
 *
 * s3.h: what it takes to reach an S3 server, and its back end for the landing zone.
 *
 * Any server that speaks the S3 REST API with Signature Version 4: Amazon S3, MinIO, SeaweedFS, …
 * Where keys, region and endpoint come from when they are not given is aws_profile.h's business.
 *
 *   An object of up to `part_size` bytes is one PUT, a larger one a multipart upload, whose parts
 *   go out as they fill: a writer never holds more than one part. Each request carries the SHA-256
 *   of its bytes, which the server checks (x-amz-content-sha256, x-amz-checksum-sha256).
 *   An object lands once: the PUT, or the request that completes the upload, has
 *   `If-None-Match: *`. When the answer to it was lost and the next attempt finds the object there,
 *   the object's metadata (x-amz-meta-fhirline-writer) tell whether it was ours.
 *
 * What fails for a moment (no connection, 500, 503 SlowDown, RequestTimeout, bytes that were
 * damaged on the way) is tried again a few times within some seconds; then the error goes up,
 * retryable, to whoever decides about the batch.
 *
 * Errors (text says what to do): ERR_CONFIG: no such bucket, wrong region, clocks that differ,
 * no keys. ERR_AUTH: key unknown, secret wrong, token expired. ERR_FORBIDDEN: the keys may not.
 * ERR_IO, retryable: no room. ERR_CONFLICT, ERR_NOT_FOUND as in backend.h. Network and TLS as in
 * http/client.h. No message has a key, a secret or more of a name than its last part.
 */
#ifndef FHIRLINE_LAND_S3_H
#define FHIRLINE_LAND_S3_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

/* NULL or "": not given. */
struct land_s3_options {
	const char *endpoint; /* "https://minio.example:9000"; not given: Amazon's of the region */
	const char *region;   /* not given: us-east-1 */
	const char *key_id, *secret, *session_token;
	const char *ca_file;
	enum { LAND_S3_AUTO, LAND_S3_PATH, LAND_S3_VIRTUAL } addressing;
	size_t part_size; /* 0: 8 MiB; at least 5 MiB, as S3 wants it */
};

struct land_backend;

/* `place`: "bucket" or "bucket/prefix". Checks that it can be written: puts a small object and
 * takes it away again. Copies what it needs of `options`. */
struct land_backend *land_s3_open(const char *place, const struct land_s3_options *options,
                                  struct err *err);

#endif
