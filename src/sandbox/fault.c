/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox/fault.h"

#include <stdlib.h>
#include <string.h>

/* How a fault's arguments are written. */
enum shape {
	BARE,        /* lost-next */
	NUMBER,      /* status 503 */
	SIGNED,      /* wrong-length -10 */
	AFTER,       /* cut after 500 */
	MAYBE_AFTER, /* reset, reset after 500 */
	RATE,        /* drip 100 per 50 */
};

static const struct {
	const char *name;
	enum shape shape;
	int64_t max;
} faults[FAULT_KINDS] = {
    [FAULT_STATUS] = {"status", NUMBER, 599},
    [FAULT_RETRY_AFTER] = {"retry-after", NUMBER, 86400},
    [FAULT_RETRY_AFTER_DATE] = {"retry-after-date", NUMBER, 86400},
    [FAULT_HTML] = {"html", BARE, 0},
    [FAULT_EMPTY] = {"empty", BARE, 0},
    [FAULT_DELAY] = {"delay", NUMBER, 3600000},
    [FAULT_CUT] = {"cut", AFTER, INT32_MAX},
    [FAULT_RESET] = {"reset", MAYBE_AFTER, INT32_MAX},
    [FAULT_DRIP] = {"drip", RATE, 1000000},
    [FAULT_WRONG_LENGTH] = {"wrong-length", SIGNED, 1000000},
    [FAULT_INVALID_JSON] = {"invalid-json", BARE, 0},
    [FAULT_BAD_GZIP] = {"bad-gzip", BARE, 0},
    [FAULT_SAME_NEXT] = {"same-next", BARE, 0},
    [FAULT_LOST_NEXT] = {"lost-next", BARE, 0},
    [FAULT_FOREIGN_NEXT] = {"foreign-next", BARE, 0},
    [FAULT_STALE_TOTAL] = {"stale-total", NUMBER, INT32_MAX},
    [FAULT_EXPIRE_PAGING] = {"expire-paging", BARE, 0},
    [FAULT_DUPLICATE] = {"duplicate", BARE, 0},
    [FAULT_SILENT_CAP] = {"silent-cap", NUMBER, INT32_MAX},
    [FAULT_DELETE_BETWEEN] = {"delete-between", BARE, 0},
    [FAULT_CHANGE_BETWEEN] = {"change-between", BARE, 0},
    [FAULT_TOKEN_EXPIRY] = {"token-expiry", BARE, 0},
    [FAULT_CLOCK_SKEW] = {"clock-skew", SIGNED, 315360000},
    [FAULT_NOT_FHIR] = {"not-fhir", BARE, 0},
    [FAULT_OUTCOME_ENTRY] = {"outcome-entry", BARE, 0},
    [FAULT_OTHER_TYPE] = {"other-type", BARE, 0},
    [FAULT_MISSING_ENTRY] = {"missing-entry", BARE, 0},
    [FAULT_HUGE_NOTE] = {"huge-note", NUMBER, 64000000},
    [FAULT_BAD_UTF8] = {"bad-utf8", BARE, 0},
};

static const struct {
	const char *name;
	unsigned classes;
} words[] = {
    {"any", 0},
    {"patient", CLASS_PATIENT},
    {"observation", CLASS_OBSERVATION},
    {"search", CLASS_SEARCH},
    {"page", CLASS_PAGE},
    {"count", CLASS_COUNT},
    {"history", CLASS_HISTORY},
    {"metadata", CLASS_METADATA},
    {"read", CLASS_READ},
    {"write", CLASS_WRITE},
};

enum when {
	WHEN_NTH,
	WHEN_EVERY,
	WHEN_FROM,
};

struct rule {
	unsigned classes; /* all of them */
	uint64_t page;    /* 0: any */
	enum when when;
	uint64_t n;
	uint64_t times; /* how often at most; 0: no limit */
	struct fault fault;
	uint64_t seen;
	uint64_t hits;
};

struct fault_script {
	struct rule *rules;
	size_t n;
};

