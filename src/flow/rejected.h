/* SPDX-License-Identifier: Apache-2.0
 *
 * rejected.h: resources that could not be mapped: a list of them, and mapping them again from the
 * landing zone once the mapping has learnt it. docs/REJECTED.md is the page for people.
 */
#ifndef FHIRLINE_FLOW_REJECTED_H
#define FHIRLINE_FLOW_REJECTED_H

#include <stdatomic.h>

#include "base/clock.h"
#include "base/hash.h"
#include "land/land.h"
#include "pg/conn.h"

struct rejected {
	int64_t id;
	char run_id[UUID_TEXT];
	char zip[6];
	char type[16];        /* Patient, Observation */
	char resource_id[65]; /* "": it has no usable one */
	char reason[512];
	char pointer[512]; /* JSON pointer */
	char object[160];
	int64_t line; /* of the object, from 1 */
	int64_t rejected_us;
	int64_t replayed_us; /* INT64_MIN: not yet */
};

struct rejected_filter {
	const char *run_id, *zip; /* NULL: any */
};

/* Newest first, at most `limit`. The caller frees *out. */
bool rejected_list(struct pg_conn *c, const struct rejected_filter *filter, int limit,
                   struct rejected **out, size_t *n, struct err *err);
/* ERR_NOT_FOUND: no such number. */
bool rejected_get(struct pg_conn *c, int64_t id, struct rejected *out, struct err *err);

struct rejected_count {
	int64_t replayed;   /* rows inserted or updated */
	int64_t older;      /* nothing to do: the table has it, or a newer version, or it is gone */
	int64_t rejected;   /* still; their reasons are those of today */
	int64_t unreadable; /* their landed object is gone or damaged */
	char trouble[256];  /* about the first of these; "": none */
};

/* Maps what is rejected and not yet replayed, up to a thousand lines a transaction, and marks what
 * was taken. May be stopped (ERR_CANCELLED) or killed at any time and called again; several at once
 * take turns, so nothing is done twice. `*count` is true up to where it came, also on failure. */
bool rejected_replay(struct pg_conn *c, struct land *land, const struct clock *clock,
                     const struct rejected_filter *filter, const atomic_bool *stop,
                     struct rejected_count *count, struct err *err);

#endif
