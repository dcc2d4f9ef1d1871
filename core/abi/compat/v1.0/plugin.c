/* A plugin of ABI 1.0, in C: a driver of a made-up meter, an exporter that counts, a transform that hands on.
 *
 * FROZEN with the header beside it: every later host loads and runs it. Nothing here is ever changed. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "glucopipe.h"

/* ---- errors and texts ----------------------------------------------------------------------------- */
static void GP_CALL release_error(gp_error* error) {
  error->message = NULL;
  error->release = NULL;
}

static gp_status fail(gp_error* error, gp_status code, const char* message) {
  if (error != NULL) {
    error->code = code;
    error->message = message;
    error->release = release_error;
  }
  return code;
}

static void GP_CALL release_text(gp_string* text) {
  free((void*)(uintptr_t)text->data);
  text->data = NULL;
  text->len = 0;
  text->release = NULL;
}

static gp_status say(gp_string* out, gp_error* error, const char* text) {
  size_t len = strlen(text);
  char* copy = (char*)malloc(len + 1);
  if (copy == NULL) return fail(error, GP_E_INTERNAL, "out of memory");
  memcpy(copy, text, len + 1);
  out->data = copy;
  out->len = len;
  out->release = release_text;
  return GP_OK;
}

/* ---- two readings as Arrow ------------------------------------------------------------------------ */
#define ROWS 2
#define COLUMNS 14

enum { TIME, NUMBER, TEXT, BYTES };
static const char* const formats[] = {"tsu:", "g", "u", "z"};

/* Cells of text; NULL in both rows is a column of nulls. */
static const struct {
  const char* name;
  int type;
  int nullable;
  const char* cells[ROWS];
} columns[COLUMNS] = {
    {"local_time", TIME, 0, {NULL, NULL}},
    {"kind", TEXT, 0, {"glucose", "glucose"}},
    {"value", NUMBER, 0, {NULL, NULL}},
    {"unit", TEXT, 0, {"mg/dL", "mg/dL"}},
    {"range", TEXT, 0, {"in", "in"}},
    {"range_limit", NUMBER, 1, {NULL, NULL}},
    {"meal", TEXT, 1, {NULL, NULL}},
    {"reference", TEXT, 1, {NULL, NULL}},
    {"notes", TEXT, 1, {NULL, NULL}},
    {"markers", TEXT, 1, {NULL, NULL}},
    {"raw_value", TEXT, 0, {"93", "104"}},
    {"raw_unit", TEXT, 0, {"mg/dL", "mg/dL"}},
    {"record_key", TEXT, 0, {"glucose|1|1", "glucose|2|1"}},
    {"raw", BYTES, 1, {NULL, NULL}},
};

/* 2026-05-30T07:15:00 and an hour later, as microseconds of civil time. */
static const int64_t times[ROWS] = {INT64_C(1780125300000000), INT64_C(1780128900000000)};
static const double values[ROWS] = {93.0, 104.0};
static const double no_numbers[ROWS] = {0.0, 0.0};
static const uint8_t all_null[8] = {0};

static void put_int32(char** at, size_t number) {
  int32_t value = (int32_t)number;
  memcpy(*at, &value, sizeof value);
  *at += sizeof value;
}

/* Pairs of texts as Arrow metadata. */
static char* metadata(const char* const* pairs, size_t count) {
  size_t size = sizeof(int32_t), i;
  char *start, *at;
  for (i = 0; i < 2 * count; i++) size += sizeof(int32_t) + strlen(pairs[i]);
  start = at = (char*)malloc(size);
  if (start == NULL) return NULL;
  put_int32(&at, count);
  for (i = 0; i < 2 * count; i++) {
    put_int32(&at, strlen(pairs[i]));
    memcpy(at, pairs[i], strlen(pairs[i]));
    at += strlen(pairs[i]);
  }
  return start;
}

typedef struct {
  struct ArrowSchema children[COLUMNS];
  struct ArrowSchema* list[COLUMNS];
  char *metadata, *unit;
} schema_data;

static void release_schema_child(struct ArrowSchema* schema) { schema->release = NULL; }

static void release_schema(struct ArrowSchema* schema) {
  schema_data* data = (schema_data*)schema->private_data;
  free(data->metadata);
  free(data->unit);
  free(data);
  schema->release = NULL;
}

#define DEVICE "{\"serial\": \"FROZEN-1\", \"model\": \"Frozen Meter\", \"firmware\": \"1.0\", \"record_count\": 2}"

