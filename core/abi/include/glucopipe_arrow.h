/* glucopipe_arrow.h: Arrow batches for plugins in C. SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * A helper like glucopipe_text.h, not the contract. Three parts, for the three kinds of plugins:
 *   drivers     gph_readings_add collects readings, gph_readings_give hands them out as a stream; gph_civil
 *               makes times, gph_set_aside, gph_report and gph_report_give make the report
 *   exporters   gph_open takes a stream over, gph_next gives batch after batch, gph_find a column by name
 *   transforms  gph_apply hands each batch to a function, gph_take keeps rows of it */
#ifndef GLUCOPIPE_ARROW_H
#define GLUCOPIPE_ARROW_H
#include <errno.h>

#include "glucopipe_text.h"

/* ---- errors of streams ---------------------------------------------------------------------------- */
GPH_API int gph_errno(gp_status status) {
  switch (status) {
    case GP_OK: return 0;
    case GP_E_INVALID_ARGUMENT: return EINVAL;
    case GP_E_ACCESS: return EACCES;
    case GP_E_TIMEOUT: return ETIMEDOUT;
    case GP_E_CANCELLED: return ECANCELED;
    case GP_E_PROTOCOL: return EPROTO;
    case GP_E_LOST: return ENODEV;
    default: return EIO;
  }
}

GPH_API gp_status gph_status(int code) {
  static const gp_status known[] = {GP_E_INVALID_ARGUMENT, GP_E_ACCESS,   GP_E_TIMEOUT,
                                    GP_E_CANCELLED,        GP_E_PROTOCOL, GP_E_LOST};
  size_t i;
  if (!code) return GP_OK;
  for (i = 0; i < sizeof known / sizeof *known; i++)
    if (gph_errno(known[i]) == code) return known[i];
  return GP_E_IO;
}

/* ---- arrays and schemas that own their memory ----------------------------------------------------- */
GPH_API void gph_release_array(struct ArrowArray* array) {
  int64_t i;
  for (i = 0; i < array->n_children; i++) {
    if (array->children[i] && array->children[i]->release) array->children[i]->release(array->children[i]);
    free(array->children[i]);
  }
  if (array->dictionary && array->dictionary->release) array->dictionary->release(array->dictionary);
  free(array->dictionary);
  for (i = 0; i < array->n_buffers; i++) free((void*)array->buffers[i]);
  free((void*)array->buffers);
  free(array->children);
  array->release = NULL;
}

/* An array with room for buffers and children, all NULL; 0 when memory runs out. */
GPH_API int gph_new_array(struct ArrowArray* array, int64_t length, int64_t n_buffers, int64_t n_children) {
  memset(array, 0, sizeof *array);
  array->length = length;
  array->release = gph_release_array;
  array->buffers = (const void**)calloc((size_t)n_buffers, sizeof *array->buffers);
  if (!array->buffers) return 0;
  array->n_buffers = n_buffers;
  if (n_children) {
    int64_t i;
    array->children = (struct ArrowArray**)calloc((size_t)n_children, sizeof *array->children);
    if (!array->children) return 0;
    array->n_children = n_children;
    for (i = 0; i < n_children; i++) {
      array->children[i] = (struct ArrowArray*)calloc(1, sizeof **array->children);
      if (!array->children[i]) return 0;
    }
  }
  return 1;
}

GPH_API void gph_release_schema(struct ArrowSchema* schema) {
  int64_t i;
  for (i = 0; i < schema->n_children; i++) {
    if (schema->children[i] && schema->children[i]->release) schema->children[i]->release(schema->children[i]);
    free(schema->children[i]);
  }
  free(schema->children);
  free(schema->private_data);
  schema->release = NULL;
}

/* Metadata as Arrow wants it: the number of pairs, and each text behind its length. */
GPH_API char* gph_metadata(const char* const* texts, int32_t pairs) {
  gph_text all;
  int32_t i;
  memset(&all, 0, sizeof all);
  gph_add(&all, &pairs, sizeof pairs);
  for (i = 0; i < 2 * pairs; i++) {
    int32_t len = (int32_t)strlen(texts[i]);
    gph_add(&all, &len, sizeof len);
    gph_add(&all, texts[i], (size_t)len);
  }
  if (all.failed) gph_free(&all);
  return all.data;
}

