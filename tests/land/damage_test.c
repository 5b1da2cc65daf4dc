/* SPDX-License-Identifier: Apache-2.0
 *
 * A landed object that was changed behind our back is never read as if it were whole.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/rng.h"
#include "folder.h"

static struct folder f;
static struct land *l;
static struct err err;
static struct land_object object;
static struct buf whole = BUF_INIT(64 << 20); /* the object as it should be */
static char path[600];

enum { LINES = 4000 };

static bool land_noise(void)
{
	struct buf b = BUF_INIT(1 << 20);
	struct rng r = {99};
	char name[160];
	struct land_writer *w;
	bool ok = true;

	land_object_name(name, ZIP, RUN, "patient", 1);
	w = land_create(l, name, &err);
	for (int i = 0; w && ok && i < LINES; i++) {
		buf_clear(&b);
		buf_printf(&b, "{\"id\":\"%d\",\"x\":[", i);
		for (int k = 0; k < 40; k++)
			buf_printf(&b, "%llu,", (unsigned long long)rng_next(&r));
		buf_lit(&b, "0]}");
		ok = land_write_line(w, (struct str){b.p, b.n}, &err);
	}
	buf_free(&b);
	return w && land_commit(w, STR("{\"facts\":true}"), &object, &err);
}

static int setup(void **state)
{
	(void)state;
	folder_make(&f);
	l = land_open(f.url, NULL, &err);
	if (!l || !land_noise() || !land_get_small(l, object.name, &whole, &err))
		return -1;
	snprintf(path, sizeof path, "%s/%s", f.path, object.name);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	buf_free(&whole);
	land_close(l);
	folder_drop(&f);
	return 0;
}

static void write_object(const char *p, size_t n)
{
	FILE *file = fopen(path, "wb");

	assert_non_null(file);
	assert_int_equal(fwrite(p, 1, n, file), n);
	assert_int_equal(fclose(file), 0);
}

/* Reads to the end; true when it was taken for whole. */
static bool read_all(const char *sha256, int64_t *lines)
{
	struct land_reader *r = land_read(l, object.name, sha256, &err);
	struct str line;
	enum land_line got;

	assert_non_null(r);
	*lines = 0;
	while ((got = land_next_line(r, &line, &err)) == LAND_LINE)
		(*lines)++;
	land_read_close(r);
	if (got == LAND_ERROR) {
		assert_int_equal(err.code, ERR_DATA);
		assert_non_null(strstr(err.text, "patient-000001.ndjson.zst"));
	}
	return got == LAND_END;
}

static void the_whole_object_is_whole(void **state)
{
	int64_t lines;

	(void)state;
	write_object(whole.p, whole.n);
	assert_true(read_all(object.sha256, &lines));
	assert_int_equal(lines, LINES);
	assert_true(read_all(NULL, &lines));
	assert_int_equal(lines, LINES);
}

static void a_flipped_bit_is_seen(void **state)
{
	struct rng r = {5};

	(void)state;
	for (int i = 0; i < 80; i++) {
		/* every second one in the trailer and what is before it */
		size_t at = i % 2 ? rng_below(&r, whole.n) : whole.n - 1 - rng_below(&r, 200);
		char flip = (char)(1 << rng_below(&r, 8));
		struct buf b = BUF_INIT(1 << 20);
		struct land_object o = {0};
		int64_t lines;

		whole.p[at] = (char)(whole.p[at] ^ flip);
		write_object(whole.p, whole.n);
		whole.p[at] = (char)(whole.p[at] ^ flip);
		assert_false(read_all(object.sha256, &lines));
		/* what does not look at the hash may succeed, but must not crash */
		land_get_line(l, object.name, 1 + (int64_t)rng_below(&r, LINES), &b, &err);
		if (land_meta(l, object.name, &b, &o, &err))
			assert_string_not_equal(o.sha256, object.sha256);
		buf_free(&b);
	}
}

static void a_cut_object_is_seen_even_without_its_hash(void **state)
{
	struct rng r = {6};
	int64_t lines;

	(void)state;
	for (int i = 0; i < 60; i++) {
		size_t n = i < 30 ? whole.n - 1 - (size_t)i : rng_below(&r, whole.n);
		struct buf b = BUF_INIT(1 << 20);
		struct land_object o;

		write_object(whole.p, n);
		assert_false(read_all(NULL, &lines));
		assert_false(land_get_line(l, object.name, 1, &b, &err));
		assert_int_equal(err.code, ERR_DATA);
		assert_false(land_meta(l, object.name, &b, &o, &err));
		assert_int_equal(err.code, ERR_DATA);
		buf_free(&b);
	}
}

static void another_object_under_its_name_is_seen(void **state)
{
	struct land_writer *w;
	struct land_object o;
	int64_t lines;

	(void)state;
	assert_true(land_remove(l, object.name, &err));
	w = land_create(l, object.name, &err);
	assert_non_null(w);
	assert_true(land_write_line(w, STR("{}"), &err));
	assert_true(land_commit(w, STR("{}"), &o, &err));
	assert_false(read_all(object.sha256, &lines));
	assert_non_null(strstr(err.text, "SHA-256"));
	assert_true(read_all(NULL, &lines));
}

static void noise_is_no_object(void **state)
{
	struct rng r = {7};
	int64_t lines;

	(void)state;
	for (int i = 0; i < 200; i++) {
		size_t n = rng_below(&r, 5000);
		char noise[5000];
		struct buf b = BUF_INIT(1 << 20);

		for (size_t k = 0; k < n; k++)
			noise[k] = (char)rng_next(&r);
		write_object(noise, n);
		assert_false(read_all(NULL, &lines));
		assert_false(land_get_line(l, object.name, 1, &b, &err));
		buf_free(&b);
	}
}

#define LANDED(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    LANDED(the_whole_object_is_whole),
	    LANDED(a_flipped_bit_is_seen),
	    LANDED(a_cut_object_is_seen_even_without_its_hash),
	    LANDED(another_object_under_its_name_is_seen),
	    LANDED(noise_is_no_object),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
