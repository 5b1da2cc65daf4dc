/* SPDX-License-Identifier: Apache-2.0
 *
 * zone.h: what is in the landing zone, by run. For `fhirline landing`; only names, sizes and
 * manifests are read.
 */
#ifndef FHIRLINE_LAND_ZONE_H
#define FHIRLINE_LAND_ZONE_H

#include "land/manifest.h"

struct zone_file {
	char name[160];
	int64_t bytes;
	bool listed; /* for whoever checks: false at first */
};

struct zone_run {
	char zip[6], id[UUID_TEXT];
	struct land_manifest *manifest; /* NULL: there is none, or it cannot be read */
	bool damaged;                   /* there is one, but it cannot be read: `why` */
	char why[200];
	struct zone_file *files; /* by name; the manifest among them */
	size_t file_count;
	int64_t bytes; /* of all files */
};

struct zone {
	struct zone_run *runs; /* by zip code, then by age, oldest first */
	size_t count;
	struct zone_file *others; /* what is not of the layout */
	size_t other_count;
};

/* `zip`: of this zip code alone; NULL: of all. */
bool zone_load(struct land *l, const char *zip, struct zone *out, struct err *err);
void zone_free(struct zone *z); /* zeroed is fine */

/* The file of that name, or NULL. */
struct zone_file *zone_find(const struct zone_run *run, const char *name);

/* Everything that the zip code has is in this run: a full one that missed and rejected nothing. */
bool zone_is_whole(const struct zone_run *run);

#endif
