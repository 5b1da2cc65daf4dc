/* SPDX-License-Identifier: Apache-2.0 */
#include "api/openapi.h"

#include <string.h>

#include "api/columns.h"
#include "api/run_json.h"

#define REF(name) "{\"$ref\":\"#/components/schemas/" name "\"}"

static void member(struct buf *out, const char *key, const char *value)
{
	buf_printf(out, "\"%s\":", key);
	buf_add_json(out, str_of(value));
}

/* ---- parameters ---- */

static void enum_schema(struct buf *out, const char *choices)
{
	buf_lit(out, "\"type\":\"string\",\"enum\":[");
	for (size_t n; *choices; choices += n + (choices[n] == '|')) {
		n = strcspn(choices, "|");
		buf_printf(out, "\"%.*s\"%s", (int)n, choices, choices[n] ? "," : "");
	}
	buf_lit(out, "]");
}

static void param_schema(struct buf *out, const struct param *p)
{
	buf_lit(out, "{");
	switch (p->kind) {
	case PARAM_TEXT:
		buf_printf(out,
		           "\"type\":\"string\",\"minLength\":1,\"maxLength\":%lld,\"pattern\":\"^["
		           "^\\\\x00-\\\\x1F\\\\x7F]+$\"",
		           (long long)p->max);
		break;
	case PARAM_KEY:
		buf_printf(out,
		           "\"type\":\"string\",\"minLength\":1,\"maxLength\":%lld,\"pattern\":\"^["
		           "!-~]+$\"",
		           (long long)p->max);
		break;
	case PARAM_ID:
		buf_lit(out, "\"type\":\"string\",\"minLength\":1,\"maxLength\":64,\"pattern\":\"^["
		             "A-Za-z0-9.-]{1,64}$\"");
		break;
	case PARAM_ZIP:
		buf_lit(out, "\"type\":\"string\",\"minLength\":5,\"maxLength\":5,\"pattern\":\"^["
		             "0-9]{5}$\"");
		break;
	case PARAM_UUID:
		buf_lit(out,
		        "\"type\":\"string\",\"format\":\"uuid\",\"minLength\":36,\"maxLength\":36,"
		        "\"pattern\":\"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{"
		        "12}$\"");
		break;
	case PARAM_INT:
		buf_printf(out, "\"type\":\"integer\",\"minimum\":%lld,\"maximum\":%lld",
		           (long long)p->min, (long long)p->max);
		break;
	case PARAM_ENUM:
		enum_schema(out, p->choices);
		break;
	case PARAM_DATE:
		buf_lit(out, "\"type\":\"string\",\"format\":\"date\"");
		break;
	case PARAM_TIME:
		buf_lit(out, "\"anyOf\":[{\"type\":\"string\",\"format\":\"date\"},{\"type\":"
		             "\"string\",\"format\":\"date-time\"}]");
		break;
	case PARAM_CURSOR:
		buf_lit(out, "\"type\":\"string\",\"minLength\":36,\"maxLength\":255,\"pattern\":"
		             "\"^[A-Za-z0-9_-]{36,255}$\"");
		break;
	}
	if (p->fallback && p->kind == PARAM_INT)
		buf_printf(out, ",\"default\":%s", p->fallback);
	buf_lit(out, "}");
}

static void write_params(struct buf *out, const struct param *params)
{
	static const char *const places[] = {"query", "path", "header"};

	buf_lit(out, ",\"parameters\":[");
	for (int i = 0; params && params[i].name; i++) {
		const struct param *p = &params[i];

		buf_printf(out, "%s{\"name\":\"%s\",\"in\":\"%s\",\"required\":%s,", i ? "," : "",
		           p->name, places[p->in],
		           p->required || p->in == PARAM_PATH ? "true" : "false");
		member(out, "description", p->words);
		buf_lit(out, ",\"schema\":");
		param_schema(out, p);
		if (p->example && p->kind == PARAM_INT)
			buf_printf(out, ",\"example\":%s", p->example);
		else if (p->example && p->in != PARAM_PATH) {
			buf_lit(out, ",");
			member(out, "example", p->example);
		}
		buf_lit(out, "}");
	}
	buf_lit(out, "]");
}

/* ---- answers ---- */

