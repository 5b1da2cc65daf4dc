/* SPDX-License-Identifier: Apache-2.0
 *
 * output.h: where a command writes what may be long: a file, or a pipe.
 *
 * A file appears whole or not at all: it is written beside its place under a temporary name, only
 * for the user (0600: health data), flushed to the disk and then put in place. What is there stays,
 * unless it may be replaced. Standard output ("-") and what is no regular file (a FIFO, /dev/null)
 * are written as the bytes come.
 *
 * Errors: ERR_IO with the path and what to do; ERR_CONFLICT when the file is there already;
 * ERR_CANCELLED when the user has interrupted it (interrupt.h). A reader that has closed the pipe
 * is ERR_GONE, about which nobody needs to be told.
 */
#ifndef FHIRLINE_CMD_OUTPUT_H
#define FHIRLINE_CMD_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/config.h"
#include "base/err.h"

struct output;

/* s3://bucket/folder/name, with the settings of a landing zone in S3: parts go as the bytes come,
 * and the object appears whole at commit. Errors: land/s3.h; a name is of [A-Za-z0-9=._-]. */
struct output *output_open_s3(const struct config *config, const char *url, bool replace,
                              struct err *err);

struct output *output_open(const char *path, bool replace, struct err *err);
bool output_write(struct output *o, const void *p, size_t n, struct err *err);
bool output_commit(struct output *o, struct err *err); /* frees it, also on failure */
void output_abort(struct output *o);                   /* leaves nothing behind. NULL is fine */

#endif
