/* SPDX-License-Identifier: Apache-2.0 */
#include "fhir/auth_token.h"

#include <openssl/crypto.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/thread.h"

enum {
	LEAD_MAX_MS = 60 * 1000, /* renew so long before the end, or a fifth of the life */
	RETRY_MS = 5 * 1000,     /* after an early renewal failed */
	CANCEL_LOOK_MS = 200,    /* how often a waiting thread looks at its cancel flag */
};

struct holder {
	const struct auth_maker *maker;
	void *self;
	const struct clock *clock;
	pthread_mutex_t lock; /* guards all below */
	pthread_cond_t changed;
	struct buf text;
	uint64_t generation; /* of `text`; 0: none was ever there */
	int64_t renew_at_ms, ends_at_ms;
	bool renewing;
	uint64_t attempts;  /* renewals that have ended */
	struct err failure; /* of the last one, when it failed */
};

static void token_wipe(struct buf *text)
{
	if (text->p)
		OPENSSL_cleanse(text->p, text->cap);
	buf_free(text);
}

static void install(struct holder *h, struct auth_token *token)
{
	int64_t life = token->life_s * 1000, lead = life / 5 < LEAD_MAX_MS ? life / 5 : LEAD_MAX_MS;
	int64_t now = clock_mono_ms(h->clock);

	token_wipe(&h->text);
	h->text = token->text;
	h->generation++;
	h->ends_at_ms = now + life;
	h->renew_at_ms = h->ends_at_ms - lead;
}

static bool is_good(const struct holder *h)
{
	return h->text.n && clock_mono_ms(h->clock) < h->ends_at_ms;
}

/* Under the lock, which it gives up meanwhile. */
static bool fetch(struct holder *h, const atomic_bool *cancel, struct err *err)
{
	struct auth_token token = {.text = BUF_INIT(AUTH_TOKEN_MAX)};
	bool ok;

	h->renewing = true;
	pthread_mutex_unlock(&h->lock);
	ok = h->maker->fetch(h->self, cancel, &token, err);
	pthread_mutex_lock(&h->lock);
	h->renewing = false;
	h->attempts++;
	if (ok) {
		install(h, &token);
	} else {
		token_wipe(&token.text);
		h->failure = *err;
		h->renew_at_ms = clock_mono_ms(h->clock) + RETRY_MS;
	}
	pthread_cond_broadcast(&h->changed);
	return ok;
}

static void wait_a_little(struct holder *h)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	t.tv_nsec += CANCEL_LOOK_MS * 1000000L;
	if (t.tv_nsec >= 1000000000L) {
		t.tv_nsec -= 1000000000L;
		t.tv_sec++;
	}
	pthread_cond_timedwait(&h->changed, &h->lock, &t);
}

/* Under the lock: returns when the token is another than that of `seen`. */
static bool replace(struct holder *h, uint64_t seen, const atomic_bool *cancel, struct err *err)
{
	uint64_t attempt;

	while (h->generation == seen) {
		if (!h->renewing)
			return fetch(h, cancel, err);
		attempt = h->attempts;
		while (h->renewing && h->attempts == attempt) {
			if (cancel && atomic_load(cancel))
				return err_set(err, ERR_CANCELLED, "auth.token",
				               "cancelled while waiting for a token");
			wait_a_little(h);
		}
		/* Its failure is ours, unless it was that thread's own cancellation. */
		if (h->generation == seen && h->failure.code != ERR_CANCELLED) {
			*err = h->failure;
			return false;
		}
	}
	return true;
}

static bool token_header(void *self, const atomic_bool *cancel, struct buf *header,
                         uint64_t *generation, struct err *err)
{
	struct holder *h = self;
	struct err early;
	bool ok = true;

	pthread_mutex_lock(&h->lock);
	if (!is_good(h))
		ok = replace(h, h->generation, cancel, err);
	else if (!h->renewing && clock_mono_ms(h->clock) >= h->renew_at_ms)
		fetch(h, cancel, &early); /* the old one is still good if this fails */
	if (ok) {
		*generation = h->generation;
		ok = (buf_lit(header, "Authorization: Bearer ") &&
		      buf_add(header, h->text.p, h->text.n)) ||
		     err_set(err, ERR_NOMEM, "auth.token", "out of memory");
	}
	pthread_mutex_unlock(&h->lock);
	return ok;
}

static bool token_renew(void *self, uint64_t generation, const atomic_bool *cancel, struct err *err)
{
	struct holder *h = self;
	bool ok;

	pthread_mutex_lock(&h->lock);
	ok = replace(h, generation, cancel, err);
	pthread_mutex_unlock(&h->lock);
	return ok;
}

static void token_free(void *self)
{
	struct holder *h = self;

	h->maker->free(h->self);
	token_wipe(&h->text);
	pthread_cond_destroy(&h->changed);
	pthread_mutex_destroy(&h->lock);
	free(h);
}

static const struct fhir_auth_ops token_ops = {
    .header = token_header, .renew = token_renew, .free = token_free};

struct fhir_auth *auth_token_new(const struct auth_maker *maker, void *self,
                                 const struct clock *clock, struct err *err)
{
	struct holder *h = calloc(1, sizeof *h);

	if (!h) {
		maker->free(self);
		err_set(err, ERR_NOMEM, "auth.new", "out of memory");
		return NULL;
	}
	h->maker = maker;
	h->self = self;
	h->clock = clock ? clock : &clock_system;
	h->text = BUF_INIT(AUTH_TOKEN_MAX);
	pthread_mutex_init(&h->lock, NULL);
	thread_cond_init(&h->changed);
	return fhir_auth_new(&token_ops, h, err);
}
