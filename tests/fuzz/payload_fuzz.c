/* SPDX-License-Identifier: Apache-2.0
 *
 * libFuzzer target: any bytes as what comes from Temporal: the JSON of inputs and results, payloads
 * that are sealed, failures; and as the setting of the keys. How to run one: temporal_fuzz.c.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "temporal/pb.h"
#include "temporal/seal.h"
#include "workflow/wire.h"

#define KEYS                                                                                       \
	"a:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=,"                                          \
	"b://////////////////////////////////////////8="

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What is read is written and read again: the same. */
static void read_json(struct arena *arena, struct str json)
{
	struct temporal_payload one = temporal_json(json);
	struct temporal_payloads in = {&one, 1}, out;
	struct flow_batch batch = {.seq = 1}, again = {.seq = 1};
	struct wire_input input, input2;
	struct wire_call call, call2;
	struct flow_begun begun, begun2;
	struct wire_merge merge;
	struct err err;

	if (wire_input_read(in, &input, &err)) {
		assert(wire_input_write(arena, &input, &out, &err));
		assert(wire_input_read(out, &input2, &err));
		assert(strcmp(input.zip, input2.zip) == 0 && input.cap_ms == input2.cap_ms);
	}
	if (wire_call_read(in, &call, &err)) {
		assert(wire_call_write(arena, &call, call.batch.seq > 0, call.code[0] != '\0', &out,
		                       &err));
		wire_call_read(out, &call2, &err); /* a run id in it may need quoting */
	}
	if (wire_begun_read(arena, in, &begun, &err)) {
		assert(wire_begun_write(arena, &begun, &out, &err));
		assert(wire_begun_read(arena, out, &begun2, &err) && begun.n == begun2.n);
		for (size_t i = 1; i < begun.n; i++)
			assert(begun.batches[i].seq > begun.batches[i - 1].seq);
	}
	if (wire_batch_read(in, &batch, &err)) {
		assert(wire_batch_write(arena, &batch, &out, &err));
		assert(wire_batch_read(out, &again, &err) && again.rows == batch.rows);
	}
	if (wire_merge_read(arena, in, &merge, &err))
		for (uint32_t seq = 0; seq < 64; seq++)
			wire_in(merge.merged, merge.n_merged, seq);
}

static void read_message(struct arena *arena, const struct temporal_cipher *cipher,
                         const ProtobufCMessageDescriptor *desc, struct str bytes)
{
	struct temporal_payloads list;
	const struct temporal_failure *failure;
	struct temporal_fields fields;
	struct seal *undo;
	struct str json;
	struct err err;
	ProtobufCMessage *m = pb_read(arena, desc, bytes, &err);
	size_t n;

	if (!m)
		return;
	seal_open_message(cipher, arena, m);
	n = protobuf_c_message_get_packed_size(m);
	if (seal_message(cipher, arena, m, &undo, &err)) {
		seal_undo(undo);
		assert(protobuf_c_message_get_packed_size(m) == n);
	}
	if (desc == &temporal__api__common__v1__payloads__descriptor &&
	    pb_payloads_to(arena, (PbPayloads *)(void *)m, &list))
		for (size_t i = 0; i < list.n; i++)
			temporal_payload_json(list, i, &json, &err);
	if (desc == &temporal__api__failure__v1__failure__descriptor &&
	    pb_failure_to(arena, (PbFailure *)(void *)m, &failure) && failure)
		temporal_failure_root(failure);
	if (desc == &temporal__api__common__v1__memo__descriptor)
		pb_memo_to(arena, (PbMemo *)(void *)m, &fields);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct temporal_cipher *cipher;
	struct arena arena = ARENA_INIT(64 << 20);
	struct str bytes = {(const char *)data, size};
	struct temporal_cipher *other;
	struct str plain;
	struct err err;
	char *text;

	if (!cipher)
		cipher = temporal_cipher_new(KEYS, &err);
	read_json(&arena, bytes);
	cipher_open(cipher, &arena, STR("a"), bytes, &plain);
	read_message(&arena, cipher, &temporal__api__common__v1__payloads__descriptor, bytes);
	read_message(&arena, cipher, &temporal__api__failure__v1__failure__descriptor, bytes);
	read_message(&arena, cipher, &temporal__api__common__v1__memo__descriptor, bytes);
	read_message(&arena, cipher, &temporal__api__history__v1__history__descriptor, bytes);
	text = arena_printf(&arena, "%.*s", STR_FMT(bytes));
	other = text ? temporal_cipher_new(text, &err) : NULL;
	temporal_cipher_free(other);
	arena_free(&arena);
	return 0;
}
