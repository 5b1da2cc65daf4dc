/* SPDX-License-Identifier: Apache-2.0
 *
 * Each thing that fhirline works with is tried as it will be used, and what is wrong is said with
 * what to do. Nothing that is there is changed.
 */
#include <errno.h>
#include <netdb.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "api/api.h"
#include "base/clock.h"
#include "cmd/command.h"
#include "cmd/database.h"
#include "cmd/engine.h"
#include "pg/migrate.h"

enum {
	CHECKS_MAX = 16,
	VERSION_MIN = 150000, /* PostgreSQL 15: MERGE */
	CLOCKS_APART_S = 60,
	ROOM_MIN_MIB = 1024,
};

enum state { DOCTOR_OK, DOCTOR_UNSET, DOCTOR_WARNING, DOCTOR_PROBLEM };

static const char *const state_names[] = {"ok", "not set", "warning", "problem"};

struct finding {
	enum state state;
	const char *name;
	char text[640];
};

struct doctor {
	const struct config *config;
	struct finding findings[CHECKS_MAX];
	size_t n;
};

__attribute__((format(printf, 4, 5))) static void found(struct doctor *d, enum state state,
                                                        const char *name, const char *fmt, ...)
{
	struct finding *f = &d->findings[d->n];
	va_list args;

	if (d->n == CHECKS_MAX)
		return;
	f->state = state;
	f->name = name;
	va_start(args, fmt);
	vsnprintf(f->text, sizeof f->text, fmt, args);
	va_end(args);
	d->n++;
}

static void found_err(struct doctor *d, const char *name, const struct err *err)
{
	found(d, DOCTOR_PROBLEM, name, "%s", err->text);
}

/* `theirs`: another clock's now. */
static void compare_clocks(struct doctor *d, const char *name, const char *whose, int64_t theirs)
{
	int64_t apart = 0;

	if (theirs != INT64_MIN)
		apart = (theirs - clock_now_us(&clock_system)) / 1000000;
	if (apart > CLOCKS_APART_S || apart < -CLOCKS_APART_S)
		found(d, DOCTOR_WARNING, name,
		      "the clock of %s is %lld s %s this machine's: set the clocks (NTP)", whose,
		      (long long)(apart < 0 ? -apart : apart), apart < 0 ? "behind" : "ahead of");
}

/* ---- the database ---- */

static void judge_database(struct doctor *d, struct pg_conn *conn, const PGresult *res)
{
	struct pg_schema_status status;
	struct err err;

	if (pg_int(res, 0, 0) < VERSION_MIN)
		found(d, DOCTOR_PROBLEM, "database",
		      "PostgreSQL %s is too old: 15 or newer is needed", PQgetvalue(res, 0, 1));
	else if (pg_bool(res, 0, 2))
		found(
		    d, DOCTOR_PROBLEM, "database",
		    "it is read-only: a standby, or default_transaction_read_only; connect to the "
		    "primary");
	else if (!pg_schema_check(conn, &err) || !pg_schema_status(conn, &status, &err))
		found_err(d, "database", &err);
	else if (!PQgetisnull(res, 0, 3) && !pg_bool(res, 0, 3))
		found(d, DOCTOR_PROBLEM, "database",
		      "this user may not write: grant it SELECT, INSERT, UPDATE and DELETE on the "
		      "tables and CREATE on the schema stage");
	else
		found(d, DOCTOR_OK, "database", "PostgreSQL %s, schema version %d",
		      PQgetvalue(res, 0, 1), status.version);
	compare_clocks(d, "database", "the database", pg_int(res, 0, 4));
}

static void check_database(struct doctor *d)
{
	struct pg_options options = database_options(d->config, "fhirline doctor");
	struct err err;
	struct pg_conn *conn = pg_conn_open(&options, &err);
	PGresult *res = conn ? pg_query(conn, sql_get("doctor"), 0, NULL, &err) : NULL;

	if (res)
		judge_database(d, conn, res);
	else
		found_err(d, "database", &err);
	PQclear(res);
	pg_conn_close(conn);
}

/* ---- the FHIR server ---- */

/* Nobody has this id: it costs the server little, and needs the right to search. */
static bool try_search(struct fhir_source *source, struct err *err)
{
	static const struct fhir_param nobody[] = {{"_id", "fhirline-doctor"}};
	int64_t total;

	return fhir_count(source, "Patient", nobody, 1, NULL, &total, err) &&
	       fhir_count(source, "Observation", nobody, 1, NULL, &total, err);
}

static void check_source(struct doctor *d)
{
	struct fhir_capability capability;
	struct parts parts = {0};
	struct err err;

	if (!config_is_set(d->config, OPT_FHIR_URL)) {
		found(d, DOCTOR_UNSET, "FHIR source",
		      "give --fhir-url or set FHIRLINE_FHIR_URL to load from one");
		return;
	}
	if (!parts_open_source(&parts, d->config, &err) ||
	    !fhir_capability(parts.source, NULL, &capability, &err) ||
	    !try_search(parts.source, &err)) {
		found_err(d, "FHIR source", &err);
	} else {
		found(d, DOCTOR_OK, "FHIR source", "%s, FHIR %s, at %s", capability.software,
		      capability.fhir_version, fhir_source_url(parts.source));
		compare_clocks(d, "FHIR source", "the FHIR server", capability.server_time_us);
	}
	parts_close(&parts);
}

/* ---- the landing zone ---- */

