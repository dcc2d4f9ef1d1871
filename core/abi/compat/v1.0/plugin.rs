//! A plugin of ABI 1.0, in Rust without the SDK: an exporter that counts, a transform that hands on.
//!
//! FROZEN with the header beside it: every later host loads and runs it. Nothing here is ever changed. Needs the
//! standard library only: `rustc --edition 2021 --crate-type cdylib plugin.rs`.

#![allow(non_camel_case_types)]

use std::ffi::{c_char, c_int, c_void, CStr, CString};
use std::mem::size_of;
use std::ptr;

// ---- the header, as far as it is used ---------------------------------------------------------------

const GP_OK: i32 = 0;
const GP_E_INVALID_ARGUMENT: i32 = 3;
const GP_E_IO: i32 = 6;
const GP_E_CANCELLED: i32 = 8;
const GP_KIND_EXPORTER: u32 = 2;
const GP_KIND_TRANSFORM: u32 = 3;
const GP_WANTS_EVERYTHING: u32 = 1;

#[repr(C)]
struct ArrowArray {
    length: i64,
    null_count: i64,
    offset: i64,
    n_buffers: i64,
    n_children: i64,
    buffers: *mut *const c_void,
    children: *mut *mut ArrowArray,
    dictionary: *mut ArrowArray,
    release: Option<unsafe extern "C" fn(*mut ArrowArray)>,
    private_data: *mut c_void,
}

#[repr(C)]
struct ArrowArrayStream {
    get_schema: Option<unsafe extern "C" fn(*mut ArrowArrayStream, *mut c_void) -> c_int>,
    get_next: Option<unsafe extern "C" fn(*mut ArrowArrayStream, *mut ArrowArray) -> c_int>,
    get_last_error: Option<unsafe extern "C" fn(*mut ArrowArrayStream) -> *const c_char>,
    release: Option<unsafe extern "C" fn(*mut ArrowArrayStream)>,
    private_data: *mut c_void,
}

#[repr(C)]
struct gp_error {
    code: i32,
    flags: u32,
    native: i64,
    message: *const c_char,
    details: *const c_char,
    release: Option<unsafe extern "C" fn(*mut gp_error)>,
    private_data: *mut c_void,
}

#[repr(C)]
struct gp_string {
    data: *const c_char,
    len: u64,
    release: Option<unsafe extern "C" fn(*mut gp_string)>,
    private_data: *mut c_void,
}

#[repr(C)]
struct gp_host {
    struct_size: u32,
    abi_minor: u32,
    host_data: *mut c_void,
    name: *const c_char,
    version: *const c_char,
    log: Option<unsafe extern "C" fn(*const gp_host, i32, *const c_char, *const c_char)>,
    get_extension: Option<unsafe extern "C" fn(*const gp_host, *const c_char) -> *const c_void>,
}

#[repr(C)]
struct gp_op {
    struct_size: u32,
    reserved: u32,
    host: *const gp_host,
    host_data: *mut c_void,
    cancelled: Option<unsafe extern "C" fn(*const gp_op) -> i32>,
    progress: Option<unsafe extern "C" fn(*const gp_op, u64, u64, *const c_char)>,
}

/// An object of ours behind the opaque pointers of the header.
type Object = c_void;
type Open =
    unsafe extern "C" fn(*const gp_op, *const c_char, *mut *mut Object, *mut gp_error) -> i32;
type Close = unsafe extern "C" fn(*mut Object);

#[repr(C)]
struct gp_exporter {
    struct_size: u32,
    reserved: u32,
    open: Open,
    close: Close,
    write: unsafe extern "C" fn(
        *mut Object,
        *const gp_op,
        *mut ArrowArrayStream,
        *mut gp_error,
    ) -> i32,
    commit:
        unsafe extern "C" fn(*mut Object, *const gp_op, *mut gp_string, *mut gp_error) -> i32,
    check: *const c_void,
    wants: unsafe extern "C" fn(*const c_char, *mut u32, *mut gp_error) -> i32,
    preview: *const c_void,
}

#[repr(C)]
struct gp_transform {
    struct_size: u32,
    reserved: u32,
    open: Open,
    close: Close,
    apply: unsafe extern "C" fn(
        *mut Object,
        *const gp_op,
        *mut ArrowArrayStream,
        *mut ArrowArrayStream,
        *mut gp_error,
    ) -> i32,
}

#[repr(C)]
struct gp_component {
    struct_size: u32,
    kind: u32,
    id: *const c_char,
    about: *const c_char,
    table: *const c_void,
}

#[repr(C)]
pub struct gp_plugin {
    struct_size: u32,
    abi_minor: u32,
    min_host_minor: u32,
    reserved: u32,
    name: *const c_char,
    version: *const c_char,
    component: unsafe extern "C" fn(u32) -> *const gp_component,
    get_extension: *const c_void,
}

/// Constant tables, which threads share.
struct Table<T>(T);
unsafe impl<T> Sync for Table<T> {}

// ---- errors and texts -------------------------------------------------------------------------------

unsafe extern "C" fn release_error(error: *mut gp_error) {
    (*error).message = ptr::null();
    (*error).release = None;
}

unsafe fn fail(error: *mut gp_error, code: i32, message: &'static CStr) -> i32 {
    if !error.is_null() {
        (*error).code = code;
        (*error).message = message.as_ptr();
        (*error).release = Some(release_error);
    }
    code
}

