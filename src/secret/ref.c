/* SPDX-License-Identifier: Apache-2.0 */
#include "secret/ref.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#define WHERE "secret.ref"
#define FORM "write vault:mount/path#field, such as vault:secret/fhirline/source#password"

/* Nothing that would mean something else in a URL. */
static bool path_is_plain(const char *path)
{
	if (path[0] == '/' || !*path || path[strlen(path) - 1] == '/' || strstr(path, "//"))
		return false;
	for (const char *p = path; *p; p++) {
		if (!isalnum((unsigned char)*p) && !strchr("/-_.", *p))
			return false;
		if ((p == path || p[-1] == '/') && *p == '.')
			return false;
	}
	return strchr(path, '/') != NULL;
}

bool secret_ref_parse(const char *text, const char *what, struct secret_ref *ref, struct err *err)
{
	const char *path = text + 6, *hash, *slash;
	struct secret_ref r = {.path = "", .field = ""};
	char logical[SECRET_REF_MAX];
	size_t n;

	if (strncmp(text, "vault:", 6) != 0)
		return err_set(err, ERR_CONFIG, WHERE, "%s is no reference; " FORM, what);
	if (strlen(path) > SECRET_REF_MAX - 16)
		return err_set(err, ERR_CONFIG, WHERE, "%s: the reference is too long", what);
	hash = strchr(path, '#');
	n = hash ? (size_t)(hash - path) : strlen(path);
	snprintf(logical, sizeof logical, "%.*s", (int)n, path);
	if (!path_is_plain(logical))
		return err_set(err, ERR_CONFIG, WHERE,
		               "%s: the path has letters, digits, - _ . and / alone, and a mount "
		               "before its first /; " FORM,
		               what);
	if (hash && !hash[1])
		return err_set(err, ERR_CONFIG, WHERE, "%s: no field behind the #; " FORM, what);
	if (hash)
		snprintf(r.field, sizeof r.field, "%s", hash + 1);
	slash = strchr(logical, '/');
	if (hash && !strstr(logical, "/data/"))
		snprintf(r.path, sizeof r.path, "%.*s/data/%.*s", (int)(slash - logical), logical,
		         SECRET_REF_MAX - 8 - (int)(slash - logical), slash + 1);
	else
		snprintf(r.path, sizeof r.path, "%s", logical);
	*ref = r;
	return true;
}
