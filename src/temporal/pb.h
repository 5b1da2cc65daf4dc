/* SPDX-License-Identifier: Apache-2.0
 *
 * pb.h: protobuf-c for this folder: short names, messages in arenas, and the way between the
 * protocol's structs and those of payload.h. Internal.
 *
 * A message that was read lives in an arena and is freed with it, never by itself.
 */
#ifndef FHIRLINE_TEMPORAL_PB_H
#define FHIRLINE_TEMPORAL_PB_H

#include <command.pb-c.h>
#include <history.pb-c.h>
#include <service.pb-c.h>

#include "temporal/event.h"
#include "temporal/temporal.h"

#define PB_DEPTH_MAX 64 /* of messages in messages; protobuf-c itself has no bound, and a stack */

typedef Temporal__Api__Common__V1__Payload PbPayload;
typedef Temporal__Api__Common__V1__Payload__MetadataEntry PbMeta;
typedef Temporal__Api__Common__V1__Payloads PbPayloads;
typedef Temporal__Api__Common__V1__Memo PbMemo;
typedef Temporal__Api__Common__V1__Memo__FieldsEntry PbMemoEntry;
typedef Temporal__Api__Common__V1__SearchAttributes PbSearch;
typedef Temporal__Api__Common__V1__SearchAttributes__IndexedFieldsEntry PbSearchEntry;
typedef Temporal__Api__Common__V1__WorkflowExecution PbExecution;
typedef Temporal__Api__Common__V1__RetryPolicy PbRetry;
typedef Temporal__Api__Failure__V1__Failure PbFailure;
typedef Temporal__Api__History__V1__HistoryEvent PbEvent;
typedef Temporal__Api__History__V1__History PbHistory;
typedef Temporal__Api__Taskqueue__V1__TaskQueue PbQueue;
typedef Temporal__Api__Deployment__V1__WorkerDeploymentOptions PbDeployment;
typedef Google__Protobuf__Duration PbDuration;
typedef Google__Protobuf__Timestamp PbTimestamp;

/* PB_NEW(arena, PbPayload, temporal__api__common__v1__payload): zeroed and initialised; NULL when
 * the arena is full. */
#define PB_NEW(arena, type, name) ((type *)pb_new((arena), &name##__descriptor))
void *pb_new(struct arena *arena, const ProtobufCMessageDescriptor *desc);

/* ERR_PROTOCOL: not such a message; ERR_LIMIT: nested too deep, or larger than the arena. */
void *pb_read(struct arena *arena, const ProtobufCMessageDescriptor *desc, struct str bytes,
              struct err *err);

/* "" is absent. */
struct str pb_str(const char *s);
/* A NUL-terminated copy; "" for absent. NULL when the arena is full. */
char *pb_text(struct arena *arena, struct str s);
ProtobufCBinaryData pb_bytes(struct str s);             /* points to s */
PbExecution pb_execution(const struct temporal_id *id); /* points to the id */
struct str pb_data(ProtobufCBinaryData d);

int64_t pb_ms(const PbDuration *d); /* NULL: 0 */
int64_t pb_us(const PbTimestamp *t);
/* NULL for 0, which the server takes as not given; also when the arena is full. */
PbDuration *pb_duration(struct arena *arena, int64_t ms);

/* To the protocol. Each returns false when the arena is full; an empty list gives NULL. */
bool pb_payload_of(struct arena *arena, const struct temporal_payload *p, PbPayload **out);
bool pb_payloads_of(struct arena *arena, struct temporal_payloads list, PbPayloads **out);
bool pb_memo_of(struct arena *arena, struct temporal_fields fields, PbMemo **out);
bool pb_search_of(struct arena *arena, struct temporal_fields fields, PbSearch **out);
bool pb_failure_of(struct arena *arena, const struct temporal_failure *f, PbFailure **out);
bool pb_retry_of(struct arena *arena, const struct temporal_retry *r, PbRetry **out);
bool pb_queue_of(struct arena *arena, const char *name, PbQueue **out);

/* From the protocol: what they give points into the message and `arena`. */
bool pb_payloads_to(struct arena *arena, const PbPayloads *from, struct temporal_payloads *out);
bool pb_memo_to(struct arena *arena, const PbMemo *from, struct temporal_fields *out);
bool pb_search_to(struct arena *arena, const PbSearch *from, struct temporal_fields *out);
bool pb_failure_to(struct arena *arena, const PbFailure *from, const struct temporal_failure **out);
bool pb_event_to(struct arena *arena, const PbEvent *from, struct temporal_event *out);

/* The error of an arena that is full, for `what`. */
bool pb_full(const struct arena *arena, const char *where, struct err *err);

#endif
