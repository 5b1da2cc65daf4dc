/* SPDX-License-Identifier: Apache-2.0 */
#include "base/locked.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

enum { HEAD = 16 }; /* before the text: the size of the mapping */

char *locked_dup(struct str s)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE), size;
	char *p;

	if (s.n > SIZE_MAX / 2)
		return NULL;
	size = (HEAD + s.n + 1 + page - 1) / page * page;
	p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (p == MAP_FAILED)
		return NULL;
	/* each is one more hedge, none a condition: limits and old kernels may refuse */
	(void)mlock(p, size);
	(void)madvise(p, size, MADV_DONTDUMP);
	(void)madvise(p, size, MADV_WIPEONFORK);
	memcpy(p, &size, sizeof size);
	if (s.n)
		memcpy(p + HEAD, s.p, s.n);
	return p + HEAD;
}

void locked_free(char *text)
{
	size_t size;

	if (!text)
		return;
	text -= HEAD;
	memcpy(&size, text, sizeof size);
	explicit_bzero(text, size);
	munmap(text, size);
}

void buf_wipe(struct buf *b)
{
	if (b->p)
		explicit_bzero(b->p, b->cap);
	buf_free(b);
}

void locked_no_core(void)
{
	int fd = open("/proc/self/coredump_filter", O_WRONLY | O_CLOEXEC);
	struct rlimit limit;

	/* core(5): 1, and not 0, is what a program that takes cores by a pipe is not called for */
	if (getrlimit(RLIMIT_CORE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max < 1 ? limit.rlim_max : 1;
		(void)setrlimit(RLIMIT_CORE, &limit);
	}
	if (fd < 0)
		return;
	if (write(fd, "0", 1) != 1)
		(void)fd; /* a kernel without the filter: what is locked is left out all the same */
	close(fd);
}
