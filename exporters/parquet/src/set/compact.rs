//! Merging small files, so that a data set that grows by small runs stays quick to read.
//!
//! Several files cannot be replaced by one at once. So a folder is made that has the merged file, and all other
//! files by a second name, and then the two folders are swapped at once: at no time is a reading missing or
//! there twice.

use std::collections::{BTreeMap, HashMap};
use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::sync::Arc;

use glucopipe_sdk::arrow::array::{RecordBatch, TimestampMicrosecondArray};
use glucopipe_sdk::arrow::compute::interleave_record_batch;
use glucopipe_sdk::arrow::datatypes::Schema;
use glucopipe_sdk::batch::{Texts, typed};
use glucopipe_sdk::op::Level;
use glucopipe_sdk::{Error, Op, Result, Status};
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder,
};

use super::add::{Made, Part, cannot_write};
use super::disk;
use super::folder::{self, DataFile};
use super::held::Held;
use super::settle::Note;
use super::staging::Staging;
use crate::encode::{Format, ID, KEY, ROWS_PER_GROUP, TIME};
use crate::file::ROWS_PER_WRITE;
use crate::partition::{Key, Partition};

/// A file with as many rows is not small any more.
const SMALL: usize = ROWS_PER_GROUP / 2;

/// What was done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Merged {
    /// Files that are gone.
    pub(super) from: usize,
    /// Files in their place.
    pub(super) into: usize,
    /// Their size.
    pub(super) bytes: u64,
}

/// A file that can be merged with others.
struct Small {
    name: String,
    rows: usize,
    /// The first time in it.
    begin: i64,
    metadata: HashMap<String, String>,
}

/// Merges the small files of every partition that nobody holds.
///
/// # Errors
/// When a file cannot be read, or the disk cannot do it; every reading is still there once then.
pub(super) fn compact(op: &Op, staging: &mut Staging, held: &Held) -> Result<Merged> {
    let merged = merge_all(op, staging, held);
    let settled = staging.settle(Some(op));
    merged.and_then(|merged| settled.map(|()| merged))
}

fn merge_all(op: &Op, staging: &mut Staging, held: &Held) -> Result<Merged> {
    let root = staging.root().to_owned();
    let files = folder::files(&root)?;
    let keys = folder::keys(&root, &files)?.unwrap_or_default();
    let partitions = by_partition(files);
    let mut merged = Merged::default();
    let all = partitions.len() as u64;
    for (done, (partition, names)) in partitions.iter().enumerate() {
        op.progress(done as u64, all, "merging Parquet files");
        op.check()?;
        if names.len() > 1 {
            let one = Merge {
                op,
                staging,
                held,
                root: &root,
                partition,
            };
            one.run(&keys, names, &mut merged)?;
        }
    }
    Ok(merged)
}

/// How many files would be merged, and into how many, once these are added; changes nothing.
///
/// # Errors
/// When a file cannot be read.
pub(super) fn outlook(
    root: &Path,
    files: Vec<DataFile>,
    made: &[Made],
    held: &Held,
) -> Result<(usize, usize)> {
    let keys = folder::keys(root, &files)?.unwrap_or_default();
    let format = Format::new(&Schema::empty(), &keys);
    let (mut from, mut into) = (0, 0);
    for (partition, names) in by_partition(files) {
        let folder = partition.folder(root);
        if held.has(&folder) || !is_plain(&folder).is_ok_and(|plain| plain) {
            continue;
        }
        let mut files = Vec::new();
        for name in names {
            files.extend(small(&folder, &name, &format)?);
        }
        let new = made.iter().filter(|one| one.partition == partition);
        let new = new.filter(|one| (1..SMALL).contains(&one.rows));
        files.extend(new.map(|one| Small {
            name: one.name.clone(),
            rows: one.rows,
            begin: one.begin,
            metadata: HashMap::new(),
        }));
        for group in groups(files) {
            from += group.len();
            into += 1;
        }
    }
    Ok((from, into))
}

fn by_partition(files: Vec<DataFile>) -> BTreeMap<Partition, Vec<String>> {
    let mut partitions: BTreeMap<Partition, Vec<String>> = BTreeMap::new();
    for file in files {
        if let Ok(name) = file.name.into_string() {
            partitions.entry(file.partition).or_default().push(name);
        }
    }
    partitions
}

/// Whether there is nothing in a folder that cannot be in two folders at once.
fn is_plain(folder: &Path) -> io::Result<bool> {
    let mut plain = fs::symlink_metadata(folder)?.is_dir();
    for entry in fs::read_dir(folder)? {
        plain &= entry?.file_type()?.is_file();
    }
    Ok(plain)
}

