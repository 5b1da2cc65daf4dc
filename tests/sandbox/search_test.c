/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "sandbox/document.h"
#include "sandbox/search.h"

struct world {
	struct population pop;
	struct overlay overlay;
};

static const struct query_limits limits = {20, 100};

static int setup(void **state)
{
	struct world *w = calloc(1, sizeof *w);
	struct err err;

	assert_non_null(w);
	assert_true(population_init(&w->pop, 1, 100, "02139", 20, &err));
	assert_true(overlay_init(&w->overlay, &w->pop, 1 << 22, &err));
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	overlay_free(&w->overlay);
	population_free(&w->pop);
	free(w);
	return 0;
}

/* A query from "name=value&name=value"; nothing is decoded. */
static bool ask(struct world *w, enum resource_type type, const char *text, struct query *q,
                struct err *err)
{
	struct str rest = str_of(text);
	bool ok = true;

	*q = query_of(type, &limits);
	while (ok && rest.n) {
		const char *end = memchr(rest.p, '&', rest.n), *mid;
		size_t n = end ? (size_t)(end - rest.p) : rest.n;

		mid = memchr(rest.p, '=', n);
		assert_non_null(mid);
		ok =
		    query_add(q, &w->overlay, &limits, (struct str){rest.p, (size_t)(mid - rest.p)},
		              (struct str){mid + 1, n - (size_t)(mid + 1 - rest.p)}, err);
		rest.p += n + (end != NULL);
		rest.n -= n + (end != NULL);
	}
	if (!ok)
		query_free(q);
	return ok;
}

static uint64_t total(struct world *w, enum resource_type type, const char *text, uint64_t seq)
{
	struct query q;
	struct err err;
	struct search s = {&w->overlay, &q, seq};
	uint64_t n;

	if (!ask(w, type, text, &q, &err))
		fail_msg("%s", err.text);
	n = search_total(&s);
	query_free(&q);
	return n;
}

static struct overlay_entry *put(struct world *w, struct overlay_write write)
{
	struct overlay_entry *e = NULL;
	struct err err;

	if (!write.instant)
		write.instant = 1800000000000000;
	if (!overlay_write(&w->overlay, &write, &e, &err))
		fail_msg("%s", err.text);
	return e;
}

static void text_id(struct world *w, enum id_kind kind, uint32_t i, uint32_t j, char *out)
{
	*population_id_write(&w->pop, out, (struct id){kind, i, j}) = '\0';
}

static void erase(struct world *w, enum resource_type type, uint32_t i, uint32_t j)
{
	char id[POPULATION_UUID + 1];

	text_id(w, type == TYPE_PATIENT ? ID_PATIENT : ID_OBSERVATION, i, j, id);
	put(w, (struct overlay_write){.type = type, .kind = OVERLAY_DELETED, .id = str_of(id)});
}

static void touch(struct world *w, enum resource_type type, uint32_t i, uint32_t j, bool move)
{
	put(w,
	    (struct overlay_write){
	        .type = type, .kind = OVERLAY_GENERATED, .patient = i, .index = j, .move = move});
}

static void pages_hold_each_once(struct world *w, const char *text, uint64_t seq, size_t page)
{
	struct query q;
	struct err err = {0};
	struct search s = {&w->overlay, &q, seq};
	struct target *t = calloc(page, sizeof *t);
	uint64_t offset = 0, last = 0, all;
	size_t n;

	assert_true(ask(w, TYPE_OBSERVATION, text, &q, &err));
	all = search_total(&s);
	do {
		n = search_page(&s, offset, page, t, &err);
		for (size_t k = 0; k < n; k++) {
			uint64_t key = ((uint64_t)t[k].patient << 32 | t[k].index) + 1;

			assert_true(key > last);
			last = key;
		}
		offset += n;
	} while (n == page);
	assert_true(offset == all);
	query_free(&q);
	free(t);
}

static void pages_add_up_to_the_total(void **state)
{
	struct world *w = *state;
	uint64_t seq;

	for (size_t page = 1; page < 400; page = page * 3 + 1)
		pages_hold_each_once(w, "patient.address-postalcode=02139", 0, page);
	for (uint32_t i = 0; i < 30; i++) {
		touch(w, TYPE_OBSERVATION, i, 0, false);
		if (w->pop.counts[i] > 3)
			erase(w, TYPE_OBSERVATION, i, w->pop.counts[i] - 2u);
		touch(w, TYPE_OBSERVATION, i, w->pop.counts[i] + 1u, false);
	}
	seq = w->overlay.seq;
	erase(w, TYPE_OBSERVATION, 5, 0);
	erase(w, TYPE_OBSERVATION, 40, 0);
	for (size_t page = 1; page < 400; page = page * 3 + 1) {
		pages_hold_each_once(w, "patient.address-postalcode=02139", 0, page);
		pages_hold_each_once(w, "patient.address-postalcode=02139", seq, page);
		pages_hold_each_once(w, "patient.address-postalcode=02139", UINT64_MAX, page);
	}
}

