//! Which columns a file has.

use super::file::Mode;
use crate::error::{Error, Result};
use crate::schema::{COLUMNS, Column, Kind};

/// The key these choices come from.
const KEY: &str = "columns";

/// The columns of these names, in this order; without names all that text can hold, in their own order.
///
/// # Errors
/// When there is none, or a name is unknown, is of a column of bytes, or comes twice, or one is missing that
/// the mode needs; on the key `columns`.
pub fn columns(names: Option<&[String]>, mode: Mode) -> Result<Vec<&'static Column>> {
    let Some(names) = names else {
        return Ok(all().collect());
    };
    if names.is_empty() {
        return Err(Error::config(KEY, "got no column, expected at least one"));
    }
    let mut chosen: Vec<&'static Column> = Vec::with_capacity(names.len());
    for name in names {
        let column = COLUMNS
            .iter()
            .find(|column| column.name == name)
            .ok_or_else(|| unknown(name))?;
        if !fits(column) {
            let message = format!("the column `{name}` holds bytes, which have no form as text");
            return Err(Error::config(KEY, message));
        }
        if chosen.iter().any(|known| known.name == column.name) {
            let message = format!("the column `{name}` is named twice");
            return Err(Error::config(KEY, message));
        }
        chosen.push(column);
    }
    let has = |name: &str| chosen.iter().any(|column| column.name == name);
    if let Some(missing) = mode.needs().iter().find(|name| !has(name)) {
        let message = format!("`mode = \"{}\"` needs the column `{missing}`", mode.word());
        return Err(Error::config(KEY, message));
    }
    Ok(chosen)
}

fn all() -> impl Iterator<Item = &'static Column> {
    COLUMNS.iter().filter(|column| fits(column))
}

fn fits(column: &Column) -> bool {
    column.kind != Kind::Bytes
}

fn unknown(name: &str) -> Error {
    let near = all()
        .map(|column| (edits(name, column.name), column.name))
        .min()
        .filter(|(edits, near)| *edits <= 2.max(near.len() / 3));
    let message = match near {
        Some((_, near)) => format!("unknown column `{name}`, did you mean `{near}`?"),
        None => {
            let names: Vec<_> = all().map(|column| column.name).collect();
            format!(
                "unknown column `{name}`, expected any of {}",
                names.join(", ")
            )
        }
    };
    Error::config(KEY, message)
}

/// Letters to insert, remove or replace, whatever their case (Levenshtein distance).
fn edits(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (above, letter) in from.chars().flat_map(char::to_lowercase).enumerate() {
        let mut diagonal = row[0];
        row[0] = above + 1;
        for (index, &other) in to.iter().enumerate() {
            let replaced = diagonal + usize::from(letter != other);
            diagonal = row[index + 1];
            row[index + 1] = replaced.min(diagonal + 1).min(row[index] + 1);
        }
    }
    row[to.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn choose(names: &[&str]) -> std::result::Result<Vec<&'static str>, String> {
        let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
        match columns(Some(&names), Mode::Replace) {
            Ok(columns) => Ok(columns.iter().map(|column| column.name).collect()),
            Err(error) => Err(error.message),
        }
    }

    #[test]
    fn all_leaves_out_raw_only() {
        let all = columns(None, Mode::Merge).unwrap();
        assert_eq!(all.len(), COLUMNS.len() - 1);
        assert!(all.iter().all(|column| column.name != "raw"));
    }

    #[test]
    fn chooses_and_orders() {
        let names = ["unit", "value", "local_time"];
        assert_eq!(choose(&names).unwrap(), names);
    }

    #[test]
    fn a_mode_needs_to_know_which_reading_a_row_is() {
        for (mode, names, missing) in [
            (Mode::Replace, &["value"][..], None),
            (Mode::Append, &["value"], Some("reading_id")),
            (Mode::Append, &["reading_id"], None),
            (
                Mode::Merge,
                &["reading_id", "local_time"],
                Some("record_key"),
            ),
            (
                Mode::Merge,
                &["record_key", "reading_id", "local_time"],
                None,
            ),
        ] {
            let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
            let error = columns(Some(&names), mode).err().map(|error| error.message);
            let expected = missing.map(|missing| {
                format!("`mode = \"{}\"` needs the column `{missing}`", mode.word())
            });
            assert_eq!(error, expected);
        }
    }

    #[test]
    fn names_what_is_wrong_and_what_was_meant() {
        for (names, message) in [
            (
                &["valeu"][..],
                "unknown column `valeu`, did you mean `value`?",
            ),
            (
                &["Device_Serial"],
                "unknown column `Device_Serial`, did you mean `device_serial`?",
            ),
            (
                &["localtime"],
                "unknown column `localtime`, did you mean `local_time`?",
            ),
            (&["unit", "unit"], "the column `unit` is named twice"),
            (
                &["raw"],
                "the column `raw` holds bytes, which have no form as text",
            ),
            (&[], "got no column, expected at least one"),
        ] {
            assert_eq!(choose(names).unwrap_err(), message);
        }
        let far = choose(&["patient"]).unwrap_err();
        assert!(far.starts_with("unknown column `patient`, expected any of reading_id, time"));
    }
}
