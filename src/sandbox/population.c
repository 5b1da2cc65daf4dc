/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox/population.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/rng.h"
#include "sandbox/text.h"

const char *const resource_type_name[2] = {"Patient", "Observation"};

enum {
	STREAM_COUNT = 1, /* streams of the seed, so that one draw does not shift another */
	STREAM_PLACE,
};

/* Quantiles of observations a patient at k/64, and at 63/64 + k/4096: lognormal with Synthea's
 * median (166) and mean (467), cut at its largest (9,087). A table, so that no libm decides a
 * population. */
static const uint16_t quantiles[65] = {
    2,   7,   11,  14,  17,  20,  24,   27,   30,   34,   37,   41,   45,   49,  53,  57,  61,
    66,  70,  75,  81,  86,  92,  97,   104,  110,  117,  124,  132,  139,  148, 157, 166, 176,
    186, 198, 210, 222, 236, 250, 266,  283,  301,  321,  342,  366,  391,  419, 450, 485, 524,
    567, 617, 674, 740, 818, 911, 1025, 1168, 1353, 1608, 1983, 2615, 4023, 9087};
static const uint16_t tail[65] = {4023, 4060, 4099, 4138, 4178, 4219, 4261, 4305, 4349, 4395, 4441,
                                  4489, 4539, 4589, 4642, 4695, 4750, 4807, 4866, 4927, 4989, 5054,
                                  5121, 5190, 5261, 5335, 5412, 5492, 5575, 5662, 5751, 5845, 5943,
                                  6045, 6152, 6265, 6383, 6507, 6637, 6775, 6921, 7076, 7240, 7416,
                                  7603, 7804, 8021, 8255, 8509, 8786, 9087, 9087, 9087, 9087, 9087,
                                  9087, 9087, 9087, 9087, 9087, 9087, 9087, 9087, 9087, 9087};

static uint32_t interpolate(const uint16_t *t, uint32_t at, uint32_t frac, uint32_t whole)
{
	return t[at] + (uint32_t)(t[at + 1] - t[at]) * frac / whole;
}

static uint16_t draw_count(uint64_t seed, uint32_t i, uint32_t scale)
{
	struct rng r = rng_for(seed ^ STREAM_COUNT, i);
	uint32_t u = (uint32_t)(rng_next(&r) >> 44); /* 20 bits: 6 choose the cell */
	uint32_t cell = u >> 14, frac = u & 0x3fff, n;

	if (cell < 63)
		n = interpolate(quantiles, cell, frac, 1 << 14);
	else
		n = interpolate(tail, frac >> 8, frac & 0xff, 1 << 8);
	n = (uint32_t)((uint64_t)n * scale / 100);
	if (n > POPULATION_MAX_OBSERVATIONS / 2)
		n = POPULATION_MAX_OBSERVATIONS / 2;
	return (uint16_t)n;
}

bool population_init(struct population *p, uint64_t seed, uint32_t patients, const char *zip,
                     uint32_t scale, struct err *err)
{
	if (patients > POPULATION_MAX_PATIENTS)
		return err_set(err, ERR_USAGE, "sandbox", "patients: %u is more than %d", patients,
		               POPULATION_MAX_PATIENTS);
	if (!str_is_zip(str_of(zip)))
		return err_set(err, ERR_USAGE, "sandbox", "zip: give five digits, such as 02139");
	if (scale > 400)
		return err_set(err, ERR_USAGE, "sandbox",
		               "observations scale: %u %% is more than 400 %%", scale);
	*p = (struct population){.seed = seed, .patients = patients};
	p->total = patients + patients / 40 + 4;
	memcpy(p->zip, zip, sizeof p->zip);
	p->counts = calloc(p->total, sizeof *p->counts);
	if (!p->counts)
		return err_set(err, ERR_NOMEM, "sandbox", "out of memory for %u patients",
		               patients);
	for (uint32_t i = 0; i < p->total; i++) {
		p->counts[i] = draw_count(seed, i, scale);
		p->nobs += p->counts[i];
	}
	return true;
}

void population_free(struct population *p)
{
	free(p->counts);
	p->counts = NULL;
}

/* Ids. 48 bits (kind 2, patient 30, index 16) go through an invertible mix and are the first twelve
 * digits of the UUID; the rest is a hash of them, which parse() checks. */
#define MASK48 0xffffffffffffu
#define ODD 0xd6e8feb86659u
#define ODD_INVERSE 0x05a0905881e9u /* ODD * ODD_INVERSE = 1 (mod 2^48); checked by a test */

static uint64_t mix48(uint64_t v, uint64_t key)
{
	v = (v ^ key) & MASK48;
	v = (v ^ (v >> 24)) * ODD & MASK48;
	v = (v ^ (v >> 24)) * ODD & MASK48;
	return v ^ (v >> 24);
}

static uint64_t unmix48(uint64_t v, uint64_t key)
{
	v ^= v >> 24;
	v = v * ODD_INVERSE & MASK48;
	v ^= v >> 24;
	v = v * ODD_INVERSE & MASK48;
	v ^= v >> 24;
	return (v ^ key) & MASK48;
}

static uint64_t id_key(const struct population *p)
{
	return (p->seed * 0x9e3779b97f4a7c15u) >> 16;
}

