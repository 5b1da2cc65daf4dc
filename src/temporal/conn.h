/* SPDX-License-Identifier: Apache-2.0
 *
 * conn.h: what a connection is made of. Internal.
 */
#ifndef FHIRLINE_TEMPORAL_CONN_H
#define FHIRLINE_TEMPORAL_CONN_H

#include "base/hash.h"
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

#define WS(Name) Temporal__Api__Workflowservice__V1__##Name
#define WS_INIT(NAME) TEMPORAL__API__WORKFLOWSERVICE__V1__##NAME##__INIT
#define WS_DESC(name) &temporal__api__workflowservice__v1__##name##__descriptor

/* Asks `method` with the request `r` on the connection `t`, both the caller's variables, as is
 * `err`. The answer is in `arena`. */
#define CONN_CALL(method, response, arena)                                                         \
	rpc_call(t->rpc, &(struct rpc_request){RPC_CALL, method, &r, WS_DESC(response)}, arena, err)

/* By which the server knows a request that was sent again. */
bool conn_request_id(char out[UUID_TEXT], struct err *err);

/* Memory for one call: a message and what it becomes. */
#define CONN_ARENA(t) ARENA_INIT(4 * (t)->max_message)

/* The options with what zeros mean filled in. */
struct temporal_options conn_defaults(const struct temporal_options *options);

#endif
