/* SPDX-License-Identifier: Apache-2.0
 *
 * database.h: how the commands connect to PostgreSQL, and where they find the landing zone.
 */
#ifndef FHIRLINE_CMD_DATABASE_H
#define FHIRLINE_CMD_DATABASE_H

#include "base/config.h"
#include "land/land.h"
#include "pg/conn.h"

/* Borrows from `config` and `application_name`. */
struct pg_options database_options(const struct config *config, const char *application_name);

/* A connection to a database whose schema is this program's. NULL on failure. */
struct pg_conn *database_open(const struct config *config, const char *application_name,
                              struct err *err);
struct pg_conn *database_open_with(const struct pg_options *options, struct err *err);

/* The landing zone that the settings name. NULL on failure. */
struct land *landing_open(const struct config *config, struct err *err);

/* Another place, of the same kind and with the same settings: file:///… or s3://bucket/prefix. */
struct land *landing_open_at(const struct config *config, const char *url, struct err *err);
bool landing_in_s3(const char *url);

#endif
