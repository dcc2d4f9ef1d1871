//! The file of a text format: begun at the first reading, named at the commit.

use std::fs::File;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use arrow::array::RecordBatch;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::earlier::{Earlier, Stamp};
use super::ids::Ids;
use super::layout::Layout;
use super::merge::Merge;
use super::out::Out;
use crate::batch::slices;
use crate::error::{Error, Result, Status};
use crate::exporter::{CommitReport, Preview, Sink, Wants};
use crate::files::check_target;
use crate::op::{Level, Op};
use crate::schema;
use crate::stream::Batches;

/// Rows formatted before they are written: a bound for memory whatever the batches, and often enough
/// to be cancelled.
const ROWS_PER_WRITE: usize = 4096;

/// The path that stands for standard output. A plugin does not write there: the host puts the path of a file of
/// its own in the place, where the schema of the key `path` has the format `output-file`, and prints that file.
pub const STANDARD_OUTPUT: &str = "-";

/// What becomes of the file that is there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub enum Mode {
    /// It is replaced by all that is known.
    #[default]
    Replace,
    /// What is new comes after what is there.
    Append,
    /// What is known comes to its place among what is there.
    Merge,
}

impl Mode {
    /// What a sink of this mode is to be given.
    pub fn wants(self) -> Wants {
        match self {
            Self::Append => Wants::New,
            Self::Merge => Wants::Revised,
            Self::Replace => Wants::Everything,
        }
    }

    /// As it is written in the file.
    pub fn word(self) -> &'static str {
        match self {
            Self::Replace => "replace",
            Self::Append => "append",
            Self::Merge => "merge",
        }
    }

    /// Refuses a path that the mode cannot work with.
    ///
    /// # Errors
    /// On the key `mode`.
    pub fn check(self, path: &Path) -> Result<()> {
        if self != Self::Replace && path == Path::new(STANDARD_OUTPUT) {
            let message = format!(
                "standard output has nothing that `{}` could add to",
                self.word()
            );
            return Err(Error::config("mode", message));
        }
        Ok(())
    }

    /// The columns without which the mode does not work: a row must say which reading it is, and where it
    /// belongs.
    pub fn needs(self) -> &'static [&'static str] {
        match self {
            Self::Replace => &[],
            Self::Append => &["reading_id"],
            Self::Merge => &["reading_id", "local_time", "record_key"],
        }
    }
}

/// A file in the making: the sink of a [`Layout`].
pub struct TextFile<L> {
    path: PathBuf,
    mode: Mode,
    layout: L,
    state: State,
    /// What was there when the earlier file was looked for; `None` when it was not looked for.
    looked: Option<Option<Stamp>>,
    /// Transforms leave out all that is known.
    emptied: bool,
    /// Only count.
    dry: bool,
    offered: u64,
    delivered: u64,
    already_there: u64,
}

/// Is told how many rows are written, and says whether to go on.
type Tick<'a> = &'a dyn Fn(u64) -> Result<()>;

enum State {
    /// Nothing is on disk.
    Fresh,
    /// A beginning, and rows.
    Begun(Out),
    /// Failed or committed: there is nothing to write to.
    Over,
}

impl<L: Layout> TextFile<L> {
    /// A sink that has not touched the disk.
    ///
    /// # Errors
    /// When the path is none of a file, on the key `path`; when it has nothing to add to, or the layout cannot be
    /// read back for the mode, on the key `mode`.
    pub fn new(path: PathBuf, mode: Mode, layout: L) -> Result<Self> {
        check_name(&path)?;
        mode.check(&path)?;
        if mode != Mode::Replace && layout.reader().is_none() {
            let message = format!(
                "rows of this format do not say which reading they are, so there is no `{}`",
                mode.word()
            );
            return Err(Error::config("mode", message));
        }
        Ok(Self {
            path,
            mode,
            layout,
            state: State::Fresh,
            looked: None,
            emptied: false,
            dry: false,
            offered: 0,
            delivered: 0,
            already_there: 0,
        })
    }

    /// Whether the file could be written, for [`crate::exporter::Exporter::check`]; writes nothing.
    ///
    /// # Errors
    /// Names the folder that is in the way, and the reason.
    pub fn check(&self) -> Result<()> {
        if self.is_printed() {
            return Ok(());
        }
        check_target(&self.path)
    }

    fn is_printed(&self) -> bool {
        self.path == Path::new(STANDARD_OUTPUT)
    }

    /// Whether there is a file already.
    fn is_there(&self) -> bool {
        !self.is_printed() && self.path.exists()
    }

