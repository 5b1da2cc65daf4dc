/* SPDX-License-Identifier: Apache-2.0
 *
 * options.h: the one table of settings.
 *
 * Every setting of fhirline is a row of option_table[]. From it come the flag (--fhir-url), the
 * environment variable (FHIRLINE_FHIR_URL), the text of --help, docs/CONFIGURATION.md and the
 * output of `fhirline config`. To add a setting: a member in `enum option_id`, a row in options.c,
 * and `fhirline config --markdown >docs/CONFIGURATION.md`.
 *
 * How values are read and where they come from is config.h's business.
 */
#ifndef FHIRLINE_BASE_OPTIONS_H
#define FHIRLINE_BASE_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum option_id {
	OPT_FHIR_URL,
	OPT_FHIR_AUTH,
	OPT_FHIR_USER,
	OPT_FHIR_PASSWORD,
	OPT_FHIR_TOKEN,
	OPT_FHIR_TOKEN_URL,
	OPT_FHIR_CLIENT_ID,
	OPT_FHIR_CLIENT_SECRET,
	OPT_FHIR_SCOPE,
	OPT_FHIR_KEY_FILE,
	OPT_FHIR_KEY_ID,
	OPT_FHIR_CA_FILE,
	OPT_FHIR_CONCURRENCY,
	OPT_FHIR_RATE,
	OPT_FHIR_PAGE_COUNT,
	OPT_FHIR_PAGE_BYTES,
	OPT_FHIR_MAX_BODY,
	OPT_FHIR_CONNECT_TIMEOUT,
	OPT_FHIR_IDLE_TIMEOUT,
	OPT_FHIR_TIMEOUT,
	OPT_FHIR_RETRY_ATTEMPTS,
	OPT_FHIR_RETRY_BASE,
	OPT_FHIR_RETRY_CAP,
	OPT_FHIR_RETRY_DEADLINE,
	OPT_ENGINE,
	OPT_LANDING_FORMAT,
	OPT_PATIENTS_PER_BATCH,
	OPT_MERGE_ROWS,
	OPT_WORKERS,
	OPT_LEASE,
	OPT_OVERLAP,
	OPT_MASS_DELETE_SHARE,
	OPT_DATABASE_URL,
	OPT_DATABASE_CREDENTIALS,
	OPT_DATABASE_TIMEOUT,
	OPT_LANDING_URL,
	OPT_S3_ENDPOINT,
	OPT_S3_REGION,
	OPT_S3_ACCESS_KEY_ID,
	OPT_S3_SECRET_ACCESS_KEY,
	OPT_S3_SESSION_TOKEN,
	OPT_S3_PROFILE,
	OPT_S3_CREDENTIALS_FILE,
	OPT_S3_CONFIG_FILE,
	OPT_S3_CA_FILE,
	OPT_S3_ADDRESSING,
	OPT_S3_PART_SIZE,
	OPT_LISTEN,
	OPT_WORKER_LISTEN,
	OPT_TEMPORAL_ADDRESS,
	OPT_TEMPORAL_NAMESPACE,
	OPT_TEMPORAL_TASK_QUEUE,
	OPT_TEMPORAL_ACTIVITIES,
	OPT_TEMPORAL_CONTINUE_EVENTS,
	OPT_TEMPORAL_TLS,
	OPT_TEMPORAL_CA_FILE,
	OPT_TEMPORAL_CERT_FILE,
	OPT_TEMPORAL_KEY_FILE,
	OPT_TEMPORAL_SERVER_NAME,
	OPT_TEMPORAL_API_KEY,
	OPT_TEMPORAL_PAYLOAD_KEY,
	OPT_ENV_FILE,
	OPT_VAULT_ADDR,
	OPT_VAULT_AUTH,
	OPT_VAULT_AUTH_MOUNT,
	OPT_VAULT_TOKEN,
	OPT_VAULT_ROLE_ID,
	OPT_VAULT_SECRET_ID,
	OPT_VAULT_SECRET_ID_WRAPPED,
	OPT_VAULT_ROLE,
	OPT_VAULT_KUBERNETES_TOKEN_FILE,
	OPT_VAULT_NAMESPACE,
	OPT_VAULT_CA_FILE,
	OPT_VAULT_REFRESH,
	OPT_LOG_LEVEL,
	OPT_LOG_FORMAT,
	OPTION_COUNT,
};

enum option_type {
	OPTION_STRING,
	OPTION_URL,     /* `choices`: the schemes allowed; no user info, query or fragment */
	OPTION_PLACE,   /* a URL as above, or a path, which becomes file:///absolute/path */
	OPTION_ADDRESS, /* host:port, [v6]:port */
	OPTION_INT,
	OPTION_DURATION, /* in milliseconds: 500ms, 30s, 10m, 2h; a bare number is in `unit` */
	OPTION_BYTES,    /* 4096, 64K, 64M, 1G (powers of 1,024) */
	OPTION_BOOL,     /* true, false, yes, no, on, off, 1, 0 */
	OPTION_CHOICE,   /* one of `choices` */
};

/* Which commands take a setting: each names the groups that it takes. */
enum option_group {
	OPTIONS_SOURCE = 1 << 0,
	OPTIONS_INGEST = 1 << 1,
	OPTIONS_DATABASE = 1 << 2,
	OPTIONS_LANDING = 1 << 3,
	OPTIONS_SERVER = 1 << 4,
	OPTIONS_SECRETS = 1 << 5,
	OPTIONS_LOG = 1 << 6,
	OPTIONS_TEMPORAL = 1 << 7,
	OPTIONS_ALL = (1 << 8) - 1,
};

struct option {
	const char *name; /* as in the flag, without the dashes */
	enum option_type type;
	enum option_group group;
	const char *fallback; /* the default, in the form in which a user writes it; "": not set */
	const char *unit;     /* of a bare number, or what is counted; NULL: none */
	const char *choices;  /* "a|b|c" */
	int64_t min, max;     /* INT, DURATION (ms), BYTES */
	bool secret;          /* never shown; may also be given as a file */
	const char *help;
	/* "NAME|NAME": variables of the environment that other tools take for the same thing, in
	 * order; FHIRLINE_… comes before them. Strings alone: what is set for others and is of no
	 * use here must not stop us. NULL: none */
	const char *also;
};

extern const struct option option_table[OPTION_COUNT];

/* A setting that must be there because another one has a certain value. */
struct option_need {
	enum option_id when;
	const char *is;
	enum option_id needs;
};

extern const struct option_need option_needs[];
extern const size_t option_need_count;

const char *option_group_name(enum option_group group); /* "Database", … */

#define OPTION_ENV_MAX 64
void option_env_name(const struct option *o, char out[OPTION_ENV_MAX]); /* FHIRLINE_… */

/* The row of that name, or NULL. */
const struct option *option_find(const char *name, size_t length);

#endif
