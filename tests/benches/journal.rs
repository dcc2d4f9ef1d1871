//! A journal of a million readings: what a run that finds nothing new asks of it, what `explain` asks, and a whole
//! delivery by the program behind a filter that leaves half of them out.
//!
//! `cargo bench -p glucopipe-tests --bench journal` builds with optimisations and prints medians.
//! `GLUCOPIPE_BENCH_SESSIONS=40` makes the journal a tenth as large.

#![allow(clippy::print_stdout)] // printing is its duty

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use arrow::array::RecordBatch;
use glucopipe_runtime::journal::{Answer, Destination, Journal, Session};
use glucopipe_runtime::problem::Problem;
use glucopipe_runtime::run::intake::{Intake, Origin};
use glucopipe_sdk::batch::{BatchBuilder, Texts};
use glucopipe_sdk::driver::DeviceInfo;
use glucopipe_sdk::exporter::Wants;
use glucopipe_sdk::reading::{
    Concentration, Identity, Measurement, MgPerDl, Ranged, Reading, Verbatim,
};
use glucopipe_sdk::schema;
use glucopipe_tests::build;

/// How many sessions there are, unless the environment says otherwise.
const SESSIONS: u64 = 400;
const READINGS: u64 = 2500;
const ROUNDS: usize = 21;
/// The meter.
const SERIAL: &str = "ABC123";
/// The first reading.
const START: &str = "2001-01-01T00:00:00";

fn main() -> Result<(), Problem> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut journal = Journal::open(&folder.path().join("glucopipe/journal.db"))?;
    let sessions = std::env::var("GLUCOPIPE_BENCH_SESSIONS").ok();
    let sessions = sessions
        .and_then(|text| text.parse().ok())
        .unwrap_or(SESSIONS);
    let session = session();
    let sink = Destination {
        identity: "a destination".into(),
        exporter: "csv".into(),
        wants: Wants::New,
        way: None,
        pipeline: "pipeline.toml".into(),
        name: "sheet".into(),
    };
    let (mut read, mut key, mut meter) = (read(&session, 0), 0, 0);
    let filled = Instant::now();
    for number in 0..sessions {
        read = self::read(&session, number);
        meter = journal.record(&session, &read, &[])?.meter;
        key = journal.sink(&sink, &[meter])?;
        let pending = journal.pending(key, &[meter], false, None)?;
        let answer = |&reading: &i64| Answer {
            reading,
            refused: None,
        };
        let answers: Vec<Answer> = pending.readings.values().map(answer).collect();
        assert_eq!(
            answers.len() as u64,
            READINGS,
            "only what is new is pending"
        );
        journal.acknowledge(key, 0, &answers)?;
    }
    let (all, seconds) = (sessions * READINGS, filled.elapsed().as_secs());
    println!("{all} readings in {sessions} runs: {seconds} s");
    let ids = Texts::of(&read, "reading_id").expect("ids");
    let id = ids.get(0).expect("a reading").to_owned();
    measure("read again, nothing new", || {
        journal
            .record(&session, &read, &[])
            .map(|done| assert_eq!(done.new, 0))
    })?;
    measure("what waits for a sink: nothing", || {
        let pending = journal.pending(key, &[meter], false, None)?;
        assert!(pending.readings.is_empty());
        Ok(())
    })?;
    measure("one reading's life", || {
        journal.life(&id).map(|life| assert!(life.is_some()))
    })?;
    drop(journal);
    let middle = START.parse::<chrono::NaiveDateTime>().expect("a time")
        + chrono::TimeDelta::minutes(i64::try_from(all / 2).expect("few"));
    let since = middle.format("%Y-%m-%dT%H:%M:%S");
    let pipeline = format!(
        "[sources.meter]\ndevice = \"virtual:verio-flex?serial={SERIAL}\"\n\
         [transforms.late]\ntype = \"filter\"\ninputs = [\"meter\"]\nsince = \"{since}\"\n\
         [sinks.sheet]\nexporter = \"csv\"\ninputs = [\"late\"]\npath = \"sheet.csv\"\nmode = \"append\"\n"
    );
    std::fs::write(folder.path().join("pipeline.toml"), pipeline).expect("a pipeline");
    let began = Instant::now();
    deliver(folder.path());
    let seconds = began.elapsed().as_secs_f64();
    println!("a replay behind a filter, half left out: {seconds:.1} s");
    measure("the same again, nothing new", || {
        deliver(folder.path());
        Ok(())
    })
}

/// The whole program, from start to end.
fn deliver(folder: &Path) {
    let status = Command::new(build().program())
        .args(["replay", "-q"])
        .current_dir(folder)
        .env("XDG_STATE_HOME", folder)
        .status();
    assert!(status.is_ok_and(|status| status.success()));
}

fn measure(name: &str, mut work: impl FnMut() -> Result<(), Problem>) -> Result<(), Problem> {
    let mut times = Vec::new();
    for _ in 0..ROUNDS {
        let began = Instant::now();
        work()?;
        times.push(began.elapsed());
    }
    times.sort();
    let ms = |time: Duration| time.as_secs_f64() * 1000.0;
    let (least, median, most) = (times[0], times[ROUNDS / 2], times[ROUNDS - 1]);
    println!(
        "{name:32} median {:8.2} ms   ({:.2} to {:.2})",
        ms(median),
        ms(least),
        ms(most)
    );
    Ok(())
}

fn session() -> Session {
    Session {
        family: "verio".into(),
        driver: "verio/0.1.0".into(),
        device: DeviceInfo {
            serial: SERIAL.into(),
            model: "OneTouch Verio".into(),
            ..DeviceInfo::default()
        },
        read_at_us: 0,
        clock_offset_s: Some(0),
        transport: "scsi".into(),
        whole: true,
        complete: true,
        reasons: Vec::new(),
        expected: None,
        transcript: None,
        source: None,
    }
}

/// The readings of one session, all of them new.
fn read(session: &Session, number: u64) -> RecordBatch {
    let mut builder = BatchBuilder::new(schema::driver_readings("{}".into()));
    let start: chrono::NaiveDateTime = START.parse().expect("a time");
    for record in number * READINGS..(number + 1) * READINGS {
        let value = MgPerDl::new(93.0).expect("a value");
        let sent = Verbatim {
            time: "",
            value: "93",
            unit: "mg/dL",
        };
        let measured = Measurement::Glucose(Ranged::In(Concentration::MgPerDl(value)));
        let minutes = i64::try_from(record).expect("few");
        let time = start + chrono::TimeDelta::minutes(minutes);
        let mut reading = Reading::new(time, measured, sent, Identity::Counter(record));
        reading.raw = Some(vec![0; 32]);
        builder.push(&reading);
    }
    let mut intake = Intake::new(Origin {
        family: session.family.clone(),
        driver: session.driver.clone(),
        device: session.device.clone(),
        read_at_us: session.read_at_us,
        clock_offset_s: session.clock_offset_s,
    });
    intake
        .push(&builder.take().expect("a batch"))
        .expect("good rows");
    intake.finish().expect("a read").readings
}
