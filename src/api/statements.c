/* SPDX-License-Identifier: Apache-2.0 */
#include "api/statements.h"

#include "pg/conn.h"

enum { FAST = 0, SLOW = 1, WRITE = 2 };

static const struct {
	const char *file;
	const struct column_table *columns;
	int kind;
} table[STATEMENTS] = {
    [STATEMENT_CURSOR_KEY] = {"api_cursor_key", NULL, FAST},
    [STATEMENT_PATIENT_GET] = {"api_patient_get", &columns_patient, FAST},
    [STATEMENT_PATIENT_LIST] = {"api_patient_list", &columns_patient, FAST},
    [STATEMENT_PATIENT_BY_ZIP] = {"api_patient_by_zip", &columns_patient, SLOW},
    [STATEMENT_PATIENT_BY_FIRST_NAME] = {"api_patient_by_first_name", &columns_patient, SLOW},
    [STATEMENT_PATIENT_BY_LAST_NAME] = {"api_patient_by_last_name", &columns_patient, SLOW},
    [STATEMENT_PATIENT_SEARCH] = {"api_patient_search", &columns_patient, SLOW},
    [STATEMENT_OBSERVATION_GET] = {"api_observation_get", &columns_observation, FAST},
    [STATEMENT_OBSERVATION_LIST] = {"api_observation_list", &columns_observation, SLOW},
    [STATEMENT_OBSERVATION_BY_PATIENT] = {"api_observation_by_patient", &columns_observation, FAST},
    [STATEMENT_OBSERVATION_BY_CODE] = {"api_observation_by_code", &columns_observation, SLOW},
    [STATEMENT_ZIPCODE_GET] = {"api_zipcode_get", &columns_zipcode, FAST},
    [STATEMENT_ZIPCODE_LIST] = {"api_zipcode_list", &columns_zipcode, FAST},
    [STATEMENT_REJECTED_LIST] = {"api_rejected_list", &columns_rejected, SLOW},
    [STATEMENT_RUN_COUNTS] = {"api_run_counts", NULL, SLOW},
    [STATEMENT_RUN_SHOW] = {"flow_run_show", NULL, SLOW},
    [STATEMENT_RUN_LIST] = {"flow_run_list", NULL, SLOW},
    [STATEMENT_RUN_REQUEST] = {"flow_run_request", NULL, WRITE},
    [STATEMENT_RUN_CANCEL] = {"flow_run_cancel", NULL, WRITE},
    [STATEMENT_RUN_RETRY] = {"flow_run_retry", NULL, WRITE},
};

const struct column_table *statement_columns(enum statement s)
{
	return table[s].columns;
}

bool statements_prepare(struct arena *arena, struct pool_statement out[STATEMENTS], struct err *err)
{
	struct buf text = BUF_INIT(64 * 1024);
	bool ok = true;

	for (int i = 0; i < STATEMENTS && ok; i++) {
		struct str copy;

		buf_clear(&text);
		ok = columns_expand(&text, sql_get(table[i].file));
		copy = ok ? arena_str(arena, (struct str){text.p, text.n}) : STR_NONE;
		ok = copy.p != NULL;
		out[i] = (struct pool_statement){table[i].file, copy.p, table[i].kind == WRITE,
		                                 table[i].kind != FAST};
	}
	buf_free(&text);
	return ok || err_set(err, ERR_NOMEM, "api.statements", "out of memory");
}
