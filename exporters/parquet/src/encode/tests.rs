//! Files as other programs see them.

use std::fmt::Write as _;
use std::sync::Arc;

use glucopipe_sdk::arrow::array::{
    ArrayRef, DictionaryArray, Int8Array, Int16Array, Int64Array, StringArray,
};
use glucopipe_sdk::arrow::datatypes::{DataType, Int8Type};
use glucopipe_sdk::testing::{Form, MORNING, moments, numbers, texts};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::file::metadata::{PageIndexPolicy, ParquetMetaData, ParquetMetaDataReader};
use parquet::schema::printer::print_schema;

use super::*;
use crate::fixtures::batch;

/// A file of one batch.
fn file(batch: &RecordBatch) -> std::fs::File {
    let file = tempfile::tempfile().unwrap();
    let writer = file.try_clone().unwrap();
    let format = Format::new(&batch.schema(), &[]);
    let mut writer = format.begin(writer, batch.num_rows()).unwrap();
    let rows = format.project(&arranged(batch).unwrap()).unwrap();
    writer.write(&rows).unwrap();
    writer.close().unwrap();
    file
}

fn metadata_of(file: &std::fs::File) -> ParquetMetaData {
    ParquetMetaDataReader::new()
        .with_page_index_policy(PageIndexPolicy::Required)
        .parse_and_finish(file)
        .unwrap()
}

fn read(file: std::fs::File) -> RecordBatch {
    let reader = ParquetRecordBatchReaderBuilder::try_new(file).unwrap();
    let batches: Vec<_> = reader
        .build()
        .unwrap()
        .map(|batch| batch.unwrap())
        .collect();
    assert_eq!(batches.len(), 1);
    batches[0].clone()
}

fn every_column() -> Vec<(&'static str, ArrayRef)> {
    vec![
        (
            "reading_id",
            texts(&[Some("id-1"), Some("id-2"), Some("id-3")]),
        ),
        (
            "time",
            moments(&[Some(-1), None, Some(4_102_444_800_000_000)]),
        ),
        (
            "local_time",
            moments(&[Some(-1), Some(MORNING), Some(MORNING + 250_000)]),
        ),
        (
            "utc_offset_min",
            Arc::new(Int16Array::from(vec![Some(-720), None, Some(840)])),
        ),
        ("value", numbers(&[Some(5e-324), Some(1e21), Some(-0.0)])),
        ("range", texts(&[Some("below"), Some("above"), Some("in")])),
        ("range_limit", numbers(&[Some(20.0), Some(600.0), None])),
        ("meal", texts(&[Some("before"), None, Some("before")])),
        (
            "notes",
            texts(&[Some("said \"ok\",\nµ 血糖"), None, Some("")]),
        ),
        ("markers", texts(&[Some("=1+1"), Some("nul\0"), None])),
        ("raw_value", texts(&[Some("LO"), Some("HI"), Some("118")])),
        (
            "record_key",
            texts(&[Some("a|1"), Some("a|2"), Some("a|3")]),
        ),
        ("person", texts(&[Some("Zoë"), None, None])),
        (
            "clock_offset_s",
            Arc::new(Int64Array::from(vec![Some(i64::MIN), None, Some(3)])),
        ),
    ]
}

#[test]
fn the_schema_exactly() {
    for form in [Form::Words, Form::Plain] {
        let metadata = metadata_of(&file(&batch(3, form, &every_column())));
        let mut text = Vec::new();
        print_schema(&mut text, metadata.file_metadata().schema());
        assert_eq!(
            String::from_utf8(text).unwrap(),
            "message arrow_schema {
  REQUIRED BYTE_ARRAY reading_id (STRING);
  OPTIONAL INT64 time (TIMESTAMP(MICROS,true));
  REQUIRED INT64 local_time (TIMESTAMP(MICROS,false));
  OPTIONAL INT32 utc_offset_min (INTEGER(16,true));
  REQUIRED BYTE_ARRAY time_quality (STRING);
  REQUIRED BYTE_ARRAY kind (STRING);
  REQUIRED DOUBLE value;
  REQUIRED BYTE_ARRAY unit (STRING);
  REQUIRED BYTE_ARRAY range (STRING);
  OPTIONAL DOUBLE range_limit;
  OPTIONAL BYTE_ARRAY meal (STRING);
  OPTIONAL BYTE_ARRAY reference (STRING);
  OPTIONAL BYTE_ARRAY notes (STRING);
  OPTIONAL BYTE_ARRAY markers (STRING);
  REQUIRED BYTE_ARRAY raw_value (STRING);
  REQUIRED BYTE_ARRAY raw_unit (STRING);
  REQUIRED BYTE_ARRAY record_key (STRING);
  REQUIRED BYTE_ARRAY device_model (STRING);
  REQUIRED BYTE_ARRAY device_serial (STRING);
  REQUIRED BYTE_ARRAY device_firmware (STRING);
  REQUIRED BYTE_ARRAY driver (STRING);
  OPTIONAL BYTE_ARRAY person (STRING);
  OPTIONAL INT64 clock_offset_s;
  REQUIRED INT64 read_at (TIMESTAMP(MICROS,true));
  OPTIONAL BYTE_ARRAY raw;
}
"
        );
    }
}