/* ---- drivers -------------------------------------------------------------------------------------- */
/* One reading, as "reading/1" in glucopipe.h says. Texts may be NULL where null is allowed there; bytes in
 * them that are no UTF-8 become U+FFFD. Nothing is kept by pointer. */
typedef struct gph_reading {
  int64_t local_time; /* microseconds of civil time since 1970 */
  const char* kind;
  double value;
  const char* unit;
  const char* range; /* for "below" and "above" value is the limit */
  const char *meal, *reference, *notes, *markers;
  const char *raw_value, *raw_unit, *record_key;
  const void* raw;
  size_t raw_len;
  const char* annotations;
} gph_reading;

static const struct {
  const char *name, *format;
  int64_t flags;
} gph_columns[] = {{"local_time", "tsu:", 0},
                   {"kind", "u", 0},
                   {"value", "g", 0},
                   {"unit", "u", 0},
                   {"range", "u", 0},
                   {"range_limit", "g", ARROW_FLAG_NULLABLE},
                   {"meal", "u", ARROW_FLAG_NULLABLE},
                   {"reference", "u", ARROW_FLAG_NULLABLE},
                   {"notes", "u", ARROW_FLAG_NULLABLE},
                   {"markers", "u", ARROW_FLAG_NULLABLE},
                   {"raw_value", "u", 0},
                   {"raw_unit", "u", 0},
                   {"record_key", "u", 0},
                   {"raw", "z", ARROW_FLAG_NULLABLE},
                   {"annotations", "u", ARROW_FLAG_NULLABLE}};
#define GPH_COLUMNS ((int64_t)(sizeof gph_columns / sizeof *gph_columns))

/* The readings of one read; starts as {0}. */
typedef struct gph_readings {
  struct {
    gph_text valid, ends, bytes;
    int64_t nulls;
  } columns[sizeof gph_columns / sizeof *gph_columns];
  int64_t count;
  int failed;
} gph_readings;

GPH_API void gph_readings_free(gph_readings* readings) {
  int64_t i;
  for (i = 0; i < GPH_COLUMNS; i++) {
    gph_free(&readings->columns[i].valid);
    gph_free(&readings->columns[i].ends);
    gph_free(&readings->columns[i].bytes);
  }
  memset(readings, 0, sizeof *readings);
}

GPH_API void gph_mark(gph_readings* readings, int64_t column, int valid) {
  gph_text* bits = &readings->columns[column].valid;
  if (readings->count % 8 == 0) gph_add(bits, "", 1);
  if (!valid) readings->columns[column].nulls++;
  else if (!bits->failed) bits->data[readings->count / 8] = (char)(bits->data[readings->count / 8] | 1 << readings->count % 8);
}

GPH_API void gph_cell(gph_readings* readings, int64_t column, const char* bytes, size_t len) {
  gph_text *all = &readings->columns[column].bytes, *ends = &readings->columns[column].ends;
  int32_t end = 0;
  if (!readings->count) gph_add(ends, &end, sizeof end);
  gph_mark(readings, column, bytes != NULL);
  if (bytes && gph_columns[column].format[0] == 'z') gph_add(all, bytes, len);
  else if (bytes) gph_add_utf8(all, bytes, len);
  if (all->len > INT32_MAX) readings->failed = 1;
  end = (int32_t)all->len;
  gph_add(ends, &end, sizeof end);
}

GPH_API void gph_fixed(gph_readings* readings, int64_t column, const void* value, int valid) {
  gph_mark(readings, column, valid);
  gph_add(&readings->columns[column].bytes, value, 8);
}

