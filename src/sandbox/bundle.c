/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox/bundle.h"

#include <string.h>

#include "sandbox/text.h"

static int64_t shift_of(const struct bundle *b)
{
	return fault_has(b->fault, FAULT_CLOCK_SKEW) ? b->fault->value[FAULT_CLOCK_SKEW] * 1000000
	                                             : 0;
}

static bool base_resource(const struct population *p, enum resource_type type,
                          const struct target *t, int64_t shift_us, struct str base,
                          struct buf *out)
{
	struct revision r = {1, population_instant(t->patient) + shift_us, 0, 0};
	char *w;

	if (!buf_reserve(out, GENERATE_MAX))
		return false;
	w = out->p + out->n;
	if (type == TYPE_PATIENT)
		w = generate_patient(p, w, t->patient, &r);
	else
		w = generate_observation(p, w, t->patient, t->index, &r, base);
	*w = '\0';
	out->n = (size_t)(w - out->p);
	return true;
}

bool bundle_resource(const struct overlay *o, enum resource_type type, const struct target *t,
                     const struct overlay_version *v, int64_t shift_us, struct str base,
                     struct buf *out)
{
	if (!v && t->entry && t->entry->n)
		v = &t->entry->versions[t->entry->n - 1];
	if (!v)
		return base_resource(o->pop, type, t, shift_us, base, out);
	if (v->kind == OVERLAY_DELETED)
		return false;
	return overlay_render(o, t->entry, v, shift_us, base, out);
}

static void target_id(const struct overlay *o, enum resource_type type, const struct target *t,
                      struct buf *out)
{
	char id[POPULATION_UUID], *end;

	if (t->entry) {
		buf_add_cstr(out, t->entry->id);
		return;
	}
	end = population_id_write(o->pop, id,
	                          (struct id){type == TYPE_PATIENT ? ID_PATIENT : ID_OBSERVATION,
	                                      t->patient, type == TYPE_PATIENT ? 0 : t->index});
	buf_add(out, id, (size_t)(end - id));
}

/* _elements=id, as HAPI answers it. */
static bool subset_resource(const struct bundle *b, const struct target *t, struct buf *out)
{
	const struct overlay_version *v =
	    t->entry && t->entry->n ? &t->entry->versions[t->entry->n - 1] : NULL;
	struct revision base = {1, population_instant(t->patient), 0, 0};
	char meta[GENERATE_BASE_MAX], *end = generate_meta(meta, v ? &v->revision : &base);

	if (v && v->kind == OVERLAY_DELETED)
		return false;
	buf_printf(out, "{\"resourceType\":\"%s\",\"id\":\"", resource_type_name[b->q->type]);
	target_id(b->o, b->q->type, t, out);
	buf_lit(out, "\",");
	buf_add(out, meta, (size_t)(end - meta));
	return buf_lit(
	    out, ",\"tag\":[{\"system\":\"http://terminology.hl7.org/CodeSystem/"
	         "v3-ObservationValue\",\"code\":\"SUBSETTED\",\"display\":\"Resource encoded "
	         "in summary mode\"}]}}");
}

/* Faults inside a resource go in front of its last brace. */
static void spoil(const struct bundle *b, struct buf *out)
{
	int64_t note = b->fault->value[FAULT_HUGE_NOTE];

	if (fault_has(b->fault, FAULT_HUGE_NOTE)) {
		out->n--;
		if (b->q->type == TYPE_PATIENT)
			buf_lit(out, ",\"text\":{\"status\":\"generated\",\"div\":\"");
		else
			buf_lit(out, ",\"note\":[{\"text\":\"");
		if (buf_reserve(out, (size_t)note)) {
			memset(out->p + out->n, 'x', (size_t)note);
			out->n += (size_t)note;
		}
		buf_add_cstr(out, b->q->type == TYPE_PATIENT ? "\"}}" : "\"}]}");
	}
	if (fault_has(b->fault, FAULT_BAD_UTF8)) {
		out->n--;
		buf_lit(out, ",\"language\":\"e\xff\xfen\"}");
	}
}

