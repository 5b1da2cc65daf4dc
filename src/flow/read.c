/* SPDX-License-Identifier: Apache-2.0
 *
 * Fetches one batch and lands it. The facts about it (what the server counted, where the chain goes
 * on) are written into the landed object's trailer, so that object and facts appear in the same
 * instant: a batch whose checkpoint was lost is taken up from its object and not fetched again. A
 * list of ids has no resources and so no object: it is read again.
 */
#include <inttypes.h>
#include <stdlib.h>

#include "fhir/map.h"
#include "flow/internal.h"

enum { META_LIMIT = 4 * 1024 * 1024, MAX_ROUNDS = 200, STALE_PAGES = 10000 };

/* What a batch gathers while it is read. */
struct reading {
	struct flow_work *w;
	struct flow_run *run;
	const struct flow_batch *batch;
	struct land_writer *writer; /* NULL for a list of ids */
	struct flow_landed *out;
	struct buf ids;  /* JSON array */
	struct buf left; /* JSON array without its end */
};

void flow_landed_free(struct flow_landed *l)
{
	free(l->next);
	free(l->ids);
	free(l->left);
	free(l->listed);
	l->next = l->ids = l->left = l->listed = NULL;
}

static const char *object_type(enum flow_batch_kind k)
{
	return k == FLOW_OBSERVATIONS || k == FLOW_OBSERVATION_PAGE ? "observation" : "patient";
}

/* ---- the trailer ---- */

static bool write_meta(const struct flow_landed *l, struct buf *b, struct err *err)
{
	buf_printf(b,
	           "{\"fetched\":%" PRId64 ",\"landed\":%" PRId64 ",\"elsewhere\":%" PRId64
	           ",\"missing\":%" PRId64 ",\"expected\":%" PRId64 ",\"seen_until\":%" PRId64,
	           l->fetched, l->landed, l->elsewhere, l->missing, l->expected, l->seen_until_us);
	if (l->next) {
		buf_lit(b, ",\"next\":");
		buf_add_json(b, str_of(l->next));
	}
	if (l->ids) {
		buf_lit(b, ",\"patients\":");
		buf_add_cstr(b, l->ids);
	}
	if (l->left) {
		buf_lit(b, ",\"elsewhere_ids\":");
		buf_add_cstr(b, l->left);
	}
	buf_lit(b, "}");
	return buf_ok(b, "the facts about a batch", err);
}

static int64_t meta_int(yyjson_val *root, const char *name)
{
	return yyjson_get_sint(yyjson_obj_get(root, name));
}

/* An array of ids as JSON text again; *out stays NULL when there is none. */
static bool meta_ids(yyjson_val *ids, char **out, struct err *err)
{
	size_t i, max;
	yyjson_val *v;
	struct buf b = BUF_INIT(META_LIMIT);

	if (!yyjson_is_arr(ids))
		return true;
	buf_lit(&b, "[");
	yyjson_arr_foreach(ids, i, max, v)
	{
		if (i)
			buf_lit(&b, ",");
		buf_add_json(&b, (struct str){yyjson_get_str(v), yyjson_get_len(v)});
	}
	buf_lit(&b, "]");
	if (!buf_ok(&b, "the patients of a page", err)) {
		buf_free(&b);
		return false;
	}
	*out = b.p;
	return true;
}

static bool read_meta(struct str text, struct flow_landed *l, struct err *err)
{
	yyjson_doc *doc = yyjson_read(text.p, text.n, 0);
	yyjson_val *root = yyjson_doc_get_root(doc), *next = yyjson_obj_get(root, "next");
	bool ok;

	if (!yyjson_is_obj(root)) {
		yyjson_doc_free(doc);
		return err_set(err, ERR_DATA, "flow.read", "the trailer of %s is damaged",
		               l->object.name);
	}
	l->fetched = meta_int(root, "fetched");
	l->landed = meta_int(root, "landed");
	l->elsewhere = meta_int(root, "elsewhere");
	l->missing = meta_int(root, "missing");
	l->expected = meta_int(root, "expected");
	l->seen_until_us = meta_int(root, "seen_until");
	if (yyjson_is_str(next))
		l->next = str_dup((struct str){yyjson_get_str(next), yyjson_get_len(next)});
	l->id_count = (uint32_t)yyjson_arr_size(yyjson_obj_get(root, "patients"));
	ok = meta_ids(yyjson_obj_get(root, "patients"), &l->ids, err) &&
	     meta_ids(yyjson_obj_get(root, "elsewhere_ids"), &l->left, err);
	yyjson_doc_free(doc);
	return ok;
}

