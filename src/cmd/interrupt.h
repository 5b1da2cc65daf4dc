/* SPDX-License-Identifier: Apache-2.0
 *
 * interrupt.h: Ctrl-C and SIGTERM. The first asks to stop, the second ends the process at once.
 */
#ifndef FHIRLINE_CMD_INTERRUPT_H
#define FHIRLINE_CMD_INTERRUPT_H

#include <stdatomic.h>
#include <stdint.h>

void interrupt_catch(void); /* from now on; SIGPIPE is ignored */
int interrupted(void);      /* the first signal's number; 0: none yet */

/* Becomes true with the first signal: for calls that can be cancelled. */
const atomic_bool *interrupt_flag(void);

/* Sleeps so long, or until a signal. No signal is lost between a look at interrupted() and the
 * sleep. */
void interrupt_sleep(int64_t ms);

/* Becomes readable with the first signal, and stays so; -1 when there is none. For event loops. */
int interrupt_fd(void);

#endif
