//! Cuts the byte stream of a meter into tokens. Report borders carry no meaning.
//!
//! Neither "a short report ends the message" nor "a finished frame ends the message" is right:
//! frames of exactly 60 bytes are common, and EOT, header and ENQ arrive glued together (captured
//! on a Contour USB). So only the bytes count. Frames are not checked here, see [`super::frame`].

use std::collections::VecDeque;
use std::mem;

use super::{CR, Control, ETB, ETX, LF, STX};

/// Longest frame or text; more is garbage.
pub const TOKEN_MAX: usize = 2048;

/// One unit of what a meter says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Token {
    /// A control byte between frames.
    Control(Control),
    /// A frame with its delimiters, from STX to LF; its checksum is not checked yet.
    Frame(Vec<u8>),
    /// Text outside frames: the reply to a remote command.
    Text {
        /// The text, without the byte that ended it.
        bytes: Vec<u8>,
        /// Whether ACK ended it, as it ends a reply; any other control byte cuts it short.
        complete: bool,
    },
    /// A frame that never ended: another one began inside it, or it grew too long.
    Garbage(Vec<u8>),
}

/// Collects bytes and yields tokens, the same ones for any split of the stream.
///
/// Holds at most one unfinished token of [`TOKEN_MAX`] bytes besides the tokens not yet taken.
#[derive(Debug, Default)]
pub struct Tokeniser {
    state: State,
    partial: Vec<u8>,
    ready: VecDeque<Token>,
}

#[derive(Clone, Copy, Debug, Default)]
enum State {
    #[default]
    Outside,
    Frame,
    Text,
}

impl Tokeniser {
    /// Creates a tokeniser at the start of a stream.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds bytes from the meter, usually the payload of one report.
    pub fn push(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.step(*byte);
        }
    }

    /// Forgets unfinished and untaken tokens, as after draining the input.
    pub fn clear(&mut self) {
        *self = Self::default();
    }

    /// Says whether a token has begun and not ended.
    pub fn is_partial(&self) -> bool {
        !matches!(self.state, State::Outside)
    }

    /// Says whether that token is a frame.
    pub fn is_in_frame(&self) -> bool {
        matches!(self.state, State::Frame)
    }

    fn step(&mut self, byte: u8) {
        match self.state {
            State::Outside => self.begin(byte),
            State::Frame if byte == STX || self.partial.len() >= TOKEN_MAX => {
                self.finish(Token::Garbage);
                self.begin(byte);
            }
            State::Frame => {
                self.partial.push(byte);
                if ends_frame(&self.partial) {
                    self.finish(Token::Frame);
                }
            }
            State::Text => {
                let control = Control::from_byte(byte);
                if control.is_some() || byte == STX || self.partial.len() >= TOKEN_MAX {
                    let complete = control == Some(Control::Ack);
                    self.finish(|bytes| Token::Text { bytes, complete });
                    self.begin(byte);
                } else {
                    self.partial.push(byte);
                }
            }
        }
    }

    fn begin(&mut self, byte: u8) {
        if let Some(control) = Control::from_byte(byte) {
            self.ready.push_back(Token::Control(control));
            return;
        }
        self.state = if byte == STX {
            State::Frame
        } else {
            State::Text
        };
        self.partial.push(byte);
    }

    fn finish(&mut self, token: impl FnOnce(Vec<u8>) -> Token) {
        self.ready.push_back(token(mem::take(&mut self.partial)));
        self.state = State::Outside;
    }
}

impl Iterator for Tokeniser {
    type Item = Token;

    /// Takes the next finished token; `None` until more bytes are pushed.
    fn next(&mut self) -> Option<Token> {
        self.ready.pop_front()
    }
}

