/* The helpers beside the header, called as a plugin and as its host; ends with the number of the line that
 * failed, if any, on standard output. */
#include "glucopipe_file.h"

#include "glucopipe_arrow.h"

#define CHECK(condition)                    \
  do {                                      \
    if (!(condition)) {                     \
      printf("helpers.c:%d\n", __LINE__);   \
      return 1;                             \
    }                                       \
  } while (0)

static gph_text empty(void) {
  gph_text text;
  memset(&text, 0, sizeof text);
  return text;
}

static int texts(void) {
  static const double numbers[] = {0, 93, 5.1, 0.1 + 0.2, 1e300, -2.5};
  static const char* const broken[] = {"\x80", "\xc0\x80", "\xe0\x80\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xf0\x9f", "\xff"};
  gph_text text = empty();
  size_t i;
  for (i = 0; i < 5000; i++) gph_print(&text, "%zu,", i);
  CHECK(text.len == 23890 && !strcmp(text.data + text.len - 5, "4999,"));
  gph_free(&text);
  for (i = 0; i < sizeof numbers / sizeof *numbers; i++) {
    text.len = 0;
    gph_number(&text, numbers[i]);
    CHECK(strtod(text.data, NULL) == numbers[i]);
  }
  text.len = 0;
  gph_number(&text, 5.1);
  CHECK(!strcmp(text.data, "5.1"));
  for (i = 0; i < sizeof broken / sizeof *broken; i++) {
    CHECK(gph_utf8(broken[i], strlen(broken[i])) == 0);
  }
  CHECK(gph_utf8("\xc3\xa4", 2) == 2 && gph_utf8("\xe2\x82\xac", 3) == 3 && gph_utf8("\xf0\x9f\x98\x80", 4) == 4);
  text.len = 0;
  gph_quote(&text, "a\"\\\n\xc3\xa4\xff", 7);
  CHECK(!strcmp(text.data, "\"a\\\"\\\\\\u000a\xc3\xa4\xef\xbf\xbd\""));
  text.len = 0;
  gph_hex(&text, "\x01\xff", 2);
  CHECK(!strcmp(text.data, "01ff"));
  gph_free(&text);
  return 0;
}

static int errors(void) {
  gp_error error;
  gp_string string;
  gph_text text = empty();
  memset(&error, 0, sizeof error);
  memset(&string, 0, sizeof string);
  CHECK(gph_fail(NULL, GP_E_IO, "nobody looks") == GP_E_IO);
  CHECK(gph_fail(&error, GP_E_TIMEOUT, "no answer after %d s", 15) == GP_E_TIMEOUT);
  CHECK(error.code == GP_E_TIMEOUT && !strcmp(error.message, "no answer after 15 s") && !error.details);
  error.release(&error);
  CHECK(!error.release && !error.message);
  CHECK(gph_fail_key(&error, "path", "`path` is missing") == GP_E_INVALID_ARGUMENT);
  CHECK(!strcmp(error.details, "{\"key\": \"path\"}"));
  error.release(&error);
  gph_puts(&text, "{}");
  CHECK(gph_give(&text, &string, &error) == GP_OK && string.len == 2 && !text.data);
  string.release(&string);
  CHECK(!string.release && !string.data);
  CHECK(gph_status(gph_errno(GP_E_LOST)) == GP_E_LOST && gph_status(ENOENT) == GP_E_IO);
  return 0;
}

