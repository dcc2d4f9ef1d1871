//! The report of a read: whether it is complete, why not, and what was counted.

use glucopipe_sdk::driver::ReadReport;
use glucopipe_sdk::serde_json::{Map, Value};

use crate::protocol::completeness::{Completeness, Tally};
use crate::reading::Decoded;
use crate::session::Traffic;

/// Reports on a download; its readings are not looked at.
pub(crate) fn report(tally: &Tally, traffic: Traffic, decoded: Decoded) -> ReadReport {
    let mut tally = tally.clone();
    for _ in 0..decoded.controls_by_order {
        tally.move_to_control();
    }
    let reasons = match tally.assess() {
        Completeness::Complete => Vec::new(),
        Completeness::Incomplete(reasons) => reasons.iter().map(ToString::to_string).collect(),
        Completeness::Failed => vec!["the meter sent no valid header".to_owned()],
    };
    ReadReport {
        complete: reasons.is_empty(),
        reasons,
        expected: tally.declared.map(u64::from),
        known: 0,
        counts: counts(&tally, traffic, decoded.set_aside.len()),
        notes: notes(&tally, traffic, &decoded),
        set_aside: decoded.set_aside,
    }
}

fn counts(tally: &Tally, traffic: Traffic, unparsed: usize) -> Map<String, Value> {
    let numbers = [
        ("frames", traffic.frames),
        ("results", tally.results),
        ("glucose", tally.glucose),
        ("control", tally.control),
        ("insulin", tally.insulin),
        ("carbs", tally.carbs),
        ("hi", tally.above),
        ("lo", tally.below),
        ("orders", traffic.orders),
        ("naks", tally.naks),
        ("repeats", tally.duplicates),
        ("exchanges", traffic.sent),
    ];
    let mut counts: Map<String, Value> = numbers
        .into_iter()
        .map(|(name, number)| (name.to_owned(), number.into()))
        .collect();
    counts.insert("unparsed".to_owned(), unparsed.into());
    counts
}

fn notes(tally: &Tally, traffic: Traffic, decoded: &Decoded) -> Vec<String> {
    let counted = [
        (
            tally.position_breaks,
            "results whose number does not follow the one before",
        ),
        (traffic.garbage, "pieces of text or broken frames ignored"),
        (traffic.bad_reports, "malformed reports"),
        (traffic.restarts, "times the meter started over"),
    ];
    let counted = counted
        .into_iter()
        .filter(|(number, _)| *number > 0)
        .map(|(number, what)| format!("{what}: {number}"));
    let markers = decoded
        .unknown_markers
        .iter()
        .map(|(marker, records)| format!("unknown marker `{marker}`: {records}"));
    counted.chain(markers).collect()
}
