//! Invents the times of the stored results.

use crate::civil::LocalTime;
use crate::rng::Rng;
use crate::scenario::Scenario;

const DAY_S: i64 = 86_400;
const HOUR_S: i64 = 3_600;
/// Tests are made between these times of day.
const WAKES_S: i64 = 6 * HOUR_S + HOUR_S / 2;
const SLEEPS_S: i64 = 22 * HOUR_S + HOUR_S / 2;
const AWAKE_S: i64 = SLEEPS_S - WAKES_S;
/// Tests on a day with tests.
const TESTS_PER_DAY: usize = 4;
/// Shorter lists have no room for the special times.
const ROOM_FOR_SPECIALS: usize = 12;
/// Keeps times apart from values and passwords of the same seed.
const TIME_STREAM: u64 = 0x54_49_4D_45;
/// Seconds between two tests in one minute on meters that keep seconds.
const TWIN_S: i64 = 20;

/// Local times inside the changes of daylight saving, Central and Eastern Europe: in the gap of
/// 2026-03-29 and in the overlap of 2025-10-26.
const CHANGES: [LocalTime; 4] = [
    change(2025, 10, 26, 2),
    change(2025, 10, 26, 3),
    change(2026, 3, 29, 2),
    change(2026, 3, 29, 3),
];

const fn change(year: u16, month: u8, day: u8, hour: u8) -> LocalTime {
    LocalTime {
        year,
        month,
        day,
        hour,
        minute: 30,
        second: 0,
    }
}

/// The place of one result.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Slot {
    /// Its time.
    pub(crate) time: LocalTime,
    /// It repeats the value of the result before it.
    pub(crate) twin: bool,
    /// It takes no other role.
    pub(crate) reserved: bool,
}

/// Lays out all results, oldest first; the newest is at the scenario's end.
pub(crate) fn schedule(scenario: &Scenario) -> Vec<Slot> {
    let count = usize::try_from(scenario.records).unwrap_or(0);
    let seconds = scenario.family.result_seconds();
    let mut times = spread(scenario, count);
    if count >= ROOM_FOR_SPECIALS {
        visit_changes(scenario, &mut times);
    }
    let slot = |time: LocalTime| Slot {
        time: if seconds {
            time
        } else {
            time.without_seconds()
        },
        twin: false,
        reserved: CHANGES.contains(&time),
    };
    let mut slots: Vec<Slot> = times.into_iter().map(slot).collect();
    if count >= ROOM_FOR_SPECIALS {
        share_minute(&mut slots, count / 2, seconds, true);
        share_minute(&mut slots, count / 3, seconds, false);
    }
    slots
}

/// Spreads roles over the results that are not reserved for something else.
pub(crate) fn hand_out<T: Copy>(wanted: &[T], slots: &[Slot]) -> Vec<Option<T>> {
    let mut roles = vec![None; slots.len()];
    let mut free: Vec<usize> = (0..slots.len()).filter(|at| !slots[*at].reserved).collect();
    // The newest result is an ordinary one.
    free.pop();
    let step = (free.len() / wanted.len().max(1)).max(1);
    for (at, role) in free.into_iter().step_by(step).zip(wanted) {
        roles[at] = Some(*role);
    }
    roles
}

/// Spreads the results over days with several tests each.
fn spread(scenario: &Scenario, count: usize) -> Vec<LocalTime> {
    let mut rng = Rng::new(scenario.seed ^ TIME_STREAM);
    let days = usize::try_from(scenario.days).unwrap_or(1).max(1);
    let tested = count.div_ceil(TESTS_PER_DAY).clamp(1, days);
    let per_day = count.div_ceil(tested).max(1);
    let spacing = AWAKE_S / i64::try_from(per_day).unwrap_or(1);
    let jitter = u32::try_from(spacing * 3 / 5).unwrap_or(0);
    let end = scenario.end.to_seconds();
    // Newest first, in windows of 24 hours that end at the scenario's end.
    let mut times = Vec::with_capacity(count);
    for window in 0..tested {
        let back = i64::try_from(window * days / tested).unwrap_or(0) + 1;
        let start = end - back * DAY_S;
        for test in (1..=per_day).rev() {
            let early = i64::from(rng.between(0, jitter));
            let awake = i64::try_from(test).unwrap_or(0) * spacing - early;
            times.push(LocalTime::from_seconds(start + skip_night(start, awake)));
        }
    }
    times.truncate(count);
    times.reverse();
    if let Some(newest) = times.last_mut() {
        *newest = scenario.end;
    }
    times
}