static int config(void) {
  static const char json[] =
      " { \"deep\" : {\"path\": \"no\", \"list\": [1, \"}\", {\"x\": \"\\\"\"}]}, \"path\":\"a\\u00e4\\\\\\/\\ud83d\\ude00\","
      " \"number\": -2.5e1 , \"yes\" : true, \"none\": null, \"no\": false}";
  static const char* const broken[] = {"", " ", "7", "null", "\"path\"", "[]", "[{\"path\": \"a\"}]", "{", "{\"path\"", "{\"path\":", "{\"path\": \"a",
                                       "{\"path\": \"\\u12\"}", "{\"path\": \"\\q\"}", "{\"path\": \"\xff\"}", "{\"path\": \"\n\"}", "{\"path\": \"a\",}",
                                       "{\"path\": \"a\"", "{\"path\": \"a\"} x", "{\"x\": 01, \"path\": \"a\"}", "{\"x\": -, \"path\": \"a\"}", "{\"x\": 1.}", "{\"x\": 1e}",
                                       "{\"x\": [1 2]}", "{\"x\": truth}", "{x: 1}", "{\"x\" 1}"};
  gph_text deep = empty();
  gph_text text = empty();
  double number = 0;
  size_t i;
  CHECK(gph_config_check(json, NULL) == GP_OK && gph_config_check("{}", NULL) == GP_OK && gph_config_check(NULL, NULL) != GP_OK);
  CHECK(gph_config_text(json, "path", &text) == 1 && !strcmp(text.data, "a\xc3\xa4\\/\xf0\x9f\x98\x80"));
  CHECK(gph_config_text(json, "pat", &text) == 0 && gph_config_text(json, "none", &text) == 0);
  CHECK(gph_config_text(json, "list", &text) == 0 && gph_config_text(json, "number", &text) == -1);
  CHECK(gph_config_number(json, "number", &number) == 1 && number == -25);
  CHECK(gph_config_number(json, "path", &number) == -1 && gph_config_number(json, "none", &number) == 0);
  CHECK(gph_config_bool(json, "yes", 0) == 1 && gph_config_bool(json, "no", 1) == 0 && gph_config_bool(json, "x", 1) == 1);
  for (i = 0; i < sizeof broken / sizeof *broken; i++) {
    CHECK(gph_config_check(broken[i], NULL) == GP_E_INVALID_ARGUMENT);
  }
  CHECK(gph_config_text("{\"path\": \"a\\u0000b\"}", "path", &text) == -1);
  for (i = 0; i < 100000; i++) gph_puts(&deep, "{\"a\":");
  CHECK(gph_config_check(deep.data, NULL) == GP_E_INVALID_ARGUMENT);
  gph_free(&deep);
  gph_free(&text);
  return 0;
}

/* ---- Arrow ---------------------------------------------------------------------------------------- */
static int32_t never(const gp_op* op) {
  (void)op;
  return 0;
}

static int32_t always(const gp_op* op) {
  (void)op;
  return 1;
}

static int taken;

static int given(int count, struct ArrowArrayStream* out) {
  gph_readings readings;
  char key[16];
  int i;
  memset(&readings, 0, sizeof readings);
  for (i = 0; i < count; i++) {
    gph_reading reading;
    memset(&reading, 0, sizeof reading);
    snprintf(key, sizeof key, "key %d", i);
    reading.local_time = i;
    reading.kind = i % 3 ? "glucose" : "control";
    reading.value = 90 + i;
    reading.unit = reading.raw_unit = "mg/dL";
    reading.range = i % 2 ? "above" : "in";
    reading.meal = i % 2 ? "before" : NULL;
    reading.raw_value = i == 1 ? "\xff" : "9";
    reading.record_key = key;
    reading.raw = "\xff\x00";
    reading.raw_len = 2;
    gph_readings_add(&readings, &reading);
  }
  return gph_readings_give(&readings, "{\"serial\": \"1\"}", &taken, out, NULL) == GP_OK && !readings.count;
}

/* Keeps glucose, and adds 1000 to it; drops batches without any. */
static gp_status keep(void* context, const struct ArrowSchema* schema, const struct ArrowArray* batch,
                      struct ArrowArray* out, gp_error* error) {
  gph_column kind, value;
  int64_t rows[32], row, kept = 0;
  (void)context;
  if (!gph_find(schema, batch, "kind", GPH_TEXT, &kind)) return gph_fail(error, GP_E_INTERNAL, "no kind");
  for (row = 0; row < batch->length; row++)
    if (gph_text_is(&kind, row, "glucose")) rows[kept++] = row;
  if (!kept) return GP_OK;
  if (!gph_take(schema, batch, rows, kept, out)) return gph_no_memory(error);
  if (!gph_find(schema, out, "value", GPH_NUMBER, &value)) return gph_fail(error, GP_E_INTERNAL, "no value");
  for (row = 0; row < kept; row++) gph_numbers(&value)[row] += 1000;
  return GP_OK;
}