/// A frame ends with CR LF behind ETX or ETB and two hexadecimal digits (LIS1-A).
fn ends_frame(bytes: &[u8]) -> bool {
    matches!(bytes, [.., ETX | ETB, high, low, CR, LF]
        if high.is_ascii_hexdigit() && low.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::super::frame::{FrameEnd, encode};
    use super::super::{report, samples};
    use super::*;

    fn tokens(bytes: &[u8]) -> Vec<Token> {
        let mut tokeniser = Tokeniser::new();
        tokeniser.push(bytes);
        tokeniser.collect()
    }

    fn frame(body: &[u8]) -> Vec<u8> {
        encode(1, body, FrameEnd::Etb)
    }

    #[test]
    fn leading_eot_and_glued_enq_do_not_cut_the_header() {
        let header = frame(b"H|\\^&||x\r");
        let wire = [&[0x04][..], &header, &[0x05]].concat();
        let expected = [
            Token::Control(Control::Eot),
            Token::Frame(header),
            Token::Control(Control::Enq),
        ];
        assert_eq!(tokens(&wire), expected);
    }

    #[test]
    fn message_of_sixty_bytes_needs_no_short_report() {
        let record = b"R|11|^^^Glucose|10.4|mmol/L^P||F/M0/T1||202605301805\r";
        let wire = frame(record);
        assert_eq!(wire.len(), 60);
        assert_eq!(tokens(&wire), [Token::Frame(wire)]);
    }

    #[test]
    fn header_that_fills_four_reports_needs_no_fifth_simulated() {
        let body = [samples::HEADER_7410_SIMULATED.as_bytes(), &[b'0'; 240]].concat();
        let header = frame(&body[..240 - 9]);
        let wire = [&[0x04][..], &header, &[0x05]].concat();
        let reports: Vec<_> = report::encode(&wire).collect();
        assert!(reports.len() == 4 && reports.iter().all(|report| report[3] == 60));
        let mut tokeniser = Tokeniser::new();
        for mut report in reports {
            report[..3].copy_from_slice(&report::METER_PREFIX);
            tokeniser.push(report::decode(&report).unwrap());
        }
        let expected = [
            Token::Control(Control::Eot),
            Token::Frame(header),
            Token::Control(Control::Enq),
        ];
        assert_eq!(tokeniser.collect::<Vec<_>>(), expected);
    }

    #[test]
    fn every_control_byte_is_its_own_token() {
        let expected = [Control::Eot, Control::Enq, Control::Ack, Control::Nak].map(Token::Control);
        assert_eq!(tokens(&[0x04, 0x05, 0x06, 0x15]), expected);
    }

    #[test]
    fn shift_in_is_not_a_nak() {
        assert_eq!(tokens(&[0x0f]), []);
    }

    #[test]
    fn text_reply_ends_with_ack() {
        let text = Token::Text {
            bytes: b"D|260530|\r\n".to_vec(),
            complete: true,
        };
        assert_eq!(
            tokens(b"D|260530|\r\n\x06"),
            [text, Token::Control(Control::Ack)]
        );
    }

    #[test]
    fn other_control_bytes_and_frames_cut_text_short() {
        let text = Token::Text {
            bytes: b"D|".to_vec(),
            complete: false,
        };
        for control in [Control::Eot, Control::Nak, Control::Enq] {
            let wire = [b'D', b'|', control.byte()];
            assert_eq!(tokens(&wire), [text.clone(), Token::Control(control)]);
        }
        let frame = frame(b"P|1\r");
        assert_eq!(
            tokens(&[b"D|", &frame[..]].concat()),
            [text, Token::Frame(frame)]
        );
    }

    #[test]
    fn frame_inside_a_frame_makes_the_first_garbage() {
        let good = frame(b"P|1\r");
        let wire = [&good[..5], &good].concat();
        assert_eq!(
            tokens(&wire),
            [Token::Garbage(good[..5].to_vec()), Token::Frame(good)]
        );
    }

    #[test]
    fn end_byte_without_checksum_does_not_end_a_frame() {
        assert_eq!(tokens(b"\x021P|1\r\x17zz\r\n"), []);
        assert_eq!(tokens(b"\x021P|1\r\x1715\n\r"), []);
    }

    #[test]
    fn frame_may_have_the_greatest_length_and_no_more() {
        let fits = frame(&vec![b'a'; TOKEN_MAX - 7]);
        assert_eq!(fits.len(), TOKEN_MAX);
        assert_eq!(tokens(&fits), [Token::Frame(fits)]);
        let longer = frame(&vec![b'a'; TOKEN_MAX - 6]);
        assert_eq!(
            tokens(&longer),
            [Token::Garbage(longer[..TOKEN_MAX].to_vec())]
        );
    }

    #[test]
    fn endless_text_is_cut_into_bounded_tokens() {
        let mut tokeniser = Tokeniser::new();
        for _ in 0..10 {
            tokeniser.push(&[b'a'; TOKEN_MAX]);
            assert!(tokeniser.partial.len() <= TOKEN_MAX);
        }
        let text = Token::Text {
            bytes: vec![b'a'; TOKEN_MAX],
            complete: false,
        };
        assert_eq!(tokeniser.next(), Some(text));
    }

    #[test]
    fn clear_forgets_a_partial_frame() {
        let mut tokeniser = Tokeniser::new();
        tokeniser.push(b"\x021H");
        assert!(tokeniser.is_partial());
        tokeniser.clear();
        tokeniser.push(&[0x05]);
        assert_eq!(tokeniser.next(), Some(Token::Control(Control::Enq)));
    }
}
