/* SPDX-License-Identifier: Apache-2.0
 *
 * /fhir/…: what kind of request it is, reads, writes, /metadata.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sandbox/bundle.h"
#include "sandbox/document.h"
#include "sandbox/service.h"
#include "sandbox/text.h"

/* The path behind /fhir in pieces: /Patient/x/_history/2. */
struct route {
	struct str part[5];
	unsigned n;
	bool known; /* part[0] is a type that we have */
	enum resource_type type;
};

static struct route route_of(const struct request *r)
{
	struct str rest = {r->path.p + strlen("/fhir"), r->path.n - strlen("/fhir")};
	struct route route = {0};

	while (rest.n && route.n < 5) {
		const char *end;

		rest.p++; /* the slash */
		rest.n--;
		end = memchr(rest.p, '/', rest.n);
		route.part[route.n].p = rest.p;
		route.part[route.n].n = end ? (size_t)(end - rest.p) : rest.n;
		rest.p += route.part[route.n].n;
		rest.n -= route.part[route.n].n;
		if (route.part[route.n].n) /* a slash at the end is nothing */
			route.n++;
	}
	for (int k = 0; k < 2 && route.n; k++)
		if (str_is(route.part[0], resource_type_name[k])) {
			route.known = true;
			route.type = (enum resource_type)k;
		}
	return route;
}

static unsigned type_class(enum resource_type type)
{
	return type == TYPE_PATIENT ? CLASS_PATIENT : CLASS_OBSERVATION;
}

static void classify_page(struct request *r)
{
	struct token *t = token_get(r->s, request_param(r, "_getpages"));
	int64_t offset = 0, count = r->s->limits.default_page;

	r->classes = CLASS_PAGE | CLASS_SEARCH;
	str_int(request_param(r, "_getpagesoffset"), 0, INT64_MAX, &offset);
	str_int(request_param(r, "_count"), 1, r->s->limits.max_page, &count);
	r->page = (uint64_t)(offset / count) + 1;
	if (!t)
		return;
	r->classes |= type_class(t->query.type);
	if (t->query.history)
		r->classes = (r->classes & ~(unsigned)CLASS_SEARCH) | CLASS_HISTORY;
	token_put(r->s, t);
}

static bool counts_only(const struct request *r)
{
	return str_is(request_param(r, "_summary"), "count") ||
	       str_is(request_param(r, "_count"), "0");
}

void fhir_classify(struct request *r)
{
	struct route route = route_of(r);
	bool search_post = route.n == 2 && str_is(route.part[1], "_search");

	if (route.n == 0) {
		if (request_param(r, "_getpages").p)
			classify_page(r);
		return;
	}
	if (str_is(route.part[0], "metadata"))
		r->classes = CLASS_METADATA;
	if (!route.known)
		return;
	r->classes = type_class(route.type);
	if (!request_is(r, "GET") && !search_post)
		r->classes |= CLASS_WRITE;
	else if (route.n == 1 || search_post)
		r->classes |= counts_only(r) ? CLASS_COUNT : CLASS_SEARCH;
	else if (route.n == 3 || str_is(route.part[1], "_history"))
		r->classes |= CLASS_HISTORY;
	else
		r->classes |= CLASS_READ;
	r->page = r->classes & CLASS_SEARCH ? 1 : 0;
}

