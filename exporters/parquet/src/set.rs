//! A data set: a folder of files that grows, and whose files never change.
//!
//! Each reading is in one file. A run adds a file to each partition that it has new readings of; they are named
//! one after the other, so that a run that is killed meanwhile has added a part, and the next one adds the
//! rest. Merging swaps whole folders.

mod add;
mod compact;
mod dictionary;
mod disk;
mod folder;
mod held;
mod known;
mod settle;
mod staging;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use glucopipe_sdk::arrow::array::RecordBatch;
use glucopipe_sdk::exporter::{CommitReport, Preview, Sink};
use glucopipe_sdk::files::check_target;
use glucopipe_sdk::op::Level;
use glucopipe_sdk::stream::Batches;
use glucopipe_sdk::{Error, Op, Result, Status};

use self::add::{Adding, Made, Place, cannot_write};
use self::held::Held;
use self::known::Known;
use self::staging::Staging;
use crate::encode::Format;
use crate::layout::DataSet;
use crate::partition::Partition;

/// The file without readings in the partition of types.
const TYPES: &str = "types.parquet";

/// A data set that is added to.
pub(crate) struct SetSink {
    set: DataSet,
    state: State,
    /// Whether there was a stream, with readings or without.
    asked: bool,
    report: CommitReport,
}

enum State {
    /// Nothing was touched.
    Fresh,
    /// The right to change the data set, and what was made.
    Begun(Box<Run>),
    /// Failed or committed.
    Over,
}

struct Run {
    staging: Staging,
    known: Known,
    made: Vec<Made>,
    /// A partition of types, when one is needed and missing.
    types: Option<Made>,
    has_types: bool,
}

impl SetSink {
    /// A sink that has not touched the disk.
    pub(crate) fn new(set: DataSet) -> Self {
        Self {
            set,
            state: State::Fresh,
            asked: false,
            report: CommitReport::default(),
        }
    }

    fn over(&self) -> Error {
        let root = self.set.root.display();
        let message = format!("the data set `{root}` failed or is finished");
        Error::new(Status::Internal, message)
    }

    /// Merges small files. What was delivered is delivered, so a failure is only told then.
    fn compact(&mut self, op: &Op, staging: &mut Staging) -> Result<()> {
        match compact::compact(op, staging, &Held::now()) {
            Ok(merged) => {
                self.report.bytes += merged.bytes;
                if merged.into > 0 {
                    self.report.targets = vec![self.set.root.display().to_string()];
                }
                let text = format!("{} files merged into {}", merged.from, merged.into);
                op.log(Level::Info, "parquet", &text);
                Ok(())
            }
            Err(error) if self.asked => {
                op.log(Level::Warn, "parquet", &error.message);
                Ok(())
            }
            Err(error) => Err(error),
        }
    }
}

impl Sink for SetSink {
    fn write(&mut self, op: &Op, readings: &mut dyn Batches) -> Result<()> {
        // Until it is put back the sink counts as failed.
        let state = std::mem::replace(&mut self.state, State::Over);
        self.asked = true;
        op.check()?;
        let first = loop {
            match readings.next_batch()? {
                Some(batch) if batch.num_rows() == 0 => {}
                batch => break batch,
            }
        };
        let Some(first) = first else {
            self.state = state;
            return Ok(());
        };
        let mut run = match state {
            State::Fresh => Box::new(Run::begin(op, &self.set)?),
            State::Begun(run) => run,
            State::Over => return Err(self.over()),
        };
        let (seen, new) = run.add(op, &self.set, first, readings)?;
        self.report.delivered += new;
        self.report.already_there += seen - new;
        self.state = State::Begun(run);
        Ok(())
    }

    fn commit(&mut self, op: &Op) -> Result<CommitReport> {
        op.check()?;
        let state = std::mem::replace(&mut self.state, State::Over);
        let mut staging = match state {
            State::Over => return Err(self.over()),
            State::Begun(run) => {
                if !run.made.is_empty() {
                    self.report.targets = vec![self.set.root.display().to_string()];
                }
                let made = run.types.iter().chain(&run.made);
                self.report.bytes = made.map(|made| made.bytes).sum();
                (*run).publish(op)?
            }
            State::Fresh if !self.set.compact || folder::files(&self.set.root)?.is_empty() => {
                if self.set.compact && !self.asked {
                    let message = format!("there is no data set `{}`", self.set.root.display());
                    return Err(Error::new(Status::NotFound, message));
                }
                return Ok(self.report.clone());
            }
            State::Fresh => Staging::open(op, &self.set.root)?,
        };
        if self.set.compact {
            self.compact(op, &mut staging)?;
        }
        Ok(self.report.clone())
    }
}

impl Run {
    fn begin(op: &Op, set: &DataSet) -> Result<Self> {
        set.look()?;
        let staging = Staging::open(op, &set.root)?;
        let files = folder::files(staging.root())?;
        folder::expect_keys(&set.root, &files, &set.keys)?;
        Ok(Self {
            known: Known::of(staging.root(), &files),
            made: Vec::new(),
            types: None,
            has_types: files.iter().any(|file| file.name == TYPES),
            staging,
        })
    }