    /// What a run would write, for [`crate::exporter::Exporter::preview`]; writes nothing.
    ///
    /// # Errors
    /// When it could not be written.
    pub fn preview(mut self, op: &Op, readings: &mut dyn Batches) -> Result<Preview> {
        self.check()?;
        self.dry = true;
        self.write(op, readings)?;
        let there = self.is_there();
        let report = self.finish()?;
        let path = self.path.display();
        let mut lines = vec![match (report.targets.is_empty(), there, self.mode) {
            _ if self.is_printed() => "would print".to_owned(),
            (true, ..) => format!("would leave {path} as it is"),
            (_, true, Mode::Replace) => format!("would replace {path}"),
            (_, true, _) => format!("would add to {path}"),
            (_, false, _) => format!("would make {path}"),
        }];
        lines[0].push_str(&counts(&report));
        lines.extend(self.layout.remark());
        Ok(Preview { report, lines })
    }

    /// What was begun; until it is put back the sink counts as failed.
    fn take(&mut self) -> Result<Option<Out>> {
        match std::mem::replace(&mut self.state, State::Over) {
            State::Fresh => Ok(None),
            State::Begun(out) => Ok(Some(out)),
            State::Over => Err(Error::new(
                Status::Internal,
                format!(
                    "the {} file `{}` failed or is finished",
                    L::NAME,
                    self.path.display()
                ),
            )),
        }
    }

    /// A new file with its beginning.
    fn begin(&mut self, first: Option<&RecordBatch>) -> Result<Out> {
        let mut out = match self.dry {
            true => Out::count(L::NAME),
            false if self.is_printed() => {
                let message = "this host does not print what `path = \"-\"` asks for";
                return Err(Error::new(Status::Unsupported, message));
            }
            false => Out::create(&self.path, L::NAME)?,
        };
        self.layout.begin(first, &mut out.buffer)?;
        Ok(out)
    }

    /// The file of an earlier run, or what was written before; `None` when there is nothing.
    fn earlier(&mut self, out: Option<&Out>) -> Result<Option<Earlier>> {
        let Some(reader) = self.layout.reader() else {
            return Ok(None);
        };
        let file = match out.and_then(Out::reopen) {
            Some(file) => file,
            None => {
                self.check()?;
                self.looked = Some(Stamp::of(&self.path));
                File::open(&self.path)
            }
        };
        match file {
            Ok(file) => Earlier::open(file, &self.path, &mut self.layout, reader),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => {
                let what = format!("cannot read {} file `{}`", L::NAME, self.path.display());
                Err(Error::file(what, &error))
            }
        }
    }

    /// Writes all readings; asks `tick`, with the rows written, whether to go on.
    fn write_readings(&mut self, readings: &mut dyn Batches, tick: Tick<'_>) -> Result<()> {
        let before = self.take()?;
        self.emptied |= schema::is_emptied(&readings.schema());
        tick(self.delivered)?;
        let out = match self.mode {
            Mode::Replace => self.replace(before, readings, tick),
            Mode::Append => self.append(before, readings, tick),
            Mode::Merge => self.merge(before, readings, tick),
        }?;
        self.state = out.map_or(State::Fresh, State::Begun);
        Ok(())
    }

    fn replace(
        &mut self,
        mut out: Option<Out>,
        readings: &mut dyn Batches,
        tick: Tick<'_>,
    ) -> Result<Option<Out>> {
        while let Some(batch) = readings.next_batch()? {
            for rows in pieces(&batch) {
                let mut open = match out.take() {
                    Some(out) => out,
                    None => self.begin(Some(&rows))?,
                };
                self.offered += rows.num_rows() as u64;
                self.delivered += self.layout.rows(&rows, &mut open.buffer)?;
                open.flush()?;
                tick(self.delivered)?;
                out = Some(open);
            }
        }
        Ok(out)
    }

    /// Holds the readings, not the file: what is new is little, and what is there may be much.
    fn append(
        &mut self,
        before: Option<Out>,
        readings: &mut dyn Batches,
        tick: Tick<'_>,
    ) -> Result<Option<Out>> {
        let (batches, mut new) = self.gather(readings, tick)?;
        let offered: usize = batches.iter().map(RecordBatch::num_rows).sum();
        if offered == 0 {
            return Ok(before);
        }
        let earlier = self.earlier(before.as_ref())?;
        let mut out = self.begin(None)?;
        if let Some(mut earlier) = earlier {
            while let Some(key) = earlier.key() {
                if new.remove(&key.reading_id) && new.is_empty() {
                    self.already_there += offered as u64;
                    return Ok(before);
                }
                out.buffer.extend_from_slice(earlier.row());
                earlier.advance()?;
                if out.is_full() {
                    out.flush()?;
                    tick(self.delivered)?;
                }
            }
        }
        for rows in batches.iter().flat_map(pieces) {
            let rest = new.only(&rows)?;
            self.already_there += (rows.num_rows() - rest.num_rows()) as u64;
            self.delivered += self.layout.rows(&rest, &mut out.buffer)?;
            out.flush()?;
            tick(self.delivered)?;
        }
        Ok(Some(out))
    }

