/* SPDX-License-Identifier: Apache-2.0
 *
 * replay.h: does this code still decide as a history has it? For tests: histories recorded from
 * workflows of released versions are kept, and each change is tried on them, before a workflow that
 * runs meets it.
 *
 * A history is kept as the bytes of a `temporal.api.history.v1.History` message, as the official
 * SDKs read it, too; what this library's protocol files do not know is kept in it. With a cipher
 * its payloads are saved as they are read: in the clear.
 */
#ifndef FHIRLINE_TEMPORAL_REPLAY_H
#define FHIRLINE_TEMPORAL_REPLAY_H

#include "temporal/workflow.h"

/* The events of one run, appended to `out`, whose limit is the bound. */
bool temporal_history_save(struct temporal *t, const struct temporal_id *id, struct buf *out,
                           struct err *err);

struct temporal_replayed {
	int64_t events, tasks, commands; /* looked at */
};

/* Calls the workflow for each workflow task of `history` that completed, with what was known then,
 * and compares what it asks for with what history says was asked for: kinds, order, ids, types,
 * inputs, timers' durations. ERR_CONFLICT: a difference; the text tells the event, what history has
 * and what this code asks for. ERR_NOT_FOUND: no such workflow type. ERR_PROTOCOL: that is no
 * history. Else the workflow's own error. Takes a time quadratic in the events: a second or so for
 * thousands. */
bool temporal_replay(struct str history, const struct temporal_workflow *workflows, size_t n,
                     struct temporal_replayed *out, struct err *err);

#endif
