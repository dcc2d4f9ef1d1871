use std::collections::{BTreeMap, BTreeSet, HashMap};

use arrow::array::ArrayData;
use arrow::datatypes::TimeUnit;
use proptest::prelude::*;
use serde_json::json;
use uuid::Uuid;

use super::super::testing::{
    Row, apply, batch, context, local, numbers, open, refused, texts, times,
};
use super::*;

const KEY: &str = "0123456789abcdef0123456789abcdef";
const OTHER: &str = "0123456789abcdef0123456789abcdeF";

fn of(person: Option<&'static str>, serial: &'static str) -> Row {
    Row {
        person,
        serial,
        ..Row::at("2026-05-30T18:05:00")
    }
}

fn hidden(options: &Value, rows: &[Row]) -> RecordBatch {
    apply("pseudonymise", options, rows, &context()).batch
}

/// The one text of a column.
fn one(batch: &RecordBatch, column: &str) -> Option<String> {
    let all: BTreeSet<Option<String>> = texts(batch, column).into_iter().collect();
    assert_eq!(all.len(), 1, "{column}: {all:?}");
    all.into_iter().next().flatten()
}

/// Everything that may hold or give away who it is.
const REPLACED: [&str; 10] = [
    "reading_id",
    "notes",
    "markers",
    "record_key",
    "device_serial",
    "device_firmware",
    "person",
    "raw",
    "time",
    "local_time",
];

#[test]
fn a_person_and_a_meter_get_short_names_that_stay() {
    let rows = [
        of(Some("anna"), "7801-1234567"),
        of(Some("anna"), "78 01-1234567"),
        of(None, "AB12"),
    ];
    let batch = hidden(&json!({ "key": KEY }), &rows);
    let person = || Some("pclrdhglmj2ih2f3r".to_owned());
    assert_eq!(texts(&batch, "person"), [person(), person(), None]);
    let serials = texts(&batch, "device_serial");
    assert_eq!(serials[0].as_deref(), Some("mtnwjdtnidiymuphv"));
    assert_eq!(serials[0], serials[1], "blanks are no difference");
    assert_ne!(serials[0], serials[2]);
    assert_eq!(one(&batch, "device_firmware").as_deref(), Some(""));
    for (name, column) in batch.schema().fields().iter().zip(batch.columns()) {
        let empty = ["notes", "markers", "raw"].contains(&name.name().as_str());
        if empty {
            assert_eq!(column.logical_null_count(), 3, "{name}");
        }
    }
}

#[test]
fn the_measurement_stays_as_it_is() {
    let rows = [of(Some("anna"), "AB12"), of(None, "AB12")];
    let (before, after) = (batch(&rows), hidden(&json!({ "key": KEY }), &rows));
    for field in before.schema().fields() {
        let name = field.name().as_str();
        let (old, new) = (before.column_by_name(name), after.column_by_name(name));
        let replaced = REPLACED[..8].contains(&name);
        assert!(
            replaced || old.map(|one| one.as_ref()) == new.map(|one| one.as_ref()),
            "{name}"
        );
    }
}

#[test]
fn ids_are_new_uuids_that_name_those_from_before() {
    let outcome = apply(
        "pseudonymise",
        &json!({ "key": KEY }),
        &[of(None, "A"), of(None, "B")],
        &context(),
    );
    let former: Vec<_> = outcome.former_ids.iter().flatten().flatten().collect();
    assert_eq!(former, ["id0", "id1"]);
    for id in texts(&outcome.batch, "reading_id").into_iter().flatten() {
        assert_eq!(Uuid::parse_str(&id).unwrap().get_version_num(), 8);
    }
    assert_eq!(
        outcome.notes,
        ["pseudonymise: key ka52f6qbsmmmn76iz, notes left out, times as they are"]
    );
}

