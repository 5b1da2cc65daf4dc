/* SPDX-License-Identifier: Apache-2.0
 *
 * engine.h: what drives the runs of this process, as the setting `engine` has it: the local engine,
 * with threads of its own, or a herald that tells Temporal.
 */
#ifndef FHIRLINE_CMD_ENGINE_H
#define FHIRLINE_CMD_ENGINE_H

#include "api/api.h"
#include "cmd/parts.h"
#include "workflow/engine.h"

struct engine { /* zeroed: none */
	struct flow_settings settings;
	struct workflow_settings workflow;
	struct flow_engine *local;
	struct workflow_herald *herald;
	struct temporal_cipher *cipher;
	struct api_engine api; /* for the API; only when one was started */
};

/* `only_run`: NULL for any. Borrows `parts` and `config`. */
bool engine_start(struct engine *e, const struct parts *parts, const struct config *config,
                  const char *only_run, struct err *err);
void engine_stop(struct engine *e);

/* Temporal's settings; in *e is what they borrow. */
bool engine_workflow_settings(struct engine *e, const struct parts *parts,
                              const struct config *config, struct err *err);

#endif
