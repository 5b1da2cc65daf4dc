/* SPDX-License-Identifier: Apache-2.0 */
#include "base/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void fill(struct err *err, enum err_code code, bool retryable, const char *where,
                 const char *fmt, va_list ap) __attribute__((format(printf, 5, 0)));

static void fill(struct err *err, enum err_code code, bool retryable, const char *where,
                 const char *fmt, va_list ap)
{
	char text[sizeof err->text]; /* an argument may be err->text itself */

	vsnprintf(text, sizeof text, fmt, ap);
	memset(err, 0, sizeof *err);
	err->code = code;
	err->retryable = retryable;
	err->where = where;
	memcpy(err->text, text, sizeof text);
}

bool err_set(struct err *err, enum err_code code, const char *where, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fill(err, code, false, where, fmt, ap);
	va_end(ap);
	return false;
}

bool err_set_retry(struct err *err, enum err_code code, const char *where, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fill(err, code, true, where, fmt, ap);
	va_end(ap);
	return false;
}

bool err_set_errno(struct err *err, enum err_code code, const char *where, int errnum,
                   const char *fmt, ...)
{
	va_list ap;
	size_t n;

	va_start(ap, fmt);
	fill(err, code, false, where, fmt, ap);
	va_end(ap);
	n = strlen(err->text);
	/* strerror_l is not needed: glibc's strerror is thread-safe for known numbers */
	snprintf(err->text + n, sizeof err->text - n, ": %s", strerror(errnum));
	return false;
}

void err_prefix(struct err *err, const char *fmt, ...)
{
	char old[sizeof err->text];
	va_list ap;
	size_t n;

	memcpy(old, err->text, sizeof old);
	va_start(ap, fmt);
	vsnprintf(err->text, sizeof err->text, fmt, ap);
	va_end(ap);
	n = strlen(err->text);
	snprintf(err->text + n, sizeof err->text - n, ": %s", old);
}

static const char *const names[] = {
    [ERR_NONE] = "none",
    [ERR_USAGE] = "usage",
    [ERR_CONFIG] = "config",
    [ERR_NOMEM] = "no_memory",
    [ERR_IO] = "io",
    [ERR_LIMIT] = "limit",
    [ERR_NETWORK] = "network",
    [ERR_TIMEOUT] = "timeout",
    [ERR_TLS] = "tls",
    [ERR_PROTOCOL] = "protocol",
    [ERR_AUTH] = "auth",
    [ERR_FORBIDDEN] = "forbidden",
    [ERR_NOT_FOUND] = "not_found",
    [ERR_GONE] = "gone",
    [ERR_BUSY] = "busy",
    [ERR_DATA] = "data",
    [ERR_DB] = "database",
    [ERR_CONFLICT] = "conflict",
    [ERR_CANCELLED] = "cancelled",
    [ERR_INTERNAL] = "internal",
};

const char *err_code_name(enum err_code code)
{
	return (size_t)code < sizeof names / sizeof *names ? names[code] : "unknown";
}

enum err_code err_code_of(const char *name)
{
	for (size_t i = 0; name && i < sizeof names / sizeof *names; i++)
		if (strcmp(names[i], name) == 0)
			return (enum err_code)i;
	return ERR_INTERNAL;
}
