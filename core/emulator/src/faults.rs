//! Faults a scenario can ask for, each observable by the host.

mod list;

use std::sync::LazyLock;

use list::FAULTS;

use crate::catalog::{KeyEntry, entries_of};
use crate::error::ScenarioError;
use crate::family::{Family, FamilyKind};

/// Largest delay of `slow`.
const SLOWEST_MS: u32 = 600_000;

/// Most tests that can be taken while a meter is being read.
const MOST_LATE_TESTS: i32 = 5;
/// Result with an unknown meal byte unless another one is named.
const MEAL_AT: &str = "3";

/// One requested fault.
///
/// `n` counts results from 1 unless said otherwise; messages of the command mode, and requests and
/// replies of the Verio family, count from 1 as well, repeated ones again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Bad checksum in result n once; 0 is the header.
    Checksum(u32),
    /// Bad checksum in result n every time.
    ChecksumForever(u32),
    /// The first wake-up is answered by NAK.
    Nak,
    /// Result n comes again although it was acknowledged.
    Duplicate(u32),
    /// Silent after n results until a NAK arrives.
    Stall(u32),
    /// Silent for ever after n results; Verio family: from reply n on.
    Dead(u32),
    /// Gone after n results.
    Unplug(u32),
    /// Junk before result n.
    Garbage(u32),
    /// The header's count is off by this.
    Count(i32),
    /// EOT in place of the terminator.
    NoTerminator,
    /// Another terminator code.
    Terminator(char),
    /// Result n cannot be parsed.
    Odd(u32),
    /// ENQ after n results, everything starts again.
    Restart(u32),
    /// A frame number is skipped before result n.
    Gap(u32),
    /// Wrong report prefix in result n once.
    Prefix(u32),
    /// An empty report in the middle of result n.
    EmptyReport(u32),
    /// Every answer takes this many milliseconds.
    Slow(u32),
    /// The acknowledgement of result n is not seen.
    AckLost(u32),
    /// EOT after n results.
    Cut(u32),
    /// Never answers.
    Mute,
    /// The header comes once only, at once with its processing id.
    SingleHeader,
    /// The clock is refused because a pump owns it.
    Pump,
    /// New dates and times are acknowledged and not taken.
    ClockStuck,
    /// The answer to command message n comes late.
    CommandLate(u32),
    /// Command message n is not heard.
    CommandLost(u32),
    /// Silent for ever from command message n on; 0 is the enquiry.
    CommandMute(u32),
    /// Command message n is refused.
    CommandNak(u32),
    /// The text in the answer to command message n is none of the protocol.
    CommandOdd(u32),
    /// Gone after command message n.
    CommandUnplug(u32),
    /// New dates are refused.
    NakDate,
    /// New times are refused.
    NakTime,
    /// The command mode is refused.
    NoCommand,
    /// A CR behind the letter for date or time is refused.
    NoCr,
    /// Reading reply n ends with CHECK CONDITION once.
    Check(u32),
    /// Wrong CRC in reply n once.
    Crc(u32),
    /// Wrong CRC in reply n and in every reply to the same request.
    CrcForever(u32),
    /// The reserved byte of result n is not zero.
    Layout(u32),
    /// This meal byte in result n.
    Meal(u8, u32),
    /// Request n is not processed.
    Refuse(u32),
    /// At request n a test takes the place of the oldest record.
    Replace(u32),
    /// Reading reply n transfers nothing once.
    Residue(u32),
    /// Error status in reply n once.
    Status(u32),
}

/// Names, default arguments and meanings of all faults; not every model has each of them.
pub fn faults() -> &'static [KeyEntry] {
    static LIST: LazyLock<Vec<KeyEntry>> =
        LazyLock::new(|| FAULTS.iter().map(|(_, entry)| *entry).collect());
    &LIST
}

/// Lists the faults of one model; none when there is no such model.
pub fn faults_of(model: &str) -> Vec<KeyEntry> {
    let kind = Family::find(model).map(Family::kind);
    entries_of(FAULTS, kind).collect()
}

#[cfg(test)]
pub(crate) fn contour_faults() -> impl Iterator<Item = KeyEntry> {
    entries_of(FAULTS, Some(FamilyKind::Contour))
}

#[cfg(test)]
pub(crate) fn verio_faults() -> impl Iterator<Item = KeyEntry> {
    entries_of(FAULTS, Some(FamilyKind::Verio))
}

