/* SPDX-License-Identifier: Apache-2.0
 *
 * decide.c: a workflow task from its poll to its answer: read the history, fold it, let the
 * workflow decide, send the commands and the answers to queries.
 */
#include <stdio.h>

#include "temporal/impl.h"
#include "temporal/pages.h"
#include "temporal/task.h"

typedef WS(PollWorkflowTaskQueueResponse) Polled;

#define QUERY_ANSWERED TEMPORAL__API__ENUMS__V1__QUERY_RESULT_TYPE__QUERY_RESULT_TYPE_ANSWERED
#define QUERY_FAILED TEMPORAL__API__ENUMS__V1__QUERY_RESULT_TYPE__QUERY_RESULT_TYPE_FAILED

static bool decide_poll(void *ctx, void **task, struct err *err)
{
	struct temporal_worker *w = ctx;
	WS(PollWorkflowTaskQueueRequest) r = WS_INIT(POLL_WORKFLOW_TASK_QUEUE_REQUEST);
	PbQueue queue = TEMPORAL__API__TASKQUEUE__V1__TASK_QUEUE__INIT;
	struct polled *p = NULL;

	queue.name = (char *)(uintptr_t)w->o.task_queue;
	queue.kind = TEMPORAL__API__ENUMS__V1__TASK_QUEUE_KIND__TASK_QUEUE_KIND_NORMAL;
	r.namespace_ = w->t->name_space;
	r.task_queue = &queue;
	r.identity = w->t->identity;
	r.deployment_options = worker_deployment(w);
	if (!worker_poll(w, "PollWorkflowTaskQueue", &r, WS_DESC(poll_workflow_task_queue_response),
	                 &p, err))
		return false;
	if (p && !((Polled *)p->answer)->task_token.len) { /* the long poll ended */
		polled_free(p);
		p = NULL;
	}
	*task = p;
	return true;
}

/* ---- history ---- */

struct folding {
	struct fold *fold;
	int64_t last; /* what came later is for the next task; 0: all */
};

static bool fold_one(void *ctx, const struct temporal_event *e, struct err *err)
{
	struct folding *f = ctx;

	return (f->last && e->id > f->last) || fold_event(f->fold, e, err);
}

static bool fold_pages(struct temporal_worker *w, const Polled *p, struct folding *f,
                       struct err *err)
{
	struct temporal_id id = {p->workflow_execution->workflow_id, p->workflow_execution->run_id};
	struct buf token = BUF_INIT(PAGES_TOKEN_MAX);
	struct arena arena = CONN_ARENA(w->t);
	const PbHistory *page = p->history;
	bool ok = false;

	buf_add(&token, p->next_page_token.data, p->next_page_token.len);
	if (!buf_ok(&token, "the token of a history page", err) ||
	    !pages_each(&arena, page, fold_one, f, err))
		goto out;
	while (token.n) {
		arena_reset(&arena);
		if (!pages_read(w->t, &id, PAGES_ALL, 0, &token, &arena, &page, err) ||
		    !pages_each(&arena, page, fold_one, f, err))
			goto out;
	}
	ok = true;
out:
	arena_free(&arena);
	buf_free(&token);
	return ok;
}

static bool read_history(struct temporal_worker *w, const Polled *p, struct temporal_task *task,
                         struct err *err)
{
	struct folding f = {&task->fold, p->query ? 0 : p->started_event_id};
	struct temporal_info *info = &task->fold.info;

	if (!p->workflow_execution || !p->workflow_type)
		return err_set(err, ERR_PROTOCOL, "temporal.task",
		               "the server sent a workflow task without its workflow");
	if (!fold_pages(w, p, &f, err))
		return false;
	if (f.last && info->events != f.last)
		return err_set(err, ERR_PROTOCOL, "temporal.task",
		               "history ends with event %lld, not with %lld",
		               (long long)info->events, (long long)f.last);
	info->workflow_id = str_of(p->workflow_execution->workflow_id);
	info->run_id = str_of(p->workflow_execution->run_id);
	if (!info->type.p)
		info->type = str_of(p->workflow_type->name);
	return true;
}