/* Adds a reading, in the meter's order. */
GPH_API void gph_readings_add(gph_readings* readings, const gph_reading* reading) {
  const char* texts[] = {NULL,
                         reading->kind,
                         NULL,
                         reading->unit,
                         reading->range,
                         NULL,
                         reading->meal,
                         reading->reference,
                         reading->notes,
                         reading->markers,
                         reading->raw_value,
                         reading->raw_unit,
                         reading->record_key,
                         NULL,
                         reading->annotations};
  int64_t i;
  int beyond = reading->range && strcmp(reading->range, "in") != 0;
  for (i = 0; i < GPH_COLUMNS; i++) {
    switch (i) {
      case 0: gph_fixed(readings, i, &reading->local_time, 1); break;
      case 2: gph_fixed(readings, i, &reading->value, 1); break;
      case 5: gph_fixed(readings, i, &reading->value, beyond); break;
      case 13: gph_cell(readings, i, (const char*)reading->raw, reading->raw_len); break;
      default: gph_cell(readings, i, texts[i], texts[i] ? strlen(texts[i]) : 0);
    }
  }
  readings->count++;
}

/* The buffer behind a text, which is empty then; never NULL unless memory runs out. */
GPH_API const void* gph_buffer(gph_text* text, int* failed) {
  char* data = text->data;
  if (!data && !text->failed) data = (char*)calloc(1, 8);
  if (!data || text->failed) *failed = 1;
  memset(text, 0, sizeof *text);
  return data;
}

GPH_API int gph_readings_batch(gph_readings* readings, struct ArrowArray* batch) {
  int64_t i;
  int failed = readings->failed;
  if (!gph_new_array(batch, readings->count, 1, GPH_COLUMNS)) return 0;
  for (i = 0; i < GPH_COLUMNS; i++) {
    struct ArrowArray* child = batch->children[i];
    char format = gph_columns[i].format[0];
    int texts = format == 'u' || format == 'z';
    if (!gph_new_array(child, readings->count, texts ? 3 : 2, 0)) return 0;
    child->null_count = readings->columns[i].nulls;
    if (child->null_count) child->buffers[0] = gph_buffer(&readings->columns[i].valid, &failed);
    if (texts) child->buffers[1] = gph_buffer(&readings->columns[i].ends, &failed);
    child->buffers[texts ? 2 : 1] = gph_buffer(&readings->columns[i].bytes, &failed);
  }
  return !failed;
}

typedef struct gph_given {
  struct ArrowArray batch;
  char* device;
  int* taken;
} gph_given;

GPH_API int gph_given_schema(struct ArrowArrayStream* stream, struct ArrowSchema* out) {
  const char* of_schema[] = {"glucopipe.schema", GP_READING_SCHEMA, "glucopipe.device",
                             ((gph_given*)stream->private_data)->device};
  const char* of_value[] = {"glucopipe.unit", "column:unit"};
  int64_t i;
  memset(out, 0, sizeof *out);
  out->format = "+s";
  out->name = "";
  out->release = gph_release_schema;
  out->metadata = (const char*)(out->private_data = gph_metadata(of_schema, 2));
  out->children = (struct ArrowSchema**)calloc((size_t)GPH_COLUMNS, sizeof *out->children);
  if (!out->metadata || !out->children) goto no_memory;
  out->n_children = GPH_COLUMNS;
  for (i = 0; i < GPH_COLUMNS; i++) {
    struct ArrowSchema* child = out->children[i] = (struct ArrowSchema*)calloc(1, sizeof *child);
    if (!child) goto no_memory;
    child->format = gph_columns[i].format;
    child->name = gph_columns[i].name;
    child->flags = gph_columns[i].flags;
    child->release = gph_release_schema;
    if (strcmp(child->name, "value") == 0) {
      child->metadata = (const char*)(child->private_data = gph_metadata(of_value, 1));
      if (!child->metadata) goto no_memory;
    }
  }
  return 0;
no_memory:
  gph_release_schema(out);
  return ENOMEM;
}

