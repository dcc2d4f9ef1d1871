//! Every slot of every table is called across the boundary, in both directions, with arguments that
//! cannot be mistaken for one another. Layout alone would not see two parameters swapped on one side.

#![allow(clippy::unwrap_used, clippy::print_stdout)] // helpers of tests are tests

mod support;

use std::ffi::{c_char, c_int};
use std::ptr;
use std::sync::atomic::{AtomicU64, Ordering};

use glucopipe_abi::*;
use support::Compiler;

/// What a value of the type is as argument `i` of slot `s`; `tests/c/slots.h` has the same rules.
trait Value: Copy + PartialEq {
    fn at(s: usize, i: usize) -> Self;
    const ZERO: Self;
}

const RESULT: usize = 15;

const fn number(s: usize, i: usize) -> usize {
    0x1000 * s + 0x10 * i
}

macro_rules! values {
    ($($type:ty: $number:ident => $value:expr;)*) => {$(
        impl Value for $type {
            fn at(s: usize, i: usize) -> Self {
                let $number = number(s, i);
                $value
            }
            const ZERO: Self = 0;
        }
    )*};
}
values! {
    u32: n => 0x8000_0000 | u32::try_from(n).unwrap();
    u64: n => (1 << 63) | n as u64;
    i32: n => -i32::try_from(n).unwrap();
    i64: n => -(1 << 40) - i64::try_from(n).unwrap();
}

impl<T> Value for *const T {
    fn at(s: usize, i: usize) -> Self {
        ptr::without_provenance(number(s, i))
    }
    const ZERO: Self = ptr::null();
}

impl<T> Value for *mut T {
    fn at(s: usize, i: usize) -> Self {
        ptr::without_provenance_mut(number(s, i))
    }
    const ZERO: Self = ptr::null_mut();
}

impl Value for () {
    fn at(_: usize, _: usize) -> Self {}
    const ZERO: Self = ();
}

/// A bit for each of our slots that C called with the right arguments.
static SEEN: AtomicU64 = AtomicU64::new(0);

/// Slots on our side: one generic function for each number of parameters.
macro_rules! slot {
    ($($name:ident($($type:ident $argument:ident $i:literal),*);)*) => {$(
        #[allow(clippy::too_many_arguments)] // as many as the widest slot
        unsafe extern "C" fn $name<const S: usize, R: Value, $($type: Value),*>($($argument: $type),*) -> R {
            if $($argument == $type::at(S, $i))&&* {
                SEEN.fetch_or(1 << S, Ordering::Relaxed);
                R::at(S, RESULT)
            } else {
                R::ZERO
            }
        }
    )*};
}
slot! {
    f1(A a 1);
    f2(A a 1, B b 2);
    f3(A a 1, B b 2, C c 3);
    f4(A a 1, B b 2, C c 3, D d 4);
    f5(A a 1, B b 2, C c 3, D d 4, E e 5);
    f6(A a 1, B b 2, C c 3, D d 4, E e 5, F f 6);
    f7(A a 1, B b 2, C c 3, D d 4, E e 5, F f 6, G g 7);
    f8(A a 1, B b 2, C c 3, D d 4, E e 5, F f 6, G g 7, H h 8);
}

/// `struct all` of `slots.h`.
#[repr(C)]
struct All {
    schema: ArrowSchema,
    array: ArrowArray,
    stream: ArrowArrayStream,
    error: gp_error,
    string: gp_string,
    host: gp_host,
    op: gp_op,
    transport: gp_transport,
    time: gp_time,
    driver: gp_driver,
    exporter: gp_exporter,
    transform: gp_transform,
    scrub: gp_scrub,
    plugin: gp_plugin,
}

fn size<T>() -> u32 {
    u32::try_from(size_of::<T>()).unwrap()
}

