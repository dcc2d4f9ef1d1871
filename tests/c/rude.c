/* An exporter that counts readings into a file, good but for one thing: CASE says which. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#if defined(__unix__)
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>
#endif

#include "glucopipe.h"

#define GOOD 0
#define PAST_END 1
#define CHANGES 2
#define ID_TWICE 3
#define THREAD 4
#define SIGNAL 5
#define STDOUT 6
#define SEGFAULT 7
#define EXIT 8
#define ABORT 9
#define EXTENSION 10
#define LEAK_FILE 11
#define LEAK_MEMORY 12
#define STACK 13
#define ANY_CONFIG 14
#define VISIBLE 15
#define SILENT 16
#define FORK 17
#define SPIN 18
#define VERSION 19
#define RELEASE 20
#define DEAF 21
#define CLOSE_NULL 22
#define MEMORY 23
#define FOLDER 24
#define UMASK 25
#define HANDLER 26
#define BLOCKS 27
#define ENVIRONMENT 28
#define ELSEWHERE 29
#define SECRET 30
#define PARENT 31

typedef struct {
  char path[256];
  uint64_t rows;
} counter;

static void GP_CALL release_error(gp_error* error) {
#if CASE != RELEASE
  error->release = NULL;
#endif
  error->message = NULL;
}

static gp_status fail(gp_error* error, gp_status code, const char* message) {
#if CASE == SILENT
  (void)message, (void)error;
#else
  if (error != NULL) {
    error->code = code;
    error->message = message;
    error->release = release_error;
  }
#endif
  return code;
}

/* Takes an object with a text "path"; what a JSON parser would refuse is refused by its ends and its bytes. */
static int path_of(const char* config, char* path, size_t room) {
  const char *at, *end;
  size_t len;
#if CASE == ANY_CONFIG
  snprintf(path, room, "out");
  (void)at, (void)end, (void)len;
  return config != NULL;
#else
  if (config == NULL) return 0;
  len = strlen(config);
  if (len < 2 || config[0] != '{' || config[len - 1] != '}') return 0;
  for (at = config; *at; at++)
    if ((unsigned char)*at >= 0xf8) return 0;
  at = strstr(config, "\"path\":\"");
  if (at == NULL) return 0;
  at += 8;
  end = strchr(at, '"');
  if (end == NULL || end == at || (size_t)(end - at) >= room || memchr(at, '\\', (size_t)(end - at))) return 0;
  memcpy(path, at, (size_t)(end - at));
  path[end - at] = '\0';
  return 1;
#endif
}

#if CASE == THREAD
static void* stay(void* nothing) {
  for (;;) pause();
  return nothing;
}
#endif
#if CASE == SIGNAL || CASE == HANDLER
static void ignore(int number) { (void)number; }
#endif

static gp_status GP_CALL open_sink(const gp_op* op, const char* config, gp_sink** out, gp_error* error) {
  counter* made = (counter*)calloc(1, sizeof *made);
  (void)op;
  if (made == NULL) return fail(error, GP_E_INTERNAL, "out of memory");
  if (!path_of(config, made->path, sizeof made->path)) {
    free(made);
    return fail(error, GP_E_INVALID_ARGUMENT, "`path` is missing, or the configuration is no JSON object");
  }
#if CASE == SEGFAULT
  *(volatile int*)(uintptr_t)8 = 1;
#elif CASE == EXIT
  exit(0);
#elif CASE == ABORT
  abort();
#elif CASE == LEAK_FILE
  (void)!open("/dev/null", O_RDONLY);
#elif CASE == LEAK_MEMORY
  memset(malloc(65536), 1, 65536);
#elif CASE == FORK
  if (fork() == 0)
    for (;;) pause();
#elif CASE == MEMORY
  if (malloc((size_t)10 << 30) == NULL) abort();
#elif CASE == SPIN
  for (;;) {
  }
#elif CASE == UMASK
  umask(0);
#elif CASE == HANDLER
  signal(SIGUSR1, ignore);
#elif CASE == SECRET
  if (getenv("GLUCOPIPE_CLOCK") != NULL) abort();
#elif CASE == PARENT
  if (kill(getppid(), SIGKILL) == 0) abort();
#endif
  *out = (gp_sink*)made;
  return GP_OK;
}

static void GP_CALL close_sink(gp_sink* sink) {
#if CASE == CLOSE_NULL
  ((counter*)sink)->rows = 0;
#endif
  free(sink);
}

