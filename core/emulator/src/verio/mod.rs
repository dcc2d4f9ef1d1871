//! The virtual LifeScan OneTouch Verio family, and a disk that is no meter.

mod disk;
pub(crate) mod meter;
pub(crate) mod model;
mod packet;
mod protocol;
pub(crate) mod records;
pub(crate) mod stick;
