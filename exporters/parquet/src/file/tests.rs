//! Files: whole or not at all.

use std::cell::RefCell;
use std::fs;

use glucopipe_sdk::testing::Form;
use parquet::file::reader::{FileReader, SerializedFileReader};

use super::*;
use crate::fixtures::{Script, batch};

fn sink(path: &Path) -> FileSink {
    FileSink::new(path.to_owned())
}

fn stream(rows: &[usize]) -> Script {
    let batches = rows.iter().map(|&rows| Ok(batch(rows, Form::Words, &[])));
    Script::new(batches.collect())
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
    let folder = home.path().join("out/readings");
    let file = folder.join("readings.parquet");
    let mut sink = sink(&file);
    sink.write_readings(&mut stream(&[2, 0, 3]), &go_on)
        .unwrap();
    let mut plain = Script::new(vec![Ok(batch(4, Form::Plain, &[]))]);
    sink.write_readings(&mut plain, &go_on).unwrap();
    assert!(!file.exists());
    let report = sink.finish().unwrap();
    assert_eq!(
        (report.delivered, report.targets),
        (9, vec![file.display().to_string()])
    );
    assert_eq!(report.bytes, fs::metadata(&file).unwrap().len());
    assert_eq!(names_in(&folder), ["readings.parquet"]);
    let reader = SerializedFileReader::new(fs::File::open(&file).unwrap()).unwrap();
    let groups = reader.metadata().row_groups();
    let rows: Vec<_> = groups.iter().map(|group| group.num_rows()).collect();
    assert_eq!(rows, [5, 4]);
    assert_eq!(sink.finish().unwrap_err().status, Status::Internal);
}

#[test]
fn a_single_file_is_replaced() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("all.parquet");
    fs::write(&file, "earlier").unwrap();
    let mut sink = sink(&file);
    sink.write_readings(&mut stream(&[1]), &go_on).unwrap();
    assert_eq!(fs::read(&file).unwrap(), b"earlier");
    sink.finish().unwrap();
    assert_eq!(&fs::read(&file).unwrap()[..4], b"PAR1");
}

#[test]
fn no_readings_write_nothing() {
    let home = tempfile::tempdir().unwrap();
    let mut sink = sink(&home.path().join("out.parquet"));
    sink.write_readings(&mut stream(&[]), &go_on).unwrap();
    sink.write_readings(&mut stream(&[0]), &go_on).unwrap();
    assert_eq!(sink.finish().unwrap(), CommitReport::default());
    assert_eq!(names_in(home.path()), [""; 0]);
}

#[test]
fn a_sink_that_fails_or_is_dropped_leaves_the_earlier_file() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("readings.parquet");
    fs::write(&file, "earlier").unwrap();

    let mut dropped = sink(&file);
    dropped.write_readings(&mut stream(&[1]), &go_on).unwrap();
    drop(dropped);

    let mut failed = sink(&file);
    let lost = Error::new(Status::Lost, "the meter went away");
    let mut readings = Script::new(vec![Ok(batch(1, Form::Words, &[])), Err(lost.clone())]);
    assert_eq!(failed.write_readings(&mut readings, &go_on), Err(lost));
    assert_eq!(failed.finish().unwrap_err().status, Status::Internal);
    assert!(failed.write_readings(&mut stream(&[1]), &go_on).is_err());

    assert_eq!(names_in(home.path()), ["readings.parquet"]);
    assert_eq!(fs::read(&file).unwrap(), b"earlier");
}

#[test]
fn long_batches_are_cut_and_can_be_cancelled() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("readings.parquet");
    let seen = RefCell::new(Vec::new());
    let stop = |rows| {
        seen.borrow_mut().push(rows);
        if rows > 10_000 {
            Err(Error::cancelled())
        } else {
            Ok(())
        }
    };
    let outcome = sink(&file).write_readings(&mut stream(&[3 * ROWS_PER_WRITE]), &stop);
    assert_eq!(outcome, Err(Error::cancelled()));
    assert_eq!(*seen.borrow(), [0, 8192, 16_384]);
    assert_eq!(names_in(home.path()), [""; 0]);
}

#[test]
fn errors_name_the_file() {
    let full = io::Error::from_raw_os_error(28);
    let error = cannot_write(Path::new("out/readings.parquet"), &full.into());
    assert_eq!((error.status, error.native), (Status::Io, 28));
    let start = "cannot write Parquet file `out/readings.parquet`: ";
    assert!(error.message.starts_with(start), "{error}");

    let other = ParquetError::General("odd".into());
    let error = cannot_write(Path::new("out/readings.parquet"), &other);
    assert_eq!(error.status, Status::Internal);
    assert!(error.message.starts_with(start), "{error}");
}