    /// Holds the readings, not the file: which of its rows they replace must be known before the first is copied.
    fn merge(
        &mut self,
        before: Option<Out>,
        readings: &mut dyn Batches,
        tick: Tick<'_>,
    ) -> Result<Option<Out>> {
        let (batches, offered) = self.gather(readings, tick)?;
        if offered.is_empty() {
            return Ok(before);
        }
        let mut merge = Merge::new(self.earlier(before.as_ref())?, offered);
        let mut out = self.begin(None)?;
        for rows in batches.iter().flat_map(pieces) {
            let delivered = self.delivered;
            self.delivered += merge.rows(&rows, &mut self.layout, &mut out, &|| tick(delivered))?;
            out.flush()?;
            tick(self.delivered)?;
        }
        let replaced = merge.finish(&mut out, &|| tick(self.delivered))?;
        self.already_there += replaced;
        // A layout may leave out what the file has.
        self.delivered = self.delivered.saturating_sub(replaced);
        out.flush()?;
        Ok(Some(out))
    }

    /// All readings, and their ids.
    fn gather(
        &mut self,
        readings: &mut dyn Batches,
        tick: Tick<'_>,
    ) -> Result<(Vec<RecordBatch>, Ids)> {
        let (mut batches, mut ids) = (Vec::new(), Ids::default());
        while let Some(batch) = readings.next_batch()? {
            ids.insert(&batch)?;
            self.offered += batch.num_rows() as u64;
            batches.push(batch);
            tick(self.delivered)?;
        }
        Ok((batches, ids))
    }

    fn finish(&mut self) -> Result<CommitReport> {
        let out = self.take()?;
        let left_out = self
            .offered
            .saturating_sub(self.delivered + self.already_there);
        let report = CommitReport {
            delivered: self.delivered,
            already_there: self.already_there,
            left_out,
            ..CommitReport::default()
        };
        let out = match out {
            // No new reading is no reason to touch what is there.
            _ if self.delivered == 0
                && !self.emptied
                && (self.mode != Mode::Merge || self.already_there == 0)
                && self.is_there() =>
            {
                return Ok(report);
            }
            Some(out) => out,
            None => self.begin(None)?,
        };
        if self
            .looked
            .as_ref()
            .is_some_and(|was| *was != Stamp::of(&self.path))
        {
            let message = format!(
                "{} file `{}` was changed by another program in the meantime",
                L::NAME,
                self.path.display()
            );
            return Err(Error::new(Status::Precondition, message).retryable());
        }
        Ok(CommitReport {
            bytes: out.finish()?,
            targets: vec![self.path.display().to_string()],
            ..report
        })
    }
}

impl<L: Layout> Sink for TextFile<L> {
    fn write(&mut self, op: &Op, readings: &mut dyn Batches) -> Result<()> {
        let step = format!("writing {}", L::NAME);
        self.write_readings(readings, &|rows| {
            op.progress(rows, 0, &step);
            op.check()
        })
    }

    fn commit(&mut self, op: &Op) -> Result<CommitReport> {
        op.check()?;
        let report = self.finish()?;
        if let Some(remark) = self.layout.remark() {
            op.log(Level::Info, "", &remark);
        }
        Ok(report)
    }
}

/// `: 12 readings, 300 are there already, 2 have no place in it; 4711 bytes`.
fn counts(report: &CommitReport) -> String {
    let readings = |count: u64| match count {
        1 => "1 reading".to_owned(),
        count => format!("{count} readings"),
    };
    let mut text = format!(": {}", readings(report.delivered));
    for (count, what) in [
        (report.already_there, "there already"),
        (report.left_out, "without a place in it"),
    ] {
        if count > 0 {
            text.push_str(&format!(", {count} {what}"));
        }
    }
    if !report.targets.is_empty() {
        text.push_str(&format!("; {} bytes", report.bytes));
    }
    text
}

/// Refuses what can be a folder alone.
fn check_name(path: &Path) -> Result<()> {
    let text = path.to_string_lossy();
    if text.is_empty() {
        return Err(Error::config("path", "got an empty path, expected a file"));
    }
    if path.is_dir() || path.file_name().is_none() || text.ends_with(std::path::is_separator) {
        return Err(Error::config(
            "path",
            format!("`{text}` is a folder, expected a file"),
        ));
    }
    Ok(())
}

fn pieces(batch: &RecordBatch) -> impl Iterator<Item = RecordBatch> {
    slices(batch, ROWS_PER_WRITE)
}

#[cfg(test)]
mod tests;
