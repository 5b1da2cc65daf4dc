/* SPDX-License-Identifier: Apache-2.0
 *
 * The landing zone in a folder. Everything is relative to the root's descriptor. A file is written
 * under a hidden temporary name beside its own, flushed, and linked to its name, which refuses to
 * replace what is there; then the folder is flushed. Files and folders are for their owner alone:
 * they hold health data.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "land/impl.h"

enum { FOLDER_MODE = 0700, FILE_MODE = 0600, PATH_ROOM = 256, NAMES_MAX = 1000000, DEPTH_MAX = 8 };

struct file_backend {
	struct land_backend base;
	int root;
};

struct file_sink {
	struct land_sink base;
	int fd; /* -1 when closed */
	bool replace;
	char name[PATH_ROOM];
	char temporary[PATH_ROOM];
};

struct file_source {
	struct land_source base;
	int fd;
	char name[PATH_ROOM];
};

static int root_of(const struct land_backend *b)
{
	return ((const struct file_backend *)(const void *)b)->root;
}

/* What to do about it, in words, for the errors that a person can mend. */
static bool io_error(struct err *err, const char *what, const char *name, int errnum)
{
	const char *last = land_last_part(name);

	switch (errnum) {
	case ENOSPC:
	case EDQUOT:
		return err_set_retry(err, ERR_IO, "land.file",
		                     "cannot %s %s: no space is left in the landing zone; make "
		                     "room there and the run goes on",
		                     what, last);
	case EACCES:
	case EPERM:
		return err_set(err, ERR_IO, "land.file",
		               "cannot %s %s: permission denied; let this user write to the "
		               "landing zone, or change FHIRLINE_LANDING_URL",
		               what, last);
	case EROFS:
		return err_set(err, ERR_IO, "land.file",
		               "cannot %s %s: the landing zone is on a read-only file system; "
		               "change FHIRLINE_LANDING_URL",
		               what, last);
	case EMFILE:
	case ENFILE:
		return err_set_retry(
		    err, ERR_IO, "land.file",
		    "cannot %s %s: too many open files; raise the limit (ulimit -n)", what, last);
	default:
		return err_set_errno(err, ERR_IO, "land.file", errnum,
		                     "cannot %s %s in the landing zone", what, last);
	}
}

/* The folder of a name: "" for one directly in the root. */
static void folder_of(const char *name, char out[PATH_ROOM])
{
	const char *slash = strrchr(name, '/');

	snprintf(out, PATH_ROOM, "%.*s", slash ? (int)(slash - name) : 0, name);
}

