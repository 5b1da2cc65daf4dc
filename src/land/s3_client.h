/* SPDX-License-Identifier: Apache-2.0
 *
 * s3_client.h: one S3 request and its answer: addressing, encoding, signing, trying again, and what
 * the server's errors mean. Private to src/land; s3.c makes objects of it.
 */
#ifndef FHIRLINE_LAND_S3_CLIENT_H
#define FHIRLINE_LAND_S3_CLIENT_H

#include <stdatomic.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/hash.h"
#include "http/client.h"
#include "land/s3.h"

enum { S3_KEY_MAX = 1024, S3_HEADERS = 8, S3_QUERY = 6, S3_CODE = 64 };

struct s3_client;

struct s3_client *s3_client_new(const char *place, const struct land_s3_options *options,
                                struct err *err);
void s3_client_free(struct s3_client *c); /* NULL is fine */
/* Shares all with `c`, which must live longer, but ends when `stop` says so (land_view()). */
struct s3_client *s3_client_view(const struct s3_client *c, const atomic_bool *stop,
                                 struct err *err);
void s3_client_wake(struct s3_client *c);
bool s3_client_stopped(const struct s3_client *c);
size_t s3_part_size(const struct s3_client *c);
const char *s3_prefix(const struct s3_client *c); /* "" or "a/b/" */

struct s3_pair {
	const char *name, *value;
};

struct s3_request {
	const char *method;
	const char *name;                   /* in the landing zone; NULL: the bucket itself */
	const char *doing;                  /* for messages: "write", "read", … */
	struct s3_pair query[S3_QUERY];     /* sorted by name; not encoded; ends with a NULL name */
	struct s3_pair headers[S3_HEADERS]; /* end with a NULL name */
	struct str body;                    /* p NULL: none */
	bool checksum;                      /* send x-amz-checksum-sha256 of the body */
	const char *keep_header;
	size_t max_body;    /* of the answer */
	int64_t timeout_ms; /* for one attempt; 0: the usual */
	bool last; /* goes out once, briefly, even when the client must stop: to clean up */
};

struct s3_answer {
	struct http_response http;
	char code[S3_CODE]; /* of an <Error>, such as "NoSuchKey"; "" when there was none */
};

/* Sends it, and again where that helps. True for a 2xx without <Error>, and for statuses in
 * `fine` (ends with 0; NULL: none): the caller looks at answer->http.status. Free the answer when
 * true. */
bool s3_call(struct s3_client *c, const struct s3_request *req, const int *fine,
             struct s3_answer *answer, struct err *err);
void s3_answer_free(struct s3_answer *answer);

/* base64 of the SHA-256, as S3's headers have it, and in hexadecimal. */
#define S3_SHA_BASE64 45
bool s3_hash(struct str bytes, char base64[S3_SHA_BASE64], char hex[HASH_HEX]);

/* A key as it stands in a URL's path: all but unreserved characters and '/' encoded. For tests. */
bool s3_encode_path(struct buf *out, struct str key);

#endif