static int get_schema(struct ArrowArrayStream* stream, struct ArrowSchema* out) {
  static const char* const pairs[] = {"glucopipe.schema", GP_READING_SCHEMA, "glucopipe.device", DEVICE};
  static const char* const unit[] = {"glucopipe.unit", "column:unit"};
  schema_data* data = (schema_data*)calloc(1, sizeof *data);
  int i;
  (void)stream;
  if (data == NULL) return 12;
  data->metadata = metadata(pairs, 2);
  data->unit = metadata(unit, 1);
  for (i = 0; i < COLUMNS; i++) {
    struct ArrowSchema* child = &data->children[i];
    child->format = formats[columns[i].type];
    child->name = columns[i].name;
    child->metadata = strcmp(columns[i].name, "value") == 0 ? data->unit : NULL;
    child->flags = columns[i].nullable ? ARROW_FLAG_NULLABLE : 0;
    child->release = release_schema_child;
    data->list[i] = child;
  }
  memset(out, 0, sizeof *out);
  out->format = "+s";
  out->name = "";
  out->metadata = data->metadata;
  out->n_children = COLUMNS;
  out->children = data->list;
  out->release = release_schema;
  out->private_data = data;
  return 0;
}

typedef struct {
  struct ArrowArray children[COLUMNS];
  struct ArrowArray* list[COLUMNS];
  const void* buffers[COLUMNS][3];
  int32_t offsets[COLUMNS][ROWS + 1];
  char texts[COLUMNS][64];
  const void* none[1];
} batch_data;

static void release_array_child(struct ArrowArray* array) { array->release = NULL; }

static void release_array(struct ArrowArray* array) {
  free(array->private_data);
  array->release = NULL;
}

static void fill(batch_data* data, int column) {
  struct ArrowArray* child = &data->children[column];
  int row, nulls = columns[column].nullable;
  child->length = ROWS;
  child->null_count = nulls ? ROWS : 0;
  child->buffers = data->buffers[column];
  child->release = release_array_child;
  data->list[column] = child;
  data->buffers[column][0] = nulls ? all_null : NULL;
  switch (columns[column].type) {
    case TIME:
      child->n_buffers = 2;
      data->buffers[column][1] = times;
      break;
    case NUMBER:
      child->n_buffers = 2;
      data->buffers[column][1] = nulls ? no_numbers : values;
      break;
    default:
      child->n_buffers = 3;
      for (row = 0; row < ROWS; row++) {
        const char* cell = columns[column].cells[row];
        size_t len = cell == NULL ? 0 : strlen(cell);
        int32_t start = data->offsets[column][row];
        if (cell != NULL) memcpy(data->texts[column] + start, cell, len);
        data->offsets[column][row + 1] = start + (int32_t)len;
      }
      data->buffers[column][1] = data->offsets[column];
      data->buffers[column][2] = data->texts[column];
  }
}

/* ---- the driver ----------------------------------------------------------------------------------- */
typedef struct {
  int given;
  gp_clock clock;
} session;

typedef struct {
  session* session;
  const gp_op* op;
} download;

static int get_next(struct ArrowArrayStream* stream, struct ArrowArray* out) {
  download* self = (download*)stream->private_data;
  batch_data* data;
  int i;
  memset(out, 0, sizeof *out);
  if (self->op->cancelled(self->op)) return 125; /* ECANCELED */
  if (self->session->given) return 0;
  data = (batch_data*)calloc(1, sizeof *data);
  if (data == NULL) return 12;
  for (i = 0; i < COLUMNS; i++) fill(data, i);
  out->length = ROWS;
  out->n_buffers = 1;
  out->n_children = COLUMNS;
  out->buffers = data->none;
  out->children = data->list;
  out->release = release_array;
  out->private_data = data;
  self->session->given = ROWS;
  if (GP_HAS(self->op, progress)) self->op->progress(self->op, ROWS, ROWS, "reading");
  return 0;
}

static const char* get_last_error(struct ArrowArrayStream* stream) {
  (void)stream;
  return "cancelled";
}

static void release_stream(struct ArrowArrayStream* stream) {
  free(stream->private_data);
  stream->release = NULL;
}

static int is_object(const char* config) { return config != NULL && config[0] == '{'; }

