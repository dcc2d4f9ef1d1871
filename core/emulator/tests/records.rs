//! The invented results: variety, limits and agreement with the wire.

mod support;

use std::collections::BTreeSet;

use glucopipe_emulator::{InsulinType, Kind, Meal, Range, Truth};
use support::{Host, assert_agrees, contour_models, scenario};

fn find<'a>(truth: &'a [Truth], markers: &str) -> &'a Truth {
    let found = truth.iter().find(|t| t.markers == markers);
    found.unwrap_or_else(|| panic!("no result marked {markers}"))
}

#[test]
fn sends_what_the_truth_says_on_every_model() {
    for model in contour_models() {
        for unit in ["mg/dL", "mmol/L"] {
            let scenario = scenario(&format!("{}?unit={unit}", model.key));
            let truth = scenario.truth();
            assert_eq!(truth.len(), 300);
            let session = Host::new(&scenario).download();
            assert_eq!(session.results.len(), 300, "{}", model.key);
            assert_eq!(session.header()[6], "300");
            for (text, truth) in session.results.iter().zip(&truth) {
                assert_agrees(text, truth);
                let digits = truth.local_time.digits(truth.raw_time.len() == 14);
                assert_eq!(digits, truth.raw_time);
                let same = truth.range == Range::In && truth.kind != Kind::Insulin;
                let number: f64 = truth.raw_value.parse().unwrap();
                assert_eq!((number - truth.value).abs() < 1e-9, same, "{text}");
            }
            assert!(truth.is_sorted_by_key(|t| t.local_time));
        }
    }
}

#[test]
fn shows_every_marker_token() {
    for model in contour_models() {
        let truth = scenario(model.key).truth();
        let seen: BTreeSet<&str> = truth.iter().flat_map(|t| t.markers.split('/')).collect();
        for token in "< > C B A D I S X Z1 Z2 Z3 Z4 Z5 Z6 Z7 Z8 Z9 ZA ZB ZC".split(' ') {
            assert!(seen.contains(token), "{} lacks {token}", model.key);
        }
        let newer =
            !["contour-usb", "contour-next-link", "contour-next-link-mmol"].contains(&model.key);
        assert_eq!(seen.contains("F"), newer, "{}", model.key);
        assert_eq!(
            seen.contains("M0") && seen.contains("T1"),
            newer,
            "{}",
            model.key
        );
    }
    let usb = scenario("contour-next-usb").truth();
    assert!(usb.iter().any(|t| t.markers == "B/M0/T1"));
    let one = scenario("contour-next-one").truth();
    assert!(one.iter().any(|t| t.markers == "B/T1/M0"));
    let old = scenario("contour-usb").truth();
    assert_eq!(find(&old, "A/Z8").meal, Some(Meal::After));
    assert_eq!(find(&old, "A/Z8").minutes_after_meal, Some(120));
    let late = find(&old, "ZC");
    assert_eq!(
        (late.kind, late.meal, late.minutes_after_meal),
        (Kind::Glucose, None, Some(180))
    );
    assert_eq!(find(&old, "C").kind, Kind::Control);
    assert_eq!(find(&old, "").meal, None);
}

#[test]
fn reports_limits_for_hi_and_lo_but_sends_the_neighbour() {
    // model, unit, sent HI, limit, sent LO, limit
    for (uri, hi, high, lo, low) in [
        ("contour-usb", "601", 600.0, "9", 10.0),
        ("contour-usb?unit=mmol", "33.4", 33.3, "0.5", 0.6),
        ("contour-next-link", "601", 600.0, "19", 20.0),
        ("contour-next-link-mmol", "33.4", 33.3, "0.5", 0.6),
        ("contour-next-usb", "601", 600.0, "19", 20.0),
        ("contour-next-usb?unit=mmol", "33.4", 33.3, "1.0", 1.1),
        ("contour-next-one", "601", 600.0, "9", 10.0),
        ("contour-next-one?unit=mmol", "33.4", 33.3, "0.5", 0.6),
    ] {
        let truth = scenario(uri).truth();
        let above: Vec<_> = truth.iter().filter(|t| t.range == Range::Above).collect();
        let below: Vec<_> = truth.iter().filter(|t| t.range == Range::Below).collect();
        assert!(above.len() >= 2 && below.len() >= 2, "{uri}");
        for (list, token, sent, limit) in [(above, '>', hi, high), (below, '<', lo, low)] {
            for t in list {
                assert!(t.markers.starts_with(token));
                assert_eq!(t.raw_value, sent, "{uri}");
                assert_eq!((t.value, t.range_limit), (limit, Some(limit)), "{uri}");
            }
        }
    }
}