static char *uuid_write(const struct population *p, char *w, uint64_t head)
{
	struct rng r = {head ^ p->seed};
	uint64_t rest = rng_next(&r);

	w = w_hex(w, head >> 16, 8);
	*w++ = '-';
	w = w_hex(w, head & 0xffff, 4);
	*w++ = '-';
	*w++ = '4';
	w = w_hex(w, rest & 0xfff, 3);
	*w++ = '-';
	*w++ = "89ab"[rest >> 62];
	w = w_hex(w, rest >> 12 & 0xfff, 3);
	*w++ = '-';
	return w_hex(w, (rest * 0xd1342543de82ef95u) >> 16, 12);
}

char *population_id_write(const struct population *p, char *w, struct id id)
{
	uint64_t v = (uint64_t)id.kind << 46 | (uint64_t)id.patient << 16 | id.index;

	return uuid_write(p, w, mix48(v, id_key(p)));
}

static bool hex_parse(const char *s, size_t n, uint64_t *v)
{
	for (size_t k = 0; k < n; k++) {
		const char *d = s[k] ? strchr("0123456789abcdef", s[k]) : NULL;

		if (!d)
			return false;
		*v = *v << 4 | (uint64_t)(strchr("0123456789abcdef", s[k]) - "0123456789abcdef");
	}
	return true;
}

bool population_id_parse(const struct population *p, struct str text, struct id *id)
{
	char again[POPULATION_UUID];
	uint64_t head = 0, v;

	if (text.n != POPULATION_UUID || !hex_parse(text.p, 8, &head) ||
	    !hex_parse(text.p + 9, 4, &head))
		return false;
	uuid_write(p, again, head);
	if (memcmp(again, text.p, sizeof again) != 0)
		return false;
	v = unmix48(head, id_key(p));
	id->kind = (enum id_kind)(v >> 46);
	id->patient = v >> 16 & 0x3fffffff;
	id->index = v & 0xffff;
	return true;
}

int64_t population_instant(uint32_t patient)
{
	/* 6 January 2025, 08:00 UTC, and a patient every 1.537 s */
	return 1736150400000000 + (int64_t)patient * 1537000;
}

enum place population_place(const struct population *p, uint32_t patient)
{
	static const enum place next_door[8] = {PLACE_NEXT, PLACE_PREFIX, PLACE_SHORT, PLACE_LETTER,
	                                        PLACE_NEXT, PLACE_NEXT,   PLACE_NEXT,  PLACE_NEXT};
	struct rng r;
	uint64_t v;

	if (patient >= p->patients)
		return next_door[(patient - p->patients) % 8];
	r = rng_for(p->seed ^ STREAM_PLACE, patient);
	v = rng_below(&r, 100);
	return v < 80 ? PLACE_PLAIN : v < 88 ? PLACE_PLUS4 : v < 95 ? PLACE_MOVED_IN : PLACE_TWO;
}

static void code_add(struct postal_codes *c, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

static void code_add(struct postal_codes *c, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(c->code[c->n++], POPULATION_CODE_TEXT, fmt, ap);
	va_end(ap);
}

static unsigned neighbour(const struct population *p, uint32_t patient, uint32_t far)
{
	int64_t zip = 0;

	str_int(str_of(p->zip), 0, 99999, &zip);
	return ((unsigned)zip + 1 + patient % 5 + far * 7) % 100000;
}

void population_postal_codes(const struct population *p, uint32_t patient, uint32_t moved,
                             struct postal_codes *out)
{
	unsigned next = neighbour(p, patient, moved);

	out->n = 0;
	if (moved % 2) { /* out of the zip; for those next door: into it */
		if (patient < p->patients)
			code_add(out, "%05u", next);
		else
			code_add(out, "%s", p->zip);
		return;
	}
	switch (population_place(p, patient)) {
	case PLACE_PLAIN:
		code_add(out, "%s", p->zip);
		break;
	case PLACE_PLUS4:
		code_add(out, "%s-%04u", p->zip, 1000 + patient * 37 % 9000);
		break;
	case PLACE_MOVED_IN:
		code_add(out, "%05u", next);
		code_add(out, "%s", p->zip);
		break;
	case PLACE_TWO:
		code_add(out, "%s", p->zip);
		code_add(out, "%05u", next);
		break;
	case PLACE_NEXT:
		code_add(out, "%05u", next);
		break;
	case PLACE_PREFIX:
		code_add(out, "%s00", p->zip);
		break;
	case PLACE_SHORT:
		code_add(out, "%.4s", p->zip);
		break;
	case PLACE_LETTER:
		code_add(out, "%sX", p->zip);
		break;
	}
}

static bool is_of(const char *code, struct str zip)
{
	size_t n = strlen(code);

	if (n < zip.n || memcmp(code, zip.p, zip.n) != 0)
		return false;
	if (n == zip.n)
		return true;
	return n == zip.n + 5 && code[zip.n] == '-' && strspn(code + zip.n + 1, "0123456789") == 4;
}

bool postal_codes_are_of(const struct postal_codes *c, struct str zip)
{
	for (unsigned k = 0; k < c->n; k++)
		if (is_of(c->code[k], zip))
			return true;
	return false;
}

bool postal_codes_match(const struct postal_codes *c, struct str text, bool exact)
{
	for (unsigned k = 0; k < c->n; k++) {
		size_t n = strlen(c->code[k]);

		if (exact ? n == text.n && memcmp(c->code[k], text.p, n) == 0
		          : n >= text.n && strncasecmp(c->code[k], text.p, text.n) == 0)
			return true;
	}
	return false;
}
