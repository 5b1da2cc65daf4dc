/* SPDX-License-Identifier: Apache-2.0 */
#include "temporal/payload.h"

#include "temporal/pb.h"

#define ENCODING "encoding"

struct temporal_payload temporal_json(struct str json)
{
	return (struct temporal_payload){.encoding = STR("json/plain"), .data = json};
}

struct temporal_payload temporal_null(void)
{
	return (struct temporal_payload){.encoding = STR("binary/null")};
}

/* One that could be opened is not seen here. */
static bool encrypted(const struct temporal_payload *p, size_t i, struct err *err)
{
	struct str id = STR("");

	for (size_t k = 0; k < p->n_meta; k++)
		if (str_is(p->meta[k].name, "encryption-key-id"))
			id = p->meta[k].value;
	return err_set(
	    err, ERR_DATA, "temporal.payload",
	    "payload %zu is encrypted with key \"%.*s\", which is not known here or does "
	    "not fit it",
	    i + 1, (int)(id.n < 60 ? id.n : 60), id.p ? id.p : "");
}

bool temporal_payload_json(struct temporal_payloads list, size_t i, struct str *json,
                           struct err *err)
{
	const struct temporal_payload *p = i < list.n ? &list.at[i] : NULL;

	if (!p || str_is(p->encoding, "binary/null"))
		*json = STR("null");
	else if (str_is(p->encoding, "json/plain"))
		*json = p->data;
	else if (str_is(p->encoding, "binary/encrypted"))
		return encrypted(p, i, err);
	else
		return err_set(err, ERR_DATA, "temporal.payload",
		               "payload %zu has the encoding '%.*s', not json/plain", i + 1,
		               (int)(p->encoding.n < 60 ? p->encoding.n : 60),
		               p->encoding.p ? p->encoding.p : "");
	return true;
}

/* ---- copies ---- */

/* Absent stays absent. */
static bool copy_str(struct arena *arena, struct str *s)
{
	if (!s->p)
		return true;
	*s = arena_str(arena, *s);
	return s->p != NULL;
}

static bool copy_payload(struct arena *arena, const struct temporal_payload *from,
                         struct temporal_payload *out)
{
	struct temporal_pair *meta = NULL;

	*out = *from;
	if (from->n_meta && !(meta = arena_array(arena, from->n_meta, sizeof *meta)))
		return false;
	for (size_t i = 0; i < from->n_meta; i++) {
		meta[i] = from->meta[i];
		if (!copy_str(arena, &meta[i].name) || !copy_str(arena, &meta[i].value))
			return false;
	}
	out->meta = meta;
	return copy_str(arena, &out->encoding) && copy_str(arena, &out->data);
}

bool temporal_payloads_copy(struct arena *arena, struct temporal_payloads from,
                            struct temporal_payloads *out)
{
	struct temporal_payload *at = NULL;

	if (from.n && !(at = arena_array(arena, from.n, sizeof *at)))
		return false;
	for (size_t i = 0; i < from.n; i++)
		if (!copy_payload(arena, &from.at[i], &at[i]))
			return false;
	*out = (struct temporal_payloads){at, from.n};
	return true;
}

bool temporal_fields_copy(struct arena *arena, struct temporal_fields from,
                          struct temporal_fields *out)
{
	struct temporal_field *at = NULL;

	if (from.n && !(at = arena_array(arena, from.n, sizeof *at)))
		return false;
	for (size_t i = 0; i < from.n; i++) {
		at[i].name = from.at[i].name;
		if (!copy_str(arena, &at[i].name) ||
		    !copy_payload(arena, &from.at[i].value, &at[i].value))
			return false;
	}
	*out = (struct temporal_fields){at, from.n};
	return true;
}

/* ---- to the protocol ---- */

static PbMeta *meta_of(struct arena *arena, struct str name, struct str value)
{
	PbMeta *m = PB_NEW(arena, PbMeta, temporal__api__common__v1__payload__metadata_entry);

	if (!m || !(m->key = pb_text(arena, name)))
		return NULL;
	m->value = pb_bytes(value);
	return m;
}

bool pb_payload_of(struct arena *arena, const struct temporal_payload *p, PbPayload **out)
{
	PbPayload *pb = PB_NEW(arena, PbPayload, temporal__api__common__v1__payload);
	size_t n = p->n_meta + 1;

	if (!pb || !(pb->metadata = arena_array(arena, n, sizeof(PbMeta *))))
		return false;
	pb->data = pb_bytes(p->data);
	if (!(pb->metadata[0] = meta_of(arena, STR(ENCODING), p->encoding)))
		return false;
	for (size_t i = 0; i < p->n_meta; i++)
		if (!(pb->metadata[i + 1] = meta_of(arena, p->meta[i].name, p->meta[i].value)))
			return false;
	pb->n_metadata = n;
	*out = pb;
	return true;
}

