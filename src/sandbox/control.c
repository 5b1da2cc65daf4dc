/* SPDX-License-Identifier: Apache-2.0
 *
 * /sandbox/…: what tests use to look behind the server and to disturb it. Loopback only (server.c).
 */
#include <stdlib.h>
#include <string.h>

#include "sandbox/bundle.h"
#include "sandbox/service.h"

enum { TRUTH_STEP = 200 };

/* All current resources of a zip, a step at a time. */
struct truth {
	struct sandbox *s;
	char base[GENERATE_BASE_MAX];
	char zip[6];
	struct query query; /* of one patient at a time */
	uint32_t next;      /* the patient after it */
	uint64_t offset;
	bool inside; /* a patient is being worked on */
	struct buf chunk;
	size_t sent;
};

/* The next patient who lives there; false at the end. */
static bool truth_advance(struct truth *t)
{
	const struct overlay *o = &t->s->overlay;

	for (; t->next < o->npatients; t->next++) {
		if (!search_lives_in(o, t->next, str_of(t->zip)))
			continue;
		t->query.patients[0] = t->next++;
		t->offset = 0;
		t->inside = true;
		return true;
	}
	return false;
}

static bool truth_step(struct truth *t)
{
	struct search s = {&t->s->overlay, &t->query, UINT64_MAX};
	struct target targets[TRUTH_STEP];
	struct err err;
	size_t n;

	if (!t->inside && !truth_advance(t))
		return false;
	n = search_page(&s, t->offset, TRUTH_STEP, targets, &err);
	for (size_t k = 0; k < n; k++)
		if (bundle_resource(s.o, t->query.type, &targets[k], NULL, 0, str_of(t->base),
		                    &t->chunk))
			buf_add_char(&t->chunk, '\n');
	t->offset += n;
	t->inside = n == TRUTH_STEP;
	return true;
}

size_t truth_read(struct truth *t, char *out, size_t max)
{
	size_t n;
	bool more = true;

	if (t->sent == t->chunk.n) {
		buf_clear(&t->chunk);
		t->sent = 0;
		pthread_rwlock_rdlock(&t->s->data);
		while (more && t->chunk.n < 65536)
			more = truth_step(t);
		pthread_rwlock_unlock(&t->s->data);
	}
	n = t->chunk.n - t->sent;
	n = n < max ? n : max;
	if (n)
		memcpy(out, t->chunk.p + t->sent, n);
	t->sent += n;
	return n;
}

void truth_free(struct truth *t)
{
	if (!t)
		return;
	query_free(&t->query);
	buf_free(&t->chunk);
	free(t);
}

static void failed(struct reply *reply, unsigned status, const char *why)
{
	buf_clear(&reply->body);
	reply->status = status;
	buf_lit(&reply->body, "{\"error\":");
	buf_add_json(&reply->body, str_of(why));
	buf_lit(&reply->body, "}\n");
}

static void resources(struct request *r, struct reply *reply)
{
	struct str type = request_param(r, "type"), zip = request_param(r, "zip");
	struct truth *t;

	if ((!str_is(type, "Patient") && !str_is(type, "Observation")) ||
	    (zip.p && !str_is_zip(zip))) {
		failed(reply, 400, "give type=Patient or type=Observation, and zip=five digits");
		return;
	}
	t = calloc(1, sizeof *t);
	if (t)
		t->query = query_of(str_is(type, "Patient") ? TYPE_PATIENT : TYPE_OBSERVATION,
		                    &r->s->limits);
	if (t)
		t->query.patients = calloc(1, sizeof *t->query.patients);
	if (!t || !t->query.patients) {
		truth_free(t);
		failed(reply, 500, "out of memory");
		return;
	}
	t->query.has_patients = true;
	t->query.npatients = 1;
	t->s = r->s;
	t->chunk = BUF_INIT(16 << 20);
	memcpy(t->base, r->base.p, r->base.n);
	memcpy(t->zip, zip.p ? zip.p : r->s->pop.zip, 5);
	reply->type = "application/x-ndjson";
	reply->truth = t;
}

static void faults(struct request *r, struct reply *reply)
{
	struct fault_script *script, *old;
	struct err err;

	script = fault_script_parse((struct str){r->body.p ? r->body.p : "", r->body.n}, &err);
	if (!script) {
		failed(reply, 400, err.text);
		return;
	}
	pthread_mutex_lock(&r->s->lock);
	old = r->s->faults;
	r->s->faults = script;
	pthread_mutex_unlock(&r->s->lock);
	fault_script_free(old);
	buf_lit(&reply->body, "{}\n");
}

static void stats(struct request *r, struct reply *reply)
{
	struct stats st;

	pthread_mutex_lock(&r->s->lock);
	st = r->s->stats;
	pthread_mutex_unlock(&r->s->lock);
	buf_printf(&reply->body,
	           "{\"requests\":%llu,\"max_concurrent\":%u,\"bytes\":%llu,\"resources\":%llu}\n",
	           (unsigned long long)st.requests, st.most_running, (unsigned long long)st.bytes,
	           (unsigned long long)st.resources);
}

static void reset_stats(struct request *r, struct reply *reply)
{
	pthread_mutex_lock(&r->s->lock);
	r->s->stats = (struct stats){.running = r->s->stats.running};
	pthread_mutex_unlock(&r->s->lock);
	buf_lit(&reply->body, "{}\n");
}

static void request_lines(struct request *r, struct reply *reply)
{
	struct str text = request_param(r, "since");
	int64_t since = 0;

	if (text.p && !str_int(text, 0, INT64_MAX, &since))
		failed(reply, 400, "since: not a number");
	else
		requestlog_since(r->s, (uint64_t)since, &reply->body);
}

void control_handle(struct request *r, struct reply *reply)
{
	static const struct {
		const char *method, *path;
		void (*handle)(struct request *r, struct reply *reply);
	} routes[] = {
	    {"GET", "/sandbox/log", request_lines},   {"POST", "/sandbox/faults", faults},
	    {"POST", "/sandbox/churn", churn_handle}, {"GET", "/sandbox/resources", resources},
	    {"GET", "/sandbox/stats", stats},         {"POST", "/sandbox/reset-stats", reset_stats},
	};

	reply->status = 200;
	reply->type = TYPE_JSON;
	for (size_t k = 0; k < sizeof routes / sizeof *routes; k++) {
		if (!str_is(r->path, routes[k].path))
			continue;
		if (request_is(r, routes[k].method))
			routes[k].handle(r, reply);
		else
			failed(reply, 405, "another method is needed here");
		return;
	}
	failed(reply, 404,
	       "log, faults, churn, resources, stats and reset-stats are what there is");
}
