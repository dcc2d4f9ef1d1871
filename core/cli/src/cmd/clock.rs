//! `glucopipe clock` and `glucopipe clock set`.

use std::ops::RangeInclusive;

use chrono::{Datelike, NaiveDateTime, Timelike};
use glucopipe_runtime::problem::{Code, Problem};
use glucopipe_runtime::run::change::{Change, When};
use glucopipe_runtime::run::query::{MeterInfo, query_clock};
use serde_json::{Value, json};

use super::change::{Kept, exit_of};
use super::confirm::{About, confirm};
use super::{Done, misused};
use crate::args::{Clock, ClockAction, SetClock};
use crate::context::{Context, selector};
use crate::exit::Exit;
use crate::output::offset;

/// Years that every known meter can show.
const YEARS: RangeInclusive<i32> = 2000..=2099;
/// Nanoseconds from here on are those of a leap second.
const LEAP: u32 = 1_000_000_000;

/// Shows or sets the clock of a meter.
pub(super) fn clock(context: &Context, args: &Clock) -> Done {
    let selector = match selector(&args.meter) {
        Ok(selector) => selector,
        Err(problem) => return Ok(misused(context, &problem)),
    };
    let asked = match &args.action {
        Some(ClockAction::Set(set)) => match parse_when(&set.when) {
            Ok(when) => Some((set, when, Kept::open(set.journal.as_deref())?)),
            Err(problem) => return Ok(misused(context, &problem)),
        },
        None => None,
    };
    let setup = match context.setup(args.meter.record.as_deref(), false) {
        Ok(setup) => setup,
        Err(problem) => return Ok(misused(context, &problem)),
    };
    let registry = context.registry();
    let finder = context.finder(&registry);
    let driver = args.meter.driver.as_deref();
    let meter = query_clock(&finder, driver, &selector, &setup);
    let meter = meter.map_err(|problem| match asked {
        Some(_) => problem.kept("nothing was changed in the meter"),
        None => problem,
    })?;
    let Some(asked) = asked else {
        show(context, args.json, &meter);
        return Ok(Exit::Done);
    };
    let change = Change {
        finder: &finder,
        driver,
        selector: &selector,
        setup: &setup,
        serial: &meter.device.serial,
    };
    set_clock(context, args.json, asked, &meter, &change)
}

fn set_clock(
    context: &Context,
    as_json: bool,
    (set, when, kept): (&SetClock, When, Kept),
    meter: &MeterInfo,
    change: &Change<'_>,
) -> Done {
    let to = match when {
        When::Now => "the time of this computer".to_owned(),
        When::At(local) => iso(local),
    };
    let question = format!(
        "The clock of {} shows {}. Set it to {to}?",
        meter.label,
        meter.device.clock.map_or("nothing".to_owned(), iso)
    );
    if let Some(exit) = confirm(context, About::Meter, set.yes, &question, "yes") {
        return Ok(exit);
    }
    let changed = change.set_clock(when, kept.keeper(context))?;
    for warning in &changed.warnings {
        context.output.problem(warning);
    }
    if as_json {
        let before = document(context, &changed.before);
        let after = changed.after.as_ref();
        let after = after.map(|after| document(context, after));
        context
            .output
            .json(&json!({ "before": before, "after": after, "journal": kept.path().display().to_string() }));
    } else if let Some(after) = &changed.after {
        show(context, false, after);
    }
    kept.tell(context);
    Ok(exit_of(&changed))
}

fn document(context: &Context, meter: &MeterInfo) -> Value {
    let computer = context.clock.local(context.clock.now());
    json!({
        "driver": meter.driver,
        "device": meter.label,
        "model": meter.device.model,
        "serial": meter.device.serial,
        "clock": meter.device.clock.map(iso),
        "resolution_s": meter.device.clock_resolution_s,
        "computer": iso(computer),
        "clock_offset_s": meter.clock_offset_s,
    })
}

fn show(context: &Context, as_json: bool, meter: &MeterInfo) {
    let document = document(context, meter);
    if as_json {
        context.output.json(&document);
        return;
    }
    let text = |key: &str| document[key].as_str().map(str::to_owned);
    let rows = [
        ("device", text("device")),
        ("serial", text("serial")),
        ("clock", text("clock")),
        ("computer", text("computer")),
        ("clock offset", meter.clock_offset_s.map(offset)),
    ];
    let facts: Vec<_> = rows
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), value?)))
        .collect();
    context.output.facts(&facts);
}

/// Whole seconds: no meter shows more.
fn iso(local: NaiveDateTime) -> String {
    local.format("%Y-%m-%dT%H:%M:%S").to_string()
}

/// `now`, or a local time.
fn parse_when(text: &str) -> Result<When, Problem> {
    if text == "now" {
        return Ok(When::Now);
    }
    let forms = [
        "%Y-%m-%dT%H:%M:%S",
        "%Y-%m-%dT%H:%M",
        "%Y-%m-%d %H:%M:%S",
        "%Y-%m-%d %H:%M",
    ];
    let parsed = forms
        .iter()
        .find_map(|form| NaiveDateTime::parse_from_str(text, form).ok());
    let wrong = |cause: &str| {
        let title = format!("`{text}` is no time to set a meter to");
        Problem::error(Code::CONFIG_VALUE, title)
            .cause(cause)
            .kept("nothing was changed in the meter")
            .hint("write `now`, or as in `2026-05-30T18:05`")
    };
    match parsed {
        None => Err(wrong(
            "a meter knows no time zone, so a local date and time is needed",
        )),
        Some(local) if local.nanosecond() >= LEAP => Err(wrong("a meter has no leap seconds")),
        Some(local) if !YEARS.contains(&local.year()) => {
            Err(wrong("meters show the years 2000 to 2099"))
        }
        Some(local) => Ok(When::At(local)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_to_set() {
        assert_eq!(parse_when("now").unwrap(), When::Now);
        let at = |text: &str| match parse_when(text) {
            Ok(When::At(local)) => iso(local),
            other => panic!("{text}: {other:?}"),
        };
        assert_eq!(at("2026-05-30T18:05"), "2026-05-30T18:05:00");
        assert_eq!(at("2026-05-30 18:05:09"), "2026-05-30T18:05:09");
        for wrong in [
            "",
            "18:05",
            "2026-05-30",
            "2026-05-30T18:05Z",
            "2026-02-30T18:05",
            "2026-12-31T23:59:60",
            "1999-12-31T23:59",
            "2100-01-01T00:00",
        ] {
            assert!(parse_when(wrong).is_err(), "{wrong}");
        }
    }
}
