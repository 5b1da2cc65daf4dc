/* SPDX-License-Identifier: Apache-2.0 */
#include "workflow/wire.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yyjson.h>

enum { TEXT_MAX = 2 << 20, BATCHES_MAX = 1 << 20 };

static const struct {
	const char *name, *activity;
} kinds[FLOW_KINDS] = {
    [FLOW_PATIENT_PAGE] = {"patient_page", "ReadPatientPage"},
    [FLOW_OBSERVATIONS] = {"observations", "ReadObservations"},
    [FLOW_ID_PAGE] = {"id_page", "ReadIdPage"},
    [FLOW_LOOKUP] = {"lookup", "LookUpPatients"},
    [FLOW_OBSERVATION_PAGE] = {"observation_page", "ReadObservationPage"},
};
static const char *const states[] = {
    [FLOW_PENDING] = "pending", [FLOW_RUNNING] = "running", [FLOW_STAGED] = "staged",
    [FLOW_MERGING] = "merging", [FLOW_MERGED] = "merged",   [FLOW_FAILED] = "failed",
};
static const char *const phases[] = {
    [FLOW_PHASE_LOOK] = "look",           [FLOW_PHASE_READ] = "read", [FLOW_PHASE_SWEEP] = "sweep",
    [FLOW_PHASE_RECONCILE] = "reconcile", [FLOW_PHASE_DONE] = "done",
};

#define COUNT(a) (sizeof(a) / sizeof *(a))

const char *wire_batch_activity(enum flow_batch_kind kind)
{
	return kinds[kind].activity;
}

bool wire_batch_kind(struct str activity, enum flow_batch_kind *out)
{
	for (size_t i = 0; i < COUNT(kinds); i++)
		if (str_is(activity, kinds[i].activity)) {
			*out = (enum flow_batch_kind)i;
			return true;
		}
	return false;
}

const char *wire_phase_name(enum flow_phase phase)
{
	return phases[phase];
}

static bool wrong(struct err *err, const char *what)
{
	return err_set(err, ERR_DATA, "workflow.wire", "what came as %s is not such", what);
}

/* ---- reading ---- */

/* A document of the one payload, which must be an object; NULL with *err. */
static yyjson_doc *open_object(struct temporal_payloads in, const char *what, struct err *err)
{
	struct str json;
	yyjson_doc *doc;

	if (!temporal_payload_json(in, 0, &json, err))
		return NULL;
	doc = yyjson_read(json.p, json.n, 0);
	if (doc && yyjson_is_obj(yyjson_doc_get_root(doc)))
		return doc;
	yyjson_doc_free(doc);
	wrong(err, what);
	return NULL;
}

static int64_t get_int(yyjson_val *o, const char *name, int64_t min, int64_t max, bool *ok)
{
	yyjson_val *v = yyjson_obj_get(o, name);
	int64_t n = yyjson_get_sint(v);

	if (!yyjson_is_int(v) || n < min || n > max) {
		*ok = false;
		return min;
	}
	return n;
}

static bool get_bool(yyjson_val *o, const char *name)
{
	return yyjson_is_true(yyjson_obj_get(o, name));
}

static void get_text(yyjson_val *o, const char *name, char *out, size_t size, bool *ok)
{
	yyjson_val *v = yyjson_obj_get(o, name);

	if (!yyjson_is_str(v) || yyjson_get_len(v) >= size ||
	    strlen(yyjson_get_str(v)) != yyjson_get_len(v))
		*ok = false;
	else
		memcpy(out, yyjson_get_str(v), yyjson_get_len(v) + 1);
}

static int get_word(yyjson_val *v, const char *const *words, size_t n, bool *ok)
{
	for (size_t i = 0; yyjson_is_str(v) && i < n; i++)
		if (yyjson_equals_str(v, words[i]))
			return (int)i;
	*ok = false;
	return 0;
}

/* ---- writing ---- */

