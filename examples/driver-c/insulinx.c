/* A glucopipe driver for the Abbott FreeStyle InsuLinx (USB HID 1a61:3460), in C99.
 *
 * Reports have 64 bytes: type, length (0 to 62), data; what follows is left over from earlier reports. After
 * INIT the meter answers commands of text in reports of type 0x60. The reply to each ends in
 *     CKSM:xxxxxxxx CR LF  CMD OK CR LF          (or CMD Fail!)
 * with the sum of all bytes in front of CKSM. A list of records has a sum of its own: its last line is
 * COUNT,xxxxxxxx over the lines of the records. */
#include <glucopipe_arrow.h>

#define REPORT 64
#define DATA_LIMIT 62 /* of which data */
#define INIT 0x01     /* first report of a conversation */
#define READY 0x71    /* the answer to it */
#define SYNC 0x22     /* may come at any time, and means nothing */
#define COMMAND 0x60
#define TIMEOUT_MS 3000u
#define REPLY_LIMIT (4u << 20) /* a full meter sends far less */
#define SYNC_LIMIT 1000
#define FIELDS 16 /* of a record of glucose */
#define MG_PER_DL_LIMIT 2000

struct gp_session {
  const gp_transport* transport;
  gp_link* link;
  gph_text report; /* of the last read, JSON */
  int taken;       /* whether the host took its readings */
};

/* ---- the protocol: bytes, and nothing of the host ------------------------------------------------- */
static uint32_t sum(const char* bytes, size_t len) {
  uint32_t total = 0;
  while (len--) total += (unsigned char)*bytes++;
  return total;
}

/* Checks a whole reply and cuts it down to its message. NULL, or what is wrong with it. */
static const char* open_reply(char* reply) {
  char *mark = strstr(reply, "CKSM:"), *end;
  unsigned long wire;
  if (!mark || strspn(mark + 5, "0123456789ABCDEF") != 8) return "a reply has no checksum";
  wire = strtoul(mark + 5, &end, 16);
  if (strcmp(end, "\r\nCMD OK\r\n") != 0) return "the meter refused a command";
  if (wire != sum(reply, (size_t)(mark - reply))) return "a reply has a wrong checksum";
  *mark = 0;
  return NULL;
}

/* Reads up to most whole numbers between commas; returns how many there are. */
static int numbers(const char* line, long* out, int most) {
  int count = 0;
  char* end;
  while (count < most) {
    out[count] = strtol(line, &end, 10);
    if (end == line) return count;
    count++;
    if (*end != ',') return *end ? 0 : count;
    line = end + 1;
  }
  return 0;
}

/* Month, day, year of two digits, hour, minute; 0 if that is no time. A meter without a time says 255. */
static int moment(const long* at, int64_t* us) {
  return at[2] >= 0 && at[2] <= 99 && gph_civil(2000 + at[2], at[0], at[1], at[3], at[4], 0, us);
}

/* ---- talking to the meter ------------------------------------------------------------------------- */
static gp_status send(gp_session* s, const gp_op* op, int type, const char* text, gp_error* error) {
  uint8_t report[REPORT] = {0};
  report[0] = (uint8_t)type;
  report[1] = (uint8_t)strlen(text);
  memcpy(report + 2, text, strlen(text)); /* commands are short */
  return s->transport->write(s->link, op, 0, TIMEOUT_MS, report, REPORT, error);
}

/* The next report of this type; others are passed over. */
static gp_status receive(gp_session* s, const gp_op* op, int type, gph_text* out, gp_error* error) {
  int passed;
  for (passed = 0; passed < SYNC_LIMIT; passed++) {
    uint8_t report[REPORT];
    uint64_t len = 0;
    gp_status status = s->transport->read(s->link, op, 0, TIMEOUT_MS, report, REPORT, &len, error);
    if (status != GP_OK) return status;
    if (len < 2 || report[1] > DATA_LIMIT || len < 2u + report[1])
      return gph_fail(error, GP_E_PROTOCOL, "a report contradicts its own length");
    if (report[0] == type) {
      gph_add(out, report + 2, report[1]);
      return GP_OK;
    }
    if (report[0] != SYNC)
      return gph_fail(error, GP_E_PROTOCOL, "got report 0x%02x, expected 0x%02x", report[0], type);
  }
  return gph_fail(error, GP_E_PROTOCOL, "the meter only synchronises");
}

