/* The format alone, without a host: `make test`. */
#undef NDEBUG /* asserts are the tests */
#include "example_name.c"

#include <assert.h>

static void a_line_has_its_unit(void) {
  gph_readings readings = {0};
  gph_reading reading = {0};
  struct ArrowArrayStream stream;
  gph_batches in = {0};
  gph_text line = {0};
  columns of;
  reading.local_time = INT64_C(86400000000);
  reading.kind = "glucose";
  reading.value = 5.1;
  reading.unit = reading.raw_unit = "mmol/L";
  reading.range = "in";
  reading.raw_value = "5.1";
  reading.record_key = "glucose|1";
  gph_readings_add(&readings, &reading);
  assert(gph_readings_give(&readings, "{}", NULL, &stream, NULL) == GP_OK);
  assert(gph_open(&in, &stream, NULL) == GP_OK && !in.in.get_next(&in.in, &in.batch));
  assert(find(&in, &of));
  format(&line, &of, 0);
  assert(!strcmp(line.data, "86400\t5.1\tmmol/L\n"));
  gph_free(&line);
  gph_close(&in);
}

int main(void) {
  a_line_has_its_unit();
  return 0;
}
