/* SPDX-License-Identifier: Apache-2.0
 *
 * config.h: the values of the settings in options.h, and where each came from.
 *
 * Order, the later wins: default, file of variables (--env-file, FHIRLINE_ENV_FILE; dotenv.h, the
 * two that follow, read from it), environment of other tools (AWS_REGION; option.also), environment
 * (FHIRLINE_FHIR_URL), file named by the environment (FHIRLINE_FHIR_PASSWORD_FILE, secrets only),
 * flag (--fhir-url URL or --fhir-url=URL), file named
 * by a flag (--fhir-password-file PATH, secrets only). An environment variable that is set but
 * empty counts as not set; both a secret and its file in the environment are an error. A file's
 * trailing newline is cut; it may hold up to 64 KiB and no NUL.
 *
 * A value is checked when it is loaded; an error (ERR_USAGE for flags, ERR_CONFIG for the
 * environment and files) names the setting as the user wrote it and says what is allowed. Secrets
 * are quoted nowhere.
 *
 * A secret may be a reference, `vault:path#field`: config_resolve() puts the value in its place.
 *
 * A `struct config` is read-only after config_load() and config_resolve() and may then be shared by
 * threads.
 */
#ifndef FHIRLINE_BASE_CONFIG_H
#define FHIRLINE_BASE_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/options.h"

struct config;

enum config_origin {
	CONFIG_DEFAULT,
	CONFIG_ENV_FILE,
	CONFIG_ENVIRONMENT,
	CONFIG_FILE,
	CONFIG_FLAG,
	CONFIG_VAULT, /* a reference that was resolved */
};

/* A flag of one command alone: a switch, or one with an argument. */
struct config_flag {
	const char *name; /* without the dashes */
	const char *arg;  /* what --help calls the argument; NULL: a switch */
	const char *help;
	bool *on;           /* set to true when given */
	const char **value; /* the argument; points into argv */
};

/* `flags` ends with a row whose name is NULL; NULL: none. Only settings of `groups` are taken from
 * the flags and the environment; the others keep their defaults. What is no flag is moved to
 * argv[1] … argv[*nargs]; "--" ends the flags. NULL on error. */
struct config *config_load(unsigned groups, const struct config_flag *flags, int argc, char **argv,
                           int *nargs, struct err *err);
void config_free(struct config *c); /* overwrites secrets. NULL is fine */

/* A secret whose value begins with "vault:". */
bool config_is_reference(const struct config *c, enum option_id id);
bool config_has_references(const struct config *c);

/* Replaces each reference by what `lookup` finds: it appends the value to `value`. */
typedef bool config_lookup(void *ctx, enum option_id id, const char *reference, struct buf *value,
                           struct err *err);
/* `kept` is freed with the config, after its values. At most one. */
void config_keep(struct config *c, void *kept, void (*free_kept)(void *));
void *config_kept(const struct config *c);

/* What stood there before it was resolved; NULL when it was no reference. */
const char *config_reference(const struct config *c, enum option_id id);

bool config_resolve(struct config *c, config_lookup *lookup, void *ctx, struct err *err);

/* Wipes secrets in argv and the environment, where other processes, children and core dumps would
 * find them (/proc/PID/cmdline, /proc/PID/environ). `argv` is a copy from before config_load(),
 * which moves its words. */
void config_hide(int argc, char **argv);

/* The value in its checked form. "" when a string is not set. Borrowed. A wrong type is a bug. */
const char *config_str(const struct config *c, enum option_id id);
const char *config_str_or_null(const struct config *c, enum option_id id); /* NULL: not set */
int64_t config_int(const struct config *c, enum option_id id);
int64_t config_ms(const struct config *c, enum option_id id);
size_t config_bytes(const struct config *c, enum option_id id);
bool config_bool(const struct config *c, enum option_id id);
bool config_is_set(const struct config *c, enum option_id id); /* not "" */
bool config_is(const struct config *c, enum option_id id, const char *choice);
enum config_origin config_origin_of(const struct config *c, enum option_id id);
const char *config_origin_name(enum config_origin origin);

/* What is shown: the value as text, "***" for a secret that is set. */
const char *config_shown(const struct config *c, enum option_id id);

/* False with a message that says how to give it when the setting is "". */
bool config_require(const struct config *c, enum option_id id, struct err *err);

/* The text of a small file, such as a key, without its trailing newline, into a `b` that is bounded
 * to CONFIG_FILE_MAX. `what` names the setting in messages. */
#define CONFIG_FILE_MAX (64 << 10)
bool config_read_file(const char *what, const char *path, struct buf *b, struct err *err);

/* The parsers, for flags of single commands and for tests. `what` names the thing in messages. */
bool config_parse_duration(const char *text, const char *unit, int64_t *ms);
bool config_parse_bytes(const char *text, int64_t *bytes);

/* Lines for --help: one row a setting of `groups`, and the flags before them. */
void config_print_help(FILE *out, unsigned groups, const struct config_flag *flags);

/* docs/CONFIGURATION.md. */
void config_print_markdown(FILE *out);

/* .env.template. */
void config_print_template(FILE *out);

#endif
