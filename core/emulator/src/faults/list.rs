//! The list of all faults.

use crate::catalog::{CONTOUR, KeyEntry, METERS, VERIO, key};
use crate::family::FamilyKind;

/// Families, name, default argument and meaning; in order of the names.
pub(super) const FAULTS: &[(&[FamilyKind], KeyEntry)] = &[
    (
        CONTOUR,
        key(
            "ack-lost",
            "3",
            "the acknowledgement of result n is not seen; it comes again",
        ),
    ),
    (
        VERIO,
        key(
            "check",
            "8",
            "reading reply n ends with CHECK CONDITION, once",
        ),
    ),
    (
        CONTOUR,
        key(
            "checksum",
            "3",
            "result n (0: the header) has a bad checksum until it is NAKed",
        ),
    ),
    (
        CONTOUR,
        key(
            "checksum-forever",
            "3",
            "result n (0: the header) always has a bad checksum",
        ),
    ),
    (
        CONTOUR,
        key(
            "clock-stuck",
            "",
            "new dates and times are acknowledged and not taken",
        ),
    ),
    (
        CONTOUR,
        key(
            "command-late",
            "2",
            "the answer to message n of the command mode comes six seconds late, once",
        ),
    ),
    (
        CONTOUR,
        key(
            "command-lost",
            "2",
            "message n of the command mode is not heard, once",
        ),
    ),
    (
        CONTOUR,
        key(
            "command-mute",
            "2",
            "silent for ever from message n of the command mode on (0: from the enquiry on)",
        ),
    ),
    (
        CONTOUR,
        key(
            "command-nak",
            "2",
            "message n of the command mode is refused, once",
        ),
    ),
    (
        CONTOUR,
        key(
            "command-odd",
            "2",
            "the text in the answer to message n of the command mode is no date and no time, once",
        ),
    ),
    (
        CONTOUR,
        key(
            "command-unplug",
            "2",
            "the device vanishes after message n of the command mode",
        ),
    ),
    (
        METERS,
        key(
            "count",
            "1",
            "the result count in the header is off by k; Verio family: k tests are taken before the second count",
        ),
    ),
    (VERIO, key("crc", "8", "reply n has a wrong CRC, once")),
    (
        VERIO,
        key(
            "crc-forever",
            "8",
            "reply n, and every reply to the same request, has a wrong CRC",
        ),
    ),
    (
        CONTOUR,
        key("cut", "3", "end of transmission after n results"),
    ),
    (
        METERS,
        key(
            "dead",
            "3",
            "silent for ever after n results; Verio family: from reply n on",
        ),
    ),
    (
        CONTOUR,
        key(
            "duplicate",
            "5",
            "result n comes again although acknowledged (5 is frame 7)",
        ),
    ),
    (
        CONTOUR,
        key(
            "empty-report",
            "3",
            "a report of length 0 in the middle of result n",
        ),
    ),
    (
        CONTOUR,
        key("gap", "3", "a frame number is skipped before result n"),
    ),
    (CONTOUR, key("garbage", "3", "junk bytes before result n")),
    (
        VERIO,
        key("layout", "3", "the reserved byte of result n is not zero"),
    ),
    (
        VERIO,
        key(
            "meal",
            "3",
            "VALUE[:n]: result n (3) has this meal byte, 0 to 255",
        ),
    ),
    (METERS, key("mute", "", "never answers")),
    (
        CONTOUR,
        key("nak", "", "the first wake-up is answered by NAK"),
    ),
    (CONTOUR, key("nak-date", "", "new dates are refused")),
    (CONTOUR, key("nak-time", "", "new times are refused")),
    (
        CONTOUR,
        key("no-command", "", "the command mode is refused"),
    ),
    (
        CONTOUR,
        key(
            "no-cr",
            "",
            "in the command mode a CR behind the letter for date or time is refused",
        ),
    ),
    (
        CONTOUR,
        key(
            "no-terminator",
            "",
            "end of transmission without the terminator record",
        ),
    ),
    (
        METERS,
        key(
            "odd",
            "3",
            "result n cannot be parsed though its checksum is right; Verio family: its value is impossible",
        ),
    ),
    (
        CONTOUR,
        key(
            "prefix",
            "3",
            "a report of result n has a wrong prefix until it is NAKed",
        ),
    ),
    (
        CONTOUR,
        key(
            "pump",
            "",
            "clock reads and settings are refused: a pump owns the clock",
        ),
    ),
    (
        VERIO,
        key(
            "refuse",
            "8",
            "request n is not processed: its register reads back the request",
        ),
    ),
    (
        VERIO,
        key(
            "replace",
            "12",
            "at request n a test takes the place of the oldest record",
        ),
    ),
    (
        VERIO,
        key(
            "residue",
            "8",
            "reading reply n transfers nothing though its status is good, once",
        ),
    ),
    (
        CONTOUR,
        key(
            "restart",
            "3",
            "enquiry after n results, then everything starts again",
        ),
    ),
    (
        CONTOUR,
        key("single-header", "", "one header only, without the enquiry"),
    ),
    (
        METERS,
        key(
            "slow",
            "1000",
            "every answer takes that many virtual milliseconds",
        ),
    ),
    (
        METERS,
        key(
            "stall",
            "3",
            "silent after n results until a NAK arrives; Verio family: reading reply n stalls, once",
        ),
    ),
    (
        VERIO,
        key("status", "8", "reply n has error status 09, once"),
    ),
    (
        CONTOUR,
        key("terminator", "T", "the terminator has another code than N"),
    ),
    (
        METERS,
        key(
            "unplug",
            "3",
            "the device vanishes after n results; Verio family: after n replies",
        ),
    ),
];
