/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox/search.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What a walk over the matches collects: a count, or a window of targets. */
struct collect {
	uint64_t skip;
	size_t limit;
	size_t n;
	struct target *out; /* NULL: only count, in `seen` */
	uint64_t seen;
};

static bool collect_full(const struct collect *c)
{
	return c->out && c->n == c->limit;
}

static void collect_one(struct collect *c, struct target t)
{
	c->seen++;
	if (!c->out)
		return;
	if (c->skip)
		c->skip--;
	else if (c->n < c->limit)
		c->out[c->n++] = t;
}

static bool updated_matches(const struct query *q, int64_t instant)
{
	return instant >= q->updated_from && instant < q->updated_to;
}

static bool base_zip_matches(const struct search *s, uint32_t patient)
{
	const struct population *p = s->o->pop;
	struct postal_codes codes;

	/* the usual question, without writing any code */
	if (patient < p->patients && strcmp(s->q->zip, p->zip) == 0)
		return !s->q->zip_exact || population_place(p, patient) != PLACE_PLUS4;
	population_postal_codes(p, patient, 0, &codes);
	return postal_codes_match(&codes, str_of(s->q->zip), s->q->zip_exact);
}

/* Does the patient exist, and with the right postal code? */
static bool patient_matches(const struct search *s, uint32_t patient)
{
	const struct overlay_patient *of = overlay_patient(s->o, patient);
	const struct overlay_version *v =
	    of && of->self ? overlay_version_at(of->self, s->seq) : NULL;

	if (!v && patient >= s->o->pop->total)
		return false;
	if (v && v->kind == OVERLAY_DELETED)
		return false;
	if (!s->q->has_zip)
		return true;
	if (v)
		return postal_codes_match(v->codes, str_of(s->q->zip), s->q->zip_exact);
	return base_zip_matches(s, patient);
}

static void walk_patient(const struct search *s, uint32_t patient, struct collect *c)
{
	const struct overlay_patient *of = overlay_patient(s->o, patient);
	const struct overlay_entry *self = of ? of->self : NULL;
	const struct overlay_version *v = self ? overlay_version_at(self, s->seq) : NULL;
	int64_t instant = v ? v->revision.instant : population_instant(patient);

	if (patient_matches(s, patient) && updated_matches(s->q, instant))
		collect_one(c, (struct target){patient, 0, self});
}

/* A touched observation as of the search: is it there, and this patient's? */
static bool entry_matches(const struct search *s, const struct overlay_entry *e, uint32_t patient)
{
	const struct overlay_version *v = overlay_version_at(e, s->seq);

	if (!v)
		return e->base && e->patient == patient &&
		       updated_matches(s->q, population_instant(patient));
	return v->kind != OVERLAY_DELETED && v->patient == patient &&
	       updated_matches(s->q, v->revision.instant);
}

/* Untouched observations [from, to): all of them match or none does, for they share an instant. */
static void walk_run(uint32_t patient, uint32_t from, uint32_t to, struct collect *c)
{
	uint64_t n = to - from;

	c->seen += n;
	if (!c->out)
		return;
	if (c->skip >= n) {
		c->skip -= n;
		return;
	}
	from += (uint32_t)c->skip;
	c->skip = 0;
	for (; from < to && c->n < c->limit; from++)
		c->out[c->n++] = (struct target){patient, from, NULL};
}

static void walk_observations(const struct search *s, uint32_t patient, struct collect *c)
{
	const struct overlay_patient *of = overlay_patient(s->o, patient);
	uint32_t count = patient < s->o->pop->total ? s->o->pop->counts[patient] : 0;
	uint32_t from = 0, n = of ? of->n : 0;
	bool base = count && updated_matches(s->q, population_instant(patient));

	for (uint32_t k = 0; k < n && !collect_full(c); k++) {
		const struct overlay_entry *e = of->observations[k];

		if (k < of->nbase && base)
			walk_run(patient, from, e->index, c);
		else if (k == of->nbase && base)
			walk_run(patient, from, count, c);
		from = k < of->nbase ? e->index + 1 : count;
		if (entry_matches(s, e, patient))
			collect_one(c, (struct target){patient, e->index, e});
	}
	if (base)
		walk_run(patient, from, count, c);
}