static int batches(void) {
  struct ArrowArrayStream stream, changed;
  gph_batches from;
  gph_column column;
  gp_op op;
  gp_error error;
  double number;
  int64_t whole, rows;
  size_t len;
  const char* text;
  memset(&op, 0, sizeof op);
  memset(&stream, 0, sizeof stream);
  memset(&changed, 0, sizeof changed);
  memset(&error, 0, sizeof error);
  op.cancelled = never;

  CHECK(given(20, &stream));
  CHECK(gph_open(&from, &stream, &error) == GP_OK && !stream.release && from.schema.n_children == GPH_COLUMNS);
  CHECK(!memcmp(from.schema.metadata, "\2\0\0\0\20\0\0\0glucopipe.schema\11\0\0\0reading/1", 33));
  CHECK(gph_next(&from, &op, &error) == GP_OK && from.batch.length == 20);
  CHECK(gph_find(&from.schema, &from.batch, "value", GPH_NUMBER, &column) && gph_number_at(&column, 3, &number) && number == 93);
  CHECK(gph_find(&from.schema, &from.batch, "range_limit", GPH_NUMBER, &column));
  CHECK(gph_number_at(&column, 3, &number) && number == 93 && !gph_number_at(&column, 4, &number));
  CHECK(gph_find(&from.schema, &from.batch, "meal", GPH_TEXT, &column) && column.array->null_count == 10);
  CHECK(!gph_text_at(&column, 0, &len) && gph_text_is(&column, 19, "before"));
  CHECK(gph_find(&from.schema, &from.batch, "raw_value", GPH_TEXT, &column) && gph_text_is(&column, 1, "\xef\xbf\xbd"));
  CHECK(gph_find(&from.schema, &from.batch, "local_time", GPH_INTEGER, &column) && gph_integer_at(&column, 7, &whole) && whole == 7);
  CHECK(!gph_find(&from.schema, &from.batch, "value", GPH_TEXT, &column) && !gph_find(&from.schema, &from.batch, "x", GPH_TEXT, &column));
  CHECK(gph_next(&from, &op, &error) == GP_OK && !from.batch.release);
  gph_close(&from);

  /* An empty memory gives an empty batch, and an end. */
  CHECK(given(0, &stream) && gph_open(&from, &stream, &error) == GP_OK);
  CHECK(gph_next(&from, &op, &error) == GP_OK && from.batch.release && from.batch.length == 0);
  gph_close(&from);

  /* A stream that was released unread. */
  CHECK(taken && given(3, &stream));
  stream.release(&stream);
  CHECK(!stream.release && !taken);

  CHECK(given(20, &stream) && gph_apply(&op, &stream, &changed, keep, NULL, &error) == GP_OK);
  CHECK(gph_open(&from, &changed, &error) == GP_OK && gph_next(&from, &op, &error) == GP_OK && from.batch.length == 13);
  CHECK(gph_find(&from.schema, &from.batch, "value", GPH_NUMBER, &column) && gph_number_at(&column, 2, &number) && number == 1094);
  CHECK(gph_find(&from.schema, &from.batch, "record_key", GPH_TEXT, &column) && gph_text_is(&column, 2, "key 4"));
  CHECK(gph_find(&from.schema, &from.batch, "meal", GPH_TEXT, &column) && gph_text_is(&column, 0, "before") && !gph_text_at(&column, 1, &len));
  /* Of a batch that begins in the middle of its buffers. */
  {
    struct ArrowArray part;
    int64_t first = 1;
    from.batch.offset = 4;
    CHECK(gph_take(&from.schema, &from.batch, &first, 1, &part));
    from.batch.offset = 0;
    CHECK(gph_find(&from.schema, &part, "record_key", GPH_TEXT, &column) && gph_text_is(&column, 0, "key 8"));
    part.release(&part);
  }
  CHECK(gph_next(&from, &op, &error) == GP_OK && !from.batch.release);
  gph_close(&from);

  CHECK(given(1, &stream) && gph_apply(&op, &stream, &changed, keep, NULL, &error) == GP_OK);
  CHECK(gph_open(&from, &changed, &error) == GP_OK && gph_next(&from, &op, &error) == GP_OK && !from.batch.release);
  gph_close(&from);

  op.cancelled = always;
  CHECK(given(1, &stream) && gph_apply(&op, &stream, &changed, keep, NULL, &error) == GP_OK);
  memset(&from, 0, sizeof from);
  CHECK(changed.get_next(&changed, &from.batch) == ECANCELED && !strcmp(changed.get_last_error(&changed), "cancelled"));
  changed.release(&changed);

  /* A dictionary, of which a row and a word are null. */
  {
    const int32_t keys[] = {0, 1, 0, 2};
    const uint8_t rows_valid = 0x0d, words_valid = 0x03;
    const void *words_buffers[3], *buffers[2];
    struct ArrowSchema words_schema, field, *fields = &field, schema;
    struct ArrowArray words, array, *arrays = &array, batch, copy;
    const int32_t longer[] = {0, 3, 8, 8};
    memset(&words_schema, 0, sizeof words_schema);
    memset(&field, 0, sizeof field);
    memset(&schema, 0, sizeof schema);
    memset(&words, 0, sizeof words);
    memset(&array, 0, sizeof array);
    memset(&batch, 0, sizeof batch);
    words_schema.format = "u";
    field.format = "i";
    field.name = "meal";
    field.dictionary = &words_schema;
    schema.n_children = 1;
    schema.children = &fields;
    words_buffers[0] = &words_valid;
    words_buffers[1] = longer;
    words_buffers[2] = "oneother";
    words.length = 3;
    words.buffers = words_buffers;
    buffers[0] = &rows_valid;
    buffers[1] = keys;
    array.length = batch.length = 4;
    array.buffers = buffers;
    array.dictionary = &words;
    batch.n_children = 1;
    batch.children = &arrays;
    CHECK(gph_find(&schema, &batch, "meal", GPH_TEXT, &column) && gph_text_is(&column, 0, "one"));
    CHECK(!gph_text_at(&column, 1, &len) && gph_text_is(&column, 2, "one") && !gph_text_at(&column, 3, &len));
    rows = 2;
    CHECK(gph_take(&schema, &batch, &rows, 1, &copy) && gph_find(&schema, &copy, "meal", GPH_TEXT, &column));
    text = gph_text_at(&column, 0, &len);
    CHECK(text && len == 3 && !memcmp(text, "one", 3));
    copy.release(&copy);
    field.format = "w:16";
    field.dictionary = NULL;
    CHECK(!gph_take(&schema, &batch, &rows, 1, &copy) && !copy.release);
  }
  return 0;
}

