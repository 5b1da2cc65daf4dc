/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/report.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

const char *report_number(int64_t n, char out[REPORT_TEXT])
{
	char digits[24];
	int length = snprintf(digits, sizeof digits, "%" PRId64, n), at = 0;

	for (int i = 0; i < length; i++) {
		out[at++] = digits[i];
		if (digits[i] != '-' && i + 1 < length && (length - i - 1) % 3 == 0)
			out[at++] = ',';
	}
	out[at] = '\0';
	return out;
}

const char *report_duration(int64_t ms, char out[REPORT_TEXT])
{
	int64_t s = ms / 1000;

	if (ms < 10000)
		snprintf(out, REPORT_TEXT, "%" PRId64 ".%" PRId64 " s", s, ms % 1000 / 100);
	else if (s < 60)
		snprintf(out, REPORT_TEXT, "%" PRId64 " s", s);
	else if (s < 3600)
		snprintf(out, REPORT_TEXT, "%" PRId64 " min %" PRId64 " s", s / 60, s % 60);
	else
		snprintf(out, REPORT_TEXT, "%" PRId64 " h %" PRId64 " min", s / 3600, s / 60 % 60);
	return out;
}

/* ---- progress ---- */

#define PACE_MS 1000    /* shortest time between two measurements */
#define PACE_WEIGHT 0.3 /* of the newest */

static void measure(struct report_pace *pace, int64_t observations, int64_t now_ms)
{
	int64_t elapsed = now_ms - pace->last_ms;
	double rate;

	if (pace->last_ms && elapsed < PACE_MS)
		return;
	if (pace->last_ms && observations >= pace->last_observations) {
		rate = (double)(observations - pace->last_observations) * 1000 / (double)elapsed;
		pace->rate = pace->rate > 0 ? pace->rate + PACE_WEIGHT * (rate - pace->rate) : rate;
	}
	pace->last_ms = now_ms;
	pace->last_observations = observations;
}

/* Share of the work that is done, 0 … 1; negative: not known yet. */
static double share_done(const struct flow_run_view *run)
{
	int64_t whole = run->observation.expected;

	if (whole > 0 && run->observation.fetched <= whole)
		return (double)run->observation.fetched / (double)whole;
	if (run->patients_known > 0)
		return (double)run->patients_read / (double)run->patients_known;
	return -1;
}

static void add_bar(struct buf *out, double share, int cells)
{
	int full = (int)(share * cells);

	buf_lit(out, "[");
	for (int i = 0; i < cells; i++)
		buf_add_char(out, i < full ? '#' : '.');
	buf_printf(out, "] %3d %%  ", (int)(share * 100));
}

static void add_counts(struct buf *out, const struct report_pace *pace,
                       const struct flow_run_view *run, double share)
{
	char a[REPORT_TEXT], b[REPORT_TEXT], c[REPORT_TEXT], d[REPORT_TEXT];
	int64_t known = run->patient.expected > run->patients_known ? run->patient.expected
	                                                            : run->patients_known;
	int64_t left = run->observation.expected - run->observation.fetched;
	/* its objects are not those of groups of patients */
	bool replay = strcmp(run->kind, "replay") == 0;

	buf_printf(out, "%s of %s patients  %s observations  %s/s",
	           report_number(replay ? run->patient.staged : run->patients_read, a),
	           report_number(known, b), report_number(run->observation.fetched, c),
	           report_number((int64_t)pace->rate, d));
	if (share >= 0 && share < 1 && pace->rate >= 1 && left > 0)
		buf_printf(out, "  %s left",
		           report_duration((int64_t)((double)left / pace->rate * 1000), a));
}

void report_progress(struct buf *out, struct report_pace *pace, const struct flow_run_view *run,
                     int64_t now_ms, int width)
{
	double share = share_done(run);
	size_t start = out->n, used;

	measure(pace, run->observation.fetched, now_ms);
	buf_printf(out, "%s  ", run->zip);
	if (strcmp(run->phase, "look") == 0 || strcmp(run->state, "pending") == 0) {
		buf_lit(out, "looking at the source");
		return;
	}
	if (width >= 100 && share >= 0)
		add_bar(out, share, width - 90 > 24 ? 24 : width - 90);
	add_counts(out, pace, run, share);
	if (strcmp(run->phase, "read") != 0)
		buf_printf(out, "  %s", run->phase);
	used = out->n - start;
	/* a line that wraps could not be drawn over */
	if (width > 0 && used > (size_t)width - 1 && out->p) {
		out->n = start + (size_t)width - 1;
		out->p[out->n] = '\0';
	}
}

/* ---- the end ---- */