static void walk_one(const struct search *s, uint32_t patient, struct collect *c)
{
	if (s->q->type == TYPE_PATIENT)
		walk_patient(s, patient, c);
	else if (!s->q->has_zip || patient_matches(s, patient))
		walk_observations(s, patient, c);
}

static bool asked_for(const struct query *q, uint32_t patient)
{
	if (!q->has_patients)
		return true;
	for (uint32_t k = 0; k < q->npatients; k++)
		if (q->patients[k] == patient)
			return true;
	return false;
}

/* _id: each one is looked up and judged by itself. */
static void walk_id(const struct search *s, struct str text, struct collect *c)
{
	const struct overlay_entry *e = overlay_find(s->o, s->q->type, text);
	const struct population *p = s->o->pop;
	const struct overlay_version *v;
	uint32_t patient;
	struct id id;

	if (e) {
		v = overlay_version_at(e, s->seq);
		patient = v ? v->patient : e->patient;
		if (s->q->type == TYPE_PATIENT)
			walk_patient(s, patient, c);
		else if (entry_matches(s, e, patient) && asked_for(s->q, patient) &&
		         (!s->q->has_zip || patient_matches(s, patient)))
			collect_one(c, (struct target){patient, e->index, e});
		return;
	}
	if (!population_id_parse(p, text, &id) || id.patient >= p->total)
		return;
	if (s->q->type == TYPE_PATIENT && id.kind == ID_PATIENT)
		walk_patient(s, id.patient, c);
	else if (s->q->type == TYPE_OBSERVATION && id.kind == ID_OBSERVATION &&
	         id.index < p->counts[id.patient] && asked_for(s->q, id.patient) &&
	         (!s->q->has_zip || patient_matches(s, id.patient)) &&
	         updated_matches(s->q, population_instant(id.patient)))
		collect_one(c, (struct target){id.patient, id.index, NULL});
}

static void walk_ids(const struct search *s, struct collect *c)
{
	const char *at = s->q->ids;

	while (*at && !collect_full(c)) {
		size_t n = strcspn(at, ",");

		walk_id(s, (struct str){at, n}, c);
		at += n + (at[n] == ',');
	}
}

static void walk(const struct search *s, struct collect *c)
{
	if (s->q->ids) {
		walk_ids(s, c);
		return;
	}
	if (s->q->has_patients) {
		for (uint32_t k = 0; k < s->q->npatients && !collect_full(c); k++)
			walk_one(s, s->q->patients[k], c);
		return;
	}
	for (uint32_t p = 0; p < s->o->npatients && !collect_full(c); p++)
		walk_one(s, p, c);
	if (s->q->type == TYPE_OBSERVATION && !s->q->has_zip && !collect_full(c))
		walk_observations(s, OVERLAY_NOBODY, c);
}

uint64_t search_total(const struct search *s)
{
	struct collect c = {0};

	walk(s, &c);
	return c.seen;
}

/* Sorting: the keys are computed once for every match. */
struct sorted {
	struct target target;
	int64_t instant;
	char id[POPULATION_UUID + 4];
	const enum query_sort *sort;
};

static int compare_by(const struct sorted *a, const struct sorted *b, enum query_sort sort)
{
	switch (sort) {
	case SORT_UPDATED:
		return (a->instant > b->instant) - (a->instant < b->instant);
	case SORT_UPDATED_DOWN:
		return (a->instant < b->instant) - (a->instant > b->instant);
	case SORT_ID:
		return strcmp(a->id, b->id);
	case SORT_ID_DOWN:
		return strcmp(b->id, a->id);
	case SORT_NONE:
		break;
	}
	return 0;
}

static int sorted_compare(const void *x, const void *y)
{
	const struct sorted *a = x, *b = y;
	int d = compare_by(a, b, a->sort[0]);

	if (!d)
		d = compare_by(a, b, a->sort[1]);
	return d ? d : strcmp(a->id, b->id);
}

static void sorted_fill(const struct search *s, const struct target *t, struct sorted *out)
{
	const struct overlay_version *v = t->entry ? overlay_version_at(t->entry, s->seq) : NULL;
	bool patient = s->q->type == TYPE_PATIENT;
	char *end;

	*out = (struct sorted){.target = *t, .sort = s->q->sort};
	out->instant = v ? v->revision.instant : population_instant(t->patient);
	if (t->entry) {
		snprintf(out->id, sizeof out->id, "%s", t->entry->id);
		return;
	}
	end = population_id_write(
	    s->o->pop, out->id,
	    (struct id){patient ? ID_PATIENT : ID_OBSERVATION, t->patient, patient ? 0 : t->index});
	*end = '\0';
}

