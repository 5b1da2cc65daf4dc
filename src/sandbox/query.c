/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox/query.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "sandbox/document.h"

#define SECOND 1000000
#define DAY_US (86400 * (int64_t)SECOND)

struct query query_of(enum resource_type type, const struct query_limits *limits)
{
	return (struct query){.type = type,
	                      .pretty = true,
	                      .count = limits->default_page,
	                      .updated_from = INT64_MIN,
	                      .updated_to = INT64_MAX};
}

void query_free(struct query *q)
{
	free(q->patients);
	free(q->ids);
	q->patients = NULL;
	q->ids = NULL;
}

static bool bad_value(struct err *err, struct str name)
{
	return err_set(err, ERR_USAGE, "sandbox.query",
	               "HAPI-1684: Invalid value for search parameter \"%.*s\"", STR_FMT(name));
}

/* Dates. */
static bool digits(struct str *s, size_t n, int *v)
{
	int64_t wide;

	if (s->n < n || !str_int((struct str){s->p, n}, 0, 9999, &wide))
		return false;
	*v = (int)wide;
	s->p += n;
	s->n -= n;
	return true;
}

static bool skip(struct str *s, char c)
{
	if (!s->n || *s->p != c)
		return false;
	s->p++;
	s->n--;
	return true;
}

static bool parse_zone(struct str s, int64_t *offset)
{
	int sign, h, m;

	*offset = 0;
	if (s.n == 0 || str_is(s, "Z"))
		return true;
	/* an unescaped '+' arrives as a space */
	sign = skip(&s, '-') ? -1 : skip(&s, '+') || skip(&s, ' ') ? 1 : 0;
	if (!sign || !digits(&s, 2, &h) || !skip(&s, ':') || !digits(&s, 2, &m) || s.n)
		return false;
	*offset = sign * (h * 60 + m) * (int64_t)60 * SECOND;
	return true;
}

static bool parse_fraction(struct str *s, int64_t *us, int64_t *width)
{
	if (!skip(s, '.'))
		return true;
	while (s->n && *s->p >= '0' && *s->p <= '9') {
		if (*width > 1) {
			*width /= 10;
			*us += (*s->p - '0') * *width;
		}
		s->p++;
		s->n--;
	}
	return true;
}

static bool parse_clock(struct str s, int64_t *from, int64_t *to)
{
	int h, m, sec = 0;
	int64_t width = (int64_t)60 * SECOND, fraction = 0, offset;

	if (!digits(&s, 2, &h) || !skip(&s, ':') || !digits(&s, 2, &m) || h > 23 || m > 59)
		return false;
	if (skip(&s, ':')) {
		width = SECOND;
		if (!digits(&s, 2, &sec) || sec > 60 || !parse_fraction(&s, &fraction, &width))
			return false;
	}
	if (!parse_zone(s, &offset))
		return false;
	*from += (h * (int64_t)3600 + m * 60 + sec) * SECOND + fraction - offset;
	*to = *from + width;
	return true;
}

bool query_parse_time(struct str s, int64_t *from, int64_t *to)
{
	int y, m = 1, d = 1;
	int64_t a, b;

	if (!digits(&s, 4, &y) || y < 1)
		return false;
	if (!s.n) {
		a = clock_days_from_civil(y, 1, 1) * DAY_US;
		b = clock_days_from_civil(y + 1, 1, 1) * DAY_US;
	} else if (!skip(&s, '-') || !digits(&s, 2, &m) || m < 1 || m > 12) {
		return false;
	} else if (!s.n) {
		a = clock_days_from_civil(y, m, 1) * DAY_US;
		b = a + clock_days_in_month(y, m) * DAY_US;
	} else {
		if (!skip(&s, '-') || !digits(&s, 2, &d) || d < 1 || d > clock_days_in_month(y, m))
			return false;
		a = clock_days_from_civil(y, m, d) * DAY_US;
		b = a + DAY_US;
		if (s.n && (!skip(&s, 'T') || !parse_clock(s, &a, &b)))
			return false;
	}
	*from = a;
	*to = b;
	return true;
}

