//! Where the protocol holds what belongs to a person: serials, dates, values, names. All of it is replaced in
//! place, by as many bytes, so that reports and frames keep their borders.

use std::fmt;
use std::ops::Range;

use glucopipe_sdk::chrono::NaiveDate;
use glucopipe_sdk::scrub::{Disguise, blanked};

use super::frame::{Frame, FrameError};
use super::header::{Header, field as in_header, sender};
use super::join::RECORD_MAX;
use super::limits::GlucoseUnit;
use super::local_time::LocalTime;
use super::markers::Markers;
use super::record::{Decoder, ORDER_ACTION_FIELD};
use super::result::{TEST_COMPONENT, field as in_result};
use super::{CR, ETX, command};

/// The group of digits in front of a serial with the sign behind it, which say the model (captured).
const SERIAL_GROUP: usize = 5;
/// Field of the header with the password, new for every header (captured).
const PASSWORD_FIELD: usize = 3;
/// Bytes of a frame in front of its body, and behind it: end byte, checksum, CR LF.
const HEAD: usize = 2;
const TAIL: usize = 5;

/// Why bytes cannot be scrubbed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScrubError {
    /// A date, moved, is none that a meter can show.
    Date,
    /// A record that goes on in the next frame: what it holds is not seen in one piece.
    Divided,
}

impl fmt::Display for ScrubError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Date => "a date, moved, is none that a meter can show",
            Self::Divided => "a record goes on in the next frame",
        })
    }
}

impl std::error::Error for ScrubError {}

/// Scrubs what a meter says, in its order.
#[derive(Debug)]
pub struct Scrubber<'a> {
    disguise: &'a Disguise,
    decoder: Decoder,
}

impl<'a> Scrubber<'a> {
    /// Nothing was said yet.
    pub fn new(disguise: &'a Disguise) -> Self {
        Self {
            disguise,
            decoder: Decoder::default(),
        }
    }

    /// Scrubs a frame, delimiters and all. A checksum that was wrong is as wrong as before.
    ///
    /// # Errors
    /// [`ScrubError`].
    pub fn frame(&mut self, raw: &mut [u8]) -> Result<(), ScrubError> {
        let wrong_by = match Frame::parse(raw) {
            Ok(_) | Err(FrameError::Number(_)) => 0,
            Err(FrameError::Checksum { sent, computed }) => sent.wrapping_sub(computed),
            Err(FrameError::Shape) => {
                self.fragment(raw);
                return Ok(());
            }
        };
        let Some(end) = raw.len().checked_sub(TAIL).filter(|end| *end >= HEAD) else {
            return Ok(());
        };
        let whole = raw[end] == ETX || raw[..end].ends_with(&[CR]);
        if !whole && wrong_by == 0 {
            return Err(ScrubError::Divided);
        }
        for record in raw[HEAD..end].split_mut(|byte| *byte == CR) {
            self.record(record)?;
        }
        let sum = raw[1..=end]
            .iter()
            .fold(0_u8, |sum, b| sum.wrapping_add(*b));
        let digits = format!("{:02X}", sum.wrapping_add(wrong_by));
        put(raw, end + 1..end + 3, digits.as_bytes());
        Ok(())
    }

    /// Scrubs a text of command mode, from either side: a date moves, all that is no date, time or command is
    /// blanked.
    ///
    /// # Errors
    /// [`ScrubError::Date`].
    pub fn text(&self, text: &mut [u8]) -> Result<(), ScrubError> {
        let known = command::COMMANDS.iter().any(|(_, letters)| {
            let rest = text.strip_prefix(*letters);
            !letters.is_empty() && rest.is_some_and(|rest| rest.is_empty() || rest == [CR])
        });
        if known || matches!(text, [_]) {
            return Ok(());
        }
        let start = if text.starts_with(b"D|") { 2 } else { 0 };
        let digits = text[start..].iter().take_while(|b| b.is_ascii_digit());
        let end = start + digits.count();
        let closed = matches!(&text[end..], b"|" | b"|\r" | b"|\r\n");
        match end - start {
            4 if closed => {}
            6 if closed => {
                let date = [b"20", &text[start..end], b"0000"].concat();
                let moved = self.moved(&date)?.unwrap_or_else(|| blanked(&date));
                if !moved.starts_with(b"20") && LocalTime::parse(&date).is_some() {
                    return Err(ScrubError::Date);
                }
                put(text, start..end, &moved[2..8]);
            }
            _ => self.fragment(text),
        }
        Ok(())
    }

