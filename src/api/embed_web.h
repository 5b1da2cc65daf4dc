/* SPDX-License-Identifier: Apache-2.0
 *
 * embed_web.h: the files of web/, and those of Swagger UI below "swagger/", made by tools/embed.
 */
#ifndef FHIRLINE_API_EMBED_WEB_H
#define FHIRLINE_API_EMBED_WEB_H

#include "base/embed.h"

extern const struct embed_file embed_web[];
extern const size_t embed_web_count;

#endif
