//! Faults a scenario can ask for, each observable by the host.

use crate::catalog::KeyEntry;
use crate::error::ScenarioError;

/// Largest delay of `slow`.
const SLOWEST_MS: u32 = 600_000;

/// One requested fault. `n` counts results from 1 unless said otherwise.
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
    /// Silent for ever after n results.
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
}

/// Names, default arguments and meanings of all faults.
pub fn faults() -> &'static [KeyEntry] {
    const LIST: &[KeyEntry] = &[
        entry(
            "ack-lost",
            "3",
            "the acknowledgement of result n is not seen; it comes again",
        ),
        entry(
            "checksum",
            "3",
            "result n (0: the header) has a bad checksum until it is NAKed",
        ),
        entry(
            "checksum-forever",
            "3",
            "result n (0: the header) always has a bad checksum",
        ),
        entry("count", "1", "the result count in the header is off by k"),
        entry("cut", "3", "end of transmission after n results"),
        entry("dead", "3", "silent for ever after n results"),
        entry(
            "duplicate",
            "5",
            "result n comes again although acknowledged (5 is frame 7)",
        ),
        entry(
            "empty-report",
            "3",
            "a report of length 0 in the middle of result n",
        ),
        entry("gap", "3", "a frame number is skipped before result n"),
        entry("garbage", "3", "junk bytes before result n"),
        entry("mute", "", "never answers"),
        entry("nak", "", "the first wake-up is answered by NAK"),
        entry(
            "no-terminator",
            "",
            "end of transmission without the terminator record",
        ),
        entry(
            "odd",
            "3",
            "result n cannot be parsed though its checksum is right",
        ),
        entry(
            "prefix",
            "3",
            "a report of result n has a wrong prefix until it is NAKed",
        ),
        entry(
            "pump",
            "",
            "clock reads and settings are refused: a pump owns the clock",
        ),
        entry(
            "restart",
            "3",
            "enquiry after n results, then everything starts again",
        ),
        entry("single-header", "", "one header only, without the enquiry"),
        entry(
            "slow",
            "1000",
            "every answer takes that many virtual milliseconds",
        ),
        entry("stall", "3", "silent after n results until a NAK arrives"),
        entry("terminator", "T", "the terminator has another code than N"),
        entry("unplug", "3", "the device vanishes after n results"),
    ];
    LIST
}

const fn entry(name: &'static str, default: &'static str, meaning: &'static str) -> KeyEntry {
    KeyEntry {
        name,
        default,
        meaning,
    }
}

impl Fault {
    /// Reads `NAME[:argument]`.
    pub(crate) fn parse(text: &str) -> Result<Self, ScenarioError> {
        let (name, argument) = text
            .split_once(':')
            .map_or((text, None), |(n, a)| (n, Some(a)));
        let Some(known) = faults().iter().find(|f| f.name == name) else {
            return Err(ScenarioError::UnknownFault {
                name: name.to_owned(),
                known: faults().iter().map(|f| f.name).collect(),
            });
        };
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
                .map_err(|_| bad("the number of a result"))
        };
        Ok(match name {
            "ack-lost" => Self::AckLost(at()?),
            "checksum" => Self::Checksum(at()?),
            "checksum-forever" => Self::ChecksumForever(at()?),
            "count" => Self::Count(argument.parse().map_err(|_| bad("a whole number"))?),
            "cut" => Self::Cut(at()?),
            "dead" => Self::Dead(at()?),
            "duplicate" => Self::Duplicate(at()?),
            "empty-report" => Self::EmptyReport(at()?),
            "gap" => Self::Gap(at()?),
            "garbage" => Self::Garbage(at()?),
            "mute" => Self::Mute,
            "nak" => Self::Nak,
            "no-terminator" => Self::NoTerminator,
            "odd" => Self::Odd(at()?),
            "prefix" => Self::Prefix(at()?),
            "pump" => Self::Pump,
            "restart" => Self::Restart(at()?),
            "single-header" => Self::SingleHeader,
            "slow" => Self::Slow(
                at().ok()
                    .filter(|ms| *ms <= SLOWEST_MS)
                    .ok_or_else(|| bad("milliseconds up to 600000"))?,
            ),
            "stall" => Self::Stall(at()?),
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

    #[test]
    fn parses_every_listed_fault_with_its_default() {
        for fault in faults() {
            assert!(Fault::parse(fault.name).is_ok(), "{}", fault.name);
        }
        let names: Vec<&str> = faults().iter().map(|f| f.name).collect();
        assert!(names.is_sorted());
    }

    #[test]
    fn reads_arguments() {
        assert_eq!(Fault::parse("count:-2"), Ok(Fault::Count(-2)));
        assert_eq!(Fault::parse("terminator:Q"), Ok(Fault::Terminator('Q')));
        assert_eq!(Fault::parse("unplug:7"), Ok(Fault::Unplug(7)));
        assert_eq!(Fault::parse("duplicate"), Ok(Fault::Duplicate(5)));
    }

    #[test]
    fn rejects_wrong_names_and_arguments() {
        assert!(matches!(
            Fault::parse("checksm"),
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
                matches!(Fault::parse(text), Err(ScenarioError::BadValue { .. })),
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