static bool find_landed(struct flow_run *run, const char *name, struct flow_landed *out,
                        bool *found, struct err *err)
{
	struct buf meta = BUF_INIT(META_LIMIT);
	struct err e = {0};
	bool ok = true;

	*found = land_meta(run->land, name, &meta, &out->object, &e);
	if (*found) {
		ok = read_meta((struct str){meta.p, meta.n}, out, err);
	} else if (e.code != ERR_NOT_FOUND) {
		*err = e;
		ok = false;
	}
	buf_free(&meta);
	return ok;
}

static bool commit(struct reading *r, struct err *err)
{
	struct buf meta = BUF_INIT(META_LIMIT);
	struct land_writer *writer = r->writer;
	bool ok;

	if (!writer)
		return true;
	ok = write_meta(r->out, &meta, err);
	if (ok) {
		flow_crash_point("before_land");
		r->writer = NULL;
		ok = land_commit(writer, (struct str){meta.p, meta.n}, &r->out->object, err);
		flow_crash_point("after_land");
	}
	buf_free(&meta);
	return ok;
}

/* ---- pages ---- */

static bool land_entry(struct reading *r, const struct fhir_entry *e, struct err *err)
{
	if (!land_write_line(r->writer, e->raw, err))
		return false;
	r->out->landed++;
	return true;
}

static bool add_id(struct reading *r, struct str id)
{
	buf_add_cstr(&r->ids, r->out->id_count++ ? "," : "[");
	return buf_add_json(&r->ids, id);
}

/* The run's chains are read one page at a time, so the sets need the lock only against nobody; it
 * is taken all the same: cheap. */
static bool give(struct reading *r, struct str id, bool *added, struct err *err)
{
	bool ok;

	pthread_mutex_lock(&r->run->lock);
	ok = idset_add(&r->run->given[r->batch->kind], id, added);
	pthread_mutex_unlock(&r->run->lock);
	return ok || err_set(err, ERR_NOMEM, "flow.read", "out of memory for the run's ids");
}

static int64_t given(struct reading *r)
{
	int64_t n;

	pthread_mutex_lock(&r->run->lock);
	n = (int64_t)r->run->given[r->batch->kind].n + r->run->given_before[r->batch->kind];
	pthread_mutex_unlock(&r->run->lock);
	return n;
}

/* What tells a resource from others: its id, or its bytes when it has no usable one. */
static struct str key_of(const struct fhir_entry *e)
{
	return fhir_id_valid(e->id) ? e->id : e->raw;
}

static bool take_patient(struct reading *r, const struct fhir_entry *e, bool *fresh,
                         struct err *err)
{
	bool added = true;

	if (!give(r, key_of(e), &added, err))
		return false;
	*fresh = added;
	if (!added)
		return true; /* a search that was started again, or a repetition: known is skipped
		              */
	if (!fhir_patient_lives_in(e->json, r->run->zip)) {
		r->out->elsewhere++;
		if (r->run->incremental && fhir_id_valid(e->id)) {
			buf_add_cstr(&r->left, r->left.n ? "," : "[");
			buf_add_json(&r->left, e->id);
		}
		return true;
	}
	r->out->fetched++;
	if (fhir_id_valid(e->id) && added)
		add_id(r, e->id);
	return land_entry(r, e, err);
}

