//! Makes records out of frames: CR ends a record, the end of a frame does not.
//!
//! Every capture has one record per frame, so this is usually the identity. LIS1-A lets a long
//! record go on in the next frame: an ETB frame whose body does not end in CR is such a part, and
//! the record ends at the next CR or ETX. Nobody has captured a Contour doing so.

use std::mem;

use super::CR;
use super::frame::{Frame, FrameEnd};

/// Longest record; what is longer is cut there and comes out as an odd record.
pub const RECORD_MAX: usize = 8192;

/// Joins the bodies of consecutive frames. Holds less than [`RECORD_MAX`] bytes plus one frame.
#[derive(Clone, Debug, Default)]
pub struct Joiner {
    open: Vec<u8>,
}

impl Joiner {
    /// Creates a joiner without an open record.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a frame and returns the records it finishes, without their CR.
    pub fn push(&mut self, frame: &Frame<'_>) -> Vec<Vec<u8>> {
        let mut records = Vec::new();
        let mut parts = frame.body.split(|byte| *byte == CR).peekable();
        while let Some(part) = parts.next() {
            self.open.extend(part);
            let ended = parts.peek().is_some() || frame.end == FrameEnd::Etx;
            if ended || self.open.len() > RECORD_MAX {
                records.extend(self.finish());
            }
        }
        records
    }

    /// Takes what was begun and never ended, when the transmission is over.
    pub fn finish(&mut self) -> Option<Vec<u8>> {
        Some(mem::take(&mut self.open)).filter(|open| !open.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn push(joiner: &mut Joiner, body: &[u8], end: FrameEnd) -> Vec<Vec<u8>> {
        joiner.push(&Frame {
            number: 1,
            body,
            end,
        })
    }

    #[test]
    fn frame_with_one_record_gives_this_record() {
        let mut joiner = Joiner::new();
        assert_eq!(push(&mut joiner, b"P|1\r", FrameEnd::Etb), [b"P|1"]);
        assert_eq!(push(&mut joiner, b"L|1||N\r", FrameEnd::Etx), [b"L|1||N"]);
        assert_eq!(joiner.finish(), None);
    }

    #[test]
    fn record_without_cr_goes_on_in_the_next_frame_simulated() {
        let mut joiner = Joiner::new();
        assert!(push(&mut joiner, b"R|1|^^^Glu", FrameEnd::Etb).is_empty());
        assert_eq!(
            push(&mut joiner, b"cose|93\r", FrameEnd::Etb),
            [b"R|1|^^^Glucose|93"]
        );
    }

    #[test]
    fn etx_ends_a_record_without_cr_simulated() {
        assert_eq!(
            push(&mut Joiner::new(), b"L|1||N", FrameEnd::Etx),
            [b"L|1||N"]
        );
    }

    #[test]
    fn two_records_in_one_frame_come_apart_simulated() {
        assert_eq!(
            push(&mut Joiner::new(), b"P|1\rO|1\r\r", FrameEnd::Etb),
            [b"P|1", b"O|1"]
        );
    }

    #[test]
    fn record_never_ended_is_handed_out_at_the_end_simulated() {
        let mut joiner = Joiner::new();
        assert!(push(&mut joiner, b"R|1|^^^Glu", FrameEnd::Etb).is_empty());
        assert_eq!(joiner.finish().as_deref(), Some(&b"R|1|^^^Glu"[..]));
    }

    #[test]
    fn endless_record_is_cut_simulated() {
        let mut joiner = Joiner::new();
        let mut lengths = Vec::new();
        for _ in 0..20 {
            let records = push(&mut joiner, &[b'a'; 2000], FrameEnd::Etb);
            lengths.extend(records.iter().map(Vec::len));
            assert!(joiner.open.len() <= RECORD_MAX);
        }
        assert_eq!(lengths, [10_000; 4]);
    }
}
