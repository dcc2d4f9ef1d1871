/* The C side as callee: each slot checks its arguments and answers with its own value, or 0 if one is wrong. */
#include "slots.h"

/* A bit for each slot that was called with the right arguments. */
static uint64_t seen;
GP_EXPORT uint64_t echo_seen(void) { return seen; }

static int saw(int slot, int right) {
  if (right) seen |= UINT64_C(1) << slot;
  return right;
}

#define P(i) (a##i == PTR(SLOT, i))
#define U(i) (a##i == U32(SLOT, i))
#define V(i) (a##i == U64(SLOT, i))
#define I(i) (a##i == I32(SLOT, i))
#define STATUS(right) return saw(SLOT, (right)) ? I32(SLOT, RESULT) : 0
#define POINTER(right) return saw(SLOT, (right)) ? PTR(SLOT, RESULT) : NULL

#define SLOT SCHEMA_RELEASE
static void schema_release(struct ArrowSchema* a1) { saw(SLOT, P(1)); }
#undef SLOT
#define SLOT ARRAY_RELEASE
static void array_release(struct ArrowArray* a1) { saw(SLOT, P(1)); }
#undef SLOT
#define SLOT STREAM_GET_SCHEMA
static int get_schema(struct ArrowArrayStream* a1, struct ArrowSchema* a2) { STATUS(P(1) && P(2)); }
#undef SLOT
#define SLOT STREAM_GET_NEXT
static int get_next(struct ArrowArrayStream* a1, struct ArrowArray* a2) { STATUS(P(1) && P(2)); }
#undef SLOT
#define SLOT STREAM_GET_LAST_ERROR
static const char* get_last_error(struct ArrowArrayStream* a1) { POINTER(P(1)); }
#undef SLOT
#define SLOT STREAM_RELEASE
static void stream_release(struct ArrowArrayStream* a1) { saw(SLOT, P(1)); }
#undef SLOT
#define SLOT ERROR_RELEASE
static void GP_CALL error_release(gp_error* a1) { saw(SLOT, P(1)); }
#undef SLOT
#define SLOT STRING_RELEASE
static void GP_CALL string_release(gp_string* a1) { saw(SLOT, P(1)); }
#undef SLOT
#define SLOT HOST_LOG
static void GP_CALL host_log(const gp_host* a1, int32_t a2, const char* a3, const char* a4) {
  saw(SLOT, P(1) && I(2) && P(3) && P(4));
}
#undef SLOT
#define SLOT HOST_GET_EXTENSION
static const void* GP_CALL host_get_extension(const gp_host* a1, const char* a2) { POINTER(P(1) && P(2)); }
#undef SLOT
#define SLOT OP_CANCELLED
static int32_t GP_CALL op_cancelled(const gp_op* a1) { STATUS(P(1)); }
#undef SLOT
#define SLOT OP_PROGRESS
static void GP_CALL op_progress(const gp_op* a1, uint64_t a2, uint64_t a3, const char* a4) {
  saw(SLOT, P(1) && V(2) && V(3) && P(4));
}
#undef SLOT
#define SLOT LINK_DESCRIBE
static gp_status GP_CALL link_describe(const gp_op* a1, gp_string* a2, gp_error* a3) {
  STATUS(P(1) && P(2) && P(3));
}
#undef SLOT
#define SLOT LINK_OPEN
static gp_status GP_CALL link_open(const gp_op* a1, uint32_t a2, gp_link** a3, gp_error* a4) {
  STATUS(P(1) && U(2) && P(3) && P(4));
}
#undef SLOT
#define SLOT LINK_CLOSE
static void GP_CALL link_close(gp_link* a1) { saw(SLOT, P(1)); }
#undef SLOT
#define SLOT LINK_READ
static gp_status GP_CALL link_read(gp_link* a1, const gp_op* a2, uint32_t a3, uint32_t a4, uint8_t* a5, uint64_t a6,
                                   uint64_t* a7, gp_error* a8) {
  STATUS(P(1) && P(2) && U(3) && U(4) && P(5) && V(6) && P(7) && P(8));
}
#undef SLOT
#define SLOT LINK_WRITE
static gp_status GP_CALL link_write(gp_link* a1, const gp_op* a2, uint32_t a3, uint32_t a4, const uint8_t* a5,
                                    uint64_t a6, gp_error* a7) {
  STATUS(P(1) && P(2) && U(3) && U(4) && P(5) && V(6) && P(7));
}
#undef SLOT
#define SLOT LINK_SCSI
static gp_status GP_CALL link_scsi(gp_link* a1, const gp_op* a2, uint32_t a3, gp_scsi* a4, gp_error* a5) {
  STATUS(P(1) && P(2) && U(3) && P(4) && P(5));
}
#undef SLOT
#define SLOT LINK_CONFIGURE
static gp_status GP_CALL link_configure(gp_link* a1, const gp_op* a2, uint32_t a3, uint32_t a4, uint32_t a5,
                                        uint32_t a6, gp_error* a7) {
  STATUS(P(1) && P(2) && U(3) && U(4) && U(5) && U(6) && P(7));
}
#undef SLOT
#define SLOT TIME_UTC
static int64_t GP_CALL time_utc(const gp_op* a1) { return saw(SLOT, P(1)) ? I64(SLOT, RESULT) : 0; }
#undef SLOT
#define SLOT TIME_MONOTONIC
static uint64_t GP_CALL time_monotonic(const gp_op* a1) { return saw(SLOT, P(1)) ? U64(SLOT, RESULT) : 0; }
#undef SLOT
#define SLOT DRIVER_PROBE
static gp_status GP_CALL driver_probe(const gp_op* a1, const char* a2, gp_string* a3, gp_error* a4) {
  STATUS(P(1) && P(2) && P(3) && P(4));
}
#undef SLOT
#define SLOT DRIVER_OPEN
static gp_status GP_CALL driver_open(const gp_op* a1, const char* a2, gp_session** a3, gp_error* a4) {
  STATUS(P(1) && P(2) && P(3) && P(4));
}
#undef SLOT
#define SLOT DRIVER_CLOSE
static void GP_CALL driver_close(gp_session* a1) { saw(SLOT, P(1)); }
#undef SLOT
#define SLOT DRIVER_INFO
static gp_status GP_CALL driver_info(gp_session* a1, const gp_op* a2, gp_string* a3, gp_error* a4) {
  STATUS(P(1) && P(2) && P(3) && P(4));
}
#undef SLOT
#define SLOT DRIVER_READ
static gp_status GP_CALL driver_read(gp_session* a1, const gp_op* a2, const char* a3, struct ArrowArrayStream* a4,
                                     gp_error* a5) {
  STATUS(P(1) && P(2) && P(3) && P(4) && P(5));
}
#undef SLOT
#define SLOT DRIVER_REPORT
static gp_status GP_CALL driver_report(gp_session* a1, const gp_op* a2, gp_string* a3, gp_error* a4) {
  STATUS(P(1) && P(2) && P(3) && P(4));
}
#undef SLOT
#define SLOT DRIVER_GET_CLOCK
static gp_status GP_CALL driver_get_clock(gp_session* a1, const gp_op* a2, gp_clock* a3, gp_error* a4) {
  STATUS(P(1) && P(2) && P(3) && P(4));
}
#undef SLOT
#define SLOT DRIVER_SET_CLOCK
static gp_status GP_CALL driver_set_clock(gp_session* a1, const gp_op* a2, const gp_clock* a3, gp_error* a4) {
  STATUS(P(1) && P(2) && P(3) && P(4));
}
#undef SLOT
#define SLOT DRIVER_ERASE
static gp_status GP_CALL driver_erase(gp_session* a1, const gp_op* a2, const char* a3, gp_error* a4) {
  STATUS(P(1) && P(2) && P(3) && P(4));
}
#undef SLOT
#define SLOT EXPORTER_OPEN
static gp_status GP_CALL exporter_open(const gp_op* a1, const char* a2, gp_sink** a3, gp_error* a4) {
  STATUS(P(1) && P(2) && P(3) && P(4));
}
#undef SLOT
#define SLOT EXPORTER_CLOSE
static void GP_CALL exporter_close(gp_sink* a1) { saw(SLOT, P(1)); }
#undef SLOT
#define SLOT EXPORTER_WRITE
static gp_status GP_CALL exporter_write(gp_sink* a1, const gp_op* a2, struct ArrowArrayStream* a3, gp_error* a4) {
  STATUS(P(1) && P(2) && P(3) && P(4));
}
#undef SLOT
#define SLOT EXPORTER_COMMIT
static gp_status GP_CALL exporter_commit(gp_sink* a1, const gp_op* a2, gp_string* a3, gp_error* a4) {
  STATUS(P(1) && P(2) && P(3) && P(4));
}
#undef SLOT
#define SLOT EXPORTER_CHECK
static gp_status GP_CALL exporter_check(const gp_op* a1, const char* a2, gp_string* a3, gp_error* a4) {
  STATUS(P(1) && P(2) && P(3) && P(4));
}
#undef SLOT
#define SLOT EXPORTER_WANTS
static gp_status GP_CALL exporter_wants(const char* a1, uint32_t* a2, gp_error* a3) { STATUS(P(1) && P(2) && P(3)); }
#undef SLOT
#define SLOT EXPORTER_PREVIEW
static gp_status GP_CALL exporter_preview(const gp_op* a1, const char* a2, struct ArrowArrayStream* a3, gp_string* a4,
                                          gp_error* a5) {
  STATUS(P(1) && P(2) && P(3) && P(4) && P(5));
}
#undef SLOT
#define SLOT TRANSFORM_OPEN
static gp_status GP_CALL transform_open(const gp_op* a1, const char* a2, gp_filter** a3, gp_error* a4) {
  STATUS(P(1) && P(2) && P(3) && P(4));
}
#undef SLOT
#define SLOT TRANSFORM_CLOSE
static void GP_CALL transform_close(gp_filter* a1) { saw(SLOT, P(1)); }
#undef SLOT
#define SLOT TRANSFORM_APPLY
static gp_status GP_CALL transform_apply(gp_filter* a1, const gp_op* a2, struct ArrowArrayStream* a3,
                                         struct ArrowArrayStream* a4, gp_error* a5) {
  STATUS(P(1) && P(2) && P(3) && P(4) && P(5));
}
#undef SLOT
#define SLOT SCRUB
static gp_status GP_CALL scrub(const gp_op* a1, const char* a2, const char* a3, const char* a4, gp_string* a5,
                               gp_error* a6) {
  STATUS(P(1) && P(2) && P(3) && P(4) && P(5) && P(6));
}
#undef SLOT
#define SLOT PLUGIN_COMPONENT
static const gp_component* GP_CALL plugin_component(uint32_t a1) { POINTER(U(1)); }
#undef SLOT
#define SLOT PLUGIN_GET_EXTENSION
static const void* GP_CALL plugin_get_extension(const char* a1) { POINTER(P(1)); }
#undef SLOT