static int files(const char* folder) {
  gph_file file;
  gph_text path = empty(), text = empty(), more = empty();
  gp_error error;
  gp_string report;
  struct stat found;
  memset(&file, 0, sizeof file);
  memset(&error, 0, sizeof error);
  memset(&report, 0, sizeof report);
  gph_puts(&path, folder);
  gph_puts(&path, "/new/folder/lines");
  gph_puts(&text, "half");
  gph_puts(&more, ", \"left_out\": 2");
  CHECK(gph_file_create(&file, path.data, &error) == GP_OK && gph_file_write(&file, &text, &error) == GP_OK);
  CHECK(stat(path.data, &found) != 0 && stat(file.temporary, &found) == 0);
  gph_puts(&text, ".");
  {
    gph_text left = empty();
    gph_puts(&left, file.temporary);
    gph_file_close(&file);
    CHECK(stat(left.data, &found) != 0 && stat(path.data, &found) != 0);
    gph_free(&left);
  }
  CHECK(gph_file_create(&file, path.data, &error) == GP_OK && gph_file_write(&file, &text, &error) == GP_OK);
  CHECK(gph_file_commit(&file, &error) == GP_OK && gph_file_report(&file, 1, &more, &report, &error) == GP_OK);
  CHECK(strstr(report.data, "{\"delivered\": 1, \"bytes\": 5, \"targets\": [\"") == report.data);
  CHECK(strstr(report.data, "/lines\"], \"left_out\": 2}") != NULL);
  gph_free(&more);
  report.release(&report);
  CHECK(stat(path.data, &found) == 0 && found.st_size == 5 && (found.st_mode & 0777) == 0600);
  CHECK(gph_file_commit(&file, &error) == GP_E_PRECONDITION);
  error.release(&error);
  gph_file_close(&file);
  CHECK(stat(path.data, &found) == 0);
  CHECK(gph_file_create(&file, folder, &error) == GP_E_INVALID_ARGUMENT);
  error.release(&error);
  gph_file_close(&file);
  gph_puts(&path, "/below");
  CHECK(gph_file_create(&file, path.data, &error) == GP_E_IO && error.native == ENOTDIR);
  error.release(&error);
  gph_file_close(&file);
  gph_free(&path);
  gph_free(&text);
  return 0;
}

