//! One virtual meter with all its parameters.

use std::sync::Arc;

use crate::catalog::ModelEntry;
use crate::civil::LocalTime;
use crate::contour::model::Model;
use crate::contour::session::ContourMeter;
use crate::faults::Fault;
use crate::meter::{HidMeter, UsbIds};
use crate::records::{Record, generate};
use crate::truth::{SetAside, Truth};

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
    pub(crate) model: &'static Model,
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
    pub(crate) faults: Vec<Fault>,
}

impl Scenario {
    /// Builds the meter, as just plugged in.
    pub fn meter(&self) -> Box<dyn HidMeter> {
        Box::new(ContourMeter::new(
            Arc::new(self.clone()),
            generate(self).into(),
        ))
    }

    /// The results a correct reader must report, in meter order.
    ///
    /// Faults that cut a session short do not shorten this list; records made unparsable are in
    /// [`set_aside`](Self::set_aside) instead.
    pub fn truth(&self) -> Vec<Truth> {
        let records = generate(self).into_iter();
        records
            .filter(|record| record.odd.is_none())
            .map(|record| record.truth)
            .collect()
    }

    /// The records a correct reader must keep raw, with a reason.
    pub fn set_aside(&self) -> Vec<SetAside> {
        let records = generate(self).into_iter();
        let odd = |record: Record| {
            let reason = record.odd?.reason();
            Some(SetAside {
                position: record.truth.position,
                text: record.text(),
                reason,
            })
        };
        records.filter_map(odd).collect()
    }

    /// The listing of the model.
    pub fn model(&self) -> &'static ModelEntry {
        &self.model.entry
    }

    /// USB ids.
    pub fn usb(&self) -> UsbIds {
        self.model.entry.usb
    }

    /// The serial a correct reader reports: regional form, no blanks, upper case.
    pub fn serial(&self) -> String {
        self.serial_raw().replace(' ', "").to_ascii_uppercase()
    }

    /// The serial component of the header, unchanged.
    pub fn serial_raw(&self) -> String {
        format!("{}{}", self.model.region, self.serial)
    }

    /// The serial without its regional part.
    pub fn bare_serial(&self) -> &str {
        &self.serial
    }

    /// The serial in the USB descriptor, for models known to have one.
    pub fn usb_serial(&self) -> Option<String> {
        let digits: String = self.serial.chars().filter(char::is_ascii_digit).collect();
        self.model
            .usb_serial
            .then(|| format!("{digits:0>USB_SERIAL_WIDTH$}"))
    }

    /// Unit of the glucose values.
    pub fn unit(&self) -> Unit {
        self.unit
    }

    /// Number of stored results, those that cannot be parsed included.
    pub fn records(&self) -> u32 {
        self.records
    }

    /// Real milliseconds the link should let pass per report; not used by the meter itself.
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