#[test]
fn notes_stay_on_demand_and_without_those_of_others() {
    let rows = [of(None, "A"), of(None, "B")];
    let told = words_of(&["ask Ben", "before lunch"]);
    let batch = replace(
        &batch(&rows),
        vec![("notes", told.clone()), ("markers", told)],
    )
    .unwrap();
    let mut transform = open("pseudonymise", &json!({ "key": KEY, "keep_notes": true })).unwrap();
    let outcome = transform.apply(batch.slice(1, 1), &context()).unwrap();
    for column in ["notes", "markers"] {
        assert_eq!(one(&outcome.batch, column).as_deref(), Some("before lunch"));
        let left = words(&outcome.batch, column).unwrap();
        assert_eq!(left.values.len(), 1, "{column}");
    }
}

fn words_of(texts: &[&str]) -> ArrayRef {
    Arc::new(
        texts
            .iter()
            .copied()
            .collect::<DictionaryArray<Int32Type>>(),
    )
}

/// Days that the first reading was moved by.
fn days(options: &Value, row: Row) -> i64 {
    let moved = typed::<TimestampMicrosecondArray>(
        &hidden(options, std::slice::from_ref(&row)),
        "local_time",
    )
    .unwrap()
    .value(0);
    assert_eq!((row.local - moved) % DAY_US, 0);
    (row.local - moved) / DAY_US
}

#[test]
fn times_are_moved_by_whole_days_of_each_persons_own() {
    let options = json!({ "key": KEY, "shift_days": 364 });
    // Of the person whatever the meter, of the meter while it is nobody's.
    assert_eq!(days(&options, of(Some("anna"), "AB12")), 167);
    assert_eq!(days(&options, of(Some("anna"), "OTHER")), 167);
    assert_eq!(
        days(&options, of(None, "AB12")),
        days(&options, of(None, "ab 12"))
    );
    assert_ne!(days(&options, of(None, "AB12")), 167);
    let weeks = json!({ "key": KEY, "shift_days": 364, "keep_weekdays": true });
    assert_eq!(days(&weeks, of(Some("anna"), "AB12")) % 7, 0);
    let people = ["a", "b", "c", "d", "e", "f", "g", "h"];
    let all: BTreeSet<i64> = people
        .map(|name| days(&weeks, of(Some(name), "AB12")))
        .into();
    assert!(all.len() > 4, "{all:?}");
    assert!(all.iter().all(|days| (7..=364).contains(days)), "{all:?}");
}

#[test]
fn what_shows_the_true_date_goes_with_it_unless_it_is_kept() {
    let row = Row {
        time: Some(local("2026-05-30T15:05:00")),
        ..of(Some("anna"), "AB12")
    };
    let options = |keep| json!({ "key": KEY, "shift_days": 364, "keep_utc": keep });
    let gone = hidden(&options(false), std::slice::from_ref(&row));
    assert_eq!(times(&gone, "time"), [None]);
    assert_eq!(one(&gone, "time_quality").as_deref(), Some("unresolved"));
    for column in ["utc_offset_min", "clock_offset_s"] {
        assert_eq!(
            gone.column_by_name(column).unwrap().null_count(),
            1,
            "{column}"
        );
    }
    let kept = hidden(&options(true), &[row]);
    // 167 days, with the offset of the day it was.
    assert_eq!(
        times(&kept, "local_time"),
        [Some("2025-12-14T18:05:00".to_owned())]
    );
    assert_eq!(
        times(&kept, "time"),
        [Some("2025-12-14T15:05:00".to_owned())]
    );
    assert_eq!(
        times(&kept, "read_at"),
        [Some("2025-12-16T00:00:00".to_owned())]
    );
    let zones: Vec<_> = ["time", "read_at"]
        .map(|name| kept.column_by_name(name).unwrap().data_type().clone())
        .into();
    let utc = arrow::datatypes::DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    assert_eq!(zones, [utc.clone(), utc]);
}

