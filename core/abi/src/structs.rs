//! The structs of the header, name by name.

use core::ffi::{c_char, c_void};

use crate::ArrowArrayStream;
use crate::constants::{GP_OK, gp_status};
use crate::layout::mirror;

/// Declares types whose inside is the other side's business.
macro_rules! opaque {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[repr(C)]
        pub struct $name { _private: [u8; 0] }
    )*};
}

opaque! {
    /// An open connection to a device; host-owned.
    gp_link;
    /// An open meter; plugin-owned.
    gp_session;
    /// An open destination; plugin-owned.
    gp_sink;
    /// A configured transform; plugin-owned.
    gp_filter;
}

mirror! {
    /// Why a call failed. FROZEN.
    #[derive(Clone, Copy)]
    struct gp_error {
        code: gp_status,
        flags: u32,
        native: i64,
        message: *const c_char,
        details: *const c_char,
        release: Option<unsafe extern "C" fn(*mut gp_error)>,
        private_data: *mut c_void,
    }
    /// A text handed to the caller. FROZEN.
    #[derive(Clone, Copy)]
    struct gp_string {
        data: *const c_char,
        len: u64,
        release: Option<unsafe extern "C" fn(*mut gp_string)>,
        private_data: *mut c_void,
    }
    /// A meter's wall clock. FROZEN.
    #[derive(Clone, Copy)]
    struct gp_clock {
        local_seconds: i64,
        utc_offset_seconds: i32,
        resolution_seconds: u32,
    }
    /// One SCSI command and its outcome. FROZEN.
    #[derive(Clone, Copy)]
    struct gp_scsi {
        cdb: *const u8,
        data: *mut u8,
        cdb_len: u32,
        data_len: u32,
        direction: u32,
        timeout_ms: u32,
        status: u32,
        residue: u32,
        sense_len: u32,
        reserved: u32,
        sense: [u8; 32],
    }
    /// The program that loaded the plugin.
    #[derive(Clone, Copy)]
    struct gp_host {
        struct_size: u32,
        abi_minor: u32,
        host_data: *mut c_void,
        name: *const c_char,
        version: *const c_char,
        log: Option<unsafe extern "C" fn(*const gp_host, i32, *const c_char, *const c_char)>,
        get_extension:
            Option<unsafe extern "C" fn(*const gp_host, *const c_char) -> *const c_void>,
    }
    /// One running operation.
    #[derive(Clone, Copy)]
    struct gp_op {
        struct_size: u32,
        reserved: u32,
        host: *const gp_host,
        host_data: *mut c_void,
        cancelled: Option<unsafe extern "C" fn(*const gp_op) -> i32>,
        progress: Option<unsafe extern "C" fn(*const gp_op, u64, u64, *const c_char)>,
    }
    /// Host extension: links to devices.
    #[derive(Clone, Copy)]
    struct gp_transport {
        struct_size: u32,
        reserved: u32,
        describe: Option<
            unsafe extern "C" fn(*const gp_op, *mut gp_string, *mut gp_error) -> gp_status,
        >,
        open: Option<
            unsafe extern "C" fn(*const gp_op, u32, *mut *mut gp_link, *mut gp_error) -> gp_status,
        >,
        close: Option<unsafe extern "C" fn(*mut gp_link)>,
        read: Option<
            unsafe extern "C" fn(
                *mut gp_link,
                *const gp_op,
                u32,
                u32,
                *mut u8,
                u64,
                *mut u64,
                *mut gp_error,
            ) -> gp_status,
        >,
        write: Option<
            unsafe extern "C" fn(
                *mut gp_link,
                *const gp_op,
                u32,
                u32,
                *const u8,
                u64,
                *mut gp_error,
            ) -> gp_status,
        >,
        scsi: Option<
            unsafe extern "C" fn(
                *mut gp_link,
                *const gp_op,
                u32,
                *mut gp_scsi,
                *mut gp_error,
            ) -> gp_status,
        >,
        configure_serial: Option<
            unsafe extern "C" fn(
                *mut gp_link,
                *const gp_op,
                u32,
                u32,
                u32,
                u32,
                *mut gp_error,
            ) -> gp_status,
        >,
    }
    /// Host extension: time as the operation sees it.
    #[derive(Clone, Copy)]
    struct gp_time {
        struct_size: u32,
        reserved: u32,
        utc_us: Option<unsafe extern "C" fn(*const gp_op) -> i64>,
        monotonic_ms: Option<unsafe extern "C" fn(*const gp_op) -> u64>,
    }
    /// Functions of a driver.
    #[derive(Clone, Copy)]
    struct gp_driver {
        struct_size: u32,
        reserved: u32,
        probe: Option<
            unsafe extern "C" fn(
                *const gp_op,
                *const c_char,
                *mut gp_string,
                *mut gp_error,
            ) -> gp_status,
        >,
        open: Option<
            unsafe extern "C" fn(
                *const gp_op,
                *const c_char,
                *mut *mut gp_session,
                *mut gp_error,
            ) -> gp_status,
        >,
        close: Option<unsafe extern "C" fn(*mut gp_session)>,
        info: Option<
            unsafe extern "C" fn(
                *mut gp_session,
                *const gp_op,
                *mut gp_string,
                *mut gp_error,
            ) -> gp_status,
        >,
        read: Option<
            unsafe extern "C" fn(
                *mut gp_session,
                *const gp_op,
                *const c_char,
                *mut ArrowArrayStream,
                *mut gp_error,
            ) -> gp_status,
        >,
        read_report: Option<
            unsafe extern "C" fn(
                *mut gp_session,
                *const gp_op,
                *mut gp_string,
                *mut gp_error,
            ) -> gp_status,
        >,
        get_clock: Option<
            unsafe extern "C" fn(
                *mut gp_session,
                *const gp_op,
                *mut gp_clock,
                *mut gp_error,
            ) -> gp_status,
        >,
        set_clock: Option<
            unsafe extern "C" fn(
                *mut gp_session,
                *const gp_op,
                *const gp_clock,
                *mut gp_error,
            ) -> gp_status,
        >,
        erase: Option<
            unsafe extern "C" fn(
                *mut gp_session,
                *const gp_op,
                *const c_char,
                *mut gp_error,
            ) -> gp_status,
        >,
    }
    /// Functions of an exporter.
    #[derive(Clone, Copy)]
    struct gp_exporter {
        struct_size: u32,
        reserved: u32,
        open: Option<
            unsafe extern "C" fn(
                *const gp_op,
                *const c_char,
                *mut *mut gp_sink,
                *mut gp_error,
            ) -> gp_status,
        >,
        close: Option<unsafe extern "C" fn(*mut gp_sink)>,
        write: Option<
            unsafe extern "C" fn(
                *mut gp_sink,
                *const gp_op,
                *mut ArrowArrayStream,
                *mut gp_error,
            ) -> gp_status,
        >,
        commit: Option<
            unsafe extern "C" fn(
                *mut gp_sink,
                *const gp_op,
                *mut gp_string,
                *mut gp_error,
            ) -> gp_status,
        >,
        check: Option<
            unsafe extern "C" fn(
                *const gp_op,
                *const c_char,
                *mut gp_string,
                *mut gp_error,
            ) -> gp_status,
        >,
        wants: Option<
            unsafe extern "C" fn(*const c_char, *mut u32, *mut gp_error) -> gp_status,
        >,
        preview: Option<
            unsafe extern "C" fn(
                *const gp_op,
                *const c_char,
                *mut ArrowArrayStream,
                *mut gp_string,
                *mut gp_error,
            ) -> gp_status,
        >,
    }
    /// Functions of a transform.
    #[derive(Clone, Copy)]
    struct gp_transform {
        struct_size: u32,
        reserved: u32,
        open: Option<
            unsafe extern "C" fn(
                *const gp_op,
                *const c_char,
                *mut *mut gp_filter,
                *mut gp_error,
            ) -> gp_status,
        >,
        close: Option<unsafe extern "C" fn(*mut gp_filter)>,
        apply: Option<
            unsafe extern "C" fn(
                *mut gp_filter,
                *const gp_op,
                *mut ArrowArrayStream,
                *mut ArrowArrayStream,
                *mut gp_error,
            ) -> gp_status,
        >,
    }
    /// Plugin extension: makes transcripts fit to be shared.
    #[derive(Clone, Copy)]
    struct gp_scrub {
        struct_size: u32,
        reserved: u32,
        scrub: Option<
            unsafe extern "C" fn(
                *const gp_op,
                *const c_char,
                *const c_char,
                *const c_char,
                *mut gp_string,
                *mut gp_error,
            ) -> gp_status,
        >,
    }
    /// One driver, exporter or transform of a plugin.
    #[derive(Clone, Copy)]
    struct gp_component {
        struct_size: u32,
        kind: u32,
        id: *const c_char,
        about: *const c_char,
        table: *const c_void,
    }
    /// What the entry function returns.
    #[derive(Clone, Copy)]
    struct gp_plugin {
        struct_size: u32,
        abi_minor: u32,
        min_host_minor: u32,
        reserved: u32,
        name: *const c_char,
        version: *const c_char,
        component: Option<unsafe extern "C" fn(u32) -> *const gp_component>,
        get_extension: Option<unsafe extern "C" fn(*const c_char) -> *const c_void>,
    }
}

/// Type of the entry function [`crate::GP_ENTRY_SYMBOL`].
pub type gp_plugin_entry = unsafe extern "C" fn() -> *const gp_plugin;

impl gp_error {
    /// A zeroed error, ready to be handed to a call.
    pub const EMPTY: Self = Self {
        code: GP_OK,
        flags: 0,
        native: 0,
        message: core::ptr::null(),
        details: core::ptr::null(),
        release: None,
        private_data: core::ptr::null_mut(),
    };
}

impl gp_string {
    /// A zeroed text, ready to be handed to a call.
    pub const EMPTY: Self = Self {
        data: core::ptr::null(),
        len: 0,
        release: None,
        private_data: core::ptr::null_mut(),
    };
}
