//! The format: UTF-8, lines that end in CR LF, cells between `;` with blanks around them, no quoting. A title,
//! a line that begins with the serial, the headings, and a line for each result, the newest first.

use glucopipe_sdk::chrono::NaiveDateTime;
use glucopipe_sdk::reading::*;

/// The headings that are known; a meter set to another language writes others.
const HEADINGS: [&str; 10] = [
    "Date",
    "Time",
    "Result",
    "Unit",
    "Temperature warning",
    "Out of target range",
    "Other",
    "Before meal",
    "After meal",
    "Control test",
];

/// A report, taken apart as far as its lines.
pub(crate) struct Report {
    /// Serial of the meter.
    pub(crate) serial: String,
    /// Results with their line numbers, as an editor shows them; oldest first.
    pub(crate) rows: Vec<(u64, String)>,
    /// Whether the last line has its end.
    pub(crate) whole: bool,
}

impl Report {
    /// Checks that it is a report, in a language that is known.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, &'static str> {
        let text = std::str::from_utf8(bytes).map_err(|_| "the file is not a text in UTF-8")?;
        let mut lines = (1..).zip(text.trim_start_matches('\u{feff}').lines());
        lines.next();
        let serial = lines.next().and_then(|(_, line)| cells(line).next());
        let serial = serial.filter(|serial| !serial.is_empty());
        let serial = serial.ok_or("the second line has no serial: this is no report")?;
        let headings = lines.next().map(|(_, line)| cells(line));
        if !headings.is_some_and(|found| found.eq(HEADINGS)) {
            return Err("the headings are not those of a report in English");
        }
        let rows = lines.filter(|(_, line)| !line.trim().is_empty());
        let mut rows: Vec<_> = rows
            .map(|(number, line)| (number, line.to_owned()))
            .collect();
        rows.reverse();
        Ok(Self {
            serial: serial.to_owned(),
            rows,
            whole: text.ends_with('\n'),
        })
    }
}

fn cells(line: &str) -> impl Iterator<Item = &str> {
    line.split(';').map(str::trim)
}

/// The reading of a line, or why there is none. The reason shows nothing of the line.
pub(crate) fn decode(line: &str) -> Result<Reading, &'static str> {
    let cells: Vec<&str> = cells(line).collect();
    let Ok(
        [
            date,
            time,
            value,
            unit,
            temperature,
            target,
            other,
            before,
            after,
            control,
        ],
    ) = <[&str; HEADINGS.len()]>::try_from(cells)
    else {
        return Err("not ten cells");
    };
    let raw_time = format!("{date} {time}");
    let at = NaiveDateTime::parse_from_str(&raw_time, "%d.%m.%Y %H:%M")
        .map_err(|_| "the time is not a possible date and time")?;
    let number: f64 = value.parse().map_err(|_| "the value is not a number")?;
    // The unit stands in each line; the size of a number says nothing.
    let concentration = match unit {
        "mg/dL" => MgPerDl::new(number).map(Concentration::MgPerDl),
        "mmol/L" => MmolPerL::new(number).map(Concentration::MmolPerL),
        _ => return Err("the unit is not known"),
    };
    let glucose = Ranged::In(concentration.ok_or("the value is not plausible")?);
    let measured = if control.is_empty() {
        Measurement::Glucose(glucose)
    } else {
        Measurement::Control(glucose)
    };
    let verbatim = Verbatim {
        time: &raw_time,
        value,
        unit,
    };
    let mut reading = Reading::new(at, measured, verbatim, Identity::Observed);
    reading.meal = match (before.is_empty(), after.is_empty()) {
        (false, true) => Some(Meal::Before),
        (true, false) => Some(Meal::After),
        (true, true) => None,
        (false, false) => {
            reading.annotations.push("before_and_after_meal".into());
            None
        }
    };
    let words = [
        (temperature, "temperature warning"),
        (target, "out of target range"),
        (other, "other"),
    ];
    let marked = words.iter().filter(|(cell, _)| !cell.is_empty());
    reading.notes = marked.map(|(_, word)| (*word).to_owned()).collect();
    reading.raw = Some(line.as_bytes().to_vec());
    Ok(reading)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_keeps_its_unit_and_its_marks() {
        let reading = decode("27.08.2026; 07:31; 5.2; mmol/L; ; ; X; X; ; ").unwrap();
        assert_eq!(reading.raw_unit(), "mmol/L");
        assert_eq!(reading.meal, Some(Meal::Before));
        assert_eq!(reading.notes, ["other"]);
        let control = decode("27.08.2026;07:31;118;mg/dL;;;;;;X").unwrap();
        assert!(matches!(control.measurement(), Measurement::Control(_)));
    }

    #[test]
    fn lines_that_say_nothing_certain_are_refused() {
        for bad in [
            "",
            "27.08.2026;07:31;93;mg/dL",
            "27.13.2026;07:31;93;mg/dL;;;;;;",
            "27.08.2026;07:31;HI;mg/dL;;;;;;",
            "27.08.2026;07:31;93;;;;;;;",
            "27.08.2026;07:31;9300;mg/dL;;;;;;",
        ] {
            assert!(decode(bad).is_err(), "{bad}");
        }
    }
}
