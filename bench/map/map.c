/* SPDX-License-Identifier: Apache-2.0
 *
 * map: how many resources a second one core parses and maps to COPY rows. Reads NDJSON from a file,
 * or makes observations of Synthea's shape itself; prints the seconds of each repetition, which
 * `run` makes medians of.
 *
 * map [FILE|-] REPETITIONS ROWS: each repetition goes over the lines until ROWS are mapped, and
 * once more only parsing them. A line is printed for each: "map SECONDS" and "parse SECONDS", of
 * the processor's time.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/rng.h"
#include "fhir/map.h"

enum { OUT_MAX = 8 << 20, LINES = 20000 };

/* 78 % Quantity, 17 % CodeableConcept, 5 % components, as in Synthea's data; about 980 bytes each.
 */
static void make_line(struct buf *b, struct rng *r, int i)
{
	uint64_t kind = rng_below(r, 100);

	buf_printf(b,
	           "{\"resourceType\":\"Observation\",\"id\":\"%d\",\"meta\":{\"versionId\":\"1\","
	           "\"lastUpdated\":\"2024-03-05T10:11:12.345+00:00\","
	           "\"source\":\"#Xa8sPqL1tRzW9k2m\",\"profile\":[\"http://hl7.org/fhir/us/core/"
	           "StructureDefinition/us-core-observation-lab\"]},"
	           "\"status\":\"final\",\"category\":[{\"coding\":[{\"system\":\"http://"
	           "terminology.hl7.org/CodeSystem/observation-category\","
	           "\"code\":\"laboratory\",\"display\":\"Laboratory\"}]}],\"code\":{\"coding\":[{"
	           "\"system\":\"http://loinc.org\",\"code\":\"%d-%d\","
	           "\"display\":\"Erythrocyte distribution width [Entitic volume] by Automated "
	           "count\"}],\"text\":\"Erythrocyte distribution width "
	           "[Entitic volume] by Automated "
	           "count\"},\"subject\":{\"reference\":\"Patient/"
	           "%d\"},\"encounter\":{\"reference\":\"Encounter/%d\"},"
	           "\"effectiveDateTime\":\"20%02d-%02d-03T04:05:06-05:00\",\"issued\":\"2019-02-"
	           "03T04:05:06.789-05:00\",",
	           i + 1000000, (int)rng_below(r, 90000) + 1000, (int)rng_below(r, 10), i / 467,
	           i / 20, (int)rng_below(r, 24), (int)rng_below(r, 12) + 1);
	if (kind < 78)
		buf_printf(b,
		           "\"valueQuantity\":{\"value\":%d.%04d,\"unit\":\"10*3/"
		           "uL\",\"system\":\"http://unitsofmeasure.org\",\"code\":\"10*3/uL\"}}",
		           (int)rng_below(r, 200), (int)rng_below(r, 10000));
	else if (kind < 95)
		buf_lit(b, "\"valueCodeableConcept\":{\"coding\":[{\"system\":\"http://snomed.info/"
		           "sct\",\"code\":\"266919005\",\"display\":"
		           "\"Never smoked tobacco (finding)\"}],\"text\":\"Never smoked tobacco "
		           "(finding)\"}}");
	else
		buf_lit(
		    b, "\"component\":[{\"code\":{\"coding\":[{\"system\":\"http://"
		       "loinc.org\",\"code\":\"8462-4\",\"display\":\"Diastolic Blood "
		       "Pressure\"}],\"text\":\"Diastolic Blood "
		       "Pressure\"},\"valueQuantity\":{\"value\":79,\"unit\":\"mm[Hg]\",\"system\":"
		       "\"http://"
		       "unitsofmeasure.org\",\"code\":\"mm[Hg]\"}},{\"code\":{\"coding\":[{"
		       "\"system\":\"http://loinc.org\",\"code\":"
		       "\"8480-6\",\"display\":\"Systolic Blood Pressure\"}],\"text\":\"Systolic "
		       "Blood Pressure\"},\"valueQuantity\":{\"value\":121,"
		       "\"unit\":\"mm[Hg]\",\"system\":\"http://"
		       "unitsofmeasure.org\",\"code\":\"mm[Hg]\"}}]}");
	buf_add_char(b, '\n');
}

