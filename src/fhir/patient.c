/* SPDX-License-Identifier: Apache-2.0
 *
 * Patient to a row of stage.patient: R4 patient.html and US Core, docs/MAPPING.md section 3. The
 * functions here are in the order of the columns.
 */
#include "fhir/element.h"

#include "pg/copy.h"

#define US_CORE "http://hl7.org/fhir/us/core/StructureDefinition/"

static const struct fhir_path *const ROOT = NULL;

/* The place of `use` in `order` (NULL-terminated); a use that is absent or unknown takes the place
 * of the "". */
static uint64_t use_rank(yyjson_val *entry, const char *const *order)
{
	yyjson_val *v = fhir_key(entry, "use");
	uint64_t other = 0, i;

	for (i = 0; order[i]; i++) {
		if (yyjson_equals_str(v, order[i]) && order[i][0])
			return i;
		if (!order[i][0])
			other = i;
	}
	return other;
}

/* The best entry of an array so far: the smallest key, the first of equal ones. */
struct best {
	yyjson_val *value; /* NULL: none */
	struct fhir_path at;
	uint64_t key;
};

static void best_offer(struct best *best, yyjson_val *v, const struct fhir_path *at, uint64_t key)
{
	if (best->value && key >= best->key)
		return;
	best->value = v;
	best->at = *at;
	best->key = key;
}

static bool has_string(yyjson_val *object, const char *name)
{
	yyjson_val *v = fhir_key(object, name);

	return !fhir_absent(v);
}

static bool has_entry(yyjson_val *object, const char *name)
{
	yyjson_val *v = fhir_key(object, name), *entry;
	yyjson_arr_iter iter;

	if (!yyjson_is_arr(v))
		return !fhir_absent(v); /* of a wrong type: choosing it leads to the reject */
	yyjson_arr_iter_init(v, &iter);
	while ((entry = yyjson_arr_iter_next(&iter)))
		if (!fhir_absent(entry))
			return true;
	return false;
}

static void write_name_parts(struct fhir_mapping *m, yyjson_val *name, const struct fhir_path *at)
{
	struct str family = fhir_indexed(m, fhir_str(m, name, at, "family"), at, "family");
	struct str text = fhir_str(m, name, at, "text"), prefix, suffix, parts[4];
	size_t given_n, prefix_n, suffix_n;
	struct str *given = fhir_strings(m, fhir_key(name, "given"), at, "given", &given_n);
	struct str *prefixes = fhir_strings(m, fhir_key(name, "prefix"), at, "prefix", &prefix_n);
	struct str *suffixes = fhir_strings(m, fhir_key(name, "suffix"), at, "suffix", &suffix_n);
	struct str first = given_n ? fhir_indexed(m, given[0], at, "given") : STR_NONE;

	prefix = fhir_join(m, prefixes, prefix_n, " ");
	suffix = fhir_join(m, suffixes, suffix_n, " ");
	parts[0] = prefix;
	parts[1] = fhir_join(m, given, given_n, " ");
	parts[2] = family;
	parts[3] = suffix;
	pg_copy_text(m->out, family);
	pg_copy_text_array(m->out, given, given_n, given_n == 0);
	pg_copy_text(m->out, first);
	pg_copy_text(m->out, prefix);
	pg_copy_text(m->out, suffix);
	pg_copy_text(m->out, text.p ? text : fhir_join(m, parts, 4, " "));
}

static void write_name(struct fhir_mapping *m, yyjson_val *resource)
{
	static const char *const uses[] = {"official",  "usual", "",       "temp", "nickname",
	                                   "anonymous", "old",   "maiden", NULL};
	struct best best = {.value = NULL};
	struct fhir_each it;
	yyjson_val *name;

	fhir_each_begin(m, fhir_key(resource, "name"), ROOT, "name", &it);
	while ((name = fhir_each_object(m, &it)))
		if (has_string(name, "family") || has_entry(name, "given") ||
		    has_string(name, "text"))
			best_offer(&best, name, &it.entry,
			           (uint64_t)!fhir_is_current(m, name) << 8 | use_rank(name, uses));
	write_name_parts(m, best.value, &best.at);
}