GPH_API int gph_given_next(struct ArrowArrayStream* stream, struct ArrowArray* out) {
  gph_given* given = (gph_given*)stream->private_data;
  *out = given->batch; /* moved; a released array is the end */
  if (given->taken) *given->taken = 1;
  memset(&given->batch, 0, sizeof given->batch);
  return 0;
}

GPH_API const char* gph_given_error(struct ArrowArrayStream* stream) {
  (void)stream;
  return "out of memory";
}

GPH_API void gph_given_release(struct ArrowArrayStream* stream) {
  gph_given* given = (gph_given*)stream->private_data;
  if (given->batch.release) given->batch.release(&given->batch);
  free(given->device);
  free(given);
  memset(stream, 0, sizeof *stream);
}

/* Hands the readings out as a stream of one batch, and empties them, on failure too. device is the JSON
 * object of gp_driver.info. *taken becomes 0, and 1 once the batch is taken: a host may release the stream
 * before, and then the read was not complete. It lives in the session, or is NULL. */
GPH_API gp_status gph_readings_give(gph_readings* readings, const char* device, int* taken,
                                    struct ArrowArrayStream* out, gp_error* error) {
  gph_given* given = (gph_given*)calloc(1, sizeof *given);
  gph_text copy;
  int whole;
  memset(&copy, 0, sizeof copy);
  gph_puts(&copy, device ? device : "");
  whole = given && !copy.failed && gph_readings_batch(readings, &given->batch);
  gph_readings_free(readings);
  if (!whole) {
    if (given && given->batch.release) given->batch.release(&given->batch);
    free(given);
    gph_free(&copy);
    return gph_no_memory(error);
  }
  if (taken) *taken = 0;
  given->taken = taken;
  given->device = copy.data;
  out->get_schema = gph_given_schema;
  out->get_next = gph_given_next;
  out->get_last_error = gph_given_error;
  out->release = gph_given_release;
  out->private_data = given;
  return GP_OK;
}

/* Civil time in microseconds since 1970: 1, or 0 when there is no such time in the years 1970 to 2199. */
GPH_API int gph_civil(long year, long month, long day, long hour, long minute, long second, int64_t* out) {
  static const int before[] = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334, 365};
  long leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0), leaps, days;
  if (year < 1970 || year > 2199 || month < 1 || month > 12) return 0;
  if (day < 1 || day > before[month] - before[month - 1] + (leap && month == 2)) return 0;
  if (hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 59) return 0;
  leaps = (year - 1) / 4 - (year - 1) / 100 + (year - 1) / 400 - 477; /* from 1970 on, before this year */
  days = (year - 1970) * 365 + leaps + before[month - 1] + (leap && month > 2) + day - 1;
  *out = ((int64_t)days * 86400 + hour * 3600 + minute * 60 + second) * 1000000;
  return 1;
}

/* Adds a record that is no reading to a report, which starts as {0}. Reasons are plain texts of the plugin. */
GPH_API void gph_set_aside(gph_text* report, long position, const char* reason, const void* raw, size_t len) {
  gph_puts(report, report->len ? ", " : "{\"set_aside\": [");
  gph_print(report, "{\"position\": %ld, \"reason\": \"%s\", \"raw\": \"", position, reason);
  gph_hex(report, raw, len);
  gph_puts(report, "\"}");
}

/* Ends a report: how many records the meter said it holds, or -1, and why the read is not complete, or NULL. */
GPH_API void gph_report(gph_text* report, long expected, const char* reason) {
  gph_puts(report, report->len ? "]" : "{\"set_aside\": []");
  if (expected >= 0) gph_print(report, ", \"expected\": %ld", expected);
  gph_print(report, ", \"complete\": %s, \"reasons\": [", reason ? "false" : "true");
  if (reason) gph_print(report, "\"%s\"", reason);
  gph_puts(report, "]}");
}

/* gp_driver.read_report for such a report, which is kept; taken is that of gph_readings_give. */
GPH_API gp_status gph_report_give(const gph_text* report, int taken, gp_string* out, gp_error* error) {
  gph_text copy;
  memset(&copy, 0, sizeof copy);
  if (taken && report->data) gph_add(&copy, report->data, report->len);
  else gph_report(&copy, -1, "the readings were not taken");
  if (report->failed) copy.failed = 1;
  return gph_give(&copy, out, error);
}

