/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static int64_t system_now_us(void *ctx)
{
	struct timespec t;
	const char *shift = getenv("FHIRLINE_TEST_CLOCK_SHIFT_S");

	(void)ctx;
	clock_gettime(CLOCK_REALTIME, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000 +
	       (shift ? strtoll(shift, NULL, 10) * 1000000 : 0);
}

static int64_t system_mono_ms(void *ctx)
{
	struct timespec t;

	(void)ctx;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

const struct clock clock_system = {system_now_us, system_mono_ms, NULL};

void clock_sleep_ms(int64_t ms)
{
	struct timespec t = {ms / 1000, ms % 1000 * 1000000};

	if (ms > 0)
		clock_nanosleep(CLOCK_MONOTONIC, 0, &t, NULL);
}

/* Days and civil dates: eras of 400 years that begin on 1 March, so that the leap day comes last.
 */
int64_t clock_days_from_civil(int year, int month, int day)
{
	int64_t y = month <= 2 ? (int64_t)year - 1 : year;
	int64_t era = (y >= 0 ? y : y - 399) / 400;
	int64_t yoe = y - era * 400;
	int64_t doy = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
	int64_t doe = yoe * 365 + yoe / 4 - yoe / 100 + doy;

	return era * 146097 + doe - 719468;
}

void clock_civil_from_days(int64_t days, int *year, int *month, int *day)
{
	int64_t z = days + 719468;
	int64_t era = (z >= 0 ? z : z - 146096) / 146097;
	int64_t doe = z - era * 146097;
	int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
	int64_t mp = (5 * doy + 2) / 153;

	*day = (int)(doy - (153 * mp + 2) / 5 + 1);
	*month = (int)(mp < 10 ? mp + 3 : mp - 9);
	*year = (int)(yoe + era * 400 + (*month <= 2));
}

int clock_days_in_month(int year, int month)
{
	static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

	if (month < 1 || month > 12)
		return 0;
	return month == 2 && leap ? 29 : days[month - 1];
}

void clock_format(int64_t us, char out[CLOCK_TEXT])
{
	int64_t days = us / 86400000000, rest = us % 86400000000;
	int year, month, day;
	unsigned s;
	int n;

	if (rest < 0) {
		rest += 86400000000;
		days--;
	}
	clock_civil_from_days(days, &year, &month, &day);
	s = (unsigned)(rest / 1000000);
	n = snprintf(out, CLOCK_TEXT, "%04d-%02d-%02dT%02u:%02u:%02u", year, month, day, s / 3600,
	             s / 60 % 60, s % 60);
	if (rest % 1000000)
		n += snprintf(out + n, CLOCK_TEXT - (size_t)n, ".%06u", (unsigned)(rest % 1000000));
	snprintf(out + n, CLOCK_TEXT - (size_t)n, "Z");
}

static int month_of(const char *name)
{
	static const char names[] = "JanFebMarAprMayJunJulAugSepOctNovDec";

	for (int i = 0; i < 12; i++)
		if (memcmp(names + 3 * i, name, 3) == 0)
			return i + 1;
	return 0;
}

bool clock_parse_http(struct str s, int64_t *us)
{
	char text[40];
	int day, year, hour, minute, second, month;
	char name[4];

	if (s.n < 29 || s.n >= sizeof text)
		return false;
	memcpy(text, s.p, s.n);
	text[s.n] = '\0';
	if (sscanf(text + 5, "%2d %3s %4d %2d:%2d:%2d GMT", &day, name, &year, &hour, &minute,
	           &second) != 6)
		return false;
	month = strlen(name) == 3 ? month_of(name) : 0;
	if (!month || day < 1 || day > clock_days_in_month(year, month) || hour > 23 ||
	    minute > 59 || second > 60)
		return false;
	*us =
	    (clock_days_from_civil(year, month, day) * 86400 + hour * 3600 + minute * 60 + second) *
	    1000000;
	return true;
}
