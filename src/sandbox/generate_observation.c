/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox/generate.h"

#include "base/rng.h"
#include "sandbox/text.h"

enum {
	STREAM_OBSERVATION = 11,
	STREAM_ENCOUNTER,
	STREAM_VALUE,
};

enum { PER_ENCOUNTER = 9 };

#define END_OF_RECORDS 1735603200 /* 31 December 2024: nothing generated is later */
#define DAY 86400

struct moment {
	int64_t local; /* seconds as a wall clock shows them */
	unsigned ms;
	bool east; /* -05:00 when false, +00:00 when true */
};

/* The encounters of a patient share out its recorded time; observations share out the encounters.
 */
static struct moment moment_of(const struct population *p, uint32_t i, uint32_t encounter,
                               uint64_t draw)
{
	uint32_t encounters = p->counts[i] / PER_ENCOUNTER + 1;
	int64_t start = generate_birth_days(p, i) * DAY;
	int64_t span, slot;
	struct rng r = rng_for(p->seed ^ STREAM_ENCOUNTER, (uint64_t)i << 16 | encounter);

	if (start < END_OF_RECORDS - (int64_t)25 * 365 * DAY)
		start = END_OF_RECORDS - (int64_t)25 * 365 * DAY;
	span = END_OF_RECORDS - start;
	slot = span / encounters + 1;
	if (encounter >= encounters) /* added by churn: in 2025 */
		start = END_OF_RECORDS + (int64_t)(encounter - encounters) % 300 * DAY;
	else
		start += span * encounter / encounters;
	start += (int64_t)rng_below(&r, (uint64_t)(encounter >= encounters ? DAY : slot));
	return (struct moment){start + (int64_t)(draw % 1800), (unsigned)(draw >> 20) % 1000,
	                       i % 3 == 0};
}

static char *zone(char *w, const struct moment *m)
{
	return m->east ? w_lit(w, "+00:00") : w_lit(w, "-05:00");
}

static char *date_time(char *w, const struct moment *m, bool with_ms)
{
	w = w_seconds(w, m->local);
	if (with_ms) {
		*w++ = '.';
		*w++ = (char)('0' + m->ms / 100);
		w = w_pair(w, m->ms % 100);
	}
	return zone(w, m);
}

static struct moment later(struct moment m, int64_t seconds)
{
	m.local += seconds;
	return m;
}

/* Partial dates: the first `bytes` of a date. */
static char *partial(char *w, const struct moment *m, size_t bytes)
{
	w = w_lit(w, ",\"effectiveDateTime\":\"");
	w_date(w, m->local / DAY);
	w += bytes;
	return w_lit(w, "\"");
}

static char *period(char *w, const struct moment *m, int64_t seconds)
{
	struct moment end = later(*m, seconds);

	w = w_lit(w, "{\"start\":\"");
	w = date_time(w, m, false);
	w = w_lit(w, "\",\"end\":\"");
	w = date_time(w, &end, false);
	return w_lit(w, "\"}");
}

static char *timing(char *w, const struct moment *m)
{
	struct moment second = later(*m, 43200);

	w = w_lit(w, ",\"effectiveTiming\":{\"event\":[\"");
	w = date_time(w, m, false);
	w = w_lit(w, "\",\"");
	w = date_time(w, &second, false);
	return w_lit(w, "\"]}");
}

static char *effective(char *w, const struct moment *m, unsigned per_mille)
{
	if (per_mille < 12) {
		w = w_lit(w, ",\"effectivePeriod\":");
		return period(w, m, 3600);
	}
	if (per_mille < 20) {
		w = w_lit(w, ",\"effectiveInstant\":\"");
		w = date_time(w, m, true);
		return w_lit(w, "\"");
	}
	if (per_mille < 24)
		return timing(w, m);
	if (per_mille < 28)
		return partial(w, m, 4);
	if (per_mille < 33)
		return partial(w, m, 7);
	if (per_mille < 40)
		return partial(w, m, 10);
	if (per_mille < 43)
		return w;
	w = w_lit(w, ",\"effectiveDateTime\":\"");
	w = date_time(w, m, per_mille < 80);
	return w_lit(w, "\"");
}

static int64_t between(struct rng *r, int64_t low, int64_t high)
{
	return low + (int64_t)rng_below(r, (uint64_t)(high - low + 1));
}

static char *reference_range(char *w, const struct observation_code *c, int64_t v)
{
	int64_t fifth = (c->high - c->low) / 5;
	int64_t low = c->low + fifth, high = c->high - fifth;
	const char *flag = v < low ? "L" : v > high ? "H" : "N";

	w = w_lit(w, ",\"interpretation\":[{\"coding\":[{\"system\":\"http://terminology.hl7.org/"
	             "CodeSystem/v3-ObservationInterpretation\",\"code\":\"");
	w = w_cstr(w, flag);
	w = w_lit(w, "\"}]}],\"referenceRange\":[{\"low\":{\"value\":");
	w = w_decimal(w, low, c->places);
	w = w_str(w, c->tail);
	w = w_lit(w, ",\"high\":{\"value\":");
	w = w_decimal(w, high, c->places);
	w = w_str(w, c->tail);
	return w_lit(w, "}]");
}

