/* SPDX-License-Identifier: Apache-2.0 */
#include "workflow/schedule.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "temporal/schedule.h"
#include "workflow/wire.h"

enum { ID_TEXT = 40, SPEC_MAX = 400, CALL_MS = 10000, RUN_MS = 3600 * 1000 };

static const char prefix[] = "fhirline-";

static struct temporal *open_for(const struct workflow_settings *settings, struct err *err)
{
	struct temporal_options o = settings->connection;

	o.call_timeout_ms = CALL_MS;
	o.retry = (struct retry_policy){
	    .max_attempts = 4, .base_ms = 200, .cap_ms = 2000, .deadline_ms = CALL_MS};
	return temporal_open(&o, err);
}

static void id_of(const char *zip, char out[ID_TEXT])
{
	snprintf(out, ID_TEXT, "%s%.5s", prefix, zip);
}

/* ---- set ---- */

static void spec_text(const struct workflow_schedule *s, struct buf *out)
{
	if (s->cron)
		buf_printf(out, "cron %s", s->cron);
	else
		buf_printf(out, "every %" PRId64 " s", s->every_ms / 1000);
	if (s->full)
		buf_lit(out, ", full");
}

static bool create(struct temporal *t, const struct workflow_settings *settings,
                   const struct workflow_schedule *s, struct err *err)
{
	struct buf spec = BUF_INIT(SPEC_MAX), json = BUF_INIT(SPEC_MAX * 6);
	char id[ID_TEXT], workflow_id[ID_TEXT], input[64];
	struct temporal_field memo = {.name = STR("spec")};
	struct temporal_payload payload = temporal_null();
	struct temporal_schedule schedule = {.id = id,
	                                     .interval_ms = s->every_ms,
	                                     .cron = s->cron,
	                                     .memo = {&memo, 1},
	                                     .start = {.workflow_id = workflow_id,
	                                               .type = WIRE_REQUEST,
	                                               .task_queue = settings->task_queue,
	                                               .input = {&payload, 1},
	                                               .run_timeout_ms = RUN_MS}};
	bool ok;

	id_of(s->zip, id);
	snprintf(workflow_id, sizeof workflow_id, "request-%.5s", s->zip);
	snprintf(input, sizeof input, "{\"zip\":\"%.5s\",\"full\":%s}", s->zip,
	         s->full ? "true" : "false");
	payload = temporal_json(str_of(input));
	spec_text(s, &spec);
	buf_add_json(&json, (struct str){spec.p, spec.n});
	ok = buf_ok(&json, "the schedule", err);
	if (ok) {
		memo.value = temporal_json((struct str){json.p, json.n});
		ok = temporal_schedule_create(t, &schedule, err);
	}
	buf_free(&spec);
	buf_free(&json);
	return ok;
}

/* The server takes no second one of an id; it looks at the cron text before it looks for the id, so
 * one that is wrong does not cost the one that is there. */
static bool replace(struct temporal *t, const struct workflow_settings *settings,
                    const struct workflow_schedule *s, struct err *err)
{
	char id[ID_TEXT];

	id_of(s->zip, id);
	if (create(t, settings, s, err))
		return true;
	if (err->code != ERR_CONFLICT || !temporal_schedule_delete(t, id, err))
		return false;
	return create(t, settings, s, err);
}

bool workflow_schedule_set(const struct workflow_settings *settings,
                           const struct workflow_schedule *s, struct err *err)
{
	struct temporal *t = open_for(settings, err);
	bool ok = t && replace(t, settings, s, err);

	if (t)
		temporal_close(t);
	return ok;
}

/* ---- act ---- */

static bool act_on(struct temporal *t, const char *id, enum workflow_schedule_act act,
                   struct err *err)
{
	switch (act) {
	case WORKFLOW_SCHEDULE_REMOVE:
		return temporal_schedule_delete(t, id, err);
	case WORKFLOW_SCHEDULE_PAUSE:
		return temporal_schedule_pause(t, id, true, "by fhirline", err);
	case WORKFLOW_SCHEDULE_RESUME:
		return temporal_schedule_pause(t, id, false, "by fhirline", err);
	case WORKFLOW_SCHEDULE_RUN:
		return temporal_schedule_trigger(t, id, err);
	}
	return err_set(err, ERR_INTERNAL, "workflow.schedule", "an act that is not known");
}

bool workflow_schedule_act(const struct workflow_settings *settings, const char *zip,
                           enum workflow_schedule_act act, struct err *err)
{
	struct temporal *t = open_for(settings, err);
	char id[ID_TEXT];
	bool ok;

	id_of(zip, id);
	ok = t && act_on(t, id, act, err);
	if (t)
		temporal_close(t);
	if (!ok && err->code == ERR_NOT_FOUND)
		err_set(err, ERR_NOT_FOUND, "workflow.schedule", "%.5s has no schedule", zip);
	return ok;
}

/* ---- list ---- */

struct listing {
	void (*fn)(void *ctx, const struct workflow_scheduled *s);
	void *ctx;
};

/* What stands in quotes; nothing in it needs to be escaped but what nobody writes in a cron text.
 */
static struct str spec_of(const struct temporal_scheduled *s)
{
	for (size_t i = 0; i < s->memo.n; i++) {
		struct str v = s->memo.at[i].value.data;

		if (str_is(s->memo.at[i].name, "spec") && v.n >= 2)
			return (struct str){v.p + 1, v.n - 2};
	}
	return STR("?");
}

static bool list_one(void *ctx, const struct temporal_scheduled *s, struct err *err)
{
	const struct listing *l = ctx;
	size_t skip = sizeof prefix - 1;

	(void)err;
	if (!str_is(s->type, WIRE_REQUEST) || s->id.n != skip + 5 ||
	    memcmp(s->id.p, prefix, skip) != 0)
		return true; /* somebody else's */
	l->fn(l->ctx, &(struct workflow_scheduled){.zip = {s->id.p + skip, 5},
	                                           .spec = spec_of(s),
	                                           .paused = s->paused,
	                                           .next_us = s->next_us});
	return true;
}

bool workflow_schedule_list(const struct workflow_settings *settings,
                            void (*fn)(void *ctx, const struct workflow_scheduled *s), void *ctx,
                            struct err *err)
{
	struct listing l = {fn, ctx};
	struct temporal *t = open_for(settings, err);
	bool ok = t && temporal_schedules_list(t, 0, list_one, &l, err);

	if (t)
		temporal_close(t);
	return ok;
}
