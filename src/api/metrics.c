/* SPDX-License-Identifier: Apache-2.0 */
#include "api/metrics.h"

#include <stdlib.h>
#include <string.h>

static const char *const methods[] = {"GET", "HEAD", "POST", "OPTIONS", "OTHER"};
static const int statuses[] = {200, 202, 204, 304, 400, 403, 404, 405,
                               409, 410, 413, 415, 421, 429, 500, 503};
static const struct {
	int64_t us;
	const char *label;
} buckets[] = {
    {500, "0.0005"},  {1000, "0.001"},  {2500, "0.0025"}, {5000, "0.005"},  {10000, "0.01"},
    {25000, "0.025"}, {50000, "0.05"},  {100000, "0.1"},  {250000, "0.25"}, {500000, "0.5"},
    {1000000, "1"},   {2500000, "2.5"}, {10000000, "10"},
};

enum {
	METHODS_N = sizeof methods / sizeof methods[0],
	STATUSES_N = sizeof statuses / sizeof statuses[0],
	BUCKETS_N = sizeof buckets / sizeof buckets[0],
};

struct route_metrics {
	int64_t count[METHODS_N][STATUSES_N];
	int64_t bucket[BUCKETS_N + 1];
	int64_t total, total_us;
};

struct metrics {
	int routes;
	struct route_metrics *table; /* one more than there are routes: no such path */
};

struct metrics *metrics_new(int routes)
{
	struct metrics *m = calloc(1, sizeof *m);

	if (!m)
		return NULL;
	m->routes = routes;
	m->table = calloc((size_t)routes + 1, sizeof *m->table);
	if (!m->table) {
		free(m);
		return NULL;
	}
	return m;
}

void metrics_free(struct metrics *m)
{
	if (!m)
		return;
	free(m->table);
	free(m);
}

void metrics_count(struct metrics *m, int route, const char *method, int status,
                   int64_t duration_us)
{
	struct route_metrics *t = &m->table[route < 0 ? m->routes : route];
	int i = 0, s = 0, b = 0;

	while (i < METHODS_N - 1 && strcmp(methods[i], method) != 0)
		i++;
	while (s < STATUSES_N && statuses[s] != status)
		s++;
	while (b < BUCKETS_N && duration_us > buckets[b].us)
		b++;
	if (s < STATUSES_N)
		t->count[i][s]++;
	t->bucket[b]++;
	t->total++;
	t->total_us += duration_us;
}

static void head(struct buf *out, const char *name, const char *type, const char *help)
{
	buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void write_counts(const struct route_metrics *t, struct buf *out, const char *path)
{
	for (int m = 0; m < METHODS_N; m++)
		for (int s = 0; s < STATUSES_N; s++)
			if (t->count[m][s])
				buf_printf(out,
				           "fhirline_http_requests_total{route=\"%s\",method=\"%"
				           "s\",status=\"%d\"} %lld\n",
				           path, methods[m], statuses[s],
				           (long long)t->count[m][s]);
}

static void write_durations(const struct route_metrics *t, struct buf *out, const char *path)
{
	static const char name[] = "fhirline_http_request_duration_seconds";
	int64_t sum = 0;

	if (!t->total)
		return;
	for (int b = 0; b < BUCKETS_N; b++) {
		sum += t->bucket[b];
		buf_printf(out, "%s_bucket{route=\"%s\",le=\"%s\"} %lld\n", name, path,
		           buckets[b].label, (long long)sum);
	}
	buf_printf(out, "%s_bucket{route=\"%s\",le=\"+Inf\"} %lld\n", name, path,
	           (long long)t->total);
	buf_printf(out, "%s_sum{route=\"%s\"} %lld.%06lld\n", name, path,
	           (long long)(t->total_us / 1000000), (long long)(t->total_us % 1000000));
	buf_printf(out, "%s_count{route=\"%s\"} %lld\n", name, path, (long long)t->total);
}

/* Two routes can share a path (GET and POST): their histograms are one series, so they are added
 * up. */
static bool merge_path(const struct metrics *m, int route, const char *(*path_of)(int),
                       struct route_metrics *sum)
{
	const char *path = path_of(route);

	for (int i = 0; i < route; i++)
		if (strcmp(path_of(i), path) == 0)
			return false;
	*sum = m->table[route];
	for (int i = route + 1; i < m->routes; i++) {
		if (route >= m->routes || strcmp(path_of(i), path) != 0)
			continue;
		for (int k = 0; k < METHODS_N * STATUSES_N; k++)
			(&sum->count[0][0])[k] += (&m->table[i].count[0][0])[k];
		for (int b = 0; b <= BUCKETS_N; b++)
			sum->bucket[b] += m->table[i].bucket[b];
		sum->total += m->table[i].total;
		sum->total_us += m->table[i].total_us;
	}
	return true;
}

void metrics_write(const struct metrics *m, struct buf *out, const char *(*path_of)(int route))
{
	struct route_metrics sum;

	head(out, "fhirline_http_requests_total", "counter", "Requests answered.");
	for (int i = 0; i < m->routes; i++)
		if (merge_path(m, i, path_of, &sum))
			write_counts(&sum, out, path_of(i));
	write_counts(&m->table[m->routes], out, "(none)");
	head(out, "fhirline_http_request_duration_seconds", "histogram",
	     "From the request line to the last byte of the answer.");
	for (int i = 0; i < m->routes; i++)
		if (merge_path(m, i, path_of, &sum))
			write_durations(&sum, out, path_of(i));
	write_durations(&m->table[m->routes], out, "(none)");
}

void metrics_gauge(struct buf *out, const char *name, const char *help, int64_t value)
{
	head(out, name, "gauge", help);
	buf_printf(out, "%s %lld\n", name, (long long)value);
}

void metrics_counter(struct buf *out, const char *name, const char *help, int64_t value)
{
	head(out, name, "counter", help);
	buf_printf(out, "%s %lld\n", name, (long long)value);
}
