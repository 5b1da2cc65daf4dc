/* SPDX-License-Identifier: Apache-2.0
 *
 * embed.h: files that are part of the program: SQL statements, migrations, web assets.
 *
 * tools/embed makes the tables at build time, sorted by name (bytewise); see src/pg/meson.build for
 * how one is wired. Adding a file to an embedded folder needs nothing else.
 */
#ifndef FHIRLINE_BASE_EMBED_H
#define FHIRLINE_BASE_EMBED_H

#include <stddef.h>
#include <string.h>

struct embed_file {
	const char *name; /* path below the embedded folder, with '/' and suffix */
	const char *data; /* followed by a '\0' that is not counted */
	size_t n;
};

/* The file of that name, NULL when there is none. */
static inline const struct embed_file *embed_find(const struct embed_file *files, size_t count,
                                                  const char *name)
{
	size_t lo = 0, hi = count;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		int c = strcmp(name, files[mid].name);

		if (c == 0)
			return &files[mid];
		if (c < 0)
			hi = mid;
		else
			lo = mid + 1;
	}
	return NULL;
}

#endif
