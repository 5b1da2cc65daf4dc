/* SPDX-License-Identifier: Apache-2.0
 *
 * overlay.h: what was written since the start: new versions, deletions and new resources, laid over
 * the generated population.
 *
 * Every write appends a version with the next sequence number. A search remembers the number that
 * was the last when it began, and asks for the state as of then; so its pages fit together however
 * much is written meanwhile. Memory is bounded by `max_bytes`.
 *
 * Not locked: service.h says who may call when.
 */
#ifndef FHIRLINE_SANDBOX_OVERLAY_H
#define FHIRLINE_SANDBOX_OVERLAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "sandbox/generate.h"
#include "sandbox/population.h"

#define OVERLAY_NOBODY UINT32_MAX  /* an observation without a patient that we know */
#define OVERLAY_CREATED UINT32_MAX /* the index of an observation that churn did not generate */

enum overlay_kind {
	OVERLAY_GENERATED, /* by generate.h from `revision` */
	OVERLAY_STORED,    /* the bytes that were sent, with our id and meta */
	OVERLAY_DELETED,
};

struct overlay_version {
	uint64_t seq;
	enum overlay_kind kind;
	struct revision revision;
	uint32_t patient; /* the subject of an observation; the patient itself */
	char *body;       /* OVERLAY_STORED */
	size_t body_bytes;
	struct postal_codes *codes; /* patients: as of this version; NULL when deleted */
};

/* A resource that was touched. */
struct overlay_entry {
	enum resource_type type;
	char *id;
	uint32_t patient; /* whose it was at first; a patient's own number */
	uint32_t index;   /* of a generated observation, or OVERLAY_CREATED */
	uint64_t order;   /* creation, for a stable order */
	bool base;        /* part of the population: version 1 is not in `versions` */
	uint32_t n;
	uint32_t cap;
	struct overlay_version *versions; /* oldest first */
};

/* The touched observations of one patient: generated ones by index, then created ones in order. */
struct overlay_patient {
	struct overlay_entry *self; /* NULL while the patient itself is untouched */
	struct overlay_entry **observations;
	uint32_t n;
	uint32_t cap;
	uint32_t nbase; /* how many of them are this patient's part of the population */
};

struct overlay_log { /* one write; the whole history of a type is read backwards from here */
	struct overlay_entry *entry;
	uint32_t version; /* index into entry->versions */
};

struct overlay {
	const struct population *pop;
	uint64_t seq;    /* of the last write; 0 before the first */
	int64_t last_us; /* its instant: instants never go back, except where a test says so */
	uint64_t orders;
	uint64_t next_id; /* for resources that a client created without an id */
	size_t bytes;
	size_t max_bytes;
	struct overlay_entry **table; /* open addressing, by type and id */
	size_t table_cap;
	size_t entries;
	struct overlay_patient **patients; /* by number; NULL when untouched */
	uint32_t npatients;                /* population's and created ones */
	uint32_t patients_cap;
	struct overlay_patient nobody; /* observations without a patient */
	struct overlay_log *log[2];    /* by type */
	size_t nlog[2];
	size_t log_cap[2];
};

bool overlay_init(struct overlay *o, const struct population *pop, size_t max_bytes,
                  struct err *err);
void overlay_free(struct overlay *o);

struct overlay_entry *overlay_find(const struct overlay *o, enum resource_type type, struct str id);
const struct overlay_patient *overlay_patient(const struct overlay *o, uint32_t patient);

/* The patient of this id, whether generated or created (deleted ones too), or OVERLAY_NOBODY. */
uint32_t overlay_patient_number(const struct overlay *o, struct str id);

/* The version as of `seq`, or NULL: then the base version stands if entry->base, else there is
 * nothing yet. */
const struct overlay_version *overlay_version_at(const struct overlay_entry *e, uint64_t seq);

/* Versions of the resource so far, the base version included. */
uint32_t overlay_version_count(const struct overlay_entry *e);

struct overlay_write {
	enum resource_type type;
	enum overlay_kind kind;
	int64_t instant;  /* lastUpdated */
	uint32_t version; /* 0: one more than the last */
	/* OVERLAY_GENERATED: which, and how */
	uint32_t patient;
	uint32_t index;
	bool move;
	/* OVERLAY_STORED: its JSON, compact or not; id NULL: one is made */
	struct str json;
	struct str id; /* for OVERLAY_DELETED too */
};

/* Appends a version. OVERLAY_GENERATED with an index past the population's creates an observation.
 * ERR_DATA: not JSON, another resourceType; ERR_LIMIT: max_bytes; ERR_NOT_FOUND: deleting what
 * never was. */
bool overlay_write(struct overlay *o, const struct overlay_write *w, struct overlay_entry **out,
                   struct err *err);

/* The JSON of a version (compact), appended; `base` is the server's base URL. False: out of room.
 */
bool overlay_render(const struct overlay *o, const struct overlay_entry *e,
                    const struct overlay_version *v, int64_t shift_us, struct str base,
                    struct buf *out);

#endif
