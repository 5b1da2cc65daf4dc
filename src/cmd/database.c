/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/database.h"

#include "cmd/secrets.h"
#include "pg/migrate.h"

struct pg_options database_options(const struct config *config, const char *application_name)
{
	int64_t ms = config_ms(config, OPT_DATABASE_TIMEOUT);

	return (struct pg_options){
	    .url = config_is_set(config, OPT_DATABASE_URL) ? config_str(config, OPT_DATABASE_URL)
	                                                   : NULL,
	    .login = secrets_login(config),
	    .application_name = application_name,
	    .statement_timeout_ms = ms,
	    /* the server ends a statement first; this is for a server that is gone */
	    .answer_timeout_ms = ms + (ms / 2 < 30000 ? ms / 2 : 30000),
	};
}

struct pg_conn *database_open_with(const struct pg_options *options, struct err *err)
{
	struct pg_conn *conn = pg_conn_open(options, err);

	if (conn && pg_schema_check(conn, err))
		return conn;
	pg_conn_close(conn);
	return NULL;
}

struct pg_conn *database_open(const struct config *config, const char *application_name,
                              struct err *err)
{
	struct pg_options options = database_options(config, application_name);

	return database_open_with(&options, err);
}