static bool take_id(struct reading *r, const struct fhir_entry *e, bool *fresh, struct err *err)
{
	*fresh = true;
	if (!fhir_id_valid(e->id))
		return true; /* cannot be asked for: the page of resources rejects it */
	if (!give(r, e->id, fresh, err))
		return false;
	if (*fresh) {
		r->out->fetched++;
		add_id(r, e->id);
	}
	return true;
}

/* Which of the page's observations belong to patients who are loaded for this zip code: the others
 * come with their patient, read whole, or live elsewhere. */
static bool take_changed(struct reading *r, const struct fhir_page *page, bool *fresh,
                         struct err *err)
{
	struct buf subjects = BUF_INIT(META_LIMIT);
	struct idset unknown = {0};
	PGresult *res = NULL;
	bool ok = false, added;

	for (size_t i = 0; i < page->count; i++) {
		struct str id = flow_subject(page->entries[i].json);

		buf_add_cstr(&subjects, i ? "," : "[");
		buf_add_json(&subjects, id.p ? id : STR(""));
	}
	buf_add_cstr(&subjects, page->count ? "]" : "[]");
	if (!buf_ok(&subjects, "a page's subjects", err))
		goto out;
	{
		const char *params[] = {r->run->zip, subjects.p};

		res = flow_query(r->w, r->run, "flow_unknown", 2, params, err);
	}
	if (!res)
		goto out;
	for (int i = 0; i < PQntuples(res); i++)
		idset_add(&unknown, pg_str(res, i, 0), &added);
	for (size_t i = 0; i < page->count; i++) {
		const struct fhir_entry *e = &page->entries[i];
		struct str id = flow_subject(e->json);

		if (!give(r, key_of(e), &added, err))
			goto out;
		if (!added)
			continue;
		*fresh = true;
		if (id.p && idset_has(&unknown, id)) {
			r->out->elsewhere++;
			continue;
		}
		r->out->fetched++;
		if (!land_entry(r, e, err))
			goto out;
	}
	ok = true;
out:
	PQclear(res);
	idset_free(&unknown);
	buf_free(&subjects);
	return ok;
}

/* True in *fresh when the page brought anything that was not known. */
static bool take_page(struct reading *r, const struct fhir_page *page, bool *fresh, struct err *err)
{
	bool one;

	*fresh = page->count == 0 && !page->next;
	if (r->batch->kind == FLOW_OBSERVATION_PAGE)
		return take_changed(r, page, fresh, err);
	for (size_t i = 0; i < page->count; i++) {
		if (!(r->batch->kind == FLOW_ID_PAGE
		          ? take_id(r, &page->entries[i], &one, err)
		          : take_patient(r, &page->entries[i], &one, err)))
			return false;
		*fresh = *fresh || one;
	}
	return true;
}

/* One batch is one page of the server; pages that bring nothing new (a search started again) are
 * read on at once. */
static bool read_chain(struct reading *r, struct err *err)
{
	struct flow_chain chain = {0};
	struct fhir_page page = {0};
	bool ok = false, fresh = false;

	if (!flow_chain_load(r->w, r->run, r->batch, &chain, err))
		return false;
	for (int i = 0; !fresh; i++) {
		if (!flow_chain_fetch(r->w, r->run, &chain, &page, err) ||
		    !take_page(r, &page, &fresh, err) ||
		    !flow_chain_advance(r->w, r->run, &chain, &page, given(r), &r->out->expected,
		                        &r->out->missing, err))
			goto out;
		fhir_page_free(&page);
		if (!chain.next)
			break;
		if (i == STALE_PAGES) {
			err_set(err, ERR_PROTOCOL, "flow.read",
			        "%d pages in a row brought nothing new: the server's next links go "
			        "in a circle",
			        i);
			goto out;
		}
	}
	r->out->seen_until_us = chain.seen_until_us;
	r->out->next = chain.next;
	chain.next = NULL;
	ok = true;
out:
	fhir_page_free(&page);
	flow_chain_free(&chain);
	return ok;
}

static bool end_ids(struct reading *r, char **out, struct err *err)
{
	buf_add_cstr(&r->ids, r->ids.n ? "]" : "[]");
	if (!buf_ok(&r->ids, "the patients of a page", err))
		return false;
	*out = r->ids.p;
	r->ids = BUF_INIT(META_LIMIT);
	return true;
}

