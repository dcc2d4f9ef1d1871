//! Disks that the Linux kernel owns: `/dev/sgN` through its requests and answers, `/dev/sdX` through the ioctl
//! `SG_IO`.
//!
//! The ioctl cannot be given up: a cancellation is seen when the disk has answered, or its time is over. So a
//! generic node is written the request to and read the answer from, and closed when the caller has given up.

use std::ffi::c_void;
use std::fs::File;
use std::mem::size_of;
use std::path::{Path, PathBuf};
use std::{ptr, slice};

use glucopipe_sdk::link::{ScsiData, ScsiStatus};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{FileType, Mode, OFlags, fstat, major};
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

/// Major number of SCSI generic nodes (Linux, `devices.txt`).
pub(crate) const MAJOR: u32 = 21;
/// How often a caller is asked whether to go on.
const SLICE: Timespec = Timespec {
    tv_sec: 0,
    tv_nsec: 100_000_000,
};
/// Bytes before and behind a pointer that the kernel leaves out.
const GAP: usize = size_of::<usize>() - size_of::<u32>();

/// `struct sg_io_hdr` (`scsi/sg.h`), its gaps named: it goes over as bytes.
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
    gap: [u8; GAP],
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
    end: [u8; GAP],
}

#[cfg(target_pointer_width = "64")]
const _: () = assert!(size_of::<Header>() == 88);
#[cfg(target_pointer_width = "32")]
const _: () = assert!(size_of::<Header>() == 64);

/// An open node.
pub struct SgDisk {
    /// None once a command was given up: its answer would be taken for that of the next.
    file: Option<File>,
    node: PathBuf,
    generic: bool,
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
        // What is written to any other node would be written to the disk.
        let found = fstat(&file).map_err(failed)?;
        let character = FileType::from_raw_mode(found.st_mode) == FileType::CharacterDevice;
        Ok(Self {
            file: Some(file.into()),
            node: node.into(),
            generic: character && major(found.st_rdev) == MAJOR,
        })
    }

    fn is_gone(&self) -> bool {
        !Path::new(&self.node).exists()
    }

    /// Has the kernel run a command.
    ///
    /// # Safety
    /// The header is what the kernel takes; command, sense and data outlive the call, and the data may be
    /// written when the device sends.
    unsafe fn run(&mut self, header: &mut Header, stop: &dyn Fn() -> bool) -> Ran {
        let Some(file) = &self.file else {
            let what = "a command before was given up";
            return Err(Failed::Link(LinkError::Io(what.into())));
        };
        // SAFETY: by the caller's word; nothing but a generic node is written to.
        let ran = unsafe {
            if self.generic {
                ask(file, header, stop)
            } else {
                let updater = Updater::<SG_IO, Header>::new(header);
                ioctl(file, updater).map_err(Failed::System)
            }
        };
        if ran.is_err() {
            self.file = None;
        }
        ran
    }
}

/// How a command was run.
type Ran = Result<(), Failed>;

/// Why a command was not run.
#[derive(Debug, PartialEq, Eq)]
enum Failed {
    /// The kernel's word.
    System(Errno),
    /// Anything else.
    Link(LinkError),
}

