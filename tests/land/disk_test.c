/* SPDX-License-Identifier: Apache-2.0
 *
 * Disks that are full, read-only or not ours: what a person is told, and that nothing is left
 * behind.
 *
 * A small file system is mounted for it in a mount namespace of this program alone, which needs
 * root. Without it the tests are skipped loudly, and fail when CI is set.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/wait.h>

#include "base/rng.h"
#include "folder.h"

enum { NOBODY = 65534 };

static struct folder f;
static struct err err;

static int setup(void **state)
{
	(void)state;
	folder_make(&f);
	return mount("fhirline-test", f.path, "tmpfs", 0, "size=2m,mode=0700");
}

static int teardown(void **state)
{
	(void)state;
	umount2(f.path, MNT_DETACH);
	folder_drop(&f);
	return 0;
}

/* Writes lines that do not compress until it fails. */
static bool fill(struct land_writer *w)
{
	struct rng r = {3};
	uint64_t noise[8192];

	for (int i = 0; i < 200; i++) {
		for (size_t k = 0; k < sizeof noise / sizeof *noise; k++)
			noise[k] = rng_next(&r);
		if (!land_write_line(w, (struct str){(const char *)noise, sizeof noise}, &err))
			return false;
	}
	return true;
}

static void a_full_disk_is_told_and_cleaned(void **state)
{
	struct land *l = land_open(f.url, NULL, &err);
	struct land_writer *w;
	struct land_object o;
	char name[160];

	(void)state;
	assert_non_null(l);
	land_object_name(name, ZIP, RUN, "patient", 1);
	w = land_create(l, name, &err);
	assert_non_null(w);
	assert_false(fill(w));
	assert_int_equal(err.code, ERR_IO);
	assert_true(err.retryable);
	assert_non_null(strstr(err.text, "patient-000001.ndjson.zst"));
	assert_non_null(strstr(err.text, "no space is left"));
	/* half an object is never put in place */
	assert_false(land_commit(w, STR("{}"), &o, &err));
	assert_int_equal(folder_entries(&f, RUN_FOLDER), 0);
	/* there is room again */
	w = land_create(l, name, &err);
	assert_non_null(w);
	assert_true(land_write_line(w, STR("{}"), &err));
	assert_true(land_commit(w, STR("{}"), &o, &err));
	land_close(l);
}

static void a_small_file_keeps_its_old_text_when_there_is_no_room(void **state)
{
	struct land *l = land_open(f.url, NULL, &err);
	struct buf big = BUF_INIT(8 << 20), got = BUF_INIT(1000);

	(void)state;
	assert_non_null(l);
	for (int i = 0; i < 4 << 20; i++)
		buf_add_char(&big, 'x');
	assert_true(land_put_small(l, "manifest.json", STR("old"), &err));
	assert_false(land_put_small(l, "manifest.json", (struct str){big.p, big.n}, &err));
	assert_int_equal(err.code, ERR_IO);
	assert_true(err.retryable);
	assert_true(land_get_small(l, "manifest.json", &got, &err));
	assert_string_equal(got.p, "old");
	assert_int_equal(folder_entries(&f, ""), 1);
	buf_free(&big);
	buf_free(&got);
	land_close(l);
}

static void a_read_only_disk_is_told(void **state)
{
	struct land *l = land_open(f.url, NULL, &err);

	(void)state;
	assert_non_null(l);
	assert_int_equal(mount(NULL, f.path, NULL, MS_REMOUNT | MS_RDONLY, NULL), 0);
	assert_null(land_create(l, "x", &err));
	assert_int_equal(err.code, ERR_IO);
	assert_false(err.retryable);
	assert_non_null(strstr(err.text, "read-only"));
	land_close(l);
	assert_null(land_open(f.url, NULL, &err));
	assert_non_null(strstr(err.text, "FHIRLINE_LANDING_URL"));
}

/* In a process of its own, because rights that are given away do not come back. */
static void somebody_elses_folder_is_told(void **state)
{
	char below[300];
	int status = -1;
	pid_t pid;

	(void)state;
	snprintf(below, sizeof below, "%s/below", f.url);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		if (setgid(NOBODY) != 0 || setuid(NOBODY) != 0)
			_exit(2);
		if (land_open(below, NULL, &err) || err.code != ERR_IO || err.retryable)
			_exit(3);
		_exit(strstr(err.text, "permission denied") &&
		              strstr(err.text, "FHIRLINE_LANDING_URL")
		          ? 0
		          : 4);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

#define MOUNTED(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    MOUNTED(a_full_disk_is_told_and_cleaned),
	    MOUNTED(a_small_file_keeps_its_old_text_when_there_is_no_room),
	    MOUNTED(a_read_only_disk_is_told),
	    MOUNTED(somebody_elses_folder_is_told),
	};
	const char *ci = getenv("CI");

	if (unshare(CLONE_NEWNS) != 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0) {
		fprintf(stderr,
		        "SKIPPED: full and read-only disks, because a file system cannot be "
		        "mounted here: %s\n",
		        strerror(errno));
		return ci && strcmp(ci, "true") == 0 ? 1 : 77;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
