/* SPDX-License-Identifier: Apache-2.0
 *
 * s3_xml.h: reads the flat XML of S3's answers: tells each element that ends, with its text and the
 * element that it stands in. At most S3_XML_DEPTH deep, S3_XML_TEXT bytes of text an element; what
 * is not so, or no XML, is an error.
 */
#ifndef FHIRLINE_LAND_S3_XML_H
#define FHIRLINE_LAND_S3_XML_H

#include <stdbool.h>

#include "base/str.h"

enum { S3_XML_DEPTH = 16, S3_XML_TEXT = 4096, S3_XML_NAME = 64 };

/* `text` is terminated by '\0' and valid during the call. False stops the reading. */
typedef bool (*s3_xml_element)(void *ctx, const char *parent, const char *name, const char *text);

/* False when `xml` cannot be read, or the callback said so. */
bool s3_xml_read(struct str xml, s3_xml_element element, void *ctx);

#endif
