/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox/overlay.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "sandbox/document.h"
#include "sandbox/text.h"

enum { FIRST_ID = 1000, ENTRY_COST = sizeof(struct overlay_entry) + 96 };

static bool out_of_room(struct err *err)
{
	return err_set(
	    err, ERR_LIMIT, "sandbox.overlay",
	    "the sandbox's memory for written resources is full; restart it, or give it more");
}

/* Every allocation is counted; nothing is given back before the end. */
static bool charge(struct overlay *o, size_t n, struct err *err)
{
	if (n > o->max_bytes - o->bytes)
		return out_of_room(err);
	o->bytes += n;
	return true;
}

static bool grow(struct overlay *o, void **array, size_t size, size_t need, size_t *cap,
                 struct err *err)
{
	size_t want = *cap ? *cap : 4;
	char *p;

	if (need <= *cap)
		return true;
	while (want < need)
		want *= 2;
	if (!charge(o, (want - *cap) * size, err))
		return false;
	p = realloc(*array, want * size);
	if (!p)
		return out_of_room(err);
	memset(p + *cap * size, 0, (want - *cap) * size);
	*array = p;
	*cap = want;
	return true;
}

static bool grow32(struct overlay *o, void **array, size_t size, size_t need, uint32_t *cap,
                   struct err *err)
{
	size_t wide = *cap;

	if (!grow(o, array, size, need, &wide, err))
		return false;
	*cap = (uint32_t)wide;
	return true;
}

bool overlay_init(struct overlay *o, const struct population *pop, size_t max_bytes,
                  struct err *err)
{
	*o = (struct overlay){.pop = pop, .max_bytes = max_bytes, .next_id = FIRST_ID};
	if (!grow(o, (void **)&o->table, sizeof(void *), 1024, &o->table_cap, err) ||
	    !grow32(o, (void **)&o->patients, sizeof(void *), pop->total + 1, &o->patients_cap,
	            err)) {
		overlay_free(o);
		return false;
	}
	o->npatients = pop->total;
	return true;
}

static void entry_free(struct overlay_entry *e)
{
	for (uint32_t k = 0; k < e->n; k++) {
		free(e->versions[k].body);
		free(e->versions[k].codes);
	}
	free(e->versions);
	free(e->id);
	free(e);
}

void overlay_free(struct overlay *o)
{
	for (size_t k = 0; k < o->table_cap; k++)
		if (o->table[k])
			entry_free(o->table[k]);
	free(o->table);
	for (uint32_t k = 0; k < o->patients_cap; k++) {
		if (o->patients[k])
			free(o->patients[k]->observations);
		free(o->patients[k]);
	}
	free(o->patients);
	free(o->nobody.observations);
	free(o->log[0]);
	free(o->log[1]);
	*o = (struct overlay){0};
}

static size_t slot_of(const struct overlay *o, enum resource_type type, struct str id)
{
	size_t mask = o->table_cap - 1;
	size_t k = (hash_bytes(id.p, id.n) + type) & mask;

	while (o->table[k] && !(o->table[k]->type == type && str_is(id, o->table[k]->id)))
		k = (k + 1) & mask;
	return k;
}

struct overlay_entry *overlay_find(const struct overlay *o, enum resource_type type, struct str id)
{
	return o->table[slot_of(o, type, id)];
}

const struct overlay_patient *overlay_patient(const struct overlay *o, uint32_t patient)
{
	if (patient == OVERLAY_NOBODY)
		return &o->nobody;
	return patient < o->npatients ? o->patients[patient] : NULL;
}

uint32_t overlay_patient_number(const struct overlay *o, struct str id)
{
	struct overlay_entry *e = overlay_find(o, TYPE_PATIENT, id);
	struct id known;

	if (e)
		return e->patient;
	if (population_id_parse(o->pop, id, &known) && known.kind == ID_PATIENT &&
	    known.patient < o->pop->total)
		return known.patient;
	return OVERLAY_NOBODY;
}

const struct overlay_version *overlay_version_at(const struct overlay_entry *e, uint64_t seq)
{
	for (uint32_t k = e->n; k-- > 0;)
		if (e->versions[k].seq <= seq)
			return &e->versions[k];
	return NULL;
}

uint32_t overlay_version_count(const struct overlay_entry *e)
{
	return e->n + e->base;
}

static bool table_grow(struct overlay *o, struct err *err)
{
	struct overlay_entry **old = o->table;
	size_t cap = o->table_cap;

	if (o->entries * 2 < cap)
		return true;
	o->table = NULL;
	o->table_cap = 0;
	if (!grow(o, (void **)&o->table, sizeof(void *), cap * 2, &o->table_cap, err)) {
		o->table = old;
		o->table_cap = cap;
		return false;
	}
	for (size_t k = 0; k < cap; k++)
		if (old[k])
			o->table[slot_of(o, old[k]->type, str_of(old[k]->id))] = old[k];
	free(old);
	return true;
}

