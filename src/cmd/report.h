/* SPDX-License-Identifier: Apache-2.0
 *
 * report.h: a run in words and numbers for whoever started it: a progress line, the table of
 * numbers, and the JSON object of --json. Pure text: nothing is read, nothing is logged.
 */
#ifndef FHIRLINE_CMD_REPORT_H
#define FHIRLINE_CMD_REPORT_H

#include "base/buf.h"
#include "flow/flow.h"

/* What is shown at an instant; `rate` and `eta_ms` are kept over calls of report_progress(). */
struct report_pace {
	int64_t last_ms; /* monotonic; 0: never */
	int64_t last_observations;
	double rate; /* observations a second, smoothed over some seconds */
};

/* "02139  1,234 of 5,678 patients   567,890 observations   12,345/s   2 min 5 s left", with a bar
 * when `width` (columns) leaves room for one; 0: no bar. At most `width` columns when it is not 0.
 */
void report_progress(struct buf *out, struct report_pace *pace, const struct flow_run_view *run,
                     int64_t now_ms, int width);

/* The table of numbers that add up, with what the reconciliation says. */
void report_table(struct buf *out, const struct flow_run_view *run);

/* From start to end; 0 when it has not ended. */
int64_t report_took_ms(const struct flow_run_view *run);

/* One line, ending in a newline: {"run_id", "zip", "state", "kind", "phase", "elapsed_ms",
 * "requested_at", "started_at", "ended_at" (null: not yet), "Patient": {"expected", …},
 * "Observation": {…}, "reconciliation", "error": {"code", "text"} or null}. `expected` is null when
 * the server gave none. */
void report_json(struct buf *out, const struct flow_run_view *run);

/* The same shape for a run that did not come to be: no id, no numbers. */
void report_json_failed(struct buf *out, const char *zip, const struct err *err);

/* "1,234,567"; "2 min 5 s". Into `out`, which they return. */
#define REPORT_TEXT 40
const char *report_number(int64_t n, char out[REPORT_TEXT]);
const char *report_duration(int64_t ms, char out[REPORT_TEXT]);

#endif
