use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::document::Glucose;

const SECOND: i64 = 1_780_157_100_000;

fn stick(id: &str, second_ms: i64, mg: u16) -> Stick {
    Stick {
        reading_id: id.to_owned(),
        second_ms,
        offset_min: 120,
        glucose: Glucose::from_mg_per_dl(mg.into()).unwrap(),
        beyond: None,
        device: String::new(),
        notes: String::new(),
        raw_value: mg.to_string(),
        raw_unit: "mg/dL".to_owned(),
    }
}

fn found(identifier: Option<&str>, date_ms: i64, value: f64) -> Found {
    Found {
        id: Some(format!("{date_ms:024x}")),
        identifier: identifier.map(str::to_owned),
        dates_ms: vec![date_ms],
        value: Some(value),
        deleted: false,
    }
}

/// Exact comparison is meant: the tests use whole numbers.
fn mg(stick: &Stick) -> f64 {
    stick.raw_value.parse().unwrap()
}

fn planned(sticks: &[Stick], found: &[Found]) -> Plan {
    plan(&sticks.iter().collect::<Vec<_>>(), found, mg)
}

/// A site that keys by instant alone, as API 1 does.
#[derive(Clone, Default, Debug, PartialEq)]
struct Site(BTreeMap<i64, (Option<String>, u16)>);

impl Site {
    fn found(&self) -> Vec<Found> {
        self.0
            .iter()
            .map(|(date_ms, (id, mg))| found(id.as_deref(), *date_ms, (*mg).into()))
            .collect()
    }

    fn deliver(&mut self, sticks: &[Stick]) {
        let before = self.found();
        let plan = planned(sticks, &before);
        assert!(plan.crowded.is_empty() && plan.deleted.is_empty());
        for placed in &plan.send {
            let stick = &sticks[placed.stick];
            let document = (
                Some(stick.reading_id.clone()),
                stick.raw_value.parse().unwrap(),
            );
            self.0.insert(placed.date_ms, document);
        }
        for stale in &plan.stale {
            let date_ms = before[stale.found].dates_ms[0];
            let gone = self.0.remove(&date_ms).unwrap();
            assert_eq!(
                gone.0.as_deref(),
                Some(sticks[stale.stick].reading_id.as_str())
            );
        }
    }
}

#[test]
fn a_reading_takes_its_own_millisecond() {
    let stick = stick("a", SECOND, 100);
    let expected = SECOND + i64::from(stick.slot());
    let plan = planned(&[stick], &[]);
    assert_eq!(
        plan.send,
        [Placed {
            stick: 0,
            date_ms: expected
        }]
    );
}

#[test]
fn what_is_there_is_not_sent_and_keeps_its_instant_when_it_changed() {
    let stick = stick("a", SECOND, 100);
    let there = found(Some("a"), SECOND + 999, 100.0);
    assert_eq!(planned(std::slice::from_ref(&stick), &[there]).there, [0]);
    let other = found(Some("a"), SECOND + 999, 99.0);
    let plan = planned(&[stick], &[other]);
    assert_eq!(
        plan.send,
        [Placed {
            stick: 0,
            date_ms: SECOND + 999
        }]
    );
    assert!(plan.stale.is_empty());
}

#[test]
fn a_document_of_somebody_else_is_never_overwritten() {
    let stick = stick("a", SECOND, 100);
    let own = SECOND + i64::from(stick.slot());
    let mut foreign = found(None, own + 50, 80.0);
    // `dateString` leads elsewhere than `date`: the key of API 1 is the former.
    foreign.dates_ms.push(own);
    let plan = planned(&[stick], &[foreign]);
    assert_eq!(plan.send[0].date_ms.div_euclid(1000), SECOND / 1000);
    assert_ne!(plan.send[0].date_ms, own);
}

#[test]
fn a_reading_that_moved_leaves_a_stale_document() {
    let stick = stick("a", SECOND, 100);
    let old = found(Some("a"), SECOND - 3_600_000, 100.0);
    let plan = planned(std::slice::from_ref(&stick), std::slice::from_ref(&old));
    assert_eq!((plan.send.len(), plan.there.len()), (1, 0));
    assert_eq!(
        plan.stale,
        [Stale {
            stick: 0,
            found: 0,
            replaced: false
        }]
    );
    let new = found(Some("a"), SECOND, 100.0);
    let plan = planned(&[stick], &[old, new]);
    assert_eq!(plan.there, [0]);
    assert_eq!(
        plan.stale,
        [Stale {
            stick: 0,
            found: 0,
            replaced: true
        }]
    );
}

#[test]
fn what_was_deleted_at_the_site_stays_deleted() {
    let mut deleted = found(Some("a"), SECOND - 3_600_000, 100.0);
    deleted.deleted = true;
    let plan = planned(&[stick("a", SECOND, 100)], &[deleted]);
    assert_eq!(
        plan,
        Plan {
            deleted: vec![0],
            ..Plan::default()
        }
    );
}

