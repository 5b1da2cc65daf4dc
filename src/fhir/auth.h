/* SPDX-License-Identifier: Apache-2.0
 *
 * auth.h: who we are to a FHIR server.
 *
 * A struct fhir_auth gives the Authorization header of a request and, for kinds with tokens, gets a
 * new one. It is safe to share between threads: a token is renewed ahead of its expiry, by one
 * thread at a time; the others go on with the old one while it is good, and wait when it is not.
 * Secrets live in the object alone, are wiped when it is freed, and never appear in errors.
 *
 * Kinds: none; HTTP Basic (RFC 7617); a fixed bearer token (RFC 6750); OAuth 2.0 client credentials
 * (RFC 6749 4.4, with client_secret_basic); SMART Backend Services (client credentials with a
 * signed JWT, RFC 7523; RS384 or ES384).
 */
#ifndef FHIRLINE_FHIR_AUTH_H
#define FHIRLINE_FHIR_AUTH_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "http/client.h"

struct fhir_auth;

/* Constructors return NULL with ERR_CONFIG or ERR_NOMEM. Strings are copied. */
struct fhir_auth *fhir_auth_none(struct err *err);
struct fhir_auth *fhir_auth_basic(const char *user, const char *password,
                                  struct err *err); /* no ':' in user */
struct fhir_auth *fhir_auth_bearer(const char *token, struct err *err);

struct fhir_oauth_options {
	const char *token_url; /* SMART may leave it out: it is then read from
	                          <base_url>/.well-known/smart-configuration */
	const char *base_url;
	const char *client_id;
	const char *client_secret; /* client credentials */
	const char *scope; /* NULL: none; SMART: "system/Patient.rs system/Observation.rs" */
	const char *key;   /* SMART: the private key's text, PEM or JWK (auth_key.h says which) */
	const char
	    *key_id; /* SMART: under which its public half is registered; NULL: the JWK's own */
	struct http_client *http;  /* borrowed; must outlive the auth */
	const struct clock *clock; /* NULL: the system's */
};
struct fhir_auth *fhir_auth_client_credentials(const struct fhir_oauth_options *options,
                                               struct err *err);
struct fhir_auth *fhir_auth_smart_backend(const struct fhir_oauth_options *options,
                                          struct err *err);

void fhir_auth_free(struct fhir_auth *a); /* NULL is fine */

/* Appends "Authorization: …" to `header`, or nothing for none. May fetch a token first.
 * *generation: pass it to fhir_auth_renew() when the server refuses this header. */
bool fhir_auth_header(struct fhir_auth *a, const atomic_bool *cancel, struct buf *header,
                      uint64_t *generation, struct err *err);

bool fhir_auth_renewable(const struct fhir_auth *a);

/* The server refused the header of `generation`. Gets a new one, unless another thread has already.
 * ERR_AUTH when the token server refuses us. */
bool fhir_auth_renew(struct fhir_auth *a, uint64_t generation, const atomic_bool *cancel,
                     struct err *err);

/* For a new kind: what an implementation gives. `self` belongs to the auth from here on, also on
 * failure. */
struct fhir_auth_ops {
	bool (*header)(void *self, const atomic_bool *cancel, struct buf *header,
	               uint64_t *generation, struct err *err);
	bool (*renew)(void *self, uint64_t generation, const atomic_bool *cancel,
	              struct err *err); /* NULL: cannot */
	void (*free)(void *self);
};
struct fhir_auth *fhir_auth_new(const struct fhir_auth_ops *ops, void *self, struct err *err);

#endif
