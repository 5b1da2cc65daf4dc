/* SPDX-License-Identifier: Apache-2.0 */
#include "pg/copy.h"

#include <string.h>

#include "pg/conn_impl.h"
#include "pg/numeric.h"

enum {
	PIECE = 256 * 1024, /* what libpq is given at once: it keeps a copy until it is sent */
	TEXT_OID = 25,
	NUMERIC_NEGATIVE = 0x4000,
};

#define EPOCH_2000_US INT64_C(946684800000000)
#define EPOCH_2000_DAYS 10957

/* ---- writing ---- */

static char *put16(char *p, uint32_t v)
{
	p[0] = (char)(v >> 8);
	p[1] = (char)v;
	return p + 2;
}

static char *put32(char *p, uint32_t v)
{
	return put16(put16(p, v >> 16), v & 0xffff);
}

static char *put64(char *p, uint64_t v)
{
	return put32(put32(p, (uint32_t)(v >> 32)), (uint32_t)v);
}

void pg_copy_begin(struct buf *b)
{
	/* signature, flags, length of the header's extension */
	buf_lit(b, "PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0\0");
}

void pg_copy_row(struct buf *b, int fields)
{
	char v[2];

	put16(v, (uint32_t)fields);
	buf_add(b, v, sizeof v);
}

void pg_copy_end(struct buf *b)
{
	buf_lit(b, "\377\377");
}

struct pg_copy_mark pg_copy_mark(const struct buf *b)
{
	return (struct pg_copy_mark){b->n, b->failed};
}

void pg_copy_rewind(struct buf *b, struct pg_copy_mark mark)
{
	b->n = mark.n;
	b->failed = mark.failed;
	if (b->p)
		b->p[b->n] = '\0';
}

void pg_copy_null(struct buf *b)
{
	buf_lit(b, "\377\377\377\377");
}

/* Room for a field of n bytes; its length is written. NULL at the limit. */
static char *field(struct buf *b, size_t n)
{
	char *p;

	if (n > INT32_MAX) {
		b->failed = true;
		return NULL;
	}
	if (!buf_reserve(b, n + 4))
		return NULL;
	p = b->p + b->n;
	b->n += n + 4;
	b->p[b->n] = '\0';
	return put32(p, (uint32_t)n);
}

void pg_copy_bytea(struct buf *b, const void *bytes, size_t n)
{
	char *p;

	if (!bytes) {
		pg_copy_null(b);
		return;
	}
	p = field(b, n);
	if (p && n)
		memcpy(p, bytes, n);
}

void pg_copy_text(struct buf *b, struct str s)
{
	pg_copy_bytea(b, s.p, s.n);
}

void pg_copy_bool(struct buf *b, int tristate)
{
	if (tristate < 0)
		pg_copy_null(b);
	else
		pg_copy_bytea(b, tristate ? "\1" : "\0", 1);
}

void pg_copy_int4(struct buf *b, int32_t v)
{
	char *p = field(b, 4);

	if (p)
		put32(p, (uint32_t)v);
}

void pg_copy_int8(struct buf *b, int64_t v)
{
	char *p = field(b, 8);

	if (p)
		put64(p, (uint64_t)v);
}

void pg_copy_time(struct buf *b, int64_t us)
{
	if (us == INT64_MIN)
		pg_copy_null(b);
	else
		pg_copy_int8(b, us - EPOCH_2000_US);
}

void pg_copy_date(struct buf *b, int64_t days)
{
	if (days == INT64_MIN)
		pg_copy_null(b);
	else
		pg_copy_int4(b, (int32_t)(days - EPOCH_2000_DAYS));
}

void pg_copy_jsonb(struct buf *b, struct str json)
{
	char *p;

	if (!json.p) {
		pg_copy_null(b);
		return;
	}
	p = field(b, json.n + 1);
	if (!p)
		return;
	*p = 1; /* jsonb's version */
	memcpy(p + 1, json.p, json.n);
}

/* array_send(): dimensions, has-NULLs flag, element type; per dimension length and lower bound;
 * elements. */
void pg_copy_text_array(struct buf *b, const struct str *items, size_t n, bool null)
{
	size_t bytes = n ? 20 : 12;
	bool has_null = false;
	char *p;

	if (null) {
		pg_copy_null(b);
		return;
	}
	for (size_t i = 0; i < n; i++) {
		bytes += 4 + (items[i].p ? items[i].n : 0);
		has_null = has_null || !items[i].p;
	}
	p = field(b, bytes);
	if (!p)
		return;
	p = put32(put32(put32(p, n ? 1 : 0), has_null), TEXT_OID);
	if (n)
		p = put32(put32(p, (uint32_t)n), 1);
	for (size_t i = 0; i < n; i++) {
		p = put32(p, items[i].p ? (uint32_t)items[i].n : UINT32_MAX);
		if (items[i].p && items[i].n)
			p = mempcpy(p, items[i].p, items[i].n);
	}
}

