//! One virtual meter with all its parameters.

use std::sync::Arc;

use crate::catalog::ModelEntry;
use crate::civil::LocalTime;
use crate::contour;
use crate::contour::session::ContourMeter;
use crate::family::Family;
use crate::faults::Fault;
use crate::meter::{Absent, HidMeter, LinkKind, UsbIds};
use crate::scsi::ScsiMeter;
use crate::truth::{SetAside, Truth};
use crate::usb::{Identity, Shape, UsbDevice};
use crate::verio;
use crate::verio::meter::VerioMeter;
use crate::verio::stick::{Looks, Stick};

/// The meter's clock runs that much ahead of the newest result unless told otherwise.
const CLOCK_AFTER_END_S: i64 = 7 * 60;
/// Width of the serial in the USB descriptor.
const USB_SERIAL_WIDTH: usize = 16;

/// Unit of the stored glucose values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Milligrams per decilitre, whole numbers.
    MgPerDl,
    /// Millimoles per litre, one decimal.
    MmolPerL,
}

impl Unit {
    /// The UCUM text.
    pub fn text(self) -> &'static str {
        match self {
            Self::MgPerDl => "mg/dL",
            Self::MmolPerL => "mmol/L",
        }
    }
}

/// What the meter is in the middle of when the host arrives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// Nothing.
    Idle,
    /// A frame waits for its ACK.
    Frame,
    /// Command mode.
    Command,
    /// It offers data on its own.
    Enq,
}

/// Which header is made to fill whole reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Align {
    /// None.
    None,
    /// The offer.
    First,
    /// The one with the processing id.
    Second,
}

/// One virtual meter with all its parameters; made by [`parse`](crate::parse).
///
/// The same text always gives the same readings and the same bytes.
#[derive(Clone, Debug)]
pub struct Scenario {
    pub(crate) family: Family,
    pub(crate) records: u32,
    pub(crate) unit: Unit,
    pub(crate) seed: u64,
    pub(crate) serial: String,
    pub(crate) end: LocalTime,
    pub(crate) days: u32,
    pub(crate) clock: Option<LocalTime>,
    pub(crate) pace_ms: u32,
    pub(crate) found: Found,
    pub(crate) align: Align,
    pub(crate) counter: u16,
    pub(crate) looks: Looks,
    pub(crate) faults: Vec<Fault>,
}

impl Scenario {
    /// What the meter is plugged into.
    pub fn link(&self) -> LinkKind {
        self.family.entry().link
    }

    /// Builds the HID meter, as just plugged in; an unplugged one when the model has another link.
    pub fn meter(&self) -> Box<dyn HidMeter> {
        self.hid_meter().unwrap_or_else(|| Box::new(Absent))
    }

    /// Builds the meter, as just plugged in, when it is a HID device.
    pub fn hid_meter(&self) -> Option<Box<dyn HidMeter>> {
        let Family::Contour(model) = self.family else {
            return None;
        };
        let records = contour::records::generate(model, self).into();
        let meter = ContourMeter::new(model, Arc::new(self.clone()), records);
        Some(Box::new(meter))
    }

    /// Builds the meter, as just plugged in, when it is a disk.
    pub fn scsi_meter(&self) -> Option<Box<dyn ScsiMeter>> {
        match self.family {
            Family::Contour(_) => None,
            Family::Verio(model) => Some(Box::new(VerioMeter::new(model, self.clone()))),
            Family::Stick => Some(Box::new(Stick::new(self.looks))),
        }
    }

    /// Builds the meter, as just plugged in, as a USB device for an operating system.
    ///
    /// The system reads a disk as it likes; the host's own writes and reads are judged as strictly as
    /// by [`scsi_meter`](Self::scsi_meter).
    pub fn usb_device(&self) -> UsbDevice {
        let ids = self.usb();
        let serial = self.usb_serial();
        match self.family {
            Family::Contour(model) => {
                let identity = Identity {
                    ids,
                    shape: model.shape,
                    manufacturer: "Bayer HealthCare LLC",
                    product: model.entry.name.to_owned(),
                    serial,
                    storage: None,
                };
                let software: Vec<Box<dyn ScsiMeter>> = match model.shape {
                    Shape::HidAndDisk | Shape::DiskAndHid => vec![
                        Box::new(Stick::with_software()),
                        Box::new(Stick::with_software()),
                    ],
                    Shape::Hid | Shape::Disk => Vec::new(),
                };
                UsbDevice::new(identity, self.hid_meter(), software)
            }
            Family::Verio(model) => {
                let identity = Identity {
                    ids,
                    shape: Shape::Disk,
                    manufacturer: "LifeScan",
                    product: model.text.to_owned(),
                    serial,
                    storage: Some("LifeScan MSC"),
                };
                let meter = VerioMeter::new(model, self.clone()).shared();
                UsbDevice::new(identity, None, vec![Box::new(meter)])
            }
            Family::Stick => {
                let identity = Identity {
                    ids,
                    shape: Shape::Disk,
                    manufacturer: "Generic",
                    product: "Mass Storage".to_owned(),
                    serial,
                    storage: None,
                };
                let stick = Stick::new(self.looks);
                UsbDevice::new(identity, None, vec![Box::new(stick)])
            }
        }
    }

