/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "fhir/bundle.h"
#include "fhir/source_internal.h"

/* Text of the server that people will see: printable ASCII, cut to fit. */
static void take(char *out, size_t size, struct str s)
{
	size_t n = 0;

	for (size_t i = 0; i < s.n && n + 1 < size; i++)
		out[n++] = s.p[i] >= ' ' && s.p[i] < 0x7f ? s.p[i] : '?';
	out[n] = '\0';
}

static bool has_interaction(yyjson_val *resource, const char *code)
{
	yyjson_val *interaction;
	size_t i, n;

	yyjson_arr_foreach(yyjson_obj_get(resource, "interaction"), i, n, interaction)
	{
		if (str_is(bundle_str(interaction, "code"), code))
			return true;
	}
	return false;
}

static bool has_history(yyjson_val *root, const char *type)
{
	yyjson_val *rest, *resource;
	size_t i, n, j, m;

	yyjson_arr_foreach(yyjson_obj_get(root, "rest"), i, n, rest)
	{
		yyjson_arr_foreach(yyjson_obj_get(rest, "resource"), j, m, resource)
		{
			if (str_is(bundle_str(resource, "type"), type) &&
			    has_interaction(resource, "history-type"))
				return true;
		}
	}
	return false;
}

static void take_software(yyjson_val *root, struct fhir_capability *out)
{
	yyjson_val *software = yyjson_obj_get(root, "software");
	char name[80], version[40];

	take(name, sizeof name, bundle_str(software, "name"));
	take(version, sizeof version, bundle_str(software, "version"));
	snprintf(out->software, sizeof out->software, "%s%s%s", name,
	         name[0] && version[0] ? " " : "", version);
}

static bool read_statement(const struct http_response *resp, yyjson_val *root,
                           struct fhir_capability *out, struct err *err)
{
	struct fhir_capability c = {.server_time_us = resp->date_us};

	if (!bundle_expect_type(root, "CapabilityStatement", "reading /metadata", err)) {
		err->retryable = false;
		return false;
	}
	take(c.fhir_version, sizeof c.fhir_version, bundle_str(root, "fhirVersion"));
	if (strncmp(c.fhir_version, "4.0.", 4) != 0)
		return err_set(err, ERR_PROTOCOL, "fhir.metadata",
		               "the server speaks FHIR %s; fhirline reads FHIR R4 (4.0.x): many "
		               "servers have an own address for R4",
		               c.fhir_version[0] ? c.fhir_version : "of an unnamed version");
	take_software(root, &c);
	c.patient_history = has_history(root, "Patient");
	c.observation_history = has_history(root, "Observation");
	*out = c;
	return true;
}

bool fhir_capability(struct fhir_source *s, const atomic_bool *cancel, struct fhir_capability *out,
                     struct err *err)
{
	struct buf url = BUF_INIT(8 << 10);
	struct http_response resp = {0};
	yyjson_doc *doc = NULL;
	bool ok = false;

	buf_printf(&url, "%s/metadata?_pretty=false", s->base);
	if (!buf_ok(&url, "the address of /metadata", err) ||
	    !source_ask(
	        s,
	        &(struct source_ask){.what = "reading /metadata", .url = url.p, .cancel = cancel},
	        &resp, err))
		goto out;
	doc = bundle_parse(&resp, "reading /metadata", err);
	if (doc)
		ok = read_statement(&resp, yyjson_doc_get_root(doc), out, err);
	else if (resp.content_type[0]) /* it speaks HTTP, but this is no FHIR address */
		err->retryable = false;
out:
	yyjson_doc_free(doc);
	http_response_free(&resp);
	buf_free(&url);
	return ok;
}
