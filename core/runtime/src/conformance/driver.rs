//! Drivers: what they say of a meter, what they read, and what becomes of the meter.

use std::ptr;
use std::sync::Arc;

use arrow::array::RecordBatch;
use chrono::{NaiveDate, NaiveDateTime};
use glucopipe_abi as abi;
use glucopipe_sdk::driver::{ReadReport, SetAside};
use glucopipe_sdk::stream::Batches;
use glucopipe_sdk::{Error, Status};
use serde_json::Value;

use super::bench::Bench;
use super::link::{Tap, Trouble};
use super::raw::Object;
use super::{Stop, Tested, skip};
use crate::cancel::{Cancel, Reason};
use crate::host::{OpenDriver, Operation};
use crate::plugin::Component;
use crate::run::intake::{Intake, Origin, check_schema};

/// Most batches without rows in a row.
const EMPTY_LIMIT: u32 = 1000;
/// Most moments at which a read is cancelled.
const MOMENTS: u64 = 24;
/// What a driver may take to leave the meter in order, as the host grants it, and to come back.
const LEAVING_MS: u64 = 13_000;
/// How far a clock may be from what it was set to: a minute clock, and the time of the exchanges.
const CLOCK_SLACK_S: i64 = 120;

/// A whole read.
pub(super) struct Whole {
    pub(super) readings: RecordBatch,
    pub(super) report: ReadReport,
    /// Rows that broke a rule of the host.
    pub(super) set_aside: Vec<SetAside>,
}

/// A read from open to close. A meter that is there is asked for its description, too; a recording holds what a
/// run asks, which is the read alone.
pub(super) fn read_all(
    component: &Arc<Component>,
    op: &Arc<Operation>,
    config: &Value,
    recorded: bool,
) -> Result<Whole, Error> {
    let mut driver = OpenDriver::open(component.clone(), op.clone(), config)?;
    if !recorded {
        driver.info()?;
    }
    read_open(&mut driver, component)
}

fn read_open(driver: &mut OpenDriver, component: &Component) -> Result<Whole, Error> {
    let broken = |what: String| Error::new(Status::Internal, what);
    let mut stream = driver.read(None)?;
    let device = check_schema(&stream.schema()).map_err(broken)?;
    let mut intake = Intake::new(Origin {
        family: component.id.clone(),
        driver: component.versioned(),
        device,
        read_at_us: 0,
        clock_offset_s: None,
    });
    let mut empty = 0;
    while let Some(batch) = stream.next_batch()? {
        empty = if batch.num_rows() == 0 { empty + 1 } else { 0 };
        if empty > EMPTY_LIMIT {
            return Err(broken("its stream does not end".into()));
        }
        intake.push(&batch).map_err(broken)?;
    }
    drop(stream);
    let report = driver.read_report()?;
    let taken = intake.finish().map_err(broken)?;
    Ok(Whole {
        readings: taken.readings,
        report,
        set_aside: taken.set_aside,
    })
}

/// Calls every function of a session with NULL as error, and closes nothing.
pub(super) fn call_silently(component: &Component, object: &Object) {
    let Some(table) = component.driver() else {
        return;
    };
    let (session, op) = (object.session(), object.op());
    let error = ptr::null_mut();
    // SAFETY: session and operation are alive, out-parameters zeroed; what is handed out is released once.
    unsafe {
        for text in [table.info, table.read_report].into_iter().flatten() {
            let mut out = abi::gp_string::EMPTY;
            text(session, op, &raw mut out, error);
            if let Some(release) = out.release {
                release(&raw mut out);
            }
        }
        if let Some(read) = table.read {
            let mut out = abi::ArrowArrayStream::EMPTY;
            read(session, op, ptr::null(), &raw mut out, error);
            if let Some(release) = out.release {
                release(&raw mut out);
            }
        }
        if let Some(clock) = table.get_clock {
            let mut out = abi::gp_clock {
                local_seconds: 0,
                utc_offset_seconds: 0,
                resolution_seconds: 0,
            };
            clock(session, op, &raw mut out, error);
        }
        if let Some(erase) = table.erase {
            erase(session, op, c"not this one".as_ptr(), error);
        }
    }
}

