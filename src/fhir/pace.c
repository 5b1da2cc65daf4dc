/* SPDX-License-Identifier: Apache-2.0 */
#include "fhir/source_internal.h"

#include <string.h>

enum { COUNT_MIN = 10, SHRINK = 4 };
static const double FORGET = 0.2; /* weight of a page that is smaller than expected */

static struct pace *pace_of(struct fhir_source *s, const char *type)
{
	if (strcmp(type, "Patient") == 0)
		return &s->pace[0];
	return strcmp(type, "Observation") == 0 ? &s->pace[1] : &s->pace[2];
}

int pace_count(struct fhir_source *s, const char *type)
{
	struct pace *p = pace_of(s, type);
	int count = s->page_count;
	double fits;

	pthread_mutex_lock(&s->lock);
	if (p->entry_bytes > 0) {
		fits = (double)s->page_target / p->entry_bytes;
		if (fits < COUNT_MIN)
			fits = COUNT_MIN;
		if (fits < count)
			count = (int)fits;
	}
	if (p->cap < count)
		count = p->cap;
	pthread_mutex_unlock(&s->lock);
	return count;
}

void pace_learn(struct fhir_source *s, const char *type, size_t bytes, size_t entries)
{
	struct pace *p = pace_of(s, type);
	double each;

	if (!entries)
		return;
	each = (double)bytes / (double)entries;
	pthread_mutex_lock(&s->lock);
	if (each >= p->entry_bytes)
		p->entry_bytes = each;
	else
		p->entry_bytes += (each - p->entry_bytes) * FORGET;
	/* After a page that was too large, larger ones are tried again slowly. */
	p->cap += p->cap / SHRINK;
	if (p->cap > s->page_count)
		p->cap = s->page_count;
	pthread_mutex_unlock(&s->lock);
}

bool pace_shrink(struct fhir_source *s, const char *type, int count)
{
	struct pace *p = pace_of(s, type);
	bool can;

	pthread_mutex_lock(&s->lock);
	can = count > 1;
	if (p->cap >
	    count / SHRINK) /* several threads may report the same size: it is lowered once */
		p->cap = count / SHRINK > 1 ? count / SHRINK : 1;
	pthread_mutex_unlock(&s->lock);
	return can;
}
