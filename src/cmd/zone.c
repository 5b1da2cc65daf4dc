/* SPDX-License-Identifier: Apache-2.0
 *
 * `fhirline landing list|verify|prune`: what the landing zone has, whether it is sound, and making
 * room in it. Only prune asks the database.
 */
#include "land/zone.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cmd/command.h"
#include "cmd/database.h"
#include "cmd/interrupt.h"
#include "cmd/report.h"

#define KEEP_MAX 100000

struct landing {
	struct config *config;
	struct land *land;
	struct zone zone;
	const char *zip, *keep_text; /* NULL: not given */
	int64_t keep;
	bool json, dry_run, force;
	int64_t checked, damaged, missing, unknown; /* verify */
	PGresult *needed;                           /* prune; NULL: nobody was asked */
};

/* ---- list ---- */

static const char *state_of(const struct zone_run *r)
{
	return r->manifest ? r->manifest->state : r->damaged ? "damaged" : "not ended";
}

static void list_json(const struct zone_run *r)
{
	const struct land_manifest *m = r->manifest;
	char ended[CLOCK_TEXT];

	printf(
	    "{\"run_id\":\"%s\",\"zip\":\"%s\",\"state\":\"%s\",\"files\":%zu,\"bytes\":%" PRId64,
	    r->id, r->zip, state_of(r), r->file_count, r->bytes);
	if (m && m->ended_us != INT64_MIN)
		clock_format(m->ended_us, ended);
	if (m)
		printf(",\"kind\":\"%s\",\"ended_at\":%s%s%s,\"objects\":%zu,\"csv\":%zu,"
		       "\"patients\":%" PRId64 ",\"observations\":%" PRId64,
		       m->kind, m->ended_us != INT64_MIN ? "\"" : "",
		       m->ended_us != INT64_MIN ? ended : "null",
		       m->ended_us != INT64_MIN ? "\"" : "", m->object_count, m->csv_count,
		       m->counts[LAND_PATIENT].landed, m->counts[LAND_OBSERVATION].landed);
	printf("}\n");
}

static void list_row(const struct zone_run *r)
{
	const struct land_manifest *m = r->manifest;
	char n[4][REPORT_TEXT], ended[CLOCK_TEXT] = "-";

	if (m && m->ended_us != INT64_MIN)
		clock_format(m->ended_us - m->ended_us % 1000000, ended);
	printf("%-5s  %-36s  %-11s  %-10s  %-20s  %10s  %12s  %8s  %15s\n", r->zip, r->id,
	       m ? m->kind : "-", state_of(r), ended,
	       m ? report_number(m->counts[LAND_PATIENT].landed, n[0]) : "-",
	       m ? report_number(m->counts[LAND_OBSERVATION].landed, n[1]) : "-",
	       report_number((int64_t)r->file_count, n[2]), report_number(r->bytes, n[3]));
}

static int landing_list(struct landing *l)
{
	if (!l->json && l->zone.count)
		printf("%-5s  %-36s  %-11s  %-10s  %-20s  %10s  %12s  %8s  %15s\n", "zip", "run",
		       "kind", "state", "ended", "patients", "observations", "files", "bytes");
	else if (!l->json)
		printf("no runs\n");
	for (size_t i = 0; i < l->zone.count; i++)
		(l->json ? list_json : list_row)(&l->zone.runs[i]);
	return COMMAND_OK;
}

/* ---- verify ---- */

static void found(struct landing *l, int64_t *count, const char *what, const char *name,
                  const char *why)
{
	++*count;
	if (l->json) {
		struct buf b = BUF_INIT(4096);

		buf_printf(&b, "{\"problem\":\"%s\",\"name\":\"%s\",\"why\":", what, name);
		buf_add_json(&b, str_of(why));
		printf("%s}\n", b.p);
		buf_free(&b);
	} else {
		printf("%-8s %s: %s\n", what, name, why);
	}
}