#[test]
fn refuses_weak_keys_and_shifts_that_hide_nothing() {
    let cases = [
        (json!({ "key": "secret" }), "key"),
        (json!({ "key": KEY, "shift_days": 27 }), "shift_days"),
        (json!({ "key": KEY, "shift_days": 3651 }), "shift_days"),
        (
            json!({ "key": KEY, "keep_weekdays": true }),
            "keep_weekdays",
        ),
        (json!({ "key": KEY, "keep_utc": true }), "keep_utc"),
    ];
    for (options, key) in cases {
        let rejected = refused("pseudonymise", &options);
        assert_eq!(rejected.key, key);
        let said = format!("{} {:?}", rejected.message, rejected.hint);
        assert!(!said.contains("secret"), "{said}");
    }
}

/// Whether bytes hold a text.
fn holds(data: &ArrayData, text: &[u8]) -> bool {
    let buffers = data.buffers().iter();
    let here = buffers.flat_map(|buffer| buffer.as_slice().windows(text.len()));
    here.into_iter().any(|window| window == text)
        || data.child_data().iter().any(|child| holds(child, text))
}

const SERIALS: [&str; 4] = [
    "7801-1234567",
    "QWERTY-000111",
    "ZX9876543",
    "78 01-1234567",
];
const PEOPLE: [Option<&str>; 4] = [
    Some("Anna Schmidt"),
    Some("Ben O'Hara"),
    None,
    Some("P 017"),
];

prop_compose! {
    fn any_reading()(
        local in 0i64..2_000_000_000,
        drift in -100_000i64..100_000,
        serial in 0..SERIALS.len(),
        person in 0..PEOPLE.len(),
        unresolved in any::<bool>(),
    ) -> Row {
        let us = |seconds: i64| seconds * 1_000_000;
        Row {
            local: us(local),
            time: (!unresolved).then_some(us(local + drift)),
            read_at: us(local + 200_000),
            ..of(PEOPLE[person], SERIALS[serial])
        }
    }
}

/// A batch in which every column that can holds who it is.
fn telling(rows: &[Row]) -> RecordBatch {
    let text = |what: &dyn Fn(&Row, usize) -> String| -> ArrayRef {
        let texts = rows
            .iter()
            .enumerate()
            .map(|(index, row)| Some(what(row, index)));
        Arc::new(texts.collect::<StringArray>())
    };
    let who = |row: &Row, _: usize| format!("{} of {}", row.serial, row.person.unwrap_or("nobody"));
    let told: Vec<String> = rows.iter().map(|row| who(row, 0)).collect();
    let told: Vec<&str> = told.iter().map(String::as_str).collect();
    let frames: BinaryArray = told.iter().map(|text| Some(text.as_bytes())).collect();
    let columns = vec![
        (
            "reading_id",
            text(&|row, index| {
                Uuid::new_v5(
                    &Uuid::NAMESPACE_OID,
                    format!("{} {index}", row.serial).as_bytes(),
                )
                .to_string()
            }),
        ),
        (
            "record_key",
            text(&|row, index| format!("{} {index} {}", who(row, 0), row.local)),
        ),
        ("notes", words_of(&told)),
        ("markers", words_of(&told)),
        ("device_firmware", words_of(&told)),
        ("raw", Arc::new(frames) as ArrayRef),
    ];
    replace(&batch(rows), columns).unwrap()
}

