//! Adding readings: those that are new go into new files, one for each partition, which are made aside and
//! named at the end.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use glucopipe_sdk::arrow::array::{
    Array, AsArray, BooleanArray, RecordBatch, TimestampMicrosecondArray,
};
use glucopipe_sdk::arrow::compute::filter_record_batch;
use glucopipe_sdk::arrow::datatypes::Schema;
use glucopipe_sdk::batch::{Texts, slices, typed};
use glucopipe_sdk::stream::Batches;
use glucopipe_sdk::{Error, Op, Result};
use parquet::arrow::ArrowWriter;
use parquet::errors::ParquetError;
use twox_hash::XxHash3_128;

use super::TYPES;
use super::disk;
use super::known::Known;
use super::staging::Staging;
use crate::encode::{self, BYTES_PER_GROUP, Format, ID, ROWS_PER_GROUP, TIME};
use crate::file::ROWS_PER_WRITE;
use crate::partition::{Key, Partition, split};

/// Readings that are looked for at once.
const ROWS_PER_LOOK: usize = ROWS_PER_GROUP / 2;

/// A file that is whole and has no name yet.
pub(super) struct Made {
    pub(super) partition: Partition,
    /// Where it is; nowhere when it was only counted.
    pub(super) file: PathBuf,
    pub(super) name: String,
    pub(super) bytes: u64,
    pub(super) rows: usize,
    /// The first time in it.
    pub(super) begin: i64,
}

/// Where files are made.
pub(super) enum Place<'a> {
    /// In the staging folder.
    Staging(&'a mut Staging),
    /// Nowhere: they are only counted.
    Nowhere(&'a Path),
}

impl Place<'_> {
    /// A name for a new file.
    fn file(&mut self) -> Option<PathBuf> {
        match self {
            Self::Staging(staging) => Some(staging.file()),
            Self::Nowhere(_) => None,
        }
    }

    fn root(&self) -> &Path {
        match self {
            Self::Staging(staging) => staging.root(),
            Self::Nowhere(root) => root,
        }
    }

    /// The file without readings in the partition of types.
    pub(super) fn types(&mut self, partition: Partition, keys: &[Key]) -> Result<Made> {
        let format = Format::new(&Schema::empty(), keys);
        let part = Part::begin(self.file(), &format, 0);
        let made = part.and_then(|part| part.finish(partition));
        let made = made.map_err(|error| cannot_write(self.root(), &error))?;
        Ok(Made {
            name: TYPES.to_owned(),
            ..made
        })
    }
}

/// The new readings of a stream, on their way into files.
pub(super) struct Adding<'a> {
    op: &'a Op,
    place: Place<'a>,
    known: &'a mut Known,
    keys: &'a [Key],
    format: Format,
    waiting: BTreeMap<Partition, Waiting>,
    parts: BTreeMap<Partition, Part>,
    /// Readings looked at.
    pub(super) seen: u64,
    /// Those of them that are new.
    pub(super) new: u64,
}

/// Readings that wait until there are enough for a row group.
#[derive(Default)]
struct Waiting {
    batches: Vec<RecordBatch>,
    rows: usize,
    bytes: usize,
}

impl<'a> Adding<'a> {
    /// Adds readings of a stream with this schema.
    pub(super) fn new(
        op: &'a Op,
        place: Place<'a>,
        known: &'a mut Known,
        keys: &'a [Key],
        format: Format,
    ) -> Self {
        Self {
            op,
            place,
            known,
            keys,
            format,
            waiting: BTreeMap::new(),
            parts: BTreeMap::new(),
            seen: 0,
            new: 0,
        }
    }

    /// Takes a stream to its end; `first` was taken from it already.
    pub(super) fn take(&mut self, first: RecordBatch, readings: &mut dyn Batches) -> Result<()> {
        let mut window = Waiting::default();
        let mut next = Some(first);
        while let Some(batch) = next {
            for rows in slices(&batch, ROWS_PER_WRITE) {
                window.push(encode::arranged(&rows)?);
                if window.rows >= ROWS_PER_LOOK || window.bytes >= BYTES_PER_GROUP {
                    self.sort_out(std::mem::take(&mut window))?;
                }
            }
            next = readings.next_batch()?;
        }
        self.sort_out(window)
    }

    /// Keeps what is new, each reading with its partition.
    fn sort_out(&mut self, window: Waiting) -> Result<()> {
        self.go_on()?;
        let new = self.known.new_in(&window.batches)?;
        for (batch, new) in window.batches.iter().zip(new) {
            self.seen += batch.num_rows() as u64;
            for (partition, rows) in split(self.keys, &only(batch, &new)?)? {
                self.new += rows.num_rows() as u64;
                self.waiting.entry(partition).or_default().push(rows);
            }
            while self.is_full() {
                self.write_longest()?;
            }
        }
        Ok(())
    }

    fn is_full(&self) -> bool {
        let rows: usize = self.waiting.values().map(|one| one.rows).sum();
        let bytes: usize = self.waiting.values().map(|one| one.bytes).sum();
        rows >= ROWS_PER_GROUP || bytes >= BYTES_PER_GROUP
    }

    fn write_longest(&mut self) -> Result<()> {
        let longest = self.waiting.iter().max_by_key(|(_, one)| one.bytes);
        let longest = longest.map(|(partition, _)| partition.clone());
        let taken = longest.and_then(|partition| self.waiting.remove_entry(&partition));
        taken.map_or(Ok(()), |(partition, waiting)| {
            self.write(partition, &waiting)
        })
    }

