/* SPDX-License-Identifier: Apache-2.0
 *
 * embed_sql.h: the embedded files below sql/ ("name.sql", "migrations/0001_tables.sql"), made by
 * tools/embed. Statements are found with sql_get() of conn.h; this is for migrate.c and tests.
 */
#ifndef FHIRLINE_PG_EMBED_SQL_H
#define FHIRLINE_PG_EMBED_SQL_H

#include "base/embed.h"

extern const struct embed_file embed_sql[];
extern const size_t embed_sql_count;

#endif
