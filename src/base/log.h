/* SPDX-License-Identifier: Apache-2.0
 *
 * log.h: what the process tells its operator, on standard error. The only global state there is.
 *
 *     log_info("run started", LOG_STR("zip", zip), LOG_INT("batches", n));
 *
 * On a terminal a line is for a person ("12:00:01 run started zip=02139 batches=7", with colours
 * unless NO_COLOR is set); elsewhere it is a JSON object: {"time","level","message", fields…}.
 * Control characters and broken UTF-8 are escaped in both; a line is at most LOG_LINE_MAX bytes,
 * its fields are cut to fit.
 *
 * Any thread may log. A line is one write(2). A reader that does not read is waited for 100 ms
 * once; from then on lines are dropped, and counted, until it reads again: a full pipe does not
 * stop the work. Only commands and engines log; libraries return errors. No patient data, secrets,
 * query strings in messages or fields.
 */
#ifndef FHIRLINE_BASE_LOG_H
#define FHIRLINE_BASE_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

#define LOG_LINE_MAX 4096

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };
enum log_format { LOG_AUTO, LOG_TEXT, LOG_JSON };

struct log_field {
	const char *key; /* NULL: not a field */
	enum { LOG_FIELD_STR, LOG_FIELD_INT, LOG_FIELD_BOOL } type;
	struct str str;
	int64_t number;
};

#define LOG_STR(k, cstr) ((struct log_field){(k), LOG_FIELD_STR, str_of(cstr), 0})
#define LOG_SLICE(k, s) ((struct log_field){(k), LOG_FIELD_STR, (s), 0})
#define LOG_INT(k, n) ((struct log_field){(k), LOG_FIELD_INT, STR_NONE, (int64_t)(n)})
#define LOG_BOOL(k, b) ((struct log_field){(k), LOG_FIELD_BOOL, STR_NONE, (b)})

/* Before the first line and other threads; without it: info, auto, standard error. */
void log_setup(enum log_level level, enum log_format format);
void log_to_fd(int fd); /* for tests */
bool log_enabled(enum log_level level);

/* "error" … "debug"; false when it is none. The same for formats. */
bool log_level_parse(const char *name, enum log_level *level);
bool log_format_parse(const char *name, enum log_format *format);

/* `fields` ends with a row whose key is NULL. */
void log_write(enum log_level level, const char *message, const struct log_field *fields);

/* The fields code, status and error of an err, behind `message`. */
void log_err(enum log_level level, const char *message, const struct err *err);

#define LOG_FIELDS(...) ((const struct log_field[]){__VA_ARGS__ __VA_OPT__(, ){0}})
#define log_error(message, ...) log_write(LOG_ERROR, message, LOG_FIELDS(__VA_ARGS__))
#define log_warn(message, ...) log_write(LOG_WARN, message, LOG_FIELDS(__VA_ARGS__))
#define log_info(message, ...) log_write(LOG_INFO, message, LOG_FIELDS(__VA_ARGS__))
#define log_debug(message, ...) log_write(LOG_DEBUG, message, LOG_FIELDS(__VA_ARGS__))

/* The status line at the bottom of a terminal: drawn over the one before, kept below log lines.
 * NULL or "" takes it away. Does nothing when standard error is not a terminal. */
void log_status(const char *text);
bool log_has_terminal(void);

#endif