    /// Writes what waits for a partition as a row group.
    fn write(&mut self, partition: Partition, waiting: &Waiting) -> Result<()> {
        let file = self.place.file();
        let failed = |error: ParquetError| cannot_write(self.place.root(), &error);
        let mut part = match self.parts.remove(&partition) {
            Some(part) => part,
            None => Part::begin(file, &self.format, waiting.rows).map_err(failed)?,
        };
        for batch in &waiting.batches {
            self.go_on()?;
            part.write(&self.format.project(batch)?)?.map_err(failed)?;
        }
        part.rest().map_err(failed)?;
        self.parts.insert(partition, part);
        Ok(())
    }

    /// Ends all files.
    pub(super) fn finish(mut self) -> Result<Vec<Made>> {
        while let Some((partition, waiting)) = self.waiting.pop_first() {
            self.write(partition, &waiting)?;
        }
        let mut made = Vec::with_capacity(self.parts.len());
        for (partition, part) in std::mem::take(&mut self.parts) {
            self.go_on()?;
            let part = part.finish(partition);
            made.push(part.map_err(|error| cannot_write(self.place.root(), &error))?);
        }
        Ok(made)
    }

    fn go_on(&self) -> Result<()> {
        self.op.progress(self.seen, 0, "writing Parquet");
        self.op.check()
    }
}

impl Waiting {
    fn push(&mut self, batch: RecordBatch) {
        if batch.num_rows() > 0 {
            self.rows += batch.num_rows();
            self.bytes += weight(&batch);
            self.batches.push(batch);
        }
    }
}

/// Bytes of the rows of a batch; the texts of dictionaries are shared and do not count.
fn weight(batch: &RecordBatch) -> usize {
    let weigh = |column: &dyn Array| match column.data_type().primitive_width() {
        Some(width) => width * column.len(),
        None if column.as_any_dictionary_opt().is_some() => size_of::<i32>() * column.len(),
        None => column.to_data().get_slice_memory_size().unwrap_or_default(),
    };
    batch.columns().iter().map(|column| weigh(column)).sum()
}

/// The chosen rows.
pub(super) fn only(batch: &RecordBatch, chosen: &BooleanArray) -> Result<RecordBatch> {
    if chosen.true_count() == chosen.len() {
        return Ok(batch.clone());
    }
    Ok(filter_record_batch(batch, chosen)?)
}

/// One file in the making; its name says which readings it has, so that it is the same whoever makes it.
pub(super) struct Part {
    writer: ArrowWriter<Resting>,
    ids: XxHash3_128,
    rows: usize,
    begin: i64,
}

impl Part {
    /// Begins a file that will have about so many rows; without a path it is only counted.
    pub(super) fn begin(
        path: Option<PathBuf>,
        format: &Format,
        rows: usize,
    ) -> parquet::errors::Result<Self> {
        let file = Resting {
            file: path.as_deref().map(disk::create).transpose()?,
            path,
            bytes: 0,
        };
        Ok(Self {
            writer: format.begin(file, rows)?,
            ids: XxHash3_128::new(),
            rows: 0,
            begin: i64::MAX,
        })
    }

    /// Adds rows.
    pub(super) fn write(&mut self, rows: &RecordBatch) -> Result<parquet::errors::Result<()>> {
        let ids = Texts::of(rows, ID)?;
        let times: &TimestampMicrosecondArray = typed(rows, TIME)?;
        self.rows += rows.num_rows();
        self.begin = times.values().iter().copied().fold(self.begin, i64::min);
        for row in 0..ids.len() {
            self.ids.write(ids.get(row).unwrap_or_default().as_bytes());
            self.ids.write(b"\n");
        }
        Ok(self.writer.write(rows))
    }

    /// Ends the row group, and closes the file until more comes: a run can have more partitions than a
    /// process has files.
    fn rest(&mut self) -> parquet::errors::Result<()> {
        self.writer.flush()?;
        self.writer.sync()?;
        self.writer.inner_mut().file = None;
        Ok(())
    }

    /// Ends the file, durably.
    pub(super) fn finish(self, partition: Partition) -> parquet::errors::Result<Made> {
        let name = format!(
            "part-{:032x}.{}",
            self.ids.finish_128(),
            crate::layout::ENDING
        );
        let (rows, begin) = (self.rows, self.begin);
        let mut file = self.writer.into_inner()?;
        if let Some(file) = file.open()? {
            disk::sync(file)?;
        }
        Ok(Made {
            partition,
            name,
            bytes: file.bytes,
            file: file.path.unwrap_or_default(),
            rows,
            begin,
        })
    }
}

/// A file that is opened when something is written to it; without a path it is only counted.
struct Resting {
    path: Option<PathBuf>,
    file: Option<File>,
    bytes: u64,
}

impl Resting {
    fn open(&mut self) -> io::Result<Option<&mut File>> {
        if let (None, Some(path)) = (&self.file, &self.path) {
            self.file = Some(disk::append(path)?);
        }
        Ok(self.file.as_mut())
    }
}

impl Write for Resting {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = match self.open()? {
            Some(file) => disk::write(file, bytes)?,
            None => bytes.len(),
        };
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A failure while a data set is added to; the files in it are not named, because folders can say a serial
/// or a name.
pub(super) fn cannot_write(root: &Path, error: &ParquetError) -> Error {
    encode::failed(
        &format!("cannot write Parquet files for `{}`", root.display()),
        error,
    )
}
