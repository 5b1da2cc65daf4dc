/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "api/api.h"
#include "base/log.h"
#include "cmd/command.h"
#include "cmd/database.h"
#include "cmd/interrupt.h"
#include "cmd/engine.h"
#include "cmd/secrets.h"

static void on_access(void *ctx, const struct api_access *a)
{
	(void)ctx;
	if (a->quiet && a->status < 500)
		return;
	log_info("request", LOG_STR("method", a->method), LOG_STR("route", a->route),
	         LOG_INT("status", a->status), LOG_INT("us", a->duration_us),
	         LOG_INT("bytes", (int64_t)a->bytes), LOG_STR("request_id", a->request_id),
	         LOG_STR("traceparent", a->traceparent));
}

/* Before listening, so that what is wrong with the database is said here and not by each request.
 */
static bool check_database(const struct config *config, struct err *err)
{
	struct pg_conn *conn = database_open(config, "fhirline serve", err);

	pg_conn_close(conn);
	return conn != NULL;
}

/* What works on runs; without a FHIR server only what is loaded can be read. */
struct driver {
	struct parts parts;
	struct engine engine;
};

static bool driver_open(struct driver *d, const struct config *config, struct err *err)
{
	if (!config_is_set(config, OPT_FHIR_URL)) {
		log_warn("no FHIR server is set (--fhir-url): what is loaded can be read, nothing "
		         "can be loaded");
		return true;
	}
	if (!parts_open(&d->parts, config, "fhirline serve", err))
		return false;
	/* the engine opens connections of its own */
	pg_conn_close(d->parts.conn);
	d->parts.conn = NULL;
	return engine_start(&d->engine, &d->parts, config, NULL, err);
}

static void driver_close(struct driver *d)
{
	engine_stop(&d->engine);
	parts_close(&d->parts);
}

static bool serve(const struct config *config, struct err *err)
{
	struct driver driver = {0};
	struct api_options options = {
	    .listen = config_str(config, OPT_LISTEN),
	    .database_url = config_str(config, OPT_DATABASE_URL),
	    .database_login = secrets_login(config),
	    .stop_fd = interrupt_fd(),
	    .access = on_access,
	    .note = command_note,
	};
	struct api *api = NULL;
	char host[64];
	int port;
	bool ok = false;

	/* what is cheap to find wrong first */
	if (!api_listen_parse(options.listen, host, &port, err) || !check_database(config, err) ||
	    !driver_open(&driver, config, err))
		goto done;
	options.engine = driver.engine.api.words ? &driver.engine.api : NULL;
	options.source_url = driver.parts.source ? fhir_source_url(driver.parts.source) : NULL;
	api = api_start(&options, err);
	if (!api)
		goto done;
	printf("%s\n", api_url(api));
	fflush(stdout);
	log_info("serving", LOG_STR("url", api_url(api)));
	ok = api_run(api, err);
done:
	api_free(api);
	driver_close(&driver);
	return ok;
}

int cmd_serve(int argc, char **argv)
{
	struct config *config = NULL;
	struct err err = {0};
	int nargs, code;

	if (!command_start(argc, argv, NULL, &config, &nargs, &code))
		return code;
	if (nargs) {
		code = command_usage("serve", "unexpected argument \"%.40s\"", argv[1]);
	} else {
		interrupt_catch();
		code = serve(config, &err) ? COMMAND_OK : command_fail("serve", &err);
	}
	config_free(config);
	return code;
}
