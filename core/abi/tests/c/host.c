/* The C side as caller: calls each slot of the other side's tables with its own values and checks what comes
 * back. Slots without a result are checked by the other side. */
#include "slots.h"

static uint64_t failed;

static void expect(int slot, int right) {
  if (!right) failed |= UINT64_C(1) << slot;
}

#define P(i) PTR(SLOT, i)
#define U(i) U32(SLOT, i)
#define V(i) U64(SLOT, i)
#define I(i) I32(SLOT, i)
#define STATUS(call) expect(SLOT, (call) == I32(SLOT, RESULT))
#define POINTER(call) expect(SLOT, (const void*)(call) == PTR(SLOT, RESULT))

/* Returns a bit for each slot that answered something else. */
GP_EXPORT uint64_t host_drive(const struct all* t) {
  failed = 0;
#define SLOT SCHEMA_RELEASE
  t->schema.release(P(1));
#undef SLOT
#define SLOT ARRAY_RELEASE
  t->array.release(P(1));
#undef SLOT
#define SLOT STREAM_GET_SCHEMA
  STATUS(t->stream.get_schema(P(1), P(2)));
#undef SLOT
#define SLOT STREAM_GET_NEXT
  STATUS(t->stream.get_next(P(1), P(2)));
#undef SLOT
#define SLOT STREAM_GET_LAST_ERROR
  POINTER(t->stream.get_last_error(P(1)));
#undef SLOT
#define SLOT STREAM_RELEASE
  t->stream.release(P(1));
#undef SLOT
#define SLOT ERROR_RELEASE
  t->error.release(P(1));
#undef SLOT
#define SLOT STRING_RELEASE
  t->string.release(P(1));
#undef SLOT
#define SLOT HOST_LOG
  t->host.log(P(1), I(2), P(3), P(4));
#undef SLOT
#define SLOT HOST_GET_EXTENSION
  POINTER(t->host.get_extension(P(1), P(2)));
#undef SLOT
#define SLOT OP_CANCELLED
  STATUS(t->op.cancelled(P(1)));
#undef SLOT
#define SLOT OP_PROGRESS
  t->op.progress(P(1), V(2), V(3), P(4));
#undef SLOT
#define SLOT LINK_DESCRIBE
  STATUS(t->transport.describe(P(1), P(2), P(3)));
#undef SLOT
#define SLOT LINK_OPEN
  STATUS(t->transport.open(P(1), U(2), P(3), P(4)));
#undef SLOT
#define SLOT LINK_CLOSE
  t->transport.close(P(1));
#undef SLOT
#define SLOT LINK_READ
  STATUS(t->transport.read(P(1), P(2), U(3), U(4), P(5), V(6), P(7), P(8)));
#undef SLOT
#define SLOT LINK_WRITE
  STATUS(t->transport.write(P(1), P(2), U(3), U(4), P(5), V(6), P(7)));
#undef SLOT
#define SLOT LINK_SCSI
  STATUS(t->transport.scsi(P(1), P(2), U(3), P(4), P(5)));
#undef SLOT
#define SLOT LINK_CONFIGURE
  STATUS(t->transport.configure_serial(P(1), P(2), U(3), U(4), U(5), U(6), P(7)));
#undef SLOT
#define SLOT TIME_UTC
  expect(SLOT, t->time.utc_us(P(1)) == I64(SLOT, RESULT));
#undef SLOT
#define SLOT TIME_MONOTONIC
  expect(SLOT, t->time.monotonic_ms(P(1)) == U64(SLOT, RESULT));
#undef SLOT
#define SLOT DRIVER_PROBE
  STATUS(t->driver.probe(P(1), P(2), P(3), P(4)));
#undef SLOT
#define SLOT DRIVER_OPEN
  STATUS(t->driver.open(P(1), P(2), P(3), P(4)));
#undef SLOT
#define SLOT DRIVER_CLOSE
  t->driver.close(P(1));
#undef SLOT
#define SLOT DRIVER_INFO
  STATUS(t->driver.info(P(1), P(2), P(3), P(4)));
#undef SLOT
#define SLOT DRIVER_READ
  STATUS(t->driver.read(P(1), P(2), P(3), P(4), P(5)));
#undef SLOT
#define SLOT DRIVER_REPORT
  STATUS(t->driver.read_report(P(1), P(2), P(3), P(4)));
#undef SLOT
#define SLOT DRIVER_GET_CLOCK
  STATUS(t->driver.get_clock(P(1), P(2), P(3), P(4)));
#undef SLOT
#define SLOT DRIVER_SET_CLOCK
  STATUS(t->driver.set_clock(P(1), P(2), P(3), P(4)));
#undef SLOT
#define SLOT DRIVER_ERASE
  STATUS(t->driver.erase(P(1), P(2), P(3), P(4)));
#undef SLOT
#define SLOT EXPORTER_OPEN
  STATUS(t->exporter.open(P(1), P(2), P(3), P(4)));
#undef SLOT
#define SLOT EXPORTER_CLOSE
  t->exporter.close(P(1));
#undef SLOT
#define SLOT EXPORTER_WRITE
  STATUS(t->exporter.write(P(1), P(2), P(3), P(4)));
#undef SLOT
#define SLOT EXPORTER_COMMIT
  STATUS(t->exporter.commit(P(1), P(2), P(3), P(4)));
#undef SLOT
#define SLOT EXPORTER_CHECK
  STATUS(t->exporter.check(P(1), P(2), P(3), P(4)));
#undef SLOT
#define SLOT EXPORTER_WANTS
  STATUS(t->exporter.wants(P(1), P(2), P(3)));
#undef SLOT
#define SLOT EXPORTER_PREVIEW
  STATUS(t->exporter.preview(P(1), P(2), P(3), P(4), P(5)));
#undef SLOT
#define SLOT TRANSFORM_OPEN
  STATUS(t->transform.open(P(1), P(2), P(3), P(4)));
#undef SLOT
#define SLOT TRANSFORM_CLOSE
  t->transform.close(P(1));
#undef SLOT
#define SLOT TRANSFORM_APPLY
  STATUS(t->transform.apply(P(1), P(2), P(3), P(4), P(5)));
#undef SLOT
#define SLOT SCRUB
  STATUS(t->scrub.scrub(P(1), P(2), P(3), P(4), P(5), P(6)));
#undef SLOT
#define SLOT PLUGIN_COMPONENT
  POINTER(t->plugin.component(U(1)));
#undef SLOT
#define SLOT PLUGIN_GET_EXTENSION
  POINTER(t->plugin.get_extension(P(1)));
#undef SLOT
  return failed;
}