static void write_success(struct buf *out, const struct route *r)
{
	buf_printf(out,
	           "\"%d\":{\"description\":\"%s\",\"headers\":{\"X-Request-Id\":"
	           "{\"$ref\":\"#/components/headers/RequestId\"}",
	           r->status, r->status == 202 ? "Accepted" : "OK");
	if (r->status == 202)
		buf_lit(out, ",\"Location\":{\"description\":\"The "
		             "run.\",\"schema\":{\"type\":\"string\"}}");
	buf_lit(out, "},\"content\":{");
	buf_printf(out, "\"%.*s\":{\"schema\":", r->media ? (int)strcspn(r->media, ";") : 16,
	           r->media ? r->media : "application/json");
	if (r->schema)
		buf_printf(out, "{\"$ref\":\"#/components/schemas/%s\"}}", r->schema);
	else
		buf_lit(out, "{\"type\":\"string\"}}");
	buf_lit(out, "}}");
}

static void write_problem(struct buf *out, enum problem_type type)
{
	buf_printf(out, ",\"%d\":{\"$ref\":\"#/components/responses/%s\"}", problem_status(type),
	           problem_name(type));
}

static void write_answers(struct buf *out, const struct route *r)
{
	buf_lit(out, ",\"responses\":{");
	write_success(out, r);
	if (r->method == METHOD_GET && !(r->flags & ROUTE_STREAM))
		buf_lit(out, ",\"304\":{\"description\":\"Not modified: If-None-Match names what "
		             "it is now.\"}");
	write_problem(out, PROBLEM_PARAMETER);
	if (r->method != METHOD_GET)
		write_problem(out, PROBLEM_ORIGIN);
	if (r->flags & ROUTE_MISSING)
		write_problem(out, PROBLEM_NOT_FOUND);
	if (r->flags & ROUTE_CONFLICT)
		write_problem(out, PROBLEM_CONFLICT);
	if (r->flags & ROUTE_DELETED)
		write_problem(out, PROBLEM_DELETED);
	write_problem(out, PROBLEM_TOO_LARGE);
	if (r->flags & ROUTE_BODY)
		write_problem(out, PROBLEM_MEDIA_TYPE);
	write_problem(out, PROBLEM_HOST);
	if (r->flags & ROUTE_STREAM)
		write_problem(out, PROBLEM_STREAMS);
	write_problem(out, PROBLEM_INTERNAL);
	if (r->schema && strcmp(r->schema, "Readiness") == 0)
		buf_lit(out, ",\"503\":{\"description\":\"Not ready; the checks say "
		             "why.\",\"content\":{\"application/json\":{\"schema\":" REF(
		                 "Readiness") "}}}");
	else if (!(r->flags & ROUTE_NO_DB))
		write_problem(out, PROBLEM_DATABASE);
	buf_lit(out, ",\"default\":{\"$ref\":\"#/components/responses/problem\"}}");
}

static void write_operation(struct buf *out, const struct route *r)
{
	buf_printf(out, "\"%s\":{\"operationId\":\"%s\",\"tags\":[\"%s\"],",
	           r->method == METHOD_GET ? "get" : "post", r->id, r->tag);
	member(out, "summary", r->summary);
	if (r->words) {
		buf_lit(out, ",");
		member(out, "description", r->words);
	}
	if (r->params)
		write_params(out, r->params);
	if (r->flags & ROUTE_BODY)
		buf_lit(out, ",\"requestBody\":{\"required\":true,\"content\":{\"application/"
		             "json\":{\"schema\":" REF(
		                 "RunRequest") ",\"example\":{\"zipcode\":\"02139\"}}}}");
	write_answers(out, r);
	buf_lit(out, "}");
}

static bool is_first_of_path(const struct route *table, int i)
{
	for (int k = 0; k < i; k++)
		if (strcmp(table[k].path, table[i].path) == 0)
			return false;
	return !(table[i].flags & ROUTE_HIDDEN);
}

static void write_paths(struct buf *out, const struct route *table, int count)
{
	bool first = true;

	for (int i = 0; i < count; i++) {
		bool more = false;

		if (!is_first_of_path(table, i))
			continue;
		buf_printf(out, "%s\"%s\":{", first ? "" : ",", table[i].path);
		first = false;
		for (int k = i; k < count; k++) {
			if (strcmp(table[k].path, table[i].path) != 0)
				continue;
			if (more)
				buf_lit(out, ",");
			write_operation(out, &table[k]);
			more = true;
		}
		buf_lit(out, "}");
	}
}

