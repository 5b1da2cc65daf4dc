/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stdio.h>
#include <yyjson.h>

#include "api/handlers.h"
#include "pg/json_row.h"
#include "api/run_json.h"
#include "api/server.h"
#include "base/hash.h"
#include "fhir/map.h"

enum { SLOT_LIMIT, SLOT_VERSION };
enum { RACES = 5 };

/* ---- what is loaded ---- */

static void row(struct buf *out, const PGresult *result, int i)
{
	json_row(out, &columns_zipcode, result, i);
}

static size_t position(const PGresult *result, int i, char out[128])
{
	struct str zip = json_get_text(result, i, 0);

	memcpy(out, zip.p, zip.n <= 128 ? zip.n : 128);
	return zip.n;
}

static void answer_list(struct request *r, const PGresult *result)
{
	list_answer(r, result, row, position);
}

void zipcodes_list(struct request *r)
{
	char at[128];
	size_t n;

	if (list_cursor(r, at, &n))
		request_query(r, STATEMENT_ZIPCODE_LIST, 2,
		              (const char *const[]){arena_printf(&r->arena, "%.*s", (int)n, at),
		                                    list_limit(r, SLOT_LIMIT)},
		              answer_list);
}

static void answer_one(struct request *r, const PGresult *result)
{
	if (PQntuples(result) == 0) {
		request_problem(r, PROBLEM_NOT_FOUND, "zip", "path",
		                "this zip code is not loaded; POST /zipcodes loads it");
		return;
	}
	row(&r->body, result, 0);
	request_json(r, 200);
}

void zipcodes_get(struct request *r)
{
	request_query(r, STATEMENT_ZIPCODE_GET, 1, (const char *const[]){request_text(r, "zip")},
	              answer_one);
}

/* ---- POST: ask for a run ---- */

struct ask {
	char zip[6];
	bool full, fresh, allow_mass_delete;
	char run_id[UUID_TEXT]; /* the new one, then the one that it is */
	char verdict[16];
};

static bool take_zip(struct problem *p, yyjson_val *v, struct ask *ask)
{
	static const char allowed[] = "must be a string of exactly five digits (\"02139\") or a "
	                              "whole number from 0 to 99999 (2139)";
	struct str text = {yyjson_get_str(v), yyjson_get_len(v)};
	double d = yyjson_is_num(v) ? yyjson_get_num(v) : -1;

	if (yyjson_is_str(v) && str_is_zip(text)) {
		memcpy(ask->zip, text.p, 5);
	} else if (d >= 0 && d <= 99999 && trunc(d) >= d) {
		snprintf(ask->zip, sizeof ask->zip, "%05d", (int)d);
	} else {
		problem_add(p, "zipcode", "body", allowed);
		return false;
	}
	return true;
}

static void take_member(struct request *r, struct problem *p, yyjson_val *key, struct ask *ask,
                        unsigned *seen)
{
	static const char *const names[] = {"zipcode", "full", "fresh", "allow_mass_delete"};
	bool *const flags[] = {NULL, &ask->full, &ask->fresh, &ask->allow_mass_delete};
	yyjson_val *v = yyjson_obj_iter_get_val(key);
	struct str name = {yyjson_get_str(key), yyjson_get_len(key)};
	char *copy;

	for (unsigned i = 0; i < 4; i++) {
		if (!str_is(name, names[i]))
			continue;
		if (*seen & 1u << i)
			problem_add(p, names[i], "body", "must not be given twice");
		else if (i == 0)
			take_zip(p, v, ask);
		else if (!yyjson_is_bool(v))
			problem_add(p, names[i], "body", "must be true or false");
		else
			*flags[i] = yyjson_get_bool(v);
		*seen |= 1u << i;
		return;
	}
	copy = arena_printf(&r->arena, "%.*s", name.n <= 64 ? (int)name.n : 0, name.p);
	problem_add(p, copy && *copy ? copy : "body", "body",
	            "is not a field here; allowed: zipcode, full, fresh, allow_mass_delete");
}

static bool take_object(struct request *r, struct problem *p, yyjson_val *root, struct ask *ask)
{
	yyjson_obj_iter iter;
	yyjson_val *key;
	unsigned seen = 0;

	if (!yyjson_is_obj(root)) {
		problem_add(p, "body", "body",
		            "must be a JSON object, for example {\"zipcode\":\"02139\"}");
		return false;
	}
	yyjson_obj_iter_init(root, &iter);
	while ((key = yyjson_obj_iter_next(&iter)))
		take_member(r, p, key, ask, &seen);
	if (!(seen & 1))
		problem_add(p, "zipcode", "body", "is required");
	return p->count == 0;
}

