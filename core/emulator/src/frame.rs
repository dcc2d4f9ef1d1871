//! LIS1-A frames and HID reports, meter side (contour.md sections 2 and 3).

use crate::meter::REPORT_SIZE;

/// Start of a frame.
pub(crate) const STX: u8 = 0x02;
/// End of the last frame.
pub(crate) const ETX: u8 = 0x03;
/// End of a transmission.
pub(crate) const EOT: u8 = 0x04;
/// Offer of a transmission.
pub(crate) const ENQ: u8 = 0x05;
/// Positive answer.
pub(crate) const ACK: u8 = 0x06;
/// Negative answer.
pub(crate) const NAK: u8 = 0x15;
/// End of a frame that is followed by another one.
pub(crate) const ETB: u8 = 0x17;
/// Meant to leave the command mode; without effect on real meters.
pub(crate) const CAN: u8 = 0x18;
/// Wake-up byte of the vendor's software.
pub(crate) const WAKE_X: u8 = b'X';
/// Carriage return.
pub(crate) const CR: u8 = 0x0D;
/// Line feed.
pub(crate) const LF: u8 = 0x0A;

/// Reports from the meter start with `ABC`.
pub(crate) const METER_PREFIX: [u8; 3] = [0x41, 0x42, 0x43];
/// Reports to the meter start with zeros or with `ABC`; one project's `BBC` works as well.
pub(crate) const HOST_PREFIXES: [[u8; 3]; 3] = [[0, 0, 0], METER_PREFIX, [0x42, 0x42, 0x43]];
/// Offset of the length byte.
pub(crate) const LENGTH_AT: usize = 3;
/// Offset of the payload.
pub(crate) const PAYLOAD_AT: usize = 4;
/// Longest payload of a report.
pub(crate) const PAYLOAD_MAX: usize = REPORT_SIZE - PAYLOAD_AT;
/// Bytes a frame adds to its record text: STX, number, CR, end, two digits, CR, LF.
pub(crate) const FRAME_OVERHEAD: usize = 8;

/// Sum of all bytes from the frame number to ETX or ETB, modulo 256.
pub(crate) fn checksum(bytes: &[u8]) -> u8 {
    bytes.iter().fold(0, |sum, byte| sum.wrapping_add(*byte))
}

/// Builds the frame of one record; `last` marks the terminator.
pub(crate) fn encode(number: u8, text: &str, last: bool) -> Vec<u8> {
    let mut frame = Vec::with_capacity(text.len() + FRAME_OVERHEAD);
    frame.push(STX);
    frame.push(b'0' + number % 8);
    frame.extend_from_slice(text.as_bytes());
    frame.push(CR);
    frame.push(if last { ETX } else { ETB });
    let sum = checksum(frame.get(1..).unwrap_or_default());
    frame.extend_from_slice(format!("{sum:02X}").as_bytes());
    frame.extend_from_slice(&[CR, LF]);
    frame
}

/// Changes the checksum digits so that they no longer fit.
pub(crate) fn spoil(frame: &mut [u8]) {
    if let Some(at) = frame.len().checked_sub(3)
        && let Some(digit) = frame.get_mut(at)
    {
        *digit = if *digit == b'0' { b'1' } else { b'0' };
    }
}

/// Builds one report; bytes beyond 60 are left out.
pub(crate) fn report(prefix: [u8; 3], payload: &[u8]) -> [u8; REPORT_SIZE] {
    let mut report = [0; REPORT_SIZE];
    let length = payload.len().min(PAYLOAD_MAX);
    for (slot, byte) in report.iter_mut().zip(prefix) {
        *slot = byte;
    }
    if let Some(slot) = report.get_mut(LENGTH_AT) {
        *slot = u8::try_from(length).unwrap_or(0);
    }
    for (slot, byte) in report.iter_mut().skip(PAYLOAD_AT).zip(payload) {
        *slot = *byte;
    }
    report
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reproduces_the_worked_frame_of_the_reference() {
        let frame = encode(3, "R|1|^^^Glucose|93|mg/dL^P||B||202605301805", false);
        let text = b"\x023R|1|^^^Glucose|93|mg/dL^P||B||202605301805\x0D\x1715\x0D\x0A";
        assert_eq!(frame, text);
        assert_eq!(frame.len(), 50);
        let report = report(METER_PREFIX, &frame);
        assert_eq!(report[..4], [0x41, 0x42, 0x43, 0x32]);
        assert!(report[54..].iter().all(|b| *b == 0));
    }

    #[test]
    fn ends_the_terminator_with_etx_and_wraps_the_number() {
        // 0x30 + "L|1||N" (0x4C+0x7C+0x31+0x7C+0x7C+0x4E) + CR + ETX = 0x7F modulo 256
        assert_eq!(encode(8, "L|1||N", true), b"\x020L|1||N\x0D\x037F\x0D\x0A");
    }

    #[test]
    fn spoils_the_last_checksum_digit_only() {
        let good = encode(2, "P|1", false);
        let mut bad = good.clone();
        spoil(&mut bad);
        let different: Vec<usize> = (0..good.len()).filter(|i| good[*i] != bad[*i]).collect();
        assert_eq!(different, [good.len() - 3]);
    }

    #[test]
    fn drops_what_does_not_fit_into_a_report() {
        let report = report(METER_PREFIX, &[0xEE; 99]);
        assert_eq!(report[LENGTH_AT], 60);
        assert!(report[4..].iter().all(|b| *b == 0xEE));
    }
}
