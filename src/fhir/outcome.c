/* SPDX-License-Identifier: Apache-2.0
 *
 * outcome.c: what may be said of an OperationOutcome. Diagnostics can hold ids, dates and parameter
 * values, so only those of HAPI's numbered messages are used, and of those only plain words: a word
 * with a digit, a slash or the like in it is left out.
 */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "fhir/bundle.h"

enum { DIAGNOSTICS_MAX = 160, ISSUE_CODE_MAX = 40 };

static bool word_char(char c)
{
	return isalnum((unsigned char)c) || strchr("-._:+/%=&?@", c) || (unsigned char)c >= 0x80;
}

static bool is_hapi_code(struct str word)
{
	size_t i = 5;

	if (!str_starts(word, "HAPI-"))
		return false;
	while (i < word.n && isdigit((unsigned char)word.p[i]))
		i++;
	return i > 5 && (i == word.n || (i + 1 == word.n && word.p[i] == ':'));
}

static bool may_be_value(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (!isalpha((unsigned char)s.p[i]) && !strchr("-._:", s.p[i]))
			return true;
	return false;
}

/* Plain words and the code are kept; any other word becomes an ellipsis, control characters a
 * blank. */
static void redact(struct str in, struct buf *out)
{
	size_t i = 0, from;
	struct str word;

	while (i < in.n && out->n < DIAGNOSTICS_MAX) {
		from = i;
		while (i < in.n && in.p[i] && word_char(in.p[i]))
			i++;
		word = (struct str){in.p + from, i - from};
		if (may_be_value(word) && !is_hapi_code(word))
			buf_add_cstr(out, "…");
		else
			buf_add_str(out, word);
		if (i < in.n) {
			buf_add_char(out, (unsigned char)in.p[i] < ' ' ? ' ' : in.p[i]);
			i++;
		}
	}
}

static bool code_word(struct str s)
{
	if (!s.n || s.n > ISSUE_CODE_MAX)
		return false;
	for (size_t i = 0; i < s.n; i++)
		if (!(s.p[i] >= 'a' && s.p[i] <= 'z') && s.p[i] != '-')
			return false;
	return true;
}

static void append(struct err *err, struct str code, struct str diagnostics)
{
	struct buf said = BUF_INIT(4 * DIAGNOSTICS_MAX);
	size_t n = strlen(err->text);

	if (code_word(code))
		buf_printf(&said, " (%.*s)", STR_FMT(code));
	if (str_starts(diagnostics, "HAPI-")) {
		buf_add_cstr(&said, ": ");
		redact(diagnostics, &said);
	}
	if (said.n && n < sizeof err->text)
		snprintf(err->text + n, sizeof err->text - n, "%s", said.p);
	buf_free(&said);
}

bool bundle_status_err(const struct http_response *resp, const char *what, struct err *err)
{
	yyjson_doc *doc;
	yyjson_val *root, *issue;

	if (http_status_err(resp, what, err))
		return true;
	doc = yyjson_read(resp->body.p, resp->body.n, 0);
	root = yyjson_doc_get_root(doc);
	if (str_is(bundle_str(root, "resourceType"), "OperationOutcome")) {
		issue = yyjson_arr_get_first(yyjson_obj_get(root, "issue"));
		append(err, bundle_str(issue, "code"), bundle_str(issue, "diagnostics"));
	}
	yyjson_doc_free(doc);
	return false;
}
