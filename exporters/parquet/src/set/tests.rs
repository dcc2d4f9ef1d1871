//! Data sets on the disk.

mod crash;
mod reader;

use std::fs;
use std::sync::Arc;

use glucopipe_sdk::arrow::datatypes::{DataType, Field, Schema};
use glucopipe_sdk::testing::TestHost;

use self::reader::{Seen, read};
use super::*;
use crate::fixtures::{Row, Script, batch_of, rows};
use crate::partition::Key;

/// A private folder with a data set in it.
pub(super) struct Home {
    folder: tempfile::TempDir,
    pub(super) keys: Vec<Key>,
}

impl Home {
    pub(super) fn new(keys: &[Key]) -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            keys: keys.to_vec(),
        }
    }

    pub(super) fn root(&self) -> PathBuf {
        self.folder.path().join("lake")
    }

    fn sink(&self, compact: bool) -> SetSink {
        SetSink::new(DataSet {
            root: self.root(),
            keys: self.keys.clone(),
            compact,
        })
    }

    /// One run.
    pub(super) fn run(&self, rows: &[Row], compact: bool) -> Result<CommitReport> {
        let host = TestHost::new();
        let mut sink = self.sink(compact);
        sink.write(&host.op(), &mut Script::new(vec![Ok(batch_of(rows))]))?;
        sink.commit(&host.op())
    }

    /// What `glucopipe compact` does.
    pub(super) fn compact(&self) -> Result<CommitReport> {
        self.sink(true).commit(&TestHost::new().op())
    }

    /// Adds, and expects what the report says.
    fn add(&self, rows: &[Row], delivered: u64, already_there: u64) -> CommitReport {
        let report = self.run(rows, false).unwrap();
        assert_eq!(
            (report.delivered, report.already_there),
            (delivered, already_there)
        );
        report
    }

    pub(super) fn seen(&self) -> Vec<Row> {
        match read(&self.root()) {
            Seen::Whole(rows) => rows,
            Seen::Gone => panic!("nobody takes files away meanwhile"),
        }
    }

    /// All that is there: every name, with what makes it the same file.
    fn listing(&self) -> Vec<(PathBuf, u64, std::time::SystemTime, Vec<u8>)> {
        let mut found = Vec::new();
        let mut folders = vec![self.folder.path().to_path_buf()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    let about = fs::metadata(&path).unwrap();
                    let name = path.strip_prefix(self.folder.path()).unwrap().to_path_buf();
                    found.push((
                        name,
                        about.len(),
                        about.modified().unwrap(),
                        fs::read(&path).unwrap(),
                    ));
                }
            }
        }
        found.sort();
        found
    }

    fn names(&self) -> Vec<String> {
        let names = self.listing().into_iter();
        names
            .map(|(name, ..)| name.to_str().unwrap().to_owned())
            .collect()
    }

    fn count(&self) -> usize {
        folder::files(&self.root()).unwrap().len()
    }
}

fn sorted(mut rows: Vec<Row>) -> Vec<Row> {
    rows.sort();
    rows
}

const ALL_KEYS: [&[Key]; 5] = [
    &[],
    &[Key::Year],
    &[Key::Year, Key::Month],
    &[Key::Person, Key::Year],
    &[
        Key::DeviceSerial,
        Key::Kind,
        Key::Month,
        Key::Person,
        Key::Year,
    ],
];

#[test]
fn a_run_adds_what_is_new_and_a_rerun_nothing() {
    for keys in ALL_KEYS {
        let home = Home::new(keys);
        let first = [
            rows("A", Some("anna"), 0..300),
            rows("0012", None, 100..110),
        ]
        .concat();
        let report = home.add(&first, 310, 0);
        assert_eq!(report.targets, [home.root().display().to_string()]);
        assert!(report.bytes > 0);
        assert_eq!(home.seen(), sorted(first.clone()));

        let before = home.listing();
        let report = home.add(&first, 0, 310);
        assert_eq!((report.bytes, report.targets.len()), (0, 0));
        assert_eq!(home.listing(), before, "{keys:?}");

        let second = [
            rows("A", Some("anna"), 290..310),
            rows("B", Some("ben"), 5..7),
        ]
        .concat();
        home.add(&second, 12, 10);
        let all = [
            first,
            rows("A", Some("anna"), 300..310),
            rows("B", Some("ben"), 5..7),
        ];
        assert_eq!(home.seen(), sorted(all.concat()));
        // What was there is as it was.
        let after = home.listing();
        assert!(before.iter().all(|file| after.contains(file)), "{keys:?}");
        assert!(
            home.names().iter().all(|name| !name.starts_with('.')),
            "{keys:?}"
        );
    }
}

