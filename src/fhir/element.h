/* SPDX-License-Identifier: Apache-2.0
 *
 * element.h: reading FHIR elements for the mapping (inside src/fhir only).
 *
 * Errors are sticky: the first one is written to the mapping's reject, and from then on readers go
 * on with what is absent, so that a mapping reads top to bottom and asks once at its end. The rules
 * of what is absent, of dates, references and concepts are those of docs/MAPPING.md, section 1.
 *
 * Strings are slices of the yyjson document, checked to be UTF-8 without NUL; what must be put
 * together lives in the scratch arena.
 */
#ifndef FHIRLINE_FHIR_ELEMENT_H
#define FHIRLINE_FHIR_ELEMENT_H

#include "fhir/map.h"

struct fhir_mapping {
	struct arena *scratch;
	struct buf *out;
	struct fhir_reject *reject;
	struct buf
	    json; /* the JSON column that is being put together; freed at the end of the resource */
	int64_t now_us;
	bool rejected;
	bool failed; /* out of memory */
};

/* Where an element stands: a chain of these on the stack, written out only for a reject. `name`
 * NULL: entry `index` of an array. */
struct fhir_path {
	const struct fhir_path *up; /* NULL: the resource */
	const char *name;
	size_t index;
};

/* The path of `name` in `up`, kept in *place; `up` itself when name is NULL (an array's entry,
 * whose path is there already). */
static inline const struct fhir_path *fhir_at(struct fhir_path *place, const struct fhir_path *up,
                                              const char *name)
{
	*place = (struct fhir_path){up, name, 0};
	return name ? place : up;
}

/* Rejects with "<name> <what>" at `up`/`name` (name NULL: `up` itself, named after its last name).
 * Only the first one counts. */
void fhir_reject_at(struct fhir_mapping *m, const struct fhir_path *up, const char *name,
                    const char *what);

/* True for what counts as absent: no value, null, "", []. */
static inline bool fhir_absent(yyjson_val *v)
{
	return !v || yyjson_is_null(v) || (yyjson_is_str(v) && yyjson_get_len(v) == 0) ||
	       (yyjson_is_arr(v) && yyjson_get_len(v) == 0);
}

static inline yyjson_val *fhir_key(yyjson_val *object, const char *name)
{
	return yyjson_obj_getn(object, name, strlen(name));
}

/* The value as one type; absent gives STR_NONE, NULL or -1. `up` and `name` say where it stands. */
struct str fhir_as_str(struct fhir_mapping *m, yyjson_val *v, const struct fhir_path *up,
                       const char *name);
struct str fhir_as_number(struct fhir_mapping *m, yyjson_val *v, const struct fhir_path *up,
                          const char *name);
int fhir_as_bool(struct fhir_mapping *m, yyjson_val *v, const struct fhir_path *up,
                 const char *name);
yyjson_val *fhir_as_object(struct fhir_mapping *m, yyjson_val *v, const struct fhir_path *up,
                           const char *name);

/* The same of a member. `object` NULL: absent. */
static inline struct str fhir_str(struct fhir_mapping *m, yyjson_val *object,
                                  const struct fhir_path *up, const char *name)
{
	return fhir_as_str(m, fhir_key(object, name), up, name);
}

static inline yyjson_val *fhir_object(struct fhir_mapping *m, yyjson_val *object,
                                      const struct fhir_path *up, const char *name)
{
	return fhir_as_object(m, fhir_key(object, name), up, name);
}

/* A string that goes into an index: no longer than 1,024 bytes. */
struct str fhir_indexed(struct fhir_mapping *m, struct str s, const struct fhir_path *up,
                        const char *name);

/* The entries of an array that are not absent. fhir_each_begin() ties `it` to its place: it must
 * not be copied after that. */
struct fhir_each {
	yyjson_arr_iter iter;
	struct fhir_path array;
	struct fhir_path entry; /* where the entry just returned stands */
};

void fhir_each_begin(struct fhir_mapping *m, yyjson_val *array, const struct fhir_path *up,
                     const char *name, struct fhir_each *it);
yyjson_val *fhir_each_next(struct fhir_each *it); /* of any type; NULL at the end */
yyjson_val *fhir_each_object(struct fhir_mapping *m,
                             struct fhir_each *it); /* NULL at the end, and after a reject */
struct str fhir_each_str(struct fhir_mapping *m, struct fhir_each *it);

/* All strings of an array, in the arena; *n 0 when absent. */
struct str *fhir_strings(struct fhir_mapping *m, yyjson_val *array, const struct fhir_path *up,
                         const char *name, size_t *n);
/* Those that are not absent, with `between` between them; STR_NONE when none is. A single one is
 * not copied. */
