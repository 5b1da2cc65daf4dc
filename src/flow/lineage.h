/* SPDX-License-Identifier: Apache-2.0
 *
 * lineage.h: the runs that made a zip code's tables, as the landing zone tells.
 *
 * The tables of a zip code are made by its newest full run that missed nothing, and by every run
 * after it, in order. Where there is none such (it was removed, or its manifest was), the oldest
 * run is begun with, and `words` says so: what was read before it is not there. A run without a
 * manifest has not ended, and is no part of it; but when a later run says that it follows one that
 * is not there, there is a gap, and `words` names it.
 *
 * The database is not asked, so an empty one can be filled.
 */
#ifndef FHIRLINE_FLOW_LINEAGE_H
#define FHIRLINE_FLOW_LINEAGE_H

#include "land/land.h"
#include "land/manifest.h"

enum { LINEAGE_ZIPS_MAX = 100000 };

struct lineage {
	char zip[6];
	struct land_manifest **runs; /* oldest first */
	size_t count;
	char words[400]; /* what is not whole about it; "": nothing */
};

/* `until`: the last run to look at; NULL: all. ERR_NOT_FOUND: the zip code has no run (or not that
 * one) with a manifest; the text says what is there. The caller frees it with lineage_free(). */
bool lineage_load(struct land *l, const char *zip, const char *until, struct lineage *out,
                  struct err *err);
void lineage_free(struct lineage *l); /* zeroed is fine */

/* The zip codes of the landing zone, in order, five digits and '\0' each; the caller frees *out. */
bool lineage_zips(struct land *l, char (**out)[6], size_t *n, struct err *err);

/* The zip code that a run is of. ERR_NOT_FOUND. */
bool lineage_zip_of(struct land *l, const char *run_id, char zip[6], struct err *err);

/* The two rules above, pure. Which run to begin with; and the number of the first run from there on
 * that follows one that is not before it (count: none). */
size_t lineage_first(struct land_manifest *const *runs, size_t count);
size_t lineage_gap(struct land_manifest *const *runs, size_t first, size_t count);

#endif
