/* SPDX-License-Identifier: Apache-2.0
 *
 * source_internal.h: what the parts of a source (source.c, history.c, capability.c) share. Private
 * to src/fhir.
 */
#ifndef FHIRLINE_FHIR_SOURCE_INTERNAL_H
#define FHIRLINE_FHIR_SOURCE_INTERNAL_H

#include <pthread.h>

#include "fhir/auth.h"
#include "fhir/source.h"

enum { PACE_TYPES = 3 }; /* Patient, Observation, any other */

/* How many entries to ask for at once. */
struct pace {
	double
	    entry_bytes; /* 0: not known yet. Follows a larger page at once, smaller ones slowly */
	int cap;         /* lowered by pages over max_body */
};

struct fhir_source {
	char *base;
	struct http_client *http;
	struct fhir_auth *auth;
	size_t max_body, page_target;
	int page_count;
	pthread_mutex_t lock; /* guards pace */
	struct pace pace[PACE_TYPES];
};

struct source_ask {
	const char *what; /* names the request in errors */
	const char *url;
	struct str form; /* POST as a form when p is not NULL */
	const atomic_bool *cancel;
};

/* One request with authentication. Anything but a 2xx is an error. */
bool source_ask(struct fhir_source *s, const struct source_ask *ask, struct http_response *resp,
                struct err *err);

int pace_count(struct fhir_source *s, const char *type);
void pace_learn(struct fhir_source *s, const char *type, size_t bytes, size_t entries);
/* A page of up to `count` was over the limit. False when it cannot be made smaller. */
bool pace_shrink(struct fhir_source *s, const char *type, int count);

#endif