static bool give(struct arena *arena, struct buf *b, struct temporal_payloads *out, struct err *err)
{
	struct temporal_payload one;
	bool ok = buf_ok(b, "what a workflow is told", err);

	if (ok) {
		one = temporal_json((struct str){b->p, b->n});
		ok = temporal_payloads_copy(arena, (struct temporal_payloads){&one, 1}, out) ||
		     err_set(err, ERR_NOMEM, "workflow.wire", "out of memory");
	}
	buf_free(b);
	return ok;
}

/* ---- the workflow's input ---- */

bool wire_input_read(struct temporal_payloads in, struct wire_input *out, struct err *err)
{
	yyjson_doc *doc = open_object(in, "the workflow's input", err);
	yyjson_val *o = yyjson_doc_get_root(doc);
	bool ok = true;

	if (!doc)
		return false;
	*out = (struct wire_input){0};
	out->version = (int)get_int(o, "version", 1, INT32_MAX, &ok);
	get_text(o, "run", out->run_id, sizeof out->run_id, &ok);
	get_text(o, "zip", out->zip, sizeof out->zip, &ok);
	out->limits.max_running = (uint32_t)get_int(o, "activities", 1, 1000, &ok);
	out->limits.patients_per_batch = (uint32_t)get_int(o, "patients_per_batch", 1, 1000, &ok);
	out->limits.merge_rows = (uint64_t)get_int(o, "merge_rows", 1, INT64_MAX, &ok);
	out->attempts = (int)get_int(o, "attempts", 0, 100000, &ok);
	out->base_ms = get_int(o, "retry_base_ms", 1, INT64_MAX, &ok);
	out->cap_ms = get_int(o, "retry_cap_ms", 1, INT64_MAX, &ok);
	out->heartbeat_ms = get_int(o, "heartbeat_ms", 1, INT64_MAX, &ok);
	out->continue_events = get_int(o, "continue_events", 1, INT64_MAX, &ok);
	out->paused = get_bool(o, "paused");
	out->continued = get_int(o, "continued", 0, INT64_MAX, &ok);
	yyjson_doc_free(doc);
	if (ok && out->version > WIRE_VERSION)
		return err_set(err, ERR_CONFIG, "workflow.wire",
		               "the workflow is of version %d, this worker knows up to %d: a newer "
		               "worker goes on with it",
		               out->version, WIRE_VERSION);
	return ok || wrong(err, "the workflow's input");
}

bool wire_input_write(struct arena *arena, const struct wire_input *in,
                      struct temporal_payloads *out, struct err *err)
{
	struct buf b = BUF_INIT(TEXT_MAX);

	buf_printf(&b,
	           "{\"version\":%d,\"run\":\"%s\",\"zip\":\"%s\",\"activities\":%u,"
	           "\"patients_per_batch\":%u,\"merge_rows\":%" PRIu64
	           ",\"attempts\":%d,\"retry_base_ms\":%" PRId64 ",\"retry_cap_ms\":%" PRId64
	           ",\"heartbeat_ms\":%" PRId64 ",\"continue_events\":%" PRId64
	           ",\"paused\":%s,\"continued\":%" PRId64 "}",
	           in->version, in->run_id, in->zip, in->limits.max_running,
	           in->limits.patients_per_batch, in->limits.merge_rows, in->attempts, in->base_ms,
	           in->cap_ms, in->heartbeat_ms, in->continue_events, in->paused ? "true" : "false",
	           in->continued);
	return give(arena, &b, out, err);
}

/* ---- an activity's input ---- */

static void read_batch_call(yyjson_val *o, struct flow_batch *b, bool *ok)
{
	b->seq = (uint32_t)get_int(o, "batch", 1, INT32_MAX, ok);
	b->page_seq = (uint32_t)get_int(o, "page", 0, INT32_MAX, ok);
	b->first = (uint32_t)get_int(o, "first", 0, INT32_MAX, ok);
	b->patients = (uint32_t)get_int(o, "patients", 0, INT32_MAX, ok);
}

