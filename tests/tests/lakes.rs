//! Runs and merges of a Parquet data set that are killed at any point: whoever reads it meanwhile sees whole files
//! and each reading once, nothing that was there goes, and the next run completes it.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use arrow::array::AsArray;
use glucopipe_tests::{Dice, End, Moment, Workspace, kill_at};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

/// How often a process is killed.
const TIMES: u32 = 100;
/// How long a reader rests between two looks.
const PAUSE: Duration = Duration::from_millis(10);
/// Readings that each run brings.
const BROUGHT: u32 = 60;

const PIPELINE: &str = r#"[sources.meter]
driver = "contour"

[sinks.lake]
exporter = "parquet"
inputs = ["meter"]
path = "out/lake"
partition_by = ["device_serial", "month"]
"#;

/// What is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Work {
    /// A run that adds readings.
    Add,
    /// A run that merges after that.
    AddAndMerge,
    /// `glucopipe compact`.
    Merge,
}

type Ids = BTreeSet<String>;

/// A data set, and who works on it.
struct Lake {
    workspace: Workspace,
    folder: PathBuf,
    /// The folder that work begins with making.
    staging: PathBuf,
    /// What every reader must see.
    least: Mutex<Ids>,
}

impl Lake {
    fn new() -> Self {
        let workspace = Workspace::new();
        workspace.write("pipeline.toml", PIPELINE);
        let out = workspace.path().join("out");
        Self {
            folder: out.join("lake"),
            staging: out.join(".lake.glucopipe"),
            workspace,
            least: Mutex::default(),
        }
    }

    fn arguments(work: Work, round: u32) -> Vec<String> {
        // A few meters, whose readings go into the same partitions each time.
        let device = format!(
            "virtual:contour-next-usb?serial={}&seed={round}&records={BROUGHT}",
            round % 3
        );
        let words: &[&str] = match work {
            Work::Add => &["run", "--set"],
            Work::AddAndMerge => &["run", "--set", "sinks.lake.compact=true", "--set"],
            Work::Merge => &["compact", "out/lake"],
        };
        let device = (work != Work::Merge).then(|| format!("sources.meter.device={device}"));
        words
            .iter()
            .map(ToString::to_string)
            .chain(device)
            .collect()
    }

    /// Does work, undisturbed, and says how long it took.
    fn complete(&self, work: Work, round: u32) -> Duration {
        let arguments = Self::arguments(work, round);
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let began = Instant::now();
        let finished = self.workspace.run(&arguments);
        assert_eq!(finished.code, 0, "{}", finished.stderr);
        began.elapsed()
    }

    /// The ids, once the folder stands still.
    fn ids(&self) -> Ids {
        self.look().expect("nobody changes anything")
    }

    /// The ids as a reader sees them that lists the folder and reads its files; `None` when it has to begin again,
    /// because a file is gone.
    fn look(&self) -> Option<Ids> {
        let mut ids = Ids::new();
        for path in files(&self.folder)? {
            for id in ids_in(&path)? {
                assert!(ids.insert(id), "a reading is there twice");
            }
        }
        Some(ids)
    }

    /// Reads again and again while others work, until they hang up.
    fn watch(&self, others: &Receiver<()>) -> u32 {
        let mut looks = 0;
        while others.recv_timeout(PAUSE) == Err(RecvTimeoutError::Timeout) {
            let least = self.least.lock().expect("a lock").clone();
            if let Some(seen) = self.look() {
                assert!(seen.is_superset(&least), "a reading is not there");
                looks += 1;
            }
        }
        looks
    }
}

/// The files of a data set, hidden ones too.
fn files(folder: &Path) -> Option<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in unless_gone(fs::read_dir(folder))? {
        let path = entry.expect("an entry").path();
        match path.extension() {
            Some(ending) if ending == "parquet" => found.push(path),
            _ => found.extend(files(&path)?),
        }
    }
    Some(found)
}

fn ids_in(path: &Path) -> Option<Vec<String>> {
    let file = unless_gone(File::open(path))?;
    let reader = ParquetRecordBatchReaderBuilder::try_new(file).expect("a whole file");
    let mask = ProjectionMask::columns(reader.parquet_schema(), ["reading_id"]);
    let reader = reader.with_projection(mask).build().expect("a reader");
    let mut ids = Vec::new();
    for batch in reader {
        let batch = batch.expect("a whole file");
        let column = batch.column(0).as_string::<i32>();
        ids.extend(column.iter().flatten().map(str::to_owned));
    }
    Some(ids)
}

fn unless_gone<T>(done: std::io::Result<T>) -> Option<T> {
    match done {
        Err(error) if error.kind() == ErrorKind::NotFound => None,
        done => Some(done.expect("a file that can be read")),
    }
}

/// A hundred kills.
#[test]
fn a_data_set_survives() {
    let lake = Lake::new();
    let mut dice = Dice::new(5);
    lake.complete(Work::Add, 0);
    let before = lake.ids();
    *lake.least.lock().expect("a lock") = before;
    let (mut killed, mut left) = (0, 0);
    let (working, others) = channel();
    let looks = thread::scope(|scope| {
        let reader = scope.spawn({
            let lake = &lake;
            move || lake.watch(&others)
        });
        // However it ends, the reader is told.
        let working: Sender<()> = working;
        let mut takes = Duration::from_millis(100);
        for round in 1..=TIMES {
            let work = match round % 4 {
                3 => Work::AddAndMerge,
                0 => Work::Merge,
                _ => Work::Add,
            };
            let before = lake.ids();
            let arguments = Lake::arguments(work, round);
            let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
            let moment = match round % 10 {
                0 => Moment::After(dice.part_of(takes)),
                _ => Moment::Made(dice.part_of(takes / 4)),
            };
            let mut command = lake.workspace.command(&arguments);
            let end = kill_at(&mut command, &lake.staging, moment);
            killed += u32::from(end == End::Killed);
            left += u32::from(lake.staging.exists());
            let after = lake.ids();
            assert!(
                after.is_superset(&before),
                "{work:?} lost readings in round {round}"
            );

            takes = lake.complete(work, round);
            let whole = lake.ids();
            assert!(whole.is_superset(&after), "round {round} was not completed");
            assert!(
                !lake.staging.exists(),
                "round {round} left something behind"
            );
            match work {
                Work::Merge => assert_eq!(whole, before, "in round {round}"),
                _ => assert!(whole.len() > before.len(), "round {round} brought nothing"),
            }
            if work != Work::Add {
                let files = files(&lake.folder).expect("nobody changes anything");
                let folders: BTreeSet<_> = files.iter().map(|path| path.parent()).collect();
                assert_eq!(files.len(), folders.len(), "round {round} did not merge");
            }
            *lake.least.lock().expect("a lock") = whole;
        }
        drop(working);
        reader.join().expect("a reader that is content")
    });
    // Otherwise nothing was tested.
    assert!(
        killed > TIMES / 2 && left > TIMES / 4 && looks > TIMES / 2,
        "{killed} killed, {left} of them at work, {looks} looks"
    );
}
