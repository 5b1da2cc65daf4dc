/* SPDX-License-Identifier: Apache-2.0
 *
 * The landing zone in an S3 bucket: objects of requests (s3_client.h). Nothing is visible under a
 * name until its PUT, or the request that completes its upload, has been answered; so there are no
 * temporary names, and what a writer that died leaves behind is an upload that nobody completes.
 */
#include "land/s3.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "land/s3_backend.h"
#include "land/s3_list.h"

bool s3_call_for_effect(struct s3_client *c, const struct s3_request *req, const int *fine,
                        struct err *err)
{
	struct s3_answer answer;

	if (!s3_call(c, req, fine, &answer, err))
		return false;
	s3_answer_free(&answer);
	return true;
}

const char *s3_name_of(const struct s3_client *c, const char *key)
{
	size_t n = strlen(s3_prefix(c));
	struct err not_ours;

	return strncmp(key, s3_prefix(c), n) == 0 && land_name_check(key + n, &not_ours) ? key + n
	                                                                                 : NULL;
}

/* ---- lists ---- */

struct told {
	struct s3_client *client;
	land_each each;
	void *ctx;
};

static bool tell(void *ctx, const struct s3_entry *e, struct err *err)
{
	struct told *t = ctx;
	const char *name = s3_name_of(t->client, e->key);

	return !name || t->each(t->ctx, name, e->size, err);
}

static bool s3_list(struct land_backend *b, const char *folder, land_each each, void *ctx,
                    struct err *err)
{
	struct told told = {s3_client_of(b), each, ctx};
	char start[S3_KEY_MAX];

	snprintf(start, sizeof start, "%s%s", folder, *folder ? "/" : "");
	return s3_each_object(told.client, start, tell, &told, err);
}

static bool s3_sweep(struct land_backend *b, const char *folder, struct err *err)
{
	char start[S3_KEY_MAX];

	atomic_store(&((struct s3_backend *)(void *)b)->root->swept, true);
	snprintf(start, sizeof start, "%s/", folder);
	return s3_end_uploads(s3_client_of(b), start, err);
}

/* ---- taking away ---- */

static bool s3_remove(struct land_backend *b, const char *name, struct err *err)
{
	static const int fine[] = {404, 0};
	struct s3_request req = {
	    .method = "DELETE", .name = name, .doing = "remove", .max_body = S3_XML_MAX};

	return s3_call_for_effect(s3_client_of(b), &req, fine, err);
}

static bool remove_listed(void *ctx, const char *name, int64_t size, struct err *err)
{
	(void)size;
	return s3_remove(ctx, name, err);
}

static bool s3_remove_folder(struct land_backend *b, const char *folder, struct err *err)
{
	return s3_sweep(b, folder, err) && s3_list(b, folder, remove_listed, b, err);
}

/* ---- opening ---- */

static void s3_close(struct land_backend *b)
{
	struct s3_backend *s = (struct s3_backend *)(void *)b;

	s3_client_free(s->client);
	free(s);
}

static struct land_backend *s3_view(struct land_backend *b, const atomic_bool *stop,
                                    struct err *err)
{
	struct s3_backend *view = calloc(1, sizeof *view);

	if (!view) {
		err_set(err, ERR_NOMEM, "land.open", "out of memory");
		return NULL;
	}
	view->base.ops = b->ops;
	view->root = ((struct s3_backend *)(void *)b)->root;
	view->client = s3_client_view(s3_client_of(b), stop, err);
	if (view->client)
		return &view->base;
	free(view);
	return NULL;
}

static void s3_wake(struct land_backend *b)
{
	s3_client_wake(s3_client_of(b));
}

static const struct land_backend_ops s3_ops = {
    .close = s3_close,
    .view = s3_view,
    .wake = s3_wake,
    .create = s3_create,
    .write = s3_write,
    .commit = s3_commit,
    .abort = s3_abort,
    .open = s3_open,
    .read = s3_read,
    .close_source = s3_close_source,
    .range = s3_range,
    .size = s3_size,
    .remove = s3_remove,
    .remove_folder = s3_remove_folder,
    .list = s3_list,
    .sweep = s3_sweep,
};

/* The one sure way to know whether it can be written is to write. Keys that may not delete can
 * still land: what is left is overwritten by the next try. */
static bool try_to_write(struct land_backend *b, struct err *err)
{
	static const char name[] = ".write-check.tmp";
	struct land_sink *s = s3_create(b, name, true, err);
	struct err ignored;

	if (!s || !s3_write(s, "x", 1, err)) {
		if (s)
			s3_abort(s);
		return false;
	}
	if (!s3_commit(s, err))
		return false;
	s3_remove(b, name, &ignored);
	return true;
}

struct land_backend *land_s3_open(const char *place, const struct land_s3_options *options,
                                  struct err *err)
{
	struct s3_backend *s = calloc(1, sizeof *s);

	if (!s) {
		err_set(err, ERR_NOMEM, "land.open", "out of memory");
		return NULL;
	}
	s->base.ops = &s3_ops;
	s->root = s;
	s->client = s3_client_new(place, options, err);
	if (!s->client) {
		free(s);
		return NULL;
	}
	if (try_to_write(&s->base, err))
		return &s->base;
	s3_close(&s->base);
	return NULL;
}
