/* SPDX-License-Identifier: Apache-2.0
 *
 * event.h: an event of a workflow's history, flattened: the official attributes of each type in one
 * set of fields, those that a type does not have are zero. Event types that are not listed here
 * come with their id, time and number only.
 */
#ifndef FHIRLINE_TEMPORAL_EVENT_H
#define FHIRLINE_TEMPORAL_EVENT_H

#include "temporal/payload.h"

enum temporal_event_type { /* the protocol's numbers */
	                   TEMPORAL_EV_WORKFLOW_STARTED = 1,
	                   TEMPORAL_EV_WORKFLOW_COMPLETED = 2,
	                   TEMPORAL_EV_WORKFLOW_FAILED = 3,
	                   TEMPORAL_EV_WORKFLOW_TIMED_OUT = 4,
	                   TEMPORAL_EV_TASK_SCHEDULED = 5,
	                   TEMPORAL_EV_TASK_STARTED = 6,
	                   TEMPORAL_EV_TASK_COMPLETED = 7,
	                   TEMPORAL_EV_TASK_TIMED_OUT = 8,
	                   TEMPORAL_EV_TASK_FAILED = 9,
	                   TEMPORAL_EV_ACTIVITY_SCHEDULED = 10,
	                   TEMPORAL_EV_ACTIVITY_STARTED = 11,
	                   TEMPORAL_EV_ACTIVITY_COMPLETED = 12,
	                   TEMPORAL_EV_ACTIVITY_FAILED = 13,
	                   TEMPORAL_EV_ACTIVITY_TIMED_OUT = 14,
	                   TEMPORAL_EV_ACTIVITY_CANCEL_REQUESTED = 15,
	                   TEMPORAL_EV_ACTIVITY_CANCELLED = 16,
	                   TEMPORAL_EV_TIMER_STARTED = 17,
	                   TEMPORAL_EV_TIMER_FIRED = 18,
	                   TEMPORAL_EV_TIMER_CANCELLED = 19,
	                   TEMPORAL_EV_CANCEL_REQUESTED = 20,
	                   TEMPORAL_EV_WORKFLOW_CANCELLED = 21,
	                   TEMPORAL_EV_MARKER = 25,
	                   TEMPORAL_EV_SIGNAL = 26,
	                   TEMPORAL_EV_WORKFLOW_TERMINATED = 27,
	                   TEMPORAL_EV_WORKFLOW_CONTINUED = 28,
};

struct temporal_event {
	int64_t id; /* 1, 2, 3, … */
	int64_t time_us;
	enum temporal_event_type type;
	int64_t of; /* activities and timers: the event that scheduled or started them; workflow
	               tasks: that scheduled them */
	struct str name; /* type of the workflow or activity, name of the signal or
	                    marker */
	struct str ref;  /* the activity's or timer's id */
	struct temporal_payloads payloads; /* input, result, details; a marker's key "details" */
	const struct temporal_failure *failure;
	int attempt;             /* WORKFLOW_STARTED, ACTIVITY_STARTED; 1 is the first */
	struct str run_id;       /* the run that follows; WORKFLOW_STARTED: the run before */
	struct str first_run_id; /* WORKFLOW_STARTED: the first of the chain */
	struct str task_queue;   /* WORKFLOW_STARTED */
	struct str reason;       /* of a cancel request or termination */
	struct temporal_fields memo, search; /* WORKFLOW_STARTED */
	int64_t history_bytes;               /* TASK_STARTED */
	bool suggest_continue; /* TASK_STARTED: the server finds the history long enough */
};

#endif