static const struct {
	const char *name;
	size_t offset;
	bool always; /* a column of the table even when all zero */
} columns[] = {
    {"expected", offsetof(struct flow_count, expected), true},
    {"fetched", offsetof(struct flow_count, fetched), true},
    {"landed", offsetof(struct flow_count, landed), true},
    {"staged", offsetof(struct flow_count, staged), true},
    {"inserted", offsetof(struct flow_count, inserted), true},
    {"updated", offsetof(struct flow_count, updated), true},
    {"unchanged", offsetof(struct flow_count, unchanged), true},
    {"deleted", offsetof(struct flow_count, deleted), false},
    {"rejected", offsetof(struct flow_count, rejected), true},
    {"duplicates", offsetof(struct flow_count, duplicates), false},
    {"moved", offsetof(struct flow_count, moved), false},
    {"elsewhere", offsetof(struct flow_count, elsewhere), false},
    {"missing", offsetof(struct flow_count, missing), false},
};
#define COLUMNS (sizeof columns / sizeof columns[0])

static int64_t cell(const struct flow_count *count, size_t column)
{
	int64_t n;

	memcpy(&n, (const char *)count + columns[column].offset, sizeof n);
	return n;
}

static void add_row(struct buf *out, const char *type, const struct flow_count *count,
                    const bool *shown)
{
	char text[REPORT_TEXT];

	buf_printf(out, "  %-12s", type);
	for (size_t i = 0; i < COLUMNS; i++)
		if (shown[i])
			buf_printf(out, "%12s",
			           cell(count, i) < 0 ? "-" : report_number(cell(count, i), text));
	buf_lit(out, "\n");
}

int64_t report_took_ms(const struct flow_run_view *run)
{
	bool known = run->ended_us != INT64_MIN && run->started_us != INT64_MIN;

	return known && run->ended_us > run->started_us ? (run->ended_us - run->started_us) / 1000
	                                                : 0;
}

void report_table(struct buf *out, const struct flow_run_view *run)
{
	bool shown[COLUMNS];
	char took[REPORT_TEXT];

	if (run->ended_us == INT64_MIN)
		buf_printf(out, "%s %s, phase %s (%s, run %s)\n", run->zip, run->state, run->phase,
		           run->kind, run->id);
	else
		buf_printf(out, "%s %s in %s (%s, run %s)\n", run->zip, run->state,
		           report_duration(report_took_ms(run), took), run->kind, run->id);
	buf_printf(out, "  %-12s", "");
	for (size_t i = 0; i < COLUMNS; i++) {
		shown[i] = columns[i].always || cell(&run->patient, i) > 0 ||
		           cell(&run->observation, i) > 0;
		if (shown[i])
			buf_printf(out, "%12s", columns[i].name);
	}
	buf_lit(out, "\n");
	add_row(out, "Patient", &run->patient, shown);
	add_row(out, "Observation", &run->observation, shown);
	if (run->reconciliation[0])
		buf_printf(out, "  %s\n", run->reconciliation);
	if (run->error[0])
		buf_printf(out, "  %s: %s\n", run->error_code, run->error);
}

static void add_json_counts(struct buf *out, const char *type, const struct flow_count *count)
{
	buf_printf(out, ",\"%s\":{", type);
	for (size_t i = 0; i < COLUMNS; i++) {
		buf_printf(out, "%s\"%s\":", i ? "," : "", columns[i].name);
		if (cell(count, i) < 0)
			buf_lit(out, "null");
		else
			buf_printf(out, "%" PRId64, cell(count, i));
	}
	buf_lit(out, "}");
}

static void add_json_error(struct buf *out, const char *code, const char *text)
{
	buf_lit(out, ",\"error\":");
	if (!*text) {
		buf_lit(out, "null}\n");
		return;
	}
	buf_lit(out, "{\"code\":");
	buf_add_json(out, str_of(code));
	buf_lit(out, ",\"text\":");
	buf_add_json(out, str_of(text));
	buf_lit(out, "}}\n");
}

static void add_json_time(struct buf *out, const char *name, int64_t us)
{
	char text[CLOCK_TEXT];

	if (us == INT64_MIN) {
		buf_printf(out, ",\"%s\":null", name);
		return;
	}
	clock_format(us, text);
	buf_printf(out, ",\"%s\":\"%s\"", name, text);
}

void report_json(struct buf *out, const struct flow_run_view *run)
{
	buf_printf(out, "{\"run_id\":\"%s\",\"zip\":\"%s\",\"state\":\"%s\",\"kind\":\"%s\"",
	           run->id, run->zip, run->state, run->kind);
	buf_printf(out, ",\"phase\":\"%s\",\"elapsed_ms\":%" PRId64, run->phase,
	           report_took_ms(run));
	add_json_time(out, "requested_at", run->requested_us);
	add_json_time(out, "started_at", run->started_us);
	add_json_time(out, "ended_at", run->ended_us);
	add_json_counts(out, "Patient", &run->patient);
	add_json_counts(out, "Observation", &run->observation);
	buf_lit(out, ",\"reconciliation\":");
	buf_add_json(out, str_of(run->reconciliation));
	add_json_error(out, run->error_code, run->error);
}

void report_json_failed(struct buf *out, const char *zip, const struct err *err)
{
	buf_printf(out, "{\"run_id\":null,\"zip\":\"%s\",\"state\":\"failed\"", zip);
	add_json_error(out, err_code_name(err->code), err->text);
}