/* Asks a command; *message is the text in front of the checksum. */
static gp_status ask(gp_session* s, const gp_op* op, const char* command, gph_text* message, gp_error* error) {
  const char *wrong, *end;
  gp_status status = send(s, op, COMMAND, command, error);
  while (status == GP_OK && (status = receive(s, op, COMMAND, message, error)) == GP_OK) {
    if (message->failed) return gph_no_memory(error);
    end = message->len < 6 ? "" : message->data + message->len - 6;
    if (!strcmp(end, "D OK\r\n") || !strcmp(end, "ail!\r\n")) {
      wrong = strlen(message->data) == message->len ? open_reply(message->data) : "a reply holds a NUL";
      return wrong ? gph_fail(error, GP_E_PROTOCOL, "%s", wrong) : GP_OK;
    }
    if (message->len > REPLY_LIMIT) return gph_fail(error, GP_E_PROTOCOL, "a reply has no end");
    op->progress(op, message->len, 0, "reading");
  }
  return status;
}

/* Begins a conversation and says what meter it is, as JSON. */
static gp_status identify(gp_session* s, const gp_op* op, gph_text* json, gp_error* error) {
  static const char* const commands[] = {"$serlnum?\r\n", "$swver?\r\n", "$date?\r\n", "$time?\r\n"};
  const gp_time* clock = (const gp_time*)op->host->get_extension(op->host, GP_EXT_TIME);
  gph_text ready = {0}, lines[4] = {{0}};
  int64_t us;
  long at[5];
  int i;
  gp_status status = send(s, op, INIT, "", error);
  if (status == GP_OK) status = receive(s, op, READY, &ready, error);
  for (i = 0; status == GP_OK && i < 4; i++) {
    status = ask(s, op, commands[i], &lines[i], error);
    if (status == GP_OK) lines[i].data[strcspn(lines[i].data, "\r\n")] = 0;
  }
  if (status == GP_OK) {
    gph_puts(json, "{\"model\": \"FreeStyle InsuLinx\", \"serial\": ");
    gph_quote(json, lines[0].data, strlen(lines[0].data));
    gph_puts(json, ", \"firmware\": ");
    gph_quote(json, lines[1].data, strlen(lines[1].data));
    if (numbers(lines[2].data, at, 3) == 3 && numbers(lines[3].data, at + 3, 2) == 2 && moment(at, &us)) {
      gph_print(json, ", \"clock\": \"20%02ld-%02ld-%02ldT%02ld:%02ld:00\"", at[2], at[0], at[1], at[3], at[4]);
      gph_puts(json, ", \"clock_resolution_s\": 60");
      if (clock) gph_print(json, ", \"clock_read_us\": %lld", (long long)clock->utc_us(op));
    }
    gph_puts(json, "}");
  }
  gph_free(&ready);
  for (i = 0; i < 4; i++) gph_free(&lines[i]);
  return status;
}

/* ---- readings ------------------------------------------------------------------------------------- */
/* Adds the reading of a line; NULL, or why there is none. */
static const char* decode(const char* line, gph_readings* readings) {
  long field[FIELDS];
  char key[96], value[16];
  gph_reading reading = {0};
  if (numbers(line, field, FIELDS) != FIELDS) return "not 16 numbers";
  if (field[0] != 0) return "a kind of record that is not known";
  if (!moment(field + 2, &reading.local_time)) return "the time is not a possible date and time";
  if (field[1] < 0 || field[13] < 0 || field[13] > MG_PER_DL_LIMIT) return "the value is not plausible";
  /* The meter numbers its records for life; the time guards against a counter that begins anew. */
  snprintf(key, sizeof key, "glucose|%ld|%ld,%ld,%ld,%ld,%ld", field[1], field[2], field[3], field[4], field[5],
           field[6]);
  snprintf(value, sizeof value, "%ld", field[13]);
  reading.kind = "glucose";
  reading.value = (double)field[13];
  reading.unit = reading.raw_unit = "mg/dL"; /* whatever the display shows */
  reading.range = "in";
  reading.raw_value = value;
  reading.record_key = key;
  reading.raw = line;
  reading.raw_len = strlen(line);
  gph_readings_add(readings, &reading);
  return NULL;
}

