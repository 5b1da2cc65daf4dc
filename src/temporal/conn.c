/* SPDX-License-Identifier: Apache-2.0 */
#include "temporal/conn.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "temporal/pb.h"

struct temporal_options conn_defaults(const struct temporal_options *options)
{
	static const struct retry_policy retry = {
	    .max_attempts = 20,
	    .base_ms = 100,
	    .cap_ms = 5000,
	    .deadline_ms = 60000,
	    .max_retry_after_ms = 60000,
	};
	struct temporal_options o = *options;

	o.name_space = o.name_space ? o.name_space : "default";
	o.call_timeout_ms = o.call_timeout_ms > 0 ? o.call_timeout_ms : 10000;
	o.poll_timeout_ms = o.poll_timeout_ms > 0 ? o.poll_timeout_ms : 70000;
	o.keepalive_ms = o.keepalive_ms > 0 ? o.keepalive_ms : 30000;
	o.max_message = o.max_message ? o.max_message : 32 << 20;
	if (o.retry.max_attempts <= 0)
		o.retry = retry;
	return o;
}

static char *default_identity(void)
{
	char host[128] = "", text[200];

	if (gethostname(host, sizeof host - 1))
		host[0] = '\0';
	snprintf(text, sizeof text, "%ld@%s", (long)getpid(), host);
	return str_dup(str_of(text));
}

static void conn_free(struct temporal *t)
{
	rpc_close(t->rpc);
	free(t->name_space);
	free(t->identity);
	free(t);
}

struct temporal *temporal_open(const struct temporal_options *options, struct err *err)
{
	const struct temporal_options given = conn_defaults(options), *o = &given;
	struct temporal *t = calloc(1, sizeof *t);

	if (!t)
		goto nomem;
	if (!o->address || !*o->address) {
		err_set(err, ERR_CONFIG, "temporal.open",
		        "the server's address (host:port) is missing");
		goto failed;
	}
	t->max_message = o->max_message;
	t->poll_timeout_ms = o->poll_timeout_ms;
	t->retry = o->retry;
	t->name_space = str_dup(str_of(o->name_space));
	t->identity = o->identity ? str_dup(str_of(o->identity)) : default_identity();
	if (!t->name_space || !t->identity)
		goto nomem;
	t->rpc = rpc_open(o, err);
	if (!t->rpc)
		goto failed;
	return t;
nomem:
	err_set(err, ERR_NOMEM, "temporal.open", "out of memory");
failed:
	if (t)
		conn_free(t);
	return NULL;
}

void temporal_stop(struct temporal *t)
{
	rpc_stop(t->rpc);
}

void temporal_close(struct temporal *t)
{
	if (t)
		conn_free(t);
}

bool conn_request_id(char out[UUID_TEXT], struct err *err)
{
	return uuid_v7(clock_now_us(&clock_system), out, err);
}

bool temporal_check(struct temporal *t, char *version, size_t size, struct err *err)
{
	Temporal__Api__Workflowservice__V1__GetSystemInfoRequest info =
	    TEMPORAL__API__WORKFLOWSERVICE__V1__GET_SYSTEM_INFO_REQUEST__INIT;
	Temporal__Api__Workflowservice__V1__GetSystemInfoResponse *answer;
	Temporal__Api__Workflowservice__V1__DescribeNamespaceRequest ns =
	    TEMPORAL__API__WORKFLOWSERVICE__V1__DESCRIBE_NAMESPACE_REQUEST__INIT;
	struct rpc_request ask_info = {
	    RPC_CALL, "GetSystemInfo", &info,
	    &temporal__api__workflowservice__v1__get_system_info_response__descriptor};
	struct rpc_request ask_namespace = {
	    RPC_CALL, "DescribeNamespace", &ns,
	    &temporal__api__workflowservice__v1__describe_namespace_response__descriptor};
	struct arena arena = CONN_ARENA(t);
	bool ok = false;

	ns.namespace_ = t->name_space;
	answer = rpc_call(t->rpc, &ask_info, &arena, err);
	if (answer && rpc_call(t->rpc, &ask_namespace, &arena, err)) {
		snprintf(version, size, "%s", answer->server_version);
		ok = true;
	}
	arena_free(&arena);
	return ok;
}