    /// Blanks what is no whole frame, record or reply.
    pub fn fragment(&self, bytes: &mut [u8]) {
        let blank = blanked(bytes);
        bytes.copy_from_slice(&blank);
    }

    /// Scrubs a record without its CR.
    fn record(&mut self, record: &mut [u8]) -> Result<(), ScrubError> {
        let separator = self.decoder.delimiters.field;
        match record {
            _ if record.len() > RECORD_MAX => self.fragment(record),
            [b'H', ..] => return self.header(record),
            [b'L'] => {}
            [b'L', next, ..] if *next == separator => {}
            [b'R', next, ..] if *next == separator => return self.result(record),
            [letter, next, ..] if *next == separator => {
                // Number and, of an order, what makes its result a control test.
                let kept: &[usize] = match letter {
                    b'P' => &[0, 1],
                    b'O' => &[0, 1, ORDER_ACTION_FIELD],
                    _ => &[0],
                };
                self.blank_fields(record, kept);
            }
            [] => {}
            _ => self.fragment(record),
        }
        Ok(())
    }

    fn header(&mut self, record: &mut [u8]) -> Result<(), ScrubError> {
        let Ok(header) = Header::parse(record) else {
            self.fragment(record);
            return Ok(());
        };
        self.decoder = Decoder::new(&header);
        let delimiters = header.delimiters;
        let fields = parts(record, delimiters.field);
        if let Some(password) = fields.get(PASSWORD_FIELD) {
            self.disguise_part(record, password.clone());
        }
        if let Some(at) = fields.get(in_header::SENDER) {
            let components = parts(&record[at.clone()], delimiters.component);
            let inside = components.iter().enumerate();
            for (index, component) in inside {
                let mut part = at.start + component.start..at.start + component.end;
                match index {
                    // A short one has no group in front.
                    sender::SERIAL if part.len() > SERIAL_GROUP => part.start += SERIAL_GROUP,
                    sender::SERIAL | sender::EXTRA.. => {}
                    _ => continue,
                }
                // The same digits stand in another component, there without the blank.
                let blanks = record[part.clone()].iter().take_while(|b| **b == b' ');
                part.start += blanks.count();
                self.disguise_part(record, part);
            }
        }
        if let Some(clock) = fields.get(in_header::CLOCK) {
            self.move_date(record, clock.clone())?;
        }
        let known = [
            0,
            1,
            PASSWORD_FIELD,
            in_header::SENDER,
            in_header::INFO,
            in_header::RESULT_COUNT,
            in_header::PROCESSING_ID,
            in_header::VERSION,
            in_header::CLOCK,
        ];
        self.blank_fields(record, &known);
        Ok(())
    }

