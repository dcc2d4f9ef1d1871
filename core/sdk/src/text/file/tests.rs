//! Files: whole or not at all.

use std::cell::RefCell;
use std::fs;

use super::*;
use crate::batch::Texts;
use crate::testing::{Form, TestHost, feed, table, texts};

/// One key a line.
struct Keys;

impl Layout for Keys {
    const NAME: &'static str = "key";

    fn begin(&mut self, _: Option<&RecordBatch>, out: &mut Vec<u8>) -> Result<()> {
        out.extend_from_slice(b"record_key\n");
        Ok(())
    }

    fn rows(&mut self, batch: &RecordBatch, out: &mut Vec<u8>) -> Result<u64> {
        let keys = Texts::of(batch, "record_key")?;
        for row in 0..batch.num_rows() {
            out.extend_from_slice(keys.get(row).unwrap().as_bytes());
            out.push(b'\n');
        }
        Ok(batch.num_rows() as u64)
    }
}

fn sink(path: &Path) -> TextFile<Keys> {
    TextFile::new(path.to_owned(), Mode::Replace, Keys).unwrap()
}

fn keys(keys: &[&str]) -> RecordBatch {
    let cells: Vec<_> = keys.iter().map(|&key| Some(key)).collect();
    table(keys.len(), Form::Words, &[("record_key", texts(&cells))])
}

/// A stream of prepared answers.
fn script(answers: Vec<Result<RecordBatch>>) -> Box<dyn Batches> {
    feed(answers)
}

fn go_on(_: u64) -> Result<()> {
    Ok(())
}

fn names_in(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect()
}

#[test]
fn appears_at_commit_with_all_batches_of_all_writes() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("out/readings.txt");
    let mut sink = sink(&path);
    let mut first = script(vec![Ok(keys(&["a", "b"])), Ok(keys(&[])), Ok(keys(&["c"]))]);
    sink.write_readings(first.as_mut(), &go_on).unwrap();
    sink.write_readings(script(vec![Ok(keys(&["d"]))]).as_mut(), &go_on)
        .unwrap();
    assert!(!path.exists());
    let report = sink.finish().unwrap();
    let text = fs::read_to_string(&path).unwrap();
    assert_eq!(text, "record_key\na\nb\nc\nd\n");
    assert_eq!(
        report,
        CommitReport {
            delivered: 4,
            bytes: 19,
            targets: vec![path.display().to_string()],
            ..CommitReport::default()
        }
    );
    assert_eq!(names_in(path.parent().unwrap()), ["readings.txt"]);
    assert_eq!(sink.finish().unwrap_err().status, Status::Internal);
}

#[test]
fn nothing_to_write_is_a_header() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("readings.txt");
    for written in [false, true] {
        let mut sink = sink(&path);
        if written {
            sink.write_readings(script(vec![]).as_mut(), &go_on)
                .unwrap();
        }
        assert_eq!(sink.finish().unwrap().delivered, 0);
        assert_eq!(fs::read_to_string(&path).unwrap(), "record_key\n");
    }
}

#[test]
fn a_sink_that_fails_or_is_dropped_leaves_the_earlier_file() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("readings.txt");
    fs::write(&path, "earlier").unwrap();

    let mut dropped = sink(&path);
    dropped
        .write_readings(script(vec![Ok(keys(&["a"]))]).as_mut(), &go_on)
        .unwrap();
    drop(dropped);

    let mut failed = sink(&path);
    let lost = Error::new(Status::Lost, "the meter went away");
    let mut stream = script(vec![Ok(keys(&["a"])), Err(lost.clone())]);
    assert_eq!(failed.write_readings(stream.as_mut(), &go_on), Err(lost));
    assert_eq!(names_in(home.path()), ["readings.txt"]);
    assert_eq!(failed.finish().unwrap_err().status, Status::Internal);
    let mut more = script(vec![Ok(keys(&["a"]))]);
    assert!(failed.write_readings(more.as_mut(), &go_on).is_err());

    assert_eq!(names_in(home.path()), ["readings.txt"]);
    assert_eq!(fs::read_to_string(&path).unwrap(), "earlier");
}

