/* SPDX-License-Identifier: Apache-2.0 */
#include "pg/migrate.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "pg/embed_sql.h"

static const char folder[] = "migrations/";

enum { FOLDER_LEN = sizeof folder - 1, VERSION_DIGITS = 4 };

struct migration {
	int version;
	struct str name; /* without folder and suffix */
	const char *text;
	char hash[HASH_HEX];
};

/* The embedded migrations are those of the table whose name begins with the folder; sorted by name
 * is sorted by version. */
static int count_wanted(void)
{
	int n = 0;

	for (size_t i = 0; i < embed_sql_count; i++)
		n += strncmp(embed_sql[i].name, folder, FOLDER_LEN) == 0;
	return n;
}

/* Migration `version` of this build. False when files and numbers do not go together: a mistake in
 * the tree. */
static bool get_migration(int version, struct migration *m, struct err *err)
{
	int seen = 0;

	for (size_t i = 0; i < embed_sql_count; i++) {
		const struct embed_file *f = &embed_sql[i];
		struct str number = {f->name + FOLDER_LEN, VERSION_DIGITS};
		int64_t v;

		if (strncmp(f->name, folder, FOLDER_LEN) != 0 || ++seen != version)
			continue;
		if (!str_int(number, version, version, &v) || number.p[VERSION_DIGITS] != '_')
			break;
		m->version = version;
		m->name = str_of(f->name + FOLDER_LEN);
		m->name.n -= strlen(".sql");
		m->text = f->data;
		if (!hash_sha256_of((struct str){f->data, f->n}, m->hash))
			return err_set(err, ERR_INTERNAL, "pg.migrate", "SHA-256 failed");
		return true;
	}
	return err_set(err, ERR_INTERNAL, "pg.migrate",
	               "migration %d is missing from this build or misnamed", version);
}

struct applied {
	bool read_only;
	PGresult *rows; /* NULL: there is no table yet */
	int version;    /* the newest */
};

static bool read_applied(struct pg_conn *c, struct applied *a, struct err *err)
{
	PGresult *probe = pg_query(c, sql_get("migration_probe"), 0, NULL, err);
	bool exists;
	int n;

	if (!probe)
		return false;
	*a = (struct applied){.read_only = pg_bool(probe, 0, 0)};
	exists = pg_bool(probe, 0, 1);
	PQclear(probe);
	if (!exists)
		return true;
	a->rows = pg_query(c, sql_get("migration_list"), 0, NULL, err);
	if (!a->rows)
		return false;
	n = PQntuples(a->rows);
	a->version = n ? (int)pg_int(a->rows, n - 1, 0) : 0;
	return true;
}

static bool newer_error(int version, int wanted, struct err *err)
{
	return err_set(err, ERR_CONFLICT, "pg.migrate",
	               "the database's schema is version %d, this fhirline knows up to %d; use a "
	               "newer fhirline, or another "
	               "database",
	               version, wanted);
}

/* What was applied must be what this build has under the same numbers. */
static bool check_applied(const struct applied *a, struct err *err)
{
	int wanted = count_wanted();
	int n = a->rows ? PQntuples(a->rows) : 0;
	struct migration m;

	if (a->version > wanted)
		return newer_error(a->version, wanted, err);
	for (int r = 0; r < n; r++) {
		if (pg_int(a->rows, r, 0) != r + 1)
			return err_set(err, ERR_CONFLICT, "pg.migrate",
			               "migration %d is missing from the database's "
			               "schema_migration; restore the database or start "
			               "with an empty one",
			               r + 1);
		if (!get_migration(r + 1, &m, err))
			return false;
		if (!str_is(pg_str(a->rows, r, 2), m.hash))
			return err_set(err, ERR_CONFLICT, "pg.migrate",
			               "migration %d (%.*s) was applied with another text; use the "
			               "fhirline that made this "
			               "database, or an empty database",
			               m.version, STR_FMT(m.name));
	}
	return true;
}

static bool add_row(struct pg_conn *c, const struct migration *m, struct err *err)
{
	char version[16], name[128];
	const char *params[] = {version, name, m->hash};

	snprintf(version, sizeof version, "%d", m->version);
	snprintf(name, sizeof name, "%.*s", STR_FMT(m->name));
	return pg_exec(c, sql_get("migration_add"), 3, params, NULL, err);
}

static bool apply(struct pg_conn *c, const struct migration *m, struct err *err)
{
	if (!pg_begin(c, err))
		return false;
	if (!pg_exec(c, "SET LOCAL statement_timeout = 0", 0, NULL, NULL, err) ||
	    !pg_exec_script(c, m->text, err) || !add_row(c, m, err) || !pg_commit(c, err)) {
		pg_rollback(c);
		err_prefix(err, "migration %d (%.*s)", m->version, STR_FMT(m->name));
		return false;
	}
	return true;
}

/* Under the lock: looks again, because another process may have been faster. */
static bool apply_missing(struct pg_conn *c, int *applied, struct err *err)
{
	struct applied a = {0};
	struct migration m;
	int done = 0;
	bool ok;

	if (!pg_exec_script(c, sql_get("migration_table"), err))
		return false;
	ok = read_applied(c, &a, err) && check_applied(&a, err);
	for (int v = a.version + 1; ok && v <= count_wanted(); v++) {
		ok = get_migration(v, &m, err) && apply(c, &m, err);
		done += ok;
	}
	PQclear(a.rows);
	if (ok)
		*applied = done;
	return ok;
}

bool pg_migrate(struct pg_conn *c, int *applied, struct err *err)
{
	struct applied a = {0};
	struct err ignored;
	bool ok;

	ok = read_applied(c, &a, err) && check_applied(&a, err);
	PQclear(a.rows);
	if (!ok)
		return false;
	/* nothing is written when nothing is missing, so that a read-only database with the right
	 * schema will do */
	if (a.version == count_wanted()) {
		*applied = 0;
		return true;
	}
	if (a.read_only)
		return err_set(err, ERR_CONFIG, "pg.migrate",
		               "the schema is version %d and must become %d, but the database is "
		               "read-only (a standby?); point "
		               "FHIRLINE_DATABASE_URL at the primary and run: fhirline db migrate",
		               a.version, count_wanted());
	if (!pg_exec(c, sql_get("migration_lock"), 0, NULL, NULL, err))
		return false;
	ok = apply_missing(c, applied, err);
	/* when this fails the connection is lost, and the lock with it */
	(void)pg_exec(c, sql_get("migration_unlock"), 0, NULL, NULL, &ignored);
	return ok;
}

bool pg_schema_status(struct pg_conn *c, struct pg_schema_status *status, struct err *err)
{
	struct applied a = {0};

	if (!read_applied(c, &a, err))
		return false;
	PQclear(a.rows);
	*status = (struct pg_schema_status){.version = a.version, .wanted = count_wanted()};
	return true;
}

bool pg_schema_check(struct pg_conn *c, struct err *err)
{
	struct applied a = {0};
	int wanted = count_wanted();
	bool ok;

	ok = read_applied(c, &a, err) && check_applied(&a, err);
	PQclear(a.rows);
	if (!ok)
		return false;
	if (a.version < wanted)
		return err_set(err, ERR_CONFLICT, "pg.migrate",
		               "the database's schema is version %d, this fhirline needs %d; run: "
		               "fhirline db migrate",
		               a.version, wanted);
	return true;
}
