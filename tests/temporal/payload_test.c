/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/rng.h"
#include "temporal/fold.h"
#include "temporal/pb.h"

#define FAILURE_DESC &temporal__api__failure__v1__failure__descriptor
#define HISTORY_DESC &temporal__api__history__v1__history__descriptor

static struct arena arena = ARENA_INIT(16 << 20);

static int clear(void **state)
{
	(void)state;
	arena_free(&arena);
	return 0;
}

/* What is sent, as bytes. */
static struct str packed(const void *message)
{
	size_t n = protobuf_c_message_get_packed_size(message);
	uint8_t *p = arena_alloc(&arena, n + 1);

	protobuf_c_message_pack(message, p);
	return (struct str){(char *)p, n};
}

static void the_encodings(void **state)
{
	const struct temporal_payload list[] = {
	    temporal_json(STR("{\"a\":1}")), temporal_null(), {.encoding = STR("binary/plain")}};
	struct temporal_payloads three = {list, 3};
	struct err err = {0};
	struct str json;

	(void)state;
	assert_true(temporal_payload_json(three, 0, &json, &err));
	assert_true(str_is(json, "{\"a\":1}"));
	assert_true(temporal_payload_json(three, 1, &json, &err));
	assert_true(str_is(json, "null"));
	assert_true(temporal_payload_json(three, 7, &json, &err));
	assert_true(str_is(json, "null"));
	assert_false(temporal_payload_json(three, 2, &json, &err));
	assert_int_equal(err.code, ERR_DATA);
	assert_non_null(strstr(err.text, "payload 3"));
}

static void payloads_there_and_back(void **state)
{
	const struct temporal_pair meta[] = {{STR("type"), STR("Keyword")},
	                                     {STR("k"), STR("\0\1")}};
	const struct temporal_payload list[] = {
	    temporal_json(STR("\"ü\"")),
	    temporal_null(),
	    {.encoding = STR("binary/encrypted"), .data = STR("a\0b"), .meta = meta, .n_meta = 2}};
	struct temporal_payloads back, copy;
	PbPayloads *pb;
	struct err err = {0};

	(void)state;
	assert_true(pb_payloads_of(&arena, (struct temporal_payloads){list, 3}, &pb));
	pb = pb_read(&arena, &temporal__api__common__v1__payloads__descriptor, packed(pb), &err);
	assert_non_null(pb);
	assert_true(pb_payloads_to(&arena, pb, &back));
	assert_true(temporal_payloads_copy(&arena, back, &copy));
	assert_int_equal(copy.n, 3);
	assert_true(str_is(copy.at[0].data, "\"ü\""));
	assert_true(str_is(copy.at[1].encoding, "binary/null"));
	assert_int_equal(copy.at[2].n_meta, 2);
	assert_true(str_eq(copy.at[2].data, STR("a\0b")));
	assert_true(str_is(copy.at[2].meta[0].value, "Keyword"));
	assert_true(str_eq(copy.at[2].meta[1].value, STR("\0\1")));
	assert_true(pb_payloads_of(&arena, TEMPORAL_NO_PAYLOADS, &pb));
	assert_null(pb);
}

static void memo_and_search_attributes(void **state)
{
	const struct temporal_field field = {STR("zip"), temporal_json(STR("\"02139\""))};
	const struct temporal_fields fields = {&field, 1};
	struct temporal_fields back;
	PbMemo *memo;
	PbSearch *search;

	(void)state;
	assert_true(pb_memo_of(&arena, fields, &memo) && pb_memo_to(&arena, memo, &back));
	assert_true(back.n == 1 && str_is(back.at[0].name, "zip"));
	assert_true(pb_search_of(&arena, fields, &search) && pb_search_to(&arena, search, &back));
	assert_true(back.n == 1 && str_is(back.at[0].value.data, "\"02139\""));
}

/* ---- failures ---- */

static const struct temporal_failure *there_and_back(const struct temporal_failure *f)
{
	const struct temporal_failure *back = NULL;
	struct err err = {0};
	PbFailure *pb;

	assert_true(pb_failure_of(&arena, f, &pb));
	pb = pb_read(&arena, FAILURE_DESC, packed(pb), &err);
	assert_non_null(pb);
	assert_true(pb_failure_to(&arena, pb, &back));
	return back;
}

