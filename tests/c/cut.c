/* A plugin whose tables are as long as the environment says: CUT=gp_exporter=40. What is behind the end of a table is
 * poison, and so is what a later minor would have there. */
#include <stdlib.h>
#include <string.h>

#include "glucopipe.h"

#define POISON 0xaa
#define LATER 64

static gp_status GP_CALL open(const gp_op* op, const char* config, void** out, gp_error* error) {
  (void)op, (void)config, (void)out, (void)error;
  return GP_E_UNSUPPORTED;
}
static void GP_CALL close(void* object) { (void)object; }
static gp_status GP_CALL four(void* object, const gp_op* op, void* out, gp_error* error) {
  (void)object, (void)op, (void)out, (void)error;
  return GP_E_UNSUPPORTED;
}
static gp_status GP_CALL five(void* object, const gp_op* op, const void* in, void* out, gp_error* error) {
  (void)object, (void)op, (void)in, (void)out, (void)error;
  return GP_E_UNSUPPORTED;
}

/* Tables with room for what comes later. */
#define ROOM(type) \
  union {          \
    type table;    \
    unsigned char bytes[sizeof(type) + LATER]; \
  }
static ROOM(gp_driver) driver;
static ROOM(gp_exporter) exporter;
static ROOM(gp_transform) transform;
static ROOM(gp_component) components[3];
static ROOM(gp_plugin) plugin;

/* Ends a table where it is told to, or where it ends. */
static void cut(void* table, size_t whole, const char* name) {
  const char* wanted = getenv("CUT");
  uint32_t size = (uint32_t)whole;
  if (wanted != NULL && strncmp(wanted, name, strlen(name)) == 0 && wanted[strlen(name)] == '=')
    size = (uint32_t)strtoul(wanted + strlen(name) + 1, NULL, 10);
  if (size < whole) memset((unsigned char*)table + size, POISON, whole - size);
  memset((unsigned char*)table + whole, POISON, LATER);
  /* The size itself is always there: nothing else could be read. */
  memcpy(table, &size, sizeof size);
}

#define SLOT(f) (*(void (**)(void)) & (f))
#define IS(f, function) SLOT(f) = (void (*)(void))(function)

static const gp_component* GP_CALL component(uint32_t index) { return index < 3 ? &components[index].table : NULL; }

static void fill(void) {
  static const char* const names[] = {"gp_driver", "gp_exporter", "gp_transform"};
  static const uint32_t kinds[] = {GP_KIND_DRIVER, GP_KIND_EXPORTER, GP_KIND_TRANSFORM};
  const void* tables[3];
  const char* wanted = getenv("CUT");
  int i;
  memset(&driver, 0, sizeof driver);
  IS(driver.table.open, open);
  IS(driver.table.close, close);
  IS(driver.table.info, four);
  IS(driver.table.read, five);
  IS(driver.table.read_report, four);
  cut(&driver, sizeof(gp_driver), names[0]);
  memset(&exporter, 0, sizeof exporter);
  IS(exporter.table.open, open);
  IS(exporter.table.close, close);
  IS(exporter.table.write, four);
  IS(exporter.table.commit, four);
  cut(&exporter, sizeof(gp_exporter), names[1]);
  memset(&transform, 0, sizeof transform);
  IS(transform.table.open, open);
  IS(transform.table.close, close);
  IS(transform.table.apply, five);
  cut(&transform, sizeof(gp_transform), names[2]);
  tables[0] = &driver;
  tables[1] = &exporter;
  tables[2] = &transform;
  for (i = 0; i < 3; i++) {
    memset(&components[i], 0, sizeof components[i]);
    components[i].table.kind = kinds[i];
    components[i].table.id = "cut";
    components[i].table.about = "{\"name\": \"Cut\", \"summary\": \"cut\"}";
    components[i].table.table = tables[i];
    cut(&components[i], sizeof(gp_component), "gp_component");
  }
  memset(&plugin, 0, sizeof plugin);
  plugin.table.abi_minor = GP_ABI_MINOR;
  if (wanted != NULL && strncmp(wanted, "min_host_minor=", 15) == 0)
    plugin.table.min_host_minor = (uint32_t)strtoul(wanted + 15, NULL, 10);
  plugin.table.name = "cut";
  plugin.table.version = "1.0.0";
  plugin.table.component = component;
  cut(&plugin, sizeof(gp_plugin), "gp_plugin");
}

const gp_plugin* GP_CALL gp_plugin_v1(void) {
  fill();
  return &plugin.table;
}
