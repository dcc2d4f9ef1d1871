//! The Contour driver against its virtual meters.

#![allow(clippy::unwrap_used, reason = "helper functions of tests")]

mod bench;

use std::collections::BTreeMap;
use std::fmt::Debug;

use bench::{Bench, assert_clear, assert_honest, near, tally, time};
use chrono::{NaiveDateTime, TimeDelta, Timelike};
use glucopipe_driver_contour::Contour;
use glucopipe_emulator::{ModelEntry, catalog};
use glucopipe_sdk::{Error, Status};

/// What a meter may be found in the middle of.
const STATES: [&str; 4] = ["idle", "frame", "command", "enq"];

fn models() -> impl Iterator<Item = &'static ModelEntry> {
    let all = catalog().iter();
    all.filter(|model| model.key.starts_with("contour-"))
}

/// Every fault of the family with its usual argument, and some with others.
fn faults() -> Vec<String> {
    let mut faults = bench::faults(models());
    for name in ["unplug", "dead", "cut", "stall", "restart", "gap"] {
        faults.extend([0, 1, 9].map(|n| format!("{name}:{n}")));
    }
    // Meters answer within 2 s; one that takes longer is gone before it is woken.
    let others = ["slow:100", "slow:1500", "checksum-forever:0", "checksum:0"];
    faults.extend(others.map(str::to_owned));
    faults
}

/// The same, and something amiss with each message of the command mode.
fn command_faults() -> Vec<String> {
    let mut faults = faults();
    let counted = bench::faults(models());
    for name in counted.iter().filter(|name| name.starts_with("command-")) {
        faults.extend((0..30).map(|n| format!("{name}:{n}")));
    }
    faults
}

/// Some of each kind of meter: woken by EOT, X and ACK, with and without a pump, with and without seconds.
const SOME: [&str; 4] = [
    "contour-usb",
    "contour-next-link",
    "contour-next-usb",
    "contour-next-one",
];

/// Tries every meter with each fault, some found in the middle of each thing; counts what came of it.
fn tried<K: Ord + Debug>(faults: &[String], trial: impl Fn(&str) -> K) -> BTreeMap<K, usize> {
    let uri = |model, fault, state| format!("{model}?records=9&state={state}&fault={fault}");
    let uris = models().flat_map(|model| {
        let states = match SOME.contains(&model.key) {
            true => &STATES[..],
            false => &["idle"],
        };
        let states = move |fault| states.iter().map(move |state| uri(model.key, fault, state));
        faults.iter().flat_map(states)
    });
    bench::tried(uris, trial)
}

/// A description is told, or an error says why not; the meter is left in order.
#[test]
fn info_is_told_or_refused_with_every_fault_and_from_every_state() {
    let told = tried(&faults(), |uri| {
        let mut bench = Bench::<Contour>::new(uri);
        let info = bench.session.info();
        bench.assert_in_order(uri);
        match &info {
            Ok(info) => assert_eq!(info.serial, bench.scenario.serial(), "{uri}"),
            Err(error) => assert_clear(uri, error),
        }
        info.is_ok()
    });
    assert!(told[&true] > 500 && told[&false] > 10, "{told:?}");
}

/// A read is whole, or less and says so, or nothing; the meter is left in order.
#[test]
fn reads_are_honest_with_every_fault_and_from_every_state() {
    let ended = tried(&faults(), |uri| {
        let mut bench = Bench::<Contour>::new(uri);
        let read = bench.session.read();
        bench.assert_in_order(uri);
        assert_honest(uri, &bench.scenario, &read)
    });
    assert_eq!(ended.len(), 3, "{ended:?}");
}

/// The clock is told as it is, or an error says why not; the meter is left in order, and untouched.
#[test]
fn clock_is_told_or_not_with_every_fault_and_from_every_state() {
    let told = tried(&command_faults(), |uri| {
        let mut bench = Bench::<Contour>::new(uri);
        let told = bench.session.clock();
        bench.assert_in_order(uri);
        assert!(bench.audit().clock_settings.is_empty(), "{uri}");
        match &told {
            Ok(told) => assert!(near(told.local, bench.clock(), 75), "{uri}: {told:?}"),
            Err(error) => assert_clear(uri, error),
        }
        told.is_ok()
    });
    assert!(told[&true] > 500 && told[&false] > 10, "{told:?}");
}

