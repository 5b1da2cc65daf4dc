/* SPDX-License-Identifier: Apache-2.0
 *
 * fold.h: what a history comes to. Pure: events in, a state out; no protocol, no connection.
 * Internal; workflow.h is what a workflow sees of it.
 */
#ifndef FHIRLINE_TEMPORAL_FOLD_H
#define FHIRLINE_TEMPORAL_FOLD_H

#include "temporal/workflow.h"

struct fold {
	struct arena arena; /* all that is kept; its max is the bound */
	struct temporal_info info;
	struct temporal_known **known; /* in the order in which they were asked for */
	size_t n_known, cap_known;
	uint32_t *table; /* hash of kind and id -> index in known + 1 */
	size_t table_size;
	struct temporal_signal *signals;
	size_t n_signals, cap_signals;
	int64_t tasks; /* workflow tasks that were completed */
};

void fold_init(struct fold *f, size_t max_bytes);
void fold_free(struct fold *f);

/* ERR_LIMIT: the history does not fit; ERR_PROTOCOL: events are missing or refer to none. */
bool fold_event(struct fold *f, const struct temporal_event *e, struct err *err);

struct temporal_known *fold_find(const struct fold *f, int kind, struct str id);

/* A new one, PENDING, under its id; asked_id 0: history does not have it. Those that it has come
 * first and in its order. NULL: no memory. */
struct temporal_known *fold_add(struct fold *f, int kind, struct str id, struct str type,
                                int64_t asked_id);

#endif