static bool read_file(struct buf *b, const char *path)
{
	FILE *f = fopen(path, "rb");
	size_t n;

	if (!f)
		return false;
	do {
		if (!buf_reserve(b, 1 << 20))
			break;
		n = fread(b->p + b->n, 1, 1 << 20, f);
		b->n += n;
	} while (n);
	fclose(f);
	return !b->failed;
}

struct bench {
	char *pool;
	size_t pool_size;
	struct arena scratch;
	struct buf out;
	int64_t mapped, rejected;
	bool parse_only;
};

static bool map_line(struct bench *b, struct str line)
{
	yyjson_alc alc;
	yyjson_doc *doc;
	struct fhir_reject reject;
	yyjson_val *root;
	enum fhir_mapped verdict;

	if (!yyjson_alc_pool_init(&alc, b->pool, b->pool_size))
		return false;
	doc = yyjson_read_opts((char *)(uintptr_t)line.p, line.n, YYJSON_READ_NUMBER_AS_RAW, &alc,
	                       NULL);
	if (!doc)
		return false;
	if (b->out.n > OUT_MAX - (1 << 20))
		buf_clear(&b->out);
	if (b->parse_only) {
		yyjson_doc_free(doc);
		return true;
	}
	root = yyjson_doc_get_root(doc);
	if (yyjson_equals_str(yyjson_obj_get(root, "resourceType"), "Patient"))
		verdict = fhir_map_patient(root, line, 1717200000000000, 1, 1, &b->scratch, &b->out,
		                           &reject);
	else
		verdict = fhir_map_observation(root, line, 1, 1, &b->scratch, &b->out, &reject);
	b->mapped += verdict == FHIR_MAPPED;
	b->rejected += verdict == FHIR_REJECTED;
	arena_reset(&b->scratch);
	yyjson_doc_free(doc);
	return verdict != FHIR_MAP_FAILED;
}

static bool repetition(struct bench *b, const struct buf *lines, int64_t rows)
{
	struct timespec from, to;
	int64_t n = 0;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &from);
	while (n < rows) {
		for (size_t at = 0; at < lines->n && n < rows; n++) {
			const char *end = memchr(lines->p + at, '\n', lines->n - at);
			size_t length = end ? (size_t)(end - lines->p) - at : lines->n - at;

			if (!map_line(b, (struct str){lines->p + at, length}))
				return false;
			at += length + 1;
		}
	}
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &to);
	printf("%s %.6f\n", b->parse_only ? "parse" : "map",
	       (double)(to.tv_sec - from.tv_sec) + (double)(to.tv_nsec - from.tv_nsec) / 1e9);
	return true;
}

int main(int argc, char **argv)
{
	struct buf lines = BUF_INIT((size_t)4 << 30);
	struct bench b = {
	    .pool_size = 64 << 20, .scratch = ARENA_INIT(64 << 20), .out = BUF_INIT(OUT_MAX)};
	struct rng r = rng_for(1, 1);
	int repetitions = argc > 2 ? atoi(argv[2]) : 5;
	int64_t rows = argc > 3 ? atoll(argv[3]) : 1000000;
	bool ok;

	if (argc > 1 && strcmp(argv[1], "-") != 0)
		ok = read_file(&lines, argv[1]);
	else
		for (int i = 0; i < LINES; i++)
			make_line(&lines, &r, i);
	ok = !lines.failed && lines.n > 0;
	b.pool = malloc(b.pool_size);
	for (int i = 0; ok && b.pool && i < 2 * repetitions; i++) {
		b.parse_only = i % 2;
		ok = repetition(&b, &lines, rows);
	}
	fprintf(stderr, "%lld mapped, %lld rejected\n", (long long)b.mapped, (long long)b.rejected);
	free(b.pool);
	buf_free(&lines);
	buf_free(&b.out);
	arena_free(&b.scratch);
	return ok && b.pool ? 0 : 1;
}
