/* SPDX-License-Identifier: Apache-2.0 */
#include "fhir/source.h"

#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fhir/bundle.h"
#include "fhir/search_url.h"
#include "fhir/source_internal.h"

enum { AUTH_HEADER_MAX = 32 << 10 };

/* ---- opening ---- */

char *fhir_base_url(const char *text, struct err *err)
{
	return search_base_url(text, err);
}

static bool source_set(struct fhir_source *s, const struct fhir_source_options *o, struct err *err)
{
	s->base = search_base_url(o->base_url, err);
	if (!s->base)
		return false;
	if (!s->auth)
		s->auth = fhir_auth_none(err);
	if (!s->auth)
		return false;
	s->http = o->http;
	s->max_body = o->max_body ? o->max_body : (size_t)64 << 20;
	s->page_target = o->page_target ? o->page_target : (size_t)4 << 20;
	s->page_count = o->page_count > 0 ? o->page_count : 1000;
	for (int i = 0; i < PACE_TYPES; i++)
		s->pace[i].cap = s->page_count;
	return true;
}

struct fhir_source *fhir_source_open(const struct fhir_source_options *options, struct err *err)
{
	struct fhir_source *s = calloc(1, sizeof *s);

	if (!s) {
		fhir_auth_free(options->auth);
		err_set(err, ERR_NOMEM, "fhir.open", "out of memory");
		return NULL;
	}
	pthread_mutex_init(&s->lock, NULL);
	s->auth = options->auth;
	if (!source_set(s, options, err)) {
		fhir_source_close(s);
		return NULL;
	}
	return s;
}

void fhir_source_close(struct fhir_source *s)
{
	if (!s)
		return;
	fhir_auth_free(s->auth);
	pthread_mutex_destroy(&s->lock);
	free(s->base);
	free(s);
}

const char *fhir_source_url(const struct fhir_source *s)
{
	return s->base;
}

/* ---- one request ---- */

static bool send_as(struct fhir_source *s, const struct source_ask *ask, const char *authorization,
                    struct http_response *resp, struct err *err)
{
	const char *headers[6];
	size_t n = 0;
	struct http_request req = {
	    .method = ask->form.p ? "POST" : "GET",
	    .url = ask->url,
	    .headers = headers,
	    .body = ask->form,
	    .max_body = s->max_body,
	    .cancel = ask->cancel,
	};

	headers[n++] = "Accept: application/fhir+json";
	headers[n++] = "Cache-Control: no-cache"; /* never no-store: HAPI then returns 100 entries
	                                             and no next link */
	headers[n++] = "Prefer: handling=strict";
	if (ask->form.p)
		headers[n++] = "Content-Type: application/x-www-form-urlencoded";
	if (authorization)
		headers[n++] = authorization;
	headers[n] = NULL;
	if (http_fetch(s->http, &req, resp, err))
		return true;
	err_prefix(err, "%s", ask->what);
	return false;
}

/* Sends with the present credential; *generation says which that was. */
static bool send_once(struct fhir_source *s, const struct source_ask *ask, uint64_t *generation,
                      struct http_response *resp, struct err *err)
{
	struct buf line = BUF_INIT(AUTH_HEADER_MAX);
	bool ok = fhir_auth_header(s->auth, ask->cancel, &line, generation, err);

	if (ok)
		ok = send_as(s, ask, line.n ? line.p : NULL, resp, err);
	if (line.p)
		OPENSSL_cleanse(line.p, line.n);
	buf_free(&line);
	return ok;
}

bool source_ask(struct fhir_source *s, const struct source_ask *ask, struct http_response *resp,
                struct err *err)
{
	struct http_response r = {0};
	uint64_t generation = 0;

	if (!send_once(s, ask, &generation, &r, err))
		return false;
	if (r.status == 401 && fhir_auth_renewable(s->auth)) {
		http_response_free(&r);
		if (!fhir_auth_renew(s->auth, generation, ask->cancel, err) ||
		    !send_once(s, ask, &generation, &r, err))
			return false;
	}
	if (!bundle_status_err(&r, ask->what, err)) {
		http_response_free(&r);
		return false;
	}
	*resp = r;
	return true;
}

/* ---- searches ---- */

static bool has_param(const struct fhir_param *params, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(params[i].name, name) == 0)
			return true;
	return false;
}

/* The search's URL and, when that would be long, its form. */
static bool search_address(struct fhir_source *s, const char *type, const struct fhir_param *params,
                           size_t n, const struct fhir_param *ours, size_t ours_n, struct buf *url,
                           struct buf *form, struct err *err)
{
	search_params_add(form, params, n);
	for (size_t i = 0; i < ours_n; i++) {
		if (has_param(params, n, ours[i].name))
			continue;
		if (form->n)
			buf_add_char(form, '&');
		search_params_add(form, &ours[i], 1);
	}
	if (!buf_ok(form, "the search", err))
		return false;
	buf_printf(url, "%s/%s", s->base, type);
	if (url->n + 1 + form->n > SEARCH_URL_MAX) {
		buf_add_cstr(url, "/_search");
	} else {
		buf_printf(url, "?%s", form->p);
		buf_free(form);
	}
	return buf_ok(url, "the search's address", err);
}

static bool search_send(struct fhir_source *s, const char *type, const struct fhir_param *params,
                        size_t n, const struct fhir_param *ours, const char *what,
                        const atomic_bool *cancel, struct buf *url, struct http_response *resp,
                        struct err *err)
{
	struct buf form = BUF_INIT(SEARCH_FORM_MAX);
	struct source_ask ask = {.what = what, .cancel = cancel};
	bool ok = search_address(s, type, params, n, ours, 2, url, &form, err);

