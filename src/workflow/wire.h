/* SPDX-License-Identifier: Apache-2.0
 *
 * wire.h: what IngestZip and its activities say to each other, as JSON: ids, zip codes, counts and
 * codes, never anything of a patient. docs/TEMPORAL.md describes it for who reads a history.
 *
 * These shapes are kept in the histories of running workflows: a member may be added, with a
 * default for histories that lack it; one that is there never changes its meaning. WIRE_VERSION
 * goes up when older workers must not take a workflow.
 */
#ifndef FHIRLINE_WORKFLOW_WIRE_H
#define FHIRLINE_WORKFLOW_WIRE_H

#include "base/arena.h"
#include "base/clock.h"
#include "base/hash.h"
#include "flow/crew.h"
#include "temporal/payload.h"

#define WIRE_VERSION 1
#define WIRE_INGEST "IngestZip"
#define WIRE_REQUEST "RequestZip"

/* Who owns a run: "temporal/<namespace>/<workflow id>/<chain>". Longer namespaces are cut. */
#define WIRE_NAMESPACE_MAX 80

/* Of the workflow. All that decides its course is here, so that workers of other settings go on
 * with it alike. */
struct wire_input {
	int version;
	char run_id[UUID_TEXT];
	char zip[6];
	struct flow_limits limits;
	int attempts;            /* at an activity that asks the source */
	int64_t base_ms, cap_ms; /* between attempts */
	int64_t heartbeat_ms;    /* an activity that is silent for so long has lost its worker */
	int64_t continue_events; /* continues as new behind so many events */
	bool paused;
	int64_t continued; /* how often it was */
};
bool wire_input_read(struct temporal_payloads in, struct wire_input *out, struct err *err);
bool wire_input_write(struct arena *arena, const struct wire_input *in,
                      struct temporal_payloads *out, struct err *err);

/* The activity that reads a batch of this kind: "ReadObservations". */
const char *wire_batch_activity(enum flow_batch_kind kind);
bool wire_batch_kind(struct str activity, enum flow_batch_kind *out);

const char *wire_phase_name(enum flow_phase phase);

/* Of an activity. Batches: seq, page_seq, first and patients; the kind is the activity's type. */
struct wire_call {
	char run_id[UUID_TEXT];
	int64_t epoch;
	char chain[64]; /* Begin: the first of this workflow's runs; "": this one */
	struct flow_batch batch;
	bool cancelled; /* End: cancelled, else failed */
	char code[32];  /* End: why it failed */
	char text[sizeof(((struct err *)0)->text)];
};
bool wire_call_read(struct temporal_payloads in, struct wire_call *out, struct err *err);
bool wire_call_write(struct arena *arena, const struct wire_call *call, bool batch, bool end,
                     struct temporal_payloads *out, struct err *err);

/* Results. */
bool wire_begun_write(struct arena *arena, const struct flow_begun *b,
                      struct temporal_payloads *out, struct err *err);
/* `batches` is in the arena. */
bool wire_begun_read(struct arena *arena, struct temporal_payloads in, struct flow_begun *out,
                     struct err *err);
bool wire_batch_write(struct arena *arena, const struct flow_batch *b,
                      struct temporal_payloads *out, struct err *err);
/* Fills state, rows, patients, more of what is there. */
bool wire_batch_read(struct temporal_payloads in, struct flow_batch *b, struct err *err);
bool wire_merge_write(struct arena *arena, const struct flow_outcome *o,
                      struct temporal_payloads *out, struct err *err);

struct wire_range {
	uint32_t first, last;
};
struct wire_merge {
	uint64_t rows;
	struct wire_range *merged, *merging, *pending; /* in the arena, rising */
	size_t n_merged, n_merging, n_pending;
};
bool wire_merge_read(struct arena *arena, struct temporal_payloads in, struct wire_merge *out,
                     struct err *err);
bool wire_in(const struct wire_range *ranges, size_t n, uint32_t seq);

/* {"state":"completed","patients":{…},"observations":{…}}: of Reconcile, and of the workflow. */
bool wire_report_write(struct arena *arena, const struct flow_run_view *view,
                       struct temporal_payloads *out, struct err *err);

#endif
