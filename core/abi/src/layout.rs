//! The shape of the mirror as data, so that tests can hold it against the header.
//!
//! The tables come from the macros that declare structs and constants: nothing can be left out.

/// A struct of the mirror.
#[derive(Clone, Copy, Debug)]
pub struct Struct {
    /// Name in the header.
    pub name: &'static str,
    /// Bytes.
    pub size: usize,
    /// Alignment.
    pub align: usize,
    /// Fields in their order.
    pub fields: &'static [Field],
}

/// A field of the mirror.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// Name in the header.
    pub name: &'static str,
    /// Bytes before it.
    pub offset: usize,
    /// Bytes of its own.
    pub size: usize,
    /// Rust type as written.
    pub rust_type: &'static str,
}

/// Every struct.
pub const STRUCTS: [&[Struct]; 2] = [crate::arrow::LAYOUT, crate::structs::LAYOUT];
/// Every integer constant.
pub const NUMBERS: &[(&str, i64)] = crate::constants::NUMBERS;
/// Every text constant.
pub const TEXTS: &[(&str, &[u8])] = crate::constants::TEXTS;
/// Every `errno` value that the header names.
pub const ERRNO: &[(&str, i32)] = crate::errno::NUMBERS;

/// Declares `#[repr(C)]` structs of the header, all fields public, and lists their layout.
macro_rules! mirror {
    ($($(#[$meta:meta])* struct $name:ident { $($field:ident: $type:ty,)* })*) => {
        $(
            $(#[$meta])*
            #[repr(C)]
            #[allow(missing_docs)] // the header documents each field
            pub struct $name { $(pub $field: $type,)* }
        )*

        /// Layout of the structs above.
        pub(crate) const LAYOUT: &[crate::layout::Struct] = &[$(crate::layout::Struct {
            name: stringify!($name),
            size: size_of::<$name>(),
            align: align_of::<$name>(),
            fields: &[$(crate::layout::Field {
                name: stringify!($field),
                offset: core::mem::offset_of!($name, $field),
                size: size_of::<$type>(),
                rust_type: stringify!($type),
            },)*],
        },)*];
    };
}
pub(crate) use mirror;
