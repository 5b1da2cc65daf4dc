/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <pthread.h>
#include <zstd.h>

#include "base/rng.h"
#include "folder.h"

static struct folder f;
static struct land *l;
static struct err err;

static int setup(void **state)
{
	(void)state;
	folder_make(&f);
	l = land_open(f.url, NULL, &err);
	return l ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	land_close(l);
	folder_drop(&f);
	return 0;
}

static void check(bool ok)
{
	if (!ok)
		fail_msg("%s", err.text);
}

static struct land_writer *create(int seq)
{
	char name[160];
	struct land_writer *w;

	land_object_name(name, ZIP, RUN, "observation", seq);
	w = land_create(l, name, &err);
	check(w != NULL);
	return w;
}

/* Line `i` of the test objects: from nothing much to a few that are larger than a frame. */
static struct str line_of(struct buf *b, uint64_t i)
{
	struct rng r = rng_for(7, i);
	size_t n = i % 1000 == 999 ? 3000000 : rng_below(&r, 1500);

	buf_clear(b);
	buf_printf(b, "{\"i\":%llu,\"x\":\"", (unsigned long long)i);
	for (; n >= 16; n -= 16)
		buf_printf(b, "%016llx", (unsigned long long)rng_next(&r));
	buf_lit(b, "\"}");
	return (struct str){b->p, b->n};
}

static struct land_object land_lines(int seq, uint64_t count)
{
	struct land_writer *w = create(seq);
	struct buf b = BUF_INIT(8 << 20);
	struct land_object o;

	for (uint64_t i = 0; i < count; i++)
		check(land_write_line(w, line_of(&b, i), &err));
	check(land_commit(w, STR("{\"a\":1}"), &o, &err));
	buf_free(&b);
	return o;
}

static void lines_come_back_in_order(void **state)
{
	enum { COUNT = 6000 };
	struct land_object o = land_lines(1, COUNT);
	struct buf b = BUF_INIT(8 << 20);
	struct land_reader *r;
	struct str line;
	int64_t raw = 0;

	(void)state;
	assert_string_equal(o.name, RUN_FOLDER "/observation-000001.ndjson.zst");
	assert_int_equal(o.lines, COUNT);
	r = land_read(l, o.name, o.sha256, &err);
	check(r != NULL);
	for (uint64_t i = 0; i < COUNT; i++) {
		assert_int_equal(land_next_line(r, &line, &err), LAND_LINE);
		assert_true(str_eq(line, line_of(&b, i)));
		raw += (int64_t)line.n + 1;
	}
	assert_int_equal(land_next_line(r, &line, &err), LAND_END);
	assert_int_equal(land_next_line(r, &line, &err), LAND_END);
	assert_int_equal(raw, o.raw_bytes);
	land_read_close(r);
	buf_free(&b);
}

static void any_line_is_found(void **state)
{
	static const int64_t lines[] = {1, 2, 700, 999, 1000, 1001, 2999, 3000};
	struct land_object o = land_lines(1, 3000);
	struct buf b = BUF_INIT(8 << 20), got = BUF_INIT(8 << 20);

	(void)state;
	for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
		buf_clear(&got);
		check(land_get_line(l, o.name, lines[i], &got, &err));
		assert_true(
		    str_eq((struct str){got.p, got.n}, line_of(&b, (uint64_t)lines[i] - 1)));
	}
	assert_false(land_get_line(l, o.name, 3001, &got, &err));
	assert_int_equal(err.code, ERR_NOT_FOUND);
	assert_false(land_get_line(l, o.name, 0, &got, &err));
	assert_int_equal(err.code, ERR_NOT_FOUND);
	assert_false(land_get_line(l, "zip=02139/run=x/nothing", 1, &got, &err));
	assert_int_equal(err.code, ERR_NOT_FOUND);
	buf_free(&got);
	got = BUF_INIT(10);
	assert_false(land_get_line(l, o.name, 1000, &got, &err));
	assert_int_equal(err.code, ERR_LIMIT);
	buf_free(&got);
	buf_free(&b);
}

static void line_breaks_become_spaces(void **state)
{
	struct land_writer *w = create(1);
	struct land_object o;
	struct buf got = BUF_INIT(1000);

	(void)state;
	check(land_write_line(w, STR("{\n  \"a\": \"x\\ny\",\r\n  \"b\": 1\n}"), &err));
	check(land_commit(w, STR("{}"), &o, &err));
	assert_int_equal(o.lines, 1);
	check(land_get_line(l, o.name, 1, &got, &err));
	assert_string_equal(got.p, "{   \"a\": \"x\\ny\",    \"b\": 1 }");
	buf_free(&got);
}

