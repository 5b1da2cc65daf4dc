/* SPDX-License-Identifier: Apache-2.0
 *
 * database.h: how the commands connect to PostgreSQL.
 */
#ifndef FHIRLINE_CMD_DATABASE_H
#define FHIRLINE_CMD_DATABASE_H

#include "base/config.h"
#include "pg/conn.h"

/* Borrows from `config` and `application_name`. */
struct pg_options database_options(const struct config *config, const char *application_name);

#endif