#[test]
fn files_are_named_by_what_is_in_them() {
    let names = || {
        let home = Home::new(&[Key::Person, Key::Year]);
        home.add(&rows("A", Some("anna"), [0, 400]), 2, 0);
        home.names()
    };
    assert_eq!(names(), names());
    assert_eq!(
        names(),
        [
            "lake/person=anna/year=2024/part-f7cceca4e01c168c1ed928efd30ff8be.parquet",
            "lake/person=anna/year=2025/part-7f95acdb6b00a041752cd47659fe5128.parquet",
            "lake/person=text/year=2024/types.parquet",
            "readings.json",
        ]
    );
}

#[test]
fn no_readings_write_nothing() {
    for compact in [false, true] {
        let home = Home::new(&[]);
        let host = TestHost::new();
        let mut sink = home.sink(compact);
        sink.write(&host.op(), &mut Script::new(Vec::new()))
            .unwrap();
        sink.write(&host.op(), &mut Script::new(vec![Ok(batch_of(&[]))]))
            .unwrap();
        assert_eq!(sink.commit(&host.op()).unwrap(), CommitReport::default());
        assert_eq!(home.names(), [""; 0]);
        assert_eq!(
            sink.commit(&host.op()).unwrap_err().status,
            Status::Internal
        );
    }
}

#[test]
fn a_reading_is_known_again_wherever_it_was_put() {
    let home = Home::new(&[Key::Person, Key::DeviceSerial]);
    home.add(&rows("A", None, 0..3), 3, 0);
    // The same meter, now with a person.
    home.add(&rows("A", Some("anna"), 0..4), 1, 3);
    assert_eq!(home.seen().len(), 4);
}

/// `pseudonymise` can move times, by what a pipeline says.
#[test]
fn a_reading_is_known_again_whenever_it_was() {
    for keys in [&[][..], &[Key::Year, Key::Month]] {
        let home = Home::new(keys);
        home.add(&rows("A", None, 0..50), 50, 0);
        let mut moved = rows("A", None, 0..60);
        moved.iter_mut().for_each(|row| row.day -= 1000);
        home.add(&moved, 10, 50);
        assert_eq!(home.seen().len(), 60);
    }
}

#[test]
fn several_writes_of_a_run_add_each_reading_once() {
    let home = Home::new(&[Key::Year]);
    let host = TestHost::new();
    let mut sink = home.sink(false);
    for days in [0..10, 5..15, 0..15] {
        let batch = batch_of(&rows("A", None, days));
        sink.write(&host.op(), &mut Script::new(vec![Ok(batch)]))
            .unwrap();
    }
    let report = sink.commit(&host.op()).unwrap();
    assert_eq!((report.delivered, report.already_there), (15, 20));
    assert_eq!(home.seen(), sorted(rows("A", None, 0..15)));
}

#[test]
fn a_sink_that_fails_or_is_dropped_leaves_what_was_there() {
    let home = Home::new(&[Key::Year]);
    home.add(&rows("A", None, 0..3), 3, 0);
    let before = home.listing();
    let host = TestHost::new();
    let mut dropped = home.sink(false);
    let batch = batch_of(&rows("A", None, 3..9));
    dropped
        .write(&host.op(), &mut Script::new(vec![Ok(batch.clone())]))
        .unwrap();
    drop(dropped);
    assert_eq!(home.listing(), before);

    let mut failed = home.sink(false);
    let lost = Error::new(Status::Lost, "the meter went away");
    let mut readings = Script::new(vec![Ok(batch), Err(lost.clone())]);
    assert_eq!(failed.write(&host.op(), &mut readings), Err(lost));
    assert_eq!(
        failed.commit(&host.op()).unwrap_err().status,
        Status::Internal
    );
    assert!(
        failed
            .write(&host.op(), &mut Script::new(Vec::new()))
            .is_ok()
    );
    drop(failed);
    assert_eq!(home.listing(), before);
}

