/* glucopipe_file.h: files that appear whole or not at all, for exporters in C on POSIX systems.
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * A helper like glucopipe_text.h, not the contract. Include it before every other header: it asks the system
 * for POSIX. */
#ifndef GLUCOPIPE_FILE_H
#define GLUCOPIPE_FILE_H
#if !defined(_XOPEN_SOURCE) && !defined(__cplusplus)
#define _XOPEN_SOURCE 700
#endif
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "glucopipe_text.h"

/* A file in the making; starts as {0}. It has a hidden name beside its target, and mode 0600. */
typedef struct gph_file {
  FILE* out; /* NULL before gph_file_create and after gph_file_commit */
  uint64_t bytes;
  char* path;
  char* temporary;
} gph_file;

/* Fails with errno: what could not be done to which file. */
GPH_API gp_status gph_fail_file(gp_error* error, const char* what, const char* path) {
  int code = errno;
  gp_status status = code == EACCES || code == EPERM || code == EROFS ? GP_E_ACCESS : GP_E_IO;
  gph_fail(error, status, "cannot %s `%s`: %s", what, path, strerror(code));
  if (error) error->native = code;
  return status;
}

/* Makes the folders above a path, for their owner alone. */
GPH_API gp_status gph_make_folders(const char* path, gp_error* error) {
  gph_text folder;
  const char* slash = *path ? strchr(path + 1, '/') : NULL;
  gp_status status = GP_OK;
  memset(&folder, 0, sizeof folder);
  for (; slash && status == GP_OK; slash = strchr(slash + 1, '/')) {
    folder.len = 0;
    gph_add(&folder, path, (size_t)(slash - path));
    if (folder.failed) status = gph_no_memory(error);
    else if (mkdir(folder.data, 0700) && errno != EEXIST) status = gph_fail_file(error, "make folder", folder.data);
  }
  gph_free(&folder);
  return status;
}

/* Gives up: what was written is gone. Also to be called after gph_file_commit. */
GPH_API void gph_file_close(gph_file* file) {
  if (file->out) {
    fclose(file->out);
    unlink(file->temporary);
  }
  free(file->path);
  free(file->temporary);
  memset(file, 0, sizeof *file);
}

/* Begins a file. Behind a link it is the file the link leads to, so that the link stays. */
GPH_API gp_status gph_file_create(gph_file* file, const char* path, gp_error* error) {
  struct stat found;
  gph_text name;
  const char* slash;
  int handle;
  gp_status status = gph_make_folders(path, error);
  memset(&name, 0, sizeof name);
  if (status != GP_OK) return status;
  if (lstat(path, &found) == 0) {
    if (S_ISLNK(found.st_mode) && (!(file->path = realpath(path, NULL)) || stat(path, &found)))
      return gph_fail_file(error, "follow", path);
    if (!S_ISREG(found.st_mode)) return gph_fail_key(error, "path", "`path` is there, and no file");
  }
  if (!file->path) {
    gph_puts(&name, path);
    file->path = name.data;
    memset(&name, 0, sizeof name);
  }
  if (!file->path) return gph_no_memory(error);
  slash = strrchr(file->path, '/');
  if (slash) gph_add(&name, file->path, (size_t)(slash - file->path) + 1);
  gph_puts(&name, ".glucopipe-XXXXXX");
  file->temporary = name.data;
  if (name.failed || !name.data) return gph_no_memory(error);
  handle = mkstemp(file->temporary);
  if (handle < 0) return gph_fail_file(error, "write beside", path);
  file->out = fdopen(handle, "w");
  if (file->out) return GP_OK;
  status = gph_fail_file(error, "write", path);
  close(handle);
  unlink(file->temporary);
  return status;
}

GPH_API gp_status gph_file_write(gph_file* file, const gph_text* text, gp_error* error) {
  if (text->failed) return gph_no_memory(error);
  if (text->len && fwrite(text->data, 1, text->len, file->out) != text->len)
    return gph_fail_file(error, "write", file->path);
  file->bytes += text->len;
  return GP_OK;
}

/* Gives the file its name, durably: file, then name, then folder. */
GPH_API gp_status gph_file_commit(gph_file* file, gp_error* error) {
  gp_status status;
  char* slash;
  int ended, folder;
  if (!file->out) return gph_fail(error, GP_E_PRECONDITION, "it was committed before");
  if (fflush(file->out) || fsync(fileno(file->out))) return gph_fail_file(error, "write", file->path);
  ended = fclose(file->out);
  file->out = NULL;
  if (ended || rename(file->temporary, file->path)) {
    status = gph_fail_file(error, "write", file->path);
    unlink(file->temporary);
    return status;
  }
  /* The file is there now: a folder that cannot be synced is no reason to say otherwise. */
  slash = strrchr(file->temporary, '/');
  if (slash) slash[slash == file->temporary] = 0;
  folder = open(slash ? file->temporary : ".", O_RDONLY);
  if (folder >= 0) {
    fsync(folder);
    close(folder);
  }
  return GP_OK;
}

/* What gp_exporter.commit reports of a file. more is further members, each behind a comma, or NULL. */
GPH_API gp_status gph_file_report(const gph_file* file, uint64_t delivered, const gph_text* more, gp_string* report,
                                  gp_error* error) {
  gph_text json;
  memset(&json, 0, sizeof json);
  gph_print(&json, "{\"delivered\": %llu, \"bytes\": %llu, \"targets\": [", (unsigned long long)delivered,
            (unsigned long long)file->bytes);
  gph_quote(&json, file->path, strlen(file->path));
  gph_puts(&json, "]");
  if (more && more->data) gph_add(&json, more->data, more->len);
  if (more && more->failed) json.failed = 1;
  gph_puts(&json, "}");
  return gph_give(&json, report, error);
}
#endif /* GLUCOPIPE_FILE_H */