static void an_object_knows_its_facts(void **state)
{
	struct land_object o = land_lines(1, 2500), again = {0};
	struct buf meta = BUF_INIT(1000);

	(void)state;
	check(land_meta(l, o.name, &meta, &again, &err));
	assert_string_equal(meta.p, "{\"a\":1}");
	assert_string_equal(again.name, o.name);
	assert_string_equal(again.sha256, o.sha256);
	assert_int_equal(again.bytes, o.bytes);
	assert_int_equal(again.raw_bytes, o.raw_bytes);
	assert_int_equal(again.lines, o.lines);
	assert_false(land_meta(l, RUN_FOLDER "/patient-000001.ndjson.zst", &meta, &again, &err));
	assert_int_equal(err.code, ERR_NOT_FOUND);
	buf_free(&meta);
}

static void an_empty_object_is_one_too(void **state)
{
	struct land_writer *w = create(1);
	struct land_object o, again;
	struct land_reader *r;
	struct str line;
	struct buf meta = BUF_INIT(1000);

	(void)state;
	check(land_commit(w, STR_NONE, &o, &err));
	assert_int_equal(o.lines, 0);
	assert_int_equal(o.raw_bytes, 0);
	r = land_read(l, o.name, o.sha256, &err);
	check(r != NULL);
	assert_int_equal(land_next_line(r, &line, &err), LAND_END);
	land_read_close(r);
	check(land_meta(l, o.name, &meta, &again, &err));
	assert_int_equal(meta.n, 0);
	buf_free(&meta);
}

/* What any tool does: all frames, one after another, in one go. */
static void any_zstd_tool_reads_it(void **state)
{
	struct land_object o = land_lines(1, 2000);
	struct buf packed = BUF_INIT(64 << 20), want = BUF_INIT(64 << 20), b = BUF_INIT(8 << 20);
	char *raw = malloc((size_t)o.raw_bytes);
	char hex[HASH_HEX];

	(void)state;
	assert_non_null(raw);
	check(land_get_small(l, o.name, &packed, &err));
	assert_int_equal(packed.n, o.bytes);
	assert_true(hash_sha256_of((struct str){packed.p, packed.n}, hex));
	assert_string_equal(hex, o.sha256);
	assert_int_equal(ZSTD_decompress(raw, (size_t)o.raw_bytes, packed.p, packed.n),
	                 o.raw_bytes);
	for (uint64_t i = 0; i < 2000; i++) {
		buf_add_str(&want, line_of(&b, i));
		buf_add_char(&want, '\n');
	}
	assert_int_equal(want.n, o.raw_bytes);
	assert_memory_equal(want.p, raw, want.n);
	free(raw);
	buf_free(&packed);
	buf_free(&want);
	buf_free(&b);
}

static void an_object_lands_once(void **state)
{
	struct land_object first = land_lines(1, 3), o = {.bytes = 77}, again;
	struct land_writer *w = create(1);
	struct buf meta = BUF_INIT(100);

	(void)state;
	check(land_write_line(w, STR("{}"), &err));
	assert_false(land_commit(w, STR("{}"), &o, &err));
	assert_int_equal(err.code, ERR_CONFLICT);
	assert_int_equal(o.bytes, 77);
	check(land_meta(l, first.name, &meta, &again, &err));
	assert_string_equal(again.sha256, first.sha256);
	assert_int_equal(folder_entries(&f, RUN_FOLDER), 1);
	buf_free(&meta);
}

static void abort_leaves_nothing(void **state)
{
	struct land_writer *w = create(1);
	struct buf b = BUF_INIT(8 << 20);
	bool exists = true;

	(void)state;
	for (uint64_t i = 0; i < 3000; i++)
		check(land_write_line(w, line_of(&b, i), &err));
	assert_int_equal(folder_entries(&f, RUN_FOLDER), 1);
	check(land_exists(l, RUN_FOLDER "/observation-000001.ndjson.zst", &exists, &err));
	assert_false(exists);
	land_abort(w);
	land_abort(NULL);
	assert_int_equal(folder_entries(&f, RUN_FOLDER), 0);
	buf_free(&b);
}

static void sweep_takes_the_dead_and_fences_the_living(void **state)
{
	struct land_object o = land_lines(1, 3);
	struct land_writer *w = create(2);

	(void)state;
	check(
	    land_sweep(l, ZIP, "0190163d-8694-739b-aea5-000000000000", &err)); /* not there: fine */
	assert_int_equal(folder_entries(&f, RUN_FOLDER), 2);
	check(land_sweep(l, ZIP, RUN, &err));
	assert_int_equal(folder_entries(&f, RUN_FOLDER), 1);
	check(land_write_line(w, STR("{}"), &err));
	assert_false(land_commit(w, STR("{}"), &o, &err));
	assert_int_equal(err.code, ERR_CONFLICT);
	assert_int_equal(folder_entries(&f, RUN_FOLDER), 1);
}

