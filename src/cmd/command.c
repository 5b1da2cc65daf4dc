/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/command.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/locked.h"
#include "base/suggest.h"
#include "cmd/secrets.h"

const struct command command_table[] = {
    {"config", "[--markdown] [options]", "Show the settings in force, and where each came from",
     "Secrets are shown as ***. --markdown prints docs/CONFIGURATION.md instead.", OPTIONS_ALL,
     cmd_config},
    {"db", "migrate|status [options]",
     "Bring the database's schema up to date, or show its version",
     "migrate applies what is missing, each step in a transaction, and may be run at any time and "
     "by\nseveral at once. status exits with 1 when the schema is not this build's.",
     OPTIONS_DATABASE | OPTIONS_LOG, cmd_db},
    {"doctor", "[options]", "Try each dependency, and say what to do about what is wrong",
     "The database, the FHIR server, the landing zone and the API's address, as the settings have "
     "them.\nNothing is changed, but a landing folder that is missing is made.\nExit codes: 0 all "
     "is "
     "well, 1 something is not, 2 wrong usage or setting.",
     OPTIONS_ALL, cmd_doctor},
    {"export", "--zip ZIP --format csv|ndjson [options]",
     "Write the rows of a zip code as CSV or NDJSON",
     "Those of the patients that live there now, without what is deleted; health data. A closed "
     "pipe\n"
     "ends it without a word and with exit code 141, as it ends other programs.",
     OPTIONS_DATABASE | OPTIONS_LANDING | OPTIONS_LOG, cmd_export},
    {"ingest", "[options] ZIP...", "Load the patients of zip codes and their observations",
     "A zip code has five digits. What a run has done is kept when it is interrupted or fails: "
     "the\n"
     "same command resumes it. The next run reads what has changed since the last complete one.\n"
     "Exit codes: 0 complete, 1 failed, 2 wrong usage or setting, 3 incomplete, 130 or 143 "
     "interrupted.",
     OPTIONS_SOURCE | OPTIONS_INGEST | OPTIONS_DATABASE | OPTIONS_LANDING | OPTIONS_TEMPORAL |
         OPTIONS_LOG,
     cmd_ingest},
    {"landing", "list|verify|prune --keep N [options]",
     "The landing zone: what is there, whether it is sound, making room",
     "verify reads every object and compares it with its run's manifest. prune removes the runs "
     "before\n"
     "the newest N full ones that missed and rejected nothing; it keeps what live rows, rejected\n"
     "resources or runs that have not ended still need, and says so.\n"
     "Exit codes: 0 done, 1 failed, 2 wrong usage or setting, 3 verify: something is damaged, "
     "missing\n"
     "or unknown.",
     OPTIONS_DATABASE | OPTIONS_LANDING | OPTIONS_LOG, cmd_landing},
    {"rejected", "list|show ID|replay [options]",
     "Resources that could not be mapped: look at them, replay them",
     "replay maps what was landed again, after the mapping has learnt it; the source is not "
     "asked.\n"
     "A newer row is never overwritten. show --raw prints the resource itself: health data.\n"
     "Exit codes: 0 done, 1 failed, 2 wrong usage or setting, 3 something is still rejected, 130 "
     "or\n"
     "143 interrupted.",
     OPTIONS_DATABASE | OPTIONS_LANDING | OPTIONS_LOG, cmd_rejected},
    {"replay", "RUN|--zip ZIP|--all [options]",
     "Make the tables again from the landing zone, without the source",
     "The newest full run of a zip code and those after it, in order; up to RUN, when one is "
     "named.\n"
     "Tables that have it all already are not written to. Interrupted, the same command goes on.\n"
     "Exit codes: 0 complete, 1 failed, 2 wrong usage or setting, 3 an object is missing or "
     "damaged "
     "or\na resource rejected, 130 or 143 interrupted.",
     OPTIONS_INGEST | OPTIONS_DATABASE | OPTIONS_LANDING | OPTIONS_LOG, cmd_replay},
    {"runs", "list|show RUN|cancel RUN|retry RUN [options]",
     "Runs: a list, one in numbers, cancel, retry",
     "cancel waits until the run has ended; what it has done is kept. retry lets a run that "
     "failed,\n"
     "was cancelled or has failed batches go on, reading again only those; it needs the source's\n"
     "address (--fhir-url), and an engine that takes the run up: `serve`, or `ingest ZIP`.",
     OPTIONS_SOURCE | OPTIONS_DATABASE | OPTIONS_LOG, cmd_runs},
    {"sandbox", "[options]", "Serve a generated population as a FHIR server, for tests",
     "It answers at /fhir as HAPI does, until it is interrupted; nothing is stored.", 0,
     cmd_sandbox},
    {"schedule", "ZIP --every DURATION|--cron TEXT, list, or remove|pause|resume|run ZIP",
     "Have Temporal ask for runs by the clock (engine temporal)",
     "A zip code has one schedule at most; setting it again replaces it. A run that is still under "
     "way is\nleft alone, and asked for again the next time. Workers do the rest.",
     OPTIONS_TEMPORAL | OPTIONS_LOG, cmd_schedule},
    {"secret", "seed FILE [options]", "Move the secrets of a .env file into Vault",
     "Writes them to a KV version 2 engine, with a policy and an AppRole that may read them and "
     "nothing\nelse, and prints what to set in their place. What a path had before is replaced. It "
     "needs a token\nthat may do this (VAULT_TOKEN, --vault-token-file). The secret id goes to a "
     "file "
     "of mode 0600.",
     OPTIONS_SECRETS | OPTIONS_LOG, cmd_secret},
    {"serve", "[options]", "REST API, Swagger UI and dashboard",
     "Prints its address, and serves until Ctrl-C. There is no authentication yet, so it listens "
     "on\n"
     "loopback addresses only.",
     OPTIONS_ALL, cmd_serve},
    {"worker", "[options]", "Work on runs that Temporal drives (engine temporal)",
     "Takes workflow and activity tasks of the task queue until Ctrl-C; then it takes no more, and "
     "what is\nunder way ends or goes to another worker. Prints the address of its health and "
     "metrics.\n"
     "Exit codes: 0 stopped, 1 Temporal refuses it, 2 wrong usage or setting.",
     OPTIONS_SOURCE | OPTIONS_INGEST | OPTIONS_DATABASE | OPTIONS_LANDING | OPTIONS_TEMPORAL |
         OPTIONS_LOG,
     cmd_worker},
};
const size_t command_count = sizeof command_table / sizeof command_table[0];

