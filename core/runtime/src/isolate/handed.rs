//! A file that is open here, handed to a child: what was checked is what it loads.

use std::fs::File;
use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;

use rustix::io::fcntl_dupfd_cloexec;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};

/// What goes with the descriptor, which cannot go alone.
const LOAD: [u8; 1] = [b'l'];

/// Sends a file, before anything else is sent.
///
/// # Errors
/// As the system says.
pub(super) fn hand_over(stream: &UnixStream, file: &File) -> io::Result<()> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut with = SendAncillaryBuffer::new(&mut space);
    let files = [file.as_fd()];
    with.push(SendAncillaryMessage::ScmRights(&files));
    sendmsg(
        stream,
        &[IoSlice::new(&LOAD)],
        &mut with,
        SendFlags::empty(),
    )?;
    Ok(())
}

/// Takes the file, under a descriptor of at least `lowest`; `None` when none was sent.
pub(super) fn take(stream: &UnixStream, lowest: i32) -> Option<File> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut with = RecvAncillaryBuffer::new(&mut space);
    let mut byte = LOAD;
    let mut into = [IoSliceMut::new(&mut byte)];
    recvmsg(stream, &mut into, &mut with, RecvFlags::empty()).ok()?;
    let sent = with.drain().find_map(|message| match message {
        RecvAncillaryMessage::ScmRights(mut files) => files.next(),
        _ => None,
    });
    let moved: OwnedFd = fcntl_dupfd_cloexec(sent?, lowest).ok()?;
    Some(moved.into())
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};

    use super::*;

    #[test]
    fn a_file_arrives_before_what_follows() {
        let (here, mut there) = UnixStream::pair().unwrap();
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("x");
        std::fs::write(&path, "the bytes").unwrap();
        hand_over(&here, &File::open(&path).unwrap()).unwrap();
        (&here).write_all(b"frames").unwrap();
        std::fs::remove_file(&path).unwrap();
        let file = take(&there, 10).unwrap();
        assert_eq!(io::read_to_string(file).unwrap(), "the bytes");
        drop(here);
        let mut rest = String::new();
        there.read_to_string(&mut rest).unwrap();
        assert_eq!(rest, "frames");
    }

    #[test]
    fn nothing_was_handed_over() {
        let (here, there) = UnixStream::pair().unwrap();
        (&here).write_all(b"x").unwrap();
        assert!(take(&there, 10).is_none());
    }
}
