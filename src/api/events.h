/* SPDX-License-Identifier: Apache-2.0
 *
 * events.h: runs as server-sent events (WHATWG HTML, "Server-sent events").
 *
 * A run that somebody watches is asked for every 500 ms, once for all who watch it. A client that
 * cannot keep up skips to the newest state: each event is the whole run. A comment every 15 s keeps
 * proxies from closing and finds out who has gone.
 */
#ifndef FHIRLINE_API_EVENTS_H
#define FHIRLINE_API_EVENTS_H

#include <stdbool.h>
#include <stdint.h>

struct api;
struct events;

enum { EVENTS_POLL_MS = 500, EVENTS_HEARTBEAT_MS = 15000 };

struct events *events_new(struct api *a);
void events_free(struct events *e); /* after all streams have ended */
void events_tick(struct events *e);
int64_t events_next_ms(const struct events *e); /* -1: nothing to do */
void events_stop(struct events *e);             /* ends all streams */
int events_streams(const struct events *e);

#endif
