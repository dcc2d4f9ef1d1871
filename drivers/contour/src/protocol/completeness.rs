//! Whether a download is complete, from what was counted on the way.
//!
//! Nothing is lost either way: an incomplete download keeps its readings. It only may never be
//! presented as complete.

use std::fmt;

use super::record::{Record, TerminatorCode};
use super::result::{Kind, Range};

/// Counts of one download. The fields that no record tells are set by whoever runs the session.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// A valid header was read.
    pub header_seen: bool,
    /// How many results the header announced.
    pub declared: Option<u32>,
    /// Distinct `R` records, readable or not.
    pub results: u32,
    /// Blood glucose readings among them.
    pub glucose: u32,
    /// Control tests among them.
    pub control: u32,
    /// Insulin entries among them.
    pub insulin: u32,
    /// Carbohydrate entries among them.
    pub carbs: u32,
    /// Results above the measuring range.
    pub above: u32,
    /// Results below the measuring range.
    pub below: u32,
    /// `R` records kept raw because they could not be read.
    pub odd_results: u32,
    /// Other records kept raw.
    pub odd_records: u32,
    /// Results whose position does not follow the one before; reported, no harm.
    pub position_breaks: u32,
    /// The terminator, if one came.
    pub terminator: Option<TerminatorCode>,
    /// The terminator came in a frame that does not end the message.
    pub terminator_in_etb: bool,
    /// Session: repeated frames that were skipped.
    pub duplicates: u32,
    /// Session: NAKs sent.
    pub naks: u32,
    /// Session: gaps in the frame numbers.
    pub gaps: u32,
    /// Session: frames given up after the last NAK.
    pub frames_given_up: u32,
    /// Session: records that could not be stored.
    pub unstored: u32,
    /// Session: why it ended early.
    pub interruption: Option<Interruption>,
    last_position: u32,
}

/// Why a session ended early.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interruption {
    /// The meter stopped answering.
    Silence,
    /// The meter ended the transmission without a terminator.
    EndOfTransmission,
    /// The meter started over more than once.
    Restart,
    /// The meter sent reports that are none.
    Transport,
    /// The connection broke.
    DeviceLost,
    /// The user or the program asked to stop.
    Cancelled,
    /// The time allowed for the read was used up.
    Deadline,
}

impl fmt::Display for Interruption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Silence => "the meter stopped answering",
            Self::EndOfTransmission => "the meter ended the transmission early",
            Self::Restart => "the meter started over more than once",
            Self::Transport => "the meter sent malformed reports",
            Self::DeviceLost => "the connection to the meter broke",
            Self::Cancelled => "the read was cancelled",
            Self::Deadline => "the time allowed for the read was used up",
        })
    }
}

/// One thing that keeps a download from being complete.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The session ended early.
    Interrupted(Interruption),
    /// No terminator came.
    NoTerminator,
    /// The terminator is not a normal end.
    Terminator(TerminatorCode),
    /// The terminator came in a frame that announces more frames.
    TerminatorNotLast,
    /// The header announced another number of results.
    Count {
        /// Number in the header.
        declared: u32,
        /// Number of `R` records received.
        received: u32,
    },
    /// Frames are missing.
    Gaps(u32),
    /// Frames stayed bad after every repeat.
    FramesGivenUp(u32),
    /// Records could not be stored.
    Unstored(u32),
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Interrupted(why) => why.fmt(f),
            Self::NoTerminator => f.write_str("the meter sent no end record"),
            Self::Terminator(code) => write!(f, "the end record is not a normal end: {code}"),
            Self::TerminatorNotLast => {
                f.write_str("the end record came in a frame that is not the last")
            }
            Self::Count { declared, received } => {
                write!(
                    f,
                    "the meter announced {declared} results and sent {received}"
                )
            }
            Self::Gaps(1) => f.write_str("frames are missing in 1 place"),
            Self::Gaps(n) => write!(f, "frames are missing in {n} places"),
            Self::FramesGivenUp(1) => f.write_str("1 frame stayed damaged after every repeat"),
            Self::FramesGivenUp(n) => write!(f, "{n} frames stayed damaged after every repeat"),
            Self::Unstored(1) => f.write_str("1 record could not be stored"),
            Self::Unstored(n) => write!(f, "{n} records could not be stored"),
        }
    }
}

