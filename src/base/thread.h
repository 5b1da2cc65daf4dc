/* SPDX-License-Identifier: Apache-2.0
 *
 * thread.h: how threads are started, and what they wait on.
 */
#ifndef FHIRLINE_BASE_THREAD_H
#define FHIRLINE_BASE_THREAD_H

#include <pthread.h>

/* A thread on which no signal but those of its own faults is handled: SIGINT and SIGTERM are for
 * the program's own threads, and a SIGPIPE of a library's write stays pending. Returns 0 or an
 * errno value. */
int thread_start(pthread_t *thread, void *(*run)(void *), void *arg);

/* A condition whose timed waits follow CLOCK_MONOTONIC, as clock_mono_ms does, so that a wall clock
 * that is put forward or back changes no time-out. Returns 0 or an errno value. */
int thread_cond_init(pthread_cond_t *cond);

#endif
