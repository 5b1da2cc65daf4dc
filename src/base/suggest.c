/* SPDX-License-Identifier: Apache-2.0 */
#include "base/suggest.h"

#include <limits.h>
#include <string.h>

#define WORD_MAX 63

static unsigned least(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

unsigned suggest_distance(const char *a, const char *b)
{
	unsigned rows[3][WORD_MAX + 1]; /* the row before the last, the last, this one */
	size_t m = strlen(a), n = strlen(b);

	if (m > WORD_MAX || n > WORD_MAX)
		return UINT_MAX;
	memset(rows, 0, sizeof rows);
	for (size_t j = 0; j <= n; j++)
		rows[1][j] = (unsigned)j;
	for (size_t i = 1; i <= m; i++) {
		rows[2][0] = (unsigned)i;
		for (size_t j = 1; j <= n; j++) {
			unsigned d = rows[1][j - 1] + (a[i - 1] != b[j - 1]);

			d = least(d, least(rows[1][j], rows[2][j - 1]) + 1);
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				d = least(d, rows[0][j - 2] + 1);
			rows[2][j] = d;
		}
		memcpy(rows[0], rows[1], sizeof rows[0]);
		memcpy(rows[1], rows[2], sizeof rows[1]);
	}
	return rows[1][n];
}

void suggest_look(struct suggest *s, const char *name)
{
	unsigned d = suggest_distance(s->word, name);
	size_t allowed = strlen(s->word) / 3;

	if (d > (allowed > 2 ? allowed : 2) || d >= strlen(name))
		return;
	if (!s->best || d < s->distance) {
		s->best = name;
		s->distance = d;
	}
}