/* Reads an object to its end, which checks hash, frames and trailer; false: it cannot be told. */
static bool read_through(struct landing *l, const char *name, const char *sha256,
                         struct land_object *seen, struct err *err)
{
	struct land_reader *reader = land_read(l->land, name, sha256, err);
	struct str line;
	enum land_line got = reader ? LAND_LINE : LAND_ERROR;

	while (got == LAND_LINE && !interrupted()) {
		got = land_next_line(reader, &line, err);
		if (got == LAND_LINE) {
			seen->lines++;
			seen->raw_bytes += (int64_t)line.n + 1;
		}
	}
	land_read_close(reader);
	if (got == LAND_LINE)
		return err_set(err, ERR_CANCELLED, "landing", "interrupted");
	return got == LAND_END;
}

/* True: nothing but *err's ERR_DATA was wrong, which has been said. */
static bool unsound(struct landing *l, const char *name, struct err *err)
{
	if (err->code != ERR_DATA)
		return false;
	found(l, &l->damaged, "damaged", name, err->text);
	return true;
}

static bool verify_object(struct landing *l, const struct land_object *o, struct err *err)
{
	struct land_object seen = {0};

	if (!read_through(l, o->name, o->sha256, &seen, err))
		return unsound(l, o->name, err);
	if (seen.lines != o->lines || seen.raw_bytes != o->raw_bytes)
		found(l, &l->damaged, "damaged", o->name,
		      "the manifest counts other lines or bytes");
	return true;
}

static bool verify_plain(struct landing *l, const struct land_object *o, struct err *err)
{
	struct land_object seen;

	if (!land_hash(l->land, o->name, &seen, err))
		return unsound(l, o->name, err);
	if (strcmp(seen.sha256, o->sha256) != 0)
		found(l, &l->damaged, "damaged", o->name,
		      "its bytes are not those of the manifest");
	return true;
}

static bool verify_file(struct landing *l, const struct zone_run *r, const struct land_object *o,
                        bool (*check)(struct landing *, const struct land_object *, struct err *),
                        struct err *err)
{
	struct zone_file *f = zone_find(r, o->name);

	l->checked++;
	if (!f) {
		found(l, &l->missing, "missing", o->name, "the manifest names it");
		return true;
	}
	f->listed = true;
	if (f->bytes != o->bytes) {
		found(l, &l->damaged, "damaged", o->name,
		      "it has another size than in the manifest");
		return true;
	}
	return check(l, o, err);
}

static bool verify_ended(struct landing *l, const struct zone_run *r, struct err *err)
{
	const struct land_manifest *m = r->manifest;
	char own[160];

	land_manifest_name(own, r->zip, r->id);
	for (size_t i = 0; i < m->object_count; i++)
		if (!verify_file(l, r, &m->objects[i].object, verify_object, err))
			return false;
	for (size_t i = 0; i < m->csv_count; i++)
		if (!verify_file(l, r, &m->csv[i].object, verify_plain, err))
			return false;
	if (m->fates.name[0] && !verify_file(l, r, &m->fates, verify_plain, err))
		return false;
	for (size_t i = 0; i < r->file_count; i++)
		if (!r->files[i].listed && strcmp(r->files[i].name, own) != 0)
			found(l, &l->unknown, "unknown", r->files[i].name,
			      "the manifest does not name it");
	return true;
}

/* A run without a manifest has objects that are complete in themselves. */
static bool verify_open(struct landing *l, const struct zone_run *r, struct err *err)
{
	for (size_t i = 0; i < r->file_count; i++) {
		const char *name = r->files[i].name;
		size_t n = strlen(name);
		struct land_object seen = {0};

		if (n < 11 || strcmp(name + n - 11, ".ndjson.zst") != 0)
			continue;
		l->checked++;
		if (!read_through(l, name, NULL, &seen, err) && !unsound(l, name, err))
			return false;
	}
	return true;
}

static bool verify_run(struct landing *l, const struct zone_run *r, struct err *err)
{
	char name[160];

	if (r->manifest)
		return verify_ended(l, r, err);
	if (r->damaged) {
		land_manifest_name(name, r->zip, r->id);
		found(l, &l->damaged, "damaged", name, r->why);
	}
	return verify_open(l, r, err);
}