/* Of a listed id that is new: does this patient live here (a postal code is searched by its
 * beginning), and was it not among the changed patients, whose page has its observations read
 * already? */
static bool is_newcomer(struct reading *r, struct str id, bool *is, struct err *err)
{
	struct fhir_page page = {0};
	struct err e = {0};
	bool changed;

	pthread_mutex_lock(&r->run->lock);
	changed = idset_has(&r->run->given[FLOW_PATIENT_PAGE], id);
	pthread_mutex_unlock(&r->run->lock);
	*is = false;
	if (changed)
		return true;
	if (!flow_fhir_read(r->w, r->run, "Patient", id, &page, &e)) {
		if (e.code == ERR_NOT_FOUND || e.code == ERR_GONE)
			return true; /* deleted since it was listed */
		*err = e;
		return false;
	}
	*is = page.count && fhir_patient_lives_in(page.entries[0].json, r->run->zip);
	fhir_page_free(&page);
	return true;
}

/* In an incremental run only patients who are not loaded whole yet need all their observations. */
static bool keep_unknown(struct reading *r, struct err *err)
{
	const char *params[] = {r->run->zip, r->out->ids};
	PGresult *res = flow_query(r->w, r->run, "flow_unknown", 2, params, err);
	bool ok = true, wanted = true;

	if (!res)
		return false;
	if (r->batch->kind == FLOW_ID_PAGE)
		r->out->listed = r->out->ids;
	else
		free(r->out->ids);
	r->out->ids = NULL;
	r->out->id_count = 0;
	for (int i = 0; ok && i < PQntuples(res); i++) {
		if (r->batch->kind == FLOW_ID_PAGE)
			ok = is_newcomer(r, pg_str(res, i, 0), &wanted, err);
		if (ok && wanted)
			add_id(r, pg_str(res, i, 0));
	}
	PQclear(res);
	return ok && end_ids(r, &r->out->ids, err);
}

/* ---- groups ---- */

struct patient {
	struct reading *r;
	struct str id;
	struct idset got;
	int64_t total;  /* the server's own count; -1: not told */
	int64_t newest; /* of the round by lastUpdated */
};

static bool take_observations(struct patient *p, const struct fhir_page *page, struct err *err)
{
	bool added = true;

	if (page->total >= 0)
		p->total = page->total;
	for (size_t i = 0; i < page->count; i++) {
		const struct fhir_entry *e = &page->entries[i];

		if (!idset_add(&p->got, key_of(e), &added))
			return err_set(err, ERR_NOMEM, "flow.read",
			               "out of memory for a patient's ids");
		if (!added)
			continue; /* the same resource again on a later page, or in a further round:
			             landed already */
		p->r->out->fetched++;
		if (!land_entry(p->r, e, err))
			return false;
	}
	return true;
}

static bool read_rounds(struct patient *p, const char *ge, struct err *err)
{
	struct flow_work *w = p->r->w;
	struct flow_run *run = p->r->run;
	char id[80];
	struct fhir_param params[3] = {
	    {"patient", id}, {"_sort", "_lastUpdated"}, {"_lastUpdated", ge}};
	struct fhir_page page = {0}, next = {0};
	size_t n = ge ? 3 : p->newest == INT64_MIN ? 1 : 2;
	int64_t newest;
	bool ok = false;

	snprintf(id, sizeof id, "%.*s", STR_FMT(p->id));
	if (!flow_search(w, run, "Observation", params, n, &page, err))
		return false;
	for (int i = 0; i < MAX_ROUNDS * 100; i++) {
		if (!take_observations(p, &page, err))
			goto out;
		newest = flow_newest(&page);
		if (p->newest != INT64_MIN && newest > p->newest)
			p->newest = newest;
		if (!page.next)
			break;
		if (!flow_search_next(w, run, "Observation", page.next, &next, err))
			goto out;
		fhir_page_free(&page);
		page = next;
		next = (struct fhir_page){0};
	}
	ok = true;
out:
	fhir_page_free(&page);
	return ok;
}

