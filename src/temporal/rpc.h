/* SPDX-License-Identifier: Apache-2.0
 *
 * rpc.h: one unary gRPC call at a time for each thread, all on one channel. Internal.
 *
 * A caller's thread starts a batch and sleeps; the completion thread wakes it. What a call is
 * repeated for, and how long it may take, is its kind:
 *
 *   RPC_ONCE    one attempt (heartbeats: the next one is as good)
 *   RPC_POLL    one attempt of poll_timeout_ms; its time-out is an empty answer's equal
 *   RPC_CALL    call_timeout_ms an attempt; UNAVAILABLE, RESOURCE_EXHAUSTED and ABORTED by
 *               the retry policy
 *   RPC_ANSWER  the same, and DEADLINE_EXCEEDED: the server has it or has it not, twice does no
 * harm
 */
#ifndef FHIRLINE_TEMPORAL_RPC_H
#define FHIRLINE_TEMPORAL_RPC_H

#include <protobuf-c/protobuf-c.h>

#include "base/arena.h"
#include "temporal/temporal.h"

enum rpc_kind { RPC_ONCE, RPC_POLL, RPC_CALL, RPC_ANSWER };

struct rpc;

/* `options` are conn_defaults(). */
struct rpc *rpc_open(const struct temporal_options *options, struct err *err);
void rpc_stop(struct rpc *r);
bool rpc_stopped(struct rpc *r);
void rpc_close(struct rpc *r);

struct rpc_request {
	enum rpc_kind kind;
	const char *method; /* of the workflow service */
	const void *message;
	const ProtobufCMessageDescriptor *answer;
	const void *group;  /* names calls that rpc_cancel_group() ends; NULL: none */
	int64_t timeout_ms; /* of an attempt; 0: the kind's */
};

/* The answer lives in `arena`. */
void *rpc_call(struct rpc *r, const struct rpc_request *request, struct arena *arena,
               struct err *err);

/* Ends the calls of the group that are under way with ERR_CANCELLED, unless their answer is there
 * already. Later ones are not touched. */
void rpc_cancel_group(struct rpc *r, const void *group);

/* gRPC's status and its words as an error; 0 is success. `target` is the server's address, `tls`
 * whether it is spoken to over TLS. */
bool rpc_status_err(int status, struct str message, const char *method, const char *target,
                    bool tls, struct err *err);

#endif
