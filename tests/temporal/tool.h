/* SPDX-License-Identifier: Apache-2.0
 *
 * tool.h: a program for tests/temporal/run: the library's calls as commands, and a worker whose
 * workflows do one thing each.
 */
#ifndef FHIRLINE_TESTS_TEMPORAL_TOOL_H
#define FHIRLINE_TESTS_TEMPORAL_TOOL_H

#include <signal.h>

#include "temporal/worker.h"

extern const struct temporal_workflow tool_workflows[];
extern const size_t tool_n_workflows;
extern const struct temporal_activity_type tool_activities[];
extern const size_t tool_n_activities;

int tool_worker(struct temporal *t, const char *queue, const sigset_t *term);

#endif