struct str fhir_join(struct fhir_mapping *m, const struct str *items, size_t n,
                     const char *between);

/* A resource's or component's members, found in one pass: field i's value goes to slots[i]. A
 * `choice` field "value" stands for every key that begins so and goes on with an upper-case letter;
 * its slot keeps the rest of the key. */
struct fhir_field {
	const char *name;
	uint8_t length;
	bool choice;
};
#define FHIR_FIELD(n)                                                                              \
	{                                                                                          \
		n, sizeof(n) - 1, false                                                            \
	}
#define FHIR_CHOICE(n)                                                                             \
	{                                                                                          \
		n, sizeof(n) - 1, true                                                             \
	}

struct fhir_slot {
	yyjson_val *value;
	struct str key;  /* of a choice: "valueQuantity" */
	struct str type; /* … "Quantity" */
};

void fhir_fields(struct fhir_mapping *m, yyjson_val *object, const struct fhir_path *up,
                 const struct fhir_field *fields, size_t n, struct fhir_slot *slots);

/* Rejects with "<choice>[x] <what>"; the pointer names the choice's `key` only when that is plain
 * letters. */
void fhir_reject_choice(struct fhir_mapping *m, struct str key, const struct fhir_path *up,
                        const char *choice, const char *what);

/* A date to its first instant; INT64_MIN when absent. `precision` may be NULL; it gets NULL or the
 * precision's name. */
int64_t fhir_as_time(struct fhir_mapping *m, yyjson_val *v, const struct fhir_path *up,
                     const char *name, const char **precision);
const char *fhir_precision_name(enum fhir_precision p);

/* Start and end of a Period; a NULL period has neither. */
struct fhir_span {
	int64_t start; /* INT64_MIN: absent */
	int64_t end;
	const char *precision; /* of start; NULL with it */
};
struct fhir_span fhir_as_period(struct fhir_mapping *m, yyjson_val *v, const struct fhir_path *up,
                                const char *name);

/* Is `object`'s period current at m->now_us? Never rejects. */
bool fhir_is_current(const struct fhir_mapping *m, yyjson_val *object);

/* Reference id; `types` is NULL-terminated. */
struct str fhir_reference(struct fhir_mapping *m, yyjson_val *v, const struct fhir_path *up,
                          const char *name, const char *const *types);

/* Concept code and label of a CodeableConcept. */
struct str fhir_concept_code(struct fhir_mapping *m, yyjson_val *v, const struct fhir_path *up,
                             const char *name);
struct str fhir_concept_label(struct fhir_mapping *m, yyjson_val *v, const struct fhir_path *up,
                              const char *name);

/* A CodeableConcept with its chosen coding: userSelected, else (with `loinc`) LOINC's first, else
 * the first that has a code. */
struct fhir_code {
	struct str system;
	struct str code;
	struct str display; /* the chosen coding's */
	struct str text;
	struct str other; /* the first display of any coding, looked for only when display and text
	                     are absent */
};
struct fhir_code fhir_as_code(struct fhir_mapping *m, yyjson_val *v, const struct fhir_path *up,
                              const char *name, bool loinc);

/* JSON columns, put together in m->json. Keys are plain ASCII; what is absent writes nothing. */
void fhir_json_key(struct fhir_mapping *m,
                   const char *name); /* with a comma unless it opens the object */
void fhir_json_str(struct fhir_mapping *m, const char *name, struct str s);
void fhir_json_raw(struct fhir_mapping *m, const char *name, struct str text);
/* A value as compact JSON; rejects what PostgreSQL's jsonb could not hold. */
void fhir_json_copy(struct fhir_mapping *m, yyjson_val *v, const struct fhir_path *at);
/* Opens an array's next object and returns a mark; fhir_json_close() takes an empty one back when
 * `drop`, and then returns false. */
size_t fhir_json_open(struct fhir_mapping *m);
bool fhir_json_close(struct fhir_mapping *m, size_t mark, bool drop);

/* Ends the array in m->json, writes it as a jsonb column (NULL when nothing was put in) and empties
 * it. */
void fhir_write_json(struct fhir_mapping *m);

/* The columns that both tables begin with: id, version_id, last_updated, content_hash. `meta` and
 * `id` are the members. */
void fhir_write_identity(struct fhir_mapping *m, yyjson_val *id, yyjson_val *meta, struct str raw);

/* Begins a resource: false when it is rejected as another type or no object. */
bool fhir_map_begin(struct fhir_mapping *m, yyjson_val *json, const char *type,
                    struct arena *scratch, struct buf *out, struct fhir_reject *reject);
/* The verdict. On anything but FHIR_MAPPED `out` is cut back to `mark`. */
enum fhir_mapped fhir_map_end(struct fhir_mapping *m, size_t mark);

#endif