static int open_folder(int root, const char *folder)
{
	return openat(root, *folder ? folder : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static bool flush_folder(int root, const char *folder, struct err *err)
{
	int fd = open_folder(root, folder);
	bool ok;

	if (fd < 0)
		return io_error(err, "open", *folder ? folder : "the landing zone", errno);
	ok = fsync(fd) == 0 || io_error(err, "flush", *folder ? folder : "the landing zone", errno);
	close(fd);
	return ok;
}

/* Makes the folders above `name`; what is new is flushed with the folder that it stands in. */
static bool make_folders(int root, const char *name, struct err *err)
{
	char path[PATH_ROOM], parent[PATH_ROOM];

	for (const char *slash = strchr(name, '/'); slash; slash = strchr(slash + 1, '/')) {
		snprintf(path, sizeof path, "%.*s", (int)(slash - name), name);
		if (mkdirat(root, path, FOLDER_MODE) == 0) {
			folder_of(path, parent);
			if (!flush_folder(root, parent, err))
				return false;
		} else if (errno != EEXIST) {
			return io_error(err, "make the folder", path, errno);
		}
	}
	return true;
}

/* ---- writing ---- */

static bool temporary_name(const char *name, char out[PATH_ROOM], struct err *err)
{
	char id[UUID_TEXT];
	const char *last = land_last_part(name);

	if (!uuid_v7(clock_now_us(&clock_system), id, err))
		return false;
	snprintf(out, PATH_ROOM, "%.*s.%s.%.8s.tmp", (int)(last - name), name, last, id + 28);
	return true;
}

static struct land_sink *file_create(struct land_backend *b, const char *name, bool replace,
                                     struct err *err)
{
	struct file_sink *s = calloc(1, sizeof *s);

	if (!s) {
		err_set(err, ERR_NOMEM, "land.file", "out of memory");
		return NULL;
	}
	s->base.backend = b;
	s->replace = replace;
	snprintf(s->name, sizeof s->name, "%s", name);
	if (!make_folders(root_of(b), name, err) || !temporary_name(name, s->temporary, err))
		goto failed;
	s->fd =
	    openat(root_of(b), s->temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, FILE_MODE);
	if (s->fd >= 0)
		return &s->base;
	io_error(err, "create", name, errno);
failed:
	free(s);
	return NULL;
}

static struct file_sink *sink_of(struct land_sink *s)
{
	return (struct file_sink *)(void *)s;
}

static bool file_write(struct land_sink *sink, const void *bytes, size_t n, struct err *err)
{
	struct file_sink *s = sink_of(sink);
	const char *p = bytes;

	while (n) {
		ssize_t k = write(s->fd, p, n);

		if (k < 0 && errno == EINTR)
			continue;
		if (k < 0)
			return io_error(err, "write", s->name, errno);
		p += k;
		n -= (size_t)k;
	}
	return true;
}

static void file_abort(struct land_sink *sink)
{
	struct file_sink *s = sink_of(sink);

	if (s->fd >= 0)
		close(s->fd);
	unlinkat(root_of(sink->backend), s->temporary, 0);
	free(s);
}

static bool put_in_place(int root, const struct file_sink *s, struct err *err)
{
	int failed = s->replace ? renameat(root, s->temporary, root, s->name)
	                        : linkat(root, s->temporary, root, s->name, 0);

	if (!failed)
		return true;
	if (errno == EEXIST)
		return err_set(err, ERR_CONFLICT, "land.file", "%s is in the landing zone already",
		               land_last_part(s->name));
	/* swept, by whoever has taken the run over */
	if (errno == ENOENT)
		return err_set(err, ERR_CONFLICT, "land.file",
		               "%s was taken away while it was written", land_last_part(s->name));
	return io_error(err, "put in place", s->name, errno);
}

static bool file_commit(struct land_sink *sink, struct err *err)
{
	struct file_sink *s = sink_of(sink);
	int root = root_of(sink->backend), fd = s->fd;
	char folder[PATH_ROOM];
	bool ok;

	ok = fsync(fd) == 0 || io_error(err, "flush", s->name, errno);
	s->fd = -1;
	if (close(fd) != 0 && ok)
		ok = io_error(err, "close", s->name, errno);
	folder_of(s->name, folder);
	ok = ok && put_in_place(root, s, err);
	/* after a rename it is gone already; after a link the other name holds the file */
	if (!ok || !s->replace)
		unlinkat(root, s->temporary, 0);
	ok = ok && flush_folder(root, folder, err);
	free(s);
	return ok;
}

/* ---- reading ---- */

static bool open_error(struct err *err, const char *name, int errnum)
{
	if (errnum == ENOENT)
		return err_set(err, ERR_NOT_FOUND, "land.file",
		               "there is no %s in the landing zone", land_last_part(name));
	return io_error(err, "open", name, errnum);
}

static struct land_source *file_open(struct land_backend *b, const char *name, struct err *err)
{
	struct file_source *s = calloc(1, sizeof *s);

	if (!s) {
		err_set(err, ERR_NOMEM, "land.file", "out of memory");
		return NULL;
	}
	s->base.backend = b;
	snprintf(s->name, sizeof s->name, "%s", name);
	s->fd = openat(root_of(b), name, O_RDONLY | O_CLOEXEC);
	if (s->fd >= 0)
		return &s->base;
	open_error(err, name, errno);
	free(s);
	return NULL;
}

static bool file_read(struct land_source *source, void *p, size_t cap, size_t *got, struct err *err)
{
	struct file_source *s = (struct file_source *)(void *)source;
	ssize_t k;

	do
		k = read(s->fd, p, cap);
	while (k < 0 && errno == EINTR);
	if (k < 0)
		return io_error(err, "read", s->name, errno);
	*got = (size_t)k;
	return true;
}

static void file_close_source(struct land_source *source)
{
	struct file_source *s = (struct file_source *)(void *)source;

	close(s->fd);
	free(s);
}

static bool file_range(struct land_backend *b, const char *name, int64_t offset, void *bytes,
                       size_t n, struct err *err)
{
	int fd = openat(root_of(b), name, O_RDONLY | O_CLOEXEC);
	char *p = bytes;
	bool ok = true;

	if (fd < 0)
		return open_error(err, name, errno);
	while (ok && n) {
		ssize_t k = pread(fd, p, n, offset);

		if (k < 0 && errno == EINTR)
			continue;
		if (k <= 0) {
			ok = k ? io_error(err, "read", name, errno)
			       : land_damaged(err, name, "it is cut off");
			break;
		}
		p += k;
		n -= (size_t)k;
		offset += k;
	}
	close(fd);
	return ok;
}

static bool file_size(struct land_backend *b, const char *name, int64_t *size, struct err *err)
{
	struct stat st;

	if (fstatat(root_of(b), name, &st, 0) != 0) {
		if (errno != ENOENT && errno != ENOTDIR)
			return io_error(err, "look at", name, errno);
		*size = -1;
		return true;
	}
	if (!S_ISREG(st.st_mode))
		return err_set(err, ERR_IO, "land.file", "%s in the landing zone is not a file",
		               land_last_part(name));
	*size = st.st_size;
	return true;
}

/* ---- taking away ---- */

static bool file_remove(struct land_backend *b, const char *name, struct err *err)
{
	char folder[PATH_ROOM];

	if (unlinkat(root_of(b), name, 0) != 0)
		return errno == ENOENT || io_error(err, "remove", name, errno);
	folder_of(name, folder);
	return flush_folder(root_of(b), folder, err);
}

static bool is_temporary(const char *name)
{
	size_t n = strlen(name);

	return name[0] == '.' && n > 4 && strcmp(name + n - 4, ".tmp") == 0;
}

/* Removes the files of a folder, all or the temporary ones. A missing folder is fine: *there is
 * false. */
static bool empty_folder(int root, const char *folder, bool temporary_only, bool *there,
                         struct err *err)
{
	int fd = open_folder(root, folder);
	struct dirent *e;
	DIR *dir;
	bool ok = true;

	*there = fd >= 0;
	if (fd < 0)
		return errno == ENOENT || io_error(err, "open", folder, errno);
	dir = fdopendir(fd);
	if (!dir) {
		close(fd);
		return err_set(err, ERR_NOMEM, "land.file", "out of memory");
	}
	while (ok && (errno = 0, e = readdir(dir))) {
		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		if (temporary_only && !is_temporary(e->d_name))
			continue;
		if (unlinkat(dirfd(dir), e->d_name, 0) != 0 && errno != ENOENT)
			ok = io_error(err, "remove", e->d_name, errno);
	}
	if (ok && errno)
		ok = io_error(err, "list", folder, errno);
	closedir(dir);
	return ok;
}

static bool file_remove_folder(struct land_backend *b, const char *folder, struct err *err)
{
	char parent[PATH_ROOM];
	bool there;

	if (!empty_folder(root_of(b), folder, false, &there, err))
		return false;
	if (!there)
		return true;
	if (unlinkat(root_of(b), folder, AT_REMOVEDIR) != 0 && errno != ENOENT)
		return io_error(err, "remove", folder, errno);
	folder_of(folder, parent);
	return flush_folder(root_of(b), parent, err);
}

static bool file_sweep(struct land_backend *b, const char *folder, struct err *err)
{
	bool there;

	return empty_folder(root_of(b), folder, true, &there, err);
}

/* ---- opening ---- */

static void file_close(struct land_backend *b)
{
	close(root_of(b));
	free(b);
}

/* ---- listing ---- */

struct names {
	char **list;
	size_t n, cap;
};

static void free_names(struct names *names)
{
	for (size_t i = 0; i < names->n; i++)
		free(names->list[i]);
	free(names->list);
}

static bool add_name(struct names *names, const char *name, bool folder, struct err *err)
{
	if (names->n == NAMES_MAX)
		return err_set(err, ERR_LIMIT, "land.file",
		               "a folder of the landing zone has more than %d entries", NAMES_MAX);
	if (names->n == names->cap) {
		size_t cap = names->cap ? names->cap * 2 : 64;
		char **list = realloc(names->list, cap * sizeof *list);

		if (!list)
			return err_set(err, ERR_NOMEM, "land.file", "out of memory");
		names->list = list;
		names->cap = cap;
	}
	if (asprintf(&names->list[names->n], "%s%s", name, folder ? "/" : "") < 0)
		return err_set(err, ERR_NOMEM, "land.file", "out of memory");
	names->n++;
	return true;
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* A folder's visible entries, folders with a '/' behind: so sorted that whole names are, too. */
static bool read_names(int root, const char *folder, struct names *names, struct err *err)
{
	int fd = openat(root, *folder ? folder : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	bool ok = true;

	if (!dir) {
		int errnum = errno;

		if (fd >= 0)
			close(fd);
		return errnum == ENOENT || errnum == ENOTDIR ||
		       io_error(err, "list", folder, errnum);
	}
	for (struct dirent *e; ok && (e = readdir(dir));) {
		struct stat st;

		if (e->d_name[0] == '.' || fstatat(fd, e->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0)
			continue;
		if (S_ISREG(st.st_mode) || S_ISDIR(st.st_mode))
			ok = add_name(names, e->d_name, S_ISDIR(st.st_mode), err);
	}
	closedir(dir);
	if (names->n)
		qsort(names->list, names->n, sizeof *names->list, compare_names);
	return ok;
}

struct listing {
	struct land_backend *b;
	land_each each;
	void *ctx;
	int depth;
};

static bool list_folder(struct listing *l, const char *folder, struct err *err);

static bool list_one(struct listing *l, const char *folder, const char *part, struct err *err)
{
	char name[PATH_ROOM], quiet[PATH_ROOM];
	size_t n = (size_t)snprintf(name, sizeof name, "%s%s%s", folder, *folder ? "/" : "", part);
	struct err not_ours;
	struct stat st;

	if (n >= sizeof name)
		return true;
	snprintf(quiet, sizeof quiet, "%s", name);
	if (quiet[n - 1] == '/')
		quiet[n - 1] = '\0';
	if (!land_name_check(quiet, &not_ours))
		return true;
	if (name[n - 1] == '/')
		return l->depth == DEPTH_MAX || list_folder(l, quiet, err);
	/* gone since: somebody has taken it away */
	if (fstatat(root_of(l->b), name, &st, AT_SYMLINK_NOFOLLOW) != 0)
		return true;
	return l->each(l->ctx, name, st.st_size, err);
}

static bool list_folder(struct listing *l, const char *folder, struct err *err)
{
	struct names names = {0};
	bool ok = read_names(root_of(l->b), folder, &names, err);

	l->depth++;
	for (size_t i = 0; ok && i < names.n; i++)
		ok = list_one(l, folder, names.list[i], err);
	l->depth--;
	free_names(&names);
	return ok;
}

static bool file_list(struct land_backend *b, const char *folder, land_each each, void *ctx,
                      struct err *err)
{
	struct listing l = {b, each, ctx, 0};

	return list_folder(&l, folder, err);
}

static const struct land_backend_ops file_ops = {
    .close = file_close,
    .create = file_create,
    .write = file_write,
    .commit = file_commit,
    .abort = file_abort,
    .open = file_open,
    .read = file_read,
    .close_source = file_close_source,
    .range = file_range,
    .size = file_size,
    .remove = file_remove,
    .remove_folder = file_remove_folder,
    .sweep = file_sweep,
    .list = file_list,
};

/* The folder that a new one stands in, flushed, so that a crash does not take the new one away. */
static bool flush_parent(const char *path, struct err *err)
{
	const char *slash = strrchr(path, '/');
	char *parent = strndup(path, slash > path ? (size_t)(slash - path) : 1);
	int fd = parent ? open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
	/* a parent that may not be read cannot be flushed either: no reason to refuse the landing
	 * zone */
	bool ok = fd < 0 || fsync(fd) == 0 || io_error(err, "flush the folder of", path, errno);

	if (fd >= 0)
		close(fd);
	free(parent);
	return ok;
}

/* mkdir -p */
static bool make_root(const char *path, struct err *err)
{
	char *part = strdup(path);
	bool ok = true;

	if (!part)
		return err_set(err, ERR_NOMEM, "land.open", "out of memory");
	for (char *p = part + 1; ok && p[-1]; p++) {
		char end = *p;

		if (end != '/' && end != '\0')
			continue;
		*p = '\0';
		if (mkdir(part, FOLDER_MODE) == 0)
			ok = flush_parent(part, err);
		else if (errno != EEXIST)
			ok = io_error(err, "make the folder", part, errno);
		*p = end;
		if (!end)
			break;
	}
	free(part);
	return ok;
}

/* The one sure way to know whether it can be written is to write. One name for all: what a killed
 * process left of it is gone after the next. */
static bool try_to_write(struct land_backend *b, struct err *err)
{
	static const char name[] = ".write-check.tmp";
	bool ok;
	int fd;

	unlinkat(root_of(b), name, 0);
	fd = openat(root_of(b), name, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, FILE_MODE);
	if (fd < 0)
		return io_error(err, "create", "a file", errno);
	ok = write(fd, "x", 1) == 1 || io_error(err, "write", "a file", errno);
	close(fd);
	unlinkat(root_of(b), name, 0);
	return ok;
}

struct land_backend *land_file_open(const char *path, struct err *err)
{
	struct file_backend *b;

	if (!make_root(path, err))
		return NULL;
	b = calloc(1, sizeof *b);
	if (!b) {
		err_set(err, ERR_NOMEM, "land.open", "out of memory");
		return NULL;
	}
	b->base.ops = &file_ops;
	b->root = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (b->root < 0) {
		io_error(err, "open", path, errno);
		free(b);
		return NULL;
	}
	if (try_to_write(&b->base, err))
		return &b->base;
	file_close(&b->base);
	return NULL;
}
