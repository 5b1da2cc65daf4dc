/* SPDX-License-Identifier: Apache-2.0
 *
 * vault_http.h: one request to Vault's HTTP API (or OpenBao's, which is the same), and what its
 * answers mean.
 *
 * Errors say what to do and name the step, never what the server said: its words may quote a
 * connection string. ERR_BUSY, retryable: sealed, standby, too busy. ERR_FORBIDDEN: a policy, or
 * the token is gone. ERR_NOT_FOUND: no such path. ERR_AUTH: a login was refused.
 */
#ifndef FHIRLINE_SECRET_VAULT_HTTP_H
#define FHIRLINE_SECRET_VAULT_HTTP_H

#include <yyjson.h>

#include "base/clock.h"
#include "http/client.h"

struct vault_http;

/* `addr` as VAULT_ADDR has it. Strings are copied. */
struct vault_http *vault_http_new(const char *addr, const char *namespace_, const char *ca_file,
                                  struct err *err);
void vault_http_free(struct vault_http *h); /* NULL is fine */
/* Requests end with ERR_CANCELLED, now and until it is taken back. */
void vault_http_stop(struct vault_http *h, bool stop);

struct vault_request {
	const char *method;
	const char *path;   /* behind /v1/ */
	const char *token;  /* NULL: none */
	struct str body;    /* JSON; p NULL: none */
	const char *what;   /* "reading secret/data/x", for messages */
	const char *wrap;   /* X-Vault-Wrap-TTL; NULL: none */
	bool login;         /* a refusal is about who we are, not about what we may */
	bool once;          /* no second attempt */
	int64_t timeout_ms; /* 0: 30 s */
};

/* The JSON of the answer; all of it is wiped by vault_answer_free(). */
struct vault_answer {
	yyjson_val *root; /* NULL: no content */
	struct http_response resp;
	void *pool;
	size_t pool_size;
};

bool vault_http_call(struct vault_http *h, const struct vault_request *req,
                     struct vault_answer *answer, struct err *err);
void vault_answer_free(struct vault_answer *a); /* zeroed is fine */

/* A member that is a string, or STR_NONE; a number, or 0. */
struct str vault_str(yyjson_val *object, const char *name);
int64_t vault_int(yyjson_val *object, const char *name);
bool vault_bool(yyjson_val *object, const char *name);

#endif