#[test]
fn a_data_set_keeps_its_partitions() {
    let mut home = Home::new(&[Key::Year]);
    home.add(&rows("A", None, 0..3), 3, 0);
    let before = home.listing();
    for (keys, expected) in [
        (&[][..], "expected not partitioned"),
        (
            &[Key::Person, Key::Year],
            "expected partitioned by `person`, `year`",
        ),
    ] {
        home.keys = keys.to_vec();
        let error = home.run(&rows("A", None, 0..5), false).unwrap_err();
        assert_eq!(error.key.as_deref(), Some("partition_by"));
        assert!(error.message.contains(expected), "{error}");
        assert!(
            error.message.contains("is partitioned by `year`"),
            "{error}"
        );
    }
    assert_eq!(home.listing(), before);

    home.keys = vec![Key::Year];
    fs::copy(
        home.root()
            .join("year=2024")
            .join(files_of(&home)[0].clone()),
        home.root().join("stray.parquet"),
    )
    .unwrap();
    let error = home.run(&rows("A", None, 0..5), false).unwrap_err();
    assert!(error.message.contains("readers cannot tell"), "{error}");
}

fn files_of(home: &Home) -> Vec<std::ffi::OsString> {
    let files = folder::files(&home.root()).unwrap().into_iter();
    files.map(|file| file.name).collect()
}

#[test]
fn other_files_in_the_folder_are_left_alone_and_broken_ones_named() {
    let home = Home::new(&[]);
    fs::create_dir_all(home.root().join("notes")).unwrap();
    fs::write(home.root().join("notes/a.parquet"), "not looked at").unwrap();
    fs::write(home.root().join("README"), "mine").unwrap();
    home.add(&rows("A", None, 0..3), 3, 0);
    fs::write(home.root().join("cut.parquet"), "PAR1").unwrap();
    let error = home.run(&rows("A", None, 0..5), false).unwrap_err();
    assert_eq!(error.status, Status::Io);
    assert!(
        error
            .message
            .starts_with("cannot read `cut.parquet` of the data set"),
        "{error}"
    );
    fs::remove_file(home.root().join("cut.parquet")).unwrap();
    home.add(&rows("A", None, 0..5), 2, 3);
    assert_eq!(fs::read(home.root().join("README")).unwrap(), b"mine");
}

#[test]
fn a_file_of_somebody_else_is_warned_of() {
    let home = Home::new(&[]);
    fs::create_dir_all(home.root()).unwrap();
    let schema = Schema::new(vec![Field::new("mine", DataType::Int64, true)]);
    let theirs = home.root().join("theirs.parquet");
    let file = fs::File::create(&theirs).unwrap();
    let writer = parquet::arrow::ArrowWriter::try_new(file, Arc::new(schema), None).unwrap();
    writer.close().unwrap();
    let before = fs::read(&theirs).unwrap();

    let stream = || Script::new(vec![Ok(batch_of(&rows("A", None, 0..3)))]);
    let host = TestHost::new();
    let set = DataSet {
        root: home.root(),
        keys: Vec::new(),
        compact: false,
    };
    let seen = preview(&host.op(), &set, &mut stream()).unwrap();
    let said = "`theirs.parquet` of the data set has no `reading_id`";
    assert!(seen.lines[0].starts_with(said), "{:?}", seen.lines);
    let mut sink = home.sink(false);
    sink.write(&host.op(), &mut stream()).unwrap();
    assert_eq!(sink.commit(&host.op()).unwrap().delivered, 3);
    let log = host.log();
    assert!(log.iter().any(|line| line.text.starts_with(said)));
    assert_eq!(fs::read(&theirs).unwrap(), before);
}

