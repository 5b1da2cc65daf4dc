/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"

#define PATIENCE_MS 100
#define STATUS_MAX 512

static struct {
	pthread_mutex_t lock;
	int fd;
	enum log_level level;
	bool json;
	bool terminal;
	bool color;
	bool ready;
	int64_t dropped; /* lines since the reader stopped reading */
	char status[STATUS_MAX];
} logger = {.lock = PTHREAD_MUTEX_INITIALIZER, .fd = STDERR_FILENO, .level = LOG_INFO};

static const char *const level_names[] = {"error", "warn", "info", "debug"};
static const char *const level_colors[] = {"\033[31m", "\033[33m", "", "\033[2m"};

static void setup(enum log_level level, enum log_format format)
{
	const char *no_color = getenv("NO_COLOR");
	const char *term = getenv("TERM");

	logger.terminal = isatty(logger.fd) == 1 && !(term && strcmp(term, "dumb") == 0);
	logger.level = level;
	logger.json = format == LOG_JSON || (format == LOG_AUTO && !logger.terminal);
	logger.color = logger.terminal && !(no_color && *no_color);
	logger.ready = true;
}

/* With the lock held. */
static void ensure_ready(void)
{
	if (!logger.ready)
		setup(logger.level, LOG_AUTO);
}

void log_setup(enum log_level level, enum log_format format)
{
	pthread_mutex_lock(&logger.lock);
	setup(level, format);
	pthread_mutex_unlock(&logger.lock);
}

void log_to_fd(int fd)
{
	pthread_mutex_lock(&logger.lock);
	logger.fd = fd;
	logger.ready = false;
	logger.dropped = 0;
	pthread_mutex_unlock(&logger.lock);
}

bool log_enabled(enum log_level level)
{
	bool enabled;

	pthread_mutex_lock(&logger.lock);
	enabled = level <= logger.level;
	pthread_mutex_unlock(&logger.lock);
	return enabled;
}

bool log_level_parse(const char *name, enum log_level *level)
{
	for (size_t i = 0; i < sizeof level_names / sizeof level_names[0]; i++)
		if (strcmp(name, level_names[i]) == 0) {
			*level = (enum log_level)i;
			return true;
		}
	return false;
}

bool log_format_parse(const char *name, enum log_format *format)
{
	static const char *const names[] = {"auto", "text", "json"};

	for (size_t i = 0; i < 3; i++)
		if (strcmp(name, names[i]) == 0) {
			*format = (enum log_format)i;
			return true;
		}
	return false;
}

/* ---- formatting ---- */

/* Text for a person: control characters as \xNN, so that nobody's data moves the cursor. C1
 * controls (U+0080–U+009F) and broken UTF-8 count as such. */
static void add_plain(struct buf *b, struct str s)
{
	bool valid = str_utf8_valid(s);

	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];
		bool c1 = c == 0xc2 && i + 1 < s.n && ((unsigned char)s.p[i + 1] & 0xe0) == 0x80;

		if (c == '\n' || c == '\t')
			buf_printf(b, "\\%c", c == '\n' ? 'n' : 't');
		else if (c < ' ' || c == 0x7f || (c >= 0x80 && !valid))
			buf_printf(b, "\\x%02x", c);
		else if (c1)
			buf_printf(b, "\\x%02x", (unsigned char)s.p[++i]);
		else
			buf_add_char(b, (char)c);
	}
}

static void add_json_field(struct buf *b, const struct log_field *f)
{
	buf_lit(b, ",");
	buf_add_json(b, str_of(f->key));
	buf_lit(b, ":");
	if (f->type == LOG_FIELD_INT)
		buf_printf(b, "%" PRId64, f->number);
	else if (f->type == LOG_FIELD_BOOL)
		buf_add_cstr(b, f->number ? "true" : "false");
	else if (!f->str.p)
		buf_lit(b, "null");
	else
		buf_add_json(b, f->str);
}

static void add_text_field(struct buf *b, const struct log_field *f)
{
	buf_printf(b, " %s=", f->key);
	if (f->type == LOG_FIELD_INT)
		buf_printf(b, "%" PRId64, f->number);
	else if (f->type == LOG_FIELD_BOOL)
		buf_add_cstr(b, f->number ? "yes" : "no");
	else if (memchr(f->str.p ? f->str.p : "", ' ', f->str.n)) {
		buf_lit(b, "\"");
		add_plain(b, f->str);
		buf_lit(b, "\"");
	} else {
		add_plain(b, f->str);
	}
}

