/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/output.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cmd/database.h"
#include "cmd/interrupt.h"
#include "land/land.h"

struct output {
	struct land *land; /* S3; NULL: what follows */
	struct land_plain *object;
	char *path;      /* as given, for messages */
	char *temporary; /* NULL: written in place */
	int fd;
	bool replace;
};

static void output_free(struct output *o)
{
	if (!o)
		return;
	land_close(o->land);
	if (o->fd > STDERR_FILENO)
		close(o->fd);
	free(o->temporary);
	free(o->path);
	free(o);
}

void output_abort(struct output *o)
{
	if (o)
		land_plain_abort(o->object);
	if (o && o->temporary)
		unlink(o->temporary);
	output_free(o);
}

static bool exists_already(const char *path, struct err *err)
{
	return err_set(err, ERR_CONFLICT, "output",
	               "%s is there already: name another file, or replace it with --force", path);
}

/* The error of a path, with what to do about it. */
static bool io_error(struct err *err, int number, const char *path)
{
	if (number == EPIPE)
		return err_set(err, ERR_GONE, "output", "nobody reads the output any more");
	if (number == ENOSPC || number == EDQUOT)
		return err_set(err, ERR_IO, "output",
		               "no space is left for %s: free some, or write to another disk",
		               path);
	return err_set_errno(err, ERR_IO, "output", number, "cannot write %s", path);
}

static bool open_temporary(struct output *o, struct err *err)
{
	size_t size = strlen(o->path) + 16;

	o->temporary = malloc(size);
	if (!o->temporary)
		return err_set(err, ERR_NOMEM, "output", "out of memory");
	snprintf(o->temporary, size, "%s.XXXXXX.tmp", o->path);
	o->fd = mkostemps(o->temporary, 4, O_CLOEXEC); /* 0600 */
	if (o->fd >= 0)
		return true;
	io_error(err, errno, o->path);
	free(o->temporary);
	o->temporary = NULL;
	return false;
}

