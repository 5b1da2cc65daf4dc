/* SPDX-License-Identifier: Apache-2.0 */
#include "fhir/bundle.h"

#include <stdlib.h>
#include <string.h>

#include "fhir/search_url.h"
#include "fhir/slice.h"

struct str bundle_str(yyjson_val *object, const char *name)
{
	yyjson_val *v = yyjson_obj_get(object, name);

	return yyjson_is_str(v) ? (struct str){yyjson_get_str(v), yyjson_get_len(v)} : STR_NONE;
}

struct str bundle_text(const struct http_response *resp)
{
	struct str s = str_trim((struct str){resp->body.p, resp->body.n});

	if (str_starts(s, "\xef\xbb\xbf"))
		s = str_trim((struct str){s.p + 3, s.n - 3});
	return s;
}

/* ---- what came instead ---- */

static const char *body_kind(const struct http_response *resp)
{
	struct str s = bundle_text(resp);

	if (!s.n)
		return "an empty answer";
	if (strcmp(resp->content_type, "text/html") == 0 ||
	    str_is_nocase((struct str){s.p, s.n < 5 ? s.n : 5}, "<html") ||
	    str_is_nocase((struct str){s.p, s.n < 9 ? s.n : 9}, "<!doctype"))
		return "an HTML page";
	if (s.p[0] == '<')
		return "XML";
	return s.p[0] == '{' || s.p[0] == '[' ? NULL : "something that is no JSON";
}

yyjson_doc *bundle_parse(const struct http_response *resp, const char *what, struct err *err)
{
	const yyjson_read_flag flags = YYJSON_READ_NUMBER_AS_RAW;
	const char *kind = body_kind(resp);
	struct str text = bundle_text(resp);
	yyjson_read_err e = {0};
	yyjson_doc *doc = NULL;

	if (!kind) {
		/* yyjson wants char *, but only writes to it with YYJSON_READ_INSITU. */
		char *p = resp->body.p + (text.p - resp->body.p);

		doc = yyjson_read_opts(p, text.n, flags, NULL, &e);
		if (!doc && e.code == YYJSON_READ_ERROR_INVALID_STRING)
			doc = yyjson_read_opts(p, text.n, flags | YYJSON_READ_ALLOW_INVALID_UNICODE,
			                       NULL, &e);
	}
	if (doc)
		return doc;
	if (kind)
		err_set_retry(err, ERR_PROTOCOL, "fhir.json",
		              "%s: the server sent %s instead of FHIR JSON (HTTP %d)", what, kind,
		              resp->status);
	else if (e.code == YYJSON_READ_ERROR_MEMORY_ALLOCATION)
		err_set_retry(err, ERR_NOMEM, "fhir.json",
		              "%s: out of memory for %zu bytes of JSON", what, resp->body.n);
	else
		err_set_retry(err, ERR_PROTOCOL, "fhir.json",
		              "%s: the server sent JSON that is broken at byte %zu of %zu", what,
		              e.pos, resp->body.n);
	err->status = resp->status;
	return NULL;
}

/* A resourceType is a word; anything else is not repeated. */
static bool type_word(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (!((s.p[i] | 0x20) >= 'a' && (s.p[i] | 0x20) <= 'z'))
			return false;
	return s.n > 0 && s.n <= 64;
}

bool bundle_expect_type(yyjson_val *root, const char *type, const char *what, struct err *err)
{
	struct str have = bundle_str(root, "resourceType");

	if (str_is(have, type))
		return true;
	if (type_word(have))
		return err_set_retry(err, ERR_PROTOCOL, "fhir.type",
		                     "%s: the server sent a FHIR %.*s instead of a %s", what,
		                     STR_FMT(have), type);
	return err_set_retry(err, ERR_PROTOCOL, "fhir.type",
	                     "%s: the server sent JSON that is no FHIR %s", what, type);
}

/* ---- entries ---- */

static bool outcome_is_error(yyjson_val *outcome)
{
	yyjson_val *issue;
	size_t i, n;
	struct str severity;

	yyjson_arr_foreach(yyjson_obj_get(outcome, "issue"), i, n, issue)
	{
		severity = bundle_str(issue, "severity");
		if (str_is(severity, "error") || str_is(severity, "fatal"))
			return true;
	}
	return false;
}

static bool is_deletion(yyjson_val *entry)
{
	return str_is(bundle_str(yyjson_obj_get(entry, "request"), "method"), "DELETE");
}

static bool read_entry(yyjson_val *entries, yyjson_val *entry, struct str text, const char *type,
                       const char *what, struct fhir_page *page, struct err *err)
{
	yyjson_val *resource = yyjson_obj_get(entry, "resource");
	struct str have = bundle_str(resource, "resourceType");

	if (!yyjson_is_obj(resource) || !have.p) {
		page->broken += !is_deletion(entry);
	} else if (str_is(have, type)) {
		page->entries[page->count++] =
		    (struct fhir_entry){slice_of(page->doc, text, entries, entry, resource),
		                        bundle_str(resource, "id"), resource};
	} else if (str_is(have, "OperationOutcome")) {
		if (outcome_is_error(resource))
			return err_set_retry(
			    err, ERR_PROTOCOL, "fhir.outcome",
			    "%s: the server says inside the page that the result is not complete "
			    "(an OperationOutcome of severity error)",
			    what);
		page->outcomes++;
	} else {
		page->others++;
	}
	return true;
}

