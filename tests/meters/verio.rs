//! The Verio driver against its virtual meters.

#![allow(clippy::unwrap_used, reason = "helper functions of tests")]

mod bench;

use std::collections::BTreeMap;
use std::fmt::Debug;

use bench::{Bench, Ended, assert_clear, assert_honest, near, time};
use chrono::TimeDelta;
use glucopipe_driver_verio::Verio;
use glucopipe_emulator::{ModelEntry, catalog};
use glucopipe_sdk::{Error, Status};

/// Requests of a read of so few records, and then some.
const REQUESTS: u32 = 24;
/// Of them those up to the last record but one: a test that is taken then moves one that is still to be read.
const READING: u32 = 15;

fn models() -> impl Iterator<Item = &'static ModelEntry> {
    let all = catalog().iter();
    all.filter(|model| model.usb.vendor == 0x2766)
}

/// Every fault of the family, at each of its requests.
fn faults() -> Vec<String> {
    let mut faults = Vec::new();
    for name in bench::faults(models()) {
        match name.as_str() {
            "count" => faults.extend((1..=5).map(|k| format!("count:{k}"))),
            "meal" => faults.extend([3, 255].map(|byte| format!("meal:{byte}"))),
            "slow" => faults.extend([1000, 6000].map(|ms| format!("slow:{ms}"))),
            "mute" => faults.push(name),
            // Behind the last record nothing of it comes to the reader.
            "replace" => faults.extend((1..=READING).map(|n| format!("{name}:{n}"))),
            _ => faults.extend((0..REQUESTS).map(|n| format!("{name}:{n}"))),
        }
    }
    faults
}

/// Tries every meter with each fault; counts what came of it.
fn tried<K: Ord + Debug>(trial: impl Fn(&str) -> K) -> BTreeMap<K, usize> {
    let faults = faults();
    let uris = models().flat_map(|model| {
        let uri = move |fault: &String| format!("{}?records=9&fault={fault}", model.key);
        faults.iter().map(uri)
    });
    bench::tried(uris, trial)
}

/// A description is told, or an error says why not.
#[test]
fn info_is_told_or_refused_with_every_fault() {
    let told = tried(|uri| {
        let mut bench = Bench::<Verio>::new(uri);
        let info = bench.session.info();
        bench.assert_in_order(uri);
        match &info {
            Ok(info) => assert_eq!(info.serial, bench.scenario.serial(), "{uri}"),
            Err(error) => assert_clear(uri, error),
        }
        info.is_ok()
    });
    assert!(told[&true] > 100 && told[&false] > 10, "{told:?}");
}

/// A read is whole, or less and says so, or nothing.
#[test]
fn reads_are_honest_with_every_fault() {
    let ended = tried(|uri| {
        let mut bench = Bench::<Verio>::new(uri);
        let read = bench.session.read();
        bench.assert_in_order(uri);
        assert_honest(uri, &bench.scenario, &read)
    });
    let all = [Ended::Nothing, Ended::Incomplete, Ended::Complete];
    assert!(ended.keys().eq(&all), "{ended:?}");
}

/// The clock is told as it is, or an error says why not; it is left alone.
#[test]
fn clock_is_told_or_not_with_every_fault() {
    let told = tried(|uri| {
        let mut bench = Bench::<Verio>::new(uri);
        let told = bench.session.clock();
        bench.assert_in_order(uri);
        assert!(bench.audit().clock_settings.is_empty(), "{uri}");
        match &told {
            Ok(told) => assert!(near(told.local, bench.clock(), 30), "{uri}: {told:?}"),
            Err(error) => assert_clear(uri, error),
        }
        told.is_ok()
    });
    assert!(told[&true] > 100 && told[&false] > 10, "{told:?}");
}

/// The clock is set, or an error says that it was not, or that this is not known.
#[test]
fn clock_is_set_or_left_with_every_fault() {
    let wish = time("2031-02-28T23:58:17");
    let ended = tried(|uri| {
        let mut bench = Bench::<Verio>::new(uri);
        let set = bench.session.set_clock(wish);
        bench.assert_in_order(uri);
        let settings = bench.audit().clock_settings;
        match &set {
            Ok(()) => {
                assert!(near(bench.clock(), wish, 30), "{uri}: {}", bench.clock());
                "set"
            }
            Err(error) => left(uri, error, settings.is_empty()),
        }
    });
    let all = ["left", "not known", "set"];
    assert!(ended.keys().eq(&all), "{ended:?}");
}

/// What an error says of a change is so; says what it says.
fn left(what: &str, error: &Error, untouched: bool) -> &'static str {
    assert_clear(what, error);
    if error.message.ends_with(" is not known") {
        return "not known";
    }
    assert!(untouched, "{what}: {error}");
    "left"
}

/// The memory is erased, or an error says that it was not, or that this is not known.
#[test]
fn memory_is_erased_or_left_with_every_fault() {
    let ended = tried(|uri| {
        let mut bench = Bench::<Verio>::new(uri);
        let serial = bench.scenario.serial();
        let erased = bench.session.erase(&serial);
        bench.assert_in_order(uri);
        let erasures = bench.audit().erasures;
        match &erased {
            Ok(()) => {
                assert!(erasures > 0, "{uri}");
                "erased"
            }
            Err(error) => left(uri, error, erasures == 0),
        }
    });
    let all = ["erased", "left", "not known"];
    assert!(ended.keys().eq(&all), "{ended:?}");
}

/// Ctrl-C at any moment of a change: done, or not begun.
#[test]
fn cancelled_at_any_moment_a_change_is_done_or_not_begun() {
    for questions in 0..60 {
        let what = format!("question {questions}");
        let mut bench = Bench::<Verio>::new("verio-flex?records=9");
        bench.host.cancel_after(questions);
        let (before, then) = (bench.clock(), bench.now_ms());
        let wish = time("2031-02-28T23:58:17");
        match bench.session.set_clock(wish) {
            Ok(()) => assert!(near(bench.clock(), wish, 2), "{what}"),
            Err(error) => {
                assert_eq!(error.status, Status::Cancelled, "{what}");
                let passed = i64::try_from(bench.now_ms() - then).unwrap();
                let due = before + TimeDelta::milliseconds(passed);
                assert!(near(bench.clock(), due, 1), "{what}");
            }
        }
        bench.assert_in_order(&what);
        let mut bench = Bench::<Verio>::new("verio-flex?records=9");
        bench.host.cancel_after(questions);
        let serial = bench.scenario.serial();
        match bench.session.erase(&serial) {
            Ok(()) => assert_eq!(bench.audit().erasures, 1, "{what}"),
            Err(error) => {
                assert_eq!(error.status, Status::Cancelled, "{what}");
                assert_eq!(bench.audit().erasures, 0, "{what}");
            }
        }
        bench.assert_in_order(&what);
    }
}