bool pg_copy_numeric(struct buf *b, struct str text)
{
	struct pg_numeric v;
	char *p;

	if (!text.p) {
		pg_copy_null(b);
		return true;
	}
	if (!pg_numeric_parse(text, &v))
		return false;
	p = field(b, 8 + 2 * (size_t)v.ndigits);
	if (!p)
		return true; /* a number, but no room: b->failed tells */
	p = put16(put16(p, (uint32_t)v.ndigits), (uint32_t)v.weight & 0xffff);
	p = put16(put16(p, v.negative ? NUMERIC_NEGATIVE : 0), (uint32_t)v.dscale);
	for (int i = 0; i < v.ndigits; i++)
		p = put16(p, (uint32_t)pg_numeric_digit(&v, i));
	return true;
}

bool pg_numeric_valid(struct str text)
{
	struct pg_numeric v;

	return pg_numeric_parse(text, &v);
}

/* ---- sending ---- */

bool pg_copy_open(struct pg_conn *c, const char *sql, struct err *err)
{
	PGresult *res;

	if (!pg_conn_begin_statement(c, err))
		return false;
	if (!PQsendQueryParams(c->pg, sql, 0, NULL, NULL, NULL, NULL, 0))
		return pg_conn_lost_error(c, err);
	if (!pg_conn_next_result(c, &res, err))
		return false;
	if (!res)
		return pg_conn_lost_error(c, err);
	if (PQresultStatus(res) == PGRES_COPY_IN) {
		c->in_copy = true;
		PQclear(res);
		return true;
	}
	if (PQresultStatus(res) == PGRES_FATAL_ERROR)
		pg_conn_result_error(c, res, err);
	else
		err_set(err, ERR_INTERNAL, "pg.copy", "the statement is no COPY … FROM STDIN");
	PQclear(res);
	pg_conn_drain(c);
	return false;
}

/* The COPY has failed on the way: the server's reason, when it gave one. */
static bool copy_broken(struct pg_conn *c, struct err *err)
{
	PGresult *res = NULL;

	c->in_copy = false;
	PQputCopyEnd(c->pg, "fhirline: broken off");
	if (!pg_conn_next_result(c, &res, err))
		return false;
	if (res && PQresultStatus(res) == PGRES_FATAL_ERROR)
		pg_conn_result_error(c, res, err);
	else
		pg_conn_lost_error(c, err);
	PQclear(res);
	pg_conn_drain(c);
	return false;
}

bool pg_copy_put(struct pg_conn *c, const void *bytes, size_t n, struct err *err)
{
	const char *p = bytes;

	if (!c->in_copy)
		return c->lost ? pg_conn_lost_error(c, err)
		               : err_set(err, ERR_INTERNAL, "pg.copy", "no COPY is open");
	while (n) {
		size_t k = n < PIECE ? n : PIECE;

		/* everything was flushed, so there is room: libpq says "later" only out of memory
		 */
		if (PQputCopyData(c->pg, p, (int)k) != 1)
			return copy_broken(c, err);
		if (!pg_conn_flush(c, err)) {
			c->in_copy = false;
			return false;
		}
		p += k;
		n -= k;
	}
	return true;
}

bool pg_copy_close(struct pg_conn *c, int64_t *rows, struct err *err)
{
	PGresult *res;
	bool ok;

	if (!c->in_copy)
		return c->lost ? pg_conn_lost_error(c, err)
		               : err_set(err, ERR_INTERNAL, "pg.copy", "no COPY is open");
	c->in_copy = false;
	if (PQputCopyEnd(c->pg, NULL) != 1)
		return pg_conn_lost_error(c, err);
	if (!pg_conn_next_result(c, &res, err))
		return false;
	if (!res)
		return pg_conn_lost_error(c, err);
	ok = PQresultStatus(res) == PGRES_COMMAND_OK;
	if (!ok)
		pg_conn_result_error(c, res, err);
	else if (rows)
		str_int(str_of(PQcmdTuples(res)), 0, INT64_MAX, rows);
	PQclear(res);
	pg_conn_drain(c);
	return ok;
}

void pg_copy_abort(struct pg_conn *c)
{
	if (!c->in_copy)
		return;
	c->in_copy = false;
	PQputCopyEnd(c->pg, "fhirline: given up");
	pg_conn_drain(c);
}

bool pg_copy_send(struct pg_conn *c, const char *sql, const struct buf *b, int64_t *rows,
                  struct err *err)
{
	if (!buf_ok(b, "a COPY", err))
		return false;
	return pg_copy_open(c, sql, err) && pg_copy_put(c, b->p, b->n, err) &&
	       pg_copy_close(c, rows, err);
}
