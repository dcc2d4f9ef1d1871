/* An exporter of a later minor version: every table is longer than the host knows, with poison behind. It
 * counts the readings and reports them. */
#include <stdlib.h>

#include "glucopipe.h"

#define POISON ((void*)(uintptr_t)0xa5a5a5a5a5a5a5a5u)
#define COUNT_OF(sink) (*(int64_t*)(sink))

static gp_status GP_CALL open(const gp_op* op, const char* config, gp_sink** out, gp_error* error) {
  int64_t* count = (int64_t*)calloc(1, sizeof *count);
  (void)op, (void)config, (void)error;
  *out = (gp_sink*)count;
  return count ? GP_OK : GP_E_INTERNAL;
}

static void GP_CALL close(gp_sink* sink) { free(sink); }

static gp_status GP_CALL write(gp_sink* sink, const gp_op* op, struct ArrowArrayStream* in, gp_error* error) {
  gp_status status = GP_OK;
  (void)op, (void)error;
  for (;;) {
    struct ArrowArray batch = {0};
    if (in->get_next(in, &batch) != 0) {
      status = GP_E_IO;
      break;
    }
    if (batch.release == NULL) break;
    COUNT_OF(sink) += batch.length;
    batch.release(&batch);
  }
  in->release(in);
  return status;
}

static void GP_CALL release(gp_string* text) {
  free((void*)text->data);
  text->data = NULL;
  text->release = NULL;
}

static gp_status GP_CALL commit(gp_sink* sink, const gp_op* op, gp_string* report, gp_error* error) {
  static const char text[] = "{\"delivered\": 0}";
  char* copy = (char*)malloc(sizeof text);
  size_t i;
  (void)op, (void)error;
  if (copy == NULL) return GP_E_INTERNAL;
  for (i = 0; i < sizeof text; i++) copy[i] = text[i];
  copy[14] = (char)('0' + COUNT_OF(sink) % 10);
  report->data = copy;
  report->len = sizeof text - 1;
  report->release = release;
  return GP_OK;
}

static const struct {
  gp_exporter known;
  void* later[4];
} table = {{(uint32_t)sizeof table, 0, open, close, write, commit, NULL, NULL, NULL}, {POISON, POISON, POISON, POISON}};

static const struct {
  gp_component known;
  void* later[4];
} the_component = {{(uint32_t)sizeof the_component, GP_KIND_EXPORTER, "newer",
                    "{\"name\": \"newer\", \"summary\": \"counts\", \"colour\": [1, 2]}", &table},
                   {POISON, POISON, POISON, POISON}};

/* A component of a kind that the host does not know, which it skips. */
static const gp_component of_the_future = {(uint32_t)sizeof(gp_component), 77, NULL, NULL, NULL};

static const gp_component* GP_CALL component(uint32_t index) {
  if (index == 0) return &of_the_future;
  return index == 1 ? &the_component.known : NULL;
}

static const struct {
  gp_plugin known;
  void* later[4];
} plugin = {{(uint32_t)sizeof plugin, GP_ABI_MINOR + 9, 0, 0, "newer", "9.9.9", component, NULL},
            {POISON, POISON, POISON, POISON}};

const gp_plugin* GP_CALL gp_plugin_v1(void) { return &plugin.known; }
