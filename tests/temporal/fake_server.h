/* SPDX-License-Identifier: Apache-2.0
 *
 * fake_server.h: a gRPC server that answers what a test wants.
 */
#ifndef FHIRLINE_TESTS_TEMPORAL_FAKE_SERVER_H
#define FHIRLINE_TESTS_TEMPORAL_FAKE_SERVER_H

#include <grpc/grpc.h>

#include "base/buf.h"
#include "base/str.h"

struct fake_call {
	struct str method; /* the last part of the path */
	struct str request;
	const grpc_metadata_array *metadata;
	int number; /* of this method's calls, from 1 */
	/* the answer */
	int status;
	const char *message;
	struct buf reply;
	bool hang; /* no answer until the client gives up */
};

typedef void (*fake_handler)(void *ctx, struct fake_call *call); /* on threads of its own */

struct fake_server;

struct fake_server *fake_server_start(fake_handler handler, void *ctx);
const char *fake_server_address(const struct fake_server *s);
int fake_server_calls(struct fake_server *s, const char *method); /* so far */
void fake_server_stop(struct fake_server *s);                     /* after its clients */

/* "" when there is none. */
struct str fake_metadata(const struct fake_call *call, const char *key);

#endif
