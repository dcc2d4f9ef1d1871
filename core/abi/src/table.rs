//! Reading the growing tables of the other side by their true size.

use core::mem::{MaybeUninit, align_of, offset_of, size_of};
use core::{fmt, ptr};

use crate::{
    gp_component, gp_driver, gp_exporter, gp_host, gp_op, gp_plugin, gp_scrub, gp_time,
    gp_transform, gp_transport,
};

/// A table that begins with `struct_size` and may be shorter or longer than ours.
///
/// # Safety
/// The type is `repr(C)`, begins with `struct_size: u32`, and all-zero bytes are a valid value of it.
pub unsafe trait Table: Copy {
    /// Bytes up to the end of the last field of ABI 1.0: what every writer must provide.
    const MIN_SIZE: usize;
    /// Name in the header.
    const NAME: &'static str;
}

/// Why a table cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TableError {
    /// The pointer is null.
    Null(&'static str),
    /// The pointer is not aligned for the table.
    Unaligned(&'static str),
    /// `struct_size` is smaller than the first version of the table.
    TooSmall {
        /// Name of the table.
        table: &'static str,
        /// What `struct_size` says.
        size: u32,
        /// The smallest size allowed.
        minimum: usize,
    },
}

impl fmt::Display for TableError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null(table) => write!(f, "the pointer to `{table}` is null"),
            Self::Unaligned(table) => write!(f, "the pointer to `{table}` is not aligned"),
            Self::TooSmall {
                table,
                size,
                minimum,
            } => {
                write!(
                    f,
                    "`{table}.struct_size` is {size}, expected at least {minimum}"
                )
            }
        }
    }
}

impl core::error::Error for TableError {}

/// Copies a table by the size its writer gave; fields it lacks are zero, fields we do not know are
/// left out.
///
/// # Errors
/// When the pointer is null or unaligned, or the table is shorter than its first version.
///
/// # Safety
/// `table` is null or points to `struct_size` readable bytes that begin with that `u32`.
pub unsafe fn read_table<T: Table>(table: *const T) -> Result<T, TableError> {
    if table.is_null() {
        return Err(TableError::Null(T::NAME));
    }
    if !table.cast::<u8>().addr().is_multiple_of(align_of::<T>()) {
        return Err(TableError::Unaligned(T::NAME));
    }
    // SAFETY: not null and aligned; every table begins with its size.
    let size = unsafe { table.cast::<u32>().read() };
    let known = (size as usize).min(size_of::<T>());
    if known < T::MIN_SIZE {
        return Err(TableError::TooSmall {
            table: T::NAME,
            size,
            minimum: T::MIN_SIZE,
        });
    }
    let mut copy = MaybeUninit::<T>::zeroed();
    // SAFETY: `known` bytes are readable there by the caller's word and fit into `copy`; zeroed bytes
    // make the rest of a `Table` valid.
    unsafe {
        ptr::copy_nonoverlapping(table.cast::<u8>(), copy.as_mut_ptr().cast::<u8>(), known);
        Ok(copy.assume_init())
    }
}

/// Implements [`Table`] with the last field that version 1.0 has.
macro_rules! tables {
    ($($name:ident to $last:ident,)*) => {$(
        // SAFETY: `repr(C)`, begins with `struct_size`, and made of integers, raw pointers and
        // optional function pointers, for which zero is valid.
        unsafe impl Table for $name {
            const MIN_SIZE: usize = offset_of!($name, $last) + size_of::<usize>();
            const NAME: &'static str = stringify!($name);
        }
    )*};
}

tables! {
    gp_host to get_extension,
    gp_op to progress,
    gp_transport to configure_serial,
    gp_time to monotonic_ms,
    gp_driver to erase,
    gp_exporter to preview,
    gp_transform to apply,
    gp_scrub to scrub,
    gp_component to table,
    gp_plugin to get_extension,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[repr(C)]
    struct Longer {
        table: gp_time,
        newer: u64,
    }

    fn time() -> gp_time {
        gp_time {
            struct_size: u32::try_from(size_of::<gp_time>()).unwrap(),
            reserved: 0,
            utc_us: None,
            monotonic_ms: None,
        }
    }

    #[test]
    fn reads_a_longer_table_of_a_newer_writer() {
        let mut longer = Longer {
            table: time(),
            newer: u64::MAX,
        };
        longer.table.struct_size += 8;
        // SAFETY: points to `struct_size` bytes.
        let read = unsafe { read_table(&raw const longer.table) }.unwrap();
        assert_eq!(read.struct_size as usize, size_of::<gp_time>() + 8);
        assert_eq!(longer.newer, u64::MAX);
    }

    #[test]
    fn refuses_null_and_short_tables() {
        let mut short = time();
        short.struct_size = 8;
        // SAFETY: a null pointer is allowed; the other points to a whole table.
        unsafe {
            assert_eq!(
                read_table::<gp_time>(ptr::null()).err(),
                Some(TableError::Null("gp_time"))
            );
            assert!(matches!(
                read_table(&raw const short).err(),
                Some(TableError::TooSmall { size: 8, .. })
            ));
        }
    }

    #[test]
    fn refuses_an_unaligned_pointer() {
        let bytes = [0u64; 8];
        let odd = bytes
            .as_ptr()
            .cast::<u8>()
            .wrapping_add(1)
            .cast::<gp_time>();
        // SAFETY: refused before anything is read.
        let read = unsafe { read_table(odd) };
        assert_eq!(read.err(), Some(TableError::Unaligned("gp_time")));
    }
}
