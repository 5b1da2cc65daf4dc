/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox/generate.h"

#include "base/rng.h"
#include "sandbox/text.h"

enum {
	STREAM_PATIENT = 21,
	STREAM_BIRTH,
	STREAM_CHANGE,
};

#define LENGTH(a) (sizeof(a) / sizeof *(a))

static const char *const families[] = {
    "Abernathy",  "O'Connor", "Nguyễn",      "Müller",       "García",     "Kowalski", "李",
    "Smith",      "Johnson",  "Williams",    "Brown",        "Jones",      "Davis",    "Martínez",
    "Østergaard", "D'Angelo", "Yıldız",      "van der Berg", "Schowalter", "Hickle",   "Lakin",
    "Kuhlman",    "Reynolds", "Cruickshank", "Considine",    "Иванов",     "Wolf",     "Bergstrom",
    "Turner",     "Ziemann",  "Núñez",       "Smith-Jones"};
static const char *const female[] = {"Anna",    "María",    "Zoë",       "Emily", "Grace",  "Ngoc",
                                     "芳",      "Olivia",   "Françoise", "Sofia", "Alexis", "Leila",
                                     "Jóhanna", "Mary Ann", "Ruth",      "Ida"};
static const char *const male[] = {"John",  "José", "Björn",    "René",   "Wei",   "Ahmed",
                                   "Ivan",  "Liam", "Andrés",   "Miguel", "Oscar", "Théo",
                                   "Kevin", "Paul", "Jean-Luc", "Max"};
static const char *const streets[] = {"Massachusetts Ave",  "Main St",     "Brookline St",
                                      "Pearl St Apt 4",     "Prospect St", "Erie St",
                                      "Windsor St Unit 12", "Broadway",    "Höhe Weg",
                                      "Magazine St",        "Western Ave", "Franklin St"};
static const char *const languages[][2] = {{"en-US", "English (United States)"},
                                           {"en-US", "English (United States)"},
                                           {"en-US", "English (United States)"},
                                           {"es", "Spanish"},
                                           {"pt", "Portuguese"},
                                           {"zh", "Chinese"},
                                           {"fr", "French"},
                                           {"vi", "Vietnamese"}};
static const char *const races[][2] = {{"2106-3", "White"},
                                       {"2106-3", "White"},
                                       {"2054-5", "Black or African American"},
                                       {"2028-9", "Asian"},
                                       {"1002-5", "American Indian or Alaska Native"},
                                       {"2131-1", "Other Race"}};
static const char *const maritals[][2] = {
    {"M", "Married"}, {"S", "Never Married"}, {"D", "Divorced"}, {"W", "Widowed"}};

/* What is drawn once and used in several places. */
struct person {
	const struct population *p;
	uint32_t i;
	const struct revision *r;
	struct rng rng;
	bool female;
	const char *family;
	int64_t birth; /* days */
};

int64_t generate_birth_days(const struct population *p, uint32_t i)
{
	struct rng r = rng_for(p->seed ^ STREAM_BIRTH, i);

	return 20000 - (int64_t)rng_below(&r, 36000); /* 4 October 2024 and 98 years back */
}

static unsigned draw(struct person *who, unsigned n)
{
	return (unsigned)rng_below(&who->rng, n);
}

#define PICK(who, list) (list)[draw((who), (unsigned)LENGTH(list))]

static char *category(char *w, const char *url, const char *code, const char *display)
{
	w = w_lit(w, "{\"url\":\"http://hl7.org/fhir/us/core/StructureDefinition/");
	w = w_cstr(w, url);
	w = w_lit(w, "\",\"extension\":[{\"url\":\"ombCategory\",\"valueCoding\":{\"system\":"
	             "\"urn:oid:2.16.840.1.113883.6.238\",\"code\":\"");
	w = w_cstr(w, code);
	w = w_lit(w, "\",\"display\":\"");
	w = w_cstr(w, display);
	w = w_lit(w, "\"}},{\"url\":\"text\",\"valueString\":\"");
	w = w_cstr(w, display);
	return w_lit(w, "\"}]}");
}

static char *extensions(char *w, struct person *who)
{
	unsigned k = draw(who, LENGTH(races));
	bool hispanic = draw(who, 5) == 0, both = draw(who, 40) == 0;

	if (both) { /* neither is recorded */
		return w;
	}
	w = w_lit(w, ",\"extension\":[");
	w = category(w, "us-core-race", races[k][0], races[k][1]);
	w = w_lit(w, ",");
	w = hispanic ? category(w, "us-core-ethnicity", "2135-2", "Hispanic or Latino")
	             : category(w, "us-core-ethnicity", "2186-5", "Not Hispanic or Latino");
	w = w_lit(w,
	          ",{\"url\":\"http://hl7.org/fhir/us/core/StructureDefinition/us-core-birthsex\","
	          "\"valueCode\":\"");
	*w++ = who->female ? 'F' : 'M';
	return w_lit(w, "\"}]");
}