/* Outcomes. */
void fhir_outcome(struct reply *reply, unsigned status, const char *code, const char *fmt, ...)
{
	char text[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	buf_clear(&reply->body);
	reply->status = status;
	reply->type = TYPE_FHIR;
	buf_printf(
	    &reply->body,
	    "{\"resourceType\":\"OperationOutcome\",\"text\":{\"status\":\"generated\",\"div\":"
	    "\"<div xmlns=\\\"http://www.w3.org/1999/xhtml\\\"><h1>Operation Outcome</h1></div>\"},"
	    "\"issue\":[{\"severity\":\"error\",\"code\":\"%s\",\"diagnostics\":",
	    code);
	buf_add_json(&reply->body, str_of(text));
	buf_lit(&reply->body, "}]}");
}

void fhir_error(struct reply *reply, const struct err *err)
{
	switch (err->code) {
	case ERR_USAGE:
	case ERR_DATA:
		fhir_outcome(reply, 400, "processing", "%s", err->text);
		break;
	case ERR_NOT_FOUND:
		fhir_outcome(reply, 404, "processing", "%s", err->text);
		break;
	case ERR_LIMIT:
		fhir_outcome(reply, 507, "too-costly", "%s", err->text);
		break;
	default:
		fhir_outcome(reply, 500, "exception", "%s", err->text);
		break;
	}
}

static void wrong_method(struct reply *reply)
{
	fhir_outcome(reply, 405, "not-supported", "this method is not known here");
}

/* Reads. What an id means now: found in the overlay or in the population. */
static bool find(struct request *r, enum resource_type type, struct str id, struct target *t)
{
	struct sandbox *s = r->s;
	struct id known;

	t->entry = overlay_find(&s->overlay, type, id);
	if (t->entry && overlay_version_count(t->entry)) {
		t->patient = t->entry->patient;
		t->index = t->entry->index;
		return true;
	}
	t->entry = NULL;
	if (!population_id_parse(&s->pop, id, &known) || known.patient >= s->pop.total)
		return false;
	t->patient = known.patient;
	t->index = known.index;
	if (type == TYPE_PATIENT)
		return known.kind == ID_PATIENT;
	return known.kind == ID_OBSERVATION && known.index < s->pop.counts[known.patient];
}

static void not_known(struct reply *reply, enum resource_type type, struct str id)
{
	fhir_outcome(reply, 404, "processing", "HAPI-2001: Resource %s/%.*s is not known",
	             resource_type_name[type], (int)(id.n < 100 ? id.n : 100), id.p);
}

static void set_version(struct reply *reply, const struct revision *v)
{
	snprintf(reply->etag, sizeof reply->etag, "W/\"%u\"", v->version);
	reply->last_modified_us = v->instant;
}

static void render(struct request *r, struct reply *reply, enum resource_type type,
                   const struct target *t, const struct overlay_version *v)
{
	struct revision base = {1, population_instant(t->patient), 0, 0};
	int64_t shift =
	    fault_has(&r->fault, FAULT_CLOCK_SKEW) ? r->fault.value[FAULT_CLOCK_SKEW] * 1000000 : 0;

	if (v && v->kind == OVERLAY_DELETED) {
		char when[CLOCK_TEXT + 16];

		*w_instant(when, v->revision.instant) = '\0';
		fhir_outcome(reply, 410, "processing", "HAPI-2001: Resource was deleted at %s",
		             when);
		set_version(reply, &v->revision);
		return;
	}
	bundle_resource(&r->s->overlay, type, t, v, shift, r->base, &reply->body);
	set_version(reply, v ? &v->revision : &base);
	reply->resources = 1;
}

static void read_now(struct request *r, struct reply *reply, enum resource_type type, struct str id)
{
	struct target t;

	pthread_rwlock_rdlock(&r->s->data);
	if (!find(r, type, id, &t))
		not_known(reply, type, id);
	else
		render(r, reply, type, &t,
		       t.entry && t.entry->n ? &t.entry->versions[t.entry->n - 1] : NULL);
	pthread_rwlock_unlock(&r->s->data);
}

static void read_version(struct request *r, struct reply *reply, enum resource_type type,
                         struct str id, struct str version)
{
	const struct overlay_version *v = NULL;
	struct target t;
	int64_t wanted = 0;
	bool found;

	pthread_rwlock_rdlock(&r->s->data);
	found = find(r, type, id, &t) && str_int(version, 1, UINT32_MAX, &wanted);
	for (uint32_t k = 0; found && t.entry && k < t.entry->n; k++)
		if (t.entry->versions[k].revision.version == wanted)
			v = &t.entry->versions[k];
	if (!found || (!v && (wanted != 1 || (t.entry && !t.entry->base))))
		not_known(reply, type, id);
	else if (!v)
		render(r, reply, type, &(struct target){t.patient, t.index, NULL}, NULL);
	else
		render(r, reply, type, &t, v);
	pthread_rwlock_unlock(&r->s->data);
}

/* The history of one resource fits into one page: nobody writes thousands of versions here. */
static void read_history(struct request *r, struct reply *reply, enum resource_type type,
                         struct str id)
{
	struct query q = query_of(type, &r->s->limits);
	struct bundle b = {.o = &r->s->overlay, .q = &q, .base = r->base, .fault = &r->fault};
	char search[UUID_TEXT] = "";
	struct past *pasts = NULL;
	struct target t;
	struct err err;

	q.history = true;
	uuid_v7(clock_now_us(r->s->clock), search, &err);
	pthread_rwlock_rdlock(&r->s->data);
	if (find(r, type, id, &t)) {
		uint32_t n = t.entry ? t.entry->n : 0;

		pasts = calloc((size_t)n + 1, sizeof *pasts);
		for (uint32_t k = n; pasts && k-- > 0;)
			pasts[b.n++] = (struct past){t, &t.entry->versions[k]};
		if (pasts && (!t.entry || t.entry->base))
			pasts[b.n++] = (struct past){t, NULL};
		b.pasts = pasts;
		b.id = search;
		b.self = (struct str){r->uri, strlen(r->uri)};
		b.now_us = clock_now_us(r->s->clock);
		b.has_total = true;
		b.total = b.n;
		reply->resources = bundle_write(&b, &reply->body);
	} else {
		not_known(reply, type, id);
	}
	pthread_rwlock_unlock(&r->s->data);
	free(pasts);
}

/* Writes. Tests may say which instant and version a write gets. */
static bool write_options(struct request *r, struct overlay_write *w, struct err *err)
{
	const char *instant = request_header(r, "X-Sandbox-Last-Updated");
	const char *version = request_header(r, "X-Sandbox-Version-Id");
	int64_t to, number;

	w->instant = clock_now_us(r->s->clock) / 1000 * 1000;
	if (instant && !query_parse_time(str_of(instant), &w->instant, &to))
		return err_set(err, ERR_USAGE, "sandbox.fhir",
		               "X-Sandbox-Last-Updated: not an instant");
	if (version) {
		if (!str_int(str_of(version), 1, INT32_MAX, &number))
			return err_set(err, ERR_USAGE, "sandbox.fhir",
			               "X-Sandbox-Version-Id: not a number");
		w->version = (uint32_t)number;
	}
	return true;
}

static void written(struct request *r, struct reply *reply, const struct overlay_entry *e)
{
	const struct overlay_version *v = &e->versions[e->n - 1];
	bool created = overlay_version_count(e) == 1;

	set_version(reply, &v->revision);
	if (v->kind == OVERLAY_DELETED) {
		fhir_outcome(reply, 200, "informational",
		             "Successfully deleted 1 resource(s). Took 1ms.");
		return;
	}
	reply->status = created ? 201 : 200;
	snprintf(reply->location, sizeof reply->location, "%.*s/%s/%s/_history/%u",
	         STR_FMT(r->base), resource_type_name[e->type], e->id, v->revision.version);
	overlay_render(&r->s->overlay, e, v, 0, r->base, &reply->body);
}

static void write_resource(struct request *r, struct reply *reply, struct overlay_write *w)
{
	struct overlay_entry *e;
	struct err err;

	if (!write_options(r, w, &err)) {
		fhir_error(reply, &err);
		return;
	}
	pthread_rwlock_wrlock(&r->s->data);
	if (overlay_write(&r->s->overlay, w, &e, &err))
		written(r, reply, e);
	else
		fhir_error(reply, &err);
	pthread_rwlock_unlock(&r->s->data);
}

static void by_id(struct request *r, struct reply *reply, enum resource_type type, struct str id)
{
	struct overlay_write w = {.type = type, .id = id};

	if (id.n > DOCUMENT_ID_MAX) {
		fhir_outcome(reply, 400, "processing", "HAPI-0521: Invalid resource ID");
	} else if (request_is(r, "GET")) {
		read_now(r, reply, type, id);
	} else if (request_is(r, "PUT")) {
		w.kind = OVERLAY_STORED;
		w.json = (struct str){r->body.p, r->body.n};
		write_resource(r, reply, &w);
	} else if (request_is(r, "DELETE")) {
		w.kind = OVERLAY_DELETED;
		write_resource(r, reply, &w);
	} else {
		wrong_method(reply);
	}
}

static void on_type(struct request *r, struct reply *reply, enum resource_type type)
{
	struct overlay_write w = {.type = type, .kind = OVERLAY_STORED};

	if (request_is(r, "GET")) {
		pages_search(r, reply, type);
	} else if (request_is(r, "POST")) {
		w.json = (struct str){r->body.p, r->body.n};
		write_resource(r, reply, &w);
	} else {
		wrong_method(reply);
	}
}

static void metadata(struct request *r, struct reply *reply)
{
	char when[CLOCK_TEXT + 16];

	*w_instant(when, clock_now_us(r->s->clock)) = '\0';
	buf_printf(
	    &reply->body,
	    "{\"resourceType\":\"CapabilityStatement\",\"id\":\"sandbox\",\"status\":\"active\","
	    "\"date\":\"%s\",\"publisher\":\"fhirline\",\"kind\":\"instance\",\"software\":{"
	    "\"name\":"
	    "\"fhirline sandbox\",\"version\":\"" FHIRLINE_VERSION
	    "\"},\"implementation\":{\"description\":\"generated people\",\"url\":",
	    when);
	buf_add_json(&reply->body, r->base);
	buf_lit(&reply->body,
	        "},\"fhirVersion\":\"4.0.1\",\"format\":[\"application/fhir+json\",\"json\"],"
	        "\"rest\":[{\"mode\":\"server\",\"resource\":[");
	for (int k = 0; k < 2; k++) {
		buf_printf(
		    &reply->body,
		    "%s{\"type\":\"%s\",\"interaction\":[{\"code\":\"read\"},{\"code\":\"vread\"},"
		    "{\"code\":\"create\"},{\"code\":\"update\"},{\"code\":\"delete\"},{\"code\":"
		    "\"search-type\"},%s{\"code\":\"history-instance\"}],"
		    "\"versioning\":\"versioned-update\",\"updateCreate\":true,\"searchParam\":["
		    "{\"name\":\"_id\",\"type\":\"token\"},{\"name\":\"_lastUpdated\",\"type\":"
		    "\"date\"},",
		    k ? "," : "", resource_type_name[k],
		    r->s->o.no_history ? "" : "{\"code\":\"history-type\"},");
		buf_add_cstr(
		    &reply->body,
		    k == TYPE_PATIENT
		        ? "{\"name\":\"address-postalcode\",\"type\":\"string\"}]}"
		        : "{\"name\":\"patient\",\"type\":\"reference\"},{\"name\":\"subject\","
		          "\"type\":\"reference\"}]}");
	}
	buf_lit(&reply->body, "]}]}");
}

static void no_such_type(struct reply *reply, struct str type)
{
	fhir_outcome(
	    reply, 404, "processing",
	    "HAPI-0302: Unknown resource type '%.*s' - Server knows how to handle: [Observation, "
	    "Patient]",
	    (int)(type.n < 100 ? type.n : 100), type.p);
}

static void on_resource(struct request *r, struct reply *reply, const struct route *route)
{
	struct str second = route->part[1], id = STR_NONE;

	if (route->n == 1) {
		on_type(r, reply, route->type);
		return;
	}
	if (route->n == 2 && str_is(second, "_search")) {
		pages_search(r, reply, route->type);
		return;
	}
	if (route->n == 2 && str_is(second, "_history") && !r->s->o.no_history) {
		pages_history(r, reply, route->type);
		return;
	}
	id = request_decode(r, second);
	if (!id.n)
		fhir_outcome(reply, 400, "processing", "an id is missing");
	else if (route->n == 2)
		by_id(r, reply, route->type, id);
	else if (!str_is(route->part[2], "_history") || route->n > 4)
		fhir_outcome(reply, 400, "not-supported", "HAPI-0287: this operation is not known");
	else if (!request_is(r, "GET"))
		wrong_method(reply);
	else if (route->n == 3)
		read_history(r, reply, route->type, id);
	else
		read_version(r, reply, route->type, id, route->part[3]);
}

void fhir_handle(struct request *r, struct reply *reply)
{
	struct route route = route_of(r);

	reply->type = TYPE_FHIR;
	reply->status = 200;
	reply->pretty = !str_is(request_param(r, "_pretty"), "false");
	if (route.n == 0 && request_param(r, "_getpages").p)
		pages_follow(r, reply);
	else if (route.n == 0)
		fhir_outcome(reply, 400, "processing",
		             "HAPI-0287: This is the base URL of FHIR server. Unable to handle "
		             "this request, "
		             "as it does not contain a resource type or operation name.");
	else if (str_is(route.part[0], "metadata"))
		metadata(r, reply);
	else if (!route.known)
		no_such_type(reply, route.part[0]);
	else
		on_resource(r, reply, &route);
}
