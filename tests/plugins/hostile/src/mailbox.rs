//! The exporter `mailbox`: a destination that adds to what is there, in moods that change between runs.
//!
//! Its file has a line for each reading, its id; a second file, `.log`, a line for each commit with how many
//! readings were offered. A third file, `.mood`, says what goes wrong at the next commit.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use glucopipe_sdk::batch::Texts;
use glucopipe_sdk::export::{self, Static};
use glucopipe_sdk::exporter::{CommitReport, Exporter, Refused, Sink, Wants};
use glucopipe_sdk::schemars::JsonSchema;
use glucopipe_sdk::serde::Deserialize;
use glucopipe_sdk::stream::Batches;
use glucopipe_sdk::{Error, Op, Result, Status, abi};

/// Keys in `[sinks.NAME]`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(crate = "glucopipe_sdk::serde")]
#[schemars(crate = "glucopipe_sdk::schemars")]
struct Config {
    /// The file.
    #[schemars(extend("format" = "output-file"))]
    path: PathBuf,
    /// What it is called by its owner.
    label: Option<String>,
    /// Something that changes nothing of what arrives.
    #[schemars(extend("x-tuning" = true))]
    patience: Option<u32>,
    /// Whether lines are short.
    #[serde(default)]
    compact: bool,
}

struct Mailbox;

impl Exporter for Mailbox {
    const ID: &'static str = "mailbox";
    const SUMMARY: &'static str = "adds a line for each reading";
    type Config = Config;
    type Sink = Slot;

    fn open(_: &Op, config: Config) -> Result<Slot> {
        let _ = (&config.label, config.patience, config.compact);
        Ok(Slot {
            path: config.path,
            ids: Vec::new(),
        })
    }

    fn wants(_: &Config) -> Result<Wants> {
        Ok(Wants::New)
    }
}

struct Slot {
    path: PathBuf,
    ids: Vec<String>,
}

impl Slot {
    fn beside(&self, extension: &str) -> PathBuf {
        self.path.with_extension(extension)
    }
}

impl Sink for Slot {
    fn write(&mut self, op: &Op, readings: &mut dyn Batches) -> Result<()> {
        while let Some(batch) = readings.next_batch()? {
            op.check()?;
            let ids = Texts::of(&batch, "reading_id")?;
            self.ids
                .extend((0..ids.len()).filter_map(|row| ids.get(row).map(str::to_owned)));
        }
        Ok(())
    }

    fn commit(&mut self, op: &Op) -> Result<CommitReport> {
        let mood = fs::read_to_string(self.beside("mood")).unwrap_or_default();
        let mut words = mood.split_whitespace();
        let (mood, number) = (words.next().unwrap_or(""), words.next());
        let number: usize = number.and_then(|number| number.parse().ok()).unwrap_or(0);
        append(&self.beside("log"), &[format!("{mood} {}", self.ids.len())])?;
        if mood == "fails" {
            return Err(Error::new(Status::Io, "the box is locked"));
        }
        let all = self.ids.len();
        let (refused, taken, left) = match mood {
            "refuses" => (number.min(all), all, 0),
            "leaves" | "holds" | "dawdles" => (0, all.saturating_sub(number), number.min(all)),
            _ => (0, all, 0),
        };
        let known = fs::read_to_string(&self.path).unwrap_or_default();
        let known: BTreeSet<&str> = known.lines().collect();
        let new: Vec<String> = self.ids[refused..taken]
            .iter()
            .filter(|id| !known.contains(id.as_str()))
            .cloned()
            .collect();
        append(&self.path, &new)?;
        if mood == "dies" {
            // As a power cut would: it is delivered, and nobody has been told.
            std::process::abort();
        }
        while mood == "dawdles" && op.check().is_ok() {
            std::thread::park_timeout(Duration::from_millis(10));
        }
        let mut report = CommitReport {
            delivered: new.len() as u64,
            already_there: (taken - refused - new.len()) as u64,
            rejected: refused as u64,
            refused: self.ids[..refused]
                .iter()
                .map(|id| Refused {
                    reading_id: id.clone(),
                    reason: "it is too heavy".to_owned(),
                })
                .collect(),
            pending: self.ids[all - left..].to_vec(),
            problem: (mood == "leaves").then(|| "the box is full".to_owned()),
            held: (mood == "holds").then(|| "they are for tomorrow".to_owned()),
            ..CommitReport::default()
        };
        match mood {
            "hides" => report.rejected += 1,
            "invents" => {
                report.delivered -= 1;
                report.pending = vec!["00000000-0000-5000-8000-000000000000".to_owned()];
            }
            "repeats" => {
                report.delivered -= 2;
                report.pending = vec![self.ids[0].clone(); 2];
            }
            _ => {}
        }
        Ok(report)
    }
}

fn append(path: &Path, lines: &[String]) -> Result<()> {
    let failed = |error: std::io::Error| Error::file("cannot write the box", &error);
    let mut file = File::options()
        .append(true)
        .create(true)
        .open(path)
        .map_err(failed)?;
    let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
    file.write_all(text.as_bytes()).map_err(failed)?;
    file.sync_all().map_err(failed)
}

/// The component.
pub(crate) fn component() -> Static<abi::gp_component> {
    export::exporter::<Mailbox>()
}
