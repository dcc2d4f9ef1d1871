/* Bad weather for a program: runs it, and lets what it does to the files of a folder fail or be lost.
 *
 *   weather FOLDER kill N SEED PROGRAM ARG…      the program is killed at the Nth change
 *   weather FOLDER cut N SEED PROGRAM ARG…       the power fails at the Nth change
 *   weather FOLDER full N SEED PROGRAM ARG…      from the Nth change on there is no space left
 *   weather FOLDER readonly N SEED PROGRAM ARG…  from the Nth change on nothing can be changed
 *
 * A change is a write, a truncation, a rename, an unlink or an fsync of something in the folder. After a power
 * cut the files are as a disk may have them that keeps what was synchronised and nothing else for certain: of
 * the writes since the last fsync of a file some are undone, and of the renames and unlinks since the last fsync
 * of their folder the latest ones. SEED says which. A new file keeps its name.
 *
 * Ends as the program does; with 99 when it was killed or the power failed, with 98 when this cannot be done.
 * Linux on x86-64 and aarch64. ptrace(2) is the source of all facts about stops and registers. */
#define _GNU_SOURCE
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#define ENDED_STATUS 99
#define BROKEN_STATUS 98
/* Stops of a system call, told from a signal by this bit (PTRACE_O_TRACESYSGOOD). */
#define SYSCALL_STOP (SIGTRAP | 0x80)

/* What was done and may be lost. */
struct change {
  enum { WRITE, RENAME, UNLINK } kind;
  int safe;         /* an fsync came since: nothing to undo */
  int fd;           /* WRITE: the file, whatever it is called by now */
  off_t at, size;   /* where it was written, and how long the file was */
  size_t kept;      /* bytes in old */
  char* old;        /* WRITE: the bytes there before */
  char* from;       /* RENAME, UNLINK: the name that went */
  char* to;         /* RENAME: the name it came to */
  char* spare;      /* another name for what was there, or NULL */
  dev_t device;     /* of the file (WRITE) or of its folder */
  ino_t node;
};

/* A thread of the program. */
struct thread {
  pid_t id;
  int refused;      /* errno that its system call shall end with, or 0 */
  int syncing;      /* a file or folder that it synchronises, or -1 */
  int made;         /* its system call has added a change */
  size_t before;    /* changes that were made before its system call */
};

static struct change* changes;
static size_t change_count;
static struct thread threads[4096];
static size_t thread_count;
static const char* folder;
static const char* event;
static long wanted, seen;
static uint64_t dice;

static void broken(const char* what) {
  fprintf(stderr, "weather: %s: %s\n", what, strerror(errno));
  _exit(BROKEN_STATUS);
}

/* SplitMix64. */
static uint64_t roll(uint64_t sides) {
  uint64_t number = dice += 0x9e3779b97f4a7c15u;
  number = (number ^ (number >> 30)) * 0xbf58476d1ce4e5b9u;
  number = (number ^ (number >> 27)) * 0x94d049bb133111ebu;
  return (number ^ (number >> 31)) % sides;
}

static struct thread* thread_of(pid_t id) {
  for (size_t at = 0; at < thread_count; at++)
    if (threads[at].id == id) return &threads[at];
  if (thread_count == sizeof threads / sizeof *threads) broken("too many threads");
  threads[thread_count] = (struct thread){id, 0, -1, 0, 0};
  return &threads[thread_count++];
}

static int is_watched(const char* path) {
  size_t length = strlen(folder);
  return strncmp(path, folder, length) == 0 && (path[length] == '/' || path[length] == 0);
}

/* The name of an open file, if it is in the folder. */
static int path_of(pid_t id, int fd, char path[PATH_MAX]) {
  char link[64];
  snprintf(link, sizeof link, "/proc/%d/fd/%d", id, fd);
  ssize_t length = readlink(link, path, PATH_MAX - 1);
  if (length <= 0) return 0;
  path[length] = 0;
  return is_watched(path);
}

