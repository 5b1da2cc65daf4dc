/* SPDX-License-Identifier: Apache-2.0 */
#include "flow/line.h"

#include <stdio.h>

#include "flow/internal.h"

/* The page around it was read leniently when it had broken UTF-8, so a line is read so as well;
 * mapping rejects what is broken. */
static yyjson_doc *parse(struct str line)
{
	const yyjson_read_flag raw = YYJSON_READ_NUMBER_AS_RAW;
	yyjson_doc *doc = yyjson_read_opts((char *)(uintptr_t)line.p, line.n, raw, NULL, NULL);

	return doc ? doc
	           : yyjson_read_opts((char *)(uintptr_t)line.p, line.n,
	                              raw | YYJSON_READ_ALLOW_INVALID_UNICODE, NULL, NULL);
}

static enum fhir_mapped map(struct flow_line *l, yyjson_val *root, struct str line,
                            struct buf *rows)
{
	if (l->type == FHIR_PATIENT)
		return fhir_map_patient(root, line, l->now_us, l->batch_seq, l->number, l->scratch,
		                        rows, &l->why);
	return fhir_map_observation(root, line, l->batch_seq, l->number, l->scratch, rows, &l->why);
}

static void keep(char out[65], struct str id)
{
	if (fhir_id_valid(id))
		snprintf(out, 65, "%.*s", STR_FMT(id));
}

static void keep_ids(struct flow_line *l, yyjson_val *root)
{
	yyjson_val *id = yyjson_obj_get(root, "id");
	struct str text = {yyjson_get_str(id), yyjson_get_len(id)};

	keep(l->id, text);
	keep(l->patient, l->type == FHIR_PATIENT ? text : flow_subject(root));
}

enum fhir_mapped flow_line_map(struct flow_line *l, struct str line, struct buf *rows)
{
	yyjson_doc *doc = parse(line);
	size_t mark = rows->n;
	enum fhir_mapped m;

	l->why = (struct fhir_reject){0};
	l->id[0] = l->patient[0] = '\0';
	if (!doc) {
		snprintf(l->why.reason, sizeof l->why.reason, "the resource is not valid JSON");
		return FHIR_REJECTED;
	}
	m = map(l, yyjson_doc_get_root(doc), line, rows);
	if (m != FHIR_MAPPED)
		rows->n = mark;
	if (m == FHIR_REJECTED)
		keep_ids(l, yyjson_doc_get_root(doc));
	arena_reset(l->scratch);
	yyjson_doc_free(doc);
	return m;
}
