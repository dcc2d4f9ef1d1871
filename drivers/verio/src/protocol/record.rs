//! A stored result: sixteen bytes.
//!
//! The glucose value has 16 bits. The byte behind it is the meal mark: read as one number of 32 bits, a
//! result before a meal is 65 536 mg/dL too high. Layout: other programs agree, older pages do not.

use glucopipe_sdk::chrono::NaiveDateTime;

use crate::lifescan::epoch::Epoch;

/// Bytes of a record.
pub const LEN: usize = 16;
/// Lowest value the strips measure (manuals of the meters).
pub const LOW_LIMIT: u16 = 20;
/// Highest value the strips measure (manuals of the meters).
pub const HIGH_LIMIT: u16 = 600;
/// Highest value that can be one (our own rule for all meters).
pub const PLAUSIBLE_LIMIT: u16 = 2_000;
/// Value for "above the range" on a serial meter of the maker (other programs).
pub const HIGH_VALUE: u16 = 0xffff;
/// Value for "below the range" on a serial meter of the maker (other programs).
pub const LOW_VALUE: u16 = 0xfffe;
/// Bit of the control byte: a test with control solution (other programs).
const CONTROL: u8 = 0x01;
/// Times of a clock that was never set.
const TIME_UNSET: [u32; 2] = [0, u32::MAX];

/// When in relation to a meal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meal {
    /// No mark.
    None,
    /// Before it.
    Before,
    /// After it.
    After,
    /// A mark nobody knows.
    Unknown(u8),
}

/// Where the value lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Range {
    /// Measured.
    In,
    /// Below [`LOW_LIMIT`].
    Below,
    /// Above [`HIGH_LIMIT`].
    Above,
    /// More than a meter can mean.
    Implausible,
}

/// A record as the meter holds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record {
    /// Number that runs against the index.
    pub inverse: u16,
    /// Control byte; see [`Record::is_control`].
    pub control: u8,
    /// Number that goes on counting when the memory is erased.
    pub counter: u16,
    /// When: seconds since 2000-01-01 by the meter's clock.
    pub seconds: u32,
    /// Value in mg/dL, whatever the meter shows.
    pub glucose: u16,
    /// Meal byte; see [`Record::meal`].
    pub meal: u8,
    /// Zero in all known records.
    pub zero: u8,
    /// Flags nobody has decoded.
    pub flags: u8,
    /// `0b 00` in all known records.
    pub tail: [u8; 2],
}

impl Record {
    /// Takes a record apart.
    pub const fn decode(bytes: [u8; LEN]) -> Self {
        let [
            i0,
            i1,
            control,
            c0,
            c1,
            t0,
            t1,
            t2,
            t3,
            g0,
            g1,
            meal,
            zero,
            flags,
            tail @ ..,
        ] = bytes;
        Self {
            inverse: u16::from_le_bytes([i0, i1]),
            control,
            counter: u16::from_le_bytes([c0, c1]),
            seconds: u32::from_le_bytes([t0, t1, t2, t3]),
            glucose: u16::from_le_bytes([g0, g1]),
            meal,
            zero,
            flags,
            tail,
        }
    }

    /// Puts a record together.
    pub const fn encode(&self) -> [u8; LEN] {
        let [i0, i1] = self.inverse.to_le_bytes();
        let [c0, c1] = self.counter.to_le_bytes();
        let [t0, t1, t2, t3] = self.seconds.to_le_bytes();
        let [g0, g1] = self.glucose.to_le_bytes();
        let (control, [tail0, tail1]) = (self.control, self.tail);
        let (meal, zero, flags) = (self.meal, self.zero, self.flags);
        [
            i0, i1, control, c0, c1, t0, t1, t2, t3, g0, g1, meal, zero, flags, tail0, tail1,
        ]
    }

    /// Whether it is a test with control solution.
    pub const fn is_control(&self) -> bool {
        self.control & CONTROL != 0
    }

    /// Returns the meal mark.
    pub const fn meal(&self) -> Meal {
        match self.meal {
            0 => Meal::None,
            1 => Meal::Before,
            2 => Meal::After,
            other => Meal::Unknown(other),
        }
    }

    /// Returns where the value lies.
    pub const fn range(&self) -> Range {
        match self.glucose {
            HIGH_VALUE => Range::Above,
            LOW_VALUE => Range::Below,
            value if value < LOW_LIMIT => Range::Below,
            value if value <= HIGH_LIMIT => Range::In,
            value if value <= PLAUSIBLE_LIMIT => Range::Above,
            _ => Range::Implausible,
        }
    }

    /// Whether the value is a limit itself: measured, but other programs disagree.
    pub const fn is_at_limit(&self) -> bool {
        matches!(self.glucose, LOW_LIMIT | HIGH_LIMIT)
    }

    /// Whether the clock was never set when it was stored.
    pub const fn is_time_unset(&self) -> bool {
        is_unset(self.seconds)
    }

    /// Returns the time by the meter's clock; 2000-01-01 when that was never set.
    pub fn local_time(&self) -> NaiveDateTime {
        Epoch::Year2000.civil(if self.is_time_unset() {
            0
        } else {
            self.seconds
        })
    }

