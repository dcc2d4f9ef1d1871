//! Tables of an older, newer, lying or broken writer are read by their true size.

#![allow(clippy::unwrap_used, clippy::print_stdout)] // helpers of tests are tests

use std::mem::{align_of, size_of};
use std::{ptr, slice};

use glucopipe_abi::*;

/// What stands behind a table and must never be read.
const POISON: u8 = 0xaa;
/// Content of a table: a valid value of every integer and pointer.
const CONTENT: u8 = 0x11;

fn fields<T: Table>() -> &'static [layout::Field] {
    let tables = layout::STRUCTS.iter().copied().flatten();
    tables
        .into_iter()
        .find(|table| table.name == T::NAME)
        .unwrap()
        .fields
}

/// Memory for a table of any size, aligned, all poison.
struct Memory(Vec<u64>);

impl Memory {
    /// A table that claims `size` and has that many bytes of content.
    fn with_table<T>(size: usize) -> Self {
        let mut memory = Self(vec![u64::from_ne_bytes([POISON; 8]); 64]);
        assert!(size <= 512 && size_of::<T>() <= 512 && align_of::<T>() <= 8);
        let bytes: *mut u8 = memory.0.as_mut_ptr().cast();
        // SAFETY: 512 bytes are there, aligned for the size in front.
        unsafe {
            ptr::write_bytes(bytes, CONTENT, size);
            bytes.cast::<u32>().write(u32::try_from(size).unwrap());
        }
        memory
    }

    fn table<T>(&self) -> *const T {
        self.0.as_ptr().cast()
    }
}

fn bytes_of<T>(table: &T) -> &[u8] {
    // SAFETY: the tables of the ABI have no padding; the layout test sees to that.
    unsafe { slice::from_raw_parts(ptr::from_ref(table).cast(), size_of::<T>()) }
}

fn expect_content<T: Table>(read: &T, size: usize) {
    let bytes = bytes_of(read);
    assert_eq!(bytes[..4], u32::try_from(size).unwrap().to_ne_bytes());
    let known = size.min(bytes.len());
    assert!(
        bytes[4..known].iter().all(|&byte| byte == CONTENT),
        "{} at {size}",
        T::NAME
    );
    assert!(
        bytes[known..].iter().all(|&byte| byte == 0),
        "{} at {size}",
        T::NAME
    );
}

fn check<T: Table>() {
    let fields = fields::<T>();
    assert_eq!(
        (fields[0].name, fields[0].offset),
        ("struct_size", 0),
        "{}",
        T::NAME
    );
    let boundaries = fields
        .iter()
        .flat_map(|field| [field.offset, field.offset + field.size]);
    for size in boundaries.chain(0..size_of::<T>()) {
        let memory = Memory::with_table::<T>(size.max(4));
        // SAFETY: the table has as many bytes as it claims.
        let read = unsafe { read_table(memory.table::<T>()) };
        match read {
            Ok(read) => {
                assert!(size >= T::MIN_SIZE, "{} accepted at {size}", T::NAME);
                expect_content(&read, size);
            }
            Err(error) => {
                assert!(size < T::MIN_SIZE, "{} refused at {size}", T::NAME);
                let told = TableError::TooSmall {
                    table: T::NAME,
                    size: u32::try_from(size.max(4)).unwrap(),
                    minimum: T::MIN_SIZE,
                };
                assert_eq!(error, told);
            }
        }
    }
    // A newer writer: fields we do not know are left out, the size it claims is kept.
    for more in [1, 8, 64] {
        let memory = Memory::with_table::<T>(size_of::<T>() + more);
        // SAFETY: the table has as many bytes as it claims.
        let read = unsafe { read_table(memory.table::<T>()) }.unwrap();
        assert_eq!(
            bytes_of(&read)[..4],
            u32::try_from(size_of::<T>() + more).unwrap().to_ne_bytes()
        );
        assert!(bytes_of(&read)[4..].iter().all(|&byte| byte == CONTENT));
    }
    // A writer that claims nonsense is at least not believed beyond our own size.
    let memory = Memory::with_table::<T>(size_of::<T>());
    // SAFETY: as many bytes as we know are there, and more are not read.
    let read = unsafe {
        memory.table::<u32>().cast_mut().write(u32::MAX);
        read_table(memory.table::<T>())
    };
    assert!(
        bytes_of(&read.unwrap())[4..]
            .iter()
            .all(|&byte| byte == CONTENT)
    );
}

