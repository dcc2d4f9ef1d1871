//! Which readings are in a data set already.
//!
//! A reading is looked for by its id where its time says it should be: in row groups of that time, and of
//! those in the rows of that time. What is not there is looked for everywhere, because a transform may have
//! moved it; filters of ids say quickly where it is not.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs::File;
use std::path::{Path, PathBuf};

use glucopipe_sdk::arrow::array::{BooleanArray, RecordBatch, TimestampMicrosecondArray};
use glucopipe_sdk::arrow::datatypes::{DataType, TimeUnit};
use glucopipe_sdk::batch::{Texts, typed};
use glucopipe_sdk::{Error, Result, Status};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowPredicateFn, ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder,
    RowFilter,
};
use parquet::errors::ParquetError;
use parquet::file::metadata::{PageIndexPolicy, ParquetMetaData, RowGroupMetaData};
use parquet::file::statistics::Statistics;

use super::folder::DataFile;
use crate::encode::{self, ID, TIME};

/// From and to, both included, in microseconds.
type Span = (i64, i64);
/// Any time.
const EVER: Span = (i64::MIN, i64::MAX);
/// Readings that are looked for: where each is, batch and row.
type Wanted<'a> = HashMap<&'a str, (usize, usize)>;

/// The readings of the files of a data set.
pub(super) struct Known {
    files: Vec<KnownFile>,
}

struct KnownFile {
    path: PathBuf,
    /// The times of each row group, once the file was looked at; none when it holds no readings.
    groups: Option<Vec<Span>>,
    /// Whether it was seen to have no ids: it is none of this program's.
    strange: bool,
}

impl Known {
    /// Nothing is read yet.
    pub(super) fn of(root: &Path, files: &[DataFile]) -> Self {
        let mut known = Self { files: Vec::new() };
        files.iter().for_each(|file| known.add(file.path(root)));
        known
    }

    /// Adds a file, whether it is in the data set yet or not.
    pub(super) fn add(&mut self, path: PathBuf) {
        self.files.push(KnownFile {
            path,
            groups: None,
            strange: false,
        });
    }

    /// A warning of files of somebody else, which readers take for readings as well.
    pub(super) fn strangers(&self) -> Option<String> {
        let mut strange = self.files.iter().filter(|file| file.strange);
        let first = strange.next()?.path.file_name().unwrap_or_default();
        let name = first.to_string_lossy();
        let more = match strange.count() {
            0 => String::new(),
            more => format!(" (and {more} more)"),
        };
        Some(format!(
            "`{name}`{more} of the data set has no `reading_id`: it is none of glucopipe's, and who reads the folder reads it too"
        ))
    }

    /// For each batch which of its readings are not there.
    ///
    /// # Errors
    /// When a file that may hold them cannot be read: what is in it cannot be told then.
    pub(super) fn new_in(&mut self, batches: &[RecordBatch]) -> Result<Vec<BooleanArray>> {
        let ids: Vec<Texts> = batches
            .iter()
            .map(|batch| Texts::of(batch, ID))
            .collect::<Result<_>>()?;
        if self.files.is_empty() {
            let all = ids
                .iter()
                .map(|ids| BooleanArray::from(vec![true; ids.len()]));
            return Ok(all.collect());
        }
        let span = span_of(batches)?;
        let mut wanted: Wanted<'_> = ids.iter().enumerate().flat_map(places).collect();
        for file in &mut self.files {
            if file.groups()?.iter().any(|group| overlap(*group, span)) {
                file.take_out(Some(span), &mut wanted)?;
            }
        }
        for file in &self.files {
            file.take_out(None, &mut wanted)?;
        }
        let mut new: Vec<Vec<bool>> = ids.iter().map(|ids| vec![false; ids.len()]).collect();
        wanted
            .into_values()
            .for_each(|(batch, row)| new[batch][row] = true);
        Ok(new.into_iter().map(BooleanArray::from).collect())
    }
}

/// Every id with its place.
fn places((batch, ids): (usize, &Texts)) -> impl Iterator<Item = (&str, (usize, usize))> {
    (0..ids.len()).filter_map(move |row| Some((ids.get(row)?, (batch, row))))
}

/// The span of time of some readings.
fn span_of(batches: &[RecordBatch]) -> Result<Span> {
    let mut span = (i64::MAX, i64::MIN);
    for batch in batches {
        let times: &TimestampMicrosecondArray = typed(batch, TIME)?;
        for &time in times.values() {
            span = (span.0.min(time), span.1.max(time));
        }
    }
    Ok(span)
}

fn overlap(one: Span, other: Span) -> bool {
    one.0 <= other.1 && other.0 <= one.1
}

