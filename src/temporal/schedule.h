/* SPDX-License-Identifier: Apache-2.0
 *
 * schedule.h: workflows that the server starts by the clock.
 *
 * A schedule's id is its own namespace's; the server adds the time to the id of each workflow that
 * it starts: "ask-02139-2026-11-27T06:00:00Z". Calls, errors and repetition are temporal.h's.
 */
#ifndef FHIRLINE_TEMPORAL_SCHEDULE_H
#define FHIRLINE_TEMPORAL_SCHEDULE_H

#include "temporal/temporal.h"

enum temporal_overlap { /* the workflow before still runs (the protocol's numbers) */
	                TEMPORAL_OVERLAP_SKIP = 1,       /* this time none is started; 0 is this */
	                TEMPORAL_OVERLAP_BUFFER_ONE = 2, /* one is, when it has ended */
	                TEMPORAL_OVERLAP_ALLOW_ALL = 6,
};

struct temporal_schedule {
	const char *id;
	int64_t interval_ms; /* from 1970 on; at least 1 s. This or the next */
	const char *cron;   /* five, six or seven fields, "@daily", in UTC, or with "CRON_TZ=…" */
	int64_t jitter_ms;  /* each start is late by up to so much */
	int64_t catchup_ms; /* what was missed while the server was down is made up for, if it is
	                       not older; 0: a year */
	enum temporal_overlap overlap;
	const char *note;            /* for people; NULL: none */
	struct temporal_fields memo; /* of the schedule; temporal_schedules_list() gives it back */
	/* Of it: workflow_id, type, task_queue, input, memo, run_timeout_ms. */
	struct temporal_start start;
};

/* ERR_CONFLICT: there is one of that id. ERR_USAGE: a cron text that is none, with the server's
 * words. */
bool temporal_schedule_create(struct temporal *t, const struct temporal_schedule *s,
                              struct err *err);

/* ERR_NOT_FOUND: there is none; also when an answer was lost and the repeated call finds it gone. A
 * workflow that it has started goes on. */
bool temporal_schedule_delete(struct temporal *t, const char *id, struct err *err);

/* `note` says why, for people; NULL: "paused", "resumed". */
bool temporal_schedule_pause(struct temporal *t, const char *id, bool paused, const char *note,
                             struct err *err);

/* Starts one now, as if it were time. */
bool temporal_schedule_trigger(struct temporal *t, const char *id, struct err *err);

struct temporal_scheduled { /* as the server's list has it: some seconds old */
	struct str id, type, note;
	bool paused;
	int64_t next_us; /* the next start; 0: none */
	struct temporal_fields memo;
};

/* Called for each, in no order; what `s` points to is gone afterwards. False ends it, *err set. */
typedef bool (*temporal_schedule_fn)(void *ctx, const struct temporal_scheduled *s,
                                     struct err *err);
bool temporal_schedules_list(struct temporal *t, int page_size, temporal_schedule_fn fn, void *ctx,
                             struct err *err);

#endif
