/* SPDX-License-Identifier: Apache-2.0
 *
 * The request log: what tests count to see that nothing was asked twice. The people are generated,
 * so queries may be in it.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "sandbox/service.h"

enum { LINES_FIRST = 1024, LINE_MAX_BYTES = 256 << 10, FORM_MAX = 32 << 10 };

bool requestlog_open(struct request_log *l, const char *path, struct err *err)
{
	l->next = 1;
	if (!path)
		return true;
	l->file = fopen(path, "ae");
	return l->file || err_set_errno(err, ERR_IO, "sandbox.log", errno, "cannot write %s", path);
}

static void drop_first(struct request_log *l)
{
	struct log_line *line = &l->lines[l->first];

	l->bytes -= line->bytes;
	free(line->json);
	l->first = (l->first + 1) % l->cap;
	l->count--;
}

static bool ring_grow(struct request_log *l)
{
	size_t cap = l->cap ? l->cap * 2 : LINES_FIRST;
	struct log_line *lines;

	if (l->count < l->cap)
		return true;
	lines = malloc(cap * sizeof *lines);
	if (!lines)
		return false;
	for (size_t k = 0; k < l->count; k++)
		lines[k] = l->lines[(l->first + k) % l->cap];
	free(l->lines);
	l->lines = lines;
	l->cap = cap;
	l->first = 0;
	return true;
}

static void write_line(const struct request *r, const struct reply *reply, size_t bytes, uint64_t n,
                       struct buf *out)
{
	const struct sandbox *s = r->s;
	struct str form = {r->body.p, r->body.n < FORM_MAX ? r->body.n : FORM_MAX};
	char when[CLOCK_TEXT];

	clock_format(clock_now_us(s->clock), when);
	buf_printf(out,
	           "{\"n\":%llu,\"at\":\"%s\",\"method\":\"%s\",\"path\":", (unsigned long long)n,
	           when, r->method);
	buf_add_json(out, r->path);
	buf_lit(out, ",\"query\":");
	buf_add_json(out, r->query.p ? r->query : STR(""));
	if (form.n && memmem(r->path.p, r->path.n, "/_search", 8)) {
		buf_lit(out, ",\"form\":");
		buf_add_json(out, form);
	}
	buf_printf(out,
	           ",\"status\":%u,\"bytes\":%zu,\"resources\":%llu,\"ms\":%lld,\"running\":%u",
	           reply->status, bytes, (unsigned long long)reply->resources,
	           (long long)(clock_mono_ms(s->clock) - r->started_ms), s->stats.running);
	if (r->fault.set) {
		buf_lit(out, ",\"faults\":\"");
		fault_names(&r->fault, out);
		buf_lit(out, "\"");
	}
	buf_lit(out, "}");
}

void requestlog_add(struct request *r, const struct reply *reply, size_t bytes)
{
	struct request_log *l = &r->s->log;
	struct buf out = BUF_INIT(LINE_MAX_BYTES);

	pthread_mutex_lock(&r->s->lock);
	r->s->stats.bytes += bytes;
	r->s->stats.resources += reply->resources;
	write_line(r, reply, bytes, l->next, &out);
	if (out.failed || !ring_grow(l)) {
		buf_free(&out);
	} else {
		l->lines[(l->first + l->count++) % l->cap] =
		    (struct log_line){l->next, out.p, out.n};
		l->bytes += out.n;
		if (l->file) {
			fprintf(l->file, "%s\n", out.p);
			fflush(l->file);
		}
	}
	l->next++;
	while (l->bytes > REQUEST_LOG_MAX)
		drop_first(l);
	pthread_mutex_unlock(&r->s->lock);
}

void requestlog_since(struct sandbox *s, uint64_t since, struct buf *out)
{
	struct request_log *l = &s->log;
	bool first = true;

	pthread_mutex_lock(&s->lock);
	buf_printf(out, "{\"next\":%llu,\"requests\":[", (unsigned long long)l->next);
	for (size_t k = 0; k < l->count; k++) {
		const struct log_line *line = &l->lines[(l->first + k) % l->cap];

		if (line->n < since)
			continue;
		buf_add_cstr(out, first ? "\n" : ",\n");
		buf_add(out, line->json, line->bytes);
		first = false;
	}
	buf_lit(out, "]}\n");
	pthread_mutex_unlock(&s->lock);
}

void requestlog_close(struct request_log *l)
{
	while (l->count)
		drop_first(l);
	free(l->lines);
	if (l->file)
		fclose(l->file);
	*l = (struct request_log){0};
}
