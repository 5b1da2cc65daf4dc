/* SPDX-License-Identifier: Apache-2.0
 *
 * str.h: a slice of bytes that somebody else owns. Not NUL-terminated. p == NULL means "absent",
 * which is not the same as empty.
 */
#ifndef FHIRLINE_BASE_STR_H
#define FHIRLINE_BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct str {
	const char *p;
	size_t n;
};

#define STR(lit) ((struct str){"" lit, sizeof(lit) - 1})
#define STR_NONE ((struct str){NULL, 0})
#define STR_FMT(s) (int)(s).n, (s).p /* for "%.*s" */

static inline struct str str_of(const char *s)
{
	return (struct str){s, s ? strlen(s) : 0};
}

bool str_eq(struct str a, struct str b); /* two absent ones are equal; absent and empty are not */
bool str_is(struct str a, const char *s);
bool str_is_nocase(struct str a, const char *s); /* ASCII case */
bool str_starts(struct str a, const char *prefix);
int str_cmp(struct str a, struct str b); /* bytewise, absent first */
struct str str_trim(struct str a);       /* ASCII white space off both ends */

/* The whole of `a` as a decimal number within [min, max]; false otherwise, *out untouched. */
bool str_int(struct str a, int64_t min, int64_t max, int64_t *out);

/* Valid UTF-8 (no surrogates, nothing over U+10FFFF, no overlong forms). NUL is valid here. */
bool str_utf8_valid(struct str a);

/* A NUL-terminated copy that the caller frees; NULL when out of memory. Absent gives an empty
 * string. */
char *str_dup(struct str a);

/* True for five ASCII digits. */
bool str_is_zip(struct str a);

#endif
