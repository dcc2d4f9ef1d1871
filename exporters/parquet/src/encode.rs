//! How readings look in a file: columns, types, encodings, metadata.

use std::collections::{BTreeMap, HashMap};
use std::io::Write;
use std::sync::Arc;

use glucopipe_sdk::arrow::array::{Array, ArrayRef, RecordBatch};
use glucopipe_sdk::arrow::datatypes::Schema;
use glucopipe_sdk::batch::{Texts, column};
use glucopipe_sdk::schema::{COLUMNS, Kind, SCHEMA_KEY, VERSION, readings};
use glucopipe_sdk::{Error, Result, Status};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::metadata::{KeyValue, SortingColumn};
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterPropertiesBuilder};
use parquet::schema::types::ColumnPath;

use crate::partition::Key;

/// Metadata key of the version of this program.
pub(crate) const VERSION_KEY: &str = "glucopipe.version";
/// Metadata keys of the readings that go into the file.
const OWN_KEYS: &str = "glucopipe.";

/// The column that says which reading it is.
pub(crate) const ID: &str = "reading_id";
/// The column of the time that never changes.
pub(crate) const TIME: &str = "local_time";
/// The column of the meter's own key.
pub(crate) const KEY: &str = "record_key";

/// Rows of a row group at most: bounds the memory of the writer, and lets readers work in parallel.
pub(crate) const ROWS_PER_GROUP: usize = 128 * 1024;
/// Bytes of a row group at most, for readings with long texts.
pub(crate) const BYTES_PER_GROUP: usize = 32 * 1024 * 1024;
/// Compression level: higher ones cost more than they save.
const ZSTD_LEVEL: i32 = 3;
/// What rows are sorted by.
const ORDER: [&str; 2] = [TIME, KEY];
/// How often a filter of ids errs.
const BLOOM_ERRORS: f64 = 0.01;

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

/// How the files of a sink look.
#[derive(Clone, Debug)]
pub(crate) struct Format {
    /// Which columns of `reading/1` they have.
    columns: Vec<usize>,
    /// What they say about themselves.
    metadata: BTreeMap<String, String>,
}

impl Format {
    /// Files of a stream with this schema. What the folders of these keys say is not in the files: readers
    /// could not tell which of the two is meant.
    pub(crate) fn new(stream: &Schema, keys: &[Key]) -> Self {
        let by_folder = |name: &str| keys.iter().any(|key| key.name() == name);
        let columns = COLUMNS.iter().enumerate();
        let columns = columns.filter(|(_, column)| !by_folder(column.name));
        Self {
            columns: columns.map(|(index, _)| index).collect(),
            metadata: metadata(said(stream.metadata().iter())),
        }
    }

    /// The same for files with this metadata.
    pub(crate) fn with_metadata(&self, theirs: &HashMap<String, String>) -> Self {
        Self {
            columns: self.columns.clone(),
            metadata: metadata(said(theirs.iter())),
        }
    }

    /// The columns, with text that repeats as dictionaries.
    pub(crate) fn schema(&self) -> Schema {
        let fields = readings().fields().clone();
        let fields = self.columns.iter().map(|&index| fields[index].clone());
        Schema::new(fields.collect::<Vec<_>>())
    }

    /// Begins a file whose row groups have at most so many rows; a guess is enough.
    ///
    /// # Errors
    /// As the disk says.
    pub(crate) fn begin<W: Write + Send>(
        &self,
        file: W,
        rows: usize,
    ) -> parquet::errors::Result<ArrowWriter<W>> {
        ArrowWriter::try_new_with_options(file, Arc::new(self.schema()), self.options(rows)?)
    }

    /// The part of arranged readings that goes into a file.
    ///
    /// # Errors
    /// When they are not arranged.
    pub(crate) fn project(&self, arranged: &RecordBatch) -> Result<RecordBatch> {
        Ok(arranged.project(&self.columns)?)
    }

    fn options(&self, rows: usize) -> parquet::errors::Result<ArrowWriterOptions> {
        let zstd = ZstdLevel::try_new(ZSTD_LEVEL)?;
        let entries = self.metadata.iter();
        let entries = entries.map(|(key, value)| KeyValue::new(key.clone(), value.clone()));
        let mut properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(zstd))
            .set_statistics_enabled(EnabledStatistics::Page)
            .set_max_row_group_row_count(Some(ROWS_PER_GROUP))
            .set_max_row_group_bytes(Some(BYTES_PER_GROUP))
            .set_sorting_columns(Some(self.sorting()))
            .set_column_bloom_filter_fpp(ColumnPath::from(ID), BLOOM_ERRORS)
            // Otherwise every small file costs the time of a large filter.
            .set_column_bloom_filter_max_ndv(ColumnPath::from(ID), rows.min(ROWS_PER_GROUP) as u64)
            .set_key_value_metadata(Some(entries.collect()));
        for &index in &self.columns {
            let column = &COLUMNS[index];
            properties = encoded(properties, column.name, column.kind);
        }
        // Without the Arrow schema readers see the plain Parquet types: strings, not dictionaries.
        Ok(ArrowWriterOptions::new()
            .with_properties(properties.build())
            .with_skip_arrow_metadata(true))
    }

    fn sorting(&self) -> Vec<SortingColumn> {
        let named = |name| move |&index: &usize| COLUMNS[index].name == name;
        let index = |name| self.columns.iter().position(named(name));
        ORDER
            .map(index)
            .into_iter()
            .filter_map(|index| i32::try_from(index?).ok())
            .map(|column_idx| SortingColumn {
                column_idx,
                descending: false,
                nulls_first: false,
            })
            .collect()
    }
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

/// What a file says about itself: schema, program version, and what the readings bring along.
fn metadata<'a>(theirs: impl Iterator<Item = (&'a str, &'a str)>) -> BTreeMap<String, String> {
    let ours = [
        (SCHEMA_KEY, VERSION),
        (VERSION_KEY, env!("CARGO_PKG_VERSION")),
    ];
    let theirs = theirs.filter(|(key, _)| key.starts_with(OWN_KEYS));
    let entries = theirs.chain(ours);
    entries
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect()
}

fn said<'a>(
    entries: impl Iterator<Item = (&'a String, &'a String)>,
) -> impl Iterator<Item = (&'a str, &'a str)> {
    entries.map(|(key, value)| (key.as_str(), value.as_str()))
}

/// A failure of a writer or reader: `what` says of which file.
pub(crate) fn failed(what: &str, error: &ParquetError) -> Error {
    if let ParquetError::External(cause) = error
        && let Some(cause) = cause.downcast_ref::<std::io::Error>()
    {
        return Error::file(what, cause);
    }
    Error::new(Status::Internal, format!("{what}: {error}"))
}

#[cfg(test)]
mod tests;
