/* The glucopipe transform example-name: keeps the readings of blood glucose, and drops the rest.
 *
 * It works as it stands; replace `change`. A transform keeps the columns and their types, adds no rows, and
 * never changes raw_value, raw_unit, raw, markers, record_key, reading_id or local_time. */
#include "glucopipe_arrow.h"

struct gp_filter {
  int unused; /* what the configuration says goes here */
};

/* Makes a batch of a batch; with memory of its own, so it may be changed, as through gph_numbers. */
static gp_status change(void* context, const struct ArrowSchema* schema, const struct ArrowArray* batch,
                        struct ArrowArray* out, gp_error* error) {
  gph_column kind;
  int64_t row, kept = 0, *rows;
  int whole;
  (void)context; /* the gp_filter */
  if (!gph_find(schema, batch, "kind", GPH_TEXT, &kind))
    return gph_fail(error, GP_E_INTERNAL, "the readings lack a column of reading/1");
  rows = (int64_t*)calloc((size_t)batch->length + 1, sizeof *rows);
  if (!rows) return gph_no_memory(error);
  for (row = 0; row < batch->length; row++)
    if (gph_text_is(&kind, row, "glucose")) rows[kept++] = row;
  whole = !kept || gph_take(schema, batch, rows, kept, out); /* *out stays empty: the batch is dropped */
  free(rows);
  return whole ? GP_OK : gph_fail(error, GP_E_INTERNAL, "out of memory, or a column of a type that is not known");
}

/* ---- the transform -------------------------------------------------------------------------------- */
static gp_status GP_CALL filter_open(const gp_op* op, const char* config, gp_filter** out, gp_error* error) {
  gp_filter* filter = (gp_filter*)calloc(1, sizeof *filter);
  gp_status status = gph_config_check(config, error); /* its keys: gph_config_number and its like */
  (void)op;
  if (status == GP_OK && !filter) status = gph_no_memory(error);
  if (status == GP_OK) *out = filter;
  else free(filter);
  return status;
}

static void GP_CALL filter_close(gp_filter* filter) { free(filter); }

static gp_status GP_CALL filter_apply(gp_filter* filter, const gp_op* op, struct ArrowArrayStream* in,
                                      struct ArrowArrayStream* out, gp_error* error) {
  return gph_apply(op, in, out, change, filter, error);
}

static const gp_transform transform = {sizeof transform, 0, filter_open, filter_close, filter_apply};
static const gp_component component = {
    sizeof component, GP_KIND_TRANSFORM, "example-name",
    "{\"name\": \"example-name\", \"summary\": \"Keeps the readings of blood glucose\","
    " \"config_schema\": {\"type\": \"object\", \"properties\": {}, \"additionalProperties\": false}}",
    &transform};

static const gp_component* GP_CALL get_component(uint32_t index) { return index == 0 ? &component : NULL; }
static const gp_plugin plugin = {sizeof plugin, GP_ABI_MINOR, 0, 0, "example-name", "0.1.0", get_component, NULL};

GP_EXPORT const gp_plugin* GP_CALL gp_plugin_v1(void) { return &plugin; }
