/* The numbers that echo.c, host.c and cross.rs agree on: argument i of slot s has its own value, with the
 * top bit of its type set, so that a swapped, narrowed or missing argument cannot go unseen. */
#ifndef SLOTS_H
#define SLOTS_H
#include "glucopipe.h"

#define N(s, i) (0x1000u * (s) + 0x10u * (i))
#define PTR(s, i) ((void*)(uintptr_t)N(s, i))
#define U32(s, i) ((uint32_t)(0x80000000u | N(s, i)))
#define U64(s, i) ((uint64_t)((UINT64_C(1) << 63) | N(s, i)))
#define I32(s, i) (-(int32_t)N(s, i))
#define I64(s, i) (-(INT64_C(1) << 40) - (int64_t)N(s, i))
#define RESULT 15 /* the "argument" number of what a slot returns */

/* One number for each slot, in the order of the header. */
enum {
  SCHEMA_RELEASE = 1,
  ARRAY_RELEASE,
  STREAM_GET_SCHEMA,
  STREAM_GET_NEXT,
  STREAM_GET_LAST_ERROR,
  STREAM_RELEASE,
  ERROR_RELEASE,
  STRING_RELEASE,
  HOST_LOG,
  HOST_GET_EXTENSION,
  OP_CANCELLED,
  OP_PROGRESS,
  LINK_DESCRIBE,
  LINK_OPEN,
  LINK_CLOSE,
  LINK_READ,
  LINK_WRITE,
  LINK_SCSI,
  LINK_CONFIGURE,
  TIME_UTC,
  TIME_MONOTONIC,
  DRIVER_PROBE,
  DRIVER_OPEN,
  DRIVER_CLOSE,
  DRIVER_INFO,
  DRIVER_READ,
  DRIVER_REPORT,
  DRIVER_GET_CLOCK,
  DRIVER_SET_CLOCK,
  DRIVER_ERASE,
  EXPORTER_OPEN,
  EXPORTER_CLOSE,
  EXPORTER_WRITE,
  EXPORTER_COMMIT,
  EXPORTER_CHECK,
  EXPORTER_WANTS,
  EXPORTER_PREVIEW,
  TRANSFORM_OPEN,
  TRANSFORM_CLOSE,
  TRANSFORM_APPLY,
  SCRUB,
  PLUGIN_COMPONENT,
  PLUGIN_GET_EXTENSION,
  SLOT_END
};

/* All tables and callbacks of one side. */
struct all {
  struct ArrowSchema schema;
  struct ArrowArray array;
  struct ArrowArrayStream stream;
  gp_error error;
  gp_string string;
  gp_host host;
  gp_op op;
  gp_transport transport;
  gp_time time;
  gp_driver driver;
  gp_exporter exporter;
  gp_transform transform;
  gp_scrub scrub;
  gp_plugin plugin;
};
#endif