/* The slow way to the text of entries that slice_of() could not place: once over the whole page. */
static bool place_by_walk(yyjson_val *entries, struct str text, const char *what,
                          struct fhir_page *page, struct err *err)
{
	struct slice_iter it = slice_iter_of(slice_member(text, "entry"));
	struct fhir_entry *e = page->entries;
	struct str entry_text;
	yyjson_val *entry;
	size_t i, n;

	yyjson_arr_foreach(entries, i, n, entry)
	{
		if (!slice_next(&it, &entry_text))
			break;
		if (e < page->entries + page->count && e->json == yyjson_obj_get(entry, "resource"))
			(e++)->raw = slice_member(entry_text, "resource");
	}
	for (i = 0; i < page->count; i++)
		if (!page->entries[i].raw.p)
			return err_set(err, ERR_INTERNAL, "fhir.bundle",
			               "%s: the page's text and its document differ", what);
	return true;
}

static bool read_entries(yyjson_val *root, const char *type, const char *what,
                         struct fhir_page *page, struct err *err)
{
	yyjson_val *entries = yyjson_obj_get(root, "entry"), *entry;
	struct str text = bundle_text(&page->response);
	bool placed = true;
	size_t i, n;

	if (!entries || yyjson_is_null(entries))
		return true;
	if (!yyjson_is_arr(entries))
		return err_set_retry(err, ERR_PROTOCOL, "fhir.bundle",
		                     "%s: the Bundle's entry is not a list", what);
	page->entries = calloc(yyjson_arr_size(entries) + 1, sizeof *page->entries);
	if (!page->entries)
		return err_set_retry(err, ERR_NOMEM, "fhir.bundle", "%s: out of memory", what);
	yyjson_arr_foreach(entries, i, n, entry)
	{
		if (!read_entry(entries, entry, text, type, what, page, err))
			return false;
	}
	for (i = 0; i < page->count; i++)
		placed = placed && page->entries[i].raw.p;
	return placed || place_by_walk(entries, text, what, page, err);
}

static struct str next_link(yyjson_val *root)
{
	yyjson_val *link;
	size_t i, n;

	yyjson_arr_foreach(yyjson_obj_get(root, "link"), i, n, link)
	{
		if (str_is(bundle_str(link, "relation"), "next"))
			return bundle_str(link, "url");
	}
	return STR_NONE;
}

static bool read_next(yyjson_val *root, const char *base, const char *url, const char *what,
                      struct fhir_page *page, struct err *err)
{
	struct str link = next_link(root);

	if (!link.p)
		return true;
	page->next = search_next_url(base, link, err);
	if (!page->next) {
		err_prefix(err, "%s", what);
		return false;
	}
	if (strcmp(page->next, url) == 0)
		return err_set(
		    err, ERR_PROTOCOL, "fhir.next",
		    "%s: the server sent the same next link twice: the page would never end", what);
	return true;
}

static int64_t read_total(yyjson_val *root)
{
	yyjson_val *v = yyjson_obj_get(root, "total");
	int64_t total;

	if (yyjson_is_raw(v) &&
	    str_int((struct str){yyjson_get_raw(v), yyjson_get_len(v)}, 0, INT64_MAX, &total))
		return total;
	return -1;
}

bool bundle_read(struct http_response *resp, const char *base, const char *url,
                 const char *bundle_type, const char *type, const char *what,
                 struct fhir_page *page, struct err *err)
{
	struct fhir_page p = {.total = -1};
	struct str have;
	yyjson_val *root;

	p.doc = bundle_parse(resp, what, err);
	if (!p.doc)
		return false;
	root = yyjson_doc_get_root(p.doc);
	p.response = *resp;
	if (!bundle_expect_type(root, "Bundle", what, err))
		goto failed;
	have = bundle_str(root, "type");
	if (have.p && !str_is(have, bundle_type)) {
		err_set_retry(err, ERR_PROTOCOL, "fhir.bundle",
		              "%s: the server sent a Bundle that is no %s", what, bundle_type);
		goto failed;
	}
	p.total = read_total(root);
	if (!read_entries(root, type, what, &p, err) || !read_next(root, base, url, what, &p, err))
		goto failed;
	*page = p;
	memset(resp, 0, sizeof *resp);
	return true;
failed:
	memset(&p.response, 0, sizeof p.response); /* still the caller's */
	fhir_page_free(&p);
	return false;
}

void fhir_page_free(struct fhir_page *p)
{
	yyjson_doc_free(p->doc);
	free(p->entries);
	free(p->next);
	http_response_free(&p->response);
	memset(p, 0, sizeof *p);
}
