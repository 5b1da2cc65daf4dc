/* SPDX-License-Identifier: Apache-2.0
 *
 * payload.h: what travels through Temporal: payloads (an encoding and bytes), lists and maps of
 * them, and failures with their causes.
 *
 * All structs here point to memory of somebody else. What a function of this library hands out
 * lives in the arena that was given to it, or as long as the task that it belongs to; what is
 * handed in is copied or sent before the call returns.
 *
 * Encodings as the official SDKs know them: `json/plain` (UTF-8 JSON), `binary/plain` (bytes),
 * `binary/null` (no data: null). Others pass through untouched. Payloads are readable to whoever
 * may read the namespace: ids and counts belong in them, health data does not.
 */
#ifndef FHIRLINE_TEMPORAL_PAYLOAD_H
#define FHIRLINE_TEMPORAL_PAYLOAD_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

struct temporal_pair {
	struct str name, value;
};

struct temporal_payload {
	struct str encoding;
	struct str data;
	const struct temporal_pair *meta; /* metadata besides the encoding: "type" of a search
	                                     attribute, a key's id, … */
	size_t n_meta;
};

struct temporal_payloads { /* arguments or results: usually one, often none */
	const struct temporal_payload *at;
	size_t n;
};

struct temporal_field {
	struct str name;
	struct temporal_payload value;
};

struct temporal_fields { /* memo, search attributes */
	const struct temporal_field *at;
	size_t n;
};

#define TEMPORAL_NO_PAYLOADS ((struct temporal_payloads){NULL, 0})

/* A list of one, as long as the block it is written in: TEMPORAL_ONE(temporal_json(STR("42"))). */
#define TEMPORAL_ONE(payload)                                                                      \
	((struct temporal_payloads){(const struct temporal_payload[]){payload}, 1})

struct temporal_payload temporal_json(struct str json); /* points to `json` */
struct temporal_payload temporal_null(void);

/* Payload `i` as JSON text: "null" when there is none or it is binary/null. ERR_DATA when it has
 * another encoding. */
bool temporal_payload_json(struct temporal_payloads list, size_t i, struct str *json,
                           struct err *err);

/* Deep copies. False when the arena is full. */
bool temporal_payloads_copy(struct arena *arena, struct temporal_payloads from,
                            struct temporal_payloads *out);
bool temporal_fields_copy(struct arena *arena, struct temporal_fields from,
                          struct temporal_fields *out);

/* ---- failures ---- */

#define TEMPORAL_CAUSES_MAX 32 /* a longer chain is cut, and says so */

enum temporal_failure_kind {
	TEMPORAL_FAILURE_OTHER, /* one that this library does not know; message, source and cause
	                   are there */
	TEMPORAL_FAILURE_APPLICATION, /* somebody's code failed: type, non_retryable, next_retry_ms,
	                                 details */
	TEMPORAL_FAILURE_TIMEOUT,     /* timeout; details: the last heartbeat's */
	TEMPORAL_FAILURE_CANCELLED,   /* details */
	TEMPORAL_FAILURE_TERMINATED,
	TEMPORAL_FAILURE_SERVER,   /* non_retryable */
	TEMPORAL_FAILURE_ACTIVITY, /* an activity failed: its type and activity_id; why is in
	                              `cause` */
};

enum temporal_timeout { /* the protocol's numbers */
	                TEMPORAL_TIMEOUT_NONE,
	                TEMPORAL_TIMEOUT_START_TO_CLOSE,
	                TEMPORAL_TIMEOUT_SCHEDULE_TO_START,
	                TEMPORAL_TIMEOUT_SCHEDULE_TO_CLOSE,
	                TEMPORAL_TIMEOUT_HEARTBEAT,
};

struct temporal_failure {
	enum temporal_failure_kind kind;
	struct str message;
	struct str source;      /* the SDK that made it; set by this library when sending */
	struct str stack;       /* a stack trace; often absent */
	struct str type;        /* of the error or of the activity */
	struct str activity_id; /* TEMPORAL_FAILURE_ACTIVITY */
	bool non_retryable;
	int64_t next_retry_ms; /* overrides the retry policy's delay; 0: it does not */
	enum temporal_timeout timeout;
	struct temporal_payloads details;
	const struct temporal_failure *cause;
};

/* "message: cause's message: …", for a person. */
void temporal_failure_text(const struct temporal_failure *f, struct buf *out);

/* The innermost cause: what really happened. */
const struct temporal_failure *temporal_failure_root(const struct temporal_failure *f);

/* An application failure that tells `err`: type is err_code_name(), what is not retryable there is
 * not here, retry_after_ms becomes next_retry_ms. Points into `err`. */
struct temporal_failure temporal_failure_of(const struct err *err);

bool temporal_failure_copy(struct arena *arena, const struct temporal_failure *from,
                           const struct temporal_failure **out);

#endif
