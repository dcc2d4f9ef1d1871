/* A glucopipe driver for the meter example-name.
 *
 * It works as it stands, with a made-up meter that session.transcript holds a conversation with: the report
 * {0} asks for the serial, {n} for record n, and the answer {0xff} says that there is none. A record is its
 * number, mg/dL in 2 bytes and the seconds since 1970 by the meter's clock in 4, the lowest byte first. Every
 * answer ends in the sum of its bytes.
 * Replace unwrap, decode, ask and the device in `component` by those of your meter; the rest stays much the same. */
#include "glucopipe_arrow.h"

#define REPORT_LIMIT 64
#define NO_MORE 0xff
#define RECORD_LEN 7
#define LAST_RECORD 0xfe
#define MG_PER_DL_LIMIT 2000
#define TIMEOUT_MS 1000u

struct gp_session {
  const gp_transport* transport;
  gp_link* link;
  gph_text report; /* of the last read, JSON */
  int taken;       /* whether the host took its readings */
};

/* ---- the protocol: bytes, and nothing of the host ------------------------------------------------- */
/* Takes the sum off an answer: NULL, or what is wrong with it. */
static const char* unwrap(const uint8_t* answer, size_t* len) {
  uint8_t sum = 0;
  size_t i;
  if (*len < 2) return "an answer without a sum";
  for (i = 0; i < *len - 1; i++) sum = (uint8_t)(sum + answer[i]);
  if (answer[*len - 1] != sum) return "an answer has a wrong sum";
  --*len;
  return NULL;
}

/* Adds the reading of a record; NULL, or why there is none. Reasons show nothing of the record. */
static const char* decode(const uint8_t* record, size_t len, gph_readings* readings) {
  gph_reading reading = {0};
  char key[64], value[16];
  unsigned mg_per_dl;
  uint32_t seconds;
  if (len != RECORD_LEN) return "a record of another length";
  mg_per_dl = record[1] | (unsigned)record[2] << 8;
  seconds = record[3] | (uint32_t)record[4] << 8 | (uint32_t)record[5] << 16 | (uint32_t)record[6] << 24;
  if (mg_per_dl > MG_PER_DL_LIMIT) return "the value is not plausible";
  snprintf(value, sizeof value, "%u", mg_per_dl);
  /* The key makes it the same record at every read, for ever: never position, zone or conversion in it. */
  snprintf(key, sizeof key, "glucose|%u|%lu", record[0], (unsigned long)seconds);
  reading.local_time = (int64_t)seconds * 1000000;
  reading.kind = "glucose";
  reading.value = mg_per_dl;
  reading.unit = reading.raw_unit = "mg/dL"; /* as the record says, not as the display shows */
  reading.range = "in";
  reading.raw_value = value;
  reading.record_key = key;
  reading.raw = record;
  reading.raw_len = len;
  gph_readings_add(readings, &reading);
  return NULL;
}

/* ---- talking to the meter ------------------------------------------------------------------------- */
static gp_status ask(gp_session* s, const gp_op* op, uint8_t what, uint8_t* answer, size_t* len, gp_error* error) {
  uint64_t got = 0;
  gp_status status;
  if (op->cancelled(op)) return gph_fail(error, GP_E_CANCELLED, "cancelled");
  status = s->transport->write(s->link, op, 0, TIMEOUT_MS, &what, 1, error);
  if (status == GP_OK) status = s->transport->read(s->link, op, 0, TIMEOUT_MS, answer, REPORT_LIMIT, &got, error);
  *len = (size_t)got;
  return status;
}

/* Says what meter it is, as JSON. */
static gp_status identify(gp_session* s, const gp_op* op, gph_text* json, gp_error* error) {
  uint8_t answer[REPORT_LIMIT];
  const char* wrong;
  size_t len;
  gp_status status = ask(s, op, 0, answer, &len, error);
  if (status != GP_OK) return status;
  if ((wrong = unwrap(answer, &len)) != NULL) return gph_fail(error, GP_E_PROTOCOL, "%s", wrong);
  gph_puts(json, "{\"model\": \"example-name\", \"serial\": ");
  gph_quote(json, (const char*)answer, len);
  gph_puts(json, "}");
  return GP_OK;
}

/* An error that is not told. */
static void forget(gp_error* error) {
  if (!error) return;
  if (error->release) error->release(error);
  memset(error, 0, sizeof *error);
}

/* Reads every record. One that cannot be decoded costs itself; a link that fails costs what did not come yet.
 * The report says so. */
