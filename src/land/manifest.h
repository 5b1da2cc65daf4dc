/* SPDX-License-Identifier: Apache-2.0
 *
 * manifest.h: what a run has landed, as one JSON file beside its objects (docs/LANDING.md has an
 * example).
 *
 * It is written last, with land_put_small(), so that a run with a manifest is a finished one. It
 * names every object with its hash, and the run's numbers, so that the landing zone can be checked
 * and read without fhirline and without its database.
 *
 * What the objects do not show is in one more small file, the run's fates: who was deleted, who
 * left the zip code. land/fates.h reads and writes it; the manifest has its hash.
 *
 * Writing: land_manifest_begin(), land_manifest_object() for each object in the order in which they
 * are to be read, land_manifest_begin_csv(), land_manifest_csv() for each CSV, land_manifest_end();
 * all append to a buf. Nothing in it is a secret: the caller gives the URL without user and
 * password.
 */
#ifndef FHIRLINE_LAND_MANIFEST_H
#define FHIRLINE_LAND_MANIFEST_H

#include "land/land.h"

enum land_manifest_type { LAND_PATIENT, LAND_OBSERVATION, LAND_TYPES };

/* "Patient", "Observation" */
const char *land_manifest_type_name(enum land_manifest_type t);

struct land_manifest_count {
	int64_t expected; /* -1: the server gave none */
	int64_t fetched, landed, staged, inserted, updated, unchanged, deleted, rejected,
	    duplicates, moved, elsewhere, missing;
};

struct land_manifest_object {
	struct land_object object;
	enum land_manifest_type type;
};

struct land_manifest {
	char run_id[UUID_TEXT];
	char zip[6];
	char kind[16];  /* full, incremental */
	char state[16]; /* completed, incomplete */
	const char *source_url;
	const char *fhirline_version;
	const char *reconciliation; /* the verdict in words; NULL when there is none */
	int mapping_version;
	int64_t started_us, ended_us; /* INT64_MIN: unknown */
	int64_t watermark_us;  /* the source is known to be here whole up to then; INT64_MIN: it is
	                          not, or the manifest is of a version that did not say so */
	int64_t swept_us;      /* the database's clock when the run's deletions were marked;
	                          INT64_MIN: not said */
	char after[UUID_TEXT]; /* the run of the zip code that ended before this one; "": none */
	struct land_object fates; /* name "": not written down. `lines` is not used */
	struct land_manifest_count counts[LAND_TYPES];

	struct land_manifest_object
	    *objects; /* filled by land_manifest_read(); not looked at when writing */
	size_t object_count;
	struct land_manifest_object *csv; /* likewise: rows as CSV; `lines` is how many rows */
	size_t csv_count;
};

/* "zip=02139/run=…/manifest.json" */
void land_manifest_name(char out[160], const char *zip, const char *run_id);

/* "zip=02139/run=…/fates.json" */
void land_fates_name(char out[160], const char *zip, const char *run_id);

void land_manifest_begin(struct buf *b, const struct land_manifest *m); /* all but the objects */
void land_manifest_object(struct buf *b, enum land_manifest_type type, const struct land_object *o);
void land_manifest_begin_csv(struct buf *b); /* after the last object */
void land_manifest_csv(struct buf *b, enum land_manifest_type type, const struct land_object *o);
bool land_manifest_end(struct buf *b, struct err *err); /* ERR_LIMIT when it did not fit */

/* All of it, checked: version, kinds of values, object names that stay within the landing zone.
 * ERR_DATA otherwise. The caller frees it with land_manifest_free(). */
struct land_manifest *land_manifest_read(struct str json, struct err *err);
void land_manifest_free(struct land_manifest *m); /* only one that was read; NULL is fine */

#endif