static bool take_body(struct request *r, struct ask *ask)
{
	struct problem p = {.type = PROBLEM_BODY};
	yyjson_read_err error;
	yyjson_doc *doc =
	    r->upload.n ? yyjson_read_opts(r->upload.p, r->upload.n, 0, NULL, &error) : NULL;
	bool ok = false;

	if (!r->upload.n)
		problem_add(&p, "body", "body",
		            "is missing: send a JSON object, for example {\"zipcode\":\"02139\"}");
	else if (!doc)
		problem_add(&p, "body", "body",
		            arena_printf(&r->arena, "is not valid JSON: %s at byte %zu", error.msg,
		                         error.pos));
	else
		ok = take_object(r, &p, yyjson_doc_get_root(doc), ask);
	yyjson_doc_free(doc);
	if (!ok) {
		p.detail = arena_printf(
		    &r->arena, "%s %s",
		    p.count && strcmp(p.fields[0].name, "body") ? p.fields[0].name : "the body",
		    p.count ? p.fields[0].detail : "");
		problem_json(&r->body, &p, r->id);
		r->status = problem_status(p.type);
		r->media = "application/problem+json";
	}
	return ok;
}

static void answer_accepted(struct request *r, const PGresult *result)
{
	struct ask *ask = r->state;
	char *location = arena_printf(&r->arena, "/runs/%s", ask->run_id);

	if (PQntuples(result) == 0 || !location) {
		request_problem(r, PROBLEM_INTERNAL, NULL, NULL, NULL);
		return;
	}
	if (!str_is(run_zip(result, 0), ask->zip)) {
		request_problem(r, PROBLEM_CONFLICT, "Idempotency-Key", "header",
		                "this key was used for a run of another zip code: use a new one");
		return;
	}
	buf_printf(&r->body, "{\"run_id\":\"%s\",\"zipcode\":\"%s\",\"state\":", ask->run_id,
	           ask->zip);
	buf_add_json(&r->body, run_state(result, 0));
	buf_printf(&r->body, ",\"outcome\":\"%s\"}", ask->verdict);
	request_add_header(r, "Location", location);
	request_json(r, 202);
}

static void answer_verdict(struct request *r, const PGresult *result)
{
	struct ask *ask = r->state;

	if (PQntuples(result) == 0) {
		/* a run that ended between two looks at it */
		request_problem(r, PROBLEM_BUSY, NULL, NULL,
		                "the zip code's run has just changed; ask again");
		return;
	}
	snprintf(ask->run_id, sizeof ask->run_id, "%.*s", STR_FMT(json_get_text(result, 0, 0)));
	snprintf(ask->verdict, sizeof ask->verdict, "%.*s", STR_FMT(json_get_text(result, 0, 1)));
	if (strcmp(ask->verdict, "refused") == 0) {
		request_problem(r, PROBLEM_CONFLICT, "fresh", "body",
		                "the last run of this zip code could go on, but was made for "
		                "another FHIR server or by "
		                "other mapping rules: set \"fresh\": true to start over");
		return;
	}
	api_wake_engine(r->api);
	request_query(r, STATEMENT_RUN_SHOW, 1, (const char *const[]){ask->run_id},
	              answer_accepted);
}

static bool ask_again(struct request *r, const char *sqlstate);

static void ask_run(struct request *r)
{
	struct ask *ask = r->state;

	snprintf(r->sql_text[SLOT_VERSION], sizeof r->sql_text[SLOT_VERSION], "%d",
	         FHIR_MAPPING_VERSION);
	r->on_error = ask_again;
	request_query(r, STATEMENT_RUN_REQUEST, 8,
	              (const char *const[]){ask->run_id, ask->zip, r->api->options.source_url,
	                                    r->sql_text[SLOT_VERSION], ask->full ? "full" : "auto",
	                                    ask->allow_mass_delete ? "true" : "false",
	                                    request_text(r, "Idempotency-Key"),
	                                    ask->fresh ? "true" : "false"},
	              answer_verdict);
}

/* A unique violation: somebody asked for the same at the same moment, and was first. */
static bool ask_again(struct request *r, const char *sqlstate)
{
	if (strcmp(sqlstate, "23505") != 0 || r->tries++ >= RACES)
		return false;
	ask_run(r);
	return true;
}

void zipcodes_create(struct request *r)
{
	struct ask *ask = arena_alloc(&r->arena, sizeof *ask);
	struct err err = {0};

	if (!r->api->options.source_url || !ask) {
		request_problem(r, PROBLEM_BUSY, NULL, NULL,
		                "this server was started without a FHIR server to load from");
		return;
	}
	if (!take_body(r, ask))
		return;
	if (!uuid_v7(clock_now_us(r->api->options.clock), ask->run_id, &err)) {
		request_problem(r, PROBLEM_INTERNAL, NULL, NULL, NULL);
		return;
	}
	r->state = ask;
	ask_run(r);
}