/// Tables of our side. No `..` for tables: a new slot does not compile until it is numbered here.
fn ours() -> All {
    All {
        schema: ArrowSchema {
            release: Some(f1::<1, _, _>),
            ..ArrowSchema::EMPTY
        },
        array: ArrowArray {
            release: Some(f1::<2, _, _>),
            ..ArrowArray::EMPTY
        },
        stream: ArrowArrayStream {
            get_schema: Some(f2::<3, _, _, _>),
            get_next: Some(f2::<4, _, _, _>),
            get_last_error: Some(f1::<5, _, _>),
            release: Some(f1::<6, _, _>),
            private_data: ptr::null_mut(),
        },
        error: gp_error {
            release: Some(f1::<7, _, _>),
            ..gp_error::EMPTY
        },
        string: gp_string {
            release: Some(f1::<8, _, _>),
            ..gp_string::EMPTY
        },
        host: gp_host {
            struct_size: size::<gp_host>(),
            abi_minor: GP_ABI_MINOR,
            host_data: ptr::null_mut(),
            name: c"cross".as_ptr(),
            version: c"1".as_ptr(),
            log: Some(f4::<9, _, _, _, _, _>),
            get_extension: Some(f2::<10, _, _, _>),
        },
        op: gp_op {
            struct_size: size::<gp_op>(),
            reserved: 0,
            host: ptr::null(),
            host_data: ptr::null_mut(),
            cancelled: Some(f1::<11, _, _>),
            progress: Some(f4::<12, _, _, _, _, _>),
        },
        transport: gp_transport {
            struct_size: size::<gp_transport>(),
            reserved: 0,
            describe: Some(f3::<13, _, _, _, _>),
            open: Some(f4::<14, _, _, _, _, _>),
            close: Some(f1::<15, _, _>),
            read: Some(f8::<16, _, _, _, _, _, _, _, _, _>),
            write: Some(f7::<17, _, _, _, _, _, _, _, _>),
            scsi: Some(f5::<18, _, _, _, _, _, _>),
            configure_serial: Some(f7::<19, _, _, _, _, _, _, _, _>),
        },
        time: gp_time {
            struct_size: size::<gp_time>(),
            reserved: 0,
            utc_us: Some(f1::<20, _, _>),
            monotonic_ms: Some(f1::<21, _, _>),
        },
        driver: gp_driver {
            struct_size: size::<gp_driver>(),
            reserved: 0,
            probe: Some(f4::<22, _, _, _, _, _>),
            open: Some(f4::<23, _, _, _, _, _>),
            close: Some(f1::<24, _, _>),
            info: Some(f4::<25, _, _, _, _, _>),
            read: Some(f5::<26, _, _, _, _, _, _>),
            read_report: Some(f4::<27, _, _, _, _, _>),
            get_clock: Some(f4::<28, _, _, _, _, _>),
            set_clock: Some(f4::<29, _, _, _, _, _>),
            erase: Some(f4::<30, _, _, _, _, _>),
        },
        exporter: gp_exporter {
            struct_size: size::<gp_exporter>(),
            reserved: 0,
            open: Some(f4::<31, _, _, _, _, _>),
            close: Some(f1::<32, _, _>),
            write: Some(f4::<33, _, _, _, _, _>),
            commit: Some(f4::<34, _, _, _, _, _>),
            check: Some(f4::<35, _, _, _, _, _>),
            wants: Some(f3::<36, _, _, _, _>),
            preview: Some(f5::<37, _, _, _, _, _, _>),
        },
        transform: gp_transform {
            struct_size: size::<gp_transform>(),
            reserved: 0,
            open: Some(f4::<38, _, _, _, _, _>),
            close: Some(f1::<39, _, _>),
            apply: Some(f5::<40, _, _, _, _, _, _>),
        },
        scrub: gp_scrub {
            struct_size: size::<gp_scrub>(),
            reserved: 0,
            scrub: Some(f6::<41, _, _, _, _, _, _, _>),
        },
        plugin: gp_plugin {
            struct_size: size::<gp_plugin>(),
            abi_minor: GP_ABI_MINOR,
            min_host_minor: 0,
            reserved: 0,
            name: c"cross".as_ptr(),
            version: c"1".as_ptr(),
            component: Some(f1::<42, _, _>),
            get_extension: Some(f1::<43, _, _>),
        },
    }
}

const SLOTS: usize = 43;
const ALL_SEEN: u64 = (1 << (SLOTS + 1)) - 2;

/// Compiles a C file of `tests/c` into a library and loads it for the rest of the process.
fn load(name: &str) -> &'static libloading::Library {
    let folder = tempfile::tempdir().unwrap();
    let library = folder
        .path()
        .join(format!("{name}{}", std::env::consts::DLL_SUFFIX));
    let sources = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/c");
    Compiler::c()[0].build(
        &[
            "-std=c99",
            "-Wall",
            "-Wextra",
            "-Werror",
            "-fPIC",
            "-shared",
            "-I",
            sources,
            "-o",
            library.to_str().unwrap(),
        ],
        &std::path::Path::new(sources).join(format!("{name}.c")),
    );
    // SAFETY: our own library; loading it runs no code.
    let library = unsafe { libloading::Library::new(&library) }.unwrap();
    Box::leak(Box::new(library))
}

#[test]
fn every_slot_of_the_abi_has_a_number() {
    let fields = layout::STRUCTS
        .iter()
        .copied()
        .flatten()
        .flat_map(|table| table.fields);
    let slots = fields
        .filter(|field| field.rust_type.starts_with("Option"))
        .count();
    assert_eq!(
        slots, SLOTS,
        "give the new slot a number here, in slots.h, echo.c and host.c"
    );
}

/// Calls a slot with its arguments and checks the answer.
macro_rules! call {
    ($table:ident.$slot:ident, $s:literal, $($i:literal)*) => {{
        let answer = (*$table).$slot.unwrap()($(Value::at($s, $i)),*);
        assert!(same(answer, $s), "{}.{}", stringify!($table), stringify!($slot));
    }};
}