bool wire_call_read(struct temporal_payloads in, struct wire_call *out, struct err *err)
{
	yyjson_doc *doc = open_object(in, "an activity's input", err);
	yyjson_val *o = yyjson_doc_get_root(doc);
	bool ok = true;

	if (!doc)
		return false;
	*out = (struct wire_call){0};
	get_text(o, "run", out->run_id, sizeof out->run_id, &ok);
	if (yyjson_obj_get(o, "epoch"))
		out->epoch = get_int(o, "epoch", 0, INT64_MAX, &ok);
	if (yyjson_obj_get(o, "chain"))
		get_text(o, "chain", out->chain, sizeof out->chain, &ok);
	if (yyjson_obj_get(o, "batch"))
		read_batch_call(o, &out->batch, &ok);
	out->cancelled = get_bool(o, "cancelled");
	if (yyjson_obj_get(o, "code")) {
		get_text(o, "code", out->code, sizeof out->code, &ok);
		get_text(o, "text", out->text, sizeof out->text, &ok);
	}
	yyjson_doc_free(doc);
	return ok || wrong(err, "an activity's input");
}

bool wire_call_write(struct arena *arena, const struct wire_call *call, bool batch, bool end,
                     struct temporal_payloads *out, struct err *err)
{
	struct buf b = BUF_INIT(TEXT_MAX);

	buf_printf(&b, "{\"run\":\"%s\"", call->run_id);
	if (call->epoch)
		buf_printf(&b, ",\"epoch\":%" PRId64, call->epoch);
	if (call->chain[0])
		buf_printf(&b, ",\"chain\":\"%s\"", call->chain);
	if (batch)
		buf_printf(&b, ",\"batch\":%u,\"page\":%u,\"first\":%u,\"patients\":%u",
		           call->batch.seq, call->batch.page_seq, call->batch.first,
		           call->batch.patients);
	if (end && call->cancelled) {
		buf_lit(&b, ",\"cancelled\":true");
	} else if (end) {
		buf_printf(&b, ",\"code\":\"%s\",\"text\":", call->code);
		buf_add_json(&b, str_of(call->text));
	}
	buf_lit(&b, "}");
	return give(arena, &b, out, err);
}

/* ---- Begin ---- */

bool wire_begun_write(struct arena *arena, const struct flow_begun *f,
                      struct temporal_payloads *out, struct err *err)
{
	struct buf b = BUF_INIT(TEXT_MAX);

	buf_printf(&b,
	           "{\"epoch\":%" PRId64 ",\"incremental\":%s,\"cancelled\":%s,\"phase\":\"%s\"",
	           f->epoch, f->incremental ? "true" : "false",
	           f->cancel_requested ? "true" : "false", phases[f->phase]);
	buf_lit(&b, ",\"batches\":[");
	for (size_t i = 0; i < f->n; i++) {
		const struct flow_batch *x = &f->batches[i];

		buf_printf(&b, "%s[%u,\"%s\",\"%s\",%u,%u,%u,%" PRIu64 ",%s]", i ? "," : "", x->seq,
		           kinds[x->kind].name, states[x->state], x->page_seq, x->first,
		           x->patients, x->rows, x->more ? "true" : "false");
	}
	buf_lit(&b, "]}");
	return give(arena, &b, out, err);
}

static uint32_t item(yyjson_val *row, size_t i, bool *ok)
{
	yyjson_val *v = yyjson_arr_get(row, i);

	if (!yyjson_is_uint(v) || yyjson_get_uint(v) > INT32_MAX)
		*ok = false;
	return (uint32_t)yyjson_get_uint(v);
}

