/* SPDX-License-Identifier: Apache-2.0 */
#include "flow/owner.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { PLACE_TEXT = 150 };

/* Machines that were cloned may share a name, but not this (random(4)). */
static bool boot_id(char out[40])
{
	FILE *f = fopen("/proc/sys/kernel/random/boot_id", "r");
	bool ok;

	if (!f)
		return false;
	ok = fgets(out, 40, f) != NULL;
	fclose(f);
	out[strcspn(ok ? out : "", "\n")] = '\0';
	return ok;
}

/* "host/boot/pid:[4026531836]/": where the process numbers that follow mean something. */
static bool place(char *out, size_t size)
{
	char host[65] = "", boot[40], ns[64];
	ssize_t n = readlink("/proc/self/ns/pid", ns, sizeof ns - 1);

	if (n <= 0 || gethostname(host, sizeof host - 1) != 0 || !boot_id(boot))
		return false;
	ns[n] = '\0';
	return (size_t)snprintf(out, size, "%s/%s/%s/", host, boot, ns) < size;
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

/* Another user's process may be hidden in /proc (hidepid). */
static bool is_there(long pid)
{
	return kill((pid_t)pid, 0) != 0 && errno == EPERM;
}

void flow_owner_name(char out[OWNER_TEXT])
{
	char where[PLACE_TEXT];

	if (!place(where, sizeof where))
		snprintf(where, sizeof where, "?/?/?/");
	snprintf(out, OWNER_TEXT, "%s%ld/%llu", where, (long)getpid(), began(getpid()));
}

bool flow_owner_is_dead(struct str owner)
{
	char text[OWNER_TEXT], where[PLACE_TEXT];
	unsigned long long ticks, now;
	long pid;

	if (owner.n >= sizeof text || !place(where, sizeof where) ||
	    access("/proc/self/stat", R_OK) != 0)
		return false;
	memcpy(text, owner.p, owner.n);
	text[owner.n] = '\0';
	if (strncmp(text, where, strlen(where)) != 0 ||
	    sscanf(text + strlen(where), "%ld/%llu", &pid, &ticks) != 2)
		return false;
	if (pid <= 0 || ticks == 0)
		return false;
	now = began(pid);
	return now != ticks && !(now == 0 && is_there(pid));
}
