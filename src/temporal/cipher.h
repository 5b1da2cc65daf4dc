/* SPDX-License-Identifier: Apache-2.0
 *
 * cipher.h: payloads that the server cannot read (AES-256-GCM).
 *
 * With a cipher in temporal_options every payload that leaves this process is sealed, wherever in a
 * message it stands, and every one that comes is opened before anybody here sees it: inputs,
 * results, details of heartbeats and failures, signals, queries, markers, memos. Search attributes
 * are not: the server searches them. Ids, types' and signals' names, messages of failures are no
 * payloads and stay readable.
 *
 * The format is that of the encryption samples of Temporal's SDKs: the whole Payload message,
 * behind a nonce of 12 bytes and with a tag of 16 at its end, becomes the data of a Payload whose
 * metadata are `encoding`: `binary/encrypted` and `encryption-key-id`. A codec server for the web
 * interface that follows those samples reads it.
 *
 * What cannot be opened (another key, bytes that were changed) stays as it is, and whoever reads it
 * gets ERR_DATA with the key's id. Payloads in the clear are taken as they are, so that encryption
 * can be begun while workflows run.
 */
#ifndef FHIRLINE_TEMPORAL_CIPHER_H
#define FHIRLINE_TEMPORAL_CIPHER_H

#include "base/err.h"

#define TEMPORAL_CIPHER_KEYS 8
#define TEMPORAL_CIPHER_ID 64 /* bytes of a key's id with its '\0' */

struct temporal_cipher;

/* `keys`: "id:base64 of 32 bytes", and after commas further ones: the first seals, all open. To
 * change it: "old,new" on every process, so that all can open what the new one seals; then
 * "new,old" on every process; then "new". An id has
 * letters, digits, '-', '_' and '.'. Errors never quote a key. Used by any number of threads. */
struct temporal_cipher *temporal_cipher_new(const char *keys, struct err *err);

/* After the connections that use it. Wipes. NULL is fine. */
void temporal_cipher_free(struct temporal_cipher *c);

#endif