/* ---- the workflow ---- */

static const struct temporal_workflow *find_workflow(const struct temporal_worker *w,
                                                     const Polled *p)
{
	const char *type = p->workflow_type ? p->workflow_type->name : "";

	for (size_t i = 0; i < w->o.n_workflows; i++)
		if (str_is(str_of(type), w->o.workflows[i].type))
			return &w->o.workflows[i];
	return NULL;
}

static bool run_query(const struct temporal_workflow *workflow, struct temporal_task *task,
                      const Temporal__Api__Query__V1__WorkflowQuery *query,
                      struct temporal_payloads *answer, struct err *err)
{
	struct temporal_payloads args;

	if (!workflow->query)
		return err_set(err, ERR_USAGE, "temporal.query",
		               "this workflow answers no queries");
	if (!pb_payloads_to(&task->fold.arena, query->query_args, &args))
		return pb_full(&task->fold.arena, "temporal.query", err);
	task->reading = true;
	if (!workflow->query(task, query->query_type, args, answer, workflow->ctx, err))
		return false;
	if (task->failed)
		*err = task->err;
	return !task->failed;
}

/* ---- answers ---- */

static void answer_query(struct temporal_worker *w, const Polled *p,
                         const struct temporal_workflow *workflow, struct temporal_task *task,
                         bool ready, struct err *err)
{
	WS(RespondQueryTaskCompletedRequest) r = WS_INIT(RESPOND_QUERY_TASK_COMPLETED_REQUEST);
	struct temporal_payloads answer = TEMPORAL_NO_PAYLOADS;
	struct arena *arena = &task->fold.arena;
	bool ok = ready && run_query(workflow, task, p->query, &answer, err);

	atomic_fetch_add(&w->counts.queries, 1);
	if (ok && !pb_payloads_of(arena, answer, &r.query_result))
		ok = pb_full(arena, "temporal.query", err);
	r.namespace_ = w->t->name_space;
	r.task_token = p->task_token;
	r.completed_type = ok ? QUERY_ANSWERED : QUERY_FAILED;
	if (!ok)
		r.error_message = err->text;
	worker_answer(w, "RespondQueryTaskCompleted", &r,
	              WS_DESC(respond_query_task_completed_response), "query", err);
}

typedef WS(RespondWorkflowTaskCompletedRequest__QueryResultsEntry) QueryEntry;
typedef Temporal__Api__Query__V1__WorkflowQueryResult QueryResult;

static QueryEntry *query_entry(const struct temporal_workflow *workflow, struct temporal_task *task,
                               const WS(PollWorkflowTaskQueueResponse__QueriesEntry) * asked)
{
	struct arena *arena = &task->fold.arena;
	struct temporal_payloads answer = TEMPORAL_NO_PAYLOADS;
	struct err err = {0};
	QueryEntry *e = PB_NEW(
	    arena, QueryEntry,
	    temporal__api__workflowservice__v1__respond_workflow_task_completed_request__query_results_entry);
	QueryResult *result =
	    PB_NEW(arena, QueryResult, temporal__api__query__v1__workflow_query_result);
	bool ok;

	if (!e || !result || !asked->value || !(e->key = pb_text(arena, str_of(asked->key))))
		return NULL;
	ok = run_query(workflow, task, asked->value, &answer, &err);
	if (ok && !pb_payloads_of(arena, answer, &result->answer))
		return NULL;
	result->result_type = ok ? QUERY_ANSWERED : QUERY_FAILED;
	if (!ok && !(result->error_message = pb_text(arena, str_of(err.text))))
		return NULL;
	e->value = result;
	return e;
}

