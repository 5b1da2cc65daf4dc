/* SPDX-License-Identifier: Apache-2.0
 *
 * CodeableConcept and Reference, as docs/MAPPING.md section 1 defines them.
 */
#include "fhir/element.h"

/* The first member `name` of any coding. */
static struct str first_of_codings(struct fhir_mapping *m, yyjson_val *concept,
                                   const struct fhir_path *at, const char *name)
{
	struct fhir_each it;
	yyjson_val *coding;
	struct str s;

	fhir_each_begin(m, fhir_key(concept, "coding"), at, "coding", &it);
	while ((coding = fhir_each_object(m, &it))) {
		s = fhir_str(m, coding, &it.entry, name);
		if (s.p)
			return s;
	}
	return STR_NONE;
}

struct str fhir_concept_code(struct fhir_mapping *m, yyjson_val *v, const struct fhir_path *up,
                             const char *name)
{
	struct fhir_path place;
	const struct fhir_path *at = fhir_at(&place, up, name);
	yyjson_val *concept = fhir_as_object(m, v, up, name);
	struct str s;

	if (!concept)
		return STR_NONE;
	s = first_of_codings(m, concept, at, "code");
	return s.p ? s : fhir_str(m, concept, at, "text");
}

struct str fhir_concept_label(struct fhir_mapping *m, yyjson_val *v, const struct fhir_path *up,
                              const char *name)
{
	struct fhir_path place;
	const struct fhir_path *at = fhir_at(&place, up, name);
	yyjson_val *concept = fhir_as_object(m, v, up, name);
	struct str s;

	if (!concept)
		return STR_NONE;
	s = first_of_codings(m, concept, at, "display");
	if (!s.p)
		s = fhir_str(m, concept, at, "text");
	return s.p ? s : first_of_codings(m, concept, at, "code");
}

static void take_coding(struct fhir_mapping *m, yyjson_val *coding, const struct fhir_path *at,
                        struct str code, struct str system, struct fhir_code *out)
{
	out->code = code;
	out->system = system;
	out->display = fhir_str(m, coding, at, "display");
}

/* The path of the chosen coding lives in the loop, so that it is taken there; a later, better one
 * replaces it. */
struct fhir_code fhir_as_code(struct fhir_mapping *m, yyjson_val *v, const struct fhir_path *up,
                              const char *name, bool loinc)
{
	enum { NONE, FIRST, LOINC, SELECTED } best = NONE, rank;
	struct fhir_path place;
	const struct fhir_path *at = fhir_at(&place, up, name);
	yyjson_val *concept = fhir_as_object(m, v, up, name), *coding;
	struct fhir_code out = {0};
	struct fhir_each it;

	out.text = fhir_str(m, concept, at, "text");
	fhir_each_begin(m, fhir_key(concept, "coding"), at, "coding", &it);
	while ((coding = fhir_each_object(m, &it))) {
		struct str code = fhir_str(m, coding, &it.entry, "code"), system;

		if (!code.p)
			continue;
		system = fhir_str(m, coding, &it.entry, "system");
		if (fhir_as_bool(m, fhir_key(coding, "userSelected"), &it.entry, "userSelected") ==
		    1)
			rank = SELECTED;
		else
			rank = loinc && str_is(system, "http://loinc.org") ? LOINC : FIRST;
		if (rank > best) {
			best = rank;
			take_coding(m, coding, &it.entry, code, system, &out);
		}
	}
	if (!out.display.p && !out.text.p)
		out.other = first_of_codings(m, concept, at, "display");
	return out;
}

static bool type_allowed(struct str type, const char *const *types)
{
	for (; *types; types++)
		if (str_is(type, *types))
			return true;
	return false;
}

/* Cuts the last segment off `path`; what stands before its slash stays, absent when there was no
 * slash. */
static struct str cut_segment(struct str *path)
{
	const char *slash = path->p ? memrchr(path->p, '/', path->n) : NULL;
	struct str last = *path;

	if (!slash) {
		*path = STR_NONE;
		return last;
	}
	last = (struct str){slash + 1, (size_t)(path->p + path->n - slash - 1)};
	path->n = (size_t)(slash - path->p);
	return last;
}

/* "…/Type/id" or "…/Type/id/_history/version". */
static struct str path_id(struct str path, const char *const *types)
{
	struct str rest = path, id, type;
	struct str version = cut_segment(&rest), history = cut_segment(&rest);

	(void)version;
	/* rest still has a slash: four segments or more */
	if (!str_is(history, "_history") || !rest.p || !memchr(rest.p, '/', rest.n))
		rest = path;
	id = cut_segment(&rest);
	type = cut_segment(&rest);
	return type_allowed(type, types) ? id : STR_NONE;
}

struct str fhir_reference(struct fhir_mapping *m, yyjson_val *v, const struct fhir_path *up,
                          const char *name, const char *const *types)
{
	struct fhir_path place;
	const struct fhir_path *at = fhir_at(&place, up, name);
	yyjson_val *reference = fhir_as_object(m, v, up, name);
	struct str s = fhir_str(m, reference, at, "reference");
	struct str type = fhir_str(m, reference, at, "type"), id;

	if (!s.p)
		return STR_NONE;
	if (type.p && !type_allowed(cut_segment(&type), types))
		return STR_NONE;
	if (memchr(s.p, '#', s.n) || memchr(s.p, '?', s.n))
		return STR_NONE;
	if (str_starts(s, "urn:uuid:"))
		id = (struct str){s.p + 9, s.n - 9};
	else
		id = str_starts(s, "urn:") ? STR_NONE : path_id(s, types);
	return fhir_id_valid(id) ? id : STR_NONE;
}