/* The words of one line. */
struct words {
	struct str rest;
	struct str word; /* the next one; n == 0 at the end */
	size_t line;
	struct err *err;
};

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == ',';
}

static void next_word(struct words *w)
{
	size_t n = 0;

	while (w->rest.n && is_space(*w->rest.p)) {
		w->rest.p++;
		w->rest.n--;
	}
	while (n < w->rest.n && !is_space(w->rest.p[n]) && w->rest.p[n] != ':')
		n++;
	if (!n && w->rest.n) /* the colon is a word */
		n = 1;
	w->word = (struct str){w->rest.p, n};
	w->rest.p += n;
	w->rest.n -= n;
}

static bool mistake(const struct words *w, const char *expected)
{
	if (!w->word.n)
		return err_set(w->err, ERR_USAGE, "sandbox.fault",
		               "fault script, line %zu: the line ends where %s should be", w->line,
		               expected);
	return err_set(w->err, ERR_USAGE, "sandbox.fault",
	               "fault script, line %zu: \"%.*s\" where %s should be", w->line,
	               (int)(w->word.n < 40 ? w->word.n : 40), w->word.p, expected);
}

static bool take_word(struct words *w, const char *word)
{
	if (!str_is(w->word, word))
		return false;
	next_word(w);
	return true;
}

static bool take_number(struct words *w, int64_t min, int64_t max, int64_t *v)
{
	struct str digits = w->word;

	if (min < 0 && digits.n > 1 && *digits.p == '+') {
		digits.p++;
		digits.n--;
	}
	if (!str_int(digits, min, max, v))
		return mistake(w, "a number in range");
	next_word(w);
	return true;
}

static bool take_count(struct words *w, uint64_t *v)
{
	int64_t n;

	if (!take_number(w, 1, INT32_MAX, &n))
		return false;
	*v = (uint64_t)n;
	return true;
}

static bool take_class(struct words *w, struct rule *r, bool *known)
{
	int64_t page;

	*known = false;
	for (size_t k = 0; k < sizeof words / sizeof *words; k++) {
		if (!take_word(w, words[k].name))
			continue;
		*known = true;
		if (words[k].classes == CLASS_PAGE && str_int(w->word, 1, INT32_MAX, &page)) {
			r->page = (uint64_t)page;
			r->classes |= CLASS_SEARCH;
			next_word(w);
		} else {
			r->classes |= words[k].classes;
		}
		return true;
	}
	return true;
}

static bool take_selector(struct words *w, struct rule *r)
{
	bool known, once = true;

	r->n = 1;
	while (!str_is(w->word, ":")) {
		if (!take_class(w, r, &known))
			return false;
		if (known)
			continue;
		if (take_word(w, "times")) {
			if (!take_count(w, &r->times))
				return false;
			continue;
		}
		once = false;
		if (take_word(w, "always")) {
			r->when = WHEN_FROM;
			continue;
		}
		if (take_word(w, "request"))
			r->when = WHEN_NTH;
		else if (take_word(w, "every"))
			r->when = WHEN_EVERY;
		else if (take_word(w, "from"))
			r->when = WHEN_FROM;
		else
			return mistake(
			    w, "a kind of request, request N, every N, from N, always, times N "
			       "or \":\"");
		if (!take_count(w, &r->n))
			return false;
	}
	/* "on patient times 3": the first three */
	if (once && r->times)
		r->when = WHEN_FROM;
	next_word(w);
	return true;
}

static bool take_arguments(struct words *w, enum fault_kind k, struct fault *f)
{
	int64_t max = faults[k].max, *v = &f->value[k];

	switch (faults[k].shape) {
	case BARE:
		return true;
	case NUMBER:
		return take_number(w, k == FAULT_STATUS ? 200 : 0, max, v);
	case SIGNED:
		return take_number(w, -max, max, v);
	case MAYBE_AFTER:
		*v = -1;
		return !str_is(w->word, "after") ||
		       (take_word(w, "after") && take_number(w, 0, max, v));
	case AFTER:
		return take_word(w, "after") ? take_number(w, 0, max, v) : mistake(w, "\"after\"");
	case RATE:
		if (!take_number(w, 1, max, v))
			return false;
		return take_word(w, "per") ? take_number(w, 1, 60000, &f->per_ms)
		                           : mistake(w, "\"per\"");
	}
	return false;
}