#[test]
fn a_table_is_read_to_its_true_size_and_refused_below_version_1_0() {
    check::<gp_host>();
    check::<gp_op>();
    check::<gp_transport>();
    check::<gp_time>();
    check::<gp_driver>();
    check::<gp_exporter>();
    check::<gp_transform>();
    check::<gp_scrub>();
    check::<gp_component>();
    check::<gp_plugin>();
}

#[test]
fn every_growing_struct_is_a_table() {
    let growing = layout::STRUCTS.iter().copied().flatten();
    let growing = growing
        .into_iter()
        .filter(|table| table.fields[0].name == "struct_size");
    assert_eq!(
        growing.count(),
        10,
        "implement `Table` for the new struct and check it above"
    );
}

#[test]
fn version_1_0_needs_all_of_its_fields() {
    // MIN_SIZE never grows: a table of a 1.0 writer must stay readable for ever.
    fn minimum<T: Table>() -> (&'static str, usize) {
        (T::NAME, T::MIN_SIZE)
    }
    if cfg!(not(target_pointer_width = "64")) {
        println!("skipped: the sizes are those of 64-bit platforms");
        return;
    }
    assert_eq!(
        [
            minimum::<gp_host>(),
            minimum::<gp_op>(),
            minimum::<gp_transport>(),
            minimum::<gp_time>(),
            minimum::<gp_driver>(),
            minimum::<gp_exporter>(),
            minimum::<gp_transform>(),
            minimum::<gp_scrub>(),
            minimum::<gp_component>(),
            minimum::<gp_plugin>(),
        ],
        [
            ("gp_host", 48),
            ("gp_op", 40),
            ("gp_transport", 64),
            ("gp_time", 24),
            ("gp_driver", 80),
            ("gp_exporter", 64),
            ("gp_transform", 32),
            ("gp_scrub", 16),
            ("gp_component", 32),
            ("gp_plugin", 48),
        ]
    );
}

/// A page that can be read in front of one that cannot: reading one byte too far ends the process.
#[cfg(target_os = "linux")]
mod guarded {
    use super::*;
    use std::ffi::{c_int, c_void};

    const PAGE: usize = 65536;

    unsafe extern "C" {
        fn mmap(
            at: *mut c_void,
            len: usize,
            protection: c_int,
            flags: c_int,
            file: c_int,
            offset: i64,
        ) -> *mut c_void;
        fn mprotect(at: *mut c_void, len: usize, protection: c_int) -> c_int;
    }

    fn check<T: Table>(page: *mut u8) {
        for size in [8, T::MIN_SIZE - 8, T::MIN_SIZE, size_of::<T>()] {
            // SAFETY: the first page is ours and long enough; the table ends where it ends.
            unsafe {
                let table = page.add(PAGE - size);
                table.write_bytes(CONTENT, size);
                table.cast::<u32>().write(u32::try_from(size).unwrap());
                assert_eq!(read_table(table.cast::<T>()).is_ok(), size >= T::MIN_SIZE);
            }
        }
        // SAFETY: the size alone lies in front of the forbidden page, at an aligned address.
        unsafe {
            let table = page.add(PAGE - 8);
            table.cast::<u32>().write(4);
            assert!(read_table(table.cast::<T>()).is_err());
        }
    }

    #[test]
    fn nothing_behind_a_table_is_read() {
        // SAFETY: asks for two fresh private pages and forbids the second.
        let page = unsafe {
            let pages = mmap(ptr::null_mut(), 2 * PAGE, 3, 0x22, -1, 0);
            assert_ne!(pages.addr(), usize::MAX, "mmap failed");
            assert_eq!(mprotect(pages.byte_add(PAGE), PAGE, 0), 0);
            pages.cast::<u8>()
        };
        check::<gp_host>(page);
        check::<gp_op>(page);
        check::<gp_transport>(page);
        check::<gp_time>(page);
        check::<gp_driver>(page);
        check::<gp_exporter>(page);
        check::<gp_transform>(page);
        check::<gp_scrub>(page);
        check::<gp_component>(page);
        check::<gp_plugin>(page);
    }
}