/* ---- exporters ------------------------------------------------------------------------------------ */
/* A stream that was taken over, with its schema and its current batch. */
typedef struct gph_batches {
  struct ArrowArrayStream in;
  struct ArrowSchema schema;
  struct ArrowArray batch;
} gph_batches;

GPH_API gp_status gph_failed(gph_batches* batches, int code, gp_error* error) {
  const char* reason = batches->in.get_last_error ? batches->in.get_last_error(&batches->in) : NULL;
  return gph_fail(error, gph_status(code), "%s", reason && *reason ? reason : "the stream of readings failed");
}

GPH_API void gph_close(gph_batches* batches) {
  if (batches->batch.release) batches->batch.release(&batches->batch);
  if (batches->schema.release) batches->schema.release(&batches->schema);
  if (batches->in.release) batches->in.release(&batches->in);
  memset(batches, 0, sizeof *batches);
}

/* Takes a stream over; gph_close releases it, and is called after a failure too. */
GPH_API gp_status gph_open(gph_batches* batches, struct ArrowArrayStream* in, gp_error* error) {
  int code;
  memset(batches, 0, sizeof *batches);
  batches->in = *in;
  in->release = NULL;
  code = batches->in.get_schema(&batches->in, &batches->schema);
  return code ? gph_failed(batches, code, error) : GP_OK;
}

/* The next batch; at the end batch.release is NULL. */
GPH_API gp_status gph_next(gph_batches* batches, const gp_op* op, gp_error* error) {
  int code;
  if (batches->batch.release) batches->batch.release(&batches->batch);
  memset(&batches->batch, 0, sizeof batches->batch);
  if (op->cancelled(op)) return gph_fail(error, GP_E_CANCELLED, "cancelled");
  code = batches->in.get_next(&batches->in, &batches->batch);
  return code ? gph_failed(batches, code, error) : GP_OK;
}

/* What a column is asked for. */
#define GPH_TEXT 0    /* utf8, or a dictionary of it */
#define GPH_NUMBER 1  /* float64 */
#define GPH_INTEGER 2 /* int16, int64, timestamp */

/* A column of a batch; rows are those of the batch. */
typedef struct gph_column {
  const struct ArrowArray* array;
  int64_t first; /* where row 0 is in the buffers */
  char format;
  int dictionary;
} gph_column;

/* Finds a column by name: 1, or 0 when it is missing or of another type. */
GPH_API int gph_find(const struct ArrowSchema* schema, const struct ArrowArray* batch, const char* name, int wanted,
                     gph_column* out) {
  int64_t i;
  for (i = 0; i < schema->n_children; i++) {
    const struct ArrowSchema* field = schema->children[i];
    const char* format = field->format;
    if (strcmp(field->name, name) != 0) continue;
    out->array = batch->children[i];
    out->first = batch->offset + out->array->offset;
    out->format = format[0];
    out->dictionary = field->dictionary != NULL;
    if (out->dictionary) return wanted == GPH_TEXT && !strcmp(format, "i") && !strcmp(field->dictionary->format, "u");
    if (wanted == GPH_TEXT) return !strcmp(format, "u");
    if (wanted == GPH_NUMBER) return !strcmp(format, "g");
    return !strcmp(format, "s") || !strcmp(format, "l") || !strncmp(format, "ts", 2);
  }
  return 0;
}

GPH_API int gph_valid_at(const struct ArrowArray* array, int64_t at) {
  const uint8_t* bits = (const uint8_t*)array->buffers[0];
  return !bits || (bits[at / 8] >> at % 8 & 1);
}

