/* SPDX-License-Identifier: Apache-2.0 */
#include "base/options.h"

#include <stdio.h>
#include <string.h>

#define MS_PER_DAY 86400000
#define GIB (INT64_C(1) << 30)

/* clang-format off */
const struct option option_table[OPTION_COUNT] = {
	[OPT_FHIR_URL] = {"fhir-url", OPTION_URL, OPTIONS_SOURCE, "", .choices = "http|https",
		.help = "Base URL of the FHIR R4 server to read from"},
	[OPT_FHIR_AUTH] = {"fhir-auth", OPTION_CHOICE, OPTIONS_SOURCE, "none",
		.choices = "none|basic|bearer|client-credentials|smart-backend",
		.help = "How requests to the source authenticate"},
	[OPT_FHIR_USER] = {"fhir-user", OPTION_STRING, OPTIONS_SOURCE, "",
		.help = "User name for basic authentication"},
	[OPT_FHIR_PASSWORD] = {"fhir-password", OPTION_STRING, OPTIONS_SOURCE, "", .secret = true,
		.help = "Password for basic authentication"},
	[OPT_FHIR_TOKEN] = {"fhir-token", OPTION_STRING, OPTIONS_SOURCE, "", .secret = true,
		.help = "Token for bearer authentication"},
	[OPT_FHIR_TOKEN_URL] = {"fhir-token-url", OPTION_URL, OPTIONS_SOURCE, "",
		.choices = "http|https", .help = "OAuth 2.0 token endpoint; SMART: not set: as the server announces it"},
	[OPT_FHIR_CLIENT_ID] = {"fhir-client-id", OPTION_STRING, OPTIONS_SOURCE, "",
		.help = "OAuth 2.0 client id"},
	[OPT_FHIR_CLIENT_SECRET] = {"fhir-client-secret", OPTION_STRING, OPTIONS_SOURCE, "",
		.secret = true, .help = "OAuth 2.0 client secret"},
	[OPT_FHIR_SCOPE] = {"fhir-scope", OPTION_STRING, OPTIONS_SOURCE, "",
		.help = "OAuth 2.0 scopes to ask for; SMART: system/Patient.rs system/Observation.rs"},
	[OPT_FHIR_KEY_FILE] = {"fhir-key-file", OPTION_STRING, OPTIONS_SOURCE, "",
		.help = "Private key (PEM or JWK) that signs SMART backend-services assertions"},
	[OPT_FHIR_KEY_ID] = {"fhir-key-id", OPTION_STRING, OPTIONS_SOURCE, "",
		.help = "Id under which its public half is registered; not set: the JWK's own"},
	[OPT_FHIR_CA_FILE] = {"fhir-ca-file", OPTION_STRING, OPTIONS_SOURCE, "",
		.help = "PEM file of the authorities to trust instead of the system's"},
	[OPT_FHIR_CONCURRENCY] = {"fhir-concurrency", OPTION_INT, OPTIONS_SOURCE, "5", "requests",
		.min = 1, .max = 256,
		.help = "Requests to the source at once, all processes together"},
	[OPT_FHIR_RATE] = {"fhir-rate", OPTION_INT, OPTIONS_SOURCE, "0", "requests/s", .min = 0,
		.max = 100000, .help = "Ceiling of requests a second to the source; 0: none"},
	[OPT_FHIR_PAGE_COUNT] = {"fhir-page-count", OPTION_INT, OPTIONS_SOURCE, "1000", "resources",
		.min = 1, .max = 10000, .help = "_count of the first page of a search"},
	[OPT_FHIR_PAGE_BYTES] = {"fhir-page-bytes", OPTION_BYTES, OPTIONS_SOURCE, "4M", "bytes",
		.min = 64 << 10, .max = GIB,
		.help = "Size that a page should stay under; _count shrinks to keep it"},
	[OPT_FHIR_MAX_BODY] = {"fhir-max-body", OPTION_BYTES, OPTIONS_SOURCE, "64M", "bytes",
		.min = 1 << 20, .max = GIB, .help = "Largest answer that is read, decoded"},
	[OPT_FHIR_CONNECT_TIMEOUT] = {"fhir-connect-timeout", OPTION_DURATION, OPTIONS_SOURCE, "10s",
		"s", .min = 1, .max = MS_PER_DAY, .help = "Time to connect"},
	[OPT_FHIR_IDLE_TIMEOUT] = {"fhir-idle-timeout", OPTION_DURATION, OPTIONS_SOURCE, "60s", "s",
		.min = 1, .max = MS_PER_DAY, .help = "Longest time without a byte"},
	[OPT_FHIR_TIMEOUT] = {"fhir-timeout", OPTION_DURATION, OPTIONS_SOURCE, "10m", "s",
		.min = 1, .max = MS_PER_DAY, .help = "Time for one request as a whole"},
	[OPT_FHIR_RETRY_ATTEMPTS] = {"fhir-retry-attempts", OPTION_INT, OPTIONS_SOURCE, "8",
		"attempts", .min = 1, .max = 100,
		.help = "Attempts at one request, the first included"},
	[OPT_FHIR_RETRY_BASE] = {"fhir-retry-base", OPTION_DURATION, OPTIONS_SOURCE, "200ms", "ms",
		.min = 1, .max = MS_PER_DAY, .help = "Wait before the second attempt; doubles each time"},
	[OPT_FHIR_RETRY_CAP] = {"fhir-retry-cap", OPTION_DURATION, OPTIONS_SOURCE, "30s", "s",
		.min = 1, .max = MS_PER_DAY, .help = "Longest wait between attempts"},
	[OPT_FHIR_RETRY_DEADLINE] = {"fhir-retry-deadline", OPTION_DURATION, OPTIONS_SOURCE, "10m",
		"s", .min = 1, .max = 7 * (int64_t)MS_PER_DAY,
		.help = "Time after which no further attempt is made"},

	[OPT_ENGINE] = {"engine", OPTION_CHOICE, OPTIONS_INGEST, "local", .choices = "local|temporal",
		.help = "What drives runs: workers of this process, or Temporal"},
	[OPT_LANDING_FORMAT] = {"landing-format", OPTION_CHOICE, OPTIONS_INGEST, "ndjson",
		.choices = "ndjson|csv",
		.help = "csv: beside the raw resources (NDJSON) the landing zone gets the rows as CSV"},
	[OPT_PATIENTS_PER_BATCH] = {"patients-per-batch", OPTION_INT, OPTIONS_INGEST, "10",
		"patients", .min = 1, .max = 1000,
		.help = "Patients whose observations make one batch"},
	[OPT_MERGE_ROWS] = {"merge-rows", OPTION_INT, OPTIONS_INGEST, "1000000", "rows",
		.min = 1000, .max = 100000000, .help = "Staged rows that are merged at once"},
	[OPT_WORKERS] = {"workers", OPTION_INT, OPTIONS_INGEST, "8", "threads", .min = 1, .max = 64,
		.help = "Worker threads of this process"},
	[OPT_LEASE] = {"lease", OPTION_DURATION, OPTIONS_INGEST, "30s", "s", .min = 1000,
		.max = 3600000,
		.help = "Time after which the run of a process that vanished may be taken over"},
	[OPT_OVERLAP] = {"overlap", OPTION_DURATION, OPTIONS_INGEST, "10m", "s", .min = 122000,
		.max = 30 * (int64_t)MS_PER_DAY,
		.help = "How far an incremental run reads behind the watermark; a source's commits may be 2 min late"},
	[OPT_MASS_DELETE_SHARE] = {"mass-delete-share", OPTION_INT, OPTIONS_INGEST, "20", "%",
		.min = 0, .max = 100,
		.help = "Share of a zip code's patients whose disappearance stops a run"},

	[OPT_DATABASE_URL] = {"database-url", OPTION_STRING, OPTIONS_DATABASE, "", .secret = true,
		.help = "PostgreSQL, as a libpq URI; not set: libpq's PG* variables"},
	[OPT_DATABASE_CREDENTIALS] = {"database-credentials", OPTION_STRING, OPTIONS_DATABASE, "",
		.secret = true,
		.help = "User and password from Vault, which may change at any time: vault:database/creds/ROLE"},
	[OPT_DATABASE_TIMEOUT] = {"database-timeout", OPTION_DURATION, OPTIONS_DATABASE, "10m", "s",
		.min = 1000, .max = MS_PER_DAY, .help = "Time for one statement"},

	[OPT_LANDING_URL] = {"landing-url", OPTION_PLACE, OPTIONS_LANDING, "var/landing",
		.choices = "file|s3",
		.help = "Where raw resources are kept: file:///…, a path, or s3://bucket/prefix"},
	[OPT_S3_ENDPOINT] = {"s3-endpoint", OPTION_STRING, OPTIONS_LANDING, "",
		.also = "AWS_ENDPOINT_URL_S3|AWS_ENDPOINT_URL",
		.help = "URL of the S3 server; not set: Amazon's of the region"},
	[OPT_S3_REGION] = {"s3-region", OPTION_STRING, OPTIONS_LANDING, "",
		.also = "AWS_REGION|AWS_DEFAULT_REGION",
		.help = "Region; not set: the profile's, or us-east-1"},
	[OPT_S3_ACCESS_KEY_ID] = {"s3-access-key-id", OPTION_STRING, OPTIONS_LANDING, "",
		.secret = true, .also = "AWS_ACCESS_KEY_ID",
		.help = "Access key; not set: the profile's"},
	[OPT_S3_SECRET_ACCESS_KEY] = {"s3-secret-access-key", OPTION_STRING, OPTIONS_LANDING, "",
		.secret = true, .also = "AWS_SECRET_ACCESS_KEY", .help = "Its secret half"},
	[OPT_S3_SESSION_TOKEN] = {"s3-session-token", OPTION_STRING, OPTIONS_LANDING, "",
		.secret = true, .also = "AWS_SESSION_TOKEN", .help = "Token of temporary keys"},
	[OPT_S3_PROFILE] = {"s3-profile", OPTION_STRING, OPTIONS_LANDING, "default",
		.also = "AWS_PROFILE|AWS_DEFAULT_PROFILE",
		.help = "Profile in the two files below"},
	[OPT_S3_CREDENTIALS_FILE] = {"s3-credentials-file", OPTION_STRING, OPTIONS_LANDING, "",
		.also = "AWS_SHARED_CREDENTIALS_FILE",
		.help = "File with keys by profile; not set: ~/.aws/credentials"},
	[OPT_S3_CONFIG_FILE] = {"s3-config-file", OPTION_STRING, OPTIONS_LANDING, "",
		.also = "AWS_CONFIG_FILE",
		.help = "File with region and endpoint by profile; not set: ~/.aws/config"},
	[OPT_S3_CA_FILE] = {"s3-ca-file", OPTION_STRING, OPTIONS_LANDING, "",
		.also = "AWS_CA_BUNDLE",
		.help = "PEM file of the authorities to trust instead of the system's"},
	[OPT_S3_ADDRESSING] = {"s3-addressing", OPTION_CHOICE, OPTIONS_LANDING, "auto",
		.choices = "auto|path|virtual",
		.help = "Bucket in the path or in the host name; auto: path where an endpoint is given"},
	[OPT_S3_PART_SIZE] = {"s3-part-size", OPTION_BYTES, OPTIONS_LANDING, "8M", "bytes",
		.min = 5 << 20, .max = 1 << 30,
		.help = "Larger objects are uploaded in parts of this size; each worker may hold one"},

	[OPT_LISTEN] = {"listen", OPTION_ADDRESS, OPTIONS_SERVER, "127.0.0.1:8080",
		.help = "Address of the API; without authentication a loopback one"},

	[OPT_WORKER_LISTEN] = {"worker-listen", OPTION_ADDRESS, OPTIONS_TEMPORAL, "127.0.0.1:8081",
		.help = "Where `worker` answers /healthz, /readyz and /metrics; a loopback address"},

	[OPT_TEMPORAL_ADDRESS] = {"temporal-address", OPTION_STRING, OPTIONS_TEMPORAL,
		"127.0.0.1:7233", .also = "TEMPORAL_ADDRESS",
		.help = "Temporal's frontend (host:port), for engine temporal"},
	[OPT_TEMPORAL_NAMESPACE] = {"temporal-namespace", OPTION_STRING, OPTIONS_TEMPORAL, "default",
		.also = "TEMPORAL_NAMESPACE",
		.help = "Its namespace; one database, one namespace"},
	[OPT_TEMPORAL_TASK_QUEUE] = {"temporal-task-queue", OPTION_STRING, OPTIONS_TEMPORAL,
		"fhirline", .help = "The task queue of workflows and workers"},
	[OPT_TEMPORAL_ACTIVITIES] = {"temporal-activities", OPTION_INT, OPTIONS_TEMPORAL, "16",
		"activities", .min = 1, .max = 1000,
		.help = "Activities of one run at once, all workers together"},
	[OPT_TEMPORAL_CONTINUE_EVENTS] = {"temporal-continue-events", OPTION_INT, OPTIONS_TEMPORAL,
		"2000", "events", .min = 20, .max = 4000,
		.help = "Events of a history behind which a workflow continues as new"},
	[OPT_TEMPORAL_TLS] = {"temporal-tls", OPTION_BOOL, OPTIONS_TEMPORAL, "false",
		.help = "TLS; also on when one of the next settings is given"},
	[OPT_TEMPORAL_CA_FILE] = {"temporal-ca-file", OPTION_STRING, OPTIONS_TEMPORAL, "",
		.also = "TEMPORAL_TLS_SERVER_CA_CERT_PATH",
		.help = "PEM file of the authorities to trust instead of the system's"},
	[OPT_TEMPORAL_CERT_FILE] = {"temporal-cert-file", OPTION_STRING, OPTIONS_TEMPORAL, "",
		.also = "TEMPORAL_TLS_CLIENT_CERT_PATH", .help = "Certificate of the client (mTLS), PEM"},
	[OPT_TEMPORAL_KEY_FILE] = {"temporal-key-file", OPTION_STRING, OPTIONS_TEMPORAL, "",
		.also = "TEMPORAL_TLS_CLIENT_KEY_PATH", .help = "Its key, PEM"},
	[OPT_TEMPORAL_SERVER_NAME] = {"temporal-server-name", OPTION_STRING, OPTIONS_TEMPORAL, "",
		.also = "TEMPORAL_TLS_SERVER_NAME",
		.help = "Name in the server's certificate; not set: the address's host"},
	[OPT_TEMPORAL_API_KEY] = {"temporal-api-key", OPTION_STRING, OPTIONS_TEMPORAL, "",
		.secret = true, .also = "TEMPORAL_API_KEY", .help = "API key (Temporal Cloud), over TLS"},
	[OPT_TEMPORAL_PAYLOAD_KEY] = {"temporal-payload-key", OPTION_STRING, OPTIONS_TEMPORAL, "",
		.secret = true,
		.help = "Encrypts payloads: id:base64 of 32 bytes; further ones, after commas, only decrypt"},

	[OPT_ENV_FILE] = {"env-file", OPTION_STRING, OPTIONS_SECRETS, "",
		.help = "File of variables (KEY=VALUE); those of the environment come before it"},
	[OPT_VAULT_ADDR] = {"vault-addr", OPTION_STRING, OPTIONS_SECRETS, "", .also = "VAULT_ADDR",
		.help = "URL of Vault or OpenBao, asked when a secret is vault:path#field"},
	[OPT_VAULT_AUTH] = {"vault-auth", OPTION_CHOICE, OPTIONS_SECRETS, "token",
		.choices = "token|approle|kubernetes", .help = "How to log in to Vault"},
	[OPT_VAULT_AUTH_MOUNT] = {"vault-auth-mount", OPTION_STRING, OPTIONS_SECRETS, "",
		.help = "Where that method is mounted; not set: approle, kubernetes"},
	[OPT_VAULT_TOKEN] = {"vault-token", OPTION_STRING, OPTIONS_SECRETS, "", .secret = true,
		.also = "VAULT_TOKEN", .help = "Token, for vault-auth token"},
	[OPT_VAULT_ROLE_ID] = {"vault-role-id", OPTION_STRING, OPTIONS_SECRETS, "",
		.help = "Role id, for vault-auth approle"},
	[OPT_VAULT_SECRET_ID] = {"vault-secret-id", OPTION_STRING, OPTIONS_SECRETS, "",
		.secret = true, .help = "Its secret id"},
	[OPT_VAULT_SECRET_ID_WRAPPED] = {"vault-secret-id-wrapped", OPTION_BOOL, OPTIONS_SECRETS,
		"false", .help = "The secret id is a wrapping token, which is unwrapped once at start"},
	[OPT_VAULT_ROLE] = {"vault-role", OPTION_STRING, OPTIONS_SECRETS, "",
		.help = "Role, for vault-auth kubernetes"},
	[OPT_VAULT_KUBERNETES_TOKEN_FILE] = {"vault-kubernetes-token-file", OPTION_STRING,
		OPTIONS_SECRETS, "/var/run/secrets/kubernetes.io/serviceaccount/token",
		.help = "The service account's token; read again for each login"},
	[OPT_VAULT_NAMESPACE] = {"vault-namespace", OPTION_STRING, OPTIONS_SECRETS, "",
		.also = "VAULT_NAMESPACE", .help = "Namespace"},
	[OPT_VAULT_CA_FILE] = {"vault-ca-file", OPTION_STRING, OPTIONS_SECRETS, "",
		.also = "VAULT_CACERT",
		.help = "PEM file of the authorities to trust instead of the system's"},
	[OPT_VAULT_REFRESH] = {"vault-refresh", OPTION_DURATION, OPTIONS_SECRETS, "5m", "s",
		.min = 1000, .max = MS_PER_DAY,
		.help = "How often values are read again, so that a new one is seen"},

	[OPT_LOG_LEVEL] = {"log-level", OPTION_CHOICE, OPTIONS_LOG, "info",
		.choices = "error|warn|info|debug", .help = "Least level that is logged"},
	[OPT_LOG_FORMAT] = {"log-format", OPTION_CHOICE, OPTIONS_LOG, "auto",
		.choices = "auto|text|json", .help = "auto: text on a terminal, JSON lines otherwise"},
};
/* clang-format on */

