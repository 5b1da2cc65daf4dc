/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "sandbox/service.h"

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static struct str decode(struct request *r, struct str in, bool form)
{
	char *out = arena_alloc(&r->arena, in.n + 1);
	size_t n = 0;

	if (!out)
		return STR_NONE;
	for (size_t k = 0; k < in.n; k++) {
		int a, b;

		if (in.p[k] == '%' && k + 2 < in.n && (a = hex_digit(in.p[k + 1])) >= 0 &&
		    (b = hex_digit(in.p[k + 2])) >= 0) {
			out[n++] = (char)(a << 4 | b);
			k += 2;
		} else {
			out[n++] = form && in.p[k] == '+' ? ' ' : in.p[k];
		}
	}
	return (struct str){out, n};
}

struct str request_decode(struct request *r, struct str encoded)
{
	return decode(r, encoded, false);
}

static struct str cut(struct str *rest, char at)
{
	const char *end = rest->n ? memchr(rest->p, at, rest->n) : NULL;
	struct str piece = {rest->p, end ? (size_t)(end - rest->p) : rest->n};

	rest->p += piece.n + (end != NULL);
	rest->n -= piece.n + (end != NULL);
	return piece;
}

bool request_add_params(struct request *r, struct str form)
{
	size_t n = r->nparams + 1;
	struct param *all;

	if (!form.n)
		return true;
	for (size_t k = 0; k < form.n; k++)
		n += form.p[k] == '&';
	all = arena_array(&r->arena, n, sizeof *all);
	if (!all)
		return false;
	if (r->nparams)
		memcpy(all, r->params, r->nparams * sizeof *all);
	r->params = all;
	while (form.n) {
		struct str value = cut(&form, '&'), name = cut(&value, '=');
		struct param p;

		if (!name.n)
			continue;
		p.name = decode(r, name, true);
		p.value = decode(r, value, true);
		if (!p.name.p || !p.value.p)
			return false;
		all[r->nparams++] = p;
	}
	return true;
}

struct str request_param(const struct request *r, const char *name)
{
	for (size_t k = 0; k < r->nparams; k++)
		if (str_is(r->params[k].name, name))
			return r->params[k].value;
	return STR_NONE;
}

bool request_is(const struct request *r, const char *method)
{
	if (strcmp(r->method, method) == 0)
		return true;
	return strcmp(method, "GET") == 0 && strcmp(r->method, "HEAD") == 0;
}