/// Writes a request, waits for its answer, and reads that.
///
/// # Safety
/// As [`SgDisk::run`]; with an error the file is to be closed, and with it the request is forgotten. The kernel
/// writes to sense and data in no other moment than when the answer is read.
unsafe fn ask(file: &File, header: &mut Header, stop: &dyn Fn() -> bool) -> Ran {
    let len = size_of::<Header>();
    // SAFETY: the header has no gaps that are not fields.
    let request = unsafe { slice::from_raw_parts(ptr::from_ref(header).cast::<u8>(), len) };
    let written = rustix::io::write(file, request).map_err(Failed::System)?;
    if written != len {
        return Err(Failed::System(Errno::IO));
    }
    loop {
        let mut waiting = [PollFd::new(file, PollFlags::IN)];
        match poll(&mut waiting, Some(&SLICE)) {
            Ok(0) | Err(Errno::INTR) if stop() => {
                return Err(Failed::Link(LinkError::Cancelled));
            }
            Ok(0) | Err(Errno::INTR) => continue,
            Ok(_) => {}
            Err(error) => return Err(Failed::System(error)),
        }
        let left = waiting[0].revents().contains(PollFlags::HUP);
        // SAFETY: any bytes are a header; its pointers are not followed here.
        let answer = unsafe { slice::from_raw_parts_mut(ptr::from_mut(header).cast::<u8>(), len) };
        match rustix::io::read(file, answer) {
            Ok(read) if read == len => return Ok(()),
            Ok(_) => return Err(Failed::System(Errno::IO)),
            Err(Errno::AGAIN) if left => return Err(Failed::Link(LinkError::Lost)),
            Err(Errno::AGAIN | Errno::INTR) => {}
            Err(error) => return Err(Failed::System(error)),
        }
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
        stop: &dyn Fn() -> bool,
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
            gap: [0; GAP],
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
            end: [0; GAP],
        };
        // SAFETY: the header is what the kernel takes; command, data and sense live until this returns, and the
        // kernel writes to the data only when the device sends, for which they came from a mutable slice.
        match unsafe { self.run(&mut header, stop) } {
            Ok(()) => {}
            Err(Failed::Link(error)) => return Err(error),
            Err(_) if self.is_gone() => return Err(LinkError::Lost),
            Err(Failed::System(error)) => return Err(failed(error)),
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

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::os::fd::OwnedFd;
    use std::os::unix::net::UnixStream;
    use std::thread;

    use super::*;

    /// Where the fields lie in a header of 64 bits (`scsi/sg.h`).
    const STATUS: usize = 64;
    const RESID: usize = 72;

    /// A disk behind a node that is no node: what the kernel would do, the other end does.
    fn disk() -> (SgDisk, UnixStream) {
        let (node, kernel) = UnixStream::pair().unwrap();
        let disk = SgDisk {
            file: Some(OwnedFd::from(node).into()),
            node: "/".into(),
            generic: true,
        };
        (disk, kernel)
    }

    #[test]
    #[cfg(target_pointer_width = "64")]
    fn a_request_is_answered() {
        let (mut disk, mut kernel) = disk();
        let answering = thread::spawn(move || {
            let mut header = [0; size_of::<Header>()];
            kernel.read_exact(&mut header).unwrap();
            assert_eq!(header[..10], [b'S', 0, 0, 0, 0xfd, 0xff, 0xff, 0xff, 6, 32]);
            header[STATUS] = 2;
            header[RESID] = 3;
            kernel.write_all(&header).unwrap();
        });
        let mut buffer = [0; 36];
        let data = ScsiData::From(&mut buffer);
        let status = disk.command(&|| false, 5000, &[0x12, 0, 0, 0, 36, 0], data);
        let status = status.unwrap();
        assert_eq!((status.status, status.residue), (2, 3));
        answering.join().unwrap();
    }

    #[test]
    fn a_command_that_is_given_up_closes_the_node() {
        let (mut disk, mut kernel) = disk();
        let cdb = [0; 6];
        let given_up = disk.command(&|| true, 5000, &cdb, ScsiData::None);
        assert_eq!(given_up.unwrap_err(), LinkError::Cancelled);
        let mut request = Vec::new();
        kernel.read_to_end(&mut request).unwrap();
        assert_eq!(request.len(), size_of::<Header>());
        let next = disk.command(&|| false, 5000, &cdb, ScsiData::None);
        assert!(matches!(next, Err(LinkError::Io(_))));
    }

    #[test]
    fn a_disk_that_leaves_ends_the_wait() {
        let (mut disk, mut kernel) = disk();
        let leaving = thread::spawn(move || {
            let mut request = [0; size_of::<Header>()];
            kernel.read_exact(&mut request).unwrap();
        });
        let lost = disk.command(&|| false, 5000, &[0; 6], ScsiData::None);
        assert!(matches!(lost, Err(LinkError::Lost | LinkError::Io(_))));
        leaving.join().unwrap();
    }

    #[test]
    fn only_generic_nodes_are_written_to() {
        assert!(!SgDisk::open("/dev/null").unwrap().generic);
    }
}