/* ---- schemas ---- */

static void write_list(struct buf *out, const char *name, const char *of)
{
	buf_printf(
	    out,
	    ",\"%s\":{\"type\":\"object\",\"properties\":{\"items\":{\"type\":\"array\",\"items\":{"
	    "\"$ref\":\"#/components/"
	    "schemas/%s\"}},\"next\":{\"type\":[\"string\",\"null\"],\"description\":\"Where the "
	    "list goes on: a path and "
	    "query to ask for; null on the last page.\"}},\"required\":[\"items\",\"next\"],"
	    "\"additionalProperties\":false}",
	    name, of);
}

static const char fixed_schemas[] = ",\"Patients\":{\"type\":\"array\",\"items\":" REF(
    "Patient") "}"
               ",\"RunRequest\":{\"type\":\"object\",\"description\":\"What to "
               "load.\",\"properties\":{"
               "\"zipcode\":{\"description\":\"Five digits; a whole number is padded with "
               "zeros.\",\"anyOf\":["
               "{\"type\":\"string\",\"minLength\":5,\"maxLength\":5,\"pattern\":\"^[0-9]{5}$\"},"
               "{\"type\":\"integer\",\"minimum\":0,\"maximum\":99999}],\"examples\":[\"02139\","
               "2139]},"
               "\"full\":{\"type\":\"boolean\",\"default\":false,\"description\":\"Read "
               "everything, also what has not changed.\"},"
               "\"fresh\":{\"type\":\"boolean\",\"default\":false,\"description\":\"Start over "
               "instead of going on with a run that failed.\"},"
               "\"allow_mass_delete\":{\"type\":\"boolean\",\"default\":false,\"description\":"
               "\"Delete also when much of what is loaded "
               "has vanished on the "
               "server.\"}},\"required\":[\"zipcode\"],\"additionalProperties\":false}"
               ",\"RunAccepted\":{\"type\":\"object\",\"properties\":{"
               "\"run_id\":{\"type\":\"string\"},\"zipcode\":{\"type\":\"string\"},\"state\":{"
               "\"type\":\"string\"},"
               "\"outcome\":{\"type\":\"string\",\"enum\":[\"created\",\"active\",\"resumed\","
               "\"same_key\",\"cancelled\"],\"description\":"
               "\"created; active: one was under way; resumed: an earlier one goes on; same_key: "
               "the Idempotency-Key's; cancelled: it "
               "was asked to "
               "end.\"}},\"required\":[\"run_id\",\"zipcode\",\"state\",\"outcome\"],"
               "\"additionalProperties\":false}"
               ",\"RunEvent\":{\"type\":\"object\",\"description\":\"One event of the stream, "
               "field by field; data is a Run as "
               "JSON.\",\"properties\":{\"id\":{\"type\":\"string\",\"pattern\":\"^[0-9]+$\"},"
               "\"event\":{\"type\":\"string\",\"enum\":[\"progress\",\"end\"]},\"data\":{\"type\":"
               "\"string\"}},"
               "\"required\":[\"id\",\"event\",\"data\"]}"
               ",\"Health\":{\"type\":\"object\",\"properties\":{\"status\":{\"type\":\"string\"},"
               "\"version\":{\"type\":\"string\"}},"
               "\"required\":[\"status\",\"version\"],\"additionalProperties\":false}"
               ",\"Readiness\":{\"type\":\"object\",\"properties\":{\"ready\":{\"type\":"
               "\"boolean\"},\"checks\":{\"type\":\"array\",\"items\":{"
               "\"type\":\"object\",\"properties\":{\"name\":{\"type\":\"string\"},\"ok\":{"
               "\"type\":\"boolean\"},\"detail\":{\"type\":\"string\"}},"
               "\"required\":[\"name\",\"ok\",\"detail\"],\"additionalProperties\":false}}},"
               "\"required\":[\"ready\",\"checks\"],"
               "\"additionalProperties\":false}"
               ",\"Openapi\":{\"type\":\"object\",\"properties\":{\"openapi\":{\"type\":\"string\"}"
               "},\"required\":[\"openapi\"]}"
               ",\"Problem\":{\"type\":\"object\",\"description\":\"RFC 9457.\",\"properties\":{"
               "\"type\":{\"type\":\"string\",\"description\":\"What kind of problem; stays the "
               "same.\"},"
               "\"title\":{\"type\":\"string\"},\"status\":{\"type\":\"integer\"},"
               "\"detail\":{\"type\":\"string\",\"description\":\"What is wrong and what to do.\"},"
               "\"field\":{\"type\":\"string\",\"description\":\"The first parameter, header or "
               "member that is wrong.\"},"
               "\"errors\":{\"type\":\"array\",\"items\":{\"type\":\"object\",\"properties\":{"
               "\"field\":{\"type\":\"string\"},"
               "\"in\":{\"type\":\"string\",\"enum\":[\"query\",\"path\",\"header\",\"body\"]},"
               "\"detail\":{\"type\":\"string\"}},"
               "\"required\":[\"field\",\"in\",\"detail\"],\"additionalProperties\":false}},"
               "\"request_id\":{\"type\":\"string\"}},\"required\":[\"type\",\"title\",\"status\","
               "\"detail\"],"
               "\"additionalProperties\":false}";