static void entry_open(const struct bundle *b, const struct target *t, struct buf *out)
{
	buf_lit(out, "{\"fullUrl\":\"");
	buf_add_str(out, b->base);
	buf_lit(out, "/");
	buf_add_cstr(out, resource_type_name[b->q->type]);
	buf_lit(out, "/");
	target_id(b->o, b->q->type, t, out);
	buf_lit(out, "\"");
}

static void separate(size_t *written, struct buf *out)
{
	if ((*written)++)
		buf_add_char(out, ',');
}

static void entry_match(const struct bundle *b, const struct target *t, size_t *written,
                        struct buf *out)
{
	size_t before = out->n, count = *written;
	bool there;

	separate(written, out);
	entry_open(b, t, out);
	buf_lit(out, ",\"resource\":");
	there = b->q->only_ids
	            ? subset_resource(b, t, out)
	            : bundle_resource(b->o, b->q->type, t, NULL, shift_of(b), b->base, out);
	if (!there) { /* deleted since the search began: HAPI leaves it out */
		out->n = before;
		*written = count;
		return;
	}
	if (count == 0)
		spoil(b, out);
	buf_lit(out, ",\"search\":{\"mode\":\"match\"}}");
}

static const char *method_of(const struct past *p, uint32_t version)
{
	if (p->v && p->v->kind == OVERLAY_DELETED)
		return "DELETE";
	return version == 1 ? "POST" : "PUT";
}

static void entry_past(const struct bundle *b, const struct past *p, size_t *written,
                       struct buf *out)
{
	bool deleted = p->v && p->v->kind == OVERLAY_DELETED;
	uint32_t version = p->v ? p->v->revision.version : 1;
	char when[CLOCK_TEXT + 16];
	int64_t instant = p->v ? p->v->revision.instant : population_instant(p->target.patient);

	separate(written, out);
	entry_open(b, &p->target, out);
	if (!deleted) {
		buf_lit(out, ",\"resource\":");
		if (p->v)
			overlay_render(b->o, p->target.entry, p->v, shift_of(b), b->base, out);
		else
			base_resource(b->o->pop, b->q->type, &p->target, shift_of(b), b->base, out);
	}
	buf_printf(out, ",\"request\":{\"method\":\"%s\",\"url\":\"%s/", method_of(p, version),
	           resource_type_name[b->q->type]);
	target_id(b->o, b->q->type, &p->target, out);
	*w_instant(when, instant + shift_of(b)) = '\0';
	buf_printf(out, "/_history/%u\"},\"response\":{\"status\":\"%s\",\"etag\":\"W/\\\"%u\\\"\"",
	           version, version == 1 ? "201 Created" : "200 OK", version);
	buf_printf(out, ",\"lastModified\":\"%s\"}}", when);
}

static void entry_outcome(size_t *written, struct buf *out)
{
	separate(written, out);
	buf_lit(
	    out,
	    "{\"resource\":{\"resourceType\":\"OperationOutcome\",\"issue\":[{\"severity\":"
	    "\"warning\",\"code\":\"processing\",\"diagnostics\":\"A part of the search was not "
	    "looked at\"}]},\"search\":{\"mode\":\"outcome\"}}");
}

static void entry_other(const struct bundle *b, size_t *written, struct buf *out)
{
	separate(written, out);
	buf_lit(out, "{\"fullUrl\":\"");
	buf_add_str(out, b->base);
	buf_lit(out,
	        "/Practitioner/p1\",\"resource\":{\"resourceType\":\"Practitioner\",\"id\":\"p1\","
	        "\"meta\":{\"versionId\":\"1\",\"lastUpdated\":\"2025-01-01T00:00:00.000+00:00\"},"
	        "\"name\":[{\"family\":\"Other\"}]},\"search\":{\"mode\":\"include\"}}");
}