static void judge_room(struct doctor *d, const char *url)
{
	static const char scheme[] = "file://";
	struct statvfs fs;
	unsigned long long mib;

	if (strncmp(url, scheme, sizeof scheme - 1) != 0 ||
	    statvfs(url + sizeof scheme - 1, &fs) != 0)
		return;
	mib = (unsigned long long)fs.f_bavail * fs.f_frsize >> 20;
	if (mib < ROOM_MIN_MIB)
		found(d, DOCTOR_WARNING, "landing zone",
		      "only %llu MiB are free there; a patient takes about 50 KiB", mib);
}

static void check_landing(struct doctor *d)
{
	struct err err;
	struct land *land = landing_open(d->config, &err);

	if (!land) {
		found_err(d, "landing zone", &err);
		return;
	}
	found(d, DOCTOR_OK, "landing zone", "%s can be written", land_url(land));
	judge_room(d, land_url(land));
	land_close(land);
}

/* ---- the API's address ---- */

static bool try_to_bind(const char *host, int port, int *errnum)
{
	struct addrinfo hints = {.ai_flags = AI_NUMERICHOST | AI_PASSIVE,
	                         .ai_socktype = SOCK_STREAM};
	struct addrinfo *address = NULL;
	char service[12];
	int fd = -1, one = 1;
	bool ok = false;

	snprintf(service, sizeof service, "%d", port);
	*errnum = EADDRNOTAVAIL;
	if (getaddrinfo(host, service, &hints, &address) != 0)
		return false;
	fd = socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd >= 0) {
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
		ok = bind(fd, address->ai_addr, address->ai_addrlen) == 0 && listen(fd, 1) == 0;
		*errnum = errno;
		close(fd);
	}
	freeaddrinfo(address);
	return ok;
}

static void check_listen(struct doctor *d)
{
	const char *listen = config_str(d->config, OPT_LISTEN);
	char host[64];
	struct err err;
	int port, errnum;

	if (!api_listen_parse(listen, host, &port, &err))
		found_err(d, "API address", &err);
	else if (try_to_bind(host, port, &errnum))
		found(d, DOCTOR_OK, "API address", "%s is free", listen);
	else if (errnum == EADDRINUSE)
		found(d, DOCTOR_WARNING, "API address",
		      "%s is in use, perhaps by `fhirline serve`; if not, choose another with "
		      "--listen",
		      listen);
	else
		found(d, DOCTOR_PROBLEM, "API address", "%s cannot be listened on: %s", listen,
		      strerror(errnum));
}

/* Only where they are used. */
static void check_temporal(struct doctor *d)
{
	struct engine engine = {.local = NULL};
	struct parts none = {.conn = NULL};
	char version[64] = "";
	struct err err = {0};

	if (!config_is(d->config, OPT_ENGINE, "temporal"))
		return;
	if (engine_workflow_settings(&engine, &none, d->config, &err) &&
	    workflow_check(&engine.workflow, version, sizeof version, &err))
		found(d, DOCTOR_OK, "Temporal", "version %s at %s, namespace %s", version,
		      config_str(d->config, OPT_TEMPORAL_ADDRESS),
		      config_str(d->config, OPT_TEMPORAL_NAMESPACE));
	else
		found_err(d, "Temporal", &err);
	engine_stop(&engine);
}

static bool has_references(const struct config *config)
{
	for (int id = 0; id < OPTION_COUNT; id++)
		if (config_reference(config, (enum option_id)id))
			return true;
	return false;
}

/* Had it not answered, nothing would have begun. */
static void check_vault(struct doctor *d)
{
	if (has_references(d->config))
		found(d, DOCTOR_OK, "Vault", "secrets are read from %s",
		      config_str(d->config, OPT_VAULT_ADDR));
}

/* ---- what was found ---- */

static bool is_well(const struct doctor *d)
{
	for (size_t i = 0; i < d->n; i++)
		if (d->findings[i].state == DOCTOR_PROBLEM)
			return false;
	return true;
}

static void print_text(const struct doctor *d)
{
	for (size_t i = 0; i < d->n; i++)
		printf("%-8s %-13s %s\n", state_names[d->findings[i].state], d->findings[i].name,
		       d->findings[i].text);
}

static bool print_json(const struct doctor *d, struct err *err)
{
	struct buf b = BUF_INIT(64 << 10);

	buf_printf(&b, "{\"ok\":%s,\"checks\":[", is_well(d) ? "true" : "false");
	for (size_t i = 0; i < d->n; i++) {
		const struct finding *f = &d->findings[i];

		buf_printf(&b, "%s{\"name\":\"%s\",\"state\":\"%s\",\"text\":", i ? "," : "",
		           f->name, state_names[f->state]);
		buf_add_json(&b, str_of(f->text));
		buf_add_char(&b, '}');
	}
	buf_lit(&b, "]}\n");
	if (buf_ok(&b, "the findings", err))
		fputs(b.p, stdout);
	else
		return false;
	buf_free(&b);
	return true;
}

int cmd_doctor(int argc, char **argv)
{
	struct doctor d = {0};
	struct config *config = NULL;
	bool json = false;
	const struct config_flag flags[] = {
	    {"json", NULL, "One JSON object instead of lines", &json, NULL}, {0}};
	struct err err;
	int nargs, code;

	if (!command_start(argc, argv, flags, &config, &nargs, &code))
		return code;
	if (nargs) {
		code = command_usage("doctor", "it takes flags alone");
		goto done;
	}
	d.config = config;
	check_database(&d);
	check_source(&d);
	check_landing(&d);
	check_listen(&d);
	check_vault(&d);
	check_temporal(&d);
	code = is_well(&d) ? COMMAND_OK : COMMAND_FAILED;
	if (!json)
		print_text(&d);
	else if (!print_json(&d, &err))
		code = command_fail("doctor", &err);
done:
	config_free(config);
	return code;
}
