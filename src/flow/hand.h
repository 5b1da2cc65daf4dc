/* SPDX-License-Identifier: Apache-2.0
 *
 * hand.h: what a worker has in hand, so that a statement that takes long can be ended when its run
 * must stop: a merge of a million rows takes many seconds, a cancel two.
 */
#ifndef FHIRLINE_FLOW_HAND_H
#define FHIRLINE_FLOW_HAND_H

#include <pthread.h>

#include "flow/internal.h"

struct hand {
	pthread_mutex_t lock;
	struct pg_conn *conn; /* the worker's; NULL: nothing that may be ended is in hand */
	struct flow_run *run;
};

void hand_init(struct hand *h);
void hand_destroy(struct hand *h);

/* By the worker, around a task that may be cut off. Both are borrowed until hand_put(), which waits
 * for an interruption that is on its way, so that it cannot hit what comes next. */
void hand_take(struct hand *h, struct pg_conn *conn, struct flow_run *run);
void hand_put(struct hand *h);

/* By another thread: ends what the worker's connection is doing if its run must stop, which then
 * fails with ERR_CANCELLED; to be called again as long as it lasts, for the next statement may have
 * begun meanwhile. Talks to the database. */
void hand_interrupt(struct hand *h);

#endif
