/* SPDX-License-Identifier: Apache-2.0
 *
 * cursor.h: reads chosen lines of landed objects. Lines that are near each other are read on from
 * one to the next; a lone one is looked up.
 */
#ifndef FHIRLINE_FLOW_CURSOR_H
#define FHIRLINE_FLOW_CURSOR_H

#include "land/land.h"

enum { CURSOR_OBJECT = 160 };

struct cursor {
	struct land *land;
	struct land_reader *reader; /* NULL: none is open */
	char object[CURSOR_OBJECT]; /* what it is open on, or was */
	int64_t at;                 /* the line that it gave last; 0: none yet */
	bool broken;                /* `object` cannot be read from its beginning on */
	struct buf looked_up;
};

void cursor_open(struct cursor *c, struct land *land);
void cursor_close(struct cursor *c);

/* `next`: a line of the same object that will be asked for after this one; 0: none is. *out is
 * valid until the next call. Errors are those of land_get_line(). */
bool cursor_line(struct cursor *c, const char *object, int64_t line, int64_t next, struct str *out,
                 struct err *err);

#endif