static char *identifiers(char *w, struct person *who)
{
	uint64_t v = rng_next(&who->rng);

	w = w_lit(
	    w,
	    ",\"identifier\":[{\"type\":{\"coding\":[{\"system\":\"http://terminology.hl7.org/"
	    "CodeSystem/v2-0203\",\"code\":\"MR\",\"display\":\"Medical Record Number\"}],\"text\":"
	    "\"Medical Record Number\"},\"system\":\"http://hospital.smarthealthit.org\","
	    "\"value\":\"MRN-");
	w = w_hex(w, v, 10);
	w = w_lit(
	    w,
	    "\"},{\"type\":{\"coding\":[{\"system\":\"http://terminology.hl7.org/CodeSystem/"
	    "v2-0203\",\"code\":\"SS\",\"display\":\"Social Security Number\"}],\"text\":\"Social "
	    "Security Number\"},\"system\":\"http://hl7.org/fhir/sid/us-ssn\",\"value\":\"999-");
	w = w_pair(w, 10 + (v >> 40) % 90);
	*w++ = '-';
	w = w_pair(w, (v >> 48) % 100);
	w = w_pair(w, (v >> 56) % 100);
	return w_lit(w, "\"}]");
}

static char *given(char *w, struct person *who)
{
	w = w_lit(w, "\"given\":[\"");
	w = w_cstr(w, who->female ? PICK(who, female) : PICK(who, male));
	if (draw(who, 2)) {
		w = w_lit(w, "\",\"");
		w = w_cstr(w, who->female ? PICK(who, female) : PICK(who, male));
	}
	return w_lit(w, "\"]");
}

static char *prefix(char *w, struct person *who)
{
	static const char *const titles[] = {"Dr.", "Prof.", "Rev."};

	w = w_lit(w, ",\"prefix\":[\"");
	if (draw(who, 12) == 0)
		w = w_cstr(w, PICK(who, titles));
	else
		w = who->female ? w_lit(w, "Mrs.") : w_lit(w, "Mr.");
	return w_lit(w, "\"]");
}

/* A second name: maiden, a period that has ended, or what friends say. */
static char *second_name(char *w, struct person *who)
{
	w = w_lit(w, ",{\"use\":\"");
	switch (draw(who, 3)) {
	case 0:
		w = w_lit(w, "maiden\",\"family\":\"");
		w = w_cstr(w, PICK(who, families));
		w = w_lit(w, "\",");
		w = given(w, who);
		return w_lit(w, "}");
	case 1:
		w = w_lit(w, "old\",\"family\":\"");
		w = w_cstr(w, PICK(who, families));
		w = w_lit(w, "\",");
		w = given(w, who);
		w = w_lit(w, ",\"period\":{\"start\":\"");
		w = w_date(w, who->birth);
		w = w_lit(w, "\",\"end\":\"2016-05-31\"}}");
		return w;
	default:
		w = w_lit(w, "nickname\",");
		w = given(w, who);
		return w_lit(w, "}");
	}
}

/* An old name may stand first: a reader must look at `use` and `period`. */
static char *names(char *w, struct person *who)
{
	bool second = draw(who, 100) < 22;

	w = w_lit(w, ",\"name\":[");
	if (second && draw(who, 8) == 0) {
		w = w_lit(
		    w,
		    "{\"use\":\"old\",\"family\":\"Vorher\",\"given\":[\"X\"],\"period\":{\"end\":"
		    "\"2001\"}},");
		second = false;
	}
	w = w_lit(w, "{\"use\":\"official\",\"family\":\"");
	w = w_cstr(w, who->family);
	w = w_lit(w, "\",");
	w = given(w, who);
	if (draw(who, 4))
		w = prefix(w, who);
	w = w_lit(w, "}");
	if (second)
		w = second_name(w, who);
	return w_lit(w, "]");
}

static char *telecoms(char *w, struct person *who)
{
	struct rng change = rng_for(who->p->seed ^ STREAM_CHANGE ^ who->r->changed, who->i);
	uint64_t v = rng_next(&change);

	if (draw(who, 30) == 0)
		return w;
	w = w_lit(w, ",\"telecom\":[{\"system\":\"phone\",\"value\":\"555-");
	w = w_uint(w, 100 + v % 900);
	*w++ = '-';
	w = w_uint(w, 1000 + (v >> 20) % 9000);
	w = w_lit(w, "\",\"use\":\"home\"}");
	if (draw(who, 3) == 0) {
		w = w_lit(w, ",{\"system\":\"phone\",\"value\":\"+1 (617) 555-");
		w = w_uint(w, 1000 + (v >> 40) % 9000);
		w = w_lit(w, "\",\"use\":\"mobile\",\"rank\":1}");
	}
	if (draw(who, 2) == 0) {
		w = w_lit(w, ",{\"system\":\"email\",\"value\":\"p");
		w = w_uint(w, who->i);
		w = w_lit(w, "@example.org\"}");
	}
	return w_lit(w, "]");
}

static char *birth(char *w, struct person *who)
{
	unsigned k = draw(who, 100);

	if (k == 0)
		return w;
	w = w_lit(w, ",\"birthDate\":\"");
	w_date(w, who->birth);
	w += k == 1 ? 4 : k == 2 ? 7 : 10;
	return w_lit(w, "\"");
}

