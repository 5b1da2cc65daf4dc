/* SPDX-License-Identifier: Apache-2.0
 *
 * cursor.h: where a list goes on, as an opaque text that cannot be forged.
 *
 * A cursor is base64url(version, length, 0, scope, position, tag). The position is what the list's
 * order needs (an id, a time and an id, …). The scope is a hash of the route and its filters, so
 * that a cursor of one list is refused by another. The tag is the first 16 bytes of HMAC-SHA256
 * over all before it, with a key kept in the database (table `setting`): cursors hold across
 * restarts and processes.
 */
#ifndef FHIRLINE_API_CURSOR_H
#define FHIRLINE_API_CURSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

enum { CURSOR_KEY = 32, CURSOR_POSITION_MAX = 128, CURSOR_TEXT_MAX = 256, CURSOR_TEXT_MIN = 36 };

/* Its alphabet and length: what a parameter check can say without the key. */
bool cursor_looks_right(struct str text);

/* The text, NUL-terminated. False: the position is too long, or OpenSSL failed. */
bool cursor_write(const unsigned char key[CURSOR_KEY], uint64_t scope, const void *position,
                  size_t n, char out[CURSOR_TEXT_MAX]);

enum cursor_fate {
	CURSOR_FINE,
	CURSOR_UNKNOWN, /* never a cursor of ours */
	CURSOR_CHANGED, /* built like one, but changed, made with another key, or for another scope
	                 */
};

enum cursor_fate cursor_read(const unsigned char key[CURSOR_KEY], uint64_t scope, struct str text,
                             char position[CURSOR_POSITION_MAX], size_t *n);

#endif
