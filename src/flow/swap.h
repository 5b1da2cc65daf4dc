/* SPDX-License-Identifier: Apache-2.0
 *
 * swap.h: tables that are loaded beside the live ones, in a schema of their own, and take their
 * place in one transaction. The tables are patient, patient_zip, observation and zipcode.
 *
 * swap_prepare() makes the schema with empty tables of the same columns, constraints and storage,
 * with primary keys alone. A session whose search path has the schema first
 * (pg_options.search_path) loads them with the statements that load the live ones. swap_index()
 * builds the other indexes, all that the live tables have, and analyzes. swap_exchange() exchanges:
 * the new tables get the names, owner, privileges, comments of the live ones, and views that are
 * over them are over the new ones; the former tables are in the schema then.
 *
 * Readers see the one or the other, whole. They wait while the exchange is on, some milliseconds,
 * and never fail by it:
 *  - It takes all its locks at once and gives up after 300 ms, to try again: nobody waits long
 * behind it, and it gives up before PostgreSQL looks for deadlocks (deadlock_timeout, 1 s), in
 * which a reader could be the one that is ended.
 *  - A prepared statement is bound to a table, not to its name; but moving a table to another
 * schema invalidates the plans over it, and PostgreSQL then analyzes the statement's text anew,
 * which finds the new table by its name. "cached plan must not change result type" (0A000) is an
 * answer to other columns; these have the same names, types and order, being made LIKE the live
 * ones.
 *
 * What cannot be carried over makes the exchange impossible, and is named before anything is
 * loaded: triggers, row security policies, foreign keys of and to the tables, children,
 * publications, materialized views, rules. It is also refused (ERR_CONFLICT) when a run is under
 * way that writes into the live tables, or a zip code would be lost or put back to an earlier run.
 */
#ifndef FHIRLINE_FLOW_SWAP_H
#define FHIRLINE_FLOW_SWAP_H

#include <stdatomic.h>

#include "pg/conn.h"

struct swap_look {
	bool there;        /* the schema is */
	bool being_loaded; /* … by a replay, which can go on */
	bool live_empty;   /* all live tables are */
};

/* Of a connection with the search path as it is set for all. */
bool swap_look(struct pg_conn *c, const char *schema, struct swap_look *out, struct err *err);

/* ERR_CONFLICT: something hangs on the live tables; the text names it. */
bool swap_possible(struct pg_conn *c, struct err *err);
bool swap_prepare(struct pg_conn *c, const char *schema, struct err *err);
bool swap_index(struct pg_conn *c, const char *schema, struct err *err);
bool swap_exchange(struct pg_conn *c, const char *schema, const atomic_bool *stop, struct err *err);
bool swap_drop(struct pg_conn *c, const char *schema, struct err *err);

/* May it be one: a letter or '_', then letters, digits, '_', at most 50; not pg_…, public or stage.
 */
bool swap_schema_valid(const char *name);

#endif