/* The text of a row and its length, or NULL for null. It is not NUL-terminated. */
GPH_API const char* gph_text_at(const gph_column* column, int64_t row, size_t* len) {
  const struct ArrowArray* array = column->array;
  int64_t at = column->first + row;
  const int32_t* ends;
  *len = 0;
  if (!gph_valid_at(array, at)) return NULL;
  if (column->dictionary) {
    at = ((const int32_t*)array->buffers[1])[at] + array->dictionary->offset;
    array = array->dictionary;
    if (!gph_valid_at(array, at)) return NULL;
  }
  ends = (const int32_t*)array->buffers[1];
  *len = (size_t)(ends[at + 1] - ends[at]);
  return *len ? (const char*)array->buffers[2] + ends[at] : "";
}

/* Whether the text of a row is this one. */
GPH_API int gph_text_is(const gph_column* column, int64_t row, const char* text) {
  size_t len;
  const char* found = gph_text_at(column, row, &len);
  return found && len == strlen(text) && !memcmp(found, text, len);
}

/* The number of a row: 1, or 0 for null. */
GPH_API int gph_number_at(const gph_column* column, int64_t row, double* out) {
  if (!gph_valid_at(column->array, column->first + row)) return 0;
  *out = ((const double*)column->array->buffers[1])[column->first + row];
  return 1;
}

/* The whole number of a row: 1, or 0 for null. */
GPH_API int gph_integer_at(const gph_column* column, int64_t row, int64_t* out) {
  int64_t at = column->first + row;
  if (!gph_valid_at(column->array, at)) return 0;
  *out = column->format == 's' ? ((const int16_t*)column->array->buffers[1])[at] : ((const int64_t*)column->array->buffers[1])[at];
  return 1;
}

/* ---- transforms ----------------------------------------------------------------------------------- */
/* Bytes of a value of a format, 0 for those behind offsets, -1 for what this helper does not know. */
GPH_API int gph_width(const char* format) {
  switch (format[0]) {
    case 'u': case 'z': return 0;
    case 'c': case 'C': return 1;
    case 's': case 'S': case 'e': return 2;
    case 'i': case 'I': case 'f': return 4;
    case 'l': case 'L': case 'g': return 8;
    case 't':
      if (format[1] == 's' || format[1] == 'D' || !strcmp(format, "tdm") || !strcmp(format, "ttu") || !strcmp(format, "ttn")) return 8;
      return 4;
    default: return -1;
  }
}

/* Copies rows of a column; first is where row 0 is. */
GPH_API int gph_take_column(const struct ArrowSchema* field, const struct ArrowArray* from, int64_t first,
                            const int64_t* rows, int64_t count, struct ArrowArray* out) {
  int width = gph_width(field->format);
  gph_text bytes, ends;
  uint8_t* valid = (uint8_t*)calloc((size_t)count / 8 + 1, 1);
  int32_t end = 0;
  int64_t i;
  int failed = !valid || width < 0;
  memset(&bytes, 0, sizeof bytes);
  memset(&ends, 0, sizeof ends);
  if (!gph_new_array(out, count, width ? 2 : 3, 0)) failed = 1;
  if (!width) gph_add(&ends, &end, sizeof end);
  for (i = 0; !failed && i < count; i++) {
    int64_t at = first + (rows ? rows[i] : i);
    if (gph_valid_at(from, at)) valid[i / 8] = (uint8_t)(valid[i / 8] | 1u << i % 8);
    else out->null_count++;
    if (width) {
      gph_add(&bytes, (const char*)from->buffers[1] + at * width, (size_t)width);
    } else {
      const int32_t* offsets = (const int32_t*)from->buffers[1];
      gph_add(&bytes, (const char*)from->buffers[2] + offsets[at], (size_t)(offsets[at + 1] - offsets[at]));
      end = (int32_t)bytes.len;
      gph_add(&ends, &end, sizeof end);
    }
  }
  if (!failed && out->null_count) out->buffers[0] = valid;
  else free(valid);
  if (!failed && !width) out->buffers[1] = gph_buffer(&ends, &failed);
  if (!failed) out->buffers[width ? 1 : 2] = gph_buffer(&bytes, &failed);
  gph_free(&bytes);
  gph_free(&ends);
  if (!failed && field->dictionary) {
    const struct ArrowArray* words = from->dictionary;
    out->dictionary = (struct ArrowArray*)calloc(1, sizeof *out->dictionary);
    failed = !out->dictionary ||
             !gph_take_column(field->dictionary, words, words->offset, NULL, words->length, out->dictionary);
  }
  return !failed;
}

