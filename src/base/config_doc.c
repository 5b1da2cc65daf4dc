/* SPDX-License-Identifier: Apache-2.0 */
#include "base/config.h"

#include <inttypes.h>
#include <string.h>

#define COLUMN 34

static const char *argument_name(const struct option *o)
{
	switch (o->type) {
	case OPTION_URL:
		return "URL";
	case OPTION_PLACE:
		return "URL|PATH";
	case OPTION_ADDRESS:
		return "HOST:PORT";
	case OPTION_INT:
		return "N";
	case OPTION_DURATION:
		return "TIME";
	case OPTION_BYTES:
		return "SIZE";
	case OPTION_CHOICE:
		return "CHOICE";
	case OPTION_STRING:
	case OPTION_BOOL:
		break;
	}
	return o->type == OPTION_BOOL ? "BOOL" : "TEXT";
}

static void print_row(FILE *out, const char *name, const char *arg, const char *help)
{
	int n = fprintf(out, "  --%s%s%s", name, arg ? " " : "", arg ? arg : "");

	fprintf(out, "%*s%s", n < COLUMN ? COLUMN - n : 1, "", help);
}

static void print_option(FILE *out, const struct option *o)
{
	print_row(out, o->name, argument_name(o), o->help);
	if (o->type == OPTION_CHOICE)
		fprintf(out, " (%s)", o->choices);
	if (*o->fallback)
		fprintf(out, " [%s]", o->fallback);
	fputc('\n', out);
}

void config_print_help(FILE *out, unsigned groups, const struct config_flag *flags)
{
	fprintf(out, "\nOptions:\n");
	for (const struct config_flag *f = flags; f && f->name; f++) {
		print_row(out, f->name, f->arg, f->help);
		fputc('\n', out);
	}
	print_row(out, "help", NULL, "This text\n");
	for (unsigned group = 1; group < OPTIONS_ALL; group <<= 1) {
		if (!(groups & group))
			continue;
		fprintf(out, "\n%s:\n", option_group_name((enum option_group)group));
		for (size_t i = 0; i < OPTION_COUNT; i++)
			if (option_table[i].group == group)
				print_option(out, &option_table[i]);
	}
	if (groups)
		fprintf(out,
		        "\nEach setting can also come from the environment: --fhir-url is "
		        "FHIRLINE_FHIR_URL.\nSecrets also from a file: --fhir-password-file PATH "
		        "or FHIRLINE_FHIR_PASSWORD_FILE.\nWhat is in [brackets] is the default. "
		        "`fhirline config` shows what is in force.\n");
}

static void print_allowed(FILE *out, const struct option *o)
{
	switch (o->type) {
	case OPTION_INT:
		fprintf(out, "%" PRId64 " to %" PRId64 "%s%s", o->min, o->max, o->unit ? " " : "",
		        o->unit ? o->unit : "");
		break;
	case OPTION_DURATION:
		fprintf(out, "a time; a bare number is in %s", o->unit);
		break;
	case OPTION_BYTES:
		fprintf(out, "a size");
		break;
	case OPTION_BOOL:
		fprintf(out, "`true`, `false`");
		break;
	case OPTION_ADDRESS:
		fprintf(out, "host:port");
		break;
	case OPTION_STRING:
		fprintf(out, "%s", o->secret ? "a secret" : "text");
		break;
	case OPTION_URL:
	case OPTION_PLACE:
	case OPTION_CHOICE:
		for (const char *p = o->choices; *p; p += strcspn(p, "|"), p += *p == '|')
			fprintf(out, "%s`%.*s%s`", p == o->choices ? "" : ", ",
			        (int)strcspn(p, "|"), p, o->type == OPTION_CHOICE ? "" : "://…");
		if (o->type == OPTION_PLACE)
			fprintf(out, ", a path");
		break;
	}
}

