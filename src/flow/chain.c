/* SPDX-License-Identifier: Apache-2.0
 *
 * Where a chain of search pages goes on.
 *
 * The server's `next` links are followed first. When they end and the server's own count says that
 * there is more (HAPI ends a search silently after some 2,200 results when its maximum page is
 * small: hapi-fhir issues 2937 and 6548), or when a search expired (410), it is read again in
 * rounds ordered by lastUpdated, each from the newest instant that the round before has seen. Such
 * a round's beginning stands in `next` as "sorted:<microseconds>", a later page of it as
 * "round:<microseconds>:<link>".
 *
 * The server counts twice, before the chain and after it, and the chain must have given as many as
 * the larger count: what was deleted meanwhile must not make up for what was left out. Only when
 * the rounds have come to their end does the count after it suffice.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "fhir/map.h"
#include "flow/internal.h"

enum {
	MAX_RESTARTS = 50
}; /* within one batch; each has to bring something new or a later instant */
static const char SORTED[] = "sorted:", ROUND[] = "round:";

static bool bad_memory(struct err *err)
{
	return err_set(err, ERR_NOMEM, "flow.chain", "out of memory");
}

void flow_chain_free(struct flow_chain *chain)
{
	free(chain->next);
	chain->next = NULL;
}

/* Milliseconds are what servers keep; rounding down only reads a little twice. */
void flow_ge_instant(int64_t us, char out[FLOW_GE_TEXT])
{
	char text[CLOCK_TEXT];
	int64_t ms = ((us % 1000000) + 1000000) % 1000000 / 1000;
	int64_t whole = us - ((us % 1000000) + 1000000) % 1000000;

	clock_format(whole, text);
	text[strlen(text) - 1] = '\0';
	snprintf(out, FLOW_GE_TEXT, "ge%s.%03dZ", text, (int)ms);
}

enum { MAX_PARAMS = 4, NEXT_LIMIT = 1 << 20 };

struct search {
	const char *type;
	struct fhir_param params[MAX_PARAMS];
	size_t n;
	char ge[FLOW_GE_TEXT];
};

static void add_param(struct search *s, const char *name, const char *value)
{
	s->params[s->n++] = (struct fhir_param){name, value};
}

/* Postal codes are searched by prefix, not :exact: ZIP+4 must match, and each address is checked
 * again (map.h). */
static void search_of(const struct flow_run *run, const struct flow_chain *chain, bool sorted,
                      int64_t from_us, struct search *s)
{
	bool changed_only = run->incremental && chain->kind != FLOW_ID_PAGE;
	int64_t ge = changed_only ? run->since_us : INT64_MIN;

	*s = (struct search){.type =
	                         chain->kind == FLOW_OBSERVATION_PAGE ? "Observation" : "Patient"};
	add_param(s,
	          chain->kind == FLOW_OBSERVATION_PAGE ? "patient.address-postalcode"
	                                               : "address-postalcode",
	          run->zip);
	if (sorted && from_us > ge)
		ge = from_us;
	if (ge != INT64_MIN) {
		flow_ge_instant(ge, s->ge);
		add_param(s, "_lastUpdated", s->ge);
	}
	if (sorted)
		add_param(s, "_sort", "_lastUpdated");
	else if (chain->kind == FLOW_ID_PAGE)
		add_param(s, "_elements", "id");
}

static bool is_sorted(const char *next)
{
	return next && strncmp(next, SORTED, sizeof SORTED - 1) == 0;
}

static bool in_round(const char *next)
{
	return is_sorted(next) || (next && strncmp(next, ROUND, sizeof ROUND - 1) == 0);
}

/* Where the round that `next` belongs to began. */
static int64_t round_from(const char *next)
{
	int64_t from = INT64_MIN;
	struct str text;

	if (!in_round(next))
		return from;
	text = str_of(strchr(next, ':') + 1);
	for (size_t i = 0; i < text.n; i++)
		if (text.p[i] == ':')
			text.n = i;
	str_int(text, INT64_MIN, INT64_MAX, &from);
	return from;
}

/* The server's own link. */
static const char *link_of(const char *next)
{
	if (!in_round(next))
		return next;
	return strchr(strchr(next, ':') + 1, ':') + 1;
}

static bool set_next(struct flow_chain *chain, const char *kind, int64_t from_us, const char *link,
                     struct err *err)
{
	struct buf b = BUF_INIT(NEXT_LIMIT);

	if (kind)
		buf_printf(&b, "%s%" PRId64 "%s", kind, from_us, link ? ":" : "");
	if (link)
		buf_add_cstr(&b, link);
	if (!buf_ok(&b, "a chain's next page", err)) {
		buf_free(&b);
		return false;
	}
	free(chain->next);
	chain->next = b.p;
	return true;
}

static bool set_sorted(struct flow_chain *chain, int64_t from_us, struct err *err)
{
	return set_next(chain, SORTED, from_us, NULL, err);
}

/* Rounds give again what an earlier round or search gave. When the run was taken over, some of what
 * was given is known by number only, and would count twice: from the beginning, then, and counted
 * anew. */
static bool begin_exactly(struct flow_run *run, struct flow_chain *chain, struct err *err)
{
	bool known;

	pthread_mutex_lock(&run->lock);
	known = run->given_before[chain->kind] == 0;
	run->given_before[chain->kind] = 0;
	pthread_mutex_unlock(&run->lock);
	if (known)
		return true;
	chain->seen_until_us = INT64_MIN;
	return set_sorted(chain, INT64_MIN, err);
}