/* Makes a batch of some rows of another, with memory of its own: it may be changed through gph_numbers.
 * 0 when memory runs out or a column has a type this helper does not know; *out is released then. */
GPH_API int gph_take(const struct ArrowSchema* schema, const struct ArrowArray* batch, const int64_t* rows,
                     int64_t count, struct ArrowArray* out) {
  int64_t i;
  int whole = gph_new_array(out, count, 1, schema->n_children);
  for (i = 0; whole && i < schema->n_children; i++) {
    const struct ArrowArray* from = batch->children[i];
    whole = gph_take_column(schema->children[i], from, batch->offset + from->offset, rows, count, out->children[i]);
  }
  if (!whole) gph_release_array(out);
  return whole;
}

/* The numbers of a float64 column of a batch that gph_take made. */
GPH_API double* gph_numbers(const gph_column* column) { return (double*)column->array->buffers[1] + column->first; }

/* Makes *out, zeroed, of a batch: as many columns, no more rows. Both outlive the call; the batch is not
 * changed. Leaving *out zeroed drops the batch. */
typedef gp_status (*gph_change)(void* context, const struct ArrowSchema* schema, const struct ArrowArray* batch,
                                struct ArrowArray* out, gp_error* error);

typedef struct gph_applied {
  gph_batches from;
  const gp_op* op;
  gph_change change;
  void* context;
  gp_error error;
} gph_applied;

GPH_API int gph_applied_schema(struct ArrowArrayStream* stream, struct ArrowSchema* out) {
  gph_applied* applied = (gph_applied*)stream->private_data;
  return applied->from.in.get_schema(&applied->from.in, out);
}

GPH_API int gph_applied_next(struct ArrowArrayStream* stream, struct ArrowArray* out) {
  gph_applied* applied = (gph_applied*)stream->private_data;
  memset(out, 0, sizeof *out);
  if (applied->error.release) applied->error.release(&applied->error);
  for (;;) {
    gp_status status = gph_next(&applied->from, applied->op, &applied->error);
    if (status == GP_OK && !applied->from.batch.release) return 0;
    if (status == GP_OK)
      status = applied->change(applied->context, &applied->from.schema, &applied->from.batch, out, &applied->error);
    if (status != GP_OK) return gph_errno(status);
    if (out->release) return 0;
  }
}

GPH_API const char* gph_applied_error(struct ArrowArrayStream* stream) {
  return ((gph_applied*)stream->private_data)->error.message;
}

GPH_API void gph_applied_release(struct ArrowArrayStream* stream) {
  gph_applied* applied = (gph_applied*)stream->private_data;
  if (applied->error.release) applied->error.release(&applied->error);
  gph_close(&applied->from);
  free(applied);
  memset(stream, 0, sizeof *stream);
}

/* gp_transform.apply for a function that changes one batch: takes *in over, on failure too. */
GPH_API gp_status gph_apply(const gp_op* op, struct ArrowArrayStream* in, struct ArrowArrayStream* out,
                            gph_change change, void* context, gp_error* error) {
  gph_applied* applied = (gph_applied*)calloc(1, sizeof *applied);
  gp_status status;
  if (!applied) {
    in->release(in);
    return gph_no_memory(error);
  }
  status = gph_open(&applied->from, in, error);
  if (status != GP_OK) {
    gph_close(&applied->from);
    free(applied);
    return status;
  }
  applied->op = op;
  applied->change = change;
  applied->context = context;
  out->get_schema = gph_applied_schema;
  out->get_next = gph_applied_next;
  out->get_last_error = gph_applied_error;
  out->release = gph_applied_release;
  out->private_data = applied;
  return GP_OK;
}
#endif /* GLUCOPIPE_ARROW_H */
