/* SPDX-License-Identifier: Apache-2.0
 *
 * loop.h: what an epoll event points at (epoll_event.data.ptr), so that the one loop in server.c
 * need not know its kinds.
 */
#ifndef FHIRLINE_API_LOOP_H
#define FHIRLINE_API_LOOP_H

#include <stdint.h>

struct loop_source {
	void (*ready)(struct loop_source *source, uint32_t events);
};

#endif