#[test]
fn a_second_holds_a_thousand_readings_and_no_more() {
    let sticks: Vec<Stick> = (0..1001)
        .map(|n| stick(&n.to_string(), SECOND, 100))
        .collect();
    let plan = planned(&sticks, &[]);
    let dates: HashSet<i64> = plan.send.iter().map(|placed| placed.date_ms).collect();
    assert_eq!(
        (plan.send.len(), dates.len(), plan.crowded.len()),
        (1000, 1000, 1)
    );
}

/// Readings in few seconds, so that many share one; ids decide the slot.
fn sticks() -> impl Strategy<Value = Vec<Stick>> {
    proptest::collection::btree_map(0u32..5000, (0i64..3, 40u16..400), 0..300).prop_map(
        |readings| {
            readings
                .into_iter()
                .map(|(id, (second, mg))| stick(&id.to_string(), SECOND + second * 1000, mg))
                .collect()
        },
    )
}

/// Documents of other programs in the same seconds.
fn foreign() -> impl Strategy<Value = Site> {
    proptest::collection::btree_map(SECOND..SECOND + 3000, 40u16..400, 0..100)
        .prop_map(|docs| Site(docs.into_iter().map(|(at, mg)| (at, (None, mg))).collect()))
}

fn ours(site: &Site) -> BTreeMap<String, (i64, u16)> {
    let ours = site.0.iter();
    ours.filter_map(|(at, (id, mg))| Some((id.clone()?, (*at, *mg))))
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever the batches and their order: each reading once, in its own second, and nothing of
    /// anybody else is touched.
    #[test]
    fn nothing_is_lost_doubled_or_overwritten(
        sticks in sticks(), before in foreign(), size in 1usize..50, turn in 0usize..300,
    ) {
        let mut shuffled = sticks.clone();
        let len = shuffled.len().max(1);
        shuffled.rotate_left(turn % len);
        let mut site = before.clone();
        for batch in shuffled.chunks(size) {
            site.deliver(batch);
        }
        let ours = ours(&site);
        prop_assert_eq!(ours.len(), sticks.len());
        prop_assert_eq!(site.0.len(), sticks.len() + before.0.len());
        for stick in &sticks {
            let (at, mg) = ours[&stick.reading_id];
            prop_assert_eq!(at - at.rem_euclid(1000), stick.second_ms);
            prop_assert_eq!(mg.to_string(), stick.raw_value.clone());
        }
        for (at, (id, mg)) in &before.0 {
            prop_assert!(id.is_none());
            prop_assert_eq!(&site.0[at], &(None, *mg));
        }
    }

    /// A further run, with everything or a part, in any order, changes nothing.
    #[test]
    fn a_further_run_changes_nothing(sticks in sticks(), before in foreign(), turn in 0usize..300) {
        let mut site = before;
        site.deliver(&sticks);
        let once = site.clone();
        let mut again = sticks.clone();
        let len = again.len().max(1);
        again.rotate_left(turn % len);
        again.reverse();
        let plan = planned(&again, &site.found());
        prop_assert_eq!((plan.there.len(), plan.send.len(), plan.stale.len()), (sticks.len(), 0, 0));
        for batch in again.chunks(7) {
            site.deliver(batch);
        }
        prop_assert_eq!(site, once);
    }

    /// One batch gives the same documents whatever its order.
    #[test]
    fn the_order_within_a_batch_does_not_matter(sticks in sticks(), before in foreign(), turn in 0usize..300) {
        let mut other = sticks.clone();
        let len = other.len().max(1);
        other.rotate_left(turn % len);
        let (mut one, mut two) = (before.clone(), before);
        one.deliver(&sticks);
        two.deliver(&other);
        prop_assert_eq!(one, two);
    }

    /// Where no two readings want the same millisecond, batches do not matter either.
    #[test]
    fn without_a_clash_the_instant_depends_on_the_reading_alone(sticks in sticks(), size in 1usize..50) {
        let mut wanted = HashSet::new();
        let alone: Vec<Stick> = sticks
            .into_iter()
            .filter(|stick| wanted.insert(stick.second_ms + i64::from(stick.slot())))
            .collect();
        let mut site = Site::default();
        for batch in alone.chunks(size) {
            site.deliver(batch);
        }
        for stick in &alone {
            let at = ours(&site)[&stick.reading_id].0;
            prop_assert_eq!(at, stick.second_ms + i64::from(stick.slot()));
        }
    }

    /// All readings move by the same shift, as a change of zone makes them: all arrive, none stays behind.
    #[test]
    fn a_change_of_zone_moves_every_reading(sticks in sticks(), shift in -27i64..28) {
        let mut site = Site::default();
        site.deliver(&sticks);
        let moved: Vec<Stick> = sticks
            .iter()
            .map(|stick| Stick { second_ms: stick.second_ms + shift * 3_600_000, ..stick.clone() })
            .collect();
        site.deliver(&moved);
        let ours = ours(&site);
        prop_assert_eq!((site.0.len(), ours.len()), (sticks.len(), sticks.len()));
        for stick in &moved {
            let at = ours[&stick.reading_id].0;
            prop_assert_eq!(at - at.rem_euclid(1000), stick.second_ms);
        }
    }
}
