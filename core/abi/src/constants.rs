//! Numbers and texts that the header defines, and the `errno` values it names.

use core::ffi::CStr;

/// Declares integer constants and lists them for the comparison with the header.
macro_rules! constants {
    ($($(#[$doc:meta])* $name:ident: $type:ty = $value:expr;)*) => {
        $($(#[$doc])* pub const $name: $type = $value;)*

        /// The numbers, for the comparison with the header.
        pub(crate) const NUMBERS: &[(&str, i64)] = &[$((stringify!($name), $name as i64),)*];
    };
}

/// Result of a call: [`GP_OK`] or one of the `GP_E_*` codes.
pub type gp_status = i32;

constants! {
    /// Major version of the ABI.
    GP_ABI_MAJOR: u32 = 1;
    /// Minor version of the ABI this crate was written for.
    GP_ABI_MINOR: u32 = 1;
    /// Success.
    GP_OK: gp_status = 0;
    /// A bug or a caught panic: the object is poisoned.
    GP_E_INTERNAL: gp_status = 1;
    /// The device or plugin cannot do this.
    GP_E_UNSUPPORTED: gp_status = 2;
    /// Configuration or query; the user can mend it.
    GP_E_INVALID_ARGUMENT: gp_status = 3;
    /// No such device or file.
    GP_E_NOT_FOUND: gp_status = 4;
    /// Permission, busy, wrong password.
    GP_E_ACCESS: gp_status = 5;
    /// The link, the disk or the network failed.
    GP_E_IO: gp_status = 6;
    /// No answer within the time given.
    GP_E_TIMEOUT: gp_status = 7;
    /// The operation was cancelled.
    GP_E_CANCELLED: gp_status = 8;
    /// The device or server answered outside its protocol.
    GP_E_PROTOCOL: gp_status = 9;
    /// Refused before anything was changed.
    GP_E_PRECONDITION: gp_status = 10;
    /// The device was disconnected.
    GP_E_LOST: gp_status = 11;
    /// [`crate::gp_error`] flag: the same call may succeed later.
    GP_ERR_RETRYABLE: u32 = 1;
    /// [`crate::gp_clock`] offset of a device that has none.
    GP_OFFSET_UNKNOWN: i32 = i32::MIN;
    /// Log level: error.
    GP_LOG_ERROR: i32 = 1;
    /// Log level: warning.
    GP_LOG_WARN: i32 = 2;
    /// Log level: information.
    GP_LOG_INFO: i32 = 3;
    /// Log level: debugging.
    GP_LOG_DEBUG: i32 = 4;
    /// Log level: every exchange.
    GP_LOG_TRACE: i32 = 5;
    /// Component kind: driver.
    GP_KIND_DRIVER: u32 = 1;
    /// Component kind: exporter.
    GP_KIND_EXPORTER: u32 = 2;
    /// Component kind: transform.
    GP_KIND_TRANSFORM: u32 = 3;
    /// An exporter wants all that is known at each run.
    GP_WANTS_EVERYTHING: u32 = 1;
    /// An exporter wants what it has not acknowledged yet.
    GP_WANTS_NEW: u32 = 2;
    /// An exporter wants the same, and all of it again when the transforms above it have changed.
    GP_WANTS_REVISED: u32 = 3;
    /// Link kind: HID reports.
    GP_LINK_HID: u32 = 1;
    /// Link kind: SCSI commands.
    GP_LINK_SCSI: u32 = 2;
    /// Link kind: serial bytes.
    GP_LINK_SERIAL: u32 = 3;
    /// Link kind: a file, read only.
    GP_LINK_FILE: u32 = 4;
    /// Link flag: go on although cancelled, to leave the device in order.
    GP_IO_CLOSING: u32 = 1;
    /// [`crate::gp_scsi`] direction: no data.
    GP_SCSI_NO_DATA: u32 = 0;
    /// [`crate::gp_scsi`] direction: the device sends.
    GP_SCSI_FROM_DEVICE: u32 = 1;
    /// [`crate::gp_scsi`] direction: the device receives.
    GP_SCSI_TO_DEVICE: u32 = 2;
}

/// Name of the one symbol a plugin exports.
pub const GP_ENTRY_SYMBOL: &CStr = c"gp_plugin_v1";
/// Value of the schema metadata `glucopipe.schema`.
pub const GP_READING_SCHEMA: &str = "reading/1";
/// Host extension id of [`crate::gp_transport`].
pub const GP_EXT_TRANSPORT: &CStr = c"glucopipe.transport/1";
/// Host extension id of [`crate::gp_time`].
pub const GP_EXT_TIME: &CStr = c"glucopipe.time/1";
/// Plugin extension id of [`crate::gp_scrub`].
pub const GP_EXT_SCRUB: &CStr = c"glucopipe.scrub/1";

/// The texts, for the comparison with the header.
pub(crate) const TEXTS: &[(&str, &[u8])] = &[
    ("GP_ENTRY_SYMBOL", GP_ENTRY_SYMBOL.to_bytes()),
    ("GP_READING_SCHEMA", GP_READING_SCHEMA.as_bytes()),
    ("GP_EXT_TRANSPORT", GP_EXT_TRANSPORT.to_bytes()),
    ("GP_EXT_TIME", GP_EXT_TIME.to_bytes()),
    ("GP_EXT_SCRUB", GP_EXT_SCRUB.to_bytes()),
];

/// Error values of an Arrow stream: the platform's `errno` numbers that the header names.
pub mod errno {
    macro_rules! errno {
        ($($(#[$doc:meta])* $name:ident = $linux:literal, $apple:literal, $windows:literal;)*) => {$(
            $(#[$doc])*
            pub const $name: i32 = if cfg!(target_vendor = "apple") {
                $apple
            } else if cfg!(windows) {
                $windows
            } else {
                $linux
            };
        )*
        pub(crate) const NUMBERS: &[(&str, i32)] = &[$((stringify!($name), $name),)*];
        };
    }
    errno! {
        /// Anything else.
        EIO = 5, 5, 5;
        /// Permission.
        EACCES = 13, 13, 13;
        /// The device went away.
        ENODEV = 19, 19, 19;
        /// Configuration or query.
        EINVAL = 22, 22, 22;
        /// Protocol.
        EPROTO = 71, 100, 134;
        /// No answer in time.
        ETIMEDOUT = 110, 60, 138;
        /// Cancelled.
        ECANCELED = 125, 89, 105;
    }
}
