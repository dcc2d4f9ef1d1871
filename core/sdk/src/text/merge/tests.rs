//! Files that are added to: what comes, what stays, what is refused.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use proptest::prelude::*;

use super::*;
use crate::exporter::{CommitReport, Sink};
use crate::testing::{Form, TestHost, feed, moments, table, texts};
use crate::text::{Found, Mode, RowKey, RowReader, TextFile};

const HEAD: &str = "# id time key value\n";

/// A value that has no place in the file.
const NOWHERE: &str = "-";

/// `ID TIME KEY VALUE`, a row a line.
struct Lines;

impl Layout for Lines {
    const NAME: &'static str = "line";

    fn begin(&mut self, _: Option<&RecordBatch>, out: &mut Vec<u8>) -> Result<()> {
        out.extend_from_slice(HEAD.as_bytes());
        Ok(())
    }

    fn rows(&mut self, batch: &RecordBatch, out: &mut Vec<u8>) -> Result<u64> {
        let times: &TimestampMicrosecondArray = typed(batch, "local_time")?;
        let [ids, keys, values] =
            ["reading_id", "record_key", "raw_value"].map(|name| Texts::of(batch, name));
        let (ids, keys, values) = (ids?, keys?, values?);
        let mut written = 0;
        for row in 0..batch.num_rows() {
            let text = [&ids, &keys, &values].map(|texts| texts.get(row).unwrap());
            if text[2] == NOWHERE {
                continue;
            }
            written += 1;
            let line = format!("{} {} {} {}\n", text[0], times.value(row), text[1], text[2]);
            out.extend_from_slice(line.as_bytes());
        }
        Ok(written)
    }

    fn reader(&self) -> Option<Box<dyn RowReader>> {
        Some(Box::new(Reader))
    }
}

struct Reader;

impl RowReader for Reader {
    fn read(&mut self, text: &[u8], key: &mut RowKey) -> Found {
        let Some(end) = text.iter().position(|&byte| byte == b'\n') else {
            return Found::Part;
        };
        let text = String::from_utf8_lossy(&text[..end]).into_owned();
        let cells: Vec<&str> = text.split(' ').collect();
        match (cells.len(), cells.get(1).and_then(|time| time.parse().ok())) {
            (4, Some(time)) => {
                *key = RowKey {
                    reading_id: cells[0].into(),
                    local_time: time,
                    record_key: cells[2].into(),
                };
                Found::Row(end + 1)
            }
            _ => Found::Odd("it has other cells"),
        }
    }

    fn explain(&self, _: &[u8]) -> String {
        "it begins otherwise".into()
    }
}

/// Id, time, key, value.
type Row<'a> = (&'a str, i64, &'a str, &'a str);

