/* SPDX-License-Identifier: Apache-2.0
 *
 * pages.h: a history, page by page (the server's pages hold 256 events). Internal.
 */
#ifndef FHIRLINE_TEMPORAL_PAGES_H
#define FHIRLINE_TEMPORAL_PAGES_H

#include "temporal/conn.h"
#include "temporal/pb.h"

enum pages_want {
	PAGES_ALL, /* what is there now */
	PAGES_END  /* the last event, once it is there: an answer may have none yet, but a token */
};

#define PAGES_TOKEN_MAX (64 * 1024)

/* One page into `arena`; `token` (empty: the first) becomes that of the next; empty: there is none.
 * `timeout_ms` bounds the wait for PAGES_END; 0: the usual. */
bool pages_read(struct temporal *t, const struct temporal_id *id, enum pages_want want,
                int64_t timeout_ms, struct buf *token, struct arena *arena, const PbHistory **out,
                struct err *err);

/* The events of a page, one by one. */
bool pages_each(struct arena *arena, const PbHistory *page, temporal_event_fn fn, void *ctx,
                struct err *err);

#endif
