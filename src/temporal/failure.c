/* SPDX-License-Identifier: Apache-2.0 */
#include "temporal/pb.h"

#define SOURCE "fhirline-c"
#define INFO(x) TEMPORAL__API__FAILURE__V1__FAILURE__FAILURE_INFO_##x##_FAILURE_INFO
#define NEW_INFO(arena, Type, type)                                                                \
	PB_NEW(arena, Temporal__Api__Failure__V1__##Type, temporal__api__failure__v1__##type)

static const struct temporal_failure cut = {
    .kind = TEMPORAL_FAILURE_OTHER,
    .message = {"further causes were left out", sizeof "further causes were left out" - 1},
    .source = {SOURCE, sizeof SOURCE - 1},
};

const struct temporal_failure *temporal_failure_root(const struct temporal_failure *f)
{
	for (int i = 0; f && f->cause && i < TEMPORAL_CAUSES_MAX; i++)
		f = f->cause;
	return f;
}

void temporal_failure_text(const struct temporal_failure *f, struct buf *out)
{
	for (int i = 0; f && i <= TEMPORAL_CAUSES_MAX; i++, f = f->cause) {
		if (i)
			buf_lit(out, ": ");
		buf_add_str(out, f->message.p ? f->message : STR("(no message)"));
	}
}

struct temporal_failure temporal_failure_of(const struct err *err)
{
	return (struct temporal_failure){
	    .kind = TEMPORAL_FAILURE_APPLICATION,
	    .message = str_of(err->text),
	    .type = str_of(err_code_name(err->code)),
	    .non_retryable = !err->retryable,
	    .next_retry_ms = err->retryable ? err->retry_after_ms : 0,
	};
}

/* ---- copies ---- */

static bool copy_str(struct arena *arena, struct str *s)
{
	if (!s->p)
		return true;
	*s = arena_str(arena, *s);
	return s->p != NULL;
}

static struct temporal_failure *copy_one(struct arena *arena, const struct temporal_failure *from)
{
	struct temporal_failure *f = arena_alloc(arena, sizeof *f);

	if (!f)
		return NULL;
	*f = *from;
	f->cause = NULL;
	if (!copy_str(arena, &f->message) || !copy_str(arena, &f->source) ||
	    !copy_str(arena, &f->stack) || !copy_str(arena, &f->type) ||
	    !copy_str(arena, &f->activity_id) ||
	    !temporal_payloads_copy(arena, from->details, &f->details))
		return NULL;
	return f;
}

bool temporal_failure_copy(struct arena *arena, const struct temporal_failure *from,
                           const struct temporal_failure **out)
{
	struct temporal_failure *first = NULL, *f;
	const struct temporal_failure **next = NULL;

	for (int i = 0; from; i++, from = from->cause) {
		if (i == TEMPORAL_CAUSES_MAX) {
			*next = &cut;
			break;
		}
		f = copy_one(arena, from);
		if (!f)
			return false;
		if (next)
			*next = f;
		else
			first = f;
		next = &f->cause;
	}
	*out = first;
	return true;
}

/* ---- to the protocol ---- */

static bool application_of(struct arena *arena, const struct temporal_failure *f, PbFailure *out)
{
	Temporal__Api__Failure__V1__ApplicationFailureInfo *info =
	    NEW_INFO(arena, ApplicationFailureInfo, application_failure_info);

	if (!info || !(info->type = pb_text(arena, f->type)) ||
	    !pb_payloads_of(arena, f->details, &info->details))
		return false;
	info->non_retryable = f->non_retryable;
	info->next_retry_delay = pb_duration(arena, f->next_retry_ms);
	if (f->next_retry_ms > 0 && !info->next_retry_delay)
		return false;
	out->failure_info_case = INFO(APPLICATION);
	out->application_failure_info = info;
	return true;
}

static bool timeout_of(struct arena *arena, const struct temporal_failure *f, PbFailure *out)
{
	Temporal__Api__Failure__V1__TimeoutFailureInfo *info =
	    NEW_INFO(arena, TimeoutFailureInfo, timeout_failure_info);

	if (!info || !pb_payloads_of(arena, f->details, &info->last_heartbeat_details))
		return false;
	info->timeout_type = (Temporal__Api__Enums__V1__TimeoutType)f->timeout;
	out->failure_info_case = INFO(TIMEOUT);
	out->timeout_failure_info = info;
	return true;
}

static bool cancelled_of(struct arena *arena, const struct temporal_failure *f, PbFailure *out)
{
	Temporal__Api__Failure__V1__CanceledFailureInfo *info =
	    NEW_INFO(arena, CanceledFailureInfo, canceled_failure_info);

	if (!info || !pb_payloads_of(arena, f->details, &info->details))
		return false;
	out->failure_info_case = INFO(CANCELED);
	out->canceled_failure_info = info;
	return true;
}

static bool activity_of(struct arena *arena, const struct temporal_failure *f, PbFailure *out)
{
	Temporal__Api__Failure__V1__ActivityFailureInfo *info =
	    NEW_INFO(arena, ActivityFailureInfo, activity_failure_info);
	Temporal__Api__Common__V1__ActivityType *type =
	    PB_NEW(arena, Temporal__Api__Common__V1__ActivityType,
	           temporal__api__common__v1__activity_type);

	if (!info || !type || !(type->name = pb_text(arena, f->type)) ||
	    !(info->activity_id = pb_text(arena, f->activity_id)))
		return false;
	info->activity_type = type;
	out->failure_info_case = INFO(ACTIVITY);
	out->activity_failure_info = info;
	return true;
}

static bool info_of(struct arena *arena, const struct temporal_failure *f, PbFailure *out)
{
	switch (f->kind) {
	case TEMPORAL_FAILURE_APPLICATION:
		return application_of(arena, f, out);
	case TEMPORAL_FAILURE_TIMEOUT:
		return timeout_of(arena, f, out);
	case TEMPORAL_FAILURE_CANCELLED:
		return cancelled_of(arena, f, out);
	case TEMPORAL_FAILURE_ACTIVITY:
		return activity_of(arena, f, out);
	case TEMPORAL_FAILURE_TERMINATED:
		out->failure_info_case = INFO(TERMINATED);
		out->terminated_failure_info =
		    NEW_INFO(arena, TerminatedFailureInfo, terminated_failure_info);
		return out->terminated_failure_info != NULL;
	case TEMPORAL_FAILURE_SERVER:
		out->failure_info_case = INFO(SERVER);
		out->server_failure_info = NEW_INFO(arena, ServerFailureInfo, server_failure_info);
		if (out->server_failure_info)
			out->server_failure_info->non_retryable = f->non_retryable;
		return out->server_failure_info != NULL;
	case TEMPORAL_FAILURE_OTHER:
		break;
	}
	return true;
}

static PbFailure *failure_of(struct arena *arena, const struct temporal_failure *f)
{
	PbFailure *out = PB_NEW(arena, PbFailure, temporal__api__failure__v1__failure);

	if (!out || !(out->message = pb_text(arena, f->message)) ||
	    !(out->source = pb_text(arena, f->source.p ? f->source : STR(SOURCE))) ||
	    !(out->stack_trace = pb_text(arena, f->stack)) || !info_of(arena, f, out))
		return NULL;
	return out;
}

bool pb_failure_of(struct arena *arena, const struct temporal_failure *f, PbFailure **out)
{
	PbFailure **next = out;

	*out = NULL;
	for (int i = 0; f; i++, f = f->cause) {
		if (i == TEMPORAL_CAUSES_MAX)
			f = &cut;
		if (!(*next = failure_of(arena, f)))
			return false;
		next = &(*next)->cause;
	}
	return true;
}

/* ---- from the protocol ---- */

static bool info_to(struct arena *arena, const PbFailure *from, struct temporal_failure *f)
{
	const PbPayloads *details = NULL;

	switch (from->failure_info_case) {
	case INFO(APPLICATION):
		f->kind = TEMPORAL_FAILURE_APPLICATION;
		f->type = pb_str(from->application_failure_info->type);
		f->non_retryable = from->application_failure_info->non_retryable;
		f->next_retry_ms = pb_ms(from->application_failure_info->next_retry_delay);
		details = from->application_failure_info->details;
		break;
	case INFO(TIMEOUT):
		f->kind = TEMPORAL_FAILURE_TIMEOUT;
		f->timeout = (enum temporal_timeout)from->timeout_failure_info->timeout_type;
		details = from->timeout_failure_info->last_heartbeat_details;
		break;
	case INFO(CANCELED):
		f->kind = TEMPORAL_FAILURE_CANCELLED;
		details = from->canceled_failure_info->details;
		break;
	case INFO(TERMINATED):
		f->kind = TEMPORAL_FAILURE_TERMINATED;
		break;
	case INFO(SERVER):
		f->kind = TEMPORAL_FAILURE_SERVER;
		f->non_retryable = from->server_failure_info->non_retryable;
		break;
	case INFO(ACTIVITY):
		f->kind = TEMPORAL_FAILURE_ACTIVITY;
		f->activity_id = pb_str(from->activity_failure_info->activity_id);
		if (from->activity_failure_info->activity_type)
			f->type = pb_str(from->activity_failure_info->activity_type->name);
		break;
	default:
		break;
	}
	return pb_payloads_to(arena, details, &f->details);
}

bool pb_failure_to(struct arena *arena, const PbFailure *from, const struct temporal_failure **out)
{
	const struct temporal_failure **next = out;
	struct temporal_failure *f;

	*out = NULL;
	for (int i = 0; from; i++, from = from->cause) {
		if (i == TEMPORAL_CAUSES_MAX) {
			*next = &cut;
			break;
		}
		f = arena_alloc(arena, sizeof *f);
		if (!f || !info_to(arena, from, f))
			return false;
		f->message = pb_str(from->message);
		f->source = pb_str(from->source);
		f->stack = pb_str(from->stack_trace);
		*next = f;
		next = &f->cause;
	}
	return true;
}