static void failures_there_and_back(void **state)
{
	const struct temporal_failure cause = {.kind = TEMPORAL_FAILURE_TIMEOUT,
	                                       .message = STR("late"),
	                                       .timeout = TEMPORAL_TIMEOUT_HEARTBEAT,
	                                       .details = TEMPORAL_ONE(temporal_json(STR("3")))};
	const struct temporal_failure activity = {.kind = TEMPORAL_FAILURE_ACTIVITY,
	                                          .message = STR("activity"),
	                                          .type = STR("Fetch"),
	                                          .activity_id = STR("page-1"),
	                                          .cause = &cause};
	const struct temporal_failure outer = {.kind = TEMPORAL_FAILURE_APPLICATION,
	                                       .message = STR("outer"),
	                                       .stack = STR("at line 1"),
	                                       .type = STR("busy"),
	                                       .non_retryable = true,
	                                       .next_retry_ms = 61500,
	                                       .cause = &activity};
	const struct temporal_failure *f = there_and_back(&outer);
	struct buf text = BUF_INIT(1000);

	(void)state;
	assert_int_equal(f->kind, TEMPORAL_FAILURE_APPLICATION);
	assert_true(str_is(f->source, "fhirline-c") && str_is(f->stack, "at line 1"));
	assert_true(f->non_retryable && f->next_retry_ms == 61500);
	assert_true(str_is(f->cause->type, "Fetch") && str_is(f->cause->activity_id, "page-1"));
	f = temporal_failure_root(f);
	assert_int_equal(f->timeout, TEMPORAL_TIMEOUT_HEARTBEAT);
	assert_int_equal(f->details.n, 1);
	temporal_failure_text(&outer, &text);
	assert_string_equal(text.p, "outer: activity: late");
	buf_free(&text);
}

static void each_kind_keeps_its_kind(void **state)
{
	(void)state;
	for (int kind = TEMPORAL_FAILURE_OTHER; kind <= TEMPORAL_FAILURE_ACTIVITY; kind++) {
		struct temporal_failure f = {.kind = (enum temporal_failure_kind)kind,
		                             .message = STR("m")};

		assert_int_equal(there_and_back(&f)->kind, kind);
	}
}

static void long_chains_are_cut(void **state)
{
	static struct temporal_failure chain[500];
	const struct temporal_failure *f;
	int n = 0;

	(void)state;
	for (int i = 0; i < 500; i++)
		chain[i] = (struct temporal_failure){.message = STR("again"),
		                                     .cause = i < 499 ? &chain[i + 1] : NULL};
	for (f = there_and_back(chain); f->cause; f = f->cause)
		n++;
	assert_int_equal(n, TEMPORAL_CAUSES_MAX);
	assert_non_null(memmem(f->message.p, f->message.n, "left out", 8));
	assert_true(temporal_failure_copy(&arena, chain, &f));
	for (n = 0; f->cause; f = f->cause)
		n++;
	assert_int_equal(n, TEMPORAL_CAUSES_MAX);
}

static void an_error_as_a_failure(void **state)
{
	struct temporal_failure f;
	struct err err = {0};

	(void)state;
	err_set_retry(&err, ERR_BUSY, "x", "later");
	err.retry_after_ms = 2000;
	f = temporal_failure_of(&err);
	assert_true(!f.non_retryable && f.next_retry_ms == 2000 && str_is(f.type, "busy"));
	err_set(&err, ERR_DATA, "x", "never");
	f = temporal_failure_of(&err);
	assert_true(f.non_retryable && f.next_retry_ms == 0 && str_is(f.message, "never"));
}

/* The server refuses a whole message for one broken character. */
static void broken_text_is_mended(void **state)
{
	struct temporal_failure f = {.message = STR("z\xc3")};

	(void)state;
	assert_true(str_is(there_and_back(&f)->message, "z?"));
}

/* ---- messages of somebody else ---- */

static void a_message_that_is_nested_too_deep(void **state)
{
	struct buf bytes = BUF_INIT(64 << 20), outer = BUF_INIT(64 << 20), swap;
	struct err err = {0};

	(void)state;
	/* Failure.cause (4) in Failure.cause …: lengths are below 16384, two bytes each */
	for (int i = 0; i < 3000; i++) {
		outer.n = 0;
		buf_add_char(&outer, 4 << 3 | 2);
		if (bytes.n >= 128)
			buf_add_char(&outer, (char)(bytes.n | 0x80));
		buf_add_char(&outer, (char)(bytes.n >= 128 ? bytes.n >> 7 : bytes.n));
		buf_add(&outer, bytes.p, bytes.n);
		swap = bytes;
		bytes = outer;
		outer = swap;
	}
	assert_null(pb_read(&arena, FAILURE_DESC, (struct str){bytes.p, bytes.n}, &err));
	assert_int_equal(err.code, ERR_LIMIT);
	assert_non_null(strstr(err.text, "nested"));
	buf_free(&bytes);
	buf_free(&outer);
}

