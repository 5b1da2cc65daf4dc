/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/interrupt.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <unistd.h>

/* What a signal handler can reach must be static; a pipe ends the sleep even when the signal comes
 * just before it. */
static atomic_int first;
static atomic_bool flag;
static int wake[2] = {-1, -1};

static void on_signal(int number)
{
	int none = 0, saved = errno;

	if (!atomic_compare_exchange_strong(&first, &none, number))
		_exit(128 + number);
	atomic_store(&flag, true);
	if (write(wake[1], "", 1) < 0)
		errno = saved; /* full: the sleeper wakes anyway */
	errno = saved;
}

void interrupt_catch(void)
{
	struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
	struct sigaction ignore = {.sa_handler = SIG_IGN};

	/* without a pipe the sleep is a plain one: slower to end, not wrong */
	if (wake[0] < 0 && pipe2(wake, O_CLOEXEC | O_NONBLOCK) != 0)
		wake[0] = wake[1] = -1;
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGPIPE, &ignore, NULL);
}

int interrupted(void)
{
	return atomic_load(&first);
}

const atomic_bool *interrupt_flag(void)
{
	return &flag;
}

void interrupt_sleep(int64_t ms)
{
	struct pollfd p = {.fd = wake[0], .events = POLLIN};

	/* the byte is left there: once interrupted, nothing sleeps any more */
	poll(&p, 1, (int)ms);
}

int interrupt_fd(void)
{
	return wake[0];
}
