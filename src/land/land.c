/* SPDX-License-Identifier: Apache-2.0 */
#include "land/land.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "land/impl.h"
#include "land/s3.h"

#define S3_SCHEME "s3://"

/* ---- names ---- */

/* No empty part, and none that begins with a dot: those are the back ends' temporary ones, and
 * "..". */
bool land_name_check(const char *name, struct err *err)
{
	static const char allowed[] =
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789=._-/";
	size_t n = strlen(name);

	if (n == 0 || n >= sizeof((struct land_object *)0)->name || strspn(name, allowed) != n ||
	    name[0] == '/' || name[0] == '.' || name[n - 1] == '/' || strstr(name, "//") ||
	    strstr(name, "/."))
		return err_set(err, ERR_USAGE, "land.name", "not a name in the landing zone");
	return true;
}

const char *land_last_part(const char *name)
{
	const char *slash = strrchr(name, '/');

	return slash ? slash + 1 : name;
}

void land_object_name(char out[160], const char *zip, const char *run_id, const char *type, int seq)
{
	snprintf(out, 160, "zip=%s/run=%s/%s-%06d.ndjson.zst", zip, run_id, type, seq);
}

static bool folder_of_run(char out[160], const char *zip, const char *run_id, struct err *err)
{
	if (!str_is_zip(str_of(zip)) || !uuid_valid(str_of(run_id)))
		return err_set(err, ERR_USAGE, "land.name", "not a zip code and a run id");
	snprintf(out, 160, "zip=%s/run=%s", zip, run_id);
	return true;
}

bool land_damaged(struct err *err, const char *name, const char *what)
{
	return err_set(err, ERR_DATA, "land.read", "the landed object %s is damaged: %s",
	               land_last_part(name), what);
}

/* ---- opening ---- */

static int hex_digit(char c)
{
	return isdigit((unsigned char)c)    ? c - '0'
	       : isxdigit((unsigned char)c) ? tolower((unsigned char)c) - 'a' + 10
	                                    : -1;
}

char *land_url_decode(const char *url)
{
	char *path = malloc(strlen(url) + 1), *to = path;

	if (!path)
		return NULL;
	for (; *url; url++) {
		if (url[0] == '%' && hex_digit(url[1]) >= 0 && hex_digit(url[2]) >= 0 &&
		    (url[1] != '0' || url[2] != '0')) {
			*to++ = (char)(hex_digit(url[1]) << 4 | hex_digit(url[2]));
			url += 2;
		} else {
			*to++ = *url;
		}
	}
	*to = '\0';
	while (to > path + 1 && to[-1] == '/')
		*--to = '\0';
	return path;
}

/* The path of file:///path or file://localhost/path. NULL with *err. */
static char *path_of(const char *url, struct err *err)
{
	static const char scheme[] = "file://", local[] = "localhost";
	char *path;

	if (strncmp(url, scheme, sizeof scheme - 1) != 0)
		goto bad;
	url += sizeof scheme - 1;
	if (strncmp(url, local, sizeof local - 1) == 0)
		url += sizeof local - 1;
	if (url[0] != '/' || strpbrk(url, "?#"))
		goto bad;
	path = land_url_decode(url);
	if (!path)
		err_set(err, ERR_NOMEM, "land.open", "out of memory");
	return path;
bad:
	err_set(err, ERR_CONFIG, "land.open",
	        "FHIRLINE_LANDING_URL must be file:///absolute/path or s3://bucket/prefix");
	return NULL;
}

/* Sets l->url and l->backend. */
static bool open_files(struct land *l, const char *url, struct err *err)
{
	char *path = path_of(url, err);

	if (!path)
		return false;
	if (asprintf(&l->url, "file://%s", path) < 0) {
		l->url = NULL;
		err_set(err, ERR_NOMEM, "land.open", "out of memory");
	} else {
		l->backend = land_file_open(path, err);
	}
	free(path);
	return l->backend != NULL;
}

static bool open_s3(struct land *l, const char *url, const struct land_s3_options *s3,
                    struct err *err)
{
	static const struct land_s3_options none;