static bool read_row(yyjson_val *row, struct flow_batch *b)
{
	const char *names[FLOW_KINDS];
	bool ok = yyjson_is_arr(row) && yyjson_arr_size(row) >= 8;

	if (!ok)
		return false;
	for (size_t i = 0; i < FLOW_KINDS; i++)
		names[i] = kinds[i].name;
	*b = (struct flow_batch){.seq = item(row, 0, &ok)};
	b->kind = (enum flow_batch_kind)get_word(yyjson_arr_get(row, 1), names, FLOW_KINDS, &ok);
	b->state =
	    (enum flow_batch_state)get_word(yyjson_arr_get(row, 2), states, COUNT(states), &ok);
	b->page_seq = item(row, 3, &ok);
	b->first = item(row, 4, &ok);
	b->patients = item(row, 5, &ok);
	b->rows = yyjson_get_uint(yyjson_arr_get(row, 6));
	b->more = yyjson_is_true(yyjson_arr_get(row, 7));
	return ok && b->seq > 0;
}

/* In order and without doubles, as the plan wants them. */
static bool read_rows(struct arena *arena, yyjson_val *rows, struct flow_begun *out)
{
	size_t i, n;
	yyjson_val *row;

	if (!yyjson_is_arr(rows) || yyjson_arr_size(rows) > BATCHES_MAX)
		return false;
	out->batches = arena_array(arena, yyjson_arr_size(rows) + 1, sizeof *out->batches);
	if (!out->batches)
		return false;
	yyjson_arr_foreach(rows, i, n, row)
	{
		if (!read_row(row, &out->batches[i]) ||
		    (i && out->batches[i].seq <= out->batches[i - 1].seq))
			return false;
		out->n = i + 1;
	}
	return true;
}

bool wire_begun_read(struct arena *arena, struct temporal_payloads in, struct flow_begun *out,
                     struct err *err)
{
	yyjson_doc *doc = open_object(in, "Begin's result", err);
	yyjson_val *o = yyjson_doc_get_root(doc);
	bool ok = true;

	if (!doc)
		return false;
	*out = (struct flow_begun){.incremental = get_bool(o, "incremental"),
	                           .cancel_requested = get_bool(o, "cancelled")};
	out->epoch = get_int(o, "epoch", 0, INT64_MAX, &ok);
	out->phase =
	    (enum flow_phase)get_word(yyjson_obj_get(o, "phase"), phases, COUNT(phases), &ok);
	ok = ok && read_rows(arena, yyjson_obj_get(o, "batches"), out);
	yyjson_doc_free(doc);
	return ok || wrong(err, "Begin's result");
}

/* ---- a batch ---- */

bool wire_batch_write(struct arena *arena, const struct flow_batch *x,
                      struct temporal_payloads *out, struct err *err)
{
	struct buf b = BUF_INIT(TEXT_MAX);

	buf_printf(&b, "{\"state\":\"%s\",\"rows\":%" PRIu64 ",\"patients\":%u,\"more\":%s}",
	           states[x->state], x->rows, x->patients, x->more ? "true" : "false");
	return give(arena, &b, out, err);
}

bool wire_batch_read(struct temporal_payloads in, struct flow_batch *b, struct err *err)
{
	yyjson_doc *doc = open_object(in, "a batch's result", err);
	yyjson_val *o = yyjson_doc_get_root(doc);
	bool ok = true;

	if (!doc)
		return false;
	b->state =
	    (enum flow_batch_state)get_word(yyjson_obj_get(o, "state"), states, COUNT(states), &ok);
	b->rows = (uint64_t)get_int(o, "rows", 0, INT64_MAX, &ok);
	b->patients = (uint32_t)get_int(o, "patients", 0, INT32_MAX, &ok);
	b->more = get_bool(o, "more");
	yyjson_doc_free(doc);
	ok = ok && (b->state == FLOW_STAGED || b->state == FLOW_FAILED);
	return ok || wrong(err, "a batch's result");
}

/* ---- Merge ---- */

static void add_ranges(struct buf *b, const char *name, const struct flow_outcome *o,
                       enum flow_batch_state state)
{
	size_t i = 0, written = 0;

	buf_printf(b, ",\"%s\":\"", name);
	while (i < o->n) {
		uint32_t first = o->batches[i].seq, last = first;

		if (o->batches[i++].state != state)
			continue;
		while (i < o->n && o->batches[i].state == state && o->batches[i].seq == last + 1)
			last = o->batches[i++].seq;
		buf_printf(b, last > first ? "%s%u-%u" : "%s%u", written++ ? "," : "", first, last);
	}
	buf_lit(b, "\"");
}

