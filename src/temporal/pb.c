/* SPDX-License-Identifier: Apache-2.0 */
#include "temporal/pb.h"

#include <string.h>

struct reading {
	struct arena *arena;
	bool full;
};

static void *allocate(void *ctx, size_t n)
{
	struct reading *r = ctx;
	void *p = arena_alloc(r->arena, n);

	r->full = r->full || !p;
	return p;
}

static void release(void *ctx, void *p)
{
	(void)ctx;
	(void)p;
}

void *pb_new(struct arena *arena, const ProtobufCMessageDescriptor *desc)
{
	void *message = arena_alloc(arena, desc->sizeof_message);

	if (message)
		protobuf_c_message_init(desc, message);
	return message;
}

bool pb_full(const struct arena *arena, const char *where, struct err *err)
{
	return err_set(err, ERR_LIMIT, where, "more than %zu bytes of memory are needed",
	               arena->max);
}

/* ---- the depth of a message before it is read ---- */

/* A varint at *at; false when it is cut off. */
static bool varint(struct str s, size_t *at, uint64_t *value)
{
	uint64_t v = 0;

	for (unsigned shift = 0; shift < 64 && *at < s.n; shift += 7) {
		uint8_t byte = (uint8_t)s.p[(*at)++];

		v |= (uint64_t)(byte & 0x7f) << shift;
		if (!(byte & 0x80)) {
			*value = v;
			return true;
		}
	}
	return false;
}

/* The value behind a tag. *inner: its bytes when it is length-delimited. */
static bool skip_value(struct str s, size_t *at, unsigned wire, struct str *inner)
{
	uint64_t n;

	*inner = STR_NONE;
	switch (wire) {
	case 0:
		return varint(s, at, &n);
	case 1:
	case 5:
		n = wire == 1 ? 8 : 4;
		break;
	case 2:
		if (!varint(s, at, &n) || n > s.n - *at)
			return false;
		*inner = (struct str){s.p + *at, (size_t)n};
		break;
	default:
		return false;
	}
	if (n > s.n - *at)
		return false;
	*at += (size_t)n;
	return true;
}

/* protobuf-c reads messages within messages by recursion, and failures have causes without end. */
static bool shallow(const ProtobufCMessageDescriptor *desc, struct str s, int depth)
{
	const ProtobufCFieldDescriptor *field;
	struct str inner;
	uint64_t tag;
	size_t at = 0;

	while (at < s.n) {
		if (!varint(s, &at, &tag) || !skip_value(s, &at, (unsigned)(tag & 7), &inner))
			return true; /* broken: reading it will tell */
		if (!inner.p || tag >> 3 > UINT32_MAX)
			continue;
		field = protobuf_c_message_descriptor_get_field(desc, (unsigned)(tag >> 3));
		if (!field || field->type != PROTOBUF_C_TYPE_MESSAGE)
			continue;
		if (depth <= 1 || !shallow(field->descriptor, inner, depth - 1))
			return false;
	}
	return true;
}

void *pb_read(struct arena *arena, const ProtobufCMessageDescriptor *desc, struct str bytes,
              struct err *err)
{
	struct reading reading = {arena, false};
	ProtobufCAllocator allocator = {allocate, release, &reading};
	void *message;

	if (!shallow(desc, bytes, PB_DEPTH_MAX)) {
		err_set(err, ERR_LIMIT, "temporal.read", "%s is nested deeper than %d",
		        desc->short_name, PB_DEPTH_MAX);
		return NULL;
	}
	message = protobuf_c_message_unpack(desc, &allocator, bytes.n, (const uint8_t *)bytes.p);
	if (!message && reading.full)
		pb_full(arena, "temporal.read", err);
	else if (!message)
		err_set(err, ERR_PROTOCOL, "temporal.read",
		        "the server sent a %s of %zu bytes that cannot be read", desc->short_name,
		        bytes.n);
	return message;
}

/* ---- small things ---- */

struct str pb_str(const char *s)
{
	return s && *s ? str_of(s) : STR_NONE;
}