static bool take_fault(struct words *w, struct fault *f)
{
	for (int k = 0; k < FAULT_KINDS; k++) {
		if (!take_word(w, faults[k].name))
			continue;
		f->set |= (uint64_t)1 << k;
		return take_arguments(w, (enum fault_kind)k, f);
	}
	return mistake(w, "a fault");
}

static bool parse_line(struct words *w, struct rule *r)
{
	next_word(w);
	if (!take_word(w, "on"))
		return mistake(w, "\"on\"");
	if (!take_selector(w, r))
		return false;
	do {
		if (!take_fault(w, &r->fault))
			return false;
	} while (w->word.n);
	return true;
}

static struct str take_line(struct str *text)
{
	const char *end = memchr(text->p, '\n', text->n);
	struct str line = {text->p, end ? (size_t)(end - text->p) : text->n};
	const char *comment = memchr(line.p, '#', line.n);

	text->p += line.n + (end != NULL);
	text->n -= line.n + (end != NULL);
	if (comment)
		line.n = (size_t)(comment - line.p);
	return str_trim(line);
}

static bool parse_all(struct fault_script *s, struct str text, struct err *err)
{
	for (size_t number = 1; text.n; number++) {
		struct words w = {.rest = take_line(&text), .line = number, .err = err};

		if (!w.rest.n)
			continue;
		if (s->n == FAULT_RULES_MAX)
			return err_set(err, ERR_LIMIT, "sandbox.fault",
			               "fault script, line %zu: more than %d rules", number,
			               FAULT_RULES_MAX);
		if (!parse_line(&w, &s->rules[s->n++]))
			return false;
	}
	return true;
}

struct fault_script *fault_script_parse(struct str text, struct err *err)
{
	struct fault_script *s = calloc(1, sizeof *s);

	if (s)
		s->rules = calloc(FAULT_RULES_MAX, sizeof *s->rules);
	if (!s || !s->rules) {
		fault_script_free(s);
		err_set(err, ERR_NOMEM, "sandbox.fault", "out of memory");
		return NULL;
	}
	if (parse_all(s, text, err))
		return s;
	fault_script_free(s);
	return NULL;
}

void fault_script_free(struct fault_script *s)
{
	if (s)
		free(s->rules);
	free(s);
}

static bool hits(struct rule *r)
{
	bool hit = false;

	r->seen++;
	switch (r->when) {
	case WHEN_NTH:
		hit = r->seen == r->n;
		break;
	case WHEN_EVERY:
		hit = r->seen % r->n == 0;
		break;
	case WHEN_FROM:
		hit = r->seen >= r->n;
		break;
	}
	if (!hit || (r->times && r->hits == r->times))
		return false;
	r->hits++;
	return true;
}

static void join(struct fault *out, const struct fault *f)
{
	for (int k = 0; k < FAULT_KINDS; k++)
		if (fault_has(f, (enum fault_kind)k))
			out->value[k] = f->value[k];
	if (fault_has(f, FAULT_DRIP))
		out->per_ms = f->per_ms;
	out->set |= f->set;
}

void fault_script_match(struct fault_script *s, unsigned classes, uint64_t page, struct fault *out)
{
	*out = (struct fault){0};
	for (size_t k = 0; s && k < s->n; k++) {
		struct rule *r = &s->rules[k];

		if ((classes & r->classes) == r->classes && (!r->page || r->page == page) &&
		    hits(r))
			join(out, &r->fault);
	}
}

void fault_names(const struct fault *f, struct buf *out)
{
	bool first = true;

	for (int k = 0; k < FAULT_KINDS; k++) {
		if (!fault_has(f, (enum fault_kind)k))
			continue;
		if (!first)
			buf_add_char(out, ',');
		buf_add_cstr(out, faults[k].name);
		first = false;
	}
}