void command_note(void *ctx, bool bad, const char *text)
{
	(void)ctx;
	if (bad)
		log_warn(text);
	else
		log_info(text);
}

static const struct command *find(const char *name)
{
	for (size_t i = 0; i < command_count; i++)
		if (strcmp(command_table[i].name, name) == 0)
			return &command_table[i];
	return NULL;
}

static void print_overview(FILE *out)
{
	fprintf(out,
	        "fhirline %s: a zip code's patients and observations, from a FHIR server into "
	        "PostgreSQL\n\nUsage: fhirline COMMAND [options]\n\nCommands:\n",
	        FHIRLINE_VERSION);
	for (size_t i = 0; i < command_count; i++)
		fprintf(out, "  %-10s%s\n", command_table[i].name, command_table[i].summary);
	fprintf(out,
	        "\n`fhirline COMMAND --help` explains a command and its options.\n"
	        "Exit codes: 0 done, 1 failed, 2 wrong usage or setting, 3 incomplete (numbers do "
	        "not add up, or\nrecords were rejected), 130 and 143 interrupted.\n");
}

/* A command that takes settings takes those that say where secrets are. */
static unsigned groups_of(const struct command *c)
{
	return c->groups ? c->groups | OPTIONS_SECRETS : 0;
}

static void print_command(FILE *out, const struct command *c, const struct config_flag *flags)
{
	fprintf(out, "%s\n\nUsage: fhirline %s %s\n", c->summary, c->name, c->usage);
	if (c->more)
		fprintf(out, "\n%s\n", c->more);
	config_print_help(out, groups_of(c), flags);
}

static int unknown_command(const char *name)
{
	struct suggest s = SUGGEST_INIT(name);

	for (size_t i = 0; i < command_count; i++)
		suggest_look(&s, command_table[i].name);
	if (s.best)
		fprintf(stderr, "fhirline: unknown command \"%.40s\"; did you mean \"%s\"?\n", name,
		        s.best);
	else
		fprintf(stderr,
		        "fhirline: unknown command \"%.40s\"; `fhirline --help` lists them\n",
		        name);
	return COMMAND_USAGE;
}

