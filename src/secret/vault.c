/* SPDX-License-Identifier: Apache-2.0
 *
 * Two locks: `io` is held while Vault is spoken to, so that there is one login and one reading of a
 * path at a time; `lock` guards the items and is held for moments only, so that secret_get() of
 * what is known never waits for the network. Taken in that order. `login` belongs to who has `io`.
 * Items are never removed before the end: a pointer to one stays good.
 */
#include "secret/vault.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/locked.h"
#include "base/thread.h"
#include "secret/item.h"
#include "secret/vault_login.h"

enum { RETRY_MIN_MS = 500, RETRY_MAX_MS = 30000, REFUSED_WAIT_MS = 2000, ITEMS_MAX = 64 };

struct vault {
	struct vault_http *http;
	struct vault_login login;
	int64_t refresh_ms;
	void (*note)(void *ctx, bool bad, const char *text);
	void *note_ctx;
	pthread_mutex_t io, lock;
	pthread_cond_t wake; /* with `lock` */
	pthread_t thread;
	bool started, stop;
	struct item *items;
	int count;
	bool token_bad; /* the last renewal failed: said once */
};

static int64_t now_ms(void)
{
	return clock_mono_ms(&clock_system);
}

static void note(const struct vault *v, bool bad, const char *text)
{
	if (v->note)
		v->note(v->note_ctx, bad, text);
}

/* ---- items ---- */

static struct item *find(struct vault *v, const char *path)
{
	struct item *i;

	pthread_mutex_lock(&v->lock);
	for (i = v->items; i && strcmp(i->path, path) != 0; i = i->next)
		;
	pthread_mutex_unlock(&v->lock);
	return i;
}

/* The next time: of a lease at two thirds, of a value after the refresh. */
static void set_times(const struct vault *v, struct item *i, int64_t lease_s)
{
	int64_t now = now_ms();

	i->failures = 0;
	i->read_ms = now;
	if (!i->lease_id || lease_s <= 0) {
		i->ends_ms = INT64_MAX;
		i->due_ms = now + v->refresh_ms;
		return;
	}
	i->ends_ms = now + lease_s * 1000;
	i->due_ms = now + lease_s * 1000 / 3 * 2;
}

static bool take_answer(struct vault *v, struct item *i, yyjson_val *root, struct err *err)
{
	struct str lease = vault_str(root, "lease_id");
	yyjson_val *data = yyjson_obj_get(root, "data");
	char *lease_id = NULL;
	bool ok;

	if (lease.n)
		lease_id = str_dup(lease);
	else if (strstr(i->path, "/data/"))
		data = yyjson_obj_get(data, "data");
	if (lease.n && !lease_id)
		return err_set(err, ERR_NOMEM, "vault", "out of memory");
	if (!yyjson_is_obj(data)) {
		free(lease_id);
		return err_set(err, ERR_NOT_FOUND, "vault",
		               "%s: the answer is no secret of a KV version 2 engine; was it "
		               "deleted, or is the engine another one?",
		               i->path);
	}
	pthread_mutex_lock(&v->lock);
	ok = item_take(i, data, err);
	if (ok) {
		free(i->lease_id);
		i->lease_id = lease_id;
		i->renewable = vault_bool(root, "renewable");
		i->lease_ms = vault_int(root, "lease_duration") * 1000;
		set_times(v, i, vault_int(root, "lease_duration"));
	} else {
		free(lease_id);
	}
	pthread_mutex_unlock(&v->lock);
	return ok;
}

/* Leases end with the token under which they were made. */
static void renew_leases(struct vault *v)
{
	pthread_mutex_lock(&v->lock);
	for (struct item *i = v->items; i; i = i->next)
		if (i->lease_id) {
			i->due_ms = now_ms();
			i->renewable = false;
		}
	pthread_mutex_unlock(&v->lock);
}