impl Fault {
    /// Reads `NAME[:argument]` for a model.
    pub(crate) fn parse(text: &str, family: Family) -> Result<Self, ScenarioError> {
        let (name, argument) = text
            .split_once(':')
            .map_or((text, None), |(n, a)| (n, Some(a)));
        let Some(known) = faults().iter().find(|f| f.name == name) else {
            return Err(ScenarioError::UnknownFault {
                name: name.to_owned(),
                known: faults().iter().map(|f| f.name).collect(),
            });
        };
        let kind = family.kind();
        let here = || entries_of(FAULTS, Some(kind));
        if here().all(|fault| fault.name != known.name) {
            return Err(ScenarioError::NotForModel {
                what: "fault",
                name: known.name,
                model: family.entry().key,
                known: here().map(|fault| fault.name).collect(),
            });
        }
        let bad = |expected: &'static str| ScenarioError::BadValue {
            key: "fault",
            value: text.to_owned(),
            expected,
        };
        if known.default.is_empty() && argument.is_some() {
            return Err(bad("this fault without an argument"));
        }
        let argument = argument.unwrap_or(known.default);
        let at = || {
            argument
                .parse::<u32>()
                .map_err(|_| bad("the number of a result, message or reply"))
        };
        Ok(match name {
            "ack-lost" => Self::AckLost(at()?),
            "checksum" => Self::Checksum(at()?),
            "checksum-forever" => Self::ChecksumForever(at()?),
            "check" => Self::Check(at()?),
            "clock-stuck" => Self::ClockStuck,
            "command-late" => Self::CommandLate(at()?),
            "command-lost" => Self::CommandLost(at()?),
            "command-mute" => Self::CommandMute(at()?),
            "command-nak" => Self::CommandNak(at()?),
            "command-odd" => Self::CommandOdd(at()?),
            "command-unplug" => Self::CommandUnplug(at()?),
            "count" if kind == FamilyKind::Verio => Self::Count(
                argument
                    .parse()
                    .ok()
                    .filter(|count| (1..=MOST_LATE_TESTS).contains(count))
                    .ok_or_else(|| bad("a number from 1 to 5"))?,
            ),
            "count" => Self::Count(argument.parse().map_err(|_| bad("a whole number"))?),
            "crc" => Self::Crc(at()?),
            "crc-forever" => Self::CrcForever(at()?),
            "cut" => Self::Cut(at()?),
            "dead" => Self::Dead(at()?),
            "duplicate" => Self::Duplicate(at()?),
            "empty-report" => Self::EmptyReport(at()?),
            "gap" => Self::Gap(at()?),
            "garbage" => Self::Garbage(at()?),
            "layout" => Self::Layout(at()?),
            "meal" => {
                let (meal, at) = argument.split_once(':').unwrap_or((argument, MEAL_AT));
                match (meal.parse(), at.parse()) {
                    (Ok(meal), Ok(at)) => Self::Meal(meal, at),
                    _ => return Err(bad("a meal byte from 0 to 255 and the number of a result")),
                }
            }
            "mute" => Self::Mute,
            "nak" => Self::Nak,
            "nak-date" => Self::NakDate,
            "nak-time" => Self::NakTime,
            "no-command" => Self::NoCommand,
            "no-cr" => Self::NoCr,
            "no-terminator" => Self::NoTerminator,
            "odd" => Self::Odd(at()?),
            "prefix" => Self::Prefix(at()?),
            "pump" => Self::Pump,
            "refuse" => Self::Refuse(at()?),
            "replace" => Self::Replace(at()?),
            "residue" => Self::Residue(at()?),
            "restart" => Self::Restart(at()?),
            "single-header" => Self::SingleHeader,
            "slow" => Self::Slow(
                at().ok()
                    .filter(|ms| *ms <= SLOWEST_MS)
                    .ok_or_else(|| bad("milliseconds up to 600000"))?,
            ),
            "stall" => Self::Stall(at()?),
            "status" => Self::Status(at()?),
            "terminator" => {
                let mut chars = argument.chars();
                match (chars.next(), chars.next()) {
                    (Some(code), None) if code.is_ascii_alphanumeric() => Self::Terminator(code),
                    _ => return Err(bad("one letter")),
                }
            }
            _ => Self::Unplug(at()?),
        })
    }
}

/// Faults of one meter and whether those that happen once already did.
#[derive(Clone, Debug, Default)]
pub(crate) struct Faults(Vec<(Fault, bool)>);

