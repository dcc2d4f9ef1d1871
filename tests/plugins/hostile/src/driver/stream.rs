//! Broken Arrow: streams that fail oddly, and batches whose structs lie.
//!
//! The lies are told in the structs of a good batch. Its release callback works on private data, so
//! they do no harm in here.

use std::ffi::{CStr, c_char, c_int};
use std::ptr;

use glucopipe_sdk::abi::{ArrowArray, ArrowArrayStream, ArrowSchema, errno};

use super::Mode;

/// Puts a lying stream in front of a good one, if the mode is one of these.
///
/// # Safety
/// `out` points to a live stream that nobody else uses.
pub(super) unsafe fn lace(mode: Mode, out: *mut ArrowArrayStream) {
    // SAFETY: by the caller's word.
    unsafe {
        if mode == Mode::StreamReleased {
            if let Some(release) = (*out).release {
                release(out);
            }
            *out = ArrowArrayStream::EMPTY;
        } else if mode as u8 >= Mode::StreamError as u8 {
            let good = ptr::replace(out, ArrowArrayStream::EMPTY);
            let liar = Box::into_raw(Box::new(Liar { mode, good }));
            out.write(ArrowArrayStream {
                get_schema: Some(get_schema),
                get_next: Some(get_next),
                get_last_error: Some(get_last_error),
                release: Some(release),
                private_data: liar.cast(),
            });
        }
    }
}

struct Liar {
    mode: Mode,
    good: ArrowArrayStream,
}

/// # Safety
/// `stream` is one that [`lace`] made and is not released.
unsafe fn liar<'a>(stream: *mut ArrowArrayStream) -> &'a mut Liar {
    // SAFETY: by the caller's word.
    unsafe { &mut *(*stream).private_data.cast::<Liar>() }
}

unsafe extern "C" fn get_schema(stream: *mut ArrowArrayStream, out: *mut ArrowSchema) -> c_int {
    // SAFETY: the host calls with a live stream and memory for a schema.
    unsafe {
        let liar = liar(stream);
        match liar.mode {
            Mode::SchemaEmpty => return 0,
            Mode::SchemaError => return errno::EPROTO,
            _ => {}
        }
        let code = liar
            .good
            .get_schema
            .map_or(errno::EIO, |get| get(&raw mut liar.good, out));
        match liar.mode {
            Mode::SchemaNameBytes => (**(*out).children).name = c"\xff\xfe".as_ptr(),
            Mode::SchemaChildrenNull => (*out).children = ptr::null_mut(),
            Mode::SchemaNotStruct => (*out).format = c"g".as_ptr(),
            _ => return code,
        }
        // Releasing a schema frees the very pointers that were changed, so it is leaked.
        (*out).release = Some(leak_schema);
        code
    }
}

unsafe extern "C" fn leak_schema(schema: *mut ArrowSchema) {
    // SAFETY: the host releases a live schema once.
    unsafe { (*schema).release = None };
}

unsafe extern "C" fn get_next(stream: *mut ArrowArrayStream, out: *mut ArrowArray) -> c_int {
    // SAFETY: the host calls with a live stream and memory for an array.
    unsafe {
        let liar = liar(stream);
        match liar.mode {
            Mode::StreamError | Mode::StreamErrorSilent | Mode::StreamErrorBytes => {
                return errno::EIO;
            }
            Mode::StreamErrorUnknown => return -77,
            _ => {}
        }
        let code = liar
            .good
            .get_next
            .map_or(errno::EIO, |get| get(&raw mut liar.good, out));
        if code == 0 && (*out).release.is_some() {
            distort(liar.mode, &mut *out);
        }
        code
    }
}

/// Columns of a driver's stream that the lies are told in.
const LOCAL_TIME: usize = 0;
const KIND: usize = 1;
const MEAL: usize = 6;
const RAW_VALUE: usize = 10;

/// # Safety
/// `array` is a live batch of three readings from the SDK.
unsafe fn distort(mode: Mode, array: &mut ArrowArray) {
    // SAFETY: by the caller's word, children, dictionary and buffers are there, and the buffers
    // were allocated for three readings by this plugin.
    unsafe {
        let child = |index: usize| &mut **array.children.add(index);
        let buffer = |array: &ArrowArray, index: usize| (*array.buffers.add(index)).cast_mut();
        match mode {
            Mode::LengthNegative => array.length = -1,
            Mode::LengthHuge => array.length = i64::MAX,
            Mode::OffsetHuge => child(LOCAL_TIME).offset = i64::MAX,
            Mode::BuffersFew => child(LOCAL_TIME).n_buffers = 1,
            Mode::BuffersNull => child(LOCAL_TIME).buffers = ptr::null_mut(),
            Mode::Wild => child(LOCAL_TIME).buffers = ptr::without_provenance_mut(8),
            Mode::ChildrenNull => array.children = ptr::null_mut(),
            Mode::ChildrenFew => array.n_children = 3,
            Mode::ChildNull => {
                // The private data share the list of children, so this is another list.
                let count = usize::try_from(array.n_children).unwrap_or(0);
                let mut children = std::slice::from_raw_parts(array.children, count).to_vec();
                children[0] = ptr::null_mut();
                array.children = children.leak().as_mut_ptr();
            }
            Mode::ChildReleased => child(LOCAL_TIME).release = None,
            Mode::ChildShort => child(LOCAL_TIME).length = 1,
            Mode::DictionaryNull => child(KIND).dictionary = ptr::null_mut(),
            Mode::IndexBeyond => buffer(child(KIND), 1).cast::<i32>().write(99),
            Mode::IndexNegative => buffer(child(KIND), 1).cast::<i32>().write(-1),
            Mode::OffsetsBeyond => buffer(child(RAW_VALUE), 1).cast::<i32>().add(1).write(1000),
            Mode::OffsetsNegative => buffer(child(RAW_VALUE), 1).cast::<i32>().add(3).write(-5),
            Mode::TextBytes => buffer(child(RAW_VALUE), 2).cast::<u8>().write(0xff),
            Mode::NullCountWrong => child(MEAL).null_count = 0,
            Mode::NullRows => {
                // The struct's own bitmap: row 0 is null.
                static BITMAP: [u8; 8] = [0b110; 8];
                (*array.buffers) = (&raw const BITMAP).cast();
                array.null_count = 1;
            }
            _ => {}
        }
    }
}

unsafe extern "C" fn get_last_error(stream: *mut ArrowArrayStream) -> *const c_char {
    const TEXT: &CStr = c"the link broke";
    // SAFETY: the host calls with a live stream.
    let liar = unsafe { liar(stream) };
    match liar.mode {
        Mode::StreamErrorSilent | Mode::SchemaError => ptr::null(),
        Mode::StreamErrorBytes => c"\xff\xfe".as_ptr(),
        _ => TEXT.as_ptr(),
    }
}

unsafe extern "C" fn release(stream: *mut ArrowArrayStream) {
    // SAFETY: the host releases a live stream once; the good one is released with it.
    unsafe {
        let mut liar = Box::from_raw((*stream).private_data.cast::<Liar>());
        *stream = ArrowArrayStream::EMPTY;
        if let Some(release) = liar.good.release {
            release(&raw mut liar.good);
        }
    }
}
