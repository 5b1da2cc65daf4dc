/* SPDX-License-Identifier: Apache-2.0
 *
 * migrate.h: brings the schema to this build's version.
 *
 * Migrations are sql/migrations/NNNN_name.sql, embedded at build, applied in order, each in a
 * transaction of its own with its row in `schema_migration` (version, name, hash, applied_at), all
 * under one advisory lock so that several processes may start at once. An applied migration whose
 * text has changed is refused (ERR_CONFLICT); so is a schema newer than this build. Both messages
 * say what to do.
 */
#ifndef FHIRLINE_PG_MIGRATE_H
#define FHIRLINE_PG_MIGRATE_H

#include "pg/conn.h"

struct pg_schema_status {
	int version; /* newest applied; 0: none */
	int wanted;  /* this build's */
};

bool pg_schema_status(struct pg_conn *c, struct pg_schema_status *status, struct err *err);
bool pg_migrate(struct pg_conn *c, int *applied, struct err *err); /* *applied: how many it ran */

/* For commands that only read: ERR_CONFLICT when the schema is older ("run fhirline db migrate") or
 * newer. */
bool pg_schema_check(struct pg_conn *c, struct err *err);

#endif
