/* SPDX-License-Identifier: Apache-2.0
 *
 * Which addresses are loopback: to listen on, and in Host headers.
 */
#include <arpa/inet.h>
#include <stdio.h>

#include "api/api.h"

static bool is_loopback_v4(struct str host)
{
	char text[INET_ADDRSTRLEN];
	struct in_addr a;

	if (host.n >= sizeof text)
		return false;
	snprintf(text, sizeof text, "%.*s", STR_FMT(host));
	return inet_pton(AF_INET, text, &a) == 1 && ntohl(a.s_addr) >> 24 == 127;
}

static bool is_loopback_v6(struct str host)
{
	return str_is(host, "::1");
}

/* "host:port", "[v6]:port", either without a port (*port stays). */
static bool split(struct str text, struct str *host, int64_t *port)
{
	const char *end;
	struct str rest;

	if (text.n && *text.p == '[') {
		end = memchr(text.p, ']', text.n);
		if (!end)
			return false;
		*host = (struct str){text.p + 1, (size_t)(end - text.p - 1)};
		end++;
	} else {
		end = memchr(text.p, ':', text.n);
		if (!end)
			end = text.p + text.n;
		*host = (struct str){text.p, (size_t)(end - text.p)};
	}
	rest = (struct str){end, (size_t)(text.p + text.n - end)};
	if (!rest.n)
		return true;
	return *rest.p == ':' && str_int((struct str){rest.p + 1, rest.n - 1}, 0, 65535, port);
}

static bool name_is_loopback(struct str host, bool brackets)
{
	return brackets ? is_loopback_v6(host)
	                : is_loopback_v4(host) || str_is_nocase(host, "localhost");
}

bool api_host_allowed(struct str text)
{
	struct str host;
	int64_t port = 0;

	return text.p && text.n && split(text, &host, &port) &&
	       name_is_loopback(host, *text.p == '[');
}

bool api_listen_parse(const char *text, char host[64], int *port, struct err *err)
{
	struct str s = str_of(text), name;
	int64_t number = -1;

	if (!s.n || !split(s, &name, &number) || number < 0)
		return err_set(
		    err, ERR_USAGE, "api.listen",
		    "the address to listen on must be host:port, for example 127.0.0.1:8080");
	if (!name_is_loopback(name, *s.p == '['))
		return err_set(err, ERR_USAGE, "api.listen",
		               "refusing to listen on %.60s: the API has no authentication yet and "
		               "would show patient data to "
		               "everybody who can reach it. Listen on 127.0.0.1, [::1] or "
		               "localhost; for other machines put "
		               "an SSH tunnel or an authenticating proxy in front",
		               text);
	if (str_is_nocase(name, "localhost"))
		name = STR("127.0.0.1");
	snprintf(host, 64, "%.*s", STR_FMT(name));
	*port = (int)number;
	return true;
}
