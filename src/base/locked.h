/* SPDX-License-Identifier: Apache-2.0
 *
 * locked.h: memory for secrets.
 *
 * Each text has pages of its own, which are not swapped (mlock(2); where the limit of locked memory
 * does not allow it, they are used all the same), are left out of core dumps (MADV_DONTDUMP), are
 * not there in a forked child (MADV_WIPEONFORK) and are wiped before they go back to the system. A
 * page for a text is a lot: this is for the few secrets of a process, not for data.
 */
#ifndef FHIRLINE_BASE_LOCKED_H
#define FHIRLINE_BASE_LOCKED_H

#include "base/buf.h"
#include "base/str.h"

/* A NUL-terminated copy. NULL when out of memory; absent gives an empty text. */
char *locked_dup(struct str s);
void locked_free(char *text); /* wipes; NULL is fine */

/* Wipes and frees a buffer that held a secret for a moment. */
void buf_wipe(struct buf *b);

/* From here on this process leaves no core dump: libraries keep copies of secrets (a password in
 * libpq's connection) in memory that is not ours to lock, and vector registers keep what was copied
 * last. Where a core is made all the same (by a debugger) it has no memory in it. */
void locked_no_core(void);

#endif