static void a_message_that_does_not_fit(void **state)
{
	struct arena small = ARENA_INIT(64 * 1024);
	struct err err = {0};
	static char many[40000]; /* 20,000 empty events, some 100 bytes each once read */

	(void)state;
	for (size_t i = 0; i < sizeof many; i += 2)
		many[i] = 1 << 3 | 2;
	assert_null(pb_read(&small, HISTORY_DESC, (struct str){many, sizeof many}, &err));
	assert_int_equal(err.code, ERR_LIMIT);
	arena_free(&small);
}

static PbHistory *sample_history(void)
{
	static const char *const names[] = {"Type", "queue"};
	PbHistory *h = PB_NEW(&arena, PbHistory, temporal__api__history__v1__history);
	Temporal__Api__History__V1__ActivityTaskFailedEventAttributes *a =
	    PB_NEW(&arena, Temporal__Api__History__V1__ActivityTaskFailedEventAttributes,
	           temporal__api__history__v1__activity_task_failed_event_attributes);
	struct temporal_failure f = {.kind = TEMPORAL_FAILURE_APPLICATION,
	                             .message = str_of(names[0]),
	                             .type = str_of(names[1]),
	                             .details = TEMPORAL_ONE(temporal_json(STR("[1]")))};
	PbEvent *e = PB_NEW(&arena, PbEvent, temporal__api__history__v1__history_event);

	assert_true(pb_failure_of(&arena, &f, &a->failure));
	a->scheduled_event_id = 5;
	e->event_id = 1;
	e->event_type = TEMPORAL__API__ENUMS__V1__EVENT_TYPE__EVENT_TYPE_ACTIVITY_TASK_FAILED;
	e->attributes_case =
	    TEMPORAL__API__HISTORY__V1__HISTORY_EVENT__ATTRIBUTES_ACTIVITY_TASK_FAILED_EVENT_ATTRIBUTES;
	e->activity_task_failed_event_attributes = a;
	h->events = arena_array(&arena, 1, sizeof e);
	h->events[0] = e;
	h->n_events = 1;
	return h;
}

/* Bytes changed at random: read or refused, folded or refused; never a crash (the build has ASan).
 */
static void mutations(void **state)
{
	enum { ROUNDS = 20000 };
	struct str whole = packed(sample_history());
	struct rng rng = {20260101};
	char bytes[1024];
	int read = 0;

	(void)state;
	assert_true(whole.n < sizeof bytes);
	for (int round = 0; round < ROUNDS; round++) {
		struct arena memory = ARENA_INIT(1 << 20);
		size_t n = rng_below(&rng, 4) ? whole.n : rng_below(&rng, whole.n + 1);
		struct temporal_event e;
		struct err err = {0};
		struct fold fold;
		PbHistory *h;

		memcpy(bytes, whole.p, whole.n);
		for (uint64_t i = rng_below(&rng, 4); i > 0; i--)
			bytes[rng_below(&rng, whole.n)] = (char)rng_next(&rng);
		h = pb_read(&memory, HISTORY_DESC, (struct str){bytes, n}, &err);
		fold_init(&fold, 1 << 20);
		for (size_t i = 0; h && i < h->n_events; i++)
			if (pb_event_to(&memory, h->events[i], &e))
				fold_event(&fold, &e, &err);
		read += h != NULL;
		fold_free(&fold);
		arena_free(&memory);
	}
	assert_true(read > ROUNDS / 10 && read < ROUNDS);
}

static void times(void **state)
{
	PbDuration d = GOOGLE__PROTOBUF__DURATION__INIT, *of;
	PbTimestamp t = GOOGLE__PROTOBUF__TIMESTAMP__INIT;

	(void)state;
	assert_null(pb_duration(&arena, 0));
	of = pb_duration(&arena, 61500);
	assert_true(of->seconds == 61 && of->nanos == 500000000 && pb_ms(of) == 61500);
	assert_int_equal(pb_ms(NULL), 0);
	d.seconds = INT64_MAX;
	assert_true(pb_ms(&d) > 0);
	d.seconds = INT64_MIN;
	assert_int_equal(pb_ms(&d), 0);
	t.seconds = 1;
	t.nanos = 5000;
	assert_int_equal(pb_us(&t), 1000005);
	t.seconds = INT64_MIN;
	assert_int_equal(pb_us(&t), 0);
}

#define TEST(name) cmocka_unit_test_teardown(name, clear)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(the_encodings),
	    TEST(payloads_there_and_back),
	    TEST(memo_and_search_attributes),
	    TEST(failures_there_and_back),
	    TEST(each_kind_keeps_its_kind),
	    TEST(long_chains_are_cut),
	    TEST(an_error_as_a_failure),
	    TEST(broken_text_is_mended),
	    TEST(a_message_that_is_nested_too_deep),
	    TEST(a_message_that_does_not_fit),
	    TEST(mutations),
	    TEST(times),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