static void at_least(struct query *q, int64_t from)
{
	if (from > q->updated_from)
		q->updated_from = from;
}

static void below(struct query *q, int64_t to)
{
	if (to < q->updated_to)
		q->updated_to = to;
}

static bool add_updated(struct query *q, struct str name, struct str value, struct err *err)
{
	struct str rest = value;
	char prefix[3] = "eq";
	int64_t from, to;

	if (value.n > 2 && value.p[0] >= 'a' && value.p[0] <= 'z') {
		memcpy(prefix, value.p, 2);
		rest = (struct str){value.p + 2, value.n - 2};
	}
	if (!query_parse_time(rest, &from, &to))
		return bad_value(err, name);
	if (!strcmp(prefix, "ge"))
		at_least(q, from);
	else if (!strcmp(prefix, "gt") || !strcmp(prefix, "sa"))
		at_least(q, to);
	else if (!strcmp(prefix, "le"))
		below(q, to);
	else if (!strcmp(prefix, "lt") || !strcmp(prefix, "eb"))
		below(q, from);
	else if (!strcmp(prefix, "eq")) {
		at_least(q, from);
		below(q, to);
	} else
		return bad_value(err, name);
	return true;
}

static bool next_value(struct str *list, struct str *one)
{
	const char *comma;

	if (!list->p)
		return false;
	comma = memchr(list->p, ',', list->n);
	one->p = list->p;
	one->n = comma ? (size_t)(comma - list->p) : list->n;
	list->n -= one->n + (comma != NULL);
	list->p = comma ? comma + 1 : NULL;
	return true;
}

