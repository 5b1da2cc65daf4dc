/* SPDX-License-Identifier: Apache-2.0
 *
 * conn.h: what a connection is made of. Internal.
 */
#ifndef FHIRLINE_TEMPORAL_CONN_H
#define FHIRLINE_TEMPORAL_CONN_H

#include "temporal/rpc.h"
#include "temporal/temporal.h"

struct temporal {
	struct rpc *rpc;
	char *name_space;
	char *identity;
	size_t max_message;
	int64_t poll_timeout_ms;
	struct retry_policy retry;
};

/* Memory for one call: a message and what it becomes. */
#define CONN_ARENA(t) ARENA_INIT(4 * (t)->max_message)

/* The options with what zeros mean filled in. */
struct temporal_options conn_defaults(const struct temporal_options *options);

#endif