#[test]
fn small_files_are_merged_and_nothing_else_changes() {
    for keys in ALL_KEYS {
        let home = Home::new(keys);
        for start in 0..6 {
            let anna = rows("A", Some("anna"), start * 10..start * 10 + 12);
            let ben = rows("0012", Some("ben"), [start]);
            home.run(&[anna, ben].concat(), false).unwrap();
        }
        fs::write(home.root().join("README"), "mine").unwrap();
        let (rows, files) = (home.seen(), home.count());
        assert_eq!(rows.len(), 68);
        let report = home.compact().unwrap();
        assert_eq!(home.seen(), rows, "{keys:?}");
        assert!(home.count() < files && report.bytes > 0);
        assert_eq!((report.delivered, report.already_there), (0, 0));
        let partitions: BTreeSet<_> = folder::files(&home.root())
            .unwrap()
            .into_iter()
            .map(|file| file.partition)
            .collect();
        assert_eq!(home.count(), partitions.len(), "{keys:?}");
        assert_eq!(fs::read(home.root().join("README")).unwrap(), b"mine");
        // The same readings are known again, and there is nothing left to merge.
        let before = home.listing();
        assert_eq!(home.compact().unwrap(), CommitReport::default());
        let known: Vec<Row> = rows.iter().take(9).cloned().collect();
        home.add(&known, 0, 9);
        assert_eq!(home.listing(), before, "{keys:?}");
    }
}

#[test]
fn a_run_can_merge_at_its_end() {
    let home = Home::new(&[Key::Year]);
    for day in 0..3 {
        let report = home.run(&rows("A", None, [day]), true).unwrap();
        assert_eq!((report.delivered, report.already_there), (1, 0));
        assert_eq!(home.count(), 1);
    }
    assert_eq!(home.seen(), sorted(rows("A", None, 0..3)));
    assert_eq!(
        home.run(&rows("A", None, 0..3), true)
            .unwrap()
            .already_there,
        3
    );
}

#[test]
fn merging_needs_a_data_set_and_a_folder_of_files_alone() {
    let home = Home::new(&[]);
    let error = home.compact().unwrap_err();
    assert_eq!(error.status, Status::NotFound);
    assert!(error.message.contains("there is no data set"), "{error}");
    assert_eq!(home.names(), [""; 0]);

    for day in 0..3 {
        home.add(&rows("A", None, [day]), 1, 0);
    }
    fs::create_dir(home.root().join("notes")).unwrap();
    home.compact().unwrap();
    assert_eq!(home.count(), 3);
    fs::remove_dir(home.root().join("notes")).unwrap();
    home.compact().unwrap();
    assert_eq!(home.count(), 1);
}

#[test]
fn a_folder_that_somebody_holds_is_not_swapped() {
    for (keys, left) in [(&[][..], 3), (&[Key::Year][..], 4)] {
        let home = Home::new(keys);
        for day in 0..3 {
            home.add(&rows("A", None, [day, 400 + day]), 2, 0);
        }
        let seen = home.seen();
        let host = TestHost::new();
        let mut staging = Staging::open(&host.op(), &home.root()).unwrap();
        let folder = match keys {
            [] => staging.root().to_owned(),
            _ => staging.root().join("year=2024"),
        };
        compact::compact(&host.op(), &mut staging, &Held::of(Some(folder), b"")).unwrap();
        drop(staging);
        assert_eq!((home.count(), home.seen()), (left, seen));
        assert!(host.log().iter().any(|line| line.text.contains("works in")));
    }
}

