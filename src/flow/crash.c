/* SPDX-License-Identifier: Apache-2.0
 *
 * Crash points, for tests only (-Dcrash_points=true). FHIRLINE_CRASH_AT=<name>[:n] ends the process
 * with SIGKILL when the named point is passed for the n-th time. FHIRLINE_PAUSE_AT=<name>[:n] holds
 * the thread there: it makes the file that FHIRLINE_PAUSE_FILE names and goes on once the test has
 * taken that away.
 */
#include "flow/internal.h"

#ifdef FHIRLINE_CRASH_POINTS

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LOOK_MS = 10 };

/* Is this the passage that the variable means? */
static bool is_meant(const char *variable, const char *name, atomic_long *passed)
{
	const char *at = getenv(variable);
	size_t n = strlen(name);

	if (!at || strncmp(at, name, n) != 0 || (at[n] != '\0' && at[n] != ':'))
		return false;
	return atomic_fetch_add(passed, 1) + 1 == (at[n] ? strtol(at + n + 1, NULL, 10) : 1);
}

static void pause_here(const char *path)
{
	int fd = path ? open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600) : -1;

	if (fd < 0)
		return;
	close(fd);
	while (access(path, F_OK) == 0)
		clock_sleep_ms(LOOK_MS);
}

void flow_crash_point(const char *name)
{
	static atomic_long crash_passed, pause_passed;

	if (is_meant("FHIRLINE_CRASH_AT", name, &crash_passed))
		kill(getpid(), SIGKILL);
	if (is_meant("FHIRLINE_PAUSE_AT", name, &pause_passed))
		pause_here(getenv("FHIRLINE_PAUSE_FILE"));
}

#else
typedef int crash_points_are_off; /* a translation unit is not empty */
#endif