static struct overlay_patient *patient_made(struct overlay *o, uint32_t patient, struct err *err)
{
	if (patient == OVERLAY_NOBODY)
		return &o->nobody;
	if (!grow32(o, (void **)&o->patients, sizeof(void *), (size_t)patient + 1, &o->patients_cap,
	            err))
		return NULL;
	if (!o->patients[patient]) {
		if (!charge(o, sizeof **o->patients, err))
			return NULL;
		o->patients[patient] = calloc(1, sizeof **o->patients);
		if (!o->patients[patient])
			out_of_room(err);
	}
	return o->patients[patient];
}

/* Generated observations of this patient come first, by index; all others after them. */
static bool comes_before(const struct overlay_entry *a, const struct overlay_entry *b,
                         uint32_t patient)
{
	bool a_base = a->base && a->patient == patient, b_base = b->base && b->patient == patient;

	if (a_base != b_base)
		return a_base;
	return a_base ? a->index < b->index : a->order < b->order;
}

static bool observation_link(struct overlay *o, uint32_t patient, struct overlay_entry *e,
                             struct err *err)
{
	struct overlay_patient *of = patient_made(o, patient, err);
	uint32_t low = 0, high;

	if (!of)
		return false;
	for (high = of->n; low < high;) {
		uint32_t mid = (low + high) / 2;

		if (of->observations[mid] == e)
			return true;
		if (comes_before(of->observations[mid], e, patient))
			low = mid + 1;
		else
			high = mid;
	}
	if (low < of->n && of->observations[low] == e)
		return true;
	if (!grow32(o, (void **)&of->observations, sizeof(void *), (size_t)of->n + 1, &of->cap,
	            err))
		return false;
	memmove(of->observations + low + 1, of->observations + low,
	        (of->n - low) * sizeof *of->observations);
	of->observations[low] = e;
	of->n++;
	of->nbase += e->base && e->patient == patient;
	return true;
}

static struct overlay_entry *entry_new(struct overlay *o, enum resource_type type, struct str id,
                                       struct err *err)
{
	struct overlay_entry *e;

	if (!table_grow(o, err) || !charge(o, ENTRY_COST + id.n, err))
		return NULL;
	e = calloc(1, sizeof *e);
	if (e)
		e->id = str_dup(id);
	if (!e || !e->id) {
		free(e);
		out_of_room(err);
		return NULL;
	}
	e->type = type;
	e->index = OVERLAY_CREATED;
	e->patient = OVERLAY_NOBODY;
	e->order = ++o->orders;
	o->table[slot_of(o, type, id)] = e;
	o->entries++;
	return e;
}

/* Finds what `id` means, or makes a resource that never was. */
static struct overlay_entry *entry_made(struct overlay *o, enum resource_type type, struct str id,
                                        struct err *err)
{
	struct overlay_entry *e = overlay_find(o, type, id);
	enum id_kind kind = type == TYPE_PATIENT ? ID_PATIENT : ID_OBSERVATION;
	struct id known;
	bool ours;

	if (e)
		return e;
	e = entry_new(o, type, id, err);
	if (!e)
		return NULL;
	ours = population_id_parse(o->pop, id, &known) && known.kind == kind &&
	       known.patient < o->pop->total;
	if (ours) {
		e->patient = known.patient;
		e->index = known.index;
		e->base = type == TYPE_PATIENT || known.index < o->pop->counts[known.patient];
	} else if (type == TYPE_PATIENT) {
		e->patient = o->npatients;
	}
	if (type == TYPE_PATIENT) {
		struct overlay_patient *self = patient_made(o, e->patient, err);

		if (!self)
			return NULL;
		self->self = e;
		if (e->patient >= o->npatients)
			o->npatients = e->patient + 1;
	}
	return e;
}

static const struct revision *last_revision(const struct overlay_entry *e)
{
	return e->n ? &e->versions[e->n - 1].revision : NULL;
}

/* The revision that follows what is there. */
static struct revision next_revision(const struct overlay_entry *e, const struct overlay_write *w)
{
	const struct revision *last = last_revision(e);
	struct revision r = last ? *last : (struct revision){.version = e->base};

	r.version = w->version ? w->version : r.version + 1;
	r.instant = w->instant;
	if (w->kind == OVERLAY_GENERATED && w->move)
		r.moved++;
	else if (w->kind == OVERLAY_GENERATED && (e->base || e->n))
		r.changed++;
	return r;
}

