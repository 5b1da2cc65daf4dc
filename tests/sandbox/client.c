/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox/client.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { TIMEOUT_S = 120 };

struct sandbox_options client_options(void)
{
	struct sandbox_options o = sandbox_defaults;

	o.port = 0;
	o.patients = 40;
	o.observations_scale = 10;
	o.max_page = 50;
	return o;
}

void client_start(struct client *c, const struct sandbox_options *o)
{
	struct err err;

	*c = (struct client){.headers = BUF_INIT(1 << 16), .body = BUF_INIT(64 << 20)};
	c->sandbox = sandbox_start(o, &err);
	if (!c->sandbox)
		fail_msg("%s", err.text);
	snprintf(c->origin, sizeof c->origin, "http://127.0.0.1:%u", sandbox_port(c->sandbox));
	c->curl = curl_easy_init();
	assert_non_null(c->curl);
}

void client_stop(struct client *c)
{
	curl_easy_cleanup(c->curl);
	sandbox_stop(c->sandbox);
	buf_free(&c->headers);
	buf_free(&c->body);
}

static size_t keep(char *p, size_t size, size_t n, void *to)
{
	return buf_add(to, p, size * n) ? n : 0;
}

void client_send(struct client *c, const char *method, const char *url, const char *type,
                 const char *body)
{
	struct curl_slist *headers = NULL;
	char whole[12000], line[100];

	snprintf(whole, sizeof whole, "%s%s", *url == '/' ? c->origin : "", url);
	buf_clear(&c->headers);
	buf_clear(&c->body);
	c->status = 0;
	curl_easy_reset(c->curl);
	curl_easy_setopt(c->curl, CURLOPT_URL, whole);
	curl_easy_setopt(c->curl, CURLOPT_TIMEOUT, (long)TIMEOUT_S);
	curl_easy_setopt(c->curl, CURLOPT_CUSTOMREQUEST, method);
	curl_easy_setopt(c->curl, CURLOPT_WRITEFUNCTION, keep);
	curl_easy_setopt(c->curl, CURLOPT_WRITEDATA, &c->body);
	curl_easy_setopt(c->curl, CURLOPT_HEADERFUNCTION, keep);
	curl_easy_setopt(c->curl, CURLOPT_HEADERDATA, &c->headers);
	if (c->gzip)
		curl_easy_setopt(c->curl, CURLOPT_ACCEPT_ENCODING, "gzip");
	if (body) {
		curl_easy_setopt(c->curl, CURLOPT_POSTFIELDS, body);
		snprintf(line, sizeof line, "Content-Type: %s", type);
		headers = curl_slist_append(headers, line);
	}
	if (c->header)
		headers = curl_slist_append(headers, c->header);
	headers = curl_slist_append(headers, "Expect:");
	curl_easy_setopt(c->curl, CURLOPT_HTTPHEADER, headers);
	c->rc = curl_easy_perform(c->curl);
	curl_easy_getinfo(c->curl, CURLINFO_RESPONSE_CODE, &c->status);
	curl_slist_free_all(headers);
}

void client_get(struct client *c, const char *url)
{
	client_send(c, "GET", url, NULL, NULL);
}

void client_faults(struct client *c, const char *script)
{
	client_send(c, "POST", "/sandbox/faults", "text/plain", script);
	assert_int_equal(c->rc, CURLE_OK);
	if (c->status != 200)
		fail_msg("%s", c->body.p);
}

yyjson_doc *client_json(struct client *c, const char *url, long status)
{
	yyjson_doc *doc;

	client_get(c, url);
	assert_int_equal(c->rc, CURLE_OK);
	if (c->status != status)
		fail_msg("%ld instead of %ld for %s: %s", c->status, status, url, c->body.p);
	doc = yyjson_read(c->body.p, c->body.n, 0);
	assert_non_null(doc);
	return doc;
}

const char *client_link(yyjson_doc *bundle, const char *relation)
{
	yyjson_val *link = yyjson_obj_get(yyjson_doc_get_root(bundle), "link"), *one;
	size_t k, n;

	yyjson_arr_foreach(link, k, n, one)
	{
		if (yyjson_equals_str(yyjson_obj_get(one, "relation"), relation))
			return yyjson_get_str(yyjson_obj_get(one, "url"));
	}
	return NULL;
}

size_t client_entries(yyjson_doc *bundle)
{
	return yyjson_arr_size(yyjson_obj_get(yyjson_doc_get_root(bundle), "entry"));
}

long client_total(yyjson_doc *bundle)
{
	yyjson_val *total = yyjson_obj_get(yyjson_doc_get_root(bundle), "total");

	return total ? (long)yyjson_get_int(total) : -1;
}

static void add_ids(yyjson_doc *bundle, struct buf *ids)
{
	yyjson_val *entry = yyjson_obj_get(yyjson_doc_get_root(bundle), "entry"), *one;
	size_t k, n;

	yyjson_arr_foreach(entry, k, n, one)
	{
		const char *id =
		    yyjson_get_str(yyjson_obj_get(yyjson_obj_get(one, "resource"), "id"));

		buf_add_cstr(ids, id ? id : "-");
		buf_add_char(ids, '\n');
	}
}

size_t client_walk(struct client *c, const char *url, struct buf *ids)
{
	char next[4096];
	size_t n = 0;

	snprintf(next, sizeof next, "%s", url);
	for (int page = 0; *next; page++) {
		yyjson_doc *doc = client_json(c, next, 200);
		const char *link = client_link(doc, "next");

		assert_true(page < 10000);
		n += client_entries(doc);
		if (ids)
			add_ids(doc, ids);
		snprintf(next, sizeof next, "%s", link ? link : "");
		yyjson_doc_free(doc);
	}
	return n;
}
