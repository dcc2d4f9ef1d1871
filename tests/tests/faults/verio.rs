//! Verio meters that misbehave.

use super::Class::{self, Incomplete, Nothing, Recovered, SetAside};
use super::{Family, assert_all};
use crate::verio::{dumped, models, truth};

/// Records in the meter.
const RECORDS: usize = 20;

/// What each fault ends in. The requests of a read: 1 model, 2 serial, 3 software, 4 unit, 5 clock, 6 count,
/// 7 to 26 the records, 27 count.
const EXPECTED: &[(&str, Class)] = &[
    ("check", Recovered),
    ("check:1", Recovered),
    ("check:5", Recovered),
    ("count", Recovered),
    ("count:5", Recovered),
    ("crc", Recovered),
    // A disk that does not answer its first question as a meter gets no second write.
    ("crc:1", Nothing("GP0301")),
    ("crc:6", Recovered),
    ("crc:27", Recovered),
    ("crc-forever", Incomplete(RECORDS - 1)),
    ("crc-forever:1", Nothing("GP0301")),
    ("crc-forever:2", Nothing("GP0301")),
    ("crc-forever:3", Recovered),
    ("crc-forever:4", Recovered),
    ("crc-forever:5", Nothing("GP0301")),
    ("crc-forever:6", Nothing("GP0301")),
    ("crc-forever:7+crc-forever:11", Incomplete(RECORDS - 2)),
    ("crc-forever:26", Incomplete(RECORDS - 1)),
    ("dead", Nothing("GP0304")),
    ("dead:0", Nothing("GP0304")),
    ("dead:20", Incomplete(13)),
    ("layout", Recovered),
    ("meal", Recovered),
    ("meal:255", Recovered),
    ("mute", Nothing("GP0304")),
    ("odd", SetAside(1)),
    ("odd:3+odd:4", SetAside(2)),
    ("refuse", Recovered),
    ("refuse:1", Nothing("GP0301")),
    ("status:1", Nothing("GP0301")),
    ("refuse:6", Recovered),
    ("replace", Recovered),
    ("replace:8", Recovered),
    ("residue", Recovered),
    ("residue:2", Recovered),
    ("slow", Recovered),
    ("slow:4000", Recovered),
    // Longer than the driver waits.
    ("slow:6000", Nothing("GP0304")),
    ("stall", Recovered),
    ("stall:8", Recovered),
    ("stall:8+stall:12", Incomplete(2)),
    ("status", Recovered),
    ("status:6", Recovered),
    ("status:7+crc:9+check:11+residue:13", Recovered),
    // Three repeats of one question are all.
    ("status:7+crc:8+check:9+residue:10", Incomplete(RECORDS - 1)),
    ("unplug", Nothing("GP0205")),
    ("unplug:0", Nothing("GP0205")),
    ("unplug:6", Nothing("GP0205")),
    ("unplug:20", Incomplete(14)),
    ("unplug:26", Incomplete(RECORDS)),
];

/// The sheet holds what a correct reader reports, or a part of it; says how much.
fn compare(what: &str, uri: &str, sheet: &str, whole: bool) -> usize {
    let (rows, mut truth) = (dumped(sheet), truth(uri));
    if whole {
        assert_eq!(rows, truth, "{what}");
    }
    for row in &rows {
        let at = truth.iter().position(|other| other == row);
        truth.remove(at.unwrap_or_else(|| panic!("{row:?} is not there: {what}")));
    }
    rows.len()
}

const VERIO: Family = Family {
    driver: "verio",
    compare,
};

#[test]
fn the_table_has_every_fault() {
    assert_all(models(), EXPECTED);
}

/// Every fault on a meter that marks meals and on one that does not; `tests/meters` has the other models.
#[test]
fn every_fault_ends_as_expected() {
    for (fault, class) in EXPECTED {
        for model in ["verio-flex", "select-plus"] {
            VERIO.check(&format!("{model}?records={RECORDS}&fault={fault}"), *class);
        }
    }
}