/// Turns seconds awake since `start` into seconds since `start`.
fn skip_night(start: i64, awake: i64) -> i64 {
    let time_of_day = start.rem_euclid(DAY_S);
    let till_sleep = SLEEPS_S - time_of_day;
    if time_of_day < WAKES_S {
        WAKES_S - time_of_day + awake
    } else if awake < till_sleep {
        awake
    } else {
        // What is left before the night counts only when `start` is before it.
        awake.max(0) - till_sleep.max(0) + (DAY_S - time_of_day + WAKES_S)
    }
}

/// Moves the nearest results to the daylight-saving changes within the span.
fn visit_changes(scenario: &Scenario, times: &mut [LocalTime]) {
    let first = scenario.end.plus_seconds(-i64::from(scenario.days) * DAY_S);
    for change in CHANGES {
        if change <= first || change >= scenario.end {
            continue;
        }
        let older = times.len().saturating_sub(1);
        let distance = |time: &LocalTime| (time.to_seconds() - change.to_seconds()).abs();
        let candidates = times
            .iter_mut()
            .take(older)
            .filter(|time| !CHANGES.contains(time));
        if let Some(nearest) = candidates.min_by_key(|time| distance(time)) {
            *nearest = change;
        }
    }
    times.sort();
}

/// Puts two results next to each other into one minute, near position `near`.
fn share_minute(slots: &mut [Slot], near: usize, seconds: bool, same_value: bool) {
    let free = |pair: &[Slot]| pair.iter().all(|slot| !slot.reserved);
    let last = slots.len().saturating_sub(2);
    let Some(at) = (near..last)
        .chain((0..near).rev())
        .find(|at| slots.get(*at..at + 2).is_some_and(free) && at + 2 < slots.len())
    else {
        return;
    };
    let Some([first, second]) = slots.get_mut(at..at + 2) else {
        return;
    };
    let later = if seconds {
        TWIN_S.min(59 - i64::from(first.time.second))
    } else {
        0
    };
    // Never later than the second result was, so that the order stays.
    second.time = second.time.min(first.time.plus_seconds(later));
    second.twin = same_value;
    first.reserved = true;
    second.reserved = true;
}

#[cfg(test)]
mod tests {
    use crate::parse;

    use super::*;

    fn times(uri: &str) -> Vec<LocalTime> {
        schedule(&parse(uri).unwrap())
            .into_iter()
            .map(|slot| slot.time)
            .collect()
    }

    #[test]
    fn keeps_count_order_span_and_end_for_many_shapes() {
        for model in ["contour-next-usb", "contour-next-one"] {
            for records in [0, 1, 2, 3, 11, 12, 13, 50, 299, 300, 1000, 10_000] {
                for (days, end) in [
                    (1, "2026-05-30T18:05:00"),
                    (30, "2026-04-10T03:00:30"),
                    (240, "2026-05-30T00:10:00"),
                    (900, "2026-05-30T23:50:00"),
                ] {
                    let uri = format!("{model}?records={records}&days={days}&end={end}");
                    let times = times(&uri);
                    assert_eq!(times.len(), records, "{uri}");
                    assert!(times.is_sorted(), "{uri}");
                    let Some(newest) = times.last() else { continue };
                    let end = LocalTime::parse(end).unwrap();
                    assert_eq!(newest.without_seconds(), end.without_seconds(), "{uri}");
                    let start = end.plus_seconds(-i64::from(days) * DAY_S - 60);
                    assert!(times[0] >= start, "{uri}: {}", times[0]);
                }
            }
        }
    }

    #[test]
    fn visits_every_daylight_saving_change_within_the_span() {
        for records in [12, 300, 5000] {
            let times = times(&format!("contour-next-usb?records={records}"));
            for change in CHANGES {
                assert!(times.contains(&change), "{records} {change}");
            }
        }
        let spring = times("contour-next-one?records=60&days=90");
        assert!(spring.contains(&CHANGES[2]) && spring.contains(&CHANGES[3]));
        assert!(!spring.contains(&CHANGES[0]));
    }

    #[test]
    fn has_two_tests_in_one_minute() {
        let minute = times("contour-next-usb");
        assert!(minute.windows(2).filter(|pair| pair[0] == pair[1]).count() >= 2);
        let second = times("contour-next-one");
        let same = |pair: &&[LocalTime]| pair[0].without_seconds() == pair[1].without_seconds();
        assert!(second.windows(2).filter(same).any(|pair| pair[0] < pair[1]));
    }

    #[test]
    fn tests_by_day_apart_from_the_changes() {
        for time in times("contour-next-usb") {
            let awake = (6..=22).contains(&time.hour);
            assert!(awake || CHANGES.contains(&time), "{time}");
        }
    }
}
