/* SPDX-License-Identifier: Apache-2.0
 *
 * watch.h: a run as it goes on, for whoever waits for it: a line that is drawn over on a terminal,
 * a line of the log now and then elsewhere. The run's row is looked at; who drives it does not
 * matter.
 */
#ifndef FHIRLINE_CMD_WATCH_H
#define FHIRLINE_CMD_WATCH_H

#include <stdatomic.h>

#include "flow/flow.h"

/* Until the run has ended (true), or we are interrupted (ERR_CANCELLED), or it cannot be seen any
 * more, or nobody drives it any more: `*over` is true (NULL: others may) and it has not ended
 * (ERR_NOT_FOUND). */
bool watch_run(struct pg_conn *conn, const char *run_id, const atomic_bool *over,
               struct flow_run_view *run, struct err *err);

/* 0, 1 or 3, of a run that has ended. */
int watch_exit_code(const struct flow_run_view *run);

#endif
