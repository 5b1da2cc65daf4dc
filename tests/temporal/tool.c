/* SPDX-License-Identifier: Apache-2.0
 *
 * tool COMMAND ARGUMENT…; prints one JSON object, or "CODE: text" on standard error and exits 1.
 *
 *   check                                 start ID TYPE QUEUE INPUT [MEMO] [use]
 *   describe ID                           signal ID NAME INPUT [TIMES]
 *   query ID NAME                         cancel ID REASON       terminate ID REASON
 *   result ID RUN|- SECONDS               history ID             worker QUEUE
 *   save ID RUN|- FILE                    replay FILE
 *   schedule ID TYPE QUEUE INPUT MS [allow]   schedules PAGE
 *   schedule-do ID pause|resume|run|delete
 *
 * Settings come from TOOL_ADDRESS, TOOL_NAMESPACE, TOOL_CA, TOOL_CERT, TOOL_KEY, TOOL_SERVER_NAME,
 * TOOL_API_KEY, TOOL_PAYLOAD_KEY, TOOL_BUILD_ID, TOOL_THREADS, TOOL_RATE, TOOL_DRAIN_MS,
 * TOOL_RETRIES; TOOL_ZIP is the search attribute Zip.
 */
#include "tool.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "temporal/replay.h"
#include "temporal/schedule.h"

#define NEED(n)                                                                                    \
	if (argc < (n))                                                                            \
	return err_set(err, ERR_USAGE, "tool", "too few arguments")

static int number_of(const char *name)
{
	int64_t n = 0;

	str_int(str_of(getenv(name)), 0, 1000000, &n);
	return (int)n;
}

static struct temporal_payloads input_of(struct temporal_payload *p, const char *text)
{
	*p = temporal_json(str_of(text));
	return (struct temporal_payloads){p, 1};
}

/* The first payload, as JSON. */
static void add_payload(struct buf *out, const char *key, struct temporal_payloads list)
{
	struct err err;
	struct str json;

	if (!temporal_payload_json(list, 0, &json, &err))
		json = STR("\"?\"");
	buf_printf(out, ",\"%s\":%.*s", key, STR_FMT(json));
}

static void add_failure(struct buf *out, const char *key, const struct temporal_failure *f)
{
	struct buf text = BUF_INIT(10000);

	if (!f)
		return;
	temporal_failure_text(f, &text);
	buf_printf(out, ",\"%s\":", key);
	buf_add_json(out, (struct str){text.p, text.n});
	f = temporal_failure_root(f);
	buf_printf(out, ",\"%s_type\":", key);
	buf_add_json(out, f->type.p ? f->type : STR(""));
	buf_free(&text);
}

/* ---- commands ---- */

static bool do_check(struct temporal *t, int argc, char **argv, struct buf *out, struct err *err)
{
	char version[64];

	(void)argc;
	(void)argv;
	if (!temporal_check(t, version, sizeof version, err))
		return false;
	buf_printf(out, "{\"version\":\"%s\"}", version);
	return true;
}

static bool do_start(struct temporal *t, int argc, char **argv, struct buf *out, struct err *err)
{
	struct temporal_started started;
	struct temporal_payload p;
	struct temporal_field memo = {STR("note"), temporal_json(str_of(argc > 4 ? argv[4] : ""))};
	const char *zip = getenv("TOOL_ZIP");
	struct temporal_pair keyword = {STR("type"), STR("Keyword")};
	struct temporal_field search = {STR("Zip"), temporal_json(str_of(zip))};
	struct temporal_start s = {0};

	NEED(4);
	search.value.meta = &keyword;
	search.value.n_meta = 1;
	if (zip)
		s.search = (struct temporal_fields){&search, 1};
	s.workflow_id = argv[0];
	s.type = argv[1];
	s.task_queue = argv[2];
	s.input = input_of(&p, argv[3]);
	if (argc > 4)
		s.memo = (struct temporal_fields){&memo, 1};
	if (argc > 5)
		s.conflict = TEMPORAL_CONFLICT_USE;
	if (!temporal_workflow_start(t, &s, &started, err))
		return false;
	buf_printf(out, "{\"run_id\":\"%s\",\"started\":%s}", started.run_id,
	           started.started ? "true" : "false");
	return true;
}