static bool codes_keep(struct overlay *o, struct overlay_version *v,
                       const struct postal_codes *codes, struct err *err)
{
	if (!charge(o, sizeof *v->codes, err))
		return false;
	v->codes = malloc(sizeof *v->codes);
	if (!v->codes)
		return out_of_room(err);
	*v->codes = *codes;
	return true;
}

static bool version_fill(struct overlay *o, const struct overlay_entry *e,
                         const struct overlay_write *w, struct overlay_version *v, struct err *err)
{
	struct document d = {0};
	struct postal_codes codes;

	v->kind = w->kind;
	v->revision = next_revision(e, w);
	v->patient = e->n ? e->versions[e->n - 1].patient : e->patient;
	if (w->kind == OVERLAY_GENERATED) {
		v->patient = e->patient;
		population_postal_codes(o->pop, e->patient, v->revision.moved, &codes);
		return e->type != TYPE_PATIENT || codes_keep(o, v, &codes, err);
	}
	if (w->kind == OVERLAY_DELETED)
		return true;
	if (!document_read(w->json, e->type, str_of(e->id), &v->revision, &d, err))
		return false;
	if (!charge(o, d.n, err)) {
		free(d.json);
		return false;
	}
	v->body = d.json;
	v->body_bytes = d.n;
	if (e->type == TYPE_PATIENT)
		return codes_keep(o, v, &d.codes, err);
	v->patient = d.subject[0] ? overlay_patient_number(o, str_of(d.subject)) : OVERLAY_NOBODY;
	return true;
}

static bool version_add(struct overlay *o, struct overlay_entry *e, const struct overlay_write *w,
                        struct err *err)
{
	struct overlay_version v = {.seq = o->seq + 1};

	if (!version_fill(o, e, w, &v, err))
		goto failed;
	if (!grow32(o, (void **)&e->versions, sizeof *e->versions, (size_t)e->n + 1, &e->cap,
	            err) ||
	    !grow(o, (void **)&o->log[e->type], sizeof **o->log, o->nlog[e->type] + 1,
	          &o->log_cap[e->type], err))
		goto failed;
	if (e->type == TYPE_OBSERVATION && (!observation_link(o, v.patient, e, err) ||
	                                    (e->base && !observation_link(o, e->patient, e, err))))
		goto failed;
	o->log[e->type][o->nlog[e->type]++] = (struct overlay_log){e, e->n};
	e->versions[e->n++] = v;
	o->seq = v.seq;
	if (w->instant > o->last_us)
		o->last_us = w->instant;
	return true;

failed:
	free(v.body);
	free(v.codes);
	return false;
}

bool overlay_write(struct overlay *o, const struct overlay_write *w, struct overlay_entry **out,
                   struct err *err)
{
	char made[POPULATION_UUID], *end = made;
	struct str id = w->id;
	struct overlay_entry *e;
	bool patient = w->type == TYPE_PATIENT;

	if (w->kind == OVERLAY_GENERATED) {
		end = population_id_write(o->pop, made,
		                          (struct id){patient ? ID_PATIENT : ID_OBSERVATION,
		                                      w->patient, patient ? 0 : w->index});
		id = (struct str){made, (size_t)(end - made)};
	} else if (!id.p) {
		end = w_uint(made, o->next_id++);
		id = (struct str){made, (size_t)(end - made)};
	}
	e = entry_made(o, w->type, id, err);
	if (!e)
		return false;
	if (w->kind == OVERLAY_DELETED && !overlay_version_count(e))
		return err_set(err, ERR_NOT_FOUND, "sandbox.overlay", "there is no such resource");
	if (!version_add(o, e, w, err))
		return false;
	*out = e;
	return true;
}

/* Moves meta.lastUpdated of stored JSON: its place is known, since document.c wrote it first. */
static void shift_stored(char *json, const struct revision *r)
{
	char text[GENERATE_BASE_MAX], *end = generate_meta(text, r);
	char *at = strstr(json, "\"meta\":{\"versionId\":\"");

	if (at)
		memcpy(at, text, (size_t)(end - text));
}

bool overlay_render(const struct overlay *o, const struct overlay_entry *e,
                    const struct overlay_version *v, int64_t shift_us, struct str base,
                    struct buf *out)
{
	struct revision r = v->revision;
	size_t before = out->n;
	char *w;

	r.instant += shift_us;
	if (v->kind == OVERLAY_STORED) {
		if (!buf_add(out, v->body, v->body_bytes))
			return false;
		if (shift_us)
			shift_stored(out->p + before, &r);
		return true;
	}
	if (!buf_reserve(out, GENERATE_MAX))
		return false;
	w = out->p + out->n;
	if (e->type == TYPE_PATIENT)
		w = generate_patient(o->pop, w, e->patient, &r);
	else
		w = generate_observation(o->pop, w, e->patient, e->index, &r, base);
	out->n = (size_t)(w - out->p);
	*w = '\0';
	return true;
}
