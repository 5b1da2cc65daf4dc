/* SPDX-License-Identifier: Apache-2.0 */
#include "temporal/seal.h"

#include "temporal/pb.h"

struct seal { /* a payload as it was */
	PbPayload *at, was;
	struct seal *next;
};

/* Called for each payload; false ends the walk. */
typedef bool payload_fn(void *ctx, PbPayload *p);

static bool walk(ProtobufCMessage *m, payload_fn *fn, void *ctx);

/* ---- the members of a message, as protobuf-c describes them ---- */

static const char *at(const ProtobufCMessage *m, unsigned offset)
{
	return (const char *)m + offset;
}

static bool is_chosen(const ProtobufCMessage *m, const ProtobufCFieldDescriptor *f)
{
	return !(f->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) ||
	       *(const uint32_t *)(const void *)at(m, f->quantifier_offset) == f->id;
}

static bool walk_field(ProtobufCMessage *m, const ProtobufCFieldDescriptor *f, payload_fn *fn,
                       void *ctx)
{
	ProtobufCMessage *const *list;
	size_t n;

	if (f->label != PROTOBUF_C_LABEL_REPEATED) {
		ProtobufCMessage *one = *(ProtobufCMessage *const *)(const void *)at(m, f->offset);

		return !one || !is_chosen(m, f) || walk(one, fn, ctx);
	}
	n = *(const size_t *)(const void *)at(m, f->quantifier_offset);
	list = *(ProtobufCMessage *const *const *)(const void *)at(m, f->offset);
	for (size_t i = 0; i < n; i++)
		if (!walk(list[i], fn, ctx))
			return false;
	return true;
}

/* The depth of what comes is bounded by pb_read(), of what goes by TEMPORAL_CAUSES_MAX. */
static bool walk(ProtobufCMessage *m, payload_fn *fn, void *ctx)
{
	const ProtobufCMessageDescriptor *d = m->descriptor;

	if (d == &temporal__api__common__v1__payload__descriptor)
		return fn(ctx, (PbPayload *)(void *)m);
	if (d == &temporal__api__common__v1__search_attributes__descriptor)
		return true;
	for (unsigned i = 0; i < d->n_fields; i++)
		if (d->fields[i].type == PROTOBUF_C_TYPE_MESSAGE &&
		    !walk_field(m, &d->fields[i], fn, ctx))
			return false;
	return true;
}

static struct str meta_of(const PbPayload *p, const char *name)
{
	for (size_t i = 0; i < p->n_metadata; i++)
		if (str_is(pb_str(p->metadata[i]->key), name))
			return pb_data(p->metadata[i]->value);
	return STR("");
}

/* ---- sealing ---- */

struct sealing {
	const struct temporal_cipher *c;
	struct arena *arena;
	struct seal *undo;
};

static PbMeta *new_meta(struct arena *arena, const char *name, const char *value)
{
	PbMeta *m = PB_NEW(arena, PbMeta, temporal__api__common__v1__payload__metadata_entry);

	if (!m || !(m->key = pb_text(arena, str_of(name))))
		return NULL;
	m->value = pb_bytes(str_of(value));
	return m;
}

static bool sealed_metadata(struct sealing *s, PbPayload *p)
{
	PbMeta **list = arena_array(s->arena, 2, sizeof(PbMeta *));

	if (!list)
		return false;
	list[0] = new_meta(s->arena, "encoding", SEAL_ENCODING);
	list[1] = new_meta(s->arena, SEAL_KEY_ID, cipher_id(s->c));
	p->metadata = list;
	p->n_metadata = 2;
	return list[0] && list[1];
}

static bool seal_one(void *ctx, PbPayload *p)
{
	struct sealing *s = ctx;
	size_t size = protobuf_c_message_get_packed_size(&p->base);
	uint8_t *plain = arena_alloc(s->arena, size + 1);
	struct seal *undo = arena_alloc(s->arena, sizeof *undo);
	struct str sealed;

	if (str_is(meta_of(p, "encoding"), SEAL_ENCODING)) /* by somebody else, or twice in it */
		return true;
	if (!plain || !undo)
		return false;
	protobuf_c_message_pack(&p->base, plain);
	*undo = (struct seal){.at = p, .was = *p, .next = s->undo};
	s->undo = undo;
	if (!cipher_seal(s->c, s->arena, (struct str){(const char *)plain, size}, &sealed))
		return false;
	p->data = pb_bytes(sealed);
	return sealed_metadata(s, p);
}

void seal_undo(struct seal *undo)
{
	for (; undo; undo = undo->next)
		*undo->at = undo->was;
}

bool seal_message(const struct temporal_cipher *c, struct arena *arena, ProtobufCMessage *message,
                  struct seal **undo, struct err *err)
{
	struct sealing s = {.c = c, .arena = arena};
	bool ok = walk(message, seal_one, &s);

	*undo = s.undo;
	return ok || pb_full(arena, "temporal.cipher", err);
}

/* ---- opening ---- */

static bool open_one(void *ctx, PbPayload *p)
{
	struct sealing *s = ctx;
	struct str plain;
	PbPayload *inner;
	struct err err;

	if (!str_is(meta_of(p, "encoding"), SEAL_ENCODING) ||
	    !cipher_open(s->c, s->arena, meta_of(p, SEAL_KEY_ID), pb_data(p->data), &plain))
		return true;
	inner = pb_read(s->arena, &temporal__api__common__v1__payload__descriptor, plain, &err);
	if (inner)
		*p = *inner;
	return true;
}

void seal_open_message(const struct temporal_cipher *c, struct arena *arena,
                       ProtobufCMessage *message)
{
	struct sealing s = {.c = c, .arena = arena};

	walk(message, open_one, &s);
}
