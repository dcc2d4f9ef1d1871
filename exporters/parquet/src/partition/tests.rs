//! Folder names.

use glucopipe_sdk::testing::{Form, MORNING, moments, table, texts};

use super::*;

#[test]
fn folders_are_named_as_hive_names_them() {
    for (value, name) in [
        (None, "person=__HIVE_DEFAULT_PARTITION__"),
        (Some(""), "person=__HIVE_DEFAULT_PARTITION__"),
        (Some("anna"), "person=anna"),
        (Some("Zoë 血糖"), "person=Zoë 血糖"),
        (Some("a=b/c\\d%e"), "person=a%3Db%2Fc%5Cd%25e"),
        (
            Some("\"#'*:?[]^{}<>|"),
            "person=%22%23%27%2A%3A%3F%5B%5D%5E%7B%7D%3C%3E%7C",
        ),
        (Some("\u{1}\u{7f}\n"), "person=%01%7F%0A"),
        (Some("."), "person=."),
    ] {
        assert_eq!(segment(Key::Person, value).unwrap(), name);
    }
    assert_eq!(
        segment(Key::DeviceSerial, Some("0012")).unwrap(),
        "device_serial=0012"
    );
}

#[test]
fn what_no_folder_can_be_named_by_is_refused() {
    let long = "\u{1f469}".repeat(63);
    for (value, why) in [
        ("__HIVE_DEFAULT_PARTITION__", "readers take"),
        (
            long.as_str(),
            "it would have 259 bytes, expected at most 255",
        ),
    ] {
        let error = segment(Key::Person, Some(value)).unwrap_err();
        assert_eq!(error.key.as_deref(), Some("partition_by"));
        assert!(error.message.contains(why), "{error}");
        assert!(!error.message.contains(&long), "{error}");
        let persons = texts(&[Some("anna"), Some(value)]);
        let batch = table(2, Form::Words, &[("person", persons)]);
        assert_eq!(split(&[Key::Person], &batch).unwrap_err(), error);
    }
    assert!(segment(Key::Person, Some(&long[4..])).is_ok());
}

#[test]
fn every_reading_goes_into_its_folder_in_order() {
    let year = 365 * 86_400_000_000;
    let times = [-2, -2, -1, 0, 0, 1].map(|years| Some(MORNING + years * year));
    let batch = table(
        6,
        Form::Words,
        &[
            ("local_time", moments(&times)),
            (
                "person",
                texts(&[Some("b"), None, Some("b"), Some("a"), Some("b"), Some("b")]),
            ),
            (
                "reading_id",
                texts(&["1", "2", "3", "4", "5", "6"].map(Some)),
            ),
        ],
    );
    let names = |keys: &[Key]| {
        let parts = split(keys, &batch).unwrap();
        let part = |(partition, rows): (Partition, RecordBatch)| {
            let ids = Texts::of(&rows, "reading_id").unwrap();
            let ids: Vec<_> = (0..ids.len()).filter_map(|row| ids.get(row)).collect();
            format!("{} {}", partition.0.join("/"), ids.join(""))
        };
        parts.into_iter().map(part).collect::<Vec<_>>()
    };
    assert_eq!(names(&[]), [" 123456"]);
    assert_eq!(
        names(&[Key::Year]),
        ["year=2022 12", "year=2023 3", "year=2024 45", "year=2025 6"]
    );
    assert_eq!(names(&[Key::Month]), ["month=3 123456"]);
    assert_eq!(
        names(&[Key::Person, Key::Year]),
        [
            "person=b/year=2022 1",
            "person=__HIVE_DEFAULT_PARTITION__/year=2022 2",
            "person=b/year=2023 3",
            "person=a/year=2024 4",
            "person=b/year=2024 5",
            "person=b/year=2025 6",
        ]
    );
    let none = split(&[Key::Year], &batch.slice(0, 0)).unwrap();
    assert!(none.is_empty());
}

#[test]
fn a_text_that_is_twice_in_a_dictionary_is_one_folder() {
    use glucopipe_sdk::arrow::array::{DictionaryArray, Int32Array, StringArray};
    use std::sync::Arc;

    let names = DictionaryArray::new(
        Int32Array::from(vec![0, 1, 2]),
        Arc::new(StringArray::from(vec!["a", "b", "a"])),
    );
    let batch = table(3, Form::Plain, &[("person", Arc::new(names))]);
    let parts = split(&[Key::Person], &batch).unwrap();
    let rows: Vec<_> = parts.iter().map(|(_, rows)| rows.num_rows()).collect();
    assert_eq!(rows, [2, 1]);
}

#[test]
fn months_are_found_at_their_edges() {
    let mut calendar = Calendar::default();
    let at = |text: &str| {
        let time: glucopipe_sdk::chrono::NaiveDateTime = text.parse().unwrap();
        time.and_utc().timestamp_micros()
    };
    for (time, month) in [
        ("2024-02-29T23:59:59.999999", (2024, 2)),
        ("2024-03-01T00:00:00", (2024, 3)),
        ("2023-12-31T23:59:59.999999", (2023, 12)),
        ("2024-01-01T00:00:00", (2024, 1)),
        ("1969-12-31T23:59:59.999999", (1969, 12)),
        ("1970-01-01T00:00:00", (1970, 1)),
        ("-0001-01-01T00:00:00", (-1, 1)),
    ] {
        assert_eq!(calendar.month(at(time)).unwrap(), month, "{time}");
    }
    for beyond in [i64::MIN, i64::MAX] {
        assert!(calendar.month(beyond).is_err());
    }
}

#[test]
fn free_texts_get_a_folder_that_no_reader_takes_for_a_number() {
    let partition = |text: &str| Partition(text.split('/').map(str::to_owned).collect());
    let types = |text| partition(text).of_types().map(|types| types.0.join("/"));
    assert_eq!(types("year=2024/month=3"), None);
    assert_eq!(types("kind=glucose"), None);
    assert_eq!(
        types("person=12/year=2024/device_serial=0012").as_deref(),
        Some("person=text/year=2024/device_serial=text")
    );
}

#[test]
fn names_of_others_are_named() {
    let partition = Partition(vec!["year=2024".into(), "city=Athens".into()]);
    assert_eq!(partition.keys(), Err("city=Athens"));
    let partition = Partition(vec!["kind=glucose".into(), "month=3".into()]);
    assert_eq!(partition.keys(), Ok(vec![Key::Kind, Key::Month]));
    assert_eq!(Key::list(&[Key::Kind, Key::Month]), "`kind`, `month`");
}
