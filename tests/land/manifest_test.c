/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/rng.h"
#include "folder.h"
#include "land/manifest.h"

static struct err err;

static const struct land_manifest sample = {
    .run_id = RUN,
    .zip = ZIP,
    .kind = "full",
    .state = "completed",
    .source_url = "https://fhir.example/r4",
    .fhirline_version = "0.1.0",
    .reconciliation = "all \"there\"\n",
    .mapping_version = 3,
    .started_us = 1700000000000000,
    .ended_us = 1700000123456789,
    .watermark_us = 1699999999000000,
    .swept_us = 1700000123000001,
    .after = RUN,
    .fates = {RUN_FOLDER "/fates.json",
              "da7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", 77, 0, 0},
    .counts = {{.expected = -1, .fetched = 10, .missing = 13},
               {.expected = 1,
                .fetched = 2,
                .landed = 3,
                .staged = 4,
                .inserted = 5,
                .updated = 6,
                .unchanged = 7,
                .deleted = 8,
                .rejected = 9,
                .duplicates = 10,
                .moved = 11,
                .elsewhere = 12,
                .missing = 13}},
};

static const struct land_object objects[] = {
    {RUN_FOLDER "/patient-000001.ndjson.zst",
     "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", 100, 900, 7},
    {RUN_FOLDER "/observation-000002.ndjson.zst",
     "ca7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", INT64_C(5000000000),
     INT64_C(50000000000), 8},
};

static void write_sample(struct buf *b, int count)
{
	land_manifest_begin(b, &sample);
	for (int i = 0; i < count; i++)
		land_manifest_object(b, i ? LAND_OBSERVATION : LAND_PATIENT, &objects[i]);
	assert_true(land_manifest_end(b, &err));
}

static void what_is_written_is_read(void **state)
{
	struct buf b = BUF_INIT(1 << 20);
	struct land_manifest *m;

	(void)state;
	write_sample(&b, 2);
	m = land_manifest_read((struct str){b.p, b.n}, &err);
	if (!m)
		fail_msg("%s\n%s", err.text, b.p);
	assert_string_equal(m->run_id, sample.run_id);
	assert_string_equal(m->zip, sample.zip);
	assert_string_equal(m->kind, sample.kind);
	assert_string_equal(m->state, sample.state);
	assert_string_equal(m->source_url, sample.source_url);
	assert_string_equal(m->fhirline_version, sample.fhirline_version);
	assert_string_equal(m->reconciliation, sample.reconciliation);
	assert_int_equal(m->mapping_version, 3);
	assert_true(m->started_us == sample.started_us);
	assert_true(m->ended_us == sample.ended_us);
	assert_true(m->watermark_us == sample.watermark_us);
	assert_true(m->swept_us == sample.swept_us);
	assert_string_equal(m->after, sample.after);
	assert_string_equal(m->fates.name, sample.fates.name);
	assert_string_equal(m->fates.sha256, sample.fates.sha256);
	assert_true(m->fates.bytes == 77);
	assert_memory_equal(m->counts, sample.counts, sizeof sample.counts);
	assert_int_equal(m->object_count, 2);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(m->objects[i].type, i);
		assert_string_equal(m->objects[i].object.name, objects[i].name);
		assert_string_equal(m->objects[i].object.sha256, objects[i].sha256);
		assert_true(m->objects[i].object.bytes == objects[i].bytes);
		assert_true(m->objects[i].object.raw_bytes == objects[i].raw_bytes);
		assert_true(m->objects[i].object.lines == objects[i].lines);
	}
	land_manifest_free(m);
	buf_free(&b);
}

static void a_run_may_have_landed_nothing(void **state)
{
	struct land_manifest head = sample, *m;
	struct buf b = BUF_INIT(1 << 20);
	char name[160];

	(void)state;
	head.reconciliation = NULL;
	head.started_us = INT64_MIN;
	land_manifest_begin(&b, &head);
	assert_true(land_manifest_end(&b, &err));
	m = land_manifest_read((struct str){b.p, b.n}, &err);
	assert_non_null(m);
	assert_int_equal(m->object_count, 0);
	assert_null(m->reconciliation);
	assert_true(m->started_us == INT64_MIN);
	land_manifest_free(m);
	buf_free(&b);
	land_manifest_name(name, ZIP, RUN);
	assert_string_equal(name, RUN_FOLDER "/manifest.json");
}

/* The sample with `from` replaced by `to` is refused. */
static void refuse(const char *from, const char *to)
{
	struct buf b = BUF_INIT(1 << 20), changed = BUF_INIT(1 << 20);
	char *hit;

	write_sample(&b, 2);
	hit = strstr(b.p, from);
	if (!hit)
		fail_msg("'%s' is not in it", from);
	buf_add(&changed, b.p, (size_t)(hit - b.p));
	buf_add_cstr(&changed, to);
	buf_add_cstr(&changed, hit + strlen(from));
	memset(&err, 0, sizeof err);
	if (land_manifest_read((struct str){changed.p, changed.n}, &err))
		fail_msg("'%s' should be refused", to);
	assert_int_equal(err.code, ERR_DATA);
	buf_free(&b);
	buf_free(&changed);
}

static void what_is_damaged_is_refused(void **state)
{
	(void)state;
	refuse("{", "[");
	refuse("fhirline-manifest", "other");
	refuse("\"version\": 1", "\"version\": 2");
	refuse("\"02139\"", "\"2139\"");
	refuse("\"02139\"", "2139");
	refuse(RUN, "../../etc");
	refuse("\"full\"", "\"a kind that is much too long for it\"");
	refuse("\"mapping_version\": 3", "\"mapping_version\": -3");
	refuse("\"source_url\"", "\"source\"");
	refuse("2023-11-14T", "2023-02-30T");
	refuse("2023-11-14T22", "2023-11-14T24");
	refuse("\"fetched\": 10", "\"fetched\": \"10\"");
	refuse("\"fetched\": 10", "\"fetched\": -10");
	refuse("\"objects\"", "\"object\"");
	refuse("\"name\": \"zip=", "\"name\": \"/zip=");
	refuse("\"name\": \"zip=", "\"name\": \"../zip=");
	refuse("\"type\": \"Patient\"", "\"type\": \"Encounter\"");
	refuse("\"bytes\": 100", "\"bytes\": 1e2");
}

static void no_byte_can_crash_it(void **state)
{
	struct buf b = BUF_INIT(1 << 20);
	struct rng r = {11};

	(void)state;
	write_sample(&b, 2);
	for (int i = 0; i < 3000; i++) {
		size_t at = rng_below(&r, b.n);
		char was = b.p[at];

		b.p[at] = (char)rng_next(&r);
		land_manifest_free(land_manifest_read((struct str){b.p, i % 3 ? b.n : at}, &err));
		b.p[at] = was;
	}
	buf_free(&b);
}

static void a_manifest_has_a_bound(void **state)
{
	struct buf b = BUF_INIT(500);

	(void)state;
	land_manifest_begin(&b, &sample);
	land_manifest_object(&b, LAND_PATIENT, &objects[0]);
	assert_false(land_manifest_end(&b, &err));
	assert_int_equal(err.code, ERR_LIMIT);
	buf_free(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_is_written_is_read),
	    cmocka_unit_test(a_run_may_have_landed_nothing),
	    cmocka_unit_test(what_is_damaged_is_refused),
	    cmocka_unit_test(no_byte_can_crash_it),
	    cmocka_unit_test(a_manifest_has_a_bound),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