/* Takes a list apart, from its end: the meter sends the newest record first. */
static gp_status decode_list(char* list, gph_readings* readings, gph_text* report, gp_error* error) {
  char *tail = list, *line = list, *end;
  long expected = 0, found = 0;
  if (strcmp(list, "Log Empty\r\n") != 0) {
    while ((end = strstr(line, "\r\n")) != NULL) tail = line, line = end + 2;
    expected = strtol(tail, &end, 10);
    if (expected < 0 || *end != ',' || strtoul(end + 1, NULL, 16) != sum(list, (size_t)(tail - list)))
      return gph_fail(error, GP_E_PROTOCOL, "the list of records has a wrong checksum");
  }
  gph_free(report);
  while (tail - list >= 2) {
    const char* wrong;
    tail[-2] = 0;
    for (line = tail - 2; line > list && !(line - list >= 2 && !memcmp(line - 2, "\r\n", 2)); line--) {}
    tail = line;
    found++;
    if ((wrong = decode(line, readings)) != NULL) gph_set_aside(report, found, wrong, line, strlen(line));
  }
  gph_report(report, expected, found == expected ? NULL : "the meter sent another number of records than it said");
  return GP_OK;
}

/* ---- the driver ----------------------------------------------------------------------------------- */
static gp_status GP_CALL driver_open(const gp_op* op, const char* config, gp_session** out, gp_error* error) {
  gp_session* s = (gp_session*)calloc(1, sizeof *s);
  gp_status status = gph_config_check(config, error); /* it has no keys */
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
  gph_text device = {0}, list = {0};
  gph_readings readings = {0};
  gp_status status = identify(s, op, &device, error);
  (void)query; /* the meter always gives all */
  s->taken = 0;
  if (status == GP_OK) status = ask(s, op, "$result?\r\n", &list, error);
  if (status == GP_OK) status = decode_list(list.data, &readings, &s->report, error);
  if (status == GP_OK && device.failed) status = gph_no_memory(error);
  if (status == GP_OK) status = gph_readings_give(&readings, device.data, &s->taken, out, error);
  gph_readings_free(&readings);
  gph_free(&device);
  gph_free(&list);
  return status;
}

static gp_status GP_CALL driver_report(gp_session* s, const gp_op* op, gp_string* out, gp_error* error) {
  (void)op;
  return gph_report_give(&s->report, s->taken, out, error);
}

static const gp_driver driver = {sizeof driver, 0,           NULL,        driver_open,   driver_close, driver_info,
                                 driver_read,   driver_report, NULL,      NULL,          NULL};
static const gp_component component = {
    sizeof component, GP_KIND_DRIVER, "insulinx",
    "{\"name\": \"insulinx\", \"summary\": \"Abbott FreeStyle InsuLinx\","
    " \"config_schema\": {\"type\": \"object\", \"properties\": {}, \"additionalProperties\": false},"
    " \"devices\": [{\"link\": \"hid\", \"vendor\": \"1a61\", \"product\": \"3460\","
    " \"model\": \"FreeStyle InsuLinx\", \"tested\": \"captured bytes\"}],"
    " \"lacks\": {\"get_clock\": \"left out of this example\", \"set_clock\": \"left out of this example\","
    " \"erase\": \"no command that erases these meters is documented\"}}",
    &driver};

static const gp_component* GP_CALL get_component(uint32_t index) { return index == 0 ? &component : NULL; }
static const gp_plugin plugin = {sizeof plugin, GP_ABI_MINOR, 0, 0, "insulinx", "0.1.0", get_component, NULL};

GP_EXPORT const gp_plugin* GP_CALL gp_plugin_v1(void) { return &plugin; }
