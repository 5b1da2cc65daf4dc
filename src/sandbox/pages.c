/* SPDX-License-Identifier: Apache-2.0
 *
 * Searches and histories: the first page, and what `next` leads to.
 */
#include <stdlib.h>
#include <string.h>

#include "sandbox/bundle.h"
#include "sandbox/service.h"

/* A page in the making. */
struct page {
	struct request *r;
	struct reply *reply;
	struct search search;
	uint64_t offset;
	uint64_t cap;
	struct token *token; /* NULL on the first page until there has to be one */
	struct target *targets;
	struct target again;
	struct past *pasts;
	struct bundle bundle;
};

static struct str whole_url(struct request *r)
{
	size_t origin = r->base.n - strlen("/fhir");
	char *url = arena_printf(&r->arena, "%.*s%s", (int)origin, r->base.p, r->uri);

	return url ? str_of(url) : STR("");
}

static void now_gone(struct reply *reply, struct str id)
{
	int shown = (int)(id.n < 64 ? id.n : 64);

	fhir_outcome(reply, 410, "processing",
	             "HAPI-0417: Search ID \"%.*s\" does not exist and may have expired", shown,
	             id.p ? id.p : "");
}

/* One more than a page tells whether there is a next one. */
static bool fill(struct page *p, struct err *err)
{
	const struct query *q = p->search.q;
	size_t want = (size_t)q->count + 1;

	if (q->history) {
		p->pasts = calloc(want, sizeof *p->pasts);
		if (!p->pasts)
			return err_set(err, ERR_NOMEM, "sandbox.pages", "out of memory");
		p->bundle.n = search_history_page(&p->search, p->offset, want, p->pasts);
	} else {
		p->targets = calloc(want, sizeof *p->targets);
		if (!p->targets)
			return err_set(err, ERR_NOMEM, "sandbox.pages", "out of memory");
		err->code = ERR_NONE;
		p->bundle.n = search_page(&p->search, p->offset, want, p->targets, err);
		if (err->code != ERR_NONE)
			return false;
	}
	if (p->offset + p->bundle.n > p->cap) /* silent-cap */
		p->bundle.n = p->cap > p->offset ? (size_t)(p->cap - p->offset) : 0;
	p->bundle.more = p->bundle.n == want && p->offset + q->count < p->cap;
	if (p->bundle.n == want)
		p->bundle.n--;
	return true;
}

/* HAPI knows the total when the search is through, which the last page shows. */
static void count(struct page *p)
{
	struct bundle *b = &p->bundle;
	const struct query *q = p->search.q;

	if (q->history) {
		b->has_total = true;
		b->total = search_history_total(&p->search);
	} else if (q->total) {
		b->has_total = true;
		b->total = search_total(&p->search);
	} else if (!b->more && p->cap == UINT64_MAX && (b->n || !p->offset)) {
		b->has_total = true;
		b->total = p->offset + b->n;
	}
}

static void repeat(struct page *p)
{
	struct err err = {0};

	if (!fault_has(&p->r->fault, FAULT_DUPLICATE) || p->search.q->history)
		return;
	if (p->offset ? search_page(&p->search, p->offset - 1, 1, &p->again, &err) == 1
	              : p->bundle.n > 0) {
		if (!p->offset)
			p->again = p->targets[0];
		p->bundle.again = &p->again;
	}
}

/* The faults "in between" touch what the next page begins with, else this page's last. */
static void change_between(struct page *p, const struct target *t)
{
	bool patient = p->search.q->type == TYPE_PATIENT;
	struct sandbox *s = p->r->s;
	struct overlay_write w = {.type = p->search.q->type};
	struct overlay_entry *e;
	struct err err;
	char id[POPULATION_UUID];

	if (fault_has(&p->r->fault, FAULT_DELETE_BETWEEN)) {
		w.kind = OVERLAY_DELETED;
		w.id.p = id;
		w.id.n =
		    (size_t)(population_id_write(&s->pop, id,
		                                 (struct id){patient ? ID_PATIENT : ID_OBSERVATION,
		                                             t->patient, patient ? 0 : t->index}) -
		             id);
		if (t->entry)
			w.id = str_of(t->entry->id);
	} else {
		w.kind = OVERLAY_GENERATED;
		w.patient = t->patient;
		w.index = t->index;
		if (t->entry && !t->entry->base)
			return; /* what a test sent is not ours to generate */
	}
	pthread_rwlock_wrlock(&s->data);
	w.instant = clock_now_us(s->clock);
	overlay_write(&s->overlay, &w, &e, &err);
	pthread_rwlock_unlock(&s->data);
}

