//! A memory stick: a disk that is no meter and must not be written to.

use std::collections::BTreeMap;

use super::disk::{Command, Disk, NO_SUCH_BLOCK, Span, WRONG_FIELD};
use super::meter::{LABEL, VENDOR};
use super::packet::Block;
use crate::audit::Audit;
use crate::catalog::ModelEntry;
use crate::meter::{LinkKind, Unplugged, UsbIds};
use crate::scsi::{BLOCK_SIZE, ScsiMeter, ScsiOutcome, ScsiTransfer};

/// Public listing.
pub(crate) static ENTRY: ModelEntry = ModelEntry {
    key: "usb-stick",
    name: "USB memory stick",
    usb: UsbIds {
        vendor: 0x058F,
        product: 0x6387,
    },
    link: LinkKind::Scsi,
    product_code: 0,
    about: "no meter: a disk that must not be written to",
};
/// Ids of a meter.
const METER: UsbIds = UsbIds {
    vendor: 0x2766,
    product: 0x0004,
};
/// Written blocks that are kept.
const KEPT: usize = 16;
/// Serial unless the scenario names one.
pub(crate) const SERIAL: &str = "0A1B2C3D";

/// Which part of a meter the stick happens to look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Looks {
    /// None.
    Stick,
    /// The vendor field of INQUIRY.
    Inquiry,
    /// The boot sector.
    Boot,
    /// The USB ids.
    Ids,
    /// The USB ids and the vendor field of INQUIRY.
    IdsAndInquiry,
}

impl Looks {
    /// USB ids of a stick that looks so.
    pub(crate) fn usb(self) -> UsbIds {
        match self {
            Self::Ids | Self::IdsAndInquiry => METER,
            _ => ENTRY.usb,
        }
    }
}

/// A virtual memory stick.
#[derive(Debug)]
pub(crate) struct Stick {
    disk: Disk,
    /// Blocks the host wrote, as a disk gives them back.
    written: BTreeMap<u32, Block>,
    audit: Audit,
}

impl Stick {
    /// A stick as just plugged in.
    pub(crate) fn new(looks: Looks) -> Self {
        let (vendor, product) = if matches!(looks, Looks::Inquiry | Looks::IdsAndInquiry) {
            (VENDOR, [b' '; 20])
        } else {
            (*b"Generic ", *b"Flash Disk      8.07")
        };
        let label = if looks == Looks::Boot {
            LABEL
        } else {
            *b"NO NAME    FAT16   "
        };
        Self {
            disk: Disk::new(vendor, product, label, None),
            written: BTreeMap::new(),
            audit: Audit::default(),
        }
    }

    /// The disk beside a meter, with the vendor's software: no meter either.
    pub(crate) fn with_software() -> Self {
        let product = *b"CONTOUR USB     1.00";
        Self {
            disk: Disk::new(*b"BAYER   ", product, *b"CONTOUR    FAT16   ", None),
            written: BTreeMap::new(),
            audit: Audit::default(),
        }
    }

    fn read(&self, span: Span) -> Vec<u8> {
        let lbas = (span.lba..).take(span.blocks.into());
        let block = |lba| match self.written.get(&lba) {
            Some(block) => *block,
            None if lba == 0 => self.disk.boot_sector(),
            None => [0; BLOCK_SIZE],
        };
        lbas.flat_map(block).collect()
    }

    fn write(&mut self, span: Span, bytes: &[u8]) {
        let (blocks, _) = bytes.as_chunks();
        let lbas = (span.lba..).take(span.blocks.into());
        for (lba, block) in lbas.zip(blocks) {
            if self.written.len() < KEPT {
                self.written.insert(lba, *block);
            }
        }
    }
}

impl ScsiMeter for Stick {
    fn command(&mut self, cdb: &[u8], data: ScsiTransfer<'_>) -> Result<ScsiOutcome, Unplugged> {
        self.audit.scsi_commands += 1;
        let length = data.len();
        Ok(match Command::parse(cdb) {
            Command::Read(span) if !span.exists() => self.disk.check(NO_SUCH_BLOCK, length),
            Command::Read(span) => {
                let blocks = self.read(span);
                self.disk.send(&blocks, blocks.len(), data)
            }
            Command::Write(span) => {
                let rule = format!("wrote LBA {} of a disk that is no meter", span.lba);
                self.audit.violation(rule);
                match data {
                    ScsiTransfer::Out(bytes) if span.exists() => {
                        self.write(span, bytes);
                        self.disk.good(0)
                    }
                    _ => self.disk.check(WRONG_FIELD, length),
                }
            }
            command => self.disk.run(command, data),
        })
    }

    fn audit(&self) -> Audit {
        self.audit.clone()
    }
}