static gp_status read_all(gp_session* s, const gp_op* op, gph_readings* readings, gp_error* error) {
  const char* missing = NULL;
  uint8_t answer[REPORT_LIMIT];
  size_t len;
  unsigned number;
  gp_status status;
  gph_free(&s->report);
  for (number = 1; number <= LAST_RECORD; number++) {
    const char* wrong;
    status = ask(s, op, (uint8_t)number, answer, &len, error);
    if (status == GP_E_CANCELLED || (status != GP_OK && number == 1)) return status;
    if (status != GP_OK) {
      forget(error);
      missing = status == GP_E_LOST ? "the meter was disconnected" : "the meter stopped answering";
      break;
    }
    op->progress(op, number, 0, "reading records");
    wrong = unwrap(answer, &len);
    if (!wrong && len == 1 && answer[0] == NO_MORE) break;
    if (!wrong) wrong = decode(answer, len, readings);
    if (wrong) gph_set_aside(&s->report, (long)number, wrong, answer, len);
  }
  gph_report(&s->report, -1, missing);
  return GP_OK;
}

/* ---- the driver ----------------------------------------------------------------------------------- */
static gp_status GP_CALL driver_open(const gp_op* op, const char* config, gp_session** out, gp_error* error) {
  gp_session* s = (gp_session*)calloc(1, sizeof *s);
  gp_status status = gph_config_check(config, error); /* its keys: gph_config_text and its like */
  if (status == GP_OK && !s) status = gph_no_memory(error);
  if (status == GP_OK) {
    s->transport = (const gp_transport*)op->host->get_extension(op->host, GP_EXT_TRANSPORT);
    status = s->transport ? s->transport->open(op, GP_LINK_HID, &s->link, error)
                          : gph_fail(error, GP_E_UNSUPPORTED, "the host has no links");
  }
  if (status == GP_OK) *out = s;
  else free(s);
  return status;
}

static void GP_CALL driver_close(gp_session* s) {
  if (!s) return;
  s->transport->close(s->link);
  gph_free(&s->report);
  free(s);
}

static gp_status GP_CALL driver_info(gp_session* s, const gp_op* op, gp_string* out, gp_error* error) {
  gph_text json = {0};
  gp_status status = identify(s, op, &json, error);
  if (status == GP_OK) return gph_give(&json, out, error);
  gph_free(&json);
  return status;
}

static gp_status GP_CALL driver_read(gp_session* s, const gp_op* op, const char* query, struct ArrowArrayStream* out,
                                     gp_error* error) {
  gph_text device = {0};
  gph_readings readings = {0};
  gp_status status = identify(s, op, &device, error);
  (void)query;
  s->taken = 0;
  if (status == GP_OK) status = read_all(s, op, &readings, error);
  if (status == GP_OK && device.failed) status = gph_no_memory(error);
  if (status == GP_OK) status = gph_readings_give(&readings, device.data, &s->taken, out, error);
  gph_readings_free(&readings);
  gph_free(&device);
  return status;
}

static gp_status GP_CALL driver_report(gp_session* s, const gp_op* op, gp_string* out, gp_error* error) {
  (void)op;
  return gph_report_give(&s->report, s->taken, out, error);
}

/* NULL is what the driver cannot do; `lacks` below tells people why. */
static const gp_driver driver = {sizeof driver, 0,           NULL,          driver_open, driver_close, driver_info,
                                 driver_read,   driver_report, NULL,        NULL,        NULL};
static const gp_component component = {
    sizeof component, GP_KIND_DRIVER, "example-name",
    "{\"name\": \"example-name\", \"summary\": \"Meters of the family example-name\","
    " \"config_schema\": {\"type\": \"object\", \"properties\": {}, \"additionalProperties\": false},"
    " \"devices\": [{\"link\": \"hid\", \"vendor\": \"f055\", \"product\": \"0d00\","
    " \"model\": \"example-name\", \"tested\": \"untested\"}],"
    " \"lacks\": {\"get_clock\": \"not written yet\", \"set_clock\": \"not written yet\","
    " \"erase\": \"not written yet\"}}",
    &driver};

static const gp_component* GP_CALL get_component(uint32_t index) { return index == 0 ? &component : NULL; }
static const gp_plugin plugin = {sizeof plugin, GP_ABI_MINOR, 0, 0, "example-name", "0.1.0", get_component, NULL};

GP_EXPORT const gp_plugin* GP_CALL gp_plugin_v1(void) { return &plugin; }
