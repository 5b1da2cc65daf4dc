/* SPDX-License-Identifier: Apache-2.0
 *
 * Random mutations of the golden resources: whatever comes in, the mapping ends in one of its
 * answers; a row is a valid COPY row, and of a reject nothing is written. FHIRLINE_TEST_SEED
 * chooses the numbers, FHIRLINE_TEST_MUTATIONS how many.
 */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/rng.h"
#include "fhir/golden_dir.h"
#include "fhir/row_decode.h"

enum { SAMPLES_MAX = 1024, MUTATIONS = 600000 };

struct samples {
	struct buf text[SAMPLES_MAX];
	size_t n;
};

static void samples_add(struct samples *s, const char *name)
{
	char path[4096];
	yyjson_doc *doc;
	yyjson_val *resource;
	size_t n;
	char *json;

	snprintf(path, sizeof(path), "%s/%s", FHIR_GOLDEN_DIR, name);
	doc = yyjson_read_file(path, YYJSON_READ_NUMBER_AS_RAW, NULL, NULL);
	assert_non_null(doc);
	resource = yyjson_obj_get(yyjson_doc_get_root(doc), "resource");
	json = resource ? yyjson_val_write(resource, 0, &n) : NULL;
	if (json && s->n < SAMPLES_MAX) {
		s->text[s->n] = BUF_INIT(1 << 20);
		buf_add(&s->text[s->n++], json, n);
	}
	free(json);
	yyjson_doc_free(doc);
}

static void samples_load(struct samples *s)
{
	DIR *dir = opendir(FHIR_GOLDEN_DIR);
	struct dirent *entry;

	assert_non_null(dir);
	while ((entry = readdir(dir)))
		if (strstr(entry->d_name, ".json"))
			samples_add(s, entry->d_name);
	closedir(dir);
	assert_true(s->n > 50);
}

/* Values that hurt, and what breaks or bends the JSON itself. */
static const char *const VALUES[] = {
    "null",
    "true",
    "{}",
    "[]",
    "\"\"",
    "0",
    "-1e131071",
    "1e99999",
    "\"\\u0000\"",
    "\"#x\"",
    "[null]",
    "{\"value\":1}",
    "\"2019-02-30\"",
    "\"9999-12-31T23:59:60Z\"",
    "0.000000000000000000000000000001",
    "\"urn:uuid:\"",
    "\"Patient//\"",
    "[{}]",
    "[[]]",
    "\"\xff\"",
    "\"\xc3\"",
    "{\"coding\":[{},{\"code\":\"x\"}]}",
    "{\"coding\":{}}",
    "{\"text\":1}",
    "\"value\"",
    "\"code\"",
    "\"coding\"",
    "\"valueFoo\"",
};

static const char *const PIECES[] = {
    ",",
    ":",
    "\"",
    "{",
    "}",
    "[",
    "]",
    "\\",
    "\xff",
    "\xc3",
    "[[[[[[[[",
    "\"valueFoo\":1,",
    "\"id\":\"b\",",
    "\"coding\":[{}],",
    "-",
    "e5",
    "\"userSelected\":true,",
    "null,",
    "{},",
    "\"valueInteger\":3,",
};

#define PICK(r, list) (list)[rng_below(r, sizeof(list) / sizeof((list)[0]))]

/* From a JSON token at `at` (a value, a string) its length; 1 when it is none. */
static size_t token(const struct buf *b, size_t at)
{
	size_t n = 1;

	if (b->p[at] == '"') {
		while (at + n < b->n && b->p[at + n] != '"')
			n++;
		return at + n < b->n ? n + 1 : n;
	}
	while (at + n < b->n && !strchr(",:[]{}\"", b->p[at + n]) && !strchr(",:[]{}\"", b->p[at]))
		n++;
	return n;
}

static void splice(struct buf *b, size_t at, size_t cut, const char *p, size_t n)
{
	struct buf copy = BUF_INIT(1 << 20);

	if (cut > b->n - at)
		cut = b->n - at;
	buf_add(&copy, b->p, at);
	buf_add(&copy, p, n);
	buf_add(&copy, b->p + at + cut, b->n - at - cut);
	buf_free(b);
	*b = copy;
}