const struct option_need option_needs[] = {
    {OPT_FHIR_AUTH, "basic", OPT_FHIR_USER},
    {OPT_FHIR_AUTH, "basic", OPT_FHIR_PASSWORD},
    {OPT_FHIR_AUTH, "bearer", OPT_FHIR_TOKEN},
    {OPT_FHIR_AUTH, "client-credentials", OPT_FHIR_TOKEN_URL},
    {OPT_FHIR_AUTH, "client-credentials", OPT_FHIR_CLIENT_ID},
    {OPT_FHIR_AUTH, "client-credentials", OPT_FHIR_CLIENT_SECRET},
    {OPT_FHIR_AUTH, "smart-backend", OPT_FHIR_CLIENT_ID},
    {OPT_FHIR_AUTH, "smart-backend", OPT_FHIR_KEY_FILE},
    {OPT_VAULT_AUTH, "approle", OPT_VAULT_ROLE_ID},
    {OPT_VAULT_AUTH, "approle", OPT_VAULT_SECRET_ID},
    {OPT_VAULT_AUTH, "kubernetes", OPT_VAULT_ROLE},
};
const size_t option_need_count = sizeof option_needs / sizeof option_needs[0];

const char *option_group_name(enum option_group group)
{
	switch (group) {
	case OPTIONS_SOURCE:
		return "FHIR source";
	case OPTIONS_INGEST:
		return "Ingest";
	case OPTIONS_DATABASE:
		return "Database";
	case OPTIONS_LANDING:
		return "Landing zone";
	case OPTIONS_SERVER:
		return "API server";
	case OPTIONS_SECRETS:
		return "Secrets";
	case OPTIONS_LOG:
		return "Log";
	case OPTIONS_TEMPORAL:
		return "Temporal";
	case OPTIONS_ALL:
		break;
	}
	return "All";
}

void option_env_name(const struct option *o, char out[OPTION_ENV_MAX])
{
	size_t n = (size_t)snprintf(out, OPTION_ENV_MAX, "FHIRLINE_%s", o->name);

	for (size_t i = 0; i < n && i < OPTION_ENV_MAX - 1; i++) {
		if (out[i] == '-')
			out[i] = '_';
		else if (out[i] >= 'a' && out[i] <= 'z')
			out[i] = (char)(out[i] - 'a' + 'A');
	}
}

const struct option *option_find(const char *name, size_t length)
{
	for (size_t i = 0; i < OPTION_COUNT; i++)
		if (strlen(option_table[i].name) == length &&
		    memcmp(option_table[i].name, name, length) == 0)
			return &option_table[i];
	return NULL;
}
