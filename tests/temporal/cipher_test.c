/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "temporal/pb.h"
#include "temporal/seal.h"

#define ONE "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
#define OTHER "//////////////////////////////////////////8="

static struct temporal_cipher *cipher(const char *keys)
{
	struct err err = {0};
	struct temporal_cipher *c = temporal_cipher_new(keys, &err);

	if (!c)
		fail_msg("%s", err.text);
	return c;
}

static void is_refused(const char *keys, const char *says)
{
	struct err err = {0};

	assert_null(temporal_cipher_new(keys, &err));
	assert_int_equal(err.code, ERR_CONFIG);
	assert_non_null(strstr(err.text, says));
	assert_null(strstr(err.text, "AAEC"));
}

static void keys_are_checked(void **state)
{
	(void)state;
	temporal_cipher_free(cipher("a:" ONE));
	temporal_cipher_free(cipher("2026-11.b_c:" ONE ",old:" OTHER));
	is_refused("", "key 1: give id:base64");
	is_refused(ONE, "key 1: give id:base64");
	is_refused("a b:" ONE, "key 1: give id:base64");
	is_refused("a:", "key 1: behind the colon");
	is_refused("a:AAEC", "base64 of 32 bytes");
	is_refused("a:" ONE "A", "base64 of 32 bytes");
	is_refused("a:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gISIj", "base64 of 32 bytes");
	is_refused("a:" ONE ",", "key 2: give id:base64");
	is_refused("a:" ONE ",a:" OTHER, "key 2: two keys have the same id");
	is_refused("1:" ONE ",2:" ONE ",3:" ONE ",4:" ONE ",5:" ONE ",6:" ONE ",7:" ONE ",8:" ONE
	           ",9:" ONE,
	           "8 at most");
}

/* Made with Python's cryptography: AESGCM(bytes(range(32))).encrypt(nonce, payload, None), nonce
 * bytes 0xa0 to 0xab, payload the protobuf of {"encoding": "json/plain"} and data "42". */
static const char sample[] = "\xa0\xa1\xa2\xa3\xa4\xa5\xa6\xa7\xa8\xa9\xaa\xab"
                             "\xec\x0e\x76\x25\x20\xa5\x61\xd0\x06\x0c\xe9\xb4\x15\x70\xaa\xad"
                             "\x1f\xc2\x76\x60\xfe\xd6\x2b\x02\x8e\x0c\x12\xb4\x60\x88\xb7\x9c"
                             "\x6b\xf2\xfe\xeb\x0d\x55\x7b\x7b\x31\x88\x79\xce";

static void reads_what_the_samples_of_the_sdks_write(void **state)
{
	struct arena arena = ARENA_INIT(1 << 20);
	struct temporal_cipher *c = cipher("a:" ONE);
	struct str plain;
	struct err err;
	PbPayload *p;

	(void)state;
	assert_true(
	    cipher_open(c, &arena, STR("a"), (struct str){sample, sizeof sample - 1}, &plain));
	p = pb_read(&arena, &temporal__api__common__v1__payload__descriptor, plain, &err);
	assert_non_null(p);
	assert_true(str_is(pb_data(p->data), "42"));
	assert_string_equal(p->metadata[0]->key, "encoding");
	assert_true(str_is(pb_data(p->metadata[0]->value), "json/plain"));
	arena_free(&arena);
	temporal_cipher_free(c);
}

static void whatever_was_changed_does_not_open(void **state)
{
	struct arena arena = ARENA_INIT(1 << 20);
	struct temporal_cipher *c = cipher("a:" ONE), *d = cipher("a:" OTHER);
	struct str plain, got;
	char copy[sizeof sample - 1];

	(void)state;
	for (size_t i = 0; i < sizeof copy; i++)
		for (int bit = 0; bit < 8; bit++) {
			memcpy(copy, sample, sizeof copy);
			copy[i] = (char)(copy[i] ^ 1 << bit);
			assert_false(cipher_open(c, &arena, STR("a"),
			                         (struct str){copy, sizeof copy}, &plain));
		}
	for (size_t n = 0; n < sizeof copy; n++)
		assert_false(cipher_open(c, &arena, STR("a"), (struct str){sample, n}, &plain));
	assert_false(cipher_open(c, &arena, STR("b"), (struct str){sample, sizeof copy}, &got));
	assert_false(cipher_open(d, &arena, STR("a"), (struct str){sample, sizeof copy}, &got));
	arena_free(&arena);
	temporal_cipher_free(c);
	temporal_cipher_free(d);
}

/* ---- messages ---- */

static PbPayloads *payloads(struct arena *arena, const char *json)
{
	PbPayloads *list;

	assert_true(pb_payloads_of(arena, TEMPORAL_ONE(temporal_json(str_of(json))), &list));
	return list;
}

static struct str json_of(struct arena *arena, const PbPayloads *list)
{
	struct temporal_payloads p;
	struct err err = {0};
	struct str json;

	assert_true(pb_payloads_to(arena, list, &p));
	return temporal_payload_json(p, 0, &json, &err)
	           ? json
	           : str_of(arena_printf(arena, "%s", err.text));
}

