/* SPDX-License-Identifier: Apache-2.0 */
#include "flow/slots.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/str.h"

/* Far above what these statements need: an answer that takes longer means that the session is as
 * good as lost. */
#define SESSION_STATEMENT_MS 15000
#define SESSION_ANSWER_MS 20000

/* How often who is hungry looks for holders that hang. */
#define EVICT_MS 2000

struct slots {
	struct share share;
	struct pg_options options; /* url and application_name are ours */
	char *url, *name;
	struct pg_conn *conn; /* NULL: lost */
	char pid[16];         /* of the session, also of a lost one; "" for none */
	char began[64];
	char class[16];
	int64_t evicted_ms; /* when it last looked for holders that hang */
	bool mine[SLOTS_MAX + 1];
};

/* The lock class of a source: one for all spellings with and without a slash at the end. */
static void slots_class(const char *source_url, char out[16])
{
	size_t n = strlen(source_url);

	while (n > 0 && source_url[n - 1] == '/')
		n--;
	snprintf(out, 16, "%d", (int)(hash_bytes(source_url, n) & 0x7fffffff));
}

static void slots_lose(struct slots *s, int64_t now_ms)
{
	pg_conn_close(s->conn);
	s->conn = NULL;
	memset(s->mine, 0, sizeof s->mine);
	share_forget(&s->share, now_ms);
}

static bool slots_call_number(struct slots *s, const char *name, int number, struct err *err)
{
	char text[16];
	const char *params[] = {s->class, text};
	PGresult *res;

	snprintf(text, sizeof text, "%d", number);
	res = pg_query(s->conn, sql_get(name), 2, params, err);
	PQclear(res);
	return res != NULL;
}

static bool slots_announce(struct slots *s, int number, bool on, bool *flag, struct err *err)
{
	if (on == *flag)
		return true;
	if (!slots_call_number(s, on ? "gate_announce" : "gate_retract", number, err))
		return false;
	*flag = on;
	return true;
}

/* A process that is stopped, or cut off without its connection having noticed, keeps its slots:
 * whoever is hungry takes them from it by ending its session. A live holder talks every
 * SHARE_SURVEY_MS. */
static bool slots_evict(struct slots *s, int64_t now_ms, struct err *err)
{
	const char *params[] = {s->class};
	PGresult *res;

	if (!s->share.hungry || now_ms - s->evicted_ms < EVICT_MS)
		return true;
	s->evicted_ms = now_ms;
	res = pg_query(s->conn, sql_get("gate_evict"), 1, params, err);
	PQclear(res);
	return res != NULL;
}

static bool slots_survey(struct slots *s, int64_t now_ms, struct err *err)
{
	const char *params[] = {s->class};
	PGresult *res = slots_evict(s, now_ms, err)
	                    ? pg_query(s->conn, sql_get("gate_survey"), 1, params, err)
	                    : NULL;

	if (!res)
		return false;
	s->share.processes = (int)pg_int(res, 0, 0) > 1 ? (int)pg_int(res, 0, 0) : 1;
	s->share.hungry_others = (int)pg_int(res, 0, 1);
	s->share.wanting_others = (int)pg_int(res, 0, 2);
	s->share.surveyed_ms = now_ms;
	PQclear(res);
	return true;
}

/* "{3,4,1}": at most `count` slots that are (or are not) ours, from a random one on, so that
 * processes do not all try the same first. */
static void slots_list(struct slots *s, bool mine, int count, char *out, size_t size)
{
	int start = (int)rng_below(&s->share.rng, (uint64_t)s->share.cap);
	size_t n = (size_t)snprintf(out, size, "{");

	for (int i = 0; i < s->share.cap && count > 0; i++) {
		int slot = (start + i) % s->share.cap + 1;

		if (s->mine[slot] != mine)
			continue;
		n += (size_t)snprintf(out + n, size - n, n > 1 ? ",%d" : "%d", slot);
		if (mine)
			s->mine[slot] = false;
		count--;
	}
	snprintf(out + n, size - n, "}");
}

static bool slots_give(struct slots *s, int count, struct err *err)
{
	char list[SLOTS_MAX * 4 + 3];
	const char *params[] = {s->class, list};
	PGresult *res;

	if (count == 0)
		return true;
	slots_list(s, true, count, list, sizeof list);
	s->share.held -= count;
	res = pg_query(s->conn, sql_get("gate_give"), 2, params, err);
	PQclear(res);
	return res != NULL;
}