unsafe extern "C" fn release_text(text: *mut gp_string) {
    drop(CString::from_raw((*text).data.cast_mut()));
    (*text).data = ptr::null();
    (*text).release = None;
}

unsafe fn say(out: *mut gp_string, text: String) -> i32 {
    (*out).len = text.len() as u64;
    (*out).data = CString::new(text).unwrap_or_default().into_raw();
    (*out).release = Some(release_text);
    GP_OK
}

// ---- the components ---------------------------------------------------------------------------------

/// Readings so far.
struct Counter(i64);

unsafe fn is_object(config: *const c_char) -> bool {
    !config.is_null() && CStr::from_ptr(config).to_bytes().starts_with(b"{")
}

unsafe extern "C" fn open(
    op: *const gp_op,
    config: *const c_char,
    out: *mut *mut Object,
    error: *mut gp_error,
) -> i32 {
    if !is_object(config) {
        return fail(error, GP_E_INVALID_ARGUMENT, c"the configuration is no object");
    }
    let host = (*op).host;
    if let Some(log) = (*host).log {
        log(host, 4, c"frozen".as_ptr(), c"open".as_ptr());
    }
    *out = Box::into_raw(Box::new(Counter(0))).cast();
    GP_OK
}

unsafe extern "C" fn close(object: *mut Object) {
    if !object.is_null() {
        drop(Box::from_raw(object.cast::<Counter>()));
    }
}

unsafe extern "C" fn write(
    object: *mut Object,
    op: *const gp_op,
    input: *mut ArrowArrayStream,
    error: *mut gp_error,
) -> i32 {
    let counter = &mut *object.cast::<Counter>();
    let (Some(next), Some(release)) = ((*input).get_next, (*input).release) else {
        return fail(error, GP_E_IO, c"the stream is released");
    };
    let status = loop {
        let mut batch: ArrowArray = std::mem::zeroed();
        if next(input, &mut batch) != 0 {
            let cancelled = (*op).cancelled.map_or(0, |cancelled| cancelled(op)) != 0;
            break match cancelled {
                true => fail(error, GP_E_CANCELLED, c"cancelled"),
                false => fail(error, GP_E_IO, c"no more readings came"),
            };
        }
        let Some(done) = batch.release else { break GP_OK };
        counter.0 += batch.length;
        done(&mut batch);
    };
    release(input);
    status
}

unsafe extern "C" fn commit(
    object: *mut Object,
    op: *const gp_op,
    report: *mut gp_string,
    _: *mut gp_error,
) -> i32 {
    let rows = (*object.cast::<Counter>()).0;
    if let Some(progress) = (*op).progress {
        progress(op, rows as u64, rows as u64, c"counting".as_ptr());
    }
    say(report, format!("{{\"delivered\": {rows}}}"))
}

unsafe extern "C" fn wants(config: *const c_char, out: *mut u32, error: *mut gp_error) -> i32 {
    if !is_object(config) {
        return fail(error, GP_E_INVALID_ARGUMENT, c"the configuration is no object");
    }
    *out = GP_WANTS_EVERYTHING;
    GP_OK
}

/// What comes in goes out: the stream is moved.
unsafe extern "C" fn apply(
    _: *mut Object,
    _: *const gp_op,
    input: *mut ArrowArrayStream,
    out: *mut ArrowArrayStream,
    _: *mut gp_error,
) -> i32 {
    ptr::copy_nonoverlapping(input, out, 1);
    (*input).release = None;
    GP_OK
}

static EXPORTER: Table<gp_exporter> = Table(gp_exporter {
    struct_size: size_of::<gp_exporter>() as u32,
    reserved: 0,
    open,
    close,
    write,
    commit,
    check: ptr::null(),
    wants,
    preview: ptr::null(),
});

static TRANSFORM: Table<gp_transform> = Table(gp_transform {
    struct_size: size_of::<gp_transform>() as u32,
    reserved: 0,
    open,
    close,
    apply,
});

const ABOUT: &CStr = c"{\"name\": \"Frozen\", \"summary\": \"a plugin of ABI 1.0\", \"config_schema\": {\"type\": \"object\", \"properties\": {}}}";

static COMPONENTS: Table<[gp_component; 2]> = Table([
    gp_component {
        struct_size: size_of::<gp_component>() as u32,
        kind: GP_KIND_EXPORTER,
        id: c"frozen-rust".as_ptr(),
        about: ABOUT.as_ptr(),
        table: (&raw const EXPORTER).cast(),
    },
    gp_component {
        struct_size: size_of::<gp_component>() as u32,
        kind: GP_KIND_TRANSFORM,
        id: c"frozen-rust".as_ptr(),
        about: ABOUT.as_ptr(),
        table: (&raw const TRANSFORM).cast(),
    },
]);

unsafe extern "C" fn component(index: u32) -> *const gp_component {
    COMPONENTS
        .0
        .get(index as usize)
        .map_or(ptr::null(), ptr::from_ref)
}

static PLUGIN: Table<gp_plugin> = Table(gp_plugin {
    struct_size: size_of::<gp_plugin>() as u32,
    abi_minor: 0,
    min_host_minor: 0,
    reserved: 0,
    name: c"frozen-rust".as_ptr(),
    version: c"1.0.0".as_ptr(),
    component,
    get_extension: ptr::null(),
});

/// The entry of the plugin.
#[no_mangle]
pub extern "C" fn gp_plugin_v1() -> *const gp_plugin {
    &PLUGIN.0
}
