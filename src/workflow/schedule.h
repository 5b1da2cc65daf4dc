/* SPDX-License-Identifier: Apache-2.0
 *
 * schedule.h: runs that are asked for by the clock. A schedule `fhirline-<zip>` starts a RequestZip
 * workflow, which asks for a run as POST /zipcodes does; one that is under way is left alone.
 */
#ifndef FHIRLINE_WORKFLOW_SCHEDULE_H
#define FHIRLINE_WORKFLOW_SCHEDULE_H

#include "workflow/engine.h"

struct workflow_schedule {
	char zip[6];
	int64_t every_ms; /* this or cron */
	const char *cron;
	bool full;
};

/* Makes it, in place of the one that the zip code has. ERR_USAGE: a cron text that is none. */
bool workflow_schedule_set(const struct workflow_settings *settings,
                           const struct workflow_schedule *s, struct err *err);

enum workflow_schedule_act {
	WORKFLOW_SCHEDULE_REMOVE,
	WORKFLOW_SCHEDULE_PAUSE,
	WORKFLOW_SCHEDULE_RESUME,
	WORKFLOW_SCHEDULE_RUN /* now, too */
};
/* ERR_NOT_FOUND: the zip code has none. */
bool workflow_schedule_act(const struct workflow_settings *settings, const char *zip,
                           enum workflow_schedule_act act, struct err *err);

struct workflow_scheduled {
	struct str zip, spec; /* spec: "every 3600 s", "cron 0 6 * * *", and ", full" */
	bool paused;
	int64_t next_us; /* 0: none */
};
bool workflow_schedule_list(const struct workflow_settings *settings,
                            void (*fn)(void *ctx, const struct workflow_scheduled *s), void *ctx,
                            struct err *err);

#endif
