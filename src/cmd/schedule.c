/* SPDX-License-Identifier: Apache-2.0
 *
 * `fhirline schedule`: runs that Temporal asks for by the clock.
 */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "cmd/command.h"
#include "cmd/engine.h"
#include "workflow/schedule.h"

#define EVERY_MIN_MS 60000
#define EVERY_MAX_MS (366 * 24 * 3600 * (int64_t)1000)
#define CRON_MAX 200

struct schedule {
	struct config *config;
	struct engine engine;
	const char *every, *cron;
	bool full;
};

static bool open_settings(struct schedule *s, struct err *err)
{
	struct parts none = {.conn = NULL};

	return engine_workflow_settings(&s->engine, &none, s->config, err);
}

static int done(struct schedule *s, bool ok, const struct err *err)
{
	engine_stop(&s->engine);
	return ok ? COMMAND_OK : command_fail("schedule", err);
}

/* ---- list ---- */

static void print_one(void *ctx, const struct workflow_scheduled *s)
{
	char next[CLOCK_TEXT] = "-";
	int *n = ctx;

	if (!(*n)++)
		printf("%-5s  %-7s  %-20s  %s\n", "zip", "state", "next", "when");
	if (s->next_us && !s->paused)
		clock_format(s->next_us - s->next_us % 1000000, next);
	printf("%-5.*s  %-7s  %-20s  %.*s\n", STR_FMT(s->zip), s->paused ? "paused" : "active",
	       next, STR_FMT(s->spec));
}

static int list(struct schedule *s)
{
	struct err err = {0};
	int n = 0;
	bool ok = open_settings(s, &err) &&
	          workflow_schedule_list(&s->engine.workflow, print_one, &n, &err);

	if (ok && !n)
		printf("no schedules\n");
	return done(s, ok, &err);
}

/* ---- remove, pause, resume, run ---- */

static const struct {
	const char *word, *past;
	enum workflow_schedule_act act;
} acts[] = {
    {"remove", "is not scheduled any more", WORKFLOW_SCHEDULE_REMOVE},
    {"pause", "is paused", WORKFLOW_SCHEDULE_PAUSE},
    {"resume", "goes on", WORKFLOW_SCHEDULE_RESUME},
    {"run", "is asked for now", WORKFLOW_SCHEDULE_RUN},
};

static int act_on(struct schedule *s, const char *zip, size_t which)
{
	struct err err = {0};
	bool ok = open_settings(s, &err) &&
	          workflow_schedule_act(&s->engine.workflow, zip, acts[which].act, &err);

	if (ok)
		printf("%s %s\n", zip, acts[which].past);
	return done(s, ok, &err);
}

/* ---- set ---- */

static bool read_when(const struct schedule *s, struct workflow_schedule *out, int *code)
{
	if (!s->every == !s->cron) {
		*code = command_usage("schedule", "give either --every, such as 1h, or --cron");
	} else if (s->every && (!config_parse_duration(s->every, "s", &out->every_ms) ||
	                        out->every_ms < EVERY_MIN_MS || out->every_ms > EVERY_MAX_MS)) {
		*code = command_usage(
		    "schedule",
		    "--every takes a duration from 1m to 366 days, such as 1h, not \"%.*s\"",
		    command_quotable(s->every), s->every);
	} else if (s->cron && strlen(s->cron) > CRON_MAX) {
		*code = command_usage("schedule", "--cron takes at most %d characters", CRON_MAX);
	} else {
		out->cron = s->cron;
		out->full = s->full;
		return true;
	}
	return false;
}

static int set(struct schedule *s, const char *zip)
{
	struct workflow_schedule what = {.every_ms = 0};
	struct err err = {0};
	int code;
	bool ok;

	if (!read_when(s, &what, &code))
		return code;
	memcpy(what.zip, zip, 5);
	ok = open_settings(s, &err) && workflow_schedule_set(&s->engine.workflow, &what, &err);
	if (ok)
		printf("%s is scheduled: %s %s%s\n", zip, s->cron ? "cron" : "every",
		       s->cron ? s->cron : s->every, s->full ? ", full" : "");
	return done(s, ok, &err);
}

/* ---- the command ---- */

static int run(struct schedule *s, int n, char **args)
{
	if (n == 1 && strcmp(args[0], "list") == 0)
		return list(s);
	if (n == 1 && str_is_zip(str_of(args[0])))
		return set(s, args[0]);
	for (size_t i = 0; n == 2 && i < sizeof acts / sizeof *acts; i++)
		if (strcmp(args[0], acts[i].word) == 0 && str_is_zip(str_of(args[1])))
			return act_on(s, args[1], i);
	return command_usage("schedule",
	                     "give a zip code (five digits), list, or remove, pause, resume or run "
	                     "and a zip code");
}

int cmd_schedule(int argc, char **argv)
{
	struct schedule s = {.config = NULL};
	const struct config_flag flags[] = {
	    {"every", "DURATION", "An hour (1h), a day (24h): counted from 1970",
	     .value = &s.every},
	    {"cron", "TEXT", "Five fields, in UTC; CRON_TZ=Europe/Zurich in front for another zone",
	     .value = &s.cron},
	    {"full", NULL, "Read everything each time, not only what has changed", .on = &s.full},
	    {0}};
	int nargs, code;

	if (!command_start(argc, argv, flags, &s.config, &nargs, &code))
		return code;
	code = run(&s, nargs, argv + 1);
	config_free(s.config);
	return code;
}
