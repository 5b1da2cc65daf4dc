/* SPDX-License-Identifier: Apache-2.0
 *
 * dotenv.h: files of variables, as docker compose reads them (`.env`), in their simple form:
 *
 *     # comment
 *     KEY=value            # a comment needs a blank before it
 *     export KEY='as it is, also $ and #'
 *     KEY="with \n, \t, \\, \" and \$"
 *
 * A value ends with its line; nothing is substituted: an unquoted or doubly quoted `$` that begins
 * a name or `{` is refused, as compose would put something else there. A key is a letter or `_`,
 * then letters, digits and `_`; it may be there once. Limits: 64 KiB, 512 keys. Errors name line
 * and key, never a value.
 */
#ifndef FHIRLINE_BASE_DOTENV_H
#define FHIRLINE_BASE_DOTENV_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

struct dotenv;

/* NULL: ERR_CONFIG, ERR_NOMEM. Values are kept in locked memory. */
struct dotenv *dotenv_read(const char *path, struct err *err);
struct dotenv *dotenv_parse(const char *text, size_t n, struct err *err);
void dotenv_free(struct dotenv *d); /* NULL is fine */

size_t dotenv_count(const struct dotenv *d);
const char *dotenv_key(const struct dotenv *d, size_t i);
const char *dotenv_value(const struct dotenv *d, size_t i);
const char *dotenv_get(const struct dotenv *d, const char *key); /* NULL: not there */

#endif