/// The clock is set, or an error says what it shows instead, truly; the meter is left in order.
#[test]
fn clock_is_set_or_left_with_every_fault_and_from_every_state() {
    let ended = tried(&command_faults(), |uri| {
        let mut bench = Bench::<Contour>::new(uri);
        let before = (bench.clock(), bench.now_ms());
        let set = set(&mut bench, "2031-02-28T23:58:17");
        bench.assert_in_order(uri);
        match &set {
            Ok(()) => "set",
            Err(error) => assert_true(uri, &bench, before, error),
        }
    });
    let all = [
        "not known",
        "pump",
        "set",
        "shows another",
        "untouched",
        "written back",
    ];
    assert!(ended.keys().eq(&all), "{ended:?}");
}

/// What an error says of the meter's clock is so; says what it says.
fn assert_true(
    what: &str,
    bench: &Bench<Contour>,
    (old, then): (NaiveDateTime, u64),
    error: &Error,
) -> &'static str {
    let (says, clock) = (&error.message, bench.clock());
    assert_clear(what, error);
    let passed = i64::try_from(bench.now_ms() - then).unwrap();
    let as_before = near(clock, old + TimeDelta::milliseconds(passed), 62);
    if let Some((_, shown)) = says.split_once(" shows ") {
        let shown = time(&format!("{}:00", &shown[..16]));
        assert!(near(clock, shown, 90), "{what}: {says}; it is {clock}");
    }
    if says.ends_with("nothing was changed") {
        let settings = bench.audit().clock_settings;
        assert!(settings.is_empty() && as_before, "{what}: {says}");
        let pump = says.starts_with("clock-owned-by-pump: ");
        return if pump { "pump" } else { "untouched" };
    }
    let ends = [
        ("as before", "untouched"),
        ("were written back", "written back"),
        ("is not known", "not known"),
        ("its date was not", "not known"),
        ("not read back", "not known"),
        (" shows ", "shows another"),
    ];
    let end = ends.iter().find(|(words, _)| says.contains(words));
    let (_, end) = end.unwrap_or_else(|| panic!("{what}: {says}"));
    let says_as_before = matches!(*end, "untouched" | "written back");
    assert!(
        as_before || !says_as_before,
        "{what}: {says}; it is {clock}"
    );
    end
}

/// What passes is recovered: the clock is told and set.
#[test]
fn clock_is_told_and_set_in_spite_of_faults_that_pass() {
    let passing = [
        "no-cr",
        "command-late",
        "command-lost",
        "command-nak",
        "command-odd",
        "command-late:4",
        "command-lost:4",
        "nak",
        "slow",
        "slow:1500",
    ];
    for model in models() {
        for fault in passing {
            let uri = format!("{}?records=9&fault={fault}", model.key);
            let mut bench = Bench::<Contour>::new(&uri);
            let told = bench.session.clock();
            let told = told.unwrap_or_else(|error| panic!("{uri}: {error}"));
            assert!(near(told.local, bench.clock(), 60), "{uri}: {told:?}");
            let mut bench = Bench::<Contour>::new(&uri);
            let outcome = set(&mut bench, "2031-02-28T23:58:17");
            outcome.unwrap_or_else(|error| panic!("{uri}: {error}"));
            bench.assert_in_order(&uri);
        }
    }
}

/// Ctrl-C at any moment of setting the clock: set, or as before; never half, and the meter in order.
#[test]
fn cancelled_at_any_moment_the_clock_is_set_or_left() {
    for model in SOME {
        let uri = format!("{model}?records=9");
        let ended = (0..150).map(|questions| {
            let what = format!("{uri}, question {questions}");
            let mut bench = Bench::<Contour>::new(&uri);
            bench.host.cancel_after(questions);
            let (old, then) = (bench.clock(), bench.now_ms());
            let set = set(&mut bench, "2031-02-28T23:58:57");
            bench.assert_in_order(&what);
            match set {
                Ok(()) => "set",
                Err(error) => {
                    assert_eq!(error.status, Status::Cancelled, "{what}");
                    assert!(bench.audit().clock_settings.is_empty(), "{what}");
                    let passed = i64::try_from(bench.now_ms() - then).unwrap();
                    assert!(near(
                        bench.clock(),
                        old + TimeDelta::milliseconds(passed),
                        1
                    ));
                    "left"
                }
            }
        });
        let ended = tally(ended);
        assert!(
            ended["left"] > 20 && ended["set"] > 20,
            "{model}: {ended:?}"
        );
    }
}