static void a_search_sees_its_instant(void **state)
{
	struct world *w = *state;
	const char *zip = "patient.address-postalcode=02139";
	uint64_t before = total(w, TYPE_OBSERVATION, zip, 0), count = w->pop.counts[3], seq;
	uint64_t patients = total(w, TYPE_PATIENT, "address-postalcode=02139", 0);

	assert_true(count > 1);
	erase(w, TYPE_OBSERVATION, 3, 0);
	seq = w->overlay.seq;
	assert_true(total(w, TYPE_OBSERVATION, zip, seq) == before - 1);
	touch(w, TYPE_PATIENT, 3, 0, true);
	assert_true(total(w, TYPE_OBSERVATION, zip, UINT64_MAX) == before - count);
	assert_true(total(w, TYPE_PATIENT, "address-postalcode=02139", UINT64_MAX) == patients - 1);
	assert_true(total(w, TYPE_OBSERVATION, zip, seq) == before - 1);
	assert_true(total(w, TYPE_OBSERVATION, zip, 0) == before);
	assert_false(search_lives_in(&w->overlay, 3, STR("02139")));
	touch(w, TYPE_PATIENT, 3, 0, true);
	assert_true(search_lives_in(&w->overlay, 3, STR("02139")));
	touch(w, TYPE_PATIENT, 100, 0, true);
	assert_true(search_lives_in(&w->overlay, 100, STR("02139")));
	erase(w, TYPE_PATIENT, 3, 0);
	assert_false(search_lives_in(&w->overlay, 3, STR("02139")));
}

static void last_updated_bounds(void **state)
{
	struct world *w = *state;

	/* patient 10 was loaded at 08:00:15.370 */
	assert_true(total(w, TYPE_PATIENT, "_lastUpdated=ge2025-01-06T08:00:15.370Z", 0) ==
	            w->pop.total - 10);
	assert_true(total(w, TYPE_PATIENT, "_lastUpdated=gt2025-01-06T08:00:15.370Z", 0) ==
	            w->pop.total - 11);
	assert_true(total(w, TYPE_PATIENT, "_lastUpdated=lt2025-01-06T08:00:15.370Z", 0) == 10);
	assert_true(total(w, TYPE_PATIENT, "_lastUpdated=le2025-01-06T03:00:15.370-05:00", 0) ==
	            11);
	assert_true(total(w, TYPE_PATIENT, "_lastUpdated=2025-01-06T08:00:15Z", 0) == 1);
	assert_true(total(w, TYPE_PATIENT, "_lastUpdated=ge2025-01-07", 0) == 0);
	assert_true(total(w, TYPE_PATIENT, "_lastUpdated=2025", 0) == w->pop.total);
	assert_true(total(w, TYPE_PATIENT,
	                  "_lastUpdated=ge2025-01-06T08:00:15Z&_lastUpdated=lt2025-01-06T08:00:17Z",
	                  0) == 2);
	touch(w, TYPE_OBSERVATION, 7, 1, false);
	touch(w, TYPE_OBSERVATION, 7, w->pop.counts[7], false);
	assert_true(total(w, TYPE_OBSERVATION, "_lastUpdated=ge2026-01-01", UINT64_MAX) == 2);
	assert_true(total(w, TYPE_OBSERVATION, "_lastUpdated=ge2026-01-01", 0) == 0);
	erase(w, TYPE_OBSERVATION, 7, 1);
	assert_true(total(w, TYPE_OBSERVATION, "_lastUpdated=ge2026-01-01", UINT64_MAX) == 1);
}

