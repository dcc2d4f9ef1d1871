//! How readings look in a file: columns, types, encodings, metadata.

use std::collections::BTreeMap;

use glucopipe_sdk::arrow::array::{Array, ArrayRef, RecordBatch};
use glucopipe_sdk::arrow::datatypes::Schema;
use glucopipe_sdk::batch::{Texts, column};
use glucopipe_sdk::schema::{COLUMNS, Kind, SCHEMA_KEY, VERSION, readings};
use glucopipe_sdk::{Error, Result, Status};
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::metadata::{KeyValue, SortingColumn};
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterPropertiesBuilder};
use parquet::schema::types::ColumnPath;

/// Metadata key of the version of this program.
pub(crate) const VERSION_KEY: &str = "glucopipe.version";
/// Metadata keys of the readings that go into the file.
const OWN_KEYS: &str = "glucopipe.";

/// Rows of a row group at most: bounds the memory of the writer, and lets readers work in parallel.
const ROWS_PER_GROUP: usize = 128 * 1024;
/// Bytes of a row group at most, for readings with long texts.
const BYTES_PER_GROUP: usize = 32 * 1024 * 1024;
/// Compression level: higher ones cost more than they save.
const ZSTD_LEVEL: i32 = 3;
/// What rows are sorted by.
const ORDER: [&str; 2] = ["local_time", "record_key"];

/// A batch with the columns of `reading/1` in their order and of their types; text may come in any form.
///
/// # Errors
/// When it lacks a column, has it in another type, or has nulls where there are none.
pub(crate) fn arranged(batch: &RecordBatch) -> Result<RecordBatch> {
    let columns: Result<Vec<ArrayRef>> = COLUMNS
        .iter()
        .map(|wanted| {
            let array = column(batch, wanted.name)?;
            let broken = |what: &str| {
                let message = format!("the column `{}` {what}", wanted.name);
                Error::new(Status::Internal, message)
            };
            // A dictionary hides nulls among its values.
            if !wanted.nullable && array.logical_null_count() > 0 {
                return Err(broken("has nulls"));
            }
            if !wanted.kind.accepts(array.data_type()) {
                return Err(broken("is of another type"));
            }
            Ok(match wanted.kind {
                Kind::Words => Texts::of(batch, wanted.name)?.into_words(),
                Kind::Text => Texts::of(batch, wanted.name)?.into_text(),
                _ => array.clone(),
            })
        })
        .collect();
    Ok(RecordBatch::try_new(readings(), columns?)?)
}

/// How to write readings of a stream with this schema.
///
/// # Errors
/// When the compression level does not exist, which would be a bug here.
pub(crate) fn options(stream: &Schema) -> Result<ArrowWriterOptions> {
    let zstd = ZstdLevel::try_new(ZSTD_LEVEL).map_err(broken)?;
    let mut properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(zstd))
        .set_statistics_enabled(EnabledStatistics::Page)
        .set_max_row_group_row_count(Some(ROWS_PER_GROUP))
        .set_max_row_group_bytes(Some(BYTES_PER_GROUP))
        .set_sorting_columns(Some(sorting()))
        .set_key_value_metadata(Some(metadata(stream)));
    for column in COLUMNS {
        properties = encoded(properties, column.name, column.kind);
    }
    // Without the Arrow schema readers see the plain Parquet types: strings, not dictionaries.
    Ok(ArrowWriterOptions::new()
        .with_properties(properties.build())
        .with_skip_arrow_metadata(true))
}

/// The encoding of a column: a dictionary where values repeat.
fn encoded(properties: WriterPropertiesBuilder, name: &str, kind: Kind) -> WriterPropertiesBuilder {
    let path = ColumnPath::from(name);
    match kind {
        Kind::Instant | Kind::Civil | Kind::Small | Kind::Integer => properties
            .set_column_dictionary_enabled(path.clone(), false)
            .set_column_encoding(path, Encoding::DELTA_BINARY_PACKED),
        Kind::Text if name == "raw_value" => properties,
        Kind::Text | Kind::Bytes => properties
            .set_column_dictionary_enabled(path.clone(), false)
            .set_column_encoding(path, Encoding::PLAIN),
        Kind::Words | Kind::Number => properties,
    }
}

fn sorting() -> Vec<SortingColumn> {
    let index = |name| COLUMNS.iter().position(|column| column.name == name);
    ORDER
        .iter()
        .filter_map(|name| i32::try_from(index(*name)?).ok())
        .map(|column_idx| SortingColumn {
            column_idx,
            descending: false,
            nulls_first: false,
        })
        .collect()
}

/// What the file says about itself: schema, program version, and what the readings bring along.
fn metadata(stream: &Schema) -> Vec<KeyValue> {
    let mut entries: BTreeMap<&str, &str> = stream
        .metadata()
        .iter()
        .filter(|(key, _)| key.starts_with(OWN_KEYS))
        .map(|(key, value)| (key.as_str(), value.as_str()))
        .collect();
    entries.insert(SCHEMA_KEY, VERSION);
    entries.insert(VERSION_KEY, env!("CARGO_PKG_VERSION"));
    entries
        .into_iter()
        .map(|(key, value)| KeyValue::new(key.to_owned(), value.to_owned()))
        .collect()
}

/// An error that is not about the file.
fn broken(error: ParquetError) -> Error {
    Error::new(Status::Internal, error.to_string())
}

#[cfg(test)]
mod tests;
