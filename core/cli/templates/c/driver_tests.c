/* The protocol alone, without a host: `make test`. */
#undef NDEBUG /* asserts are the tests */
#include "example_name.c"

#include <assert.h>

#define RANDOM_ANSWERS 100000

static const uint8_t record[] = {1, 93, 0, 0x40, 0x6e, 0x1d, 0x6a, 0x93};

static void a_record_becomes_a_reading(void) {
  gph_readings readings = {0};
  struct ArrowArrayStream stream;
  struct ArrowSchema schema;
  struct ArrowArray batch;
  gph_column column;
  double value;
  int64_t time, expected;
  size_t len = sizeof record;
  assert(!unwrap(record, &len) && len == RECORD_LEN && !decode(record, len, &readings));
  assert(gph_readings_give(&readings, "{}", NULL, &stream, NULL) == GP_OK);
  assert(!stream.get_schema(&stream, &schema) && !stream.get_next(&stream, &batch) && batch.length == 1);
  assert(gph_find(&schema, &batch, "value", GPH_NUMBER, &column) && gph_number_at(&column, 0, &value) && value == 93);
  assert(gph_find(&schema, &batch, "unit", GPH_TEXT, &column) && gph_text_is(&column, 0, "mg/dL"));
  assert(gph_find(&schema, &batch, "local_time", GPH_INTEGER, &column) && gph_integer_at(&column, 0, &time));
  assert(gph_civil(2026, 6, 1, 11, 34, 24, &expected) && time == expected);
  batch.release(&batch);
  schema.release(&schema);
  stream.release(&stream);
}

static void a_wrong_bit_anywhere_is_noticed(void) {
  size_t bit;
  for (bit = 0; bit < 8 * sizeof record; bit++) {
    uint8_t damaged[sizeof record];
    size_t len = sizeof record;
    memcpy(damaged, record, len);
    damaged[bit / 8] = (uint8_t)(damaged[bit / 8] ^ 1u << bit % 8);
    assert(unwrap(damaged, &len));
  }
}

/* Whatever comes: a reading, or a reason. A sanitizer sees more: `make -B test CFLAGS=-fsanitize=address,undefined`. */
static void random_bytes_do_no_harm(void) {
  gph_readings readings = {0};
  uint32_t dice = 1;
  long i;
  for (i = 0; i < RANDOM_ANSWERS; i++) {
    uint8_t answer[REPORT_LIMIT];
    size_t at, len = i % (REPORT_LIMIT + 1);
    for (at = 0; at < len; at++) answer[at] = (uint8_t)((dice = dice * 1664525u + 1013904223u) >> 24);
    if (!unwrap(answer, &len)) decode(answer, len, &readings);
    decode(answer, len, &readings);
  }
  gph_readings_free(&readings);
}

int main(void) {
  a_record_becomes_a_reading();
  a_wrong_bit_anywhere_is_noticed();
  random_bytes_do_no_harm();
  return 0;
}