static bool open_path(struct output *o, struct err *err)
{
	struct stat st;

	if (strcmp(o->path, "-") == 0) {
		o->fd = STDOUT_FILENO;
		return true;
	}
	if (stat(o->path, &st) != 0)
		return errno == ENOENT ? open_temporary(o, err) : io_error(err, errno, o->path);
	if (S_ISDIR(st.st_mode))
		return err_set(err, ERR_USAGE, "output", "%s is a folder: name a file in it",
		               o->path);
	if (S_ISREG(st.st_mode))
		return o->replace ? open_temporary(o, err) : exists_already(o->path, err);
	o->fd = open(o->path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
	return o->fd >= 0 || io_error(err, errno, o->path);
}

static struct output *output_new(const char *path, bool replace, struct err *err)
{
	struct output *o = calloc(1, sizeof *o);

	if (o)
		*o = (struct output){.path = strdup(path), .fd = -1, .replace = replace};
	if (o && o->path)
		return o;
	err_set(err, ERR_NOMEM, "output", "out of memory");
	output_free(o);
	return NULL;
}

struct output *output_open(const char *path, bool replace, struct err *err)
{
	struct output *o = output_new(path, replace, err);

	if (!o || open_path(o, err))
		return o;
	output_free(o);
	return NULL;
}

/* ---- S3 ---- */

/* Seen now, before all rows have been sent; the commit sees it once more. */
static bool open_object(struct output *o, const char *name, struct err *err)
{
	bool there = false;

	if (!o->replace && !land_exists(o->land, name, &there, err))
		return false;
	if (there)
		return exists_already(o->path, err);
	o->object = land_plain_create(o->land, name, o->replace, err);
	return o->object != NULL;
}

static bool split_url(char *folder, const char **name, struct err *err)
{
	static const char allowed[] =
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789=._-";
	char *slash = strrchr(folder, '/');

	*name = slash + 1;
	if (slash < folder + strlen("s3://x") || !**name || **name == '.' ||
	    strspn(*name, allowed) != strlen(*name))
		return err_set(err, ERR_USAGE, "output",
		               "an output in S3 is s3://bucket/folder/name, the name of letters, "
		               "digits and = . _ -");
	*slash = '\0';
	return true;
}

struct output *output_open_s3(const struct config *config, const char *url, bool replace,
                              struct err *err)
{
	struct output *o = output_new(url, replace, err);
	char *folder = o ? strdup(url) : NULL;
	const char *name;
	bool ok = false;

	if (!folder) {
		err_set(err, ERR_NOMEM, "output", "out of memory");
		goto done;
	}
	if (!split_url(folder, &name, err))
		goto done;
	o->land = landing_open_at(config, folder, err);
	ok = o->land && open_object(o, name, err);
done:
	free(folder);
	if (ok)
		return o;
	output_abort(o);
	return NULL;
}

/* ---- writing ---- */

/* A pipe that nobody empties must not keep Ctrl-C from working. */
static bool wait_for_reader(const struct output *o, struct err *err)
{
	struct pollfd p[] = {{.fd = o->fd, .events = POLLOUT},
	                     {.fd = interrupt_fd(), .events = POLLIN}};

	while (!interrupted()) {
		if (poll(p, 2, -1) < 0 && errno != EINTR)
			return io_error(err, errno, "the output");
		if (p[0].revents)
			return true; /* also when it is closed: write() has the reason */
	}
	return err_set(err, ERR_CANCELLED, "output", "interrupted");
}

static const char *shown(const struct output *o)
{
	return strcmp(o->path, "-") == 0 ? "standard output" : o->path;
}

bool output_write(struct output *o, const void *bytes, size_t n, struct err *err)
{
	const char *p = bytes;

	if (o->object)
		return land_plain_write(o->object, bytes, n, err);
	while (n) {
		/* so much a pipe that can be written takes without waiting */
		size_t piece = o->temporary || n < PIPE_BUF ? n : PIPE_BUF;
		ssize_t k;

		if (!o->temporary && !wait_for_reader(o, err))
			return false;
		k = write(o->fd, p, piece);
		if (k < 0 && errno != EINTR && errno != EAGAIN)
			return io_error(err, errno, shown(o));
		if (k > 0) {
			p += k;
			n -= (size_t)k;
		}
	}
	return true;
}

/* link() refuses to replace, whoever was faster; where there are no links the look at the start has
 * to do. */
static bool put_in_place(struct output *o, struct err *err)
{
	if (!o->replace && link(o->temporary, o->path) == 0) {
		unlink(o->temporary);
		return true;
	}
	if (!o->replace && errno == EEXIST)
		return exists_already(o->path, err);
	return rename(o->temporary, o->path) == 0 || io_error(err, errno, o->path);
}

static bool sync_folder(const struct output *o, struct err *err)
{
	const char *slash = strrchr(o->path, '/');
	char *folder = slash == o->path ? strdup("/")
	               : slash          ? strndup(o->path, (size_t)(slash - o->path))
	                                : strdup(".");
	int fd = folder ? open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
	/* some file systems cannot flush folders, and say so */
	bool ok = fd >= 0 && (fsync(fd) == 0 || errno == EINVAL || errno == ENOTSUP);

	if (!ok)
		io_error(err, errno, o->path);
	if (fd >= 0)
		close(fd);
	free(folder);
	return ok;
}

bool output_commit(struct output *o, struct err *err)
{
	struct land_object object;
	bool ok = true;

	if (o->object) {
		ok = land_plain_commit(o->object, &object, err);
		o->object = NULL;
	}
	if (o->temporary) {
		if (fsync(o->fd) != 0)
			ok = io_error(err, errno, o->path);
		else
			ok = put_in_place(o, err) && sync_folder(o, err);
		if (!ok)
			unlink(o->temporary); /* gone already when it is in its place */
	}
	output_free(o);
	return ok;
}