fn run(options: &Value, batch: &RecordBatch) -> RecordBatch {
    let mut transform = open("pseudonymise", options).unwrap();
    let half = batch.num_rows() / 2;
    let parts = [
        batch.slice(0, half),
        batch.slice(half, batch.num_rows() - half),
    ];
    let done = parts.map(|part| transform.apply(part, &context()).unwrap().batch);
    arrow::compute::concat_batches(&batch.schema(), &done).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn the_same_key_gives_the_same_and_another_key_another(rows in prop::collection::vec(any_reading(), 1..20)) {
        let batch = telling(&rows);
        let options = |key| json!({ "key": key, "shift_days": 3650 });
        let (once, again) = (run(&options(KEY), &batch), run(&options(KEY), &batch));
        prop_assert_eq!(&once, &again);
        let other = run(&options(OTHER), &batch);
        for column in ["reading_id", "record_key", "device_serial", "person"] {
            for (one, two) in texts(&once, column).iter().zip(texts(&other, column)) {
                prop_assert!(one.is_none() || *one != two, "{}", column);
            }
        }
    }

    #[test]
    fn nothing_of_whose_it_is_is_left_in_any_byte(rows in prop::collection::vec(any_reading(), 1..20)) {
        let batch = telling(&rows);
        for options in [json!({ "key": KEY }), json!({ "key": KEY, "shift_days": 28, "keep_utc": true })] {
            let mut transform = open("pseudonymise", &options).unwrap();
            // Only some of the rows, as behind a filter: the others are in the buffers all the same.
            let outcome = transform.apply(batch.slice(rows.len() / 2, rows.len() - rows.len() / 2), &context());
            let after = outcome.unwrap().batch;
            let ids = texts(&batch, "reading_id").into_iter().chain(texts(&batch, "record_key")).flatten();
            let people = PEOPLE.iter().flatten().chain(&SERIALS).map(|text| (*text).to_owned());
            for text in people.chain(ids) {
                for (field, column) in after.schema().fields().iter().zip(after.columns()) {
                    prop_assert!(!holds(&column.to_data(), text.as_bytes()), "{} in {}", text, field.name());
                }
            }
        }
    }

    #[test]
    fn readings_of_one_stay_together_and_those_of_others_apart(rows in prop::collection::vec(any_reading(), 1..40)) {
        let batch = telling(&rows);
        let after = run(&json!({ "key": KEY }), &batch);
        for column in ["reading_id", "record_key", "device_serial", "person"] {
            let folded = |text: Option<String>| match column {
                "device_serial" => text.map(|text| normalise_serial(&text)),
                _ => text,
            };
            let old = texts(&batch, column).into_iter().map(folded);
            let pairs: BTreeSet<_> = old.clone().zip(texts(&after, column)).collect();
            let (old, new): (BTreeSet<_>, BTreeSet<_>) = (old.collect(), texts(&after, column).into_iter().collect());
            prop_assert_eq!((old.len(), new.len()), (pairs.len(), pairs.len()), "{}", column);
        }
        prop_assert_eq!(numbers(&batch, "value"), numbers(&after, "value"));
    }

    #[test]
    fn order_and_intervals_of_a_person_stay(
        rows in prop::collection::vec(any_reading(), 1..40),
        weekdays in any::<bool>(),
        most in 28u32..=3650,
    ) {
        let options = json!({ "key": KEY, "shift_days": most, "keep_weekdays": weekdays, "keep_utc": true });
        let before = telling(&rows);
        let after = run(&options, &before);
        let mut shifts: HashMap<(Option<&str>, String), i64> = HashMap::new();
        let mut by_person: BTreeMap<&str, i64> = BTreeMap::new();
        let column = |batch: &RecordBatch, name: &str| typed::<TimestampMicrosecondArray>(batch, name).unwrap().clone();
        for name in ["local_time", "time", "read_at"] {
            let (old, new) = (column(&before, name), column(&after, name));
            prop_assert_eq!(old.nulls(), new.nulls());
            for (index, row) in rows.iter().enumerate().filter(|(index, _)| old.is_valid(*index)) {
                let by = old.value(index) - new.value(index);
                prop_assert!(by % DAY_US == 0 && (1..=i64::from(most)).contains(&(by / DAY_US)), "{}", by);
                prop_assert!(!weekdays || by % (7 * DAY_US) == 0);
                // One shift for all readings of a person is what keeps order and intervals.
                let whose = (row.person, normalise_serial(row.serial));
                prop_assert_eq!(*shifts.entry(whose).or_insert(by), by);
                if let Some(person) = row.person {
                    prop_assert_eq!(*by_person.entry(person).or_insert(by), by);
                }
            }
        }
    }
}
