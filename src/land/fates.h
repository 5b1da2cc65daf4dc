/* SPDX-License-Identifier: Apache-2.0
 *
 * fates.h: what became of resources that no landed object shows, as one JSON file a run
 * (docs/LANDING.md has an example): who was deleted, who left the zip code. With it the tables can
 * be rebuilt from the landing zone alone.
 *
 * Writing: land_fates_begin(), then for each fate in order land_fates_list() and its ids,
 * land_fates_end(); all append to a buf.
 */
#ifndef FHIRLINE_LAND_FATES_H
#define FHIRLINE_LAND_FATES_H

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

enum land_fate {
	LAND_PATIENTS_DELETED,     /* tombstones of this run */
	LAND_PATIENTS_LEFT,        /* no longer of the zip code since this run, deleted or moved */
	LAND_PATIENTS_OPEN,        /* all of whom some observation is not here yet */
	LAND_OBSERVATIONS_DELETED, /* tombstones of this run */
	LAND_FATES,
};

void land_fates_begin(struct buf *b);
void land_fates_list(struct buf *b, enum land_fate fate);
void land_fates_id(struct buf *b, struct str id);
void land_fates_end(struct buf *b);

struct land_fates {
	char *ids[LAND_FATES]; /* a JSON array of strings each */
	size_t count[LAND_FATES];
};

/* ERR_DATA when it is not what land_fates_… write. The caller frees it with land_fates_free(). */
bool land_fates_read(struct str json, struct land_fates *out, struct err *err);
void land_fates_free(struct land_fates *f); /* zeroed is fine */

#endif
