/* SPDX-License-Identifier: Apache-2.0 */
#include "land/zone.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MANIFEST_MAX = 256 * 1024 * 1024, ID_AT = 14, FILE_AT = ID_AT + UUID_TEXT };

/* ---- reading ---- */

/* Is it "zip=02139/run=<id>/file"? */
static bool of_layout(const char *name)
{
	return strncmp(name, "zip=", 4) == 0 && strlen(name) > FILE_AT &&
	       str_is_zip((struct str){name + 4, 5}) && strncmp(name + 9, "/run=", 5) == 0 &&
	       uuid_valid((struct str){name + ID_AT, UUID_TEXT - 1}) && name[FILE_AT - 1] == '/' &&
	       !strchr(name + FILE_AT, '/');
}

/* Room for one more: arrays grow by doubling, when their count is a power of two. */
static void *more(void *items, size_t count, size_t size)
{
	return count & (count - 1) ? items : realloc(items, (count ? count * 2 : 1) * size);
}

static bool add_file(struct zone_file **files, size_t *count, const char *name, int64_t bytes,
                     struct err *err)
{
	struct zone_file *grown = more(*files, *count, sizeof **files);

	if (!grown)
		return err_set(err, ERR_NOMEM, "land.zone", "out of memory");
	*files = grown;
	snprintf(grown[*count].name, sizeof grown->name, "%s", name);
	grown[*count].listed = false;
	grown[(*count)++].bytes = bytes;
	return true;
}

static bool add_run(struct zone *z, const char *name, struct err *err)
{
	struct zone_run *runs = more(z->runs, z->count, sizeof *z->runs);

	if (!runs)
		return err_set(err, ERR_NOMEM, "land.zone", "out of memory");
	z->runs = runs;
	runs[z->count] = (struct zone_run){0};
	snprintf(runs[z->count].zip, 6, "%.5s", name + 4);
	snprintf(runs[z->count].id, UUID_TEXT, "%.36s", name + ID_AT);
	z->count++;
	return true;
}

static bool look_at(void *ctx, const char *name, int64_t bytes, struct err *err)
{
	struct zone *z = ctx;
	struct zone_run *run = z->count ? &z->runs[z->count - 1] : NULL;

	if (!of_layout(name))
		return add_file(&z->others, &z->other_count, name, bytes, err);
	if (!run || strncmp(run->zip, name + 4, 5) != 0 ||
	    strncmp(run->id, name + ID_AT, UUID_TEXT - 1) != 0) {
		if (!add_run(z, name, err))
			return false;
		run = &z->runs[z->count - 1];
	}
	run->bytes += bytes;
	return add_file(&run->files, &run->file_count, name, bytes, err);
}

static bool read_manifest(struct land *l, struct zone_run *run, struct err *err)
{
	struct buf b = BUF_INIT(MANIFEST_MAX);
	char name[160];
	bool ok = true;

	land_manifest_name(name, run->zip, run->id);
	if (!zone_find(run, name))
		return true;
	ok = land_get_small(l, name, &b, err);
	if (ok) {
		run->manifest = land_manifest_read((struct str){b.p, b.n}, err);
		if (!run->manifest && err->code == ERR_DATA) {
			run->damaged = true;
			snprintf(run->why, sizeof run->why, "%.199s", err->text);
		} else {
			ok = run->manifest != NULL;
		}
	}
	buf_free(&b);
	return ok;
}

bool zone_load(struct land *l, const char *zip, struct zone *out, struct err *err)
{
	struct zone z = {0};
	char folder[16] = "";
	bool ok;

	if (zip)
		snprintf(folder, sizeof folder, "zip=%.5s", zip);
	ok = land_list(l, folder, look_at, &z, err);
	for (size_t i = 0; ok && i < z.count; i++)
		ok = read_manifest(l, &z.runs[i], err);
	if (ok)
		*out = z;
	else
		zone_free(&z);
	return ok;
}

void zone_free(struct zone *z)
{
	for (size_t i = 0; i < z->count; i++) {
		land_manifest_free(z->runs[i].manifest);
		free(z->runs[i].files);
	}
	free(z->runs);
	free(z->others);
	*z = (struct zone){0};
}

/* ---- asking ---- */

static int by_name(const void *key, const void *file)
{
	return strcmp(key, ((const struct zone_file *)file)->name);
}

struct zone_file *zone_find(const struct zone_run *run, const char *name)
{
	return run->file_count
	           ? bsearch(name, run->files, run->file_count, sizeof *run->files, by_name)
	           : NULL;
}

bool zone_is_whole(const struct zone_run *run)
{
	const struct land_manifest *m = run->manifest;

	if (!m || strcmp(m->kind, "full") != 0 || strcmp(m->state, "completed") != 0)
		return false;
	for (int t = 0; t < LAND_TYPES; t++)
		if (m->counts[t].rejected || m->counts[t].missing)
			return false;
	/* manifests had no watermark before they had fates */
	return m->watermark_us != INT64_MIN || !m->fates.name[0];
}
