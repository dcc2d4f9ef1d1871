//! Whether a disk is a meter's. Every request is a write to the disk: on any other it would destroy data.
//!
//! Three things must hold, in this order, and all of them only read: the USB vendor, where the host
//! knows it; the vendor of the INQUIRY data; label and file system of the boot sector. There is no way
//! around it.

use glucopipe_sdk::{Error, Level, Op, Result, Status};

use crate::device::VENDOR;
use crate::exchange::{Disk, Trouble};
use crate::meter::LOG;
use crate::protocol::scsi::{Fault, is_meter_boot_sector, is_meter_inquiry};

/// How often the checks are tried when the disk does not answer them; a disk just plugged in refuses its
/// first command (SPC: unit attention).
const TRIES: u32 = 4;
/// The boot sector.
const BOOT_LBA: u32 = 0;

/// That the disk behind the link is a meter's. Made here only, when it was checked.
#[derive(Debug)]
pub(crate) struct Proof(());

/// Checks the device and its disk; writes nothing.
///
/// # Errors
/// [`Status::Precondition`] when it is not a LifeScan meter, and what the link says.
pub(crate) fn identify(op: &Op, disk: &mut Disk) -> Result<Proof> {
    if !is_meter_vendor(op)? {
        return Err(refusal("the USB vendor"));
    }
    let mut fault = None;
    for _ in 0..TRIES {
        match check(op, disk) {
            Ok(Ok(())) => return Ok(Proof(())),
            Ok(Err(differs)) => {
                op.log(Level::Debug, LOG, &format!("{differs} differs"));
                return Err(refusal(differs));
            }
            Err(Trouble::Link(error)) => return Err(error),
            Err(Trouble::Command(again)) => fault = Some(again),
        }
    }
    let cause = fault.map_or_else(String::new, |fault: Fault| format!(": {fault}"));
    let message = format!("the disk does not say what it is{cause}; nothing was written");
    Err(Error::new(Status::Io, message).retryable())
}

/// Whether the host knows of no other USB vendor.
fn is_meter_vendor(op: &Op) -> Result<bool> {
    let device = op.describe_device()?;
    Ok(match device.get("vendor") {
        None => true,
        Some(vendor) if vendor.is_null() => true,
        Some(vendor) => vendor
            .as_str()
            .is_some_and(|vendor| vendor.eq_ignore_ascii_case(VENDOR)),
    })
}

/// Nothing, or what differs from a meter.
type Verdict = std::result::Result<(), &'static str>;

/// Looks at the disk; what differs from a meter's.
fn check(op: &Op, disk: &mut Disk) -> std::result::Result<Verdict, Trouble> {
    if !is_meter_inquiry(&disk.inquiry(op)?) {
        return Ok(Err("the vendor of the disk"));
    }
    if !is_meter_boot_sector(&disk.read_block(op, BOOT_LBA)?) {
        return Ok(Err("the boot sector"));
    }
    Ok(Ok(()))
}

fn refusal(differs: &str) -> Error {
    let message = format!("not a LifeScan meter: {differs} differs; nothing was written");
    Error::new(Status::Precondition, message)
}
