use chrono::{LocalResult, NaiveDateTime};
use chrono_tz::{Africa, America, Asia, Australia, Europe, Pacific, TZ_VARIANTS};
use proptest::prelude::*;

use super::super::testing::local;
use super::*;

fn ask(tz: Tz, text: &str) -> (Occurs, i16, i16) {
    let segment = *Zone::new(tz).segment(local(text));
    assert!(segment.holds(local(text)));
    (segment.occurs, segment.first.min, segment.second.min)
}

#[test]
fn knows_gaps_and_overlaps_to_the_second() {
    use Occurs::{Never, Once, Twice};
    for (tz, time, expected) in [
        (Europe::Berlin, "2026-03-29T01:59:59", (Once, 60, 60)),
        (Europe::Berlin, "2026-03-29T02:00:00", (Never, 60, 60)),
        (Europe::Berlin, "2026-03-29T02:30:00", (Never, 60, 60)),
        (Europe::Berlin, "2026-03-29T03:00:00", (Once, 120, 120)),
        (Europe::Berlin, "2026-10-25T01:59:59", (Once, 120, 120)),
        (Europe::Berlin, "2026-10-25T02:00:00", (Twice, 120, 60)),
        (Europe::Berlin, "2026-10-25T02:59:59", (Twice, 120, 60)),
        (Europe::Berlin, "2026-10-25T03:00:00", (Once, 60, 60)),
        (Europe::Athens, "2026-03-29T03:30:00", (Never, 120, 120)),
        (Europe::Athens, "2025-10-26T03:30:00", (Twice, 180, 120)),
        (Europe::Athens, "2026-10-25T03:30:00", (Twice, 180, 120)),
        (
            America::New_York,
            "2026-03-08T02:30:00",
            (Never, -300, -300),
        ),
        (
            America::New_York,
            "2026-11-01T01:30:00",
            (Twice, -240, -300),
        ),
        (Asia::Kathmandu, "2026-06-01T12:00:00", (Once, 345, 345)),
        (Asia::Kathmandu, "1986-01-01T00:10:00", (Never, 330, 330)),
        (
            Australia::Lord_Howe,
            "2026-04-05T01:29:59",
            (Once, 660, 660),
        ),
        (
            Australia::Lord_Howe,
            "2026-04-05T01:30:00",
            (Twice, 660, 630),
        ),
        (
            Australia::Lord_Howe,
            "2026-10-04T02:15:00",
            (Never, 630, 630),
        ),
        (Africa::Casablanca, "2026-02-15T02:30:00", (Twice, 60, 0)),
        (Africa::Casablanca, "2026-03-22T02:30:00", (Never, 0, 0)),
        (Pacific::Apia, "2011-12-30T12:00:00", (Never, -600, -600)),
        (Pacific::Apia, "2011-12-31T00:00:00", (Once, 840, 840)),
        (Europe::Berlin, "2025-12-31T23:59:59", (Once, 60, 60)),
        (Europe::Berlin, "2026-01-01T00:00:00", (Once, 60, 60)),
        (Australia::Sydney, "2025-12-31T23:59:59", (Once, 660, 660)),
        (Tz::UTC, "2026-01-01T00:00:00", (Once, 0, 0)),
    ] {
        assert_eq!(ask(tz, time), expected, "{tz} {time}");
    }
}

#[test]
fn handles_years_that_no_table_covers() {
    for us in [i64::MIN, i64::MIN + 1, -1, 0, i64::MAX - 1] {
        assert!(Zone::new(Europe::Berlin).segment(us).holds(us), "{us}");
    }
    assert_eq!(Zone::new(Europe::Berlin).segment(i64::MAX).first.min, 60);
    assert_eq!(
        ask(Europe::Berlin, "2600-07-01T12:00:00"),
        (Occurs::Once, 60, 60)
    );
    assert_eq!(ask(Europe::Berlin, "1700-07-01T12:00:00").1, 53);
    assert_eq!(ask(Europe::Berlin, "2099-07-01T12:00:00").1, 120);
    assert_eq!(Zone::new(Tz::UTC).at(i64::MIN).us, 0);
    assert_eq!(Zone::new(Europe::Berlin).at(i64::MAX).min, 60);
}