static bool do_describe(struct temporal *t, int argc, char **argv, struct buf *out, struct err *err)
{
	struct arena arena = ARENA_INIT(64 << 20);
	struct temporal_description d;
	bool ok;

	NEED(1);
	ok = temporal_workflow_describe(t, &(struct temporal_id){argv[0], NULL}, &arena, &d, err);
	if (ok) {
		buf_printf(out, "{\"status\":\"%s\",\"events\":%lld,\"type\":\"%.*s\"",
		           temporal_status_name(d.status), (long long)d.events, STR_FMT(d.type));
		if (d.memo.n)
			buf_printf(out, ",\"memo\":%.*s", STR_FMT(d.memo.at[0].value.data));
		for (size_t i = 0; i < d.search.n; i++)
			if (str_is(d.search.at[i].name, "Zip"))
				buf_printf(out, ",\"zip\":%.*s",
				           STR_FMT(d.search.at[i].value.data));
		if (d.n_pending) {
			buf_printf(out, ",\"attempt\":%d", d.pending[0].attempt);
			add_payload(out, "heartbeat", d.pending[0].heartbeat);
			add_failure(out, "failure", d.pending[0].last_failure);
		}
		buf_lit(out, "}");
	}
	arena_free(&arena);
	return ok;
}

static bool do_signal(struct temporal *t, int argc, char **argv, struct buf *out, struct err *err)
{
	struct temporal_id id = {argc > 0 ? argv[0] : NULL, NULL};
	struct temporal_payload p;
	int64_t times = 1;
	bool ok = true;

	NEED(3);
	if (argc > 3)
		str_int(str_of(argv[3]), 1, 100000, &times);
	for (int64_t i = 0; ok && i < times; i++)
		ok = temporal_workflow_signal(t, &id, argv[1], input_of(&p, argv[2]), err);
	buf_lit(out, "{}");
	return ok;
}

static bool do_query(struct temporal *t, int argc, char **argv, struct buf *out, struct err *err)
{
	struct arena arena = ARENA_INIT(64 << 20);
	struct temporal_payloads answer;
	bool ok;

	NEED(2);
	ok = temporal_workflow_query(t, &(struct temporal_id){argv[0], NULL}, argv[1],
	                             TEMPORAL_NO_PAYLOADS, &arena, &answer, err);
	if (ok) {
		buf_lit(out, "{\"ok\":true");
		add_payload(out, "answer", answer);
		buf_lit(out, "}");
	}
	arena_free(&arena);
	return ok;
}

static bool do_cancel(struct temporal *t, int argc, char **argv, struct buf *out, struct err *err)
{
	NEED(2);
	buf_lit(out, "{}");
	return temporal_workflow_cancel(t, &(struct temporal_id){argv[0], NULL}, argv[1], err);
}

static bool do_terminate(struct temporal *t, int argc, char **argv, struct buf *out,
                         struct err *err)
{
	NEED(2);
	buf_lit(out, "{}");
	return temporal_workflow_terminate(t, &(struct temporal_id){argv[0], NULL}, argv[1], err);
}

static bool do_result(struct temporal *t, int argc, char **argv, struct buf *out, struct err *err)
{
	struct arena arena = ARENA_INIT(64 << 20);
	struct temporal_result r;
	int64_t seconds = 60;
	bool ok;

	NEED(3);
	str_int(str_of(argv[2]), 0, 600, &seconds);
	ok = temporal_workflow_result(
	    t, &(struct temporal_id){argv[0], strcmp(argv[1], "-") ? argv[1] : NULL},
	    seconds * 1000, &arena, &r, err);
	if (ok) {
		buf_printf(out, "{\"status\":\"%s\",\"run_id\":\"%s\"",
		           temporal_status_name(r.status), r.run_id);
		add_payload(out, "result", r.result);
		add_failure(out, "failure", r.failure);
		if (r.reason.p)
			buf_printf(out, ",\"reason\":\"%.*s\"", STR_FMT(r.reason));
		buf_lit(out, "}");
	}
	arena_free(&arena);
	return ok;
}

struct counted {
	struct buf *out;
	int64_t n;
	int by_type[64];
};

static bool count_event(void *ctx, const struct temporal_event *e, struct err *err)
{
	struct counted *c = ctx;

	if (e->id != ++c->n)
		return err_set(err, ERR_DATA, "tool", "event %lld is the %lldth", (long long)e->id,
		               (long long)c->n);
	if ((int)e->type >= 0 && (int)e->type < 64)
		c->by_type[e->type]++;
	return true;
}

static bool do_history(struct temporal *t, int argc, char **argv, struct buf *out, struct err *err)
{
	struct counted c = {.out = out};

	NEED(1);
	if (!temporal_workflow_history(t, &(struct temporal_id){argv[0], NULL}, count_event, &c,
	                               err))
		return false;
	buf_printf(out, "{\"events\":%lld", (long long)c.n);
	for (int i = 0; i < 64; i++)
		if (c.by_type[i])
			buf_printf(out, ",\"%d\":%d", i, c.by_type[i]);
	buf_lit(out, "}");
	return true;
}