static void write_birth_date(struct fhir_mapping *m, yyjson_val *resource)
{
	const int64_t day_us = 86400000000LL;
	const char *precision;
	int64_t us =
	    fhir_as_time(m, fhir_key(resource, "birthDate"), ROOT, "birthDate", &precision);

	if (precision == fhir_precision_name(FHIR_SECOND))
		fhir_reject_at(m, ROOT, "birthDate", "is not a FHIR date");
	/* a date is a whole number of days, before 1970 too */
	pg_copy_date(m->out, us == INT64_MIN ? us : us / day_us);
	pg_copy_text(m->out, str_of(precision));
}

static void write_deceased(struct fhir_mapping *m, yyjson_val *resource)
{
	static const struct fhir_field field = FHIR_CHOICE("deceased");
	struct fhir_slot slot;
	const char *precision = NULL;
	int64_t us = INT64_MIN;
	int deceased = -1;

	fhir_fields(m, resource, ROOT, &field, 1, &slot);
	if (!slot.value)
		;
	else if (str_is(slot.type, "Boolean"))
		deceased = fhir_as_bool(m, slot.value, ROOT, "deceasedBoolean");
	else if (str_is(slot.type, "DateTime"))
		us = fhir_as_time(m, slot.value, ROOT, "deceasedDateTime", &precision);
	else
		fhir_reject_choice(m, slot.key, ROOT, "deceased", "of an unknown type");
	pg_copy_bool(m->out, precision ? 1 : deceased);
	pg_copy_time(m->out, us);
	pg_copy_text(m->out, str_of(precision));
}

