//! The markers of a result, decoded token by token.
//!
//! Tokens are matched whole: `ZC` is three hours after food and not a control test. Captured: `B`,
//! `A`, `F`, `X`, `Z1`, `M0`, `T0`, `T1`; the others are known from other programs.

use super::text::latin1;

/// Separator between tokens (captured; LIS2-A would use the announced repeat delimiter).
const SEPARATOR: u8 = b'/';
/// Minutes of one step of a `Z` token.
const MINUTES_PER_STEP: u16 = 15;

/// Relation of a reading to a meal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Meal {
    /// Token `B`.
    Before,
    /// Token `A`.
    After,
    /// Token `F`.
    Fasting,
}

impl Meal {
    /// Returns the word of the reading schema.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Before => "before",
            Self::After => "after",
            Self::Fasting => "fasting",
        }
    }
}

/// Side on which a value left the measuring range.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OutOfRange {
    /// Token `<`: the meter shows LO.
    Below,
    /// Token `>`: the meter shows HI.
    Above,
}

/// The decoded markers of one result.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Markers {
    /// The marker text as sent.
    pub raw: String,
    /// Meal, if exactly one is marked.
    pub meal: Option<Meal>,
    /// Minutes after the meal, if exactly one `Z` token is there.
    pub minutes_after_meal: Option<u16>,
    /// Measuring range left, if exactly one side is marked.
    pub range: Option<OutOfRange>,
    /// Control solution, token `C`.
    pub control: bool,
    /// Other decoded markers in human words, in the meter's order.
    pub context: Vec<&'static str>,
    /// Tokens nobody knows. `M` and `T` tokens are known to exist and are not listed.
    pub unknown: Vec<String>,
    /// Two tokens contradict each other; neither of them is decoded.
    pub conflict: bool,
}

impl Markers {
    /// Decodes a marker field; tokens are split at `/` and at the announced repeat delimiter.
    pub fn parse(field: &[u8], repeat: u8) -> Self {
        let mut meal = Aspect::default();
        let mut minutes = Aspect::default();
        let mut range = Aspect::default();
        let mut markers = Self {
            raw: latin1(field),
            ..Self::default()
        };
        for token in field.split(|byte| *byte == SEPARATOR || *byte == repeat) {
            match token {
                b"" | [b'M' | b'T', b'0'..=b'9' | b'A'..=b'F' | b'a'..=b'f'] => {}
                b"B" => meal.set(Meal::Before),
                b"A" => meal.set(Meal::After),
                b"F" => meal.set(Meal::Fasting),
                b"<" => range.set(OutOfRange::Below),
                b">" => range.set(OutOfRange::Above),
                b"C" => markers.control = true,
                b"D" => markers.context.push("not well (uncertain)"),
                b"I" => markers.context.push("sick"),
                b"S" => markers.context.push("stress"),
                b"X" => markers.context.push("activity"),
                [b'Z', step @ b'1'..=b'9'] => minutes.set(minutes_of(step - b'0')),
                [b'Z', step @ b'A'..=b'C'] => minutes.set(minutes_of(step - b'A' + 10)),
                unknown => markers.unknown.push(latin1(unknown)),
            }
        }
        markers.conflict = meal.is_conflict() || minutes.is_conflict() || range.is_conflict();
        markers.meal = meal.value();
        markers.minutes_after_meal = minutes.value();
        markers.range = range.value();
        markers
    }

    /// Moves the tokens that only make sense for glucose to the unknown ones.
    pub(super) fn drop_glucose_tokens(&mut self) {
        let tokens = [
            (self.control, "C"),
            (self.range == Some(OutOfRange::Below), "<"),
            (self.range == Some(OutOfRange::Above), ">"),
        ];
        let found = tokens.into_iter().filter(|(found, _)| *found);
        self.unknown
            .extend(found.map(|(_, token)| token.to_owned()));
        self.control = false;
        self.range = None;
    }

    /// Returns the decoded markers that have no column of their own, in words.
    pub fn notes(&self) -> Vec<String> {
        let minutes = self
            .minutes_after_meal
            .map(|minutes| format!("{minutes} min after meal"));
        minutes
            .into_iter()
            .chain(self.context.iter().map(|word| (*word).to_owned()))
            .collect()
    }
}