/* With `io`. A token that was revoked looks like a path that is forbidden: one more login tells. */
static bool fetch(struct vault *v, struct item *i, bool once, struct err *err)
{
	char what[600];
	struct vault_request req = {.method = "GET", .path = i->path, .what = what, .once = once};
	struct vault_answer a = {0};
	bool ok, login = vault_login_possible(&v->login);
	struct err first;

	snprintf(what, sizeof what, "reading %s from Vault", i->path);
	req.token = v->login.token;
	ok = vault_http_call(v->http, &req, &a, err);
	if (!ok && err->code == ERR_FORBIDDEN && login) {
		first = *err;
		if (!vault_login_do(&v->login, v->http, once, err))
			return false;
		renew_leases(v);
		req.token = v->login.token;
		ok = vault_http_call(v->http, &req, &a, err);
		if (!ok && err->code == ERR_FORBIDDEN)
			*err = first;
	}
	ok = ok && take_answer(v, i, a.root, err);
	vault_answer_free(&a);
	return ok;
}

/* With `io`. False: get new credentials instead, or, with *err retryable, try again. */
static bool renew_lease(struct vault *v, struct item *i, struct err *err)
{
	struct buf body = BUF_INIT(4096);
	struct vault_request req = {.method = "POST",
	                            .path = "sys/leases/renew",
	                            .token = v->login.token,
	                            .what = "renewing a lease",
	                            .once = true};
	struct vault_answer a = {0};
	int64_t lease_s;
	bool ok;

	buf_lit(&body, "{\"lease_id\":");
	buf_add_json(&body, str_of(i->lease_id));
	buf_printf(&body, ",\"increment\":%lld}", (long long)(i->lease_ms / 1000));
	req.body = (struct str){body.p, body.n};
	ok = buf_ok(&body, "a lease's id", err) && vault_http_call(v->http, &req, &a, err);
	if (ok) {
		lease_s = vault_int(a.root, "lease_duration");
		pthread_mutex_lock(&v->lock);
		/* near its maximum it gets less: the next time is for new credentials */
		i->renewable = vault_bool(a.root, "renewable") && lease_s * 1000 > i->lease_ms / 2;
		set_times(v, i, lease_s);
		pthread_mutex_unlock(&v->lock);
	}
	vault_answer_free(&a);
	buf_free(&body);
	return ok;
}

/* ---- the thread ---- */

static void say(const struct vault *v, const struct item *i, const struct err *err)
{
	char text[700];

	snprintf(text, sizeof text, "%s; %s", err->text,
	         i->lease_id ? "the credentials that are there serve until their lease ends"
	                     : "the value read last is used on");
	note(v, true, text);
}

static int64_t retry_wait(const struct item *i, int64_t now)
{
	int64_t wait = (int64_t)RETRY_MIN_MS << (i->failures < 7 ? i->failures : 7);

	/* several times before it ends */
	if (i->ends_ms != INT64_MAX && i->ends_ms > now && wait > (i->ends_ms - now) / 4)
		wait = (i->ends_ms - now) / 4;
	wait = wait < RETRY_MAX_MS ? wait : RETRY_MAX_MS;
	return wait > RETRY_MIN_MS ? wait : RETRY_MIN_MS;
}

static void look_after(struct vault *v, struct item *i)
{
	struct err err = {0};
	uint64_t before = i->version;
	char text[600];
	bool ok, lease;

	pthread_mutex_lock(&v->io);
	lease = i->lease_id && i->renewable && i->ends_ms > now_ms();
	ok = lease && renew_lease(v, i, &err);
	if (!ok && (!lease || !err.retryable))
		ok = fetch(v, i, true, &err);
	pthread_mutex_unlock(&v->io);
	if (ok) {
		if (i->version != before) {
			snprintf(text, sizeof text, "%s has changed in Vault: the new one is used",
			         i->path);
			note(v, false, text);
		}
		return;
	}
	if (!i->failures && err.code != ERR_CANCELLED)
		say(v, i, &err);
	pthread_mutex_lock(&v->lock);
	i->due_ms = now_ms() + retry_wait(i, now_ms());
	i->failures++;
	pthread_mutex_unlock(&v->lock);
}

