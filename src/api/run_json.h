/* SPDX-License-Identifier: Apache-2.0
 *
 * run_json.h: a run as JSON, from the columns of sql/flow_run_show.sql and flow_run_list.sql.
 */
#ifndef FHIRLINE_API_RUN_JSON_H
#define FHIRLINE_API_RUN_JSON_H

#include <libpq-fe.h>
#include <stdint.h>

#include "base/buf.h"

void run_json(struct buf *out, const PGresult *result, int row);
void run_json_schema(struct buf *out);       /* "Run" */
void run_json_count_schema(struct buf *out); /* "RunCount" */

struct str run_state(const PGresult *result, int row);
struct str run_zip(const PGresult *result, int row);
struct str run_id(const PGresult *result, int row);
int64_t run_progress(const PGresult *result, int row);
int64_t run_ordinal(const PGresult *result, int row);

/* completed, incomplete, failed or cancelled. */
bool run_has_ended(struct str state);

#endif
