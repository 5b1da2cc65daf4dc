/* SPDX-License-Identifier: Apache-2.0
 *
 * folder.h: a temporary folder with a landing zone in it, and what tests look for there.
 */
#ifndef FHIRLINE_TESTS_LAND_FOLDER_H
#define FHIRLINE_TESTS_LAND_FOLDER_H

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "land/land.h"

#define RUN "0190163d-8694-739b-aea5-966c26f8ad91"
#define ZIP "02139"
#define RUN_FOLDER "zip=" ZIP "/run=" RUN

struct folder {
	char path[200];
	char url[260];
};

static inline void folder_make(struct folder *f)
{
	const char *tmp = getenv("TMPDIR");

	snprintf(f->path, sizeof f->path, "%s/fhirline-land-XXXXXX", tmp ? tmp : "/tmp");
	if (!mkdtemp(f->path)) {
		perror(f->path);
		exit(1);
	}
	snprintf(f->url, sizeof f->url, "file://%s", f->path);
}

static inline int folder_remove_one(const char *path, const struct stat *st, int type,
                                    struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static inline void folder_drop(struct folder *f)
{
	nftw(f->path, folder_remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* How many entries the folder `below` it has, hidden ones too; -1 when it is not there. */
static inline int folder_entries(const struct folder *f, const char *below)
{
	char path[600];
	DIR *dir;
	int n = 0;

	snprintf(path, sizeof path, "%s/%s", f->path, below);
	dir = opendir(path);
	if (!dir)
		return -1;
	for (struct dirent *e; (e = readdir(dir));)
		n += strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0;
	closedir(dir);
	return n;
}

#endif
