/* SPDX-License-Identifier: Apache-2.0
 *
 * fault.h: the fault script: which request is answered wrongly, and how. docs/FAULTS.md is its
 * manual.
 *
 *   # one rule a line
 *   on observation request 3: status 503 retry-after 1
 *   on patient page 2: cut after 500
 *   on any every 7 times 3: delay 200, reset
 *
 * A rule counts the requests that its words describe; request N, every N, from N and always say
 * which of them it hits, and without one of those it hits the first. The faults of all rules that
 * hit a request are joined; of the same fault the later line's value counts.
 */
#ifndef FHIRLINE_SANDBOX_FAULT_H
#define FHIRLINE_SANDBOX_FAULT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

#define FAULT_RULES_MAX 1000
#define FAULT_SCRIPT_MAX 1000000 /* bytes */

/* What a request is; several at once. */
enum request_class {
	CLASS_PATIENT = 1 << 0,
	CLASS_OBSERVATION = 1 << 1,
	CLASS_SEARCH = 1 << 2, /* a search's first page or a later one, counts not included */
	CLASS_PAGE = 1 << 3,   /* a later page, by _getpages */
	CLASS_COUNT = 1 << 4,  /* _summary=count */
	CLASS_HISTORY = 1 << 5,
	CLASS_METADATA = 1 << 6,
	CLASS_READ = 1 << 7,  /* by id */
	CLASS_WRITE = 1 << 8, /* POST, PUT, DELETE of a resource */
};

enum fault_kind {
	FAULT_STATUS,
	FAULT_RETRY_AFTER,
	FAULT_RETRY_AFTER_DATE,
	FAULT_HTML,
	FAULT_EMPTY,
	FAULT_DELAY,
	FAULT_CUT,
	FAULT_RESET,
	FAULT_DRIP,
	FAULT_WRONG_LENGTH,
	FAULT_INVALID_JSON,
	FAULT_BAD_GZIP,
	FAULT_SAME_NEXT,
	FAULT_LOST_NEXT,
	FAULT_FOREIGN_NEXT,
	FAULT_STALE_TOTAL,
	FAULT_EXPIRE_PAGING,
	FAULT_DUPLICATE,
	FAULT_SILENT_CAP,
	FAULT_DELETE_BETWEEN,
	FAULT_CHANGE_BETWEEN,
	FAULT_TOKEN_EXPIRY,
	FAULT_CLOCK_SKEW,
	FAULT_NOT_FHIR,
	FAULT_OUTCOME_ENTRY,
	FAULT_OTHER_TYPE,
	FAULT_MISSING_ENTRY,
	FAULT_HUGE_NOTE,
	FAULT_BAD_UTF8,
	FAULT_KINDS,
};

/* What is to be done to one response. */
struct fault {
	uint64_t set; /* bit k: fault_kind k */
	int64_t value[FAULT_KINDS];
	int64_t per_ms; /* of FAULT_DRIP */
};

static inline bool fault_has(const struct fault *f, enum fault_kind k)
{
	return f->set >> k & 1;
}

struct fault_script;

/* NULL with ERR_USAGE and the line's number when the script has a mistake. Free it. */
struct fault_script *fault_script_parse(struct str text, struct err *err);
void fault_script_free(struct fault_script *s);

/* Counts this request in all rules and joins what hits it. `page` is 1 for the first page of a
 * search, 0 when the request is none. Not locked. NULL script: nothing. */
void fault_script_match(struct fault_script *s, unsigned classes, uint64_t page, struct fault *out);

/* "status,retry-after": names, for the request log. */
void fault_names(const struct fault *f, struct buf *out);

#endif