    /// Returns what tells it from all others of the meter.
    pub const fn key(&self) -> (u16, u32) {
        (self.counter, self.seconds)
    }

    /// Whether it is the same record: all of it but the number that runs against the index, which may change
    /// with each test.
    pub fn is_same(&self, other: &Self) -> bool {
        let without = |record: &Self| Self {
            inverse: 0,
            ..*record
        };
        without(self) == without(other)
    }

    /// Returns the control, meal, zero and flag bytes as hexadecimal text, verbatim.
    pub fn markers(&self) -> String {
        let Self {
            control,
            meal,
            zero,
            flags,
            ..
        } = self;
        format!("{control:02x} {meal:02x} {zero:02x} {flags:02x}")
    }
}

/// Whether the seconds are those of a clock that was never set.
pub const fn is_unset(seconds: u32) -> bool {
    seconds == TIME_UNSET[0] || seconds == TIME_UNSET[1]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::reply::{Reply, record};

    /// The worked examples: 104 mg/dL; the same before a meal; control solution.
    const EXAMPLES: [[u8; 24]; 3] = [
        [
            2, 0x18, 0, 3, 6, 7, 0, 0, 0xd2, 0, 0x4c, 0xe3, 0xad, 0x31, 0x68, 0, 0, 0, 0, 0x0b, 0,
            3, 0x11, 0x84,
        ],
        [
            2, 0x18, 0, 3, 6, 6, 0, 0, 0xd3, 0, 0x5c, 0xf1, 0xad, 0x31, 0x68, 0, 1, 0, 0, 0x0b, 0,
            3, 0xec, 0x68,
        ],
        [
            2, 0x18, 0, 3, 6, 5, 0, 1, 0xd4, 0, 0x6c, 0xff, 0xad, 0x31, 0x76, 0, 0, 0, 0, 0x0b, 0,
            3, 0xbf, 0x6b,
        ],
    ];

    fn example(at: usize) -> Record {
        record(Reply::parse(&[], &EXAMPLES[at]).unwrap().data).unwrap()
    }

    fn with_glucose(glucose: u16) -> Record {
        Record {
            glucose,
            ..example(0)
        }
    }

    #[test]
    fn worked_example_without_marks() {
        let record = example(0);
        assert_eq!(
            (record.inverse, record.counter, record.glucose),
            (7, 210, 104)
        );
        assert_eq!(record.local_time().to_string(), "2026-05-30 18:05:00");
        assert_eq!((record.meal(), record.is_control()), (Meal::None, false));
        assert_eq!(record.markers(), "00 00 00 00");
        assert_eq!(record.tail, [0x0b, 0]);
    }

    #[test]
    fn value_before_a_meal_is_104_and_not_65640() {
        let record = example(1);
        assert_eq!((record.glucose, record.meal()), (104, Meal::Before));
        assert_eq!((record.inverse, record.counter), (6, 211));
        assert_eq!(record.local_time().to_string(), "2026-05-30 19:05:00");
        assert_eq!(record.markers(), "00 01 00 00");
        let bytes = record.encode();
        let wrong = u32::from_le_bytes([bytes[9], bytes[10], bytes[11], bytes[12]]);
        assert_eq!(wrong, 65_640);
    }

    #[test]
    fn control_byte_marks_control_solution() {
        let record = example(2);
        assert!(record.is_control());
        assert_eq!((record.glucose, record.meal()), (118, Meal::None));
        let other_bits = Record {
            control: 0xfe,
            ..record
        };
        assert!(!other_bits.is_control());
        assert_eq!(other_bits.markers(), "fe 00 00 00");
    }

    #[test]
    fn limits_themselves_are_measured() {
        let ranges = [
            (0, Range::Below, false),
            (19, Range::Below, false),
            (20, Range::In, true),
            (21, Range::In, false),
            (600, Range::In, true),
            (601, Range::Above, false),
            (2_000, Range::Above, false),
            (2_001, Range::Implausible, false),
            (0xfffd, Range::Implausible, false),
            (0xfffe, Range::Below, false),
            (0xffff, Range::Above, false),
        ];
        for (glucose, range, at_limit) in ranges {
            let record = with_glucose(glucose);
            assert_eq!(
                (record.range(), record.is_at_limit()),
                (range, at_limit),
                "{glucose}"
            );
        }
    }

    #[test]
    fn meal_marks_nobody_knows_are_kept() {
        let meal = |meal| Record { meal, ..example(0) }.meal();
        assert_eq!(meal(2), Meal::After);
        assert_eq!(meal(3), Meal::Unknown(3));
        assert_eq!(meal(0xff), Meal::Unknown(0xff));
    }

    #[test]
    fn clock_never_set_is_no_date() {
        for seconds in [0, u32::MAX] {
            let record = Record {
                seconds,
                ..example(0)
            };
            assert!(record.is_time_unset());
            assert_eq!(record.local_time().to_string(), "2000-01-01 00:00:00");
        }
        assert!(!example(0).is_time_unset());
    }
}