static void in_between(struct page *p)
{
	size_t at = p->bundle.more ? p->bundle.n : p->bundle.n - 1;

	if (!p->targets || !p->bundle.n)
		return;
	if (fault_has(&p->r->fault, FAULT_DELETE_BETWEEN) ||
	    fault_has(&p->r->fault, FAULT_CHANGE_BETWEEN))
		change_between(p, &p->targets[at]);
}

/* The query's memory belongs to the token from here on. */
static bool name(struct page *p, struct query *q)
{
	struct bundle *b = &p->bundle;
	struct err err;
	char *id;

	if (!p->token && (b->more || fault_has(&p->r->fault, FAULT_SAME_NEXT))) {
		p->token = token_make(p->r->s, q, p->search.seq, p->cap);
		if (!p->token)
			return false;
		p->search.q = &p->token->query;
		b->q = &p->token->query;
	}
	b->paged = p->token != NULL;
	if (p->token) {
		b->id = p->token->id;
		return true;
	}
	id = arena_alloc(&p->r->arena, UUID_TEXT);
	b->id = id;
	return id && uuid_v7(clock_now_us(p->r->s->clock), id, &err);
}

static void finish(struct page *p, struct query *q)
{
	struct request *r = p->r;
	struct sandbox *s = r->s;
	struct bundle *b = &p->bundle;
	struct err err;

	b->o = &s->overlay;
	b->q = p->search.q;
	b->base = r->base;
	b->self = whole_url(r);
	b->offset = p->offset;
	b->fault = &r->fault;
	b->now_us = clock_now_us(s->clock);
	pthread_rwlock_rdlock(&s->data);
	if (!fill(p, &err)) {
		fhir_error(p->reply, &err);
	} else {
		count(p);
		repeat(p);
		b->targets = p->targets;
		b->pasts = p->pasts;
		if (name(p, q))
			p->reply->resources = bundle_write(b, &p->reply->body);
		else
			fhir_outcome(p->reply, 500, "exception", "out of memory");
	}
	pthread_rwlock_unlock(&s->data);
	in_between(p);
	free(p->targets);
	free(p->pasts);
	if (p->token)
		token_put(s, p->token);
}

static void answer_count(struct page *p, const struct query *q)
{
	struct bundle *b = &p->bundle;
	struct sandbox *s = p->r->s;
	char id[UUID_TEXT] = "";
	struct err err;

	uuid_v7(clock_now_us(s->clock), id, &err);
	b->id = id;
	b->q = q;
	b->fault = &p->r->fault;
	b->now_us = clock_now_us(s->clock);
	b->has_total = true;
	pthread_rwlock_rdlock(&s->data);
	b->total = search_total(&p->search);
	pthread_rwlock_unlock(&s->data);
	bundle_count(b, &p->reply->body);
}

enum { NO_STORE_MAX = 100 };

static bool cache_control(const struct request *r, const char *word)
{
	const char *given = request_header(r, "Cache-Control");

	return given && strstr(given, word);
}

static uint64_t cap_of(const struct request *r)
{
	if (fault_has(&r->fault, FAULT_SILENT_CAP))
		return (uint64_t)r->fault.value[FAULT_SILENT_CAP];
	return cache_control(r, "no-store") ? NO_STORE_MAX : UINT64_MAX;
}

/* HAPI answers a repeated search from its old result for a while: then `seq` goes back to that. */
static uint64_t reused(struct request *r, uint64_t seq)
{
	struct sandbox *s = r->s;
	uint64_t key =
	    hash_bytes(r->uri, strlen(r->uri)) ^ (r->body.n ? hash_bytes(r->body.p, r->body.n) : 0);
	struct reuse *slot = &s->reuse[key % REUSE_SLOTS];
	int64_t now = clock_mono_ms(s->clock);

	if (!s->o.reuse_s)
		return seq;
	pthread_mutex_lock(&s->lock);
	if (slot->key == key && now - slot->made_ms < (int64_t)s->o.reuse_s * 1000 &&
	    !cache_control(r, "no-cache") && !cache_control(r, "no-store"))
		seq = slot->seq;
	else
		*slot = (struct reuse){key, seq, now};
	pthread_mutex_unlock(&s->lock);
	return seq;
}