impl KnownFile {
    fn groups(&mut self) -> Result<&[Span]> {
        if self.groups.is_none() {
            let about = self.open(PageIndexPolicy::Skip)?.1;
            let ours = column(about.metadata(), ID).is_some();
            self.strange = !ours;
            self.groups = Some(if ours { spans(&about) } else { Vec::new() });
        }
        Ok(self.groups.as_deref().unwrap_or_default())
    }

    /// Takes out what is in this file, or in the rows of a span of time.
    fn take_out(&self, span: Option<Span>, wanted: &mut Wanted<'_>) -> Result<()> {
        let groups = self.groups.iter().flatten().enumerate();
        let groups = groups.filter(|(_, times)| span.is_none_or(|span| overlap(**times, span)));
        let groups: Vec<usize> = groups.map(|(group, _)| group).collect();
        if groups.is_empty() || wanted.is_empty() {
            return Ok(());
        }
        let failed = |error: ParquetError| self.failed(&error);
        let (file, about) = self.open(PageIndexPolicy::Optional)?;
        let metadata = about.metadata().clone();
        let (Some(id), Some(time)) = (column(&metadata, ID), column(&metadata, TIME)) else {
            return Ok(());
        };
        let mut reader = ParquetRecordBatchReaderBuilder::new_with_metadata(file, about);
        let mut possible = Vec::new();
        for group in groups {
            let filter = reader.get_row_group_column_bloom_filter(group, id);
            let filter = filter.map_err(failed)?;
            if filter.is_none_or(|filter| wanted.keys().any(|id| filter.check(*id))) {
                possible.push(group);
            }
        }
        if possible.is_empty() {
            return Ok(());
        }
        let schema = reader.parquet_schema();
        let ids = ProjectionMask::leaves(schema, [id]);
        if let Some(span) = span {
            let times = ProjectionMask::leaves(schema, [time]);
            let in_span = ArrowPredicateFn::new(times, move |batch| Ok(within(&batch, span)));
            reader = reader.with_row_filter(RowFilter::new(vec![Box::new(in_span)]));
        }
        let reader = reader.with_row_groups(possible).with_projection(ids);
        for batch in reader.build().map_err(failed)? {
            let batch = batch.map_err(|error| failed(error.into()))?;
            let ids = Texts::of(&batch, ID)?;
            for id in (0..ids.len()).filter_map(|row| ids.get(row)) {
                wanted.remove(id);
            }
        }
        Ok(())
    }

    fn open(&self, pages: PageIndexPolicy) -> Result<(File, ArrowReaderMetadata)> {
        let file = File::open(&self.path).map_err(|error| self.failed(&error.into()))?;
        let options = ArrowReaderOptions::new().with_page_index_policy(pages);
        let about = ArrowReaderMetadata::load(&file, options);
        let about = about.map_err(|error| self.failed(&error))?;
        Ok((file, about))
    }

    fn failed(&self, error: &ParquetError) -> Error {
        unreadable(self.path.file_name().unwrap_or_default(), error)
    }
}

/// A file that cannot be read. Folders can say a serial or a name, so that only the file is named.
pub(super) fn unreadable(name: &OsStr, error: &ParquetError) -> Error {
    let what = format!("cannot read `{}` of the data set", name.display());
    Error {
        status: Status::Io,
        ..encode::failed(&what, error)
    }
}

/// The first time in a file that has readings.
pub(super) fn begin(about: &ArrowReaderMetadata) -> Option<i64> {
    column(about.metadata(), ID)?;
    spans(about).iter().map(|span| span.0).min()
}

/// The number of a column.
fn column(metadata: &ParquetMetaData, name: &str) -> Option<usize> {
    let columns = metadata.file_metadata().schema_descr().columns();
    columns
        .iter()
        .position(|column| column.path().string() == name)
}

/// The times of each row group, as its statistics have them.
fn spans(about: &ArrowReaderMetadata) -> Vec<Span> {
    let micros = DataType::Timestamp(TimeUnit::Microsecond, None);
    let field = about.schema().field_with_name(TIME);
    let usual = field.is_ok_and(|field| *field.data_type() == micros);
    let time = column(about.metadata(), TIME).filter(|_| usual);
    let groups = about.metadata().row_groups().iter();
    let span = |group: &RowGroupMetaData| match group.column(time?).statistics()? {
        Statistics::Int64(times) => times.min_opt().copied().zip(times.max_opt().copied()),
        _ => None,
    };
    groups.map(|group| span(group).unwrap_or(EVER)).collect()
}

/// Which rows are in a span of time; all when their times are of another kind.
fn within(batch: &RecordBatch, span: Span) -> BooleanArray {
    match typed::<TimestampMicrosecondArray>(batch, TIME) {
        Ok(times) => {
            let within = |time: Option<i64>| time.is_none_or(|time| overlap((time, time), span));
            times.iter().map(|time| Some(within(time))).collect()
        }
        Err(_) => BooleanArray::from(vec![true; batch.num_rows()]),
    }
}
