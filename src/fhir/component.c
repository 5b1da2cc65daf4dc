/* SPDX-License-Identifier: Apache-2.0
 *
 * Observation.component as the components column: R4 observation.html, docs/MAPPING.md
 * "components".
 */
#include "fhir/value.h"

#include "pg/copy.h"

/* CodeableConcept as an object of what there is of it. */
static void write_concept(struct fhir_mapping *m, const struct fhir_value *v)
{
	if (!v->system.p && !v->code.p && !v->text.p)
		return;
	fhir_json_key(m, "value");
	buf_add_char(&m->json, '{');
	fhir_json_str(m, "system", v->system);
	fhir_json_str(m, "code", v->code);
	fhir_json_str(m, "text", v->text);
	buf_add_char(&m->json, '}');
}

static void write_value(struct fhir_mapping *m, const struct fhir_value *v,
                        const struct fhir_path *up)
{
	const struct fhir_path at = {up, v->key, 0};

	switch (v->type) {
	case FHIR_VALUE_QUANTITY:
		fhir_json_raw(m, "value", v->number);
		fhir_json_str(m, "unit", v->unit.p ? v->unit : v->code);
		fhir_json_str(m, "comparator", v->comparator);
		break;
	case FHIR_VALUE_INTEGER:
		fhir_json_raw(m, "value", v->number);
		break;
	case FHIR_VALUE_BOOLEAN:
		if (v->boolean >= 0)
			fhir_json_raw(m, "value", str_of(v->boolean ? "true" : "false"));
		break;
	case FHIR_VALUE_STRING:
	case FHIR_VALUE_TIME:
	case FHIR_VALUE_DATE_TIME:
		fhir_json_str(m, "value", v->text);
		break;
	case FHIR_VALUE_CODEABLE_CONCEPT:
		write_concept(m, v);
		break;
	case FHIR_VALUE_RANGE:
	case FHIR_VALUE_RATIO:
	case FHIR_VALUE_SAMPLED_DATA:
	case FHIR_VALUE_PERIOD:
		if (v->object) {
			fhir_json_key(m, "value");
			fhir_json_copy(m, v->object, &at);
		}
		break;
	case FHIR_VALUE_NONE:
		break;
	}
}

static void write_component(struct fhir_mapping *m, yyjson_val *component,
                            const struct fhir_path *at)
{
	enum { CODE, VALUE, ABSENT, INTERPRETATION, COUNT };
	static const struct fhir_field fields[COUNT] = {FHIR_FIELD("code"), FHIR_CHOICE("value"),
	                                                FHIR_FIELD("dataAbsentReason"),
	                                                FHIR_FIELD("interpretation")};
	struct fhir_slot slots[COUNT];
	struct fhir_code code;
	struct fhir_value value;
	struct fhir_each it;
	yyjson_val *first;

	fhir_fields(m, component, at, fields, COUNT, slots);
	if (fhir_absent(slots[CODE].value))
		fhir_reject_at(m, at, "code", "is missing");
	code = fhir_as_code(m, slots[CODE].value, at, "code", true);
	fhir_json_str(m, "code", code.code);
	fhir_json_str(m, "system", code.system);
	fhir_json_str(m, "display",
	              code.display.p ? code.display
	              : code.text.p  ? code.text
	                             : code.other);
	fhir_value_read(m, &slots[VALUE], at, &value);
	fhir_json_str(m, "value_type", value.type_name);
	write_value(m, &value, at);
	fhir_json_str(m, "absent_reason",
	              fhir_concept_code(m, slots[ABSENT].value, at, "dataAbsentReason"));
	fhir_each_begin(m, slots[INTERPRETATION].value, at, "interpretation", &it);
	first = fhir_each_object(m, &it);
	fhir_json_str(m, "interpretation",
	              first ? fhir_concept_code(m, first, &it.entry, NULL) : STR_NONE);
}

void fhir_write_components(struct fhir_mapping *m, yyjson_val *array)
{
	struct fhir_each it;
	yyjson_val *component;

	fhir_each_begin(m, array, NULL, "component", &it);
	while (!m->rejected && (component = fhir_each_object(m, &it))) {
		size_t mark = fhir_json_open(m);

		write_component(m, component, &it.entry);
		fhir_json_close(m, mark, false);
	}
	fhir_write_json(m);
}