static int landing_verify(struct landing *l)
{
	struct err err;

	interrupt_catch();
	for (size_t i = 0; i < l->zone.count; i++)
		if (!verify_run(l, &l->zone.runs[i], &err))
			return interrupted() ? 128 + interrupted() : command_fail("landing", &err);
	for (size_t i = 0; i < l->zone.other_count; i++)
		found(l, &l->unknown, "unknown", l->zone.others[i].name,
		      "it is not of the landing zone's layout");
	if (l->json)
		printf("{\"runs\":%zu,\"checked\":%" PRId64 ",\"damaged\":%" PRId64
		       ",\"missing\":%" PRId64 ",\"unknown\":%" PRId64 "}\n",
		       l->zone.count, l->checked, l->damaged, l->missing, l->unknown);
	else
		printf("%zu runs, %" PRId64 " files checked: %" PRId64 " damaged, %" PRId64
		       " missing, %" PRId64 " unknown\n",
		       l->zone.count, l->checked, l->damaged, l->missing, l->unknown);
	return l->damaged || l->missing || l->unknown ? COMMAND_INCOMPLETE : COMMAND_OK;
}

/* ---- prune ---- */

static const char *needed_for(const struct landing *l, const struct zone_run *r)
{
	for (int i = 0; l->needed && i < PQntuples(l->needed); i++)
		if (strcmp(PQgetvalue(l->needed, i, 0), r->id) == 0)
			return PQgetvalue(l->needed, i, 1);
	return NULL;
}

/* Why run `i` stays; NULL: it goes. `first` is the oldest run of the zip code that is kept. */
static const char *reason_to_keep(const struct landing *l, size_t i, size_t first, bool enough)
{
	const struct zone_run *r = &l->zone.runs[i];

	if (!enough)
		return "there are not more full runs that missed and rejected nothing than are "
		       "kept";
	if (i >= first)
		return zone_is_whole(r) ? "a full run that is kept"
		                        : "it follows a full run that is kept";
	if (l->force)
		return NULL;
	if (!r->manifest)
		return r->damaged ? "its manifest is damaged" : "it has not ended";
	return needed_for(l, r);
}

static void say(const struct landing *l, const struct zone_run *r, const char *why)
{
	const char *did = why ? "kept" : l->dry_run ? "would be pruned" : "pruned";
	char bytes[REPORT_TEXT];

	if (l->json)
		printf(
		    "{\"run_id\":\"%s\",\"zip\":\"%s\",\"pruned\":%s,\"dry_run\":%s,\"why\":%s%s%s,"
		    "\"bytes\":%" PRId64 "}\n",
		    r->id, r->zip, why ? "false" : "true", l->dry_run ? "true" : "false",
		    why ? "\"" : "", why ? why : "null", why ? "\"" : "", r->bytes);
	else
		printf("%s %s %s (%s bytes)%s%s\n", r->zip, r->id, did,
		       report_number(r->bytes, bytes), why ? ": " : "", why ? why : "");
}

/* The manifest last: when it is interrupted, the next prune goes on with this run. */
static bool remove_run(struct landing *l, const struct zone_run *r, struct err *err)
{
	char manifest[160];

	land_manifest_name(manifest, r->zip, r->id);
	for (size_t i = 0; i < r->file_count; i++)
		if (strcmp(r->files[i].name, manifest) != 0 &&
		    !land_remove(l->land, r->files[i].name, err))
			return false;
	return land_remove_run(l->land, r->zip, r->id, err);
}

/* The runs [from, to) are those of one zip code. */
static bool prune_zip(struct landing *l, size_t from, size_t to, struct err *err)
{
	int64_t whole = 0;
	size_t first = from;

	for (size_t i = to; i > from && whole < l->keep; i--) {
		if (zone_is_whole(&l->zone.runs[i - 1])) {
			whole++;
			first = i - 1;
		}
	}
	for (size_t i = from; i < to; i++) {
		const char *why = reason_to_keep(l, i, first, whole == l->keep);

		if (interrupted())
			return err_set(err, ERR_CANCELLED, "landing", "interrupted");
		if (!why && !l->dry_run && !remove_run(l, &l->zone.runs[i], err))
			return false;
		say(l, &l->zone.runs[i], why);
	}
	return true;
}

