/* SPDX-License-Identifier: Apache-2.0
 *
 * slots.h: this process's part of the requests that all processes on a database may have at one
 * source.
 *
 * A slot is an advisory lock (class: 31 bits of the source URL's hash; number: 1 … cap) of a
 * session of its own, so that a process which dies gives its slots back with its session. Locks of
 * that class with three more numbers are held shared, for others to count: SLOTS_HERE by a process
 * that has requests, or had some within the last second; SLOTS_HUNGRY and SLOTS_WANTING by one that
 * has requests waiting and too few slots (share.h).
 *
 * A holder that has said nothing for ten seconds hangs: its session is ended by one who is hungry.
 *
 * How many slots this process should have is decided in share.h.
 *
 * Not through a pooler that shares sessions between clients (pgbouncer in transaction mode):
 * advisory locks belong to a session.
 */
#ifndef FHIRLINE_FLOW_SLOTS_H
#define FHIRLINE_FLOW_SLOTS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "flow/share.h"
#include "pg/conn.h"

#define SLOTS_MAX 256
#define SLOTS_HERE 1000
#define SLOTS_HUNGRY 1001
#define SLOTS_WANTING 1002

/* The session. One thread at a time. */
struct slots;

/* Opens the session. `database` is copied. */
struct slots *slots_open(const struct pg_options *database, const char *source_url, int cap,
                         uint64_t seed, int64_t now_ms, struct err *err);
void slots_close(struct slots *s); /* gives all back; NULL is fine */

/* Between slots_run() calls, for share_step(). */
struct share *slots_share(struct slots *s);

/* Carries a step out; blocks on the database. False: the session is lost and with it all slots
 * (held is 0, nothing is announced); slots_reopen() is next. */
bool slots_run(struct slots *s, const struct share_step *step, int64_t now_ms, struct err *err);

/* Opens the session again, ends what is left of the old one in the server, and takes `inside` slots
 * for the requests that are under way, as far as they are free. */
bool slots_reopen(struct slots *s, int inside, int64_t now_ms, struct err *err);
bool slots_is_lost(const struct slots *s);

#endif
