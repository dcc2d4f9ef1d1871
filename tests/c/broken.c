/* A library that is wrong in one way: CASE says in which. */
#include "glucopipe.h"

#define NO_ENTRY 1
#define ENTRY_NULL 2
#define PLUGIN_SMALL 3
#define HOST_TOO_OLD 4
#define SLOT_MISSING 5
#define TABLE_SMALL 6
#define TABLE_NULL 7
#define ENDLESS 8
#define ID_BAD 9
#define ID_NULL 10
#define ABOUT_TEXT 11
#define ABOUT_NULL 12
#define ABOUT_BYTES 13
#define SCHEMA_BROKEN 14
#define SYMBOL_MISSING 15
#define NAME_NULL 16
#define COMPONENT_NULL 17
#define KIND_UNKNOWN 18
#define UNALIGNED 19

static gp_status GP_CALL open(const gp_op* op, const char* config, gp_sink** out, gp_error* error) {
  (void)op, (void)config, (void)out, (void)error;
#if CASE == SYMBOL_MISSING
  extern gp_status nobody_has_this(void);
  return nobody_has_this();
#else
  return GP_E_UNSUPPORTED;
#endif
}
static void GP_CALL close(gp_sink* sink) { (void)sink; }
static gp_status GP_CALL write(gp_sink* sink, const gp_op* op, struct ArrowArrayStream* in, gp_error* error) {
  (void)sink, (void)op, (void)in, (void)error;
  return GP_E_UNSUPPORTED;
}
static gp_status GP_CALL commit(gp_sink* sink, const gp_op* op, gp_string* report, gp_error* error) {
  (void)sink, (void)op, (void)report, (void)error;
  return GP_E_UNSUPPORTED;
}

static const gp_exporter table = {
#if CASE == TABLE_SMALL
    (uint32_t)sizeof(gp_exporter) - 8,
#else
    (uint32_t)sizeof(gp_exporter),
#endif
    0,
    open,
    close,
    write,
#if CASE == SLOT_MISSING
    NULL,
#else
    commit,
#endif
    NULL,
    NULL,
    NULL};

static const gp_component the_component = {
    (uint32_t)sizeof(gp_component),
#if CASE == KIND_UNKNOWN
    77,
#else
    GP_KIND_EXPORTER,
#endif
#if CASE == ID_BAD
    "Broken Thing",
#elif CASE == ID_NULL
    NULL,
#else
    "broken",
#endif
#if CASE == ABOUT_TEXT
    "an exporter",
#elif CASE == ABOUT_NULL
    NULL,
#elif CASE == ABOUT_BYTES
    "{\"name\": \"\xff\xfe\"}",
#elif CASE == SCHEMA_BROKEN
    "{\"name\": \"broken\", \"config_schema\": {\"type\": 7}}",
#else
    "{\"name\": \"broken\", \"summary\": \"broken\"}",
#endif
#if CASE == TABLE_NULL
    NULL
#elif CASE == UNALIGNED
    (const char*)&table + 1
#else
    &table
#endif
};

static const gp_component* GP_CALL component(uint32_t index) {
#if CASE == ENDLESS
  (void)index;
  return &the_component;
#else
  return index == 0 ? &the_component : NULL;
#endif
}

static const gp_plugin plugin = {
#if CASE == PLUGIN_SMALL
    8,
#else
    (uint32_t)sizeof(gp_plugin),
#endif
    GP_ABI_MINOR,
#if CASE == HOST_TOO_OLD
    99,
#else
    0,
#endif
    0,
#if CASE == NAME_NULL
    NULL,
#else
    "broken",
#endif
    "1.0.0",
#if CASE == COMPONENT_NULL
    NULL,
#else
    component,
#endif
    NULL};

#if CASE == NO_ENTRY
GP_EXPORT const gp_plugin* GP_CALL gp_plugin_v9(void);
const gp_plugin* GP_CALL gp_plugin_v9(void) { return &plugin; }
#else
const gp_plugin* GP_CALL gp_plugin_v1(void) {
#if CASE == ENTRY_NULL
  (void)plugin;
  return NULL;
#else
  return &plugin;
#endif
}
#endif