impl Faults {
    /// Arms all faults.
    pub(crate) fn new(list: &[Fault]) -> Self {
        Self(list.iter().map(|fault| (*fault, false)).collect())
    }

    /// True the first time this fault is due.
    pub(crate) fn take(&mut self, fault: Fault) -> bool {
        let found = self.0.iter_mut().find(|(f, spent)| *f == fault && !*spent);
        found.is_some_and(|(_, spent)| {
            *spent = true;
            true
        })
    }

    /// True whenever this fault was asked for.
    pub(crate) fn has(&self, fault: Fault) -> bool {
        self.0.iter().any(|(f, _)| *f == fault)
    }

    /// First value a lasting fault carries.
    pub(crate) fn find<T>(&self, pick: impl Fn(Fault) -> Option<T>) -> Option<T> {
        self.0.iter().find_map(|(fault, _)| pick(*fault))
    }

    /// Number of faults that satisfy a condition.
    pub(crate) fn count(&self, keep: impl Fn(Fault) -> bool) -> usize {
        self.0.iter().filter(|(fault, _)| keep(*fault)).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Fault, ScenarioError> {
        Fault::parse(text, Family::find("contour-usb").unwrap())
    }

    fn parse_verio(text: &str) -> Result<Fault, ScenarioError> {
        Fault::parse(text, Family::find("verio").unwrap())
    }

    #[test]
    fn parses_every_listed_fault_with_its_default() {
        for fault in contour_faults() {
            assert!(parse(fault.name).is_ok(), "{}", fault.name);
        }
        for fault in verio_faults() {
            assert!(parse_verio(fault.name).is_ok(), "{}", fault.name);
        }
        let names: Vec<&str> = faults().iter().map(|f| f.name).collect();
        assert!(names.is_sorted());
    }

    #[test]
    fn reads_arguments() {
        assert_eq!(parse("count:-2"), Ok(Fault::Count(-2)));
        assert_eq!(parse("terminator:Q"), Ok(Fault::Terminator('Q')));
        assert_eq!(parse("unplug:7"), Ok(Fault::Unplug(7)));
        assert_eq!(parse("duplicate"), Ok(Fault::Duplicate(5)));
    }

    #[test]
    fn reads_arguments_of_the_verio_family() {
        assert_eq!(parse_verio("meal"), Ok(Fault::Meal(3, 3)));
        assert_eq!(parse_verio("meal:255:7"), Ok(Fault::Meal(255, 7)));
        assert_eq!(parse_verio("crc"), Ok(Fault::Crc(8)));
        assert_eq!(parse_verio("count:5"), Ok(Fault::Count(5)));
        for text in [
            "meal:256", "meal:3:x", "meal:", "count:0", "count:-1", "crc:x",
        ] {
            assert!(
                matches!(parse_verio(text), Err(ScenarioError::BadValue { .. })),
                "{text}"
            );
        }
    }

    #[test]
    fn says_when_a_fault_is_not_for_the_model() {
        let error = parse_verio("nak").unwrap_err();
        let text = "virtual meter `verio` has no fault `nak` (it has: check, count, crc, \
                    crc-forever, dead, layout, meal, mute, odd, refuse, replace, residue, slow, stall, status, unplug)";
        assert_eq!(error.to_string(), text);
        assert!(matches!(
            parse("crc"),
            Err(ScenarioError::NotForModel { .. })
        ));
        assert_eq!(faults_of("usb-stick"), []);
        assert_eq!(faults_of("select-plus").len(), 16);
    }

    #[test]
    fn rejects_wrong_names_and_arguments() {
        assert!(matches!(
            parse("checksm"),
            Err(ScenarioError::UnknownFault { known, .. }) if known.contains(&"checksum")
        ));
        for text in [
            "checksum:x",
            "nak:1",
            "terminator:TT",
            "terminator:|",
            "slow:9999999",
        ] {
            assert!(
                matches!(parse(text), Err(ScenarioError::BadValue { .. })),
                "{text}"
            );
        }
    }

    #[test]
    fn fires_a_fault_once() {
        let mut faults = Faults::new(&[Fault::Checksum(2), Fault::Mute]);
        assert!(!faults.take(Fault::Checksum(1)));
        assert!(faults.take(Fault::Checksum(2)));
        assert!(!faults.take(Fault::Checksum(2)));
        assert!(faults.has(Fault::Mute) && faults.has(Fault::Mute));
    }
}
