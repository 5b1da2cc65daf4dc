/* SPDX-License-Identifier: Apache-2.0
 *
 * Histories of released versions, each a file histories/<version>-<what>.history
 * (tests/workflow/run
 * with FHIRLINE_RECORD=VERSION makes them): this code decides as they have it. A file is never made anew: what it has
 * is what workflows out there have.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>
#include <dirent.h>
#include <string.h>

#include "base/buf.h"
#include "flow/plan.h"
#include "temporal/replay.h"
#include "workflow/ingest_zip.h"

enum { HISTORY_MAX = 16 << 20 };

/* The linker puts this in flow_plan()'s place (--wrap). */
static bool changed;
size_t __real_flow_plan(const struct flow_state *state, struct flow_action *out, size_t cap);
size_t __wrap_flow_plan(const struct flow_state *state, struct flow_action *out, size_t cap);

size_t __wrap_flow_plan(const struct flow_state *state, struct flow_action *out, size_t cap)
{
	struct flow_state other = *state;

	if (changed && other.limits.patients_per_batch > 1)
		other.limits.patients_per_batch--;
	return __real_flow_plan(&other, out, cap);
}

static void load(const char *name, struct buf *out)
{
	char path[512], piece[65536];
	size_t n;
	FILE *f;

	snprintf(path, sizeof path, "%s/%s", HISTORIES, name);
	f = fopen(path, "rb");
	assert_non_null(f);
	while ((n = fread(piece, 1, sizeof piece, f)))
		buf_add(out, piece, n);
	fclose(f);
	assert_false(out->failed);
}

static bool replay(const char *name, struct temporal_replayed *seen, struct err *err)
{
	struct buf history = BUF_INIT(HISTORY_MAX);
	bool ok;

	load(name, &history);
	ok = temporal_replay((struct str){history.p, history.n}, ingest_zip_workflows,
	                     INGEST_ZIP_WORKFLOWS, seen, err);
	buf_free(&history);
	return ok;
}

static int each(bool (*fn)(const char *name))
{
	DIR *d = opendir(HISTORIES);
	struct dirent *e;
	int n = 0;

	assert_non_null(d);
	while ((e = readdir(d)))
		if (strstr(e->d_name, ".history"))
			n += fn(e->d_name);
	closedir(d);
	return n;
}

static bool is_as_it_was(const char *name)
{
	struct temporal_replayed seen;
	struct err err = {0};

	if (!replay(name, &seen, &err))
		fail_msg("%s: %s", name, err.text);
	assert_true(seen.tasks > 0 && seen.commands > 0);
	return true;
}

static void recorded_histories_replay(void **state)
{
	(void)state;
	assert_true(each(is_as_it_was) >= 5);
}

static bool is_told(const char *name)
{
	struct temporal_replayed seen;
	struct err err = {0};

	if (replay(name, &seen, &err))
		return false; /* it reads no groups */
	assert_int_equal(err.code, ERR_CONFLICT);
	assert_non_null(strstr(err.text, "history"));
	return true;
}

static void a_changed_plan_is_told(void **state)
{
	(void)state;
	changed = true;
	assert_true(each(is_told) >= 3);
	changed = false;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(recorded_histories_replay),
	    cmocka_unit_test(a_changed_plan_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
