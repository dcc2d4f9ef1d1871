/* glucopipe.h: plugin ABI, major 1. SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * The contract between glucopipe and its plugins. Needs <stddef.h> and <stdint.h> only; C89 to C17 with
 * <stdint.h>, and C++98 to C++20. The file may be copied. A plugin is ONE shared library that exports ONE
 * symbol, GP_ENTRY_SYMBOL, and holds any number of components: drivers, exporters, transforms.
 *
 * GROWTH    A struct that begins with struct_size is an append-only table: a later minor may add fields at
 *           the end and never changes, moves or reuses one. Whoever fills a table sets struct_size to the
 *           sizeof of its own struct; a reader tests GP_HAS() before it uses a field marked (since 1.N)
 *           with N > 0. Structs marked FROZEN never change. Tables cross by pointer, never by value and
 *           never in an array. What does not fit this is a new extension id, or major 2 with a new entry
 *           symbol, which the same library may export beside this one.
 * STRINGS   const char* is UTF-8, NUL-terminated and borrowed until the call returns; the strings inside
 *           gp_plugin and gp_component are static and live as long as the process.
 * MEMORY    Whoever allocates releases, by the release callback stored in the object. No malloc/free pair
 *           spans the ABI. The caller zeroes out-parameters before the call.
 * STATUS    0 is success, anything else a GP_E_* code; an unknown code is read as GP_E_INTERNAL. On failure
 *           all out-parameters but the error are left zeroed.
 * UNWINDING No C++ exception, Rust panic or longjmp leaves a function of this ABI.
 * THREADS   Each function carries one tag:
 *           [scan]   any thread, one call at a time per library; under 10 ms, no I/O, no threads, and no
 *                    call of a host function
 *           [serial] any thread, but calls on one object, its streams and its links never overlap; distinct
 *                    objects may run at the same time. No affinity: do not keep state in thread locals
 *           [any]    any thread, at any time while the object lives; does not block
 * BLOCKING  A [serial] function with a gp_op looks at op->cancelled at least every 250 ms and ends soon
 *           after it says so. Nothing waits without a limit.
 * UNLOADING Libraries are never unloaded. Threads of a plugin are joined in the close that ends them.
 * FORBIDDEN In a plugin: exit, abort, signal handlers, fork without exec, atexit, setlocale, setenv, chdir,
 *           umask, using file descriptors 0 and 1 (2, standard error, is for its author's eyes), keeping a
 *           borrowed pointer, I/O at load time, logging of secrets or readings, retrying for ever.
 *
 * READINGS  Readings cross as an ArrowArrayStream of struct batches, schema "reading/1" (metadata key
 *           glucopipe.schema on the schema). Text columns are utf8 ("u") or a dictionary of it with any
 *           integer index; columns come in any order; all rows of a batch are valid UTF-8 and finite.
 *
 *           A driver fills these, and no others:
 *             local_time   tsu:  not null  what the meter showed, microseconds of civil time since 1970
 *             kind         text  not null  glucose ketone control insulin carbs
 *             value        g     not null  in unit; the limit itself where range is not "in"
 *             unit         text  not null  UCUM: mg/dL mmol/L g [iU] {points} {choices} {unknown}
 *             range        text  not null  in below above
 *             range_limit  g     null      the meter's limit in unit, exactly when range is not "in"
 *             meal         text  null      before after fasting
 *             reference    text  null      plasma whole_blood capillary deproteinised
 *             notes        text  null      decoded markers in human words, "; " between
 *             markers      text  null      the meter's own marker text or flag bytes, verbatim
 *             raw_value    text  not null  verbatim
 *             raw_unit     text  not null  verbatim unit as UCUM
 *             record_key   text  not null  the meter's stable key of the record, unique within the read
 *             raw          z     null      the frame as it came
 *             annotations  text  null      optional column: words for the report, "; " between
 *           and puts on the schema the metadata
 *             glucopipe.schema = reading/1
 *             glucopipe.device = the JSON object of gp_driver.info; serial and model are required here
 *           and on the field "value" the metadata glucopipe.unit = "column:unit". Arrow metadata is binary:
 *           int32 number of pairs, then per key and value an int32 length and that many bytes, all int32 in
 *           the machine's byte order. Columns that may be null carry ARROW_FLAG_NULLABLE.
 *
 *           record_key makes a record the same record at the next read: the meter's lifetime counter, or
 *           raw time, raw value and unit, kind, and an occurrence number (1, 2 ...) among equals. Never in
 *           it: UTC, zones, converted values, markers, positions. The host makes reading_id of driver id,
 *           serial (without blanks, upper case) and record_key. A key that comes twice in a read, a value
 *           above 2000 mg/dL or 111 mmol/L, a local_time outside the years 1900 to 2200, and words that are
 *           not listed set the row aside; more than 1000000 rows end the read.
 *
 *           The host adds, in front of every transform and exporter:
 *             reading_id time utc_offset_min time_quality device_model device_serial device_firmware
 *             driver person clock_offset_s read_at
 *           and hands on all columns in this order and with these types:
 *             reading_id u, time tsu:UTC null, local_time tsu:, utc_offset_min s null, time_quality d,
 *             kind d, value g, unit d, range d, range_limit g null, meal d null, reference d null,
 *             notes d null, markers d null, raw_value u, raw_unit d, record_key u, device_model d,
 *             device_serial d, device_firmware d, driver d, person d null, clock_offset_s l null,
 *             read_at tsu:UTC, raw z null            (d: dictionary of utf8 with int32 index)
 *           An exporter looks columns up by name, and ignores those it does not know. */
