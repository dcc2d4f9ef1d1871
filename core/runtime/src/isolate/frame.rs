//! Frames: a head in JSON and a body of bytes.
//!
//! On the wire a frame is the length of all that follows, the length of the head, the head, the body; both
//! lengths are 32 bits, little endian.

use glucopipe_sdk::{Error, Status};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Bytes of a length.
pub(super) const LENGTH: usize = 4;

/// Most bytes after the first length.
pub(super) const FRAME_LIMIT: usize = 64 << 20;

/// Most bytes of a head: parsed, it takes many times that.
const HEAD_LIMIT: usize = 2 << 20;

/// A message that breaks the language.
pub(super) fn broken() -> Error {
    Error::new(
        Status::Internal,
        "what came out of its process is no message",
    )
}

/// A frame, ready to be sent.
///
/// # Errors
/// When it is too long.
pub(super) fn pack<T: Serialize>(head: &T, body: &[u8]) -> Result<Vec<u8>, Error> {
    let too_long = || Error::new(Status::Internal, "a message that is too long");
    let head = serde_json::to_vec(head)
        .map_err(|_| Error::new(Status::Internal, "a message that is no JSON"))?;
    let whole = LENGTH + head.len() + body.len();
    if whole > FRAME_LIMIT || head.len() > HEAD_LIMIT {
        return Err(too_long());
    }
    let length = |bytes: usize| u32::try_from(bytes).map_err(|_| too_long());
    let mut frame = Vec::with_capacity(LENGTH + whole);
    frame.extend(length(whole)?.to_le_bytes());
    frame.extend(length(head.len())?.to_le_bytes());
    frame.extend(head);
    frame.extend(body);
    Ok(frame)
}

/// How many bytes follow the first length.
///
/// # Errors
/// When that is too many, or too few for a head.
pub(super) fn length(bytes: [u8; LENGTH]) -> Result<usize, Error> {
    let whole = usize::try_from(u32::from_le_bytes(bytes)).map_err(|_| broken())?;
    if (LENGTH..=FRAME_LIMIT).contains(&whole) {
        Ok(whole)
    } else {
        Err(broken())
    }
}

/// The head and the body of a frame without its first length.
///
/// # Errors
/// When the bytes are none.
pub(super) fn unpack<T: DeserializeOwned>(mut frame: Vec<u8>) -> Result<(T, Vec<u8>), Error> {
    let (first, rest) = frame.split_first_chunk::<LENGTH>().ok_or_else(broken)?;
    let head_len = usize::try_from(u32::from_le_bytes(*first)).map_err(|_| broken())?;
    let head = rest.get(..head_len).filter(|head| head.len() <= HEAD_LIMIT);
    let head = head.ok_or_else(broken)?;
    let head = serde_json::from_slice(head).map_err(|_| broken())?;
    frame.drain(..LENGTH + head_len);
    Ok((head, frame))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    fn parse(frame: &[u8]) -> Result<(Value, Vec<u8>), Error> {
        let (first, rest) = frame.split_first_chunk().ok_or_else(broken)?;
        let whole = length(*first)?;
        unpack(rest.get(..whole).ok_or_else(broken)?.to_vec())
    }

    #[test]
    fn heads_and_bodies_cross() {
        let head = json!({ "read": { "wait": 5 } });
        let frame = pack(&head, b"\0\xffbytes").unwrap();
        assert_eq!(parse(&frame).unwrap(), (head, b"\0\xffbytes".to_vec()));
        assert!(pack(&json!(1), &vec![0; FRAME_LIMIT]).is_err());
    }

    #[test]
    fn lengths_that_promise_too_much_are_refused_before_memory_is_taken() {
        for (whole, head) in [(u32::MAX, 1), (3, 1), (8, 5), (8, u32::MAX)] {
            let mut frame = whole.to_le_bytes().to_vec();
            frame.extend(u32::to_le_bytes(head));
            frame.extend(b"null");
            assert_eq!(parse(&frame).unwrap_err(), broken(), "{whole} {head}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_message_or_refused(frame in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse(&frame);
        }

        #[test]
        fn a_damaged_frame_does_no_harm(at in 0_usize..30, byte in any::<u8>()) {
            let mut frame = pack(&json!({ "returned": null }), b"body").unwrap();
            let at = at % frame.len();
            frame[at] = byte;
            let _ = parse(&frame);
        }
    }
}