static size_t sorted_page(const struct search *s, uint64_t offset, size_t limit, struct target *out,
                          struct err *err)
{
	uint64_t total = search_total(s);
	struct sorted *all = NULL;
	struct target *targets = NULL;
	size_t n = 0;
	struct collect c = {.limit = (size_t)total};

	if (total > SEARCH_SORT_MAX) {
		err_set(err, ERR_LIMIT, "sandbox.search", "too many matches to sort: %llu",
		        (unsigned long long)total);
		return 0;
	}
	all = calloc(total + 1, sizeof *all);
	targets = calloc(total + 1, sizeof *targets);
	if (all && targets) {
		c.out = targets;
		walk(s, &c);
		for (size_t k = 0; k < c.n; k++)
			sorted_fill(s, &targets[k], &all[k]);
		qsort(all, c.n, sizeof *all, sorted_compare);
		for (; n < limit && offset + n < c.n; n++)
			out[n] = all[offset + n].target;
	} else {
		err_set(err, ERR_NOMEM, "sandbox.search", "out of memory");
	}
	free(all);
	free(targets);
	return n;
}

size_t search_page(const struct search *s, uint64_t offset, size_t limit, struct target *out,
                   struct err *err)
{
	struct collect c = {.skip = offset, .limit = limit, .out = out};

	if (s->q->sort[0] != SORT_NONE)
		return sorted_page(s, offset, limit, out, err);
	if (limit)
		walk(s, &c);
	return c.n;
}

/* History: the log backwards, then the population backwards. */
static uint64_t base_history_from(const struct search *s, uint32_t *first)
{
	const struct population *p = s->o->pop;
	uint64_t n = 0;
	uint32_t i = p->total;

	while (i > 0 && population_instant(i - 1) >= s->q->updated_from) {
		i--;
		n += s->q->type == TYPE_PATIENT ? 1 : p->counts[i];
	}
	*first = i;
	return n;
}

/* Versions may carry any instant that a test gave them; so each is looked at. */
static uint64_t log_history(const struct search *s, uint64_t skip, size_t limit, struct past *out,
                            size_t *n)
{
	uint64_t seen = 0;

	for (size_t k = s->o->nlog[s->q->type]; k-- > 0;) {
		const struct overlay_log *l = &s->o->log[s->q->type][k];
		const struct overlay_version *v = &l->entry->versions[l->version];

		if (v->seq > s->seq || v->revision.instant < s->q->updated_from)
			continue;
		if (seen++ < skip || *n == limit || !out)
			continue;
		out[(*n)++] = (struct past){{l->entry->patient, l->entry->index, l->entry}, v};
	}
	return seen;
}

uint64_t search_history_total(const struct search *s)
{
	uint32_t first;
	size_t n = 0;

	return log_history(s, 0, 0, NULL, &n) + base_history_from(s, &first);
}

size_t search_history_page(const struct search *s, uint64_t offset, size_t limit, struct past *out)
{
	const struct population *p = s->o->pop;
	size_t n = 0;
	uint64_t written = log_history(s, offset, limit, out, &n), skip;
	uint32_t first;

	skip = offset > written ? offset - written : 0;
	base_history_from(s, &first);
	for (uint32_t i = p->total; i-- > first && n < limit;) {
		uint32_t count = s->q->type == TYPE_PATIENT ? 1 : p->counts[i];

		if (skip >= count) {
			skip -= count;
			continue;
		}
		for (uint32_t j = count - (uint32_t)skip; j-- > 0 && n < limit;)
			out[n++] = (struct past){{i, j, NULL}, NULL};
		skip = 0;
	}
	return n;
}

bool search_lives_in(const struct overlay *o, uint32_t patient, struct str zip)
{
	const struct overlay_patient *of = overlay_patient(o, patient);
	const struct overlay_version *v =
	    of && of->self ? overlay_version_at(of->self, UINT64_MAX) : NULL;
	struct postal_codes codes;

	if (v)
		return v->kind != OVERLAY_DELETED && postal_codes_are_of(v->codes, zip);
	if (patient >= o->pop->total)
		return false;
	population_postal_codes(o->pop, patient, 0, &codes);
	return postal_codes_are_of(&codes, zip);
}