static size_t entries(const struct bundle *b, struct buf *out)
{
	size_t before = out->n, written = 0, extra;

	buf_lit(out, ",\"entry\":[");
	if (fault_has(b->fault, FAULT_OUTCOME_ENTRY))
		entry_outcome(&written, out);
	if (fault_has(b->fault, FAULT_OTHER_TYPE))
		entry_other(b, &written, out);
	extra = written;
	if (b->again && b->offset)
		entry_match(b, b->again, &written, out);
	for (size_t k = 0; k < b->n && !out->failed; k++) {
		if (b->q->history)
			entry_past(b, &b->pasts[k], &written, out);
		else
			entry_match(b, &b->targets[k], &written, out);
	}
	if (b->again && !b->offset)
		entry_match(b, b->again, &written, out);
	if (written)
		buf_lit(out, "]");
	else
		out->n = before;
	return written - extra;
}

static void page_url(const struct bundle *b, uint64_t offset, struct buf *url)
{
	if (fault_has(b->fault, FAULT_FOREIGN_NEXT))
		buf_lit(url, "http://elsewhere.example.invalid/fhir");
	else
		buf_add_str(url, b->base);
	buf_printf(url, "?_getpages=%s&_getpagesoffset=%llu&_count=%u", b->id,
	           (unsigned long long)offset, b->q->count);
	if (b->q->format_asked)
		buf_lit(url, "&_format=json");
	if (b->q->pretty_asked)
		buf_lit(url, "&_pretty=true");
	buf_add_cstr(url, b->q->history ? "&_bundletype=history" : "&_bundletype=searchset");
}

static void link_add(const char *relation, struct str url, struct buf *out)
{
	buf_printf(out, "{\"relation\":\"%s\",\"url\":", relation);
	buf_add_json(out, url);
	buf_lit(out, "}");
}

static void page_link(const struct bundle *b, const char *relation, uint64_t offset,
                      struct buf *out)
{
	struct buf url = BUF_INIT(4096);

	page_url(b, offset, &url);
	buf_lit(out, ",");
	link_add(relation, (struct str){url.p, url.n}, out);
	buf_free(&url);
}

static void links(const struct bundle *b, struct buf *out)
{
	buf_lit(out, ",\"link\":[");
	link_add("self", b->self, out);
	if (fault_has(b->fault, FAULT_SAME_NEXT) && b->paged)
		page_link(b, "next", b->offset, out);
	else if (b->more && !fault_has(b->fault, FAULT_LOST_NEXT))
		page_link(b, "next", b->offset + b->q->count, out);
	if (b->paged && b->offset)
		page_link(b, "previous", b->offset > b->q->count ? b->offset - b->q->count : 0,
		          out);
	buf_lit(out, "]");
}

static void head(const struct bundle *b, struct buf *out)
{
	char when[CLOCK_TEXT + 16];

	*w_instant(when, b->now_us + shift_of(b)) = '\0';
	buf_printf(
	    out,
	    "{\"resourceType\":\"Bundle\",\"id\":\"%s\",\"meta\":{\"lastUpdated\":\"%s\"%s},"
	    "\"type\":\"%s\"",
	    b->id, when,
	    b->q->count_only || b->q->only_ids
	        ? ",\"tag\":[{\"system\":\"http://terminology.hl7.org/CodeSystem/"
	          "v3-ObservationValue\",\"code\":\"SUBSETTED\",\"display\":\"Resource encoded in "
	          "summary mode\"}]"
	        : "",
	    b->q->history ? "history" : "searchset");
	if (fault_has(b->fault, FAULT_STALE_TOTAL))
		buf_printf(out, ",\"total\":%lld", (long long)b->fault->value[FAULT_STALE_TOTAL]);
	else if (b->has_total)
		buf_printf(out, ",\"total\":%llu", (unsigned long long)b->total);
}

size_t bundle_write(const struct bundle *b, struct buf *out)
{
	size_t written = 0;

	head(b, out);
	links(b, out);
	if (!fault_has(b->fault, FAULT_MISSING_ENTRY))
		written = entries(b, out);
	buf_lit(out, "}");
	return written;
}

void bundle_count(const struct bundle *b, struct buf *out)
{
	head(b, out);
	buf_lit(out, "}");
}