static bool address_counts(yyjson_val *address)
{
	static const char *const names[] = {"text",  "city",       "district",
	                                    "state", "postalCode", "country"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (has_string(address, names[i]))
			return true;
	return has_entry(address, "line");
}

static void write_address_parts(struct fhir_mapping *m, yyjson_val *address,
                                const struct fhir_path *at)
{
	size_t n;
	struct str *lines = fhir_strings(m, fhir_key(address, "line"), at, "line", &n);

	pg_copy_text(m->out, n ? fhir_join(m, lines, n, ", ") : fhir_str(m, address, at, "text"));
	pg_copy_text(m->out, fhir_str(m, address, at, "city"));
	pg_copy_text(m->out, fhir_str(m, address, at, "district"));
	pg_copy_text(m->out, fhir_str(m, address, at, "state"));
	pg_copy_text(m->out, fhir_str(m, address, at, "postalCode"));
	pg_copy_text(m->out, fhir_str(m, address, at, "country"));
}

static void write_address(struct fhir_mapping *m, yyjson_val *resource)
{
	static const char *const uses[] = {"home", "", "work", "temp", "old", "billing", NULL};
	yyjson_val *array = fhir_key(resource, "address"), *address;
	size_t max = yyjson_arr_size(array), n = 0;
	struct str *codes = arena_array(m->scratch, max + 1, sizeof(*codes));
	struct best best = {.value = NULL};
	struct fhir_each it;

	if (!codes) {
		m->failed = true;
		return;
	}
	fhir_each_begin(m, array, ROOT, "address", &it);
	while ((address = fhir_each_object(m, &it))) {
		struct str code = fhir_str(m, address, &it.entry, "postalCode");
		uint64_t key = (uint64_t)!fhir_is_current(m, address) << 9 | use_rank(address, uses)
		                                                                 << 1;

		key |= yyjson_equals_str(fhir_key(address, "type"), "postal");
		if (address_counts(address))
			best_offer(&best, address, &it.entry, key);
		if (code.p)
			codes[n++] = code;
	}
	write_address_parts(m, best.value, &best.at);
	pg_copy_text_array(m->out, codes, n, n == 0);
}

/* ContactPoint.rank; one that is no small positive integer, or none, comes last. */
static uint64_t contact_rank(yyjson_val *contact)
{
	yyjson_val *v = fhir_key(contact, "rank");
	const uint64_t last = 1000000000;
	int64_t rank;

	if (!yyjson_is_raw(v) || yyjson_get_len(v) > 9)
		return last;
	if (!str_int((struct str){yyjson_get_raw(v), yyjson_get_len(v)}, 1, 999999999, &rank))
		return last;
	return (uint64_t)rank;
}

static void write_contact(struct fhir_mapping *m, yyjson_val *resource, const char *system)
{
	static const char *const uses[] = {"home", "mobile", "work", "", "temp", "old", NULL};
	struct best best = {.value = NULL};
	struct fhir_each it;
	yyjson_val *contact;

	fhir_each_begin(m, fhir_key(resource, "telecom"), ROOT, "telecom", &it);
	while ((contact = fhir_each_object(m, &it))) {
		uint64_t key = (uint64_t)!fhir_is_current(m, contact) << 40 | contact_rank(contact)
		                                                                  << 4;

		if (yyjson_equals_str(fhir_key(contact, "system"), system) &&
		    has_string(contact, "value"))
			best_offer(&best, contact, &it.entry, key | use_rank(contact, uses));
	}
	pg_copy_text(m->out, best.value ? fhir_str(m, best.value, &best.at, "value") : STR_NONE);
}

static void write_language(struct fhir_mapping *m, yyjson_val *resource)
{
	struct best best = {.value = NULL};
	struct fhir_each it;
	yyjson_val *entry;

	fhir_each_begin(m, fhir_key(resource, "communication"), ROOT, "communication", &it);
	while ((entry = fhir_each_object(m, &it)))
		best_offer(
		    &best, entry, &it.entry,
		    fhir_as_bool(m, fhir_key(entry, "preferred"), &it.entry, "preferred") == 1 ? 0
		                                                                               : 1);
	pg_copy_text(m->out, best.value ? fhir_concept_code(m, fhir_key(best.value, "language"),
	                                                    &best.at, "language")
	                                : STR_NONE);
}

/* The next extension with that url; `it` is somewhere in an extension array. */
static yyjson_val *next_extension(struct fhir_mapping *m, struct fhir_each *it, const char *url)
{
	yyjson_val *v;

	while ((v = fhir_each_object(m, it)))
		if (yyjson_equals_str(fhir_key(v, "url"), url))
			return v;
	return NULL;
}

/* ombCategory of all sub-extensions, joined. */
static struct str read_categories(struct fhir_mapping *m, yyjson_val *array,
                                  const struct fhir_path *at)
{
	size_t n = 0, max = yyjson_arr_size(array);
	struct str *items = arena_array(m->scratch, max + 1, sizeof(*items));
	struct fhir_each it;
	yyjson_val *v, *coding;

	if (!items) {
		m->failed = true;
		return STR_NONE;
	}
	fhir_each_begin(m, array, at, "extension", &it);
	while ((v = next_extension(m, &it, "ombCategory"))) {
		const struct fhir_path coding_at = {&it.entry, "valueCoding", 0};

		coding = fhir_object(m, v, &it.entry, "valueCoding");
		items[n] = fhir_str(m, coding, &coding_at, "display");
		if (!items[n].p)
			items[n] = fhir_str(m, coding, &coding_at, "code");
		n++;
	}
	return fhir_join(m, items, n, "; ");
}

static void write_race(struct fhir_mapping *m, yyjson_val *resource, const char *url)
{
	struct fhir_each it, sub;
	yyjson_val *extension, *array, *v;
	struct str text = STR_NONE;

	fhir_each_begin(m, fhir_key(resource, "extension"), ROOT, "extension", &it);
	extension = next_extension(m, &it, url);
	array = fhir_key(extension, "extension");
	fhir_each_begin(m, array, &it.entry, "extension", &sub);
	while (!text.p && (v = next_extension(m, &sub, "text")))
		text = fhir_str(m, v, &sub.entry, "valueString");
	pg_copy_text(m->out, text.p ? text : read_categories(m, array, &it.entry));
}

static void write_birth_sex(struct fhir_mapping *m, yyjson_val *resource)
{
	struct fhir_each it;
	yyjson_val *v;

	fhir_each_begin(m, fhir_key(resource, "extension"), ROOT, "extension", &it);
	v = next_extension(m, &it, US_CORE "us-core-birthsex");
	pg_copy_text(m->out, v ? fhir_str(m, v, &it.entry, "valueCode") : STR_NONE);
}

/* Does identifier.type hold the code MR, as v2-0203 names the medical record number? */
static bool is_mrn(yyjson_val *identifier)
{
	yyjson_val *coding;
	yyjson_arr_iter iter;

	if (!yyjson_arr_iter_init(fhir_key(fhir_key(identifier, "type"), "coding"), &iter))
		return false;
	while ((coding = yyjson_arr_iter_next(&iter)))
		if (yyjson_equals_str(fhir_key(coding, "code"), "MR"))
			return true;
	return false;
}

static void write_identifiers(struct fhir_mapping *m, yyjson_val *resource)
{
	struct str mrn = STR_NONE, value;
	struct fhir_each it;
	yyjson_val *v;

	fhir_each_begin(m, fhir_key(resource, "identifier"), ROOT, "identifier", &it);
	while ((v = fhir_each_object(m, &it))) {
		size_t mark = fhir_json_open(m);

		value = fhir_str(m, v, &it.entry, "value");
		fhir_json_str(m, "system", fhir_str(m, v, &it.entry, "system"));
		fhir_json_str(m, "value", value);
		fhir_json_str(m, "type",
		              fhir_concept_code(m, fhir_key(v, "type"), &it.entry, "type"));
		fhir_json_str(m, "use", fhir_str(m, v, &it.entry, "use"));
		fhir_json_close(m, mark, true);
		if (!mrn.p && is_mrn(v))
			mrn = value;
	}
	pg_copy_text(m->out, mrn);
	fhir_write_json(m);
}

static struct str read_practitioner(struct fhir_mapping *m, yyjson_val *resource)
{
	static const char *const types[] = {"Practitioner", "PractitionerRole", "Organization",
	                                    NULL};
	struct fhir_each it;
	yyjson_val *v;
	struct str id = STR_NONE;

	fhir_each_begin(m, fhir_key(resource, "generalPractitioner"), ROOT, "generalPractitioner",
	                &it);
	while (!id.p && (v = fhir_each_object(m, &it)))
		id = fhir_reference(m, v, &it.entry, NULL, types);
	return id;
}

static void write_row(struct fhir_mapping *m, yyjson_val *json, struct str raw)
{
	static const char *const organization[] = {"Organization", NULL};

	fhir_write_identity(m, fhir_key(json, "id"), fhir_key(json, "meta"), raw);
	pg_copy_bool(m->out, fhir_as_bool(m, fhir_key(json, "active"), ROOT, "active"));
	write_name(m, json);
	pg_copy_text(m->out, fhir_str(m, json, ROOT, "gender"));
	write_birth_date(m, json);
	write_deceased(m, json);
	write_address(m, json);
	write_contact(m, json, "phone");
	write_contact(m, json, "email");
	pg_copy_text(m->out,
	             fhir_concept_code(m, fhir_key(json, "maritalStatus"), ROOT, "maritalStatus"));
	write_language(m, json);
	write_race(m, json, US_CORE "us-core-race");
	write_race(m, json, US_CORE "us-core-ethnicity");
	write_birth_sex(m, json);
	write_identifiers(m, json);
	pg_copy_text(m->out, fhir_reference(m, fhir_key(json, "managingOrganization"), ROOT,
	                                    "managingOrganization", organization));
	pg_copy_text(m->out, read_practitioner(m, json));
}

enum fhir_mapped fhir_map_patient(yyjson_val *json, struct str raw, int64_t now_us,
                                  int32_t batch_seq, int64_t line, struct arena *scratch,
                                  struct buf *out, struct fhir_reject *reject)
{
	struct fhir_mapping m;
	size_t mark = out->n;

	if (!fhir_map_begin(&m, json, "Patient", scratch, out, reject))
		return fhir_map_end(&m, mark);
	m.now_us = now_us;
	pg_copy_row(out, FHIR_PATIENT_COLUMNS);
	write_row(&m, json, raw);
	pg_copy_int4(out, batch_seq);
	pg_copy_int8(out, line);
	return fhir_map_end(&m, mark);
}

/* "02139", "02139-1234", "02139 1234", "021391234" */
static bool zip_matches(struct str code, const char *zip)
{
	code = str_trim(code);
	if (!str_starts(code, zip))
		return false;
	code.p += 5;
	code.n -= 5;
	if (code.n == 5 && (code.p[0] == '-' || code.p[0] == ' ')) {
		code.p++;
		code.n--;
	} else if (code.n != 4) {
		return code.n == 0;
	}
	for (size_t i = 0; i < code.n; i++)
		if (code.p[i] < '0' || code.p[i] > '9')
			return false;
	return true;
}

bool fhir_patient_lives_in(yyjson_val *patient, const char *zip)
{
	yyjson_arr_iter iter;
	yyjson_val *address, *code;

	if (strlen(zip) != 5 || !yyjson_arr_iter_init(fhir_key(patient, "address"), &iter))
		return false;
	while ((address = yyjson_arr_iter_next(&iter))) {
		code = fhir_key(address, "postalCode");
		if (yyjson_is_str(code) &&
		    zip_matches((struct str){yyjson_get_str(code), yyjson_get_len(code)}, zip))
			return true;
	}
	return false;
}
