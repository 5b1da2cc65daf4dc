/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/watch.h"

#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/log.h"
#include "cmd/command.h"
#include "cmd/interrupt.h"
#include "cmd/report.h"

#define DRAW_MS 200       /* on a terminal */
#define LOOK_MS 100       /* elsewhere */
#define LINE_MS 10000     /* between lines, elsewhere */
#define PATIENCE_MS 60000 /* how long the database may be away while we look */

static bool ended(const struct flow_run_view *run)
{
	return strcmp(run->state, "pending") != 0 && strcmp(run->state, "running") != 0;
}

static int terminal_width(void)
{
	struct winsize size;

	return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 20 ? size.ws_col : 80;
}

struct watch {
	struct report_pace pace;
	int64_t line_ms;       /* when the last plain line was written */
	int64_t away_since_ms; /* the database has not answered since; 0: it does */
};

static void draw(struct watch *w, const struct flow_run_view *run, int64_t now_ms)
{
	bool terminal = log_has_terminal();
	struct buf b = BUF_INIT(1024);

	report_progress(&b, &w->pace, run, now_ms, terminal ? terminal_width() : 0);
	if (terminal) {
		log_status(b.p);
	} else if (now_ms - w->line_ms >= LINE_MS) {
		w->line_ms = now_ms;
		log_info("progress", LOG_STR("zip", run->zip), LOG_STR("phase", run->phase),
		         LOG_INT("patients", run->patients_read),
		         LOG_INT("patients_known", run->patients_known),
		         LOG_INT("observations", run->observation.fetched),
		         LOG_INT("per_second", w->pace.rate));
	}
	buf_free(&b);
}

/* Looks once. False: the database has been away for too long, or an error that waiting will not
 * mend. */
static bool look(struct pg_conn *conn, struct watch *w, const char *run_id,
                 struct flow_run_view *run, bool *seen, struct err *err)
{
	int64_t now_ms = clock_mono_ms(&clock_system);

	*seen = pg_conn_ready(conn, err) && flow_run_view(conn, run_id, run, err);
	if (*seen) {
		w->away_since_ms = 0;
		return true;
	}
	if (!w->away_since_ms) {
		w->away_since_ms = now_ms;
		log_err(LOG_WARN, "the database does not answer; still trying", err);
	}
	return err->retryable && now_ms - w->away_since_ms < PATIENCE_MS;
}

bool watch_run(struct pg_conn *conn, const char *run_id, const atomic_bool *over,
               struct flow_run_view *run, struct err *err)
{
	struct watch w = {.line_ms = clock_mono_ms(&clock_system)};
	bool seen, last;

	for (;;) {
		last = over && atomic_load(over); /* before looking: what it did last is seen */
		if (!look(conn, &w, run_id, run, &seen, err))
			return false;
		if (seen && ended(run))
			return true;
		if (interrupted())
			return err_set(err, ERR_CANCELLED, "watch", "interrupted");
		if (last)
			return err_set(err, ERR_NOT_FOUND, "watch", "run %s has not ended", run_id);
		if (seen)
			draw(&w, run, clock_mono_ms(&clock_system));
		interrupt_sleep(log_has_terminal() ? DRAW_MS : LOOK_MS);
	}
}

int watch_exit_code(const struct flow_run_view *run)
{
	if (strcmp(run->state, "incomplete") == 0)
		return COMMAND_INCOMPLETE;
	if (strcmp(run->state, "completed") != 0)
		return COMMAND_FAILED;
	return run->patient.rejected || run->observation.rejected ? COMMAND_INCOMPLETE : COMMAND_OK;
}