	l->url = str_dup(str_of(url));
	if (!l->url)
		return err_set(err, ERR_NOMEM, "land.open", "out of memory");
	l->backend = land_s3_open(url + strlen(S3_SCHEME), s3 ? s3 : &none, err);
	return l->backend != NULL;
}

struct land *land_open(const char *url, const struct land_s3_options *s3, struct err *err)
{
	struct land *l = calloc(1, sizeof *l);
	bool ok;

	if (!l) {
		err_set(err, ERR_NOMEM, "land.open", "out of memory");
		return NULL;
	}
	ok = strncmp(url, S3_SCHEME, strlen(S3_SCHEME)) == 0 ? open_s3(l, url, s3, err)
	                                                     : open_files(l, url, err);
	if (ok)
		return l;
	land_close(l);
	return NULL;
}

void land_close(struct land *l)
{
	if (!l)
		return;
	if (l->backend && !l->borrowed)
		l->backend->ops->close(l->backend);
	free(l->url);
	free(l);
}

struct land *land_view(struct land *l, const atomic_bool *stop, struct err *err)
{
	struct land *view = calloc(1, sizeof *view);

	if (!view) {
		err_set(err, ERR_NOMEM, "land.open", "out of memory");
		return NULL;
	}
	view->url = str_dup(str_of(l->url));
	view->borrowed = !l->backend->ops->view;
	view->backend = view->borrowed ? l->backend : l->backend->ops->view(l->backend, stop, err);
	if (view->url && view->backend)
		return view;
	if (!view->url)
		err_set(err, ERR_NOMEM, "land.open", "out of memory");
	land_close(view);
	return NULL;
}

void land_wake(struct land *l)
{
	if (l->backend->ops->wake)
		l->backend->ops->wake(l->backend);
}

const char *land_url(const struct land *l)
{
	return l->url;
}

/* ---- small files, and what is there ---- */

bool land_put_small(struct land *l, const char *name, struct str bytes, struct err *err)
{
	const struct land_backend_ops *ops = l->backend->ops;
	struct land_sink *s;

	if (!land_name_check(name, err))
		return false;
	s = ops->create(l->backend, name, true, err);
	if (!s)
		return false;
	if (!ops->write(s, bytes.p, bytes.n, err)) {
		ops->abort(s);
		return false;
	}
	return ops->commit(s, err);
}

bool land_get_small(struct land *l, const char *name, struct buf *out, struct err *err)
{
	const struct land_backend_ops *ops = l->backend->ops;
	int64_t size;

	if (!land_name_check(name, err) || !ops->size(l->backend, name, &size, err))
		return false;
	if (size < 0)
		return err_set(err, ERR_NOT_FOUND, "land.read",
		               "there is no %s in the landing zone", land_last_part(name));
	if (size > LAND_SMALL_MAX || !buf_reserve(out, (size_t)size))
		return err_set(err, ERR_LIMIT, "land.read", "%s is larger than is read at once",
		               land_last_part(name));
	if (!ops->range(l->backend, name, 0, out->p + out->n, (size_t)size, err))
		return false;
	out->n += (size_t)size;
	out->p[out->n] = '\0';
	return true;
}

bool land_list(struct land *l, const char *folder, land_each each, void *ctx, struct err *err)
{
	return (!*folder || land_name_check(folder, err)) &&
	       l->backend->ops->list(l->backend, folder, each, ctx, err);
}

bool land_exists(struct land *l, const char *name, bool *exists, struct err *err)
{
	int64_t size;

	if (!land_name_check(name, err) || !l->backend->ops->size(l->backend, name, &size, err))
		return false;
	*exists = size >= 0;
	return true;
}

bool land_remove(struct land *l, const char *name, struct err *err)
{
	return land_name_check(name, err) && l->backend->ops->remove(l->backend, name, err);
}

bool land_remove_run(struct land *l, const char *zip, const char *run_id, struct err *err)
{
	char folder[160];

	return folder_of_run(folder, zip, run_id, err) &&
	       l->backend->ops->remove_folder(l->backend, folder, err);
}

bool land_sweep(struct land *l, const char *zip, const char *run_id, struct err *err)
{
	char folder[160];

	return folder_of_run(folder, zip, run_id, err) &&
	       l->backend->ops->sweep(l->backend, folder, err);
}
