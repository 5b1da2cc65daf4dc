/* SPDX-License-Identifier: Apache-2.0 */
#include "flow/lineage.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { RUNS_MAX = 1000000, MANIFEST_MAX = 256 * 1024 * 1024 };

/* ---- rules ---- */

static bool is_whole(const struct land_manifest *m)
{
	/* before there were watermarks in manifests, there was `completed` */
	return strcmp(m->kind, "full") == 0 &&
	       (m->watermark_us != INT64_MIN ||
	        (!m->fates.name[0] && strcmp(m->state, "completed") == 0));
}

size_t lineage_first(struct land_manifest *const *runs, size_t count)
{
	for (size_t i = count; i > 0; i--)
		if (is_whole(runs[i - 1]))
			return i - 1;
	return 0;
}

size_t lineage_gap(struct land_manifest *const *runs, size_t first, size_t count)
{
	for (size_t i = first + 1; i < count; i++)
		if (runs[i]->after[0] && strcmp(runs[i]->after, runs[i - 1]->run_id) != 0)
			return i;
	return count;
}

/* ---- what is there ---- */

/* Run ids in order, without doubles. */
struct ids {
	char (*id)[UUID_TEXT];
	size_t n, cap;
};

static bool ids_add(struct ids *s, struct str id, struct err *err)
{
	void *more;

	if (s->n && str_is(id, s->id[s->n - 1]))
		return true;
	if (s->n == s->cap) {
		s->cap = s->cap ? s->cap * 2 : 64;
		more = s->cap <= RUNS_MAX ? realloc(s->id, s->cap * sizeof *s->id) : NULL;
		if (!more)
			return err_set(err, ERR_NOMEM, "flow.lineage", "too many runs");
		s->id = more;
	}
	snprintf(s->id[s->n++], UUID_TEXT, "%.*s", STR_FMT(id));
	return true;
}

struct looking {
	struct ids landed; /* runs that have any object */
	struct ids ended;  /* … that have a manifest */
	const char *until;
};

/* The run id and the rest of "zip=02139/run=<id>/rest". */
static bool parts_of(const char *name, struct str *zip, struct str *id, const char **rest)
{
	if (strncmp(name, "zip=", 4) != 0 || strlen(name) < 9 + 5 + 37)
		return false;
	*zip = (struct str){name + 4, 5};
	*id = (struct str){name + 14, UUID_TEXT - 1};
	*rest = name + 14 + UUID_TEXT;
	return str_is_zip(*zip) && strncmp(name + 9, "/run=", 5) == 0 && uuid_valid(*id) &&
	       name[14 + UUID_TEXT - 1] == '/';
}

static bool look_at(void *arg, const char *name, int64_t bytes, struct err *err)
{
	struct looking *s = arg;
	struct str zip, id;
	const char *rest;

	(void)bytes;
	if (!parts_of(name, &zip, &id, &rest) || (s->until && strncmp(id.p, s->until, id.n) > 0))
		return true;
	if (strcmp(rest, "manifest.json") == 0 && !ids_add(&s->ended, id, err))
		return false;
	return ids_add(&s->landed, id, err);
}

/* ---- reading ---- */

static void say(struct lineage *l, const char *what, const char *run_id, const char *why)
{
	size_t n = strlen(l->words);

	snprintf(l->words + n, sizeof l->words - n, "%s%s%s%s", n ? "; " : "", what, run_id, why);
}

static struct land_manifest *read_manifest(struct land *l, const char *zip, const char *id,
                                           struct err *err)
{
	struct buf b = BUF_INIT(MANIFEST_MAX);
	struct land_manifest *m = NULL;
	char name[160];

	land_manifest_name(name, zip, id);
	if (land_get_small(l, name, &b, err))
		m = land_manifest_read((struct str){b.p, b.n}, err);
	buf_free(&b);
	if (m && (strcmp(m->run_id, id) != 0 || strcmp(m->zip, zip) != 0)) {
		err_set(err, ERR_DATA, "flow.lineage", "the manifest is that of another run");
		land_manifest_free(m);
		m = NULL;
	}
	return m;
}

/* A manifest that is damaged is as good as none, but said. */
static bool read_all(struct land *l, const struct ids *ended, struct lineage *out, struct err *err)
{
	out->runs = calloc(ended->n + 1, sizeof(struct land_manifest *));
	if (!out->runs)
		return err_set(err, ERR_NOMEM, "flow.lineage", "out of memory");
	for (size_t i = 0; i < ended->n; i++) {
		struct err e = {0};
		struct land_manifest *m = read_manifest(l, out->zip, ended->id[i], &e);

		if (m) {
			out->runs[out->count++] = m;
		} else if (e.code == ERR_DATA) {
			say(out, "the manifest of run ", ended->id[i], " is damaged");
		} else {
			*err = e;
			return false;
		}
	}
	return true;
}

