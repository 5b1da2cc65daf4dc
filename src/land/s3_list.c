/* SPDX-License-Identifier: Apache-2.0 */
#include "land/s3_list.h"

#include <stdio.h>
#include <string.h>

#include "land/s3_xml.h"

/* An engine's control thread asks for lists, and must renew its leases. */
enum { XML_MAX = 4 << 20, PAGE_TIMEOUT_MS = 8000 };

/* One page of a list of objects or of uploads: its entries go to `each` as they are read. */
struct page {
	const char *item; /* the element of one entry */
	struct s3_entry entry;
	s3_each each;
	void *ctx;
	struct err *err;
	bool refused; /* `each` said false, and set *err */
	bool truncated;
	char token[S3_XML_TEXT];       /* NextContinuationToken, NextKeyMarker */
	char token2[S3_UPLOAD_ID_MAX]; /* NextUploadIdMarker */
};

static void copy(char *out, size_t size, const char *text)
{
	snprintf(out, size, "%.*s", (int)size - 1, text);
}

static bool on_list_element(void *ctx, const char *parent, const char *name, const char *text)
{
	struct page *p = ctx;

	if (strcmp(parent, p->item) == 0) {
		if (strcmp(name, "Key") == 0)
			copy(p->entry.key, sizeof p->entry.key, text);
		else if (strcmp(name, "UploadId") == 0)
			copy(p->entry.upload, sizeof p->entry.upload, text);
		else if (strcmp(name, "Size") == 0)
			str_int(str_of(text), 0, INT64_MAX, &p->entry.size);
	} else if (strcmp(name, p->item) == 0) {
		p->refused = !p->each(p->ctx, &p->entry, p->err);
		p->entry = (struct s3_entry){0};
		return !p->refused;
	} else if (strcmp(name, "IsTruncated") == 0) {
		p->truncated = strcmp(text, "true") == 0;
	} else if (strcmp(name, "NextContinuationToken") == 0 ||
	           strcmp(name, "NextKeyMarker") == 0) {
		copy(p->token, sizeof p->token, text);
	} else if (strcmp(name, "NextUploadIdMarker") == 0) {
		copy(p->token2, sizeof p->token2, text);
	}
	return true;
}

static bool read_page(struct s3_client *c, const struct s3_request *req, struct page *p,
                      struct err *err)
{
	char before[S3_XML_TEXT], before2[S3_UPLOAD_ID_MAX];
	struct s3_answer answer;
	bool ok;

	memcpy(before, p->token, sizeof before);
	memcpy(before2, p->token2, sizeof before2);
	if (!s3_call(c, req, NULL, &answer, err))
		return false;
	p->truncated = false;
	p->token[0] = p->token2[0] = '\0';
	p->err = err;
	ok = s3_xml_read((struct str){answer.http.body.p, answer.http.body.n}, on_list_element, p);
	s3_answer_free(&answer);
	if (p->refused)
		return false;
	/* a list that does not go on would never end */
	if (!ok || (p->truncated && (!p->token[0] || (strcmp(before, p->token) == 0 &&
	                                              strcmp(before2, p->token2) == 0))))
		return err_set(err, ERR_PROTOCOL, "land.s3",
		               "the S3 server's list of the landing zone cannot be read");
	return true;
}

static bool list_page_by_page(struct s3_client *c, const char *start, struct page *p,
                              bool (*page)(struct s3_client *c, const char *prefix, struct page *p,
                                           struct err *err),
                              struct err *err)
{
	char prefix[S3_KEY_MAX];

	snprintf(prefix, sizeof prefix, "%s%s", s3_prefix(c), start);
	do {
		if (!page(c, prefix, p, err))
			return false;
	} while (p->truncated);
	return true;
}

static bool object_page(struct s3_client *c, const char *prefix, struct page *p, struct err *err)
{
	struct s3_request req = {
	    .method = "GET", .doing = "list", .timeout_ms = PAGE_TIMEOUT_MS, .max_body = XML_MAX};
	char token[S3_XML_TEXT];
	size_t n = 0;

	memcpy(token, p->token, sizeof token);
	if (token[0])
		req.query[n++] = (struct s3_pair){"continuation-token", token};
	req.query[n++] = (struct s3_pair){"list-type", "2"};
	req.query[n++] = (struct s3_pair){"prefix", prefix};
	return read_page(c, &req, p, err);
}

static bool upload_page(struct s3_client *c, const char *prefix, struct page *p, struct err *err)
{
	struct s3_request req = {
	    .method = "GET", .doing = "list", .timeout_ms = PAGE_TIMEOUT_MS, .max_body = XML_MAX};
	char key[S3_XML_TEXT], upload[S3_UPLOAD_ID_MAX];
	size_t n = 0;

	memcpy(key, p->token, sizeof key);
	memcpy(upload, p->token2, sizeof upload);
	if (key[0])
		req.query[n++] = (struct s3_pair){"key-marker", key};
	req.query[n++] = (struct s3_pair){"prefix", prefix};
	if (key[0] && upload[0])
		req.query[n++] = (struct s3_pair){"upload-id-marker", upload};
	req.query[n++] = (struct s3_pair){"uploads", ""};
	return read_page(c, &req, p, err);
}

bool s3_each_object(struct s3_client *c, const char *start, s3_each each, void *ctx,
                    struct err *err)
{
	struct page p = {.item = "Contents", .each = each, .ctx = ctx};

	return list_page_by_page(c, start, &p, object_page, err);
}

bool s3_each_upload(struct s3_client *c, const char *start, s3_each each, void *ctx,
                    struct err *err)
{
	struct page p = {.item = "Upload", .each = each, .ctx = ctx};

	return list_page_by_page(c, start, &p, upload_page, err);
}