/// Verdict on a download.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Completeness {
    /// All the meter holds was received.
    Complete,
    /// Something may be missing; the reasons are never empty.
    Incomplete(Vec<Reason>),
    /// No valid header: nothing can be attributed.
    Failed,
}

impl Tally {
    /// Counts a record of an accepted frame. A later header replaces what an earlier one announced.
    pub fn count(&mut self, record: &Record) {
        match record {
            Record::Header(header) => {
                self.header_seen = true;
                self.declared = header.result_count;
            }
            Record::Result(result) => {
                self.count_result(result.number);
                match result.kind {
                    Kind::Glucose => add(&mut self.glucose),
                    Kind::Control => add(&mut self.control),
                    Kind::Insulin => add(&mut self.insulin),
                    Kind::Carbs => add(&mut self.carbs),
                }
                match result.range {
                    Range::Above(_) => add(&mut self.above),
                    Range::Below(_) => add(&mut self.below),
                    Range::In => {}
                }
            }
            Record::Odd(odd) if odd.is_result => {
                self.last_position = self.last_position.saturating_add(1);
                add(&mut self.results);
                add(&mut self.odd_results);
            }
            Record::Terminator(terminator) => self.terminator = Some(terminator.code.clone()),
            Record::Odd(_) | Record::Other { .. } => add(&mut self.odd_records),
            Record::Patient | Record::Order(_) => {}
        }
    }

    /// Moves a counted reading to the control tests, after [`super::result::ResultRecord::mark_control`].
    pub fn move_to_control(&mut self) {
        self.glucose = self.glucose.saturating_sub(1);
        add(&mut self.control);
    }

    /// Forgets the records when the meter starts over; what the line went through stays counted.
    pub fn restart(&mut self) {
        let Self {
            duplicates,
            naks,
            header_seen,
            declared,
            unstored,
            ..
        } = *self;
        *self = Self {
            duplicates,
            naks,
            header_seen,
            declared,
            unstored,
            ..Self::default()
        };
    }

    /// Judges the download.
    pub fn assess(&self) -> Completeness {
        if !self.header_seen {
            return Completeness::Failed;
        }
        let mut reasons: Vec<Reason> = self
            .interruption
            .map(Reason::Interrupted)
            .into_iter()
            .collect();
        match &self.terminator {
            None => reasons.push(Reason::NoTerminator),
            Some(TerminatorCode::Normal) if self.terminator_in_etb => {
                reasons.push(Reason::TerminatorNotLast);
            }
            Some(TerminatorCode::Normal) => {}
            Some(code) => reasons.push(Reason::Terminator(code.clone())),
        }
        if let Some(declared) = self.declared
            && declared != self.results
        {
            reasons.push(Reason::Count {
                declared,
                received: self.results,
            });
        }
        let counted = [
            (self.gaps, Reason::Gaps as fn(u32) -> Reason),
            (self.frames_given_up, Reason::FramesGivenUp),
            (self.unstored, Reason::Unstored),
        ];
        reasons.extend(
            counted
                .into_iter()
                .filter(|(n, _)| *n > 0)
                .map(|(n, reason)| reason(n)),
        );
        if reasons.is_empty() {
            Completeness::Complete
        } else {
            Completeness::Incomplete(reasons)
        }
    }

    fn count_result(&mut self, position: Option<u32>) {
        let expected = self.last_position.saturating_add(1);
        if position != Some(expected) {
            add(&mut self.position_breaks);
        }
        self.last_position = position.unwrap_or(expected);
        add(&mut self.results);
    }
}

fn add(count: &mut u32) {
    *count = count.saturating_add(1);
}

#[cfg(test)]
mod tests;
