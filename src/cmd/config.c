/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "base/suggest.h"
#include "cmd/command.h"

extern char **environ;

static bool is_known(const char *name)
{
	static const char *const others[] = {"FHIRLINE_CACHE", "FHIRLINE_CRASH_AT"};
	char known[OPTION_ENV_MAX];

	for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
		if (strcmp(name, others[i]) == 0)
			return true;
	for (size_t i = 0; i < OPTION_COUNT; i++) {
		size_t n;

		option_env_name(&option_table[i], known);
		n = strlen(known);
		if (strncmp(name, known, n) == 0 &&
		    (!name[n] || (option_table[i].secret && strcmp(name + n, "_FILE") == 0)))
			return true;
	}
	return strncmp(name, "FHIRLINE_TEST_", 14) == 0;
}

/* A mistyped variable would be silently without effect: this command is where it is looked for. */
static void warn_unknown_variables(void)
{
	for (char **e = environ; *e; e++) {
		char name[OPTION_ENV_MAX], known[OPTION_COUNT][OPTION_ENV_MAX];
		struct suggest s = SUGGEST_INIT(name);

		if (strncmp(*e, "FHIRLINE_", 9) != 0)
			continue;
		snprintf(name, sizeof name, "%.*s", (int)strcspn(*e, "="), *e);
		if (is_known(name))
			continue;
		for (size_t i = 0; i < OPTION_COUNT; i++) {
			option_env_name(&option_table[i], known[i]);
			suggest_look(&s, known[i]);
		}
		fprintf(stderr, "fhirline config: the variable %s is not one of fhirline's", name);
		fprintf(stderr, s.best ? "; did you mean %s?\n" : "%s\n", s.best ? s.best : "");
	}
}

int cmd_config(int argc, char **argv)
{
	bool markdown = false, template = false;
	const struct config_flag flags[] = {
	    {"markdown", NULL, "Print docs/CONFIGURATION.md", .on = &markdown},
	    {"template", NULL, "Print .env.template", .on = &template},
	    {0}};
	struct config *config = NULL;
	int nargs, code;

	if (!command_start(argc, argv, flags, &config, &nargs, &code))
		return code;
	code = COMMAND_OK;
	if (nargs) {
		code = command_usage("config", "unexpected argument \"%.40s\"", argv[1]);
	} else if (markdown) {
		config_print_markdown(stdout);
	} else if (template) {
		config_print_template(stdout);
	} else {
		for (enum option_id id = 0; id < OPTION_COUNT; id++)
			printf("%-22s %-40s %s\n", option_table[id].name, config_shown(config, id),
			       config_origin_name(config_origin_of(config, id)));
		warn_unknown_variables();
	}
	config_free(config);
	return code;
}