static void look_after_token(struct vault *v)
{
	struct err err = {0};
	bool again = false, ok;
	int64_t now;

	pthread_mutex_lock(&v->io);
	ok = vault_login_renew(&v->login, v->http, &again, &err);
	now = now_ms();
	if (!ok) {
		int64_t left = v->login.ends_ms > now ? (v->login.ends_ms - now) / 4 : RETRY_MAX_MS;

		left = left < RETRY_MAX_MS ? left : RETRY_MAX_MS;
		v->login.due_ms = now + (left > RETRY_MIN_MS ? left : RETRY_MIN_MS);
	}
	pthread_mutex_unlock(&v->io);
	if (again)
		renew_leases(v);
	if (!ok && !v->token_bad && err.code != ERR_CANCELLED)
		note(v, true, err.text);
	v->token_bad = !ok;
}

/* What is due first, and when. With `lock`. */
static struct item *next_due(struct vault *v, int64_t *due)
{
	struct item *first = NULL;

	*due = INT64_MAX;
	for (struct item *i = v->items; i; i = i->next)
		if (i->version && i->due_ms < *due) {
			*due = i->due_ms;
			first = i;
		}
	return first;
}

static void wait_until(struct vault *v, int64_t ms)
{
	struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};

	if (ms > now_ms() + 3600000)
		t.tv_sec = now_ms() / 1000 + 3600;
	pthread_cond_timedwait(&v->wake, &v->lock, &t);
}

static void *thread_main(void *arg)
{
	struct vault *v = arg;

	pthread_mutex_lock(&v->lock);
	while (!v->stop) {
		int64_t due, token_due = v->login.due_ms, now = now_ms();
		struct item *i = next_due(v, &due);

		if (token_due > now && due > now) {
			wait_until(v, due < token_due ? due : token_due);
			continue;
		}
		pthread_mutex_unlock(&v->lock);
		/* without a token nothing else works */
		if (token_due <= now)
			look_after_token(v);
		else
			look_after(v, i);
		pthread_mutex_lock(&v->lock);
	}
	pthread_mutex_unlock(&v->lock);
	return NULL;
}

static bool start_thread(struct vault *v, struct err *err)
{
	int rc = thread_start(&v->thread, thread_main, v);

	v->started = rc == 0;
	return rc == 0 || err_set_errno(err, ERR_INTERNAL, "vault", rc, "cannot start a thread");
}

/* ---- the store ---- */

/* Another thread may have read it while we waited for `io`. */
static struct item *read_first(struct vault *v, const char *path, struct err *err)
{
	struct item *i;

	pthread_mutex_lock(&v->io);
	i = find(v, path);
	if (i)
		goto done;
	if (v->count == ITEMS_MAX) {
		err_set(err, ERR_LIMIT, "vault", "more than %d paths of Vault", ITEMS_MAX);
		goto done;
	}
	i = item_new(path);
	if (!i) {
		err_set(err, ERR_NOMEM, "vault", "out of memory");
		goto done;
	}
	if (!fetch(v, i, false, err)) {
		item_free(i);
		i = NULL;
		goto done;
	}
	pthread_mutex_lock(&v->lock);
	i->next = v->items;
	v->items = i;
	v->count++;
	pthread_cond_signal(&v->wake);
	pthread_mutex_unlock(&v->lock);
done:
	pthread_mutex_unlock(&v->io);
	return i;
}

static bool copy_fields(struct item *i, const char *const *fields, struct buf *values, size_t n,
                        struct err *err)
{
	if (i->ends_ms <= now_ms())
		return err_set_retry(err, ERR_AUTH, "vault",
		                     "the lease of %s has ended and Vault gives no new "
		                     "credentials; see the log for why",
		                     i->path);
	for (size_t k = 0; k < n; k++) {
		const char *value = item_get(i, fields[k]);

		if (!value)
			return err_set(err, ERR_NOT_FOUND, "vault",
			               "%s has no field %.60s; write it, or correct what is behind "
			               "the # of the reference",
			               i->path, fields[k]);
		if (!buf_add_cstr(&values[k], value))
			return err_set(err, ERR_LIMIT, "vault", "%s: %.60s is too long", i->path,
			               fields[k]);
	}
	return true;
}