static char *quantity(char *w, const struct observation_code *c, struct rng *r)
{
	int64_t v = between(r, c->low, c->high);
	unsigned extras = (unsigned)rng_below(r, 100);

	w = w_lit(w, ",\"valueQuantity\":{\"value\":");
	w = w_decimal(w, v, c->places);
	if (extras == 0)
		w = w_lit(w, ",\"comparator\":\"<\"");
	else if (extras == 1)
		w = w_lit(w, ",\"comparator\":\">=\"");
	w = w_str(w, c->tail);
	if (!c->vital && extras >= 85)
		w = reference_range(w, c, v);
	return w;
}

static char *pressure(char *w, const char *code, const char *display, uint64_t v)
{
	w = w_lit(w, "{\"code\":{\"coding\":[{\"system\":\"http://loinc.org\",\"code\":\"");
	w = w_cstr(w, code);
	w = w_lit(w, "\",\"display\":\"");
	w = w_cstr(w, display);
	w = w_lit(w, "\"}],\"text\":\"");
	w = w_cstr(w, display);
	w = w_lit(w, "\"},\"valueQuantity\":{\"value\":");
	w = w_uint(w, v);
	return w_lit(w, ",\"unit\":\"mm[Hg]\",\"system\":\"http://unitsofmeasure.org\",\"code\":"
	                "\"mm[Hg]\"}}");
}

static char *blood_pressure(char *w, struct rng *r)
{
	uint64_t v = rng_next(r);

	w = w_lit(w, ",\"component\":[");
	w = pressure(w, "8462-4", "Diastolic Blood Pressure", 60 + v % 50);
	w = w_lit(w, ",");
	w = pressure(w, "8480-6", "Systolic Blood Pressure", 100 + (v >> 32) % 80);
	return w_lit(w, "]");
}

static char *survey(char *w, struct rng *r)
{
	w = w_lit(w, ",\"component\":[");
	for (unsigned k = 0; k < OBSERVATION_QUESTIONS; k++) {
		uint64_t v = rng_next(r);

		w = w_str(w, observation_questions[k]);
		if (k == 5) {
			w = w_lit(w, "\"valueQuantity\":{\"value\":");
			w = w_uint(w, 1 + v % 7);
			w = w_lit(
			    w,
			    ",\"unit\":\"{#}\",\"system\":\"http://unitsofmeasure.org\",\"code\":"
			    "\"{#}\"}}");
		} else if (k == 11) {
			w = w_lit(w, "\"valueQuantity\":{\"value\":");
			w = w_uint(w, v % 200000);
			w = w_lit(
			    w, ",\"unit\":\"/a\",\"system\":\"http://unitsofmeasure.org\",\"code\":"
			       "\"/a\"}}");
		} else if (k == 4 && v % 8 == 0) {
			w = w_lit(w, "\"dataAbsentReason\":{\"text\":\"asked but declined\"}}");
		} else {
			w = w_lit(w, "\"valueCodeableConcept\":");
			w = w_str(w, observation_answers[v % OBSERVATION_ANSWERS]);
			w = w_lit(w, "}");
		}
		if (k + 1 < OBSERVATION_QUESTIONS)
			*w++ = ',';
	}
	return w_lit(w, "]");
}

static char *rare_value(char *w, enum value_kind kind, const struct moment *m, struct rng *r)
{
	uint64_t v = rng_next(r);

	switch (kind) {
	case VALUE_STRING:
		w = w_lit(w, ",\"valueString\":\"Befund «");
		w = w_uint(w, v % 1000);
		return w_lit(w, "»: no \\\"abnormal\\\" cells\\nseen\\t✓ C:\\\\lab\"");
	case VALUE_ABSENT:
		return w_lit(
		    w,
		    ",\"dataAbsentReason\":{\"coding\":[{\"system\":\"http://terminology.hl7.org/"
		    "CodeSystem/data-absent-reason\",\"code\":\"not-performed\",\"display\":\"Not "
		    "Performed\"}]}");
	case VALUE_INTEGER:
		w = w_lit(w, ",\"valueInteger\":");
		return w_uint(w, v % 9);
	case VALUE_BOOLEAN:
		return v & 1 ? w_lit(w, ",\"valueBoolean\":true")
		             : w_lit(w, ",\"valueBoolean\":false");
	case VALUE_RATIO:
		w = w_lit(
		    w, ",\"valueRatio\":{\"numerator\":{\"value\":1},\"denominator\":{\"value\":");
		w = w_uint(w, (uint64_t)8 << v % 8);
		return w_lit(w, "}}");
	case VALUE_RANGE:
		w = w_lit(w, ",\"valueRange\":{\"low\":{\"value\":");
		w = w_decimal(w, (int64_t)(v % 60), 1);
		w = w_lit(w, ",\"unit\":\"h\"},\"high\":{\"value\":");
		w = w_decimal(w, (int64_t)(60 + v % 30), 1);
		return w_lit(w, ",\"unit\":\"h\"}}");
	case VALUE_SAMPLED:
		w = w_lit(w, ",\"valueSampledData\":{\"origin\":{\"value\":2048},\"period\":10,"
		             "\"factor\":1.612,"
		             "\"lowerLimit\":-3300,\"upperLimit\":3300,\"dimensions\":1,\"data\":"
		             "\"2041 2043 E ");
		w = w_uint(w, 2000 + v % 100);
		return w_lit(w, " 2039 U L\"}");
	case VALUE_TIME:
		w = w_lit(w, ",\"valueTime\":\"");
		w = w_pair(w, v % 24);
		return w_lit(w, ":30:00\"");
	case VALUE_DATETIME:
		w = w_lit(w, ",\"valueDateTime\":\"");
		w = w_date(w, m->local / DAY - (int64_t)(v % 30));
		return w_lit(w, "\"");
	case VALUE_PERIOD:
		w = w_lit(w, ",\"valuePeriod\":");
		return period(w, m, (int64_t)280 * DAY);
	default:
		return w;
	}
}