static void parameters_are_checked(void **state)
{
	struct world *w = *state;
	struct query q;
	struct err err;

	assert_false(ask(w, TYPE_PATIENT, "name=x", &q, &err));
	assert_non_null(strstr(err.text, "\"name\""));
	assert_false(ask(w, TYPE_PATIENT, "patient=x", &q, &err));
	assert_false(ask(w, TYPE_PATIENT, "_count=-1", &q, &err));
	assert_false(ask(w, TYPE_PATIENT, "_count=x", &q, &err));
	assert_false(ask(w, TYPE_PATIENT, "_lastUpdated=ge2025-13-01", &q, &err));
	assert_false(ask(w, TYPE_PATIENT, "_lastUpdated=xx2025", &q, &err));
	assert_false(ask(w, TYPE_PATIENT, "_lastUpdated=ge2025-02-29", &q, &err));
	assert_false(ask(w, TYPE_PATIENT, "_format=xml", &q, &err));
	assert_false(ask(w, TYPE_PATIENT, "_sort=name", &q, &err));
	assert_true(ask(w, TYPE_PATIENT, "_count=5000&_format=application/fhir+json&_pretty=false",
	                &q, &err));
	assert_int_equal(q.count, 100);
	assert_false(q.pretty);
	query_free(&q);
	assert_true(ask(w, TYPE_PATIENT, "_count=0", &q, &err));
	assert_true(q.count_only);
	query_free(&q);
}

static void ids_and_patients(void **state)
{
	struct world *w = *state;
	char a[POPULATION_UUID + 1], b[POPULATION_UUID + 1], text[400];

	text_id(w, ID_PATIENT, 4, 0, a);
	text_id(w, ID_PATIENT, 9, 0, b);
	snprintf(text, sizeof text, "patient=Patient/%s,%s,%s,unknown", b, a, b);
	assert_true(total(w, TYPE_OBSERVATION, text, 0) ==
	            (uint64_t)w->pop.counts[4] + w->pop.counts[9]);
	snprintf(text, sizeof text, "subject=http://x/fhir/Patient/%s/_history/1", a);
	assert_true(total(w, TYPE_OBSERVATION, text, 0) == w->pop.counts[4]);
	assert_true(total(w, TYPE_OBSERVATION, "patient=unknown", 0) == 0);
	snprintf(text, sizeof text, "_id=%s,%s,nobody", a, b);
	assert_true(total(w, TYPE_PATIENT, text, 0) == 2);
	text_id(w, ID_OBSERVATION, 4, 0, b);
	snprintf(text, sizeof text, "_id=%s&patient=%s", b, a);
	assert_true(total(w, TYPE_OBSERVATION, text, 0) == 1);
	text_id(w, ID_OBSERVATION, 4, w->pop.counts[4], b);
	snprintf(text, sizeof text, "_id=%s", b);
	assert_true(total(w, TYPE_OBSERVATION, text, 0) == 0);
	touch(w, TYPE_OBSERVATION, 4, w->pop.counts[4], false);
	assert_true(total(w, TYPE_OBSERVATION, text, UINT64_MAX) == 1);
	assert_true(total(w, TYPE_OBSERVATION, text, 0) == 0);
}

static void sorting(void **state)
{
	struct world *w = *state;
	struct query q;
	struct err err = {0};
	struct search s = {&w->overlay, &q, UINT64_MAX};
	struct target t[300];
	char last[POPULATION_UUID + 1] = "", id[POPULATION_UUID + 1];
	size_t n;

	touch(w, TYPE_PATIENT, 2, 0, false);
	assert_true(ask(w, TYPE_PATIENT, "_sort=-_lastUpdated,_id", &q, &err));
	n = search_page(&s, 0, 300, t, &err);
	assert_int_equal(n, w->pop.total);
	assert_int_equal(t[0].patient, 2);
	assert_int_equal(t[1].patient, w->pop.total - 1);
	query_free(&q);
	assert_true(ask(w, TYPE_PATIENT, "_sort=_id", &q, &err));
	n = search_page(&s, 0, 300, t, &err);
	assert_int_equal(n, w->pop.total);
	for (size_t k = 0; k < n; k++) {
		text_id(w, ID_PATIENT, t[k].patient, 0, id);
		assert_true(strcmp(id, last) > 0);
		memcpy(last, id, sizeof last);
	}
	query_free(&q);
}

