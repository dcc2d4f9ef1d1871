//! What a child writes past the host: standard output and standard error, taken line by line.

use std::io::{ErrorKind, Read};
use std::os::unix::net::UnixStream;
use std::sync::Arc;

/// Most lines of one stream that are shown.
const LINES: usize = 100;
/// Longest line; what is longer is cut into lines.
const LINE: usize = 1000;
/// Most bytes taken at once, so that whoever writes without end does not hold the host.
const AT_ONCE: usize = 64 << 10;

/// How the standard library of Rust announces that there is no memory.
const NO_MEMORY: &str = "memory allocation of ";

/// One stream of a child.
pub(super) struct Output {
    /// `None` after its end.
    stream: Option<Arc<UnixStream>>,
    begun: Vec<u8>,
    lines: usize,
    /// Whether anything came.
    pub(super) used: bool,
    /// The line that says that there was no memory.
    pub(super) no_memory: Option<String>,
}

impl Output {
    /// The end of the host, which does not block.
    pub(super) fn new(stream: Arc<UnixStream>) -> Self {
        Self {
            stream: Some(stream),
            begun: Vec::new(),
            lines: 0,
            used: false,
            no_memory: None,
        }
    }

    /// What to wait for.
    pub(super) fn stream(&self) -> Option<&UnixStream> {
        self.stream.as_deref()
    }

    /// Takes what is there.
    pub(super) fn drain(&mut self, say: &dyn Fn(&str)) {
        let mut left = AT_ONCE;
        let mut piece = [0; 4096];
        while let Some(mut stream) = self.stream.as_deref().filter(|_| left > 0) {
            match stream.read(&mut piece) {
                Ok(0) => self.stream = None,
                Ok(count) => {
                    left = left.saturating_sub(count);
                    self.take(&piece[..count], say);
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => self.stream = None,
            }
        }
        if self.stream.is_none() {
            self.end_line(say);
        }
    }

    fn take(&mut self, bytes: &[u8], say: &dyn Fn(&str)) {
        self.used = true;
        for &byte in bytes {
            if byte != b'\n' {
                self.begun.push(byte);
            }
            if byte == b'\n' || self.begun.len() == LINE {
                self.end_line(say);
            }
        }
    }

    fn end_line(&mut self, say: &dyn Fn(&str)) {
        let line = std::mem::take(&mut self.begun);
        let line = String::from_utf8_lossy(&line);
        if line.trim().is_empty() {
            return;
        }
        if self.no_memory.is_none() && line.starts_with(NO_MEMORY) {
            self.no_memory = Some(line.clone().into_owned());
        }
        self.lines += 1;
        match self.lines {
            ..=LINES => say(&line),
            number if number == LINES + 1 => say("it writes more, which is not shown"),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::io::Write;

    use super::*;

    fn shown(bytes: &[u8]) -> (Vec<String>, Output) {
        let (here, mut there) = UnixStream::pair().unwrap();
        here.set_nonblocking(true).unwrap();
        there.write_all(bytes).unwrap();
        drop(there);
        let mut output = Output::new(Arc::new(here));
        let lines = RefCell::new(Vec::new());
        output.drain(&|line| lines.borrow_mut().push(line.to_owned()));
        (lines.into_inner(), output)
    }

    #[test]
    fn lines_are_told_apart_and_the_last_needs_no_end() {
        let (lines, output) = shown(b"one\n\ntwo \xff\nmemory allocation of 5 bytes failed");
        assert_eq!(
            lines,
            ["one", "two \u{fffd}", "memory allocation of 5 bytes failed"]
        );
        assert!(output.used);
        assert_eq!(
            output.no_memory.as_deref(),
            lines.last().map(String::as_str)
        );
        let (lines, output) = shown(b"");
        assert!(lines.is_empty() && !output.used);
    }

    #[test]
    fn much_is_cut_short() {
        let (lines, _) = shown("x\n".repeat(500).as_bytes());
        assert_eq!(lines.len(), LINES + 1);
        assert_eq!(lines[LINES], "it writes more, which is not shown");
        let (lines, _) = shown("y".repeat(2500).as_bytes());
        assert_eq!(lines.len(), 3);
    }
}
