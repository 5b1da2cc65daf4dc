/* SPDX-License-Identifier: Apache-2.0 */
#include "flow/owner.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* "host/4026531836/": where the process numbers that follow mean something. */
static bool place(char *out, size_t size)
{
	char host[65] = "", ns[64];
	ssize_t n = readlink("/proc/self/ns/pid", ns, sizeof ns - 1);

	if (n <= 0 || gethostname(host, sizeof host - 1) != 0)
		return false;
	ns[n] = '\0';
	snprintf(out, size, "%s/%s/", host, ns);
	return true;
}

/* When process `pid` began, in clock ticks since boot (proc(5), stat, field 22); 0: there is none.
 */
static unsigned long long began(long pid)
{
	char path[40], text[1024];
	const char *p;
	unsigned long long ticks = 0;
	FILE *f;

	snprintf(path, sizeof path, "/proc/%ld/stat", pid);
	f = fopen(path, "r");
	if (!f)
		return 0;
	text[fread(text, 1, sizeof text - 1, f)] = '\0';
	fclose(f);
	p = strrchr(text, ')'); /* a command's name may hold anything */
	if (p && p[1] == ' ' && (p[2] == 'Z' || p[2] == 'X'))
		return 0; /* dead, and not yet buried by its parent */
	for (int field = 2; p && field < 22; field++)
		p = strchr(p + 1, ' ');
	if (!p || sscanf(p + 1, "%llu", &ticks) != 1)
		return 0;
	return ticks;
}

void flow_owner_name(char out[OWNER_TEXT])
{
	char where[140] = "?/?/";

	place(where, sizeof where);
	snprintf(out, OWNER_TEXT, "%s%ld/%llu", where, (long)getpid(), began(getpid()));
}

bool flow_owner_is_dead(struct str owner)
{
	char text[OWNER_TEXT], where[140];
	unsigned long long ticks;
	long pid;

	if (owner.n >= sizeof text || !place(where, sizeof where) ||
	    access("/proc/self/stat", R_OK) != 0)
		return false;
	memcpy(text, owner.p, owner.n);
	text[owner.n] = '\0';
	if (strncmp(text, where, strlen(where)) != 0 ||
	    sscanf(text + strlen(where), "%ld/%llu", &pid, &ticks) != 2)
		return false;
	return pid > 0 && ticks > 0 && began(pid) != ticks;
}