struct str flow_subject(yyjson_val *observation)
{
	yyjson_val *ref = yyjson_obj_get(yyjson_obj_get(observation, "subject"), "reference");
	struct str s = {yyjson_get_str(ref), yyjson_get_len(ref)}, id = STR_NONE;

	for (size_t i = 0; s.p && i + 8 <= s.n; i++)
		if (memcmp(s.p + i, "Patient/", 8) == 0 && (i == 0 || s.p[i - 1] == '/'))
			id = (struct str){s.p + i + 8, s.n - i - 8};
	for (size_t i = 0; i < id.n; i++)
		if (id.p[i] == '/')
			id.n = i;
	return id.p ? id : STR("");
}

static bool count_all(struct flow_work *w, struct flow_run *run, const struct flow_chain *chain,
                      int64_t *total, struct err *err)
{
	struct search s;

	search_of(run, chain, false, INT64_MIN, &s);
	if (chain->kind == FLOW_ID_PAGE)
		s.n--; /* _elements says nothing about a count */
	return flow_fhir_count(w, run, s.type, s.params, s.n, total, err);
}

bool flow_chain_load(struct flow_work *w, struct flow_run *run, const struct flow_batch *b,
                     struct flow_chain *chain, struct err *err)
{
	char seq[16];
	const char *params[] = {run->id, seq};
	PGresult *res;

	*chain = (struct flow_chain){.kind = b->kind, .seen_until_us = INT64_MIN, .before = -1};
	if (b->page_seq == 0)
		return count_all(w, run, chain, &chain->before, err);
	snprintf(seq, sizeof seq, "%u", b->page_seq);
	res = flow_query(w, run, "flow_page", 2, params, err);
	if (!res)
		return false;
	if (PQntuples(res) == 1) {
		chain->next = str_dup(pg_str(res, 0, 0));
		chain->seen_until_us = pg_time_us(res, 0, 1);
		chain->before = PQgetisnull(res, 0, 2) ? -1 : pg_int(res, 0, 2);
	}
	PQclear(res);
	if (!chain->next)
		return bad_memory(err);
	return !in_round(chain->next) || begin_exactly(run, chain, err);
}

static bool fetch_root(struct flow_work *w, struct flow_run *run, struct flow_chain *chain,
                       struct fhir_page *page, struct err *err)
{
	struct search s;
	bool sorted = is_sorted(chain->next);
	int64_t from = round_from(chain->next);

	search_of(run, chain, sorted, from, &s);
	if (sorted)
		chain->seen_until_us = from; /* grows with this round's pages */
	return flow_search(w, run, s.type, s.params, s.n, page, err);
}

/* An expired search starts again by lastUpdated: from the round's newest instant, or from the
 * beginning. */
static bool restart(struct flow_run *run, struct flow_chain *chain, const struct err *why,
                    struct err *err)
{
	if (++chain->restarts > MAX_RESTARTS)
		return err_set(err, ERR_GONE, "flow.chain",
		               "the search expired %d times without going on: %s", MAX_RESTARTS,
		               why->text);
	return set_sorted(chain, chain->seen_until_us, err) && begin_exactly(run, chain, err);
}

bool flow_chain_fetch(struct flow_work *w, struct flow_run *run, struct flow_chain *chain,
                      struct fhir_page *page, struct err *err)
{
	const char *type = chain->kind == FLOW_OBSERVATION_PAGE ? "Observation" : "Patient";
	struct err e = {0};

	while (chain->next && !is_sorted(chain->next)) {
		if (flow_search_next(w, run, type, link_of(chain->next), page, &e))
			return true;
		if (e.code != ERR_GONE) {
			*err = e;
			return false;
		}
		if (!restart(run, chain, &e, err))
			return false;
	}
	return fetch_root(w, run, chain, page, err);
}

int64_t flow_newest(const struct fhir_page *page)
{
	int64_t newest = INT64_MIN, us;
	enum fhir_precision precision;

	for (size_t i = 0; i < page->count; i++) {
		yyjson_val *v =
		    yyjson_obj_get(yyjson_obj_get(page->entries[i].json, "meta"), "lastUpdated");

		if (yyjson_is_str(v) &&
		    fhir_parse_datetime((struct str){yyjson_get_str(v), yyjson_get_len(v)}, &us,
		                        &precision) &&
		    us > newest)
			newest = us;
	}
	return newest;
}

/* The last page has come. Counts that disagree with what came call for rounds: fewer came than any
 * of them says, or more than the last one. */
static bool at_end(struct flow_chain *chain, int64_t now, int64_t total, int64_t unique,
                   int64_t *missing, struct err *err)
{
	int64_t wanted = now > chain->before ? now : chain->before;
	bool sorted = in_round(chain->next),
	     last = sorted && chain->seen_until_us <= round_from(chain->next);

	if (!sorted && total > wanted)
		wanted = total;
	if (!last && ((now >= 0 && unique > now) || unique < wanted))
		return set_sorted(chain, chain->seen_until_us, err);
	*missing = now > unique ? now - unique : 0;
	flow_chain_free(chain);
	return true;
}

bool flow_chain_advance(struct flow_work *w, struct flow_run *run, struct flow_chain *chain,
                        const struct fhir_page *page, int64_t unique, int64_t *expected,
                        int64_t *missing, struct err *err)
{
	bool sorted = in_round(chain->next);
	int64_t newest = flow_newest(page);

	*missing = 0;
	*expected = chain->before;
	if (sorted && newest > chain->seen_until_us)
		chain->seen_until_us = newest;
	if (page->next)
		return set_next(chain, sorted ? ROUND : NULL, round_from(chain->next), page->next,
		                err);
	if (!count_all(w, run, chain, expected, err))
		return false;
	return at_end(chain, *expected, page->total, unique, missing, err);
}