/// The wish and the meter's own midnight at every second of a minute before and behind it.
#[test]
fn midnights_do_not_change_the_day() {
    for second in 0..60 {
        for (clock, wish) in [
            (
                format!("2026-05-30T23:59:{second:02}"),
                "2031-02-28T12:00:17".to_owned(),
            ),
            (
                format!("2026-05-30T23:59:{second:02}"),
                "2031-02-28T23:58:59".to_owned(),
            ),
            (
                "2026-05-30T12:00:00".to_owned(),
                format!("2031-02-28T23:59:{second:02}"),
            ),
            (
                "2026-05-30T12:00:00".to_owned(),
                format!("2031-12-31T23:58:{second:02}"),
            ),
            (
                format!("2026-02-28T23:59:{second:02}"),
                format!("2028-02-28T23:59:{second:02}"),
            ),
        ] {
            let uri = format!("contour-next-usb?records=2&clock={clock}");
            let mut bench = Bench::<Contour>::new(&uri);
            set(&mut bench, &wish).unwrap_or_else(|error| panic!("{uri} {wish}: {error}"));
            bench.assert_in_order(&uri);
            let uri = format!("contour-next-one?records=2&clock={clock}");
            let mut bench = Bench::<Contour>::new(&uri);
            let told = bench.session.clock().unwrap();
            assert!(near(told.local, bench.clock(), 60), "{uri}: {told:?}");
        }
    }
}

/// A wish right at a full minute is not waited for, any other at most a minute.
#[test]
fn the_next_full_minute_is_waited_for() {
    for (wish, least, most) in [
        ("2031-02-28T18:05:00", 0, 3_000),
        ("2031-02-28T18:05:02", 57_000, 60_500),
        ("2031-02-28T18:05:30", 29_000, 32_500),
        ("2031-02-28T18:05:59", 500, 3_000),
    ] {
        let mut bench = Bench::<Contour>::new("contour-next-usb?records=2");
        set(&mut bench, wish).unwrap();
        let took = bench.now_ms();
        assert!((least..most).contains(&took), "{wish}: {took}");
    }
}

/// Years that two digits cannot tell are refused before anything is said.
#[test]
fn years_of_other_centuries_are_refused() {
    for wish in [
        "1999-12-31T23:59:59",
        "2099-12-31T23:59:00",
        "2100-01-01T00:00:00",
    ] {
        let mut bench = Bench::<Contour>::new("contour-next-usb?records=2");
        let error = bench.session.set_clock(time(wish)).unwrap_err();
        assert_eq!(error.status, Status::InvalidArgument, "{wish}");
        assert!(bench.audit().clock_settings.is_empty());
        bench.assert_in_order(wish);
    }
}

/// A meter that cannot be erased by any known command says so.
#[test]
fn erasing_is_not_possible() {
    let mut bench = Bench::<Contour>::new("contour-next-usb?records=2");
    let error = bench.session.erase("7413-1234567").unwrap_err();
    assert_eq!(error.status, Status::Unsupported);
    assert_eq!(bench.audit().reports_received, 0);
}

/// The clock of each model is told and set, whatever the meter is found in the middle of.
#[test]
fn clock_is_told_and_set_from_every_state() {
    for model in models() {
        for state in STATES {
            let uri = format!("{}?records=9&state={state}", model.key);
            let mut bench = Bench::<Contour>::new(&uri);
            let told = bench
                .session
                .clock()
                .unwrap_or_else(|e| panic!("{uri}: {e}"));
            assert_eq!(told.resolution_s, 60);
            assert_eq!(told.local.second(), 0);
            assert!(near(told.local, bench.clock(), 60), "{uri}: {told:?}");
            bench.assert_in_order(&uri);
            set(&mut bench, "2031-02-28T23:58:17").unwrap_or_else(|e| panic!("{uri}: {e}"));
            bench.assert_in_order(&uri);
            assert_eq!(bench.audit().clock_settings.len(), 2, "{uri}");
        }
    }
}

/// Sets the clock to what shall be shown now, and looks at the meter.
fn set(bench: &mut Bench<Contour>, wish: &str) -> glucopipe_sdk::Result<()> {
    let (wish, begun) = (time(wish), bench.now_ms());
    bench.session.set_clock(wish)?;
    let passed = i64::try_from(bench.now_ms() - begun).unwrap();
    let due = wish + TimeDelta::milliseconds(passed);
    assert!(
        near(bench.clock(), due, 2),
        "{} in place of {due}, {:?}",
        bench.clock(),
        bench.scenario
    );
    // A minute at most, and another one when a fault made it miss the first.
    assert!(passed < 150_000, "{passed}");
    Ok(())
}
