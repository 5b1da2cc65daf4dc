/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "cmd/command.h"
#include "cmd/database.h"
#include "pg/migrate.h"

static int migrate(struct pg_conn *conn)
{
	struct pg_schema_status status;
	struct err err;
	int applied;

	if (!pg_migrate(conn, &applied, &err) || !pg_schema_status(conn, &status, &err))
		return command_fail("db", &err);
	if (applied)
		printf("%d migration%s applied; the schema is at version %d\n", applied,
		       applied == 1 ? "" : "s", status.version);
	else
		printf("nothing to do: the schema is at version %d\n", status.version);
	return COMMAND_OK;
}

static int show_status(struct pg_conn *conn)
{
	struct pg_schema_status status;
	struct err err;

	if (!pg_schema_status(conn, &status, &err))
		return command_fail("db", &err);
	printf("schema version %d, this build wants %d\n", status.version, status.wanted);
	if (!pg_schema_check(conn, &err))
		return command_fail("db", &err);
	return COMMAND_OK;
}

int cmd_db(int argc, char **argv)
{
	struct config *config = NULL;
	struct pg_options options;
	struct pg_conn *conn;
	struct err err;
	int nargs, code;

	if (!command_start(argc, argv, NULL, &config, &nargs, &code))
		return code;
	if (nargs != 1 || (strcmp(argv[1], "migrate") != 0 && strcmp(argv[1], "status") != 0)) {
		code = command_usage("db", "say what to do: migrate or status");
		goto done;
	}
	options = database_options(config, "fhirline db");
	conn = pg_conn_open(&options, &err);
	if (!conn)
		code = command_fail("db", &err);
	else
		code = strcmp(argv[1], "migrate") == 0 ? migrate(conn) : show_status(conn);
	pg_conn_close(conn);
done:
	config_free(config);
	return code;
}
