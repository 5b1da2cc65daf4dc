/* SPDX-License-Identifier: Apache-2.0
 *
 * activities.h: what a worker does for IngestZip and RequestZip: each is a call of the crew's.
 */
#ifndef FHIRLINE_WORKFLOW_ACTIVITIES_H
#define FHIRLINE_WORKFLOW_ACTIVITIES_H

#include "flow/crew.h"
#include "temporal/worker.h"
#include "workflow/pulse.h"

#define ACTIVITIES 12

struct activities {
	struct flow_crew *crew;
	struct pulse *pulse;
	const struct flow_settings *settings;
	const char *name_space;
	struct temporal_activity_type types[ACTIVITIES]; /* for the worker */
	struct activity {
		struct activities *all;
		int index;
	} each[ACTIVITIES];
};

/* Borrows all. `a` must stay where it is while a worker has its types. */
void activities_init(struct activities *a, struct flow_crew *crew, struct pulse *pulse,
                     const struct flow_settings *settings, const char *name_space);

#endif