/// A file, when it is small and of ours.
fn small(folder: &Path, name: &str, format: &Format) -> Result<Option<Small>> {
    let unreadable = |error| unreadable(name, &error);
    let file = File::open(folder.join(name)).map_err(|error| unreadable(error.into()))?;
    let about = ArrowReaderMetadata::load(&file, ArrowReaderOptions::new());
    let about = about.map_err(unreadable)?;
    let metadata = about.metadata().file_metadata();
    let rows = usize::try_from(metadata.num_rows()).unwrap_or(usize::MAX);
    let ours = with_schema(format);
    let ours = ArrowReaderMetadata::try_new(about.metadata().clone(), ours).is_ok();
    let Some(begin) = super::known::begin(&about).filter(|_| ours) else {
        return Ok(None);
    };
    let entries = metadata.key_value_metadata().into_iter().flatten();
    let entries = entries.filter_map(|entry| Some((entry.key.clone(), entry.value.clone()?)));
    Ok((1..SMALL).contains(&rows).then(|| Small {
        name: name.to_owned(),
        rows,
        begin,
        metadata: entries.collect(),
    }))
}

/// The merging of one partition.
struct Merge<'a> {
    op: &'a Op,
    staging: &'a mut Staging,
    held: &'a Held,
    root: &'a Path,
    partition: &'a Partition,
}

impl Merge<'_> {
    fn run(mut self, keys: &[Key], names: &[String], merged: &mut Merged) -> Result<()> {
        let format = Format::new(&Schema::empty(), keys);
        let folder = self.partition.folder(self.root);
        let mut files = Vec::new();
        for name in names {
            files.extend(small(&folder, name, &format)?);
        }
        let groups = groups(files);
        if groups.is_empty() {
            return Ok(());
        }
        if !is_plain(&folder).map_err(|error| self.failed(&error))? {
            let text = "a folder that holds more than files is left as it is";
            self.op.log(Level::Warn, "parquet", text);
            return Ok(());
        }
        if self.held.has(&folder) {
            let text = "small files are not merged in a folder that is mounted, or that this program works in: who holds it would see an empty folder from then on";
            self.op.log(Level::Warn, "parquet", text);
            return Ok(());
        }
        let (mut made, mut gone) = (Vec::new(), Vec::new());
        for group in groups {
            made.push(self.merge(&group, &format)?);
            gone.extend(group.into_iter().map(|file| file.name));
        }
        merged.from += gone.len();
        merged.into += made.len();
        merged.bytes += made.iter().map(|one| one.bytes).sum::<u64>();
        self.swap(made, gone)
    }

    /// Makes one file of several.
    fn merge(&mut self, group: &[Small], format: &Format) -> Result<Made> {
        let mut batches = Vec::new();
        for small in group {
            self.op.check()?;
            let unreadable = |error| unreadable(&small.name, &error);
            let path = self.partition.folder(self.root).join(&small.name);
            let file = File::open(path).map_err(|error| unreadable(error.into()))?;
            let reader =
                ParquetRecordBatchReaderBuilder::try_new_with_options(file, with_schema(format))
                    .and_then(ParquetRecordBatchReaderBuilder::build)
                    .map_err(unreadable)?;
            for batch in reader {
                batches.push(batch.map_err(|error| unreadable(error.into()))?);
            }
        }
        let order = order(&batches)?;
        let batches: Vec<&RecordBatch> = batches.iter().collect();
        let failed = |error| cannot_write(self.root, &error);
        let format = format.with_metadata(&common(group));
        let mut part =
            Part::begin(Some(self.staging.file()), &format, order.len()).map_err(failed)?;
        for rows in order.chunks(ROWS_PER_WRITE) {
            self.op.check()?;
            part.write(&interleave_record_batch(&batches, rows)?)?
                .map_err(failed)?;
        }
        part.finish(self.partition.clone()).map_err(failed)
    }

    /// Shows the merged files instead of those that are in them.
    fn swap(&mut self, made: Vec<Made>, gone: Vec<String>) -> Result<()> {
        let folder = self.partition.folder(self.root);
        let swap = self.staging.swap();
        let new = &swap.folder;
        let failed = |error: io::Error| self.failed(&error);
        let said = Note {
            partition: self.partition.0.clone(),
            merged: made.iter().map(|one| one.name.clone()).collect(),
            gone,
        };
        said.write(&swap.note).map_err(failed)?;
        disk::make_folder(new).map_err(failed)?;
        for one in made {
            disk::rename(&one.file, &new.join(one.name)).map_err(failed)?;
        }
        for entry in fs::read_dir(&folder).map_err(failed)? {
            let name = entry.map_err(failed)?.file_name();
            if !said.gone.iter().any(|gone| **gone == *name) && !new.join(&name).exists() {
                disk::link(&folder.join(&name), &new.join(&name))
                    .map_err(|error| self.impossible("give a file a second name", &error))?;
            }
        }
        same_rights(&folder, new).map_err(failed)?;
        disk::sync_folder(new).map_err(failed)?;
        disk::exchange(&folder, new)
            .map_err(|error| self.impossible("swap two folders at once", &error))?;
        for folder in [folder.parent(), new.parent()].into_iter().flatten() {
            disk::sync_folder(folder).map_err(failed)?;
        }
        Ok(())
    }

    fn failed(&self, error: &io::Error) -> Error {
        Error::file(
            format!("cannot merge files of `{}`", self.root.display()),
            error,
        )
    }

    /// The disk lacks what merging needs.
    fn impossible(&self, what: &str, error: &io::Error) -> Error {
        let root = self.root.display();
        let message = format!(
            "small files of `{root}` cannot be merged: its file system cannot {what}, and any other way would show readings twice or not at all ({error})"
        );
        Error::new(Status::Unsupported, message)
    }
}

