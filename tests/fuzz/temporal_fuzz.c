/* SPDX-License-Identifier: Apache-2.0
 *
 * libFuzzer target: any bytes as a history, folded; and as the answer to a poll. What is made of
 * them must be sendable again.
 *
 *   CC=clang meson setup build-fuzz -Dfuzz=true -Db_sanitize=address,undefined -Db_lundef=false \
 *           -Dc_args=-fsanitize=fuzzer-no-link
 *   ninja -C build-fuzz tests/fuzz/fuzz_temporal
 *   build-fuzz/tests/fuzz/fuzz_temporal -max_len=16384 CORPUS
 */
#include <assert.h>
#include <stdlib.h>

#include "temporal/fold.h"
#include "temporal/pb.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The events, numbered anew: a fuzzer would hardly ever get past the check of their numbers. */
static void fold_history(struct arena *arena, const PbHistory *h)
{
	struct temporal_event e;
	struct err err = {0};
	PbFailure *failure;
	PbPayloads *payloads;
	struct fold fold;

	fold_init(&fold, 16 << 20);
	for (size_t i = 0; h && i < h->n_events; i++) {
		if (!pb_event_to(arena, h->events[i], &e))
			break;
		e.id = (int64_t)i + 1;
		if (fold_event(&fold, &e, &err) && e.failure)
			if (pb_failure_of(arena, e.failure, &failure))
				assert(protobuf_c_message_get_packed_size(&failure->base) > 0);
		if (pb_payloads_of(arena, e.payloads, &payloads))
			assert(!payloads == !e.payloads.n);
		fold.info.events = e.id;
	}
	for (size_t i = 0; i < fold.n_known; i++)
		assert(fold_find(&fold, (int)fold.known[i]->kind, fold.known[i]->id));
	fold_free(&fold);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str bytes = {(const char *)data, size};
	struct arena arena = ARENA_INIT(64 << 20);
	struct err err = {0};
	Temporal__Api__Workflowservice__V1__PollWorkflowTaskQueueResponse *p;

	fold_history(
	    &arena, pb_read(&arena, &temporal__api__history__v1__history__descriptor, bytes, &err));
	p = pb_read(
	    &arena,
	    &temporal__api__workflowservice__v1__poll_workflow_task_queue_response__descriptor,
	    bytes, &err);
	if (p)
		fold_history(&arena, p->history);
	arena_free(&arena);
	return 0;
}
