/* SPDX-License-Identifier: Apache-2.0
 *
 * row_decode.h: for tests: one row of binary COPY back to a JSON object by column names. NULL
 * columns are left out; numeric, dates, instants and bytes are strings ("1.50", "2019-07-01",
 * "2019-07-01T00:00:00Z", hex); jsonb is itself.
 */
#ifndef FHIRLINE_TESTS_ROW_DECODE_H
#define FHIRLINE_TESTS_ROW_DECODE_H

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "fhir/map.h"

enum row_kind {
	ROW_TEXT,
	ROW_TEXTS,
	ROW_TIME,
	ROW_DATE,
	ROW_BOOL,
	ROW_BYTES,
	ROW_NUMERIC,
	ROW_JSON,
	ROW_INT4,
	ROW_INT8
};

struct row_column {
	const char *name;
	enum row_kind kind;
};

static const struct row_column row_patient[FHIR_PATIENT_COLUMNS] = {
    {"id", ROW_TEXT},
    {"version_id", ROW_TEXT},
    {"last_updated", ROW_TIME},
    {"content_hash", ROW_BYTES},
    {"active", ROW_BOOL},
    {"family_name", ROW_TEXT},
    {"given_names", ROW_TEXTS},
    {"first_name", ROW_TEXT},
    {"prefix", ROW_TEXT},
    {"suffix", ROW_TEXT},
    {"full_name", ROW_TEXT},
    {"gender", ROW_TEXT},
    {"birth_date", ROW_DATE},
    {"birth_date_precision", ROW_TEXT},
    {"deceased", ROW_BOOL},
    {"deceased_at", ROW_TIME},
    {"deceased_precision", ROW_TEXT},
    {"address_line", ROW_TEXT},
    {"city", ROW_TEXT},
    {"district", ROW_TEXT},
    {"state", ROW_TEXT},
    {"postal_code", ROW_TEXT},
    {"country", ROW_TEXT},
    {"postal_codes", ROW_TEXTS},
    {"phone", ROW_TEXT},
    {"email", ROW_TEXT},
    {"marital_status", ROW_TEXT},
    {"language", ROW_TEXT},
    {"race", ROW_TEXT},
    {"ethnicity", ROW_TEXT},
    {"birth_sex", ROW_TEXT},
    {"mrn", ROW_TEXT},
    {"identifiers", ROW_JSON},
    {"managing_organization", ROW_TEXT},
    {"general_practitioner", ROW_TEXT},
    {"batch_seq", ROW_INT4},
    {"line", ROW_INT8},
};

static const struct row_column row_observation[FHIR_OBSERVATION_COLUMNS] = {
    {"id", ROW_TEXT},
    {"version_id", ROW_TEXT},
    {"last_updated", ROW_TIME},
    {"content_hash", ROW_BYTES},
    {"patient_id", ROW_TEXT},
    {"encounter_id", ROW_TEXT},
    {"status", ROW_TEXT},
    {"category", ROW_TEXT},
    {"categories", ROW_TEXTS},
    {"code_system", ROW_TEXT},
    {"code", ROW_TEXT},
    {"code_display", ROW_TEXT},
    {"code_text", ROW_TEXT},
    {"codings", ROW_JSON},
    {"effective_at", ROW_TIME},
    {"effective_end", ROW_TIME},
    {"effective_precision", ROW_TEXT},
    {"issued", ROW_TIME},
    {"value_type", ROW_TEXT},
    {"value_quantity", ROW_NUMERIC},
    {"value_comparator", ROW_TEXT},
    {"value_unit", ROW_TEXT},
    {"value_system", ROW_TEXT},
    {"value_code", ROW_TEXT},
    {"value_text", ROW_TEXT},
    {"value_boolean", ROW_BOOL},
    {"value_at", ROW_TIME},
    {"value_end", ROW_TIME},
    {"value_precision", ROW_TEXT},
    {"interpretation", ROW_TEXT},
    {"absent_reason", ROW_TEXT},
    {"reference_low", ROW_NUMERIC},
    {"reference_high", ROW_NUMERIC},
    {"reference_text", ROW_TEXT},
    {"body_site", ROW_TEXT},
    {"method", ROW_TEXT},
    {"note", ROW_TEXT},
    {"components", ROW_JSON},
    {"batch_seq", ROW_INT4},
    {"line", ROW_INT8},
};

/* Bytes that are read front to back; `bad` once they end early. */
struct row_in {
	const unsigned char *p;
	size_t n;
	bool bad;
};

static inline uint64_t row_uint(struct row_in *in, size_t bytes)
{
	uint64_t v = 0;

	if (in->n < bytes) {
		in->bad = true;
		return 0;
	}
	for (size_t i = 0; i < bytes; i++)
		v = v << 8 | in->p[i];
	in->p += bytes;
	in->n -= bytes;
	return v;
}

static inline struct row_in row_take(struct row_in *in, size_t n)
{
	struct row_in part = {in->p, n, false};

	if (in->n < n) {
		in->bad = true;
		return (struct row_in){in->p, 0, true};
	}
	in->p += n;
	in->n -= n;
	return part;
}