static void mutate(struct rng *r, const struct samples *s, struct buf *b)
{
	size_t at = rng_below(r, b->n), other;
	const struct buf *from = &s->text[rng_below(r, s->n)];
	const char *piece = PICK(r, PIECES), *value = PICK(r, VALUES);
	char c = (char)rng_next(r);

	/* to the start of a token, most of the time: what still parses goes deeper */
	while (rng_below(r, 16) && at && !strchr(",:[{", b->p[at - 1]))
		at--;
	switch (rng_below(r, 6)) {
	case 0:
		splice(b, at, 1, &c, 1);
		break;
	case 1:
		splice(b, at, token(b, at), "null", 4);
		break;
	case 2:
	case 3:
		splice(b, at, token(b, at), value, strlen(value));
		break;
	case 4:
		splice(b, at, 0, piece, strlen(piece));
		break;
	default:
		other = rng_below(r, from->n);
		splice(b, at, token(b, at), from->p + other, token(from, other));
	}
}

struct tally {
	size_t parsed, mapped, rejected;
};

static void check_one(const struct buf *text, bool patient, struct arena *scratch, struct buf *out,
                      struct tally *tally)
{
	const int64_t now = 1717200000000000;
	yyjson_doc *doc = yyjson_read(
	    text->p, text->n, YYJSON_READ_NUMBER_AS_RAW | YYJSON_READ_ALLOW_INVALID_UNICODE);
	yyjson_val *root = yyjson_doc_get_root(doc);
	struct fhir_reject reject = {0};
	struct str raw = {text->p, text->n};
	struct buf json = BUF_INIT(4 << 20);
	enum fhir_mapped verdict;

	if (!doc)
		return;
	tally->parsed++;
	buf_clear(out);
	verdict = patient ? fhir_map_patient(root, raw, now, 1, 2, scratch, out, &reject)
	                  : fhir_map_observation(root, raw, 1, 2, scratch, out, &reject);
	if (verdict == FHIR_MAPPED) {
		yyjson_doc *row;

		tally->mapped++;
		assert_true(row_decode(
		    (struct str){out->p, out->n}, patient ? row_patient : row_observation,
		    patient ? FHIR_PATIENT_COLUMNS : FHIR_OBSERVATION_COLUMNS, &json));
		row = yyjson_read(json.p, json.n, YYJSON_READ_NUMBER_AS_RAW);
		assert_non_null(row);
		yyjson_doc_free(row);
	} else {
		tally->rejected++;
		assert_int_equal(verdict, FHIR_REJECTED);
		assert_int_equal(out->n, 0);
		assert_true(reject.reason[0]);
		assert_true(reject.pointer[0] == '\0' || reject.pointer[0] == '/');
	}
	buf_free(&json);
	yyjson_doc_free(doc);
	arena_reset(scratch);
}

static uint64_t setting(const char *name, uint64_t otherwise)
{
	const char *s = getenv(name);

	return s && *s ? strtoull(s, NULL, 10) : otherwise;
}

static void test_mutations(void **state)
{
	uint64_t seed = setting("FHIRLINE_TEST_SEED", 20240601),
	         n = setting("FHIRLINE_TEST_MUTATIONS", MUTATIONS);
	struct samples *samples = calloc(1, sizeof(*samples));
	struct arena scratch = ARENA_INIT(16 << 20);
	struct buf out = BUF_INIT(16 << 20);
	struct tally tally = {0};

	(void)state;
	assert_non_null(samples);
	samples_load(samples);
	print_message("seed %llu, %llu mutations\n", (unsigned long long)seed,
	              (unsigned long long)n);
	for (uint64_t i = 0; i < n; i++) {
		struct rng r = rng_for(seed, i);
		const struct buf *base = &samples->text[rng_below(&r, samples->n)];
		struct buf text = BUF_INIT(1 << 20);
		uint64_t times = 1 + rng_below(&r, 3);

		buf_add(&text, base->p, base->n);
		for (uint64_t k = 0; k < times && text.n; k++)
			mutate(&r, samples, &text);
		check_one(&text, strstr(base->p, "\"Patient\"") != NULL && rng_below(&r, 32),
		          &scratch, &out, &tally);
		buf_free(&text);
	}
	print_message("%zu parsed, %zu mapped, %zu rejected\n", tally.parsed, tally.mapped,
	              tally.rejected);
	assert_true(tally.mapped > n / 50);
	assert_true(tally.rejected > n / 50);
	for (size_t i = 0; i < samples->n; i++)
		buf_free(&samples->text[i]);
	free(samples);
	buf_free(&out);
	arena_free(&scratch);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_mutations)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