char *pb_text(struct arena *arena, struct str s)
{
	char *text = (char *)(uintptr_t)arena_str(arena, s.p ? s : STR("")).p;

	/* the server refuses a whole message for one text cut within a character */
	if (text && !str_utf8_valid(s))
		for (size_t i = 0; i < s.n; i++)
			if ((uint8_t)text[i] >= 0x80)
				text[i] = '?';
	return text;
}

PbExecution pb_execution(const struct temporal_id *id)
{
	PbExecution e = TEMPORAL__API__COMMON__V1__WORKFLOW_EXECUTION__INIT;

	e.workflow_id = (char *)(uintptr_t)id->workflow_id;
	if (id->run_id)
		e.run_id = (char *)(uintptr_t)id->run_id;
	return e;
}

ProtobufCBinaryData pb_bytes(struct str s)
{
	return (ProtobufCBinaryData){s.n, (uint8_t *)(uintptr_t)s.p};
}

struct str pb_data(ProtobufCBinaryData d)
{
	return (struct str){d.data ? (const char *)d.data : "", d.len};
}

int64_t pb_ms(const PbDuration *d)
{
	/* some 290,000 years: more would overflow further on */
	if (!d || d->seconds > INT64_MAX / 1000000)
		return d ? INT64_MAX / 1000 : 0;
	if (d->seconds < 0)
		return 0;
	return d->seconds * 1000 + d->nanos / 1000000;
}

int64_t pb_us(const PbTimestamp *t)
{
	if (!t || t->seconds > INT64_MAX / 2000000 || t->seconds < INT64_MIN / 2000000)
		return 0;
	return t->seconds * 1000000 + t->nanos / 1000;
}

PbDuration *pb_duration(struct arena *arena, int64_t ms)
{
	PbDuration *d = ms > 0 ? PB_NEW(arena, PbDuration, google__protobuf__duration) : NULL;

	if (d) {
		d->seconds = ms / 1000;
		d->nanos = (int32_t)(ms % 1000 * 1000000);
	}
	return d;
}

bool pb_queue_of(struct arena *arena, const char *name, PbQueue **out)
{
	PbQueue *q = PB_NEW(arena, PbQueue, temporal__api__taskqueue__v1__task_queue);

	if (!q || !(q->name = pb_text(arena, str_of(name))))
		return false;
	q->kind = TEMPORAL__API__ENUMS__V1__TASK_QUEUE_KIND__TASK_QUEUE_KIND_NORMAL;
	*out = q;
	return true;
}

static bool retry_types(struct arena *arena, const char *const *types, PbRetry *out)
{
	size_t n = 0;

	while (types && types[n])
		n++;
	if (!n)
		return true;
	out->non_retryable_error_types = arena_array(arena, n, sizeof(char *));
	if (!out->non_retryable_error_types)
		return false;
	for (size_t i = 0; i < n; i++)
		if (!(out->non_retryable_error_types[i] = pb_text(arena, str_of(types[i]))))
			return false;
	out->n_non_retryable_error_types = n;
	return true;
}

bool pb_retry_of(struct arena *arena, const struct temporal_retry *r, PbRetry **out)
{
	PbRetry *p;

	*out = NULL;
	if (!r->initial_ms && !r->maximum_ms && !r->maximum_attempts && !r->non_retryable &&
	    !(r->coefficient > 0))
		return true;
	p = PB_NEW(arena, PbRetry, temporal__api__common__v1__retry_policy);
	if (!p || !retry_types(arena, r->non_retryable, p))
		return false;
	p->initial_interval = pb_duration(arena, r->initial_ms ? r->initial_ms : 1000);
	p->maximum_interval = pb_duration(arena, r->maximum_ms);
	p->backoff_coefficient = r->coefficient > 0 ? r->coefficient : 2;
	p->maximum_attempts = r->maximum_attempts;
	if (!p->initial_interval || (r->maximum_ms > 0 && !p->maximum_interval))
		return false;
	*out = p;
	return true;
}