bool pb_payloads_of(struct arena *arena, struct temporal_payloads list, PbPayloads **out)
{
	PbPayloads *pb;

	*out = NULL;
	if (!list.n)
		return true;
	pb = PB_NEW(arena, PbPayloads, temporal__api__common__v1__payloads);
	if (!pb || !(pb->payloads = arena_array(arena, list.n, sizeof(PbPayload *))))
		return false;
	for (size_t i = 0; i < list.n; i++)
		if (!pb_payload_of(arena, &list.at[i], &pb->payloads[i]))
			return false;
	pb->n_payloads = list.n;
	*out = pb;
	return true;
}

bool pb_memo_of(struct arena *arena, struct temporal_fields fields, PbMemo **out)
{
	PbMemo *memo;
	PbMemoEntry *e;

	*out = NULL;
	if (!fields.n)
		return true;
	memo = PB_NEW(arena, PbMemo, temporal__api__common__v1__memo);
	if (!memo || !(memo->fields = arena_array(arena, fields.n, sizeof e)))
		return false;
	for (size_t i = 0; i < fields.n; i++) {
		e = PB_NEW(arena, PbMemoEntry, temporal__api__common__v1__memo__fields_entry);
		if (!e || !(e->key = pb_text(arena, fields.at[i].name)) ||
		    !pb_payload_of(arena, &fields.at[i].value, &e->value))
			return false;
		memo->fields[i] = e;
	}
	memo->n_fields = fields.n;
	*out = memo;
	return true;
}

bool pb_search_of(struct arena *arena, struct temporal_fields fields, PbSearch **out)
{
	PbSearch *search;
	PbSearchEntry *e;

	*out = NULL;
	if (!fields.n)
		return true;
	search = PB_NEW(arena, PbSearch, temporal__api__common__v1__search_attributes);
	if (!search || !(search->indexed_fields = arena_array(arena, fields.n, sizeof e)))
		return false;
	for (size_t i = 0; i < fields.n; i++) {
		e = PB_NEW(arena, PbSearchEntry,
		           temporal__api__common__v1__search_attributes__indexed_fields_entry);
		if (!e || !(e->key = pb_text(arena, fields.at[i].name)) ||
		    !pb_payload_of(arena, &fields.at[i].value, &e->value))
			return false;
		search->indexed_fields[i] = e;
	}
	search->n_indexed_fields = fields.n;
	*out = search;
	return true;
}

/* ---- from the protocol ---- */

static bool payload_to(struct arena *arena, const PbPayload *from, struct temporal_payload *out)
{
	struct temporal_pair *meta = NULL;
	size_t n = 0;

	*out = (struct temporal_payload){.encoding = STR("")};
	if (!from) /* a map's entry without a value */
		return true;
	if (from->n_metadata && !(meta = arena_array(arena, from->n_metadata, sizeof *meta)))
		return false;
	out->data = pb_data(from->data);
	for (size_t i = 0; i < from->n_metadata; i++) {
		const PbMeta *m = from->metadata[i];

		if (str_is(str_of(m->key), ENCODING))
			out->encoding = pb_data(m->value);
		else
			meta[n++] = (struct temporal_pair){str_of(m->key), pb_data(m->value)};
	}
	out->meta = meta;
	out->n_meta = n;
	return true;
}

bool pb_payloads_to(struct arena *arena, const PbPayloads *from, struct temporal_payloads *out)
{
	struct temporal_payload *at;

	*out = TEMPORAL_NO_PAYLOADS;
	if (!from || !from->n_payloads)
		return true;
	at = arena_array(arena, from->n_payloads, sizeof *at);
	if (!at)
		return false;
	for (size_t i = 0; i < from->n_payloads; i++)
		if (!payload_to(arena, from->payloads[i], &at[i]))
			return false;
	*out = (struct temporal_payloads){at, from->n_payloads};
	return true;
}

bool pb_memo_to(struct arena *arena, const PbMemo *from, struct temporal_fields *out)
{
	struct temporal_field *at;

	*out = (struct temporal_fields){NULL, 0};
	if (!from || !from->n_fields)
		return true;
	at = arena_array(arena, from->n_fields, sizeof *at);
	if (!at)
		return false;
	for (size_t i = 0; i < from->n_fields; i++) {
		at[i].name = str_of(from->fields[i]->key);
		if (!payload_to(arena, from->fields[i]->value, &at[i].value))
			return false;
	}
	*out = (struct temporal_fields){at, from->n_fields};
	return true;
}

bool pb_search_to(struct arena *arena, const PbSearch *from, struct temporal_fields *out)
{
	struct temporal_field *at;

	*out = (struct temporal_fields){NULL, 0};
	if (!from || !from->n_indexed_fields)
		return true;
	at = arena_array(arena, from->n_indexed_fields, sizeof *at);
	if (!at)
		return false;
	for (size_t i = 0; i < from->n_indexed_fields; i++) {
		at[i].name = str_of(from->indexed_fields[i]->key);
		if (!payload_to(arena, from->indexed_fields[i]->value, &at[i].value))
			return false;
	}
	*out = (struct temporal_fields){at, from->n_indexed_fields};
	return true;
}
