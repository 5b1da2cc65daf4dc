/* SPDX-License-Identifier: Apache-2.0 */
#include "fhir/search_url.h"

#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { ORIGIN_MAX = 300 };

static bool has_part(CURLU *u, CURLUPart part)
{
	char *s = NULL;
	bool there = curl_url_get(u, part, &s, 0) == CURLUE_OK;

	curl_free(s);
	return there;
}

static bool base_check(const char *text, struct err *err)
{
	char origin[ORIGIN_MAX];
	CURLU *u = curl_url();
	bool ok = false;

	if (!u)
		return err_set(err, ERR_NOMEM, "fhir.open", "out of memory");
	if (!http_origin(str_of(text), origin, sizeof origin) ||
	    curl_url_set(u, CURLUPART_URL, text, 0) != CURLUE_OK)
		err_set(err, ERR_CONFIG, "fhir.open",
		        "the FHIR address must be an absolute http or https URL, for example "
		        "https://host/fhir (FHIRLINE_FHIR_URL)");
	else if (has_part(u, CURLUPART_USER) || has_part(u, CURLUPART_PASSWORD))
		err_set(err, ERR_CONFIG, "fhir.open",
		        "the FHIR address must not hold a user name or password: give them as "
		        "FHIRLINE_FHIR_AUTH=basic, "
		        "FHIRLINE_FHIR_USER and FHIRLINE_FHIR_PASSWORD");
	else if (has_part(u, CURLUPART_QUERY) || has_part(u, CURLUPART_FRAGMENT))
		err_set(err, ERR_CONFIG, "fhir.open",
		        "the FHIR address must not have a query or fragment (FHIRLINE_FHIR_URL)");
	else
		ok = true;
	curl_url_cleanup(u);
	return ok;
}

char *search_base_url(const char *text, struct err *err)
{
	struct str s = str_trim(str_of(text ? text : ""));
	char *base = str_dup(s);

	if (!base) {
		err_set(err, ERR_NOMEM, "fhir.open", "out of memory");
		return NULL;
	}
	if (!base_check(base, err)) {
		free(base);
		return NULL;
	}
	for (size_t n = s.n; n && base[n - 1] == '/'; n--)
		base[n - 1] = '\0';
	return base;
}

void search_value_add(struct buf *b, struct str s)
{
	size_t from = 0;

	for (size_t i = 0; i < s.n; i++) {
		if (!strchr(",:/", s.p[i]) || !s.p[i])
			continue;
		buf_add_urlencoded(b, (struct str){s.p + from, i - from});
		buf_add_char(b, s.p[i]);
		from = i + 1;
	}
	buf_add_urlencoded(b, (struct str){s.p + from, s.n - from});
}

void search_params_add(struct buf *b, const struct fhir_param *params, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (i)
			buf_add_char(b, '&');
		search_value_add(b, str_of(params[i].name));
		buf_add_char(b, '=');
		search_value_add(b, str_of(params[i].value));
	}
}

/* Resolved against "base/". NULL when it cannot be. */
static char *resolve(const char *base, const char *link)
{
	struct buf with_slash = BUF_INIT(SEARCH_NEXT_MAX);
	char *found = NULL, *copy = NULL;
	CURLU *u = curl_url();

	buf_add_cstr(&with_slash, base);
	buf_add_char(&with_slash, '/');
	if (u && !with_slash.failed &&
	    curl_url_set(u, CURLUPART_URL, with_slash.p, 0) == CURLUE_OK &&
	    curl_url_set(u, CURLUPART_URL, link, 0) == CURLUE_OK &&
	    curl_url_set(u, CURLUPART_FRAGMENT, NULL, 0) == CURLUE_OK &&
	    curl_url_get(u, CURLUPART_URL, &found, 0) == CURLUE_OK)
		copy = str_dup(str_of(found));
	curl_free(found);
	curl_url_cleanup(u);
	buf_free(&with_slash);
	return copy;
}

static bool printable(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] <= ' ' || s.p[i] == 0x7f)
			return false;
	return s.n > 0;
}

static bool same_origin(const char *base, const char *url, struct err *err)
{
	char want[ORIGIN_MAX], have[ORIGIN_MAX];

	if (!http_origin(str_of(base), want, sizeof want))
		return err_set(err, ERR_INTERNAL, "fhir.next", "the FHIR address has no origin");
	if (!http_origin(str_of(url), have, sizeof have))
		return err_set(err, ERR_PROTOCOL, "fhir.next",
		               "the next link is not a URL that can be read");
	if (strcmp(want, have) != 0)
		return err_set(err, ERR_PROTOCOL, "fhir.next",
		               "the next link leads to %s, not to %s; behind a proxy the server "
		               "must be told its outer address "
		               "(HAPI: hapi.fhir.server_address)",
		               have, want);
	return true;
}

static bool is_absolute(const char *url)
{
	return strncasecmp(url, "http://", 7) == 0 || strncasecmp(url, "https://", 8) == 0;
}

char *search_next_url(const char *base, struct str link, struct err *err)
{
	char *text, *url;

	if (link.n > SEARCH_NEXT_MAX || !printable(link)) {
		err_set(err, ERR_PROTOCOL, "fhir.next", "the next link is %s",
		        link.n > SEARCH_NEXT_MAX
		            ? "too long"
		            : "empty or holds white space or control characters");
		return NULL;
	}
	text = str_dup(link);
	if (!text) {
		err_set(err, ERR_NOMEM, "fhir.next", "out of memory");
		return NULL;
	}
	/* An absolute link is opaque: it is sent as it came, not as a parser would write it. */
	url = is_absolute(text) && !strchr(text, '#') ? str_dup(link) : resolve(base, text);
	free(text);
	if (!url) {
		err_set(err, ERR_PROTOCOL, "fhir.next",
		        "the next link is not a URL that can be read");
		return NULL;
	}
	if (!same_origin(base, url, err)) {
		free(url);
		return NULL;
	}
	return url;
}
