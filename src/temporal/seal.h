/* SPDX-License-Identifier: Apache-2.0
 *
 * seal.h: all payloads of a message, sealed or opened, found by the message's own description: so
 * none can be forgotten. Internal.
 */
#ifndef FHIRLINE_TEMPORAL_SEAL_H
#define FHIRLINE_TEMPORAL_SEAL_H

#include <protobuf-c/protobuf-c.h>

#include "base/arena.h"
#include "base/str.h"
#include "temporal/cipher.h"

#define SEAL_ENCODING "binary/encrypted"
#define SEAL_KEY_ID "encryption-key-id"

/* cipher.c: bytes. `out` is in the arena. */
const char *cipher_id(const struct temporal_cipher *c); /* of the key that seals */
bool cipher_seal(const struct temporal_cipher *c, struct arena *arena, struct str plain,
                 struct str *out);
bool cipher_open(const struct temporal_cipher *c, struct arena *arena, struct str id,
                 struct str sealed, struct str *out);

/* Seals each payload of `message`, which is to be sent and belongs to the caller: seal_undo() puts
 * back what was there. Memory comes from `arena`. ERR_LIMIT: it is full. */
struct seal;
bool seal_message(const struct temporal_cipher *c, struct arena *arena, ProtobufCMessage *message,
                  struct seal **undo, struct err *err);
void seal_undo(struct seal *undo);

/* Opens each payload of a message that was read into `arena`. What cannot be opened stays. */
void seal_open_message(const struct temporal_cipher *c, struct arena *arena,
                       ProtobufCMessage *message);

#endif
