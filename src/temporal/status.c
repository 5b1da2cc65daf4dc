/* SPDX-License-Identifier: Apache-2.0
 *
 * status.c: gRPC's statuses as errors. gRPC core has few of its own: a broken handshake is
 * UNAVAILABLE, a message that is too large RESOURCE_EXHAUSTED. Only their words tell them apart.
 */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "temporal/rpc.h"

static const struct {
	const char *name;
	enum err_code code;
	bool retryable;
} statuses[] = {
    {"OK", ERR_NONE, false},
    {"CANCELLED", ERR_CANCELLED, false},
    {"UNKNOWN", ERR_PROTOCOL, false},
    {"INVALID_ARGUMENT", ERR_USAGE, false},
    {"DEADLINE_EXCEEDED", ERR_TIMEOUT, true},
    {"NOT_FOUND", ERR_NOT_FOUND, false},
    {"ALREADY_EXISTS", ERR_CONFLICT, false},
    {"PERMISSION_DENIED", ERR_FORBIDDEN, false},
    {"RESOURCE_EXHAUSTED", ERR_BUSY, true},
    {"FAILED_PRECONDITION", ERR_CONFLICT, false},
    {"ABORTED", ERR_BUSY, true},
    {"OUT_OF_RANGE", ERR_USAGE, false},
    {"UNIMPLEMENTED", ERR_PROTOCOL, false},
    {"INTERNAL", ERR_PROTOCOL, true},
    {"UNAVAILABLE", ERR_NETWORK, true},
    {"DATA_LOSS", ERR_DATA, false},
    {"UNAUTHENTICATED", ERR_AUTH, false},
};

enum { STATUSES = sizeof statuses / sizeof *statuses };

static bool has(struct str s, const char *part)
{
	return s.p && memmem(s.p, s.n, part, strlen(part));
}

/* What will not change by waiting: certificates that do not fit, a peer without TLS. Not a
 * connection that is lost within a handshake: that is SSL_ERROR_SYSCALL. */
static bool is_tls(struct str message)
{
	return has(message, "SSL_ERROR_SSL") || has(message, "Peer name") ||
	       has(message, "Hostname Verification");
}

/* On one line; a message can hold anything, and its end says less than its beginning. */
static void one_line(struct str message, char *out, size_t size)
{
	size_t n = 0;

	for (size_t i = 0; i < message.n && n + 1 < size; i++) {
		unsigned char c = (unsigned char)message.p[i];

		if (!iscntrl(c))
			out[n++] = (char)c;
		else if (n && out[n - 1] != ' ')
			out[n++] = ' ';
	}
	while (n && out[n - 1] == ' ')
		n--;
	out[n] = '\0';
}

bool rpc_status_err(int status, struct str message, const char *method, const char *target,
                    bool tls, struct err *err)
{
	int known = status >= 0 && status < STATUSES ? status : 2;
	enum err_code code = statuses[known].code;
	bool retryable = statuses[known].retryable;
	char words[300];

	if (!status)
		return true;
	one_line(message, words, sizeof words);
	if (code == ERR_NETWORK && is_tls(message)) {
		code = ERR_TLS;
		retryable = false;
	} else if (code == ERR_BUSY && has(message, "larger than max")) {
		code = ERR_LIMIT;
		retryable = false;
	}
	err_set(err, code, "temporal.call", "Temporal at %s answers %s with %s: %s", target, method,
	        statuses[known].name, words);
	err->retryable = retryable;
	/* gRPC core does not pass on the alert with which TLS 1.3 refuses a client's certificate */
	if (tls && code == ERR_NETWORK &&
	    (has(message, "Endpoint read failed") || has(message, "reset by peer") ||
	     has(message, "Socket closed")))
		snprintf(err->text + strlen(err->text), sizeof err->text - strlen(err->text),
		         " (a server that does not take our certificate ends connections so)");
	return false;
}
