/* SPDX-License-Identifier: Apache-2.0
 *
 * Observation to a row of stage.observation: R4 observation.html, docs/MAPPING.md section 4. The
 * functions here are in the order of the columns.
 */
#include "fhir/value.h"

#include "pg/copy.h"

enum {
	ID,
	META,
	STATUS,
	CATEGORY,
	CODE,
	SUBJECT,
	ENCOUNTER,
	EFFECTIVE,
	ISSUED,
	VALUE,
	ABSENT_REASON,
	INTERPRETATION,
	NOTE,
	BODY_SITE,
	METHOD,
	REFERENCE_RANGE,
	COMPONENT,
	FIELDS
};

static const struct fhir_field fields[FIELDS] = {
    FHIR_FIELD("id"),
    FHIR_FIELD("meta"),
    FHIR_FIELD("status"),
    FHIR_FIELD("category"),
    FHIR_FIELD("code"),
    FHIR_FIELD("subject"),
    FHIR_FIELD("encounter"),
    FHIR_CHOICE("effective"),
    FHIR_FIELD("issued"),
    FHIR_CHOICE("value"),
    FHIR_FIELD("dataAbsentReason"),
    FHIR_FIELD("interpretation"),
    FHIR_FIELD("note"),
    FHIR_FIELD("bodySite"),
    FHIR_FIELD("method"),
    FHIR_FIELD("referenceRange"),
    FHIR_FIELD("component"),
};

