/* SPDX-License-Identifier: Apache-2.0 */
#include "pg/json_row.h"

#include <endian.h>
#include <string.h>

#include "base/clock.h"

/* PostgreSQL counts from 2000-01-01. */
#define PG_EPOCH_US (INT64_C(946684800) * 1000000)
enum { PG_EPOCH_DAYS = 10957 };
#define US_A_DAY INT64_C(86400000000)

/* Type OIDs of pg_type.dat; libpq has no header for them. */
enum {
	OID_BOOL = 16,
	OID_INT8 = 20,
	OID_INT4 = 23,
	OID_TEXT = 25,
	OID_TEXT_ARRAY = 1009,
	OID_DATE = 1082,
	OID_TIMESTAMPTZ = 1184,
	OID_NUMERIC = 1700,
	OID_JSONB = 3802,
};

static uint16_t be16(const char *p)
{
	uint16_t v;

	memcpy(&v, p, sizeof v);
	return be16toh(v);
}

static int32_t be32(const char *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof v);
	return (int32_t)be32toh(v);
}

static int64_t be64(const char *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof v);
	return (int64_t)be64toh(v);
}

/* True when one of the eight bytes is a quote, a backslash or below U+0020. The tests of single
 * bytes in a word are those of "Bit Twiddling Hacks" (Sean Eron Anderson); a false alarm only costs
 * time. */
static bool word_needs_escape(uint64_t w)
{
	const uint64_t ones = 0x0101010101010101u, high = 0x8080808080808080u;
	uint64_t quote = w ^ (ones * '"'), backslash = w ^ (ones * '\\');

	return (((w - ones * 0x20) & ~w) | ((quote - ones) & ~quote) |
	        ((backslash - ones) & ~backslash)) &
	       high;
}

static size_t plain_run(const char *p, size_t n)
{
	size_t i = 0;

	for (uint64_t w; i + sizeof w <= n; i += sizeof w) {
		memcpy(&w, p + i, sizeof w);
		if (word_needs_escape(w))
			break;
	}
	while (i < n && (unsigned char)p[i] >= 0x20 && p[i] != '"' && p[i] != '\\')
		i++;
	return i;
}

static char *escape(char *o, unsigned char c)
{
	static const char hex[] = "0123456789abcdef";
	const char *at = c == 0 ? NULL : strchr("\"\"\\\\\bb\ff\nn\rr\tt", c);

	*o++ = '\\';
	if (at) {
		*o++ = c == '"' || c == '\\' ? (char)c : at[1];
		return o;
	}
	o = mempcpy(o, "u00", 3);
	*o++ = hex[c >> 4];
	*o++ = hex[c & 15];
	return o;
}

void json_text(struct buf *out, const char *p, size_t n)
{
	const char *end = p + n;
	char *o;

	if (!buf_reserve(out, n + 2))
		return;
	o = out->p + out->n;
	*o++ = '"';
	while (p < end) {
		size_t run = plain_run(p, (size_t)(end - p));

		o = mempcpy(o, p, run);
		p += run;
		if (p == end)
			break;
		/* an escape is up to five bytes longer than what it stands for */
		out->n = (size_t)(o - out->p);
		if (!buf_reserve(out, (size_t)(end - p) + 8))
			return;
		o = escape(out->p + out->n, (unsigned char)*p++);
	}
	*o++ = '"';
	*o = '\0';
	out->n = (size_t)(o - out->p);
}

/* Writes exactly `digits` digits. */
static char *put_digits(char *o, unsigned v, int digits)
{
	for (int i = digits - 1; i >= 0; i--) {
		o[i] = (char)('0' + v % 10);
		v /= 10;
	}
	return o + digits;
}

void json_int(struct buf *out, int64_t v)
{
	char text[24], *p = text + sizeof text;
	uint64_t u = v < 0 ? 0 - (uint64_t)v : (uint64_t)v;

	do {
		*--p = (char)('0' + u % 10);
		u /= 10;
	} while (u);
	if (v < 0)
		*--p = '-';
	buf_add(out, p, (size_t)(text + sizeof text - p));
}

