/* A glucopipe exporter to a file of line protocol, as InfluxDB, Telegraf and QuestDB read it, in C99:
 *
 *     glucose,model=Contour\ Next\ USB,serial=7390-1234567 value=93,unit="mg/dL",id="01e6…" 1790000000000000000
 *
 * The file appears whole or not at all: a temporary file beside it gets its name in commit. It holds all that
 * is known at each run (GP_WANTS_EVERYTHING, because `wants` is NULL). Readings without a time have no line. */
#include <glucopipe_file.h>

#include <glucopipe_arrow.h>

struct gp_sink {
  gph_file file;
  uint64_t delivered;
  gph_text pending; /* reading_ids in JSON: readings without a time, which wait for one */
};

/* ---- the format ----------------------------------------------------------------------------------- */
/* Adds a text in which these characters are escaped. */
static void escaped(gph_text* line, const char* text, size_t len, const char* special) {
  size_t i;
  for (i = 0; i < len; i++) {
    if (text[i] == '\n') {
      gph_puts(line, "\\n");
      continue;
    }
    if (text[i] && strchr(special, text[i])) gph_puts(line, "\\");
    gph_add(line, text + i, 1);
  }
}

static void tag(gph_text* line, const char* name, const gph_column* column, int64_t row) {
  size_t len;
  const char* text = gph_text_at(column, row, &len);
  if (!text || !len) return; /* there are no empty tags */
  gph_print(line, ",%s=", name);
  escaped(line, text, len, ", =\\");
}

static void field(gph_text* line, const char* name, const gph_column* column, int64_t row) {
  size_t len;
  const char* text = gph_text_at(column, row, &len);
  if (!text) return;
  gph_print(line, ",%s=\"", name);
  escaped(line, text, len, "\"\\");
  gph_puts(line, "\"");
}

typedef struct columns {
  gph_column kind, value, unit, range, meal, model, serial, person, id, time;
} columns;

/* Columns go by name; where they stand may change. */
static int find(const gph_batches* in, columns* out) {
  const struct ArrowSchema* schema = &in->schema;
  const struct ArrowArray* batch = &in->batch;
  return gph_find(schema, batch, "kind", GPH_TEXT, &out->kind) &&
         gph_find(schema, batch, "value", GPH_NUMBER, &out->value) &&
         gph_find(schema, batch, "unit", GPH_TEXT, &out->unit) &&
         gph_find(schema, batch, "range", GPH_TEXT, &out->range) &&
         gph_find(schema, batch, "meal", GPH_TEXT, &out->meal) &&
         gph_find(schema, batch, "device_model", GPH_TEXT, &out->model) &&
         gph_find(schema, batch, "device_serial", GPH_TEXT, &out->serial) &&
         gph_find(schema, batch, "person", GPH_TEXT, &out->person) &&
         gph_find(schema, batch, "reading_id", GPH_TEXT, &out->id) &&
         gph_find(schema, batch, "time", GPH_INTEGER, &out->time);
}

/* The line of a row; 0 when the reading has no time. */
static int format(gph_text* line, const columns* of, int64_t row) {
  int64_t microseconds;
  double value = 0;
  size_t len;
  const char* kind = gph_text_at(&of->kind, row, &len);
  if (!gph_integer_at(&of->time, row, &microseconds)) return 0;
  escaped(line, kind, len, ", \\");
  tag(line, "model", &of->model, row);
  tag(line, "serial", &of->serial, row);
  tag(line, "person", &of->person, row);
  gph_number_at(&of->value, row, &value);
  gph_puts(line, " value=");
  gph_number(line, value);
  field(line, "unit", &of->unit, row);
  field(line, "range", &of->range, row);
  field(line, "meal", &of->meal, row);
  field(line, "id", &of->id, row);
  gph_print(line, " %lld000\n", (long long)microseconds); /* nanoseconds */
  return 1;
}

/* ---- the exporter --------------------------------------------------------------------------------- */
static void GP_CALL sink_close(gp_sink* sink) {
  if (!sink) return;
  gph_file_close(&sink->file);
  gph_free(&sink->pending);
  free(sink);
}

static gp_status GP_CALL sink_open(const gp_op* op, const char* config, gp_sink** out, gp_error* error) {
  gp_sink* sink = (gp_sink*)calloc(1, sizeof *sink);
  gph_text path = {0};
  gp_status status = gph_config_check(config, error);
  (void)op;
  if (status == GP_OK && (gph_config_text(config, "path", &path) != 1 || !path.len))
    status = gph_fail_key(error, "path", "`path` is missing, or no text");
  if (status == GP_OK && (!sink || path.failed)) status = gph_no_memory(error);
  if (status == GP_OK) status = gph_file_create(&sink->file, path.data, error);
  gph_free(&path);
  if (status == GP_OK) *out = sink;
  else sink_close(sink);
  return status;
}

static gp_status GP_CALL sink_write(gp_sink* sink, const gp_op* op, struct ArrowArrayStream* in, gp_error* error) {
  gph_batches batches;
  gph_text line = {0};
  columns of;
  int64_t row;
  gp_status status = gph_open(&batches, in, error);
  while (status == GP_OK && (status = gph_next(&batches, op, error)) == GP_OK && batches.batch.release) {
    if (!find(&batches, &of)) status = gph_fail(error, GP_E_INTERNAL, "the readings lack a column of reading/1");
    for (row = 0; status == GP_OK && row < batches.batch.length; row++) {
      line.len = 0;
      if (format(&line, &of, row)) {
        status = gph_file_write(&sink->file, &line, error);
        sink->delivered++;
      } else {
        size_t len;
        const char* id = gph_text_at(&of.id, row, &len);
        gph_puts(&sink->pending, sink->pending.len ? ", " : "");
        gph_quote(&sink->pending, id ? id : "", len);
      }
    }
  }
  gph_free(&line);
  gph_close(&batches);
  return status;
}

static gp_status GP_CALL sink_commit(gp_sink* sink, const gp_op* op, gp_string* report, gp_error* error) {
  gph_text more = {0};
  gp_status status = gph_file_commit(&sink->file, error);
  (void)op;
  if (sink->pending.len) {
    gph_puts(&more, ", \"problem\": \"readings without a time in UTC: put a `clock` transform in front\"");
    gph_puts(&more, ", \"pending\": [");
    gph_add(&more, sink->pending.data, sink->pending.len);
    gph_puts(&more, "]");
  }
  if (sink->pending.failed) more.failed = 1;
  if (status == GP_OK) status = gph_file_report(&sink->file, sink->delivered, &more, report, error);
  gph_free(&more);
  return status;
}

static const gp_exporter exporter = {sizeof exporter, 0,    sink_open, sink_close, sink_write,
                                     sink_commit,     NULL, NULL,      NULL};
static const gp_component component = {
    sizeof component, GP_KIND_EXPORTER, "line-protocol",
    "{\"name\": \"line-protocol\", \"summary\": \"A file of InfluxDB line protocol\","
    " \"config_schema\": {\"type\": \"object\", \"additionalProperties\": false, \"required\": [\"path\"],"
    " \"properties\": {\"path\": {\"type\": \"string\", \"minLength\": 1, \"description\": \"The file to write.\"}}}}",
    &exporter};

static const gp_component* GP_CALL get_component(uint32_t index) { return index == 0 ? &component : NULL; }
static const gp_plugin plugin = {sizeof plugin, GP_ABI_MINOR, 0, 0, "line-protocol", "0.1.0", get_component, NULL};

GP_EXPORT const gp_plugin* GP_CALL gp_plugin_v1(void) { return &plugin; }