/* The host's extensions are there and answer. */
static gp_status greet(const gp_op* op, gp_error* error) {
  const gp_transport* transport;
  const gp_time* clock;
  gp_string device;
  gp_status status;
  if (!GP_HAS(op, host) || !GP_HAS(op->host, get_extension) || !GP_HAS(op->host, log))
    return fail(error, GP_E_INTERNAL, "the host lacks what 1.0 promises");
  transport = (const gp_transport*)op->host->get_extension(op->host, GP_EXT_TRANSPORT);
  clock = (const gp_time*)op->host->get_extension(op->host, GP_EXT_TIME);
  if (transport == NULL || clock == NULL || !GP_HAS(transport, describe) || !GP_HAS(transport, configure_serial) ||
      !GP_HAS(clock, utc_us) || !GP_HAS(clock, monotonic_ms))
    return fail(error, GP_E_INTERNAL, "the host lacks an extension of 1.0");
  if (op->host->get_extension(op->host, "nobody.has-this/1") != NULL)
    return fail(error, GP_E_INTERNAL, "the host has an extension that nobody has");
  memset(&device, 0, sizeof device);
  status = transport->describe(op, &device, error);
  if (status != GP_OK) return status;
  if (device.data == NULL || device.len != strlen(device.data) || device.data[0] != '{')
    return fail(error, GP_E_INTERNAL, "the host described no device");
  if (device.release != NULL) device.release(&device);
  if (clock->utc_us(op) <= 0) return fail(error, GP_E_INTERNAL, "the host has no time");
  op->host->log(op->host, GP_LOG_DEBUG, "frozen", "the meter is open");
  return GP_OK;
}

static gp_status GP_CALL open_session(const gp_op* op, const char* config, gp_session** out, gp_error* error) {
  session* made;
  gp_status status;
  if (!is_object(config)) return fail(error, GP_E_INVALID_ARGUMENT, "the configuration is no object");
  status = greet(op, error);
  if (status != GP_OK) return status;
  made = (session*)calloc(1, sizeof *made);
  if (made == NULL) return fail(error, GP_E_INTERNAL, "out of memory");
  made->clock.local_seconds = times[0] / 1000000;
  made->clock.utc_offset_seconds = GP_OFFSET_UNKNOWN;
  made->clock.resolution_seconds = 1;
  *out = (gp_session*)made;
  return GP_OK;
}

static void GP_CALL close_session(gp_session* self) { free(self); }

static gp_status GP_CALL info(gp_session* self, const gp_op* op, gp_string* out, gp_error* error) {
  (void)self, (void)op;
  return say(out, error, DEVICE);
}

static gp_status GP_CALL read_session(gp_session* self, const gp_op* op, const char* query,
                                      struct ArrowArrayStream* out, gp_error* error) {
  download* made = (download*)calloc(1, sizeof *made);
  (void)query;
  if (made == NULL) return fail(error, GP_E_INTERNAL, "out of memory");
  made->session = (session*)self;
  made->session->given = 0;
  made->op = op;
  out->get_schema = get_schema;
  out->get_next = get_next;
  out->get_last_error = get_last_error;
  out->release = release_stream;
  out->private_data = made;
  return GP_OK;
}

static gp_status GP_CALL read_report(gp_session* self, const gp_op* op, gp_string* out, gp_error* error) {
  (void)op;
  if (((session*)self)->given)
    return say(out, error,
               "{\"complete\": true, \"reasons\": [], \"expected\": 2, \"set_aside\": [], \"counts\": {}, "
               "\"notes\": []}");
  return say(out, error,
             "{\"complete\": false, \"reasons\": [\"nothing was read\"], \"expected\": 2, \"set_aside\": [], "
             "\"counts\": {}, \"notes\": []}");
}

static gp_status GP_CALL get_clock(gp_session* self, const gp_op* op, gp_clock* out, gp_error* error) {
  (void)op, (void)error;
  *out = ((session*)self)->clock;
  return GP_OK;
}

static gp_status GP_CALL set_clock(gp_session* self, const gp_op* op, const gp_clock* in, gp_error* error) {
  (void)op, (void)error;
  ((session*)self)->clock = *in;
  return GP_OK;
}

static gp_status GP_CALL erase(gp_session* self, const gp_op* op, const char* expect_serial, gp_error* error) {
  (void)self, (void)op;
  if (strcmp(expect_serial, "FROZEN-1") != 0)
    return fail(error, GP_E_PRECONDITION, "another meter is attached");
  return fail(error, GP_E_UNSUPPORTED, "this meter forgets nothing");
}

static const gp_driver driver = {(uint32_t)sizeof(gp_driver), 0,    NULL,        open_session, close_session, info,
                                 read_session,                read_report, get_clock, set_clock, erase};

/* ---- the exporter --------------------------------------------------------------------------------- */
typedef struct {
  unsigned long rows;
} counter;

static gp_status GP_CALL open_sink(const gp_op* op, const char* config, gp_sink** out, gp_error* error) {
  (void)op;
  if (!is_object(config)) return fail(error, GP_E_INVALID_ARGUMENT, "the configuration is no object");
  *out = (gp_sink*)calloc(1, sizeof(counter));
  return *out == NULL ? fail(error, GP_E_INTERNAL, "out of memory") : GP_OK;
}

static void GP_CALL close_sink(gp_sink* self) { free(self); }