static void print_markdown_row(FILE *out, const struct option *o)
{
	char name[OPTION_ENV_MAX];

	option_env_name(o, name);
	fprintf(out, "| `--%s` | `%s`", o->name, name);
	for (const char *p = o->also; p && *p; p += strcspn(p, "|"), p += *p == '|')
		fprintf(out, ", `%.*s`", (int)strcspn(p, "|"), p);
	fprintf(out, " | %s%s%s | ", *o->fallback ? "`" : "",
	        *o->fallback ? o->fallback : "not set", *o->fallback ? "`" : "");
	print_allowed(out, o);
	fprintf(out, " | %s |\n", o->help);
}

static void print_secrets(FILE *out)
{
	fprintf(out,
	        "\n## Secrets\n\nA secret is better given as a file than as text, which other "
	        "programs may see:\nput `_FILE` behind the variable's name, or `-file` behind the "
	        "flag's, and give a path.\nA newline at the end of the file does not count.\n\n");
	for (size_t i = 0; i < OPTION_COUNT; i++) {
		char name[OPTION_ENV_MAX];

		if (!option_table[i].secret)
			continue;
		option_env_name(&option_table[i], name);
		fprintf(out, "- `%s_FILE`, `--%s-file`\n", name, option_table[i].name);
	}
	fprintf(out, "\nA secret (but for Vault's own) may also be a reference, "
	             "`vault:path#field`: docs/SECRETS.md.\n");
}

static void print_template_row(FILE *out, const struct option *o)
{
	char name[OPTION_ENV_MAX];

	option_env_name(o, name);
	fprintf(out, "\n# %s", o->help);
	if (o->secret && o->group != OPTIONS_SECRETS)
		fprintf(out, ". A secret: also vault:path#field, or %s_FILE", name);
	else if (o->secret)
		fprintf(out, ". A secret: also %s_FILE", name);
	fputs("\n# Allowed: ", out);
	print_allowed(out, o);
	fprintf(out, "\n#%s=%s%s%s\n", name, strpbrk(o->fallback, " #$'\"") ? "'" : "", o->fallback,
	        strpbrk(o->fallback, " #$'\"") ? "'" : "");
}

void config_print_template(FILE *out)
{
	fprintf(out,
	        "# Every variable of fhirline, with its default. Copy this to .env, take the # "
	        "away where you set one, and\n# start with --env-file .env. Made by `fhirline "
	        "config --template`; do not edit.\n");
	for (unsigned group = 1; group < OPTIONS_ALL; group <<= 1) {
		fprintf(out, "\n# ---- %s ----\n", option_group_name((enum option_group)group));
		for (size_t i = 0; i < OPTION_COUNT; i++)
			if (option_table[i].group == group && i != OPT_ENV_FILE)
				print_template_row(out, &option_table[i]);
	}
}

void config_print_markdown(FILE *out)
{
	fprintf(
	    out,
	    "<!-- Made by `fhirline config --markdown`; do not edit. The source is "
	    "src/base/options.c. -->\n# Configuration\n\n"
	    "Each setting has a flag and an environment variable. The later of these wins: "
	    "default, `--env-file`, environment, flag.\n`fhirline config` shows what is in force "
	    "and where it "
	    "came from; secrets are shown as `***`.\n\n"
	    "Times are `500ms`, `30s`, `10m`, `2h`; sizes are `4096`, `64K`, `16M`, `1G` (powers "
	    "of 1,024).\nA variable that is set but empty counts as not set.\n");
	for (unsigned group = 1; group < OPTIONS_ALL; group <<= 1) {
		fprintf(out,
		        "\n## %s\n\n| flag | environment | default | allowed | what |\n"
		        "|---|---|---|---|---|\n",
		        option_group_name((enum option_group)group));
		for (size_t i = 0; i < OPTION_COUNT; i++)
			if (option_table[i].group == group)
				print_markdown_row(out, &option_table[i]);
	}
	print_secrets(out);
	fprintf(out, "\n## Other variables\n\n"
	             "- `PG*` (`PGHOST`, `PGSERVICE`, `PGPASSFILE`, …): read by libpq when "
	             "`FHIRLINE_DATABASE_URL` is not set, or for what it leaves out\n"
	             "- `NO_COLOR`: no colours on a terminal\n"
	             "- `FHIRLINE_CACHE`: where builds and tests keep downloads "
	             "(`~/.cache/fhirline`)\n");
}