#ifndef GLUCOPIPE_H
#define GLUCOPIPE_H
#include <stddef.h>
#include <stdint.h>
#ifdef __cplusplus
extern "C" {
#endif

#define GP_ABI_MAJOR 1u
#define GP_ABI_MINOR 1u
#define GP_ENTRY_SYMBOL "gp_plugin_v1"
#define GP_READING_SCHEMA "reading/1"

/* Is member f of the table behind p present and set? */
#define GP_HAS(p, f)                                                                                     \
  ((p)->struct_size >= (uint32_t)((const char*)(&(p)->f + 1) - (const char*)(p)) && (p)->f != 0)

#if defined(_WIN32)
#define GP_EXPORT __declspec(dllexport)
#define GP_CALL __cdecl
#else
#define GP_EXPORT __attribute__((visibility("default")))
#define GP_CALL
#endif

/* ---- Arrow C data and stream interface, under their canonical guards (FROZEN by Apache Arrow) ---- */
#ifndef ARROW_C_DATA_INTERFACE
#define ARROW_C_DATA_INTERFACE
#define ARROW_FLAG_DICTIONARY_ORDERED 1
#define ARROW_FLAG_NULLABLE 2
#define ARROW_FLAG_MAP_KEYS_SORTED 4
struct ArrowSchema {
  const char* format;
  const char* name;
  const char* metadata;
  int64_t flags;
  int64_t n_children;
  struct ArrowSchema** children;
  struct ArrowSchema* dictionary;
  void (*release)(struct ArrowSchema*);
  void* private_data;
};
struct ArrowArray {
  int64_t length;
  int64_t null_count;
  int64_t offset;
  int64_t n_buffers;
  int64_t n_children;
  const void** buffers;
  struct ArrowArray** children;
  struct ArrowArray* dictionary;
  void (*release)(struct ArrowArray*);
  void* private_data;
};
#endif
#ifndef ARROW_C_STREAM_INTERFACE
#define ARROW_C_STREAM_INTERFACE
/* Errors of a stream are errno values of the platform; of these glucopipe reads
 * ECANCELED (cancelled), EACCES (access), ENODEV (the device went away), ETIMEDOUT, EPROTO (protocol),
 * EINVAL and EIO (anything else). After an error only get_last_error and release may be called. */
struct ArrowArrayStream {
  int (*get_schema)(struct ArrowArrayStream*, struct ArrowSchema* out);
  int (*get_next)(struct ArrowArrayStream*, struct ArrowArray* out);
  const char* (*get_last_error)(struct ArrowArrayStream*);
  void (*release)(struct ArrowArrayStream*);
  void* private_data;
};
#endif

/* ---- status and values ---------------------------------------------------------------------------- */
typedef int32_t gp_status;     /* never a C enum: its size is the compiler's choice */
#define GP_OK 0
#define GP_E_INTERNAL 1         /* a bug or a caught panic: the object is poisoned, only close it */
#define GP_E_UNSUPPORTED 2      /* the device or plugin cannot do this */
#define GP_E_INVALID_ARGUMENT 3 /* configuration or query; the user can mend it */
#define GP_E_NOT_FOUND 4        /* no such device or file */
#define GP_E_ACCESS 5           /* permission, busy, wrong password */
#define GP_E_IO 6               /* the link, the disk or the network failed; see GP_ERR_RETRYABLE */
#define GP_E_TIMEOUT 7          /* no answer within the time given */
#define GP_E_CANCELLED 8        /* op->cancelled said so */
#define GP_E_PROTOCOL 9         /* the device or server answered outside its protocol */
#define GP_E_PRECONDITION 10    /* refused before anything was changed, e.g. not the expected device */
#define GP_E_LOST 11            /* the device was disconnected */

#define GP_ERR_RETRYABLE 1u /* gp_error.flags: the same call may succeed later */

/* FROZEN. The caller passes NULL or a zeroed struct; the callee fills it only on failure. The caller calls
 * release unless it is NULL; release frees message and details and sets itself to NULL. [any] */
typedef struct gp_error {
  gp_status code;
  uint32_t flags;      /* GP_ERR_* */
  int64_t native;      /* errno, libusb or HTTP status; 0 if there is none */
  const char* message; /* one line, lower case; no secrets, no readings; eg: "no answer after 15 s" */
  const char* details; /* a JSON object, or NULL; "key" in it names the configuration key at fault */
  void(GP_CALL* release)(struct gp_error*);
  void* private_data;
} gp_error;

/* FROZEN. A text handed to the caller, who zeroes it before and releases it after, as for gp_error. */
typedef struct gp_string {
  const char* data; /* UTF-8 and NUL-terminated */
  uint64_t len;     /* without the NUL */
  void(GP_CALL* release)(struct gp_string*);
  void* private_data;
} gp_string;

/* FROZEN. A meter's wall clock; meters rarely know their zone. */
typedef struct gp_clock {
  int64_t local_seconds;       /* civil time read as if it were UTC, seconds since 1970-01-01 */
  int32_t utc_offset_seconds;  /* GP_OFFSET_UNKNOWN if the device has none */
  uint32_t resolution_seconds; /* 1, or 60 for a clock that shows minutes; ignored by set_clock */
} gp_clock;
#define GP_OFFSET_UNKNOWN INT32_MIN

/* ---- host side ------------------------------------------------------------------------------------ */
#define GP_LOG_ERROR 1
#define GP_LOG_WARN 2
#define GP_LOG_INFO 3
#define GP_LOG_DEBUG 4
#define GP_LOG_TRACE 5

/* The program that loaded the plugin. Host-owned; outlives every object opened with it. A process may hold
 * several hosts: keep none in a global. */
typedef struct gp_host {
  uint32_t struct_size;
  uint32_t abi_minor; /* GP_ABI_MINOR the host was compiled with */
  void* host_data;    /* the host's own */
  const char* name;    /* eg: "glucopipe" */
  const char* version; /* eg: "0.1.0" */
  /* [any] level is GP_LOG_*, target a short word or NULL, text one line. Both are borrowed for the call.
   * Never log secrets or readings. */
  void(GP_CALL* log)(const struct gp_host*, int32_t level, const char* target, const char* text);
  /* [any] A host-owned static table, or NULL if the id is unknown. Ids are "vendor.name/revision". */
  const void*(GP_CALL* get_extension)(const struct gp_host*, const char* id);
} gp_host;

/* One running operation. Host-owned; lives until the call returns or, where the call produced a stream,
 * until that stream is released. */
typedef struct gp_op {
  uint32_t struct_size;
  uint32_t reserved; /* 0 */
  const gp_host* host;
  void* host_data; /* the host's own */
  /* [any] Non-zero: stop soon and return GP_E_CANCELLED (from a stream: ECANCELED). */
  int32_t(GP_CALL* cancelled)(const struct gp_op*);
  /* [any] total 0: unknown. step is a short phrase, borrowed for the call, or NULL. Cheap: call it freely. */
  void(GP_CALL* progress)(const struct gp_op*, uint64_t done, uint64_t total, const char* step);
} gp_op;

/* ---- host extension: links to devices ------------------------------------------------------------- */
/* The host finds, opens and closes devices, so that the same driver reads a real meter, a virtual one and
 * a recorded transcript. An operation of a driver is bound to the one device the user chose. */
#define GP_EXT_TRANSPORT "glucopipe.transport/1"

typedef struct gp_link gp_link; /* an open connection to a device: opaque, host-owned */

#define GP_LINK_HID 1u    /* one report a call, without a report number in front */
#define GP_LINK_SCSI 2u   /* one command block a call */
#define GP_LINK_SERIAL 3u /* bytes */
#define GP_LINK_FILE 4u   /* bytes, read only, from the start */

#define GP_IO_CLOSING 1u /* go on although cancelled, to leave the device in order; the host grants this for
                          * 12 s in all, counted from its first use after the cancellation; once used, links open too */

#define GP_SCSI_NO_DATA 0u
#define GP_SCSI_FROM_DEVICE 1u
#define GP_SCSI_TO_DEVICE 2u

/* FROZEN. The caller fills it and owns it; the host writes status, residue, sense_len and sense. */
typedef struct gp_scsi {
  const uint8_t* cdb;  /* command block */
  uint8_t* data;       /* data of the command, read or written as direction says; NULL if none */
  uint32_t cdb_len;    /* 6, 10, 12 or 16 */
  uint32_t data_len;   /* bytes of data */
  uint32_t direction;  /* GP_SCSI_* */
  uint32_t timeout_ms; /* at most 60000 */
  uint32_t status;     /* SCSI status of the command; 0 is good */
  uint32_t residue;    /* bytes of data not transferred */
  uint32_t sense_len;  /* bytes of sense that are valid */
  uint32_t reserved;   /* 0 */
  uint8_t sense[32];   /* sense data, when status is not 0 */
} gp_scsi;

typedef struct gp_transport {
  uint32_t struct_size;
  uint32_t reserved; /* 0 */
  /* [serial] The chosen device as a JSON object: link, vendor, product, serial, node, as far as known. The
   * caller releases *out. */
  gp_status(GP_CALL* describe)(const gp_op*, gp_string* out, gp_error*);
  /* [serial] Opens the chosen device as kind (GP_LINK_*). *out belongs to the host and is valid until close. */
  gp_status(GP_CALL* open)(const gp_op*, uint32_t kind, gp_link** out, gp_error*);
  /* [serial] Ends the link; the pointer is dead afterwards. NULL is allowed. Never fails. */
  void(GP_CALL* close)(gp_link*);
  /* [serial] HID, serial, file: reads at most cap bytes into buf, which the caller owns; waits up to
   * timeout_ms. *len is the count; 0 only at the end of a file. GP_E_TIMEOUT if nothing came, GP_E_LOST if
   * the device went away. */
  gp_status(GP_CALL* read)(gp_link*, const gp_op*, uint32_t flags, uint32_t timeout_ms, uint8_t* buf,
                           uint64_t cap, uint64_t* len, gp_error*);
  /* [serial] HID, serial: writes all of buf, borrowed for the call, or fails; waits up to timeout_ms where the
   * system has a limit for writes. */
  gp_status(GP_CALL* write)(gp_link*, const gp_op*, uint32_t flags, uint32_t timeout_ms,
                            const uint8_t* buf, uint64_t len, gp_error*);
  /* [serial] SCSI: runs one command. GP_OK means that a status came back: look at it. */
  gp_status(GP_CALL* scsi)(gp_link*, const gp_op*, uint32_t flags, gp_scsi* command, gp_error*);
  /* [serial] Serial: line settings; parity is 'N', 'E' or 'O'. */
  gp_status(GP_CALL* configure_serial)(gp_link*, const gp_op*, uint32_t baud, uint32_t data_bits,
                                       uint32_t parity, uint32_t stop_bits, gp_error*);
} gp_transport;

/* ---- host extension: time ------------------------------------------------------------------------- */
/* Time as the operation sees it. A virtual meter runs on virtual time: measure waits with this clock. */
#define GP_EXT_TIME "glucopipe.time/1"

typedef struct gp_time {
  uint32_t struct_size;
  uint32_t reserved; /* 0 */
  /* [any] Microseconds since 1970-01-01 UTC of the computer's clock. */
  int64_t(GP_CALL* utc_us)(const gp_op*);
  /* [any] Milliseconds that only grow, from an arbitrary start. */
  uint64_t(GP_CALL* monotonic_ms)(const gp_op*);
} gp_time;

/* ---- plugin side ---------------------------------------------------------------------------------- */
typedef struct gp_session gp_session; /* an open meter: opaque, plugin-owned */
typedef struct gp_sink gp_sink;       /* an open destination: opaque, plugin-owned */
typedef struct gp_filter gp_filter;   /* a configured transform: opaque, plugin-owned */

/* NULL members are operations the driver lacks; open, close, info, read and read_report are required.
 * Between two calls the meter is idle: a function that talks to it ends the conversation before it returns,
 * and a stream ends it at its last batch or in release, also after an error or a cancellation. */
typedef struct gp_driver {
  uint32_t struct_size;
  uint32_t reserved; /* 0 */
  /* [serial] Reserved, set it to NULL: hosts of this minor find devices by "devices" of gp_component.about and
   * do not call it. Attached meters as a JSON array, which the caller releases. */
  gp_status(GP_CALL* probe)(const gp_op*, const char* config, gp_string* out, gp_error*);
  /* [serial] config is a JSON object that fits the component's config_schema, with secrets filled in. *out
   * belongs to the plugin and is valid until close. */
  gp_status(GP_CALL* open)(const gp_op*, const char* config, gp_session** out, gp_error*);
  /* [serial] Ends a session whose streams have been released. NULL is allowed. Never fails. */
  void(GP_CALL* close)(gp_session*);
  /* [serial] The description of the meter, a JSON object: serial, serial_raw, model, firmware, unit,
   * record_count, clock ("2026-05-30T18:05:00"), clock_resolution_s, clock_read_us (gp_time.utc_us when the clock
   * arrived; required with it), extra (an object). What the meter does not say is left out. The caller releases
   * *out. */
  gp_status(GP_CALL* info)(gp_session*, const gp_op*, gp_string* out, gp_error*);
  /* [serial] All stored readings, in the meter's order, oldest first. *out is the caller's to release; it
   * borrows the session and op until then. A stream that got something verified gives it and ends normally,
   * and read_report says what is missing; an error means that the rest is unusable.
   * query is NULL for all, or a JSON object that a driver may ignore:
   *   known      object: for a serial, raw (hexadecimal) of some of the newest records that the host keeps of
   *              that meter. It keeps all that are older than one of them as well: a driver may leave unread a
   *              record that it proves to be one of these, and what is older */
  gp_status(GP_CALL* read)(gp_session*, const gp_op*, const char* query, struct ArrowArrayStream* out,
                           gp_error*);
  /* [serial] What the last read found, after its stream has ended or was released, as a JSON object:
   *   complete   boolean
   *   reasons    array of texts: why it is not complete
   *   expected   number of records the meter said it holds, or null
   *   known      number of records left unread because of query.known
   *   set_aside  array of {position, reason, raw (hexadecimal)}: records that could not be decoded
   *   counts     object of numbers, the driver's own (naks, repeats, exchanges ...)
   *   notes      array of texts, without readings: unknown markers and the like
   * The caller releases *out. */
  gp_status(GP_CALL* read_report)(gp_session*, const gp_op*, gp_string* out, gp_error*);
  /* [serial] Fills *out, which the caller owns. */
  gp_status(GP_CALL* get_clock)(gp_session*, const gp_op*, gp_clock* out, gp_error*);
  /* [serial] Sets the clock to *in, borrowed for the call, at once. */
  gp_status(GP_CALL* set_clock)(gp_session*, const gp_op*, const gp_clock* in, gp_error*);
  /* [serial] Destroys all stored readings. If the meter's serial is not expect_serial, changes nothing and
   * returns GP_E_PRECONDITION. */
  gp_status(GP_CALL* erase)(gp_session*, const gp_op*, const char* expect_serial, gp_error*);
} gp_driver;

/* What an exporter is to be given. Readings that it once answered for are acknowledged: delivered,
 * already_there, left_out and rejected alike. An acknowledged reading may come again, on the user's word or
 * after a crash between the commit and the note of it: an exporter that adds to what is there knows it again
 * by its reading_id and counts it as already_there. */
#define GP_WANTS_EVERYTHING 1u /* at each run all that is known: what is written is a snapshot */
#define GP_WANTS_NEW 2u        /* what was not acknowledged yet: what is written adds to what is there */
/* The same, and all of it again when the transforms above the sink have changed: what comes takes the place of
 * what is there under the same reading_id. A host that does not know it gives everything. */
#define GP_WANTS_REVISED 3u

/* check, wants and preview may be NULL; all others are required. */
typedef struct gp_exporter {
  uint32_t struct_size;
  uint32_t reserved; /* 0 */
  /* [serial] As in gp_driver. Nothing is visible at the destination yet. */
  gp_status(GP_CALL* open)(const gp_op*, const char* config, gp_sink** out, gp_error*);
  /* [serial] Ends the sink; without a successful commit everything written is discarded. NULL is allowed. */
  void(GP_CALL* close)(gp_sink*);
  /* [serial] Takes *in over and has released it on return, on failure too. May be called again. Rows come
   * ordered by local_time, then record_key, and no reading_id comes twice. A stream without rows is no reason to
   * touch what is there, unless its schema has the metadata glucopipe.emptied: then transforms leave out all
   * that is known, and a snapshot becomes empty. */
  gp_status(GP_CALL* write)(gp_sink*, const gp_op*, struct ArrowArrayStream* in, gp_error*);
  /* [serial] Makes everything written durable and visible, whole or not at all. *report is a JSON object the
   * caller releases: delivered, already_there, rejected, left_out, bytes (numbers), targets (array of texts),
   *   refused  array of {"reading_id", "reason"}: refused for good; rejected is their number
   *   pending  array of reading_id: taken and not delivered this time, to be offered again
   *   problem  what failed, so that readings are pending, as one line without secrets or readings; or null
   *   held     why readings are pending although nothing failed, as such a line; or null
   * delivered, already_there, rejected, left_out and the number of pending add up to the readings written. */
  gp_status(GP_CALL* commit)(gp_sink*, const gp_op*, gp_string* report, gp_error*);
  /* [serial] Whether a run with this configuration could deliver: is the folder writable, does the server
   * answer, is every permission there. Changes nothing. *findings is a JSON array of texts for the user,
   * which the caller releases; GP_OK with findings means that it could deliver all the same. */
  gp_status(GP_CALL* check)(const gp_op*, const char* config, gp_string* findings, gp_error*);
  /* [scan] *wants is what an exporter of this configuration is to be given: GP_WANTS_*. NULL, and a value the
   * host does not know, mean GP_WANTS_EVERYTHING: nothing can be lost then. */
  gp_status(GP_CALL* wants)(const char* config, uint32_t* wants, gp_error*);
  /* [serial] What open, write and commit would do with these readings; changes nothing, at the destination or
   * elsewhere. Takes the stream over, as write does. *report is what commit would report, with one more member
   *   lines    array of texts for the user: what would be written or sent, and where; no readings, no secrets
   * or the JSON null when that cannot be said; the caller releases it. */
  gp_status(GP_CALL* preview)(const gp_op*, const char* config, struct ArrowArrayStream* in, gp_string* report,
                              gp_error*);
} gp_exporter;

/* All members are required. A transform gives the columns it was given, with their types; it may drop rows
 * and add none, and never changes raw_value, raw_unit, raw, markers, record_key, reading_id or local_time.
 * It is opened once for each read. */
typedef struct gp_transform {
  uint32_t struct_size;
  uint32_t reserved; /* 0 */
  /* [serial] As in gp_driver. */
  gp_status(GP_CALL* open)(const gp_op*, const char* config, gp_filter** out, gp_error*);
  /* [serial] Ends a transform whose streams have been released. NULL is allowed. Never fails. */
  void(GP_CALL* close)(gp_filter*);
  /* [serial] Takes *in over, on failure too. *out pulls from it, is the caller's to release, and releases it
   * then. */
  gp_status(GP_CALL* apply)(gp_filter*, const gp_op*, struct ArrowArrayStream* in,
                            struct ArrowArrayStream* out, gp_error*);
} gp_transform;

/* ---- plugin extension: transcripts that can be shared (since 1.1) --------------------------------- */
/* Asked of gp_plugin.get_extension. A transcript ("glucopipe-transcript 1" in the author's guide) holds a meter's
 * serial and a person's readings; the driver knows where. The host replays what comes out, and compares. */
#define GP_EXT_SCRUB "glucopipe.scrub/1"

typedef struct gp_scrub {
  uint32_t struct_size;
  uint32_t reserved; /* 0 */
  /* [serial] Gives a transcript of the driver with this id another serial, other dates and other values, and makes
   * its checksums right again; one that was wrong stays wrong. Opens no device. What the driver makes of it else
   * stays: number, order, kinds, units, ranges, markers. What it does not understand it blanks, or refuses with
   * GP_E_PROTOCOL; GP_E_UNSUPPORTED for a driver that cannot scrub. disguise is a JSON object:
   *   key         64 hexadecimal digits: what is made up follows from it, and from what it takes the place of
   *   shift_days  number: how many days every date moves
   * The caller releases *out, the new transcript. */
  gp_status(GP_CALL* scrub)(const gp_op*, const char* driver, const char* transcript, const char* disguise,
                            gp_string* out, gp_error*);
} gp_scrub;

#define GP_KIND_DRIVER 1u
#define GP_KIND_EXPORTER 2u
#define GP_KIND_TRANSFORM 3u

/* Static and constant: the host keeps the pointer. */
typedef struct gp_component {
  uint32_t struct_size;
  uint32_t kind;  /* GP_KIND_*; a host skips kinds it does not know */
  const char* id; /* eg: "contour": [a-z0-9._-]+, the name in pipeline.toml; never reused for something else */
  /* JSON object: name, summary, config_schema (JSON Schema of its own keys; "format": "secret" marks a
   * secret, "x-tuning": true a key of an exporter that changes nothing of what arrives: all others say which
   * destination it is; "x-needs": ["time"] an exporter that cannot deliver readings without that column, of which
   * the host warns beforehand; "x-merges": "compact" one that merges the small files of what is at the key path,
   * when nothing is written and this key is true) and, for drivers, devices: array of {link ("hid" "scsi" "serial"
   * "file"), vendor, product (four hexadecimal digits), model, tested}, and lacks: object of texts that say to
   * people why a member of the table is NULL, eg: {"erase": "no command that erases these meters is documented"},
   * and as checksums, why damaged bytes of a meter cannot be told from good ones. */
  const char* about;
  const void* table; /* gp_driver, gp_exporter or gp_transform, by kind; static */
} gp_component;

/* Static and constant: the host keeps the pointer. */
typedef struct gp_plugin {
  uint32_t struct_size;
  uint32_t abi_minor;      /* GP_ABI_MINOR it was compiled with; any value is accepted */
  uint32_t min_host_minor; /* oldest host minor it works with; an older host refuses it */
  uint32_t reserved;       /* 0 */
  const char* name;        /* eg: "contour" */
  const char* version;     /* semantic version of the plugin, eg: "1.4.0" */
  /* [scan] The component, static, or NULL past the last. The answer for an index never changes. There is no
   * init and no deinit: set up on the first open. */
  const gp_component*(GP_CALL* component)(uint32_t index);
  /* [any] A static table, or NULL if the id is unknown. May be NULL itself. Ids as in gp_host. */
  const void*(GP_CALL* get_extension)(const char* id);
} gp_plugin;

typedef const gp_plugin*(GP_CALL* gp_plugin_entry)(void);

/* [scan] The one exported symbol. Returns a static table, never NULL, and does nothing else. */
GP_EXPORT const gp_plugin* GP_CALL gp_plugin_v1(void);

#ifdef __cplusplus
}
#endif
#endif /* GLUCOPIPE_H */