/* A payload at every place that a history has: within failures and their causes, maps, oneofs. */
static PbHistory *history(struct arena *arena)
{
	PbHistory *h = PB_NEW(arena, PbHistory, temporal__api__history__v1__history);
	PbEvent **events = arena_array(arena, 2, sizeof(PbEvent *));
	struct temporal_failure cause = {.kind = TEMPORAL_FAILURE_APPLICATION,
	                                 .details = TEMPORAL_ONE(temporal_json(STR("\"inner\"")))};
	struct temporal_failure f = {.kind = TEMPORAL_FAILURE_CANCELLED,
	                             .details = TEMPORAL_ONE(temporal_json(STR("\"outer\""))),
	                             .cause = &cause};
	struct temporal_field field = {STR("Zip"), temporal_json(STR("\"searched\""))};

	events[0] = PB_NEW(arena, PbEvent, temporal__api__history__v1__history_event);
	events[0]->attributes_case =
	    TEMPORAL__API__HISTORY__V1__HISTORY_EVENT__ATTRIBUTES_WORKFLOW_EXECUTION_STARTED_EVENT_ATTRIBUTES;
	events[0]->workflow_execution_started_event_attributes =
	    PB_NEW(arena, Temporal__Api__History__V1__WorkflowExecutionStartedEventAttributes,
	           temporal__api__history__v1__workflow_execution_started_event_attributes);
	events[0]->workflow_execution_started_event_attributes->input =
	    payloads(arena, "\"input\"");
	assert_true(pb_memo_of(arena, (struct temporal_fields){&field, 1},
	                       &events[0]->workflow_execution_started_event_attributes->memo));
	assert_true(pb_search_of(
	    arena, (struct temporal_fields){&field, 1},
	    &events[0]->workflow_execution_started_event_attributes->search_attributes));
	events[1] = PB_NEW(arena, PbEvent, temporal__api__history__v1__history_event);
	events[1]->attributes_case =
	    TEMPORAL__API__HISTORY__V1__HISTORY_EVENT__ATTRIBUTES_ACTIVITY_TASK_FAILED_EVENT_ATTRIBUTES;
	events[1]->activity_task_failed_event_attributes =
	    PB_NEW(arena, Temporal__Api__History__V1__ActivityTaskFailedEventAttributes,
	           temporal__api__history__v1__activity_task_failed_event_attributes);
	assert_true(
	    pb_failure_of(arena, &f, &events[1]->activity_task_failed_event_attributes->failure));
	h->events = events;
	h->n_events = 2;
	return h;
}

static bool has(struct str bytes, const char *word)
{
	return memmem(bytes.p, bytes.n, word, strlen(word)) != NULL;
}

static struct str packed(struct arena *arena, const ProtobufCMessage *m)
{
	size_t n = protobuf_c_message_get_packed_size(m);
	uint8_t *p = arena_alloc(arena, n + 1);

	protobuf_c_message_pack(m, p);
	return (struct str){(const char *)p, n};
}

static void every_payload_of_a_message_is_sealed(void **state)
{
	struct arena arena = ARENA_INIT(1 << 20);
	struct temporal_cipher *c = cipher("new:" OTHER ",old:" ONE), *old = cipher("old:" ONE);
	PbHistory *h = history(&arena), *back;
	struct str clear = packed(&arena, &h->base), sealed;
	const struct temporal_failure *f;
	struct seal *undo;
	struct err err = {0};

	(void)state;
	assert_true(seal_message(old, &arena, &h->base, &undo, &err));
	sealed = packed(&arena, &h->base);
	seal_undo(undo);
	assert_true(str_eq(packed(&arena, &h->base), clear)); /* as it was */
	assert_true(has(clear, "input") && has(clear, "outer") && has(clear, "inner"));
	assert_false(has(sealed, "input") || has(sealed, "outer") || has(sealed, "inner"));
	assert_true(has(sealed, "searched")); /* only as a search attribute */
	assert_true(has(sealed, "binary/encrypted") && has(sealed, "old"));

	back = pb_read(&arena, &temporal__api__history__v1__history__descriptor, sealed, &err);
	seal_open_message(c, &arena, &back->base); /* a rotated key opens what the old one sealed */
	assert_true(str_eq(packed(&arena, &back->base), clear));
	assert_true(pb_failure_to(
	    &arena, back->events[1]->activity_task_failed_event_attributes->failure, &f));
	assert_true(str_is(f->cause->details.at[0].data, "\"inner\""));
	arena_free(&arena);
	temporal_cipher_free(c);
	temporal_cipher_free(old);
}

static void who_has_not_the_key_is_told_which(void **state)
{
	struct arena arena = ARENA_INIT(1 << 20);
	struct temporal_cipher *c = cipher("november:" ONE), *d = cipher("december:" OTHER);
	PbPayloads *list = payloads(&arena, "\"input\"");
	struct seal *undo;
	struct err err = {0};
	struct str sealed;

	(void)state;
	assert_true(seal_message(c, &arena, &list->base, &undo, &err));
	sealed = packed(&arena, &list->base);
	seal_undo(undo);
	list = pb_read(&arena, &temporal__api__common__v1__payloads__descriptor, sealed, &err);
	seal_open_message(d, &arena, &list->base);
	assert_true(has(json_of(&arena, list), "encrypted with key \"november\""));
	/* what is sealed already, is not again */
	assert_true(seal_message(d, &arena, &list->base, &undo, &err));
	assert_null(undo);
	seal_open_message(c, &arena, &list->base);
	assert_true(str_is(json_of(&arena, list), "\"input\""));
	/* what is in the clear is taken as it is */
	list = payloads(&arena, "1");
	seal_open_message(c, &arena, &list->base);
	assert_true(str_is(json_of(&arena, list), "1"));
	arena_free(&arena);
	temporal_cipher_free(c);
	temporal_cipher_free(d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(keys_are_checked),
	    cmocka_unit_test(reads_what_the_samples_of_the_sdks_write),
	    cmocka_unit_test(whatever_was_changed_does_not_open),
	    cmocka_unit_test(every_payload_of_a_message_is_sealed),
	    cmocka_unit_test(who_has_not_the_key_is_told_which),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