    fn result(&self, record: &mut [u8]) -> Result<(), ScrubError> {
        let delimiters = self.decoder.delimiters;
        let fields = parts(record, delimiters.field);
        let field = |at: usize| fields.get(at).cloned().unwrap_or(0..0);
        let text = |at: usize| record[field(at)].to_vec();
        let component = |at: usize, index: usize| {
            let text = text(at);
            let mut parts = text.split(|byte| *byte == delimiters.component);
            parts.nth(index).map(<[u8]>::to_vec).unwrap_or_default()
        };
        let test = component(in_result::TEST, TEST_COMPONENT);
        let markers = Markers::parse(&text(in_result::MARKERS), delimiters.repeat);
        let value = text(in_result::VALUE);
        let unit =
            GlucoseUnit::parse(&component(in_result::UNIT, 0)).filter(|_| test == b"Glucose");
        let made = match (unit, markers.range) {
            // LO and HI are the limit of the meter, not a measurement.
            (Some(_), Some(_)) => value.clone(),
            (unit, _) => {
                let context = [&text(in_result::TIME), b"|".as_slice(), &test].concat();
                self.disguise
                    .decimal(&context, &value, self.range(unit, &value))
            }
        };
        let is_number = !value.is_empty() && value.iter().all(|b| b.is_ascii_digit() || *b == b'.');
        let made = if is_number { made } else { blanked(&value) };
        put(record, field(in_result::VALUE), &made);
        self.move_date(record, field(in_result::TIME))?;
        let known = [
            0,
            in_result::NUMBER,
            in_result::TEST,
            in_result::VALUE,
            in_result::UNIT,
            in_result::MARKERS,
            in_result::TIME,
        ];
        self.blank_fields(record, &known);
        Ok(())
    }

    /// The measured values that a value may become, in units of its last digit.
    fn range(&self, unit: Option<GlucoseUnit>, value: &[u8]) -> std::ops::RangeInclusive<u64> {
        let Some(unit) = unit else {
            return 1..=u64::MAX;
        };
        let behind = value.iter().rev().take_while(|byte| **byte != b'.').count();
        let scale = if behind == value.len() { 0 } else { behind };
        let times = 10_u32.saturating_pow(u32::try_from(scale).unwrap_or(0).min(9));
        let limits = self.decoder.limits.in_unit(unit);
        let digits = |limit: super::decimal::Decimal| {
            let number = limit.converted(times, 1, 0).to_string().parse::<u64>();
            number.unwrap_or(0)
        };
        digits(limits.low) + 1..=digits(limits.high).saturating_sub(1)
    }

    fn disguise_part(&self, record: &mut [u8], part: Range<usize>) {
        let made = self.disguise.text(&record[part.clone()]);
        put(record, part, &made);
    }

    fn blank_fields(&self, record: &mut [u8], kept: &[usize]) {
        let fields = parts(record, self.decoder.delimiters.field);
        for (_, field) in (0..).zip(fields).filter(|(index, _)| !kept.contains(index)) {
            self.fragment(&mut record[field]);
        }
    }

    fn move_date(&self, record: &mut [u8], field: Range<usize>) -> Result<(), ScrubError> {
        let date = &record[field.clone()];
        let moved = self.moved(date)?.unwrap_or_else(|| blanked(date));
        put(record, field, &moved);
        Ok(())
    }

    /// A date and time, moved; `None` if it is none.
    fn moved(&self, text: &[u8]) -> Result<Option<Vec<u8>>, ScrubError> {
        let Some(time) = LocalTime::parse(text) else {
            return Ok(None);
        };
        let (year, month, day) = (time.year.into(), time.month.into(), time.day.into());
        let date = NaiveDate::from_ymd_opt(year, month, day);
        let date = date.and_then(|date| self.disguise.moved(date.into()));
        let date = date.ok_or(ScrubError::Date)?;
        let mut moved = date.format("%Y%m%d").to_string().into_bytes();
        moved.extend(text.get(8..).unwrap_or_default());
        if moved.len() != text.len() {
            return Err(ScrubError::Date);
        }
        Ok(Some(moved))
    }
}

/// Where the parts between separators lie.
fn parts(text: &[u8], separator: u8) -> Vec<Range<usize>> {
    let mut start = 0;
    text.split(|byte| *byte == separator)
        .map(|part| {
            let range = start..start + part.len();
            start = range.end + 1;
            range
        })
        .collect()
}

/// Puts bytes in the place of as many others.
fn put(into: &mut [u8], at: Range<usize>, bytes: &[u8]) {
    if let Some(place) = into.get_mut(at).filter(|place| place.len() == bytes.len()) {
        place.copy_from_slice(bytes);
    }
}

#[cfg(test)]
mod tests;