#[test]
fn long_batches_are_cut_and_can_be_cancelled() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("readings.txt");
    let rows = vec!["k"; 2 * ROWS_PER_WRITE + 1];

    let seen = RefCell::new(Vec::new());
    let mut whole = sink(&path);
    let watch = |rows| {
        seen.borrow_mut().push(rows);
        Ok(())
    };
    whole
        .write_readings(script(vec![Ok(keys(&rows))]).as_mut(), &watch)
        .unwrap();
    assert_eq!(*seen.borrow(), [0, 4096, 8192, 8193]);
    drop(whole);

    let mut cancelled = sink(&path);
    let stop = |rows| {
        if rows > 5000 {
            Err(Error::cancelled())
        } else {
            Ok(())
        }
    };
    let outcome = cancelled.write_readings(script(vec![Ok(keys(&rows))]).as_mut(), &stop);
    assert_eq!(outcome, Err(Error::cancelled()));
    assert_eq!(names_in(home.path()), [""; 0]);
}

#[test]
fn a_path_that_is_no_file_is_refused_and_a_target_is_checked() {
    let home = tempfile::tempdir().unwrap();
    for path in [home.path().to_str().unwrap(), "out/", "..", ""] {
        let error = TextFile::new(path.into(), Mode::Replace, Keys)
            .err()
            .unwrap();
        assert_eq!(error.key.as_deref(), Some("path"), "{path}");
    }
    sink(&home.path().join("a/b/readings.txt")).check().unwrap();
    fs::write(home.path().join("file"), "").unwrap();
    let error = sink(&home.path().join("file/readings.txt")).check();
    assert!(
        error
            .unwrap_err()
            .message
            .contains("cannot write in folder")
    );
    assert_eq!(names_in(home.path()), ["file"]);
}

#[test]
fn rows_that_do_not_say_what_they_are_can_only_be_replaced() {
    for mode in [Mode::Append, Mode::Merge] {
        let error = TextFile::new("readings.txt".into(), mode, Keys);
        let error = error.err().unwrap();
        assert_eq!(error.key.as_deref(), Some("mode"));
        assert!(error.message.contains(mode.word()), "{error}");
    }
}

#[test]
fn a_preview_counts_and_touches_nothing() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("out/readings.txt");
    let host = TestHost::new();
    let seen = |rows: &[&str]| {
        let mut stream = script(vec![Ok(keys(rows))]);
        let seen = sink(&path).preview(&host.op(), stream.as_mut()).unwrap();
        let line = seen.lines.join("\n");
        (
            seen.report,
            line.replace(&path.display().to_string(), "FILE"),
        )
    };
    let (report, line) = seen(&["a", "b"]);
    assert_eq!((report.delivered, report.bytes), (2, 15));
    assert_eq!(line, "would make FILE: 2 readings; 15 bytes");
    assert_eq!(names_in(home.path()), [""; 0]);

    fs::create_dir(path.parent().unwrap()).unwrap();
    fs::write(&path, "earlier").unwrap();
    assert_eq!(seen(&["a"]).1, "would replace FILE: 1 reading; 13 bytes");
    assert_eq!(seen(&[]).1, "would leave FILE as it is: 0 readings");
    assert_eq!(names_in(path.parent().unwrap()), ["readings.txt"]);
    assert_eq!(fs::read_to_string(&path).unwrap(), "earlier");

    let over = TextFile::new(home.path().join("out/readings.txt/x"), Mode::Replace, Keys);
    let refused = over.unwrap().preview(&host.op(), script(vec![]).as_mut());
    assert!(
        refused
            .unwrap_err()
            .message
            .contains("cannot write in folder")
    );
}

#[test]
fn standard_output_is_the_hosts() {
    let host = TestHost::new();
    let printed = || sink(Path::new(STANDARD_OUTPUT));
    printed().check().unwrap();
    let mut rows = script(vec![Ok(keys(&["a"]))]);
    let seen = printed().preview(&host.op(), rows.as_mut()).unwrap();
    assert_eq!(seen.lines, ["would print: 1 reading; 13 bytes"]);
    let mut rows = script(vec![Ok(keys(&["a"]))]);
    let error = printed().write_readings(rows.as_mut(), &go_on).unwrap_err();
    assert_eq!(error.status, Status::Unsupported);
    for mode in [Mode::Append, Mode::Merge] {
        let error = mode.check(Path::new(STANDARD_OUTPUT)).unwrap_err();
        assert_eq!(error.key.as_deref(), Some("mode"));
        mode.check(Path::new("./-")).unwrap();
    }
}
