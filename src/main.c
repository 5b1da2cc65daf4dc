/* SPDX-License-Identifier: Apache-2.0 */
#include <malloc.h>

#include "cmd/command.h"

/* Pages, rows and compressed frames are large and live short. Each thread's own arena would keep
 * its largest for ever: two arenas do, and what is large goes back to the system at once. */
static void keep_memory_small(void)
{
	mallopt(M_ARENA_MAX, 2);
	mallopt(M_MMAP_THRESHOLD, 512 * 1024);
	mallopt(M_TRIM_THRESHOLD, 1024 * 1024);
}

int main(int argc, char **argv)
{
	keep_memory_small();
	return command_main(argc, argv);
}