/* Queries that came along: answered from what is known behind the decision. */
static bool query_results(const Polled *p, const struct temporal_workflow *workflow,
                          struct temporal_task *task, QueryEntry ***out, struct err *err)
{
	QueryEntry **entries = arena_array(&task->fold.arena, p->n_queries + 1, sizeof *entries);

	for (size_t i = 0; entries && i < p->n_queries; i++) {
		/* a query that breaks the rules must not break the task */
		task->failed = false;
		entries[i] = query_entry(workflow, task, p->queries[i]);
		if (!entries[i])
			entries = NULL;
	}
	*out = entries;
	return entries || pb_full(&task->fold.arena, "temporal.query", err);
}

static void answer_failed(struct temporal_worker *w, const Polled *p, const char *name,
                          const struct err *why)
{
	atomic_fetch_add(&w->counts.tasks_failed, 1);
	worker_notice(w, TEMPORAL_TASK_FAILED, name, why);
	refusals_add(w, p->task_token, p->attempt, name, why);
}

static void answer_completed(struct temporal_worker *w, const Polled *p, const char *name,
                             struct temporal_task *task, QueryEntry **queries)
{
	WS(RespondWorkflowTaskCompletedRequest)
	r = WS_INIT(RESPOND_WORKFLOW_TASK_COMPLETED_REQUEST);
	/* what shows the build in history; the deployment alone does not for unversioned workers */
	Temporal__Api__Common__V1__WorkerVersionStamp stamp =
	    TEMPORAL__API__COMMON__V1__WORKER_VERSION_STAMP__INIT;
	struct err err = {0};

	r.namespace_ = w->t->name_space;
	r.identity = w->t->identity;
	r.task_token = p->task_token;
	r.deployment_options = worker_deployment(w);
	if (w->has_deployment) {
		stamp.build_id = w->deployment.build_id;
		r.worker_version_stamp = &stamp;
	}
	r.commands = task->commands;
	r.n_commands = task->n_commands;
	r.query_results = queries;
	r.n_query_results = p->n_queries;
	atomic_fetch_add(&w->counts.tasks, 1);
	atomic_fetch_add(&w->counts.queries, (long long)p->n_queries);
	/* UnhandledCommand (something happened meanwhile) and a task that timed out come again by
	 * themselves; what is too large to be sent would come again for ever, unexplained */
	if (!worker_answer(w, "RespondWorkflowTaskCompleted", &r,
	                   WS_DESC(respond_workflow_task_completed_response), name, &err) &&
	    err.code == ERR_LIMIT)
		answer_failed(w, p, name, &err);
}

static void decide_task(struct temporal_worker *w, const Polled *p)
{
	const struct temporal_workflow *workflow = find_workflow(w, p);
	const char *name = p->workflow_type ? p->workflow_type->name : "?";
	struct temporal_task task;
	QueryEntry **queries = NULL;
	struct err err = {0};
	bool ok;

	task_init(&task, w->o.max_history);
	if (!workflow)
		ok = err_set(&err, ERR_NOT_FOUND, "temporal.task",
		             "this worker has no workflow type %s", name);
	else
		ok = read_history(w, p, &task, &err);
	if (p->query)
		answer_query(w, p, workflow, &task, ok, &err);
	else if (ok && task_decide(&task, workflow, &err) &&
	         query_results(p, workflow, &task, &queries, &err))
		answer_completed(w, p, name, &task, queries);
	else
		answer_failed(w, p, name, &err);
	task_free(&task);
}

static void decide_run(void *ctx, void *task)
{
	struct polled *p = task;

	decide_task(ctx, p->answer);
	polled_free(p);
}

static bool decide_failed(void *ctx, const struct err *err, int attempts)
{
	return worker_poll_failed(ctx, "workflow", err, attempts);
}

static int64_t decide_pause_ms(void *ctx, const struct err *err, int attempts, struct rng *rng)
{
	(void)ctx;
	return worker_pause_ms(err, attempts, rng);
}

const struct lane_ops decide_ops = {decide_poll, decide_run, decide_failed, decide_pause_ms};
