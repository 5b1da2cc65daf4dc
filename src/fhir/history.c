/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "fhir/bundle.h"
#include "fhir/search_url.h"
#include "fhir/source_internal.h"

/* "Patient/123", "Patient/123/_history/2", or either behind a base: the id. */
static struct str id_in_url(struct str url, const char *type)
{
	size_t tn = strlen(type);
	const char *from = NULL, *end = url.p + url.n, *p;

	for (p = url.p; p && (size_t)(end - p) > tn; p++)
		if (memcmp(p, type, tn) == 0 && p[tn] == '/' && (p == url.p || p[-1] == '/'))
			from = p + tn + 1;
	if (!from)
		return STR_NONE;
	for (p = from; p < end && *p != '/' && *p != '?' && *p != '#'; p++)
		;
	return p > from ? (struct str){from, (size_t)(p - from)} : STR_NONE;
}

static struct str deleted_id(yyjson_val *entry, const char *type)
{
	yyjson_val *request = yyjson_obj_get(entry, "request");
	struct str id = STR_NONE;

	if (!str_is(bundle_str(request, "method"), "DELETE"))
		return STR_NONE;
	id = id_in_url(bundle_str(request, "url"), type);
	return id.p ? id : id_in_url(bundle_str(entry, "fullUrl"), type);
}

static bool is_entry(yyjson_val *entry, const char *type)
{
	return str_is(bundle_str(yyjson_obj_get(entry, "resource"), "resourceType"), type);
}

static bool alloc_deleted(struct fhir_history_page *h, size_t n, struct err *err)
{
	h->deleted = calloc(n + 1, sizeof *h->deleted);
	h->deleted_at = calloc(n + 1, sizeof *h->deleted_at);
	h->deleted_after = calloc(n + 1, sizeof *h->deleted_after);
	return (h->deleted && h->deleted_at && h->deleted_after) ||
	       err_set_retry(err, ERR_NOMEM, "fhir.history", "out of memory");
}

static bool read_deleted(struct fhir_history_page *h, const char *type, struct err *err)
{
	yyjson_val *entries = yyjson_obj_get(yyjson_doc_get_root(h->page.doc), "entry"), *entry;
	size_t i, n, seen = 0;
	struct str id;

	if (!alloc_deleted(h, yyjson_arr_size(entries), err))
		return false;
	yyjson_arr_foreach(entries, i, n, entry)
	{
		if (is_entry(entry, type)) {
			seen++;
			continue;
		}
		id = deleted_id(entry, type);
		if (!id.p) {
			h->page.broken += str_is(
			    bundle_str(yyjson_obj_get(entry, "request"), "method"), "DELETE");
			continue;
		}
		h->deleted[h->deleted_count] = id;
		h->deleted_at[h->deleted_count] =
		    bundle_str(yyjson_obj_get(entry, "response"), "lastModified");
		h->deleted_after[h->deleted_count++] = seen;
	}
	return true;
}

static bool history_url(struct fhir_source *s, const char *type, int64_t since_us, const char *next,
                        struct buf *url, struct err *err)
{
	char since[CLOCK_TEXT], *link;

	if (next) {
		link = search_next_url(s->base, str_of(next), err);
		if (!link)
			return false;
		buf_add_cstr(url, link);
		free(link);
	} else {
		buf_printf(url, "%s/%s/_history?", s->base, type);
		if (since_us != INT64_MIN) {
			clock_format(since_us, since);
			buf_printf(url, "_since=%s&", since);
		}
		buf_printf(url, "_count=%d&_pretty=false", pace_count(s, type));
	}
	return buf_ok(url, "the history's address", err);
}

static void over_limit(struct fhir_source *s, const char *type, const char *next, struct err *err)
{
	if (err->code != ERR_LIMIT || strcmp(err->where, "http.body") != 0 ||
	    !pace_shrink(s, type, pace_count(s, type)))
		return;
	err->retryable = true;
	if (next)
		err_set(err, ERR_GONE, "fhir.history",
		        "a page of the %s history is over the limit of %zu bytes: it must be "
		        "started again with smaller pages",
		        type, s->max_body);
}

bool fhir_history(struct fhir_source *s, const char *type, int64_t since_us, const char *next,
                  const atomic_bool *cancel, struct fhir_history_page *page, struct err *err)
{
	struct fhir_history_page h = {0};
	struct buf url = BUF_INIT(SEARCH_NEXT_MAX);
	struct http_response resp = {0};
	char what[64];
	bool ok = false;

	snprintf(what, sizeof what, "the %s history", type);
	if (!history_url(s, type, since_us, next, &url, err))
		goto out;
	if (!source_ask(s, &(struct source_ask){.what = what, .url = url.p, .cancel = cancel},
	                &resp, err)) {
		over_limit(s, type, next, err);
		goto out;
	}
	if (!bundle_read(&resp, s->base, url.p, "history", type, what, &h.page, err) ||
	    !read_deleted(&h, type, err))
		goto out;
	pace_learn(s, type, h.page.response.body.n, h.page.count + h.deleted_count);
	*page = h;
	ok = true;
out:
	if (!ok)
		fhir_history_page_free(&h);
	http_response_free(&resp);
	buf_free(&url);
	return ok;
}

void fhir_history_page_free(struct fhir_history_page *p)
{
	free(p->deleted);
	free(p->deleted_at);
	free(p->deleted_after);
	fhir_page_free(&p->page);
	memset(p, 0, sizeof *p);
}