#[test]
fn the_encodings_exactly() {
    let metadata = metadata_of(&file(&batch(3, Form::Words, &every_column())));
    let group = &metadata.row_groups()[0];
    let mut text = String::new();
    for column in group.columns() {
        assert_eq!(
            column.compression(),
            Compression::ZSTD(ZstdLevel::default())
        );
        let name = column.column_path().string();
        assert!(column.statistics().is_some(), "{name}");
        assert!(column.column_index_range().is_some(), "{name}");
        assert!(column.offset_index_range().is_some(), "{name}");
        let encoding = if column.dictionary_page_offset().is_some() {
            "dictionary".to_owned()
        } else {
            let mut encodings = column
                .encodings()
                .filter(|encoding| *encoding != Encoding::RLE);
            encodings.next().unwrap().to_string()
        };
        writeln!(text, "{name} {encoding}").unwrap();
    }
    assert_eq!(
        text,
        "reading_id PLAIN
time DELTA_BINARY_PACKED
local_time DELTA_BINARY_PACKED
utc_offset_min DELTA_BINARY_PACKED
time_quality dictionary
kind dictionary
value dictionary
unit dictionary
range dictionary
range_limit dictionary
meal dictionary
reference dictionary
notes dictionary
markers dictionary
raw_value dictionary
raw_unit dictionary
record_key PLAIN
device_model dictionary
device_serial dictionary
device_firmware dictionary
driver dictionary
person dictionary
clock_offset_s DELTA_BINARY_PACKED
read_at DELTA_BINARY_PACKED
raw PLAIN
"
    );
    let filters = group.columns().iter().enumerate();
    let filters = filters.filter(|(_, column)| column.bloom_filter_offset().is_some());
    assert_eq!(filters.map(|(index, _)| index).collect::<Vec<_>>(), [0]);
    let sorting = group.sorting_columns().unwrap();
    let sorting: Vec<_> = sorting
        .iter()
        .map(|column| (column.column_idx, column.descending))
        .collect();
    assert_eq!(sorting, [(2, false), (16, false)]);
}

#[test]
fn the_metadata_exactly() {
    let metadata = metadata_of(&file(&batch(3, Form::Words, &[])));
    let entries = metadata.file_metadata().key_value_metadata().unwrap();
    let entries: Vec<_> = entries
        .iter()
        .map(|entry| (entry.key.as_str(), entry.value.as_deref().unwrap()))
        .collect();
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(
        entries,
        [
            ("glucopipe.pipeline", "home"),
            ("glucopipe.schema", "reading/1"),
            ("glucopipe.version", version),
        ]
    );
}

#[test]
fn what_folders_say_is_not_in_the_files() {
    let given = batch(1, Form::Words, &[]);
    let keys = [Key::Year, Key::Person, Key::Kind, Key::DeviceSerial];
    let format = Format::new(&given.schema(), &keys);
    let rows = format.project(&arranged(&given).unwrap()).unwrap();
    assert_eq!(*rows.schema().fields(), *format.schema().fields());
    assert_eq!(rows.num_columns(), COLUMNS.len() - 3);
    for gone in ["person", "kind", "device_serial"] {
        assert!(rows.column_by_name(gone).is_none(), "{gone}");
    }
    let sorted = format.sorting().into_iter();
    let sorted = sorted.map(|column| rows.schema().fields()[column.column_idx as usize].clone());
    let names: Vec<_> = sorted.map(|field| field.name().clone()).collect();
    assert_eq!(names, ORDER);
}

#[test]
fn reads_back_the_same() {
    for form in [Form::Words, Form::Plain] {
        let batch = batch(3, form, &every_column());
        let back = read(file(&batch));
        assert_eq!(back.num_columns(), COLUMNS.len());
        for (index, column) in COLUMNS.iter().enumerate() {
            let (array, expected) = (back.column(index), batch.column(index));
            if matches!(column.kind, Kind::Words | Kind::Text) {
                assert_eq!(*array.data_type(), DataType::Utf8, "{}", column.name);
                let expected = Texts::from_array(expected).unwrap().into_text();
                assert_eq!(array, &expected, "{}", column.name);
            } else {
                assert_eq!(array, expected, "{}", column.name);
            }
        }
    }
}

#[test]
fn columns_are_put_in_order_and_others_left_out() {
    let given = batch(2, Form::Words, &[]);
    let backwards: Vec<usize> = (0..COLUMNS.len()).rev().collect();
    let given = given.project(&backwards).unwrap();
    let ours = arranged(&given).unwrap();
    let names = |schema: &Schema| -> Vec<String> {
        schema
            .fields()
            .iter()
            .map(|field| field.name().clone())
            .collect()
    };
    assert_eq!(names(&ours.schema()), names(&readings()));
}

#[test]
fn what_does_not_fit_is_named() {
    let given = batch(1, Form::Words, &[]);
    let missing = arranged(&given.project(&[0, 1]).unwrap());
    assert!(missing.unwrap_err().message.contains("`local_time`"));

    let hidden = DictionaryArray::<Int8Type>::new(
        Int8Array::from(vec![0]),
        Arc::new(StringArray::from(vec![None::<&str>])),
    );
    let given = batch(1, Form::Plain, &[("driver", Arc::new(hidden))]);
    let nulls = arranged(&given);
    assert!(nulls.unwrap_err().message.contains("`driver`"));
}

#[test]
fn row_groups_are_bounded() {
    let rows = ROWS_PER_GROUP + 1;
    let metadata = metadata_of(&file(&batch(rows, Form::Words, &[])));
    let rows: Vec<_> = metadata
        .row_groups()
        .iter()
        .map(|group| group.num_rows())
        .collect();
    assert_eq!(rows, [131_072, 1]);
}