static char *deceased(char *w, struct person *who)
{
	unsigned k = draw(who, 100);

	if (who->birth > 9000 || k >= 20)
		return k == 99 ? w_lit(w, ",\"deceasedBoolean\":false") : w;
	if (k < 3)
		return w_lit(w, ",\"deceasedBoolean\":true");
	w = w_lit(w, ",\"deceasedDateTime\":\"");
	if (k == 3)
		return w_lit(w, "2019\"");
	if (k == 4)
		return w_lit(w, "2019-07\"");
	w = w_seconds(w, ((int64_t)16000 + draw(who, 3900)) * 86400 + draw(who, 86400));
	return w_lit(w, "-05:00\"");
}

static char *address(char *w, struct person *who, const char *code, bool old, bool second)
{
	unsigned number = 1 + draw(who, 999);

	w = w_lit(w, "{");
	if (old)
		w = w_lit(
		    w, "\"use\":\"old\",\"period\":{\"start\":\"1999\",\"end\":\"2015-08-01\"},");
	else if (second)
		w = w_lit(w, "\"use\":\"temp\",");
	else if (number % 3 == 0)
		w = w_lit(w, "\"use\":\"home\",");
	w = w_lit(w, "\"line\":[\"");
	w = w_uint(w, number);
	*w++ = ' ';
	w = w_cstr(w, PICK(who, streets));
	w = w_lit(w, "\"],\"city\":\"Cambridge\",\"state\":\"MA\",\"postalCode\":\"");
	w = w_cstr(w, code);
	return w_lit(w, "\",\"country\":\"US\"}");
}

static char *addresses(char *w, struct person *who)
{
	struct postal_codes codes;
	enum place place = population_place(who->p, who->i);

	population_postal_codes(who->p, who->i, who->r->moved, &codes);
	w = w_lit(w, ",\"address\":[");
	for (unsigned k = 0; k < codes.n; k++) {
		if (k)
			*w++ = ',';
		w = address(w, who, codes.code[k],
		            codes.n == 2 && place == PLACE_MOVED_IN && k == 0,
		            k == 1 && place == PLACE_TWO);
	}
	return w_lit(w, "]");
}

static char *marital(char *w, struct person *who)
{
	unsigned k = draw(who, LENGTH(maritals) + 1);

	if (k == LENGTH(maritals))
		return w;
	w = w_lit(
	    w,
	    ",\"maritalStatus\":{\"coding\":[{\"system\":\"http://terminology.hl7.org/CodeSystem/"
	    "v3-MaritalStatus\",\"code\":\"");
	w = w_cstr(w, maritals[k][0]);
	w = w_lit(w, "\",\"display\":\"");
	w = w_cstr(w, maritals[k][1]);
	w = w_lit(w, "\"}],\"text\":\"");
	w = w_cstr(w, maritals[k][1]);
	return w_lit(w, "\"}");
}

static char *language(char *w, struct person *who)
{
	const char *const *l = PICK(who, languages);

	w = w_lit(w,
	          ",\"communication\":[{\"language\":{\"coding\":[{\"system\":\"urn:ietf:bcp:47\","
	          "\"code\":\"");
	w = w_cstr(w, l[0]);
	w = w_lit(w, "\",\"display\":\"");
	w = w_cstr(w, l[1]);
	w = w_lit(w, "\"}],\"text\":\"");
	w = w_cstr(w, l[1]);
	return w_lit(w, "\"}}]");
}

static char *gender(char *w, struct person *who)
{
	unsigned k = draw(who, 200);

	if (k == 0)
		return w_lit(w, ",\"gender\":\"unknown\"");
	if (k <= 2)
		return w_lit(w, ",\"gender\":\"other\"");
	if (k == 3)
		return w;
	return who->female ? w_lit(w, ",\"gender\":\"female\"") : w_lit(w, ",\"gender\":\"male\"");
}

char *generate_patient(const struct population *p, char *w, uint32_t i, const struct revision *r)
{
	struct person who = {.p = p, .i = i, .r = r, .rng = rng_for(p->seed ^ STREAM_PATIENT, i)};

	who.female = draw(&who, 2);
	who.family = PICK(&who, families);
	who.birth = generate_birth_days(p, i);
	w = w_lit(w, "{\"resourceType\":\"Patient\",\"id\":\"");
	w = population_id_write(p, w, (struct id){ID_PATIENT, i, 0});
	w = w_lit(w, "\",");
	w = generate_meta(w, r);
	w = w_lit(
	    w,
	    ",\"profile\":[\"http://hl7.org/fhir/us/core/StructureDefinition/us-core-patient\"]}");
	w = extensions(w, &who);
	w = identifiers(w, &who);
	if (draw(&who, 10) == 0)
		w = draw(&who, 10) ? w_lit(w, ",\"active\":true") : w_lit(w, ",\"active\":false");
	w = names(w, &who);
	w = telecoms(w, &who);
	w = gender(w, &who);
	w = birth(w, &who);
	w = deceased(w, &who);
	w = addresses(w, &who);
	w = marital(w, &who);
	w = language(w, &who);
	return w_lit(w, "}");
}