    /// Makes files of what is new in a stream; gives how many readings there were, and how many are new.
    fn add(
        &mut self,
        op: &Op,
        set: &DataSet,
        first: RecordBatch,
        readings: &mut dyn Batches,
    ) -> Result<(u64, u64)> {
        let format = Format::new(&readings.schema(), &set.keys);
        let place = Place::Staging(&mut self.staging);
        let mut adding = Adding::new(op, place, &mut self.known, &set.keys, format);
        adding.take(first, readings)?;
        let (seen, new) = (adding.seen, adding.new);
        let made = adding.finish()?;
        if let Some(text) = self.known.strangers().filter(|_| self.made.is_empty()) {
            op.log(Level::Warn, "parquet", &text);
        }
        for one in &made {
            self.known.add(one.file.clone());
        }
        self.made.extend(made);
        if self.types.is_none()
            && let Some(types) = types_of(&self.made, self.has_types)
        {
            let made = Place::Staging(&mut self.staging).types(types, &set.keys)?;
            self.types = Some(made);
        }
        Ok((seen, new))
    }

    /// Names the files, one after the other, durably.
    fn publish(self, op: &Op) -> Result<Staging> {
        let Self {
            staging,
            made,
            types,
            ..
        } = self;
        if made.is_empty() {
            return Ok(staging);
        }
        let root = staging.root();
        // What it says is in the files as well, so nothing is lost without it.
        if let Some(file) = dictionary(root)
            && let Err(error) = dictionary::write(&file)
        {
            op.log(Level::Warn, "parquet", &error.message);
        }
        let mut touched = BTreeSet::new();
        // First what has no readings: they have their right type from the beginning.
        for one in types.into_iter().chain(made) {
            let folder = one.partition.folder(root);
            disk::make_folders(&folder)
                .and_then(|()| disk::rename(&one.file, &folder.join(&one.name)))
                .map_err(|error| cannot_write(root, &error.into()))?;
            let above = folder.ancestors().take(one.partition.0.len() + 2);
            touched.extend(above.map(Path::to_path_buf));
        }
        // They are there now, so a failure here must not be reported as one that wrote nothing.
        for folder in touched.iter().rev() {
            let _ = disk::sync_folder(folder);
        }
        Ok(staging)
    }
}

/// Where the columns of a data set are described.
fn dictionary(root: &Path) -> Option<PathBuf> {
    Some(root.parent()?.join(dictionary::NAME))
}

/// Whether a data set could be added to; changes nothing.
///
/// # Errors
/// Why it could not.
pub(crate) fn check(set: &DataSet) -> Result<()> {
    let root = staging::real(&set.root)?;
    let (parent, folder) = staging::beside(&root)?;
    for folder in [&root, &folder] {
        check_target(&folder.join(TYPES))?;
    }
    staging::expect_one_disk(&root, parent)?;
    folder::expect_keys(&set.root, &folder::files(&root)?, &set.keys)
}

/// What adding these readings would do.
///
/// # Errors
/// As for [`check`], and when a stream ends in one.
pub(crate) fn preview(op: &Op, set: &DataSet, readings: &mut dyn Batches) -> Result<Preview> {
    check(set)?;
    let root = staging::real(&set.root)?;
    let files = folder::files(&root)?;
    let mut known = Known::of(&root, &files);
    let mut preview = Preview::default();
    let format = Format::new(&readings.schema(), &set.keys);
    let mut adding = Adding::new(op, Place::Nowhere(&root), &mut known, &set.keys, format);
    while let Some(batch) = readings.next_batch()? {
        adding.take(batch, readings)?;
    }
    let (seen, new) = (adding.seen, adding.new);
    let mut made = adding.finish()?;
    let has_types = files.iter().any(|file| file.name == TYPES);
    if let Some(types) = types_of(&made, has_types) {
        made.push(Place::Nowhere(&root).types(types, &set.keys)?);
    }
    preview.lines.extend(known.strangers());
    let shown = set.root.display();
    preview.report.delivered = new;
    preview.report.already_there = seen - new;
    preview.report.bytes = made.iter().map(|one| one.bytes).sum();
    if new > 0 {
        preview.report.targets.push(shown.to_string());
        let files = count(made.len(), "file");
        let readings = count(usize::try_from(new).unwrap_or(usize::MAX), "reading");
        let bytes = preview.report.bytes;
        let line = format!("would make {files} in {shown}: {readings}; {bytes} bytes");
        preview.lines.push(line);
        if let Some(file) = dictionary(&root).filter(|file| dictionary::is_due(file)) {
            let near = set
                .root
                .file_name()
                .map(|_| set.root.with_file_name(dictionary::NAME));
            let line = format!("would make {}", near.unwrap_or(file).display());
            preview.lines.push(line);
        }
    }
    if set.compact {
        let (from, into) = compact::outlook(&root, files, &made, &Held::now())?;
        if from > 0 {
            let from = count(from, "small file");
            let line = format!("would merge {from} into {into} in {shown}");
            preview.lines.push(line);
        }
    }
    Ok(preview)
}

/// The partition of types, when these files need one and it is missing.
fn types_of(made: &[Made], has_types: bool) -> Option<Partition> {
    made.first()?.partition.of_types().filter(|_| !has_types)
}

fn count(number: usize, what: &str) -> String {
    let s = if number == 1 { "" } else { "s" };
    format!("{number} {what}{s}")
}

#[cfg(test)]
mod tests;
