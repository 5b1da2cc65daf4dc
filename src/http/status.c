/* SPDX-License-Identifier: Apache-2.0 */
#include "http/client.h"

#include <ctype.h>
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void http_response_free(struct http_response *resp)
{
	free(resp->body.p);
	memset(resp, 0, sizeof *resp);
}

static bool status_fail(enum err_code code, bool retry, const struct http_response *resp,
                        const char *what, const char *hint, struct err *err)
{
	err_set(err, code, "http.status", "%.200s: HTTP %d%s%s", what, resp->status,
	        hint[0] ? ", " : "", hint);
	err->retryable = retry;
	err->status = resp->status;
	err->retry_after_ms = retry && resp->retry_after_ms > 0 ? resp->retry_after_ms : 0;
	return false;
}

bool http_status_err(const struct http_response *resp, const char *what, struct err *err)
{
	int s = resp->status;

	if (s >= 200 && s < 300)
		return true;
	if (s >= 300 && s < 400)
		return status_fail(
		    ERR_PROTOCOL, false, resp, what,
		    "a redirect; redirects are not followed: give the server's final address", err);
	switch (s) {
	case 401:
		return status_fail(ERR_AUTH, false, resp, what,
		                   "the server wants other credentials", err);
	case 403:
		return status_fail(ERR_FORBIDDEN, false, resp, what,
		                   "these credentials may not do this", err);
	case 404:
		return status_fail(ERR_NOT_FOUND, false, resp, what, "not found", err);
	case 408:
		return status_fail(ERR_TIMEOUT, true, resp, what, "the server gave up waiting",
		                   err);
	case 410:
		return status_fail(ERR_GONE, false, resp, what, "gone", err);
	case 429:
		return status_fail(ERR_BUSY, true, resp, what, "too many requests", err);
	case 503:
		return status_fail(ERR_BUSY, true, resp, what, "the server is busy or starting",
		                   err);
	default:
		return status_fail(ERR_PROTOCOL, s >= 500, resp, what, "", err);
	}
}

static bool origin_of(CURLU *u, char *out, size_t size)
{
	char *scheme = NULL, *host = NULL, *port = NULL;
	bool ok = false;
	int n;

	if (curl_url_get(u, CURLUPART_SCHEME, &scheme, 0) ||
	    curl_url_get(u, CURLUPART_HOST, &host, 0) ||
	    curl_url_get(u, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT))
		goto out;
	if (strcmp(scheme, "http") != 0 && strcmp(scheme, "https") != 0)
		goto out;
	for (char *p = host; *p; p++)
		*p = (char)tolower((unsigned char)*p);
	n = snprintf(NULL, 0, "%s://%s:%s", scheme, host, port);
	if (n < 0 || (size_t)n >= size)
		goto out;
	snprintf(out, size, "%s://%s:%s", scheme, host, port);
	ok = true;
out:
	curl_free(scheme);
	curl_free(host);
	curl_free(port);
	return ok;
}

bool http_origin(struct str url, char *out, size_t size)
{
	char *text;
	CURLU *u;
	bool ok;

	if (!url.p || memchr(url.p, '\0', url.n))
		return false;
	text = str_dup(url);
	u = curl_url();
	ok = text && u && strstr(text, "://") &&
	     curl_url_set(u, CURLUPART_URL, text, CURLU_NON_SUPPORT_SCHEME) == CURLUE_OK &&
	     origin_of(u, out, size);
	curl_url_cleanup(u);
	free(text);
	return ok;
}