/// Somebody put a newer file in the place of theirs after it had got its second name.
#[test]
fn a_file_of_somebody_else_is_not_lost_in_a_swap() {
    let home = Home::new(&[]);
    for day in 0..3 {
        home.add(&rows("A", None, [day]), 1, 0);
    }
    let theirs = home.root().join("README");
    fs::write(&theirs, "first").unwrap();
    let root = home.root();
    let mut put = false;
    disk::steps::watched(
        move |_| {
            let other = root.with_file_name(".lake.glucopipe");
            let swaps = fs::read_dir(other).into_iter().flatten().flatten();
            let linked = |swap: fs::DirEntry| swap.path().join("README").exists();
            if !put && swaps.into_iter().any(linked) {
                put = true;
                let new = root.join("new");
                fs::write(&new, "second").unwrap();
                let later = std::time::SystemTime::now() + std::time::Duration::from_secs(60);
                fs::File::open(&new).unwrap().set_modified(later).unwrap();
                fs::rename(new, root.join("README")).unwrap();
            }
            true
        },
        || home.compact().unwrap(),
    );
    assert_eq!(home.count(), 1);
    assert_eq!(fs::read(&theirs).unwrap(), b"second");
}

#[cfg(unix)]
#[test]
fn rights_of_folders_are_kept_and_new_ones_are_private() {
    use std::os::unix::fs::PermissionsExt;
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o7777;
    let home = Home::new(&[]);
    home.add(&rows("A", None, [0]), 1, 0);
    assert_eq!(mode(&home.root()), 0o700);
    for name in home.names() {
        assert_eq!(mode(&home.folder.path().join(name)), 0o600);
    }
    fs::set_permissions(home.root(), fs::Permissions::from_mode(0o2750)).unwrap();
    home.add(&rows("A", None, [1]), 1, 0);
    home.compact().unwrap();
    assert_eq!((home.count(), mode(&home.root())), (1, 0o2750));
}

#[test]
fn a_second_run_waits_and_can_be_cancelled() {
    let home = Home::new(&[Key::Year]);
    let host = TestHost::new();
    let mut first = home.sink(false);
    let stream = |days| Script::new(vec![Ok(batch_of(&rows("A", None, days)))]);
    first.write(&host.op(), &mut stream(0..3)).unwrap();

    let impatient = TestHost::new();
    impatient.cancel_after(2);
    let mut second = home.sink(false);
    let error = second
        .write(&impatient.op(), &mut stream(0..5))
        .unwrap_err();
    assert_eq!(error.status, Status::Cancelled);
    assert_eq!(
        impatient.progress().last().unwrap().step,
        "waiting for another run"
    );

    let root = home.root();
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| {
            let host = TestHost::new();
            let mut sink = home.sink(false);
            let mut stream = Script::new(vec![Ok(batch_of(&rows("A", None, 0..5)))]);
            sink.write(&host.op(), &mut stream)?;
            sink.commit(&host.op())
        });
        first.commit(&host.op()).unwrap();
        drop(first);
        let report = waiting.join().unwrap().unwrap();
        assert_eq!((report.delivered, report.already_there), (2, 3));
    });
    let Seen::Whole(seen) = read(&root) else {
        panic!("all is quiet");
    };
    assert_eq!(seen, sorted(rows("A", None, 0..5)));
    assert!(home.names().iter().all(|name| !name.starts_with('.')));
}

#[test]
fn the_columns_are_described_beside_the_folder_unless_somebody_else_has_the_name() {
    let home = Home::new(&[]);
    let file = home.folder.path().join("readings.json");
    home.add(&rows("A", None, [0]), 1, 0);
    let said: glucopipe_sdk::serde_json::Value =
        glucopipe_sdk::serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
    assert_eq!(said["glucopipe.schema"], "reading/1");
    assert_eq!(said["columns"][0]["name"], "reading_id");
    assert_eq!(said["columns"][5]["words"][0], "glucose");

    fs::write(&file, "{\"glucopipe.schema\":\"reading/0\"}").unwrap();
    home.add(&rows("A", None, [1]), 1, 0);
    assert!(fs::metadata(&file).unwrap().len() > 1000);

    fs::write(&file, "{\"mine\":1}").unwrap();
    home.add(&rows("A", None, [2]), 1, 0);
    assert_eq!(fs::read(&file).unwrap(), b"{\"mine\":1}");
}
