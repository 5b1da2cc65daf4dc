/* SPDX-License-Identifier: Apache-2.0
 *
 * command.h: the commands of the program, one table.
 *
 * A command is a row of command_table[] and a file src/cmd/<name>.c with its function; argv[0] is
 * the command's name. The function returns the exit code. It begins with command_start(), which
 * reads flags and environment, answers --help, sets up the log and explains usage errors.
 */
#ifndef FHIRLINE_CMD_COMMAND_H
#define FHIRLINE_CMD_COMMAND_H

#include <stdbool.h>
#include <stddef.h>

#include "base/config.h"

enum command_exit {
	COMMAND_OK = 0,
	COMMAND_FAILED = 1,
	COMMAND_USAGE = 2,
	COMMAND_INCOMPLETE = 3, /* the numbers do not add up, or records were rejected */
	COMMAND_INTERRUPTED = 130,
	COMMAND_TERMINATED = 143,
};

struct command {
	const char *name;
	const char *usage;   /* behind the name: "[options] ZIP…" */
	const char *summary; /* one line */
	const char *more;    /* further text of --help; NULL: none */
	unsigned groups;     /* settings that it takes (enum option_group) */
	int (*run)(int argc, char **argv);
};

extern const struct command command_table[];
extern const size_t command_count;

/* The whole program: `argv` as main() has it. */
int command_main(int argc, char **argv);

/* What a command does first. True: go on with *config (config_free() it) and the arguments
 * argv[1] … argv[*nargs]. False: return *exit_code at once; everything has been said. */
bool command_start(int argc, char **argv, const struct config_flag *flags, struct config **config,
                   int *nargs, int *exit_code);

/* "fhirline ingest: text" on standard error; returns the exit code that fits the error. */
int command_fail(const char *name, const struct err *err);

/* A usage error: the text, and where help is. Returns COMMAND_USAGE. */
int command_usage(const char *name, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* How much of a user's word can be quoted in a message ("%.*s"): no line break, no escape. */
int command_quotable(const char *text);

/* What a part of the program has to tell its operator: into the log. `ctx` is not looked at. */
void command_note(void *ctx, bool bad, const char *text);

/* The commands. */
int cmd_config(int argc, char **argv);
int cmd_doctor(int argc, char **argv);
int cmd_db(int argc, char **argv);
int cmd_export(int argc, char **argv);
int cmd_ingest(int argc, char **argv);
int cmd_replay(int argc, char **argv);
int cmd_landing(int argc, char **argv);
int cmd_rejected(int argc, char **argv);
int cmd_runs(int argc, char **argv);
int cmd_sandbox(int argc, char **argv);
int cmd_schedule(int argc, char **argv);
int cmd_secret(int argc, char **argv);
int cmd_serve(int argc, char **argv);
int cmd_worker(int argc, char **argv);

#endif