static int reports(void) {
  static const struct {
    long at[6];
    int64_t seconds;
  } times[] = {{{1970, 1, 1, 0, 0, 0}, 0},
               {{2000, 2, 29, 23, 59, 59}, 951868799},
               {{2026, 5, 30, 18, 5, 0}, 1780164300},
               {{2100, 3, 1, 0, 0, 0}, 4107542400},
               {{2199, 12, 31, 0, 0, 0}, 7258032000}};
  static const long none[][6] = {{1969, 12, 31, 0, 0, 0}, {2026, 13, 1, 0, 0, 0}, {2026, 0, 1, 0, 0, 0},
                                 {2026, 2, 29, 0, 0, 0},  {2100, 2, 29, 0, 0, 0}, {2026, 4, 31, 0, 0, 0},
                                 {2026, 1, 0, 0, 0, 0},   {2026, 1, 1, 24, 0, 0}, {2026, 1, 1, 0, 60, 0},
                                 {2026, 1, 1, 0, 0, 60},  {2200, 1, 1, 0, 0, 0},  {2026, 1, 1, -1, 0, 0}};
  gph_text report = empty();
  gp_string given;
  int64_t us;
  size_t i;
  for (i = 0; i < sizeof times / sizeof *times; i++) {
    const long* at = times[i].at;
    CHECK(gph_civil(at[0], at[1], at[2], at[3], at[4], at[5], &us) && us == times[i].seconds * 1000000);
  }
  for (i = 0; i < sizeof none / sizeof *none; i++) {
    const long* at = none[i];
    CHECK(!gph_civil(at[0], at[1], at[2], at[3], at[4], at[5], &us));
  }
  memset(&given, 0, sizeof given);
  CHECK(gph_report_give(&report, 1, &given, NULL) == GP_OK);
  CHECK(!strcmp(given.data, "{\"set_aside\": [], \"complete\": false, \"reasons\": [\"the readings were not taken\"]}"));
  given.release(&given);
  gph_set_aside(&report, 1, "odd", "\x01\xff", 2);
  gph_set_aside(&report, 4, "odd too", "", 0);
  gph_report(&report, 5, NULL);
  CHECK(gph_report_give(&report, 1, &given, NULL) == GP_OK);
  CHECK(!strcmp(given.data, "{\"set_aside\": [{\"position\": 1, \"reason\": \"odd\", \"raw\": \"01ff\"}, "
                            "{\"position\": 4, \"reason\": \"odd too\", \"raw\": \"\"}], \"expected\": 5, "
                            "\"complete\": true, \"reasons\": []}"));
  given.release(&given);
  gph_free(&report);
  return 0;
}

int main(int count, char** arguments) {
  return count != 2 || texts() || errors() || config() || batches() || reports() || files(arguments[1]);
}
