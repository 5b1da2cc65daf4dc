/* SPDX-License-Identifier: Apache-2.0
 *
 * In place of the other files, in a build without Temporal.
 */
#include "workflow/engine.h"
#include "workflow/schedule.h"

static bool absent(struct err *err)
{
	return err_set(err, ERR_CONFIG, "workflow",
	               "this build has no Temporal engine (meson -Dtemporal=enabled, which needs "
	               "libgrpc-dev, libprotobuf-c-dev and protobuf-c-compiler); --engine local "
	               "drives runs with workers of this process");
}

bool workflow_check(const struct workflow_settings *settings, char *version, size_t size,
                    struct err *err)
{
	(void)settings;
	(void)version;
	(void)size;
	return absent(err);
}

struct temporal_cipher *workflow_cipher_new(const char *keys, struct err *err)
{
	(void)keys;
	absent(err);
	return NULL;
}

void workflow_cipher_free(struct temporal_cipher *c)
{
	(void)c;
}

struct workflow_herald *workflow_herald_start(const struct workflow_settings *settings,
                                              struct err *err)
{
	(void)settings;
	absent(err);
	return NULL;
}

void workflow_herald_wake(struct workflow_herald *h)
{
	(void)h;
}

void workflow_herald_stop(struct workflow_herald *h)
{
	(void)h;
}

bool workflow_herald_well(struct workflow_herald *h, char *text, size_t size)
{
	(void)h;
	(void)text;
	(void)size;
	return false;
}

bool workflow_schedule_set(const struct workflow_settings *settings,
                           const struct workflow_schedule *s, struct err *err)
{
	(void)settings;
	(void)s;
	return absent(err);
}

bool workflow_schedule_act(const struct workflow_settings *settings, const char *zip,
                           enum workflow_schedule_act act, struct err *err)
{
	(void)settings;
	(void)zip;
	(void)act;
	return absent(err);
}

bool workflow_schedule_list(const struct workflow_settings *settings,
                            void (*fn)(void *ctx, const struct workflow_scheduled *s), void *ctx,
                            struct err *err)
{
	(void)settings;
	(void)fn;
	(void)ctx;
	return absent(err);
}

struct workflow_worker *workflow_worker_start(const struct workflow_settings *settings,
                                              const struct flow_settings *flow, struct err *err)
{
	(void)settings;
	(void)flow;
	absent(err);
	return NULL;
}

bool workflow_worker_wait(struct workflow_worker *w, int64_t ms, struct err *err)
{
	(void)w;
	(void)ms;
	return absent(err);
}

void workflow_worker_stats(struct workflow_worker *w, struct workflow_stats *tasks,
                           struct flow_engine_stats *flow)
{
	(void)w;
	*tasks = (struct workflow_stats){.polls = 0};
	*flow = (struct flow_engine_stats){.runs = 0};
}

void workflow_worker_stop(struct workflow_worker *w)
{
	(void)w;
}