	if (ok) {
		ask.url = url->p;
		if (form.p)
			ask.form = (struct str){form.p, form.n};
		ok = source_ask(s, &ask, resp, err);
	}
	buf_free(&form);
	return ok;
}

static void page_learn(struct fhir_source *s, const char *type, const struct fhir_page *page)
{
	pace_learn(s, type, page->response.body.n,
	           page->count + page->outcomes + page->others + page->broken);
}

static bool over_limit(const struct err *err)
{
	return err->code == ERR_LIMIT && strcmp(err->where, "http.body") == 0;
}

bool fhir_search(struct fhir_source *s, const char *type, const struct fhir_param *params, size_t n,
                 const atomic_bool *cancel, struct fhir_page *page, struct err *err)
{
	struct buf url = BUF_INIT(SEARCH_FORM_MAX);
	struct http_response resp = {0};
	int count = pace_count(s, type);
	char what[64], count_text[16];
	const struct fhir_param ours[] = {{"_count", count_text}, {"_pretty", "false"}};
	bool ok;

	snprintf(what, sizeof what, "the %s search", type);
	snprintf(count_text, sizeof count_text, "%d", count);
	ok = search_send(s, type, params, n, ours, what, cancel, &url, &resp, err);
	if (ok)
		ok = bundle_read(&resp, s->base, url.p, "searchset", type, what, page, err);
	else if (over_limit(err))
		err->retryable = pace_shrink(s, type, count);
	if (ok)
		page_learn(s, type, page);
	http_response_free(&resp);
	buf_free(&url);
	return ok;
}

/* The page's size is fixed in its link, so that only a new search can bring smaller ones. */
static void next_over_limit(struct fhir_source *s, const char *type, struct err *err)
{
	if (!pace_shrink(s, type, pace_count(s, type)))
		return;
	err_set(err, ERR_GONE, "fhir.next",
	        "a page of the %s search is over the limit of %zu bytes: the search must be "
	        "started again with smaller pages",
	        type, s->max_body);
}

bool fhir_search_next(struct fhir_source *s, const char *type, const char *next,
                      const atomic_bool *cancel, struct fhir_page *page, struct err *err)
{
	char *url = search_next_url(s->base, str_of(next), err);
	struct http_response resp = {0};
	char what[80];
	bool ok;

	if (!url)
		return false;
	snprintf(what, sizeof what, "a further page of the %s search", type);
	ok = source_ask(s, &(struct source_ask){.what = what, .url = url, .cancel = cancel}, &resp,
	                err);
	if (ok)
		ok = bundle_read(&resp, s->base, url, "searchset", type, what, page, err);
	else if (over_limit(err))
		next_over_limit(s, type, err);
	if (ok)
		page_learn(s, type, page);
	http_response_free(&resp);
	free(url);
	return ok;
}

bool fhir_count(struct fhir_source *s, const char *type, const struct fhir_param *params, size_t n,
                const atomic_bool *cancel, int64_t *total, struct err *err)
{
	static const struct fhir_param ours[] = {{"_summary", "count"}, {"_pretty", "false"}};
	struct buf url = BUF_INIT(SEARCH_FORM_MAX);
	struct http_response resp = {0};
	struct fhir_page page = {0};
	char what[64];
	bool ok;

	snprintf(what, sizeof what, "counting %s", type);
	ok = search_send(s, type, params, n, ours, what, cancel, &url, &resp, err) &&
	     bundle_read(&resp, s->base, url.p, "searchset", type, what, &page, err);
	if (ok)
		*total = page.total;
	fhir_page_free(&page);
	http_response_free(&resp);
	buf_free(&url);
	return ok;
}

/* ---- one resource ---- */

static bool read_resource(struct http_response *resp, const char *type, const char *what,
                          struct fhir_page *page, struct err *err)
{
	struct fhir_page p = {.total = -1, .count = 1};
	yyjson_val *root;

	p.doc = bundle_parse(resp, what, err);
	if (!p.doc)
		return false;
	root = yyjson_doc_get_root(p.doc);
	if (!bundle_expect_type(root, type, what, err))
		goto failed;
	p.entries = calloc(1, sizeof *p.entries);
	if (!p.entries) {
		err_set_retry(err, ERR_NOMEM, "fhir.read", "%s: out of memory", what);
		goto failed;
	}
	p.entries[0] = (struct fhir_entry){bundle_text(resp), bundle_str(root, "id"), root};
	p.response = *resp;
	memset(resp, 0, sizeof *resp);
	*page = p;
	return true;
failed:
	fhir_page_free(&p);
	return false;
}

bool fhir_read(struct fhir_source *s, const char *type, struct str id, const atomic_bool *cancel,
               struct fhir_page *page, struct err *err)
{
	struct buf url = BUF_INIT(SEARCH_NEXT_MAX);
	struct http_response resp = {0};
	char what[64];
	bool ok;

	snprintf(what, sizeof what, "reading one %s", type);
	buf_printf(&url, "%s/%s/", s->base, type);
	buf_add_urlencoded(&url, id);
	buf_add_cstr(&url, "?_pretty=false");
	ok = buf_ok(&url, "the resource's address", err) &&
	     source_ask(s, &(struct source_ask){.what = what, .url = url.p, .cancel = cancel},
	                &resp, err) &&
	     read_resource(&resp, type, what, page, err);
	http_response_free(&resp);
	buf_free(&url);
	return ok;
}
