/* The change alone, without a host: `make test`. */
#undef NDEBUG /* asserts are the tests */
#include "example_name.c"

#include <assert.h>

static void add(gph_readings* readings, const char* kind, const char* key) {
  gph_reading reading = {0};
  reading.kind = kind;
  reading.value = 93;
  reading.unit = reading.raw_unit = "mg/dL";
  reading.range = "in";
  reading.raw_value = "93";
  reading.record_key = key;
  gph_readings_add(readings, &reading);
}

static void control_tests_are_dropped(void) {
  gph_readings readings = {0};
  struct ArrowArrayStream stream;
  gph_batches in = {0};
  struct ArrowArray kept = {0};
  gph_column key;
  add(&readings, "control", "control|1");
  add(&readings, "glucose", "glucose|2");
  assert(gph_readings_give(&readings, "{}", NULL, &stream, NULL) == GP_OK);
  assert(gph_open(&in, &stream, NULL) == GP_OK && !in.in.get_next(&in.in, &in.batch));
  assert(change(NULL, &in.schema, &in.batch, &kept, NULL) == GP_OK && kept.length == 1);
  assert(gph_find(&in.schema, &kept, "record_key", GPH_TEXT, &key) && gph_text_is(&key, 0, "glucose|2"));
  kept.release(&kept);
  gph_close(&in);
}

int main(void) {
  control_tests_are_dropped();
  return 0;
}
