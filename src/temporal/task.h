/* SPDX-License-Identifier: Apache-2.0
 *
 * task.h: a workflow task: a folded history and the commands that history lacks. Internal.
 */
#ifndef FHIRLINE_TEMPORAL_TASK_H
#define FHIRLINE_TEMPORAL_TASK_H

#include "temporal/fold.h"
#include "temporal/pb.h"

struct temporal_task {
	struct fold fold;
	Temporal__Api__Command__V1__Command **commands; /* in fold.arena */
	size_t n_commands, cap_commands;
	bool ended;   /* a command that ends the run is among them */
	bool failed;  /* err: a command could not be made */
	bool reading; /* a query: nothing may be asked for */
	struct err err;
};

void task_init(struct temporal_task *t, size_t max_history);
void task_free(struct temporal_task *t);

/* Calls the workflow; what could not be made into a command is its failure. */
bool task_decide(struct temporal_task *t, const struct temporal_workflow *workflow,
                 struct err *err);

#endif
