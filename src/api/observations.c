/* SPDX-License-Identifier: Apache-2.0 */
#include "api/handlers.h"
#include "pg/json_row.h"
#include "api/request.h"
#include "api/when.h"

enum { SLOT_LIMIT, SLOT_FROM, SLOT_BEFORE, SLOT_AT };

#define US_A_DAY INT64_C(86400000000)

static void row(struct buf *out, const PGresult *result, int i)
{
	json_row(out, &columns_observation, result, i);
}

/* effective_at in µs (INT64_MIN: none), then the id. */
static size_t position(const PGresult *result, int i, char out[128])
{
	struct str id = json_get_text(result, i, 0);
	int64_t at = json_get_time(result, i, PQfnumber(result, "effective_at"));
	size_t n = id.n <= 128 - sizeof at ? id.n : 128 - sizeof at;

	memcpy(out, &at, sizeof at);
	memcpy(out + sizeof at, id.p, n);
	return n + sizeof at;
}

static void answer_one(struct request *r, const PGresult *result)
{
	int deleted = (int)columns_observation.count;

	if (PQntuples(result) == 0) {
		request_problem(r, PROBLEM_NOT_FOUND, "id", "path",
		                "no observation with this id is loaded");
	} else if (*PQgetvalue(result, 0, deleted)) {
		request_problem(r, PROBLEM_DELETED, "id", "path",
		                "the observation was deleted on the FHIR server");
	} else {
		row(&r->body, result, 0);
		request_json(r, 200);
	}
}

void observations_get(struct request *r)
{
	request_query(r, STATEMENT_OBSERVATION_GET, 1, (const char *const[]){request_text(r, "id")},
	              answer_one);
}

static void answer_list(struct request *r, const PGresult *result)
{
	list_answer(r, result, row, position);
}

/* Where the page begins: *id NULL at the beginning, *at NULL among those without a time. */
static bool after(struct request *r, const char **at, const char **id)
{
	char p[128];
	size_t n;
	int64_t us;

	*at = *id = NULL;
	if (!list_cursor(r, p, &n))
		return false;
	if (n < sizeof us)
		return true;
	memcpy(&us, p, sizeof us);
	*id = arena_printf(&r->arena, "%.*s", (int)(n - sizeof us), p + sizeof us);
	if (us != INT64_MIN) {
		when_sql(us, r->sql_text[SLOT_AT]);
		*at = r->sql_text[SLOT_AT];
	}
	return true;
}

/* The range as [from, before): `to` includes its whole day, or its instant. */
static void range(struct request *r, const char **from, const char **before)
{
	const struct param_value *f = request_value(r, "from"), *t = request_value(r, "to");

	*from = *before = NULL;
	if (f->text.p) {
		when_sql(f->number, r->sql_text[SLOT_FROM]);
		*from = r->sql_text[SLOT_FROM];
	}
	if (t->text.p) {
		when_sql(t->number + (t->is_day ? US_A_DAY : 1), r->sql_text[SLOT_BEFORE]);
		*before = r->sql_text[SLOT_BEFORE];
	}
}

void observations_list(struct request *r)
{
	const char *limit = list_limit(r, SLOT_LIMIT), *at, *id, *from, *before;
	const char *patient = request_text(r, "patient_id"), *code = request_text(r, "code");

	if (!after(r, &at, &id))
		return;
	range(r, &from, &before);
	if (patient)
		request_query(r, STATEMENT_OBSERVATION_BY_PATIENT, 7,
		              (const char *const[]){patient, limit, at, id, code, from, before},
		              answer_list);
	else if (code)
		request_query(r, STATEMENT_OBSERVATION_BY_CODE, 6,
		              (const char *const[]){code, limit, at, id, from, before},
		              answer_list);
	else
		request_query(r, STATEMENT_OBSERVATION_LIST, 4,
		              (const char *const[]){id ? id : "", limit, from, before},
		              answer_list);
}