/// The read of a meter that nobody disturbs.
pub(super) fn clean(
    bench: &Bench<'_>,
    component: &Arc<Component>,
    config: &Value,
) -> Result<(Whole, u64), Stop> {
    let tap = Tap::counting();
    let op = bench.operation(Some(bench.tapped(component, &tap)?));
    bench.step("reading the meter undisturbed");
    let whole = read_all(component, &op, config, bench.is_recording()).map_err(failed)?;
    Ok((whole, tap.count()))
}

fn failed(error: Error) -> Stop {
    Stop::Fail(format!(
        "the read failed: {:?} ({})",
        error.status, error.message
    ))
}

/// The meter describes itself, twice alike.
pub(super) fn info(bench: &mut Bench<'_>) -> Tested {
    let component = bench.component()?;
    let config = bench.config(&component)?;
    let op = bench.operation(Some(bench.device(&component)?));
    bench.step("opening the meter");
    let mut driver = OpenDriver::open(component, op, &config).map_err(failed)?;
    bench.step("asking the meter for its description");
    let info = driver.info().map_err(failed)?;
    if info.serial.trim().is_empty() {
        bench.fault("`serial` of the description is missing");
    }
    if info.model.trim().is_empty() {
        bench.fault("`model` of the description is missing");
    }
    if info.clock.is_some() && info.clock_read_us.is_none() {
        bench.fault("the description has `clock` and not `clock_read_us`: nobody can tell how far it is off");
    }
    if !bench.is_recording() {
        let again = driver.info().map_err(failed)?;
        let same = (
            &again.serial,
            &again.model,
            &again.firmware,
            &again.record_count,
        ) == (
            &info.serial,
            &info.model,
            &info.firmware,
            &info.record_count,
        );
        if !same {
            bench.fault("the description changed from one call to the next");
        }
    }
    Ok(())
}

/// A read keeps the contract: columns, types, units, rows, and the report of it.
pub(super) fn read(bench: &mut Bench<'_>) -> Tested {
    let component = bench.component()?;
    let config = bench.config(&component)?;
    let (whole, exchanges) = clean(bench, &component, &config)?;
    for row in &whole.set_aside {
        bench.fault(format!("row {}: {}", row.position, row.reason));
    }
    let rows = whole.readings.num_rows() as u64;
    let (report, set_aside) = (&whole.report, whole.report.set_aside.len() as u64);
    bench.note(format!("{rows} readings in {exchanges} exchanges"));
    match (report.complete, report.expected) {
        (true, Some(expected)) if expected != rows + set_aside => bench.fault(format!(
            "the report says complete and {expected} expected, and there are {rows} readings and {set_aside} set aside"
        )),
        (true, _) if !report.reasons.is_empty() => {
            bench.fault("the report says complete, and why it is not");
        }
        (false, _) if report.reasons.is_empty() => {
            bench.fault("the report says incomplete, and not why");
        }
        (false, _) => {
            bench.warn(format!("the read was incomplete: {}", report.reasons.join("; ")));
        }
        (true, _) => {}
    }
    if rows == 0 {
        bench.warn("the meter holds no reading: little was tested");
    }
    bench.complaints();
    Ok(())
}

