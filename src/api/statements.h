/* SPDX-License-Identifier: Apache-2.0
 *
 * statements.h: the SQL that the API runs, one name each; the text is sql/<file>.sql, whose first
 * lines tell parameters and columns.
 */
#ifndef FHIRLINE_API_STATEMENTS_H
#define FHIRLINE_API_STATEMENTS_H

#include "api/columns.h"
#include "api/pool.h"
#include "base/arena.h"

enum statement {
	STATEMENT_CURSOR_KEY,
	STATEMENT_PATIENT_GET,
	STATEMENT_PATIENT_LIST,
	STATEMENT_PATIENT_BY_ZIP,
	STATEMENT_PATIENT_BY_FIRST_NAME,
	STATEMENT_PATIENT_BY_LAST_NAME,
	STATEMENT_PATIENT_SEARCH,
	STATEMENT_OBSERVATION_GET,
	STATEMENT_OBSERVATION_LIST,
	STATEMENT_OBSERVATION_BY_PATIENT,
	STATEMENT_OBSERVATION_BY_CODE,
	STATEMENT_ZIPCODE_GET,
	STATEMENT_ZIPCODE_LIST,
	STATEMENT_REJECTED_LIST,
	STATEMENT_RUN_COUNTS,
	STATEMENT_RUN_SHOW,
	STATEMENT_RUN_LIST,
	STATEMENT_RUN_REQUEST,
	STATEMENT_RUN_CANCEL,
	STATEMENT_RUN_RETRY,
	STATEMENTS,
};

/* The columns that its rows begin with; NULL: others (runs). */
const struct column_table *statement_columns(enum statement s);

/* Fills the table for the pool; texts live in the arena. */
bool statements_prepare(struct arena *arena, struct pool_statement out[STATEMENTS],
                        struct err *err);

#endif