static void small_files_are_replaced_whole(void **state)
{
	static const char name[] = RUN_FOLDER "/manifest.json";
	struct buf b = BUF_INIT(1000);
	bool exists = false;

	(void)state;
	assert_false(land_get_small(l, name, &b, &err));
	assert_int_equal(err.code, ERR_NOT_FOUND);
	check(land_put_small(l, name, STR("one and more"), &err));
	check(land_put_small(l, name, STR("two"), &err));
	check(land_get_small(l, name, &b, &err));
	assert_string_equal(b.p, "two");
	check(land_exists(l, name, &exists, &err));
	assert_true(exists);
	assert_int_equal(folder_entries(&f, RUN_FOLDER), 1);
	check(land_remove(l, name, &err));
	check(land_remove(l, name, &err));
	check(land_exists(l, name, &exists, &err));
	assert_false(exists);
	check(land_put_small(l, name, STR(""), &err));
	buf_clear(&b);
	check(land_get_small(l, name, &b, &err));
	assert_int_equal(b.n, 0);
	buf_free(&b);
}

static void a_run_is_removed_with_all_it_has(void **state)
{
	struct land_writer *w;

	(void)state;
	land_lines(1, 10);
	land_lines(2, 10);
	w = create(3);
	check(land_put_small(l, "zip=02139/other.json", STR("{}"), &err));
	check(land_remove_run(l, ZIP, RUN, &err));
	assert_int_equal(folder_entries(&f, RUN_FOLDER), -1);
	assert_int_equal(folder_entries(&f, "zip=02139"), 1);
	check(land_remove_run(l, ZIP, RUN, &err));
	check(land_remove_run(l, "99999", RUN, &err));
	land_abort(w);
	assert_false(land_remove_run(l, "..", RUN, &err));
	assert_false(land_remove_run(l, ZIP, "..", &err));
	assert_int_equal(err.code, ERR_USAGE);
}

static void names_stay_within(void **state)
{
	static const char *const bad[] = {"",         "/etc/passwd", "../x", "a/../b",
	                                  "a/..",     "a//b",        "a/",   ".hidden",
	                                  "a/.b.tmp", "a b",         "a\nb", "\xc3\xa9"};
	char name[400];
	bool exists;

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		assert_null(land_create(l, bad[i], &err));
		assert_int_equal(err.code, ERR_USAGE);
		assert_null(land_read(l, bad[i], NULL, &err));
		assert_false(land_exists(l, bad[i], &exists, &err));
		assert_false(land_remove(l, bad[i], &err));
		assert_false(land_put_small(l, bad[i], STR("x"), &err));
	}
	memset(name, 'a', sizeof name);
	name[sizeof name - 1] = '\0';
	assert_null(land_create(l, name, &err));
}

static void urls(void **state)
{
	static const char *const bad[] = {"",   "/tmp/x",      "file:x",    "file://host/x",
	                                  "s3", "file:///x?y", "http://x/y"};
	char url[400];
	struct land *other;

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		assert_null(land_open(bad[i], NULL, &err));
		assert_int_equal(err.code, ERR_CONFIG);
		assert_non_null(strstr(err.text, "FHIRLINE_LANDING_URL"));
	}
	snprintf(url, sizeof url, "file://localhost%s/new/deep%%20folder//", f.path);
	other = land_open(url, NULL, &err);
	check(other != NULL);
	assert_int_equal(folder_entries(&f, "new/deep folder"), 0);
	snprintf(url, sizeof url, "file://%s/new/deep folder", f.path);
	assert_string_equal(land_url(other), url);
	land_close(other);
}

static bool note(void *ctx, const char *name, int64_t size, struct err *e)
{
	(void)e;
	buf_add_cstr(ctx, name);
	buf_printf(ctx, " =%lld\n", (long long)size);
	return !strstr(name, "stop");
}

static void listed(const char *folder, const char *wanted)
{
	struct buf b = BUF_INIT(100000);

	check(land_list(l, folder, note, &b, &err));
	assert_string_equal(b.p ? b.p : "", wanted);
	buf_free(&b);
}

static void lists_are_in_order(void **state)
{
	static const char *const names[] = {"a/b", "a.b", "a-b", "a/b.c/d", "a/b-c", "zip=1/x"};
	struct buf b = BUF_INIT(100);
	struct land_writer *w = create(1); /* what is being written is not there yet */
	char path[600];

	(void)state;
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		check(land_put_small(l, names[i], STR("12345"), &err));
	snprintf(path, sizeof path, "%s/not ours", f.path);
	close(open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
	listed("", "a-b =5\na.b =5\na/b =5\na/b-c =5\na/b.c/d =5\nzip=1/x =5\n");
	listed("a", "a/b =5\na/b-c =5\na/b.c/d =5\n");
	listed("nothing", "");
	land_abort(w);
	check(land_put_small(l, "a.stop", STR("1"), &err));
	assert_false(land_list(l, "", note, &b, &err));
	assert_false(land_list(l, "../x", note, &b, &err));
	buf_free(&b);
}

/* A process may be killed while it tries whether it can write. */
static void what_a_killed_try_left_is_gone(void **state)
{
	char path[600];
	struct land *other;
	int fd;

	(void)state;
	snprintf(path, sizeof path, "%s/.write-check.tmp", f.path);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0400);
	assert_true(fd >= 0);
	close(fd);
	other = land_open(f.url, NULL, &err);
	check(other != NULL);
	assert_int_equal(folder_entries(&f, ""), 0);
	land_close(other);
}