static bool slots_take(struct slots *s, int count, int64_t now_ms, struct err *err)
{
	char list[SLOTS_MAX * 4 + 3], number[16];
	const char *params[] = {s->class, list, number};
	PGresult *res;
	int got;

	if (count == 0)
		return true;
	slots_list(s, false, s->share.cap, list, sizeof list);
	snprintf(number, sizeof number, "%d", count);
	res = pg_query(s->conn, sql_get("gate_take"), 3, params, err);
	if (!res)
		return false;
	got = PQntuples(res);
	for (int i = 0; i < got; i++)
		s->mine[pg_int(res, i, 0)] = true;
	PQclear(res);
	s->share.held += got;
	s->share.refused = got < count;
	if (got > 0)
		s->share.taken_ms = now_ms;
	if (got == count)
		s->share.ask_ms = now_ms;
	return true;
}

static bool slots_connect(struct slots *s, struct err *err)
{
	PGresult *res;

	s->conn = pg_conn_open(&s->options, err);
	if (!s->conn)
		return false;
	res = pg_query(s->conn, sql_get("gate_session"), 0, NULL, err);
	if (!res) {
		pg_conn_close(s->conn);
		s->conn = NULL;
		return false;
	}
	snprintf(s->pid, sizeof s->pid, "%.*s", STR_FMT(pg_str(res, 0, 0)));
	snprintf(s->began, sizeof s->began, "%.*s", STR_FMT(pg_str(res, 0, 1)));
	PQclear(res);
	return true;
}

struct slots *slots_open(const struct pg_options *database, const char *source_url, int cap,
                         uint64_t seed, int64_t now_ms, struct err *err)
{
	struct slots *s = calloc(1, sizeof *s);

	if (!s) {
		err_set(err, ERR_NOMEM, "slots.open", "out of memory");
		return NULL;
	}
	s->url = database->url ? strdup(database->url) : NULL;
	s->name = strdup(database->application_name ? database->application_name : "fhirline gate");
	s->options = *database;
	s->options.url = s->url;
	s->options.application_name = s->name;
	s->options.statement_timeout_ms = SESSION_STATEMENT_MS;
	s->options.answer_timeout_ms = SESSION_ANSWER_MS;
	slots_class(source_url, s->class);
	share_init(&s->share, cap, seed, now_ms);
	if ((database->url && !s->url) || !s->name) {
		err_set(err, ERR_NOMEM, "slots.open", "out of memory");
		goto failed;
	}
	if (!slots_connect(s, err))
		goto failed;
	return s;
failed:
	slots_close(s);
	return NULL;
}

void slots_close(struct slots *s)
{
	if (!s)
		return;
	pg_conn_close(s->conn);
	free(s->url);
	free(s->name);
	free(s);
}

struct share *slots_share(struct slots *s)
{
	return &s->share;
}

bool slots_is_lost(const struct slots *s)
{
	return !s->conn;
}

bool slots_run(struct slots *s, const struct share_step *step, int64_t now_ms, struct err *err)
{
	struct share *share = &s->share;

	/* here before the survey, which counts it; hungry no longer before the others look */
	if ((!step->here || slots_announce(s, SLOTS_HERE, true, &share->here, err)) &&
	    slots_announce(s, SLOTS_HUNGRY, step->hungry, &share->hungry, err) &&
	    slots_announce(s, SLOTS_WANTING, step->wanting, &share->wanting, err) &&
	    (!step->survey || slots_survey(s, now_ms, err)) && slots_give(s, step->give, err) &&
	    slots_take(s, step->take, now_ms, err) &&
	    (step->here || slots_announce(s, SLOTS_HERE, false, &share->here, err))) {
		if (!step->here)
			share->processes = 0;
		return true;
	}
	slots_lose(s, now_ms);
	return false;
}

bool slots_reopen(struct slots *s, int inside, int64_t now_ms, struct err *err)
{
	char pid[sizeof s->pid], began[sizeof s->began];
	const char *params[] = {pid, began};
	struct share_step step = {.here = inside > 0,
	                          .take = inside < s->share.cap ? inside : s->share.cap};
	PGresult *res;

	memcpy(pid, s->pid, sizeof pid);
	memcpy(began, s->began, sizeof began);
	slots_lose(s, now_ms);
	if (!slots_connect(s, err))
		return false;
	res = pg_query(s->conn, sql_get("gate_session_end"), 2, params, err);
	if (!res) {
		slots_lose(s, now_ms);
		return false;
	}
	PQclear(res);
	return slots_run(s, &step, now_ms, err);
}