/* ---- the worker ---- */

static void on_notice(void *ctx, enum temporal_notice what, const char *name, const struct err *err)
{
	static const char *const names[] = {"poll failed", "task failed", "activity failed",
	                                    "answer lost"};

	(void)ctx;
	fprintf(stderr, "%s: %s: %s: %s\n", names[what], name, err_code_name(err->code), err->text);
}

static bool do_save(struct temporal *t, int argc, char **argv, struct buf *out, struct err *err)
{
	struct buf history = BUF_INIT(64 << 20);
	struct temporal_id id = {argv[0], NULL};
	FILE *f;
	bool ok;

	NEED(3);
	id.run_id = strcmp(argv[1], "-") ? argv[1] : NULL;
	ok = temporal_history_save(t, &id, &history, err);
	f = ok ? fopen(argv[2], "wb") : NULL;
	if (ok && (!f || fwrite(history.p, 1, history.n, f) != history.n))
		ok = err_set(err, ERR_IO, "tool", "cannot write %s", argv[2]);
	if (f && fclose(f) && ok)
		ok = err_set(err, ERR_IO, "tool", "cannot write %s", argv[2]);
	buf_printf(out, "{\"bytes\":%zu}", history.n);
	buf_free(&history);
	return ok;
}

static bool do_replay(struct temporal *t, int argc, char **argv, struct buf *out, struct err *err)
{
	struct temporal_replayed seen;
	struct buf history = BUF_INIT(64 << 20);
	char piece[65536];
	size_t n;
	FILE *f;
	bool ok;

	(void)t;
	NEED(1);
	f = fopen(argv[0], "rb");
	while (f && (n = fread(piece, 1, sizeof piece, f)))
		buf_add(&history, piece, n);
	if (f)
		fclose(f);
	ok = temporal_replay((struct str){history.p ? history.p : "", history.n}, tool_workflows,
	                     tool_n_workflows, &seen, err);
	buf_printf(out, "{\"events\":%lld,\"tasks\":%lld,\"commands\":%lld}",
	           (long long)seen.events, (long long)seen.tasks, (long long)seen.commands);
	buf_free(&history);
	return ok;
}

static bool do_schedule(struct temporal *t, int argc, char **argv, struct buf *out, struct err *err)
{
	struct temporal_payload p;
	struct temporal_schedule s = {.id = argv[0]};

	NEED(5);
	s.interval_ms = strtol(argv[4], NULL, 10);
	s.overlap = argc > 5 ? TEMPORAL_OVERLAP_ALLOW_ALL : 0;
	s.start = (struct temporal_start){.workflow_id = argv[0],
	                                  .type = argv[1],
	                                  .task_queue = argv[2],
	                                  .input = input_of(&p, argv[3])};
	buf_lit(out, "{}");
	return temporal_schedule_create(t, &s, err);
}

static bool do_schedule_do(struct temporal *t, int argc, char **argv, struct buf *out,
                           struct err *err)
{
	NEED(2);
	buf_lit(out, "{}");
	if (strcmp(argv[1], "delete") == 0)
		return temporal_schedule_delete(t, argv[0], err);
	if (strcmp(argv[1], "run") == 0)
		return temporal_schedule_trigger(t, argv[0], err);
	return temporal_schedule_pause(t, argv[0], strcmp(argv[1], "pause") == 0, NULL, err);
}

static bool add_schedule(void *ctx, const struct temporal_scheduled *s, struct err *err)
{
	struct buf *out = ctx;

	(void)err;
	buf_printf(out, "%s\"%.*s\":%s", out->n > 1 ? "," : "", STR_FMT(s->id),
	           s->paused ? "true" : "false");
	return true;
}

static bool do_schedules(struct temporal *t, int argc, char **argv, struct buf *out,
                         struct err *err)
{
	NEED(1);
	buf_lit(out, "{");
	if (!temporal_schedules_list(t, (int)strtol(argv[0], NULL, 10), add_schedule, out, err))
		return false;
	buf_lit(out, "}");
	return true;
}

