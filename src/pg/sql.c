/* SPDX-License-Identifier: Apache-2.0 */
#include "pg/conn.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "pg/embed_sql.h"

enum { STAGE_SUFFIX = 32 };

const char *sql_get(const char *name)
{
	char file[128];
	const struct embed_file *f;
	int n = snprintf(file, sizeof file, "%s.sql", name);

	f = n > 0 && (size_t)n < sizeof file ? embed_find(embed_sql, embed_sql_count, file) : NULL;
	if (!f) {
		fprintf(stderr, "fhirline: there is no embedded statement '%s'\n", name);
		abort();
	}
	return f->data;
}

/* The UUID without its dashes, which is 32 hex digits and so safe as part of an identifier. */
static bool stage_suffix(const char *run_id, char out[STAGE_SUFFIX + 1], struct err *err)
{
	size_t n = 0;

	if (!run_id || !uuid_valid(str_of(run_id)))
		return err_set(err, ERR_USAGE, "pg.stage", "a run id is a UUID in lower case");
	for (const char *p = run_id; *p; p++)
		if (*p != '-')
			out[n++] = *p;
	out[n] = '\0';
	return true;
}

char *pg_sql_stage(const char *text, const char *run_id, struct err *err)
{
	static const char mark[] = "{stage}";
	char suffix[STAGE_SUFFIX + 1], *out, *to;
	const char *p, *hit;
	size_t hits = 0;

	if (!stage_suffix(run_id, suffix, err))
		return NULL;
	for (p = text; (p = strstr(p, mark)); p += sizeof mark - 1)
		hits++;
	out = malloc(strlen(text) + hits * STAGE_SUFFIX + 1);
	if (!out) {
		err_set(err, ERR_NOMEM, "pg.stage", "out of memory");
		return NULL;
	}
	to = out;
	for (p = text; (hit = strstr(p, mark)); p = hit + sizeof mark - 1) {
		to = mempcpy(to, p, (size_t)(hit - p));
		to = mempcpy(to, suffix, STAGE_SUFFIX);
	}
	memcpy(to, p, strlen(p) + 1);
	return out;
}
