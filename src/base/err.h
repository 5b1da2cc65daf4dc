/* SPDX-License-Identifier: Apache-2.0
 *
 * err.h: the one error type.
 *
 * A function that can fail returns bool (true: it worked) or a pointer (NULL: it failed) and takes
 * `struct err *err` as its last parameter. On failure it fills *err and leaves its other
 * out-parameters untouched; on success it does not touch *err. `err` is never NULL. Libraries never
 * log: whoever decides what happens next does.
 *
 * `text` is for a person: what failed, with which non-secret particulars, and what to do. It never
 * contains patient data, a secret, a query string or a whole URL with credentials.
 */
#ifndef FHIRLINE_BASE_ERR_H
#define FHIRLINE_BASE_ERR_H

#include <stdbool.h>
#include <stdint.h>

enum err_code {
	ERR_NONE,
	ERR_USAGE,  /* the caller's arguments */
	ERR_CONFIG, /* a setting */
	ERR_NOMEM,
	ERR_IO,      /* a file or the disk */
	ERR_LIMIT,   /* a bound of ours was reached: body, page, buffer */
	ERR_NETWORK, /* could not connect, connection lost */
	ERR_TIMEOUT,
	ERR_TLS,
	ERR_PROTOCOL,  /* the peer does not speak what it should: HTML for JSON, broken gzip, wrong
	                  length */
	ERR_AUTH,      /* 401: who are you */
	ERR_FORBIDDEN, /* 403: you may not */
	ERR_NOT_FOUND, /* 404 */
	ERR_GONE,      /* 410: an expired search or a deleted resource */
	ERR_BUSY,      /* 429, 503: later */
	ERR_DATA,      /* a resource that cannot be used */
	ERR_DB,        /* PostgreSQL said no */
	ERR_CONFLICT,  /* somebody else owns it, or another context */
	ERR_CANCELLED,
	ERR_INTERNAL,
};

struct err {
	enum err_code code;
	bool retryable;         /* the same call may work later, unchanged */
	int64_t retry_after_ms; /* the peer's wish (Retry-After); 0 when it had none */
	int status;             /* HTTP status, 0 when none */
	const char *where;      /* static string: the step, for example "http.connect" */
	char text[512];
};

/* Fills *err (retryable: false) and returns false, so that `return err_set(...)` reads well. */
bool err_set(struct err *err, enum err_code code, const char *where, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

/* The same, marked retryable. */
bool err_set_retry(struct err *err, enum err_code code, const char *where, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

/* errno turned into text behind the message: "cannot open X: No such file or directory". */
bool err_set_errno(struct err *err, enum err_code code, const char *where, int errnum,
                   const char *fmt, ...) __attribute__((format(printf, 5, 6)));

/* Puts "fmt: " in front of the text that is there, cut to fit. */
void err_prefix(struct err *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* "timeout", "tls", …: a stable lower-case word for logs, problem+json and metrics labels. */
const char *err_code_name(enum err_code code);
enum err_code err_code_of(const char *name); /* ERR_INTERNAL: no such word */

#endif