fn same<T: Value>(answer: T, s: usize) -> bool {
    answer == T::at(s, RESULT)
}

#[test]
fn rust_calls_every_slot_of_a_c_plugin() {
    let library = load("echo");
    // SAFETY: the functions have these types in `echo.c`, and its slots follow no pointer.
    unsafe {
        let tables = library.get::<unsafe extern "C" fn() -> *const All>(b"echo_tables\0");
        let seen = library
            .get::<unsafe extern "C" fn() -> u64>(b"echo_seen\0")
            .unwrap();
        let entry = library.get::<gp_plugin_entry>(b"gp_plugin_v1\0").unwrap();
        let all = tables.unwrap()();
        let plugin = entry();
        assert_eq!(plugin, &raw const (*all).plugin);
        assert_eq!(read_table(plugin).unwrap().abi_minor, GP_ABI_MINOR);

        let (schema, array, stream) = (
            &raw const (*all).schema,
            &raw const (*all).array,
            &raw const (*all).stream,
        );
        call!(schema.release, 1, 1);
        call!(array.release, 2, 1);
        call!(stream.get_schema, 3, 1 2);
        call!(stream.get_next, 4, 1 2);
        call!(stream.get_last_error, 5, 1);
        call!(stream.release, 6, 1);
        let (error, string) = (&raw const (*all).error, &raw const (*all).string);
        call!(error.release, 7, 1);
        call!(string.release, 8, 1);
        let (host, op) = (&raw const (*all).host, &raw const (*all).op);
        call!(host.log, 9, 1 2 3 4);
        call!(host.get_extension, 10, 1 2);
        call!(op.cancelled, 11, 1);
        call!(op.progress, 12, 1 2 3 4);
        let (transport, time) = (&raw const (*all).transport, &raw const (*all).time);
        call!(transport.describe, 13, 1 2 3);
        call!(transport.open, 14, 1 2 3 4);
        call!(transport.close, 15, 1);
        call!(transport.read, 16, 1 2 3 4 5 6 7 8);
        call!(transport.write, 17, 1 2 3 4 5 6 7);
        call!(transport.scsi, 18, 1 2 3 4 5);
        call!(transport.configure_serial, 19, 1 2 3 4 5 6 7);
        call!(time.utc_us, 20, 1);
        call!(time.monotonic_ms, 21, 1);
        let driver = &raw const (*all).driver;
        call!(driver.probe, 22, 1 2 3 4);
        call!(driver.open, 23, 1 2 3 4);
        call!(driver.close, 24, 1);
        call!(driver.info, 25, 1 2 3 4);
        call!(driver.read, 26, 1 2 3 4 5);
        call!(driver.read_report, 27, 1 2 3 4);
        call!(driver.get_clock, 28, 1 2 3 4);
        call!(driver.set_clock, 29, 1 2 3 4);
        call!(driver.erase, 30, 1 2 3 4);
        let (exporter, transform) = (&raw const (*all).exporter, &raw const (*all).transform);
        call!(exporter.open, 31, 1 2 3 4);
        call!(exporter.close, 32, 1);
        call!(exporter.write, 33, 1 2 3 4);
        call!(exporter.commit, 34, 1 2 3 4);
        call!(exporter.check, 35, 1 2 3 4);
        call!(exporter.wants, 36, 1 2 3);
        call!(exporter.preview, 37, 1 2 3 4 5);
        call!(transform.open, 38, 1 2 3 4);
        call!(transform.close, 39, 1);
        call!(transform.apply, 40, 1 2 3 4 5);
        let scrub = &raw const (*all).scrub;
        call!(scrub.scrub, 41, 1 2 3 4 5 6);
        call!(plugin.component, 42, 1);
        call!(plugin.get_extension, 43, 1);
        // Slots without a result can only be seen from inside.
        assert_eq!(seen(), ALL_SEEN, "slots not seen: {:b}", ALL_SEEN & !seen());
    }
}

#[test]
fn c_calls_every_slot_of_rust_tables() {
    let library = load("host");
    let all = ours();
    // SAFETY: the function has this type in `host.c`; our slots follow no pointer.
    let failed = unsafe {
        let drive = library.get::<unsafe extern "C" fn(*const All) -> u64>(b"host_drive\0");
        drive.unwrap()(&raw const all)
    };
    assert_eq!(failed, 0, "slots with another answer: {failed:b}");
    let seen = SEEN.load(Ordering::Relaxed);
    assert_eq!(seen, ALL_SEEN, "slots not seen: {:b}", ALL_SEEN & !seen);
    // C's `int` and `char` are what the mirror takes them for.
    assert_eq!((size_of::<c_int>(), size_of::<c_char>()), (4, 1));
}
