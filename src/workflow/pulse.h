/* SPDX-License-Identifier: Apache-2.0
 *
 * pulse.h: heartbeats of activities that block: a thread sends them, so that an activity need not
 * come back every few seconds. That a worker lives is what a heartbeat says; that an activity does
 * not hang is the business of the time-outs of what it calls.
 */
#ifndef FHIRLINE_WORKFLOW_PULSE_H
#define FHIRLINE_WORKFLOW_PULSE_H

#include "temporal/worker.h"

struct pulse;

struct pulse *pulse_new(struct err *err);
void pulse_free(struct pulse *p); /* NULL is fine */

struct pulse_entry { /* in the activity's frame */
	struct temporal_activity_task *task;
	int64_t next_ms;
	bool beating;
	struct pulse_entry *next;
};

/* Between the two the task is beaten for, and its stop flag changes with what comes back. */
void pulse_add(struct pulse *p, struct pulse_entry *e, struct temporal_activity_task *task);
void pulse_remove(struct pulse *p, struct pulse_entry *e);

#endif
