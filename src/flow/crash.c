/* SPDX-License-Identifier: Apache-2.0
 *
 * Crash points, for tests only (-Dcrash_points=true): FHIRLINE_CRASH_AT=<name>[:n] ends the process
 * with SIGKILL when the named point is passed for the n-th time.
 */
#include "flow/internal.h"

#ifdef FHIRLINE_CRASH_POINTS

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void flow_crash_point(const char *name)
{
	static atomic_long passed;
	const char *at = getenv("FHIRLINE_CRASH_AT");
	size_t n = strlen(name);

	if (!at || strncmp(at, name, n) != 0 || (at[n] != '\0' && at[n] != ':'))
		return;
	if (atomic_fetch_add(&passed, 1) + 1 == (at[n] ? strtol(at + n + 1, NULL, 10) : 1))
		kill(getpid(), SIGKILL);
}

#else
typedef int crash_points_are_off; /* a translation unit is not empty */
#endif