fn minutes_of(step: u8) -> u16 {
    u16::from(step) * MINUTES_PER_STEP
}

/// A property that tokens may set once; different values cancel out.
#[derive(Default)]
enum Aspect<T> {
    #[default]
    Unset,
    Set(T),
    Conflict,
}

impl<T: PartialEq> Aspect<T> {
    fn set(&mut self, value: T) {
        *self = match std::mem::take(self) {
            Self::Unset => Self::Set(value),
            Self::Set(old) if old == value => Self::Set(old),
            Self::Set(_) | Self::Conflict => Self::Conflict,
        };
    }

    fn is_conflict(&self) -> bool {
        matches!(self, Self::Conflict)
    }

    fn value(self) -> Option<T> {
        match self {
            Self::Set(value) => Some(value),
            Self::Unset | Self::Conflict => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Markers {
        Markers::parse(text.as_bytes(), b'\\')
    }

    #[test]
    fn meal_tokens_have_their_column() {
        assert_eq!(parse("").meal, None);
        assert_eq!(parse("B").meal, Some(Meal::Before));
        assert_eq!(parse("A").meal, Some(Meal::After));
        assert_eq!(parse("F/M0/T1").meal, Some(Meal::Fasting));
        assert_eq!(parse("T0/M0").meal, None);
    }

    #[test]
    fn m_and_t_tokens_are_neither_decoded_nor_unknown() {
        for text in ["F/M0/T1", "T0/M0", "M0/T1", "MF/Ta"] {
            let markers = parse(text);
            assert_eq!(markers.raw, text);
            assert!(markers.unknown.is_empty() && markers.context.is_empty());
        }
    }

    #[test]
    fn z_tokens_count_quarters_of_an_hour_simulated() {
        let minutes = |text: &str| parse(text).minutes_after_meal;
        assert_eq!(minutes("Z1"), Some(15));
        assert_eq!(minutes("A/Z4"), Some(60));
        assert_eq!(minutes("A/Z9"), Some(135));
        assert_eq!(minutes("ZA"), Some(150));
        assert_eq!(minutes("ZC"), Some(180));
        assert_eq!(parse("A/Z4").meal, Some(Meal::After));
        assert_eq!(parse("A/Z4").notes(), ["60 min after meal"]);
        for text in ["Z0", "ZD", "Zc", "Z", "Z11"] {
            assert_eq!(parse(text).unknown, [text]);
        }
    }

    #[test]
    fn three_hours_after_food_is_not_a_control_test_simulated() {
        assert!(!parse("A/ZC").control);
        assert!(parse("C/M0/T1").control);
    }

    #[test]
    fn context_tokens_become_words() {
        assert_eq!(parse("B/X").notes(), ["activity"]);
        assert_eq!(
            parse("I/S/D").notes(),
            ["sick", "stress", "not well (uncertain)"]
        );
    }

    #[test]
    fn unknown_tokens_are_listed_whole() {
        let markers = parse("B/QQ/b/ZC1");
        assert_eq!(markers.unknown, ["QQ", "b", "ZC1"]);
        assert_eq!(markers.meal, Some(Meal::Before));
        assert!(!markers.conflict);
    }

    #[test]
    fn repeat_delimiter_separates_too_simulated() {
        assert_eq!(parse(r"A\X").notes(), ["activity"]);
        assert_eq!(parse(r"A\X").meal, Some(Meal::After));
    }

    #[test]
    fn contradictions_decode_to_nothing_simulated() {
        let markers = parse("B/A/X");
        assert_eq!((markers.meal, markers.conflict), (None, true));
        assert_eq!(markers.notes(), ["activity"]);
        let markers = parse("A/Z1/Z2");
        assert_eq!((markers.minutes_after_meal, markers.conflict), (None, true));
        assert_eq!(markers.meal, Some(Meal::After));
        assert_eq!(parse("</>").range, None);
        assert!(parse("</>").conflict);
        assert!(!parse("B/B").conflict);
    }

    #[test]
    fn range_tokens_are_read_simulated() {
        assert_eq!(parse("<").range, Some(OutOfRange::Below));
        assert_eq!(parse(">/B").range, Some(OutOfRange::Above));
    }
}