/// Puts files together, the earliest first, until each group is not small any more.
fn groups(mut small: Vec<Small>) -> Vec<Vec<Small>> {
    small.sort_by(|one, other| (one.begin, &one.name).cmp(&(other.begin, &other.name)));
    let mut groups: Vec<(usize, Vec<Small>)> = Vec::new();
    for file in small {
        match groups.last_mut() {
            Some((rows, group)) if *rows < SMALL => {
                *rows += file.rows;
                group.push(file);
            }
            _ => groups.push((file.rows, vec![file])),
        }
    }
    let groups = groups.into_iter().map(|(_, group)| group);
    groups.filter(|group| group.len() > 1).collect()
}

/// Where each row is, batch and row, in the order of a file; a reading that is there twice comes once.
fn order(batches: &[RecordBatch]) -> Result<Vec<(usize, usize)>> {
    let mut columns = Vec::new();
    for batch in batches {
        let times: &TimestampMicrosecondArray = typed(batch, TIME)?;
        columns.push((times, Texts::of(batch, KEY)?, Texts::of(batch, ID)?));
    }
    let place = |batch: usize| (0..batches[batch].num_rows()).map(move |row| (batch, row));
    let mut places: Vec<(usize, usize)> = (0..batches.len()).flat_map(place).collect();
    let key = |&(batch, row): &(usize, usize)| {
        let (times, keys, ids) = &columns[batch];
        (times.value(row), keys.get(row), ids.get(row))
    };
    places.sort_by(|one, other| key(one).cmp(&key(other)));
    places.dedup_by(|one, other| key(one) == key(other));
    Ok(places)
}

/// What all files of a group say about themselves.
fn common(group: &[Small]) -> HashMap<String, String> {
    let mut entries = group
        .first()
        .map(|file| file.metadata.clone())
        .unwrap_or_default();
    entries.retain(|key, value| {
        group
            .iter()
            .all(|file| file.metadata.get(key) == Some(value))
    });
    entries
}

/// How files are read that are merged: texts that repeat stay dictionaries.
fn with_schema(format: &Format) -> ArrowReaderOptions {
    ArrowReaderOptions::new().with_schema(Arc::new(format.schema()))
}

fn unreadable(name: &str, error: &parquet::errors::ParquetError) -> Error {
    super::known::unreadable(name.as_ref(), error)
}

/// Gives a folder the rights of another one. It is opened for that: in a process of its own nobody changes rights
/// by name.
#[cfg(unix)]
fn same_rights(from: &Path, to: &Path) -> io::Result<()> {
    use std::os::unix::fs::{MetadataExt, fchown};
    let (about, to) = (fs::metadata(from)?, File::open(to)?);
    let new = to.metadata()?;
    if (about.uid(), about.gid()) != (new.uid(), new.gid()) {
        fchown(&to, Some(about.uid()), Some(about.gid()))?;
    }
    to.set_permissions(about.permissions())
}

/// Gives a folder the rights of another one.
#[cfg(not(unix))]
fn same_rights(from: &Path, to: &Path) -> io::Result<()> {
    fs::set_permissions(to, fs::metadata(from)?.permissions())
}