    /// The results a correct reader must report, in meter order: Contour oldest first, Verio
    /// newest first.
    ///
    /// Faults that cut a session short do not shorten this list; records made unparsable are in
    /// [`set_aside`](Self::set_aside) instead.
    pub fn truth(&self) -> Vec<Truth> {
        match self.family {
            Family::Contour(model) => contour::records::generate(model, self)
                .into_iter()
                .filter(|record| record.odd.is_none())
                .map(|record| Truth {
                    sent: record.text(),
                    ..record.truth
                })
                .collect(),
            Family::Verio(model) => verio::records::lasting(model, self)
                .into_iter()
                .filter(|record| record.odd.is_none())
                .map(|record| record.truth)
                .collect(),
            Family::Stick => Vec::new(),
        }
    }

    /// The records a correct reader must keep raw, with a reason.
    pub fn set_aside(&self) -> Vec<SetAside> {
        match self.family {
            Family::Contour(model) => contour::records::generate(model, self)
                .into_iter()
                .filter_map(|record| {
                    Some(SetAside {
                        position: record.truth.position,
                        reason: record.odd?.reason(),
                        text: record.text(),
                    })
                })
                .collect(),
            Family::Verio(model) => verio::records::lasting(model, self)
                .into_iter()
                .filter_map(|record| {
                    Some(SetAside {
                        position: record.truth.position,
                        reason: record.odd?,
                        text: record.truth.sent,
                    })
                })
                .collect(),
            Family::Stick => Vec::new(),
        }
    }

    /// The listing of the model.
    pub fn model(&self) -> &'static ModelEntry {
        self.family.entry()
    }

    /// The model text that the meter tells, where the protocol has one.
    pub fn model_text(&self) -> Option<&'static str> {
        match self.family {
            Family::Verio(model) => Some(model.text),
            Family::Contour(_) | Family::Stick => None,
        }
    }

    /// The software version text that the meter tells, where the protocol has one.
    pub fn software_text(&self) -> Option<&'static str> {
        match self.family {
            Family::Verio(model) => Some(model.software),
            Family::Contour(_) | Family::Stick => None,
        }
    }

    /// USB ids.
    pub fn usb(&self) -> UsbIds {
        match self.family {
            Family::Stick => self.looks.usb(),
            family => family.entry().usb,
        }
    }

    /// The serial a correct reader reports: regional form, no blanks, upper case.
    pub fn serial(&self) -> String {
        self.serial_raw().replace(' ', "").to_ascii_uppercase()
    }

    /// The serial that the meter tells, unchanged.
    pub fn serial_raw(&self) -> String {
        match self.family {
            Family::Contour(model) => format!("{}{}", model.region, self.serial),
            Family::Verio(_) | Family::Stick => self.serial.clone(),
        }
    }

    /// The serial without its regional part.
    pub fn bare_serial(&self) -> &str {
        &self.serial
    }

    /// The serial in the USB descriptor, for models known to have one.
    pub fn usb_serial(&self) -> Option<String> {
        match self.family {
            Family::Contour(model) => {
                let digits = self.serial.chars().filter(char::is_ascii_digit);
                let digits: String = digits.collect();
                model
                    .usb_serial
                    .then(|| format!("{digits:0>USB_SERIAL_WIDTH$}"))
            }
            Family::Verio(_) | Family::Stick => Some(self.serial.clone()),
        }
    }

    /// Unit of the glucose values; for the Verio family the unit of its display only, the values
    /// are always in mg/dL.
    pub fn unit(&self) -> Unit {
        self.unit
    }

    /// Number of results stored when the meter is plugged in, those that cannot be parsed included.
    pub fn records(&self) -> u32 {
        self.records
    }

    /// Real milliseconds the link should let pass per report or SCSI command; not used by the
    /// meter itself.
    pub fn pace_ms(&self) -> u32 {
        self.pace_ms
    }

    /// The clock the meter starts with.
    pub fn clock(&self) -> LocalTime {
        self.clock
            .unwrap_or_else(|| self.end.plus_seconds(CLOCK_AFTER_END_S))
    }

    /// True when the text named a clock or [`with_clock`](Self::with_clock) set one.
    pub fn clock_is_explicit(&self) -> bool {
        self.clock.is_some()
    }

    /// The same meter with another clock; the results keep their times.
    pub fn with_clock(self, clock: LocalTime) -> Self {
        Self {
            clock: Some(clock),
            ..self
        }
    }
}