static const struct all tables = {
    {NULL, NULL, NULL, 0, 0, NULL, NULL, schema_release, NULL},
    {0, 0, 0, 0, 0, NULL, NULL, NULL, array_release, NULL},
    {get_schema, get_next, get_last_error, stream_release, NULL},
    {0, 0, 0, NULL, NULL, error_release, NULL},
    {NULL, 0, string_release, NULL},
    {sizeof(gp_host), GP_ABI_MINOR, NULL, "echo", "1", host_log, host_get_extension},
    {sizeof(gp_op), 0, NULL, NULL, op_cancelled, op_progress},
    {sizeof(gp_transport), 0, link_describe, link_open, link_close, link_read, link_write, link_scsi, link_configure},
    {sizeof(gp_time), 0, time_utc, time_monotonic},
    {sizeof(gp_driver), 0, driver_probe, driver_open, driver_close, driver_info, driver_read, driver_report,
     driver_get_clock, driver_set_clock, driver_erase},
    {sizeof(gp_exporter), 0, exporter_open, exporter_close, exporter_write, exporter_commit, exporter_check,
     exporter_wants, exporter_preview},
    {sizeof(gp_transform), 0, transform_open, transform_close, transform_apply},
    {sizeof(gp_scrub), 0, scrub},
    {sizeof(gp_plugin), GP_ABI_MINOR, 0, 0, "echo", "1.0.0", plugin_component, plugin_get_extension},
};

GP_EXPORT const struct all* echo_tables(void) { return &tables; }
GP_EXPORT const gp_plugin* GP_CALL gp_plugin_v1(void) { return &tables.plugin; }
