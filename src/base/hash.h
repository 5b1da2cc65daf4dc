/* SPDX-License-Identifier: Apache-2.0
 *
 * hash.h: SHA-256 as hex (OpenSSL), random UUIDv7 run ids, and a fast 64-bit hash for tables in
 * memory.
 */
#ifndef FHIRLINE_BASE_HASH_H
#define FHIRLINE_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

#define HASH_HEX 65 /* 64 hex digits and '\0' */
#define UUID_TEXT 37

struct hash_sha256; /* a running hash */

struct hash_sha256 *hash_sha256_new(struct err *err);
bool hash_sha256_add(struct hash_sha256 *h, const void *p, size_t n);
bool hash_sha256_hex(struct hash_sha256 *h, char out[HASH_HEX]); /* ends it; free it next */
void hash_sha256_free(struct hash_sha256 *h);

bool hash_sha256_of(struct str s, char out[HASH_HEX]);

/* FNV-1a with a final mix: for hash tables, not against an adversary. */
uint64_t hash_bytes(const void *p, size_t n);

/* RFC 9562 version 7: milliseconds of `now_us` first, then random bits of the system's generator.
 */
bool uuid_v7(int64_t now_us, char out[UUID_TEXT], struct err *err);
bool uuid_valid(struct str s); /* 8-4-4-4-12 lower-case hex */

#endif
