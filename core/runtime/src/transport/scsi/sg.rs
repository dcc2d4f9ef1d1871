//! Disks that the Linux kernel owns, through its ioctl `SG_IO` on `/dev/sgN` or `/dev/sdX`.

use std::ffi::c_void;
use std::fs::File;
use std::mem::size_of;
use std::path::{Path, PathBuf};
use std::ptr;

use glucopipe_sdk::link::{ScsiData, ScsiStatus};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::ioctl::{Updater, ioctl};

use super::Disk;
use crate::transport::link::LinkError;

/// The ioctl (`scsi/sg.h`).
const SG_IO: rustix::ioctl::Opcode = 0x2285;
/// `interface_id` (`scsi/sg.h`).
const INTERFACE: i32 = b'S' as i32;
/// `dxfer_direction`: no data, to the device, from the device (`scsi/sg.h`).
const NO_DATA: i32 = -1;
const TO_DEVICE: i32 = -2;
const FROM_DEVICE: i32 = -3;
/// Room for sense data; the most a link hands on.
const SENSE_MAX: usize = 32;

/// `host_status`: there is no device; it did not answer in time (`scsi/scsi_status.h`).
const DID_NO_CONNECT: u16 = 0x01;
const DID_TIME_OUT: u16 = 0x03;
/// Part of `driver_status` that says what happened; above it were suggestions (`scsi/sg.h`).
const DRIVER_MASK: u16 = 0x0f;
/// `driver_status`: the device did not answer in time; there are sense data (`scsi/sg.h`).
const DRIVER_TIMEOUT: u16 = 0x06;
const DRIVER_SENSE: u16 = 0x08;

/// `struct sg_io_hdr` (`scsi/sg.h`).
#[repr(C)]
struct Header {
    interface_id: i32,
    dxfer_direction: i32,
    cmd_len: u8,
    mx_sb_len: u8,
    iovec_count: u16,
    dxfer_len: u32,
    dxferp: *mut c_void,
    cmdp: *const u8,
    sbp: *mut u8,
    timeout: u32,
    flags: u32,
    pack_id: i32,
    usr_ptr: *mut c_void,
    status: u8,
    masked_status: u8,
    msg_status: u8,
    sb_len_wr: u8,
    host_status: u16,
    driver_status: u16,
    resid: i32,
    duration: u32,
    info: u32,
}

#[cfg(target_pointer_width = "64")]
const _: () = assert!(size_of::<Header>() == 88);
#[cfg(target_pointer_width = "32")]
const _: () = assert!(size_of::<Header>() == 64);

/// An open node.
pub struct SgDisk {
    file: File,
    node: PathBuf,
}

impl SgDisk {
    /// Opens a node; no command is sent.
    ///
    /// # Errors
    /// The operating system's words.
    pub fn open(node: &str) -> Result<Self, LinkError> {
        // The disk of a meter is opened as it is: nobody waits for a medium, and none is read.
        let flags = OFlags::RDWR | OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::NOCTTY;
        let file = rustix::fs::open(node, flags, Mode::empty()).map_err(failed)?;
        Ok(Self {
            file: file.into(),
            node: node.into(),
        })
    }

    fn is_gone(&self) -> bool {
        !Path::new(&self.node).exists()
    }
}

fn failed(error: Errno) -> LinkError {
    match error {
        Errno::NOENT => LinkError::Lost,
        Errno::BUSY => LinkError::Busy,
        Errno::NOTTY | Errno::INVAL => LinkError::Unsupported,
        error => std::io::Error::from(error).into(),
    }
}

impl Disk for SgDisk {
    fn command(
        &mut self,
        _stop: &dyn Fn() -> bool,
        timeout_ms: u32,
        cdb: &[u8],
        data: ScsiData<'_>,
    ) -> Result<ScsiStatus, LinkError> {
        let (direction, data, len) = match data {
            ScsiData::None => (NO_DATA, ptr::null_mut(), 0),
            ScsiData::From(buffer) => (FROM_DEVICE, buffer.as_mut_ptr(), buffer.len()),
            ScsiData::To(bytes) => (TO_DEVICE, bytes.as_ptr().cast_mut(), bytes.len()),
        };
        let too_long = |_| LinkError::Io("a command too long for SG_IO".into());
        let len = u32::try_from(len).map_err(too_long)?;
        let mut sense = [0; SENSE_MAX];
        let mut header = Header {
            interface_id: INTERFACE,
            dxfer_direction: direction,
            cmd_len: u8::try_from(cdb.len()).map_err(too_long)?,
            mx_sb_len: u8::try_from(SENSE_MAX).map_err(too_long)?,
            iovec_count: 0,
            dxfer_len: len,
            dxferp: data.cast(),
            cmdp: cdb.as_ptr(),
            sbp: sense.as_mut_ptr(),
            // 0 would be the longest time there is.
            timeout: timeout_ms.max(1),
            flags: 0,
            pack_id: 0,
            usr_ptr: ptr::null_mut(),
            status: 0,
            masked_status: 0,
            msg_status: 0,
            sb_len_wr: 0,
            host_status: 0,
            driver_status: 0,
            resid: 0,
            duration: 0,
            info: 0,
        };
        // SAFETY: the header is what this ioctl takes; command, data and sense live until it returns, and the
        // kernel writes to the data only when the device sends, for which they came from a mutable slice.
        let done = unsafe { ioctl(&self.file, Updater::<SG_IO, Header>::new(&mut header)) };
        match done {
            Ok(()) => {}
            Err(_) if self.is_gone() => return Err(LinkError::Lost),
            Err(error) => return Err(failed(error)),
        }
        let sense = sense.get(..header.sb_len_wr.into()).unwrap_or(&sense);
        match (header.host_status, header.driver_status & DRIVER_MASK) {
            (0, 0 | DRIVER_SENSE) => Ok(ScsiStatus {
                status: header.status.into(),
                residue: u32::try_from(header.resid).unwrap_or(0).min(len),
                sense: sense.to_vec(),
            }),
            (DID_NO_CONNECT, _) => Err(LinkError::Lost),
            _ if self.is_gone() => Err(LinkError::Lost),
            (DID_TIME_OUT, _) | (_, DRIVER_TIMEOUT) => Err(LinkError::Timeout),
            (host, driver) => Err(LinkError::Io(format!(
                "the command failed on its way (host status {host:#04x}, driver status {driver:#04x})"
            ))),
        }
    }
}