/* The name that a pointer of the program says, relative to an open folder, if it is in the folder. */
static int name_of(pid_t id, int at, uint64_t pointer, char path[PATH_MAX]) {
  char name[PATH_MAX], base[PATH_MAX], link[64];
  size_t length = 0;
  while (length < sizeof name) {
    /* Up to the end of a page: what is behind it may not be there. */
    size_t part = 4096 - ((pointer + length) & 4095);
    if (part > sizeof name - length) part = sizeof name - length;
    struct iovec here = {name + length, part}, there = {(void*)(uintptr_t)(pointer + length), part};
    if (process_vm_readv(id, &here, 1, &there, 1, 0) <= 0) return 0;
    if (memchr(name + length, 0, part)) break;
    length += part;
  }
  name[sizeof name - 1] = 0;
  if (name[0] == '/') {
    strcpy(path, name);
    return is_watched(path);
  }
  if (at == AT_FDCWD)
    snprintf(link, sizeof link, "/proc/%d/cwd", id);
  else
    snprintf(link, sizeof link, "/proc/%d/fd/%d", id, at);
  ssize_t got = readlink(link, base, sizeof base - 1);
  if (got <= 0) return 0;
  base[got] = 0;
  if (strlen(base) + strlen(name) + 2 > PATH_MAX) return 0;
  strcpy(path, base);
  strcat(path, "/");
  strcat(path, name);
  return is_watched(path);
}

static struct change* add(int kind) {
  changes = realloc(changes, (change_count + 1) * sizeof *changes);
  if (!changes) broken("memory");
  changes[change_count] = (struct change){.kind = kind, .fd = -1};
  return &changes[change_count++];
}

/* Keeps what a write of so many bytes is about to destroy; at < 0 is the end of the file. */
static void keep_bytes(const char* path, off_t at, size_t length) {
  struct stat status;
  int fd = open(path, O_RDWR | O_CLOEXEC);
  if (fd < 0) return;
  if (fstat(fd, &status) || !S_ISREG(status.st_mode)) {
    close(fd);
    return;
  }
  struct change* change = add(WRITE);
  change->fd = fd;
  change->size = status.st_size;
  change->at = at < 0 ? status.st_size : at;
  change->device = status.st_dev;
  change->node = status.st_ino;
  if (change->at < status.st_size) {
    size_t there = (size_t)(status.st_size - change->at);
    change->kept = there < length ? there : length;
    change->old = malloc(change->kept);
    if (!change->old || pread(fd, change->old, change->kept, change->at) != (ssize_t)change->kept)
      broken("bytes before a write");
  }
}

/* Keeps what a name stands for, and of which folder it goes. */
static void keep_name(int kind, const char* from, const char* to) {
  static int spares;
  struct stat status;
  const char* target = kind == RENAME ? to : from;
  char parent[PATH_MAX], spare[PATH_MAX];
  if (lstat(from, &status) || S_ISDIR(status.st_mode)) return;
  snprintf(parent, sizeof parent, "%s", from);
  *strrchr(parent, '/') = 0;
  if (stat(parent, &status)) return;
  struct change* change = add(kind);
  change->device = status.st_dev;
  change->node = status.st_ino;
  change->from = strdup(from);
  change->to = to ? strdup(to) : NULL;
  if (snprintf(spare, sizeof spare, "%s.weather-%d-%d", folder, getpid(), spares++) < PATH_MAX &&
      link(target, spare) == 0)
    change->spare = strdup(spare);
}

/* The place of the next write through an open file; -1 for the end. */
static off_t place_of(pid_t id, int fd) {
  char name[64], line[128];
  long long at = 0;
  unsigned flags = 0;
  snprintf(name, sizeof name, "/proc/%d/fdinfo/%d", id, fd);
  FILE* info = fopen(name, "r");
  if (!info) return -1;
  while (fgets(line, sizeof line, info)) {
    sscanf(line, "pos: %lld", &at);
    sscanf(line, "flags: %o", &flags);
  }
  fclose(info);
  return flags & O_APPEND ? -1 : at;
}

/* An fsync has come through: of the changes up to `before`, those of this file or folder are there to stay. */
static void settle(int fd, size_t before) {
  struct stat status;
  if (fstat(fd, &status)) return;
  for (size_t at = 0; at < before; at++) {
    struct change* change = &changes[at];
    if (change->safe) continue;
    int of_folder = change->kind != WRITE;
    if (change->device == status.st_dev && change->node == status.st_ino &&
        of_folder == (S_ISDIR(status.st_mode) != 0)) {
      change->safe = 1;
      if (change->fd >= 0) close(change->fd);
      change->fd = -1;
      free(change->old);
      change->old = NULL;
    }
  }
}

/* Undoes a change of a name; where its folder has gone since, with all that was in it, there is nothing to do. */
static void give_back(const char* from, const char* to) {
  if (rename(from, to) && errno != ENOENT) broken("bringing back a name");
}

static void undo(struct change* change) {
  switch (change->kind) {
    case WRITE:
      if (change->kept && pwrite(change->fd, change->old, change->kept, change->at) < 0)
        broken("undoing a write");
      if (ftruncate(change->fd, change->size)) broken("undoing a truncation");
      break;
    case RENAME:
      give_back(change->to, change->from);
      if (change->spare) give_back(change->spare, change->to);
      break;
    case UNLINK:
      if (change->spare) give_back(change->spare, change->from);
      break;
  }
}