int tool_worker(struct temporal *t, const char *queue, const sigset_t *term)
{
	struct temporal_worker_options o = {
	    .task_queue = queue,
	    .build_id = getenv("TOOL_BUILD_ID"),
	    .workflows = tool_workflows,
	    .n_workflows = tool_n_workflows,
	    .activities = tool_activities,
	    .n_activities = tool_n_activities,
	    .activity_threads = number_of("TOOL_THREADS"),
	    .queue_per_second = number_of("TOOL_RATE"),
	    .drain_ms = number_of("TOOL_DRAIN_MS"),
	    .notice = on_notice,
	};
	struct temporal_worker_stats s;
	enum temporal_wait state = TEMPORAL_WAIT_RUNNING;
	struct temporal_worker *w;
	struct timespec tick = {0, 100 * 1000000};
	struct err err = {0};

	w = temporal_worker_start(t, &o, &err);
	if (!w) {
		fprintf(stderr, "%s: %s\n", err_code_name(err.code), err.text);
		return 1;
	}
	fprintf(stderr, "ready\n");
	while (state == TEMPORAL_WAIT_RUNNING) {
		if (sigtimedwait(term, NULL, &tick) == SIGTERM) {
			fprintf(stderr, "draining\n");
			temporal_worker_drain(w);
		}
		state = temporal_worker_wait(w, 0, &err);
	}
	temporal_worker_stats(w, &s);
	printf("{\"tasks\":%lld,\"tasks_failed\":%lld,\"queries\":%lld,\"activities\":%lld,"
	       "\"activities_failed\":%lld,\"activities_cancelled\":%lld,\"heartbeats\":%lld,"
	       "\"answers_lost\":%lld,\"polls\":%lld,\"poll_errors\":%lld,\"running\":%d}\n",
	       (long long)s.tasks, (long long)s.tasks_failed, (long long)s.queries,
	       (long long)s.activities, (long long)s.activities_failed,
	       (long long)s.activities_cancelled, (long long)s.heartbeats,
	       (long long)s.answers_lost, (long long)s.polls, (long long)s.poll_errors, s.running);
	temporal_worker_free(w);
	if (state == TEMPORAL_WAIT_ENDED)
		return 0;
	fprintf(stderr, "%s: %s\n", err_code_name(err.code), err.text);
	return 1;
}

static const struct {
	const char *name;
	bool (*run)(struct temporal *t, int argc, char **argv, struct buf *out, struct err *err);
} commands[] = {
    {"check", do_check},
    {"start", do_start},
    {"describe", do_describe},
    {"signal", do_signal},
    {"query", do_query},
    {"cancel", do_cancel},
    {"result", do_result},
    {"terminate", do_terminate},
    {"history", do_history},
    {"schedule", do_schedule},
    {"schedule-do", do_schedule_do},
    {"schedules", do_schedules},
    {"save", do_save},
    {"replay", do_replay},
};

static int run_command(struct temporal *t, int argc, char **argv)
{
	struct buf out = BUF_INIT(1 << 20);
	struct err err = {0};
	bool ok = err_set(&err, ERR_USAGE, "tool", "unknown command");

	for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
		if (!strcmp(commands[i].name, argv[1]))
			ok = commands[i].run(t, argc - 2, argv + 2, &out, &err);
	if (ok)
		printf("%s\n", out.p ? out.p : "{}");
	else
		fprintf(stderr, "%s: %s\n", err_code_name(err.code), err.text);
	buf_free(&out);
	return ok ? 0 : 1;
}

int main(int argc, char **argv)
{
	struct temporal_options o = {
	    .address = getenv("TOOL_ADDRESS"),
	    .name_space = getenv("TOOL_NAMESPACE"),
	    .ca_file = getenv("TOOL_CA"),
	    .cert_file = getenv("TOOL_CERT"),
	    .key_file = getenv("TOOL_KEY"),
	    .server_name = getenv("TOOL_SERVER_NAME"),
	    .api_key = getenv("TOOL_API_KEY"),
	};
	struct temporal_cipher *cipher = NULL;
	struct err err = {0};
	sigset_t term;
	struct temporal *t;
	int code;

	/* before temporal_open(): gRPC's threads begin there, and one that did not block the signal
	 * would be killed by it whenever main is not in sigtimedwait() */
	sigemptyset(&term);
	sigaddset(&term, SIGTERM);
	sigprocmask(SIG_BLOCK, &term, NULL);
	if (getenv("TOOL_RETRIES"))
		o.retry = (struct retry_policy){number_of("TOOL_RETRIES"), 50, 1000, 60000, 1000};
	if (getenv("TOOL_PAYLOAD_KEY"))
		o.cipher = cipher = temporal_cipher_new(getenv("TOOL_PAYLOAD_KEY"), &err);
	t = argc > 1 && !err.code ? temporal_open(&o, &err) : NULL;
	if (!t) {
		fprintf(stderr, "%s: %s\n", err_code_name(err.code), err.text);
		return 2;
	}
	if (argc > 2 && !strcmp(argv[1], "worker"))
		code = tool_worker(t, argv[2], &term);
	else
		code = run_command(t, argc, argv);
	temporal_close(t);
	temporal_cipher_free(cipher);
	return code;
}
