/* SPDX-License-Identifier: Apache-2.0
 *
 * ref.h: `vault:path#field`, the form in which a setting names a secret.
 *
 * `vault:secret/fhirline/source#password`: mount `secret` (the first part), path `fhirline/source`,
 * field `password` of a KV 2 engine. Where the mount has several parts the API's own form says so:
 * `vault:team/kv/data/fhirline#password`. Without a field it names credentials that are made when
 * they are asked for: `vault:database/creds/ingest`.
 */
#ifndef FHIRLINE_SECRET_REF_H
#define FHIRLINE_SECRET_REF_H

#include <stdbool.h>

#include "base/err.h"

enum { SECRET_REF_MAX = 512 };

struct secret_ref {
	char path[SECRET_REF_MAX];  /* as the API has it: "secret/data/fhirline/source" */
	char field[SECRET_REF_MAX]; /* "": none */
};

/* `what` is the setting, for messages. ERR_CONFIG. */
bool secret_ref_parse(const char *text, const char *what, struct secret_ref *ref, struct err *err);

#endif