#[test]
fn offsets_with_seconds_keep_them() {
    let mut zone = Zone::new(Africa::Monrovia);
    let first = zone.segment(local("1971-06-01T12:00:00")).first;
    assert_eq!((first.us, first.min), (-2670 * SECOND_US, -45));
}

#[test]
fn the_zone_data_knows_no_change_outside_the_tables() {
    for tz in TZ_VARIANTS {
        let at = |year| {
            let moment = DateTime::from_timestamp(year_start(year), 0)
                .unwrap()
                .naive_utc();
            tz.offset_from_utc_datetime(&moment).fix().local_minus_utc()
        };
        assert_eq!(
            (at(YEARS.start), at(YEARS.end)),
            (at(-9000), at(9000)),
            "{tz}"
        );
    }
}

#[test]
fn no_change_hides_between_two_probes() {
    const DAYS: i64 = 70 * 366;
    for tz in ZONES {
        let zone = Zone::new(tz);
        let start = year_start(1970);
        let offsets: Vec<i64> = (0..=DAYS * 4)
            .map(|quarter| zone.seconds_at(start + quarter * DAY_S / 4))
            .collect();
        let changes = offsets.windows(2).filter(|pair| pair[0] != pair[1]).count();
        assert_eq!(
            zone.spans(start, start + DAYS * DAY_S).len() - 1,
            changes,
            "{tz}"
        );
    }
}

const ZONES: [Tz; 20] = [
    Tz::UTC,
    Europe::Berlin,
    Europe::Athens,
    Europe::London,
    Europe::Dublin,
    Europe::Moscow,
    Europe::Istanbul,
    America::New_York,
    America::Los_Angeles,
    America::Sao_Paulo,
    America::St_Johns,
    America::Caracas,
    Asia::Kathmandu,
    Asia::Tehran,
    Asia::Gaza,
    Africa::Casablanca,
    Africa::Cairo,
    Australia::Lord_Howe,
    Pacific::Apia,
    Pacific::Chatham,
];

fn agrees(zone: &mut Zone, naive: NaiveDateTime) -> Result<(), TestCaseError> {
    let segment = *zone.segment(naive.and_utc().timestamp_micros());
    let seconds = |east: East| east.us / SECOND_US;
    let fixed = |offset: chrono_tz::TzOffset| i64::from(offset.fix().local_minus_utc());
    match zone.tz.offset_from_local_datetime(&naive) {
        LocalResult::Single(one) => {
            prop_assert_eq!(seconds(segment.first), fixed(one));
            // It calls a time ambiguous as well where only the name of the offset changes.
            prop_assert_eq!(segment.occurs, Occurs::Once);
        }
        LocalResult::Ambiguous(one, other) => {
            prop_assert_eq!(segment.occurs, Occurs::Twice);
            prop_assert_eq!(
                (seconds(segment.first), seconds(segment.second)),
                (fixed(one), fixed(other))
            );
        }
        LocalResult::None => {
            prop_assert_eq!(segment.occurs, Occurs::Never);
            let before = zone.tz.offset_from_utc_datetime(
                &(naive
                    - chrono::Duration::seconds(seconds(segment.first))
                    - chrono::Duration::days(1)),
            );
            prop_assert_eq!(seconds(segment.first), fixed(before));
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn agrees_with_chrono_tz(
        tz in prop::sample::select(ZONES.to_vec()),
        seconds in prop::collection::vec(0i64..4_102_444_800, 1..4),
    ) {
        let mut zone = Zone::new(tz);
        for second in seconds {
            agrees(&mut zone, DateTime::from_timestamp(second, 0).unwrap().naive_utc())?;
        }
    }

    #[test]
    fn agrees_with_chrono_tz_around_changes(
        tz in prop::sample::select(ZONES.to_vec()),
        year in 1970i32..2100,
        nth in 0usize..6,
        away in -10_000i64..10_000,
    ) {
        let mut zone = Zone::new(tz);
        let spans = zone.spans(year_start(year), year_start(year + 1));
        let span = &spans[nth % spans.len()];
        let moment = DateTime::from_timestamp(span.end + span.east + away, 0);
        agrees(&mut zone, moment.unwrap().naive_utc())?;
    }
}
