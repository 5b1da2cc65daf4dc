/* SPDX-License-Identifier: Apache-2.0
 *
 * POST /sandbox/churn: a day in the life of the population, in one transaction (so with one
 * lastUpdated). Each parameter is a share per mille; the same seed on the same state does the same.
 */
#include "base/rng.h"
#include "sandbox/search.h"
#include "sandbox/service.h"

struct churn {
	struct sandbox *s;
	struct rng rng;
	int64_t instant;
	unsigned changed;          /* observations, and patients */
	unsigned deleted;          /* observations */
	unsigned added;            /* observations, counted by those that are there */
	unsigned moved;            /* patients, out of the zip */
	unsigned moved_in;         /* of those who live next door */
	unsigned deleted_patients; /* with their observations */
	struct {
		uint64_t changed, deleted, added, moved, moved_in, deleted_patients,
		    changed_patients;
	} did;
};

static bool drawn(struct churn *c, unsigned per_mille)
{
	return per_mille && rng_below(&c->rng, 1000) < per_mille;
}

static bool generate(struct churn *c, enum resource_type type, uint32_t i, uint32_t j, bool move,
                     struct err *err)
{
	struct overlay_write w = {.type = type,
	                          .kind = OVERLAY_GENERATED,
	                          .instant = c->instant,
	                          .patient = i,
	                          .index = j,
	                          .move = move};
	struct overlay_entry *e;

	return overlay_write(&c->s->overlay, &w, &e, err);
}

static bool erase(struct churn *c, enum resource_type type, uint32_t i, uint32_t j, struct err *err)
{
	struct overlay_write w = {.type = type, .kind = OVERLAY_DELETED, .instant = c->instant};
	char id[POPULATION_UUID], *end;
	struct overlay_entry *e;

	end = population_id_write(
	    &c->s->pop, id, (struct id){type == TYPE_PATIENT ? ID_PATIENT : ID_OBSERVATION, i, j});
	w.id = (struct str){id, (size_t)(end - id)};
	return overlay_write(&c->s->overlay, &w, &e, err);
}

/* Deleted, or stored by a test: not ours to change. */
static bool not_generated(const struct overlay_entry *e)
{
	return e && e->n && e->versions[e->n - 1].kind != OVERLAY_GENERATED;
}

/* Where churn's next observation of this patient goes: behind all that it ever had. */
static uint32_t next_index(const struct churn *c, uint32_t i)
{
	const struct overlay_patient *of = overlay_patient(&c->s->overlay, i);
	uint32_t next = c->s->pop.counts[i];

	for (uint32_t k = of ? of->nbase : 0; of && k < of->n; k++) {
		const struct overlay_entry *e = of->observations[k];

		if (e->patient == i && e->index != OVERLAY_CREATED && e->index >= next)
			next = e->index + 1;
	}
	return next;
}

/* A generated observation that still stands as generated, not as a test stored it. */
static bool stands(const struct churn *c, const struct overlay_patient *of, uint32_t *at,
                   uint32_t j)
{
	(void)c;
	while (of && *at < of->nbase && of->observations[*at]->index < j)
		++*at;
	return !of || *at >= of->nbase || of->observations[*at]->index != j ||
	       !not_generated(of->observations[*at]);
}

static bool churn_observations(struct churn *c, uint32_t i, bool all_go, struct err *err)
{
	uint32_t count = c->s->pop.counts[i], at = 0, next = next_index(c, i);

	for (uint32_t j = 0; j < count; j++) {
		bool change = drawn(c, c->changed), erased = drawn(c, c->deleted) || all_go;
		bool add = drawn(c, c->added) && !all_go && next < POPULATION_MAX_OBSERVATIONS;

		if (add) {
			if (!generate(c, TYPE_OBSERVATION, i, next++, false, err))
				return false;
			c->did.added++;
		}
		if ((!change && !erased) || !stands(c, overlay_patient(&c->s->overlay, i), &at, j))
			continue;
		if (erased ? !erase(c, TYPE_OBSERVATION, i, j, err)
		           : !generate(c, TYPE_OBSERVATION, i, j, false, err))
			return false;
		*(erased ? &c->did.deleted : &c->did.changed) += 1;
	}
	return true;
}

static bool churn_patient(struct churn *c, uint32_t i, struct err *err)
{
	const struct overlay_patient *of = overlay_patient(&c->s->overlay, i);
	bool there = search_lives_in(&c->s->overlay, i, str_of(c->s->pop.zip));
	bool move = drawn(c, there ? c->moved : c->moved_in), change = drawn(c, c->changed);
	bool gone = there && drawn(c, c->deleted_patients);

	if (of && not_generated(of->self))
		return true;
	if (!there && !move)
		return true;
	if (!churn_observations(c, i, gone, err))
		return false;
	if (gone) {
		c->did.deleted_patients++;
		return erase(c, TYPE_PATIENT, i, 0, err);
	}
	if (move)
		*(there ? &c->did.moved : &c->did.moved_in) += 1;
	else if (change)
		c->did.changed_patients++;
	return !(move || change) || generate(c, TYPE_PATIENT, i, 0, move, err);
}

static bool share(const struct request *r, const char *name, unsigned *out, struct reply *reply)
{
	struct str text = request_param(r, name);
	int64_t v = 0;

	if (text.p && !str_int(text, 0, 1000, &v)) {
		reply->status = 400;
		buf_printf(&reply->body, "{\"error\":\"%s: a share per mille, 0 to 1000\"}\n",
		           name);
		return false;
	}
	*out = (unsigned)v;
	return true;
}

void churn_handle(struct request *r, struct reply *reply)
{
	struct churn c = {.s = r->s};
	struct str seed = request_param(r, "seed");
	struct err err = {0};
	int64_t number = 1;
	bool ok = true;

	if (!share(r, "changed", &c.changed, reply) || !share(r, "deleted", &c.deleted, reply) ||
	    !share(r, "added", &c.added, reply) || !share(r, "moved", &c.moved, reply) ||
	    !share(r, "moved_in", &c.moved_in, reply) ||
	    !share(r, "deleted_patients", &c.deleted_patients, reply))
		return;
	str_int(seed, 0, INT64_MAX, &number);
	c.rng = rng_for(r->s->pop.seed ^ 0x636875726e, (uint64_t)number);
	pthread_rwlock_wrlock(&r->s->data);
	c.instant = clock_now_us(r->s->clock) / 1000 * 1000;
	for (uint32_t i = 0; i < r->s->pop.total && ok; i++)
		ok = churn_patient(&c, i, &err);
	pthread_rwlock_unlock(&r->s->data);
	reply->status = ok ? 200 : 507;
	buf_printf(&reply->body,
	           "{\"changed\":%llu,\"deleted\":%llu,\"added\":%llu,\"changed_patients\":%llu,"
	           "\"moved\":%llu,\"moved_in\":%llu,\"deleted_patients\":%llu%s}\n",
	           (unsigned long long)c.did.changed, (unsigned long long)c.did.deleted,
	           (unsigned long long)c.did.added, (unsigned long long)c.did.changed_patients,
	           (unsigned long long)c.did.moved, (unsigned long long)c.did.moved_in,
	           (unsigned long long)c.did.deleted_patients,
	           ok ? "" : ",\"error\":\"the memory for written resources is full\"");
}
