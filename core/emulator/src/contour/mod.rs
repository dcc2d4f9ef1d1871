//! The virtual Ascensia/Bayer Contour family.

pub(crate) mod command;
pub(crate) mod header;
pub(crate) mod model;
pub(crate) mod outbox;
pub(crate) mod records;
mod roles;
pub(crate) mod session;
pub(crate) mod settings;
mod transfer;
