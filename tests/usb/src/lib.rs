//! Virtual meters on the USB stack of a running Linux kernel, and the program run against them.
//!
//! Everything here needs root and the module `vhci_hcd`, and is meant for the virtual machine that
//! `tests/usb/run` boots: it plugs devices into this very computer. [`Plug`] attaches a device,
//! [`Nodes`] are what the kernel made of it, [`Program`] runs the program as some user, and
//! [`truth`] tells what it must print.

mod log;
mod nodes;
mod plug;
mod program;
pub mod truth;

pub use nodes::Nodes;
pub use plug::Plug;
pub use program::{Program, User};
