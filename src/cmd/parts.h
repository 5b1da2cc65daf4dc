/* SPDX-License-Identifier: Apache-2.0
 *
 * parts.h: the pieces of the program, put together from the configuration. Every command that
 * reads a source, lands or stores opens them here, so a setting has its effect in one place.
 */
#ifndef FHIRLINE_CMD_PARTS_H
#define FHIRLINE_CMD_PARTS_H

#include "base/config.h"
#include "base/err.h"
#include "fhir/source.h"
#include "flow/flow.h"
#include "http/client.h"
#include "land/land.h"
#include "pg/conn.h"

struct parts {
	struct pg_options database; /* what connections are opened with */
	struct pg_conn *conn;       /* one for the command itself; schema checked */
	struct http_client *http;
	struct fhir_source *source;
	struct land *land;
};

/* Opens all that an ingest needs, and checks the settings for it first. Nothing is left open on
 * failure. */
bool parts_open(struct parts *p, const struct config *config, const char *application_name,
                struct err *err);
/* The source alone, and what it needs. */
bool parts_open_source(struct parts *p, const struct config *config, struct err *err);
void parts_close(struct parts *p); /* zeroed is fine */

/* What the engine works with; borrows from `p` and `config`. `only_run`: NULL for any. */
struct flow_settings parts_flow_settings(const struct parts *p, const struct config *config,
                                         const char *only_run);

#endif
