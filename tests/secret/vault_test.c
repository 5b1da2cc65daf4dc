/* SPDX-License-Identifier: Apache-2.0
 *
 * What the store does with Vault's answers; tests/vault has real servers.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/locked.h"
#include "secret/vault.h"
#include "support/fake_http.h"

struct server {
	struct fake *fake;
	atomic_int status; /* of reads; 0: fine */
	atomic_int value;  /* that is read */
	atomic_int reads, logins;
	const char *body; /* of a read that is not fine */
};

static void answer(struct fake *f, struct fake_request *r, void *ctx)
{
	struct server *s = ctx;
	char body[256];

	(void)f;
	if (strcmp(r->target, "/v1/auth/approle/login") == 0) {
		int n = atomic_fetch_add(&s->logins, 1) + 1;

		assert_non_null(strstr(r->body, "\"role_id\":\"role\""));
		assert_non_null(strstr(r->body, "\"secret_id\":\"canary-id\""));
		snprintf(body, sizeof body,
		         "{\"auth\":{\"client_token\":\"t%d\",\"lease_duration\":3600,"
		         "\"renewable\":true}}",
		         n);
		fake_reply_text(r, 200, "", body);
	} else if (strcmp(r->target, "/v1/secret/data/a") == 0) {
		atomic_fetch_add(&s->reads, 1);
		if (atomic_load(&s->status)) {
			fake_reply_text(r, atomic_load(&s->status), "", s->body ? s->body : "{}");
			return;
		}
		snprintf(body, sizeof body, "{\"data\":{\"data\":{\"p\":\"v%d\",\"n\":5}}}",
		         atomic_load(&s->value));
		fake_reply_text(r, 200, "", body);
	} else {
		fake_reply_text(r, 204, "", "");
	}
}

static struct secret_store *open_store(struct server *s)
{
	struct err err = {0};
	struct secret_store *store;
	struct vault_options o = {.auth = VAULT_AUTH_APPROLE,
	                          .role_id = "role",
	                          .secret_id = "canary-id",
	                          .refresh_ms = 1000};

	s->fake = fake_start(answer, s, false);
	o.addr = fake_url(s->fake);
	store = vault_open(&o, &err);
	assert_non_null(store);
	return store;
}

static bool get(struct secret_store *store, const char *field, char out[64], struct err *err)
{
	struct buf value = BUF_INIT(1024);
	bool ok = secret_get(store, "secret/data/a", &field, &value, 1, NULL, err);

	if (ok)
		snprintf(out, 64, "%s", value.p);
	buf_wipe(&value);
	return ok;
}

static void a_value_is_read_once_and_then_kept_current(void **state)
{
	struct server s = {0};
	struct secret_store *store = open_store(&s);
	struct err err = {0};
	char text[64];
	uint64_t version;

	(void)state;
	assert_int_equal(secret_version(store, "secret/data/a"), 0);
	assert_true(get(store, "p", text, &err));
	assert_string_equal(text, "v0");
	assert_true(get(store, "n", text, &err));
	assert_string_equal(text, "5");
	assert_false(get(store, "q", text, &err));
	assert_int_equal(err.code, ERR_NOT_FOUND);
	version = secret_version(store, "secret/data/a");
	atomic_store(&s.value, 1);
	secret_refused(store, "secret/data/a", version);
	for (int i = 0; i < 1000 && secret_version(store, "secret/data/a") == version; i++)
		clock_sleep_ms(20);
	assert_true(get(store, "p", text, &err));
	assert_string_equal(text, "v1");
	/* a Vault that fails takes nothing away */
	atomic_store(&s.status, 500);
	for (int i = 0, seen = atomic_load(&s.reads); i < 1000 && atomic_load(&s.reads) < seen + 2;
	     i++)
		clock_sleep_ms(20);
	assert_true(get(store, "p", text, &err));
	assert_string_equal(text, "v1");
	secret_store_free(store);
	fake_stop(s.fake);
}

static void a_token_that_is_gone_is_replaced_once(void **state)
{
	struct server s = {.status = 403};
	struct secret_store *store = open_store(&s);
	struct err err = {0};
	char text[64];

	(void)state;
	assert_false(get(store, "p", text, &err));
	assert_int_equal(err.code, ERR_FORBIDDEN);
	assert_non_null(strstr(err.text, "policy"));
	assert_int_equal(atomic_load(&s.logins), 2);
	assert_int_equal(atomic_load(&s.reads), 2);
	secret_store_free(store);
	fake_stop(s.fake);
}

static void refusals_say_what_to_do_and_quote_nothing(void **state)
{
	static const struct {
		int status;
		const char *says;
	} cases[] = {{404, "mount, path and namespace"}, {418, "HTTP 418"}};
	struct err err;
	char text[64];

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct server s = {.status = cases[i].status,
		                   .body = "{\"errors\":[\"canary-answer\"]}"};
		struct secret_store *store = open_store(&s);

		err = (struct err){0};
		assert_false(get(store, "p", text, &err));
		assert_non_null(strstr(err.text, cases[i].says));
		assert_null(strstr(err.text, "canary"));
		secret_store_free(store);
		fake_stop(s.fake);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_value_is_read_once_and_then_kept_current),
	    cmocka_unit_test(a_token_that_is_gone_is_replaced_once),
	    cmocka_unit_test(refusals_say_what_to_do_and_quote_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
