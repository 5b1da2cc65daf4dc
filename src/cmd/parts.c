/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/parts.h"

#include <string.h>

#include "base/locked.h"
#include "cmd/database.h"
#include "cmd/secrets.h"
#include "fhir/auth.h"

static struct fhir_oauth_options oauth_options(const struct config *config,
                                               struct http_client *http)
{
	return (struct fhir_oauth_options){
	    .token_url = config_str_or_null(config, OPT_FHIR_TOKEN_URL),
	    .base_url = config_str(config, OPT_FHIR_URL),
	    .client_id = config_str(config, OPT_FHIR_CLIENT_ID),
	    .scope = config_str_or_null(config, OPT_FHIR_SCOPE),
	    .key_id = config_str_or_null(config, OPT_FHIR_KEY_ID),
	    .http = http,
	};
}

static struct fhir_auth *make_smart(const struct config *config, struct http_client *http,
                                    struct err *err)
{
	struct buf key = BUF_INIT(CONFIG_FILE_MAX);
	struct fhir_oauth_options options = oauth_options(config, http);
	struct fhir_auth *auth = NULL;

	if (config_read_file("fhir-key-file", config_str(config, OPT_FHIR_KEY_FILE), &key, err)) {
		options.key = key.p ? key.p : "";
		auth = fhir_auth_smart_backend(&options, err);
	}
	buf_wipe(&key);
	return auth;
}

static struct fhir_auth *make_client(const struct config *config, struct http_client *http,
                                     const char *secret, struct err *err)
{
	struct fhir_oauth_options options = oauth_options(config, http);

	options.client_secret = secret;
	return fhir_auth_client_credentials(&options, err);
}

static struct fhir_auth *make_basic(const struct config *config, struct http_client *http,
                                    const char *secret, struct err *err)
{
	(void)http;
	return fhir_auth_basic(config_str(config, OPT_FHIR_USER), secret, err);
}

static struct fhir_auth *make_bearer(const struct config *config, struct http_client *http,
                                     const char *secret, struct err *err)
{
	(void)config;
	(void)http;
	return fhir_auth_bearer(secret, err);
}

static struct fhir_auth *make_auth(const struct config *config, struct http_client *http,
                                   struct err *err)
{
	if (config_is(config, OPT_FHIR_AUTH, "none"))
		return fhir_auth_none(err);
	if (config_is(config, OPT_FHIR_AUTH, "basic"))
		return secrets_auth(config, OPT_FHIR_PASSWORD, http, make_basic, err);
	if (config_is(config, OPT_FHIR_AUTH, "bearer"))
		return secrets_auth(config, OPT_FHIR_TOKEN, http, make_bearer, err);
	if (config_is(config, OPT_FHIR_AUTH, "client-credentials"))
		return secrets_auth(config, OPT_FHIR_CLIENT_SECRET, http, make_client, err);
	return make_smart(config, http, err);
}

static struct http_client *make_http(const struct config *config, struct err *err)
{
	const char *ca_file = config_str(config, OPT_FHIR_CA_FILE);
	struct http_options options = {
	    .connect_timeout_ms = config_ms(config, OPT_FHIR_CONNECT_TIMEOUT),
	    .idle_timeout_ms = config_ms(config, OPT_FHIR_IDLE_TIMEOUT),
	    .whole_timeout_ms = config_ms(config, OPT_FHIR_TIMEOUT),
	    .max_body = config_bytes(config, OPT_FHIR_MAX_BODY),
	    .max_connections = (int)config_int(config, OPT_FHIR_CONCURRENCY),
	    .ca_file = *ca_file ? ca_file : NULL,
	};

	return http_client_new(&options, err);
}

static struct fhir_source *make_source(const struct config *config, struct http_client *http,
                                       struct err *err)
{
	struct fhir_source_options options = {
	    .base_url = config_str(config, OPT_FHIR_URL),
	    .http = http,
	    .max_body = config_bytes(config, OPT_FHIR_MAX_BODY),
	    .page_target = config_bytes(config, OPT_FHIR_PAGE_BYTES),
	    .page_count = (int)config_int(config, OPT_FHIR_PAGE_COUNT),
	};

	options.auth = make_auth(config, http, err);
	return options.auth ? fhir_source_open(&options, err) : NULL;
}

bool parts_open_source(struct parts *p, const struct config *config, struct err *err)
{
	struct parts made = {0};

	made.http = make_http(config, err);
	if (made.http)
		made.source = make_source(config, made.http, err);
	if (made.source) {
		*p = made;
		return true;
	}
	parts_close(&made);
	return false;
}

bool parts_open(struct parts *p, const struct config *config, const char *application_name,
                struct err *err)
{
	struct parts made = {0};

	if (!config_require(config, OPT_FHIR_URL, err) || !parts_open_source(&made, config, err))
		return false;
	made.database = database_options(config, application_name);
	made.land = landing_open(config, err);
	if (!made.land)
		goto failed;
	made.conn = database_open(config, application_name, err);
	if (!made.conn)
		goto failed;
	*p = made;
	return true;
failed:
	parts_close(&made);
	return false;
}

void parts_close(struct parts *p)
{
	pg_conn_close(p->conn);
	if (p->land)
		land_close(p->land);
	if (p->source)
		fhir_source_close(p->source);
	if (p->http)
		http_client_free(p->http);
	*p = (struct parts){0};
}

struct flow_settings parts_flow_settings(const struct parts *p, const struct config *config,
                                         const char *only_run)
{
	return (struct flow_settings){
	    .source = p->source,
	    .http = p->http,
	    .land = p->land,
	    .database = p->database,
	    .retry = {.max_attempts = (int)config_int(config, OPT_FHIR_RETRY_ATTEMPTS),
	              .base_ms = config_ms(config, OPT_FHIR_RETRY_BASE),
	              .cap_ms = config_ms(config, OPT_FHIR_RETRY_CAP),
	              .deadline_ms = config_ms(config, OPT_FHIR_RETRY_DEADLINE),
	              .max_retry_after_ms = retry_default.max_retry_after_ms},
	    .workers = (int)config_int(config, OPT_WORKERS),
	    .fhir_concurrency = (int)config_int(config, OPT_FHIR_CONCURRENCY),
	    .fhir_rate = (int)config_int(config, OPT_FHIR_RATE),
	    .patients_per_batch = (int)config_int(config, OPT_PATIENTS_PER_BATCH),
	    .merge_rows = config_int(config, OPT_MERGE_ROWS),
	    .lease_ms = config_ms(config, OPT_LEASE),
	    .overlap_ms = config_ms(config, OPT_OVERLAP),
	    .mass_delete_percent = (int)config_int(config, OPT_MASS_DELETE_SHARE),
	    .landing_csv = config_is(config, OPT_LANDING_FORMAT, "csv"),
	    .only_run = only_run,
	};
}