/* numeric_recv's form: digits of base 10,000, weight of the first, sign, digits shown after the
 * point. */
static inline void row_numeric(struct row_in *in, struct buf *out)
{
	int n = (int)row_uint(in, 2), weight = (int16_t)row_uint(in, 2),
	    sign = (int)row_uint(in, 2);
	int scale = (int)row_uint(in, 2), place = weight > 0 ? weight : 0, first = weight,
	    shown = 0;
	const unsigned char *digits = in->p;

	if (row_take(in, (size_t)n * 2).bad) {
		in->bad = true;
		return;
	}
	buf_add_char(out, '"');
	if (sign == 0x4000)
		buf_add_char(out, '-');
	for (; place >= 0 || shown < scale; place--) {
		int i = first - place,
		    d = i >= 0 && i < n ? digits[2 * i] << 8 | digits[2 * i + 1] : 0;
		char four[8];

		snprintf(four, sizeof(four), "%04d", d);
		if (place == (weight > 0 ? weight : 0)) {
			buf_printf(out, "%d", d);
		} else if (place >= 0) {
			buf_add_cstr(out, four);
		} else {
			int k = scale - shown < 4 ? scale - shown : 4;

			if (place == -1)
				buf_add_char(out, '.');
			buf_add(out, four, (size_t)k);
			shown += k;
		}
	}
	buf_add_char(out, '"');
}

static inline void row_texts(struct row_in *in, struct buf *out)
{
	uint64_t dimensions = row_uint(in, 4), count = 0;

	row_uint(in, 4);
	if (row_uint(in, 4) != 25)
		in->bad = true;
	if (dimensions == 1) {
		count = row_uint(in, 4);
		row_uint(in, 4);
	}
	buf_add_char(out, '[');
	for (uint64_t i = 0; i < count && !in->bad; i++) {
		struct row_in item = row_take(in, (size_t)row_uint(in, 4));

		if (i)
			buf_add_char(out, ',');
		buf_add_json(out, (struct str){(const char *)item.p, item.n});
	}
	buf_add_char(out, ']');
}

static inline void row_time(int64_t us, struct buf *out)
{
	char text[CLOCK_TEXT];

	clock_format(us + 946684800000000LL, text);
	buf_printf(out, "\"%s\"", text);
}

static inline void row_date(int32_t days, struct buf *out)
{
	int y, m, d;

	clock_civil_from_days(days + 10957, &y, &m, &d);
	buf_printf(out, "\"%04d-%02d-%02d\"", y, m, d);
}

static inline void row_value(struct row_in *in, enum row_kind kind, struct buf *out)
{
	switch (kind) {
	case ROW_TEXT:
		if (memchr(in->p, 0, in->n) ||
		    !str_utf8_valid((struct str){(const char *)in->p, in->n}))
			in->bad = true;
		buf_add_json(out, (struct str){(const char *)in->p, in->n});
		row_take(in, in->n);
		break;
	case ROW_TEXTS:
		row_texts(in, out);
		break;
	case ROW_TIME:
		row_time((int64_t)row_uint(in, 8), out);
		break;
	case ROW_DATE:
		row_date((int32_t)row_uint(in, 4), out);
		break;
	case ROW_BOOL:
		buf_add_cstr(out, row_uint(in, 1) ? "true" : "false");
		break;
	case ROW_BYTES:
		buf_add_char(out, '"');
		while (in->n)
			buf_printf(out, "%02x", (unsigned)row_uint(in, 1));
		buf_add_char(out, '"');
		break;
	case ROW_NUMERIC:
		row_numeric(in, out);
		break;
	case ROW_JSON:
		if (row_uint(in, 1) != 1)
			in->bad = true;
		buf_add(out, in->p, in->n);
		row_take(in, in->n);
		break;
	case ROW_INT4:
		buf_printf(out, "%" PRId32, (int32_t)row_uint(in, 4));
		break;
	case ROW_INT8:
		buf_printf(out, "%" PRId64, (int64_t)row_uint(in, 8));
		break;
	}
	if (in->n)
		in->bad = true;
}

/* Appends the row as JSON. False when the bytes are not exactly one row of these columns. */
static inline bool row_decode(struct str row, const struct row_column *columns, size_t n,
                              struct buf *out)
{
	struct row_in in = {(const unsigned char *)row.p, row.n, false};
	bool first = true;

	if (row_uint(&in, 2) != n)
		return false;
	buf_add_char(out, '{');
	for (size_t i = 0; i < n && !in.bad; i++) {
		int32_t length = (int32_t)row_uint(&in, 4);
		struct row_in value;

		if (length == -1)
			continue;
		value = row_take(&in, (size_t)length);
		buf_printf(out, "%s\"%s\":", first ? "" : ",", columns[i].name);
		first = false;
		row_value(&value, columns[i].kind, out);
		in.bad |= value.bad;
	}
	buf_add_char(out, '}');
	return !in.bad && in.n == 0 && !out->failed;
}

#endif