/// The same meter gives the same readings, in one session and in the next.
pub(super) fn again(bench: &mut Bench<'_>) -> Tested {
    let component = bench.component()?;
    let config = bench.config(&component)?;
    let op = bench.operation(Some(bench.device(&component)?));
    bench.step("reading the meter");
    let first = read_all(&component, &op, &config, bench.is_recording()).map_err(failed)?;
    bench.step("reading the meter in another session");
    let second = read_all(&component, &op, &config, bench.is_recording()).map_err(failed)?;
    if first.readings != second.readings {
        bench.fault("the second session gave other readings than the first");
    }
    if !bench.is_recording() {
        let mut driver = OpenDriver::open(component.clone(), op, &config).map_err(failed)?;
        for time in ["first", "second"] {
            bench.step(format!("reading a session the {time} time"));
            let read = read_open(&mut driver, &component).map_err(failed)?;
            if read.readings != first.readings {
                bench.fault(format!(
                    "the {time} read of one session gave other readings"
                ));
            }
        }
    }
    bench.complaints();
    Ok(())
}

/// A stream that is released early leaves the meter in order, and the next read whole.
pub(super) fn early(bench: &mut Bench<'_>) -> Tested {
    let component = bench.component()?;
    let config = bench.config(&component)?;
    let op = bench.operation(Some(bench.device(&component)?));
    let whole = read_all(&component, &op, &config, bench.is_recording()).map_err(failed)?;
    for batches in 0..2 {
        bench.step(format!("releasing the stream after {batches} batches"));
        let mut driver =
            OpenDriver::open(component.clone(), op.clone(), &config).map_err(failed)?;
        let mut stream = driver.read(None).map_err(failed)?;
        for _ in 0..batches {
            stream.next_batch().map_err(failed)?;
        }
        drop(stream);
        match driver.read_report() {
            Ok(report) if batches == 0 && report.complete && whole.readings.num_rows() > 0 => {
                bench.fault("a read that gave nothing was reported complete");
            }
            Ok(_) => {}
            Err(error) => bench.fault(format!("no report after an early release: {error}")),
        }
        drop(driver);
        bench.step("reading the meter after an early release");
        let after = read_all(&component, &op, &config, bench.is_recording()).map_err(failed)?;
        if after.readings != whole.readings {
            bench.fault("after an early release the next read gave other readings");
        }
    }
    bench.complaints();
    Ok(())
}

/// Cancelled at any exchange, a driver ends soon, says so, and leaves the meter in order.
pub(super) fn cancel(bench: &mut Bench<'_>) -> Tested {
    let component = bench.component()?;
    let config = bench.config(&component)?;
    let (whole, exchanges) = clean(bench, &component, &config)?;
    let moments: Vec<u64> = if exchanges <= MOMENTS {
        (1..=exchanges).collect()
    } else {
        (0..MOMENTS)
            .map(|_| 1 + bench.dice.below(exchanges))
            .collect()
    };
    for at in std::iter::once(0).chain(moments) {
        let cancel = Cancel::new();
        let tap = Tap::at(at, Trouble::Cancelled(cancel.clone()));
        let device = bench.tapped(&component, &tap)?;
        let op = bench.operation_until(Some(device), &cancel);
        if at == 0 {
            cancel.set(Reason::Interrupted);
        }
        let when = match at {
            0 => "before it began".to_owned(),
            _ => format!("at exchange {at} of {exchanges}"),
        };
        bench.step(format!("cancelling a read {when}"));
        match read_all(&component, &op, &config, bench.is_recording()) {
            Err(error) if error.status == Status::Cancelled => {}
            Err(error) => bench.fault(format!(
                "cancelled {when}: it gave {:?} ({}), expected Cancelled",
                error.status, error.message
            )),
            // The last exchanges only leave the meter.
            Ok(read) if read.readings == whole.readings => {}
            Ok(read) if read.report.complete => {
                bench.fault(format!(
                    "cancelled {when}: it gave a part, and reported it complete"
                ));
            }
            Ok(_) => bench.fault(format!("cancelled {when}: it gave a part and no error")),
        }
        let since = tap
            .struck_at_ms()
            .map(|struck| op.time().monotonic_ms().saturating_sub(struck));
        if let Some(since) = since.filter(|since| *since > LEAVING_MS) {
            bench.fault(format!("cancelled {when}: it took {since} ms to end"));
        }
    }
    bench.note(format!("{exchanges} exchanges"));
    bench.complaints();
    Ok(())
}