static bool ask_database(struct landing *l, struct err *err)
{
	struct pg_conn *conn = database_open(l->config, "fhirline landing", err);
	const char *params[] = {l->zip};

	if (!conn)
		return false;
	l->needed = pg_query(conn, sql_get("landing_needed"), 1, params, err);
	pg_conn_close(conn);
	return l->needed != NULL;
}

static int landing_prune(struct landing *l)
{
	struct err err;
	bool ok = l->force || ask_database(l, &err);
	size_t to;

	interrupt_catch();
	for (size_t from = 0; ok && from < l->zone.count; from = to) {
		for (to = from + 1; to < l->zone.count; to++)
			if (strcmp(l->zone.runs[to].zip, l->zone.runs[from].zip) != 0)
				break;
		ok = prune_zip(l, from, to, &err);
	}
	PQclear(l->needed);
	if (ok)
		return COMMAND_OK;
	return interrupted() ? 128 + interrupted() : command_fail("landing", &err);
}

/* ---- the command ---- */

static const struct action {
	const char *name;
	int (*run)(struct landing *l);
} actions[] = {{"list", landing_list}, {"verify", landing_verify}, {"prune", landing_prune}};

static const struct action *find(const char *name)
{
	for (size_t i = 0; i < sizeof actions / sizeof *actions; i++)
		if (strcmp(actions[i].name, name) == 0)
			return &actions[i];
	return NULL;
}

static int check(struct landing *l, const struct action *a, int nargs, char **argv)
{
	bool prune = a && a->run == landing_prune;

	if (!a)
		return command_usage("landing", "say what to do: list, verify or prune");
	if (nargs != 1)
		return command_usage("landing", "%s takes flags alone, not \"%.*s\"", a->name,
		                     command_quotable(argv[2]), argv[2]);
	if (l->zip && !str_is_zip(str_of(l->zip)))
		return command_usage("landing", "--zip takes five digits, such as 02139");
	if (!prune && (l->keep_text || l->dry_run || l->force))
		return command_usage("landing", "--keep, --dry-run and --force belong to prune");
	if (prune && !l->keep_text)
		return command_usage("landing",
		                     "prune needs --keep: how many full runs of a zip code");
	if (prune && !str_int(str_of(l->keep_text), 1, KEEP_MAX, &l->keep))
		return command_usage("landing", "--keep is a number from 1 to %d", KEEP_MAX);
	return COMMAND_OK;
}

static int run_action(struct landing *l, const struct action *a)
{
	struct err err;
	int code;

	l->land = landing_open(l->config, &err);
	if (l->land && zone_load(l->land, l->zip, &l->zone, &err))
		code = a->run(l);
	else
		code = command_fail("landing", &err);
	zone_free(&l->zone);
	land_close(l->land);
	return code;
}

int cmd_landing(int argc, char **argv)
{
	struct landing l = {0};
	const struct config_flag flags[] = {
	    {"zip", "ZIP", "Of this zip code alone", .value = &l.zip},
	    {"keep", "N", "prune: keep the newest N full runs of a zip code, and all after them",
	     .value = &l.keep_text},
	    {"dry-run", NULL, "prune: say what would go, and remove nothing", .on = &l.dry_run},
	    {"force", NULL, "prune: also what something still needs; the database is not asked",
	     .on = &l.force},
	    {"json", NULL, "JSON, one object a line", .on = &l.json},
	    {0}};
	const struct action *a;
	int nargs, code;

	if (!command_start(argc, argv, flags, &l.config, &nargs, &code))
		return code;
	a = nargs ? find(argv[1]) : NULL;
	code = check(&l, a, nargs, argv);
	if (code == COMMAND_OK)
		code = run_action(&l, a);
	config_free(l.config);
	return code;
}