static bool is_space(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

/* R4 datatypes.html#code: [^\s]+(\s[^\s]+)* */
static bool is_code(struct str s)
{
	bool space = true;

	for (size_t i = 0; i < s.n; i++) {
		if (space && is_space(s.p[i]))
			return false;
		space = is_space(s.p[i]);
	}
	return !space;
}

static void write_status(struct fhir_mapping *m, yyjson_val *v)
{
	struct str status = fhir_as_str(m, v, NULL, "status");

	if (!status.p)
		fhir_reject_at(m, NULL, "status", "is missing");
	else if (!is_code(status))
		fhir_reject_at(m, NULL, "status", "is not a code");
	pg_copy_text(m->out, status);
}

/* Category codes in order without doubles; grows in the arena. */
struct category_list {
	struct str *items;
	size_t n, cap;
	struct str first[8]; /* nearly every observation has one */
};

static void category_add(struct fhir_mapping *m, struct category_list *list, struct str s)
{
	struct str *items;

	for (size_t i = 0; i < list->n; i++)
		if (str_eq(list->items[i], s))
			return;
	if (list->n == list->cap) {
		items = arena_array(m->scratch, list->cap * 2, sizeof(*items));
		if (!items) {
			m->failed = true;
			return;
		}
		memcpy(items, list->items, list->n * sizeof(*items));
		list->items = items;
		list->cap *= 2;
	}
	list->items[list->n++] = s;
}

static void category_collect(struct fhir_mapping *m, yyjson_val *category,
                             const struct fhir_path *at, struct category_list *list)
{
	struct fhir_each it;
	yyjson_val *coding;
	struct str s;
	bool coded = false;

	fhir_each_begin(m, fhir_key(category, "coding"), at, "coding", &it);
	while ((coding = fhir_each_object(m, &it))) {
		s = fhir_str(m, coding, &it.entry, "code");
		if (s.p) {
			category_add(m, list, s);
			coded = true;
		}
	}
	s = coded ? STR_NONE : fhir_str(m, category, at, "text");
	if (s.p)
		category_add(m, list, s);
}

static void write_categories(struct fhir_mapping *m, yyjson_val *array)
{
	struct category_list list = {.n = 0, .cap = 8};
	struct fhir_each it;
	yyjson_val *category;

	list.items = list.first;
	fhir_each_begin(m, array, NULL, "category", &it);
	while ((category = fhir_each_object(m, &it)))
		category_collect(m, category, &it.entry, &list);
	pg_copy_text(m->out, list.n ? list.items[0] : STR_NONE);
	pg_copy_text_array(m->out, list.items, list.n, list.n == 0);
}

static void write_coding(struct fhir_mapping *m, yyjson_val *coding, const struct fhir_path *at)
{
	int selected = fhir_as_bool(m, fhir_key(coding, "userSelected"), at, "userSelected");

	fhir_json_str(m, "system", fhir_str(m, coding, at, "system"));
	fhir_json_str(m, "code", fhir_str(m, coding, at, "code"));
	fhir_json_str(m, "display", fhir_str(m, coding, at, "display"));
	if (selected >= 0)
		fhir_json_raw(m, "userSelected", str_of(selected ? "true" : "false"));
}

/* All codings, when there is more than one with anything in it. */
static void write_codings(struct fhir_mapping *m, yyjson_val *concept)
{
	const struct fhir_path at = {NULL, "code", 0};
	yyjson_val *array = fhir_key(concept, "coding"), *coding;
	struct fhir_each it;
	size_t kept = 0;

	if (yyjson_arr_size(array) > 1) {
		fhir_each_begin(m, array, &at, "coding", &it);
		while ((coding = fhir_each_object(m, &it))) {
			size_t mark = fhir_json_open(m);

			write_coding(m, coding, &it.entry);
			kept += fhir_json_close(m, mark, true);
		}
		if (kept < 2)
			buf_clear(&m->json);
	}
	fhir_write_json(m);
}

static void write_code(struct fhir_mapping *m, yyjson_val *v)
{
	struct fhir_code code = fhir_as_code(m, v, NULL, "code", true);

	if (fhir_absent(v))
		fhir_reject_at(m, NULL, "code", "is missing");
	pg_copy_text(m->out, code.system);
	pg_copy_text(m->out, fhir_indexed(m, code.code, NULL, "code"));
	pg_copy_text(m->out, code.display.p ? code.display : code.text.p ? code.text : code.other);
	pg_copy_text(m->out, code.text);
	write_codings(m, v);
}

/* The earliest and, when there are more, the latest event. */
static struct fhir_span read_events(struct fhir_mapping *m, yyjson_val *array,
                                    const struct fhir_path *at)
{
	struct fhir_span span = {INT64_MIN, INT64_MIN, NULL};
	struct fhir_each it;
	yyjson_val *v;
	const char *precision;
	int64_t us, latest = INT64_MIN;
	size_t n = 0;

	fhir_each_begin(m, array, at, "event", &it);
	while ((v = fhir_each_next(&it))) {
		us = fhir_as_time(m, v, &it.entry, NULL, &precision);
		if (n++ == 0 || us < span.start) {
			span.start = us;
			span.precision = precision;
		}
		if (us > latest)
			latest = us;
	}
	if (n > 1)
		span.end = latest;
	return span;
}

static struct fhir_span read_timing(struct fhir_mapping *m, yyjson_val *v)
{
	const struct fhir_path at = {NULL, "effectiveTiming", 0}, repeat_at = {&at, "repeat", 0};
	yyjson_val *timing = fhir_as_object(m, v, NULL, "effectiveTiming"), *repeat;
	struct fhir_span span = read_events(m, fhir_key(timing, "event"), &at);

	if (span.start != INT64_MIN)
		return span;
	repeat = fhir_object(m, timing, &at, "repeat");
	return fhir_as_period(m, fhir_key(repeat, "boundsPeriod"), &repeat_at, "boundsPeriod");
}

static void write_effective(struct fhir_mapping *m, const struct fhir_slot *slot)
{
	struct fhir_span span = {INT64_MIN, INT64_MIN, NULL};

	if (!slot->value)
		;
	else if (str_is(slot->type, "DateTime"))
		span.start =
		    fhir_as_time(m, slot->value, NULL, "effectiveDateTime", &span.precision);
	else if (str_is(slot->type, "Period"))
		span = fhir_as_period(m, slot->value, NULL, "effectivePeriod");
	else if (str_is(slot->type, "Timing"))
		span = read_timing(m, slot->value);
	else if (str_is(slot->type, "Instant"))
		span.start =
		    fhir_as_time(m, slot->value, NULL, "effectiveInstant", &span.precision);
	else
		fhir_reject_choice(m, slot->key, NULL, "effective", "of an unknown type");
	pg_copy_time(m->out, span.start);
	pg_copy_time(m->out, span.end);
	pg_copy_text(m->out, str_of(span.precision));
}

/* value_text; a value that only JSON can hold goes there as such. */
static void write_value_text(struct fhir_mapping *m, const struct fhir_value *v)
{
	const struct fhir_path at = {NULL, v->key, 0};

	if (!v->object || v->type == FHIR_VALUE_PERIOD) {
		pg_copy_text(m->out, v->type == FHIR_VALUE_DATE_TIME ? STR_NONE : v->text);
		return;
	}
	fhir_json_copy(m, v->object, &at);
	pg_copy_text(m->out, (struct str){m->json.p, m->json.n});
	m->failed |= m->json.failed;
	buf_clear(&m->json);
}

static void write_value(struct fhir_mapping *m, const struct fhir_slot *slot)
{
	struct fhir_value v;

	fhir_value_read(m, slot, NULL, &v);
	if (v.type == FHIR_VALUE_PERIOD)
		v.at = fhir_as_period(m, v.object, NULL, v.key);
	pg_copy_text(m->out, v.type_name);
	pg_copy_numeric(m->out, v.number);
	pg_copy_text(m->out, v.comparator);
	pg_copy_text(m->out, v.unit);
	pg_copy_text(m->out, v.system);
	pg_copy_text(m->out, v.code);
	write_value_text(m, &v);
	pg_copy_bool(m->out, v.boolean);
	pg_copy_time(m->out, v.at.start);
	pg_copy_time(m->out, v.at.end);
	pg_copy_text(m->out, str_of(v.at.precision));
}

static struct str read_interpretation(struct fhir_mapping *m, yyjson_val *array)
{
	struct fhir_each it;
	yyjson_val *first;

	fhir_each_begin(m, array, NULL, "interpretation", &it);
	first = fhir_each_object(m, &it);
	return first ? fhir_concept_code(m, first, &it.entry, NULL) : STR_NONE;
}

static struct str read_bound(struct fhir_mapping *m, yyjson_val *range, const struct fhir_path *at,
                             const char *name)
{
	const struct fhir_path here = {at, name, 0};
	yyjson_val *quantity = fhir_object(m, range, at, name);

	return fhir_as_number(m, fhir_key(quantity, "value"), &here, "value");
}

static void write_reference_range(struct fhir_mapping *m, yyjson_val *array)
{
	struct fhir_each it;
	yyjson_val *range;

	fhir_each_begin(m, array, NULL, "referenceRange", &it);
	range = fhir_each_object(m, &it);
	pg_copy_numeric(m->out, read_bound(m, range, &it.entry, "low"));
	pg_copy_numeric(m->out, read_bound(m, range, &it.entry, "high"));
	pg_copy_text(m->out, fhir_str(m, range, &it.entry, "text"));
}

static struct str read_notes(struct fhir_mapping *m, yyjson_val *array)
{
	struct fhir_each it;
	yyjson_val *note;
	struct str *texts, one = STR_NONE;
	size_t n = 0, max = yyjson_arr_size(array);

	texts = max < 2 ? &one : arena_array(m->scratch, max, sizeof(*texts));
	if (!texts) {
		m->failed = true;
		return STR_NONE;
	}
	fhir_each_begin(m, array, NULL, "note", &it);
	while ((note = fhir_each_object(m, &it)))
		texts[n++] = fhir_str(m, note, &it.entry, "text");
	return fhir_join(m, texts, n, "\n");
}

static void write_row(struct fhir_mapping *m, const struct fhir_slot *s, struct str raw)
{
	static const char *const patient[] = {"Patient", NULL}, *const encounter[] = {"Encounter",
	                                                                              NULL};

	fhir_write_identity(m, s[ID].value, s[META].value, raw);
	pg_copy_text(m->out, fhir_reference(m, s[SUBJECT].value, NULL, "subject", patient));
	pg_copy_text(m->out, fhir_reference(m, s[ENCOUNTER].value, NULL, "encounter", encounter));
	write_status(m, s[STATUS].value);
	write_categories(m, s[CATEGORY].value);
	write_code(m, s[CODE].value);
	write_effective(m, &s[EFFECTIVE]);
	pg_copy_time(m->out, fhir_as_time(m, s[ISSUED].value, NULL, "issued", NULL));
	write_value(m, &s[VALUE]);
	pg_copy_text(m->out, read_interpretation(m, s[INTERPRETATION].value));
	pg_copy_text(m->out,
	             fhir_concept_code(m, s[ABSENT_REASON].value, NULL, "dataAbsentReason"));
	write_reference_range(m, s[REFERENCE_RANGE].value);
	pg_copy_text(m->out, fhir_concept_label(m, s[BODY_SITE].value, NULL, "bodySite"));
	pg_copy_text(m->out, fhir_concept_label(m, s[METHOD].value, NULL, "method"));
	pg_copy_text(m->out, read_notes(m, s[NOTE].value));
	fhir_write_components(m, s[COMPONENT].value);
}

enum fhir_mapped fhir_map_observation(yyjson_val *json, struct str raw, int32_t batch_seq,
                                      int64_t line, struct arena *scratch, struct buf *out,
                                      struct fhir_reject *reject)
{
	struct fhir_mapping m;
	struct fhir_slot slots[FIELDS];
	size_t mark = out->n;

	if (!fhir_map_begin(&m, json, "Observation", scratch, out, reject))
		return fhir_map_end(&m, mark);
	fhir_fields(&m, json, NULL, fields, FIELDS, slots);
	pg_copy_row(out, FHIR_OBSERVATION_COLUMNS);
	write_row(&m, slots, raw);
	pg_copy_int4(out, batch_seq);
	pg_copy_int8(out, line);
	return fhir_map_end(&m, mark);
}