static bool vault_get(void *self, const char *path, const char *const *fields, struct buf *values,
                      size_t n, uint64_t *version, struct err *err)
{
	struct vault *v = self;
	struct item *i = find(v, path);
	bool ok;

	if (!i)
		i = read_first(v, path, err);
	if (!i)
		return false;
	pthread_mutex_lock(&v->lock);
	ok = copy_fields(i, fields, values, n, err);
	if (ok && version)
		*version = i->version;
	pthread_mutex_unlock(&v->lock);
	return ok;
}

static uint64_t vault_version(void *self, const char *path)
{
	struct vault *v = self;
	struct item *i = find(v, path);
	uint64_t version = 0;

	if (i) {
		pthread_mutex_lock(&v->lock);
		version = i->version;
		pthread_mutex_unlock(&v->lock);
	}
	return version;
}

static void vault_refused(void *self, const char *path, uint64_t version)
{
	struct vault *v = self;
	struct item *i = find(v, path);
	int64_t soon;

	if (!i)
		return;
	pthread_mutex_lock(&v->lock);
	/* who is refused asks again and again, and may be refused with every user there is */
	soon = now_ms() > i->read_ms + REFUSED_WAIT_MS ? now_ms() : i->read_ms + REFUSED_WAIT_MS;
	if (i->version == version && !i->failures && i->due_ms > soon) {
		i->due_ms = soon;
		i->renewable = false;
		pthread_cond_signal(&v->wake);
	}
	pthread_mutex_unlock(&v->lock);
}

static void vault_free(void *self)
{
	struct vault *v = self;

	pthread_mutex_lock(&v->lock);
	v->stop = true;
	pthread_cond_signal(&v->wake);
	pthread_mutex_unlock(&v->lock);
	if (v->started) {
		vault_http_stop(v->http, true);
		pthread_join(v->thread, NULL);
		vault_http_stop(v->http, false);
	}
	if (v->http)
		vault_login_end(&v->login, v->http);
	vault_login_free(&v->login);
	vault_http_free(v->http);
	for (struct item *i = v->items, *next; i; i = next) {
		next = i->next;
		item_free(i);
	}
	pthread_mutex_destroy(&v->io);
	pthread_mutex_destroy(&v->lock);
	pthread_cond_destroy(&v->wake);
	free(v);
}

static const struct secret_store_ops vault_ops = {
    .get = vault_get, .version = vault_version, .refused = vault_refused, .free = vault_free};

static struct vault *make(const struct vault_options *o)
{
	struct vault *v = calloc(1, sizeof *v);

	if (!v)
		return NULL;
	pthread_mutex_init(&v->io, NULL);
	pthread_mutex_init(&v->lock, NULL);
	thread_cond_init(&v->wake);
	v->refresh_ms = o->refresh_ms > 0 ? o->refresh_ms : 300000;
	v->note = o->note;
	v->note_ctx = o->note_ctx;
	return v;
}

struct secret_store *vault_open(const struct vault_options *o, struct err *err)
{
	struct vault *v = make(o);

	if (!v) {
		err_set(err, ERR_NOMEM, "vault", "out of memory");
		return NULL;
	}
	if (!vault_login_init(&v->login, o, err))
		goto failed;
	v->http = vault_http_new(o->addr, o->namespace_, o->ca_file, err);
	if (!v->http || !vault_login_do(&v->login, v->http, false, err) || !start_thread(v, err))
		goto failed;
	return secret_store_new(&vault_ops, v, err);
failed:
	vault_free(v);
	return NULL;
}