#[test]
fn stores_carbs_and_insulin_on_the_next_usb_only() {
    for model in contour_models() {
        let truth = scenario(model.key).truth();
        let logbook = truth
            .iter()
            .any(|t| matches!(t.kind, Kind::Carbs | Kind::Insulin));
        assert_eq!(logbook, model.key == "contour-next-usb");
    }
    let truth = scenario("contour-next-usb").truth();
    let carbs: BTreeSet<_> = truth
        .iter()
        .filter(|t| t.kind == Kind::Carbs)
        .map(|t| (t.raw_unit.as_str(), t.unit, t.reference))
        .collect();
    let expected = [
        ("0^", "", None),
        ("1^", "g", None),
        ("2^", "points", None),
        ("3^", "choices", None),
    ];
    assert_eq!(carbs, BTreeSet::from(expected));
    let insulin: Vec<_> = truth.iter().filter(|t| t.kind == Kind::Insulin).collect();
    assert_eq!(insulin.len(), 4);
    for dose in insulin {
        assert_eq!(dose.unit, "[iU]");
        assert_eq!(dose.raw_value, format!("{}", (dose.value * 10.0).round()));
        let code = match dose.insulin_type.unwrap() {
            InsulinType::Unknown => "0^",
            InsulinType::Fast => "1^",
            InsulinType::Long => "2^",
            InsulinType::Mixed => "3^",
        };
        assert_eq!(dose.raw_unit, code);
    }
}

#[test]
fn has_frames_of_exactly_one_report() {
    for model in contour_models() {
        for unit in ["mg/dL", "mmol/L"] {
            let session = Host::open(&format!("{}?unit={unit}", model.key)).download();
            let full = session
                .results
                .iter()
                .filter(|text| text.len() + 8 == 60)
                .count();
            assert!(full >= 2, "{} {unit}: {full}", model.key);
        }
    }
}

#[test]
fn has_equal_and_different_results_in_one_minute() {
    let truth = scenario("contour-next-usb").truth();
    let pairs: Vec<_> = truth
        .windows(2)
        .filter(|pair| pair[0].raw_time == pair[1].raw_time)
        .collect();
    assert!(
        pairs
            .iter()
            .any(|pair| pair[0].raw_value == pair[1].raw_value)
    );
    assert!(
        pairs
            .iter()
            .any(|pair| pair[0].raw_value != pair[1].raw_value)
    );
}

#[test]
fn works_with_few_and_many_results() {
    for records in [0_u32, 1, 2, 3, 5, 13, 44, 10_000] {
        let scenario = scenario(&format!("contour-next-usb?records={records}"));
        let session = Host::new(&scenario).download();
        let count = usize::try_from(records).unwrap();
        assert_eq!(
            (session.results.len(), scenario.truth().len()),
            (count, count)
        );
        assert_eq!(session.terminator.as_deref(), Some("L|1||N"));
        assert_eq!(session.header()[6], records.to_string());
    }
    let three = scenario("contour-next-usb?records=3").truth();
    assert_eq!(three[2].local_time.to_string(), "2026-05-30T18:05:00");
}

#[test]
fn depends_on_the_seed_and_nothing_else() {
    let wire = |uri: &str| {
        let mut host = Host::open(uri);
        host.download();
        host.log
    };
    assert_eq!(
        wire("contour-next-one?seed=7"),
        wire("contour-next-one?seed=7")
    );
    assert_ne!(
        wire("contour-next-one?seed=7"),
        wire("contour-next-one?seed=8")
    );
    let a = scenario("contour-usb").truth();
    let b = scenario("contour-usb?serial=42&clock=2030-01-01T00:00&fault=nak").truth();
    assert_eq!(a, b);
}

#[test]
fn values_are_plausible_and_varied() {
    for uri in [
        "contour-usb?records=2000",
        "contour-usb?records=2000&unit=mmol",
    ] {
        let truth = scenario(uri).truth();
        let mut values = BTreeSet::new();
        for t in truth.iter().filter(|t| t.range == Range::In) {
            let mg = if t.unit == "mg/dL" {
                t.value
            } else {
                t.value * 18.0
            };
            assert!((43.0..=425.0).contains(&mg), "{}", t.raw_value);
            values.insert(t.raw_value.clone());
        }
        assert!(values.len() > 100);
    }
}
