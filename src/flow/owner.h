/* SPDX-License-Identifier: Apache-2.0
 *
 * owner.h: the name under which a process owns runs, and whether a process of that name can still
 * be alive.
 *
 * A lease tells other machines when an owner is gone. On the same machine there is no need to wait:
 * a name says host, boot, PID namespace, process and when that process began, so its death can be
 * looked up, and a number that was given to another process since is not taken for it.
 */
#ifndef FHIRLINE_FLOW_OWNER_H
#define FHIRLINE_FLOW_OWNER_H

#include <stdbool.h>

#include "base/str.h"

enum { OWNER_TEXT = 192 };

void flow_owner_name(char out[OWNER_TEXT]); /* of this process */

/* True only when it is certain: same host, boot and PID namespace, and no such process. */
bool flow_owner_is_dead(struct str owner);

#endif
