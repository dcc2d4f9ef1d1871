/* The glucopipe exporter example-name: a line for each reading, with its time, value and unit, into a file.
 *
 * It works as it stands; replace `format`. The file appears whole or not at all, at each run with all that is
 * known, because `wants` is NULL. An exporter that adds to what is there sets `wants`, and knows a reading
 * again by its reading_id. */
#include "glucopipe_file.h" /* first: it asks the system for POSIX */

#include "glucopipe_arrow.h"

struct gp_sink {
  gph_file file;
  uint64_t rows;
};

typedef struct columns {
  gph_column local_time, value, unit;
} columns;

/* Columns go by name; where they stand may change, and new ones may come. */
static int find(const gph_batches* in, columns* out) {
  return gph_find(&in->schema, &in->batch, "local_time", GPH_INTEGER, &out->local_time) &&
         gph_find(&in->schema, &in->batch, "value", GPH_NUMBER, &out->value) &&
         gph_find(&in->schema, &in->batch, "unit", GPH_TEXT, &out->unit);
}

static void format(gph_text* line, const columns* of, int64_t row) {
  int64_t microseconds = 0;
  double value = 0;
  size_t len;
  const char* unit = gph_text_at(&of->unit, row, &len);
  gph_integer_at(&of->local_time, row, &microseconds);
  gph_number_at(&of->value, row, &value);
  gph_print(line, "%lld\t", (long long)(microseconds / 1000000));
  gph_number(line, value);
  gph_puts(line, "\t");
  if (unit) gph_add(line, unit, len);
  gph_puts(line, "\n");
}

/* ---- the exporter --------------------------------------------------------------------------------- */
/* Without a commit, what was written is gone. */
static void GP_CALL sink_close(gp_sink* sink) {
  if (!sink) return;
  gph_file_close(&sink->file);
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
      format(&line, &of, row);
      status = gph_file_write(&sink->file, &line, error);
      sink->rows++;
    }
  }
  gph_free(&line);
  gph_close(&batches);
  return status;
}

static gp_status GP_CALL sink_commit(gp_sink* sink, const gp_op* op, gp_string* report, gp_error* error) {
  gp_status status = gph_file_commit(&sink->file, error);
  (void)op;
  return status == GP_OK ? gph_file_report(&sink->file, sink->rows, NULL, report, error) : status;
}

static const gp_exporter exporter = {sizeof exporter, 0,    sink_open, sink_close, sink_write,
                                     sink_commit,     NULL, NULL,      NULL};
static const gp_component component = {
    sizeof component, GP_KIND_EXPORTER, "example-name",
    "{\"name\": \"example-name\", \"summary\": \"A line of text for each reading\","
    " \"config_schema\": {\"type\": \"object\", \"additionalProperties\": false, \"required\": [\"path\"],"
    " \"properties\": {\"path\": {\"type\": \"string\", \"minLength\": 1, \"description\": \"The file to write.\"}}}}",
    &exporter};

static const gp_component* GP_CALL get_component(uint32_t index) { return index == 0 ? &component : NULL; }
static const gp_plugin plugin = {sizeof plugin, GP_ABI_MINOR, 0, 0, "example-name", "0.1.0", get_component, NULL};

GP_EXPORT const gp_plugin* GP_CALL gp_plugin_v1(void) { return &plugin; }
