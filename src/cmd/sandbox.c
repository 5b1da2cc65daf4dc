/* SPDX-License-Identifier: Apache-2.0
 *
 * fhirline sandbox: a FHIR server with a generated population, until it is interrupted.
 */
#include <signal.h>
#include <stdio.h>

#include "cmd/command.h"
#include "sandbox/sandbox.h"

/* A flag that takes a number, and where it goes. */
struct number {
	const char *name;
	const char *text; /* NULL: not given */
	int64_t max;
	uint32_t *to32;
	uint64_t *to64;
};

static bool read_numbers(struct number *n)
{
	for (; n->name; n++) {
		int64_t v;

		if (!n->text)
			continue;
		if (!str_int(str_of(n->text), 0, n->max, &v)) {
			command_usage("sandbox", "--%s: \"%.40s\" is not a number from 0 to %lld",
			              n->name, n->text, (long long)n->max);
			return false;
		}
		if (n->to32)
			*n->to32 = (uint32_t)v;
		else
			*n->to64 = (uint64_t)v;
	}
	return true;
}

static int serve(const struct sandbox_options *o)
{
	struct sigaction ignore = {.sa_handler = SIG_IGN};
	struct sandbox *s;
	struct err err;
	sigset_t ends;
	int got;

	/* before any thread starts, so that none of them takes the signal */
	sigemptyset(&ends);
	sigaddset(&ends, SIGINT);
	sigaddset(&ends, SIGTERM);
	pthread_sigmask(SIG_BLOCK, &ends, NULL);
	sigaction(SIGPIPE, &ignore, NULL);
	s = sandbox_start(o, &err);
	if (!s)
		return command_fail("sandbox", &err);
	printf("sandbox: http://%s:%u/fhir, %u patients in zip %s\n", o->host, sandbox_port(s),
	       o->patients, o->zip);
	fflush(stdout);
	sigwait(&ends, &got);
	sandbox_stop(s);
	return COMMAND_OK;
}

enum {
	N_PATIENTS,
	N_SEED,
	N_SCALE,
	N_PORT,
	N_DEFAULT_PAGE,
	N_MAX_PAGE,
	N_RETAIN,
	N_REUSE,
	N_CONNECTIONS,
	N_MEMORY,
	N_END,
};

int cmd_sandbox(int argc, char **argv)
{
	struct sandbox_options o = sandbox_defaults;
	uint64_t port = o.port, memory = o.max_overlay_bytes >> 20;
	struct number n[N_END + 1] = {
	    [N_PATIENTS] = {"patients", NULL, 1000000, &o.patients, NULL},
	    [N_SEED] = {"seed", NULL, INT64_MAX, NULL, &o.seed},
	    [N_SCALE] = {"observations-scale", NULL, 400, &o.observations_scale, NULL},
	    [N_PORT] = {"port", NULL, UINT16_MAX, NULL, &port},
	    [N_DEFAULT_PAGE] = {"default-page", NULL, 10000, &o.default_page, NULL},
	    [N_MAX_PAGE] = {"max-page", NULL, 10000, &o.max_page, NULL},
	    [N_RETAIN] = {"retain-s", NULL, UINT32_MAX, &o.retain_s, NULL},
	    [N_REUSE] = {"reuse-s", NULL, UINT32_MAX, &o.reuse_s, NULL},
	    [N_CONNECTIONS] = {"max-connections", NULL, 4096, &o.max_connections, NULL},
	    [N_MEMORY] = {"max-memory-mb", NULL, 1 << 20, NULL, &memory},
	};
	const struct config_flag flags[] = {
	    {"patients", "N", "People who live in the zip (1000)", .value = &n[N_PATIENTS].text},
	    {"seed", "N", "The same seed gives the same people (1)", .value = &n[N_SEED].text},
	    {"zip", "ZIP", "Five digits (02139)", .value = &o.zip},
	    {"observations-scale", "PERCENT", "Of the usual 470 observations a patient (100)",
	     .value = &n[N_SCALE].text},
	    {"listen", "ADDRESS", "Numeric address to listen on (127.0.0.1)", .value = &o.host},
	    {"port", "PORT", "0 takes any free one (8090)", .value = &n[N_PORT].text},
	    {"default-page", "N", "Resources a page without _count (20)",
	     .value = &n[N_DEFAULT_PAGE].text},
	    {"max-page", "N", "Larger _count silently shrink to it (1000)",
	     .value = &n[N_MAX_PAGE].text},
	    {"retain-s", "SECONDS", "How long a search's pages can be had (3600)",
	     .value = &n[N_RETAIN].text},
	    {"reuse-s", "SECONDS", "Answer a repeated search from a result this old (0)",
	     .value = &n[N_REUSE].text},
	    {"max-connections", "N", "At once (256)", .value = &n[N_CONNECTIONS].text},
	    {"max-memory-mb", "MB", "For resources that clients write (256)",
	     .value = &n[N_MEMORY].text},
	    {"no-history", NULL, "Have no history of a type", .on = &o.no_history},
	    {"faults", "FILE", "A fault script; see docs/FAULTS.md", .value = &o.faults},
	    {"request-log", "FILE", "Append a JSON line a request", .value = &o.request_log},
	    {"require-bearer", "TOKEN", "Answer 401 without it", .value = &o.require_bearer},
	    {"require-basic", "USER:PASSWORD", "Answer 401 without it", .value = &o.require_basic},
	    {0}};
	struct config *config = NULL;
	int nargs, code;

	if (!command_start(argc, argv, flags, &config, &nargs, &code))
		return code;
	config_free(config);
	if (nargs)
		return command_usage("sandbox", "unexpected argument \"%.40s\"", argv[1]);
	if (!read_numbers(n))
		return COMMAND_USAGE;
	o.port = (uint16_t)port;
	o.max_overlay_bytes = (size_t)memory << 20;
	if (!n[N_DEFAULT_PAGE].text && o.default_page > o.max_page)
		o.default_page = o.max_page;
	return serve(&o);
}
