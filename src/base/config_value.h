/* SPDX-License-Identifier: Apache-2.0
 *
 * config_value.h: one setting's text, checked and turned into its value. For config.c alone.
 */
#ifndef FHIRLINE_BASE_CONFIG_VALUE_H
#define FHIRLINE_BASE_CONFIG_VALUE_H

#include "base/config.h"

struct config_value {
	char *text;     /* checked form; owned; of a secret in locked memory */
	int64_t number; /* INT, DURATION in ms, BYTES, BOOL */
	enum config_origin origin;
};

/* `what` is the setting as the user wrote it ("--listen", "FHIRLINE_LISTEN"). `code` is that of the
 * error. On success *v holds the value (its origin is left alone, an older text is freed). */
bool config_value_read(const struct option *o, const char *what, const char *text,
                       enum err_code code, struct config_value *v, struct err *err);

void config_value_free(const struct option *o, struct config_value *v);

#endif
