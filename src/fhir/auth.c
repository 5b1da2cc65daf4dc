/* SPDX-License-Identifier: Apache-2.0 */
#include "fhir/auth.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

struct fhir_auth {
	const struct fhir_auth_ops *ops;
	void *self;
};

struct fhir_auth *fhir_auth_new(const struct fhir_auth_ops *ops, void *self, struct err *err)
{
	struct fhir_auth *a = calloc(1, sizeof *a);

	if (!a) {
		ops->free(self);
		err_set(err, ERR_NOMEM, "auth.new", "out of memory");
		return NULL;
	}
	a->ops = ops;
	a->self = self;
	return a;
}

void fhir_auth_free(struct fhir_auth *a)
{
	if (!a)
		return;
	a->ops->free(a->self);
	free(a);
}

bool fhir_auth_header(struct fhir_auth *a, const atomic_bool *cancel, struct buf *header,
                      uint64_t *generation, struct err *err)
{
	return a->ops->header(a->self, cancel, header, generation, err);
}

bool fhir_auth_renewable(const struct fhir_auth *a)
{
	return a->ops->renew != NULL;
}

bool fhir_auth_renew(struct fhir_auth *a, uint64_t generation, const atomic_bool *cancel,
                     struct err *err)
{
	if (!a->ops->renew)
		return err_set(err, ERR_AUTH, "auth.renew", "these credentials cannot be renewed");
	return a->ops->renew(a->self, generation, cancel, err);
}

/* ---- kinds with a header that never changes: self is the header line, "" for none ---- */

static bool fixed_header(void *self, const atomic_bool *cancel, struct buf *header,
                         uint64_t *generation, struct err *err)
{
	(void)cancel;
	*generation = 0;
	return buf_add_cstr(header, self) ||
	       err_set(err, ERR_NOMEM, "auth.header", "out of memory");
}

static void fixed_free(void *self)
{
	if (self)
		OPENSSL_cleanse(self, strlen(self));
	free(self);
}

static const struct fhir_auth_ops fixed_ops = {.header = fixed_header, .free = fixed_free};

static struct fhir_auth *fixed_new(const char *prefix, const char *value, struct err *err)
{
	size_t size = strlen(prefix) + strlen(value) + 1;
	char *line = malloc(size);

	if (!line) {
		err_set(err, ERR_NOMEM, "auth.new", "out of memory");
		return NULL;
	}
	memcpy(line, prefix, strlen(prefix));
	memcpy(line + strlen(prefix), value, strlen(value) + 1);
	return fhir_auth_new(&fixed_ops, line, err);
}

static bool has_control(const char *s)
{
	for (; *s; s++)
		if ((unsigned char)*s < ' ' || *s == 0x7f)
			return true;
	return false;
}

struct fhir_auth *fhir_auth_none(struct err *err)
{
	return fixed_new("", "", err);
}

struct fhir_auth *fhir_auth_bearer(const char *token, struct err *err)
{
	if (!token || !*token || has_control(token) || strchr(token, ' ')) {
		err_set(err, ERR_CONFIG, "auth.bearer",
		        "the bearer token is empty or holds blanks or control characters "
		        "(FHIRLINE_FHIR_TOKEN)");
		return NULL;
	}
	return fixed_new("Authorization: Bearer ", token, err);
}

struct fhir_auth *fhir_auth_basic(const char *user, const char *password, struct err *err)
{
	size_t un = user ? strlen(user) : 0, pn = password ? strlen(password) : 0;
	unsigned char *plain, *coded;
	struct fhir_auth *a = NULL;

	if (!un || strchr(user, ':') || has_control(user) || (pn && has_control(password))) {
		err_set(err, ERR_CONFIG, "auth.basic",
		        "basic authentication needs a user name without ':' and no control "
		        "characters (FHIRLINE_FHIR_USER, "
		        "FHIRLINE_FHIR_PASSWORD)");
		return NULL;
	}
	plain = malloc(un + pn + 2);
	coded = malloc((un + pn + 3) / 3 * 4 + 1);
	if (plain && coded) {
		memcpy(plain, user, un);
		plain[un] = ':';
		if (pn)
			memcpy(plain + un + 1, password, pn);
		EVP_EncodeBlock(coded, plain, (int)(un + pn + 1));
		a = fixed_new("Authorization: Basic ", (char *)coded, err);
		OPENSSL_cleanse(plain, un + pn + 1);
		OPENSSL_cleanse(coded, strlen((char *)coded));
	} else {
		err_set(err, ERR_NOMEM, "auth.basic", "out of memory");
	}
	free(plain);
	free(coded);
	return a;
}