static char *put_date(char *o, int64_t days)
{
	int year, month, day;

	clock_civil_from_days(days, &year, &month, &day);
	o = put_digits(o, (unsigned)year, 4);
	*o++ = '-';
	o = put_digits(o, (unsigned)month, 2);
	*o++ = '-';
	return put_digits(o, (unsigned)day, 2);
}

/* 0001-01-01 and 10000-01-01, which clock_civil_from_days() must not reach with four digits. */
static bool days_have_text(int64_t days)
{
	return days >= -719162 && days < 2932897;
}

void json_time(struct buf *out, int64_t us)
{
	char text[40], *o = text;
	int64_t days = us / US_A_DAY, rest = us % US_A_DAY;
	unsigned s, fraction;

	if (rest < 0) {
		rest += US_A_DAY;
		days--;
	}
	if (us == INT64_MIN || !days_have_text(days)) {
		buf_lit(out, "null");
		return;
	}
	s = (unsigned)(rest / 1000000);
	fraction = (unsigned)(rest % 1000000);
	*o++ = '"';
	o = put_date(o, days);
	*o++ = 'T';
	o = put_digits(o, s / 3600, 2);
	*o++ = ':';
	o = put_digits(o, s / 60 % 60, 2);
	*o++ = ':';
	o = put_digits(o, s % 60, 2);
	if (fraction) {
		*o++ = '.';
		o = put_digits(o, fraction, 6);
	}
	*o++ = 'Z';
	*o++ = '"';
	buf_add(out, text, (size_t)(o - text));
}

static void json_date(struct buf *out, int64_t days)
{
	char text[16], *o = text;

	if (!days_have_text(days)) {
		buf_lit(out, "null");
		return;
	}
	*o++ = '"';
	o = put_date(o, days);
	*o++ = '"';
	buf_add(out, text, (size_t)(o - text));
}

/* numeric_send(): four 16-bit fields (digits, weight, sign, scale), then digits of base 10,000; the
 * first one stands for 10000^weight. */
void json_numeric(struct buf *out, const char *p, size_t n)
{
	int count, weight, scale, i;
	unsigned sign;
	char group[4];

	if (n < 8 || n < 8 + 2 * (size_t)be16(p)) {
		buf_lit(out, "null");
		return;
	}
	count = be16(p);
	weight = (int16_t)be16(p + 2);
	sign = be16(p + 4);
	scale = be16(p + 6);
	if (sign != 0 && sign != 0x4000) { /* NaN and the infinities */
		buf_lit(out, "null");
		return;
	}
	p += 8;
	if (sign)
		buf_lit(out, "-");
	if (weight < 0)
		buf_lit(out, "0");
	for (i = 0; i <= weight; i++) {
		unsigned digit = i < count ? be16(p + (size_t)i * 2) : 0;

		if (i == 0) {
			json_int(out, digit);
		} else {
			put_digits(group, digit, 4);
			buf_add(out, group, 4);
		}
	}
	if (scale > 0)
		buf_lit(out, ".");
	for (i = weight + 1; scale > 0; i++, scale -= 4) {
		put_digits(group, i >= 0 && i < count ? be16(p + (size_t)i * 2) : 0, 4);
		buf_add(out, group, scale < 4 ? (size_t)scale : 4);
	}
}

/* array_send(): dimensions, has nulls, element type, then a length and a lower bound a dimension,
 * then the elements. */
static void json_text_array(struct buf *out, const char *p, size_t n)
{
	const char *end = p + n;
	int count;

	if (n < 12 || be32(p) == 0) {
		buf_lit(out, "[]");
		return;
	}
	if (be32(p) != 1 || n < 20) {
		buf_lit(out, "null");
		return;
	}
	count = be32(p + 12);
	p += 20;
	buf_lit(out, "[");
	for (int i = 0; i < count && end - p >= 4; i++) {
		int32_t length = be32(p);

		p += 4;
		if (i)
			buf_lit(out, ",");
		if (length < 0 || length > end - p) {
			buf_lit(out, "null");
			continue;
		}
		json_text(out, p, (size_t)length);
		p += length;
	}
	buf_lit(out, "]");
}