static char *value(char *w, const struct observation_code *c, const struct moment *m, struct rng *r)
{
	switch (c->kind) {
	case VALUE_QUANTITY:
		return quantity(w, c, r);
	case VALUE_CODEABLE:
		w = w_lit(w, ",\"valueCodeableConcept\":");
		return w_str(w, observation_answers[rng_below(r, OBSERVATION_ANSWERS)]);
	case VALUE_BLOOD_PRESSURE:
		return blood_pressure(w, r);
	case VALUE_SURVEY:
		return survey(w, r);
	default:
		return rare_value(w, c->kind, m, r);
	}
}

static const struct observation_code *code_of(unsigned per_mille)
{
	const struct observation_code *c = observation_codes;

	for (; per_mille >= c->weight; c++)
		per_mille -= c->weight;
	return c;
}

static char *status(char *w, unsigned per_mille)
{
	if (per_mille < 5)
		return w_lit(w, "entered-in-error");
	if (per_mille < 12)
		return w_lit(w, "amended");
	if (per_mille < 18)
		return w_lit(w, "corrected");
	if (per_mille < 24)
		return w_lit(w, "preliminary");
	return w_lit(w, "final");
}

static char *subject(const struct population *p, char *w, uint32_t i, unsigned per_mille,
                     struct str base)
{
	if (per_mille < 4) {
		w = w_str(w, base);
		w = w_lit(w, "/");
	}
	w = w_lit(w, "Patient/");
	w = population_id_write(p, w, (struct id){ID_PATIENT, i, 0});
	if (per_mille >= 2 && per_mille < 6)
		w = w_lit(w, "/_history/1");
	return w_lit(w, "\"}");
}

char *generate_meta(char *w, const struct revision *r)
{
	w = w_lit(w, "\"meta\":{\"versionId\":\"");
	w = w_uint(w, r->version);
	w = w_lit(w, "\",\"lastUpdated\":\"");
	w = w_instant(w, r->instant);
	return w_lit(w, "\"");
}

static char *head(const struct population *p, char *w, struct id id, const struct revision *r,
                  const struct observation_code *c, uint64_t draw)
{
	w = w_lit(w, "{\"resourceType\":\"Observation\",\"id\":\"");
	w = population_id_write(p, w, id);
	w = w_lit(w, "\",");
	w = generate_meta(w, r);
	w = w_lit(w, ",\"source\":\"#");
	w = w_hex(w, draw, 16);
	w = w_lit(w, "\"");
	if (c->vital)
		w = w_lit(w, ",\"profile\":[\"http://hl7.org/fhir/us/core/StructureDefinition/"
		             "us-core-vital-signs\"]");
	w = w_lit(w, "},\"status\":\"");
	w = r->changed ? w_lit(w, "amended") : status(w, (unsigned)(draw >> 8) % 1000);
	return w_str(w, c->head);
}

char *generate_observation(const struct population *p, char *w, uint32_t i, uint32_t j,
                           const struct revision *r, struct str base)
{
	struct rng rng = rng_for(p->seed ^ STREAM_OBSERVATION, (uint64_t)i << 16 | j);
	uint64_t a = rng_next(&rng), b = rng_next(&rng);
	struct rng values = rng_for(p->seed ^ STREAM_VALUE ^ (uint64_t)r->changed << 32, a);
	const struct observation_code *c = code_of((unsigned)(a % 1000));
	uint32_t encounter = j / PER_ENCOUNTER;
	struct moment m = moment_of(p, i, encounter, a >> 24), issued;

	w = head(p, w, (struct id){ID_OBSERVATION, i, j}, r, c, b);
	w = subject(p, w, i, (unsigned)(a >> 32) % 1000, base);
	w = w_lit(w, ",\"encounter\":{\"reference\":\"Encounter/");
	w = population_id_write(p, w, (struct id){ID_ENCOUNTER, i, encounter});
	w = w_lit(w, "\"}");
	w = effective(w, &m, (unsigned)(b >> 32) % 1000);
	issued = later(m, 60);
	w = w_lit(w, ",\"issued\":\"");
	w = date_time(w, &issued, true);
	w = w_lit(w, "\"");
	w = value(w, c, &m, &values);
	return w_lit(w, "}");
}