bool wire_merge_write(struct arena *arena, const struct flow_outcome *o,
                      struct temporal_payloads *out, struct err *err)
{
	struct buf b = BUF_INIT(TEXT_MAX);

	buf_printf(&b, "{\"rows\":%" PRIu64, o->rows);
	add_ranges(&b, "merged", o, FLOW_MERGED);
	add_ranges(&b, "merging", o, FLOW_MERGING);
	add_ranges(&b, "pending", o, FLOW_PENDING);
	buf_lit(&b, "}");
	return give(arena, &b, out, err);
}

static bool read_number(const char **p, uint32_t *out)
{
	uint64_t n = 0;
	const char *from = *p;

	for (; **p >= '0' && **p <= '9' && n <= INT32_MAX; ++*p)
		n = n * 10 + (uint64_t)(**p - '0');
	*out = (uint32_t)n;
	return *p > from && n > 0 && n <= INT32_MAX;
}

/* "1-14,16" */
static bool read_ranges(struct arena *arena, yyjson_val *v, struct wire_range **out, size_t *n)
{
	const char *p = yyjson_get_str(v);
	size_t most = 1;

	*n = 0;
	if (!p)
		return false;
	for (const char *c = p; *c; c++)
		most += *c == ',';
	*out = arena_array(arena, most, sizeof **out);
	while (*out && *p) {
		struct wire_range *r = &(*out)[*n];

		if ((*n && *p++ != ',') || !read_number(&p, &r->first))
			return false;
		r->last = r->first;
		if (*p == '-' && (p++, !read_number(&p, &r->last) || r->last < r->first))
			return false;
		++*n;
	}
	return *out != NULL;
}

bool wire_merge_read(struct arena *arena, struct temporal_payloads in, struct wire_merge *out,
                     struct err *err)
{
	yyjson_doc *doc = open_object(in, "a merge's result", err);
	yyjson_val *o = yyjson_doc_get_root(doc);
	bool ok = true;

	if (!doc)
		return false;
	*out = (struct wire_merge){0};
	out->rows = (uint64_t)get_int(o, "rows", 0, INT64_MAX, &ok);
	ok = ok && read_ranges(arena, yyjson_obj_get(o, "merged"), &out->merged, &out->n_merged) &&
	     read_ranges(arena, yyjson_obj_get(o, "merging"), &out->merging, &out->n_merging) &&
	     read_ranges(arena, yyjson_obj_get(o, "pending"), &out->pending, &out->n_pending);
	yyjson_doc_free(doc);
	return ok || wrong(err, "a merge's result");
}

bool wire_in(const struct wire_range *ranges, size_t n, uint32_t seq)
{
	size_t low = 0, high = n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (ranges[mid].last < seq)
			low = mid + 1;
		else
			high = mid;
	}
	return low < n && ranges[low].first <= seq && seq <= ranges[low].last;
}

/* ---- the end ---- */

static void add_counts(struct buf *b, const char *name, const struct flow_count *c)
{
	buf_printf(b,
	           ",\"%s\":{\"fetched\":%" PRId64 ",\"inserted\":%" PRId64 ",\"updated\":%" PRId64
	           ",\"unchanged\":%" PRId64 ",\"deleted\":%" PRId64 ",\"rejected\":%" PRId64 "}",
	           name, c->fetched, c->inserted, c->updated, c->unchanged, c->deleted,
	           c->rejected);
}

bool wire_report_write(struct arena *arena, const struct flow_run_view *view,
                       struct temporal_payloads *out, struct err *err)
{
	struct buf b = BUF_INIT(TEXT_MAX);

	buf_printf(&b, "{\"state\":\"%s\"", view->state);
	add_counts(&b, "patients", &view->patient);
	add_counts(&b, "observations", &view->observation);
	buf_lit(&b, "}");
	return give(arena, &b, out, err);
}