static void add_head(struct buf *b, enum log_level level, struct str message)
{
	char time[CLOCK_TEXT];

	clock_format(clock_system.now_us(clock_system.ctx) / 1000 * 1000, time);
	if (logger.json) {
		buf_printf(b, "{\"time\":\"%s\",\"level\":\"%s\",\"message\":", time,
		           level_names[level]);
		buf_add_json(b, message);
		return;
	}
	if (logger.terminal && logger.status[0])
		buf_lit(b, "\r\033[K");
	buf_printf(b, "%.8s ", time + 11);
	if (logger.color)
		buf_add_cstr(b, level_colors[level]);
	if (level != LOG_INFO)
		buf_printf(b, "%s: ", level_names[level]);
	add_plain(b, message);
	if (logger.color && level_colors[level][0])
		buf_lit(b, "\033[0m");
}

/* Room kept for what ends a line: a mark that it was cut, and the brackets. */
#define TAIL 32

static void format_line(struct buf *b, enum log_level level, struct str message,
                        const struct log_field *fields)
{
	bool cut = message.n > LOG_LINE_MAX / 8;

	/* a character may need six bytes */
	message.n = cut ? LOG_LINE_MAX / 8 : message.n;
	add_head(b, level, message);
	for (const struct log_field *f = fields; f->key; f++) {
		size_t before = b->n;

		b->max = LOG_LINE_MAX - TAIL;
		if (logger.json)
			add_json_field(b, f);
		else
			add_text_field(b, f);
		if (b->failed) {
			b->n = before;
			b->failed = false;
			cut = true;
		}
		b->max = LOG_LINE_MAX;
	}
	if (cut)
		buf_add_cstr(b, logger.json ? ",\"cut\":true" : " (cut)");
	buf_add_cstr(b, logger.json ? "}\n" : "\n");
}

/* ---- writing ---- */

/* One write, or none: true when the reader took it. */
static bool put(const char *p, size_t n, int wait_ms)
{
	struct pollfd ready = {.fd = logger.fd, .events = POLLOUT};
	int rc;

	do
		rc = poll(&ready, 1, wait_ms);
	while (rc < 0 && errno == EINTR);
	if (rc == 0)
		return false;
	while (n) {
		ssize_t done = write(logger.fd, p, n);

		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			return false;
		p += done;
		n -= (size_t)done;
	}
	return true;
}

static void put_line(const char *p, size_t n)
{
	char note[128];

	if (logger.dropped) {
		int m =
		    snprintf(note, sizeof note,
		             logger.json ? "{\"level\":\"warn\",\"message\":\"log lines dropped\","
		                           "\"lines\":%" PRId64 "}\n"
		                         : "warn: log lines dropped lines=%" PRId64 "\n",
		             logger.dropped);

		if (!put(note, (size_t)m, 0)) {
			logger.dropped++;
			return;
		}
		logger.dropped = 0;
	}
	if (!put(p, n, PATIENCE_MS))
		logger.dropped++;
}

static void draw_status(void)
{
	char line[STATUS_MAX + 8];
	int n = snprintf(line, sizeof line, "\r%s\033[K", logger.status);

	put(line, (size_t)n, 0);
}

void log_write(enum log_level level, const char *message, const struct log_field *fields)
{
	struct buf b = BUF_INIT(LOG_LINE_MAX);
	int saved = errno;

	pthread_mutex_lock(&logger.lock);
	ensure_ready();
	if (level <= logger.level) {
		format_line(&b, level, str_of(message), fields);
		if (b.p && !b.failed)
			put_line(b.p, b.n);
		if (logger.terminal && logger.status[0])
			draw_status();
	}
	pthread_mutex_unlock(&logger.lock);
	buf_free(&b);
	errno = saved;
}

void log_err(enum log_level level, const char *message, const struct err *err)
{
	struct log_field fields[] = {LOG_STR("error", err->text),
	                             LOG_STR("code", err_code_name(err->code)),
	                             LOG_STR("where", err->where),
	                             LOG_INT("status", err->status),
	                             {0}};

	if (!err->status)
		fields[3].key = NULL;
	log_write(level, message, fields);
}

void log_status(const char *text)
{
	pthread_mutex_lock(&logger.lock);
	ensure_ready();
	if (logger.terminal && (logger.status[0] || (text && *text))) {
		snprintf(logger.status, sizeof logger.status, "%s", text ? text : "");
		draw_status();
	}
	pthread_mutex_unlock(&logger.lock);
}

bool log_has_terminal(void)
{
	bool terminal;

	pthread_mutex_lock(&logger.lock);
	ensure_ready();
	terminal = logger.terminal;
	pthread_mutex_unlock(&logger.lock);
	return terminal;
}