/// The clock is told, and shows what it was set to.
pub(super) fn clock(bench: &mut Bench<'_>) -> Tested {
    let component = bench.component()?;
    let table = component.driver();
    if table.is_none_or(|table| table.get_clock.is_none()) {
        return skip("the table has no `get_clock`");
    }
    if bench.is_recording() {
        return skip("a recording does not answer what it was not asked");
    }
    let settable = table.is_some_and(|table| table.set_clock.is_some());
    let config = bench.config(&component)?;
    let op = bench.operation(Some(bench.device(&component)?));
    let mut driver = OpenDriver::open(component, op, &config).map_err(failed)?;
    bench.step("asking for the clock");
    let shown = match driver.clock() {
        Ok(shown) => shown,
        Err(error) if error.status == Status::Unsupported => {
            return skip(format!("this meter tells no clock: {}", error.message));
        }
        Err(error) => return Err(failed(error)),
    };
    if !matches!(shown.resolution_s, 1 | 60) {
        bench.fault(format!(
            "the resolution of the clock is {} s, expected 1 or 60",
            shown.resolution_s
        ));
    }
    if !settable {
        bench.note("the table has no `set_clock`");
        return Ok(());
    }
    let Some(wanted) = a_moment() else {
        return Ok(());
    };
    bench.step("setting the clock");
    match driver.set_clock(wanted) {
        Ok(()) => {}
        Err(error) if error.status == Status::Unsupported => {
            bench.note(format!(
                "this meter's clock cannot be set: {}",
                error.message
            ));
            return Ok(());
        }
        Err(error) => return Err(failed(error)),
    }
    let now = driver.clock().map_err(failed)?.local;
    let off = (now - wanted).num_seconds();
    if off.abs() > CLOCK_SLACK_S {
        bench.fault(format!(
            "after it was set, the clock was {off} s away from that"
        ));
    }
    drop(driver);
    bench.complaints();
    Ok(())
}

/// A moment with a different number in every place.
fn a_moment() -> Option<NaiveDateTime> {
    NaiveDate::from_ymd_opt(2027, 3, 14)?.and_hms_opt(15, 9, 26)
}

/// Told to erase another meter, a driver changes nothing.
pub(super) fn erase(bench: &mut Bench<'_>) -> Tested {
    let component = bench.component()?;
    if component.driver().is_none_or(|table| table.erase.is_none()) {
        return skip("the table has no `erase`");
    }
    if bench.is_recording() {
        return skip("a recording does not answer what it was not asked");
    }
    let config = bench.config(&component)?;
    let op = bench.operation(Some(bench.device(&component)?));
    let before = read_all(&component, &op, &config, bench.is_recording()).map_err(failed)?;
    let mut driver = OpenDriver::open(component.clone(), op.clone(), &config).map_err(failed)?;
    let serial = driver.info().map_err(failed)?.serial;
    let mut others = vec![String::new(), "0".to_owned(), format!("{serial}0")];
    others.push(serial.chars().skip(1).collect());
    for other in others {
        bench.step("erasing with the serial of another meter");
        match driver.erase(&other) {
            Err(error) if error.status == Status::Precondition => {}
            // A meter that cannot be erased at all need not look at its serial.
            Err(error) if error.status == Status::Unsupported => {}
            Err(error) => bench.fault(format!(
                "erasing another meter gave {:?} ({}), expected Precondition",
                error.status, error.message
            )),
            Ok(()) => bench.fault("it erased although the serial was another meter's"),
        }
    }
    drop(driver);
    let after = read_all(&component, &op, &config, bench.is_recording()).map_err(failed)?;
    if after.readings != before.readings {
        bench.fault("the readings changed although nothing was to be erased");
    }
    bench.complaints();
    Ok(())
}
