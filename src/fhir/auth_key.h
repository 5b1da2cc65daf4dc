/* SPDX-License-Identifier: Apache-2.0
 *
 * auth_key.h: a private key that signs the JWTs of SMART Backend Services. Private to src/fhir.
 *
 * RSA keys of at least 2,048 bits sign RS384, EC keys on P-384 sign ES384: the two that SMART asks
 * servers to support.
 */
#ifndef FHIRLINE_FHIR_AUTH_KEY_H
#define FHIRLINE_FHIR_AUTH_KEY_H

#include "base/buf.h"
#include "base/err.h"

struct auth_key;

/* `text`: a private key as PEM (PKCS #8, PKCS #1 or SEC 1, not encrypted), as a JWK, or as a JWK
 * set, of which the key with `kid` is taken, or the first private one. `kid` may be NULL when the
 * JWK has its own; a PEM key needs it. NULL with ERR_CONFIG. */
struct auth_key *auth_key_read(const char *text, const char *kid, struct err *err);
void auth_key_free(struct auth_key *k);

/* Appends the claims as a signed JWT in compact form. Not for several threads at once. */
bool auth_key_sign(const struct auth_key *k, struct str claims, struct buf *jwt, struct err *err);

#endif