static bool count_patient(struct patient *p, struct err *err)
{
	char id[80];
	struct fhir_param params[1] = {{"patient", id}};

	snprintf(id, sizeof id, "%.*s", STR_FMT(p->id));
	return flow_fhir_count(p->r->w, p->r->run, "Observation", params, 1, &p->total, err);
}

/* A search that broke off (expired, ended early) is read again by lastUpdated until the server's
 * count is reached or a round brings no later instant. A count of fewer than came is not believed
 * before one such round. */
static bool read_missing(struct patient *p, bool expired, struct err *err)
{
	char ge[FLOW_GE_TEXT] = "";
	int64_t before;

	for (int round = 0; round < MAX_ROUNDS; round++) {
		struct err e = {0};

		if (!expired) {
			if (!count_patient(p, err))
				return false;
			if (p->total < 0 || (int64_t)p->got.n == p->total ||
			    ((int64_t)p->got.n > p->total && round))
				return true;
		}
		before = p->newest;
		if (p->newest == INT64_MIN)
			p->newest = INT64_MIN + 1; /* from here on rounds are ordered */
		expired = false;
		if (!read_rounds(p, ge[0] ? ge : NULL, &e)) {
			if (e.code != ERR_GONE) {
				*err = e;
				return false;
			}
			expired = true;
		}
		if (p->newest <= before || p->newest == INT64_MIN + 1) {
			if (!expired)
				break;
			return err_set(err, ERR_GONE, "flow.read",
			               "a search expired again and again without going on: %s",
			               e.text);
		}
		flow_ge_instant(p->newest, ge);
	}
	return count_patient(p, err);
}

static bool read_patient(struct reading *r, struct str id, struct err *err)
{
	struct patient p = {.r = r, .id = id, .total = -1, .newest = INT64_MIN};
	struct err e = {0};
	bool ok = read_rounds(&p, NULL, &e);

	if (!ok && e.code == ERR_GONE)
		ok = read_missing(&p, true, err);
	else if (!ok)
		*err = e;
	else if (p.total != (int64_t)p.got.n)
		ok = read_missing(&p, false, err);
	if (ok && p.total >= 0) {
		r->out->expected += p.total;
		if (p.total > (int64_t)p.got.n)
			r->out->missing += p.total - (int64_t)p.got.n;
	}
	idset_free(&p.got);
	return ok;
}

static bool lookup_patient(struct reading *r, struct str id, struct err *err)
{
	struct fhir_page page = {0};
	struct err e = {0};
	bool ok = true;

	if (!flow_fhir_read(r->w, r->run, "Patient", id, &page, &e)) {
		if (e.code == ERR_NOT_FOUND || e.code == ERR_GONE)
			return true; /* deleted since it was listed */
		*err = e;
		return false;
	}
	if (page.count && fhir_patient_lives_in(page.entries[0].json, r->run->zip)) {
		r->out->fetched++;
		ok = land_entry(r, &page.entries[0], err);
	} else {
		r->out->elsewhere++;
	}
	fhir_page_free(&page);
	return ok;
}

static bool read_group(struct reading *r, struct err *err)
{
	char seq[16], first[16], patients[16];
	const char *params[] = {r->run->id, seq, first, patients};
	PGresult *res;
	bool ok = true;

	snprintf(seq, sizeof seq, "%u", r->batch->page_seq);
	snprintf(first, sizeof first, "%u", r->batch->first);
	snprintf(patients, sizeof patients, "%u", r->batch->patients);
	res = flow_query(r->w, r->run, "flow_group", 4, params, err);
	if (!res)
		return false;
	/* a group that is empty for whatever reason must not pass for one that was read */
	ok = PQntuples(res) == (int)r->batch->patients ||
	     err_set(err, ERR_DATA, "flow.read", "batch %u is of %u patients, but %d are known",
	             r->batch->seq, r->batch->patients, PQntuples(res));
	r->out->expected = r->batch->kind == FLOW_OBSERVATIONS ? 0 : -1;
	for (int i = 0; ok && i < PQntuples(res); i++)
		ok = r->batch->kind == FLOW_OBSERVATIONS
		         ? read_patient(r, pg_str(res, i, 0), err)
		         : lookup_patient(r, pg_str(res, i, 0), err);
	PQclear(res);
	return ok;
}