fn batch(rows: &[Row<'_>]) -> RecordBatch {
    let column = |cell: fn(&Row<'_>) -> String| {
        let cells: Vec<String> = rows.iter().map(cell).collect();
        texts(
            &cells
                .iter()
                .map(|cell| Some(cell.as_str()))
                .collect::<Vec<_>>(),
        )
    };
    let times: Vec<_> = rows.iter().map(|row| Some(row.1)).collect();
    let columns = [
        ("reading_id", column(|row| row.0.into())),
        ("local_time", moments(&times)),
        ("record_key", column(|row| row.2.into())),
        ("raw_value", column(|row| row.3.into())),
    ];
    table(rows.len(), Form::Words, &columns)
}

fn write(path: &Path, mode: Mode, writes: &[&[Row<'_>]]) -> Result<CommitReport> {
    let host = TestHost::new();
    let mut sink = TextFile::new(path.to_owned(), mode, Lines)?;
    for rows in writes {
        sink.write(&host.op(), feed([Ok(batch(rows))]).as_mut())?;
    }
    sink.commit(&host.op())
}

/// A file with these lines, or none.
fn file(home: &tempfile::TempDir, lines: Option<&[&str]>) -> PathBuf {
    let path = home.path().join("readings.txt");
    if let Some(lines) = lines {
        let lines: String = lines.iter().map(|line| format!("{line}\n")).collect();
        fs::write(&path, HEAD.to_owned() + &lines).unwrap();
    }
    path
}

/// What the lines became, and the report as delivered and already there.
fn after(mode: Mode, lines: Option<&[&str]>, writes: &[&[Row<'_>]]) -> (Vec<String>, (u64, u64)) {
    let home = tempfile::tempdir().unwrap();
    let path = file(&home, lines);
    let report = write(&path, mode, writes).unwrap();
    let text = fs::read_to_string(&path).unwrap();
    let lines = text.strip_prefix(HEAD).unwrap().lines().map(str::to_owned);
    assert_eq!(fs::read_dir(home.path()).unwrap().count(), 1);
    (lines.collect(), (report.delivered, report.already_there))
}

const A: Row<'_> = ("a", 1, "k1", "new");
const B: Row<'_> = ("b", 2, "k2", "new");
const C: Row<'_> = ("c", 2, "k3", "new");
const D: Row<'_> = ("d", 4, "k4", "new");

#[test]
fn both_modes_begin_a_file() {
    for mode in [Mode::Append, Mode::Merge] {
        for before in [None, Some(&[][..])] {
            let (lines, report) = after(mode, before, &[&[A, B]]);
            assert_eq!(lines, ["a 1 k1 new", "b 2 k2 new"]);
            assert_eq!(report, (2, 0));
        }
        assert_eq!(after(mode, None, &[]).0, [""; 0]);
    }
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("readings.txt");
    fs::write(&path, "").unwrap();
    write(&path, Mode::Append, &[&[A]]).unwrap();
    assert_eq!(
        fs::read_to_string(&path).unwrap(),
        format!("{HEAD}a 1 k1 new\n")
    );
}

#[test]
fn append_adds_what_is_not_there_at_the_end() {
    let before = ["x 9 k9 mine", "b 2 k2 old"];
    let (lines, report) = after(Mode::Append, Some(&before), &[&[A, B, C]]);
    assert_eq!(
        lines,
        ["x 9 k9 mine", "b 2 k2 old", "a 1 k1 new", "c 2 k3 new"]
    );
    assert_eq!(report, (2, 1));
    // A second write adds to the first, and knows it.
    let (lines, report) = after(Mode::Append, Some(&before[1..]), &[&[A], &[A, D]]);
    assert_eq!(lines, ["b 2 k2 old", "a 1 k1 new", "d 4 k4 new"]);
    assert_eq!(report, (2, 1));
}

#[test]
fn merge_keeps_the_order_and_what_it_does_not_know() {
    let before = [
        "x 0 k0 mine",
        "a 1 k1 old",
        "y 2 k2 mine",
        "c 2 k3 old",
        "z 9 k9 mine",
    ];
    let (lines, report) = after(Mode::Merge, Some(&before), &[&[A, B, C, D]]);
    assert_eq!(
        lines,
        [
            "x 0 k0 mine",
            "a 1 k1 new",
            "b 2 k2 new",
            "y 2 k2 mine",
            "c 2 k3 new",
            "d 4 k4 new",
            "z 9 k9 mine"
        ]
    );
    assert_eq!(report, (2, 2));
    // Only what is new is as good.
    let (lines, report) = after(Mode::Merge, Some(&["a 1 k1 old", "d 4 k4 old"]), &[&[B]]);
    assert_eq!(lines, ["a 1 k1 old", "b 2 k2 new", "d 4 k4 old"]);
    assert_eq!(report, (1, 0));
}

#[test]
fn merge_writes_a_reading_once_however_often_it_comes() {
    let doubled = ["a 1 k1 old", "a 1 k1 older", "b 2 k2 old"];
    let (lines, report) = after(Mode::Merge, Some(&doubled), &[&[A]]);
    assert_eq!(lines, ["a 1 k1 new", "b 2 k2 old"]);
    assert_eq!(report, (0, 1));
    let (lines, report) = after(Mode::Merge, None, &[&[A, C], &[A, B]]);
    assert_eq!(lines, ["a 1 k1 new", "b 2 k2 new", "c 2 k3 new"]);
    assert_eq!(report, (3, 1));
}

#[test]
fn merge_moves_a_reading_whose_place_changed() {
    let before = ["a 1 k1 old", "b 2 k2 old", "y 3 k3 mine", "d 9 k4 old"];
    let (lines, report) = after(
        Mode::Merge,
        Some(&before),
        &[&[A, D, ("b", 7, "k2", "new")]],
    );
    assert_eq!(
        lines,
        ["a 1 k1 new", "y 3 k3 mine", "d 4 k4 new", "b 7 k2 new"]
    );
    assert_eq!(report, (0, 3));
}

#[test]
fn merge_takes_away_a_reading_that_has_no_place_any_more() {
    let lines = ["a 1 k1 old", "b 2 k2 old"];
    let (after, (delivered, there)) =
        after(Mode::Merge, Some(&lines), &[&[("a", 1, "k1", NOWHERE)]]);
    assert_eq!(after, ["b 2 k2 old"]);
    assert_eq!((delivered, there), (0, 1));
}

#[test]
fn nothing_new_to_append_leaves_the_file_alone() {
    let home = tempfile::tempdir().unwrap();
    let path = file(&home, Some(&["a 1 k1 old"]));
    let before = fs::metadata(&path).unwrap().modified().unwrap();
    let report = write(&path, Mode::Append, &[&[A]]).unwrap();
    assert_eq!((report.delivered, report.already_there), (0, 1));
    assert_eq!((report.bytes, report.targets.len()), (0, 0));
    assert_eq!(fs::metadata(&path).unwrap().modified().unwrap(), before);
}

#[test]
fn a_file_that_is_not_ours_is_named_and_stays() {
    let text = |lines: &str| format!("{HEAD}{lines}");
    for (content, line, why) in [
        ("other\n".to_owned(), 1, "it begins otherwise"),
        ("#".to_owned(), 1, "it begins otherwise"),
        (text("a 1 k1 old\nodd\n"), 3, "it has other cells"),
        (text("a 1 k1 old\nb 2 k2"), 3, "its last line has no end"),
    ] {
        for mode in [Mode::Append, Mode::Merge] {
            let home = tempfile::tempdir().unwrap();
            let path = home.path().join("readings.txt");
            fs::write(&path, &content).unwrap();
            let error = write(&path, mode, &[&[D]]).unwrap_err();
            assert_eq!(error.status, Status::Precondition);
            let expected =
                format!(": line {line}: {why}; move it away, or use `mode = \"replace\"`");
            assert!(error.message.ends_with(&expected), "{error}");
            assert_eq!(fs::read_to_string(&path).unwrap(), content);
            assert_eq!(fs::read_dir(home.path()).unwrap().count(), 1);
        }
    }
}

#[test]
fn a_file_out_of_order_is_appended_to_and_not_merged() {
    let before = ["b 2 k2 old", "a 1 k1 old"];
    let home = tempfile::tempdir().unwrap();
    let path = file(&home, Some(&before));
    let error = write(&path, Mode::Merge, &[&[D]]).unwrap_err();
    assert!(
        error
            .message
            .contains("line 3: its rows are not in the order of"),
        "{error}"
    );
    assert_eq!(after(Mode::Append, Some(&before), &[&[D]]).1, (1, 0));
}

#[test]
fn readings_out_of_order_are_a_bug_of_the_host() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("readings.txt");
    let error = write(&path, Mode::Merge, &[&[B, A]]).unwrap_err();
    assert_eq!(error.status, Status::Internal);
    assert!(!path.exists());
}

#[test]
fn a_file_that_somebody_changed_meanwhile_is_not_written_over() {
    let home = tempfile::tempdir().unwrap();
    let path = file(&home, Some(&["a 1 k1 old"]));
    let host = TestHost::new();
    let mut sink = TextFile::new(path.clone(), Mode::Merge, Lines).unwrap();
    sink.write(&host.op(), feed([Ok(batch(&[D]))]).as_mut())
        .unwrap();
    fs::write(&path, "edited meanwhile").unwrap();
    let error = sink.commit(&host.op()).unwrap_err();
    assert!(
        error.retryable && error.message.contains("was changed"),
        "{error}"
    );
    assert_eq!(fs::read_to_string(&path).unwrap(), "edited meanwhile");
}

#[test]
fn a_file_that_somebody_made_meanwhile_is_not_written_over() {
    for mode in [Mode::Append, Mode::Merge] {
        let home = tempfile::tempdir().unwrap();
        let path = file(&home, None);
        let host = TestHost::new();
        let mut sink = TextFile::new(path.clone(), mode, Lines).unwrap();
        sink.write(&host.op(), feed([Ok(batch(&[D]))]).as_mut())
            .unwrap();
        fs::write(&path, "made meanwhile").unwrap();
        let error = sink.commit(&host.op()).unwrap_err();
        assert!(
            error.retryable && error.message.contains("was changed"),
            "{error}"
        );
        assert_eq!(fs::read_to_string(&path).unwrap(), "made meanwhile");
    }
}

#[test]
fn a_preview_of_a_merge_says_what_would_come() {
    let home = tempfile::tempdir().unwrap();
    let path = file(&home, Some(&["a 1 k1 old"]));
    let sink = TextFile::new(path.clone(), Mode::Merge, Lines).unwrap();
    let host = TestHost::new();
    let seen = sink.preview(&host.op(), feed([Ok(batch(&[A, B]))]).as_mut());
    let seen = seen.unwrap();
    assert_eq!((seen.report.delivered, seen.report.already_there), (1, 1));
    let path = path.display();
    let line = format!("would add to {path}: 1 reading, 1 there already; 42 bytes");
    assert_eq!(seen.lines, [line]);
}

#[test]
fn a_cancelled_merge_leaves_everything() {
    let home = tempfile::tempdir().unwrap();
    let path = file(&home, Some(&["a 1 k1 old"]));
    for questions in 0..3 {
        let host = TestHost::new();
        host.cancel_after(questions);
        let mut sink = TextFile::new(path.clone(), Mode::Merge, Lines).unwrap();
        let written = sink.write(&host.op(), feed([Ok(batch(&[D]))]).as_mut());
        let outcome = written.and_then(|()| sink.commit(&host.op()));
        assert_eq!(
            outcome.unwrap_err().status,
            Status::Cancelled,
            "{questions}"
        );
        drop(sink);
        assert_eq!(fs::read_dir(home.path()).unwrap().count(), 1);
        assert!(fs::read_to_string(&path).unwrap().ends_with("old\n"));
    }
}

#[test]
fn blocks_of_any_size_are_put_together() {
    // Rows longer than what is read at once, and a file longer than a block.
    let long = "v".repeat(600_000);
    let mut lines: Vec<String> = (0..20_000)
        .map(|row| format!("i{row:05} {row} k short"))
        .collect();
    lines.insert(10_000, format!("long 10000 k {long}"));
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    for mode in [Mode::Append, Mode::Merge] {
        let (found, report) = after(
            mode,
            Some(&lines),
            &[&[("i00007", 7, "k", "new"), ("n", 30_000, "k", "new")]],
        );
        assert_eq!(report, (1, 1));
        assert_eq!(found.len(), lines.len() + 1);
        assert_eq!(found[8..lines.len()], lines[8..]);
        assert_eq!(found[lines.len()], "n 30000 k new");
    }
    let endless = format!("x 1 k {}", "v".repeat(5_000_000));
    let home = tempfile::tempdir().unwrap();
    let path = file(&home, Some(&[&endless]));
    let error = write(&path, Mode::Merge, &[&[D]]).unwrap_err();
    assert!(
        error.message.contains("line 2: this row has no end"),
        "{error}"
    );
}

/// Rows in order, by what makes them one reading: the id follows from time and key.
fn rows(
    values: &'static str,
) -> impl Strategy<Value = BTreeMap<(i64, u8), (String, &'static str)>> {
    prop::collection::btree_map(
        (0i64..8, 0u8..3).prop_map(|place| place),
        (0u8..3).prop_map(move |id| (id.to_string(), values)),
        0..12,
    )
}

fn given(rows: &BTreeMap<(i64, u8), (String, &'static str)>) -> Vec<(String, i64, String, String)> {
    let row = |(&(time, key), (id, value)): (&(i64, u8), &(String, &'static str))| {
        (
            format!("{id}-{time}-{key}"),
            time,
            format!("k{key}"),
            (*value).to_owned(),
        )
    };
    rows.iter().map(row).collect()
}

proptest! {
    #[test]
    fn merging_is_what_a_table_by_id_would_do(old in rows("old"), new in rows("new"), cut in 0usize..12) {
        let (old, new) = (given(&old), given(&new));
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("readings.txt");
        let mut expected: BTreeMap<&str, (i64, &str, &str)> = BTreeMap::new();
        for (id, time, key, value) in old.iter().chain(&new) {
            expected.insert(id, (*time, key, value));
        }
        let known = new.iter().filter(|row| old.iter().any(|other| other.0 == row.0)).count() as u64;
        for (mode, rows) in [(Mode::Merge, &old), (Mode::Merge, &new)] {
            let rows: Vec<Row<'_>> = rows.iter().map(|row| (&*row.0, row.1, &*row.2, &*row.3)).collect();
            // The cut is no different from batches of the host.
            let (first, second) = rows.split_at(cut.min(rows.len()));
            let host = TestHost::new();
            let mut sink = TextFile::new(path.clone(), mode, Lines).unwrap();
            sink.write(&host.op(), feed([Ok(batch(first)), Ok(batch(second))]).as_mut()).unwrap();
            let report = sink.commit(&host.op()).unwrap();
            prop_assert_eq!(report.delivered + report.already_there, rows.len() as u64);
            if rows.first().is_some_and(|row| row.3 == "new") {
                prop_assert_eq!(report.already_there, known);
            }
        }
        let text = fs::read_to_string(&path).unwrap();
        let lines: Vec<Vec<&str>> = text.lines().skip(1).map(|line| line.split(' ').collect()).collect();
        let found: BTreeMap<&str, (i64, &str, &str)> = lines
            .iter()
            .map(|cells| (cells[0], (cells[1].parse().unwrap(), cells[2], cells[3])))
            .collect();
        prop_assert_eq!(lines.len(), found.len());
        prop_assert_eq!(&found, &expected);
        let order: Vec<(i64, &str)> = lines.iter().map(|cells| (cells[1].parse().unwrap(), cells[2])).collect();
        prop_assert!(order.is_sorted());
    }

    #[test]
    fn merging_the_same_readings_at_other_times_gives_each_once(
        old in prop::collection::btree_map(0u8..12, 0i64..8, 0..12),
        new in prop::collection::btree_map(0u8..12, 0i64..8, 0..12),
    ) {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("readings.txt");
        let known = new.keys().filter(|id| old.contains_key(id)).count() as u64;
        let mut expected: BTreeMap<String, i64> = BTreeMap::new();
        for (given, there) in [(&old, 0), (&new, known)] {
            let mut rows: Vec<_> = given.iter().map(|(id, time)| (*time, format!("k{id}"), id.to_string())).collect();
            rows.sort();
            let rows: Vec<Row<'_>> = rows.iter().map(|(time, key, id)| (&**id, *time, &**key, "v")).collect();
            let report = write(&path, Mode::Merge, &[&rows]).unwrap();
            prop_assert_eq!((report.delivered, report.already_there), (rows.len() as u64 - there, there));
            expected.extend(given.iter().map(|(id, time)| (id.to_string(), *time)));
        }
        let text = fs::read_to_string(&path).unwrap();
        let found: Vec<(i64, &str, &str)> = text.lines().skip(1).map(|line| {
            let cells: Vec<&str> = line.split(' ').collect();
            (cells[1].parse().unwrap(), cells[2], cells[0])
        }).collect();
        prop_assert!(found.is_sorted());
        prop_assert_eq!(found.len(), expected.len());
        let found: BTreeMap<String, i64> = found.iter().map(|row| (row.2.to_owned(), row.0)).collect();
        prop_assert_eq!(found, expected);
    }
}