static void files_are_private(void **state)
{
	char path[600];
	struct stat st;

	(void)state;
	land_lines(1, 1);
	snprintf(path, sizeof path, "%s/" RUN_FOLDER "/observation-000001.ndjson.zst", f.path);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(st.st_nlink, 1);
	snprintf(path, sizeof path, "%s/" RUN_FOLDER, f.path);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0700);
}

static void read_back_large(const struct land_object *o, size_t n)
{
	struct land_reader *r = land_read(l, o->name, o->sha256, &err);
	struct str line;

	check(r != NULL);
	assert_int_equal(land_next_line(r, &line, &err), LAND_LINE);
	assert_int_equal(land_next_line(r, &line, &err), LAND_LINE);
	assert_int_equal(line.n, n);
	assert_int_equal(land_next_line(r, &line, &err), LAND_LINE);
	assert_true(str_is(line, "[]"));
	assert_int_equal(land_next_line(r, &line, &err), LAND_END);
	land_read_close(r);
}

static void bounds_of_a_line(void **state)
{
	struct land_writer *w = create(1);
	size_t n = 128u << 20;
	char *big = malloc(n + 1);
	struct land_object o;

	(void)state;
	assert_non_null(big);
	memset(big, ' ', n + 1);
	assert_false(land_write_line(w, STR(""), &err));
	assert_int_equal(err.code, ERR_DATA);
	assert_false(land_write_line(w, (struct str){big, n + 1}, &err));
	assert_int_equal(err.code, ERR_LIMIT);
	/* a refused line is not in it, and the largest is */
	check(land_write_line(w, STR("{}"), &err));
	check(land_write_line(w, (struct str){big, n}, &err));
	check(land_write_line(w, STR("[]"), &err));
	check(land_commit(w, STR("{}"), &o, &err));
	free(big);
	assert_int_equal(o.lines, 3);
	read_back_large(&o, n);
}

struct racer {
	pthread_t thread;
	int seq;
	bool won;
	enum err_code code;
};

static void *race(void *arg)
{
	struct racer *r = arg;
	struct land_writer *w;
	struct land_object o;
	struct err e = {0};
	char name[160];

	land_object_name(name, ZIP, RUN, "patient", r->seq);
	w = land_create(l, name, &e);
	if (w && land_write_line(w, STR("{\"a\":1}"), &e))
		r->won = land_commit(w, STR("{}"), &o, &e);
	r->code = e.code;
	return NULL;
}

/* Every name is raced for by four threads: one wins, three are told. */
static void of_several_writers_one_lands(void **state)
{
	enum { NAMES = 8, EACH = 4 };
	struct racer racers[NAMES * EACH] = {0};
	int won = 0;

	(void)state;
	for (int i = 0; i < NAMES * EACH; i++) {
		racers[i].seq = i / EACH;
		assert_int_equal(pthread_create(&racers[i].thread, NULL, race, &racers[i]), 0);
	}
	for (int i = 0; i < NAMES * EACH; i++) {
		pthread_join(racers[i].thread, NULL);
		won += racers[i].won;
		if (!racers[i].won)
			assert_int_equal(racers[i].code, ERR_CONFLICT);
	}
	assert_int_equal(won, NAMES);
	assert_int_equal(folder_entries(&f, RUN_FOLDER), NAMES);
}

#define LANDED(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    LANDED(lines_come_back_in_order),
	    LANDED(any_line_is_found),
	    LANDED(line_breaks_become_spaces),
	    LANDED(an_object_knows_its_facts),
	    LANDED(an_empty_object_is_one_too),
	    LANDED(any_zstd_tool_reads_it),
	    LANDED(an_object_lands_once),
	    LANDED(abort_leaves_nothing),
	    LANDED(sweep_takes_the_dead_and_fences_the_living),
	    LANDED(small_files_are_replaced_whole),
	    LANDED(a_run_is_removed_with_all_it_has),
	    LANDED(names_stay_within),
	    LANDED(urls),
	    LANDED(lists_are_in_order),
	    LANDED(what_a_killed_try_left_is_gone),
	    LANDED(files_are_private),
	    LANDED(bounds_of_a_line),
	    LANDED(of_several_writers_one_lands),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