static void stored_resources_are_found(void **state)
{
	struct world *w = *state;
	struct overlay_write patient = {
	    .type = TYPE_PATIENT,
	    .kind = OVERLAY_STORED,
	    .json =
	        STR("{\"resourceType\":\"Patient\",\"id\":\"other\",\"meta\":{\"versionId\":\"9\","
	            "\"tag\":[{\"code\":\"x\"}]},\"multipleBirthInteger\":3,\"address\":[{"
	            "\"postalCode\":"
	            "\"02139-0001\"}]}")};
	struct overlay_write observation = {
	    .type = TYPE_OBSERVATION,
	    .kind = OVERLAY_STORED,
	    .id = STR("obs.1"),
	    .json = STR("{ \"resourceType\": \"Observation\", \"subject\": {\"reference\": "
	                "\"Patient/1000\"}, \"valueQuantity\": {\"value\": 1.10e2}}")};
	struct overlay_entry *e = put(w, patient), *o;
	struct buf out = BUF_INIT(10000);

	assert_string_equal(e->id, "1000");
	assert_true(search_lives_in(&w->overlay, e->patient, STR("02139")));
	assert_true(overlay_render(&w->overlay, e, &e->versions[0], 0, STR("x"), &out));
	assert_string_equal(out.p,
	                    "{\"resourceType\":\"Patient\",\"id\":\"1000\",\"meta\":{\"versionId\":"
	                    "\"1\",\"lastUpdated\":\"2027-01-15T08:00:00.000+00:00\",\"tag\":[{"
	                    "\"code\":\"x\"}]},\"multipleBirthInteger\":3,\"address\":[{"
	                    "\"postalCode\":\"02139-0001\"}]}");
	o = put(w, observation);
	assert_int_equal(o->versions[0].patient, e->patient);
	assert_true(total(w, TYPE_OBSERVATION, "patient=1000", UINT64_MAX) == 1);
	buf_clear(&out);
	assert_true(overlay_render(&w->overlay, o, &o->versions[0], 0, STR("x"), &out));
	assert_non_null(strstr(out.p, "1.10e2"));
	observation.json =
	    STR("{\"resourceType\":\"Observation\",\"subject\":{\"reference\":\"#in\"}}");
	put(w, observation);
	assert_true(total(w, TYPE_OBSERVATION, "patient=1000", UINT64_MAX) == 0);
	assert_true(total(w, TYPE_OBSERVATION, "_id=obs.1", UINT64_MAX) == 1);
	assert_int_equal(o->versions[1].revision.version, 2);
	buf_free(&out);
}

static void the_overlay_has_an_end(void **state)
{
	struct world *w = *state;
	struct overlay_write write = {
	    .type = TYPE_OBSERVATION, .kind = OVERLAY_GENERATED, .instant = 1};
	struct overlay_entry *e;
	struct err err;
	uint64_t seq;

	for (write.index = 0; write.index < 60000; write.index++) {
		seq = w->overlay.seq;
		if (!overlay_write(&w->overlay, &write, &e, &err))
			break;
	}
	assert_in_range(write.index, 1000, 59999);
	assert_int_equal(err.code, ERR_LIMIT);
	assert_true(w->overlay.seq == seq);
	assert_true(total(w, TYPE_OBSERVATION, "_lastUpdated=lt1990", UINT64_MAX) == write.index);
}

static void history_is_newest_first(void **state)
{
	struct world *w = *state;
	struct query q = query_of(TYPE_OBSERVATION, &limits);
	struct search s = {&w->overlay, &q, UINT64_MAX};
	struct past p[10];

	q.history = true;
	touch(w, TYPE_OBSERVATION, 1, 0, false);
	erase(w, TYPE_OBSERVATION, 1, 0);
	assert_true(search_history_total(&s) == w->pop.nobs + 2);
	assert_int_equal(search_history_page(&s, 0, 10, p), 10);
	assert_int_equal(p[0].v->kind, OVERLAY_DELETED);
	assert_int_equal(p[1].v->kind, OVERLAY_GENERATED);
	assert_null(p[2].v);
	assert_int_equal(p[2].target.patient, w->pop.total - 1);
	assert_int_equal(search_history_page(&s, w->pop.nobs + 1, 10, p), 1);
	assert_int_equal(p[0].target.patient, 0);
	assert_int_equal(p[0].target.index, 0);
	q.updated_from = 1790000000000000;
	assert_true(search_history_total(&s) == 2);
	s.seq = 1;
	assert_true(search_history_total(&s) == 1);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(pages_add_up_to_the_total),  TEST(a_search_sees_its_instant),
	    TEST(last_updated_bounds),        TEST(parameters_are_checked),
	    TEST(ids_and_patients),           TEST(sorting),
	    TEST(stored_resources_are_found), TEST(the_overlay_has_an_end),
	    TEST(history_is_newest_first),
	};

	return cmocka_run_group_tests_name("sandbox/search", tests, NULL, NULL);
}