/* Output that went nowhere (a full disk) is a failure. */
static int flush_output(int code)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return code;
	fprintf(stderr, "fhirline: cannot write to standard output\n");
	return code == COMMAND_OK ? COMMAND_FAILED : code;
}

int command_main(int argc, char **argv)
{
	const struct command *c;

	if (argc < 2) {
		print_overview(stderr);
		return COMMAND_USAGE;
	}
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
	    (strcmp(argv[1], "help") == 0 && argc == 2)) {
		print_overview(stdout);
		return flush_output(COMMAND_OK);
	}
	if (strcmp(argv[1], "--version") == 0) {
		printf("fhirline %s\n", FHIRLINE_VERSION);
		return flush_output(COMMAND_OK);
	}
	if (strcmp(argv[1], "help") == 0) {
		char help[] = "--help";
		char *args[] = {argv[2], help, NULL};

		c = find(argv[2]);
		return c ? flush_output(c->run(2, args)) : unknown_command(argv[2]);
	}
	c = find(argv[1]);
	return c ? flush_output(c->run(argc - 1, argv + 1)) : unknown_command(argv[1]);
}

static bool wants_help(int argc, char **argv)
{
	for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
		if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
			return true;
	return false;
}

static bool has_secret(const struct config *config)
{
	for (size_t i = 0; i < OPTION_COUNT; i++)
		if (option_table[i].secret && config_is_set(config, (enum option_id)i))
			return true;
	return false;
}

/* From here on they are in our own memory alone. `config` shows settings and asks nobody. */
static bool take_secrets(const struct command *c, int argc, char **argv, struct config *config,
                         struct err *err)
{
	if (!has_secret(config))
		return true;
	locked_no_core();
	config_hide(argc, argv);
	return c->run == cmd_config || secrets_resolve(config, err);
}

static void setup_log(const struct config *config)
{
	enum log_level level = LOG_INFO;
	enum log_format format = LOG_AUTO;

	log_level_parse(config_str(config, OPT_LOG_LEVEL), &level);
	log_format_parse(config_str(config, OPT_LOG_FORMAT), &format);
	log_setup(level, format);
}

bool command_start(int argc, char **argv, const struct config_flag *flags, struct config **config,
                   int *nargs, int *exit_code)
{
	const struct command *c = find(argv[0]);
	struct config *loaded;
	struct err err;
	bool ok;
	char **words; /* config_load() moves those of argv */

	if (wants_help(argc, argv)) {
		print_command(stdout, c, flags);
		*exit_code = COMMAND_OK;
		return false;
	}
	words = malloc((size_t)argc * sizeof *words);
	if (words)
		memcpy(words, argv, (size_t)argc * sizeof *words);
	else
		err_set(&err, ERR_NOMEM, "command", "out of memory");
	loaded = words ? config_load(groups_of(c), flags, argc, argv, nargs, &err) : NULL;
	if (!loaded) {
		free(words);
		*exit_code = command_fail(c->name, &err);
		return false;
	}
	setup_log(loaded);
	ok = take_secrets(c, argc, words, loaded, &err);
	free(words);
	if (!ok) {
		config_free(loaded);
		*exit_code = command_fail(c->name, &err);
		return false;
	}
	*config = loaded;
	return true;
}

int command_fail(const char *name, const struct err *err)
{
	log_status(NULL);
	fprintf(stderr, "fhirline %s: %s\n", name, err->text);
	return err->code == ERR_USAGE || err->code == ERR_CONFIG ? COMMAND_USAGE : COMMAND_FAILED;
}

int command_quotable(const char *text)
{
	int n = (int)strcspn(text, "\r\n\033");

	return n < 60 ? n : 60;
}

int command_usage(const char *name, const char *fmt, ...)
{
	va_list args;

	fprintf(stderr, "fhirline %s: ", name);
	va_start(args, fmt);
	vfprintf(stderr, fmt, args);
	va_end(args);
	fprintf(stderr, "\n`fhirline %s --help` shows the usage.\n", name);
	return COMMAND_USAGE;
}