/* timestamptz: µs since 2000. */
static int64_t time_of(const char *p)
{
	int64_t v = be64(p);

	if (v == INT64_MIN || v > INT64_MAX - PG_EPOCH_US) /* the infinities */
		return INT64_MIN;
	return v + PG_EPOCH_US;
}

void json_field(struct buf *out, enum column_type type, struct str v)
{
	if (!v.p) {
		buf_lit(out, "null");
		return;
	}
	switch (type) {
	case COLUMN_TEXT:
		json_text(out, v.p, v.n);
		break;
	case COLUMN_TEXT_ARRAY:
		json_text_array(out, v.p, v.n);
		break;
	case COLUMN_BOOL:
		buf_add_cstr(out, *v.p ? "true" : "false");
		break;
	case COLUMN_INT4:
		json_int(out, be32(v.p));
		break;
	case COLUMN_INT8:
		json_int(out, be64(v.p));
		break;
	case COLUMN_NUMERIC:
		json_numeric(out, v.p, v.n);
		break;
	case COLUMN_DATE:
		json_date(out, (int64_t)be32(v.p) + PG_EPOCH_DAYS);
		break;
	case COLUMN_TIME:
		json_time(out, time_of(v.p));
		break;
	case COLUMN_TIME_US:
		json_time(out, be64(v.p));
		break;
	case COLUMN_JSON: /* a version byte, then the text */
		buf_add(out, v.p + 1, v.n > 0 ? v.n - 1 : 0);
		break;
	}
}

void json_value(struct buf *out, enum column_type type, const PGresult *result, int row, int column)
{
	json_field(out, type, json_get_text(result, row, column));
}

/* In one piece: a list of 100 rows has 3,500 keys. */
static void json_key(struct buf *out, char before, const char *name)
{
	size_t n = strlen(name);
	char *o;

	if (!buf_reserve(out, n + 4))
		return;
	o = out->p + out->n;
	*o++ = before;
	*o++ = '"';
	o = mempcpy(o, name, n);
	*o++ = '"';
	*o++ = ':';
	*o = '\0';
	out->n = (size_t)(o - out->p);
}

void json_row(struct buf *out, const struct column_table *table, const PGresult *result, int row)
{
	for (size_t i = 0; i < table->count; i++) {
		json_key(out, i ? ',' : '{', table->columns[i].name);
		json_value(out, table->columns[i].type, result, row, (int)i);
	}
	buf_lit(out, "}");
}

bool json_row_fits(const struct column_table *table, const PGresult *result)
{
	static const Oid oids[] = {
	    [COLUMN_TEXT] = OID_TEXT,  [COLUMN_TEXT_ARRAY] = OID_TEXT_ARRAY,
	    [COLUMN_BOOL] = OID_BOOL,  [COLUMN_INT4] = OID_INT4,
	    [COLUMN_INT8] = OID_INT8,  [COLUMN_NUMERIC] = OID_NUMERIC,
	    [COLUMN_DATE] = OID_DATE,  [COLUMN_TIME] = OID_TIMESTAMPTZ,
	    [COLUMN_JSON] = OID_JSONB, [COLUMN_TIME_US] = OID_INT8,
	};

	if ((size_t)PQnfields(result) < table->count)
		return false;
	for (size_t i = 0; i < table->count; i++)
		if (PQftype(result, (int)i) != oids[table->columns[i].type] ||
		    PQfformat(result, (int)i) != 1)
			return false;
	return true;
}

int64_t json_get_int8(const PGresult *result, int row, int column)
{
	return PQgetisnull(result, row, column) ? 0 : be64(PQgetvalue(result, row, column));
}

int64_t json_get_time(const PGresult *result, int row, int column)
{
	return PQgetisnull(result, row, column) ? INT64_MIN
	                                        : time_of(PQgetvalue(result, row, column));
}

struct str json_get_text(const PGresult *result, int row, int column)
{
	if (PQgetisnull(result, row, column))
		return STR_NONE;
	return (struct str){PQgetvalue(result, row, column),
	                    (size_t)PQgetlength(result, row, column)};
}