static void write_schemas(struct buf *out)
{
	for (int i = 0; columns_all[i]; i++) {
		buf_printf(out, "%s\"%s\":", i ? "," : "", columns_all[i]->schema);
		columns_schema(out, columns_all[i]);
	}
	buf_lit(out, ",\"Run\":");
	run_json_schema(out);
	buf_lit(out, ",\"RunCount\":");
	run_json_count_schema(out);
	write_list(out, "PatientList", "Patient");
	write_list(out, "ObservationList", "Observation");
	write_list(out, "ZipcodeList", "Zipcode");
	write_list(out, "RunList", "Run");
	write_list(out, "RejectedList", "Rejected");
	buf_add_cstr(out, fixed_schemas);
}

static void write_problem_response(struct buf *out, const char *name, const char *words,
                                   enum problem_type type)
{
	buf_printf(out, "\"%s\":{", name);
	member(out, "description", words);
	buf_lit(out, ",\"content\":{\"application/problem+json\":{\"schema\":" REF("Problem"));
	if (type < PROBLEM_TYPES)
		buf_printf(out,
		           ",\"example\":{\"type\":\"urn:fhirline:problem:%s\",\"title\":\"%s\","
		           "\"status\":%d,\"detail\":\"%s\"}",
		           problem_name(type), problem_title(type), problem_status(type),
		           problem_title(type));
	buf_lit(out, "}}}");
}

static void write_responses(struct buf *out)
{
	for (enum problem_type t = 0; t < PROBLEM_TYPES; t++) {
		write_problem_response(out, problem_name(t), problem_title(t), t);
		buf_lit(out, ",");
	}
	write_problem_response(out, "problem", "Any other problem", PROBLEM_TYPES);
}

bool openapi_write(struct buf *out, const struct route *table, int count, struct err *err)
{
	buf_lit(out,
	        "{\"openapi\":\"3.1.0\",\"info\":{\"title\":\"fhirline\",\"version\":"
	        "\"" FHIRLINE_VERSION "\",\"summary\":\"Patients and observations of a zip code, "
	        "from a FHIR server.\",\"description\":\"The same paths "
	        "exist below /v1. Errors are problem+json (RFC 9457). Reads have an ETag; HEAD and "
	        "If-None-Match work. "
	        "Unknown parameters are "
	        "errors.\",\"license\":{\"name\":\"Apache-2.0\",\"identifier\":\"Apache-2.0\"}},"
	        "\"servers\":[{\"url\":\"/\"}],\"paths\":{");
	write_paths(out, table, count);
	buf_lit(out, "},\"components\":{\"schemas\":{");
	write_schemas(out);
	buf_lit(out, "},\"responses\":{");
	write_responses(out);
	buf_lit(out, "},\"headers\":{\"RequestId\":{\"description\":\"The request's X-Request-Id "
	             "when it had a good one, else a new "
	             "one.\",\"schema\":{\"type\":\"string\"}}}}}");
	return buf_ok(out, "the OpenAPI document", err);
}
