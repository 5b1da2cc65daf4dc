/* SPDX-License-Identifier: Apache-2.0 */
#include "api/problem.h"

static const struct {
	int status;
	const char *name, *title;
} types[PROBLEM_TYPES] = {
    [PROBLEM_PARAMETER] = {400, "invalid-parameter", "A parameter is not valid"},
    [PROBLEM_BODY] = {400, "invalid-body", "The request body is not valid"},
    [PROBLEM_CURSOR] = {400, "invalid-cursor", "The cursor is not one of this server's"},
    [PROBLEM_REQUEST] = {400, "invalid-request", "The request is not valid"},
    [PROBLEM_ORIGIN] = {403, "foreign-origin", "Requests of other sites may not change anything"},
    [PROBLEM_NOT_FOUND] = {404, "not-found", "There is no such thing"},
    [PROBLEM_METHOD] = {405, "method-not-allowed", "The method is not allowed here"},
    [PROBLEM_CONFLICT] = {409, "conflict", "The state of things does not allow it"},
    [PROBLEM_DELETED] = {410, "deleted", "It has been deleted"},
    [PROBLEM_TOO_LARGE] = {413, "body-too-large", "The request body is too large"},
    [PROBLEM_MEDIA_TYPE] = {415, "unsupported-media-type", "The content type is not supported"},
    [PROBLEM_HOST] = {421, "wrong-host", "The request is for another host"},
    [PROBLEM_STREAMS] = {429, "too-many-streams", "Too many event streams are open"},
    [PROBLEM_INTERNAL] = {500, "internal", "Something went wrong here"},
    [PROBLEM_BUSY] = {503, "busy", "Too much to do"},
    [PROBLEM_DATABASE] = {503, "database-away", "The database does not answer"},
    [PROBLEM_SLOW] = {503, "too-slow", "The database took too long"},
};

int problem_status(enum problem_type type)
{
	return types[type].status;
}

const char *problem_name(enum problem_type type)
{
	return types[type].name;
}

const char *problem_title(enum problem_type type)
{
	return types[type].title;
}

void problem_add(struct problem *p, const char *name, const char *in, const char *detail)
{
	if (p->count < PROBLEM_FIELDS)
		p->fields[p->count++] = (struct problem_field){name, in, detail};
}

static void member(struct buf *out, const char *key, const char *value)
{
	buf_printf(out, "\"%s\":", key);
	buf_add_json(out, str_of(value));
}

void problem_json(struct buf *out, const struct problem *p, const char *request_id)
{
	const char *detail = p->detail  ? p->detail
	                     : p->count ? p->fields[0].detail
	                                : types[p->type].title;

	buf_printf(out, "{\"type\":\"urn:fhirline:problem:%s\",\"title\":\"%s\",\"status\":%d,",
	           types[p->type].name, types[p->type].title, types[p->type].status);
	member(out, "detail", detail);
	if (p->count) {
		buf_lit(out, ",");
		member(out, "field", p->fields[0].name);
		buf_lit(out, ",\"errors\":[");
		for (int i = 0; i < p->count; i++) {
			buf_add_cstr(out, i ? ",{" : "{");
			member(out, "field", p->fields[i].name);
			buf_lit(out, ",");
			member(out, "in", p->fields[i].in);
			buf_lit(out, ",");
			member(out, "detail", p->fields[i].detail);
			buf_lit(out, "}");
		}
		buf_lit(out, "]");
	}
	if (request_id) {
		buf_lit(out, ",");
		member(out, "request_id", request_id);
	}
	buf_lit(out, "}");
}