static bool read_query(struct request *r, struct query *q, struct err *err)
{
	bool ok = true;

	pthread_rwlock_rdlock(&r->s->data);
	for (size_t k = 0; k < r->nparams && ok; k++) {
		struct param *p = &r->params[k];

		ok = q->history
		         ? query_add_history(q, &r->s->limits, p->name, p->value, err)
		         : query_add(q, &r->s->overlay, &r->s->limits, p->name, p->value, err);
	}
	pthread_rwlock_unlock(&r->s->data);
	return ok;
}

static void first_page(struct request *r, struct reply *reply, struct query *q)
{
	struct page p = {.r = r, .reply = reply, .cap = cap_of(r)};
	struct err err;

	if (!read_query(r, q, &err)) {
		fhir_error(reply, &err);
		return;
	}
	reply->pretty = q->pretty;
	if (!q->count)
		q->count = r->s->limits.default_page;
	pthread_rwlock_rdlock(&r->s->data);
	p.search = (struct search){&r->s->overlay, q, r->s->overlay.seq};
	pthread_rwlock_unlock(&r->s->data);
	if (!q->history)
		p.search.seq = reused(r, p.search.seq);
	if (q->count_only && !q->history)
		answer_count(&p, q);
	else
		finish(&p, q);
}

void pages_search(struct request *r, struct reply *reply, enum resource_type type)
{
	struct query q = query_of(type, &r->s->limits);

	first_page(r, reply, &q);
	query_free(&q);
}

void pages_history(struct request *r, struct reply *reply, enum resource_type type)
{
	struct query q = query_of(type, &r->s->limits);

	q.history = true;
	first_page(r, reply, &q);
	query_free(&q);
}

/* _getpages: only these parameters, of which the offset may be any (readers jump ahead). */
static bool read_page(struct request *r, struct page *p, struct query *q, struct err *err)
{
	int64_t offset;
	struct str text = request_param(r, "_getpagesoffset");

	if (text.p && !str_int(text, 0, INT64_MAX / 2, &offset))
		return err_set(err, ERR_USAGE, "sandbox.pages",
		               "HAPI-0418: Invalid _getpagesoffset");
	p->offset = text.p ? (uint64_t)offset : 0;
	for (size_t k = 0; k < r->nparams; k++) {
		struct str name = r->params[k].name;

		if ((str_is(name, "_count") || str_is(name, "_pretty") ||
		     str_is(name, "_format")) &&
		    !query_add_history(q, &r->s->limits, name, r->params[k].value, err))
			return false;
	}
	return true;
}

void pages_follow(struct request *r, struct reply *reply)
{
	struct page p = {.r = r, .reply = reply};
	struct str id = request_param(r, "_getpages");
	struct query q;
	struct err err;

	if (fault_has(&r->fault, FAULT_EXPIRE_PAGING))
		token_drop(r->s, id);
	p.token = token_get(r->s, id);
	if (!p.token) {
		now_gone(reply, id);
		return;
	}
	pthread_mutex_lock(&r->s->lock);
	if (fault_has(&r->fault, FAULT_SILENT_CAP))
		p.token->cap = cap_of(r);
	p.cap = p.token->cap;
	pthread_mutex_unlock(&r->s->lock);
	q = p.token->query; /* a copy that owns nothing: page size and layout are this request's */
	q.pretty = true;
	q.count = r->s->limits.default_page;
	if (!read_page(r, &p, &q, &err)) {
		token_put(r->s, p.token);
		fhir_error(reply, &err);
		return;
	}
	if (!q.count)
		q.count = r->s->limits.default_page;
	reply->pretty = q.pretty;
	p.search = (struct search){&r->s->overlay, &q, p.token->seq};
	finish(&p, &q);
}