/* The disk as it is found when the power is back. */
static void lose(void) {
  size_t names = 0;
  for (size_t at = 0; at < change_count; at++) names += changes[at].kind != WRITE && !changes[at].safe;
  /* A file system keeps the order of what it does to names. */
  size_t names_lost = roll(names + 1);
  int all = roll(2) == 0;
  for (size_t at = change_count; at-- > 0;) {
    struct change* change = &changes[at];
    if (change->safe) continue;
    if (change->kind != WRITE) {
      if (names_lost == 0) continue;
      names_lost--;
    } else if (!all && roll(2)) {
      continue;
    }
    undo(change);
  }
}

static void clear_up(void) {
  for (size_t at = 0; at < change_count; at++)
    if (changes[at].spare) unlink(changes[at].spare);
}

static void end(pid_t program) {
  kill(program, SIGKILL);
  for (size_t at = 0; at < thread_count; at++) kill(threads[at].id, SIGKILL);
  int status;
  pid_t id;
  /* A process that has just begun is not among them: it stops, and would wait for ever. */
  while ((id = waitpid(-1, &status, __WALL)) > 0 || errno == EINTR)
    if (id > 0 && WIFSTOPPED(status)) kill(id, SIGKILL);
  if (strcmp(event, "cut") == 0) lose();
  clear_up();
  _exit(ENDED_STATUS);
}

/* Whether the weather lets a change through; otherwise with what it fails. */
static int refusal(pid_t program, int grows) {
  if (++seen < wanted) return 0;
  if (strcmp(event, "cut") == 0 || strcmp(event, "kill") == 0) end(program);
  if (strcmp(event, "readonly") == 0) return EROFS;
  return grows ? ENOSPC : 0;
}

/* What a system call is about to do. Returns what it shall fail with, or 0. */
static int enter(pid_t program, struct thread* thread, const struct __ptrace_syscall_info* info) {
  const uint64_t* arg = (const uint64_t*)info->entry.args;
  char path[PATH_MAX], other[PATH_MAX];
  int refused;
  switch (info->entry.nr) {
    case SYS_write:
    case SYS_writev:
    case SYS_pwrite64:
    case SYS_pwritev:
      if (!path_of(thread->id, (int)arg[0], path)) return 0;
      if ((refused = refusal(program, 1))) return refused;
      int placed = info->entry.nr == SYS_pwrite64 || info->entry.nr == SYS_pwritev;
      int plain = info->entry.nr == SYS_write || info->entry.nr == SYS_pwrite64;
      keep_bytes(path, placed ? (off_t)arg[3] : place_of(thread->id, (int)arg[0]), plain ? arg[2] : SIZE_MAX);
      return 0;
    case SYS_ftruncate:
    case SYS_fallocate:
      if (!path_of(thread->id, (int)arg[0], path)) return 0;
      if ((refused = refusal(program, 1))) return refused;
      keep_bytes(path, info->entry.nr == SYS_ftruncate ? (off_t)arg[1] : 0, SIZE_MAX);
      return 0;
    case SYS_openat:
      if (!name_of(thread->id, (int)arg[0], arg[1], path)) return 0;
      if (!(arg[2] & (O_TRUNC | O_CREAT))) return 0;
      struct stat status;
      int is_there = stat(path, &status) == 0;
      if (is_there && !(arg[2] & O_TRUNC)) return 0;
      if ((refused = refusal(program, !is_there))) return refused;
      if (is_there) keep_bytes(path, 0, SIZE_MAX);
      return 0;
#ifdef SYS_rename
    case SYS_rename:
      if (!name_of(thread->id, AT_FDCWD, arg[0], path) || !name_of(thread->id, AT_FDCWD, arg[1], other)) return 0;
      if ((refused = refusal(program, 0))) return refused;
      keep_name(RENAME, path, other);
      return 0;
    case SYS_unlink:
      if (!name_of(thread->id, AT_FDCWD, arg[0], path)) return 0;
      if ((refused = refusal(program, 0))) return refused;
      keep_name(UNLINK, path, NULL);
      return 0;
#endif
    case SYS_renameat:
    case SYS_renameat2:
      if (!name_of(thread->id, (int)arg[0], arg[1], path) || !name_of(thread->id, (int)arg[2], arg[3], other))
        return 0;
      if ((refused = refusal(program, 0))) return refused;
      /* Names that change places, or must not be there yet, have nothing to bring back but themselves. */
      keep_name(RENAME, path, other);
      return 0;
    case SYS_unlinkat:
      if (arg[2] & AT_REMOVEDIR || !name_of(thread->id, (int)arg[0], arg[1], path)) return 0;
      if ((refused = refusal(program, 0))) return refused;
      keep_name(UNLINK, path, NULL);
      return 0;
    case SYS_fsync:
    case SYS_fdatasync:
      if (!path_of(thread->id, (int)arg[0], path)) return 0;
      if ((refused = refusal(program, 0))) return refused;
      thread->syncing = open(path, O_RDONLY | O_CLOEXEC);
      return 0;
    default:
      return 0;
  }
}

