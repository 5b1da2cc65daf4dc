/* SPDX-License-Identifier: Apache-2.0
 *
 * libFuzzer target: any bytes to the mapping. What is mapped must be a valid COPY row; of a reject
 * nothing may be written.
 *
 *   CC=clang meson setup build-fuzz -Dfuzz=true -Db_sanitize=address,undefined -Db_lundef=false
 *   ninja -C build-fuzz tests/fuzz/fuzz_map && build-fuzz/tests/fuzz/fuzz_map -max_len=65536 CORPUS
 *
 * A first corpus: the `resource` of each file of tests/fhir/golden.
 */
#include <assert.h>

#include "fhir/row_decode.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(yyjson_val *root, struct str raw, bool patient)
{
	struct arena scratch = ARENA_INIT(64 << 20);
	struct buf out = BUF_INIT(64 << 20), json = BUF_INIT(256 << 20);
	struct fhir_reject reject = {0};
	enum fhir_mapped verdict;

	verdict = patient
	              ? fhir_map_patient(root, raw, 1717200000000000, 1, 1, &scratch, &out, &reject)
	              : fhir_map_observation(root, raw, 1, 1, &scratch, &out, &reject);
	if (verdict == FHIR_MAPPED)
		assert(
		    row_decode((struct str){out.p, out.n}, patient ? row_patient : row_observation,
		               patient ? FHIR_PATIENT_COLUMNS : FHIR_OBSERVATION_COLUMNS, &json));
	else
		assert(verdict == FHIR_REJECTED && !out.n && reject.reason[0]);
	buf_free(&json);
	buf_free(&out);
	arena_free(&scratch);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str raw = {(const char *)data, size};
	yyjson_doc *doc = yyjson_read(
	    raw.p, raw.n, YYJSON_READ_NUMBER_AS_RAW | YYJSON_READ_ALLOW_INVALID_UNICODE);
	yyjson_val *root = yyjson_doc_get_root(doc);

	if (!doc)
		return 0;
	check(root, raw, true);
	check(root, raw, false);
	fhir_patient_lives_in(root, "02139");
	yyjson_doc_free(doc);
	return 0;
}