static void drop_before(struct lineage *l, size_t first)
{
	for (size_t i = 0; i < first; i++)
		land_manifest_free(l->runs[i]);
	l->count -= first;
	memmove(l->runs, l->runs + first, l->count * sizeof *l->runs);
}

static void choose(struct lineage *l)
{
	size_t first = lineage_first(l->runs, l->count), gap;

	if (!is_whole(l->runs[first]))
		say(l, "no full run that missed nothing is in the landing zone: the oldest run, ",
		    l->runs[first]->run_id, ", was begun with");
	gap = lineage_gap(l->runs, first, l->count);
	if (gap < l->count)
		say(l, "run ", l->runs[gap]->after,
		    ", which a later one follows, has no manifest in the landing zone");
	drop_before(l, first);
}

static bool none_there(const struct looking *s, const char *zip, struct err *err)
{
	if (s->landed.n)
		return err_set(err, ERR_NOT_FOUND, "flow.lineage",
		               "no run of zip code %s has a manifest in the landing zone that can "
		               "be read: none has ended there",
		               zip);
	return err_set(err, ERR_NOT_FOUND, "flow.lineage",
	               "the landing zone has no run of zip code %s", zip);
}

static bool load(struct land *l, const struct looking *s, struct lineage *out, struct err *err)
{
	if (!read_all(l, &s->ended, out, err))
		return false;
	if (!out->count)
		return none_there(s, out->zip, err);
	if (s->until && strcmp(out->runs[out->count - 1]->run_id, s->until) != 0)
		return err_set(err, ERR_NOT_FOUND, "flow.lineage",
		               "run %s has no manifest in the landing zone: it has not ended",
		               s->until);
	choose(out);
	return true;
}

bool lineage_load(struct land *l, const char *zip, const char *until, struct lineage *out,
                  struct err *err)
{
	struct looking s = {.until = until};
	struct lineage made = {0};
	char prefix[16];
	bool ok;

	snprintf(made.zip, sizeof made.zip, "%s", zip);
	snprintf(prefix, sizeof prefix, "zip=%s", zip);
	ok = land_list(l, prefix, look_at, &s, err) && load(l, &s, &made, err);
	free(s.landed.id);
	free(s.ended.id);
	if (ok)
		*out = made;
	else
		lineage_free(&made);
	return ok;
}

void lineage_free(struct lineage *l)
{
	for (size_t i = 0; i < l->count; i++)
		land_manifest_free(l->runs[i]);
	free(l->runs);
	*l = (struct lineage){0};
}

/* ---- zip codes ---- */

struct zips {
	char (*zip)[6];
	size_t n;
	const char *run_id; /* NULL: all; else the zip code of this run alone */
};

static bool add_zip(void *arg, const char *name, int64_t bytes, struct err *err)
{
	struct zips *s = arg;
	struct str zip, id;
	const char *rest;

	(void)bytes;
	if (!parts_of(name, &zip, &id, &rest) || (s->run_id && !str_is(id, s->run_id)) ||
	    (s->n && str_is(zip, s->zip[s->n - 1])))
		return true;
	if (s->n == LINEAGE_ZIPS_MAX)
		return err_set(err, ERR_LIMIT, "flow.lineage",
		               "the landing zone has more than %d zip codes", LINEAGE_ZIPS_MAX);
	memcpy(s->zip[s->n], zip.p, 5);
	s->zip[s->n++][5] = '\0';
	return true;
}

static bool list_zips(struct land *l, struct zips *s, struct err *err)
{
	s->zip = malloc(LINEAGE_ZIPS_MAX * sizeof *s->zip);
	if (!s->zip)
		return err_set(err, ERR_NOMEM, "flow.lineage", "out of memory");
	if (land_list(l, "", add_zip, s, err))
		return true;
	free(s->zip);
	return false;
}

bool lineage_zips(struct land *l, char (**out)[6], size_t *n, struct err *err)
{
	struct zips s = {0};

	if (!list_zips(l, &s, err))
		return false;
	*out = s.zip;
	*n = s.n;
	return true;
}

bool lineage_zip_of(struct land *l, const char *run_id, char zip[6], struct err *err)
{
	struct zips s = {.run_id = run_id};
	bool ok;

	if (!list_zips(l, &s, err))
		return false;
	ok = s.n > 0;
	if (ok)
		memcpy(zip, s.zip[0], 6);
	else
		err_set(err, ERR_NOT_FOUND, "flow.lineage", "the landing zone has no run %s",
		        run_id);
	free(s.zip);
	return ok;
}