static int number_cmp(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

/* Two patient parameters are an AND in FHIR; nobody here needs it, so the later one must repeat. */
static bool add_patients(struct query *q, const struct overlay *o, struct str name,
                         struct str value, struct err *err)
{
	struct str one, id;
	size_t n = 1, kept = 0;

	if (q->has_patients || !value.n)
		return bad_value(err, name);
	for (size_t k = 0; k < value.n; k++)
		n += value.p[k] == ',';
	if (n > QUERY_VALUES_MAX)
		return bad_value(err, name);
	q->patients = malloc(n * sizeof *q->patients);
	if (!q->patients)
		return err_set(err, ERR_NOMEM, "sandbox.query", "out of memory");
	q->has_patients = true;
	while (next_value(&value, &one)) {
		uint32_t p;

		id = one;
		if (memchr(one.p, '/', one.n) && !document_patient_id(one, &id))
			return bad_value(err, name);
		p = overlay_patient_number(o, id);
		if (p != OVERLAY_NOBODY)
			q->patients[kept++] = p;
	}
	/* by number, as a database would answer by its own key, and to drop repeated ones */
	qsort(q->patients, kept, sizeof *q->patients, number_cmp);
	for (size_t k = 0; k < kept; k++)
		if (!q->npatients || q->patients[q->npatients - 1] != q->patients[k])
			q->patients[q->npatients++] = q->patients[k];
	return true;
}

static bool add_sort(struct query *q, struct str name, struct str value, struct err *err)
{
	struct str one;
	unsigned n = 0;

	while (next_value(&value, &one)) {
		enum query_sort s = str_is(one, "_lastUpdated")    ? SORT_UPDATED
		                    : str_is(one, "-_lastUpdated") ? SORT_UPDATED_DOWN
		                    : str_is(one, "_id")           ? SORT_ID
		                    : str_is(one, "-_id")          ? SORT_ID_DOWN
		                                                   : SORT_NONE;
		if (s == SORT_NONE || n == 2)
			return bad_value(err, name);
		q->sort[n++] = s;
	}
	return true;
}

static bool add_zip(struct query *q, struct str name, struct str value, bool exact, struct err *err)
{
	if (!value.n || value.n > QUERY_ZIP_MAX || q->has_zip)
		return bad_value(err, name);
	memcpy(q->zip, value.p, value.n);
	q->zip[value.n] = '\0';
	q->has_zip = true;
	q->zip_exact = exact;
	return true;
}

static bool add_ids(struct query *q, struct str name, struct str value, struct err *err)
{
	if (q->ids || !value.n)
		return bad_value(err, name);
	q->ids = str_dup(value);
	return q->ids || err_set(err, ERR_NOMEM, "sandbox.query", "out of memory");
}

static bool add_count(struct query *q, const struct query_limits *limits, struct str name,
                      struct str value, struct err *err)
{
	int64_t n;

	if (!str_int(value, 0, INT32_MAX, &n))
		return bad_value(err, name);
	q->count_only = q->count_only || n == 0;
	q->count = n < limits->max_page ? (uint32_t)n : limits->max_page;
	return true;
}

/* What every request may carry. */
static bool add_common(struct query *q, const struct query_limits *limits, struct str name,
                       struct str value, bool *known, struct err *err)
{
	*known = true;
	if (str_is(name, "_count"))
		return add_count(q, limits, name, value, err);
	if (str_is(name, "_pretty")) {
		q->pretty = !str_is(value, "false");
		q->pretty_asked = q->pretty;
		return true;
	}
	if (str_is(name, "_format")) {
		q->format_asked = true;
		return memmem(value.p ? value.p : "", value.n, "json", 4) || bad_value(err, name);
	}
	*known = false;
	return true;
}

bool query_add_history(struct query *q, const struct query_limits *limits, struct str name,
                       struct str value, struct err *err)
{
	int64_t from, to;
	bool known;

	if (!add_common(q, limits, name, value, &known, err))
		return false;
	if (known)
		return true;
	if (!str_is(name, "_since"))
		return err_set(err, ERR_USAGE, "sandbox.query",
		               "HAPI-0302: Unknown parameter \"%.*s\" for _history", STR_FMT(name));
	if (!query_parse_time(value, &from, &to))
		return bad_value(err, name);
	q->updated_from = from;
	return true;
}

static bool unknown(const struct query *q, struct str name, struct err *err)
{
	const char *more = q->type == TYPE_OBSERVATION
	                       ? "patient, patient.address-postalcode, subject"
	                       : "address-postalcode";

	return err_set(
	    err, ERR_USAGE, "sandbox.query",
	    "HAPI-0524: Unknown search parameter \"%.*s\" for resource type \"%s\". Valid "
	    "search parameters for this search are: [_id, _lastUpdated, %s]",
	    STR_FMT(name), resource_type_name[q->type], more);
}

bool query_add(struct query *q, const struct overlay *o, const struct query_limits *limits,
               struct str name, struct str value, struct err *err)
{
	const char *zip =
	    q->type == TYPE_PATIENT ? "address-postalcode" : "patient.address-postalcode";
	struct str head = name;
	bool known, exact;

	if (!add_common(q, limits, name, value, &known, err))
		return false;
	if (known)
		return true;
	exact = name.n > 6 && memcmp(name.p + name.n - 6, ":exact", 6) == 0;
	if (exact)
		head.n -= 6;
	if (str_is(head, zip))
		return add_zip(q, name, value, exact, err);
	if (str_is(name, "_lastUpdated"))
		return add_updated(q, name, value, err);
	if (str_is(name, "_id"))
		return add_ids(q, name, value, err);
	if (str_is(name, "_sort"))
		return add_sort(q, name, value, err);
	if (q->type == TYPE_OBSERVATION &&
	    (str_is(name, "patient") || str_is(name, "subject") || str_is(name, "subject:Patient")))
		return add_patients(q, o, name, value, err);
	if (str_is(name, "_summary")) {
		q->count_only = q->count_only || str_is(value, "count");
		return str_is(value, "count") || str_is(value, "false") || bad_value(err, name);
	}
	if (str_is(name, "_elements")) {
		q->only_ids = str_is(value, "id");
		return q->only_ids || bad_value(err, name);
	}
	if (str_is(name, "_total")) {
		q->total = str_is(value, "accurate");
		return q->total || str_is(value, "none") || str_is(value, "estimate") ||
		       bad_value(err, name);
	}
	return unknown(q, name, err);
}
