/* SPDX-License-Identifier: Apache-2.0 */
#include "flow/cursor.h"

#include <stdio.h>
#include <string.h>

enum {
	NEAR = 1000, /* looking a line up unpacks about so many */
	LINE_BYTES_MAX = 128 * 1024 * 1024 + 1,
};

void cursor_open(struct cursor *c, struct land *land)
{
	*c = (struct cursor){.land = land, .looked_up = BUF_INIT(LINE_BYTES_MAX)};
}

static void reader_close(struct cursor *c)
{
	if (c->reader)
		land_read_close(c->reader);
	c->reader = NULL;
}

void cursor_close(struct cursor *c)
{
	reader_close(c);
	buf_free(&c->looked_up);
}

static bool near(int64_t from, int64_t to)
{
	return to > from && to - from < NEAR;
}

/* Reads on to the line. False: not this way; looking it up says what is wrong. */
static bool read_on(struct cursor *c, int64_t line, struct str *out)
{
	struct err ignored;

	if (!c->reader || line <= c->at) {
		reader_close(c);
		c->at = 0;
		c->reader = land_read(c->land, c->object, NULL, &ignored);
	}
	while (c->reader && c->at < line) {
		if (land_next_line(c->reader, out, &ignored) != LAND_LINE)
			break;
		c->at++;
	}
	if (c->reader && c->at == line)
		return true;
	reader_close(c);
	c->broken = true;
	return false;
}

bool cursor_line(struct cursor *c, const char *object, int64_t line, int64_t next, struct str *out,
                 struct err *err)
{
	if (strcmp(object, c->object) != 0) {
		reader_close(c);
		c->at = 0;
		c->broken = false;
		snprintf(c->object, sizeof c->object, "%s", object);
	}
	if (!c->broken && (near(line, next) || (c->reader && near(c->at, line))) &&
	    read_on(c, line, out))
		return true;
	buf_clear(&c->looked_up);
	if (!land_get_line(c->land, object, line, &c->looked_up, err))
		return false;
	*out = (struct str){c->looked_up.p, c->looked_up.n};
	return true;
}
