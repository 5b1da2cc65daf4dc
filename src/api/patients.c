/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "api/handlers.h"
#include "pg/json_row.h"
#include "api/request.h"
#include "api/when.h"

enum { SLOT_LIMIT, SLOT_AFTER, SLOT_DATE };

static void row(struct buf *out, const PGresult *result, int i)
{
	json_row(out, &columns_patient, result, i);
}

static size_t position(const PGresult *result, int i, char out[128])
{
	struct str id = json_get_text(result, i, 0);

	memcpy(out, id.p, id.n <= 128 ? id.n : 128);
	return id.n;
}

static void answer_one(struct request *r, const PGresult *result)
{
	int deleted = (int)columns_patient.count;

	if (PQntuples(result) == 0) {
		request_problem(r, PROBLEM_NOT_FOUND, "id", "path",
		                "no patient with this id is loaded");
	} else if (*PQgetvalue(result, 0, deleted)) {
		request_problem(r, PROBLEM_DELETED, "id", "path",
		                "the patient was deleted on the FHIR server");
	} else {
		row(&r->body, result, 0);
		request_json(r, 200);
	}
}

void patients_get(struct request *r)
{
	request_query(r, STATEMENT_PATIENT_GET, 1, (const char *const[]){request_text(r, "id")},
	              answer_one);
}

static void answer_list(struct request *r, const PGresult *result)
{
	list_answer(r, result, row, position);
}

/* The id after which the page begins, as text for SQL. */
static bool after(struct request *r, const char **id)
{
	char at[128];
	size_t n;

	if (!list_cursor(r, at, &n))
		return false;
	*id = arena_printf(&r->arena, "%.*s", (int)n, at);
	return true;
}

void patients_list(struct request *r)
{
	const char *limit = list_limit(r, SLOT_LIMIT), *id, *date = NULL;
	const char *zip = request_text(r, "zipcode"), *first = request_text(r, "first_name");
	const char *last = request_text(r, "last_name"), *gender = request_text(r, "gender");

	if (!after(r, &id))
		return;
	if (request_text(r, "birth_date")) {
		when_sql_date(request_value(r, "birth_date")->number, r->sql_text[SLOT_DATE]);
		date = r->sql_text[SLOT_DATE];
	}
	/* by what has an index and finds the fewest */
	if (zip)
		request_query(r, STATEMENT_PATIENT_BY_ZIP, 7,
		              (const char *const[]){id, limit, zip, first, last, gender, date},
		              answer_list);
	else if (last)
		request_query(
		    r, first ? STATEMENT_PATIENT_BY_FIRST_NAME : STATEMENT_PATIENT_BY_LAST_NAME,
		    first ? 6 : 5,
		    first ? (const char *const[]){id, limit, first, last, gender, date}
		          : (const char *const[]){id, limit, last, gender, date, NULL},
		    answer_list);
	else if (first)
		request_query(r, STATEMENT_PATIENT_BY_FIRST_NAME, 6,
		              (const char *const[]){id, limit, first, NULL, gender, date},
		              answer_list);
	else if (gender || date)
		request_query(r, STATEMENT_PATIENT_SEARCH, 4,
		              (const char *const[]){id, limit, gender, date}, answer_list);
	else
		request_query(r, STATEMENT_PATIENT_LIST, 2, (const char *const[]){id, limit},
		              answer_list);
}

/* The others, when there are more, are a page of /patients. */
static void add_next_link(struct request *r, const PGresult *result, int last)
{
	char at[128];
	const char *cursor = list_cursor_text(r, at, position(result, last, at), "/patients");
	const char *link = cursor ? list_link(r, "/patients", cursor) : NULL;
	char *text = link ? arena_printf(&r->arena, "<%s>; rel=\"next\"", link) : NULL;

	if (text)
		request_add_header(r, "Link", text);
}

static void answer_array(struct request *r, const PGresult *result)
{
	int rows = PQntuples(result), limit = (int)request_value(r, "limit")->number;

	buf_lit(&r->body, "[");
	for (int i = 0; i < rows && i < limit; i++) {
		if (i)
			buf_lit(&r->body, ",");
		row(&r->body, result, i);
	}
	buf_lit(&r->body, "]");
	if (rows > limit)
		add_next_link(r, result, limit - 1);
	request_json(r, 200);
}

void patients_by_first_name(struct request *r)
{
	request_query(r, STATEMENT_PATIENT_BY_FIRST_NAME, 6,
	              (const char *const[]){"", list_limit(r, SLOT_LIMIT),
	                                    request_text(r, "first_name"), NULL, NULL, NULL},
	              answer_array);
}
