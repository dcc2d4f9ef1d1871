//! Packets of the shared binary framing (lifescan.md section 1).

use crate::scsi::BLOCK_SIZE;

/// Start of a packet.
const STX: u8 = 0x02;
/// End of a packet, in front of the checksum.
const ETX: u8 = 0x03;
/// Bytes in front of the message: STX, length, link control.
const HEAD: usize = 3;
/// Bytes a packet adds to its message.
const OVERHEAD: usize = 6;

/// One block.
pub(super) type Block = [u8; BLOCK_SIZE];

/// CRC-16 with polynomial 0x1021 and start value 0xFFFF, not reflected, no final xor.
pub(super) fn crc16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0xFFFF, |crc, byte| {
        (0..8).fold(crc ^ (u16::from(*byte) << 8), |crc, _| {
            if crc & 0x8000 == 0 {
                crc << 1
            } else {
                (crc << 1) ^ 0x1021
            }
        })
    })
}

/// Builds the block of one message.
///
/// A message that does not fit gives an empty block.
pub(super) fn encode(message: &[u8]) -> Block {
    let length = u16::try_from(message.len() + OVERHEAD).unwrap_or(u16::MAX);
    let mut packet = vec![STX];
    packet.extend_from_slice(&length.to_le_bytes());
    packet.extend_from_slice(message);
    packet.push(ETX);
    packet.extend_from_slice(&crc16(&packet).to_le_bytes());
    let mut block = [0; BLOCK_SIZE];
    if let Some(slots) = block.get_mut(..packet.len()) {
        slots.copy_from_slice(&packet);
    }
    block
}

/// Finds the message in a block; what is wrong with it otherwise.
pub(super) fn decode(block: &[u8]) -> Result<&[u8], &'static str> {
    let [STX, low, high, ..] = *block else {
        return Err("request without start of packet");
    };
    let length = usize::from(u16::from_le_bytes([low, high]));
    let packet = block.get(..length).ok_or("request longer than a block")?;
    let wrong = "request shorter than a packet";
    let end = length.checked_sub(OVERHEAD - HEAD).ok_or(wrong)?;
    let message = packet.get(HEAD..end).ok_or(wrong)?;
    match *packet.get(end..).unwrap_or_default() {
        [ETX, low, high] => {
            let right = packet.get(..=end).map(crc16) == Some(u16::from_le_bytes([low, high]));
            right.then_some(message).ok_or("request with a wrong CRC")
        }
        _ => Err("request without end of packet"),
    }
}

/// Changes the checksum so that it no longer fits.
pub(super) fn spoil(block: &mut Block) {
    let length = usize::from(u16::from_le_bytes([block[1], block[2]]));
    if let Some(byte) = length.checked_sub(1).and_then(|at| block.get_mut(at)) {
        *byte ^= 0x55;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn has_the_published_check_values() {
        assert_eq!(crc16(b"123456789"), 0x29B1);
        assert_eq!(crc16(&[2, 6, 6, 3]), 0x41CD);
        assert_eq!(crc16(&[]), 0xFFFF);
    }

    #[test]
    fn builds_the_worked_packet_of_the_reference() {
        let block = encode(&[0x03, 0xE6, 0x02, 0x00]);
        let packet = [2, 0x0A, 0, 3, 0xE6, 2, 0, 3, 0x74, 0x5E];
        assert_eq!(block[..10], packet);
        assert!(block[10..].iter().all(|byte| *byte == 0));
        assert_eq!(decode(&block), Ok(&packet[3..7]));
    }

    #[test]
    fn rejects_what_is_no_packet() {
        let mut spoiled = encode(&[3, 0x1A]);
        spoil(&mut spoiled);
        assert_eq!(decode(&spoiled), Err("request with a wrong CRC"));
        for (bytes, rule) in [
            (&[][..], "request without start of packet"),
            (&[3; 512], "request without start of packet"),
            (&[2, 0, 0, 0], "request shorter than a packet"),
            (&[2, 5, 0, 3, 0, 0], "request shorter than a packet"),
            (&[2, 7, 0, 3, 3], "request longer than a block"),
            (&[2, 0xFF, 0xFF, 3, 3], "request longer than a block"),
            (&[2, 7, 0, 3, 9, 0, 0], "request without end of packet"),
        ] {
            assert_eq!(decode(bytes), Err(rule), "{bytes:?}");
        }
    }

    #[test]
    fn accepts_an_empty_message() {
        assert_eq!(decode(&encode(&[])), Ok(&[][..]));
    }
}
