/* SPDX-License-Identifier: Apache-2.0
 *
 * encode.h: gzip, entity tags, and the request headers that ask for them (RFC
 * 9110 8.8.3, 12.5.3, 13.1.2).
 */
#ifndef FHIRLINE_API_ENCODE_H
#define FHIRLINE_API_ENCODE_H

#include <openssl/evp.h>
#include <stdbool.h>

#include "base/buf.h"

enum { ENCODE_ETAG = 64 };

bool encode_accepts_gzip(struct str accept_encoding);
bool encode_gzip(struct str body,
                 struct buf *out); /* fast rather than small; false: send it as it is */

/* A strong tag, with its quotes: the first 128 bits of SHA-256. "" when OpenSSL fails. */
void encode_etag(const EVP_MD *sha256, EVP_MD_CTX *ctx, struct str body, char out[ENCODE_ETAG]);

/* Whether If-None-Match names it: "*", or a list of tags, compared weakly; a tag's gzip form counts
 * as the same. */
bool encode_matches(struct str if_none_match, const char *etag);

#endif
