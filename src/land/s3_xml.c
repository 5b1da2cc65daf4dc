/* SPDX-License-Identifier: Apache-2.0 */
#include "land/s3_xml.h"

#include <limits.h>
#include <string.h>

#include <expat.h>

struct reading {
	XML_Parser parser;
	s3_xml_element element;
	void *ctx;
	int depth;
	char names[S3_XML_DEPTH][S3_XML_NAME];
	char text[S3_XML_TEXT];
	size_t n;
	bool failed;
};

static void stop(struct reading *r)
{
	r->failed = true;
	XML_StopParser(r->parser, XML_FALSE);
}

static void on_start(void *ctx, const XML_Char *name, const XML_Char **attributes)
{
	struct reading *r = ctx;

	(void)attributes;
	if (r->depth == S3_XML_DEPTH || strlen(name) >= S3_XML_NAME) {
		stop(r);
		return;
	}
	memcpy(r->names[r->depth++], name, strlen(name) + 1);
	r->n = 0;
}

static void on_text(void *ctx, const XML_Char *text, int n)
{
	struct reading *r = ctx;

	if ((size_t)n >= sizeof r->text - r->n) {
		stop(r);
		return;
	}
	memcpy(r->text + r->n, text, (size_t)n);
	r->n += (size_t)n;
}

static void on_end(void *ctx, const XML_Char *name)
{
	struct reading *r = ctx;

	(void)name;
	/* expat still tells of the end of an empty element after it was stopped at its start */
	if (r->failed)
		return;
	r->depth--;
	r->text[r->n] = '\0';
	if (!r->element(r->ctx, r->depth ? r->names[r->depth - 1] : "", r->names[r->depth],
	                r->text))
		stop(r);
	r->n = 0;
}

bool s3_xml_read(struct str xml, s3_xml_element element, void *ctx)
{
	struct reading r = {.parser = XML_ParserCreate(NULL), .element = element, .ctx = ctx};
	bool ok;

	if (!r.parser)
		return false;
	XML_SetUserData(r.parser, &r);
	XML_SetElementHandler(r.parser, on_start, on_end);
	XML_SetCharacterDataHandler(r.parser, on_text);
	ok = xml.n < INT_MAX && XML_Parse(r.parser, xml.p, (int)xml.n, 1) == XML_STATUS_OK;
	XML_ParserFree(r.parser);
	return ok && !r.failed;
}
