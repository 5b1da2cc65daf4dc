/* SPDX-License-Identifier: Apache-2.0 */
#include "fhir/value.h"

static enum fhir_value_type type_of(struct str name)
{
	static const struct {
		struct str name;
		enum fhir_value_type type;
	} types[] = {
	    {STR("Quantity"), FHIR_VALUE_QUANTITY},
	    {STR("CodeableConcept"), FHIR_VALUE_CODEABLE_CONCEPT},
	    {STR("String"), FHIR_VALUE_STRING},
	    {STR("Boolean"), FHIR_VALUE_BOOLEAN},
	    {STR("Integer"), FHIR_VALUE_INTEGER},
	    {STR("Range"), FHIR_VALUE_RANGE},
	    {STR("Ratio"), FHIR_VALUE_RATIO},
	    {STR("SampledData"), FHIR_VALUE_SAMPLED_DATA},
	    {STR("Time"), FHIR_VALUE_TIME},
	    {STR("DateTime"), FHIR_VALUE_DATE_TIME},
	    {STR("Period"), FHIR_VALUE_PERIOD},
	};

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (str_eq(name, types[i].name))
			return types[i].type;
	return FHIR_VALUE_NONE;
}

static void read_quantity(struct fhir_mapping *m, yyjson_val *v, const struct fhir_path *up,
                          const char *name, struct fhir_value *out)
{
	struct fhir_path at = {up, name, 0};
	yyjson_val *quantity = fhir_as_object(m, v, up, name);

	out->number = fhir_as_number(m, fhir_key(quantity, "value"), &at, "value");
	out->comparator = fhir_str(m, quantity, &at, "comparator");
	out->unit = fhir_str(m, quantity, &at, "unit");
	out->system = fhir_str(m, quantity, &at, "system");
	out->code = fhir_str(m, quantity, &at, "code");
}

static void read_concept(struct fhir_mapping *m, yyjson_val *v, const struct fhir_path *up,
                         const char *name, struct fhir_value *out)
{
	struct fhir_code code = fhir_as_code(m, v, up, name, false);

	out->system = code.system;
	out->code = code.code;
	out->text = code.text;
	if (!out->text.p)
		out->text = code.display.p ? code.display : code.other;
}

void fhir_value_read(struct fhir_mapping *m, const struct fhir_slot *slot,
                     const struct fhir_path *up, struct fhir_value *out)
{
	char *name = out->key;
	yyjson_val *v = slot->value;

	*out = (struct fhir_value){.boolean = -1, .at = {INT64_MIN, INT64_MIN, NULL}};
	if (!v)
		return;
	out->type = type_of(slot->type);
	if (out->type == FHIR_VALUE_NONE) {
		fhir_reject_choice(m, slot->key, up, "value", "of an unknown type");
		return;
	}
	out->type_name = slot->type;
	/* longer keys are of unknown types */
	memcpy(name, slot->key.p, slot->key.n);
	name[slot->key.n] = '\0';
	switch (out->type) {
	case FHIR_VALUE_QUANTITY:
		read_quantity(m, v, up, name, out);
		break;
	case FHIR_VALUE_CODEABLE_CONCEPT:
		read_concept(m, v, up, name, out);
		break;
	case FHIR_VALUE_BOOLEAN:
		out->boolean = fhir_as_bool(m, v, up, name);
		break;
	case FHIR_VALUE_INTEGER:
		out->number = fhir_as_number(m, v, up, name);
		break;
	case FHIR_VALUE_DATE_TIME:
		out->at.start = fhir_as_time(m, v, up, name, &out->at.precision);
		out->text = fhir_as_str(m, v, up, name);
		break;
	case FHIR_VALUE_PERIOD:
		out->object = fhir_as_object(m, v, up, name);
		break;
	case FHIR_VALUE_STRING:
	case FHIR_VALUE_TIME:
		out->text = fhir_as_str(m, v, up, name);
		break;
	case FHIR_VALUE_RANGE:
	case FHIR_VALUE_RATIO:
	case FHIR_VALUE_SAMPLED_DATA:
		out->object = fhir_as_object(m, v, up, name);
		break;
	case FHIR_VALUE_NONE:
		break;
	}
}
