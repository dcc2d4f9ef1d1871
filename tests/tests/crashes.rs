//! Runs that are killed at any point while they write a text file: the file is always the old one or the new
//! one, whole, and the next run completes it.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use glucopipe_tests::{Dice, End, Moment, Workspace, has_temporary, kill_at};

/// How often each sink is killed: a hundred times in all.
const TIMES: u64 = 25;
/// Readings that are there before, and after.
const FEW: u32 = 300;
const MANY: u32 = 900;

/// A sink under test.
struct Case {
    workspace: Workspace,
    file: PathBuf,
    /// The file and the journal before the run that is killed.
    old: String,
    kept: PathBuf,
    /// The file after it.
    new: String,
    /// How long an undisturbed run takes.
    takes: Duration,
}

impl Case {
    /// A sink with these keys that has few readings and rows of somebody else, and is to get many.
    fn new(keys: &str, foreign: &str) -> Self {
        let workspace = Workspace::new();
        let home = workspace.path();
        let (file, kept) = (home.join("out/readings"), home.join("kept"));
        let pipeline = format!(
            "[sources.meter]\ndevice = \"virtual:contour-next-usb?seed=5\"\n\
             [sinks.sheet]\ninputs = [\"meter\"]\npath = \"out/readings\"\n{keys}"
        );
        workspace.write("pipeline.toml", &pipeline);
        let mut case = Self {
            workspace,
            file,
            old: String::new(),
            kept,
            new: String::new(),
            takes: Duration::ZERO,
        };
        let finished = case.workspace.run(&device(FEW));
        assert_eq!(finished.code, 0, "{}", finished.stderr);
        case.old = case.text() + foreign;
        copy(&case.workspace.path().join("state"), &case.kept);
        case.restore();
        let started = Instant::now();
        case.complete();
        case.takes = started.elapsed();
        case.new = case.text();
        assert!(case.new.len() > case.old.len());
        case
    }

    fn text(&self) -> String {
        fs::read_to_string(&self.file).expect("the file is there")
    }

    /// Puts back the file and the journal.
    fn restore(&self) {
        let state = self.workspace.path().join("state");
        let _ = fs::remove_dir_all(&state);
        copy(&self.kept, &state);
        fs::write(&self.file, &self.old).expect("the file can be written");
    }

    /// A run that nobody disturbs.
    fn complete(&self) {
        let finished = self.workspace.run(&device(MANY));
        assert_eq!(finished.code, 0, "{}", finished.stderr);
    }

    /// Kills runs at all sorts of moments; `test` chooses the dice.
    fn survives(&self, test: u64) {
        let mut dice = Dice::new(test);
        let folder = self.file.parent().expect("a folder");
        let (mut killed, mut left) = (0, 0);
        for round in 0..TIMES {
            self.restore();
            let moment = match round % 4 {
                0 => Moment::After(dice.part_of(self.takes)),
                1 => Moment::Begun(Duration::ZERO),
                2 => Moment::Begun(dice.part_of(self.takes / 16)),
                _ => Moment::Replaced,
            };
            let mut run = self.workspace.command(&device(MANY));
            killed += u32::from(kill_at(&mut run, &self.file, moment) == End::Killed);
            left += u32::from(has_temporary(folder));
            let found = self.text();
            assert!(
                found == self.old || found == self.new,
                "{moment:?} left {} bytes, neither {} nor {}",
                found.len(),
                self.old.len(),
                self.new.len()
            );
            self.complete();
            assert!(self.text() == self.new, "{moment:?} was not completed");
            assert!(!has_temporary(folder), "{moment:?} left a file behind");
        }
        // Otherwise nothing was tested.
        assert!(
            killed > 0 && left > 0,
            "{killed} killed, {left} left a file"
        );
    }
}

/// A run with so many readings.
fn device(records: u32) -> [&'static str; 3] {
    let set = match records {
        FEW => "sources.meter.device=virtual:contour-next-usb?seed=5&records=300",
        _ => "sources.meter.device=virtual:contour-next-usb?seed=5&records=900",
    };
    ["run", "--set", set]
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).into_iter().flatten() {
        let path = entry.expect("an entry").path();
        let to = to.join(path.file_name().expect("a name"));
        if path.is_dir() {
            copy(&path, &to);
        } else {
            fs::copy(&path, &to).expect("a copy");
        }
    }
}

/// A file that is replaced.
#[test]
fn replaced_csv() {
    Case::new("exporter = \"csv\"\nprofile = \"libreview\"\n", "").survives(1);
}

/// A file that is added to: nothing is lost, and nothing comes twice.
#[test]
fn appended_csv() {
    let mine = "mine,,2099-01-01T00:00:00,,,,,,,,,,\"my, own\",,,,k,,,,,,,\n";
    Case::new("exporter = \"csv\"\nmode = \"append\"\n", mine).survives(2);
}

/// A file that is merged with.
#[test]
fn merged_csv() {
    let mine = "mine;;2099-01-01T00:00:00;;;;;;;;;;\"my; own\";;;;k;;;;;;;\r\n";
    let keys = "exporter = \"csv\"\nmode = \"merge\"\nprofile = \"excel\"\ndecimal = \"comma\"\n";
    Case::new(keys, mine).survives(3);
}

/// JSON Lines go the same way.
#[test]
fn merged_jsonl() {
    let mine =
        "{\"reading_id\":\"mine\",\"local_time\":\"2099-01-01T00:00:00\",\"record_key\":\"k\"}\n";
    let keys = "exporter = \"jsonl\"\nmode = \"merge\"\n\
                columns = [\"reading_id\", \"local_time\", \"record_key\"]\n";
    Case::new(keys, mine).survives(4);
}