static bool is_chain(enum flow_batch_kind k)
{
	return k == FLOW_PATIENT_PAGE || k == FLOW_ID_PAGE || k == FLOW_OBSERVATION_PAGE;
}

static bool read_and_land(struct reading *r, struct err *err)
{
	if (!(is_chain(r->batch->kind) ? read_chain(r, err) : read_group(r, err)))
		return false;
	if (is_chain(r->batch->kind) && r->batch->kind != FLOW_OBSERVATION_PAGE &&
	    (!end_ids(r, &r->out->ids, err) || (r->run->incremental && !keep_unknown(r, err))))
		return false;
	if (r->left.n) {
		buf_lit(&r->left, "]");
		if (!buf_ok(&r->left, "the ids of who lives elsewhere", err))
			return false;
		r->out->left = r->left.p;
		r->left = BUF_INIT(META_LIMIT);
	}
	return commit(r, err);
}

/* A page that is taken up from its object has given its ids all the same. */
static bool remember_given(struct reading *r, struct err *err)
{
	yyjson_doc *doc;
	yyjson_val *v;
	size_t i, max;
	bool ok = true, added;

	if (!is_chain(r->batch->kind))
		return true;
	doc =
	    yyjson_read(r->out->ids ? r->out->ids : "[]", r->out->ids ? strlen(r->out->ids) : 2, 0);
	yyjson_arr_foreach(yyjson_doc_get_root(doc), i, max, v)
	{
		ok = ok && give(r, (struct str){yyjson_get_str(v), yyjson_get_len(v)}, &added, err);
	}
	yyjson_doc_free(doc);
	pthread_mutex_lock(&r->run->lock);
	r->run->given_before[r->batch->kind] +=
	    r->out->fetched + r->out->elsewhere - r->out->id_count;
	pthread_mutex_unlock(&r->run->lock);
	return ok;
}

/* Another owner has landed it between our look and our link: what is there counts. What we have
 * read gave the same ids. */
static bool take_theirs(struct reading *r, const char *name, struct err *err)
{
	bool found = false;

	flow_landed_free(r->out);
	*r->out = (struct flow_landed){.expected = -1, .seen_until_us = INT64_MIN};
	if (!find_landed(r->run, name, r->out, &found, err))
		return false;
	return found ||
	       err_set(err, ERR_CONFLICT, "flow.fence",
	               "run %s has another owner now, who swept what we wrote", r->run->id);
}

bool flow_read(struct flow_work *w, struct flow_run *run, const struct flow_batch *b,
               struct flow_landed *out, struct err *err)
{
	struct flow_landed l = {.expected = -1, .seen_until_us = INT64_MIN};
	struct reading r = {.w = w,
	                    .run = run,
	                    .batch = b,
	                    .out = &l,
	                    .ids = BUF_INIT(META_LIMIT),
	                    .left = BUF_INIT(META_LIMIT)};
	char name[sizeof l.object.name];
	bool found = false, ok;

	if (b->kind != FLOW_ID_PAGE) {
		land_object_name(name, run->zip, run->id, object_type(b->kind), (int)b->seq);
		if (!find_landed(run, name, &l, &found, err))
			return false;
		if (!found)
			r.writer = land_create(run->land, name, err);
		if (!found && !r.writer)
			return false;
	}
	ok = found ? remember_given(&r, err) : read_and_land(&r, err);
	if (!ok && err->code == ERR_CONFLICT && strncmp(err->where, "land", 4) == 0)
		ok = take_theirs(&r, name, err);
	land_abort(r.writer);
	buf_free(&r.ids);
	buf_free(&r.left);
	if (ok)
		*out = l;
	else
		flow_landed_free(&l);
	return ok;
}