/* Makes a system call do nothing; its end is then given by fail(). */
static void skip(pid_t id) {
#if defined(__x86_64__)
  if (ptrace(PTRACE_POKEUSER, id, offsetof(struct user_regs_struct, orig_rax), -1L)) broken("skipping");
#elif defined(__aarch64__)
  int none = -1;
  struct iovec number = {&none, sizeof none};
  if (ptrace(PTRACE_SETREGSET, id, NT_ARM_SYSTEM_CALL, &number)) broken("skipping");
#else
#error "registers of another processor"
#endif
}

static void fail(pid_t id, int error) {
#if defined(__x86_64__)
  if (ptrace(PTRACE_POKEUSER, id, offsetof(struct user_regs_struct, rax), -(long)error)) broken("failing");
#elif defined(__aarch64__)
  struct user_regs_struct registers;
  struct iovec all = {&registers, sizeof registers};
  if (ptrace(PTRACE_GETREGSET, id, NT_PRSTATUS, &all)) broken("failing");
  registers.regs[0] = (unsigned long long)-(long long)error;
  if (ptrace(PTRACE_SETREGSET, id, NT_PRSTATUS, &all)) broken("failing");
#endif
}

static void at_call(pid_t program, pid_t id) {
  struct __ptrace_syscall_info info;
  struct thread* thread = thread_of(id);
  if (ptrace(PTRACE_GET_SYSCALL_INFO, id, sizeof info, &info) <= 0) return;
  if (info.op == PTRACE_SYSCALL_INFO_ENTRY) {
    thread->before = change_count;
    thread->refused = enter(program, thread, &info);
    thread->made = change_count > thread->before;
    if (thread->refused) skip(id);
  } else if (info.op == PTRACE_SYSCALL_INFO_EXIT) {
    if (thread->refused) fail(id, thread->refused);
    if (thread->made && info.exit.is_error) changes[thread->before].safe = 1;
    thread->made = 0;
    thread->refused = 0;
    if (thread->syncing >= 0) {
      if (info.exit.rval == 0) settle(thread->syncing, thread->before);
      close(thread->syncing);
      thread->syncing = -1;
    }
  }
}

int main(int count, char** words) {
  if (count < 6) return BROKEN_STATUS;
  folder = words[1];
  event = words[2];
  wanted = atol(words[3]);
  dice = strtoull(words[4], NULL, 10);
  pid_t program = fork();
  if (program < 0) broken("fork");
  if (program == 0) {
    if (ptrace(PTRACE_TRACEME, 0, NULL, NULL)) _exit(BROKEN_STATUS);
    raise(SIGSTOP);
    execv(words[5], words + 5);
    _exit(BROKEN_STATUS);
  }
  int status, ended = BROKEN_STATUS;
  long options = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACECLONE | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK |
                 PTRACE_O_TRACEEXEC | PTRACE_O_EXITKILL;
  if (waitpid(program, &status, 0) != program || !WIFSTOPPED(status)) broken("the first stop");
  if (ptrace(PTRACE_SETOPTIONS, program, NULL, options)) broken("options");
  if (ptrace(PTRACE_SYSCALL, program, NULL, NULL)) broken("start");
  for (;;) {
    pid_t id = waitpid(-1, &status, __WALL);
    if (id < 0 && errno == EINTR) continue;
    if (id < 0) break;
    if (!WIFSTOPPED(status)) {
      if (id == program) ended = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
      continue;
    }
    long signal = 0;
    if (WSTOPSIG(status) == SYSCALL_STOP)
      at_call(program, id);
    else if (status >> 16 == 0 && WSTOPSIG(status) != SIGSTOP)
      signal = WSTOPSIG(status);
    /* A thread may be gone by now. */
    ptrace(PTRACE_SYSCALL, id, NULL, signal);
  }
  clear_up();
  return ended;
}