/* Rows of a stream, which it releases; a negative number when it failed. */
static long drain(struct ArrowArrayStream* in) {
  long rows = 0;
  for (;;) {
    struct ArrowArray batch;
    memset(&batch, 0, sizeof batch);
    if (in->get_next(in, &batch) != 0) {
      rows = -1;
      break;
    }
    if (batch.release == NULL) break;
    rows += (long)batch.length;
    batch.release(&batch);
  }
  in->release(in);
  return rows;
}

static gp_status GP_CALL write_sink(gp_sink* self, const gp_op* op, struct ArrowArrayStream* in, gp_error* error) {
  long rows = drain(in);
  if (rows < 0)
    return op->cancelled(op) ? fail(error, GP_E_CANCELLED, "cancelled") : fail(error, GP_E_IO, "no more readings came");
  ((counter*)self)->rows += (unsigned long)rows;
  return GP_OK;
}

static gp_status report_rows(unsigned long rows, const char* more, gp_string* out, gp_error* error) {
  char text[160];
  snprintf(text, sizeof text, "{\"delivered\": %lu%s}", rows, more);
  return say(out, error, text);
}

static gp_status GP_CALL commit(gp_sink* self, const gp_op* op, gp_string* report, gp_error* error) {
  (void)op;
  return report_rows(((counter*)self)->rows, ", \"bytes\": 0, \"targets\": [\"nowhere\"]", report, error);
}

static gp_status GP_CALL check(const gp_op* op, const char* config, gp_string* findings, gp_error* error) {
  (void)op;
  if (!is_object(config)) return fail(error, GP_E_INVALID_ARGUMENT, "the configuration is no object");
  return say(findings, error, "[\"nothing is kept\"]");
}

static gp_status GP_CALL wants(const char* config, uint32_t* out, gp_error* error) {
  if (!is_object(config)) return fail(error, GP_E_INVALID_ARGUMENT, "the configuration is no object");
  *out = GP_WANTS_EVERYTHING;
  return GP_OK;
}

static gp_status GP_CALL preview(const gp_op* op, const char* config, struct ArrowArrayStream* in, gp_string* report,
                                 gp_error* error) {
  long rows = drain(in);
  (void)op, (void)config;
  if (rows < 0) return fail(error, GP_E_IO, "no more readings came");
  return report_rows((unsigned long)rows, ", \"lines\": [\"nothing is kept\"]", report, error);
}

static const gp_exporter exporter = {
    (uint32_t)sizeof(gp_exporter), 0, open_sink, close_sink, write_sink, commit, check, wants, preview};

/* ---- the transform -------------------------------------------------------------------------------- */
static gp_status GP_CALL open_filter(const gp_op* op, const char* config, gp_filter** out, gp_error* error) {
  (void)op;
  if (!is_object(config)) return fail(error, GP_E_INVALID_ARGUMENT, "the configuration is no object");
  *out = (gp_filter*)calloc(1, 1);
  return *out == NULL ? fail(error, GP_E_INTERNAL, "out of memory") : GP_OK;
}

static void GP_CALL close_filter(gp_filter* self) { free(self); }

/* What comes in goes out: the stream is moved. */
static gp_status GP_CALL apply(gp_filter* self, const gp_op* op, struct ArrowArrayStream* in,
                               struct ArrowArrayStream* out, gp_error* error) {
  (void)self, (void)op, (void)error;
  *out = *in;
  in->release = NULL;
  return GP_OK;
}

static const gp_transform transform = {(uint32_t)sizeof(gp_transform), 0, open_filter, close_filter, apply};

/* ---- the plugin ----------------------------------------------------------------------------------- */
#define ABOUT(what)                                                                \
  "{\"name\": \"Frozen\", \"summary\": \"" what "\", \"config_schema\": {\"type\": \"object\", \"properties\": {}}"

static const gp_component components[] = {
    {(uint32_t)sizeof(gp_component), GP_KIND_DRIVER, "frozen", ABOUT("two readings") ", \"devices\": []}", &driver},
    {(uint32_t)sizeof(gp_component), GP_KIND_EXPORTER, "frozen", ABOUT("counts") "}", &exporter},
    {(uint32_t)sizeof(gp_component), GP_KIND_TRANSFORM, "frozen", ABOUT("hands on") "}", &transform},
};

static const gp_component* GP_CALL component(uint32_t index) { return index < 3 ? &components[index] : NULL; }

static const void* GP_CALL get_extension(const char* id) {
  (void)id;
  return NULL;
}

static const gp_plugin plugin = {(uint32_t)sizeof(gp_plugin), GP_ABI_MINOR, 0,         0, "frozen", "1.0.0",
                                 component,                   get_extension};

const gp_plugin* GP_CALL gp_plugin_v1(void) { return &plugin; }