static gp_status GP_CALL write_sink(gp_sink* sink, const gp_op* op, struct ArrowArrayStream* in, gp_error* error) {
  counter* self = (counter*)sink;
  gp_status status = GP_OK;
  for (;;) {
    struct ArrowArray batch;
    int code;
    memset(&batch, 0, sizeof batch);
#if CASE != DEAF
    if (op->cancelled(op)) {
      status = fail(error, GP_E_CANCELLED, "cancelled");
      break;
    }
#endif
    code = in->get_next(in, &batch);
    if (code != 0) {
#if CASE == DEAF
      break;
#endif
      status = op->cancelled(op) ? fail(error, GP_E_CANCELLED, "cancelled") : fail(error, GP_E_IO, "the stream failed");
      break;
    }
    if (batch.release == NULL) break;
    self->rows += (uint64_t)batch.length;
    batch.release(&batch);
  }
  in->release(in);
#if CASE == BLOCKS
  {
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, NULL);
  }
#endif
#if CASE == VISIBLE
  {
    FILE* file = fopen(self->path, "w");
    if (file != NULL) fclose(file);
  }
#endif
  return status;
}

static void GP_CALL release_text(gp_string* text) {
  free((void*)(uintptr_t)text->data);
  text->data = NULL;
  text->release = NULL;
}

static gp_status GP_CALL commit_sink(gp_sink* sink, const gp_op* op, gp_string* report, gp_error* error) {
  counter* self = (counter*)sink;
  FILE* file;
  char* text;
  (void)op;
#if CASE == ELSEWHERE
  file = fopen("../elsewhere", "w");
  if (file == NULL) return fail(error, GP_E_ACCESS, "cannot write elsewhere");
  fclose(file);
#elif CASE == FOLDER
  if (chdir("..") != 0) abort();
#elif CASE == ENVIRONMENT
  setenv("LC_ALL", "C", 1);
#endif
  file = fopen(self->path, "w");
  if (file == NULL) return fail(error, GP_E_IO, "cannot write the file");
  fprintf(file, "%lu\n", (unsigned long)self->rows);
  if (fclose(file) != 0) return fail(error, GP_E_IO, "cannot write the file");
  text = (char*)malloc(64);
  if (text == NULL) return fail(error, GP_E_INTERNAL, "out of memory");
  report->len = (uint64_t)snprintf(text, 64, "{\"delivered\": %lu}", (unsigned long)self->rows);
  report->data = text;
  report->release = release_text;
  return GP_OK;
}

static const gp_exporter table = {
    (uint32_t)sizeof(gp_exporter), 0, open_sink, close_sink, write_sink, commit_sink, NULL, NULL, NULL};

#define ABOUT                                                                                       \
  "{\"name\": \"Rude\", \"summary\": \"counts readings\", \"config_schema\": {\"type\": \"object\", " \
  "\"required\": [\"path\"], \"properties\": {\"path\": {\"type\": \"string\", \"description\": \"the file\"}}}}"

static const gp_component components[2] = {
    {(uint32_t)sizeof(gp_component), GP_KIND_EXPORTER, "rude", ABOUT, &table},
    {(uint32_t)sizeof(gp_component), GP_KIND_EXPORTER, "rude", ABOUT, &table}};

static const gp_component* GP_CALL component(uint32_t index) {
#if CASE == THREAD
  pthread_t thread;
  if (index == 0) pthread_create(&thread, NULL, stay, NULL);
#elif CASE == SIGNAL
  signal(SIGUSR1, ignore);
#elif CASE == STDOUT
  if (index == 0) (void)!write(1, "hello\n", 6);
#endif
#if CASE == PAST_END
  if (index == UINT32_MAX) return &components[0];
#elif CASE == CHANGES
  static int turn;
  if (index == 0) return &components[turn++ % 2];
#elif CASE == ID_TWICE
  if (index == 1) return &components[1];
#endif
  return index == 0 ? &components[0] : NULL;
}

static const void* GP_CALL get_extension(const char* id) {
#if CASE == EXTENSION
  return id;
#else
  (void)id;
  return NULL;
#endif
}

static const gp_plugin plugin = {(uint32_t)sizeof(gp_plugin),
                                 GP_ABI_MINOR,
                                 0,
                                 0,
                                 "rude",
#if CASE == VERSION
                                 "the first",
#else
                                 "1.0.0",
#endif
                                 component,
                                 get_extension};

const gp_plugin* GP_CALL gp_plugin_v1(void) { return &plugin; }
